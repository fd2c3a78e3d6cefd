/* test_ops.c - the operations of the processor against plain double-precision arithmetic, and the
 * promise that a row's bits depend on that row alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kern.h"
#include "kernels/kern_quant.h"
#include "ops_bench.h"
#include "test.h"

static bool same(const float *a, const float *b, size_t n) {
    return memcmp(a, b, n * sizeof *a) == 0;
}

/* Random weights of a type that can be written. Some types take long to write: after a few rows
 * they come again. */
static weight random_weight(quant_type t, uint32_t n_out, uint32_t n_in) {
    enum { DISTINCT = 7 };
    weight w = {.type = t, .n_out = n_out, .n_in = n_in};
    const quant_info *info = quant_get((uint32_t)t);
    if (!info->from_float || !quant_row_bytes(t, n_in, &w.row_bytes)) return w;
    uint8_t *data = malloc(n_out * w.row_bytes + 1);
    float *row = malloc(n_in * sizeof *row);
    for (uint32_t r = 0; r < n_out && r < DISTINCT; r++) {
        for (uint32_t i = 0; i < n_in; i++) row[i] = noise();
        info->from_float(row, data + r * w.row_bytes, n_in);
    }
    for (uint32_t r = DISTINCT; r < n_out; r++)
        memcpy(data + r * w.row_bytes, data + (r - DISTINCT) * w.row_bytes, w.row_bytes);
    free(row);
    w.data = data;
    return w;
}

static void drop_weight(weight *w) { free((void *)(uintptr_t)w->data); }

/* Every type that products have rows for. */
static const quant_type fast_type[] = {QUANT_F32, QUANT_F16, QUANT_BF16,
#define X(type, stem) QUANT_##type,
                                       KERN_QUANT_LIST(X)
#undef X
};
enum { N_FAST = sizeof fast_type / sizeof *fast_type };

/* ---- Products ---- */

/* The row as the products see it: quantized to 8 bits in blocks of 32, or as it is. */
static void seen_row(const float *x, uint32_t n, bool quantized, double *out) {
    for (uint32_t b = 0; b < n; b += 32) {
        const uint32_t end = b + 32 < n ? b + 32 : n;
        float most = 0;
        for (uint32_t i = b; i < end; i++) most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
        for (uint32_t i = b; i < end; i++)
            out[i] = !quantized || most == 0.0f
                         ? (double)x[i]
                         : rint((double)x[i] * 127 / (double)most) * (double)most / 127;
    }
}

/* About n inputs in whole blocks of the type. */
static uint32_t whole_blocks(quant_type t, uint32_t n) {
    const uint32_t block = quant_get((uint32_t)t)->block;
    return (n + block - 1) / block * block;
}

static void check_linear(quant_type t, uint32_t n_out, uint32_t n, uint32_t T) {
    const uint32_t n_in = whole_blocks(t, n);
    weight w = random_weight(t, n_out, n_in);
    REQUIRE(w.data);
    bench b = open_bench(NULL, 2, T, n_in);
    REQUIRE(b.o);
    float *x = noises((size_t)T * n_in), *y = noises((size_t)T * n_out);
    const linear_job job = {y, &w};
    b.o->linear(b.o, &job, 1, x, T);
    const bool quantized = kern_takes_quantized(t) && kern_get()->product[t];
    double worst = 0;
    double *seen = malloc(n_in * sizeof *seen);
    float *row = malloc(n_in * sizeof *row);
    for (uint32_t i = 0; i < T; i++) {
        seen_row(x + (size_t)i * n_in, n_in, quantized, seen);
        for (uint32_t r = 0; r < n_out; r++) {
            quant_get((uint32_t)t)->to_float(w.data + r * w.row_bytes, row, n_in);
            double sum = 0, size = 0;
            for (uint32_t k = 0; k < n_in; k++) {
                sum += (double)row[k] * seen[k];
                size += fabs((double)row[k] * seen[k]);
            }
            const double off = fabs(sum - (double)y[(size_t)i * n_out + r]) / (size + 1e-9);
            worst = off > worst ? off : worst;
        }
    }
    CHECK_MSG(worst < 1e-5, "%s %ux%u, %u rows: off by %g of the sum of magnitudes",
              quant_get((uint32_t)t)->name, n_out, n_in, T, worst);
    free(seen), free(row), free(x), free(y);
    drop_weight(&w);
    close_bench(&b);
}

