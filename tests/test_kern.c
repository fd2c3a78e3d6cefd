/* test_kern.c - every table of inner loops that this processor can run gives the bits of the scalar
 * one, at all small sizes, and reads nothing behind the last weight row. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/rng.h"
#include "kernels/kern.h"
#include "kernels/kern_quant.h"
#include "quant/block.h"
#include "test.h"

static uint64_t seed;
static const kern *scalar, *other; /* what the running test compares */

enum { MOST = 1200 };

/* Mostly ordinary numbers, some huge, tiny, subnormal or zero. */
static float any_number(void) {
    const float f = (float)(rng_unit(&seed) * 8 - 4);
    switch (rng_below(&seed, 40)) {
        case 0:
            return 0.0f;
        case 1:
            return -0.0f;
        case 2:
            return f * 1e-30f;
        case 3:
            return f * 1e30f;
        case 4:
            return f * 1e-44f;
        case 5:
            return f * 30;
        default:
            return f;
    }
}

static float tame_number(void) { return (float)(rng_unit(&seed) * 4 - 2); }

static void fill(float *p, size_t n, float (*number)(void)) {
    for (size_t i = 0; i < n; i++) p[i] = number();
}

static bool same(const void *a, const void *b, size_t bytes) { return memcmp(a, b, bytes) == 0; }

