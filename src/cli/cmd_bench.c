/* cmd_bench.c - realizar bench: tokens per second on this machine, beside what the machine can do
 * at most. The measuring is in bench_run.c and bench_batch.c, the printing in bench_report.c. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/os.h"
#include "cli/bench_run.h"
#include "cli/input.h"
#include "cli/model_arg.h"
#include "cli/profile_arg.h"
#include "cli/stop.h"

typedef struct bench_args {
    model_arg model;
    compute_arg compute;
    const char *synthetic, *type; /* shape and weight type of a made-up model */
    const char *write;            /* where to put it, instead of measuring */
    const char *depths, *batch, *threads;
    const char *before; /* a result to compare with */
    size_t prompt_tokens, answer_tokens, runs;
    float seconds;
    bool no_limits, profile, csv, json;
} bench_args;

/* clang-format off */
#define COUNT(id, n, a, b, d, h) \
    {.name = (n), .kind = ARG_SIZE, .at = offsetof(bench_args, id), .min = (a), .max = (b), \
     .value = "N", .fallback = (d), .help = (h)}
#define FLAG(id, n, h) {.name = (n), .kind = ARG_FLAG, .at = offsetof(bench_args, id), .help = (h)}
#define LIST(id, n, d, h) \
    {.name = (n), .kind = ARG_TEXT, .at = offsetof(bench_args, id), .value = "N,N", \
     .fallback = (d), .help = (h)}
