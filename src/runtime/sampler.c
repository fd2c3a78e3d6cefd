/* sampler.c - greedy, temperature, top-k, top-p, min-p, penalties, logit bias. */
#include "runtime/sampler.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"

typedef struct sampler_candidate {
    float p; /* logit first, then unnormalised probability */
    int32_t id;
} candidate;

enum { DEFAULT_LAST_N = 64 };

status sampler_scratch_init(sampler_scratch *s, uint32_t n_vocab, err *e) {
    *s = (sampler_scratch){.n_vocab = n_vocab};
    s->logit = mem_array(n_vocab, sizeof *s->logit);
    s->cand = mem_array(n_vocab, sizeof *s->cand);
    s->count = mem_array_zero(n_vocab, sizeof *s->count);
    if (s->logit && s->cand && s->count) return RZ_OK;
    sampler_scratch_done(s);
    return err_set(e, RZ_ENOMEM, "sampler: out of memory for %u tokens", n_vocab);
}

void sampler_scratch_done(sampler_scratch *s) {
    mem_free(s->logit);
    mem_free(s->cand);
    mem_free(s->count);
    *s = (sampler_scratch){0};
}

void sampler_init(sampler *s, const rz_params *p) {
    *s = (sampler){p, p->seed ? p->seed : os_random_u64()};
}

/* Knuth's MMIX generator, upper 31 bits: one draw per token, uniform in [0, 1). */
static double draw(sampler *s) {
    s->state = s->state * 6364136223846793005u + 1;
    return (double)(s->state >> 33) * 0x1p-31;
}

static bool penalises(const rz_params *p) {
    return (p->repeat_penalty > 0 && p->repeat_penalty != 1) || p->presence_penalty != 0 ||
           p->frequency_penalty != 0;
}

/* Repetition divides (Keskar et al. 2019, CTRL), presence and frequency subtract (OpenAI). */
static void penalise(const rz_params *p, sampler_scratch *w, const int32_t *history, uint32_t n) {
    uint32_t last = n;
    if (p->repeat_last_n >= 0) {
        const uint32_t want =
            p->repeat_last_n ? (uint32_t)p->repeat_last_n : (uint32_t)DEFAULT_LAST_N;
        if (want < last) last = want;
    }
    const int32_t *seen = history + (n - last);
    for (uint32_t i = 0; i < last; i++) w->count[seen[i]]++;
    const float repeat = p->repeat_penalty > 0 ? p->repeat_penalty : 1.0f;
    for (uint32_t i = 0; i < last; i++) {
        const uint32_t count = w->count[seen[i]];
        if (count == 0) continue; /* done at its first appearance */
        float *l = &w->logit[seen[i]];
        *l = *l > 0 ? *l / repeat : *l * repeat;
        *l -= p->presence_penalty + p->frequency_penalty * (float)count;
        w->count[seen[i]] = 0;
    }
}

static int32_t largest(const float *logit, uint32_t n, int32_t first) {
    int32_t best = first;
    float max = -INFINITY;
    for (uint32_t i = 0; i < n; i++)
        if (logit[i] > max) max = logit[i], best = (int32_t)i;
    return best;
}

/* a before b: likelier, or as likely with a lower id. */
static bool before(candidate a, candidate b) { return a.p != b.p ? a.p > b.p : a.id < b.id; }

static int compare(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    return before(*x, *y) ? -1 : before(*y, *x) ? 1 : 0;
}

/* Heap with the worst of the kept candidates on top. */
static void sift_down(candidate *h, uint32_t n, uint32_t i) {
    for (;;) {
        uint32_t worst = i;
        for (uint32_t c = 2 * i + 1; c <= 2 * i + 2 && c < n; c++)
            if (before(h[worst], h[c])) worst = c;
        if (worst == i) return;
        const candidate t = h[i];
        h[i] = h[worst];
        h[worst] = t;
        i = worst;
    }
}

/* The k best of the finite logits, sorted. Returns how many there are. */
static uint32_t keep_top_k(sampler_scratch *w, uint32_t k) {
    candidate *h = w->cand;
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n_vocab; i++) {
        const candidate c = {w->logit[i], (int32_t)i};
        if (!(c.p > -INFINITY)) continue;
        if (n < k) {
            h[n++] = c;
            if (n == k)
                for (uint32_t j = k / 2; j-- > 0;) sift_down(h, k, j);
        } else if (before(c, h[0])) {
            h[0] = c;
            sift_down(h, k, 0);
        }
    }
    qsort(h, n, sizeof *h, compare);
    return n;
}

static uint32_t keep_all(sampler_scratch *w) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n_vocab; i++)
        if (w->logit[i] > -INFINITY) w->cand[n++] = (candidate){w->logit[i], (int32_t)i};
    return n;
}