/* Not NaN: which NaN comes out is not promised. */
static bool same_floats(const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!same(&a[i], &b[i], sizeof *a) && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

static void each_table(void (*check)(void)) {
    scalar = kern_list(0);
    for (int i = 1; (other = kern_list(i)) != NULL; i++) check();
}

/* ---- Rows and elements ---- */

static void elements_agree(size_t n) {
    float x[MOST], t[MOST], gain[MOST], a[MOST], b[MOST];
    fill(x, n, any_number), fill(t, n, any_number), fill(gain, n, any_number);
    const size_t bytes = n * sizeof *x;
    memcpy(a, x, bytes), memcpy(b, x, bytes);
    scalar->add(a, t, n), other->add(b, t, n);
    CHECK_MSG(same_floats(a, b, n), "%s add %zu", other->name, n);
    scalar->scale(a, 1.7f, n), other->scale(b, 1.7f, n);
    CHECK_MSG(same_floats(a, b, n), "%s scale %zu", other->name, n);
    memcpy(a, x, bytes), memcpy(b, x, bytes);
    scalar->softcap(a, 5.0f, n), other->softcap(b, 5.0f, n);
    CHECK_MSG(same_floats(a, b, n), "%s softcap %zu", other->name, n);
    for (int act = ACT_SILU; act < ACT_KIND_COUNT; act++) {
        scalar->act_mul(a, x, t, n, (act_kind)act), other->act_mul(b, x, t, n, (act_kind)act);
        CHECK_MSG(same_floats(a, b, n), "%s act_mul %d %zu", other->name, act, n);
        memcpy(a, x, bytes), memcpy(b, x, bytes);
        scalar->act(a, n, (act_kind)act), other->act(b, n, (act_kind)act);
        CHECK_MSG(same_floats(a, b, n), "%s act %d %zu", other->name, act, n);
    }
    scalar->norm_rms(a, x, gain, n, 1e-6f), other->norm_rms(b, x, gain, n, 1e-6f);
    CHECK_MSG(same_floats(a, b, n), "%s norm_rms %zu", other->name, n);
    fill(x, n, tame_number);
    scalar->norm_rms(a, x, gain, n, 1e-6f), other->norm_rms(b, x, gain, n, 1e-6f);
    CHECK_MSG(same_floats(a, b, n), "%s norm_rms %zu", other->name, n);
    for (int with = 0; with < 2; with++) {
        const float *bias = with ? t : NULL;
        scalar->norm_layer(a, x, gain, bias, n, 1e-6f);
        other->norm_layer(b, x, gain, bias, n, 1e-6f);
        CHECK_MSG(same_floats(a, b, n), "%s norm_layer %zu", other->name, n);
    }
}

static void check_elements(void) {
    for (size_t n = 1; n <= 70; n++) elements_agree(n);
    elements_agree(MOST);
}

static void test_elementwise_bits_agree(void) { each_table(check_elements); }

/* ---- Recurrent layers ---- */

enum { SCAN_T = 3, SCAN_N = 19, SCAN_P = 40, TAPS = 4, CHANNELS = 40, STATES = 35 };

static void steps_agree(size_t n) {
    float e[80], a[80], b[80], keep_a[80], keep_b[80];
    fill(e, n, any_number);
    scalar->step_sizes(a, keep_a, e, n, 0.001f, 0.1f, -3.5f);
    other->step_sizes(b, keep_b, e, n, 0.001f, 0.1f, -3.5f);
    CHECK_MSG(same_floats(a, b, n) && same_floats(keep_a, keep_b, n), "%s step_sizes %zu",
              other->name, n);
    scalar->step_sizes(a, NULL, e, n, 0, INFINITY, 0);
    other->step_sizes(b, NULL, e, n, 0, INFINITY, 0);
    CHECK_MSG(same_floats(a, b, n), "%s softplus %zu", other->name, n);
}

static void conv_agrees(size_t n, size_t K) {
    float x[CHANNELS], w[TAPS * CHANNELS], bias[CHANNELS], past[TAPS * CHANNELS], y[CHANNELS];
    float past_y[TAPS * CHANNELS];
    for (int how = 0; how < 4; how++) {
        fill(x, n, any_number), fill(w, K * n, any_number), fill(bias, n, any_number);
        fill(past, K * CHANNELS, any_number);
        memcpy(y, x, sizeof y), memcpy(past_y, past, sizeof past);
        scalar->conv(x, past, CHANNELS, w, how & 1 ? bias : NULL, n, K, how & 2);
        other->conv(y, past_y, CHANNELS, w, how & 1 ? bias : NULL, n, K, how & 2);
        CHECK_MSG(same_floats(x, y, n) && same_floats(past, past_y, K * CHANNELS),
                  "%s conv %zu x %zu", other->name, n, K);
    }
}

static void select_agrees(size_t n, size_t N, float max) {
    float h[3 * STATES], A[3 * STATES], u[3], dt[3], B[STATES], C[STATES], skip[3], y[3], z[3];
    float g[3 * STATES];
    fill(h, n * N, any_number), fill(A, n * N, tame_number), fill(u, n, any_number);
    fill(dt, n, any_number), fill(B, N, any_number), fill(C, N, any_number);
    fill(skip, n, any_number);
    memcpy(g, h, sizeof g);
    scalar->select_scan(y, h, u, dt, A, B, C, skip, n, N, max);
    other->select_scan(z, g, u, dt, A, B, C, skip, n, N, max);
    CHECK_MSG(same_floats(y, z, n) && same_floats(h, g, n * N), "%s select_scan %zu x %zu",
              other->name, n, N);
}

static void state_agrees(size_t T, size_t N, size_t P, bool last) {
    float h[SCAN_N * SCAN_P], g[SCAN_N * SCAN_P], u[(SCAN_T + 1) * SCAN_P], y[SCAN_T * SCAN_P];
    float B[(SCAN_T + 1) * SCAN_N], C[SCAN_T * SCAN_N], keep[SCAN_T], in[SCAN_T];
    float z[SCAN_T * SCAN_P];
    fill(h, N * P, any_number), fill(u, (T + 1) * P, any_number), fill(B, (T + 1) * N, any_number);
    fill(C, T * N, any_number), fill(keep, T, tame_number), fill(in, T, tame_number);
    memcpy(g, h, sizeof g);
    kern_scan s = {.h = h,
                   .y = y,
                   .u = u,
                   .B = B,
                   .C = C,
                   .keep = keep,
                   .in = in,
                   .u_stride = P,
                   .y_stride = P,
                   .bc_stride = N,
                   .T = T,
                   .N = N,
                   .P = P,
                   .last_u = last ? u + T * P : NULL,
                   .last_B = last ? B + T * N : NULL,
                   .skip = 0.7f,
                   .last_in = 0.3f};
    scalar->state_scan(&s);
    s.h = g, s.y = z;
    other->state_scan(&s);
    CHECK_MSG(same_floats(y, z, T * P) && same_floats(h, g, N * P), "%s state_scan %zu x %zu x %zu",
              other->name, T, N, P);
}

static void check_scans(void) {
    for (size_t n = 1; n <= 70; n++) steps_agree(n);
    for (size_t n = 1; n <= CHANNELS; n++)
        for (size_t K = 1; K <= TAPS; K++) conv_agrees(n, K);
    for (size_t N = 1; N <= STATES; N++)
        for (size_t n = 1; n <= 3; n++) select_agrees(n, N, 0), select_agrees(n, N, 3);
    for (size_t N = 1; N <= SCAN_N; N++)
        for (size_t P = 1; P <= SCAN_P; P++) {
            for (size_t T = 1; T <= SCAN_T; T++) state_agrees(T, N, P, false);
            state_agrees(1, N, P, true);
        }
}

static void test_scan_bits_agree(void) { each_table(check_scans); }

/* A prompt's positions in one call, in two, one by one. */
static void test_a_scan_may_be_cut_anywhere(void) {
    enum { T = 5, N = 6, P = 21 };
    float u[T * P], B[T * N], C[T * N], keep[T], in[T], whole[T * P], part[T * P];
    fill(u, T * P, tame_number), fill(B, T * N, tame_number), fill(C, T * N, tame_number);
    fill(keep, T, tame_number), fill(in, T, tame_number);
    for (size_t cut = 1; cut <= T; cut++) {
        float h[N * P] = {0}, g[N * P] = {0};
        kern_scan s = {.h = h,
                       .y = whole,
                       .u = u,
                       .B = B,
                       .C = C,
                       .keep = keep,
                       .in = in,
                       .u_stride = P,
                       .y_stride = P,
                       .bc_stride = N,
                       .T = T,
                       .N = N,
                       .P = P,
                       .skip = 0.5f};
        kern_get()->state_scan(&s);
        for (size_t t = 0; t < T; t += cut) {
            s.h = g, s.y = part + t * P, s.u = u + t * P, s.B = B + t * N, s.C = C + t * N;
            s.keep = keep + t, s.in = in + t, s.T = T - t < cut ? T - t : cut;
            kern_get()->state_scan(&s);
        }
        CHECK(same(whole, part, sizeof whole) && same(h, g, sizeof h));
    }
}

static void test_step_sizes_are_their_formula(void) {
    enum { N = 40001 };
    float *e = malloc(N * sizeof *e), *dt = malloc(N * sizeof *dt), *keep = malloc(N * sizeof *e);
    double worst = 0, worst_keep = 0;
    for (int i = 0; i < N; i++) e[i] = (float)(i - N / 2) * 0.004f; /* -80 .. 80 */
    kern_get()->step_sizes(dt, keep, e, N, 0, INFINITY, -0.75f);
    for (int i = 0; i < N; i++) {
        const double x = (double)e[i], want = x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
        worst = fmax(worst, fabs((double)dt[i] - want) / want);
        worst_keep = fmax(worst_keep, fabs((double)keep[i] / exp(-0.75 * (double)dt[i]) - 1));
    }
    CHECK_MSG(worst < 4e-7, "softplus is off by %g", worst);
    CHECK_MSG(worst_keep < 4e-6, "exp(dt A) is off by %g", worst_keep);
    float nan = NAN;
    kern_get()->step_sizes(dt, keep, &nan, 1, 0, 1, -1);
    CHECK(isnan(dt[0]) && isnan(keep[0]));
    kern_get()->step_sizes(dt, keep, e, N, 0.001f, 0.1f, -1);
    CHECK(dt[0] == 0.001f && dt[N - 1] == 0.1f);
    free(e), free(dt), free(keep);
}

static void check_rope(void) {
    float x[256], cs[256], a[256], b[256];
    for (size_t n = 2; n <= 160; n += 2)
        for (int half = 0; half < 2; half++) {
            fill(x, 256, tame_number), fill(cs, 256, tame_number);
            memcpy(a, x, sizeof x), memcpy(b, x, sizeof x);
            scalar->rope(a, cs, n, half), other->rope(b, cs, n, half);
            CHECK_MSG(same(a, b, sizeof a) && same(a + n, x + n, (256 - n) * sizeof *x),
                      "%s rope %zu half=%d", other->name, n, half);
        }
}

static void test_rope_bits_agree(void) { each_table(check_rope); }

static bool same_blocks(const kern_block *a, const kern_block *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!same(&a[i].d, &b[i].d, 4 * sizeof(float)) || a[i].bias != b[i].bias ||
            !same(a[i].half_bias, b[i].half_bias, sizeof a->half_bias) ||
            !same(a[i].half_q, b[i].half_q, sizeof a->half_q))
            return false;
    return true;
}

