/* tok_hf_pre.c - the pre-tokenizer of a tokenizer.json, and what is put around a text. */
#include "tokenizer/tok_hf.h"
#include "tokenizer/tok_patterns.h"

static status add_step(hf *h, const char *where, pre_step step, err *e) {
    if (h->n_pre == HF_MAX_STEPS)
        return err_set(e, RZ_EUNSUPPORTED, "%s: %s: more than %d steps", h->path, where,
                       HF_MAX_STEPS);
    h->pre[h->n_pre++] = step;
    return RZ_OK;
}

static status read_byte_level(hf *h, const json *v, const char *where, err *e) {
    bool space = true, regex = true;
    TRY(hf_bool(h, v, where, "add_prefix_space", &space, e));
    TRY(hf_bool(h, v, where, "use_regex", &regex, e));
    if (space) TRY(add_step(h, where, (pre_step){.op = PRE_SPACE}, e));
    if (regex) {
        const pre_step split = {
            .op = PRE_SPLIT_RE, .behavior = PRE_ISOLATED, .text = STR_LIT(PAT_GPT2 "|\\s+")};
        TRY(add_step(h, where, split, e));
    }
    return add_step(h, where, (pre_step){.op = PRE_BYTES}, e);
}

static status read_behavior(hf *h, const json *v, const char *where, pre_behavior *out, err *e) {
    static const char *const names[] = {
        [PRE_REMOVED] = "Removed",
        [PRE_ISOLATED] = "Isolated",
        [PRE_WITH_PREVIOUS] = "MergedWithPrevious",
        [PRE_WITH_NEXT] = "MergedWithNext",
        [PRE_CONTIGUOUS] = "Contiguous",
    };
    const json *b = json_get(v, "behavior");
    if (!b) return RZ_OK;
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (b->kind == JSON_STRING && str_is(b->text, names[i])) {
            *out = (pre_behavior)i;
            return RZ_OK;
        }
    return hf_expected(h, where, "behavior", b,
                       "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous", e);
}

static status read_split(hf *h, const json *v, const char *where, err *e) {
    pre_step step = {.op = PRE_SPLIT_TEXT, .behavior = PRE_ISOLATED};
    bool regex = false;
    TRY(hf_pattern(h, json_get(v, "pattern"), where, &step.text, &regex, e));
    TRY(read_behavior(h, v, where, &step.behavior, e));
    TRY(hf_bool(h, v, where, "invert", &step.invert, e));
    step.text = hf_keep(h, step.text);
    if (regex) step.op = PRE_SPLIT_RE;
    return step.text.p ? add_step(h, where, step, e) : hf_no_memory(e);
}

static status read_metaspace(hf *h, const json *v, const char *where, err *e) {
    static const char *const names[] = {
        [PRE_NEVER] = "never", [PRE_ALWAYS] = "always", [PRE_FIRST] = "first"};
    pre_step step = {.op = PRE_METASPACE, .text = STR_LIT("\u2581"), .scheme = PRE_ALWAYS};
    bool space = true, split = true;
    TRY(hf_bool(h, v, where, "add_prefix_space", &space, e)); /* older files */
    if (!space) step.scheme = PRE_NEVER;
    TRY(hf_str(h, v, where, "replacement", &step.text, e));
    TRY(hf_bool(h, v, where, "split", &split, e));
    const json *scheme = json_get(v, "prepend_scheme");
    int found = -1;
    for (int i = 0; scheme && i < 3; i++)
        if (scheme->kind == JSON_STRING && str_is(scheme->text, names[i])) found = i;
    if (scheme && found < 0)
        return hf_expected(h, where, "prepend_scheme", scheme, "always, never or first", e);
    if (scheme) step.scheme = (pre_scheme)found;
    step.text = hf_keep(h, step.text);
    if (!step.text.p) return hf_no_memory(e);
    TRY(add_step(h, where, step, e));
    if (!split) return RZ_OK;
    step = (pre_step){.op = PRE_SPLIT_TEXT, .behavior = PRE_WITH_NEXT, .text = step.text};
    return add_step(h, where, step, e);
}

