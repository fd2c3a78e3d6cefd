/* test_sampler.c - what each setting does to the choice, and to the random stream. */
#include <math.h>
#include <string.h>

#include "runtime/sampler.h"
#include "test.h"

enum { V = 8 };
static const float logits[V] = {0.0f, 1.0f, 3.0f, 2.0f, -1.0f, 3.0f, 0.5f, -INFINITY};

static int32_t pick_from(const float *row, rz_params p, const int32_t *history, uint32_t n) {
    sampler_scratch w;
    sampler s;
    if (sampler_scratch_init(&w, V, NULL) < 0) return -1;
    sampler_init(&s, &p);
    const int32_t id = sampler_pick(&s, &w, row, history, n);
    sampler_scratch_done(&w);
    return id;
}

static int32_t pick(rz_params p, const int32_t *history, uint32_t n) {
    return pick_from(logits, p, history, n);
}

static void test_greedy_takes_the_first_of_equals(void) {
    CHECK(pick((rz_params)RZ_PARAMS_INIT, NULL, 0) == 2);
}

static void test_bias_forbids_and_favours(void) {
    rz_params p = RZ_PARAMS_INIT;
    const rz_bias forbid[] = {{2, -INFINITY}, {5, -INFINITY}};
    p.bias = forbid;
    p.n_bias = 2;
    CHECK(pick(p, NULL, 0) == 3);
    const rz_bias favour[] = {{4, 100.0f}, {-1, 1.0f}, {V, 1.0f}};
    p.bias = favour;
    p.n_bias = 3;
    CHECK(pick(p, NULL, 0) == 4);
}

static void test_penalties_push_seen_tokens_down(void) {
    const int32_t seen[] = {2, 2, 5};
    rz_params p = RZ_PARAMS_INIT;
    p.repeat_penalty = 2.0f; /* 3 -> 1.5 for tokens 2 and 5 */
    CHECK(pick(p, seen, 3) == 3);
    p = (rz_params)RZ_PARAMS_INIT;
    p.frequency_penalty = 0.6f; /* token 2: 3 - 1.2, token 5: 3 - 0.6 */
    CHECK(pick(p, seen, 3) == 5);
    p.repeat_last_n = 1; /* only token 5 counts now */
    CHECK(pick(p, seen, 3) == 2);
    p = (rz_params)RZ_PARAMS_INIT;
    p.presence_penalty = 1.5f;
    CHECK(pick(p, seen, 3) == 3);
}

static void test_hostile_rows_yield_a_token(void) {
    rz_params p = RZ_PARAMS_INIT;
    const float nan_row[V] = {NAN, NAN, 1.0f, NAN, NAN, NAN, NAN, NAN};
    const float nothing[V] = {NAN,       -INFINITY, -INFINITY, -INFINITY,
                              -INFINITY, -INFINITY, -INFINITY, -INFINITY};
    const float infinite[V] = {0, 0, 0, INFINITY, 0, 0, 0, 0};
    CHECK(pick_from(nan_row, p, NULL, 0) == 2);
    CHECK(pick_from(nothing, p, NULL, 0) == 0);
    p.temperature = 1;
    CHECK(pick_from(nan_row, p, NULL, 0) == 2);
    CHECK(pick_from(nothing, p, NULL, 0) == 0);
    CHECK(pick_from(infinite, p, NULL, 0) == 3);
    p.temperature = 1e-30f;
    const int32_t cold = pick_from(logits, p, NULL, 0);
    CHECK(cold == 2 || cold == 5);
}

