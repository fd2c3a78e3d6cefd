/* tok_find.c - from what a person types to a tokenizer: the name of a
 * vocabulary or a path. */
#include <stdlib.h>

#include "base/buf.h"
#include "tokenizer/tok.h"

/* A slash, or a suffix of three letters or more: version numbers like llama3.1
 * are names. */
static bool is_path(str s) {
    size_t letters = 0;
    for (size_t i = s.len; i-- > 0;) {
        if (s.p[i] == '/') return true;
        if (s.p[i] == '.' && letters >= 3) return true;
        letters += s.p[i] >= 'a' && s.p[i] <= 'z';
    }
    return false;
}

static void add_folder(buf *room, const char **folder, size_t *n, const char *base,
                       const char *below) {
    if (!base || !base[0]) return;
    buf_clear(room);
    buf_printf(room, "%s%s", base, below);
    const char *path = buf_cstr(room);
    if (path) folder[(*n)++] = path;
}

status tok_open_any(tok **out, const char *what, err *e) {
    if (is_path(str_of(what))) return tok_open(out, what, e);
    buf room[2] = {BUF_INIT, BUF_INIT};
    const char *folder[2], *data = getenv("XDG_DATA_HOME");
    size_t n = 0;
    add_folder(&room[0], folder, &n, getenv("REALIZAR_VOCAB_DIR"), "");
    if (data && data[0]) add_folder(&room[1], folder, &n, data, "/realizar/vocabs");
    else add_folder(&room[1], folder, &n, getenv("HOME"), "/.local/share/realizar/vocabs");
    const status s = tok_open_named(out, str_of(what), folder, n, e);
    buf_free(&room[0]);
    buf_free(&room[1]);
    return s;
}