static status read_delimiter(hf *h, const json *v, const char *where, err *e) {
    pre_step step = {.op = PRE_SPLIT_TEXT, .behavior = PRE_REMOVED};
    TRY(hf_str(h, v, where, "delimiter", &step.text, e));
    if (step.text.len == 0)
        return hf_expected(h, where, "delimiter", json_get(v, "delimiter"), "a character", e);
    step.text = hf_keep(h, step.text);
    return step.text.p ? add_step(h, where, step, e) : hf_no_memory(e);
}

static status read_simple(hf *h, const json *v, const char *where, err *e) {
    static const pre_step space = {
        .op = PRE_SPLIT_CHARS, .behavior = PRE_REMOVED, .is = pre_is_space};
    pre_step step = {.op = PRE_SPLIT_CHARS, .behavior = PRE_ISOLATED};
    if (hf_is(v, "WhitespaceSplit")) return add_step(h, where, space, e);
    if (hf_is(v, "Whitespace")) {
        step = (pre_step){.op = PRE_SPLIT_RE,
                          .behavior = PRE_REMOVED,
                          .invert = true,
                          .text = STR_LIT("\\w+|[^\\w\\s]+")};
        return add_step(h, where, step, e);
    }
    if (hf_is(v, "BertPreTokenizer")) {
        TRY(add_step(h, where, space, e));
        step.is = pre_is_punct;
        return add_step(h, where, step, e);
    }
    if (hf_is(v, "Punctuation")) {
        step.is = pre_is_punct;
        TRY(read_behavior(h, v, where, &step.behavior, e));
        return add_step(h, where, step, e);
    }
    if (hf_is(v, "Digits")) {
        bool each = false;
        TRY(hf_bool(h, v, where, "individual_digits", &each, e));
        step.is = pre_is_number;
        if (!each) step.behavior = PRE_CONTIGUOUS;
        return add_step(h, where, step, e);
    }
    if (hf_is(v, "UnicodeScripts")) {
        step.op = PRE_SPLIT_SCRIPTS;
        return add_step(h, where, step, e);
    }
    return hf_unknown(h, where, v, e);
}

static status read_one(hf *h, const json *v, const char *where, err *e) {
    if (v->kind != JSON_OBJECT) return hf_expected(h, where, NULL, v, "an object", e);
    if (hf_is(v, "ByteLevel")) return read_byte_level(h, v, where, e);
    if (hf_is(v, "Split")) return read_split(h, v, where, e);
    if (hf_is(v, "Metaspace")) return read_metaspace(h, v, where, e);
    if (hf_is(v, "CharDelimiterSplit")) return read_delimiter(h, v, where, e);
    if (!hf_is(v, "Sequence")) return read_simple(h, v, where, e);
    return hf_each(h, v, where, "pretokenizers", read_one, e);
}

status hf_read_pre_tokenizer(hf *h, err *e) {
    const json *v = json_get(h->root, "pre_tokenizer");
    return !v || v->kind == JSON_NULL ? RZ_OK : read_one(h, v, "pre_tokenizer", e);
}

/* ---- Around a text ---- */

/* `id` goes in front of what is there in front, or behind what is there behind. */
static status put_around(hf *h, const char *where, bool front, const int32_t *id, size_t n,
                         err *e) {
    tok *t = h->t;
    int32_t *list = front ? t->before : t->after;
    uint8_t *count = front ? &t->n_before : &t->n_after;
    if (*count + n > TOK_MAX_AROUND)
        return err_set(e, RZ_EUNSUPPORTED, "%s: %s: more than %d tokens on one side of a text",
                       h->path, where, TOK_MAX_AROUND);
    if (front) memmove(list + n, list, *count * sizeof *list);
    memcpy(front ? list : list + *count, id, n * sizeof *id);
    *count = (uint8_t)(*count + n);
    return RZ_OK;
}

