/* openai.c - see openai.h. */
#include "server/openai.h"

#include "json/json.h"
#include "server/reply.h"

static const char *error_type(int code) {
    return code == 404   ? "not_found_error"
           : code == 503 ? "overloaded_error"
           : code >= 500 ? "server_error"
                         : "invalid_request_error";
}

void openai_error(buf *b, int code, const char *text) {
    buf_text(b, "{\"error\":{\"message\":");
    json_write_string(b, str_of(text));
    buf_printf(b, ",\"type\":\"%s\",\"param\":null,\"code\":%d}}", error_type(code), code);
}

void openai_fail(conn *c, int code, const char *text) {
    buf *b = reply_body(c->srv);
    if (code == 422) code = 400; /* what kind of wrong it is, these clients do not ask */
    openai_error(b, code, text);
    reply_send(c, code, REPLY_JSON, buf_view(b), code == 503 ? "Retry-After: 1\r\n" : NULL);
}
