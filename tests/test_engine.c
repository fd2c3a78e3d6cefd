/* test_engine.c - many requests at once give what each gives alone, and none disturbs another. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/os.h"
#include "golden.h"
#include "parrot.h"
#include "test.h"

enum { MAX_IDS = 256 };

/* One request and what came back. */
typedef struct answer {
    rz_token id[MAX_IDS];
    size_t n;
    buf text;
    bool done;
    rz_finish why;
    rz_usage use;
    rz_error error;
    bool slow;           /* the reader takes 3 ms for each token */
    size_t cancel_after; /* stop from the callback after this many tokens; 0 = never */
    uint64_t allocs_early, allocs_late; /* of the engine thread, at tokens 5 and 60 */
} answer;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static int on_token(void *ud, rz_token id, const char *text, size_t len) {
    answer *a = ud;
    if (a->slow) usleep(3000);
    if (a->n == 5) a->allocs_early = mem_count();
    if (a->n == 60) a->allocs_late = mem_count();
    if (id >= 0 && a->n < MAX_IDS) a->id[a->n++] = id;
    buf_add(&a->text, text, len);
    return a->cancel_after && a->n >= a->cancel_after;
}

static void on_done(void *ud, rz_finish why, const rz_usage *use, const rz_error *error) {
    answer *a = ud;
    pthread_mutex_lock(&lock);
    a->why = why;
    a->use = *use;
    if (error) a->error = *error;
    a->done = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for(answer *a) {
    pthread_mutex_lock(&lock);
    while (!a->done) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static rz_status submit(rz_engine *g, const char *prompt, const rz_params *p, answer *a,
                        rz_ticket *ticket, rz_error *e) {
    rz_token ids[MAX_IDS];
    size_t n = 0;
    const rz_sink sink = {on_token, on_done, a};
    const rz_status s = rz_encode(rz_model_tokenizer(rz_engine_model(g)), prompt, strlen(prompt),
                                  RZ_ENCODE_BOS, ids, MAX_IDS, &n, e);
    return s < 0 ? s : rz_engine_submit(g, ids, n, p, &sink, ticket, e);
}

static const char *const prompts[] = {
    "Once upon a time",
    "One day a little girl",
    "The dog",
    "There was a big red ball. The ball was lost and nobody could find it, so",
    "A",
    "In the garden the cat saw a bird and the bird saw the cat.",
    "Mom said",
    "It was night and the moon was bright over the small house at the end of the road, and",
};
enum { PROMPTS = sizeof prompts / sizeof *prompts };

static rz_params params_of(int i) {
    rz_params p = RZ_PARAMS_INIT;
    p.max_tokens = 60 + 5 * (i % 3);
    p.ignore_eos = 1;
    if (i % 2) { /* half of them sampled, each with a stream of its own */
        p.temperature = 0.9f;
        p.top_k = 40;
        p.top_p = 0.95f;
        p.repeat_penalty = 1.1f;
        p.seed = 1000 + (uint64_t)i;
    }
    return p;
}

static rz_model *open_demo(int threads) {
    rz_model_options opt = RZ_MODEL_INIT;
    opt.threads = threads;
    rz_model *m = NULL;
    if (rz_model_open_demo(&m, &opt, NULL) < 0) test_fail(__FILE__, __LINE__, "no demo model");
    return m;
}

/* An engine that runs so many requests at once, or NULL. */
static rz_engine *open_engine(rz_model *m, size_t places) {
    rz_engine *g = NULL;
    rz_engine_options opt = RZ_ENGINE_INIT;
    opt.max_requests = places;
    if (rz_engine_new(&g, m, &opt, NULL) < 0) test_fail(__FILE__, __LINE__, "no engine");
    return g;
}

static void run_alone(rz_model *m, answer *a) {
    for (int i = 0; i < PROMPTS; i++) {
        rz_engine *g;
        const rz_params p = params_of(i);
        rz_error e = {0};
        REQUIRE(rz_engine_new(&g, m, NULL, &e) == RZ_OK);
        memset(&a[i], 0, sizeof a[i]);
        if (submit(g, prompts[i], &p, &a[i], NULL, &e) < 0)
            test_fail(__FILE__, __LINE__, "%s", e.text);
        else wait_for(&a[i]);
        rz_engine_free(g);
    }
}

static void check_same(const answer *a, const answer *b, const char *what) {
    for (int i = 0; i < PROMPTS; i++) {
        CHECK_MSG(a[i].n == b[i].n && memcmp(a[i].id, b[i].id, a[i].n * sizeof(rz_token)) == 0,
                  "%s: prompt %d gives other tokens (%zu and %zu)", what, i, a[i].n, b[i].n);
        CHECK_MSG(str_eq(buf_view(&a[i].text), buf_view(&b[i].text)), "%s: prompt %d: other text",
                  what, i);
    }
}

static void free_answers(answer *a) {
    for (int i = 0; i < PROMPTS; i++) buf_free(&a[i].text);
}

static void run_together(rz_model *m, const rz_engine_options *opt, answer *a) {
    rz_engine *g;
    rz_error e = {0};
    REQUIRE(rz_engine_new(&g, m, opt, &e) == RZ_OK);
    for (int i = 0; i < PROMPTS; i++) {
        const rz_params p = params_of(i);
        memset(&a[i], 0, sizeof a[i]);
        REQUIRE(submit(g, prompts[i], &p, &a[i], NULL, &e) == RZ_OK);
    }
    for (int i = 0; i < PROMPTS; i++) wait_for(&a[i]);
    rz_engine_stats stats;
    rz_engine_free(g);
    REQUIRE(rz_engine_new(&g, m, opt, &e) == RZ_OK);
    rz_engine_stats_get(g, &stats);
    CHECK(stats.requests == 0 && stats.kv_pages_used == 0 && stats.kv_bytes_total > 0);
    rz_engine_free(g);
}

/* The model as its own draft is right about every greedy token, so a step makes five of them; a
 * text that goes round is guessed from itself. */
static void test_guesses_save_steps(void) {
    static const char round[] = "the dog the dog the dog the dog the dog the dog the dog the dog";
    rz_model *m = open_demo(1);
    REQUIRE(m);
    for (int by_model = 0; by_model < 2; by_model++) {
        static answer a;
        rz_engine *g;
        rz_engine_options opt = RZ_ENGINE_INIT;
        rz_engine_stats stats;
        rz_params p = RZ_PARAMS_INIT;
        rz_error e = {0};
        opt.max_requests = 1;
        opt.draft = by_model ? m : NULL;
        opt.lookup = by_model ? 0 : 4;
        p.max_tokens = 60;
        p.ignore_eos = 1;
        REQUIRE(rz_engine_new(&g, m, &opt, &e) == RZ_OK);
        memset(&a, 0, sizeof a);
        /* Saying the same again is made certain. */
        rz_token again[2];
        rz_bias bias[2];
        size_t n;
        REQUIRE(rz_encode(rz_model_tokenizer(m), " the dog", 8, 0, again, 2, &n, &e) == RZ_OK);
        for (int i = 0; i < 2; i++) bias[i] = (rz_bias){again[i], 100};
        p.bias = bias;
        p.n_bias = by_model ? 0 : 1;
        REQUIRE(submit(g, round, &p, &a, NULL, &e) == RZ_OK);
        wait_for(&a);
        rz_engine_stats_get(g, &stats);
        CHECK(a.n == 60);
        CHECK_MSG(stats.draft_tokens > 0 && stats.draft_accepted > 40 && stats.steps < 25,
                  "%llu guesses, %llu right, %llu steps", (unsigned long long)stats.draft_tokens,
                  (unsigned long long)stats.draft_accepted, (unsigned long long)stats.steps);
        if (by_model) CHECK(stats.draft_accepted == stats.draft_tokens);
        CHECK(stats.kv_pages_used == 0);
        buf_free(&a.text);
        rz_engine_free(g);
    }
    rz_model_close(m);
}

static void test_a_draft_model_must_fit(void) {
    static const char *const say[] = {"a", "b"};
    rz_model *m = open_demo(1), *other = NULL;
    rz_engine *g = NULL;
    rz_engine_options opt = RZ_ENGINE_INIT;
    rz_error e = {0};
    REQUIRE(m);
    opt.lookup = 17;
    CHECK(rz_engine_new(&g, m, &opt, &e) == RZ_EINVAL && !g);
    CHECK_STR(e.text, "lookup is 17, expected at most 16");
    const char *path = test_temp("draft.gguf");
    REQUIRE(parrot_write(path, NULL, say, 2, &e) == RZ_OK);
    REQUIRE(rz_model_open(&other, path, NULL, &e) == RZ_OK);
    opt.lookup = 0;
    opt.draft = other;
    CHECK(rz_engine_new(&g, m, &opt, &e) == RZ_EINVAL && !g);
    CHECK_STR(e.text, "the draft model knows 261 tokens, the model 512");
    rz_model_close(other);
    rz_model_close(m);
}

static void test_batches_change_no_token(void) {
    static answer alone[PROMPTS], together[PROMPTS];
    for (int threads = 1; threads <= 2; threads++) {
        rz_model *m = open_demo(threads);
        REQUIRE(m);
        if (threads == 1) run_alone(m, alone);
        struct {
            const char *what;
            rz_engine_options opt;
        } way[] = {
            {"together", RZ_ENGINE_INIT},
            {"batches of 3 rows", RZ_ENGINE_INIT},
            {"2 at a time", RZ_ENGINE_INIT},
            {"7 pages, preempting", RZ_ENGINE_INIT},
            {"guessing from the text", RZ_ENGINE_INIT},
            {"guessing with 7 pages and 9 rows", RZ_ENGINE_INIT},
            {"guessing with a model", RZ_ENGINE_INIT},
            {"guessing both ways, 2 at a time", RZ_ENGINE_INIT},
        };
        way[1].opt.batch_tokens = 3;
        way[2].opt.max_requests = 2;
        rz_model_info info;
        rz_model_describe(m, &info);
        way[3].opt.kv_bytes = 7ul * 32 * info.kv_floats_per_token * 2;
        way[4].opt.lookup = 16;
        way[5].opt = way[3].opt;
        way[5].opt.lookup = 5;
        way[5].opt.batch_tokens = 9;
        way[6].opt.draft = m;
        way[7].opt = way[2].opt;
        way[7].opt.draft = m;
        way[7].opt.lookup = 3;
        for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
            run_together(m, &way[i].opt, together);
            check_same(alone, together, way[i].what);
            for (int j = 0; j < PROMPTS; j++)
                CHECK(together[j].why == RZ_FINISH_LENGTH &&
                      together[j].use.output == together[j].n && together[j].n >= 60);
            free_answers(together);
        }
        rz_model_close(m);
    }
    free_answers(alone);
}

static void test_tokens_take_no_memory(void) {
    rz_model *m = open_demo(1);
    REQUIRE(m);
    rz_engine *g;
    REQUIRE(rz_engine_new(&g, m, NULL, NULL) == RZ_OK);
    answer a = {0};
    const rz_params p = params_of(2);
    REQUIRE(submit(g, prompts[0], &p, &a, NULL, NULL) == RZ_OK);
    wait_for(&a);
    /* The answer's own text buffer grows in the callback; each doubling is one allocation. */
    uint64_t own = 0;
    for (size_t cap = 64; cap < a.text.cap; cap *= 2) own++;
    CHECK_MSG(a.allocs_late - a.allocs_early <= own, "%llu allocations in 55 tokens",
              (unsigned long long)(a.allocs_late - a.allocs_early));
    buf_free(&a.text);
    rz_engine_free(g);
    rz_model_close(m);
}

static void test_cancel_at_every_step(void) {
    rz_model *m = open_demo(2);
    REQUIRE(m);
    rz_engine *g;
    REQUIRE(rz_engine_new(&g, m, NULL, NULL) == RZ_OK);
    static answer other;
    memset(&other, 0, sizeof other);
    for (size_t after = 1; after < 40; after += 3) {
        answer a = {.cancel_after = after};
        const rz_params p = params_of(0);
        REQUIRE(submit(g, prompts[0], &p, &a, NULL, NULL) == RZ_OK);
        wait_for(&a);
        CHECK(a.why == RZ_FINISH_CANCEL && a.n == after);
        buf_free(&a.text);
    }
    for (int i = 0; i < 50; i++) { /* by ticket, at whatever moment it arrives */
        answer a = {0};
        rz_ticket t;
        const rz_params p = params_of(0);
        REQUIRE(submit(g, prompts[3], &p, &a, &t, NULL) == RZ_OK);
        if (i % 3 == 1) sched_yield();
        rz_engine_cancel(g, t);
        rz_engine_cancel(g, t + 1000); /* nobody */
        wait_for(&a);
        CHECK(a.why == RZ_FINISH_CANCEL || a.why == RZ_FINISH_LENGTH);
        buf_free(&a.text);
    }
    rz_engine_stats stats;
    rz_engine_stats_get(g, &stats);
    CHECK(stats.kv_pages_used == 0 && stats.running == 0 && stats.requests == 63);
    rz_engine_free(g);
    rz_model_close(m);
}

static void test_free_ends_what_runs(void) {
    rz_model *m = open_demo(2);
    REQUIRE(m);
    rz_engine *g = open_engine(m, 2);
    REQUIRE(g);
    static answer a[PROMPTS];
    memset(a, 0, sizeof a);
    for (int i = 0; i < PROMPTS; i++) {
        rz_params p = params_of(i);
        p.max_tokens = 0;
        REQUIRE(submit(g, prompts[i], &p, &a[i], NULL, NULL) == RZ_OK);
    }
    rz_engine_free(g);
    for (int i = 0; i < PROMPTS; i++) CHECK(a[i].done);
    CHECK(a[PROMPTS - 1].why == RZ_FINISH_CANCEL);
    free_answers(a);
    rz_model_close(m);
}

static void test_full_queue_and_long_prompts_are_refused(void) {
    rz_model *m = open_demo(1);
    REQUIRE(m);
    rz_engine *g;
    rz_error e = {0};
    rz_engine_options opt = RZ_ENGINE_INIT;
    opt.max_requests = 1;
    opt.max_queue = 2;
    opt.context = 64;
    REQUIRE(rz_engine_new(&g, m, &opt, &e) == RZ_OK);
    CHECK(rz_engine_context(g) == 64);
    static answer a[4];
    memset(a, 0, sizeof a);
    rz_ticket t[4] = {0};
    rz_params p = params_of(0);
    int taken = 0;
    for (int i = 0; i < 4; i++) {
        if (submit(g, prompts[0], &p, &a[i], &t[i], &e) == RZ_OK) {
            taken++;
            if (i == 0) rz_engine_pause(g, t[0], 1); /* it cannot end before the others come */
        } else {
            CHECK(e.status == RZ_EFULL);
            CHECK_STR(e.text, "engine: 3 requests are running or waiting already");
        }
    }
    CHECK(taken == 3);
    rz_engine_pause(g, t[0], 0);
    for (int i = 0; i < 3; i++) {
        wait_for(&a[i]);
        buf_free(&a[i].text);
    }
    rz_token long_prompt[64];
    for (int i = 0; i < 64; i++) long_prompt[i] = 5;
    const rz_sink sink = {on_token, on_done, &a[0]};
    CHECK(rz_engine_submit(g, long_prompt, 64, &p, &sink, NULL, &e) == RZ_EFULL);
    CHECK_STR(e.text, "the prompt has 64 tokens, a context of 64 leaves no room");
    CHECK(rz_engine_submit(g, long_prompt, 0, &p, &sink, NULL, &e) == RZ_EINVAL);
    long_prompt[3] = -1;
    CHECK(rz_engine_submit(g, long_prompt, 10, &p, &sink, NULL, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "token -1 at position 3 is not in a vocabulary of 512");
    p.top_p = 1.5f;
    CHECK(rz_engine_submit(g, long_prompt, 2, &p, &sink, NULL, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "top_p is 1.5, expected 0 to 1");
    rz_engine_free(g);
    rz_model_close(m);
}

static void test_a_paused_reader_stops_nobody(void) {
    rz_model *m = open_demo(1);
    REQUIRE(m);
    rz_engine *g = open_engine(m, 1); /* the paused one holds the only place */
    REQUIRE(g);
    static answer slow, quick, alone;
    memset(&slow, 0, sizeof slow);
    memset(&quick, 0, sizeof quick);
    memset(&alone, 0, sizeof alone);
    const rz_params p = params_of(1);
    rz_ticket t;
    REQUIRE(submit(g, prompts[1], &p, &alone, NULL, NULL) == RZ_OK);
    wait_for(&alone);
    REQUIRE(submit(g, prompts[1], &p, &slow, &t, NULL) == RZ_OK);
    rz_engine_pause(g, t, 1);
    REQUIRE(submit(g, prompts[0], &p, &quick, NULL, NULL) == RZ_OK);
    wait_for(&quick);
    CHECK(quick.why == RZ_FINISH_LENGTH);
    rz_engine_pause(g, t, 0);
    wait_for(&slow);
    CHECK(slow.n == alone.n && memcmp(slow.id, alone.id, slow.n * sizeof(rz_token)) == 0);
    buf_free(&slow.text);
    buf_free(&quick.text);
    buf_free(&alone.text);
    rz_engine_free(g);
    rz_model_close(m);
}

/* Running, held by its reader, or waiting for a place: its time ends all the same. */
static void test_a_request_ends_when_its_time_is_over(void) {
    rz_model *m = open_demo(1);
    REQUIRE(m);
    rz_engine *g = open_engine(m, 1);
    REQUIRE(g);
    static answer late[3], patient;
    memset(late, 0, sizeof late);
    memset(&patient, 0, sizeof patient);
    rz_params p = params_of(0); /* 60 tokens */
    rz_ticket t;
    rz_error e = {0};
    for (int i = 0; i < 3; i++) {
        late[i].slow = true;
        p.timeout_ms = i == 1 ? 2 : 50;
        REQUIRE(submit(g, prompts[0], &p, &late[i], &t, &e) == RZ_OK);
    }
    rz_engine_pause(g, t, 1);
    for (int i = 0; i < 3; i++) wait_for(&late[i]);
    for (int i = 0; i < 3; i++) {
        CHECK(late[i].why == RZ_FINISH_ERROR && late[i].error.status == RZ_ECANCELED);
        CHECK(late[i].use.output == late[i].n && late[i].n < 60);
        buf_free(&late[i].text);
    }
    CHECK_STR(late[0].error.text, "the request took longer than 0.05 s");
    p.timeout_ms = 86400000;
    REQUIRE(submit(g, prompts[0], &p, &patient, NULL, &e) == RZ_OK);
    wait_for(&patient);
    CHECK(patient.why == RZ_FINISH_LENGTH && patient.n == 60);
    rz_engine_stats stats;
    rz_engine_stats_get(g, &stats);
    CHECK(stats.kv_pages_used == 0 && stats.running == 0 && stats.queued == 0);
    p.timeout_ms = -1;
    CHECK(submit(g, prompts[0], &p, &patient, NULL, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "timeout_ms is -1, expected 0 or more");
    buf_free(&patient.text);
    rz_engine_free(g);
    rz_model_close(m);
}

static void test_stop_strings_end_the_text_before_them(void) {
    rz_model *m = open_demo(1);
    REQUIRE(m);
    rz_engine *g;
    REQUIRE(rz_engine_new(&g, m, NULL, NULL) == RZ_OK);
    answer whole = {0}, cut = {0}, absent = {0};
    rz_params p = params_of(0);
    REQUIRE(submit(g, prompts[0], &p, &whole, NULL, NULL) == RZ_OK);
    wait_for(&whole);
    REQUIRE(whole.text.len > 60);
    char stop[8] = {0};
    memcpy(stop, whole.text.p + 40, 5); /* usually crosses token boundaries */
    const char *const stops[] = {"", "\x01never", stop};
    const ptrdiff_t at = str_find(buf_view(&whole.text), str_of(stop));
    p.stop = stops;
    p.n_stop = 3;
    REQUIRE(submit(g, prompts[0], &p, &cut, NULL, NULL) == RZ_OK);
    wait_for(&cut);
    CHECK(cut.why == RZ_FINISH_STOP && (ptrdiff_t)cut.text.len == at);
    CHECK(memcmp(cut.text.p, whole.text.p, cut.text.len) == 0);
    p.n_stop = 2;
    REQUIRE(submit(g, prompts[0], &p, &absent, NULL, NULL) == RZ_OK);
    wait_for(&absent);
    CHECK(absent.why == RZ_FINISH_LENGTH && str_eq(buf_view(&absent.text), buf_view(&whole.text)));
    buf_free(&whole.text);
    buf_free(&cut.text);
    buf_free(&absent.text);
    rz_engine_free(g);
    rz_model_close(m);
}

static void test_context_bounds_the_answer(void) {
    rz_model *m = open_demo(1);
    REQUIRE(m);
    rz_engine *g;
    rz_engine_options opt = RZ_ENGINE_INIT;
    opt.context = 50;
    REQUIRE(rz_engine_new(&g, m, &opt, NULL) == RZ_OK);
    answer a = {0};
    rz_params p = params_of(0);
    p.max_tokens = 0;
    REQUIRE(submit(g, prompts[0], &p, &a, NULL, NULL) == RZ_OK);
    wait_for(&a);
    CHECK(a.why == RZ_FINISH_LENGTH && a.use.prompt + a.use.output == 50);
    buf_free(&a.text);
    rz_engine_free(g);
    rz_model_close(m);
}

static int count_text(void *ud, const char *text, size_t len) {
    (void)text;
    *(size_t *)ud += len;
    return 0;
}

static void test_generate_is_one_call(void) {
    rz_model *m = open_demo(1);
    REQUIRE(m);
    size_t len = 0;
    rz_usage use;
    rz_params p = RZ_PARAMS_INIT;
    p.max_tokens = 20;
    rz_error e = {0};
    CHECK(rz_generate(m, "Once upon a time", &p, count_text, &len, &use, &e) == RZ_OK);
    CHECK(use.output == 20 && len > 20);
    p.temperature = -1;
    CHECK(rz_generate(m, "x", &p, count_text, &len, &use, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "temperature is -1, expected 0 to 1e+06");
    rz_model_close(m);
}

static void test_engine_survives_no_memory(void) {
    rz_model *m = open_demo(1);
    REQUIRE(m);
    long n = 1;
    for (; n < 200; n++) {
        rz_engine *g;
        rz_error e = {0};
        mem_fail_at(n);
        const rz_status s = rz_engine_new(&g, m, NULL, &e);
        const bool hit = mem_fail_hit();
        mem_fail_at(0);
        if (s == RZ_OK) rz_engine_free(g);
        if (!hit) break;
        CHECK(s < 0);
    }
    CHECK(n > 5 && n < 200);
    rz_engine *g;
    REQUIRE(rz_engine_new(&g, m, NULL, NULL) == RZ_OK);
    int refused = 0;
    for (n = 1; n < 60; n++) { /* a request either is refused, or ends, whatever fails */
        answer a = {0};
        rz_error e = {0};
        const rz_token ids[] = {1, 30, 40};
        const rz_sink sink = {NULL, on_done, &a};
        rz_params p = RZ_PARAMS_INIT;
        p.max_tokens = 10;
        mem_fail_at(n);
        const rz_status s = rz_engine_submit(g, ids, 3, &p, &sink, NULL, &e);
        if (s == RZ_OK) wait_for(&a);
        else refused++;
        mem_fail_at(0);
        CHECK(s == RZ_OK || s == RZ_ENOMEM);
    }
    CHECK(refused >= 3);
    rz_engine_free(g);
    rz_model_close(m);
}

/* Whatever a model remembers is given, taken and built again like pages are. */
static void check_family(const char *name, const rz_engine_options *opt, const char *what) {
    golden g;
    if (!golden_open(&g, name, false)) {
        test_skip("golden/models/%s is not there", name);
        return;
    }
    rz_model *m;
    rz_engine *e;
    rz_error error = {0};
    REQUIRE(rz_model_open(&m, g.model_path, NULL, &error) == RZ_OK);
    REQUIRE(rz_engine_new(&e, m, opt, &error) == RZ_OK);
    static answer a[2 * GOLDEN_PROMPTS];
    memset(a, 0, sizeof a);
    for (size_t i = 0; i < 2 * g.n_case; i++) {
        const golden_case *c = &g.c[i % g.n_case];
        rz_params p = RZ_PARAMS_INIT;
        p.max_tokens = (int)c->n_greedy;
        p.ignore_eos = 1;
        const rz_sink sink = {on_token, on_done, &a[i]};
        REQUIRE(rz_engine_submit(e, c->prompt, c->n_prompt, &p, &sink, NULL, &error) == RZ_OK);
    }
    for (size_t i = 0; i < 2 * g.n_case; i++) {
        const golden_case *c = &g.c[i % g.n_case];
        wait_for(&a[i]);
        CHECK_MSG(
            a[i].n == c->n_greedy && memcmp(a[i].id, c->greedy, a[i].n * sizeof(rz_token)) == 0,
            "%s, %s: prompt %zu gives other tokens", name, what, i);
        buf_free(&a[i].text);
    }
    rz_engine_free(e);
    rz_model_close(m);
    golden_close(&g);
}

static void test_recurrent_models_batch_and_come_back(void) {
    rz_engine_options opt = RZ_ENGINE_INIT;
    static const char *const names[] = {"gguf-mamba", "gguf-mamba2", "ox-mamba3-conv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        opt = (rz_engine_options)RZ_ENGINE_INIT;
        check_family(names[i], &opt, "together");
        opt.batch_tokens = 5;
        check_family(names[i], &opt, "batches of 5 rows");
        opt.kv_bytes = 4; /* a page of nothing counts as a byte: 128 tokens in all */
        check_family(names[i], &opt, "4 pages, preempting");
    }
}

static void test_latent_caches_batch_and_come_back(void) {
    rz_engine_options opt = RZ_ENGINE_INIT;
    opt.kv = RZ_KV_F32;
    check_family("gguf-deepseek2-lite", &opt, "together");
    check_family("gguf-deepseek2-v3", &opt, "together");
    opt.batch_tokens = 5;
    check_family("gguf-deepseek2-v3", &opt, "batches of 5 rows");
    /* 4 pages of 32 tokens, 3 layers of 20 + 8 numbers: 128 tokens in all. */
    opt.kv_bytes = 4 * 32 * 3 * 28 * sizeof(float);
    check_family("gguf-deepseek2-v3", &opt, "4 pages, preempting");
}

/* Pages and states at once: both come and go together. */
static void test_hybrids_batch_and_come_back(void) {
    static const struct {
        const char *name;
        size_t page_bytes; /* layers with a cache x (rank + rope) x 32 tokens */
    } family[] = {{"ox-nano-hybrid", 40 * 32 * sizeof(float)},
                  {"ox-mamba3-hybrid", 40 * 32 * sizeof(float)}};
    for (size_t i = 0; i < sizeof family / sizeof *family; i++) {
        rz_engine_options opt = RZ_ENGINE_INIT;
        opt.kv = RZ_KV_F32;
        check_family(family[i].name, &opt, "together");
        opt.batch_tokens = 5;
        check_family(family[i].name, &opt, "batches of 5 rows");
        opt.kv_bytes = 4 * family[i].page_bytes;
        check_family(family[i].name, &opt, "4 pages, preempting");
    }
}

/* Texts grow from one rotation into the other beside texts that are there already. */
static void test_rotation_by_length_batches_and_comes_back(void) {
    rz_engine_options opt = RZ_ENGINE_INIT;
    opt.kv = RZ_KV_F32;
    check_family("hf-phi3-longrope", &opt, "together");
    opt.batch_tokens = 5;
    check_family("hf-phi3-longrope", &opt, "batches of 5 rows");
    opt.kv_bytes = 4 * 32 * 2 * 64 * sizeof(float); /* 4 pages of 2 layers, 2 heads of 16 */
    check_family("hf-phi3-longrope", &opt, "4 pages, preempting");
}

void suite_engine(void) {
    RUN(test_batches_change_no_token);
    RUN(test_guesses_save_steps);
    RUN(test_a_draft_model_must_fit);
    RUN(test_tokens_take_no_memory);
    RUN(test_cancel_at_every_step);
    RUN(test_free_ends_what_runs);
    RUN(test_full_queue_and_long_prompts_are_refused);
    RUN(test_a_paused_reader_stops_nobody);
    RUN(test_a_request_ends_when_its_time_is_over);
    RUN(test_stop_strings_end_the_text_before_them);
    RUN(test_context_bounds_the_answer);
    RUN(test_generate_is_one_call);
    RUN(test_recurrent_models_batch_and_come_back);
    RUN(test_latent_caches_batch_and_come_back);
    RUN(test_hybrids_batch_and_come_back);
    RUN(test_rotation_by_length_batches_and_comes_back);
    RUN(test_engine_survives_no_memory);
}
