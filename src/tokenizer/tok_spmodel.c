/* tok_spmodel.c - SentencePiece's own files, tokenizer.model: a protocol buffer.
 *
 *   1 piece { 1 text, 2 score, 3 type }   2 trainer { 3 kind, 24 spaces behind, 35 byte tokens,
 *   40 unk, 41 bos, 42 eos, 43 pad }   3 normalizer { 2 map, 3 prefix, 4 one space, 5 U+2581 }
 *
 * The text is rewritten by the file's normalizer; control tokens are found before that,
 * user-defined pieces after it. */
#include <float.h>
#include <math.h>

#include "base/mem.h"
#include "tokenizer/tok_named.h"
#include "tokenizer/tok_pipe.h"
#include "unicode/utf8.h"

/* ---- Protocol buffers ---- */

typedef struct pb {
    str rest;
    const char *path, *what; /* for error texts: "piece" */
} pb;

typedef struct pb_field {
    uint32_t number, wire; /* wire 0: value; 1, 5: value, as bits; 2: bytes */
    uint64_t value;
    str bytes;
} pb_field;

enum { PB_NUMBER = 0, PB_EIGHT = 1, PB_BYTES = 2, PB_FOUR = 5 };

static status pb_error(const pb *p, const char *what, err *e) {
    return err_set(e, RZ_EFORMAT, "%s: no SentencePiece model: %s %s", p->path, p->what, what);
}

static status pb_varint(pb *p, uint64_t *out, err *e) {
    *out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (p->rest.len == 0) return pb_error(p, "ends inside a number", e);
        const unsigned char c = (unsigned char)*p->rest.p++;
        p->rest.len--;
        *out |= (uint64_t)(c & 127) << shift;
        if (c < 128) return RZ_OK;
    }
    return pb_error(p, "has a number of more than 64 bits", e);
}

static status pb_fixed(pb *p, size_t n, uint64_t *out, err *e) {
    if (p->rest.len < n) return pb_error(p, "ends inside a number", e);
    *out = 0;
    for (size_t i = 0; i < n; i++) *out |= (uint64_t)(unsigned char)p->rest.p[i] << (8 * i);
    p->rest.p += n;
    p->rest.len -= n;
    return RZ_OK;
}

static status pb_next(pb *p, pb_field *f, err *e) {
    uint64_t key, len;
    TRY(pb_varint(p, &key, e));
    if (key >> 3 == 0 || key >> 32) return pb_error(p, "has a field without number", e);
    *f = (pb_field){(uint32_t)(key >> 3), (uint32_t)(key & 7), 0, {NULL, 0}};
    switch (f->wire) {
        case PB_NUMBER:
            return pb_varint(p, &f->value, e);
        case PB_EIGHT:
            return pb_fixed(p, 8, &f->value, e);
        case PB_FOUR:
            return pb_fixed(p, 4, &f->value, e);
        case PB_BYTES:
            TRY(pb_varint(p, &len, e));
            if (len > p->rest.len) return pb_error(p, "is longer than the file", e);
            f->bytes = (str){p->rest.p, (size_t)len};
            p->rest.p += len;
            p->rest.len -= (size_t)len;
            return RZ_OK;
        default:
            return pb_error(p, "has a field of unknown type", e);
    }
}

/* ---- The file ---- */

enum { KIND_UNIGRAM = 1, KIND_BPE = 2 };

typedef struct spmodel {
    tok *t;
    const char *path;
    str *piece;
    str trainer, normalizer;
    uint64_t kind;
    int32_t bos, eos, unk, pad;
    bool suffix;
    norm_spm *norm;
    tok_index x;
    const tok_named *named; /* of a variant, or NULL */
    int variant;
} spmodel;

static status no_memory(err *e) { return err_set(e, RZ_ENOMEM, "tokenizer: out of memory"); }

static float float_of(uint64_t bits) {
    const uint32_t b = (uint32_t)bits;
    float f;
    memcpy(&f, &b, sizeof f);
    return f;
}

