/* ssm_state.c - slots of recurrent state. Memory becomes resident only when a slot is used. */
#include "runtime/ssm_state.h"

#include <string.h>

#include "base/mem.h"

static size_t pool_bytes(const ssm_pool *p) { return p->width * p->n_slot * sizeof(float); }

status ssm_pool_init(ssm_pool *p, uint64_t width, uint32_t n_slot, err *e) {
    *p = (ssm_pool){.width = width, .n_slot = n_slot};
    if (width == 0) return RZ_OK;
    size_t bytes;
    const bool over =
        mem_mul_over(width, n_slot, &bytes) || mem_mul_over(bytes, sizeof(float), &bytes);
    p->base = over ? NULL : mem_map(bytes);
    p->free_slot = mem_array(n_slot, sizeof *p->free_slot);
    if (!p->base || !p->free_slot) {
        ssm_pool_done(p);
        return err_set(e, RZ_ENOMEM, "state: no memory for %u sequences of %llu floats", n_slot,
                       (unsigned long long)width);
    }
    for (uint32_t i = 0; i < n_slot; i++) p->free_slot[i] = n_slot - 1 - i;
    p->n_free = n_slot;
    return RZ_OK;
}

void ssm_pool_done(ssm_pool *p) {
    mem_unmap(p->base, pool_bytes(p));
    mem_free(p->free_slot);
    *p = (ssm_pool){0};
}

float *ssm_take(ssm_pool *p) {
    if (p->width == 0 || p->n_free == 0) return NULL;
    float *slot = p->base + p->free_slot[--p->n_free] * p->width;
    memset(slot, 0, p->width * sizeof *slot);
    return slot;
}

void ssm_give(ssm_pool *p, float *slot) {
    if (slot) p->free_slot[p->n_free++] = (uint32_t)((uint64_t)(slot - p->base) / p->width);
}