static void test_linear_is_the_product(void) {
    for (int i = 0; i < N_FAST; i++) {
        check_linear(fast_type[i], 1, 32, 1);
        check_linear(fast_type[i], 16, 64, 3);
        check_linear(fast_type[i], 70, 160, 2);
        check_linear(fast_type[i], 200, 1056, 7);
        check_linear(fast_type[i], 131, 544, 33);
    }
    for (uint32_t n = 1; n < 40; n += 6) check_linear(QUANT_F32, n + 2, n, n);
    check_linear(QUANT_F16, 19, 37, 5);
    check_linear(QUANT_BF16, 19, 50, 5);
}

/* y of `job` types with every T at once, against one row at a time on one thread. */
static void check_batch(quant_type t, uint32_t n_out, uint32_t n_inputs, uint32_t T) {
    const uint32_t n_in = whole_blocks(t, n_inputs);
    weight w = random_weight(t, n_out, n_in), w2 = random_weight(t, n_out / 2 + 1, n_in);
    REQUIRE(w.data && w2.data);
    float *x = noises((size_t)T * n_in);
    const size_t n = (size_t)T * n_out, n2 = (size_t)T * w2.n_out;
    float *one = noises(n), *one2 = noises(n2), *all = noises(n), *all2 = noises(n2);
    bench alone = open_bench(NULL, 1, 1, n_in);
    for (uint32_t i = 0; i < T; i++) {
        const linear_job job = {one + (size_t)i * n_out, &w};
        const linear_job job2 = {one2 + (size_t)i * w2.n_out, &w2};
        alone.o->linear(alone.o, &job, 1, x + (size_t)i * n_in, 1);
        alone.o->linear(alone.o, &job2, 1, x + (size_t)i * n_in, 1);
    }
    for (int threads = 1; threads <= 3; threads++) {
        bench b = open_bench(NULL, threads, T > 20 ? T - 13 : T, n_in);
        const linear_job job[2] = {{all, &w}, {all2, &w2}};
        memset(all, 0, n * sizeof *all);
        b.o->linear(b.o, job, 2, x, T);
        CHECK_MSG(same(one, all, n) && same(one2, all2, n2), "%s %ux%u, %u rows, %d threads",
                  quant_get((uint32_t)t)->name, n_out, n_in, T, threads);
        close_bench(&b);
    }
    free(x), free(one), free(one2), free(all), free(all2);
    drop_weight(&w);
    drop_weight(&w2);
    close_bench(&alone);
}

static void test_linear_rows_do_not_depend_on_the_batch(void) {
    for (int i = 0; i < N_FAST; i++) {
        for (uint32_t T = 1; T <= 40; T += test_thorough() ? 1 : 7)
            check_batch(fast_type[i], 75, 192, T);
        check_batch(fast_type[i], 330, 544, 9);
        check_batch(fast_type[i], 20, 32, 300);
    }
}

static void test_every_readable_type_multiplies(void) {
    for (int t = 0; t < QUANT_TYPE_COUNT; t++) {
        const quant_info *info = quant_get((uint32_t)t);
        CHECK(ops_cpu_supports((quant_type)t) == (info->to_float != NULL));
        if (info->to_float && info->from_float) check_linear((quant_type)t, 21, 512, 3);
    }
    CHECK(!ops_cpu_supports(QUANT_TYPE_COUNT));
}

static void test_linear_allocates_nothing(void) {
    weight w = random_weight(QUANT_Q8_0, 64, 64);
    bench b = open_bench(NULL, 1, 8, 64);
    float *x = noises(8 * 64), *y = noises(8 * 64);
    const linear_job job = {y, &w};
    const uint64_t before = mem_count();
    b.o->linear(b.o, &job, 1, x, 8);
    CHECK(mem_count() == before);
    free(x), free(y);
    drop_weight(&w);
    close_bench(&b);
}

