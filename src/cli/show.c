/* show.c - escaping for terminals, units, widths. */
#include "cli/show.h"

/* Length of the well-formed UTF-8 character at the start of s (RFC 3629), 0 for none. */
static size_t character(str s) {
    const unsigned char *p = (const unsigned char *)s.p;
    const unsigned c = p[0];
    const size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (n == 0 || n > s.len) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    /* Overlong forms, surrogates, and what lies beyond U+10FFFF. */
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f)) return 0;
    if ((c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f)) return 0;
    return n;
}

static void escape(buf *out, unsigned char c) {
    static const char plain[] = "\n\r\t", letter[] = "nrt";
    const char *at = c ? strchr(plain, c) : NULL;
    if (at) buf_printf(out, "\\%c", letter[at - plain]);
    else buf_printf(out, "\\x%02x", c);
}

static void show(buf *out, str s, size_t max, bool quotes) {
    for (size_t i = 0; i < s.len;) {
        if (max && i >= max) {
            buf_text(out, "...");
            return;
        }
        const unsigned char c = (unsigned char)s.p[i];
        const size_t n = character((str){s.p + i, s.len - i});
        const bool c1 = n == 2 && c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0;
        const bool control = c < 0x20 || c == 0x7f || c1;
        if (n && !control) {
            if (quotes && (c == '"' || c == '\\')) buf_char(out, '\\');
            buf_add(out, s.p + i, n);
        } else {
            for (size_t k = 0; k < (n ? n : 1); k++) escape(out, (unsigned char)s.p[i + k]);
        }
        i += n ? n : 1;
    }
}

void show_quoted(buf *out, str s, size_t max) {
    buf_char(out, '"');
    show(out, s, max, true);
    buf_char(out, '"');
}

void show_plain(buf *out, str s, size_t max) { show(out, s, max, false); }

void show_bytes(buf *out, uint64_t n) {
    static const char *const unit[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t i = 0;
    double v = (double)n;
    for (; v >= 1024 && i + 1 < sizeof unit / sizeof *unit; i++) v /= 1024;
    buf_printf(out, i ? "%.1f %s" : "%.0f %s", v, unit[i]);
}

void show_count(buf *out, uint64_t n) {
    static const char unit[] = "\0KMBT";
    size_t i = 0;
    double v = (double)n;
    for (; v >= 1000 && i < 4; i++) v /= 1000;
    if (i) buf_printf(out, "%.1f%c", v, unit[i]);
    else buf_printf(out, "%.0f", v);
}

void show_rate(buf *out, double v) {
    buf_printf(out, v < 100 ? "%.2f" : v < 1000 ? "%.1f" : "%.0f", v);
}

size_t show_width(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}
