/* ops_cpu.h - what the files behind ops_cpu.c share. Nobody else includes it. */
#ifndef KERNELS_OPS_CPU_H
#define KERNELS_OPS_CPU_H

#include "kernels/kern.h"

typedef struct cpu_ops {
    ops o; /* first: an ops * is a cpu_ops * */
    const kern *k;
    pool *workers;
    char name[24];
    uint32_t max_rows, max_cols;
    /* Scratch of thread i at scratch + i * scratch_bytes: KERN_SCRATCH bytes for the kernels, then
     * float_rows rows of max_cols floats. */
    uint8_t *scratch;
    size_t scratch_bytes;
    /* The quantized input of the running `linear`, room for max_rows rows of max_cols. */
    int8_t *q;
    kern_block *block;
    uint32_t *span_task; /* [max_rows + 1] first task of each span of the running `attend` */
    float *partial;      /* [PARTIAL_FLOATS] sums of the chunks of one `attend`, see ops_attn.c */
} cpu_ops;

enum { FLOAT_ROWS = 16, CACHE_LINE = 64, PARTIAL_FLOATS = 2 << 20 };

/* Run on the workers when there is enough to do for two threads, else here. `work` is a rough count
 * of scalar operations: starting the workers costs about as much as 50,000. A profile counts it
 * under the name of the task function. */
#define ops_cpu_run(c, n_task, work, fn, ctx) ops_cpu_region(c, #fn, n_task, work, fn, ctx)
void ops_cpu_region(cpu_ops *c, const char *what, uint32_t n_task, uint64_t work, pool_fn *fn,
                    void *ctx);

/* ops_cache.c */
enum { KV_MAX_HEAD = 1024 }; /* largest K */
void ops_cpu_kv_write(ops *o, const kv_slab *kv, uint32_t layer, const float *k, const float *v,
                      const row_span *span, uint32_t n_span);
/* Keys of one head in a page; its values are ops_cpu_value_offset behind. */
uint8_t *ops_cpu_keys(const kv_slab *kv, uint32_t page, uint32_t layer, uint32_t g);
size_t ops_cpu_value_offset(const kv_slab *kv);

/* ops_attn.c */
void ops_cpu_attend(ops *o, float *out, const float *q, const kv_slab *kv, uint32_t layer,
                    const attend_config *c, const row_span *span, uint32_t n_span);

#endif
