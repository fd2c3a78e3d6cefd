/* tok_hf_norm.c - the normalizer of a tokenizer.json. */
#include "base/base64.h"
#include "tokenizer/tok_hf.h"

static status add_step(hf *h, const char *where, norm_step step, err *e) {
    if (h->n_norm == HF_MAX_STEPS)
        return err_set(e, RZ_EUNSUPPORTED, "%s: %s: more than %d steps", h->path, where,
                       HF_MAX_STEPS);
    h->norm[h->n_norm++] = step;
    return RZ_OK;
}

/* Types that are one step without settings. */
static const struct {
    const char *type;
    norm_step step;
} plain[] = {
    {"NFC", {.op = NORM_OP_FORM, .form = NORM_NFC}},
    {"NFD", {.op = NORM_OP_FORM, .form = NORM_NFD}},
    {"NFKC", {.op = NORM_OP_FORM, .form = NORM_NFKC}},
    {"NFKD", {.op = NORM_OP_FORM, .form = NORM_NFKD}},
    {"Lowercase", {.op = NORM_OP_LOWER}},
    {"StripAccents", {.op = NORM_OP_STRIP_MARKS}},
    {"Nmt", {.op = NORM_OP_NMT}},
    {"ByteLevel", {.op = NORM_OP_BYTES}},
};

static status read_strip(hf *h, const json *v, const char *where, err *e) {
    bool left = true, right = true;
    TRY(hf_bool(h, v, where, "strip_left", &left, e));
    TRY(hf_bool(h, v, where, "strip_right", &right, e));
    if (left) TRY(add_step(h, where, (norm_step){.op = NORM_OP_STRIP_LEFT}, e));
    if (right) TRY(add_step(h, where, (norm_step){.op = NORM_OP_STRIP_RIGHT}, e));
    return RZ_OK;
}

static status read_bert(hf *h, const json *v, const char *where, err *e) {
    bool clean = true, cjk = true, lower = true;
    TRY(hf_bool(h, v, where, "clean_text", &clean, e));
    TRY(hf_bool(h, v, where, "handle_chinese_chars", &cjk, e));
    TRY(hf_bool(h, v, where, "lowercase", &lower, e));
    bool strip = lower; /* null: as lowercase */
    TRY(hf_bool(h, v, where, "strip_accents", &strip, e));
    if (clean) TRY(add_step(h, where, (norm_step){.op = NORM_OP_CLEAN}, e));
    if (cjk) TRY(add_step(h, where, (norm_step){.op = NORM_OP_SPACE_CJK}, e));
    if (strip) {
        TRY(add_step(h, where, (norm_step){.op = NORM_OP_FORM, .form = NORM_NFD}, e));
        TRY(add_step(h, where, (norm_step){.op = NORM_OP_STRIP_MN}, e));
    }
    return lower ? add_step(h, where, (norm_step){.op = NORM_OP_LOWER}, e) : RZ_OK;
}

static status read_replace(hf *h, const json *v, const char *where, err *e) {
    norm_step step = {.op = NORM_OP_REPLACE};
    bool regex = false;
    TRY(hf_pattern(h, json_get(v, "pattern"), where, &step.from, &regex, e));
    TRY(hf_str(h, v, where, "content", &step.to, e));
    step.from = hf_keep(h, step.from);
    step.to = hf_keep(h, step.to);
    if (!step.from.p || !step.to.p) return hf_no_memory(e);
    if (regex) {
        step.op = NORM_OP_REPLACE_RE;
        const status s = re_compile(&step.re, step.from, NULL, e);
        if (s < 0) {
            err_at(e, s, where);
            return err_at(e, s, h->path);
        }
    }
    const status s = add_step(h, where, step, e);
    if (s < 0) re_free(step.re);
    return s;
}

static status read_charsmap(hf *h, const json *v, const char *where, err *e) {
    str text = {NULL, 0};
    const json *found = json_get(v, "precompiled_charsmap");
    TRY(hf_str(h, v, where, "precompiled_charsmap", &text, e));
    if (text.len == 0) return RZ_OK; /* an empty map changes nothing */
    char *blob = arena_alloc(&h->mem, text.len);
    tok_charsmap *m = arena_zero(&h->t->mem, 1, sizeof *m);
    if (!blob || !m) return hf_no_memory(e);
    const size_t n = base64_decode(text, blob);
    if (n == SIZE_MAX) return hf_expected(h, where, "precompiled_charsmap", found, "base64", e);
    TRY(tok_charsmap_read(m, (str){blob, n}, h->path, &h->t->mem, e));
    return add_step(h, where, (norm_step){.op = NORM_OP_CHARSMAP, .map = m}, e);
}

static status read_one(hf *h, const json *v, const char *where, err *e) {
    if (v->kind != JSON_OBJECT) return hf_expected(h, where, NULL, v, "an object", e);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (hf_is(v, plain[i].type)) return add_step(h, where, plain[i].step, e);
    if (hf_is(v, "Strip")) return read_strip(h, v, where, e);
    if (hf_is(v, "BertNormalizer")) return read_bert(h, v, where, e);
    if (hf_is(v, "Replace")) return read_replace(h, v, where, e);
    if (hf_is(v, "Precompiled")) return read_charsmap(h, v, where, e);
    if (hf_is(v, "Prepend")) {
        norm_step step = {.op = NORM_OP_PREPEND};
        TRY(hf_str(h, v, where, "prepend", &step.to, e));
        step.to = hf_keep(h, step.to);
        return step.to.p ? add_step(h, where, step, e) : hf_no_memory(e);
    }
    if (!hf_is(v, "Sequence")) return hf_unknown(h, where, v, e);
    return hf_each(h, v, where, "normalizers", read_one, e);
}

status hf_read_normalizer(hf *h, err *e) {
    const json *v = json_get(h->root, "normalizer");
    return !v || v->kind == JSON_NULL ? RZ_OK : read_one(h, v, "normalizer", e);
}