static status read_piece(spmodel *m, str text, size_t id, err *e) {
    pb p = {text, m->path, "a piece"};
    uint64_t type = TOK_NORMAL;
    float score = 0;
    str piece = {"", 0};
    while (p.rest.len) {
        pb_field f;
        TRY(pb_next(&p, &f, e));
        if (f.number == 1 && f.wire == PB_BYTES) piece = f.bytes;
        if (f.number == 2 && f.wire == PB_FOUR) score = float_of(f.value);
        if (f.number == 3 && f.wire == PB_NUMBER) type = f.value;
    }
    if (type < TOK_NORMAL || type > TOK_BYTE || isnan(score))
        return err_set(e, RZ_EFORMAT, "%s: piece %zu \"%.*s\" has type %llu and score %g", m->path,
                       id, STR_FMT(piece), (unsigned long long)type, (double)score);
    m->piece[id] = (str){arena_copy(&m->t->mem, piece.len ? piece.p : "", piece.len), piece.len};
    m->t->type[id] = (uint8_t)type;
    m->t->score[id] = score;
    return m->piece[id].p ? RZ_OK : no_memory(e);
}

/* Once to count the pieces, once to read them. */
static status read_top(spmodel *m, str file, bool pieces, err *e) {
    pb p = {file, m->path, "the file"};
    size_t n = 0;
    while (p.rest.len) {
        pb_field f;
        TRY(pb_next(&p, &f, e));
        if (f.wire != PB_BYTES) continue;
        if (f.number == 1 && pieces) TRY(read_piece(m, f.bytes, n, e));
        if (f.number == 1) n++;
        if (f.number == 2) m->trainer = f.bytes;
        if (f.number == 3) m->normalizer = f.bytes;
    }
    m->t->n = n;
    if (n == 0 || n > TOK_MAX_SIZE)
        return err_set(e, RZ_EFORMAT, "%s: no SentencePiece model: %zu pieces", m->path, n);
    return RZ_OK;
}

static int32_t id_of(const spmodel *m, uint64_t value) {
    return value < m->t->n ? (int32_t)value : -1;
}

static status read_trainer(spmodel *m, err *e) {
    pb p = {m->trainer, m->path, "the trainer's part"};
    m->kind = KIND_UNIGRAM;
    m->unk = 0;
    m->bos = id_of(m, 1);
    m->eos = id_of(m, 2);
    m->pad = -1;
    while (p.rest.len) {
        pb_field f;
        TRY(pb_next(&p, &f, e));
        if (f.wire != PB_NUMBER) continue;
        if (f.number == 3) m->kind = f.value;
        if (f.number == 24) m->suffix = f.value != 0;
        if (f.number == 40) m->unk = id_of(m, f.value);
        if (f.number == 41) m->bos = id_of(m, f.value);
        if (f.number == 42) m->eos = id_of(m, f.value);
        if (f.number == 43) m->pad = id_of(m, f.value);
    }
    if (m->kind == KIND_UNIGRAM || m->kind == KIND_BPE) return RZ_OK;
    return err_set(e, RZ_EUNSUPPORTED,
                   "%s: the model is of kind %llu, this build reads 1 (Unigram) and 2 (BPE)",
                   m->path, (unsigned long long)m->kind);
}

