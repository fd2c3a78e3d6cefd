/* cmd_serve.c - realizar serve: one model behind HTTP until a signal ends it.
 *
 * The first SIGINT or SIGTERM lets running answers finish, the second cuts them off, the third ends
 * the process. All but the third exit with 0: being asked to stop is no failure. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/os.h"
#include "cli/model_arg.h"
#include "cli/show.h"
#include "cli/stop.h"

enum { MAX_KEY_FILE = 1 << 20 };

typedef struct serve_args {
    model_arg model;
    compute_arg compute;
    const char *host, *model_id, *prefix_cache, *key_file, *cors;
    arg_list keys;
    int port, poll_events;
    const char *rate_limit;
    const char *draft;
    size_t kv_bytes, batch_tokens, parallel, queue, lookup, draft_tokens;
    size_t max_body, max_connections;
    bool no_web;
    float header_timeout, idle_timeout, drain_timeout, request_timeout; /* seconds */
} serve_args;

/* clang-format off */
#define COUNT(id, n, a, b, d, h) \
    {.name = (n), .kind = ARG_SIZE, .at = offsetof(serve_args, id), .min = (a), .max = (b), \
     .value = "N", .fallback = (d), .help = (h)}
#define SECONDS(id, n, d, h) \
    {.name = (n), .kind = ARG_FLOAT, .at = offsetof(serve_args, id), .min = 0.001, .max = 1000000, \
     .value = "SECONDS", .fallback = (d), .help = (h)}

static const arg_option address_options[] = {
    {.name = "host", .letter = 'H', .kind = ARG_TEXT, .at = offsetof(serve_args, host),
     .value = "ADDRESS", .fallback = "127.0.0.1",
     .help = "listen on this address; 0.0.0.0 = on every one"},
    {.name = "port", .letter = 'p', .kind = ARG_INT, .at = offsetof(serve_args, port),
     .min = 0, .max = 65535, .value = "N", .fallback = "8080", .help = "0 = any free one"},
    {.name = "model-id", .kind = ARG_TEXT, .at = offsetof(serve_args, model_id), .value = "NAME",
     .fallback = "default", .help = "what /models calls the model"},
    {.name = NULL}};

static const arg_option access_options[] = {
    {.name = "api-key", .kind = ARG_LIST, .at = offsetof(serve_args, keys), .value = "KEY",
     .help = "requests must bring it; may be given several times. Others on this machine see it: "
             "--api-key-file or REALIZAR_API_KEY is better"},
    {.name = "api-key-file", .kind = ARG_TEXT, .at = offsetof(serve_args, key_file),
     .value = "FILE", .help = "keys, one a line; # begins a comment"},
    {.name = "cors", .kind = ARG_TEXT, .at = offsetof(serve_args, cors), .value = "ORIGIN",
     .help = "pages from this origin may ask; \"*\" = from anywhere"},
    {.name = "rate-limit", .kind = ARG_TEXT, .at = offsetof(serve_args, rate_limit),
     .value = "N/min", .help = "POST requests a minute of each key, without keys of each address; "
                               "more get 429 and when to ask again"},
    {.name = "no-web", .kind = ARG_FLAG, .at = offsetof(serve_args, no_web),
     .help = "without the page for browsers at /"},
    {.name = NULL}};