static void check_quantize(void) {
    float x[320];
    int8_t q[2][320];
    kern_block block[2][10];
    for (size_t n = 1; n <= 320; n += n < 70 ? 1 : 50) {
        fill(x, n, n % 3 ? tame_number : any_number);
        if (n % 5 == 0) memset(x, 0, (n < 32 ? n : 32) * sizeof *x);
        scalar->quantize(x, n, q[0], block[0]), other->quantize(x, n, q[1], block[1]);
        const size_t blocks = (n + 31) / 32;
        CHECK_MSG(same(q[0], q[1], blocks * 32) && same_blocks(block[0], block[1], blocks),
                  "%s quantize %zu", other->name, n);
    }
}

static void test_quantize_bits_agree(void) { each_table(check_quantize); }

static void test_quantize_is_its_definition(void) {
    const kern *k = kern_get();
    float x[64] = {0};
    int8_t q[64];
    kern_block b[2];
    for (int i = 0; i < 32; i++) x[i] = (float)(i - 16) * 0.5f; /* largest 8: 127 / 8 = 15.875 */
    x[40] = 0x1p-121f;
    k->quantize(x, 64, q, b);
    CHECK(q[0] == -127 && q[16] == 0 && q[17] == 8 && q[31] == 119 && b[0].d == 8.0f / 127);
    int sum[2] = {0, 0};
    for (int i = 0; i < 32; i++) sum[i / 16] += q[i];
    CHECK(b[0].bias == KERN_BIAS - 128 * (sum[0] + sum[1]));
    CHECK(b[0].sum == b[0].d * (float)(sum[0] + sum[1]));
    for (int h = 0; h < 2; h++) {
        CHECK(b[0].half_q[h] == sum[h] && b[0].half_bias[h] == KERN_BIAS - 128 * sum[h]);
        CHECK(b[0].half_sum[h] == b[0].d * (float)sum[h]);
    }
    CHECK(q[40] == 0 && b[1].d == 0 && b[1].sum == 0 && b[1].bias == KERN_BIAS);
    x[3] = NAN;
    x[35] = INFINITY;
    k->quantize(x, 64, q, b);
    CHECK(isnan(b[0].d) && isnan(b[1].d) && isnan(b[0].sum) && isnan(b[1].half_sum[1]));
}