static status read_normalizer(spmodel *m, err *e) {
    pb p = {m->normalizer, m->path, "the normalizer's part"};
    bool prefix = true, one_space = true, escape = true;
    str chars = {NULL, 0};
    while (p.rest.len) {
        pb_field f;
        TRY(pb_next(&p, &f, e));
        if (f.number == 2 && f.wire == PB_BYTES) chars = f.bytes;
        if (f.wire != PB_NUMBER) continue;
        if (f.number == 3) prefix = f.value != 0;
        if (f.number == 4) one_space = f.value != 0;
        if (f.number == 5) escape = f.value != 0;
    }
    norm_spm *n = arena_zero(&m->t->mem, 1, sizeof *n);
    norm_step *step = arena_zero(&m->t->mem, 1, sizeof *step);
    if (!n || !step) return no_memory(e);
    if (chars.len) TRY(tok_charsmap_read(&n->map, chars, m->path, &m->t->mem, e));
    n->prefix = prefix && !m->suffix;
    n->suffix = prefix && m->suffix;
    n->one_space = one_space;
    n->plain_space = !escape;
    *step = (norm_step){.op = NORM_OP_SPM, .spm = n};
    m->t->own_norm = (tok_norm){step, 1};
    m->t->norm = &m->t->own_norm;
    m->t->drops_first_space = (n->prefix || one_space) && !m->suffix;
    m->t->drops_last_space = n->suffix;
    m->norm = n;
    return RZ_OK;
}

/* Control tokens are found in the text as it is; user-defined ones in the rewritten text, which
 * does not change them. Unigram weighs these like all others. */
static status find_specials(spmodel *m, err *e) {
    tok *t = m->t;
    bool user = false;
    for (size_t id = 0; id < t->n; id++) {
        const bool control = t->type[id] == TOK_CONTROL || t->type[id] == TOK_UNKNOWN;
        if (control && !tok_special_add(&t->specials, m->piece[id], (int32_t)id, false))
            return no_memory(e);
        if (t->type[id] != TOK_USER_DEFINED) continue;
        user = true;
        if (!tok_special_add(&t->normalized, m->piece[id], (int32_t)id, true)) return no_memory(e);
    }
    tok_special_sort(&t->specials);
    tok_special_sort(&t->normalized);
    if (!user) return RZ_OK;
    if (m->kind == KIND_BPE) {
        m->norm->keep = &t->normalized;
        return RZ_OK;
    }
    tok_special_set *keep = arena_zero(&t->mem, 1, sizeof *keep);
    if (!keep) return no_memory(e);
    m->t->kept = keep;
    *keep = t->normalized;
    t->normalized = (tok_special_set){0};
    m->norm->keep = keep;
    return RZ_OK;
}

static status open_unigram(spmodel *m, err *e) {
    tok *t = m->t;
    word_model w;
    int32_t byte[256];
    float lowest = INFINITY, highest = FLT_MIN; /* so the library begins its search */
    memset(byte, 0xFF, sizeof byte);
    bool has_bytes = false;
    for (size_t id = 0; id < t->n; id++) {
        int b = -1;
        if (t->type[id] == TOK_BYTE) b = tok_byte_named(m->piece[id]);
        if (b >= 0) byte[b] = (int32_t)id;
        has_bytes |= b >= 0;
        if (t->type[id] != TOK_NORMAL) continue;
        lowest = fminf(lowest, t->score[id]);
        highest = fmaxf(highest, t->score[id]);
    }
    if (lowest == INFINITY) lowest = 0;
    const unigram_options o = {.score = t->score,
                               .unk = m->unk,
                               .byte = has_bytes ? byte : NULL,
                               .unk_score = (double)(lowest - 10.0f),
                               .user_score = (double)highest,
                               .single = true,
                               .only_plain = true};
    TRY(tok_unigram_init(&w, t, &o, e));
    return tok_pipe_init(t, NULL, 0, w, e);
}

