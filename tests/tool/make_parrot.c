/* make_parrot.c - make_parrot OUT.gguf TEMPLATE WORD .... See tests/parrot.h; TEMPLATE is the
 * text of a chat template, or empty for none. For tests/e2e. */
#include <stdio.h>

#include "../parrot.h"

int main(int argc, char **argv) {
    err e;
    if (argc < 4) {
        fprintf(stderr, "usage: make_parrot OUT.gguf TEMPLATE WORD ...\n");
        return 2;
    }
    const char *chat_template = argv[2][0] ? argv[2] : NULL;
    if (parrot_write(argv[1], chat_template, (const char *const *)argv + 3, (size_t)argc - 3, &e) >=
        0)
        return 0;
    fprintf(stderr, "make_parrot: %s\n", e.text);
    return 1;
}
