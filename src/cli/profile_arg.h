/* profile_arg.h - the option --profile. */
#ifndef CLI_PROFILE_ARG_H
#define CLI_PROFILE_ARG_H

#include "base/err.h"
#include "cli/args.h"

#define PROFILE_OPTION(offset)                                                           \
    {                                                                                    \
        .name = "profile", .kind = ARG_FLAG, .at = (offset),                             \
        .help = "say on standard error where the time went: operations, layers, waiting" \
    }

/* Print what was counted since rz_profile_start on standard error, and stop counting. */
void profile_arg_print(void);

#endif