/* Drop everything below `share` of what the likeliest has; keeps the order. */
static uint32_t drop_below(candidate *c, uint32_t n, float share) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (c[i].p >= share) c[kept++] = c[i];
    return kept;
}

/* The shortest prefix of the sorted candidates whose mass reaches top_p. What is less likely than
 * (1 - top_p) / n cannot belong to it, which leaves few to sort. */
static uint32_t keep_nucleus(candidate *c, uint32_t n, double top_p) {
    double mass = 0, sum = 0;
    for (uint32_t i = 0; i < n; i++) mass += (double)c[i].p;
    n = drop_below(c, n, (float)((1 - top_p) * mass / n * 0.999));
    qsort(c, n, sizeof *c, compare);
    for (uint32_t i = 0; i < n; i++) {
        sum += (double)c[i].p;
        if (sum >= top_p * mass) return i + 1;
    }
    return n;
}

static int32_t sample(const rz_params *p, sampler_scratch *w, double r, int32_t first) {
    const bool top_k = p->top_k > 0 && (uint32_t)p->top_k < w->n_vocab;
    uint32_t n = top_k ? keep_top_k(w, (uint32_t)p->top_k) : keep_all(w);
    candidate *c = w->cand;
    if (n == 0) return first;
    float max = -INFINITY;
    for (uint32_t i = 0; i < n; i++)
        if (c[i].p > max) max = c[i].p;
    if (max == INFINITY) return largest(w->logit, w->n_vocab, first);
    for (uint32_t i = 0; i < n; i++) c[i].p = expf((c[i].p - max) / p->temperature);
    if (p->min_p > 0) n = drop_below(c, n, p->min_p < 1 ? p->min_p : 1.0f);
    if (p->top_p > 0 && p->top_p < 1) n = keep_nucleus(c, n, (double)p->top_p);
    double mass = 0;
    for (uint32_t i = 0; i < n; i++) mass += (double)c[i].p;
    double left = r * mass;
    for (uint32_t i = 0; i < n; i++) {
        left -= (double)c[i].p;
        if (left < 0) return c[i].id;
    }
    return c[n - 1].id;
}

/* Minus infinity for what is not allowed. Returns the first token that is. */
static int32_t forbid(sampler_scratch *w) {
    int32_t first = -1;
    for (uint32_t i = 0; i < w->n_vocab; i++) {
        const bool may = i < w->n_allowed && (w->allowed[i / 64] >> (i % 64) & 1);
        if (!may) w->logit[i] = -INFINITY;
        else if (first < 0) first = (int32_t)i;
    }
    return first < 0 ? 0 : first;
}

int32_t sampler_pick(sampler *s, sampler_scratch *w, const float *logits, const int32_t *history,
                     uint32_t n) {
    const rz_params *p = s->p;
    const double r = draw(s); /* also when greedy, so that settings do not shift the stream */
    for (uint32_t i = 0; i < w->n_vocab; i++)
        w->logit[i] = logits[i] == logits[i] ? logits[i] : -INFINITY;
    for (size_t i = 0; i < p->n_bias; i++)
        if (p->bias[i].id >= 0 && (uint32_t)p->bias[i].id < w->n_vocab)
            w->logit[p->bias[i].id] += p->bias[i].add;
    if (penalises(p)) penalise(p, w, history, n);
    const int32_t first = w->allowed ? forbid(w) : 0;
    if (p->temperature <= 0) return largest(w->logit, w->n_vocab, first);
    return sample(p, w, r, first);
}

size_t sampler_scores(sampler_scratch *w, const float *logits, int32_t id, uint32_t top,
                      rz_score *out) {
    float max = -INFINITY;
    for (uint32_t i = 0; i < w->n_vocab; i++) {
        w->logit[i] = logits[i] == logits[i] ? logits[i] : -INFINITY;
        if (w->logit[i] > max) max = w->logit[i];
    }
    /* Nothing is possible, or something is certain beyond measure: then only that is likely. */
    double mass = 0;
    const bool finite = max > -INFINITY && max < INFINITY;
    for (uint32_t i = 0; i < w->n_vocab && finite; i++) mass += (double)expf(w->logit[i] - max);
    const double all = finite ? (double)max + log(mass) : 0;
    if (!finite)
        for (uint32_t i = 0; i < w->n_vocab; i++)
            w->logit[i] = w->logit[i] == INFINITY ? 0.0f : -INFINITY;
    out[0] = (rz_score){id, (float)((double)w->logit[id] - all)};
    const uint32_t n = top ? keep_top_k(w, top < w->n_vocab ? top : w->n_vocab) : 0;
    for (uint32_t i = 0; i < n; i++)
        out[1 + i] = (rz_score){w->cand[i].id, (float)((double)w->cand[i].p - all)};
    return 1 + n;
}
