/* access.c - see access.h. Whether the process lives may be asked without a key, as load balancers
 * do; so may the page, which holds nothing but itself and asks its user for one. */
#include "server/access.h"

#include <stdio.h>

#include "base/mem.h"
#include "server/openai.h"
#include "server/rate.h"
#include "server/reply.h"

static const char *const open_paths[] = {"/health", "/ready", "/", "/app.css", "/app.js"};

static bool is_printable(const char *text) {
    for (; *text; text++)
        if (*text <= ' ' || *text > '~') return false;
    return true;
}

status access_init(server *s, const rz_server_options *o, err *e) {
    if (o->n_api_keys > ACCESS_MAX_KEYS)
        return err_set(e, RZ_EINVAL, "server: %zu API keys, expected at most %d", o->n_api_keys,
                       ACCESS_MAX_KEYS);
    if (o->cors_origin && (!o->cors_origin[0] || !is_printable(o->cors_origin)))
        return err_set(e, RZ_EINVAL,
                       "server: the CORS origin must be \"*\" or like \"https://example.org\"");
    s->cors = o->cors_origin ? mem_strdup(o->cors_origin) : NULL;
    s->key = mem_array_zero(o->n_api_keys, sizeof *s->key);
    if ((o->cors_origin && !s->cors) || (o->n_api_keys && !s->key))
        return err_set(e, RZ_ENOMEM, "server: out of memory");
    for (size_t i = 0; i < o->n_api_keys; i++) {
        const char *key = o->api_keys[i];
        if (!key || !key[0] || !is_printable(key))
            return err_set(e, RZ_EINVAL,
                           "server: API key %zu is empty or has characters beyond ASCII or spaces",
                           i + 1);
        s->key[i] = mem_strdup(key);
        if (!s->key[i]) return err_set(e, RZ_ENOMEM, "server: out of memory");
        s->n_key++;
    }
    return RZ_OK;
}

void access_done(server *s) {
    for (size_t i = 0; i < s->n_key; i++) mem_free(s->key[i]);
    mem_free(s->key);
    mem_free(s->cors);
}

/* All of what was sent is looked at, whatever differs; how long it takes depends on that alone. */
static bool same(str sent, const char *key) {
    const size_t len = strlen(key);
    volatile unsigned char differs = sent.len != len;
    for (size_t i = 0; i < sent.len; i++)
        differs = (unsigned char)(differs | ((unsigned char)sent.p[i] ^
                                             (unsigned char)key[len ? i % len : 0]));
    return !differs;
}

bool access_granted(const server *s, const http_request *r, const char *base, int *key) {
    *key = -1;
    if (!s->n_key || r->method == HTTP_OPTIONS) return true;
    const str path = http_at(base, r->path), bearer = STR_LIT("Bearer ");
    for (size_t i = 0; i < sizeof open_paths / sizeof *open_paths; i++)
        if (str_is(path, open_paths[i])) return true;
    str sent = http_find(r, base, "authorization");
    if (sent.len >= bearer.len && str_eq_nocase((str){sent.p, bearer.len}, bearer))
        sent = str_trim((str){sent.p + bearer.len, sent.len - bearer.len});
    else sent = http_find(r, base, "x-api-key");
    for (size_t i = 0; i < s->n_key; i++)
        if (same(sent, s->key[i])) *key = (int)i;
    return *key >= 0;
}

bool access_in_time(conn *c, int key) {
    server *s = c->srv;
    struct sockaddr_in v4;
    if (!s->rate) return true;
    const uint64_t now = loop_now(s->loop);
    memcpy(&v4, &c->peer, sizeof v4);
    if (key >= 0) c->retry_s = rate_ask(s->rate, s->key[key], strlen(s->key[key]), now);
    else if (c->peer.sin6_family == AF_INET6) /* who has one address has the 2^64 beside it */
        c->retry_s = rate_ask(s->rate, &c->peer.sin6_addr, 8, now);
    else c->retry_s = rate_ask(s->rate, &v4.sin_addr, sizeof v4.sin_addr, now);
    if (c->retry_s) s->metrics.limited++;
    return c->retry_s == 0;
}

void access_refuse(conn *c, str path) {
    const bool late = c->verdict == 429;
    const char *text = late ? "too many requests: ask again later" : "a valid API key is needed";
    char more[48] = "WWW-Authenticate: Bearer\r\n";
    buf *b = reply_body(c->srv);
    if (late) snprintf(more, sizeof more, "Retry-After: %u\r\n", c->retry_s);
    if (str_starts(path, STR_LIT("/v1/messages")))
        buf_printf(b, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"%s\"}}",
                   late ? "rate_limit_error" : "authentication_error", text);
    else if (str_starts(path, STR_LIT("/v1/")))
        buf_printf(
            b, "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":null,\"code\":\"%s\"}}",
            text, late ? "requests" : "invalid_request_error",
            late ? "rate_limit_exceeded" : "invalid_api_key");
    else reply_error_json(b, str_of(text));
    reply_send(c, c->verdict, REPLY_JSON, buf_view(b), more);
}

void access_preflight(const server *s, const http_request *r, const char *base, buf *out) {
    if (!s->cors) return;
    const str headers = http_find(r, base, "access-control-request-headers");
    buf_text(out,
             "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
             "Access-Control-Max-Age: 600\r\n");
    if (!headers.len) return;
    buf_text(out, "Access-Control-Allow-Headers: ");
    buf_str(out, headers);
    buf_text(out, "\r\n");
}
