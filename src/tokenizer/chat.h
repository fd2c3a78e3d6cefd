/* chat.h - a conversation to the text a model was trained to answer: the model's own chat template
 * (jinja.h), with a built-in one for models that bring none. Read-only once open; any number of
 * threads may render. */
#ifndef TOKENIZER_CHAT_H
#define TOKENIZER_CHAT_H

#include "tokenizer/jinja.h"
#include "tokenizer/tok.h"

typedef struct chat chat;

/* The template of this model: tokenizer.chat_template of a GGUF file, chat_template.jinja or
 * tokenizer_config.json of a checkpoint folder, else ChatML where the vocabulary has its marks,
 * else plain role lines. A template we cannot read is no reason to refuse the model: rendering says
 * what is wrong with it. `t` may be NULL and must outlive the result. */
status chat_open(chat **out, const tensor_file *f, const tok *t, err *e);
void chat_close(chat *c);
/* The template's text, and where it is from ("the model", "built-in ChatML", ...). */
str chat_source(const chat *c, const char **from);
/* Did the model bring it? */
bool chat_is_own(const chat *c);

/* Append the prompt for `request`: an object with `messages` (a list of {role, content, ...}), and
 * any of `tools`, `add_generation_prompt` (true unless given) and whatever else the template
 * knows. Texts in parts ([{"type":"text","text":...}]) are joined, arguments of tool calls that are
 * a text of JSON become what they say. The beginning-of-text mark that encoding puts there by
 * itself is left out. RZ_EINVAL: no messages, or the template refuses them. */
status chat_render(const chat *c, const json *request, buf *out, err *e);

#endif
