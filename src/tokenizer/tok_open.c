/* tok_open.c - from a path or a name to a tokenizer: which kind of file it is, where it lies. */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "json/json.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_named.h"

enum { MAX_CONFIG = 8 << 20 };

/* "cl100k_base" of "/some/where/cl100k_base.tiktoken". */
static str stem_of(const char *path) {
    const char *slash = strrchr(path, '/');
    str s = str_of(slash ? slash + 1 : path);
    for (size_t i = 1; i < s.len; i++)
        if (s.p[i] == '.') s.len = i;
    return s;
}

static status open_gguf(tok **out, const char *path, err *e) {
    tensor_file *f = NULL;
    tok *t = NULL;
    TRY(tensor_file_open(&f, path, e));
    status s = tok_open_gguf(&t, f, e);
    if (s >= 0 && !t) s = err_set(e, RZ_EFORMAT, "%s: no tokenizer in this file", path);
    if (s < 0) {
        tensor_file_close(f);
        return s;
    }
    t->file = f;
    *out = t;
    return RZ_OK;
}

/* base64, a space, a number. */
static bool looks_like_tiktoken(str file) {
    str line = str_split(&file, '\n');
    size_t i = 0;
    while (i < line.len && line.p[i] != ' ' && (unsigned char)line.p[i] > ' ') i++;
    const size_t space = i++;
    while (i < line.len && line.p[i] >= '0' && line.p[i] <= '9') i++;
    return space > 0 && i > space + 1 && (i == line.len || line.p[i] == '\r');
}

static void list_names(buf *b) {
    const tok_named *v;
    for (size_t i = 0; (v = tok_named_at(i)) != NULL; i++)
        buf_printf(b, "%s%s", i ? ", " : "", v->name);
}

static status unknown_name(const char *where, str name, err *e) {
    buf names = BUF_INIT;
    list_names(&names);
    const char *text = buf_cstr(&names);
    const status s = err_set(e, RZ_EINVAL, "%s%.*s is no vocabulary known by name; these are: %s",
                             where, STR_FMT(name), text ? text : "");
    buf_free(&names);
    return s;
}

static status open_bytes(tok **out, const char *path, str file, const tok_named *v, int variant,
                         err *e) {
    if (looks_like_tiktoken(file)) {
        if (!v) v = tok_named_find(stem_of(path));
        if (!v || !v->token)
            return unknown_name("a .tiktoken file does not say how text is split, and ",
                                stem_of(path), e);
        return tok_open_tiktoken(out, path, file, v, variant, e);
    }
    if (tok_looks_like_spm(file)) return tok_open_spm(out, path, file, v, variant, e);
    if (str_starts(str_trim(file), STR_LIT("{"))) return tok_open_hf(out, path, file, e);
    return err_set(e, RZ_EFORMAT, "%s: not a tokenizer file this build knows", path);
}

static status open_file(tok **out, const char *path, const tok_named *v, int variant, err *e) {
    os_map m;
    TRY(os_map_open(&m, path, e));
    const str file = {(const char *)m.data, m.len};
    if (tok_looks_like_rzv(file)) {
        const status mapped = tok_open_rzv(out, path, file, e);
        if (mapped < 0) os_map_close(&m);
        else (*out)->map = m;
        return mapped;
    }
    const status s = str_starts(file, STR_LIT("GGUF")) ? open_gguf(out, path, e)
                                                       : open_bytes(out, path, file, v, variant, e);
    os_map_close(&m);
    return s;
}

status tok_open(tok **out, const char *path, err *e) { return open_file(out, path, NULL, 0, e); }

static bool is_there(buf *path, const char *folder, const char *file) {
    buf_clear(path);
    buf_printf(path, "%s/%s", folder, file);
    return buf_cstr(path) && access(buf_cstr(path), R_OK) == 0;
}

/* "add_bos_token" and "add_eos_token" of tokenizer_config.json; what is not said stays as it is. */
static void take_marks(tok *t, const json *config) {
    const json *bos = json_get(config, "add_bos_token"), *eos = json_get(config, "add_eos_token");
    if (bos && bos->kind == JSON_BOOL && t->special[RZ_BOS] >= 0) {
        t->n_before = bos->truth;
        t->before[0] = t->special[RZ_BOS];
    }
    if (eos && eos->kind == JSON_BOOL && t->special[RZ_EOS] >= 0) {
        t->n_after = eos->truth;
        t->after[0] = t->special[RZ_EOS];
    }
}

