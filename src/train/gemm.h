/* gemm.h - products of matrices on all threads, and the threads themselves.
 *
 * Every output is one chain of multiply-adds in order of the inner index, whatever the blocks, the
 * threads and the processor: the bits depend on the numbers alone, and a product that continues
 * another (more = true) is the product of both in one. */
#ifndef TRAIN_GEMM_H
#define TRAIN_GEMM_H

#include "base/pool.h"
#include "train/real.h"

/* Element (i, j) is p[i * rows + j * cols]: one of the two is 1. */
typedef struct matrix {
    const real *p;
    size_t rows, cols; /* steps, in elements */
} matrix;

/* Row-major [., n] as it is, or turned around. */
static inline matrix as_is(const real *p, size_t n) { return (matrix){p, n, 1}; }
static inline matrix turned(const real *p, size_t n) { return (matrix){p, 1, n}; }

enum {
    GEMM_ROWS = 96, /* of a block, a whole number of tiles */
    GEMM_COLS = 256,
    GEMM_INNER = 256,
    GEMM_PACK = (GEMM_ROWS + GEMM_COLS) * GEMM_INNER,
    TEAM_TILE = 96 * 128, /* of attention scores */
    TEAM_SCRATCH = GEMM_PACK + 2 * TEAM_TILE,
};

/* Threads with scratch of their own. */
typedef struct team {
    pool *workers;
    real *scratch; /* [threads][TEAM_SCRATCH] */
} team;
status team_new(team *t, pool *workers, err *e);
void team_free(team *t);
static inline real *team_pack(const team *t, uint32_t thread) {
    return t->scratch + (size_t)thread * TEAM_SCRATCH;
}

/* c[M,N] (rows c_stride apart) = (more ? c : 0) + a[M,K] b[K,N] */
void gemm(team *t, real *c, size_t c_stride, matrix a, matrix b, const size_t mnk[3], bool more);
/* The same on the caller's thread with its own GEMM_PACK of scratch. */
void gemm_one(real *scratch, real *c, size_t c_stride, matrix a, matrix b, const size_t mnk[3],
              bool more);

/* fn for rows first .. first + n - 1 of T, in blocks, on all threads. */
typedef void rows_fn(void *ctx, size_t first, size_t n, uint32_t thread);
void team_rows(team *t, size_t T, rows_fn *fn, void *ctx);

#endif
