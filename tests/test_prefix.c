/* test_prefix.c - a prompt that begins like an earlier one runs only its rest, to the same bits. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/mem.h"
#include "golden.h"
#include "model/forward.h"
#include "runtime/prefix.h"
#include "test.h"

enum { MAX_PROMPT = 5000, MAX_ANSWER = 64 };

/* One request and what came back. */
typedef struct answer {
    rz_token id[MAX_ANSWER];
    size_t n, cancel_after;
    bool done;
    rz_finish why;
    rz_usage use;
} answer;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static int on_token(void *ud, rz_token id, const char *text, size_t len) {
    answer *a = ud;
    (void)text, (void)len;
    if (id >= 0 && a->n < MAX_ANSWER) a->id[a->n++] = id;
    return a->cancel_after && a->n >= a->cancel_after;
}

static void on_done(void *ud, rz_finish why, const rz_usage *use, const rz_error *error) {
    answer *a = ud;
    (void)error;
    pthread_mutex_lock(&lock);
    a->why = why;
    a->use = *use;
    a->done = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for(answer *a) {
    pthread_mutex_lock(&lock);
    while (!a->done) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void begin(rz_engine *g, const rz_token *ids, size_t n, int max, answer *a) {
    rz_params p = RZ_PARAMS_INIT;
    rz_error e = {0};
    const rz_sink sink = {on_token, on_done, a};
    p.max_tokens = max;
    p.ignore_eos = 1;
    p.temperature = 1.5f; /* draws that small differences would change */
    p.seed = 77 + n;
    *a = (answer){.cancel_after = a->cancel_after};
    if (rz_engine_submit(g, ids, n, &p, &sink, NULL, &e) < 0) {
        test_fail(__FILE__, __LINE__, "%s", e.text);
        a->done = true;
    }
}

static void ask(rz_engine *g, const rz_token *ids, size_t n, int max, answer *a) {
    begin(g, ids, n, max, a);
    wait_for(a);
}

static bool same(const answer *a, const answer *b) {
    return a->n == b->n && memcmp(a->id, b->id, a->n * sizeof *a->id) == 0;
}

/* A text nobody wrote, different for each seed, without the first ids, which may be special. */
static void make_text(rz_token *ids, size_t n, uint64_t seed, uint32_t vocab) {
    for (size_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        ids[i] = (rz_token)(10 + (seed >> 33) % (vocab - 20));
    }
}

static rz_engine_stats stats_of(const rz_engine *g) {
    rz_engine_stats s;
    rz_engine_stats_get(g, &s);
    return s;
}

static rz_model *open_long_demo(int threads) {
    static const char *const set[] = {"llama.context_length=8192"};
    rz_model_options opt = RZ_MODEL_INIT;
    rz_model *m = NULL;
    rz_error e = {0};
    opt.threads = threads;
    opt.set = set;
    opt.n_set = 1;
    if (rz_model_open_demo(&m, &opt, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    return m;
}

static void test_a_shared_beginning_runs_once(void) {
    static rz_token text[MAX_PROMPT];
    const size_t shared = test_thorough() ? 4096 : 512;
    rz_model *m = open_long_demo(2);
    REQUIRE(m);
    rz_engine *g, *plain;
    rz_engine_options opt = RZ_ENGINE_INIT;
    REQUIRE(rz_engine_new(&g, m, &opt, NULL) == RZ_OK);
    opt.prefix_bytes = RZ_PREFIX_OFF;
    REQUIRE(rz_engine_new(&plain, m, &opt, NULL) == RZ_OK);
    make_text(text, MAX_PROMPT, 1, 512);
    answer first = {0}, second = {0}, alone = {0};
    ask(g, text, shared + 7, 20, &first);
    CHECK(first.use.cached == 0 && stats_of(g).prompt_tokens == shared + 7);
    make_text(text + shared, 40, 2, 512); /* it ends in another way */
    ask(g, text, shared + 40, 20, &second);
    CHECK_MSG(second.use.cached == shared, "%u tokens were found", second.use.cached);
    CHECK(second.use.prompt == shared + 40 && stats_of(g).prompt_tokens == shared + 7 + 40);
    ask(plain, text, shared + 40, 20, &alone);
    CHECK(same(&second, &alone) && alone.use.cached == 0);
    const rz_engine_stats s = stats_of(g), off = stats_of(plain);
    CHECK(s.prefix_queries == 2 && s.prefix_hits == 1 && s.prefix_tokens == shared);
    CHECK(s.prefix_bytes_used > shared && s.prefix_bytes_used <= s.prefix_bytes_total);
    CHECK(s.kv_pages_used == 0 && s.prefix_evictions == 0);
    CHECK(off.prefix_queries == 0 && off.prefix_bytes_used == 0 && off.prefix_bytes_total == 0);
    rz_engine_free(g);
    rz_engine_free(plain);
    rz_model_close(m);
}

/* Inside a page the rest of it is copied: the tail is what differs and nothing else. */
static void test_a_page_shared_in_part_is_copied(void) {
    rz_token text[200];
    answer a = {0}, b = {0}, c = {0};
    rz_model *m = open_long_demo(1);
    REQUIRE(m);
    rz_engine *g, *plain;
    rz_engine_options opt = RZ_ENGINE_INIT;
    REQUIRE(rz_engine_new(&g, m, NULL, NULL) == RZ_OK);
    opt.prefix_bytes = RZ_PREFIX_OFF;
    REQUIRE(rz_engine_new(&plain, m, &opt, NULL) == RZ_OK);
    make_text(text, 200, 3, 512);
    ask(g, text, 100, 30, &a);
    ask(g, text, 100, 30, &b); /* the same again: one token must run */
    CHECK(b.use.cached == 99 && same(&a, &b));
    memcpy(text + 100, a.id, 30 * sizeof *text); /* a conversation goes on */
    ask(g, text, 150, 30, &b);
    ask(plain, text, 150, 30, &c);
    CHECK_MSG(b.use.cached == 129, "%u tokens were found", b.use.cached);
    CHECK(same(&b, &c));
    text[77] = text[77] == 50 ? 51 : 50;
    ask(g, text, 150, 30, &b);
    ask(plain, text, 150, 30, &c);
    CHECK(b.use.cached == 77 && same(&b, &c));
    text[77] = text[77] == 50 ? 51 : 50; /* the page that was copied is as it was */
    make_text(text, 100, 3, 512);
    ask(g, text, 100, 30, &b);
    CHECK(b.use.cached == 99 && same(&a, &b));
    CHECK(stats_of(g).kv_pages_used == 0);
    rz_engine_free(g);
    rz_engine_free(plain);
    rz_model_close(m);
}

/* Texts that begin alike in several ways, with room for all or for hardly any. */
enum { WAYS = 8, WAY_PROMPT = 330, WAY_ANSWER = 24 };

static size_t make_way(rz_token *text, int i, uint32_t vocab, const answer *earlier) {
    size_t n = 300;
    make_text(text, n, 5, vocab);
    if (i == 0) return n;
    if (i == 3) { /* the first one's answer and a new question */
        memcpy(text + n, earlier[0].id, earlier[0].n * sizeof *text);
        n += earlier[0].n;
        make_text(text + n, 6, 9, vocab);
        return n + 6;
    }
    if (i == 4) n = 64;
    if (i == 5) n = 40;
    if (i == 6) n = 290;
    make_text(text + n, 20, 10 + (uint64_t)(i == 2 ? 1 : i), vocab);
    return n + 20;
}

static void run_ways(rz_engine *g, uint32_t vocab, answer *a) {
    rz_token text[WAY_PROMPT];
    for (int i = 0; i < WAYS; i++) {
        const size_t n = make_way(text, i, vocab, a);
        const uint64_t before = stats_of(g).prompt_tokens;
        ask(g, text, n, WAY_ANSWER, &a[i]);
        const uint64_t ran = stats_of(g).prompt_tokens - before;
        CHECK_MSG(a[i].why == RZ_FINISH_LENGTH, "way %d ended with %d", i, (int)a[i].why);
        CHECK_MSG(ran + a[i].use.cached >= n, "way %d: %u of %zu found, %llu ran", i,
                  a[i].use.cached, n, (unsigned long long)ran);
    }
}

static void run_ways_at_once(rz_engine *g, uint32_t vocab, const answer *known, const char *what) {
    static answer a[2 * WAYS];
    rz_token text[WAY_PROMPT];
    for (int i = 0; i < 2 * WAYS; i++) {
        const size_t n = make_way(text, i % WAYS, vocab, known);
        a[i].cancel_after = i % 5 == 4 ? 3 : 0;
        begin(g, text, n, WAY_ANSWER, &a[i]);
    }
    for (int i = 0; i < 2 * WAYS; i++) {
        wait_for(&a[i]);
        const answer *k = &known[i % WAYS];
        if (a[i].cancel_after)
            CHECK(a[i].why == RZ_FINISH_CANCEL && memcmp(a[i].id, k->id, 3 * sizeof *k->id) == 0);
        else CHECK_MSG(same(&a[i], k), "%s: request %d gives other tokens", what, i);
    }
    CHECK_MSG(stats_of(g).kv_pages_used == 0, "%s: %u pages are lost", what,
              stats_of(g).kv_pages_used);
}

static void check_ways(rz_model *m, const char *name) {
    static answer plain[WAYS], kept[WAYS];
    rz_model_info info;
    rz_engine *g;
    rz_error e = {0};
    rz_model_describe(m, &info);
    const size_t page = (size_t)rz_model_kv_bytes(m, RZ_KV_AUTO) * 32;
    rz_engine_options opt = RZ_ENGINE_INIT;
    opt.prefix_bytes = RZ_PREFIX_OFF;
    REQUIRE(rz_engine_new(&g, m, &opt, &e) == RZ_OK);
    run_ways(g, info.vocab, plain);
    rz_engine_free(g);
    for (int tight = 0; tight < 4; tight++) {
        char what[96];
        snprintf(what, sizeof what, "%s, %d", name, tight);
        opt = (rz_engine_options)RZ_ENGINE_INIT;
        opt.batch_tokens = tight == 3 ? 7 : 0;
        opt.max_requests = 6;
        if (tight == 1)
            opt.kv_bytes = 14 * (page ? page : 1); /* pages run short: eviction, preemption */
        if (tight == 2) opt.prefix_bytes = 5 * (page + 200) + 3 * info.state_bytes;
        REQUIRE(rz_engine_new(&g, m, &opt, &e) == RZ_OK);
        run_ways(g, info.vocab, kept);
        for (int i = 0; i < WAYS; i++)
            CHECK_MSG(same(&kept[i], &plain[i]), "%s: way %d gives other tokens", what, i);
        if (tight == 0) {
            CHECK_MSG(kept[2].use.cached >= 256, "%s: %u found", what, kept[2].use.cached);
            CHECK_MSG(kept[3].use.cached >= 256, "%s: %u found", what, kept[3].use.cached);
            CHECK(stats_of(g).prefix_hits >= 4 && stats_of(g).prefix_evictions == 0);
        }
        if (tight == 1 || tight == 2) CHECK(stats_of(g).prefix_evictions > 0);
        CHECK(stats_of(g).prefix_bytes_used <= stats_of(g).prefix_bytes_total);
        for (int round = 0; round < 2; round++) run_ways_at_once(g, info.vocab, plain, what);
        rz_engine_free(g);
    }
}

static void test_answers_are_the_same_with_and_without(void) {
    rz_model *m = open_long_demo(2);
    REQUIRE(m);
    check_ways(m, "demo");
    rz_model_close(m);
}

/* Windows, recurrent state, both kinds of layers, latents, rotation by length. */
static void test_every_kind_of_memory_is_kept(void) {
    static const char *const names[] = {
        "gguf-gemma3",    "hf-mistral",       "gguf-mamba",          "gguf-mamba2",
        "ox-nano-hybrid", "ox-mamba3-hybrid", "gguf-deepseek2-lite", "hf-phi3-longrope",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        golden gold;
        rz_model *m;
        rz_error e = {0};
        if (i % 3 && !test_thorough()) continue;
        if (!golden_open(&gold, names[i], false)) {
            test_skip("golden/models/%s is not there", names[i]);
            continue;
        }
        REQUIRE(rz_model_open(&m, gold.model_path, NULL, &e) == RZ_OK);
        check_ways(m, names[i]);
        rz_model_close(m);
        golden_close(&gold);
    }
}

/* Where nothing but a copy of the state allows to go on, and where a second text left the first. */
static void test_states_are_kept_where_texts_part(void) {
    golden gold;
    rz_model *m;
    rz_engine *g;
    rz_error e = {0};
    rz_token text[1200];
    answer a = {0};
    if (!golden_open(&gold, "gguf-mamba2", false)) {
        test_skip("golden/models/gguf-mamba2 is not there");
        return;
    }
    REQUIRE(rz_model_open(&m, gold.model_path, NULL, &e) == RZ_OK);
    REQUIRE(rz_engine_new(&g, m, NULL, &e) == RZ_OK);
    make_text(text, 1200, 21, 320);
    ask(g, text, 1100, 8, &a);
    CHECK(a.use.cached == 0);
    make_text(text + 700, 400, 22, 320);
    ask(g, text, 1100, 8, &a);
    CHECK_MSG(a.use.cached == 512, "%u found", a.use.cached); /* every 256 tokens */
    make_text(text + 700, 400, 23, 320);
    ask(g, text, 1100, 8, &a);
    CHECK_MSG(a.use.cached == 672, "%u found", a.use.cached); /* the page before they part */
    ask(g, text, 1100, 8, &a);
    CHECK_MSG(a.use.cached == 1088, "%u found", a.use.cached); /* the last page of a prompt */
    memcpy(text + 1100, a.id, 7 * sizeof *text);
    ask(g, text, 1140, 8, &a);
    CHECK_MSG(a.use.cached == 1107, "%u found", a.use.cached); /* where the answer ended */
    rz_engine_free(g);
    rz_model_close(m);
    golden_close(&gold);
}

/* ---- Below the engine: the logits themselves ---- */

typedef struct bench {
    const model *m;
    ops *o;
    step st;
    kv_pool pages;
    ssm_pool states;
    prefix tree;
    uint32_t pos[512], last;
    row_span span;
} bench;

static seq *new_text(const bench *b, const rz_token *ids, uint32_t n) {
    const rz_params p = RZ_PARAMS_INIT;
    const rz_sink sink = {NULL, NULL, NULL};
    seq *q = NULL;
    err e = {0};
    (void)b;
    return seq_new(&q, ids, n, &p, &sink, NULL, n + 1, &e) == RZ_OK ? q : NULL;
}

/* Run all of q that is not there, `chunk` rows at a time; returns how many rows ran. */
static uint32_t run_text(bench *b, seq *q, uint32_t chunk) {
    uint32_t ran = 0;
    err e = {0};
    prefix_take(&b->tree, q);
    if (kv_reserve(&b->pages, &q->kv, q->n_token, &e) < 0) return 0;
    q->state = ssm_take(&b->states);
    prefix_fill(&b->tree, q);
    while (q->n_done < q->n_token) {
        const uint32_t left = q->n_token - q->n_done;
        const uint32_t rows = prefix_rows(&b->tree, q, left < chunk ? left : chunk);
        b->span = (row_span){0, rows, q->n_done, q->kv.page, q->state, false};
        for (uint32_t i = 0; i < rows; i++) b->pos[i] = q->n_done + i;
        b->last = rows - 1;
        b->st.id = q->tokens + q->n_done;
        b->st.pos = b->pos;
        b->st.n_row = rows;
        b->st.span = &b->span;
        b->st.n_span = b->st.n_logit = 1;
        b->st.logit_row = &b->last;
        b->st.kv = &b->pages.slab;
        if (forward(b->o, b->m, &b->st, &e) < 0) return 0;
        q->n_done += rows;
        ran += rows;
        prefix_note(&b->tree, q);
    }
    return ran;
}

static void end_text(bench *b, seq *q) {
    prefix_leave(&b->tree, q);
    ssm_give(&b->states, q->state);
    seq_free(q, &b->pages);
}

static void check_logits(const rz_model *m, const char *name) {
    bench b = {.m = m->m};
    err e = {0};
    rz_token text[330];
    const size_t bytes = m->m->c.V * sizeof(float);
    float *fresh = mem_alloc(bytes);
    REQUIRE(fresh && ops_cpu_new(&b.o, m->workers, 512, model_max_cols(m->m), &e) == RZ_OK);
    REQUIRE(step_init(&b.st, m->m, 512, 1, &e) == RZ_OK);
    REQUIRE(kv_pool_init(&b.pages, m->m, KV_F16, 40, &e) == RZ_OK);
    REQUIRE(ssm_pool_init(&b.states, m->m->state_width, 2, &e) == RZ_OK);
    REQUIRE(prefix_init(&b.tree, &b.pages, m->m, 2048, 1 << 24, &e) == RZ_OK);
    make_text(text, 330, 31, m->m->c.V);
    seq *q = new_text(&b, text, 330);
    REQUIRE(q);
    CHECK(run_text(&b, q, 512) == 330 && b.tree.hits == 0);
    memcpy(fresh, b.st.logits, bytes);
    end_text(&b, q);
    const uint32_t idle = b.tree.n_idle;
    CHECK_MSG(idle + b.pages.n_free == 40 && idle == 11, "%s: %u idle pages", name, idle);
    for (uint32_t chunk = 1; chunk <= 64; chunk += 9) {
        q = new_text(&b, text, 330);
        REQUIRE(q);
        const uint32_t ran = run_text(&b, q, chunk);
        CHECK_MSG(ran > 0 && ran <= 330 - 320, "%s: %u rows ran", name, ran);
        CHECK_MSG(memcmp(fresh, b.st.logits, bytes) == 0, "%s: other logits, chunks of %u", name,
                  chunk);
        end_text(&b, q);
    }
    CHECK(prefix_make_room(&b.tree, 40) && b.pages.n_free == 40 && b.tree.held == 0);
    CHECK(!prefix_make_room(&b.tree, 41) && b.tree.saved.n_free == b.tree.saved.n_slot);
    prefix_done(&b.tree);
    ssm_pool_done(&b.states);
    kv_pool_done(&b.pages);
    step_done(&b.st);
    b.o->free(b.o);
    mem_free(fresh);
}

static void test_logits_are_the_same_to_the_bit(void) {
    static const char *const names[] = {"gguf-gemma3", "gguf-mamba2", "ox-mamba3-hybrid"};
    rz_model *m = open_long_demo(2);
    REQUIRE(m);
    check_logits(m, "demo");
    rz_model_close(m);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        golden gold;
        if (!golden_open(&gold, names[i], false)) {
            test_skip("golden/models/%s is not there", names[i]);
            continue;
        }
        REQUIRE(rz_model_open(&m, gold.model_path, NULL, NULL) == RZ_OK);
        check_logits(m, names[i]);
        rz_model_close(m);
        golden_close(&gold);
    }
}

void suite_prefix(void) {
    RUN(test_a_shared_beginning_runs_once);
    RUN(test_a_page_shared_in_part_is_copied);
    RUN(test_answers_are_the_same_with_and_without);
    RUN(test_every_kind_of_memory_is_kept);
    RUN(test_states_are_kept_where_texts_part);
    RUN(test_logits_are_the_same_to_the_bit);
}
