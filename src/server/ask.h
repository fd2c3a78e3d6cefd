/* ask.h - what every generating endpoint shares: settings out of a request, prompts into a job, and
 * how it ended. */
#ifndef SERVER_ASK_H
#define SERVER_ASK_H

#include "server/fields.h"
#include "server/job.h"

/* repeat_penalty (or repetition_penalty), presence_penalty, frequency_penalty, repeat_last_n,
 * min_p. */
void ask_penalties(fields *f, rz_params *p);
/* `seed`; without one a number drawn at random, never 0. */
uint64_t ask_seed(fields *f);
/* stop and logit_bias, in the request's arena; the shape of the answer (shapes.h); timeout; and
 * 503 while the server is stopping. */
void ask_lists(fields *f, server *s, rz_params *p);
/* A list of token ids, in the request's arena. */
const rz_token *ask_ids(fields *f, server *s, const char *key, const json *list);
/* Encode the prompt of generation i and see that it fits. */
void ask_prompt(fields *f, job *j, uint32_t i, str prompt);
/* The HTTP status for what a submission failed with. */
int ask_code(status s);
/* `timeout`, within what the server allows, into p. */
void ask_timeout(fields *f, const server *s, rz_params *p);
/* Start generation i; one of no token is over at once. */
void ask_submit(fields *f, job *j, uint32_t i, const rz_params *p);
/* Why generation g did not end well: a status and *text, or 0. */
int ask_trouble(const job *j, const gen *g, const char **text);
/* The whole request ended well: counted. */
void ask_succeeded(const job *j);

#endif
