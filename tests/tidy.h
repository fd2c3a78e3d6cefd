/* tidy.h - included in front of every file that clang-tidy reads, and of nothing else.
 *
 * The analyzer looks at one file at a time and cannot know that err_set gives back the code it is
 * given. Without that every TRY() would have a path on which the failure of the callee counts as
 * success and its outputs are read unset. */
#ifndef TESTS_TIDY_H
#define TESTS_TIDY_H

#include "base/err.h"

#define err_set(e, code, ...) (err_set((e), (code), __VA_ARGS__), (code))
#define err_at(e, code, where) (err_at((e), (code), (where)), (code))
#define err_sys(e, errno_value, ...) (err_sys((e), (errno_value), __VA_ARGS__), RZ_EIO)

#endif
