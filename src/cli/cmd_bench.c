/* cmd_bench.c - realizar bench: tokens per second on this machine, prompt and answer apart, at
 * several context depths. One session, nothing else running; each figure is the median of several
 * runs after a warm-up. Tokens are made up but always the same ones: their values change no speed,
 * and the hashes at the end tell whether two machines compute alike. */
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/rng.h"
#include "cli/bench_report.h"
#include "cli/input.h"
#include "cli/model_arg.h"
#include "cli/stop.h"

typedef struct bench_args {
    model_arg model;
    compute_arg compute;
    const char *synthetic, *type; /* shape and weight type of a made-up model */
    const char *depths;
    size_t prompt_tokens, answer_tokens, runs;
    float seconds;
    bool csv, json;
} bench_args;

enum {
    MIN_ROOM = 16,    /* a depth with less context behind it is left out       */
    WARM_PROMPT = 64, /* tokens of the warm-up                                 */
    WARM_ANSWER = 4,
    HASH_PROMPT = 32, /* tokens the hashes are over: fed, then chosen          */
    HASH_ANSWER = 32,
};

/* clang-format off */
#define COUNT(id, n, a, b, d, h) \
    {.name = (n), .kind = ARG_SIZE, .at = offsetof(bench_args, id), .min = (a), .max = (b), \
     .value = "N", .fallback = (d), .help = (h)}
