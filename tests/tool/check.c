/* check.c - what the scripts under tests/cli need beyond a POSIX shell.
 *
 *   check json [PATH]           standard input is one JSON value; print what is at PATH (".a[0].b",
 *                               ".a#" counts): strings as they are, the rest as JSON
 *   check floats A B TOLERANCE  two files of f32: as long, and nowhere further apart
 *   check deaf [TEXT]           listen on a free port, print it, answer TEXT and then nothing
 *   check jinja                 standard input is [{"template","vars"}]; print [{"out"}|{"error"}]
 *   check pty COMMAND ...       run it on a terminal of its own; print what it writes there
 *
 * Exit code 0 when it holds, 1 when it does not (with a reason), 2 when it cannot be checked. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "json/json.h"
#include "tokenizer/jinja.h"

enum { MAX_INPUT = 64 << 20, DEAF_SECONDS = 60 };

static int cannot(const char *what) {
    perror(what);
    return 2;
}

static int no(const char *what, const char *detail) {
    fprintf(stderr, "check: %s %s\n", what, detail);
    return 1;
}

/* ---- json ---- */

/* One step of a path; *path moves on. NULL when there is no such thing. */
static const json *step(const json *v, const char **path) {
    char key[128];
    size_t n = 0;
    const bool index = *(*path)++ == '[';
    while (**path && !strchr(index ? "]" : ".[#", **path) && n + 1 < sizeof key)
        key[n++] = *(*path)++;
    key[n] = 0;
    if (!index) return json_get(v, key);
    if (**path == ']') (*path)++;
    long i = strtol(key, NULL, 10);
    const json *at = v && v->kind == JSON_ARRAY ? v->child : NULL;
    while (at && i-- > 0) at = at->next;
    return at;
}

static int print_value(const json *v) {
    buf b = BUF_INIT;
    if (v->kind == JSON_STRING) buf_str(&b, v->text);
    else json_write(&b, v);
    fwrite(b.p ? b.p : "", 1, b.len, stdout);
    buf_free(&b);
    return putchar('\n') < 0;
}

static status read_json(buf *b, arena *a, json **root, err *e) {
    char *to;
    ssize_t n = 1;
    while (b->len < MAX_INPUT && n > 0 && (to = buf_reserve(b, 1 << 16)) != NULL) {
        n = read(STDIN_FILENO, to, 1 << 16);
        if (n > 0) b->len += (size_t)n;
    }
    return json_parse(root, buf_view(b), a, e);
}

static int check_json(const char *path) {
    buf b = BUF_INIT;
    arena a = ARENA_INIT;
    err e = {0};
    json *root;
    if (read_json(&b, &a, &root, &e) < 0) return no("not JSON:", e.text);
    const json *v = root;
    const char *at = path;
    while (v && (*at == '.' || *at == '[')) v = step(v, &at);
    int rc = 0;
    if (!v || (*at && strcmp(at, "#") != 0)) rc = no("nothing at", path);
    else if (*at == '#') printf("%u\n", v->n);
    else if (*path) rc = print_value(v);
    arena_free(&a);
    buf_free(&b);
    return rc;
}

/* ---- jinja ---- */

static int check_jinja(void) {
    buf in = BUF_INIT, out = BUF_INIT;
    arena a = ARENA_INIT;
    err e = {0};
    json *root;
    if (read_json(&in, &a, &root, &e) < 0) return no("not JSON:", e.text);
    buf_char(&out, '[');
    for (const json *v = root->child; v; v = v->next) {
        const json *template = json_get(v, "template"), *vars = json_get(v, "vars");
        jinja_limits lim = JINJA_LIMITS_DEFAULT;
        buf text = BUF_INIT;
        jinja *t = NULL;
        if (!template || template->kind != JSON_STRING) return no("a case has no", "template");
        lim.unix_s = time(NULL);
        status got = jinja_compile(&t, template->text, &e);
        if (got == RZ_OK) got = jinja_render(t, vars, &lim, &text, &e);
        if (v != root->child) buf_char(&out, ',');
        buf_text(&out, got == RZ_OK ? "{\"out\":" : "{\"error\":");
        json_write_string(&out, got == RZ_OK ? buf_view(&text) : str_of(e.text));
        buf_char(&out, '}');
        jinja_free(t);
        buf_free(&text);
    }
    buf_char(&out, ']');
    fwrite(out.p, 1, out.len, stdout);
    arena_free(&a);
    buf_free(&in);
    buf_free(&out);
    return putchar('\n') < 0;
}

/* ---- floats ---- */

static int check_floats(const char *a, const char *b, double tolerance) {
    os_map x, y;
    err e = {0};
    if (os_map_open(&x, a, &e) < 0 || os_map_open(&y, b, &e) < 0) return no("cannot read", e.text);
    if (x.len != y.len || x.len == 0 || x.len % 4) return no("sizes differ:", a);
    double worst = 0;
    for (size_t i = 0; i < x.len; i += 4) {
        float p, q;
        memcpy(&p, x.data + i, 4);
        memcpy(&q, y.data + i, 4);
        const double d = fabs((double)p - (double)q);
        if (!(d <= worst)) worst = d; /* NaN too */
    }
    printf("%zu floats, %g apart\n", x.len / 4, worst);
    os_map_close(&x);
    os_map_close(&y);
    return !(worst <= tolerance);
}

/* ---- deaf ---- */

static int check_deaf(const char *text) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        return cannot("check deaf");
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    alarm(DEAF_SECONDS);
    for (;;) {
        const int c = accept(fd, NULL, NULL); /* kept open: the other side waits */
        if (c >= 0 && *text && send(c, text, strlen(text), MSG_NOSIGNAL) < 0) return 1;
    }
}

/* ---- pty ---- */

static int run_on(const char *terminal, char **argv) {
    setsid();
    const int fd = open(terminal, O_RDWR);
    if (fd < 0) return cannot(terminal);
    ioctl(fd, TIOCSCTTY, 0);
    for (int i = 0; i < 3; i++) dup2(fd, i);
    if (fd > 2) close(fd);
    execvp(argv[0], argv);
    return cannot(argv[0]);
}

static int check_pty(char **argv) {
    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char name[128], text[4096];
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
        ptsname_r(master, name, sizeof name) != 0)
        return cannot("check pty");
    const pid_t child = fork();
    if (child < 0) return cannot("fork");
    if (child == 0) _exit(run_on(name, argv));
    int ended = 0;
    /* The master reads an error once the last user of the terminal is gone. */
    for (ssize_t n; (n = read(master, text, sizeof text)) > 0;) fwrite(text, 1, (size_t)n, stdout);
    if (waitpid(child, &ended, 0) < 0) return cannot("waitpid");
    return WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "json") == 0) return check_json(argc > 2 ? argv[2] : "");
    if (strcmp(what, "jinja") == 0) return check_jinja();
    if (strcmp(what, "floats") == 0 && argc == 5)
        return check_floats(argv[2], argv[3], strtod(argv[4], NULL));
    if (strcmp(what, "deaf") == 0) return check_deaf(argc > 2 ? argv[2] : "");
    if (strcmp(what, "pty") == 0 && argc > 2) return check_pty(argv + 2);
    fprintf(stderr, "check: see the top of tests/tool/check.c\n");
    return 2;
}
