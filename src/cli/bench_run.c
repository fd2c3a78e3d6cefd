/* bench_run.c - one session, nothing else running; each figure is the median of several runs after
 * a warm-up. Tokens are made up but always the same ones: their values change no speed. Several
 * sequences at once are in bench_batch.c. */
#include "cli/bench_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/rng.h"
#include "cli/stop.h"

enum {
    MIN_ROOM = 16,    /* a depth with less context behind it is left out       */
    WARM_PROMPT = 64, /* tokens of the warm-up                                 */
    WARM_ANSWER = 4,
    HASH_PROMPT = 32, /* tokens the hashes are over: fed, then chosen          */
    HASH_ANSWER = 32,
    STEP_ROWS = 256, /* of a prompt, for which weights are read once          */
};

typedef struct bench {
    const bench_plan *p;
    rz_model *m;
    rz_session *session;
    rz_token *ids; /* [context], the same on every machine */
    size_t context;
    bench_cost cost;
    const rz_limits *limits;
    int threads;
} bench;

/* ---- Costs and limits ---- */

static double meta_number(const rz_model *m, const char *arch, const char *key) {
    char name[128], text[64];
    double v = 0;
    snprintf(name, sizeof name, "%.60s.%s", arch, key);
    if (rz_model_meta(m, name, text, sizeof text) > 0) str_f64(str_of(text), &v);
    return v;
}

/* One token reads all weights, except that of an embedding table that is not the output too only a
 * row is, and of experts only those chosen. */
bench_cost bench_cost_of(const rz_model *m, rz_kv kv) {
    rz_model_info info;
    rz_model_describe(m, &info);
    const double experts = meta_number(m, info.arch, "expert_count");
    const double used = meta_number(m, info.arch, "expert_used_count");
    bench_cost c = {.kv_bytes = (double)rz_model_kv_bytes(m, kv)};
    double embedding = 0, embedding_macs = 0;
    rz_tensor_desc t;
    for (size_t i = 0; rz_model_tensor(m, i, &t) == RZ_OK; i++) {
        const bool expert = experts > 0 && str_find(str_of(t.name), STR_LIT("_exps.")) >= 0;
        const double part = expert ? used / experts : 1;
        double n = part;
        for (uint32_t d = 0; d < t.n_dims; d++) n *= (double)t.dim[d];
        if (strcmp(t.name, "token_embd.weight") == 0) {
            embedding = (double)t.bytes;
            embedding_macs = n;
            continue;
        }
        c.weight_bytes += part * (double)t.bytes;
        if (strcmp(t.name, "output.weight") == 0) c.head_macs = n;
        else if (t.n_dims > 1) c.layer_macs += n;
    }
    if (!(c.head_macs > 0)) {
        c.weight_bytes += embedding;
        c.head_macs = embedding_macs;
    }
    if (info.kv_floats_per_token) c.key_macs = 2.0 * info.layers * info.heads * info.head_size;
    c.int8 = strcmp(info.quant, "F32") != 0 && strcmp(info.quant, "F16") != 0 &&
             strcmp(info.quant, "BF16") != 0;
    return c;
}

/* Seconds that the machine needs at least: for reading `bytes`, or for computing, whichever is
 * longer. 0 when the limits are not known. */
static double least_seconds(const bench *b, double bytes, double macs, double attention_macs) {
    const rz_limits *l = b->limits;
    if (!l || l->used < 0) return 0;
    const rz_peak *peak = &l->peak[l->used];
    const double compute =
        macs / (b->cost.int8 ? peak->int8_macs : peak->f32_macs) + attention_macs / peak->f32_macs;
    const double read = bytes / l->read_bytes;
    return compute > read ? compute : read;
}

static void judge_prefill(const bench *b, bench_row *row) {
    const double n = (double)row->tokens, keys = (double)row->depth + (n + 1) / 2;
    const double reads = (double)((row->tokens + STEP_ROWS - 1) / STEP_ROWS);
    const double seconds = least_seconds(b, b->cost.weight_bytes * reads, b->cost.layer_macs * n,
                                         b->cost.key_macs * keys * n);
    row->share = seconds * row->median / n;
}

