/* stop.h - SIGINT, SIGTERM and SIGHUP as a question a loop can ask and a descriptor it can poll. */
#ifndef CLI_STOP_H
#define CLI_STOP_H

#include <stdbool.h>

/* From now on the first of these signals only sets the flag, makes stop_fd readable and calls
 * `on_signal` (NULL, or safe in a signal handler); so does the second when `patience` is 2. The
 * next one ends the process at once. SIGHUP is left alone where it was ignored (nohup). */
void stop_listen(int patience, void (*on_signal)(void));
bool stop_asked(void);
/* Readable once asked; -1 before stop_listen or when the system has no descriptor left. */
int stop_fd(void);
/* 128 + the number of the first signal: what a shell would report. */
int stop_exit_code(void);

#endif