static status read_id(const hf *h, const char *where, const char *key, const json *v, int32_t *out,
                      err *e) {
    int64_t id;
    if (!json_int(v, 0, (int64_t)h->t->n - 1, &id) || h->t->type[id] == TOK_ABSENT)
        return hf_expected(h, where, key, v, "the id of a token", e);
    *out = (int32_t)id;
    return RZ_OK;
}

/* The ids a template's {"SpecialToken":{"id":"<s>"}} stands for. */
static status template_ids(const hf *h, const json *v, const char *where, const json *item,
                           int32_t id[TOK_MAX_AROUND], size_t *n, err *e) {
    const json *name = json_get(json_get(item, "SpecialToken"), "id");
    const json *table = json_get(v, "special_tokens"), *row = NULL;
    for (const json *c = table ? table->child : NULL; c && name && !row; c = c->next)
        if (name->kind == JSON_STRING && str_eq(c->key, name->text)) row = c;
    const json *ids = json_get(row, "ids");
    if (!ids || ids->kind != JSON_ARRAY || ids->n > TOK_MAX_AROUND)
        return hf_expected(h, where, "special_tokens", name,
                           "an entry with up to 4 ids for every token of the template", e);
    *n = 0;
    for (const json *c = ids->child; c; c = c->next)
        TRY(read_id(h, where, "special_tokens", c, &id[(*n)++], e));
    return RZ_OK;
}

static status read_template(hf *h, const json *v, const char *where, err *e) {
    const json *single = json_get(v, "single");
    int32_t front[TOK_MAX_AROUND], id[TOK_MAX_AROUND];
    size_t n_front = 0, n = 0, sequences = 0;
    if (!single || single->kind != JSON_ARRAY)
        return hf_expected(h, where, "single", single, "an array", e);
    for (const json *c = single->child; c; c = c->next) {
        if (json_get(c, "Sequence")) {
            sequences++;
            continue;
        }
        TRY(template_ids(h, v, where, c, id, &n, e));
        if (sequences) TRY(put_around(h, where, false, id, n, e));
        else {
            if (n_front + n > TOK_MAX_AROUND)
                return hf_expected(h, where, "single", single, "at most 4 tokens in front", e);
            memcpy(front + n_front, id, n * sizeof *id);
            n_front += n;
        }
    }
    if (sequences != 1)
        return hf_expected(h, where, "single", single, "a template with one sequence", e);
    return put_around(h, where, true, front, n_front, e);
}

/* ["[SEP]", 102] */
static status read_pair(hf *h, const json *v, const char *where, const char *key, bool front,
                        err *e) {
    const json *pair = json_get(v, key);
    int32_t id;
    if (!pair || pair->kind != JSON_ARRAY || pair->n != 2)
        return hf_expected(h, where, key, pair, "a token and its id", e);
    TRY(read_id(h, where, key, pair->child->next, &id, e));
    return put_around(h, where, front, &id, 1, e);
}

static status read_post(hf *h, const json *v, const char *where, err *e) {
    if (v->kind != JSON_OBJECT) return hf_expected(h, where, NULL, v, "an object", e);
    if (hf_is(v, "ByteLevel")) return RZ_OK; /* about offsets only */
    if (hf_is(v, "TemplateProcessing")) return read_template(h, v, where, e);
    if (hf_is(v, "BertProcessing") || hf_is(v, "RobertaProcessing")) {
        TRY(read_pair(h, v, where, "cls", true, e));
        return read_pair(h, v, where, "sep", false, e);
    }
    if (!hf_is(v, "Sequence")) return hf_unknown(h, where, v, e);
    return hf_each(h, v, where, "processors", read_post, e);
}

status hf_read_post_processor(hf *h, err *e) {
    const json *v = json_get(h->root, "post_processor");
    return !v || v->kind == JSON_NULL ? RZ_OK : read_post(h, v, "post_processor", e);
}
