/* cmd_train.c - realizar train: a model from a configuration and tokens, with a log that people or
 * programs read. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "cli/cmd.h"
#include "cli/output.h"
#include "cli/show.h"
#include "cli/stop.h"
#include "json/json.h"

typedef struct train_args {
    const char *config, *data, *resume, *dtype, *out;
    int seq_len, batch_size, grad_accum, max_checkpoints, threads;
    size_t max_steps;
    uint64_t seed;
    int device;
    bool headless;
} train_args;

/* clang-format off */
#define AT(member) .at = offsetof(train_args, member)
#define NUMBER(id, n, most, h) \
    {.name = (n), .kind = ARG_INT, AT(id), .min = 0, .max = (most), .value = "N", .fallback = "0", \
     .help = (h)}
static const arg_option options[] = {
    {.name = "config", .letter = 'f', .kind = ARG_TEXT, AT(config), .value = "FILE",
     .help = "what to train, in YAML"},
    {.name = "data", .letter = 'd', .kind = ARG_TEXT, AT(data), .value = "FILE",
     .help = "tokens, as realizar prepare writes them; without, random ones"},
    {.name = "resume", .kind = ARG_TEXT, AT(resume), .value = "WHAT",
     .help = "go on from a checkpoint; auto = the latest in the folder, if there is one"},
    {.name = "checkpoint-dir", .kind = ARG_TEXT, AT(out), .value = "DIR",
     .help = "where checkpoints go; by default where the configuration says"},
    NUMBER(seq_len, "seq-len", 1 << 24, "tokens in a sequence; 0 = max_seq_len"),
    NUMBER(batch_size, "batch-size", 65536, "sequences at once; 0 = batch_size"),
    NUMBER(grad_accum, "grad-accum", 65536,
           "batches in a step; 0 = gradient_accumulation"),
    {.name = "max-steps", .kind = ARG_SIZE, AT(max_steps), .min = 0, .max = 1e12, .value = "N",
     .fallback = "0", .help = "end after this step; 0 = max_steps"},
    {.name = "max-checkpoints", .kind = ARG_INT, AT(max_checkpoints), .min = -1, .max = 1e9,
     .value = "N", .fallback = "-1",
     .help = "the oldest are removed; 0 = none, -1 = max_checkpoints"},
    {.name = "seed", .kind = ARG_U64, AT(seed), .value = "N", .fallback = "0",
     .help = "of weights and the order of the data; 0 = seed"},
    {.name = "dtype", .kind = ARG_TEXT, AT(dtype), .value = "TYPE",
     .help = "f32, in place of what the configuration says"},
    {.name = "target-device", .kind = ARG_CHOICE, AT(device), .value = "cpu|gpu",
     .fallback = "cpu", .help = "there is no other than cpu"},
    {.name = "threads", .kind = ARG_INT, AT(threads), .min = 0, .max = 1024, .value = "N",
     .fallback = "0", .help = "worker threads; 0 = RZ_THREADS, or one per core"},
    {.name = "headless", .kind = ARG_FLAG, AT(headless),
     .help = "the log as JSON lines on standard output"},
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {{"Options", options, 0}};

typedef struct watch {
    const train_args *a;
    rz_train_plan plan;
    char folder[300]; /* of the run's own log */
    buf steps;        /* steps.json without its end */
    bool terminal, line_open;
    status failed; /* writing */
    err e;
} watch;

/* ---- The run's folder ---- */

static status make_folder(watch *w, err *e) {
    const char *wanted = getenv("OXIDIZED_RUN_DIR");
    const time_t now = time(NULL);
    struct tm at;
    if (wanted && *wanted) snprintf(w->folder, sizeof w->folder, "%s", wanted);
    else {
        TRY(os_make_folder("runs", e));
        if (!localtime_r(&now, &at)) return err_set(e, RZ_EIO, "no local time");
        strftime(w->folder, sizeof w->folder, "runs/%Y%m%d_%H%M%S", &at);
    }
    return os_make_folder(w->folder, e);
}

static status write_file(const watch *w, const char *name, buf *b, err *e) {
    char path[400];
    snprintf(path, sizeof path, "%s/%s", w->folder, name);
    const status s = b->failed ? err_set(e, RZ_ENOMEM, "out of memory for %s", name)
                               : os_write_file(path, b->p, b->len, e);
    buf_free(b);
    return s;
}

static status write_steps(const watch *w, err *e) {
    buf b = BUF_INIT;
    buf_text(&b, "[");
    buf_str(&b, buf_view(&w->steps));
    buf_text(&b, "\n]\n");
    return write_file(w, "steps.json", &b, e);
}

static status write_run(const watch *w, const char *state, const char *error, err *e) {
    buf b = BUF_INIT;
    buf_text(&b, "{\"run_dir\":");
    json_write_string(&b, str_of(w->folder));
    buf_text(&b, ",\"config\":");
    json_write_string(&b, str_of(w->a->config));
    buf_printf(&b, ",\"dataset_size\":%llu,\"device\":\"cpu\",\"status\":\"%s\",\"error\":",
               (unsigned long long)w->plan.tokens, state);
    if (error) json_write_string(&b, str_of(error));
    else buf_text(&b, "null");
    buf_text(&b, "}\n");
    return write_file(w, "run.json", &b, e);
}

/* ---- What is seen ---- */

static void close_line(watch *w) {
    if (w->line_open) fputs("\r\033[K", stderr);
    w->line_open = false;
}

static void on_plan(void *ud, const rz_train_plan *p) {
    watch *w = ud;
    buf b = BUF_INIT;
    w->plan = *p;
    buf_text(&b, "training ");
    show_count(&b, p->weights);
    buf_text(&b, " weights on ");
    show_count(&b, p->tokens);
    buf_printf(&b, " tokens, steps %llu to %llu, about ", (unsigned long long)p->first_step + 1,
               (unsigned long long)p->steps);
    show_bytes(&b, p->memory);
    buf_text(&b, " of memory\n");
    if (!b.failed) fwrite(b.p, 1, b.len, stderr);
    buf_free(&b);
}

/* The members of a line that the log of oxidizr has, and ours behind them. */
static void json_line(const rz_train_step *s, buf *b) {
    buf_printf(b, "{\"step\":%llu,\"loss\":%.4f,\"grad_norm\":%.4f,\"learning_rate\":%.6e,",
               (unsigned long long)s->step, s->loss, s->grad_norm, s->learning_rate);
    buf_printf(b, "\"epoch\":%.2f,\"it/s\":%.2f,\"vram\":\"", s->epoch, s->steps_per_second);
    show_bytes(b, s->memory);
    buf_printf(b, "\",\"tokens/s\":%.1f,\"val_loss\":", s->tokens_per_second);
    if (s->has_validation) buf_printf(b, "%.4f}", s->validation_loss);
    else buf_text(b, "null}");
}

static void text_line(const watch *w, const rz_train_step *s, buf *b) {
    const double left =
        s->steps_per_second > 0 ? (double)(w->plan.steps - s->step) / s->steps_per_second : 0;
    buf_printf(b, "step %llu of %llu  loss %.4f", (unsigned long long)s->step,
               (unsigned long long)w->plan.steps, s->loss);
    if (s->has_validation) buf_printf(b, "  validation %.4f", s->validation_loss);
    buf_printf(b, "  gradient %.3f  rate %.2e  %.0f tokens/s  ", s->grad_norm, s->learning_rate,
               s->tokens_per_second);
    show_bytes(b, s->memory);
    buf_printf(b, "  %.0f s left", left);
}

static int on_step(void *ud, const rz_train_step *s) {
    watch *w = ud;
    buf b = BUF_INIT;
    buf_text(&w->steps, w->steps.len ? ",\n" : "\n");
    json_line(s, &w->steps);
    if (w->a->headless) json_line(s, &b);
    else text_line(w, s, &b);
    close_line(w);
    if (w->a->headless || !w->terminal) buf_char(&b, '\n');
    if (b.failed || w->steps.failed) w->failed = err_set(&w->e, RZ_ENOMEM, "out of memory");
    else if (w->a->headless) w->failed = output_write(b.p, b.len, &w->e);
    else fwrite(b.p, 1, b.len, stderr);
    w->line_open = w->terminal && !w->a->headless;
    buf_free(&b);
    return w->failed < 0;
}

static void on_saved(void *ud, const char *path, int final) {
    watch *w = ud;
    close_line(w);
    if (final && w->a->headless) {
        buf b = BUF_INIT;
        buf_printf(&b, "Saving final checkpoint to %s\n", path);
        if (!b.failed) w->failed = output_write(b.p, b.len, &w->e);
        buf_free(&b);
    } else fprintf(stderr, "saved %s\n", path);
    if (w->failed >= 0) w->failed = write_steps(w, &w->e);
}

static int on_stop(void *ud) {
    (void)ud;
    return stop_asked();
}

/* ---- The command ---- */

static rz_train_options options_of(const train_args *a, watch *w) {
    rz_train_options o = RZ_TRAIN_INIT;
    o.seq_len = (uint32_t)a->seq_len;
    o.batch_size = (uint32_t)a->batch_size;
    o.grad_accum = (uint32_t)a->grad_accum;
    o.max_steps = a->max_steps;
    o.max_checkpoints = a->max_checkpoints;
    o.seed = a->seed ? (int64_t)(a->seed & INT64_MAX) : -1;
    o.dtype = a->dtype;
    o.folder = a->out;
    o.resume = a->resume;
    o.threads = a->threads;
    o.plan = on_plan;
    o.step = on_step;
    o.saved = on_saved;
    o.stop = on_stop;
    o.ud = w;
    return o;
}

static int train(const cmd_call *c) {
    const train_args *a = c->values;
    watch w = {.a = a, .terminal = os_is_terminal(STDERR_FILENO)};
    err e = {0};
    if (c->rest->n) return cmd_usage(c, "\"%.80s\": expected no argument", c->rest->item[0]);
    if (!a->config) return cmd_usage(c, "no --config: name a YAML file");
    if (a->device == 1) {
        err_set(&e, RZ_EUNSUPPORTED, "--target-device gpu: there is no other device than cpu");
        return cmd_failed(c, &e);
    }
    const rz_train_options o = options_of(a, &w);
    stop_listen(1, NULL);
    status s = make_folder(&w, &e);
    if (s >= 0) s = write_run(&w, "running", NULL, &e);
    if (s >= 0) s = rz_train(a->config, a->data, &o, &e);
    close_line(&w);
    if (w.failed < 0) {
        s = w.failed;
        e = w.e;
    }
    if (*w.folder) {
        const char *state = s >= 0 ? "completed" : s == RZ_ECANCELED ? "stopped" : "failed";
        err other = {0};
        status t = write_steps(&w, &other);
        if (t >= 0) t = write_run(&w, state, s >= 0 ? NULL : e.text, &other);
        if (s >= 0 && t < 0) {
            s = t;
            e = other;
        }
    }
    buf_free(&w.steps);
    return s < 0 ? cmd_failed(c, &e) : CMD_OK;
}

const cmd_spec cmd_train = {
    {"--config FILE [--data FILE] [OPTION ...]",
     "Trains a model as a configuration in oxidizr's YAML says: attention (also grouped) with "
     "SwiGLU so far; Mamba, latent attention and experts end with one line. Checkpoints are "
     "safetensors that the other commands open. A stopped run (Ctrl-C) writes one and is continued "
     "by --resume auto, bit for bit; the weights do not depend on threads. The log is also kept in "
     "$OXIDIZED_RUN_DIR, or in runs/DATE_TIME.",
     "train --config nano.yaml --data story.bin\n"
     "train -f nano.yaml -d story.bin --resume auto --headless",
     groups, sizeof groups / sizeof *groups, sizeof(train_args)},
    train};
