/* test_latent.c - latent attention against plain double-precision arithmetic, and the promise that
 * a row's bits depend on that row alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kernels/kern.h"
#include "kernels/ops_latent.h"
#include "ops_bench.h"
#include "test.h"

/* ---- A matrix for each head ---- */

static head_stack random_stack(quant_type t, uint32_t H, uint32_t n_out, uint32_t n_in) {
    head_stack s = {.w = {.type = t, .n_out = n_out, .n_in = n_in}};
    const quant_info *info = quant_get((uint32_t)t);
    if (!info->from_float || !quant_row_bytes(t, n_in, &s.w.row_bytes)) return s;
    /* A row more than needed between the heads: stacks may be parts of something wider. */
    s.head_bytes = (n_out + 1) * s.w.row_bytes;
    uint8_t *data = malloc(H * s.head_bytes);
    float *x = noises((size_t)H * (n_out + 1) * n_in);
    for (size_t r = 0; r < (size_t)H * (n_out + 1); r++)
        info->from_float(x + r * n_in, data + r * s.w.row_bytes, n_in);
    free(x);
    s.w.data = data;
    return s;
}

/* A result that is no number is as far off as can be. */
static double larger(double worst, double off) { return isnan(off) ? INFINITY : fmax(worst, off); }

/* Largest difference from the product in double, as a share of the sum of magnitudes. */
static double heads_error(const head_stack *s, const head_rows *y, const head_rows *x, uint32_t H,
                          uint32_t T) {
    const uint32_t n = s->w.n_in;
    float *row = malloc(n * sizeof *row);
    double worst = 0;
    for (uint32_t t = 0; t < T; t++)
        for (uint32_t h = 0; h < H; h++)
            for (uint32_t r = 0; r < s->w.n_out; r++) {
                double sum = 0, size = 1e-9;
                const float *in = x->x + t * x->row + h * x->head;
                quant_get(s->w.type)->to_float(s->w.data + h * s->head_bytes + r * s->w.row_bytes,
                                               row, n);
                for (uint32_t i = 0; i < n; i++) {
                    sum += (double)row[i] * (double)in[i];
                    size += fabs((double)row[i] * (double)in[i]);
                }
                worst =
                    larger(worst, fabs(sum - (double)y->x[t * y->row + h * y->head + r]) / size);
            }
    free(row);
    return worst;
}

static void check_heads(quant_type t, uint32_t H, uint32_t n_out, uint32_t n_in, uint32_t T) {
    head_stack s = random_stack(t, H, n_out, n_in);
    REQUIRE(s.w.data);
    const size_t in = n_in + 4, out = n_out + 3;
    bench b = open_bench(NULL, 2, T, n_in);
    const head_rows x = {noises(T * H * in), H * in, in};
    const head_rows y = {noises(T * H * out), H * out, out};
    ops_cpu_heads(b.o, &y, &x, &s, H, T);
    /* Inputs are rounded to 8 bits for quantized weights: half a step of the largest of a block. */
    const double allowed = kern_takes_quantized(t) ? 2e-2 : 1e-5,
                 off = heads_error(&s, &y, &x, H, T);
    CHECK_MSG(off < allowed, "%s, %u heads of %ux%u, %u rows: off by %g of the sum of magnitudes",
              quant_get((uint32_t)t)->name, H, n_out, n_in, T, off);
    float *one = malloc(H * out * sizeof *one);
    for (uint32_t i = 0; i < T; i++) {
        const head_rows x1 = {x.x + i * x.row, x.row, in}, y1 = {one, y.row, out};
        ops_cpu_heads(b.o, &y1, &x1, &s, H, 1);
        for (uint32_t h = 0; h < H; h++)
            CHECK(memcmp(one + h * out, y.x + i * y.row + h * out, n_out * sizeof *one) == 0);
    }
    free(one), free(x.x), free(y.x), free((void *)(uintptr_t)s.w.data);
    close_bench(&b);
}

static void test_heads_multiply_by_their_own_matrix(void) {
    static const quant_type type[] = {QUANT_F32,  QUANT_F16,  QUANT_BF16,
                                      QUANT_Q8_0, QUANT_Q4_0, QUANT_Q5_1};
    for (size_t i = 0; i < sizeof type / sizeof *type; i++) {
        check_heads(type[i], 1, 1, 32, 1);
        check_heads(type[i], 3, 20, 32, 5);
        check_heads(type[i], 4, 64, 128, 70);
        check_heads(type[i], 2, 128, 512, 130);
    }
    check_heads(QUANT_F32, 5, 12, 20, 67);
    check_heads(QUANT_F32, 2, 7, 3, 2);
}

static void test_heads_are_copied_where_they_belong(void) {
    enum { H = 3, T = 5, N = 4 };
    bench b = open_bench(NULL, 1, T, 32);
    const head_rows x = {noises(T * H * 9), H * 9, 9}, y = {noises(T * H * 6), H * 6, 6};
    float *before = malloc(T * H * 6 * sizeof *before);
    memcpy(before, y.x, T * H * 6 * sizeof *before);
    ops_cpu_copy_heads(b.o, &y, &x, N, H, T);
    for (int t = 0; t < T; t++)
        for (int h = 0; h < H; h++)
            for (int i = 0; i < 6; i++)
                CHECK(memcmp(&y.x[(t * H + h) * 6 + i],
                             i < N ? &x.x[(t * H + h) * 9 + i] : &before[(t * H + h) * 6 + i],
                             sizeof *before) == 0);
    free(x.x), free(y.x), free(before);
    close_bench(&b);
}

