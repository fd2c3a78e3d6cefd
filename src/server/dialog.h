/* dialog.h - a conversation with tools, whatever dialect asked for it, to a prompt; and the calls
 * of tools in its answer. */
#ifndef SERVER_DIALOG_H
#define SERVER_DIALOG_H

#include "server/fields.h"
#include "server/job.h"
#include "server/toolcall.h"

typedef struct dialog {
    str prompt;                /* in the request's arena, `opening` included */
    str opening;               /* what the answer has begun with; often ""   */
    const json *tools;         /* NULL: none may be called                   */
    const tool_family *family; /* how this model calls them                  */
    bool single;               /* only the first call counts                 */
} dialog;

/* f->root in OpenAI's words: messages, tools, tool_choice, parallel_tool_calls,
 * chat_template_kwargs and whatever the template knows. Templates that know no tools get them
 * described in a system message. Fails into f. */
void dialog_render(fields *f, server *s, dialog *out);
/* The same of a request that was put into OpenAI's words as text, which is freed. */
void dialog_translate(fields *f, server *s, buf *request, dialog *out);
/* A job with the one answer to d->prompt, running; the caller begins its reply and calls
 * job_started. NULL: failed into f, and nothing was replied. */
job *dialog_start(fields *f, conn *c, const job_type *type, const dialog *d, const rz_params *p);
/* Give generation i of the job what reads the calls in its answer. */
void dialog_attach(fields *f, const dialog *d, job *j, uint32_t i);
/* An id for call n of an answer: nine letters and digits, as Mistral's templates ask for. */
void dialog_call_id(uint64_t answer, uint32_t n, char out[10]);

#endif
