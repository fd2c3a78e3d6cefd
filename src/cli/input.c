/* input.c - reading arguments, files, pipes. Files are read as streams, not mapped: a named pipe or
 * a shell's <(...) is as good as a file. They are polled together with signals, because a signal
 * just in front of a read would be slept through. */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "cli/stop.h"

enum { STEP = 1 << 16 };

/* Append what is there, STEP bytes at most; *end: there is no more. */
static status read_some(int fd, const char *name, buf *out, bool *end, err *e) {
    for (;;) {
        struct pollfd ready[] = {{fd, POLLIN, 0}, {stop_fd(), POLLIN, 0}};
        if (poll(ready, 2, -1) <= 0) ready[0].revents = 0;
        if (stop_asked()) return err_set(e, RZ_ECANCELED, "%.300s: stopped", name);
        if (!ready[0].revents) continue;
        char *to = buf_reserve(out, STEP);
        if (!to) return err_set(e, RZ_ENOMEM, "%.300s: out of memory", name);
        const ssize_t n = read(fd, to, STEP);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n < 0) return err_sys(e, errno, "%.300s", name);
        *end = n == 0;
        out->len += (size_t)n;
        if (out->len > INPUT_MAX)
            return err_set(e, RZ_EFULL, "%.300s: over %d MiB of text", name, INPUT_MAX >> 20);
        return RZ_OK;
    }
}

static status read_stream(int fd, const char *name, buf *out, err *e) {
    bool end = false;
    while (!end) TRY(read_some(fd, name, out, &end, e));
    return RZ_OK;
}

/* Whole lines of what is there; at the end also the last one without a line end. */
static status take_lines(buf *b, bool end, size_t *number, input_line_fn *fn, void *ctx, err *e) {
    size_t from = 0;
    while (from < b->len) {
        const char *nl = memchr(b->p + from, '\n', b->len - from);
        if (!nl && !end) break;
        const size_t to = nl ? (size_t)(nl - b->p) : b->len;
        TRY(fn(ctx, (str){b->p + from, to - from}, ++*number, e));
        from = to + (nl != NULL);
    }
    buf_drop(b, from);
    return RZ_OK;
}

status input_lines(const char *file, input_line_fn *fn, void *ctx, err *e) {
    const bool named = file && strcmp(file, "-") != 0;
    const int fd = named ? open(file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (fd < 0) return err_sys(e, errno, "%.300s", file);
    buf b = BUF_INIT;
    size_t number = 0;
    bool end = false;
    status s = RZ_OK;
    while (s >= 0 && !end) {
        s = read_some(fd, named ? file : "standard input", &b, &end, e);
        if (s >= 0) s = take_lines(&b, end, &number, fn, ctx, e);
    }
    buf_free(&b);
    if (named) close(fd);
    return s;
}

static status read_file(const char *path, buf *out, err *e) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_sys(e, errno, "%.300s", path);
    const status s = read_stream(fd, path, out, e);
    close(fd);
    return s;
}

status input_text(const char *text, const char *file, const char *what, buf *out, err *e) {
    if (text && file)
        return err_set(e, RZ_EINVAL, "two %ss: one as an argument, one from --file", what);
    if (file && strcmp(file, "-") != 0) return read_file(file, out, e);
    if (text && strcmp(text, "-") != 0) {
        buf_text(out, text);
        return out->failed ? err_set(e, RZ_ENOMEM, "out of memory for the %s", what) : RZ_OK;
    }
    if (!text && !file && os_is_terminal(STDIN_FILENO))
        return err_set(e, RZ_EINVAL,
                       "no %s: give it as an argument, with --file, or through standard input",
                       what);
    return read_stream(STDIN_FILENO, "standard input", out, e);
}

void input_trim_line_end(buf *b) {
    if (b->len && b->p[b->len - 1] == '\n') b->len--;
    else return;
    if (b->len && b->p[b->len - 1] == '\r') b->len--;
}

static bool is_separator(char c) {
    return c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

status input_ids(str text, const char *what, rz_token **out, size_t *n, err *e) {
    str s = str_trim(text);
    if (s.len >= 2 && s.p[0] == '[' && s.p[s.len - 1] == ']') s = (str){s.p + 1, s.len - 2};
    rz_token *ids = mem_array(s.len / 2 + 1, sizeof *ids); /* a digit and a separator each */
    size_t count = 0;
    if (!ids) return err_set(e, RZ_ENOMEM, "out of memory for token ids");
    for (size_t i = 0; i < s.len;) {
        size_t end = i;
        while (end < s.len && !is_separator(s.p[end])) end++;
        const str word = {s.p + i, end - i};
        int64_t v = -1;
        if (word.len && (!str_i64(word, &v) || v < 0 || v > INT32_MAX)) {
            mem_free(ids);
            return err_set(e, RZ_EINVAL, "%s: \"%.*s\" is no token id, expected numbers like 1,2,3",
                           what, (int)(word.len < 40 ? word.len : 40), word.p);
        }
        if (word.len) ids[count++] = (rz_token)v;
        i = end + 1;
    }
    *out = ids;
    *n = count;
    return RZ_OK;
}

status input_encode(const rz_tokenizer *t, str text, int flags, rz_token **out, size_t *n, err *e) {
    size_t cap = text.len / 2 + 16, need = 0;
    rz_token *ids = mem_array(cap, sizeof *ids);
    if (!ids) return err_set(e, RZ_ENOMEM, "out of memory for token ids");
    status s = rz_encode(t, text.p, text.len, flags, ids, cap, &need, e);
    if (s >= 0 && need > cap) {
        rz_token *more = mem_resize(ids, need, sizeof *ids);
        cap = need;
        if (more) ids = more;
        if (more) s = rz_encode(t, text.p, text.len, flags, ids, cap, &need, e);
        else s = err_set(e, RZ_ENOMEM, "out of memory for token ids");
    }
    if (s < 0) {
        mem_free(ids);
        return s;
    }
    *out = ids;
    *n = need;
    return RZ_OK;
}
