/* classic_text.c - texts as vectors of words: how often each occurs, or that weighed by how rare
 * it is (tf-idf).
 *
 *   CountVectorizer  u8 lower case, u8 only whether it occurs, u64 words, each u64 length and bytes
 *   TFIDF            the same, then f32[words] weights, u8 1 + log of counts, u8 norm (0 none,
 *                    1 sum, 2 length)
 *
 * A word is two or more letters, marks, digits or underscores, as scikit-learn has it. */
#include <math.h>

#include "classic/classic.h"
#include "unicode/ucd.h"
#include "unicode/utf8.h"

typedef struct words {
    uint8_t lower, binary, log_counts, norm;
    str *word;    /* [outputs] */
    float *idf;   /* [outputs], or NULL */
    str *sorted;  /* the words in byte order ... */
    uint32_t *at; /* ... and where each is */
} words;

static status no_memory(err *e) { return err_set(e, RZ_ENOMEM, "out of memory for words"); }

/* ---- Reading and writing ---- */

static status check_flag(uint8_t v, uint8_t most, const char *what, err *e) {
    if (v <= most) return RZ_OK;
    return err_set(e, RZ_EFORMAT, "%s is %u, expected at most %u", what, v, most);
}

static int compare(str a, str b) {
    const size_t n = a.len < b.len ? a.len : b.len;
    const int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* Heap sort of the numbers in `at` by the word they stand for. */
static void sift(const words *m, size_t i, size_t n) {
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && compare(m->word[m->at[child]], m->word[m->at[child + 1]]) < 0) child++;
        if (compare(m->word[m->at[i]], m->word[m->at[child]]) >= 0) return;
        const uint32_t t = m->at[i];
        m->at[i] = m->at[child];
        m->at[child] = t;
    }
}

static status sort_words(classic *c, words *m, err *e) {
    const size_t n = c->outputs;
    m->at = arena_alloc(&c->mem, n * sizeof *m->at);
    m->sorted = arena_alloc(&c->mem, n * sizeof *m->sorted);
    if (!m->at || !m->sorted) return no_memory(e);
    for (size_t i = 0; i < n; i++) m->at[i] = (uint32_t)i;
    for (size_t i = n / 2; i-- > 0;) sift(m, i, n);
    for (size_t end = n; end-- > 1;) {
        const uint32_t t = m->at[0];
        m->at[0] = m->at[end];
        m->at[end] = t;
        sift(m, 0, end);
    }
    for (size_t i = 0; i < n; i++) m->sorted[i] = m->word[m->at[i]];
    for (size_t i = 1; i < n; i++)
        if (str_eq(m->sorted[i - 1], m->sorted[i]))
            return err_set(e, RZ_EFORMAT, "the word \"%.*s\" is there twice",
                           STR_FMT(m->sorted[i]));
    return RZ_OK;
}

static status read_words(classic *c, payload *r, words **out, err *e) {
    words *m = arena_zero(&c->mem, 1, sizeof *m);
    if (!m) return no_memory(e);
    TRY(payload_u8(r, "lower case", &m->lower, e));
    TRY(payload_u8(r, "only whether it occurs", &m->binary, e));
    TRY(check_flag(m->lower, 1, "lower case", e));
    TRY(check_flag(m->binary, 1, "only whether it occurs", e));
    TRY(payload_count(r, "the number of words", 8, &c->outputs, e));
    if (c->outputs == 0 || c->outputs > CLASSIC_MAX_INPUTS)
        return err_set(e, RZ_EFORMAT, "%zu words, expected 1 to %d", c->outputs,
                       CLASSIC_MAX_INPUTS);
    m->word = arena_alloc(&c->mem, c->outputs * sizeof *m->word);
    if (!m->word) return no_memory(e);
    for (size_t i = 0; i < c->outputs; i++) {
        TRY(payload_str(r, "a word", &m->word[i], e));
        if (m->word[i].len == 0 || utf8_valid(m->word[i]) != m->word[i].len)
            return err_set(e, RZ_EFORMAT, "word %zu is empty or no UTF-8", i);
    }
    c->m = m;
    c->params = c->outputs;
    *out = m;
    return sort_words(c, m, e);
}

static status count_read(classic *c, payload *r, err *e) {
    words *m;
    return read_words(c, r, &m, e);
}

static status tfidf_read(classic *c, payload *r, err *e) {
    words *m;
    TRY(read_words(c, r, &m, e));
    TRY(payload_floats(r, "weights of words", c->outputs, 1, &m->idf, e));
    TRY(payload_u8(r, "1 + log of counts", &m->log_counts, e));
    TRY(payload_u8(r, "the norm", &m->norm, e));
    TRY(check_flag(m->log_counts, 1, "1 + log of counts", e));
    return check_flag(m->norm, 2, "the norm", e);
}

static void count_write(const classic *c, buf *out) {
    const words *m = c->m;
    payload_put_u8(out, m->lower);
    payload_put_u8(out, m->binary);
    payload_put_u64(out, c->outputs);
    for (size_t i = 0; i < c->outputs; i++) payload_put_str(out, m->word[i]);
}

static void tfidf_write(const classic *c, buf *out) {
    const words *m = c->m;
    count_write(c, out);
    payload_put_floats(out, m->idf, c->outputs);
    payload_put_u8(out, m->log_counts);
    payload_put_u8(out, m->norm);
}

/* ---- Counting ---- */

static void count_word(const classic *c, const words *m, str word, float *y) {
    size_t lo = 0, hi = c->outputs;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const int order = compare(word, m->sorted[mid]);
        if (order == 0) {
            float *n = &y[m->at[mid]];
            *n = m->binary ? 1 : *n + 1;
            return;
        }
        if (order < 0) hi = mid;
        else lo = mid + 1;
    }
}

static status count_run(const classic *c, str text, float *y, err *e) {
    const words *m = c->m;
    buf word = BUF_INIT;
    size_t chars = 0;
    for (size_t i = 0; i < c->outputs; i++) y[i] = 0;
    for (size_t at = 0; at <= text.len;) {
        uint32_t cp = UTF8_BAD;
        char bytes[4];
        at += at < text.len ? utf8_decode((str){text.p + at, text.len - at}, &cp) : 1;
        if (cp != UTF8_BAD && ucd_word(cp)) {
            buf_add(&word, bytes, utf8_encode(m->lower ? ucd_lower(cp) : cp, bytes));
            chars++;
            continue;
        }
        if (chars > 1) count_word(c, m, buf_view(&word), y);
        word.len = 0;
        chars = 0;
    }
    const bool failed = word.failed;
    buf_free(&word);
    return failed ? no_memory(e) : RZ_OK;
}

static status tfidf_run(const classic *c, str text, float *y, err *e) {
    const words *m = c->m;
    double sum = 0;
    TRY(count_run(c, text, y, e));
    for (size_t i = 0; i < c->outputs; i++) {
        if (y[i] == 0) continue;
        const double n = m->log_counts ? 1 + log((double)y[i]) : (double)y[i];
        y[i] = (float)(n * (double)m->idf[i]);
        sum += m->norm == 1 ? fabs((double)y[i]) : (double)y[i] * (double)y[i];
    }
    if (m->norm == 0 || sum == 0) return RZ_OK;
    const double scale = m->norm == 1 ? sum : sqrt(sum);
    for (size_t i = 0; i < c->outputs; i++) y[i] = (float)((double)y[i] / scale);
    return RZ_OK;
}

const classic_kind classic_count_vectorizer = {count_read, count_write, NULL, count_run};
const classic_kind classic_tfidf = {tfidf_read, tfidf_write, NULL, tfidf_run};