/* ---- Attention ---- */

enum { PAGES = 12, SEQS = 4 };

/* Scattered pages of several sequences; memory nobody wrote is NaN. */
typedef struct cache {
    kv_slab kv;
    uint32_t page[SEQS][PAGES];
} cache;

static cache open_cache(kv_type type, const latent_config *a) {
    cache c = {.kv = {.type = type}};
    const size_t size = type == KV_F32 ? 4 : 2, before = 64;
    c.kv.page_bytes = before + (a->rank + a->rope) * KV_PAGE_TOKENS * size;
    uint8_t *memory = malloc(PAGES * SEQS * c.kv.page_bytes);
    memset(memory, 0xff, PAGES * SEQS * c.kv.page_bytes);
    c.kv.base = memory + before; /* as behind another layer */
    for (uint32_t i = 0; i < PAGES * SEQS; i++) c.page[i % SEQS][i / SEQS] = i * 7 % (PAGES * SEQS);
    return c;
}

static void close_cache(cache *c) { free(c->kv.base - 64); }

/* One sequence: latents, rotated keys and queries of all positions. */
typedef struct timeline {
    float *latent, *k, *q, *out;
    uint32_t n;
} timeline;

static timeline new_timeline(const latent_config *a, uint32_t n) {
    return (timeline){noises((size_t)n * a->rank), noises((size_t)n * a->rope),
                      noises((size_t)n * a->H * (a->rank + a->rope)),
                      noises((size_t)n * a->H * a->rank), n};
}

static void drop_timeline(timeline *t) { free(t->latent), free(t->k), free(t->q), free(t->out); }

static double stored(kv_type t, float f) {
    if (t == KV_F32) return (double)f;
    return (double)(t == KV_BF16 ? quant_bf16_to_f32(quant_f32_to_bf16(f))
                                 : quant_f16_to_f32(quant_f32_to_f16(f)));
}

static void naive_row(const timeline *t, const latent_config *a, kv_type type, uint32_t pos,
                      uint32_t h, double *out) {
    double *s = malloc((pos + 1) * sizeof *s), most = -INFINITY, sum = 0;
    const float *q = t->q + ((size_t)pos * a->H + h) * (a->rank + a->rope);
    for (uint32_t j = 0; j <= pos; j++) {
        double dot = 0;
        for (uint32_t d = 0; d < a->rank; d++)
            dot += (double)q[d] * stored(type, t->latent[(size_t)j * a->rank + d]);
        for (uint32_t d = 0; d < a->rope; d++)
            dot += (double)q[a->rank + d] * stored(type, t->k[(size_t)j * a->rope + d]);
        s[j] = dot * (double)a->scale;
        most = fmax(most, s[j]);
    }
    for (uint32_t d = 0; d < a->rank; d++) out[d] = 0;
    for (uint32_t j = 0; j <= pos; j++) {
        const double p = exp(s[j] - most);
        sum += p;
        for (uint32_t d = 0; d < a->rank; d++)
            out[d] += p * stored(type, t->latent[(size_t)j * a->rank + d]);
    }
    for (uint32_t d = 0; d < a->rank; d++) out[d] /= sum;
    free(s);
}

/* Feed rows first..first+n-1 of a timeline as one span. */
static void feed(bench *b, cache *c, uint32_t seq, const latent_config *a, timeline *t,
                 uint32_t first, uint32_t n) {
    const row_span s = {0, n, first, c->page[seq], NULL, false};
    const size_t row = (size_t)first * a->H;
    ops_cpu_latent_write(b->o, &c->kv, a, t->latent + (size_t)first * a->rank,
                         t->k + (size_t)first * a->rope, &s, 1);
    ops_cpu_latent_attend(b->o, t->out + row * a->rank, t->q + row * (a->rank + a->rope), &c->kv, a,
                          &s, 1);
}

static double attend_error(const timeline *t, const latent_config *a, kv_type type) {
    double worst = 0, *want = malloc(a->rank * sizeof *want);
    for (uint32_t i = 0; i<t->n; i += t->n> 40 ? 7 : 1)
        for (uint32_t h = 0; h<a->H; h += a->H> 8 ? 13 : 1) {
            naive_row(t, a, type, i, h, want);
            const float *got = t->out + ((size_t)i * a->H + h) * a->rank;
            for (uint32_t d = 0; d < a->rank; d++)
                worst = larger(worst, fabs(want[d] - (double)got[d]));
        }
    free(want);
    return worst;
}

