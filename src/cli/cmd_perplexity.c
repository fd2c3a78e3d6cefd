/* cmd_perplexity.c - realizar perplexity: how surprised a model is by a text, as one number to
 * compare types and machines by.
 *
 * The text is cut into windows of the context's length that begin `stride` tokens apart; each token
 * is counted once, in the first window that reaches it, so that with the default stride all but
 * those of the first window have half a context before them. Every window begins with the model's
 * own prefix (BOS) if it has one. */
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/os.h"
#include "cli/input.h"
#include "cli/model_arg.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/stop.h"
#include "json/json.h"

typedef struct perplexity_args {
    model_arg model;
    compute_arg compute;
    size_t stride;
    bool json;
} perplexity_args;

enum { USUAL_CONTEXT = 512, SCORE_ROWS = 32 };

/* clang-format off */
static const arg_option options[] = {
    {.name = "stride", .kind = ARG_SIZE, .at = offsetof(perplexity_args, stride), .min = 0,
     .max = 1 << 30, .value = "N", .fallback = "0",
     .help = "tokens from one window to the next; 0 = half of the context"},
    {.name = "json", .kind = ARG_FLAG, .at = offsetof(perplexity_args, json),
     .help = "one JSON object instead of text"},
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {
    {"Model", model_arg_options, offsetof(perplexity_args, model)},
    {"Options", options, 0},
    {"Computing", compute_arg_options_f32, offsetof(perplexity_args, compute)},
};

/* One text going through one session. */
typedef struct measure {
    rz_session *session;
    const rz_token *prefix, *text;
    size_t n_prefix, n_text, vocab;
    size_t window, stride; /* of text tokens, without the prefix */
    float *logits;         /* [SCORE_ROWS, vocab] */
    float *last;           /* [vocab] after the last row fed */
    progress *progress;
    double sum, sum2; /* of -log p and its square */
    size_t counted, n_window;
} measure;

static double surprise(const float *row, size_t n, rz_token id) {
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) max = row[i] > max ? (double)row[i] : max;
    for (size_t i = 0; i < n; i++) sum += exp((double)row[i] - max);
    return max + log(sum) - (double)row[id];
}

static void count(measure *m, const float *row, rz_token id) {
    const double v = surprise(row, m->vocab, id);
    m->sum += v;
    m->sum2 += v * v;
    m->counted++;
}

/* Feed what is only context, keeping the logits behind its last token. */
static status feed(measure *m, const rz_token *ids, size_t n, err *e) {
    if (n == 0) return RZ_OK;
    TRY(rz_session_feed(m->session, ids, n, e));
    memcpy(m->last, rz_session_logits(m->session), m->vocab * sizeof *m->last);
    return RZ_OK;
}

/* Count text[first .. end), which follows what has been fed. The last of them need not be fed. */
static status score(measure *m, size_t first, size_t end, err *e) {
    count(m, m->last, m->text[first]);
    for (size_t at = first; at + 1 < end;) {
        const size_t left = end - 1 - at, n = left < SCORE_ROWS ? left : SCORE_ROWS;
        TRY(rz_session_score(m->session, m->text + at, n, m->logits, e));
        for (size_t i = 0; i < n; i++) count(m, m->logits + i * m->vocab, m->text[at + i + 1]);
        at += n;
    }
    return RZ_OK;
}

static status measure_all(measure *m, err *e) {
    for (size_t start = 0, done = 0; done < m->n_text; start += m->stride, m->n_window++) {
        const size_t left = m->n_text - start, n = left < m->window ? left : m->window;
        const rz_progress p = {"perplexity", done, m->n_text};
        if (progress_show(m->progress, &p) != 0) return err_set(e, RZ_ECANCELED, "stopped");
        TRY(rz_session_rewind(m->session, 0, e));
        TRY(feed(m, m->prefix, m->n_prefix, e));
        /* Without a prefix nothing predicts the first token of the text. */
        if (done == 0 && m->n_prefix == 0) done = 1;
        TRY(feed(m, m->text + start, done - start, e));
        TRY(score(m, done, start + n, e));
        done = start + n;
    }
    return RZ_OK;
}

