/* access.c - see access.h. Whether the process lives may be asked without a key, as load balancers
 * do; so may the page, which holds nothing but itself and asks its user for one. */
#include "server/access.h"

#include <stdio.h>

#include "base/mem.h"
#include "server/openai.h"
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

bool access_granted(const server *s, const http_request *r, const char *base) {
    if (!s->n_key || r->method == HTTP_OPTIONS) return true;
    const str path = http_at(base, r->path), bearer = STR_LIT("Bearer ");
    for (size_t i = 0; i < sizeof open_paths / sizeof *open_paths; i++)
        if (str_is(path, open_paths[i])) return true;
    str sent = http_find(r, base, "authorization");
    if (sent.len >= bearer.len && str_eq_nocase((str){sent.p, bearer.len}, bearer))
        sent = str_trim((str){sent.p + bearer.len, sent.len - bearer.len});
    else sent = http_find(r, base, "x-api-key");
    bool good = false;
    for (size_t i = 0; i < s->n_key; i++) good |= same(sent, s->key[i]);
    return good;
}

void access_refuse(conn *c, str path) {
    static const char text[] = "a valid API key is needed";
    buf *b = reply_body(c->srv);
    if (str_starts(path, STR_LIT("/v1/messages")))
        buf_printf(b,
                   "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\","
                   "\"message\":\"%s\"}}",
                   text);
    else if (str_starts(path, STR_LIT("/v1/")))
        buf_printf(b,
                   "{\"error\":{\"message\":\"%s\",\"type\":\"invalid_request_error\","
                   "\"param\":null,\"code\":\"invalid_api_key\"}}",
                   text);
    else reply_error_json(b, str_of(text));
    reply_send(c, 401, REPLY_JSON, buf_view(b), "WWW-Authenticate: Bearer\r\n");
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