static const arg_option room_options[] = {
    COUNT(parallel, "parallel", 1, 65536, "64", "answers made at once; others wait"),
    COUNT(queue, "queue", 1, 1048576, "4096", "requests that may wait; more are refused"),
    COUNT(batch_tokens, "batch-tokens", 1, 65536, "512", "tokens computed in one step"),
    {.name = "kv-bytes", .kind = ARG_BYTES, .at = offsetof(serve_args, kv_bytes), .min = 0,
     .max = 9e18, .value = "SIZE", .fallback = "0",
     .help = "memory for keys and values (512M, 2G); 0 = for all answers at full length, at most "
             "half of the machine's"},
    {.name = "prefix-cache", .kind = ARG_TEXT, .at = offsetof(serve_args, prefix_cache),
     .value = "off|SIZE", .fallback = "1G",
     .help = "share of that memory kept for prompts that begin as an earlier one did"},
    {.name = "max-body", .kind = ARG_BYTES, .at = offsetof(serve_args, max_body), .min = 1,
     .max = 9e18, .value = "SIZE", .fallback = "8M", .help = "longest request body"},
    {.name = "events", .kind = ARG_CHOICE, .at = offsetof(serve_args, poll_events),
     .value = "epoll|poll", .fallback = "epoll", .help = "how to wait for many connections"},
    COUNT(max_connections, "max-connections", 1, 1048576, "4096", "connections open at once"),
    {.name = NULL}};

static const arg_option guess_options[] = {
    COUNT(lookup, "lookup", 0, 16, "0",
          "guess up to so many tokens from what stands in the text already; answers stay the same"),
    {.name = "draft", .kind = ARG_TEXT, .at = offsetof(serve_args, draft), .value = "FILE",
     .help = "let this smaller model of the same vocabulary guess; answers stay the same"},
    COUNT(draft_tokens, "draft-tokens", 1, 16, "4", "guesses of that model in one step"),
    {.name = NULL}};

