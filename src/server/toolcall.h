/* toolcall.h - calls of tools, read back out of what a model writes.
 *
 * Each family of models marks a call in its own way; families[] in toolcall.c has a row for each.
 * Text goes in as it comes and leaves as it is certain to be text; a call leaves whole. What looks
 * like a call but is none leaves as text. */
#ifndef SERVER_TOOLCALL_H
#define SERVER_TOOLCALL_H

#include "json/json.h"

typedef struct tool_family tool_family;
typedef struct toolcall toolcall;

/* Where it goes; `args` is a JSON object. */
typedef struct tool_sink {
    void (*text)(void *ud, str text);
    void (*call)(void *ud, str name, str args);
    void *ud;
} tool_sink;

/* The family whose marks this chat template writes; the last row, plain JSON, when it has none. */
const tool_family *tool_family_of(str chat_template);
const char *tool_family_name(const tool_family *f);
/* Is this control token one of the family's marks? Then its spelling belongs to the text. */
bool tool_is_mark(const tool_family *f, str piece);
/* What an answer begins with that has to call the tool `name` (any, when it is empty). */
void tool_opening(const tool_family *f, str name, buf *out);

/* `tools` is a list in OpenAI's form, [{"type":"function","function":{"name",...}}]; it is copied.
 * NULL: no memory. */
toolcall *toolcall_new(const tool_family *f, const json *tools);
void toolcall_free(toolcall *t);
const tool_family *toolcall_family(const toolcall *t);
/* More of the answer. false: no memory, and nothing more comes out. */
bool toolcall_feed(toolcall *t, str text, const tool_sink *sink);
/* The answer is over. */
bool toolcall_finish(toolcall *t, const tool_sink *sink);
/* How many calls came out so far. */
uint32_t toolcall_count(const toolcall *t);

#endif
