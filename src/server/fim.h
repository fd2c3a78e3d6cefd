/* fim.h - prompts for what belongs between two texts (fill in the middle). */
#ifndef SERVER_FIM_H
#define SERVER_FIM_H

#include "server/fields.h"
#include "server/job.h"

typedef struct fim_parts {
    str prefix, suffix;
    str begun;         /* what the middle begins with; often ""                               */
    const json *extra; /* [{"filename","text"}] other files of the project, or NULL: none     */
} fim_parts;

/* The prompt of generation i. 501 when the model has no marks, 400 when it does not fit. */
void fim_prompt(fields *f, job *j, uint32_t i, const fim_parts *p);

#endif