static void test_running_out_of_memory_is_an_error(void) {
    pool *p;
    REQUIRE(pool_new(&p, 2, NULL) == RZ_OK);
    for (long n = 1; n < 20; n++) {
        ops *o = NULL;
        err e = {0};
        mem_fail_at(n);
        const status s = ops_cpu_new(&o, p, 4, 64, &e);
        const bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK((s == RZ_OK) == !hit && (s == RZ_OK || (s == RZ_ENOMEM && !o && e.text[0])));
        if (o) o->free(o);
        if (!hit) break;
    }
    ops *o = NULL;
    CHECK(ops_cpu_new(&o, p, 0, 64, NULL) == RZ_EINVAL && !o);
    pool_free(p);
}

/* ---- Rows and elements ---- */

static void test_embed_scales_rows(void) {
    weight w = random_weight(QUANT_Q4_0, 9, 64);
    bench b = open_bench(NULL, 2, 8, 64);
    const int32_t id[3] = {8, 0, 3};
    float x[3 * 64], row[64];
    b.o->embed(b.o, x, &w, id, 3, 2.5f);
    bool good = true;
    for (int t = 0; t < 3; t++) {
        quant_get(QUANT_Q4_0)->to_float(w.data + (uint64_t)id[t] * w.row_bytes, row, 64);
        for (int i = 0; i < 64; i++) good &= x[t * 64 + i] == row[i] * 2.5f;
    }
    CHECK(good);
    drop_weight(&w);
    close_bench(&b);
}

static void test_norm_rms_is_its_formula(void) {
    bench b = open_bench(NULL, 2, 4, 64);
    for (uint32_t D = 1; D < 300; D = D * 2 + 1) {
        float *x = noises(5 * D), *gain = noises(D), *y = noises(5 * D);
        const norm_weight w = {.gain = gain, .eps = 1e-5f};
        b.o->norm_rms(b.o, y, x, &w, 5, D);
        double worst = 0;
        for (uint32_t t = 0; t < 5; t++) {
            double ss = 0;
            for (uint32_t i = 0; i < D; i++) ss += (double)x[t * D + i] * (double)x[t * D + i];
            for (uint32_t i = 0; i < D; i++) {
                const double want = (double)x[t * D + i] / sqrt(ss / D + 1e-5) * (double)gain[i];
                worst = fmax(worst, fabs(want - (double)y[t * D + i]) / (fabs(want) + 1e-6));
            }
        }
        CHECK_MSG(worst < 1e-6, "D=%u: off by %g", D, worst);
        b.o->norm_rms(b.o, x, x, &w, 5, D);
        CHECK(same(x, y, 5 * D));
        b.o->norm_rms(b.o, y, gain, &(norm_weight){0}, 1, D);
        CHECK(same(y, gain, D));
        free(x), free(gain), free(y);
    }
    close_bench(&b);
}

static void test_norm_layer_is_its_formula(void) {
    bench b = open_bench(NULL, 2, 4, 64);
    for (uint32_t D = 1; D < 300; D = D * 2 + 1) {
        float *x = noises(3 * D), *gain = noises(D), *shift = noises(D), *y = noises(3 * D);
        for (uint32_t i = 0; i < 3 * D; i++) x[i] += 10;
        norm_weight w = {.gain = gain, .bias = shift, .eps = 1e-5f, .center = true};
        for (int with = 1; with >= 0; with--) {
            if (!with) w.bias = NULL;
            ops_norm(b.o, y, x, &w, 3, D);
            double worst = 0;
            for (uint32_t t = 0; t < 3; t++) {
                const float *r = x + t * D;
                double sum = 0, ss = 0;
                for (uint32_t i = 0; i < D; i++) sum += (double)r[i];
                for (uint32_t i = 0; i < D; i++) ss += pow((double)r[i] - sum / D, 2);
                for (uint32_t i = 0; i < D; i++) {
                    double want = ((double)r[i] - sum / D) / sqrt(ss / D + 1e-5) * (double)gain[i];
                    if (with) want += (double)shift[i];
                    worst = fmax(worst, fabs(want - (double)y[t * D + i]));
                }
            }
            CHECK_MSG(worst < 1e-5, "D=%u bias=%d: off by %g", D, with, worst);
        }
        ops_norm(b.o, x, x, &w, 3, D);
        CHECK(same(x, y, 3 * D));
        free(x), free(gain), free(shift), free(y);
    }
    close_bench(&b);
}

