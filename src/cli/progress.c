/* progress.c - the line is written over and over, ten times a second at most. */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/os.h"
#include "cli/show.h"
#include "cli/stop.h"

enum { QUIET_NS = 500000000, EACH_NS = 100000000, BAR = 24 };

progress progress_begin(const char *unit) {
    return (progress){os_now_ns(), 0, os_is_terminal(STDERR_FILENO), unit};
}

static void amount(const progress *g, uint64_t n, buf *line) {
    if (g->unit) show_count(line, n);
    else show_bytes(line, n);
}

static void bar(const progress *g, const rz_progress *p, uint64_t now, buf *line) {
    const double share = (double)p->done / (double)p->total;
    buf_char(line, '[');
    for (int i = 0; i < BAR; i++) buf_char(line, i < (int)(share * BAR) ? '#' : '.');
    buf_printf(line, "] %.0f%%, ", 100.0 * share);
    amount(g, p->done, line);
    buf_text(line, " of ");
    amount(g, p->total, line);
    if (g->unit) buf_printf(line, " %s", g->unit);
    if (p->done)
        buf_printf(line, ", %.0f s left", (double)(now - g->start) * 1e-9 * (1 / share - 1));
}

int progress_show(void *ud, const rz_progress *p) {
    progress *g = ud;
    const uint64_t now = os_now_ns();
    if (stop_asked()) return 1;
    if (!g->terminal || now - g->start < QUIET_NS || now - g->last < EACH_NS) return 0;
    buf line = BUF_INIT;
    buf_printf(&line, "\r%s ", p->stage);
    if (p->total) bar(g, p, now, &line);
    else amount(g, p->done, &line);
    buf_text(&line, "\033[K");
    if (!line.failed) fwrite(line.p, 1, line.len, stderr);
    buf_free(&line);
    g->last = now;
    return 0;
}

void progress_end(const progress *g) {
    if (g->last) fputs("\r\033[K", stderr);
}
