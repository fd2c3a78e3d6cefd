/* tok_hf_roles.c - which tokens begin and end a text. A tokenizer.json does not say; its folder
 * does (tokenizer_config.json, generation_config.json, config.json), else the usual names do. */
#include <stdio.h>

#include "base/mem.h"
#include "base/os.h"
#include "tokenizer/tok_hf.h"

enum { MAX_CONFIG = 8 << 20 };

/* "name" or {"content": "name"}. */
static int32_t named_token(const hf *h, const json *v) {
    if (v && v->kind == JSON_OBJECT) v = json_get(v, "content");
    if (!v || v->kind != JSON_STRING) return -1;
    const uint32_t id = tok_index_find(&h->x, v->text);
    return id == TOK_NO_ID ? -1 : (int32_t)id;
}

static int32_t numbered_token(const hf *h, const json *v) {
    int64_t id;
    if (!json_int(v, 0, (int64_t)h->t->n - 1, &id) || h->t->type[id] == TOK_ABSENT) return -1;
    return (int32_t)id;
}

static const struct {
    const char *by_name, *by_number;
    rz_special which;
} roles[] = {{"bos_token", "bos_token_id", RZ_BOS},
             {"eos_token", "eos_token_id", RZ_EOS},
             {"pad_token", "pad_token_id", RZ_PAD},
             {"unk_token", NULL, RZ_UNK}};

/* What one file says; what is set already stays. */
static void take_config(hf *h, const json *config, uint8_t *ends) {
    tok *t = h->t;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        int32_t *to = &t->special[roles[i].which];
        if (*to < 0) *to = named_token(h, json_get(config, roles[i].by_name));
        if (*to < 0 && roles[i].by_number)
            *to = numbered_token(h, json_get(config, roles[i].by_number));
    }
    const json *list = json_get(config, "eos_token_id");
    if (!list || list->kind != JSON_ARRAY) return;
    for (const json *c = list->child; c; c = c->next) {
        const int32_t id = numbered_token(h, c);
        if (id < 0) continue;
        ends[id] = 1;
        if (t->special[RZ_EOS] < 0) t->special[RZ_EOS] = id;
    }
}

/* A file beside the tokenizer; one that is not there or cannot be read says nothing. */
static void take_file(hf *h, const char *folder, size_t len, const char *name, uint8_t *ends) {
    char path[1024];
    char *text = NULL;
    size_t n = 0;
    json *config = NULL;
    arena mem = ARENA_INIT;
    if (len + strlen(name) + 1 > sizeof path) return;
    snprintf(path, sizeof path, "%.*s%s", (int)len, folder, name);
    if (os_read_file(path, MAX_CONFIG, &text, &n, NULL) >= 0 &&
        json_parse_python(&config, (str){text, n}, &mem, NULL) >= 0)
        take_config(h, config, ends);
    arena_free(&mem);
    mem_free(text);
}

/* The first of these names that is an added special token. */
static int32_t usual(const hf *h, const char *const *name, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t id = tok_index_find(&h->x, str_of(name[i]));
        if (id != TOK_NO_ID && h->t->type[id] == TOK_CONTROL) return (int32_t)id;
    }
    return -1;
}

status hf_find_roles(hf *h, err *e) {
    static const char *const bos[] = {"<s>",
                                      "<|begin_of_text|>",
                                      "<bos>",
                                      "<|startoftext|>",
                                      "<\uff5cbegin\u2581of\u2581sentence\uff5c>",
                                      "[CLS]"};
    static const char *const eos[] = {"</s>",  "<|end_of_text|>",
                                      "<eos>", "<\uff5cend\u2581of\u2581sentence\uff5c>",
                                      "[SEP]", "<|endoftext|>"};
    static const char *const beside[] = {"tokenizer_config.json", "generation_config.json",
                                         "config.json"};
    tok *t = h->t;
    uint8_t *type = arena_alloc(&h->mem, t->n), *ends = arena_zero(&h->mem, t->n, 1);
    if (!type || !ends) return hf_no_memory(e);
    const char *slash = strrchr(h->path, '/');
    const size_t folder = slash ? (size_t)(slash - h->path) + 1 : 0;
    const bool in_folder = strcmp(h->path + folder, "tokenizer.json") == 0;
    for (size_t i = 0; in_folder && i < sizeof beside / sizeof *beside; i++)
        take_file(h, h->path, folder, beside[i], ends);
    if (t->special[RZ_BOS] < 0 && t->n_before) t->special[RZ_BOS] = t->before[0];
    if (t->special[RZ_BOS] < 0 && !in_folder)
        t->special[RZ_BOS] = usual(h, bos, sizeof bos / sizeof *bos);
    if (t->special[RZ_EOS] < 0) t->special[RZ_EOS] = usual(h, eos, sizeof eos / sizeof *eos);
    memcpy(type, t->type, t->n); /* the file says what is special, names do not */
    tok_find_ends(t, &h->x);
    memcpy(t->type, type, t->n);
    for (size_t id = 0; id < t->n; id++)
        if (ends[id]) t->flags[id] |= TOK_IS_END;
    return RZ_OK;
}
