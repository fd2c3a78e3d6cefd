/* hf_dir.c - finds the model in a checkpoint folder and reads the configuration beside it.
 *
 * Folders hold what people put there: one file, shards with an index, a trainer's checkpoints, GGUF
 * files of several sizes. The rules stand in one table, the first match wins; a rule that two files
 * meet is no answer, and the error names them. */
#include "format/hf_dir.h"

#include <stdio.h>

#include "base/mem.h"
#include "format/model_store.h"
#include "format/parts.h"
#include "format/safetensors.h"
#include "json/yaml.h"

typedef struct listing {
    const char *folder;
    const char *const *name;
    size_t n;
    str tag;
} listing;

static status no_memory(const char *path, err *e) {
    return err_set(e, RZ_ENOMEM, "%.200s: out of memory", path);
}

/* "folder/name" in `mem`, or NULL. */
static const char *join_path(arena *mem, str folder, str name) {
    const bool slash = folder.len && folder.p[folder.len - 1] != '/';
    char *path = arena_alloc(mem, folder.len + name.len + 2);
    if (!path) return NULL;
    if (folder.len) memcpy(path, folder.p, folder.len);
    if (slash) path[folder.len] = '/';
    memcpy(path + folder.len + slash, name.p, name.len);
    path[folder.len + slash + name.len] = 0;
    return path;
}

/* ---- Which file is the model ---- */

/* Rank of a name under a rule: 0 does not meet it, otherwise the highest wins. */
typedef uint64_t rule_fn(const listing *l, str name);

static uint64_t is_whole(const listing *l, str name) {
    (void)l;
    return str_is(name, "model.safetensors");
}

static uint64_t is_model_index(const listing *l, str name) {
    (void)l;
    return str_is(name, "model.safetensors.index.json");
}

/* What the trainer leaves at the end, and on the way. */
static uint64_t is_final(const listing *l, str name) {
    (void)l;
    return str_ends(name, STR_LIT("_final.safetensors"));
}

static uint64_t is_step(const listing *l, str name) {
    static const char mark[] = "_step_";
    uint64_t step;
    (void)l;
    if (!str_ends(name, STR_LIT(".safetensors"))) return 0;
    name.len -= strlen(".safetensors");
    size_t digits = 0;
    while (digits < name.len && name.p[name.len - digits - 1] >= '0' &&
           name.p[name.len - digits - 1] <= '9')
        digits++;
    if (!str_ends((str){name.p, name.len - digits}, STR_LIT(mark))) return 0;
    if (!str_u64((str){name.p + name.len - digits, digits}, &step) || step == UINT64_MAX) return 0;
    return step + 1;
}

static uint64_t is_any_index(const listing *l, str name) {
    (void)l;
    return str_ends(name, STR_LIT(".safetensors.index.json"));
}

/* Shards without an index are found by their first; the others are of no interest here. */
static uint64_t is_safetensors(const listing *l, str name) {
    str stem;
    uint32_t no, count;
    (void)l;
    if (!str_ends(name, STR_LIT(".safetensors"))) return 0;
    return !parts_of_name(name, ".safetensors", &stem, &no, &count) || no == 1;
}

static bool holds_tag(str name, str tag) {
    for (size_t i = 0; i + tag.len <= name.len; i++)
        if (str_eq_nocase((str){name.p + i, tag.len}, tag)) return true;
    return false;
}

/* Image projectors lie beside the models they belong to. */
static uint64_t is_gguf(const listing *l, str name) {
    str stem;
    uint32_t no, count;
    if (!str_ends(name, STR_LIT(".gguf")) || str_starts(name, STR_LIT("mmproj"))) return 0;
    if (parts_of_name(name, ".gguf", &stem, &no, &count) && no != 1) return 0;
    return holds_tag(name, l->tag);
}

static uint64_t is_pickle(const listing *l, str name) {
    static const char *const endings[] = {".bin", ".pt", ".pth", ".ckpt"};
    (void)l;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (str_ends(name, str_of(endings[i]))) return 1;
    return 0;
}

/* The names of highest rank: how many, and the first. Hidden files are nobody's model. */
static size_t count_best(const listing *l, rule_fn *rule, const char **first) {
    uint64_t best = 0;
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        const uint64_t rank = l->name[i][0] == '.' ? 0 : rule(l, str_of(l->name[i]));
        if (rank == 0 || rank < best) continue;
        if (rank > best) {
            best = rank;
            *first = l->name[i];
            n = 0;
        }
        n++;
    }
    return n;
}

static status ambiguous(const listing *l, rule_fn *rule, size_t n, err *e) {
    char names[200] = "";
    size_t shown = 0, at = 0;
    for (size_t i = 0; i < l->n && shown < 4; i++) {
        if (l->name[i][0] == '.' || !rule(l, str_of(l->name[i]))) continue;
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%.40s", shown++ ? ", " : "",
                               l->name[i]);
    }
    return err_set(e, RZ_EINVAL, "%.200s: holds %zu models (%s%s); name one of them", l->folder, n,
                   names, n > shown ? ", ..." : "");
}