#define FLAG(id, n, h) {.name = (n), .kind = ARG_FLAG, .at = offsetof(bench_args, id), .help = (h)}
static const arg_option options[] = {
    {.name = "synthetic", .kind = ARG_TEXT, .at = offsetof(bench_args, synthetic),
     .value = "SHAPE",
     .help = "instead of a file: random weights of a real shape, llama-15m, llama-110m, "
             "llama-1b, llama-8b or qwen3-0.6b"},
    {.name = "type", .kind = ARG_TEXT, .at = offsetof(bench_args, type), .value = "TYPE",
     .fallback = "Q4_0", .help = "how --synthetic stores its weights"},
    {.name = "depths", .letter = 'd', .kind = ARG_TEXT, .at = offsetof(bench_args, depths),
     .value = "N,N", .fallback = "0,128,512,2048",
     .help = "tokens already in the context; those that do not fit are left out"},
    COUNT(prompt_tokens, "prompt-tokens", 1, 1 << 24, "512",
          "tokens of a prefill run, if they fit"),
    COUNT(answer_tokens, "answer-tokens", 1, 1 << 24, "64", "tokens of a decode run, if they fit"),
    COUNT(runs, "runs", 1, BENCH_MAX_RUNS, "5", "runs of each test"),
    {.name = "seconds", .kind = ARG_FLOAT, .at = offsetof(bench_args, seconds), .min = 0,
     .max = 1e6, .value = "SECONDS", .fallback = "20",
     .help = "no further run of a test that has taken this long"},
    FLAG(csv, "csv", "comma-separated values"),
    FLAG(json, "json", "one JSON object"),
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {
    {"Model", model_arg_options, offsetof(bench_args, model)},
    {"Options", options, 0},
    {"Computing", compute_arg_options, offsetof(bench_args, compute)},
};

typedef struct bench {
    const bench_args *a;
    rz_model_info info;
    rz_session *session;
    rz_token *ids; /* [context], the same on every machine */
    size_t context;
    double token_bytes; /* of weights, read for one token */
    bench_row *row;
    size_t n_row;
} bench;

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

static status measure(bench *b, run_fn *run, size_t depth, size_t n, size_t n_warm, bench_row *row,
                      err *e) {
    double rate[BENCH_MAX_RUNS], seconds = 0, spent = 0;
    size_t k = 0;
    TRY(run(b, depth, n < n_warm ? n : n_warm, &seconds, e));
    while (k < b->a->runs && (k == 0 || spent < (double)b->a->seconds)) {
        TRY(run(b, depth, n, &seconds, e));
        rate[k++] = (double)n / (seconds > 1e-9 ? seconds : 1e-9);
        spent += seconds;
    }
    qsort(rate, k, sizeof *rate, by_value);
    row->depth = depth;
    row->tokens = n;
    row->runs = k;
    row->min = rate[0];
    row->max = rate[k - 1];
    row->median = k % 2 ? rate[k / 2] : (rate[k / 2 - 1] + rate[k / 2]) / 2;
    return RZ_OK;
}

static size_t at_most(size_t wanted, size_t room) { return wanted < room ? wanted : room; }

/* The cache holds less than `depth` tokens: fill it. */
static status fill(bench *b, size_t depth, err *e) {
    size_t have = rz_session_length(b->session);
    if (have > depth) return rz_session_rewind(b->session, depth, e);
    while (have < depth) {
        const size_t n = at_most(512, depth - have);
        TRY(check_stop(e));
        TRY(rz_session_feed(b->session, b->ids + have, n, e));
        have += n;
    }
    return RZ_OK;
}

static status measure_depth(bench *b, size_t depth, err *e) {
    const size_t room = b->context - depth;
    /* What earlier depths have left behind came from their decode runs: begin anew. */
    TRY(rz_session_rewind(b->session, 0, e));
    TRY(fill(b, depth, e));
    bench_row *row = &b->row[b->n_row++];
    row->test = "prefill";
    TRY(measure(b, time_prefill, depth, at_most(b->a->prompt_tokens, room), WARM_PROMPT, row, e));
    row = &b->row[b->n_row++];
    row->test = "decode";
    TRY(measure(b, time_decode, depth, at_most(b->a->answer_tokens, room - 1), WARM_ANSWER, row,
                e));
    row->gb_per_s = row->median * b->token_bytes * 1e-9;
    return RZ_OK;
}

/* ---- Around it ---- */

/* Bits of the logits, and the tokens they choose, over a short text from the start. */
static status hash(bench *b, uint64_t *logit_hash, uint64_t *token_hash, err *e) {
    rz_params greedy = RZ_PARAMS_INIT;
    const size_t bytes = b->info.vocab * sizeof(float);
    const size_t prompt = at_most(HASH_PROMPT, b->context / 2);
    uint64_t logits = 0, tokens = 0;
    TRY(rz_session_rewind(b->session, 0, e));
    TRY(rz_session_feed(b->session, b->ids, prompt, e));
    for (size_t i = 0; i < at_most(HASH_ANSWER, b->context - prompt); i++) {
        const rz_token id = rz_session_sample(b->session, &greedy);
        logits = map_hash(rz_session_logits(b->session), bytes, logits);
        tokens = map_hash(&id, sizeof id, tokens);
        TRY(rz_session_feed(b->session, &id, 1, e));
    }
    *logit_hash = logits;
    *token_hash = tokens;
    return RZ_OK;
}

static double meta_number(const rz_model *m, const char *arch, const char *key) {
    char name[128], text[64];
    double v = 0;
    snprintf(name, sizeof name, "%.60s.%s", arch, key);
    if (rz_model_meta(m, name, text, sizeof text) > 0) str_f64(str_of(text), &v);
    return v;
}

/* Bytes of weights one token reads: all of them, except that of an embedding table that is not the
 * output too only a row is, and of experts only those chosen. */
static double bytes_per_token(const rz_model *m, const rz_model_info *info) {
    const double experts = meta_number(m, info->arch, "expert_count");
    const double used = meta_number(m, info->arch, "expert_used_count");
    double sum = 0, embedding = 0;
    bool has_output = false;
    rz_tensor_desc t;
    for (size_t i = 0; rz_model_tensor(m, i, &t) == RZ_OK; i++) {
        const bool expert = str_find(str_of(t.name), STR_LIT("_exps.")) >= 0;
        if (strcmp(t.name, "token_embd.weight") == 0) embedding = (double)t.bytes;
        if (strcmp(t.name, "output.weight") == 0) has_output = true;
        sum += expert && experts > 0 ? (double)t.bytes * used / experts : (double)t.bytes;
    }
    return has_output ? sum - embedding : sum;
}

static status prepare(bench *b, rz_model *m, size_t deepest, err *e) {
    const bench_args *a = b->a;
    rz_model_describe(m, &b->info);
    b->context = a->compute.ctx ? a->compute.ctx : b->info.context;
    /* No more cache than the deepest test needs. */
    const size_t run =
        a->prompt_tokens > a->answer_tokens ? a->prompt_tokens : a->answer_tokens + 1;
    b->context = at_most(b->context, deepest + (run > 64 ? run : 64));
    b->token_bytes = bytes_per_token(m, &b->info);
    b->ids = mem_array(b->context, sizeof *b->ids);
    if (!b->ids) return err_set(e, RZ_ENOMEM, "out of memory for token ids");
    uint64_t state = 1;
    for (size_t i = 0; i < b->context; i++) b->ids[i] = (rz_token)rng_below(&state, b->info.vocab);
    return rz_session_new(&b->session, m, b->context, (rz_kv)a->compute.kv, e);
}

static void print_report(bench *b, const rz_model *m, uint64_t logits, uint64_t tokens, buf *out) {
    char name[128];
    buf summary = BUF_INIT;
    model_arg_name(&b->a->model, m, name, sizeof name);
    model_arg_summary(m, &summary);
    const bench_report r = {.machine = rz_system_info(),
                            .model = name,
                            .quant = b->info.quant,
                            .arch = b->info.arch,
                            .kv = rz_model_kv_name(m, (rz_kv)b->a->compute.kv),
                            .summary = buf_cstr(&summary) ? buf_cstr(&summary) : "",
                            .params = b->info.params,
                            .weight_bytes = b->info.weight_bytes,
                            .token_bytes = (uint64_t)b->token_bytes,
                            .threads = (int)b->info.threads,
                            .row = b->row,
                            .n_row = b->n_row,
                            .logit_hash = logits,
                            .token_hash = tokens};
    if (b->a->json) bench_json(&r, out);
    else if (b->a->csv) bench_csv(&r, out);
    else bench_table(&r, out);
    buf_free(&summary);
}

static status run_all(bench *b, rz_model *m, const rz_token *depth, size_t n, buf *out, err *e) {
    size_t deepest = 0;
    uint64_t logits = 0, tokens = 0;
    for (size_t i = 0; i < n; i++)
        deepest = (size_t)depth[i] > deepest ? (size_t)depth[i] : deepest;
    TRY(prepare(b, m, deepest, e));
    b->row = mem_array_zero(2 * n, sizeof *b->row);
    if (!b->row) return err_set(e, RZ_ENOMEM, "out of memory for results");
    TRY(hash(b, &logits, &tokens, e));
    for (size_t i = 0; i < n; i++) {
        if ((size_t)depth[i] + MIN_ROOM > b->context) continue;
        TRY(measure_depth(b, (size_t)depth[i], e));
    }
    if (b->n_row == 0)
        return err_set(e, RZ_EINVAL, "no depth fits a context of %zu tokens", b->context);
    print_report(b, m, logits, tokens, out);
    return RZ_OK;
}

/* The shape stands for the model: no file is named beside it. */
static status take_model(bench_args *a, const cmd_call *c, size_t *used, err *e) {
    if (!a->synthetic) return model_arg_take(&a->model, c->rest, used, e);
    if (a->model.demo || a->model.path)
        return err_set(e, RZ_EINVAL, "two models: --synthetic and --demo or --model");
    return RZ_OK;
}

static status open_model(const bench_args *a, rz_model **m, err *e) {
    if (!a->synthetic) return model_arg_open(&a->model, &a->compute, m, e);
    TRY(compute_arg_check(&a->compute, e));
    rz_model_options opt = RZ_MODEL_INIT;
    opt.threads = a->compute.threads;
    return rz_model_open_synthetic(m, a->synthetic, a->type, &opt, e);
}

static int run_bench(const cmd_call *c) {
    bench_args *a = c->values;
    bench b = {.a = a};
    rz_model *m = NULL;
    rz_token *depth = NULL;
    size_t used = 0, n = 0;
    buf out = BUF_INIT;
    err e = {0};
    status s = a->csv && a->json ? err_set(&e, RZ_EINVAL, "--csv and --json: choose one") : RZ_OK;
    if (s >= 0) s = take_model(a, c, &used, &e);
    if (s >= 0) s = model_arg_no_more(c->rest, used, &e);
    if (s >= 0) s = input_ids(str_of(a->depths), "--depths", &depth, &n, &e);
    if (s >= 0 && n == 0) s = err_set(&e, RZ_EINVAL, "--depths: expected numbers like 0,512");
    int code;
    if (s == RZ_EINVAL) code = cmd_usage(c, "%s", e.text);
    else {
        stop_listen(1, NULL);
        if (s >= 0) s = open_model(a, &m, &e);
        if (s >= 0) s = run_all(&b, m, depth, n, &out, &e);
        code = s < 0 ? cmd_failed(c, &e) : cmd_print(c, &out);
    }
    rz_session_free(b.session);
    rz_model_close(m);
    mem_free(b.ids);
    mem_free(b.row);
    mem_free(depth);
    buf_free(&out);
    return code;
}

const cmd_spec cmd_bench = {
    {"MODEL [OPTION ...]\n--demo [OPTION ...]\n--synthetic SHAPE [OPTION ...]",
     "Prefill is the prompt, many tokens at once; decode is the answer, one after the other. "
     "Medians, "
     "with the slowest and fastest run beside them. GB/s counts the weights one token reads.",
     "bench --demo\nbench model.gguf --threads 4 --depths 0,4096\nbench --synthetic llama-1b "
     "--type Q8_0\nbench model.gguf --json > "
     "today.json",
     groups, sizeof groups / sizeof *groups, sizeof(bench_args)},
    run_bench};
