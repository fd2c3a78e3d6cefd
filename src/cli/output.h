/* output.h - standard output, waited for together with signals. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "base/err.h"

/* Write all of it. RZ_EIO when that fails; RZ_ECANCELED when a signal comes (see stop.h) while the
 * reader does not read. A reader that does read gets everything, signal or not. */
status output_write(const void *p, size_t n, err *e);

#endif
