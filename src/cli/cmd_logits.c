/* cmd_logits.c - realizar logits: the numbers behind every position of a text, so that anyone can
 * verify this program against another. Raw little-endian f32 [n, vocab] to a file, or the likeliest
 * tokens of each position as JSON. Keys and values are kept as f32 unless told otherwise. */
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "cli/input.h"
#include "cli/model_arg.h"
#include "cli/output.h"
#include "cli/stop.h"
#include "json/json.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw floats are written as they lie");

typedef struct logits_args {
    model_arg model;
    compute_arg compute;
    const char *ids, *prompt, *out;
    size_t top;
    bool no_bos;
} logits_args;

enum { CHUNK_FLOATS = 4 << 20, CHUNK_TOKENS = 256 };

/* clang-format off */
static const arg_option options[] = {
    {.name = "ids", .letter = 'i', .kind = ARG_TEXT, .at = offsetof(logits_args, ids),
     .value = "1,2,3", .help = "token ids, with commas or spaces between"},
    {.name = "prompt", .letter = 'p', .kind = ARG_TEXT, .at = offsetof(logits_args, prompt),
     .value = "TEXT", .help = "text, instead of --ids; special tokens in it are recognised"},
    {.name = "no-bos", .kind = ARG_FLAG, .at = offsetof(logits_args, no_bos),
     .help = "with --prompt: leave out the prefix the model asks for"},
    {.name = "out", .letter = 'o', .kind = ARG_TEXT, .at = offsetof(logits_args, out),
     .value = "FILE", .help = "write raw little-endian f32 [n, vocab]; the file appears whole or "
                              "not at all. \"-\" = standard output"},
    {.name = "top", .kind = ARG_SIZE, .at = offsetof(logits_args, top), .min = 1, .max = 1000000,
     .value = "N", .fallback = "5", .help = "without --out: how many tokens of each position"},
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {
    {"Model", model_arg_options, offsetof(logits_args, model)},
    {"Options", options, 0},
    {"Computing", compute_arg_options_f32, offsetof(logits_args, compute)},
};

/* What the chunks of rows go into. */
typedef struct rows {
    const rz_tokenizer *t; /* or NULL */
    const rz_token *ids;
    size_t n, vocab, top;
    os_file *file;  /* raw, or */
    bool to_stdout; /* raw, or */
    buf *json;
    uint32_t *order; /* [top] best ids of one row */
} rows;

/* ---- JSON ---- */

/* NaN goes behind every number. */
static bool before(const float *row, uint32_t a, uint32_t b) {
    const bool nan_a = isnan(row[a]), nan_b = isnan(row[b]);
    if (nan_a != nan_b) return nan_b;
    if (nan_a || row[a] == row[b]) return a < b;
    return row[a] > row[b];
}

/* The `top` largest of row, largest first, the lower id first among equals. */
static void find_top(rows *r, const float *row) {
    size_t n = 0;
    for (uint32_t id = 0; id < r->vocab; id++) {
        if (n == r->top && !before(row, id, r->order[n - 1])) continue;
        size_t at = n < r->top ? n++ : n - 1;
        for (; at > 0 && before(row, id, r->order[at - 1]); at--) r->order[at] = r->order[at - 1];
        r->order[at] = id;
    }
}

static double log_sum(const float *row, size_t n) {
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) max = row[i] > max ? (double)row[i] : max;
    for (size_t i = 0; i < n; i++) sum += exp((double)row[i] - max);
    return sum > 0 ? max + log(sum) : max;
}

static void write_piece(const rows *r, rz_token id) {
    size_t len = 0;
    const char *p = r->t ? rz_token_piece(r->t, id, &len) : NULL;
    buf_text(r->json, "\"piece\":");
    json_write_string(r->json, (str){p, p ? len : 0});
}

static void row_json(rows *r, const float *row, size_t position) {
    const double whole = log_sum(row, r->vocab);
    buf_printf(r->json, "%s\n{\"position\":%zu,\"id\":%d,", position ? "," : "", position,
               r->ids[position]);
    write_piece(r, r->ids[position]);
    buf_text(r->json, ",\"top\":[");
    find_top(r, row);
    for (size_t i = 0; i < r->top; i++) {
        const uint32_t id = r->order[i];
        buf_printf(r->json, "%s{\"id\":%u,", i ? "," : "", id);
        write_piece(r, (rz_token)id);
        buf_text(r->json, ",\"logit\":");
        json_write_number(r->json, (double)row[id]);
        buf_text(r->json, ",\"logprob\":");
        json_write_number(r->json, (double)row[id] - whole);
        buf_char(r->json, '}');
    }
    buf_text(r->json, "]}");
}

/* ---- Both ---- */

static status take_rows(rows *r, const float *logits, size_t first, size_t n, err *e) {
    const size_t bytes = n * r->vocab * sizeof *logits;
    if (r->file) return os_file_write(r->file, logits, bytes, e);
    if (r->to_stdout) return output_write(logits, bytes, e);
    for (size_t i = 0; i < n; i++) row_json(r, logits + i * r->vocab, first + i);
    return r->json->failed ? err_set(e, RZ_ENOMEM, "out of memory for JSON") : RZ_OK;
}