/* ---- Cache and attention ---- */

static void check_store(void) {
    float x[100];
    uint8_t a[400], b[400];
    for (size_t n = 1; n <= 100; n++)
        for (int type = KV_F32; type <= KV_BF16; type++) {
            fill(x, n, any_number);
            x[n / 2] = 65520.0f;
            memset(a, 7, sizeof a), memset(b, 7, sizeof b);
            scalar->kv_store(a, (kv_type)type, x, n), other->kv_store(b, (kv_type)type, x, n);
            CHECK_MSG(same(a, b, sizeof a), "%s kv_store %zu type %d", other->name, n, type);
        }
}

static void test_cache_bits_agree(void) { each_table(check_store); }

/* Pages of random bytes whose scales are numbers. */
static void check_load(void) {
    enum { K_MOST = 100, BYTES = K_MOST * KERN_PAGE * 4 + 4096 };
    uint8_t *page = malloc(BYTES);
    float *out[2] = {malloc(K_MOST * KERN_PAGE * 4), malloc(K_MOST * KERN_PAGE * 4)};
    const kern *k[2] = {scalar, other};
    for (uint32_t i = 0; i < BYTES / 2; i++) {
        const uint16_t half = (uint16_t)(rng_below(&seed, 65536) & 0xbbff); /* below 2 */
        memcpy(page + 2 * i, &half, sizeof half);
    }
    for (uint32_t K = 1; K <= K_MOST; K += K < 34 ? 1 : 11)
        for (int type = KV_F32; type < KV_TYPE_COUNT; type++)
            for (int values = 0; values < 2; values++) {
                const size_t bytes = K * KERN_PAGE * sizeof(float);
                for (int i = 0; i < 2; i++) {
                    memset(out[i], 7, bytes);
                    if (values) k[i]->load_values(out[i], page, (kv_type)type, K % 5, 32, K);
                    else k[i]->load_keys(out[i], page, (kv_type)type, K);
                }
                CHECK_MSG(same(out[0], out[1], bytes), "%s %s of %s K=%u", other->name,
                          values ? "values" : "keys", kv_type_name((kv_type)type), K);
            }
    free(page), free(out[0]), free(out[1]);
}

