/* demo_model.c - models/demo.gguf as bytes of this object, page-aligned and used in place. */
#include "api/demo_model.h"

__asm__(
    ".section .rodata\n"
    ".balign 4096\n"
    ".local realizar_demo_begin\n"
    ".local realizar_demo_end\n"
    "realizar_demo_begin:\n"
    ".incbin \"models/demo.gguf\"\n"
    "realizar_demo_end:\n"
    ".byte 0\n"
    ".previous\n");

extern const unsigned char realizar_demo_begin[], realizar_demo_end[];

const void *demo_model(size_t *len) {
    *len = (size_t)(realizar_demo_end - realizar_demo_begin);
    return realizar_demo_begin;
}
