/* output.c - writing to a reader that may be slow, or gone. A signal just in front of a blocking
 * write would be slept through, so nothing here blocks but poll. */
#include "cli/output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "cli/stop.h"

status output_write(const void *p, size_t n, err *e) {
    const char *at = p;
    while (n) {
        struct pollfd fd[] = {{STDOUT_FILENO, POLLOUT, 0}, {stop_fd(), POLLIN, 0}};
        if (poll(fd, 2, -1) <= 0) fd[0].revents = 0;
        if (!fd[0].revents && stop_asked()) return err_set(e, RZ_ECANCELED, "stopped");
        if (!fd[0].revents) continue;
        /* A pipe that polls as writable takes PIPE_BUF bytes without blocking. */
        const ssize_t k = write(STDOUT_FILENO, at, n < PIPE_BUF ? n : PIPE_BUF);
        if (k > 0) {
            at += k;
            n -= (size_t)k;
        } else if (k < 0 && errno != EAGAIN && errno != EINTR) {
            return err_sys(e, errno, "cannot write standard output");
        }
    }
    return RZ_OK;
}