static void test_loaded_pages_agree(void) { each_table(check_load); }

/* A page of one head in both types, and queries, scores, results of R rows. */
typedef struct page_case {
    float cache[256 * KERN_PAGE], query[KERN_QUERIES][256];
    uint16_t half[256 * KERN_PAGE];
    float s[2][KERN_QUERIES * KERN_PAGE], out[2][KERN_QUERIES][256];
    kern_softmax state[2];
} page_case;

static void page_agrees(page_case *c, uint32_t R, uint32_t K, kv_type type) {
    const float *q[KERN_QUERIES];
    float *out[2][KERN_QUERIES];
    uint32_t lo[KERN_QUERIES], hi[KERN_QUERIES];
    fill(c->cache, K * KERN_PAGE, tame_number);
    fill(c->query[0], KERN_QUERIES * 256, tame_number);
    fill(c->out[0][0], KERN_QUERIES * 256, tame_number);
    scalar->kv_store(c->half, type == KV_BF16 ? KV_BF16 : KV_F16, c->cache, K * KERN_PAGE);
    memcpy(c->out[1], c->out[0], sizeof c->out[0]);
    for (uint32_t r = 0; r < R; r++) {
        q[r] = c->query[r];
        out[0][r] = c->out[0][r], out[1][r] = c->out[1][r];
        lo[r] = (uint32_t)rng_below(&seed, KERN_PAGE);
        hi[r] = lo[r] + 1 + (uint32_t)rng_below(&seed, KERN_PAGE - lo[r]);
        c->state[0].m[r] = r % 3 ? tame_number() : -INFINITY;
        c->state[0].l[r] = r % 3 ? 1.5f : 0;
    }
    c->state[1] = c->state[0];
    const void *cache = type == KV_F32 ? (const void *)c->cache : c->half;
    const kern *k[2] = {scalar, other};
    for (int i = 0; i < 2; i++) {
        k[i]->scores(c->s[i], q, R, cache, type, K);
        k[i]->weights(c->s[i], R, lo, hi, 0.3f, R % 2 ? 2.0f : 0, &c->state[i]);
        k[i]->values(out[i], c->state[i].rescale, c->s[i], R, cache, type, lo[0], hi[0], K);
    }
    CHECK_MSG(same(c->s[0], c->s[1], R * KERN_PAGE * sizeof(float)), "%s scores R=%u K=%u type %d",
              other->name, R, K, (int)type);
    CHECK_MSG(same(c->state[0].m, c->state[1].m, R * sizeof(float)) &&
                  same(c->state[0].l, c->state[1].l, R * sizeof(float)) &&
                  same(c->state[0].rescale, c->state[1].rescale, R * sizeof(float)),
              "%s weights R=%u K=%u", other->name, R, K);
    CHECK_MSG(same(c->out[0], c->out[1], sizeof c->out[0]), "%s values R=%u K=%u type %d",
              other->name, R, K, (int)type);
    float m[2] = {0.5f, 0.5f}, l[2] = {2, 2};
    for (int i = 0; i < 2; i++) {
        k[i]->merge(&m[i], &l[i], out[i][0], R % 2 ? 1.25f : -3, 1.5f, c->query[1], K);
        k[i]->divide(out[i][0], l[i], K);
    }
    CHECK_MSG(same(m, m + 1, sizeof *m) && same(l, l + 1, sizeof *l) &&
                  same(c->out[0], c->out[1], sizeof c->out[0]),
              "%s merge K=%u", other->name, K);
}