static double act_exact(act_kind a, double x) {
    switch (a) {
        case ACT_SILU:
            return x / (1 + exp(-x));
        case ACT_GELU_TANH:
            return x / 2 * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
        case ACT_GELU_ERF:
            return x / 2 * erfc(-x * M_SQRT1_2);
        case ACT_RELU2:
            return x > 0 ? x * x : 0;
        case ACT_SWIGLU_CLAMPED: /* up is 2: 2 + 1 goes with it */
            return fmin(x, 7) / (1 + exp(-1.702 * fmin(x, 7))) * 1.5;
        case ACT_NONE:
        case ACT_KIND_COUNT:
            return x;
    }
    return 0;
}

static void test_activations_are_their_formulas(void) {
    enum { N = 40001 };
    bench b = open_bench(NULL, 2, 4, 64);
    float *x = malloc(N * sizeof *x), *up = malloc(N * sizeof *up), *y = malloc(N * sizeof *y);
    for (int i = 0; i < N; i++) {
        x[i] = (float)(i - N / 2) * 0.005f; /* -100 .. 100 */
        up[i] = 2.0f;
    }
    for (int a = ACT_SILU; a < ACT_KIND_COUNT; a++) {
        b.o->act_mul(b.o, y, x, up, N, (act_kind)a);
        double worst = 0;
        for (int i = 0; i < N; i++) {
            const double want = 2 * act_exact((act_kind)a, (double)x[i]);
            worst = fmax(worst, fabs(want - (double)y[i]) / fmax(1, fabs(want)));
        }
        CHECK_MSG(worst < 8e-7, "activation %d is off by %g", a, worst);
    }
    memcpy(y, x, N * sizeof *x);
    b.o->act(b.o, y, N, ACT_SILU);
    b.o->scale(b.o, y, 2.0f, N);
    b.o->act_mul(b.o, up, x, up, N, ACT_SILU);
    CHECK(same(y, up, N));
    memcpy(y, x, N * sizeof *x);
    b.o->softcap(b.o, y, 30.0f, N);
    double worst = 0;
    for (int i = 0; i < N; i++) {
        const double want = 30 * tanh((double)x[i] / 30);
        worst = fmax(worst, fabs(want - (double)y[i]) / (fabs(want) + 1e-9));
    }
    CHECK_MSG(worst < 5e-7, "softcap is off by %g", worst);
    b.o->add(b.o, y, x, N);
    CHECK(y[N - 1] == y[N - 1] && y[N / 2] == 0);
    free(x), free(up), free(y);
    close_bench(&b);
}

static void test_rope_turns_pairs(void) {
    enum { T = 3, H = 2, K = 70, ROT = 66 };
    bench b = open_bench(NULL, 2, 4, 64);
    double freq[ROT / 2];
    for (int i = 0; i < ROT / 2; i++) freq[i] = pow(10000, -2.0 * i / ROT);
    const uint32_t pos[T] = {0, 7, 100000};
    for (int half = 0; half < 2; half++) {
        const rope_config r = {.n_rot = ROT, .half = half, .inv_freq = freq, .mscale = 1.25f};
        float cs[T * ROT];
        float *x = noises(T * H * K), *y = malloc(T * H * K * sizeof *y);
        memcpy(y, x, T * H * K * sizeof *y);
        b.o->rope_table(b.o, cs, &r, pos, T);
        b.o->rope(b.o, y, cs, &r, T, H, K);
        double worst = 0;
        for (int t = 0; t < T; t++)
            for (int h = 0; h < H; h++)
                for (int i = 0; i < ROT / 2; i++) {
                    const int at = (t * H + h) * K, p = at + (half ? i : 2 * i);
                    const int q = at + (half ? i + ROT / 2 : 2 * i + 1);
                    const double c = cos(pos[t] * freq[i]) * 1.25, s = sin(pos[t] * freq[i]) * 1.25;
                    const double u = (double)x[p], v = (double)x[q];
                    worst = fmax(worst, fabs(u * c - v * s - (double)y[p]));
                    worst = fmax(worst, fabs(u * s + v * c - (double)y[q]));
                }
        CHECK_MSG(worst < 1e-6, "half=%d: off by %g", half, worst);
        for (int i = 0; i < T * H; i++) CHECK(same(x + i * K + ROT, y + i * K + ROT, K - ROT));
        free(x), free(y);
    }
    close_bench(&b);
}

