/* progress.h - one line on a terminal that says how far long work has come. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <realizar.h>
#include <stdbool.h>

typedef struct progress {
    uint64_t start, last; /* ns; last 0 = nothing shown yet */
    bool terminal;
    const char *unit; /* what is counted: "tokens"; NULL: bytes */
} progress;

progress progress_begin(const char *unit);
/* An rz_progress_fn; ud is a progress. Silent for the first half second and where standard error is
 * no terminal. Stops the work when a signal has come. */
int progress_show(void *ud, const rz_progress *p);
/* Take the line away. */
void progress_end(const progress *g);

#endif