static void check_attend(const latent_config *a, kv_type type, uint32_t n, uint32_t step) {
    const size_t bytes = (size_t)n * a->H * a->rank * sizeof(float);
    bench b = open_bench(NULL, 2, n, 64), b3 = open_bench(NULL, 3, 1, 64);
    cache c = open_cache(type, a);
    timeline t = new_timeline(a, n);
    for (uint32_t i = 0; i < n; i += step) feed(&b, &c, 2, a, &t, i, n - i < step ? n - i : step);
    const double off = attend_error(&t, a, type);
    CHECK_MSG(off < 5e-6, "H=%u rank=%u rope=%u n=%u step=%u type=%d: off by %g", a->H, a->rank,
              a->rope, n, step, (int)type, off);
    /* All at once, and one by one on other pages and threads: the same bits. */
    timeline again = t;
    again.out = malloc(bytes);
    feed(&b, &c, 0, a, &again, 0, n);
    CHECK_MSG(memcmp(t.out, again.out, bytes) == 0, "H=%u rank=%u n=%u: whole", a->H, a->rank, n);
    memset(again.out, 0, bytes);
    for (uint32_t i = 0; i < n; i++) feed(&b3, &c, 3, a, &again, i, 1);
    CHECK_MSG(memcmp(t.out, again.out, bytes) == 0, "H=%u rank=%u n=%u: singly", a->H, a->rank, n);
    const kern *k;
    for (int i = 0; (k = kern_list(i)); i++) {
        bench other = open_bench(k, 1, n, 64);
        memset(again.out, 0, bytes);
        feed(&other, &c, 1, a, &again, 0, n);
        CHECK_MSG(memcmp(t.out, again.out, bytes) == 0, "H=%u rank=%u n=%u: %s", a->H, a->rank, n,
                  k->name);
        close_bench(&other);
    }
    free(again.out);
    drop_timeline(&t);
    close_cache(&c);
    close_bench(&b);
    close_bench(&b3);
}

static void test_latent_attention_is_softmax_of_products(void) {
    static const struct {
        uint32_t H, rank, rope;
    } shape[] = {{1, 1, 2}, {2, 12, 4}, {4, 20, 8}, {3, 33, 2}, {17, 64, 16}, {130, 24, 8}};
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        const uint32_t wide = shape[i].rank + shape[i].rope;
        const latent_config a = {shape[i].H, shape[i].rank, shape[i].rope,
                                 1.0f / sqrtf((float)wide)};
        for (int type = KV_F32; type <= KV_BF16; type++) {
            check_attend(&a, (kv_type)type, 1, 1);
            check_attend(&a, (kv_type)type, 33, 5);
            check_attend(&a, (kv_type)type, 97, 64);
        }
    }
}

static void test_latent_attention_of_real_width(void) {
    const latent_config a = {16, 512, 64, 0.0417f};
    check_attend(&a, KV_F16, 70, 33);
    check_attend(&a, KV_F32, 70, 33);
}

static void test_sequences_in_one_step_do_not_mix(void) {
    const latent_config a = {5, 20, 8, 0.2f};
    enum { ROWS = 44 };
    static const uint32_t had[3] = {0, 31, 64}, more[3] = {40, 1, 3};
    const size_t wide = a.rank + a.rope;
    bench b = open_bench(NULL, 2, 2, 64); /* fewer rows than spans: they go in turns */
    cache c = open_cache(KV_F16, &a);
    timeline t[3], all = new_timeline(&a, ROWS);
    row_span span[3];
    uint32_t row = 0;
    for (uint32_t i = 0; i < 3; i++) {
        t[i] = new_timeline(&a, had[i] + more[i]);
        if (had[i]) feed(&b, &c, i, &a, &t[i], 0, had[i]);
        span[i] = (row_span){row, more[i], had[i], c.page[i], NULL, false};
        memcpy(all.latent + row * a.rank, t[i].latent + had[i] * a.rank,
               more[i] * a.rank * sizeof(float));
        memcpy(all.k + row * a.rope, t[i].k + had[i] * a.rope, more[i] * a.rope * sizeof(float));
        memcpy(all.q + row * a.H * wide, t[i].q + had[i] * a.H * wide,
               more[i] * a.H * wide * sizeof(float));
        row += more[i];
    }
    ops_cpu_latent_write(b.o, &c.kv, &a, all.latent, all.k, span, 3);
    ops_cpu_latent_attend(b.o, all.out, all.q, &c.kv, &a, span, 3);
    for (uint32_t i = 0; i < 3; i++) {
        feed(&b, &c, 3, &a, &t[i], 0, t[i].n);
        CHECK(memcmp(all.out + span[i].first_row * a.H * a.rank, t[i].out + had[i] * a.H * a.rank,
                     more[i] * a.H * a.rank * sizeof(float)) == 0);
        drop_timeline(&t[i]);
    }
    drop_timeline(&all);
    close_cache(&c);
    close_bench(&b);
}

void suite_latent(void) {
    noise_seed = 7;
    RUN(test_heads_multiply_by_their_own_matrix);
    RUN(test_heads_are_copied_where_they_belong);
    RUN(test_latent_attention_is_softmax_of_products);
    RUN(test_latent_attention_of_real_width);
    RUN(test_sequences_in_one_step_do_not_mix);
}