static const arg_option options[] = {
    {.name = "synthetic", .kind = ARG_TEXT, .at = offsetof(bench_args, synthetic),
     .value = "SHAPE",
     .help = "instead of a file: random weights of a real shape, llama-15m, llama-110m, "
             "llama-1b, llama-8b, qwen3-0.6b, mixtral-tiny, mamba2-1.3b, llama-tiny or "
             "mamba2-tiny"},
    {.name = "type", .kind = ARG_TEXT, .at = offsetof(bench_args, type), .value = "TYPE",
     .fallback = "Q4_0", .help = "how --synthetic stores its weights"},
    {.name = "write", .kind = ARG_TEXT, .at = offsetof(bench_args, write), .value = "FILE",
     .help = "write the --synthetic model as a GGUF file, with a made-up vocabulary, and measure "
             "nothing"},
    {.name = "depths", .letter = 'd', .kind = ARG_TEXT, .at = offsetof(bench_args, depths),
     .value = "N,N", .fallback = "0,128,512,2048",
     .help = "tokens already in the context; those that do not fit are left out"},
    LIST(batch, "batch", "1", "how many sequences decode together, 1 to 64 each"),
    LIST(threads, "threads", "0", "worker threads; 0 = RZ_THREADS, or one per core"),
    COUNT(prompt_tokens, "prompt-tokens", 1, 1 << 24, "512",
          "tokens of a prefill run, if they fit"),
    COUNT(answer_tokens, "answer-tokens", 1, 1 << 24, "64", "tokens of a decode run, if they fit"),
    COUNT(runs, "runs", 1, BENCH_MAX_RUNS, "5", "runs of each test"),
    {.name = "seconds", .kind = ARG_FLOAT, .at = offsetof(bench_args, seconds), .min = 0,
     .max = 1e6, .value = "SECONDS", .fallback = "20",
     .help = "no further run of a test that has taken this long"},
    FLAG(no_limits, "no-limits", "leave out what the machine can do at most, a second or two for "
         "each number of threads"),
    {.name = "vs", .kind = ARG_TEXT, .at = offsetof(bench_args, before), .value = "FILE",
     .help = "compare with this result of --json, too; MODEL may then be another such file"},
    PROFILE_OPTION(offsetof(bench_args, profile)),
    FLAG(csv, "csv", "comma-separated values"),
    FLAG(json, "json", "one JSON object"),
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {
    {"Model", model_arg_options, offsetof(bench_args, model)},
    {"Options", options, 0},
    {"Computing", compute_arg_options_list, offsetof(bench_args, compute)},
};

typedef struct bench_call {
    const bench_args *a;
    bench_plan plan;
    rz_token *depth, *batch, *threads;
    size_t n_threads;
    rz_limits *limits; /* [n_threads] */
    bench_row *row;
    size_t n_row;
    uint64_t logits, tokens;
    char *before; /* the other result */
    size_t before_len;
} bench_call;

/* ---- Arguments ---- */

static status take_list(const char *text, const char *option, long min, long max, rz_token **list,
                        size_t *n, err *e) {
    TRY(input_ids(str_of(text), option, list, n, e));
    if (*n == 0) return err_set(e, RZ_EINVAL, "%s: expected numbers like 1,2", option);
    for (size_t i = 0; i < *n; i++)
        if ((*list)[i] < min || (*list)[i] > max)
            return err_set(e, RZ_EINVAL, "%s: %d is not in %ld to %ld", option, (*list)[i], min,
                           max);
    return RZ_OK;
}

/* The shape stands for the model: no file is named beside it. */
static status take_model(bench_args *a, const cmd_call *c, size_t *used, err *e) {
    if (a->write && !a->synthetic)
        return err_set(e, RZ_EINVAL, "--write: needs --synthetic, whose model it writes");
    if (!a->synthetic) return model_arg_take(&a->model, c->rest, used, e);
    if (a->model.demo || a->model.path)
        return err_set(e, RZ_EINVAL, "two models: --synthetic and --demo or --model");
    return RZ_OK;
}

static status take_arguments(bench_call *b, bench_args *a, const cmd_call *c, err *e) {
    size_t used = 0;
    if (a->csv && a->json) return err_set(e, RZ_EINVAL, "--csv and --json: choose one");
    if (a->before && (a->csv || a->json))
        return err_set(e, RZ_EINVAL, "--vs: has a form of its own, without --csv and --json");
    TRY(take_model(a, c, &used, e));
    TRY(model_arg_no_more(c->rest, used, e));
    TRY(compute_arg_check(&a->compute, e));
    bench_plan *p = &b->plan;
    TRY(take_list(a->depths, "--depths", 0, 1 << 30, &b->depth, &p->n_depth, e));
    TRY(take_list(a->batch, "--batch", 1, BENCH_MAX_BATCH, &b->batch, &p->n_batch, e));
    TRY(take_list(a->threads, "--threads", 0, 1024, &b->threads, &b->n_threads, e));
    p->depth = b->depth;
    p->batch = b->batch;
    p->prompt_tokens = a->prompt_tokens;
    p->answer_tokens = a->answer_tokens;
    p->runs = a->runs;
    p->context = a->compute.ctx;
    p->kv = (rz_kv)a->compute.kv;
    p->seconds = (double)a->seconds;
    return RZ_OK;
}

/* ---- Measuring ---- */

static status open_model(const bench_args *a, int threads, rz_model **m, err *e) {
    compute_arg compute = a->compute;
    compute.threads = threads;
    if (!a->synthetic) return model_arg_open(&a->model, &compute, m, e);
    bench_progress("making %s", a->synthetic);
    rz_model_options opt = RZ_MODEL_INIT;
    opt.threads = threads;
    return rz_model_open_synthetic(m, a->synthetic, a->type, &opt, e);
}

/* Everything with number i of the threads. The same bits must come out as with the others. */
static status measure(bench_call *b, rz_model *m, size_t i, err *e) {
    uint64_t logits = 0, tokens = 0;
    rz_model_info info;
    rz_model_describe(m, &info);
    if (!b->a->no_limits) {
        bench_progress("measuring the machine, %u thread%s", info.threads,
                       info.threads == 1 ? "" : "s");
        TRY(rz_limits_measure(&b->limits[i], (int)info.threads, 0, e));
    }
    TRY(bench_hash(m, &b->plan, &logits, &tokens, e));
    if (i > 0 && (logits != b->logits || tokens != b->tokens))
        return err_set(e, RZ_EFORMAT, "%u threads compute other logits than %d", info.threads,
                       b->row[0].threads);
    b->logits = logits;
    b->tokens = tokens;
    if (b->a->profile) TRY(rz_profile_start(e));
    TRY(bench_measure(m, &b->plan, b->a->no_limits ? NULL : &b->limits[i], b->row, &b->n_row, e));
    if (b->a->profile) profile_arg_print();
    return RZ_OK;
}

static void report(const bench_call *b, const rz_model *m, const double load[3], buf *out) {
    const bench_args *a = b->a;
    rz_model_info info;
    char name[128];
    buf summary = BUF_INIT;
    rz_model_describe(m, &info);
    model_arg_name(&a->model, m, name, sizeof name);
    model_arg_summary(m, &summary);
    const bench_cost cost = bench_cost_of(m, b->plan.kv);
    const bench_report r = {.machine = rz_system_info(),
                            .model = name,
                            .quant = info.quant,
                            .arch = info.arch,
                            .kv = rz_model_kv_name(m, b->plan.kv),
                            .summary = buf_cstr(&summary) ? buf_cstr(&summary) : "",
                            .params = info.params,
                            .weight_bytes = info.weight_bytes,
                            .token_bytes = (uint64_t)cost.weight_bytes,
                            .kv_bytes = (uint64_t)cost.kv_bytes,
                            .load = {load[0], load[1], load[2]},
                            .limits = b->limits,
                            .n_limits = a->no_limits ? 0 : b->n_threads,
                            .row = b->row,
                            .n_row = b->n_row,
                            .logit_hash = b->logits,
                            .token_hash = b->tokens};
    if (a->json || a->before) bench_json(&r, out);
    else if (a->csv) bench_csv(&r, out);
    else bench_table(&r, out);
    buf_free(&summary);
}

static status run_all(bench_call *b, buf *out, err *e) {
    rz_model *m = NULL;
    double load[3];
    status s = RZ_OK;
    if (getloadavg(load, 3) != 3) load[0] = load[1] = load[2] = -1;
    b->row = mem_array_zero(b->n_threads * b->plan.n_depth * (1 + b->plan.n_batch), sizeof *b->row);
    b->limits = mem_array_zero(b->n_threads, sizeof *b->limits);
    if (!b->row || !b->limits) return err_set(e, RZ_ENOMEM, "out of memory for results");
    for (size_t i = 0; s >= 0 && i < b->n_threads; i++) {
        rz_model_close(m);
        m = NULL;
        s = open_model(b->a, b->threads[i], &m, e);
        if (s >= 0) s = measure(b, m, i, e);
    }
    bench_progress(NULL);
    if (s >= 0 && b->n_row == 0) s = err_set(e, RZ_EINVAL, "no depth fits the model's context");
    if (s >= 0) report(b, m, load, out);
    rz_model_close(m);
    return s;
}

/* ---- Comparing ---- */

enum { MAX_RESULT = 64 << 20 };

static status read_result(const char *path, char **text, size_t *len, err *e) {
    return os_read_file(path, MAX_RESULT, text, len, e);
}

/* The result so far, or the file that stands for the model, beside the other. */
static status compare(const bench_call *b, str now, const char *name, buf *out, err *e) {
    buf table = BUF_INIT;
    const status s =
        bench_compare((str){b->before, b->before_len}, b->a->before, now, name, &table, e);
    buf_clear(out);
    buf_add(out, table.p, table.len);
    buf_free(&table);
    return s;
}

static bool is_result(const char *path) { return path && str_ends(str_of(path), STR_LIT(".json")); }

static status run(bench_call *b, buf *out, err *e) {
    const bench_args *a = b->a;
    if (a->write) return rz_synthetic_write(a->synthetic, a->type, a->write, e);
    if (a->before) TRY(read_result(a->before, &b->before, &b->before_len, e));
    if (!a->before || !is_result(a->model.path)) {
        TRY(run_all(b, out, e));
        return a->before ? compare(b, buf_view(out), "this run", out, e) : RZ_OK;
    }
    char *text;
    size_t len;
    TRY(read_result(a->model.path, &text, &len, e));
    const status s = compare(b, (str){text, len}, a->model.path, out, e);
    mem_free(text);
    return s;
}

static int run_bench(const cmd_call *c) {
    bench_args *a = c->values;
    bench_call b = {.a = a};
    buf out = BUF_INIT;
    err e = {0};
    int code;
    if (take_arguments(&b, a, c, &e) < 0) {
        code = e.status == RZ_EINVAL ? cmd_usage(c, "%s", e.text) : cmd_failed(c, &e);
    } else {
        stop_listen(1, NULL);
        code = run(&b, &out, &e) < 0 ? cmd_failed(c, &e) : cmd_print(c, &out);
    }
    mem_free(b.depth);
    mem_free(b.batch);
    mem_free(b.threads);
    mem_free(b.limits);
    mem_free(b.row);
    mem_free(b.before);
    buf_free(&out);
    return code;
}

const cmd_spec cmd_bench = {
    {"MODEL [OPTION ...]\n--demo [OPTION ...]\n--synthetic SHAPE [OPTION ...]\n"
     "NEW.json --vs OLD.json",
     "Prefill is the prompt, many tokens at once; decode is the answer, one token of each sequence "
     "after the other. Medians, with the slowest and fastest run beside them. GB/s counts weights "
     "and cache that are read. The share of the limit is the time this machine needs at least, for "
     "reading that or for the multiply-accumulates, of the time taken.",
     "bench --demo\nbench model.gguf --threads 1,2,4 --depths 0,4096 --batch 1,16\n"
     "bench --synthetic llama-1b --type Q8_0\nbench model.gguf --json > today.json\n"
     "bench model.gguf --vs yesterday.json\n"
     "bench --synthetic llama-1b --write 1b.gguf",
     groups, sizeof groups / sizeof *groups, sizeof(bench_args)},
    run_bench};