static status nothing(const listing *l, err *e) {
    const char *pickle = "";
    if (l->tag.len)
        return err_set(e, RZ_ENOTFOUND, "%.200s: no GGUF file here has \"%.*s\" in its name",
                       l->folder, STR_FMT(l->tag));
    if (count_best(l, is_pickle, &pickle))
        return err_set(
            e, RZ_EUNSUPPORTED,
            "%.200s: holds its weights only as %.60s, a Python pickle, which is a program "
            "and is not read; it must be saved as safetensors first",
            l->folder, pickle);
    return err_set(e, RZ_ENOTFOUND,
                   "%.200s: no model in this folder: no .safetensors file, no "
                   "model.safetensors.index.json, no .gguf file",
                   l->folder);
}

status hf_dir_pick(const char *folder, str tag, arena *mem, const char **out, err *e) {
    static rule_fn *const rules[] = {is_whole,     is_model_index, is_final, is_step,
                                     is_any_index, is_safetensors, is_gguf};
    enum { RULES = sizeof rules / sizeof *rules };
    listing l = {.folder = folder, .tag = tag};
    TRY(os_list_folder(folder, mem, &l.name, &l.n, e));
    for (size_t i = tag.len ? RULES - 1 : 0; i < RULES; i++) {
        const char *name = NULL;
        const size_t n = count_best(&l, rules[i], &name);
        if (n > 1) return ambiguous(&l, rules[i], n, e);
        if (n == 0) continue;
        const char *path = join_path(mem, str_of(folder), str_of(name));
        if (!path) return no_memory(folder, e);
        *out = path;
        return RZ_OK;
    }
    return nothing(&l, e);
}

/* One shard of several: the index beside it knows more. */
static status prefer_index(const char *path, arena *mem, const char **out, err *e) {
    static const char ending[] = ".safetensors.index.json";
    str stem;
    uint32_t no, count;
    *out = path;
    if (!parts_of_name(str_of(path), ".safetensors", &stem, &no, &count)) return RZ_OK;
    char *index = arena_alloc(mem, stem.len + sizeof ending);
    if (!index) return no_memory(path, e);
    memcpy(index, stem.p, stem.len);
    memcpy(index + stem.len, ending, sizeof ending);
    if (os_path_kind(index) == OS_FILE) *out = index;
    return RZ_OK;
}

status hf_dir_find(const char *path, arena *mem, const char **out, err *e) {
    switch (os_path_kind(path)) {
        case OS_FILE:
            return prefer_index(path, mem, out, e);
        case OS_FOLDER:
            return hf_dir_pick(path, (str){NULL, 0}, mem, out, e);
        case OS_NOTHING:
            if (store_is_name(str_of(path))) {
                const store_places places = store_places_here();
                return store_find(path, &places, mem, out, e);
            }
            break;
        case OS_OTHER:
            break;
    }
    *out = path;
    return RZ_OK;
}

/* ---- The configuration beside it ---- */

status hf_dir_no_config(tensor_file *f, err *e) {
    json *empty = arena_zero(&f->mem, 1, sizeof *empty);
    if (!empty) return no_memory(f->path, e);
    empty->kind = JSON_OBJECT;
    f->config = empty;
    return RZ_OK;
}

/* The trainer's own files keep the model's numbers under "model" beside those of the training. */
static const json *model_part(const json *root) {
    const json *model = json_get(root, "model");
    return model && model->kind == JSON_OBJECT && !json_get(root, "hidden_size") ? model : root;
}

static status read_config(tensor_file *f, const char *path, err *e) {
    char *text = NULL;
    size_t len = 0;
    json *root = NULL;
    const bool yaml = !str_ends(str_of(path), STR_LIT(".json"));
    TRY(os_read_file(path, HF_DIR_MAX_CONFIG, &text, &len, e));
    const char *copy = arena_copy(&f->mem, text, len);
    mem_free(text);
    if (!copy) return no_memory(path, e);
    const status s = (yaml ? yaml_parse : json_parse_python)(&root, (str){copy, len}, &f->mem, e);
    if (s < 0) return err_at(e, s, path);
    if (root->kind != JSON_OBJECT)
        return err_set(e, RZ_EFORMAT, "%.200s: the configuration is %s, expected an object", path,
                       json_kind_name(root->kind));
    f->config = model_part(root);
    return RZ_OK;
}

status hf_dir_config(tensor_file *f, err *e) {
    static const char *const names[] = {"config.json", "config.yaml", "config.yml"};
    const char *slash = strrchr(f->path, '/');
    const size_t len = slash ? (size_t)(slash - f->path) : 0;
    f->folder = slash && len == 0 ? "/" : len ? arena_copy(&f->mem, f->path, len) : ".";
    if (!f->folder) return no_memory(f->path, e);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const str folder = {f->path, slash ? len + 1 : 0};
        const char *path = join_path(&f->mem, folder, str_of(names[i]));
        if (!path) return no_memory(f->path, e);
        if (os_path_kind(path) == OS_FILE) return read_config(f, path, e);
    }
    return hf_dir_no_config(f, e);
}

status hf_dir_carried(tensor_file *f, err *e) {
    str text = {NULL, 0};
    json *root = NULL;
    TRY(meta_str(f, HF_DIR_CARRIED, &text, e));
    if (!text.p || f->config) return RZ_OK;
    const status s = json_parse_python(&root, text, &f->mem, e);
    if (s < 0) return err_at(e, s, HF_DIR_CARRIED);
    if (root->kind != JSON_OBJECT)
        return err_set(e, RZ_EFORMAT, "%.200s: key %s is %s, expected an object", f->path,
                       HF_DIR_CARRIED, json_kind_name(root->kind));
    f->config = root;
    return RZ_OK;
}
