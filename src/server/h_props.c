/* h_props.c - GET /props and /slots, as users of llama-server know them. A slot is a place in the
 * batch; which request is in which is not told. */
#include "json/json.h"
#include "server/reply.h"
#include "server/router.h"

static void text(buf *b, const char *name, str value) {
    buf_printf(b, "\"%s\":", name);
    json_write_string(b, value);
}

void props_get(conn *c, const call *in) {
    const server *s = in->srv;
    rz_model_info info;
    size_t len = 0;
    const char *source = rz_chat_template(s->model, &len, NULL);
    rz_model_describe(s->model, &info);
    buf *b = reply_body(in->srv);
    buf_char(b, '{');
    text(b, "model_alias", str_of(s->model_id));
    buf_printf(b, ",\"default_generation_settings\":{\"n_ctx\":%zu,\"params\":{\"n_predict\":100,",
               server_context(s));
    buf_text(b, "\"temperature\":0.7,\"top_k\":40,\"top_p\":0.9,\"min_p\":0}},");
    text(b, "chat_template", (str){source, source ? len : 0});
    buf_printf(b, ",\"n_vocab\":%u,\"is_sleeping\":false,", info.vocab);
    text(b, "build_info", str_of(rz_version()));
    buf_char(b, '}');
    reply_json(c, b);
}

void slots_get(conn *c, const call *in) {
    rz_engine_stats st;
    server_engine_stats(in->srv, &st);
    buf *b = reply_body(in->srv);
    buf_char(b, '[');
    for (uint32_t i = 0; i < st.running; i++)
        buf_printf(b, "%s{\"id\":%u,\"n_ctx\":%zu,\"is_processing\":true}", i ? "," : "", i,
                   server_context(in->srv));
    buf_char(b, ']');
    reply_json(c, b);
}
