/* json_write.c - JSON text into a buf: what json.c reads back as the same values.
 *
 * Numbers are locale-proof: printf writes the host's decimal point, so whatever is not a digit, a
 * sign or the exponent's 'e' comes out as '.'. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "json/json.h"
#include "unicode/utf8.h"

static void escape(buf *b, unsigned char c) {
    static const char control[] = "\b\f\n\r\t", letter[] = "bfnrt";
    const char *at = c ? strchr(control, c) : NULL;
    if (c == '"' || c == '\\') {
        buf_char(b, '\\');
        buf_char(b, (char)c);
    } else if (at) {
        buf_char(b, '\\');
        buf_char(b, letter[at - control]);
    } else {
        buf_printf(b, "\\u%04x", c);
    }
}

bool json_write_string(buf *b, str s) {
    bool good = true;
    buf_char(b, '"');
    size_t from = 0, i = 0; /* [from, i) is good and not written yet */
    while (i < s.len) {
        const unsigned char c = (unsigned char)s.p[i];
        size_t n = 1;
        uint32_t cp = c;
        if (c >= 0x80) n = utf8_decode((str){s.p + i, s.len - i}, &cp);
        if (c >= 0x20 && c != '"' && c != '\\' && cp != UTF8_BAD) {
            i += n;
            continue;
        }
        buf_add(b, s.p + from, i - from);
        if (cp == UTF8_BAD) {
            good = false;
            for (size_t k = 0; k < n; k++) buf_text(b, "\xEF\xBF\xBD");
        } else {
            escape(b, c);
        }
        i += n;
        from = i;
    }
    if (i > from) buf_add(b, s.p + from, i - from);
    buf_char(b, '"');
    return good;
}

/* From what printf wrote: '.' for the host's decimal point, no '+' and no leading zeros in the
 * exponent. */
static size_t tidy(const char *from, char *to) {
    size_t n = 0;
    bool exponent = false, leading = false;
    for (; *from; from++) {
        const char c = *from;
        const bool digit = c >= '0' && c <= '9';
        if (exponent && (c == '+' || (leading && c == '0'))) continue;
        if (exponent && digit) leading = false;
        if (c == 'e') exponent = leading = true;
        if (digit || c == '-' || c == 'e') to[n++] = c;
        else if (n && to[n - 1] != '.') to[n++] = '.';
    }
    return n;
}

void json_write_number(buf *b, double v) {
    char raw[40], text[40];
    size_t len = 0;
    if (!isfinite(v)) {
        buf_text(b, "null");
        return;
    }
    if (v == floor(v) && fabs(v) <= 9007199254740992.0) {
        snprintf(raw, sizeof raw, "%.0f", v);
        buf_add(b, text, tidy(raw, text));
        return;
    }
    /* Fifteen digits survive a double, so fewer need not be tried, except below the normal range
     * where a double holds fewer than that. */
    for (int digits = fabs(v) < DBL_MIN ? 1 : DBL_DIG; digits <= 17; digits++) {
        double back;
        snprintf(raw, sizeof raw, "%.*g", digits, v);
        len = tidy(raw, text);
        if (str_f64((str){text, len}, &back) && back == v) break;
    }
    buf_add(b, text, len);
}

static void write_members(buf *b, const json *v) {
    for (const json *m = v->child; m; m = m->next) {
        if (m != v->child) buf_char(b, ',');
        if (v->kind == JSON_OBJECT) {
            json_write_string(b, m->key);
            buf_char(b, ':');
        }
        json_write(b, m);
    }
}

void json_write(buf *b, const json *v) {
    switch (v->kind) {
        case JSON_NULL:
            buf_text(b, "null");
            break;
        case JSON_BOOL:
            buf_text(b, v->truth ? "true" : "false");
            break;
        case JSON_STRING:
            json_write_string(b, v->text);
            break;
        case JSON_NUMBER:
            if (v->text.len) buf_str(b, v->text);
            else json_write_number(b, v->number);
            break;
        case JSON_ARRAY:
        case JSON_OBJECT:
            buf_char(b, v->kind == JSON_ARRAY ? '[' : '{');
            write_members(b, v);
            buf_char(b, v->kind == JSON_ARRAY ? ']' : '}');
            break;
    }
}