static void check_pages(void) {
    page_case *c = malloc(sizeof *c);
    static const uint32_t size[] = {1, 8, 12, 16, 24, 31, 32, 48, 64, 80, 96, 128, 256};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        for (uint32_t R = 1; R <= KERN_QUERIES; R += i % 4 == 3 ? 1 : 5) {
            page_agrees(c, R, size[i], KV_F32);
            page_agrees(c, R, size[i], KV_F16);
            page_agrees(c, R, size[i], KV_BF16);
        }
    free(c);
}

static void test_attention_bits_agree(void) { each_table(check_pages); }

/* ---- Products ---- */

/* Weight rows whose last byte is the last before a page that must not be touched. */
typedef struct guarded {
    uint8_t *map, *data;
    size_t bytes;
} guarded;

static guarded guard(size_t bytes) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guarded g = {.bytes = (bytes + page - 1) / page * page + page};
    g.map = mmap(NULL, g.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED) return (guarded){0};
    mprotect(g.map + g.bytes - page, page, PROT_NONE);
    g.data = g.map + g.bytes - page - bytes;
    return g;
}

/* Rows of x and everything `linear` makes of them. */
typedef struct x_rows {
    float x[40 * MOST];
    int8_t q[40 * (MOST + 32)];
    kern_block block[40 * (MOST / 32 + 1)];
    float y[2][40 * 100];
    _Alignas(64) uint8_t scratch[KERN_SCRATCH];
} x_rows;

static kern_rows quantized(x_rows *s, uint32_t T, uint32_t n) {
    const size_t blocks = (n + 31) / 32;
    for (uint32_t t = 0; t < T; t++)
        scalar->quantize(s->x + (size_t)t * n, n, s->q + t * blocks * 32, s->block + t * blocks);
    return (kern_rows){.x = s->x,
                       .q = s->q,
                       .block = s->block,
                       .x_stride = n,
                       .q_stride = blocks * 32,
                       .block_stride = blocks,
                       .T = T,
                       .n = n};
}

static void product_agrees(x_rows *s, quant_type t, uint32_t n_row, uint32_t n, uint32_t T) {
    const quant_info *info = quant_get((uint32_t)t);
    uint64_t row_bytes;
    REQUIRE(quant_row_bytes(t, n, &row_bytes));
    guarded g = guard(n_row * row_bytes);
    REQUIRE(g.data);
    fill(s->x, (size_t)T * n, tame_number);
    for (uint32_t r = 0; r < n_row; r++) { /* some types take long to write: rows come again */
        float row[MOST];
        fill(row, n, tame_number);
        if (r < 7) info->from_float(row, g.data + r * row_bytes, n);
        else memcpy(g.data + r * row_bytes, g.data + (r - 7) * row_bytes, row_bytes);
    }
    const kern_rows x = quantized(s, T, n);
    const size_t stride = n_row + 3; /* what is between the rows of y must stay */
    memset(s->y, 0x55, sizeof s->y);
    scalar->product[t](s->y[0], stride, g.data, row_bytes, n_row, &x, s->scratch);
    other->product[t](s->y[1], stride, g.data, row_bytes, n_row, &x, s->scratch);
    CHECK_MSG(same(s->y[0], s->y[1], sizeof s->y[0]), "%s %s %ux%u, %u rows", other->name,
              info->name, n_row, n, T);
    munmap(g.map, g.bytes);
}

static void check_products(void) {
    x_rows *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    for (int t = 0; t < QUANT_TYPE_COUNT; t++) {
        const quant_info *info = quant_get((uint32_t)t);
        if (!other->product[t] || !scalar->product[t] || !info->from_float) continue;
        const uint32_t b = info->block;
        for (uint32_t n = 1; n <= 70; n += b < 256 ? 1 : 5) {
            const uint32_t cols = b == 1 ? n : (n % 8 + 1) * b;
            if (cols <= MOST) product_agrees(s, (quant_type)t, 71 - n, cols, n % 13 + 1);
        }
        for (uint32_t T = 1; T <= 40; T += T < 14 ? 1 : 9)
            product_agrees(s, (quant_type)t, 33, b == 1 ? 50 : 2 * b, T);
        product_agrees(s, (quant_type)t, 70, MOST / b * b, 2);
        product_agrees(s, (quant_type)t, 35, MOST / b * b, 16);
    }
    free(s);
}

