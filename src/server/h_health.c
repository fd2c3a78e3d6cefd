/* h_health.c - GET /health and /ready: is the process alive, and should it get more work? */
#include "json/json.h"
#include "server/reply.h"
#include "server/router.h"

static void member(buf *b, const char *name, const char *text) {
    buf_str(b, STR_LIT(",\""));
    buf_text(b, name);
    buf_str(b, STR_LIT("\":"));
    json_write_string(b, str_of(text));
}

void health_get(conn *c, const call *in) {
    buf *b = reply_body(in->srv);
    buf_str(b, STR_LIT("{\"status\":\"healthy\""));
    member(b, "version", rz_version());
    member(b, "model", in->srv->model_id);
    buf_str(b, STR_LIT(",\"uptime_seconds\":"));
    reply_number(b, (loop_now(in->srv->loop) - in->srv->began_ns) / 1000000000u);
    buf_char(b, '}');
    reply_json(c, b);
}

void ready_get(conn *c, const call *in) {
    const bool ready = !in->srv->draining;
    buf *b = reply_body(in->srv);
    buf_text(b, ready ? "{\"ready\":true,\"model_loaded\":true"
                      : "{\"ready\":false,\"model_loaded\":true");
    member(b, "model_name", in->srv->model_id);
    buf_char(b, '}');
    if (ready) reply_json(c, b);
    else reply_send(c, 503, REPLY_JSON, buf_view(b), "Retry-After: 1\r\n");
}