static status score(rz_session *session, rows *r, err *e) {
    size_t chunk = CHUNK_FLOATS / r->vocab;
    if (chunk < 1) chunk = 1;
    if (chunk > CHUNK_TOKENS) chunk = CHUNK_TOKENS;
    float *logits = mem_array(chunk * r->vocab, sizeof *logits);
    status s = logits ? RZ_OK : err_set(e, RZ_ENOMEM, "out of memory for logits");
    for (size_t at = 0; s >= 0 && at < r->n; at += chunk) {
        const size_t n = r->n - at < chunk ? r->n - at : chunk;
        s = rz_session_score(session, r->ids + at, n, logits, e);
        if (s >= 0) s = take_rows(r, logits, at, n, e);
        if (s >= 0 && stop_asked()) s = err_set(e, RZ_ECANCELED, "stopped");
    }
    mem_free(logits);
    return s;
}

/* Renaming over a device or a pipe would replace it. */
static status check_target(const char *path, err *e) {
    struct stat st;
    if (stat(path, &st) != 0 || S_ISREG(st.st_mode)) return RZ_OK;
    return err_set(e, RZ_EINVAL, "--out %.300s: exists and is not a plain file", path);
}

static status write_raw(const logits_args *a, rz_session *session, rows *r, err *e) {
    if (strcmp(a->out, "-") == 0) {
        r->to_stdout = true;
        return score(session, r, e);
    }
    TRY(check_target(a->out, e));
    TRY(os_file_create(&r->file, a->out, e));
    TRY(os_file_end(r->file, score(session, r, e), e));
    fprintf(stderr, "%zu positions of %zu logits in %s\n", r->n, r->vocab, a->out);
    return RZ_OK;
}

static status write_json(rz_session *session, rows *r, size_t top, err *e) {
    r->top = top < r->vocab ? top : r->vocab;
    r->order = mem_array(r->top, sizeof *r->order);
    if (!r->order) return err_set(e, RZ_ENOMEM, "out of memory for JSON");
    buf_printf(r->json, "{\"vocab\":%zu,\"count\":%zu,\"positions\":[", r->vocab, r->n);
    const status s = score(session, r, e);
    buf_text(r->json, "\n]}\n");
    mem_free(r->order);
    return s;
}

static status encode_prompt(const logits_args *a, const rz_model *m, rz_token **ids, size_t *n,
                            err *e) {
    const rz_tokenizer *t = rz_model_tokenizer(m);
    const int flags = (a->no_bos ? 0 : RZ_ENCODE_BOS) | RZ_ENCODE_SPECIAL;
    if (!t) return err_set(e, RZ_EUNSUPPORTED, "this model file has no tokenizer: use --ids");
    return input_encode(t, str_of(a->prompt), flags, ids, n, e);
}

static status make(const logits_args *a, rz_model *m, const rz_token *ids, size_t n, buf *out,
                   err *e) {
    rz_model_info info;
    rz_session *session = NULL;
    if (n == 0) return err_set(e, RZ_EINVAL, "no tokens: nothing to compute");
    rz_model_describe(m, &info);
    rows r = {.t = rz_model_tokenizer(m), .ids = ids, .n = n, .vocab = info.vocab, .json = out};
    TRY(rz_session_new(&session, m, a->compute.ctx, (rz_kv)a->compute.kv, e));
    const status s = a->out ? write_raw(a, session, &r, e) : write_json(session, &r, a->top, e);
    rz_session_free(session);
    return s;
}

/* RZ_EINVAL when the command line makes no sense; *ids are those of --ids. */
static status read_args(logits_args *a, const arg_list *rest, rz_token **ids, size_t *n, err *e) {
    size_t used;
    TRY(model_arg_take(&a->model, rest, &used, e));
    TRY(model_arg_no_more(rest, used, e));
    if (!a->ids == !a->prompt)
        return err_set(e, RZ_EINVAL, "give either --ids 1,2,3 or --prompt TEXT");
    if (a->out && strcmp(a->out, "-") == 0 && os_is_terminal(STDOUT_FILENO))
        return err_set(e, RZ_EINVAL, "--out -: raw floats are not for a terminal");
    return a->ids ? input_ids(str_of(a->ids), "--ids", ids, n, e) : RZ_OK;
}

static int logits(const cmd_call *c) {
    logits_args *a = c->values;
    rz_model *m = NULL;
    rz_token *ids = NULL;
    size_t n = 0;
    buf out = BUF_INIT;
    err e = {0};
    status s = read_args(a, c->rest, &ids, &n, &e);
    int code;
    if (s == RZ_EINVAL) code = cmd_usage(c, "%s", e.text);
    else {
        stop_listen(1, NULL);
        if (s >= 0) s = model_arg_open(&a->model, &a->compute, &m, &e);
        if (s >= 0 && a->prompt) s = encode_prompt(a, m, &ids, &n, &e);
        if (s >= 0) s = make(a, m, ids, n, &out, &e);
        code = s < 0 ? cmd_failed(c, &e) : cmd_print(c, &out);
    }
    rz_model_close(m);
    mem_free(ids);
    buf_free(&out);
    return code;
}

const cmd_spec cmd_logits = {
    {"MODEL --ids 1,2,3 [OPTION ...]\nMODEL --prompt TEXT [OPTION ...]",
     "The logits after each token of the text, for comparing with another program. Without --out: "
     "JSON of the likeliest tokens of each position.",
     "logits model.gguf --prompt \"Once upon a time\" --top 3\n"
     "logits model.gguf --ids 1,403,407 --out logits.f32",
     groups, sizeof groups / sizeof *groups, sizeof(logits_args)},
    logits};
