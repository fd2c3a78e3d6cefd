/* tok_hf_decode.c - the decoder of a tokenizer.json, as a table: what every piece becomes in the
 * middle of a text. What only the beginning or the end of a text has is a flag. */
#include "tokenizer/tok_hf.h"
#include "unicode/utf8.h"

static status add_step(hf *h, const char *where, hf_decode_step step, err *e) {
    if (h->n_decode == HF_MAX_STEPS)
        return err_set(e, RZ_EUNSUPPORTED, "%s: %s: more than %d steps", h->path, where,
                       HF_MAX_STEPS);
    step.from = hf_keep(h, step.from);
    step.to = hf_keep(h, step.to);
    if (!step.from.p || !step.to.p) return hf_no_memory(e);
    h->decode[h->n_decode++] = step;
    return RZ_OK;
}

static status read_replace(hf *h, const json *v, const char *where, err *e) {
    hf_decode_step step = {.op = HF_DECODE_REPLACE};
    const json *pattern = json_get(v, "pattern");
    bool regex = false;
    TRY(hf_pattern(h, pattern, where, &step.from, &regex, e));
    if (regex || step.from.len == 0)
        return hf_expected(h, where, "pattern", pattern, "a string to replace", e);
    TRY(hf_str(h, v, where, "content", &step.to, e));
    return add_step(h, where, step, e);
}

static status read_strip(hf *h, const json *v, const char *where, err *e) {
    hf_decode_step step = {.op = HF_DECODE_STRIP};
    TRY(hf_str(h, v, where, "content", &step.from, e));
    TRY(hf_u32(h, v, where, "start", &step.left, e));
    TRY(hf_u32(h, v, where, "stop", &step.right, e));
    if (step.from.len == 0) return hf_expected(h, where, "content", v, "a character", e);
    if (!h->decode_fused) return add_step(h, where, step, e);
    if (!str_is(step.from, " ") || step.left > 1 || step.right > 1)
        return hf_expected(h, where, "content", json_get(v, "content"),
                           "at most one space to strip from a whole text", e);
    h->drops_first_space |= step.left;
    h->drops_last_space |= step.right;
    return RZ_OK;
}

static status read_metaspace(hf *h, const json *v, const char *where, err *e) {
    hf_decode_step step = {.op = HF_DECODE_REPLACE, .from = STR_LIT("\u2581"), .to = STR_LIT(" ")};
    str scheme = STR_LIT("always");
    bool space = true;
    TRY(hf_str(h, v, where, "replacement", &step.from, e));
    TRY(hf_str(h, v, where, "prepend_scheme", &scheme, e));
    TRY(hf_bool(h, v, where, "add_prefix_space", &space, e)); /* older files */
    if (step.from.len == 0) return hf_expected(h, where, "replacement", v, "a character", e);
    h->drops_first_space |= space && !str_is(scheme, "never");
    return add_step(h, where, step, e);
}

static status read_wordpiece(hf *h, const json *v, const char *where, err *e) {
    hf_decode_step step = {.op = HF_DECODE_WORDPIECE, .from = STR_LIT("##"), .clean = true};
    TRY(hf_str(h, v, where, "prefix", &step.from, e));
    TRY(hf_bool(h, v, where, "cleanup", &step.clean, e));
    h->drops_first_space = true;
    return add_step(h, where, step, e);
}

static status read_one(hf *h, const json *v, const char *where, err *e) {
    if (v->kind != JSON_OBJECT) return hf_expected(h, where, NULL, v, "an object", e);
    if (hf_is(v, "ByteLevel"))
        return add_step(h, where, (hf_decode_step){.op = HF_DECODE_BYTES}, e);
    if (hf_is(v, "ByteFallback"))
        return add_step(h, where, (hf_decode_step){.op = HF_DECODE_FALLBACK}, e);
    if (hf_is(v, "Replace")) return read_replace(h, v, where, e);
    if (hf_is(v, "Strip")) return read_strip(h, v, where, e);
    if (hf_is(v, "Metaspace")) return read_metaspace(h, v, where, e);
    if (hf_is(v, "WordPiece")) return read_wordpiece(h, v, where, e);
    if (hf_is(v, "BPEDecoder")) {
        hf_decode_step step = {.op = HF_DECODE_SUFFIX, .from = STR_LIT("</w>")};
        TRY(hf_str(h, v, where, "suffix", &step.from, e));
        h->drops_last_space = true;
        return add_step(h, where, step, e);
    }
    if (hf_is(v, "Fuse")) {
        h->decode_fused = true;
        return RZ_OK;
    }
    if (!hf_is(v, "Sequence")) return hf_unknown(h, where, v, e);
    return hf_each(h, v, where, "decoders", read_one, e);
}