static status finish(spmodel *m, err *e) {
    tok *t = m->t;
    uint32_t other = 0;
    for (uint32_t id = 0; id < t->n; id++) {
        if (!tok_index_add(&m->x, id, &other))
            return err_set(e, RZ_EFORMAT, "%s: pieces %u and %u are both \"%.*s\"", m->path,
                           (unsigned)other, (unsigned)id, STR_FMT(m->piece[id]));
        if (t->type[id] == TOK_BYTE && tok_byte_named(m->piece[id]) < 0)
            return err_set(e, RZ_EFORMAT,
                           "%s: piece %u is \"%.*s\", expected a byte token like <0x0A>", m->path,
                           (unsigned)id, STR_FMT(m->piece[id]));
    }
    TRY(find_specials(m, e));
    norm_spm_ready(m->norm);
    TRY(tok_spm_bytes(t, false, m->path, e));
    const tok_spm_options o = {.where = m->path, .prefix = SPM_PREFIX_NEVER, .keeps_spaces = true};
    TRY(m->kind == KIND_BPE ? tok_spm_init(t, &m->x, NULL, &o, e) : open_unigram(m, e));
    if (m->kind == KIND_BPE && !m->suffix && !m->norm->plain_space)
        t->carry_prefix = m->norm->prefix ? TOK_CARRY_PREFIX : TOK_CARRY_NO_PREFIX;
    if (m->kind == KIND_BPE && m->bos >= 0) t->before[t->n_before++] = m->bos;
    uint8_t *type = arena_alloc(&t->mem, t->n);
    if (!type) return no_memory(e);
    memcpy(type, t->type, t->n); /* the file says what is special, names do not */
    tok_find_ends(t, &m->x);
    memcpy(t->type, type, t->n);
    return RZ_OK;
}

/* splintr's 54 tokens behind all others; its way with spaces. */
static status add_variant(spmodel *m, err *e) {
    tok *t = m->t;
    if (!(m->variant & TOK_AGENT)) return RZ_OK;
    if ((size_t)m->named->agent_base != t->n)
        return err_set(e, RZ_EFORMAT, "%s: %zu pieces, expected %d before agent tokens", m->path,
                       t->n, (int)m->named->agent_base);
    for (int i = 0; i < NAMED_AGENT_TOKENS; i++) {
        char text[32];
        const size_t id = t->n++;
        tok_named_agent(m->named, i, text);
        m->piece[id] = str_of(arena_copy(&t->mem, text, strlen(text)));
        if (!m->piece[id].p) return no_memory(e);
        t->type[id] = TOK_CONTROL;
    }
    if (!(m->variant & TOK_SPLINTR)) return RZ_OK;
    m->norm->prefix = m->norm->one_space = false;
    t->drops_first_space = false;
    return RZ_OK;
}

static status read_all(spmodel *m, str file, err *e) {
    tok *t = m->t;
    TRY(read_top(m, file, false, e));
    const size_t room = t->n + NAMED_AGENT_TOKENS;
    m->piece = arena_zero(&t->mem, room, sizeof *m->piece);
    t->type = arena_zero(&t->mem, room, 1);
    t->flags = arena_zero(&t->mem, room, 1);
    t->score = arena_zero(&t->mem, room, sizeof *t->score);
    if (!m->piece || !t->type || !t->flags || !t->score) return no_memory(e);
    t->piece = m->piece;
    TRY(read_top(m, file, true, e));
    TRY(read_trainer(m, e));
    TRY(read_normalizer(m, e));
    TRY(add_variant(m, e));
    const int32_t special[TOK_SPECIAL_COUNT] = {
        [RZ_BOS] = m->bos, [RZ_EOS] = m->eos, [RZ_EOT] = -1, [RZ_PAD] = m->pad, [RZ_UNK] = m->unk};
    memcpy(t->special, special, sizeof special);
    if (!tok_index_init(&m->x, m->piece, t->n)) return no_memory(e);
    return finish(m, e);
}

bool tok_looks_like_spm(str file) {
    return file.len > 4 && file.p[0] == 0x0A && (unsigned char)file.p[1] < 128 && file.p[2] == 0x0A;
}

status tok_open_spm(tok **out, const char *path, str file, const tok_named *v, int variant,
                    err *e) {
    tok *t = mem_zero(sizeof *t);
    if (!t) return no_memory(e);
    spmodel m = {.t = t, .path = path, .named = v, .variant = v ? variant : 0};
    const status s = read_all(&m, file, e);
    tok_index_done(&m.x);
    if (s < 0) {
        tok_close(t);
        return s;
    }
    *out = t;
    return RZ_OK;
}