/* Of decoding, one step of all sequences. */
static void judge_decode(const bench *b, bench_row *row) {
    const double n = (double)row->batch, keys = (double)row->depth + (double)row->tokens / 2;
    const double bytes = b->cost.weight_bytes + n * keys * b->cost.kv_bytes;
    const double macs = (b->cost.layer_macs + b->cost.head_macs) * n;
    const double steps = row->median / n;
    row->gb_per_s = bytes * steps * 1e-9;
    row->share = least_seconds(b, bytes, macs, b->cost.key_macs * keys * n) * steps;
}

/* ---- One run ---- */

static status check_stop(err *e) {
    return stop_asked() ? err_set(e, RZ_ECANCELED, "stopped") : RZ_OK;
}

/* Seconds for `n` tokens behind the first `depth`, at once. */
static status time_prefill(bench *b, size_t depth, size_t n, double *seconds, err *e) {
    TRY(rz_session_rewind(b->session, depth, e));
    TRY(check_stop(e));
    const uint64_t start = os_now_ns();
    TRY(rz_session_feed(b->session, b->ids + depth, n, e));
    *seconds = (double)(os_now_ns() - start) * 1e-9;
    return RZ_OK;
}

/* Seconds for `n` tokens one after the other, each chosen from the logits before it. */
static status time_decode(bench *b, size_t depth, size_t n, double *seconds, err *e) {
    rz_params greedy = RZ_PARAMS_INIT;
    TRY(rz_session_rewind(b->session, depth, e));
    TRY(rz_session_feed(b->session, b->ids + depth, 1, e));
    const uint64_t start = os_now_ns();
    for (size_t i = 0; i < n; i++) {
        TRY(check_stop(e));
        const rz_token id = rz_session_sample(b->session, &greedy);
        TRY(rz_session_feed(b->session, &id, 1, e));
    }
    *seconds = (double)(os_now_ns() - start) * 1e-9;
    return RZ_OK;
}

/* ---- Several runs ---- */

typedef status run_fn(bench *b, size_t depth, size_t n, double *seconds, err *e);

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void summarise(bench_row *row, double *rate, size_t n) {
    qsort(rate, n, sizeof *rate, by_value);
    row->runs = n;
    row->min = rate[0];
    row->max = rate[n - 1];
    row->median = n % 2 ? rate[n / 2] : (rate[n / 2 - 1] + rate[n / 2]) / 2;
}

static status measure(bench *b, run_fn *run, size_t n_warm, bench_row *row, err *e) {
    double rate[BENCH_MAX_RUNS], seconds = 0, spent = 0;
    size_t k = 0;
    const size_t n = row->tokens;
    TRY(run(b, row->depth, n < n_warm ? n : n_warm, &seconds, e));
    while (k < b->p->runs && (k == 0 || spent < b->p->seconds)) {
        bench_progress("%d thread%s, depth %zu, %s, run %zu of %zu", row->threads,
                       row->threads == 1 ? "" : "s", row->depth, row->test, k + 1, b->p->runs);
        TRY(run(b, row->depth, n, &seconds, e));
        rate[k++] = (double)n / (seconds > 1e-9 ? seconds : 1e-9);
        spent += seconds;
    }
    summarise(row, rate, k);
    return RZ_OK;
}

static size_t at_most(size_t wanted, size_t room) { return wanted < room ? wanted : room; }

/* Make the cache hold exactly `depth` tokens of the text. */
static status fill(bench *b, size_t depth, err *e) {
    TRY(rz_session_rewind(b->session, 0, e));
    for (size_t have = 0; have < depth;) {
        const size_t n = at_most(512, depth - have);
        bench_progress("filling the cache: %zu of %zu tokens", have, depth);
        TRY(check_stop(e));
        TRY(rz_session_feed(b->session, b->ids + have, n, e));
        have += n;
    }
    return RZ_OK;
}

static status measure_batch(bench *b, size_t depth, size_t batch, bench_row *row, err *e) {
    const size_t room = b->context - depth;
    *row = (bench_row){.test = "decode", .threads = b->threads, .depth = depth, .batch = batch};
    if (batch == 1) {
        row->tokens = at_most(b->p->answer_tokens, room - 1);
        TRY(measure(b, time_decode, WARM_ANSWER, row, e));
    } else {
        double rate[BENCH_MAX_RUNS];
        size_t n = 0;
        row->tokens = at_most(b->p->answer_tokens, room);
        bench_progress("%d thread%s, depth %zu, %zu sequences together", b->threads,
                       b->threads == 1 ? "" : "s", depth, batch);
        TRY(bench_batch(b->m, b->p, b->ids, row, rate, &n, e));
        summarise(row, rate, n);
    }
    judge_decode(b, row);
    return RZ_OK;
}