static void test_product_bits_agree_and_stay_inside(void) { each_table(check_products); }

/* Where the half-precision scale of a block is; SIZE_MAX: the type has none. */
static size_t scale_offset(quant_type t) {
    switch (t) {
        case QUANT_Q2_K:
            return offsetof(block_q2_k, d);
        case QUANT_Q3_K:
            return offsetof(block_q3_k, d);
        case QUANT_Q6_K:
            return offsetof(block_q6_k, d);
        case QUANT_TQ1_0:
            return offsetof(block_tq1_0, d);
        case QUANT_TQ2_0:
            return offsetof(block_tq2_0, d);
        case QUANT_IQ1_M:
        case QUANT_MXFP4:
        case QUANT_NVFP4:
            return SIZE_MAX;
        default:
            return 0;
    }
}

enum { BYTES_00, BYTES_FF, BYTES_7F, BYTES_80, BYTES_RANDOM, BYTES_WILD, N_BYTES };

/* Blocks of one byte, or of random ones. Scales and offsets are 1, but with BYTES_WILD what comes:
 * infinite, NaN, subnormal. */
static void fill_blocks(quant_type t, uint8_t *w, size_t n, int pattern) {
    static const uint8_t byte[] = {0x00, 0xff, 0x7f, 0x80};
    const quant_info *info = quant_get((uint32_t)t);
    const uint16_t ones[2] = {0x3c00, 0x3c00};
    const size_t at = scale_offset(t),
                 scales =
                     kern_quant_of(t)->link == LINK_32 || kern_quant_of(t)->link == LINK_16 ? 1 : 2;
    for (size_t i = 0; i < n * info->bytes; i++)
        w[i] = pattern < BYTES_RANDOM ? byte[pattern] : (uint8_t)rng_below(&seed, 256);
    for (size_t i = 0; i < n && pattern != BYTES_WILD; i++, w += info->bytes) {
        if (at != SIZE_MAX) memcpy(w + at, ones, scales * sizeof *ones);
        else if (t == QUANT_MXFP4) w[offsetof(block_mxfp4, e)] = (uint8_t)(i % 2 ? 120 : i % 4 / 2);
        else if (t == QUANT_IQ1_M) /* the high bits of four words are 0x3c00 */
            w[49] &= 15, w[51] &= 15, w[53] = (w[53] & 15) | 0xc0, w[55] = (w[55] & 15) | 0x30;
    }
}

/* The largest sum of products of x with the row of weights, and their sum. */
static double exact_sum(const float *w, const x_rows *s, const kern_rows *x, uint32_t t,
                        double *size) {
    double sum = 0;
    *size = 1e-9;
    for (uint32_t i = 0; i < x->n; i++) {
        const double d = (double)s->block[t * x->block_stride + i / 32].d;
        const double v = (double)w[i] * d * s->q[t * x->q_stride + i];
        sum += v;
        *size += fabs(v);
    }
    return sum;
}

enum { EXTREME_ROWS = 19, EXTREME_T = 9, EXTREME_N = 256 };

/* Weights as bytes may make them and the largest inputs: against doubles and the other table. */
static void extremes_agree(x_rows *s, quant_type t, int pattern, int sign) {
    static uint8_t w[EXTREME_ROWS * EXTREME_N * 2];
    const quant_info *info = quant_get((uint32_t)t);
    const size_t blocks = EXTREME_N / info->block, row_bytes = blocks * info->bytes;
    fill_blocks(t, w, EXTREME_ROWS * blocks, pattern);
    for (int k = 0; k < EXTREME_N * EXTREME_T; k++)
        s->x[k] = sign ? (float)sign : (float)(rng_below(&seed, 3)) - 1;
    const kern_rows x = quantized(s, EXTREME_T, EXTREME_N);
    for (uint32_t T = 1; T <= EXTREME_T; T += EXTREME_T - 1) {
        kern_rows some = x;
        some.T = T;
        scalar->product[t](s->y[0], EXTREME_ROWS, w, row_bytes, EXTREME_ROWS, &some, s->scratch);
        other->product[t](s->y[1], EXTREME_ROWS, w, row_bytes, EXTREME_ROWS, &some, s->scratch);
        CHECK_MSG(same_floats(s->y[0], s->y[1], (size_t)T * EXTREME_ROWS), "%s %s pattern %d",
                  other->name, info->name, pattern);
    }
    for (uint32_t r = 0; r < EXTREME_ROWS && pattern != BYTES_WILD; r += 4) {
        float row[EXTREME_N];
        double size;
        info->to_float(w + r * row_bytes, row, EXTREME_N);
        const double sum = exact_sum(row, s, &x, 3, &size);
        const double off = fabs(sum - (double)s->y[0][3 * EXTREME_ROWS + r]);
        CHECK_MSG(off <= 1e-5 * size, "%s pattern %d: off by %g of %g", info->name, pattern, off,
                  size);
    }
}

