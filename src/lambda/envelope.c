/* envelope.c - see envelope.h. */
#include "lambda/envelope.h"

#include "base/base64.h"
#include "json/json.h"

static bool is_of_connection(str name) {
    return str_eq_nocase(name, STR_LIT("connection")) ||
           str_eq_nocase(name, STR_LIT("transfer-encoding")) ||
           str_eq_nocase(name, STR_LIT("content-length")) ||
           str_eq_nocase(name, STR_LIT("keep-alive"));
}

/* Was a field of that name before the one that ends at `at`? */
static bool came_before(const wire_answer *a, size_t at, str name) {
    size_t i = 0, n = 0;
    str other, value;
    while (wire_field(a, &i, &other, &value) && i <= at) n += str_eq_nocase(other, name);
    return n > 1;
}

/* All values of `name`, as one text or as a list. */
static void write_values(buf *out, const wire_answer *a, str name, bool list) {
    size_t at = 0, n = 0;
    str other, value;
    buf all = BUF_INIT;
    if (list) buf_char(out, '[');
    while (wire_field(a, &at, &other, &value)) {
        if (!str_eq_nocase(other, name)) continue;
        if (list && n) buf_char(out, ',');
        if (list) json_write_string(out, value);
        if (!list && n) buf_text(&all, ", ");
        if (!list) buf_str(&all, value);
        n++;
    }
    if (list) buf_char(out, ']');
    else json_write_string(out, buf_view(&all));
    out->failed |= all.failed;
    buf_free(&all);
}

static void write_headers(buf *out, const wire_answer *a, bool list) {
    size_t at = 0, n = 0;
    str name, value;
    buf_text(out, list ? "\"multiValueHeaders\":{" : "\"headers\":{");
    while (wire_field(a, &at, &name, &value)) {
        if (is_of_connection(name) || came_before(a, at, name)) continue;
        if (n++) buf_char(out, ',');
        json_write_string(out, name);
        buf_char(out, ':');
        write_values(out, a, name, list);
    }
    buf_char(out, '}');
}

/* "200 OK" of the status line. */
static str description(const wire_answer *a) {
    str head = buf_view(&a->head);
    const str line = str_trim(str_split(&head, '\n'));
    return line.len > 9 ? (str){line.p + 9, line.len - 9} : (str){"", 0};
}

/* Text stays text; bytes that are none go as base64. */
static void write_body(buf *out, str body) {
    const size_t at = out->len;
    buf_text(out, ",\"isBase64Encoded\":false,\"body\":");
    if (json_write_string(out, body) || out->failed) return;
    out->len = at;
    buf_text(out, ",\"isBase64Encoded\":true,\"body\":\"");
    char *to = buf_reserve(out, base64_length(body.len));
    if (to) out->len += base64_encode(body, to);
    buf_char(out, '"');
}

void envelope_write(buf *out, const event *ev, const wire_answer *a, str body) {
    buf_printf(out, "{\"statusCode\":%d,", a->code);
    if (ev->kind == EVENT_ALB) {
        buf_text(out, "\"statusDescription\":");
        json_write_string(out, description(a));
        buf_char(out, ',');
    }
    write_headers(out, a, ev->kind == EVENT_ALB && ev->lists);
    write_body(out, body);
    buf_char(out, '}');
}

void envelope_error(buf *out, const event *ev, int code, const char *why) {
    wire_answer a = {.head = BUF_INIT, .code = code};
    buf body = BUF_INIT;
    buf_printf(&a.head, "HTTP/1.1 %d Error\r\nContent-Type: application/json\r\n", code);
    buf_text(&body, "{\"error\":");
    json_write_string(&body, str_of(why));
    buf_char(&body, '}');
    envelope_write(out, ev, &a, buf_view(&body));
    out->failed |= body.failed || a.head.failed;
    buf_free(&a.head);
    buf_free(&body);
}

void envelope_prelude(buf *out, const wire_answer *a) {
    static const char zeros[8];
    buf_printf(out, "{\"statusCode\":%d,", a->code);
    write_headers(out, a, false);
    buf_text(out, ",\"cookies\":[]}");
    buf_add(out, zeros, sizeof zeros);
}

void envelope_plain(buf *out, const wire_answer *a, str body) {
    if (str_starts(wire_find(a, "content-type"), STR_LIT("application/json"))) buf_str(out, body);
    else json_write_string(out, body);
}

void envelope_failure(buf *out, const char *type, str message) {
    buf_text(out, "{\"errorMessage\":");
    json_write_string(out, message);
    buf_text(out, ",\"errorType\":");
    json_write_string(out, str_of(type));
    buf_text(out, ",\"stackTrace\":[]}");
}

str envelope_sentence(str body, arena *mem) {
    json *root = NULL;
    if (json_parse(&root, body, mem, NULL) < 0) return body;
    const json *error = json_get(root, "error"), *message = json_get(error, "message");
    if (message && message->kind == JSON_STRING) return message->text;
    return error && error->kind == JSON_STRING ? error->text : body;
}