static void test_bias_and_gather(void) {
    bench b = open_bench(NULL, 2, 4, 64);
    float y[6] = {1, 2, 3, 4, 5, 6}, out[4];
    const float bias[3] = {10, 20, 30};
    const uint32_t row[2] = {2, 0};
    b.o->bias(b.o, y, bias, 2, 3);
    CHECK(y[0] == 11 && y[2] == 33 && y[3] == 14 && y[5] == 36);
    b.o->gather(b.o, out, y, row, 2, 2);
    CHECK(out[0] == y[4] && out[1] == y[5] && out[2] == y[0]);
    CHECK(b.o->flush(b.o, NULL) == RZ_OK);
    CHECK(strncmp(b.o->name, "cpu ", 4) == 0);
    close_bench(&b);
}

/* ---- Attention ---- */

/* A cache with several sequences on scattered pages; memory nobody wrote is NaN. */
typedef struct cache {
    kv_slab kv;
    uint32_t *page[4]; /* of each sequence */
    uint32_t n_page;
} cache;

enum { PAGES_PER_SEQ = 80, SEQS = 4 };

static cache open_cache(kv_type type, uint32_t n_layer, uint32_t G, uint32_t K) {
    cache c = {.kv = {.type = type, .n_layer = n_layer, .G = G, .K = K}};
    if (kv_slab_layout(&c.kv, NULL) < 0) return c;
    c.n_page = PAGES_PER_SEQ * SEQS;
    c.kv.base = malloc(c.n_page * c.kv.page_bytes);
    memset(c.kv.base, 0xff, c.n_page * c.kv.page_bytes);
    for (uint32_t s = 0; s < SEQS; s++) {
        c.page[s] = malloc(PAGES_PER_SEQ * sizeof **c.page);
        for (uint32_t i = 0; i < PAGES_PER_SEQ; i++)
            c.page[s][i] = (i * SEQS + s) * 7 % c.n_page; /* 7 does not divide: all different */
    }
    return c;
}

static void close_cache(cache *c) {
    free(c->kv.base);
    for (int s = 0; s < SEQS; s++) free(c->page[s]);
}

/* One sequence: keys, values and queries of all positions. */
typedef struct timeline {
    float *k, *v, *q, *out;
    uint32_t n;
} timeline;

static timeline new_timeline(const attend_config *a, uint32_t n) {
    const size_t kv = (size_t)n * a->G * a->K, q = (size_t)n * a->H * a->K;
    return (timeline){noises(kv), noises(kv), noises(q), noises(q), n};
}

static void drop_timeline(timeline *t) { free(t->k), free(t->v), free(t->q), free(t->out); }

