/* gemm.c - blocks of both sides are copied into panels that a tile kernel reads in order. A task is
 * a block of columns by a range of rows; its panel of columns is made once for all its rows. */
#include "train/gemm.h"

#include "base/mem.h"

enum { ROWS_STEP = 32 };

status team_new(team *t, pool *workers, err *e) {
    const size_t n = (size_t)pool_threads(workers) * TEAM_SCRATCH;
    t->workers = workers;
    t->scratch = mem_aligned(64, n * sizeof *t->scratch);
    return t->scratch ? RZ_OK : err_set(e, RZ_ENOMEM, "train: out of memory");
}

void team_free(team *t) {
    mem_free(t->scratch);
    t->scratch = NULL;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* out[panel][K][width] of n lines, each `line` apart, K inner elements `step` apart; lines that are
 * not there are 0. */
static void pack(real *out, const real *p, size_t line, size_t step, size_t n, size_t K,
                 size_t width) {
    for (size_t i = 0; i < n; i += width, p += width * line) {
        const size_t here = least(width, n - i);
        for (size_t k = 0; k < K; k++, out += width) {
            const real *from = p + k * step;
            for (size_t r = 0; r < here; r++) out[r] = from[r * line];
            for (size_t r = here; r < width; r++) out[r] = 0;
        }
    }
}

/* One block of columns, K inner elements, all rows of a. */
static void block(real *scratch, real *c, size_t c_stride, matrix a, matrix b, const size_t mnk[3],
                  bool more) {
    const size_t M = mnk[0], N = mnk[1], K = mnk[2];
    real *pb = scratch, *pa = scratch + GEMM_COLS * GEMM_INNER;
    pack(pb, b.p, b.cols, b.rows, N, K, KERN_TILE_COLS);
    for (size_t m = 0; m < M; m += GEMM_ROWS) {
        const size_t rows = least(GEMM_ROWS, M - m);
        pack(pa, a.p + m * a.rows, a.rows, a.cols, rows, K, KERN_TILE_ROWS);
        for (size_t j = 0; j < N; j += KERN_TILE_COLS)
            for (size_t i = 0; i < rows; i += KERN_TILE_ROWS)
                real_tile(c + (m + i) * c_stride + j, c_stride, pa + i * K, pb + j * K, K,
                          (uint32_t)least(KERN_TILE_ROWS, rows - i),
                          (uint32_t)least(KERN_TILE_COLS, N - j), more);
    }
}

void gemm_one(real *scratch, real *c, size_t c_stride, matrix a, matrix b, const size_t mnk[3],
              bool more) {
    for (size_t j = 0; j < mnk[1]; j += GEMM_COLS)
        for (size_t k = 0; k < mnk[2]; k += GEMM_INNER) {
            const matrix ak = {a.p + k * a.cols, a.rows, a.cols};
            const matrix bk = {b.p + k * b.rows + j * b.cols, b.rows, b.cols};
            const size_t part[3] = {mnk[0], least(GEMM_COLS, mnk[1] - j),
                                    least(GEMM_INNER, mnk[2] - k)};
            block(scratch, c + j, c_stride, ak, bk, part, more || k > 0);
        }
}

typedef struct product {
    const team *t;
    real *c;
    size_t c_stride;
    matrix a, b;
    const size_t *mnk;
    size_t rows, blocks; /* of a task; of columns */
    bool more;
} product;

static void product_task(void *ctx, uint32_t task, uint32_t thread) {
    const product *p = ctx;
    const size_t m = task / p->blocks * p->rows, j = task % p->blocks * GEMM_COLS;
    const matrix a = {p->a.p + m * p->a.rows, p->a.rows, p->a.cols};
    const matrix b = {p->b.p + j * p->b.cols, p->b.rows, p->b.cols};
    const size_t part[3] = {least(p->rows, p->mnk[0] - m), least(GEMM_COLS, p->mnk[1] - j),
                            p->mnk[2]};
    gemm_one(team_pack(p->t, thread), p->c + m * p->c_stride + j, p->c_stride, a, b, part, p->more);
}

void gemm(team *t, real *c, size_t c_stride, matrix a, matrix b, const size_t mnk[3], bool more) {
    if (mnk[0] == 0 || mnk[1] == 0 || mnk[2] == 0) return;
    const size_t blocks = (mnk[1] + GEMM_COLS - 1) / GEMM_COLS;
    const size_t want = 3 * (size_t)pool_threads(t->workers), cuts = (want + blocks - 1) / blocks;
    size_t rows = (mnk[0] / cuts / GEMM_ROWS + 1) * GEMM_ROWS;
    if (blocks >= want) rows = mnk[0];
    product p = {t, c, c_stride, a, b, mnk, rows, blocks, more};
    pool_run(t->workers, (uint32_t)((mnk[0] + rows - 1) / rows * blocks), product_task, &p);
}

typedef struct rows_call {
    rows_fn *fn;
    void *ctx;
    size_t T;
} rows_call;

static void rows_task(void *ctx, uint32_t task, uint32_t thread) {
    const rows_call *c = ctx;
    const size_t first = (size_t)task * ROWS_STEP;
    c->fn(c->ctx, first, least(ROWS_STEP, c->T - first), thread);
}

void team_rows(team *t, size_t T, rows_fn *fn, void *ctx) {
    rows_call c = {fn, ctx, T};
    pool_run(t->workers, (uint32_t)((T + ROWS_STEP - 1) / ROWS_STEP), rows_task, &c);
}
