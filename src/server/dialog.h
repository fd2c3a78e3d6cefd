/* dialog.h - a conversation with tools, whatever dialect asked for it, to a prompt; and the calls
 * of tools in its answer. */
#ifndef SERVER_DIALOG_H
#define SERVER_DIALOG_H

#include "server/fields.h"
#include "server/fim.h"
#include "server/job.h"
#include "server/toolcall.h"

typedef struct dialog {
    str prompt;                /* in the request's arena, `opening` included */
    str opening;               /* what the answer has begun with; often ""   */
    const json *tools;         /* NULL: none may be called                   */
    const tool_family *family; /* how this model calls them                  */
    bool single;               /* only the first call counts                 */
    const fim_parts *fill;     /* in place of a prompt; or NULL              */
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
/* More of the answer of g, to its texts and calls: all of it is text when no tool may be called.
 * Without memory g->text is failed, which ends the request. */
void dialog_feed(gen *g, str text, const tool_sink *sink);
/* The answer is over: what was held back comes out. As ask_trouble, which comes first. */
int dialog_finish(const job *j, gen *g, const tool_sink *sink, const char **text);
/* The whole answer of g, which was collected in g->text. false: no memory. */
bool dialog_take_apart(gen *g, const tool_sink *sink);
/* An id for call n of an answer: nine letters and digits, as Mistral's templates ask for. */
void dialog_call_id(uint64_t answer, uint32_t n, char out[10]);

#endif
