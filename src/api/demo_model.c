/* demo_model.c - models/demo.gguf as bytes of this object, page-aligned and used in place. */
#include "api/demo_model.h"

__asm__(
    ".section .rodata\n"
    ".balign 4096\n"
    ".global realizar_demo_begin, realizar_demo_end\n"
    ".hidden realizar_demo_begin, realizar_demo_end\n"
    "realizar_demo_begin:\n"
    ".incbin \"models/demo.gguf\"\n"
    "realizar_demo_end:\n"
    ".byte 0\n"
    ".previous\n");

/* Hidden, not local to the file: a compiler may reach both through the address table, where the
 * linker keeps one entry for two local labels of the same section (seen on aarch64). */
__attribute__((visibility("hidden"))) extern const unsigned char realizar_demo_begin[],
    realizar_demo_end[];

const void *demo_model(size_t *len) {
    *len = (size_t)(realizar_demo_end - realizar_demo_begin);
    return realizar_demo_begin;
}
