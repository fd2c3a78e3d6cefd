/* stop.c - the signal handler of the program. The kernel runs it on any thread, so what it shares
 * is atomic, not sig_atomic_t. System calls in progress are interrupted (no SA_RESTART). */
#include "cli/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

static atomic_int first_signal, n_signal;
static int allowed; /* set before any handler runs, like the two below */
static int wake[2] = {-1, -1};
static void (*hook)(void);

static void receive(int number) {
    const int saved = errno;
    int none = 0;
    if (atomic_fetch_add(&n_signal, 1) >= allowed) _exit(128 + number);
    atomic_compare_exchange_strong(&first_signal, &none, number);
    if (wake[1] >= 0 && write(wake[1], "", 1) < 0) errno = saved; /* full is readable too */
    if (hook) hook();
    errno = saved;
}

void stop_listen(int patience, void (*on_signal)(void)) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction act = {.sa_handler = receive}, old;
    allowed = patience;
    hook = on_signal;
    if (wake[0] < 0 && pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0) wake[0] = wake[1] = -1;
    sigfillset(&act.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        const bool ignored = sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN;
        if (signals[i] != SIGHUP || !ignored) sigaction(signals[i], &act, NULL);
    }
}

bool stop_asked(void) { return atomic_load(&first_signal) != 0; }

int stop_fd(void) { return wake[0]; }

int stop_exit_code(void) { return 128 + atomic_load(&first_signal); }
