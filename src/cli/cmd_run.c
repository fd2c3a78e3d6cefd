/* cmd_run.c - realizar run and realizar generate: a prompt in, text out as it is made.
 *
 * The engine makes tokens on its own thread; this thread writes them, so that a reader that does
 * not read, and a signal, are waited for in one place. Standard output gets the answer and nothing
 * else: a final line end is added only on a terminal. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "cli/grammar_arg.h"
#include "cli/input.h"
#include "cli/model_arg.h"
#include "cli/output.h"
#include "cli/sample_arg.h"
#include "cli/show.h"
#include "cli/profile_arg.h"
#include "cli/stop.h"

typedef struct run_args {
    model_arg model;
    compute_arg compute;
    sample_arg sample;
    grammar_arg grammar;
    const char *prompt, *file;
    int max_tokens;
    int vocab;
    bool echo, quiet, cpu, profile;
} run_args;

/* clang-format off */
#define MAX_TOKENS(d, h) \
    {.name = "max-tokens", .letter = 'n', .kind = ARG_INT, .at = offsetof(run_args, max_tokens), \
     .min = 0, .max = 1 << 30, .value = "N", .fallback = (d), .help = (h)}

static const arg_option run_length[] = {
    MAX_TOKENS("4096", "most tokens to make; 0 = until the text ends or the context is full"),
    {.name = NULL}};
static const arg_option generate_length[] = {
    MAX_TOKENS("100", "most tokens to make; 0 = until the text ends or the context is full"),
    {.name = NULL}};

static const arg_option input_options[] = {
    {.name = "prompt", .letter = 'p', .kind = ARG_TEXT, .at = offsetof(run_args, prompt),
     .value = "TEXT", .help = "the prompt, instead of the argument PROMPT"},
    {.name = "file", .letter = 'f', .kind = ARG_TEXT, .at = offsetof(run_args, file),
     .value = "PATH", .help = "read the prompt from a file; \"-\" is standard input"},
    {.name = NULL}};

static const arg_option output_options[] = {
    {.name = "echo", .letter = 'e', .kind = ARG_FLAG, .at = offsetof(run_args, echo),
     .help = "write the prompt in front of the answer"},
    {.name = "quiet", .letter = 'q', .kind = ARG_FLAG, .at = offsetof(run_args, quiet),
     .help = "no line about speed on standard error"},
    {.name = "no-summary", .kind = ARG_FLAG, .at = offsetof(run_args, quiet),
     .help = "the same as --quiet"},
    PROFILE_OPTION(offsetof(run_args, profile)),
    {.name = NULL}};

static const arg_option blazr_options[] = {
    {.name = "cpu", .kind = ARG_FLAG, .at = offsetof(run_args, cpu),
     .help = "compute on the processor, as this build always does"},
    {.name = "vocab", .kind = ARG_CHOICE, .at = offsetof(run_args, vocab),
     .value = MODEL_ARG_VOCABS, .fallback = "auto",
     .help = "auto = the tokenizer in the model file; no other can take its place"},
    {.name = NULL}};
/* clang-format on */

#define GROUPS(name, length)                                                       \
    static const arg_group name[] = {                                              \
        {"Model", model_arg_options, offsetof(run_args, model)},                   \
        {"Prompt", input_options, 0},                                              \
        {"Answer", length, 0},                                                     \
        {"Choosing tokens", sample_arg_options, offsetof(run_args, sample)},       \
        {"Shape of the answer", grammar_arg_options, offsetof(run_args, grammar)}, \
        {"Output", output_options, 0},                                             \
        {"Computing", compute_arg_options, offsetof(run_args, compute)},           \
        {"For command lines written for blazr", blazr_options, 0},                 \
    }
GROUPS(run_groups, run_length);
GROUPS(generate_groups, generate_length);
enum { N_GROUP = sizeof run_groups / sizeof *run_groups };

/* ---- From the engine's thread to this one ---- */

typedef struct answer {
    pthread_mutex_t lock;
    buf text;  /* made and not written yet */
    bool done; /* the four below are set   */
    rz_finish why;
    rz_usage use;
    err error;
    int wake; /* eventfd: text or done is new */
} answer;

static void ring(answer *a) {
    const uint64_t one = 1;
    while (write(a->wake, &one, sizeof one) < 0 && errno == EINTR) continue;
}

static int on_token(void *ud, rz_token id, const char *text, size_t len) {
    answer *a = ud;
    (void)id;
    if (len == 0) return 0;
    pthread_mutex_lock(&a->lock);
    buf_add(&a->text, text, len);
    const bool failed = a->text.failed;
    pthread_mutex_unlock(&a->lock);
    ring(a);
    return failed;
}

