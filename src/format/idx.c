/* idx.c - reads IDX files. */
#include "format/idx.h"

#include "base/mem.h"

enum { IDX_U8 = 8, IDX_I8 = 9, IDX_I16 = 11, IDX_I32 = 12, IDX_F32 = 13, IDX_F64 = 14 };

static size_t size_of(uint8_t type) {
    static const uint8_t size[] = {1, 1, 0, 2, 4, 4, 8};
    return type < IDX_U8 || type > IDX_F64 ? 0 : size[type - IDX_U8];
}

bool idx_is(str b) {
    return b.len >= 4 && b.p[0] == 0 && b.p[1] == 0 && size_of((uint8_t)b.p[2]) && b.p[3] > 0 &&
           b.p[3] <= 8;
}

static uint64_t big_endian(const uint8_t *p, size_t n) {
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

status idx_parse(idx *out, const char *path, str b, err *e) {
    if (!idx_is(b)) return err_set(e, RZ_EFORMAT, "%.200s: not an IDX file", path);
    const uint8_t *p = (const uint8_t *)b.p;
    const size_t n_dim = p[3], head = 4 + 4 * n_dim;
    if (b.len < head) return err_set(e, RZ_EFORMAT, "%.200s: ends inside its shape", path);
    idx x = {.type = p[2], .rows = (size_t)big_endian(p + 4, 4), .cols = 1, .data = p + head};
    size_t bytes = 0;
    bool over = false;
    for (size_t d = 1; d < n_dim; d++)
        over |= mem_mul_over(x.cols, (size_t)big_endian(p + 4 + 4 * d, 4), &x.cols);
    over |= mem_mul_over(x.rows, x.cols, &bytes) || mem_mul_over(bytes, size_of(x.type), &bytes);
    if (over || b.len - head != bytes)
        return err_set(e, RZ_EFORMAT,
                       "%.200s: %zu bytes of numbers, its shape says %zu rows of %zu", path,
                       b.len - head, x.rows, x.cols);
    *out = x;
    return RZ_OK;
}

double idx_at(const idx *x, size_t i) {
    const size_t size = size_of(x->type);
    const uint64_t bits = big_endian(x->data + i * size, size);
    const uint32_t low = (uint32_t)bits;
    double d;
    float f;
    switch (x->type) {
        case IDX_I8:
            return (int8_t)bits;
        case IDX_I16:
            return (int16_t)bits;
        case IDX_I32:
            return (int32_t)low;
        case IDX_F32:
            memcpy(&f, &low, sizeof f);
            return (double)f;
        case IDX_F64:
            memcpy(&d, &bits, sizeof d);
            return d;
        default:
            return (double)bits;
    }
}