static status measure_depth(bench *b, size_t depth, bench_row *row, size_t *n_row, err *e) {
    TRY(fill(b, depth, e));
    bench_row *first = &row[(*n_row)++];
    *first = (bench_row){.test = "prefill", .threads = b->threads, .depth = depth, .batch = 1};
    first->tokens = at_most(b->p->prompt_tokens, b->context - depth);
    TRY(measure(b, time_prefill, WARM_PROMPT, first, e));
    judge_prefill(b, first);
    for (size_t i = 0; i < b->p->n_batch; i++)
        TRY(measure_batch(b, depth, (size_t)b->p->batch[i], &row[(*n_row)++], e));
    return RZ_OK;
}

/* ---- Around it ---- */

static status prepare(bench *b, rz_model *m, const bench_plan *p, err *e) {
    rz_model_info info;
    size_t deepest = 0;
    rz_model_describe(m, &info);
    for (size_t i = 0; i < p->n_depth; i++)
        deepest = (size_t)p->depth[i] > deepest ? (size_t)p->depth[i] : deepest;
    *b = (bench){.p = p, .m = m, .threads = (int)info.threads};
    b->cost = bench_cost_of(m, p->kv);
    /* No more cache than the deepest test needs. */
    const size_t run =
        p->prompt_tokens > p->answer_tokens ? p->prompt_tokens : p->answer_tokens + 1;
    b->context = at_most(p->context ? p->context : info.context, deepest + (run > 64 ? run : 64));
    b->ids = mem_array(b->context, sizeof *b->ids);
    if (!b->ids) return err_set(e, RZ_ENOMEM, "out of memory for token ids");
    uint64_t state = 1;
    for (size_t i = 0; i < b->context; i++) b->ids[i] = (rz_token)rng_below(&state, info.vocab);
    return rz_session_new(&b->session, m, b->context, p->kv, e);
}

static void finish(bench *b) {
    bench_progress(NULL);
    rz_session_free(b->session);
    mem_free(b->ids);
}

status bench_measure(rz_model *m, const bench_plan *p, const rz_limits *limits, bench_row *row,
                     size_t *n_row, err *e) {
    bench b = {0};
    status s = prepare(&b, m, p, e);
    b.limits = limits;
    for (size_t i = 0; s >= 0 && i < p->n_depth; i++)
        if ((size_t)p->depth[i] + MIN_ROOM <= b.context)
            s = measure_depth(&b, (size_t)p->depth[i], row, n_row, e);
    finish(&b);
    return s;
}

static status hash(bench *b, uint64_t *logit_hash, uint64_t *token_hash, err *e) {
    rz_params greedy = RZ_PARAMS_INIT;
    rz_model_info info;
    rz_model_describe(b->m, &info);
    const size_t bytes = info.vocab * sizeof(float);
    const size_t prompt = at_most(HASH_PROMPT, b->context / 2);
    uint64_t logits = 0, tokens = 0;
    TRY(rz_session_feed(b->session, b->ids, prompt, e));
    for (size_t i = 0; i < at_most(HASH_ANSWER, b->context - prompt); i++) {
        TRY(check_stop(e));
        const rz_token id = rz_session_sample(b->session, &greedy);
        logits = map_hash(rz_session_logits(b->session), bytes, logits);
        tokens = map_hash(&id, sizeof id, tokens);
        TRY(rz_session_feed(b->session, &id, 1, e));
    }
    *logit_hash = logits;
    *token_hash = tokens;
    return RZ_OK;
}

status bench_hash(rz_model *m, const bench_plan *p, uint64_t *logit_hash, uint64_t *token_hash,
                  err *e) {
    bench b = {0};
    status s = prepare(&b, m, p, e);
    if (s >= 0) s = hash(&b, logit_hash, token_hash, e);
    finish(&b);
    return s;
}

void bench_progress(const char *fmt, ...) {
    static bool shown;
    if (!fmt) {
        if (shown) fputs("\r\033[K", stderr);
        shown = false;
        return;
    }
    if (!os_is_terminal(STDERR_FILENO)) return;
    va_list ap;
    va_start(ap, fmt);
    fputc('\r', stderr);
    vfprintf(stderr, fmt, ap);
    fputs("\033[K", stderr);
    va_end(ap);
    fflush(stderr);
    shown = true;
}