/* x[n] as a cache of that type gives it back: heads of K values. */
static float *as_stored(kv_type t, const float *x, size_t n, uint32_t K) {
    float *y = malloc(n * sizeof *y);
    for (size_t i = 0; i < n; i++)
        y[i] = t == KV_F32   ? x[i]
               : t == KV_F16 ? quant_f16_to_f32(quant_f32_to_f16(x[i]))
                             : quant_bf16_to_f32(quant_f32_to_bf16(x[i]));
    if (!kv_is_quantized(t)) return y;
    const quant_info *q = quant_get(t == KV_Q8_0 ? QUANT_Q8_0 : QUANT_Q4_0);
    for (size_t head = 0; head < n; head += K)
        for (uint32_t k = 0; k < K; k += 32) {
            const size_t some = K - k < 32 ? K - k : 32;
            float block[32] = {0};
            uint8_t stored[64];
            memcpy(block, x + head + k, some * sizeof *x);
            q->from_float(block, stored, 32);
            q->to_float(stored, block, 32);
            memcpy(y + head + k, block, some * sizeof *y);
        }
    return y;
}

/* With keys and values as the cache gives them back. */
static void naive_row(const timeline *t, const attend_config *a, uint32_t pos, uint32_t h,
                      double *out) {
    const uint32_t g = h / (a->H / a->G);
    const uint32_t lo = a->window && pos + 1 > a->window ? pos + 1 - a->window : 0;
    double *s = malloc((pos + 1) * sizeof *s), most = -INFINITY, sum = 0;
    for (uint32_t j = lo; j <= pos; j++) {
        double dot = 0;
        for (uint32_t d = 0; d < a->K; d++)
            dot += (double)t->q[((size_t)pos * a->H + h) * a->K + d] *
                   (double)t->k[((size_t)j * a->G + g) * a->K + d];
        s[j] = dot * (double)a->scale;
        if (a->slope) s[j] -= (double)a->slope[h] * (pos - j);
        if (a->softcap > 0) s[j] = (double)a->softcap * tanh(s[j] / (double)a->softcap);
        most = fmax(most, s[j]);
    }
    for (uint32_t d = 0; d < a->K; d++) out[d] = 0;
    if (a->sink) sum = exp((double)a->sink[h] - most);
    for (uint32_t j = lo; j <= pos; j++) {
        const double p = exp(s[j] - most);
        sum += p;
        for (uint32_t d = 0; d < a->K; d++)
            out[d] += p * (double)t->v[((size_t)j * a->G + g) * a->K + d];
    }
    for (uint32_t d = 0; d < a->K; d++) out[d] /= sum;
    free(s);
}

/* Feed rows first..first+n-1 of a timeline as one span. */
static void feed(bench *b, cache *c, uint32_t seq, const attend_config *a, timeline *t,
                 uint32_t first, uint32_t n) {
    const row_span s = {0, n, first, c->page[seq], NULL, false};
    const size_t kv = (size_t)first * a->G * a->K, q = (size_t)first * a->H * a->K;
    b->o->kv_write(b->o, &c->kv, 1, t->k + kv, t->v + kv, &s, 1);
    b->o->attend(b->o, t->out + q, t->q + q, &c->kv, 1, a, &s, 1);
}

static void check_attend(const attend_config *a, kv_type type, uint32_t n, uint32_t step) {
    bench b = open_bench(NULL, 2, n, a->H * a->K);
    cache c = open_cache(type, 2, a->G, a->K);
    REQUIRE(b.o && c.kv.base);
    timeline t = new_timeline(a, n);
    for (uint32_t i = 0; i < n; i += step) feed(&b, &c, 2, a, &t, i, n - i < step ? n - i : step);
    double worst = 0;
    double *want = malloc(a->K * sizeof *want);
    timeline stored = t;
    stored.k = as_stored(type, t.k, (size_t)n * a->G * a->K, a->K);
    stored.v = as_stored(type, t.v, (size_t)n * a->G * a->K, a->K);
    for (uint32_t i = 0; i<n; i += n> 100 ? 13 : 1)
        for (uint32_t h = 0; h < a->H; h++) {
            naive_row(&stored, a, i, h, want);
            for (uint32_t d = 0; d < a->K; d++)
                worst =
                    fmax(worst, fabs(want[d] - (double)t.out[((size_t)i * a->H + h) * a->K + d]));
        }
    CHECK_MSG(worst < 5e-6, "H=%u G=%u K=%u window=%u cap=%g n=%u step=%u type=%d: off by %g", a->H,
              a->G, a->K, a->window, (double)a->softcap, n, step, (int)type, worst);
    /* Again all rows at once, and one by one on another table of pages: the same bits. */
    timeline again = t;
    again.out = noises((size_t)n * a->H * a->K);
    feed(&b, &c, 0, a, &again, 0, n);
    CHECK_MSG(same(t.out, again.out, (size_t)n * a->H * a->K), "H=%u G=%u K=%u window=%u n=%u",
              a->H, a->G, a->K, a->window, n);
    bench b3 = open_bench(NULL, 3, 1, a->H * a->K);
    memset(again.out, 0, (size_t)n * a->H * a->K * sizeof *again.out);
    for (uint32_t i = 0; i < n; i++) feed(&b3, &c, 3, a, &again, i, 1);
    CHECK(same(t.out, again.out, (size_t)n * a->H * a->K));
    free(want), free(again.out), free(stored.k), free(stored.v);
    drop_timeline(&t);
    close_cache(&c);
    close_bench(&b);
    close_bench(&b3);
}