/* Draw many tokens and compare the counts with the truncated softmax: chi-square. */
static void check_distribution(rz_params p, const char *what) {
    enum { DRAWS = 20000 };
    double want[V], mass = 0, chi = 0;
    int count[V] = {0}, order[V] = {2, 5, 3, 1, 6, 0, 4, 7}, kept = 0;
    for (int i = 0; i < V; i++) want[i] = exp((double)logits[order[i]] / (double)p.temperature);
    for (int i = 0; i < V; i++) {
        if (p.top_k && i >= p.top_k) want[i] = 0;
        if (p.min_p > 0 && want[i] < (double)p.min_p * want[0]) want[i] = 0;
        mass += want[i];
    }
    double sum = 0;
    for (int i = 0; i < V; i++) {
        if (p.top_p > 0 && p.top_p < 1 && sum >= (double)p.top_p * mass) want[i] = 0;
        sum += want[i];
    }
    mass = 0;
    for (int i = 0; i < V; i++) mass += want[i];
    sampler_scratch w;
    sampler s;
    REQUIRE(sampler_scratch_init(&w, V, NULL) == RZ_OK);
    p.seed = 1234;
    sampler_init(&s, &p);
    for (int i = 0; i < DRAWS; i++) count[sampler_pick(&s, &w, logits, NULL, 0)]++;
    sampler_scratch_done(&w);
    for (int i = 0; i < V; i++) {
        const double expected = want[i] / mass * DRAWS;
        if (want[i] > 0) kept++;
        if (want[i] == 0) CHECK_MSG(count[order[i]] == 0, "%s: token %d drawn", what, order[i]);
        else chi += pow(count[order[i]] - expected, 2) / expected;
    }
    /* 24.3 is the 0.1 % point of chi-square with 7 degrees of freedom. */
    CHECK_MSG(chi < 24.3, "%s: chi-square %.1f over %d tokens", what, chi, kept);
}

static void test_draws_follow_the_truncated_softmax(void) {
    rz_params p = RZ_PARAMS_INIT;
    p.temperature = 1;
    check_distribution(p, "plain");
    p.temperature = 0.5f;
    check_distribution(p, "cool");
    p.temperature = 1.5f;
    p.top_k = 3;
    check_distribution(p, "top-k 3");
    p.top_k = 0;
    p.top_p = 0.9f;
    check_distribution(p, "top-p 0.9");
    p.top_p = 0;
    p.min_p = 0.2f;
    check_distribution(p, "min-p 0.2");
    p.top_k = 5;
    p.top_p = 0.8f;
    check_distribution(p, "all three");
}

static void test_same_seed_same_tokens(void) {
    rz_params p = RZ_PARAMS_INIT;
    p.temperature = 1;
    p.seed = 7;
    sampler_scratch w;
    REQUIRE(sampler_scratch_init(&w, V, NULL) == RZ_OK);
    int32_t first[100];
    int same = 0, other = 0;
    for (int round = 0; round < 3; round++) {
        sampler s;
        p.seed = round == 2 ? 8 : 7;
        sampler_init(&s, &p);
        for (int i = 0; i < 100; i++) {
            const int32_t id = sampler_pick(&s, &w, logits, NULL, 0);
            if (round == 0) first[i] = id;
            else if (round == 1) same += id == first[i];
            else other += id == first[i];
        }
    }
    sampler_scratch_done(&w);
    CHECK(same == 100 && other < 70);
}

static void test_scores_are_the_log_softmax(void) {
    sampler_scratch w;
    rz_score got[1 + V];
    double mass = 0;
    REQUIRE(sampler_scratch_init(&w, V, NULL) == RZ_OK);
    for (int i = 0; i < V; i++) mass += exp((double)logits[i]);
    CHECK(sampler_scores(&w, logits, 4, 3, got) == 4);
    CHECK(got[0].id == 4 && got[1].id == 2 && got[2].id == 5 && got[3].id == 3);
    for (int i = 0; i < 4; i++) {
        const double want = (double)logits[got[i].id] - log(mass);
        CHECK_MSG(fabs((double)got[i].logprob - want) < 1e-6, "%d: %g, not %g", got[i].id,
                  (double)got[i].logprob, want);
    }
    CHECK(sampler_scores(&w, logits, 7, 0, got) == 1 && got[0].logprob == -INFINITY);
    CHECK(sampler_scores(&w, logits, 0, V, got) == V); /* one of them cannot come */
    const float none[V] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    CHECK(sampler_scores(&w, none, 0, 3, got) == 1 && got[0].logprob == -INFINITY);
    const float sure[V] = {0, INFINITY, 1, 2, 3, 4, 5, 6};
    CHECK(sampler_scores(&w, sure, 1, 3, got) == 2 && got[0].logprob == 0 && got[1].id == 1);
    sampler_scratch_done(&w);
}

void suite_sampler(void) {
    RUN(test_greedy_takes_the_first_of_equals);
    RUN(test_bias_forbids_and_favours);
    RUN(test_penalties_push_seen_tokens_down);
    RUN(test_hostile_rows_yield_a_token);
    RUN(test_draws_follow_the_truncated_softmax);
    RUN(test_same_seed_same_tokens);
    RUN(test_scores_are_the_log_softmax);
}
