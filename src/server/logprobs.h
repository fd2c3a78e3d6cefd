/* logprobs.h - log probabilities as OpenAI's two dialects write them.
 *
 * A token that is no whole text by itself (half a character) is spelled "bytes:\xe2\x82" where only
 * a name is possible, and with U+FFFD where its bytes stand beside it. */
#ifndef SERVER_LOGPROBS_H
#define SERVER_LOGPROBS_H

#include "server/job.h"

/* {"content":[{"token","logprob","bytes","top_logprobs":[...]}],"refusal":null}: the tokens of g
 * from `from` on. `null` when nobody asked. */
void logprobs_chat(buf *b, const gen *g, uint32_t from);
/* {"tokens","token_logprobs","top_logprobs","text_offset"}, the offsets in characters, the first
 * being *at, which moves on. `null` when nobody asked. */
void logprobs_text(buf *b, const gen *g, uint32_t from, size_t *at);

#endif
