/* h_web.c - GET / and what the page there needs. The files under src/server/web are bytes of this
 * object. The page talks to this server alone, and the policy sent with it holds browsers to that:
 * no script or style but its own files, nothing from elsewhere, no frame around it. */
#include <stdio.h>

#include "base/sha256.h"
#include "server/reply.h"
#include "server/router.h"

#define EMBED(name, file)                                   \
    __asm__(                                                \
        ".section .rodata\n"                                \
        ".global realizar_web_" name ", realizar_web_" name \
        "_end\n"                                            \
        ".hidden realizar_web_" name ", realizar_web_" name \
        "_end\n"                                            \
        "realizar_web_" name                                \
        ":\n"                                               \
        ".incbin \"src/server/web/" file                    \
        "\"\n"                                              \
        "realizar_web_" name                                \
        "_end:\n"                                           \
        ".byte 0\n"                                         \
        ".previous\n")
EMBED("page", "index.html");
EMBED("style", "app.css");
EMBED("script", "app.js");

/* Hidden, not local to the file: see src/api/demo_model.c. */
#define EMBEDDED(name)                                                             \
    __attribute__((visibility("hidden"))) extern const char realizar_web_##name[], \
        realizar_web_##name##_end[]
EMBEDDED(page);
EMBEDDED(style);
EMBEDDED(script);

static const struct {
    const char *path, *type, *begin, *end;
} files[] = {
    {"/", "text/html; charset=utf-8", realizar_web_page, realizar_web_page_end},
    {"/app.css", "text/css; charset=utf-8", realizar_web_style, realizar_web_style_end},
    {"/app.js", "text/javascript; charset=utf-8", realizar_web_script, realizar_web_script_end},
};

static const char safety[] =
    "Cache-Control: no-cache\r\n"
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n";

/* One of the tags in If-None-Match is ours, or it is "*". W/"x" counts as "x" (RFC 9110). */
static bool is_known(str sent, str tag) {
    while (sent.p && sent.len) {
        str one = str_trim(str_split(&sent, ','));
        if (str_starts(one, STR_LIT("W/"))) one = (str){one.p + 2, one.len - 2};
        if (str_eq(one, tag) || str_is(one, "*")) return true;
    }
    return false;
}

void web_get(conn *c, const call *in) {
    size_t i = 0;
    while (i < sizeof files / sizeof *files && !str_is(in->path, files[i].path)) i++;
    if (in->srv->no_web || i == sizeof files / sizeof *files) {
        reply_error(c, 404, "Not found: %.*s", STR_FMT(in->path));
        return;
    }
    const str file = {files[i].begin, (size_t)(files[i].end - files[i].begin)};
    char sum[SHA256_TEXT], tag[24], extra[sizeof safety + sizeof tag + 16];
    sha256_text(file.p, file.len, sum);
    snprintf(tag, sizeof tag, "\"%.16s\"", sum);
    snprintf(extra, sizeof extra, "ETag: %s\r\n%s", tag, safety);
    const bool known = is_known(http_find(in->req, in->base, "if-none-match"), str_of(tag));
    if (known) reply_send(c, 304, NULL, (str){"", 0}, extra);
    else reply_send(c, 200, files[i].type, file, extra);
}
