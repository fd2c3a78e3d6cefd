/* test_batch.c - whatever runs beside it, in whatever parts and on how many threads: a sequence has
 * the same logits, bit for bit. Over every reference checkpoint, so over every mixer and every
 * feed-forward there is: attention, latents, Mamba 1 to 3, experts, and what mixes them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/os.h"
#include "golden.h"
#include "model/forward.h"
#include "runtime/kv.h"
#include "test.h"

enum { MAX_ROWS = 128 };

/* One sequence on its way. */
typedef struct lane {
    const golden_case *c;
    kv_seq kv;
    float *state;  /* [state_width] */
    float *logits; /* [n_prompt, V] */
    uint32_t n_done;
} lane;

typedef struct runner {
    const model *m;
    pool *workers;
    ops *o;
    kv_pool pages;
    step step;
    lane lane[GOLDEN_PROMPTS];
    size_t n;
    int32_t id[MAX_ROWS];
    uint32_t pos[MAX_ROWS], logit_row[MAX_ROWS];
    row_span span[GOLDEN_PROMPTS];
} runner;

static void begin(runner *r, const model *m, const golden_case *c, size_t n, int threads) {
    uint32_t pages = 0;
    err e = {0};
    *r = (runner){.m = m, .n = n};
    for (size_t i = 0; i < n; i++) pages += kv_pages_for((uint32_t)c[i].n_prompt);
    REQUIRE(pool_new(&r->workers, threads, &e) == RZ_OK);
    REQUIRE(ops_cpu_new(&r->o, r->workers, MAX_ROWS, model_max_cols(m), &e) == RZ_OK);
    REQUIRE(kv_pool_init(&r->pages, m, KV_F32, pages, &e) == RZ_OK);
    REQUIRE(step_init(&r->step, m, MAX_ROWS, MAX_ROWS, &e) == RZ_OK);
    for (size_t i = 0; i < n; i++) {
        lane *l = &r->lane[i];
        *l = (lane){.c = &c[i]};
        REQUIRE(kv_seq_init(&l->kv, (uint32_t)c[i].n_prompt, &e) == RZ_OK);
        l->state = calloc(m->state_width + 1, sizeof *l->state);
        l->logits = calloc(c[i].n_prompt * m->c.V, sizeof *l->logits);
    }
}

static void end(runner *r) {
    for (size_t i = 0; i < r->n; i++) {
        kv_seq_done(&r->lane[i].kv, &r->pages);
        free(r->lane[i].state);
        free(r->lane[i].logits);
    }
    step_done(&r->step);
    kv_pool_done(&r->pages);
    r->o->free(r->o);
    pool_free(r->workers);
}

/* Up to `most` further rows of one sequence behind those that are in the step already. */
static void plan(runner *r, lane *l, uint32_t most) {
    const uint32_t left = (uint32_t)l->c->n_prompt - l->n_done, at = r->step.n_row;
    const uint32_t n = left < most ? left : most;
    if (n == 0) return;
    REQUIRE(kv_reserve(&r->pages, &l->kv, l->n_done + n, NULL) == RZ_OK);
    r->span[r->step.n_span++] = (row_span){at, n, l->n_done, l->kv.page, l->state, false};
    for (uint32_t i = 0; i < n; i++) {
        r->id[at + i] = l->c->prompt[l->n_done + i];
        r->pos[at + i] = l->n_done + i;
        r->logit_row[at + i] = at + i;
    }
    r->step.n_row = r->step.n_logit = at + n;
}

/* All sequences to their ends, sequence i in parts of chunk[i] rows, now in one order and now in
 * the other. */
static void run_all(runner *r, const uint32_t *chunk) {
    const size_t V = r->m->c.V;
    for (int round = 0;; round++) {
        lane *of[GOLDEN_PROMPTS];
        r->step.n_row = r->step.n_span = r->step.n_logit = 0;
        for (size_t k = 0; k < r->n; k++) {
            const size_t i = round % 2 ? r->n - 1 - k : k;
            const uint32_t before = r->step.n_span;
            plan(r, &r->lane[i], chunk[i]);
            if (r->step.n_span > before) of[before] = &r->lane[i];
        }
        if (r->step.n_row == 0) return;
        r->step.id = r->id;
        r->step.pos = r->pos;
        r->step.logit_row = r->logit_row;
        r->step.span = r->span;
        r->step.kv = &r->pages.slab;
        REQUIRE(forward(r->o, r->m, &r->step, NULL) == RZ_OK);
        for (uint32_t k = 0; k < r->step.n_span; k++) {
            const row_span *s = &r->span[k];
            memcpy(of[k]->logits + of[k]->n_done * V, r->step.logits + s->first_row * V,
                   s->n_row * V * sizeof(float));
            of[k]->n_done += s->n_row;
        }
    }
}

static void check_model(const char *name, const model *m, const golden *g) {
    static const uint32_t whole[] = {MAX_ROWS},
                          chunks[][GOLDEN_PROMPTS] = {{1, 1, 1}, {3, 16, 5}, {16, 3, 70}};
    static runner alone, together;
    for (size_t k = 0; k < 3; k++) {
        begin(&together, m, g->c, g->n_case, k == 1 ? 1 : 2);
        run_all(&together, chunks[k]);
        for (size_t i = 0; i < g->n_case; i++) {
            const size_t bytes = g->c[i].n_prompt * m->c.V * sizeof(float);
            begin(&alone, m, &g->c[i], 1, 1);
            run_all(&alone, whole);
            CHECK_MSG(memcmp(alone.lane[0].logits, together.lane[i].logits, bytes) == 0,
                      "%s: prompt %zu in parts of %u rows among others", name, i, chunks[k][i]);
            end(&alone);
        }
        end(&together);
    }
}

static void test_batches_parts_and_threads_change_no_bit(void) {
    const char *folder = test_shared("golden/models");
    const char *const *name = NULL;
    arena mem = ARENA_INIT;
    size_t n = 0;
    if (!folder) {
        test_skip("golden/models is not there");
        return;
    }
    REQUIRE(os_list_folder(folder, &mem, &name, &n, NULL) == RZ_OK);
    for (size_t i = 0; i < n; i++) {
        golden g;
        rz_model *m = NULL;
        rz_error e = {0};
        if (i % 3 && !test_thorough()) continue;
        if (!golden_open(&g, name[i], false)) continue;
        if (g.model_path[0] && rz_model_open(&m, g.model_path, NULL, &e) < 0)
            test_fail(__FILE__, __LINE__, "%s", e.text);
        /* Rotation by length: a text runs again when it grows, which is the session's work. */
        if (m && !m->m->long_by_length) check_model(name[i], m->m, &g);
        rz_model_close(m);
        golden_close(&g);
    }
    arena_free(&mem);
}

void suite_batch(void) { RUN(test_batches_parts_and_threads_change_no_bit); }
