/* toolcall_signs.h - one sign per family of tool calls, as a model's template shows it. */
#ifndef TESTS_TOOLCALL_SIGNS_H
#define TESTS_TOOLCALL_SIGNS_H

static const char *const toolcall_signs[] = {
    "<\xef\xbd\x9ctool\xe2\x96\x81"
    "calls\xe2\x96\x81"
    "begin\xef\xbd\x9c>",
    "[TOOL_CALLS]",
    "<|START_ACTION|>",
    "<|tool_call|>",
    "<tool_call>",
    "<|python_tag|>",
    ""};
enum { TOOLCALL_SIGNS = sizeof toolcall_signs / sizeof *toolcall_signs };

#endif
