/* h_models.c - GET /models, /v1/models and /v1/models/ID: what is served here. */
#include <stdio.h>

#include "json/json.h"
#include "server/native.h"
#include "server/openai.h"
#include "server/reply.h"

static void text(buf *b, const char *name, const char *value) {
    buf_printf(b, "\"%s\":", name);
    json_write_string(b, str_of(value));
}

void models_get(conn *c, const call *in) {
    const server *s = in->srv;
    rz_model_info info;
    rz_model_describe(s->model, &info);
    buf *b = reply_body(in->srv);
    buf_text(b, "{\"models\":[{");
    text(b, "id", s->model_id);
    buf_char(b, ',');
    text(b, "name", info.name && info.name[0] ? info.name : "Default Model");
    buf_char(b, ',');
    text(b, "description", "Single model deployment");
    buf_char(b, ',');
    text(b, "format", info.format);
    buf_text(b, ",\"loaded\":true,");
    text(b, "architecture", info.arch);
    buf_char(b, ',');
    text(b, "quantization", info.quant);
    buf_printf(b, ",\"parameters\":%llu,\"vocab_size\":%u,\"context_length\":%zu}]}",
               (unsigned long long)info.params, info.vocab, server_context(s));
    reply_json(c, b);
}

static void v1_model(const server *s, buf *b) {
    buf_char(b, '{');
    text(b, "id", s->model_id);
    buf_printf(b, ",\"object\":\"model\",\"created\":%llu,\"owned_by\":\"oxidizr\"}",
               (unsigned long long)(s->began_unix_ms / 1000));
}

void v1_models_get(conn *c, const call *in) {
    buf *b = reply_body(in->srv);
    buf_text(b, "{\"object\":\"list\",\"data\":[");
    v1_model(in->srv, b);
    buf_text(b, "]}");
    reply_json(c, b);
}

void v1_model_get(conn *c, const call *in) {
    if (!native_is_model(in->srv, in->rest)) {
        char text[256];
        snprintf(text, sizeof text, "Model '%.*s' not found", STR_FMT(in->rest));
        openai_fail(c, 404, text);
        return;
    }
    buf *b = reply_body(in->srv);
    v1_model(in->srv, b);
    reply_json(c, b);
}
