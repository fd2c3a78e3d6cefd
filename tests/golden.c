/* golden.c - file names and sizes say everything: prompt<i>.i32, logits<i>.f32, greedy<i>.i32. */
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

static void *read_part(const golden *g, const char *prefix, const char *what, size_t i, size_t *n) {
    char relative[256];
    snprintf(relative, sizeof relative, "golden/models/%s/golden/%s%s%zu.%s", g->name, prefix, what,
             i, strcmp(what, "logits") == 0 ? "f32" : "i32");
    size_t bytes = 0;
    void *p = test_read_file(test_shared(relative), &bytes);
    *n = bytes / 4;
    return p;
}

bool golden_open(golden *g, const char *name, bool exact) {
    memset(g, 0, sizeof *g);
    snprintf(g->name, sizeof g->name, "%s", name);
    char relative[256];
    snprintf(relative, sizeof relative, "golden/models/%s/model.gguf", name);
    const char *path = test_shared(relative);
    if (!path) { /* a checkpoint folder */
        snprintf(relative, sizeof relative, "golden/models/%s", name);
        path = strcmp(name, "stories260K") != 0 ? test_shared(relative) : NULL;
    }
    if (path) snprintf(g->model_path, sizeof g->model_path, "%s", path);
    const char *prefix = exact ? "exact_" : "";
    for (size_t i = 0; i < GOLDEN_PROMPTS; i++) {
        golden_case *c = &g->c[i];
        size_t n_logits;
        c->prompt = read_part(g, "", "prompt", i, &c->n_prompt);
        if (!c->prompt) break;
        c->logits = read_part(g, prefix, "logits", i, &n_logits);
        c->greedy = read_part(g, prefix, "greedy", i, &c->n_greedy);
        if (i == 0) g->n_vocab = n_logits / c->n_prompt; /* prompt 0 has every position */
        c->n_pos = g->n_vocab ? n_logits / g->n_vocab : 0;
        c->first_pos = c->n_prompt - c->n_pos;
        g->n_case++;
        if (!c->logits || !c->greedy) {
            golden_close(g);
            return false;
        }
    }
    return g->n_case > 0;
}

void golden_close(golden *g) {
    for (size_t i = 0; i < GOLDEN_PROMPTS; i++) {
        free(g->c[i].prompt);
        free(g->c[i].greedy);
        free(g->c[i].logits);
    }
    g->n_case = 0;
}
