/* safetensors_set.c - a checkpoint cut into several safetensors files.
 *
 * The index, NAME.safetensors.index.json, says in which shard each tensor lies: {"weight_map":
 * {"tensor": "NAME-00001-of-00003.safetensors"}}. It comes from outside like everything else, so a
 * shard is the plain name of a file in the same folder and nothing more. */
#include <stdio.h>

#include "base/mem.h"
#include "format/hf_dir.h"
#include "format/parts.h"
#include "format/safetensors.h"

#define INDEX_ENDING ".safetensors.index.json"
#define SHARD_ENDING ".safetensors"

/* The shards of one checkpoint. */
typedef struct shard_set {
    tensor_file *whole;
    str folder;        /* with its slash; empty: the current one */
    const char **path; /* [n] */
    size_t n;
    const json *weight_map; /* or NULL */
    map by_name;            /* name in the index -> number of the shard */
    tensor_file *part;      /* [n] */
    os_map *mapped;         /* [n] */
} shard_set;

static status no_memory(const tensor_file *f, err *e) {
    return err_set(e, RZ_ENOMEM, "%.200s: out of memory for shards", f->path);
}

bool safetensors_is_set(const char *path) {
    str stem;
    uint32_t no, count;
    const str s = str_of(path);
    if (str_ends(s, STR_LIT(INDEX_ENDING))) return true;
    return parts_of_name(s, SHARD_ENDING, &stem, &no, &count) && count > 1;
}

/* ---- The list of shards ---- */

static status too_many(const tensor_file *f, size_t n, err *e) {
    return err_set(e, RZ_EFORMAT, "%.200s: %zu shards, expected at most %d", f->path, n,
                   TENSOR_FILE_MAX_PARTS);
}

static status read_index(shard_set *set, arena *tree, err *e) {
    tensor_file *f = set->whole;
    char *text = NULL;
    size_t len = 0;
    json *root = NULL;
    TRY(os_read_file(f->path, SAFETENSORS_MAX_INDEX, &text, &len, e));
    const char *copy = arena_copy(tree, text, len);
    mem_free(text);
    if (!copy) return no_memory(f, e);
    const status s = json_parse(&root, (str){copy, len}, tree, e);
    if (s < 0) return err_at(e, s, f->path);
    set->weight_map = json_get(root, "weight_map");
    if (!set->weight_map || set->weight_map->kind != JSON_OBJECT || set->weight_map->n == 0)
        return err_set(e, RZ_EFORMAT, "%.200s: has no weight_map with tensors in it", f->path);
    return RZ_OK;
}

/* A file of the same folder: no slash, no "..", no hidden name. */
static bool is_plain_name(str s) {
    return s.len > 0 && s.len <= 255 && s.p[0] != '.' && !memchr(s.p, '/', s.len) &&
           !memchr(s.p, 0, s.len) && str_ends(s, STR_LIT(SHARD_ENDING));
}

static const char *path_of(const shard_set *set, str name) {
    char *path = arena_alloc(&set->whole->mem, set->folder.len + name.len + 1);
    if (!path) return NULL;
    if (set->folder.len) memcpy(path, set->folder.p, set->folder.len);
    memcpy(path + set->folder.len, name.p, name.len);
    path[set->folder.len + name.len] = 0;
    return path;
}

/* Every file the weight map names, once, in the order of appearance. */
static status list_by_index(shard_set *set, err *e) {
    tensor_file *f = set->whole;
    for (const json *v = set->weight_map->child; v; v = v->next) {
        if (v->kind != JSON_STRING || !is_plain_name(v->text))
            return err_set(e, RZ_EFORMAT,
                           "%.200s: tensor %.*s is said to be in \"%.*s\", expected the name of a "
                           "safetensors file in the same folder",
                           f->path, (int)(v->key.len < 80 ? v->key.len : 80), v->key.p,
                           (int)(v->text.len < 80 ? v->text.len : 80), v->text.p ? v->text.p : "");
        if (map_put(&set->by_name, v->text, set->by_name.n) == MAP_NOMEM) return no_memory(f, e);
    }
    set->n = set->by_name.n;
    if (set->n > TENSOR_FILE_MAX_PARTS) return too_many(f, set->n, e);
    set->path = arena_zero(&f->mem, set->n, sizeof *set->path);
    if (!set->path) return no_memory(f, e);
    for (size_t i = 0; i < set->n; i++)
        if (!(set->path[i] = path_of(set, set->by_name.entry[i].key))) return no_memory(f, e);
    return RZ_OK;
}