status tok_open_spm_in(tok **out, const char *folder, err *e) {
    buf path = BUF_INIT;
    arena mem = ARENA_INIT;
    json *config = NULL;
    char *text = NULL;
    size_t len = 0;
    buf_printf(&path, "%s/tokenizer.model", folder);
    status s = path.failed ? err_set(e, RZ_ENOMEM, "tokenizer: out of memory")
                           : tok_open(out, buf_cstr(&path), e);
    if (s >= 0 && is_there(&path, folder, "tokenizer_config.json") &&
        os_read_file(buf_cstr(&path), MAX_CONFIG, &text, &len, NULL) >= 0 &&
        json_parse_python(&config, (str){text, len}, &mem, NULL) >= 0)
        take_marks(*out, config);
    mem_free(text);
    arena_free(&mem);
    buf_free(&path);
    return s;
}

/* In a checkpoint folder, the first that is there. */
static const char *const model_files[] = {"tokenizer.json", "tekken.json", "tokenizer.model"};

status tok_open_model(tok **out, const tensor_file *f, err *e) {
    buf path = BUF_INIT;
    status s = RZ_OK;
    bool found = false;
    *out = NULL;
    for (size_t i = 0; f->folder && !found && i < sizeof model_files / sizeof *model_files; i++) {
        found = is_there(&path, f->folder, model_files[i]);
        if (path.failed) s = err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
        else if (found)
            s = i == 2 ? tok_open_spm_in(out, f->folder, e) : tok_open(out, buf_cstr(&path), e);
    }
    buf_free(&path);
    return found || s < 0 ? s : tok_open_gguf(out, f, e);
}

/* Cut "+agent" or "+splintr" off. */
static str cut_variant(str name, int *variant) {
    *variant = 0;
    if (str_ends(name, STR_LIT("+agent"))) {
        name.len -= 6;
        *variant = TOK_AGENT;
    } else if (str_ends(name, STR_LIT("+splintr"))) {
        name.len -= 8;
        *variant = TOK_AGENT | TOK_SPLINTR;
    }
    return name;
}

/* The compact form of the first folder that has it; false: go on with the file it was made of. One
 * that cannot be opened, of an earlier version perhaps, is only told of. */
static bool open_compact(tok **out, const tok_named *v, const char *const *folder, size_t n) {
    buf file = BUF_INIT, path = BUF_INIT;
    err e = {0};
    bool open = false, found = false;
    buf_printf(&file, "%s.rzv", v->name);
    for (size_t i = 0; i < n && !found && buf_cstr(&file); i++) {
        found = is_there(&path, folder[i], file.p);
        open = found && tok_open(out, path.p, &e) >= 0;
    }
    if (found && !open) log_warn("%s; %s is looked for instead", e.text, v->file);
    buf_free(&file);
    buf_free(&path);
    return open;
}

status tok_open_named(tok **out, str name, const char *const *folder, size_t n_folder, err *e) {
    int variant;
    const str plain = cut_variant(name, &variant);
    const tok_named *v = tok_named_find(plain);
    if (!v) return unknown_name("", plain, e);
    if (variant && v->agent_base < 0)
        return err_set(e, RZ_EINVAL, "%s has no agent tokens", v->name);
    buf path = BUF_INIT;
    size_t i = 0;
    if (!variant && open_compact(out, v, folder, n_folder)) return RZ_OK;
    while (i < n_folder && !is_there(&path, folder[i], v->file)) i++;
    status s;
    if (path.failed) s = err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    else if (i < n_folder) s = open_file(out, buf_cstr(&path), v, variant, e);
    else
        s = err_set(e, RZ_ENOTFOUND, "vocabulary %s: %s is in none of %zu folders%s%s", v->name,
                    v->file, n_folder, n_folder ? ", last looked in " : "",
                    n_folder ? folder[n_folder - 1] : "");
    buf_free(&path);
    return s;
}
