/* golden.h - reading the reference folders made by other engines (shared golden/models). */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GOLDEN_PROMPTS = 3 };

/* One prompt with its reference: logits[n_pos, n_vocab] of positions first_pos .. and the greedy
 * continuation. */
typedef struct golden_case {
    int32_t *prompt, *greedy;
    size_t n_prompt, n_greedy, first_pos, n_pos;
    float *logits;
} golden_case;

typedef struct golden {
    char name[64], model_path[1024];
    size_t n_vocab, n_case;
    golden_case c[GOLDEN_PROMPTS];
} golden;

/* Folder golden/models/<name>; `exact` reads exact_logits and exact_greedy. model_path is
 * <name>/model.gguf, or the folder <name> when it is a checkpoint. false: not there. */
bool golden_open(golden *g, const char *name, bool exact);
void golden_close(golden *g);

#endif