/* The path given is one of them. */
static status list_by_name(shard_set *set, err *e) {
    tensor_file *f = set->whole;
    str stem;
    uint32_t no, count;
    parts_of_name(str_of(f->path), SHARD_ENDING, &stem, &no, &count);
    if (count > TENSOR_FILE_MAX_PARTS) return too_many(f, count, e);
    set->n = count;
    set->path = arena_zero(&f->mem, set->n, sizeof *set->path);
    if (!set->path) return no_memory(f, e);
    for (uint32_t i = 0; i < count; i++)
        if (!(set->path[i] = parts_name(&f->mem, stem, i + 1, count, SHARD_ENDING)))
            return no_memory(f, e);
    return RZ_OK;
}

/* ---- Opening them ---- */

static status open_shards(shard_set *set, err *e) {
    tensor_file *f = set->whole;
    set->part = mem_array_zero(set->n, sizeof *set->part);
    set->mapped = mem_array_zero(set->n, sizeof *set->mapped);
    if (!set->part || !set->mapped) return no_memory(f, e);
    for (size_t i = 0; i < set->n; i++) {
        const status s =
            parts_open(f, &set->part[i], set->path[i], safetensors_parse, &set->mapped[i], e);
        if (s == RZ_ENOTFOUND)
            return err_set(e, RZ_ENOTFOUND, "%.200s: shard %zu of %zu is missing: %.200s", f->path,
                           i + 1, set->n, set->path[i]);
        TRY(s);
        f->file_bytes += set->mapped[i].len;
    }
    return RZ_OK;
}

static bool lies_in(const tensor_info *t, const os_map *m) {
    return t->data >= m->data && t->data < m->data + m->len;
}

/* Is every tensor of the weight map in the shard it says? */
static status check_places(const shard_set *set, err *e) {
    const tensor_file *f = set->whole;
    for (const json *v = set->weight_map->child; v; v = v->next) {
        const tensor_info *t = tensor_file_find(f, v->key);
        const uint64_t shard = *map_get(&set->by_name, v->text);
        if (!t || !lies_in(t, &set->mapped[shard]))
            return err_set(e, RZ_EFORMAT, "%.200s: tensor %.*s is not in %.*s, where it should be",
                           f->path, (int)(v->key.len < 100 ? v->key.len : 100), v->key.p,
                           (int)(v->text.len < 100 ? v->text.len : 100), v->text.p);
    }
    return RZ_OK;
}

static status open_set(shard_set *set, arena *tree, err *e) {
    tensor_file *f = set->whole;
    const char *slash = strrchr(f->path, '/');
    set->folder = (str){f->path, slash ? (size_t)(slash + 1 - f->path) : 0};
    if (str_ends(str_of(f->path), STR_LIT(INDEX_ENDING))) {
        TRY(read_index(set, tree, e));
        TRY(list_by_index(set, e));
    } else {
        TRY(list_by_name(set, e));
    }
    TRY(open_shards(set, e));
    TRY(parts_join(f, set->part, set->n, e));
    if (set->weight_map) TRY(check_places(set, e));
    f->format = "safetensors";
    f->kv = set->part[0].kv;
    f->n_kv = set->part[0].n_kv;
    f->kv_index = set->part[0].kv_index;
    set->part[0].kv_index = (map)MAP_INIT;
    return hf_dir_config(f, e);
}

status safetensors_open_set(tensor_file *f, err *e) {
    shard_set set = {.whole = f, .by_name = MAP_INIT};
    arena tree = ARENA_INIT;
    const status s = open_set(&set, &tree, e);
    for (size_t i = 0; set.part && i < set.n; i++) {
        map_free(&set.part[i].kv_index);
        map_free(&set.part[i].tensor_index);
    }
    for (size_t i = 0; s < 0 && set.mapped && i < set.n; i++) os_map_close(&set.mapped[i]);
    if (s < 0) {
        mem_free(set.mapped);
    } else {
        f->part = set.mapped;
        f->n_part = set.n;
    }
    mem_free(set.part);
    map_free(&set.by_name);
    arena_free(&tree);
    return s;
}
