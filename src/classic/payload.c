/* payload.c - the one place that reads bytes of a classic model. */
#include "classic/payload.h"

#include <math.h>

#include "base/mem.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are read as they lie");

static status take(payload *r, const char *what, void *out, size_t n, err *e) {
    if (n > r->left) return err_set(e, RZ_EFORMAT, "the payload ends before %s", what);
    memcpy(out, r->p, n);
    r->p += n;
    r->left -= n;
    return RZ_OK;
}

status payload_u8(payload *r, const char *what, uint8_t *out, err *e) {
    return take(r, what, out, sizeof *out, e);
}

status payload_u32(payload *r, const char *what, uint32_t *out, err *e) {
    return take(r, what, out, sizeof *out, e);
}

status payload_f32(payload *r, const char *what, float *out, err *e) {
    float v = 0;
    TRY(take(r, what, &v, sizeof v, e));
    if (!isfinite(v)) return err_set(e, RZ_EFORMAT, "%s is not finite", what);
    *out = v;
    return RZ_OK;
}

status payload_size(payload *r, const char *what, size_t min, size_t max, size_t *out, err *e) {
    uint64_t v = 0;
    TRY(take(r, what, &v, sizeof v, e));
    if (v < min || v > max)
        return err_set(e, RZ_EFORMAT, "%s is %llu, expected %zu to %zu", what,
                       (unsigned long long)v, min, max);
    *out = (size_t)v;
    return RZ_OK;
}

status payload_count(payload *r, const char *what, size_t each, size_t *out, err *e) {
    size_t n = 0;
    TRY(payload_size(r, what, 0, SIZE_MAX, &n, e));
    if (n > r->left / each)
        return err_set(e, RZ_EFORMAT, "%s is %zu, more than the %zu bytes left hold", what, n,
                       r->left);
    *out = n;
    return RZ_OK;
}

/* arena_alloc aligns for any type, not for vectors. */
static void *alloc_aligned(arena *mem, size_t bytes) {
    if (bytes > SIZE_MAX - 64) return NULL;
    uint8_t *p = arena_alloc(mem, bytes + 64);
    return p ? p + (-(uintptr_t)p & 63) : NULL;
}

status payload_floats(payload *r, const char *what, size_t a, size_t b, float **out, err *e) {
    size_t n = 0;
    if (mem_mul_over(a, b, &n) || n > r->left / sizeof(float))
        return err_set(e, RZ_EFORMAT, "%s: %zu times %zu floats, but %zu bytes are left", what, a,
                       b, r->left);
    float *v = alloc_aligned(r->mem, n * sizeof *v);
    if (!v) return err_set(e, RZ_ENOMEM, "out of memory for %s", what);
    TRY(take(r, what, v, n * sizeof *v, e));
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return err_set(e, RZ_EFORMAT, "%s: number %zu is not finite", what, i);
    *out = v;
    return RZ_OK;
}

status payload_u32s(payload *r, const char *what, size_t n, uint32_t limit, uint32_t **out,
                    err *e) {
    if (n > r->left / sizeof(uint32_t))
        return err_set(e, RZ_EFORMAT, "%s: %zu numbers, but %zu bytes are left", what, n, r->left);
    uint32_t *v = arena_alloc(r->mem, n * sizeof *v + 1);
    if (!v) return err_set(e, RZ_ENOMEM, "out of memory for %s", what);
    TRY(take(r, what, v, n * sizeof *v, e));
    for (size_t i = 0; i < n; i++)
        if (v[i] >= limit)
            return err_set(e, RZ_EFORMAT, "%s: number %zu is %u, expected less than %u", what, i,
                           v[i], limit);
    *out = v;
    return RZ_OK;
}

status payload_str(payload *r, const char *what, str *out, err *e) {
    size_t n = 0;
    TRY(payload_count(r, what, 1, &n, e));
    *out = (str){(const char *)r->p, n};
    r->p += n;
    r->left -= n;
    return RZ_OK;
}

void payload_put_u8(buf *b, uint8_t v) { buf_add(b, &v, sizeof v); }
void payload_put_u32(buf *b, uint32_t v) { buf_add(b, &v, sizeof v); }
void payload_put_u64(buf *b, uint64_t v) { buf_add(b, &v, sizeof v); }
void payload_put_f32(buf *b, float v) { buf_add(b, &v, sizeof v); }
void payload_put_floats(buf *b, const float *v, size_t n) {
    if (n) buf_add(b, v, n * sizeof *v);
}

void payload_put_str(buf *b, str s) {
    payload_put_u64(b, s.len);
    buf_str(b, s);
}
