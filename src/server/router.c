/* router.c - see router.h. A dozen rows compared by length first are as fast as a hash. */
#include "server/router.h"

#include "server/access.h"
#include "server/reply.h"

static const route routes[] = {
#define ROW(method, path, run) {HTTP_##method, {path, sizeof(path) - 1}, run},
    ROUTE_LIST(ROW)
#undef ROW
};
enum { N_ROUTE = sizeof routes / sizeof *routes };

static bool matches(const route *r, str path) {
    const size_t len = r->path.len;
    if (r->path.p[len - 1] != '*') return str_eq(r->path, path);
    return path.len >= len && memcmp(path.p, r->path.p, len - 1) == 0;
}

const route *router_find(http_method m, str path, int *code) {
    const http_method want = m == HTTP_HEAD ? HTTP_GET : m;
    bool known = false;
    for (int i = 0; i < N_ROUTE; i++) {
        if (!matches(&routes[i], path)) continue;
        if (routes[i].method == want) {
            *code = 0;
            return &routes[i];
        }
        known = true;
    }
    if (m == HTTP_OPTIONS && (known || str_is(path, "*"))) *code = 204;
    else *code = known ? 405 : 404;
    return NULL;
}

void router_allow(str path, buf *out) {
    for (int i = 0; i < N_ROUTE; i++) {
        if (!str_is(path, "*") && !matches(&routes[i], path)) continue;
        const str name = str_of(http_method_name(routes[i].method));
        if (str_find(buf_view(out), name) >= 0) continue;
        buf_str(out, name);
        buf_str(out, STR_LIT(", "));
        if (routes[i].method == HTTP_GET) buf_str(out, STR_LIT("HEAD, "));
    }
    buf_str(out, STR_LIT("OPTIONS"));
}

static void allow(conn *c, const char *base, str path) {
    buf more = BUF_INIT;
    if (c->verdict == 204) access_preflight(c->srv, &c->req, base, &more);
    reply_allow(c, c->verdict, path, buf_cstr(&more));
    buf_free(&more);
}

void router_answer(conn *c, const char *base, str body) {
    const http_request *r = &c->req;
    const str path = http_at(base, r->path);
    switch (c->verdict) {
        case 0:
            break;
        case 401:
        case 429:
            access_refuse(c, path);
            return;
        case 204:
        case 405:
            allow(c, base, path);
            return;
        case 404:
            reply_error(c, 404, "Not found: %.*s", STR_FMT(path));
            return;
        default:
            reply_error(c, c->verdict, "%s", reply_reason(c->verdict));
            return;
    }
    const size_t star = c->route->path.len;
    const call in = {
        .srv = c->srv,
        .req = r,
        .base = base,
        .path = path,
        .rest = path.len >= star ? (str){path.p + star - 1, path.len - star + 1} : (str){"", 0},
        .query = r->query.at ? http_at(base, r->query) : (str){NULL, 0},
        .body = body};
    c->route->run(c, &in);
    server_tidy(c->srv);
    if (c->state == CONN_WORK && !c->job) reply_error(c, 500, "the request was not answered");
}