static void report(const measure *m, bool as_json, double seconds, buf *out) {
    const double n = (double)m->counted, mean = m->sum / n;
    const double variance = m->sum2 / n - mean * mean;
    const double result = exp(mean), around = result * sqrt(variance > 0 ? variance / n : 0);
    const size_t context = m->window + m->n_prefix;
    if (as_json) {
        buf_text(out, "{\"perplexity\":");
        json_write_number(out, result);
        buf_text(out, ",\"standard_error\":");
        json_write_number(out, around);
        buf_text(out, ",\"mean_nll\":");
        json_write_number(out, mean);
        buf_printf(out, ",\"tokens\":%zu,\"windows\":%zu,\"context\":%zu,\"stride\":%zu,",
                   m->counted, m->n_window, context, m->stride);
        buf_printf(out, "\"seconds\":%.3f}\n", seconds);
        return;
    }
    buf_printf(out, "perplexity %.4f +- %.4f (%zu tokens; %zu windows of %zu, stride %zu)\n",
               result, around, m->counted, m->n_window, context, m->stride);
}

static status run(const perplexity_args *a, measure *m, rz_model *model, err *e) {
    rz_model_info info;
    rz_model_describe(model, &info);
    size_t context = a->compute.ctx;
    if (context == 0) context = info.context < USUAL_CONTEXT ? info.context : USUAL_CONTEXT;
    if (context < m->n_prefix + 2)
        return err_set(e, RZ_EINVAL, "--ctx is %zu, expected at least %zu", context,
                       m->n_prefix + 2);
    m->window = context - m->n_prefix;
    if (a->stride > context)
        return err_set(e, RZ_EINVAL, "--stride is %zu, expected at most %zu, the context",
                       a->stride, context);
    m->stride = a->stride ? a->stride : context / 2;
    if (m->stride > m->window) m->stride = m->window;
    if (m->n_text < 2)
        return err_set(e, RZ_EINVAL, "the text has %zu tokens, expected at least 2", m->n_text);
    m->vocab = info.vocab;
    m->logits = mem_array(m->vocab * SCORE_ROWS, sizeof *m->logits);
    m->last = mem_array(m->vocab, sizeof *m->last);
    if (!m->logits || !m->last) return err_set(e, RZ_ENOMEM, "out of memory for logits");
    TRY(rz_session_new(&m->session, model, context, (rz_kv)a->compute.kv, e));
    return measure_all(m, e);
}

/* Text and prefix as ids. */
static status encode(const rz_model *model, const buf *text, rz_token **ids, rz_token **prefix,
                     measure *m, err *e) {
    const rz_tokenizer *t = rz_model_tokenizer(model);
    if (!t) return err_set(e, RZ_EUNSUPPORTED, "this model file has no tokenizer");
    TRY(input_encode(t, STR_LIT(""), RZ_ENCODE_BOS, prefix, &m->n_prefix, e));
    TRY(input_encode(t, buf_view(text), 0, ids, &m->n_text, e));
    m->prefix = *prefix;
    m->text = *ids;
    return RZ_OK;
}

static int perplexity(const cmd_call *c) {
    perplexity_args *a = c->values;
    rz_model *model = NULL;
    rz_token *ids = NULL, *prefix = NULL;
    buf text = BUF_INIT, out = BUF_INIT;
    progress g = progress_begin("tokens");
    measure m = {.progress = &g};
    const char *file = NULL;
    err e = {0};
    if (model_arg_take_with_text(&a->model, c->rest, &file, &e) < 0)
        return cmd_usage(c, "%s", e.text);
    stop_listen(1, NULL);
    status s = input_text(NULL, file, "text", &text, &e);
    if (s >= 0) s = model_arg_open(&a->model, &a->compute, &model, &e);
    if (s >= 0) s = encode(model, &text, &ids, &prefix, &m, &e);
    const uint64_t begin = os_now_ns();
    if (s >= 0) s = run(a, &m, model, &e);
    progress_end(&g);
    if (s >= 0) report(&m, a->json, (double)(os_now_ns() - begin) * 1e-9, &out);
    const int code = s < 0 ? cmd_failed(c, &e) : cmd_print(c, &out);
    rz_session_free(m.session);
    rz_model_close(model);
    mem_free(m.logits);
    mem_free(m.last);
    mem_free(ids);
    mem_free(prefix);
    buf_free(&text);
    buf_free(&out);
    return code;
}

const cmd_spec cmd_perplexity = {
    {"MODEL FILE [OPTION ...]",
     "The exponential of the mean negative log-likelihood of a text's tokens: 1 is certainty, the "
     "size of the vocabulary is guessing. The text goes through the model in windows as long as "
     "the "
     "context (0: 512, or less for smaller models) that begin a stride apart; each token is "
     "counted "
     "once, in the first window that reaches it. The number does not depend on threads. Special "
     "tokens written out in the text are plain text.",
     "perplexity model.gguf text.txt\nperplexity model.gguf text.txt --ctx 2048 --json", groups,
     sizeof groups / sizeof *groups, sizeof(perplexity_args)},
    perplexity};