static const arg_option time_options[] = {
    SECONDS(header_timeout, "header-timeout", "10", "a request's head must arrive within"),
    SECONDS(idle_timeout, "idle-timeout", "75", "idle connections are closed after"),
    SECONDS(drain_timeout, "drain-timeout", "30", "running answers may go on after SIGTERM for"),
    {.name = "request-timeout", .kind = ARG_FLOAT, .at = offsetof(serve_args, request_timeout),
     .min = 0, .max = 86400, .value = "SECONDS", .fallback = "0",
     .help = "an answer must be complete within, waiting included; 0 = no limit"},
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {
    {"Model", model_arg_options, offsetof(serve_args, model)},
    {"Address", address_options, 0},
    {"Access", access_options, 0},
    {"Room", room_options, 0},
    {"Guessing ahead", guess_options, 0},
    {"Timeouts", time_options, 0},
    {"Computing", compute_arg_options, offsetof(serve_args, compute)},
};

static _Atomic(rz_server *) running; /* for the signal handler; NULL while loading */

static void stop_server(void) {
    rz_server *server = atomic_load(&running);
    if (server) rz_server_stop(server);
}

static bool is_loopback(const char *host) {
    const str h = str_of(host);
    return str_starts(h, STR_LIT("127.")) || str_is(h, "::1") || str_is(h, "localhost");
}

/* Two lines: where, and a command to try. The model's own name is escaped: it is from a file. */
static void announce(const serve_args *a, const rz_server *server, const rz_model *m,
                     bool keyless) {
    char name[128];
    buf what = BUF_INIT;
    const bool any = strcmp(a->host, "0.0.0.0") == 0 || strcmp(a->host, "::") == 0;
    const char *host = any ? "127.0.0.1" : a->host;
    const char *open = strchr(host, ':') ? "[" : "", *close = *open ? "]" : "";
    model_arg_name(&a->model, m, name, sizeof name);
    model_arg_summary(m, &what);
    const int port = rz_server_port(server);
    fprintf(stderr, "realizar: serving %s (%s) at http://%s%s%s:%d\n", name,
            buf_cstr(&what) ? buf_cstr(&what) : "", open, host, close, port);
    const bool vectors = rz_model_is_encoder(m);
    fprintf(stderr, "try: curl http://%s%s%s:%d%s -H 'Content-Type: application/json' ", open, host,
            close, port, vectors ? "/v1/embeddings" : "/generate");
    fprintf(stderr, vectors ? "-d '{\"input\": \"Once upon a time\"}'\n"
                            : "-d '{\"prompt\": \"Once upon a time\", \"max_tokens\": 40}'\n");
    if (keyless && !is_loopback(a->host))
        fprintf(stderr,
                "warning: listening on %s: whoever can reach this machine can use the model\n",
                a->host);
    buf_free(&what);
}

/* Every key there is: from the options, the environment and the file. */
typedef struct key_set {
    char *text; /* of the file */
    const char **list;
    size_t n;
} key_set;

static status read_keys(const serve_args *a, key_set *k, err *e) {
    const char *env = getenv("REALIZAR_API_KEY");
    size_t len = 0, lines = 1;
    if (a->key_file) TRY(os_read_file(a->key_file, MAX_KEY_FILE, &k->text, &len, e));
    for (size_t i = 0; i < len; i++) lines += k->text[i] == '\n';
    k->list = mem_array_zero(a->keys.n + lines + 1, sizeof *k->list);
    if (!k->list) return err_set(e, RZ_ENOMEM, "out of memory");
    for (size_t i = 0; i < a->keys.n; i++) k->list[k->n++] = a->keys.item[i];
    if (env && env[0]) k->list[k->n++] = env;
    const size_t before = k->n;
    for (str rest = {k->text, len}; rest.p;) {
        const str key = str_trim(str_split(&rest, '\n'));
        if (!key.len || key.p[0] == '#') continue;
        k->text[key.p - k->text + (ptrdiff_t)key.len] = 0; /* the line's end, or the text's */
        k->list[k->n++] = key.p;
    }
    if (a->key_file && k->n == before)
        return err_set(e, RZ_EINVAL, "%s: there is no key in it", a->key_file);
    return RZ_OK;
}

static void free_keys(key_set *k) {
    mem_free(k->text);
    mem_free(k->list);
}

static int milliseconds(float seconds) { return (int)((double)seconds * 1000 + 0.5); }

static status read_prefix_cache(const char *text, size_t *bytes, err *e) {
    uint64_t n = 0;
    *bytes = RZ_PREFIX_OFF;
    if (strcmp(text, "off") == 0) return RZ_OK;
    if (!str_bytes(str_of(text), &n) || n == 0 || n >= RZ_PREFIX_OFF)
        return err_set(e, RZ_EINVAL,
                       "--prefix-cache is \"%.80s\", expected off or a size such as 512M", text);
    *bytes = (size_t)n;
    return RZ_OK;
}

/* What serving needs, freed in the order of the members. */
typedef struct served {
    rz_server *server;
    rz_engine *engine;
    rz_model *m, *draft;
} served;

static void free_served(served *x) {
    rz_server_free(x->server);
    rz_engine_free(x->engine);
    rz_model_close(x->draft);
    rz_model_close(x->m);
}

static status open_draft(const serve_args *a, rz_model **out, err *e) {
    rz_model_options o = RZ_MODEL_INIT;
    o.threads = a->compute.threads;
    return a->draft ? rz_model_open(out, a->draft, &o, e) : RZ_OK;
}

/* "600" or "600/min". */
static status read_rate(const char *text, int *rate, err *e) {
    str s = str_of(text ? text : "0");
    uint64_t n = 0;
    *rate = 0;
    if (!text) return RZ_OK;
    if (str_ends(s, STR_LIT("/min"))) s.len -= 4;
    if (!str_u64(s, &n) || n == 0 || n > 1000000000)
        return err_set(e, RZ_EINVAL, "--rate-limit is \"%.80s\", expected N/min such as 600/min",
                       text);
    *rate = (int)n;
    return RZ_OK;
}

static status start(const serve_args *a, size_t prefix_bytes, const key_set *k, served *x, err *e) {
    rz_engine_options eo = RZ_ENGINE_INIT;
    eo.context = a->compute.ctx;
    eo.kv = (rz_kv)a->compute.kv;
    eo.kv_bytes = a->kv_bytes;
    eo.batch_tokens = a->batch_tokens;
    eo.max_requests = a->parallel;
    eo.max_queue = a->queue;
    eo.prefix_bytes = prefix_bytes;
    eo.lookup = a->lookup;
    eo.draft = x->draft;
    eo.draft_tokens = a->draft_tokens;
    if (!rz_model_is_encoder(x->m)) TRY(rz_engine_new(&x->engine, x->m, &eo, e));
    rz_server_options so = RZ_SERVER_INIT;
    so.model = x->m;
    so.host = a->host;
    so.port = a->port ? a->port : -1;
    so.model_id = a->model_id;
    so.max_body_bytes = a->max_body;
    so.max_connections = a->max_connections;
    so.header_timeout_ms = milliseconds(a->header_timeout);
    so.idle_timeout_ms = milliseconds(a->idle_timeout);
    so.drain_timeout_ms = milliseconds(a->drain_timeout);
    so.request_timeout_ms = milliseconds(a->request_timeout);
    so.api_keys = k->list;
    so.n_api_keys = k->n;
    so.cors_origin = a->cors;
    so.poll_events = a->poll_events;
    TRY(read_rate(a->rate_limit, &so.rate_per_minute, e));
    so.no_web = a->no_web;
    return rz_server_new(&x->server, x->engine, &so, e);
}

static status serve_until_stopped(rz_server *server, err *e) {
    atomic_store(&running, server);
    if (stop_asked()) rz_server_stop(server); /* came before `running` was set */
    const status s = rz_server_run(server, e);
    atomic_store(&running, NULL);
    return s;
}

static int serve(const cmd_call *c) {
    serve_args *a = c->values;
    served x = {NULL, NULL, NULL, NULL};
    key_set keys = {0};
    size_t used, prefix_bytes;
    err e = {0};
    int rate;
    if (read_prefix_cache(a->prefix_cache, &prefix_bytes, &e) < 0 ||
        read_rate(a->rate_limit, &rate, &e) < 0)
        return cmd_usage(c, "%s", e.text);
    if (!a->model.path && !a->model.demo && c->rest->n == 0) {
        buf usage = BUF_INIT;
        args_usage(&cmd_serve.args, c->name, &usage);
        fprintf(stderr, "%s", buf_cstr(&usage) ? buf_cstr(&usage) : "");
        buf_free(&usage);
        return CMD_FAILED;
    }
    if (model_arg_take(&a->model, c->rest, &used, &e) < 0 ||
        model_arg_no_more(c->rest, used, &e) < 0)
        return cmd_usage(c, "%s", e.text);
    signal(SIGPIPE, SIG_IGN); /* a log nobody reads any more must not end the server */
    stop_listen(
        2, stop_server); /* also while loading: as process 1 of a container there is no default */
    status s = read_keys(a, &keys, &e);
    if (s >= 0) s = model_arg_open(&a->model, &a->compute, &x.m, &e);
    if (s >= 0) s = open_draft(a, &x.draft, &e);
    if (s >= 0) s = start(a, prefix_bytes, &keys, &x, &e);
    if (s >= 0) {
        announce(a, x.server, x.m, keys.n == 0);
        s = serve_until_stopped(x.server, &e);
    }
    const bool asked = s == RZ_ECANCELED && stop_asked();
    const int code = s < 0 && !asked ? cmd_failed(c, &e) : CMD_OK;
    free_served(&x);
    free_keys(&keys);
    return code;
}

const cmd_spec cmd_serve = {
    {"MODEL [OPTION ...]\n--demo [OPTION ...]",
     "Answers realizar's own routes and those of OpenAI's, Anthropic's and Ollama's clients; the "
     "book lists them. SIGTERM or Ctrl-C: no new requests, running answers finish, "
     "exit 0; a second one cuts them off.",
     "serve --demo\nserve model.gguf --port 8000 --parallel 16\n"
     "serve model.gguf --host 0.0.0.0 --kv-bytes 2G --kv-type f16",
     groups, sizeof groups / sizeof *groups, sizeof(serve_args)},
    serve};