status hf_read_decoder(hf *h, err *e) {
    const json *v = json_get(h->root, "decoder");
    if (v && v->kind != JSON_NULL) return read_one(h, v, "decoder", e);
    h->drops_first_space = true; /* pieces with spaces between */
    return add_step(h, "decoder", (hf_decode_step){.op = HF_DECODE_SPACED}, e);
}

/* ---- Applying it ---- */

static void replace(str s, str from, str to, buf *out) {
    for (ptrdiff_t at; s.len && (at = str_find(s, from)) >= 0;) {
        buf_add(out, s.p, (size_t)at);
        buf_str(out, to);
        s.p += (size_t)at + from.len;
        s.len -= (size_t)at + from.len;
    }
    buf_str(out, s);
}

static str strip(str s, const hf_decode_step *d) {
    for (uint32_t i = 0; i < d->left && str_starts(s, d->from); i++) {
        s.p += d->from.len;
        s.len -= d->from.len;
    }
    for (uint32_t i = 0; i < d->right && str_ends(s, d->from); i++) s.len -= d->from.len;
    return s;
}

/* BERT's tidying of one piece with the space in front of it. */
static void tidy(buf *text, buf *room) {
    static const char *const pair[][2] = {{" .", "."},     {" ?", "?"},           {" !", "!"},
                                          {" ,", ","},     {" ' ", "'"},          {" n't", "n't"},
                                          {" 'm", "'m"},   {" do not", " don't"}, {" 's", "'s"},
                                          {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
        buf_clear(room);
        replace(buf_view(text), str_of(pair[i][0]), str_of(pair[i][1]), room);
        const buf swap = *text;
        *text = *room;
        *room = swap;
    }
}

static void apply(const hf_decode_step *d, const int16_t *byte_of, str s, buf *out) {
    buf_clear(out);
    switch (d->op) {
        case HF_DECODE_BYTES: {
            char *to = buf_reserve(out, s.len);
            if (to) out->len += tok_byte_decode(byte_of, s, to);
            break;
        }
        case HF_DECODE_REPLACE:
            replace(s, d->from, d->to, out);
            break;
        case HF_DECODE_FALLBACK:
            if (tok_byte_named(s) >= 0) buf_char(out, (char)tok_byte_named(s));
            else buf_str(out, s);
            break;
        case HF_DECODE_STRIP:
            buf_str(out, strip(s, d));
            break;
        case HF_DECODE_WORDPIECE:
            if (d->from.len && str_starts(s, d->from)) {
                buf_add(out, s.p + d->from.len, s.len - d->from.len);
                break;
            }
            buf_char(out, ' ');
            buf_str(out, s);
            break;
        case HF_DECODE_SUFFIX:
            replace(s, d->from, STR_LIT(" "), out);
            break;
        case HF_DECODE_SPACED:
            buf_char(out, ' ');
            buf_str(out, s);
            break;
    }
}

/* What one piece becomes, in work[0]. */
static void decode_piece(const hf *h, const int16_t *byte_of, size_t id, buf work[2]) {
    buf_clear(&work[0]);
    if (h->t->type[id] == TOK_CONTROL || h->t->type[id] == TOK_ABSENT) return;
    buf_str(&work[0], h->piece[id]);
    for (size_t i = 0; i < h->n_decode; i++) {
        const hf_decode_step *d = &h->decode[i];
        if (d->op == HF_DECODE_BYTES && h->t->type[id] == TOK_USER_DEFINED) continue;
        apply(d, byte_of, buf_view(&work[0]), &work[1]);
        if (d->op == HF_DECODE_WORDPIECE && d->clean) tidy(&work[1], &work[0]);
        const buf swap = work[0];
        work[0] = work[1];
        work[1] = swap;
    }
}

status hf_decode_pieces(hf *h, err *e) {
    tok *t = h->t;
    int16_t byte_of[TOK_BYTE_ALPHABET];
    buf all = BUF_INIT, work[2] = {BUF_INIT, BUF_INIT};
    tok_byte_alphabet(byte_of);
    all.limit = UINT32_MAX;
    t->byte_at = arena_zero(&t->mem, t->n + 1, sizeof *t->byte_at);
    bool ok = t->byte_at != NULL;
    for (size_t id = 0; ok && id < t->n; id++) {
        decode_piece(h, byte_of, id, work);
        buf_str(&all, buf_view(&work[0]));
        ok = !all.failed && !work[0].failed && !work[1].failed;
        t->byte_at[id + 1] = (uint32_t)all.len;
    }
    t->bytes = ok ? arena_copy(&t->mem, all.p, all.len) : NULL;
    buf_free(&all);
    buf_free(&work[0]);
    buf_free(&work[1]);
    t->drops_first_space = h->drops_first_space;
    t->drops_last_space = h->drops_last_space;
    return t->bytes ? RZ_OK : hf_no_memory(e);
}