static void test_attention_with_slopes_and_sinks(void) {
    static const float slope[6] = {0.5f, 0.25f, 0.125f, 0.0625f, 0.7f, 0.3f};
    static const float sink[6] = {0.4f, -3.0f, 5.0f, 0.0f, -30.0f, 1.0f};
    const attend_config shape[] = {
        {.H = 4, .G = 4, .K = 16, .scale = 0.25f, .slope = slope},
        {.H = 6, .G = 3, .K = 12, .scale = 0.3f, .slope = slope, .window = 20},
        {.H = 4, .G = 2, .K = 16, .scale = 0.25f, .sink = sink},
        {.H = 6, .G = 1, .K = 32, .scale = 0.2f, .sink = sink, .window = 9, .slope = slope}};
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        check_attend(&shape[i], KV_F32, 1, 1);
        check_attend(&shape[i], KV_F32, 70, 7);
        check_attend(&shape[i], KV_F16, 97, 64);
    }
    check_attend(&shape[0], KV_F32, 1100, 500); /* more than one chunk of keys */
    check_attend(&shape[2], KV_F32, 1100, 500);
}

static void test_attention_is_softmax_of_products(void) {
    static const struct {
        uint32_t H, G, K, window;
        float softcap;
    } shape[] = {{1, 1, 8, 0, 0},   {4, 2, 12, 0, 0},   {8, 2, 24, 9, 0}, {4, 4, 32, 0, 2.0f},
                 {8, 1, 48, 0, 0},  {6, 2, 64, 40, 0},  {2, 1, 80, 0, 0}, {5, 1, 96, 33, 3.0f},
                 {4, 2, 128, 0, 0}, {2, 2, 256, 64, 0}, {40, 1, 16, 0, 0}};
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        const attend_config a = {.H = shape[i].H,
                                 .G = shape[i].G,
                                 .K = shape[i].K,
                                 .scale = 1.0f / sqrtf((float)shape[i].K),
                                 .window = shape[i].window,
                                 .softcap = shape[i].softcap};
        for (int type = KV_F32; type < KV_TYPE_COUNT; type++) {
            check_attend(&a, (kv_type)type, 1, 1);
            check_attend(&a, (kv_type)type, 33, 5);
            check_attend(&a, (kv_type)type, 97, 64);
        }
    }
}

static void test_attention_over_several_chunks(void) {
    const attend_config a = {.H = 4, .G = 2, .K = 16, .scale = 0.25f};
    const attend_config w = {.H = 2, .G = 1, .K = 16, .scale = 0.25f, .window = 1500};
    check_attend(&a, KV_F32, 1100, 500);
    check_attend(&a, KV_Q8_0, 1100, 500);
    if (!test_thorough()) return;
    for (int type = KV_F16; type < KV_TYPE_COUNT; type++)
        check_attend(&a, (kv_type)type, 2300, 700);
    check_attend(&w, KV_F16, 2300, 700);
}

