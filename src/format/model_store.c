/* model_store.c - finds fetched models by name.
 *
 * Every name that becomes part of a path is checked first: letters, digits, "._-", no leading dot.
 * Neither a model's name nor anything a manifest or a ref says can lead out of its store. */
#include "format/model_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/os.h"
#include "format/hf_dir.h"
#include "json/json.h"

enum { MAX_PART = 96, MAX_REF = 256, MAX_MANIFEST = 1 << 20, PLACE_BYTES = 400 };

static const char *or_null(const char *value) { return value && value[0] ? value : NULL; }

store_places store_places_here(void) {
    return (store_places){.hub_cache = or_null(getenv("HF_HUB_CACHE")),
                          .hf_home = or_null(getenv("HF_HOME")),
                          .cache_home = or_null(getenv("XDG_CACHE_HOME")),
                          .ollama = or_null(getenv("OLLAMA_MODELS")),
                          .home = or_null(getenv("HOME"))};
}

/* ---- Names ---- */

static bool is_part(str s) {
    if (s.len == 0 || s.len > MAX_PART || s.p[0] == '.' || s.p[0] == '-') return false;
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.p[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
}

/* "org/name:tag"; org and tag may be missing, which is a view without bytes. */
typedef struct model_name {
    str org, name, tag;
} model_name;

static bool split_name(str s, model_name *out) {
    model_name n = {{NULL, 0}, s, {NULL, 0}};
    const char *slash = s.len ? memchr(s.p, '/', s.len) : NULL;
    if (slash) {
        n.org = (str){s.p, (size_t)(slash - s.p)};
        n.name = (str){slash + 1, s.len - n.org.len - 1};
        if (!is_part(n.org)) return false;
    }
    const char *colon = n.name.len ? memchr(n.name.p, ':', n.name.len) : NULL;
    if (colon) {
        n.tag = (str){colon + 1, (size_t)(n.name.p + n.name.len - colon) - 1};
        n.name.len = (size_t)(colon - n.name.p);
        if (!is_part(n.tag)) return false;
    }
    if (!is_part(n.name)) return false;
    *out = n;
    return true;
}

bool store_is_name(str s) {
    static const char *const files[] = {".gguf", ".safetensors", ".json", ".bin",
                                        ".pt",   ".pth",         ".apr",  ".yaml"};
    model_name n;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (str_ends(s, str_of(files[i]))) return false;
    return split_name(s, &n);
}

/* ---- Paths ---- */

static status no_memory(err *e) { return err_set(e, RZ_ENOMEM, "model store: out of memory"); }

/* The parts one after the other, in `mem`; the list ends with NULL. NULL: out of memory. */
static const char *concat(arena *mem, const char *const *parts) {
    size_t len = 0, at = 0;
    for (const char *const *p = parts; *p; p++) len += strlen(*p);
    char *path = arena_alloc(mem, len + 1);
    if (!path) return NULL;
    for (const char *const *p = parts; *p; p++) {
        memcpy(path + at, *p, strlen(*p));
        at += strlen(*p);
    }
    path[len] = 0;
    return path;
}
#define PATH(mem, ...) concat((mem), (const char *const[]){__VA_ARGS__, NULL})

/* The folder of the hub; *out NULL when the environment names none. */
static status hub_folder(const store_places *p, arena *mem, const char **out, err *e) {
    *out = NULL;
    if (p->hub_cache) *out = p->hub_cache;
    else if (p->hf_home) *out = PATH(mem, p->hf_home, "/hub");
    else if (p->cache_home) *out = PATH(mem, p->cache_home, "/huggingface/hub");
    else if (p->home) *out = PATH(mem, p->home, "/.cache/huggingface/hub");
    else return RZ_OK;
    return *out ? RZ_OK : no_memory(e);
}

static status ollama_folder(const store_places *p, arena *mem, const char **out, err *e) {
    *out = NULL;
    if (p->ollama) *out = p->ollama;
    else if (p->home) *out = PATH(mem, p->home, "/.ollama/models");
    else return RZ_OK;
    return *out ? RZ_OK : no_memory(e);
}

/* ---- The hub ---- */

/* The commit refs/main names; without one the only snapshot there is. *out NULL: none. */
static status find_commit(const char *repo, arena *mem, const char **out, err *e) {
    char *text = NULL;
    size_t len = 0;
    const char *ref = PATH(mem, repo, "/refs/main"), *folder = PATH(mem, repo, "/snapshots");
    if (!ref || !folder) return no_memory(e);
    if (os_path_kind(ref) == OS_FILE) {
        TRY(os_read_file(ref, MAX_REF, &text, &len, e));
        const str commit = str_trim((str){text, len});
        const bool good = is_part(commit);
        *out = good ? arena_copy(mem, commit.p, commit.len) : NULL;
        mem_free(text);
        if (!good) return err_set(e, RZ_EFORMAT, "%.300s: names no commit", ref);
        return *out ? RZ_OK : no_memory(e);
    }
    const char *const *name;
    size_t n = 0;
    *out = NULL;
    if (os_path_kind(folder) != OS_FOLDER) return RZ_OK;
    TRY(os_list_folder(folder, mem, &name, &n, e));
    if (n > 1)
        return err_set(e, RZ_EINVAL, "%.300s: holds %zu snapshots and no refs/main says which",
                       folder, n);
    if (n == 1) *out = name[0];
    return RZ_OK;
}

/* *out stays NULL when the hub does not have it. */
static status find_in_hub(const char *hub, const model_name *n, arena *mem, const char **out,
                          err *e) {
    char folder[2 * MAX_PART + 16];
    snprintf(folder, sizeof folder, "/models--%.*s%s%.*s", (int)n->org.len,
             n->org.len ? n->org.p : "", n->org.len ? "--" : "", (int)n->name.len, n->name.p);
    const char *repo = PATH(mem, hub, folder), *commit = NULL;
    if (!repo) return no_memory(e);
    if (os_path_kind(repo) != OS_FOLDER) return RZ_OK;
    TRY(find_commit(repo, mem, &commit, e));
    if (!commit) return RZ_OK;
    const char *snapshot = PATH(mem, repo, "/snapshots/", commit);
    if (!snapshot) return no_memory(e);
    if (os_path_kind(snapshot) != OS_FOLDER)
        return err_set(e, RZ_ENOTFOUND, "%.300s: this snapshot was not fetched", snapshot);
    return hf_dir_pick(snapshot, n->tag, mem, out, e);
}

/* ---- Ollama ---- */

static bool is_digest(str s) {
    if (!str_starts(s, STR_LIT("sha256:")) || s.len != 7 + 64) return false;
    for (size_t i = 7; i < s.len; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f'))) return false;
    return true;
}

/* The digest of the model layer; other layers are prompts, licences, parameters. */
static status model_layer(const char *path, const json *manifest, str *digest, err *e) {
    const json *layers = json_get(manifest, "layers");
    const json *layer = layers && layers->kind == JSON_ARRAY ? layers->child : NULL;
    for (; layer; layer = layer->next) {
        const json *type = json_get(layer, "mediaType"), *id = json_get(layer, "digest");
        if (!type || type->kind != JSON_STRING) continue;
        if (str_is(type->text, "application/vnd.ollama.image.adapter"))
            return err_set(e, RZ_EUNSUPPORTED, "%.300s: a model with an adapter, which is not read",
                           path);
        if (!str_is(type->text, "application/vnd.ollama.image.model")) continue;
        if (!id || id->kind != JSON_STRING || !is_digest(id->text))
            return err_set(e, RZ_EFORMAT, "%.300s: the model layer has no sha256 digest", path);
        *digest = id->text;
    }
    if (digest->len) return RZ_OK;
    return err_set(e, RZ_EUNSUPPORTED, "%.300s: this manifest has no model layer", path);
}

static status read_manifest(const char *store, const char *path, arena *mem, const char **out,
                            err *e) {
    char *text = NULL, file[80];
    size_t len = 0;
    json *root = NULL;
    str digest = {NULL, 0};
    arena tree = ARENA_INIT;
    TRY(os_read_file(path, MAX_MANIFEST, &text, &len, e));
    status s = json_parse(&root, (str){text, len}, &tree, e);
    if (s < 0) s = err_at(e, s, path);
    if (s >= 0) s = model_layer(path, root, &digest, e);
    if (s >= 0) snprintf(file, sizeof file, "/blobs/sha256-%.*s", 64, digest.p + 7);
    arena_free(&tree);
    mem_free(text);
    TRY(s);
    const char *blob = PATH(mem, store, file);
    if (!blob) return no_memory(e);
    if (os_path_kind(blob) != OS_FILE)
        return err_set(e, RZ_ENOTFOUND, "%.200s: its model %.250s was not fetched", path, blob);
    *out = blob;
    return RZ_OK;
}

/* *out stays NULL when no registry of the store has it. */
static status find_in_ollama(const char *store, const model_name *n, arena *mem, const char **out,
                             err *e) {
    const char *const *registry, *folder = PATH(mem, store, "/manifests");
    size_t n_registry = 0;
    char tail[3 * MAX_PART + 8];
    const str org = n->org.len ? n->org : STR_LIT("library");
    const str tag = n->tag.len ? n->tag : STR_LIT("latest");
    if (!folder) return no_memory(e);
    if (os_path_kind(folder) != OS_FOLDER) return RZ_OK;
    TRY(os_list_folder(folder, mem, &registry, &n_registry, e));
    snprintf(tail, sizeof tail, "/%.*s/%.*s/%.*s", (int)org.len, org.p, (int)n->name.len, n->name.p,
             (int)tag.len, tag.p);
    for (size_t i = 0; i < n_registry; i++) {
        const char *path = PATH(mem, folder, "/", registry[i], tail);
        if (!path) return no_memory(e);
        if (os_path_kind(path) == OS_FILE) return read_manifest(store, path, mem, out, e);
    }
    return RZ_OK;
}

/* ---- Both ---- */

static status not_found(const char *name, const model_name *n, const char *hub, const char *ollama,
                        err *e) {
    char fetch[160] = "";
    const int id = (int)(n->tag.len ? (size_t)(n->tag.p - name) - 1 : strlen(name));
    if (n->org.len)
        snprintf(fetch, sizeof fetch, "`hf download %.*s` or ", id < 100 ? id : 100, name);
    return err_set(
        e, RZ_ENOTFOUND,
        "%.80s: no such file or folder, and no model of that name in %.100s (HF_HUB_CACHE, "
        "HF_HOME) or %.100s (OLLAMA_MODELS); fetch it with %s`ollama pull %.80s`",
        name, hub ? hub : "a hub cache", ollama ? ollama : "an Ollama store", fetch, name);
}

status store_find(const char *name, const store_places *places, arena *mem, const char **out,
                  err *e) {
    const char *hub, *ollama, *found = NULL;
    model_name n;
    if (!split_name(str_of(name), &n))
        return err_set(e, RZ_EINVAL, "\"%.200s\" is not the name of a model", name);
    TRY(hub_folder(places, mem, &hub, e));
    TRY(ollama_folder(places, mem, &ollama, e));
    if (hub) TRY(find_in_hub(hub, &n, mem, &found, e));
    if (!found && ollama) TRY(find_in_ollama(ollama, &n, mem, &found, e));
    if (!found) return not_found(name, &n, hub, ollama, e);
    *out = found;
    return RZ_OK;
}