static void check_extremes(void) {
    x_rows *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    for (int t = 0; t < QUANT_TYPE_COUNT; t++)
        for (int pattern = 0; pattern < N_BYTES; pattern++)
            for (int sign = -1; sign <= 1 && kern_quant_of((quant_type)t)->read; sign++)
                extremes_agree(s, (quant_type)t, pattern, sign);
    free(s);
}

/* The scalar table against doubles on every machine, each other table against the scalar one. */
static void test_largest_integers_do_not_saturate(void) {
    scalar = other = kern_list(0);
    check_extremes();
    each_table(check_extremes);
}

/* A NaN in a row of x reaches every output of that row and of no other. */
static void check_nan(void) {
    enum { ROWS = 35, N = 96, BAD = 3 };
    x_rows *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    float row[N];
    uint8_t w[ROWS * N * sizeof(float)];
    for (int t = 0; t < QUANT_TYPE_COUNT; t++) {
        const quant_info *info = quant_get((uint32_t)t);
        uint64_t row_bytes = 0;
        if (!other->product[t] || !info->from_float || info->block > 32) continue;
        REQUIRE(quant_row_bytes((quant_type)t, N, &row_bytes));
        for (uint32_t r = 0; r < ROWS; r++) {
            fill(row, N, tame_number);
            info->from_float(row, w + r * row_bytes, N);
        }
        for (uint32_t T = BAD + 1; T <= 9; T++) {
            fill(s->x, T * N, tame_number);
            s->x[BAD * N + 40] = NAN;
            const kern_rows x = quantized(s, T, N);
            other->product[t](s->y[1], ROWS, w, row_bytes, ROWS, &x, s->scratch);
            size_t wrong = 0;
            for (size_t i = 0; i < T * ROWS; i++)
                wrong += (isnan(s->y[1][i]) != 0) != (i / ROWS == BAD);
            CHECK_MSG(wrong == 0, "%s %s, %u rows: %zu outputs", other->name, info->name, T, wrong);
        }
    }
    free(s);
}

static void test_a_nan_spoils_its_row_alone(void) { each_table(check_nan); }

/* ---- Choosing ---- */

static void test_tables_are_found_by_name(void) {
    CHECK(kern_list(0) == kern_find("scalar") && kern_list(-1) == NULL && kern_list(99) == NULL);
    CHECK(kern_find("sse9") == NULL && kern_find("") == NULL);
    for (int i = 0; kern_list(i); i++) CHECK(kern_find(kern_list(i)->name) == kern_list(i));
    CHECK(kern_get() != NULL && kern_find(kern_get()->name) == kern_get());
}

void suite_kern(void) {
    seed = 7;
    RUN(test_elementwise_bits_agree);
    RUN(test_scan_bits_agree);
    RUN(test_a_scan_may_be_cut_anywhere);
    RUN(test_step_sizes_are_their_formula);
    RUN(test_rope_bits_agree);
    RUN(test_quantize_bits_agree);
    RUN(test_quantize_is_its_definition);
    RUN(test_cache_bits_agree);
    RUN(test_loaded_pages_agree);
    RUN(test_attention_bits_agree);
    RUN(test_product_bits_agree_and_stay_inside);
    RUN(test_largest_integers_do_not_saturate);
    RUN(test_a_nan_spoils_its_row_alone);
    RUN(test_tables_are_found_by_name);
}
