/* logprobs.c - see logprobs.h. */
#include "server/logprobs.h"

#include <math.h>

#include "json/json.h"

/* What OpenAI writes for a token that cannot come: JSON knows no infinity. */
static const double impossible = -9999.0;

/* The scores of token t of g: its own, then the likeliest. */
static const rz_score *scores_of(const gen *g, uint32_t t) {
    return (const rz_score *)(const void *)g->scored.p + (size_t)t * g->job->scores;
}

static uint32_t count(const gen *g) {
    const size_t each = g->job->scores * sizeof(rz_score);
    return each ? (uint32_t)(g->scored.len / each) : 0;
}

static str bytes_of(const gen *g, rz_token id) {
    const rz_tokenizer *t = g->job->srv->tokenizer;
    str s = {NULL, 0};
    s.p = rz_token_bytes(t, id, &s.len);
    if (s.p && s.len == 0 && rz_token_is_control(t, id)) s.p = rz_token_piece(t, id, &s.len);
    return s.p ? s : STR_LIT("");
}

static void number(buf *b, float v) { json_write_number(b, isfinite(v) ? (double)v : impossible); }

/* As text, or as "bytes:\x.." where the text would not say which bytes these are. */
static void name(buf *b, str bytes) {
    static const str unknown = {"\xef\xbf\xbd", 3};
    const size_t before = b->len;
    json_write_string(b, bytes);
    if (b->failed || str_find((str){b->p + before, b->len - before}, unknown) < 0 ||
        str_find(bytes, unknown) >= 0)
        return;
    b->len = before;
    buf_text(b, "\"bytes:");
    for (size_t i = 0; i < bytes.len; i++) buf_printf(b, "\\\\x%02x", (unsigned char)bytes.p[i]);
    buf_char(b, '"');
}

static void one(buf *b, const gen *g, const rz_score *s) {
    const str bytes = bytes_of(g, s->id);
    buf_text(b, "{\"token\":");
    json_write_string(b, bytes);
    buf_text(b, ",\"logprob\":");
    number(b, s->logprob);
    buf_text(b, ",\"bytes\":[");
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(b, i ? ",%u" : "%u", (unsigned char)bytes.p[i]);
    buf_char(b, ']');
}

void logprobs_chat(buf *b, const gen *g, uint32_t from) {
    if (!g->job->scores) {
        buf_text(b, "null");
        return;
    }
    buf_text(b, "{\"content\":[");
    for (uint32_t t = from; t < count(g); t++) {
        const rz_score *s = scores_of(g, t);
        if (t > from) buf_char(b, ',');
        one(b, g, s);
        buf_text(b, ",\"top_logprobs\":[");
        for (uint32_t i = 1; i < g->job->scores && s[i].id >= 0; i++) {
            if (i > 1) buf_char(b, ',');
            one(b, g, &s[i]);
            buf_char(b, '}');
        }
        buf_text(b, "]}");
    }
    buf_text(b, "],\"refusal\":null}");
}

/* {" a":-0.5," the":-1.25}: the likeliest and the token itself, a name only once. */
static void top(buf *b, const gen *g, const rz_score *s) {
    bool first = true;
    buf_char(b, '{');
    for (uint32_t k = 1; k <= g->job->scores; k++) {
        const uint32_t i = k < g->job->scores ? k : 0;
        const str bytes = bytes_of(g, s[i].id);
        bool seen = s[i].id < 0;
        for (uint32_t j = 1; j < k && !seen; j++) seen = str_eq(bytes_of(g, s[j].id), bytes);
        if (seen) continue;
        if (!first) buf_char(b, ',');
        first = false;
        name(b, bytes);
        buf_char(b, ':');
        number(b, s[i].logprob);
    }
    buf_char(b, '}');
}

/* Bytes that begin a character. */
static size_t characters(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

void logprobs_text(buf *b, const gen *g, uint32_t from, size_t *at) {
    const uint32_t n = count(g);
    if (!g->job->scores) {
        buf_text(b, "null");
        return;
    }
    buf_text(b, "{\"tokens\":[");
    for (uint32_t t = from; t < n; t++) {
        if (t > from) buf_char(b, ',');
        name(b, bytes_of(g, scores_of(g, t)->id));
    }
    buf_text(b, "],\"token_logprobs\":[");
    for (uint32_t t = from; t < n; t++) {
        if (t > from) buf_char(b, ',');
        number(b, scores_of(g, t)->logprob);
    }
    buf_text(b, "],\"top_logprobs\":");
    if (g->job->scores == 1) buf_text(b, "null");
    else buf_char(b, '[');
    for (uint32_t t = from; t < n && g->job->scores > 1; t++) {
        if (t > from) buf_char(b, ',');
        top(b, g, scores_of(g, t));
    }
    buf_text(b, g->job->scores > 1 ? "],\"text_offset\":[" : ",\"text_offset\":[");
    for (uint32_t t = from; t < n; t++) {
        buf_printf(b, t > from ? ",%zu" : "%zu", *at);
        *at += characters(bytes_of(g, scores_of(g, t)->id));
    }
    buf_text(b, "]}");
}
