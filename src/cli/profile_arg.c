/* profile_arg.c - printing a profile. */
#include "cli/profile_arg.h"

#include <stdio.h>

#include "base/mem.h"

void profile_arg_print(void) {
    const long n = rz_profile_text(NULL, 0);
    char *text = n > 0 ? mem_alloc((size_t)n + 1) : NULL;
    if (text) {
        rz_profile_text(text, (size_t)n + 1);
        fputs(text, stderr);
    }
    mem_free(text);
    rz_profile_stop();
}