static void on_done(void *ud, rz_finish why, const rz_usage *use, const rz_error *error) {
    answer *a = ud;
    pthread_mutex_lock(&a->lock);
    a->why = why;
    a->use = *use;
    if (error) a->error = *error;
    a->done = true;
    pthread_mutex_unlock(&a->lock);
    ring(a);
}

/* ---- Writing ---- */

typedef struct writer {
    err error; /* RZ_OK: nothing has failed */
    char last; /* byte given to write */
} writer;

static void write_out(writer *w, const char *p, size_t n) {
    err e = {0};
    if (n == 0 || w->error.status < 0) return;
    w->last = p[n - 1];
    if (output_write(p, n, &e) == RZ_EIO) w->error = e; /* stopped is no failure */
}

/* Write what is made until the request is done. */
static void pump(rz_engine *g, rz_ticket ticket, answer *a, writer *w) {
    bool done = false, canceled = false;
    buf text = BUF_INIT; /* swapped with the engine's, so both keep their memory */
    while (!done) {
        struct pollfd fd[] = {{a->wake, POLLIN, 0}, {canceled ? -1 : stop_fd(), POLLIN, 0}};
        uint64_t seen;
        poll(fd, 2, -1);
        if ((fd[0].revents & POLLIN) && read(a->wake, &seen, sizeof seen) < 0) continue;
        pthread_mutex_lock(&a->lock);
        const buf made = a->text;
        a->text = text;
        a->text.failed |= made.failed;
        text = made;
        done = a->done;
        pthread_mutex_unlock(&a->lock);
        write_out(w, text.p, text.len);
        text.len = 0;
        if (!canceled && (stop_asked() || w->error.status < 0)) {
            rz_engine_cancel(g, ticket);
            canceled = true;
        }
    }
    buf_free(&text);
}

/* ---- The command ---- */

static status check_bias(const rz_model *m, const rz_params *p, err *e) {
    rz_model_info info;
    rz_model_describe(m, &info);
    for (size_t i = 0; i < p->n_bias; i++)
        if ((uint32_t)p->bias[i].id >= info.vocab)
            return err_set(e, RZ_EINVAL, "--logit-bias: token %d is not in a vocabulary of %u",
                           p->bias[i].id, info.vocab);
    return RZ_OK;
}

static const char *ending(const run_args *a, rz_finish why, const rz_usage *use) {
    if (why == RZ_FINISH_CANCEL || stop_asked()) return "stopped";
    if (why == RZ_FINISH_STOP) return "end of text";
    return a->max_tokens && use->output >= (uint32_t)a->max_tokens ? "--max-tokens reached"
                                                                   : "context full";
}

static void summary(const run_args *a, rz_finish why, const rz_usage *use) {
    buf line = BUF_INIT;
    buf_printf(&line, "prompt: %u tokens", use->prompt);
    if (use->prompt && use->prefill_s > 0) {
        buf_text(&line, ", ");
        show_rate(&line, use->prompt / use->prefill_s);
        buf_text(&line, " tokens/s");
    }
    buf_printf(&line, "; answer: %u tokens", use->output);
    if (use->output > 1 && use->decode_s > 0) {
        buf_text(&line, ", ");
        show_rate(&line, (use->output - 1) / use->decode_s);
        buf_text(&line, " tokens/s");
    }
    if (buf_cstr(&line)) fprintf(stderr, "%s; %s\n", buf_cstr(&line), ending(a, why, use));
    buf_free(&line);
}

static status generate(const run_args *a, rz_model *m, rz_params *p, str prompt, answer *out,
                       writer *w, err *e) {
    rz_engine_options opt = RZ_ENGINE_INIT;
    opt.context = a->compute.ctx;
    opt.kv = (rz_kv)a->compute.kv;
    opt.max_requests = 1;
    opt.prefix_bytes = RZ_PREFIX_OFF;
    rz_engine *g = NULL;
    rz_token *ids = NULL;
    size_t n = 0;
    rz_ticket ticket = 0;
    const rz_sink sink = {on_token, on_done, out};
    const rz_tokenizer *t = rz_model_tokenizer(m);
    status s = t ? RZ_OK : err_set(e, RZ_EUNSUPPORTED, "this model file has no tokenizer");
    if (s >= 0) s = input_encode(t, prompt, RZ_ENCODE_BOS | RZ_ENCODE_SPECIAL, &ids, &n, e);
    if (s >= 0) s = rz_engine_new(&g, m, &opt, e);
    if (s >= 0) s = rz_engine_submit(g, ids, n, p, &sink, &ticket, e);
    if (s >= 0) {
        if (a->echo) write_out(w, prompt.p, prompt.len);
        pump(g, ticket, out, w);
    }
    rz_engine_free(g);
    mem_free(ids);
    return s;
}