static void test_sequences_in_one_step_do_not_mix(void) {
    const attend_config a = {.H = 4, .G = 2, .K = 32, .scale = 0.2f};
    const size_t kv = (size_t)a.G * a.K, q = (size_t)a.H * a.K;
    bench b = open_bench(NULL, 2, 64, 128);
    cache c = open_cache(KV_F16, 2, a.G, a.K);
    timeline t[3];
    row_span span[3];
    float *k = noises(60 * kv), *v = noises(60 * kv), *x = noises(60 * q), *out = noises(60 * q);
    static const uint32_t had[3] = {0, 31, 64}, more[3] = {40, 1, 3};
    uint32_t row = 0;
    for (uint32_t i = 0; i < 3; i++) {
        t[i] = new_timeline(&a, had[i] + more[i]);
        if (had[i]) feed(&b, &c, i, &a, &t[i], 0, had[i]);
        span[i] = (row_span){row, more[i], had[i], c.page[i], NULL, false};
        memcpy(k + row * kv, t[i].k + had[i] * kv, more[i] * kv * sizeof *k);
        memcpy(v + row * kv, t[i].v + had[i] * kv, more[i] * kv * sizeof *v);
        memcpy(x + row * q, t[i].q + had[i] * q, more[i] * q * sizeof *x);
        row += more[i];
    }
    b.o->kv_write(b.o, &c.kv, 1, k, v, span, 3);
    b.o->attend(b.o, out, x, &c.kv, 1, &a, span, 3);
    for (uint32_t i = 0; i < 3; i++) {
        feed(&b, &c, 3, &a, &t[i], 0, t[i].n);
        CHECK(same(out + span[i].first_row * q, t[i].out + had[i] * q, more[i] * q));
        drop_timeline(&t[i]);
    }
    free(k), free(v), free(x), free(out);
    close_cache(&c);
    close_bench(&b);
}

static void test_slab_layout_checks_sizes(void) {
    kv_slab s = {.type = KV_F16, .n_layer = 2, .G = 3, .K = 64};
    REQUIRE(kv_slab_layout(&s, NULL) == RZ_OK);
    CHECK(s.layer_bytes == 2ull * 3 * 64 * KV_PAGE_TOKENS * 2 && s.page_bytes == 2 * s.layer_bytes);
    /* 17 values are one block of 32: 34 or 18 bytes. */
    s = (kv_slab){.type = KV_Q8_0, .n_layer = 1, .G = 3, .K = 17};
    REQUIRE(kv_slab_layout(&s, NULL) == RZ_OK);
    CHECK(s.page_bytes == 2ull * 3 * 34 * KV_PAGE_TOKENS);
    CHECK(kv_head_bytes(KV_Q4_0, 33) == 36 && kv_head_bytes(KV_BF16, 33) == 66);
    CHECK_STR(kv_type_name(KV_Q4_0), "q4_0");
    CHECK(kv_type_name(KV_TYPE_COUNT) == NULL);
    err e = {0};
    s.n_layer = 0;
    CHECK(kv_slab_layout(&s, &e) == RZ_EINVAL);
    s = (kv_slab){.type = KV_F32, .n_layer = UINT32_MAX, .G = UINT32_MAX, .K = 4096};
    CHECK(kv_slab_layout(&s, &e) == RZ_EINVAL && e.text[0]);
}

void suite_ops(void) {
    noise_seed = 1;
    RUN(test_linear_is_the_product);
    RUN(test_linear_rows_do_not_depend_on_the_batch);
    RUN(test_every_readable_type_multiplies);
    RUN(test_linear_allocates_nothing);
    RUN(test_running_out_of_memory_is_an_error);
    RUN(test_embed_scales_rows);
    RUN(test_norm_rms_is_its_formula);
    RUN(test_norm_layer_is_its_formula);
    RUN(test_activations_are_their_formulas);
    RUN(test_rope_turns_pairs);
    RUN(test_bias_and_gather);
    RUN(test_slab_layout_checks_sizes);
    RUN(test_attention_is_softmax_of_products);
    RUN(test_attention_with_slopes_and_sinks);
    RUN(test_attention_over_several_chunks);
    RUN(test_sequences_in_one_step_do_not_mix);
}