/* After the request: what is left to say, and the exit code. */
static int finish(const cmd_call *c, const answer *out, writer *w) {
    const run_args *a = c->values;
    if (w->error.status < 0) return cmd_failed(c, &w->error);
    if (w->last != '\n' && os_is_terminal(STDOUT_FILENO)) write_out(w, "\n", 1);
    if (out->why == RZ_FINISH_ERROR) return cmd_failed(c, &out->error);
    if (out->text.failed) {
        fprintf(stderr, "realizar %s: out of memory for the answer\n", c->name);
        return CMD_FAILED;
    }
    if (!a->quiet) summary(a, out->why, &out->use);
    return stop_asked() ? stop_exit_code() : CMD_OK;
}

static int answer_prompt(const cmd_call *c, rz_params *p, buf *prompt) {
    const run_args *a = c->values;
    answer out = {.text = BUF_INIT, .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    writer w = {.last = '\n'};
    rz_model *m = NULL;
    rz_grammar *shape = NULL;
    err e = {0};
    pthread_mutex_init(&out.lock, NULL);
    status s = out.wake < 0 ? err_sys(&e, errno, "eventfd") : RZ_OK;
    if (s >= 0) s = model_arg_open(&a->model, &a->compute, &m, &e);
    if (s >= 0) s = model_arg_check_vocab(a->vocab, m, &e);
    if (s >= 0) s = check_bias(m, p, &e);
    if (s >= 0) s = grammar_arg_make(&a->grammar, rz_model_tokenizer(m), &shape, &e);
    p->grammar = shape;
    if (s >= 0 && a->profile) s = rz_profile_start(&e);
    if (s >= 0) s = generate(a, m, p, buf_view(prompt), &out, &w, &e);
    const int code = s < 0 ? cmd_failed(c, &e) : finish(c, &out, &w);
    if (a->profile) profile_arg_print();
    rz_grammar_free(shape);
    rz_model_close(m);
    if (out.wake >= 0) close(out.wake);
    buf_free(&out.text);
    pthread_mutex_destroy(&out.lock);
    return code;
}

/* PROMPT may be the first or the second word: MODEL goes first unless an option named it. */
static status read_prompt(run_args *a, const arg_list *rest, buf *prompt, err *e) {
    size_t used;
    TRY(model_arg_take(&a->model, rest, &used, e));
    if (rest->n > used) {
        if (a->prompt)
            return err_set(e, RZ_EINVAL, "two prompts: --prompt and \"%.80s\"", rest->item[used]);
        a->prompt = rest->item[used++];
    }
    TRY(model_arg_no_more(rest, used, e));
    TRY(input_text(a->prompt, a->file, "prompt", prompt, e));
    if (!a->prompt || strcmp(a->prompt, "-") == 0) input_trim_line_end(prompt);
    return RZ_OK;
}

static int run(const cmd_call *c) {
    run_args *a = c->values;
    buf prompt = BUF_INIT;
    rz_params p;
    rz_bias *bias = NULL;
    err e = {0};
    int code;
    stop_listen(1, NULL);
    status s = sample_arg_params(&a->sample, &p, &bias, &e);
    if (s >= 0) s = grammar_arg_check(&a->grammar, &e);
    if (s >= 0) s = read_prompt(a, c->rest, &prompt, &e);
    if (s == RZ_EINVAL) code = cmd_usage(c, "%s", e.text);
    else if (s < 0) code = cmd_failed(c, &e);
    else {
        p.max_tokens = a->max_tokens;
        code = answer_prompt(c, &p, &prompt);
    }
    mem_free(bias);
    buf_free(&prompt);
    return code;
}

#define ABOUT                                                                                 \
    "The prompt is the argument, a file, or standard input (one final line end is dropped). " \
    "Standard output gets the answer and nothing else; a line about speed goes to standard "  \
    "error. Ctrl-C stops the answer, and once more ends the program at once."

const cmd_spec cmd_run = {
    {"MODEL [OPTION ...] [PROMPT]\n--demo [OPTION ...] [PROMPT]", ABOUT,
     "run --demo \"Once upon a time\"\n"
     "run model.gguf \"The capital of France is\" --temperature 0 --max-tokens 50\n"
     "run model.gguf --file question.txt > answer.txt\n"
     "run model.gguf \"A user, as JSON:\" --json-schema user.schema.json\n"
     "run model.gguf --seed 1 --stop \"The end\" -- \"-begins with a dash\"",
     run_groups, N_GROUP, sizeof(run_args)},
    run};

const cmd_spec cmd_generate = {
    {"--model PATH --prompt TEXT [OPTION ...]", ABOUT,
     "generate --model model.gguf --prompt \"Once upon a time\" --max-tokens 50", generate_groups,
     N_GROUP, sizeof(run_args)},
    run};
