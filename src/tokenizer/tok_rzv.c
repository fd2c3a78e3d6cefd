/* tok_rzv.c - see tok_rzv.h: the items of a file, and its sum. */
#include "tokenizer/tok_rzv.h"

#include "base/mem.h"
#include "tokenizer/tok_impl.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "arrays of .rzv files are used as they lie, in little endian order"
#endif

status rzv_error(const rzv *a, const char *name, const char *what) {
    return err_set(a->e, RZ_EFORMAT, "%s: %s %s", a->path, name, what);
}

status rzv_no_memory(const rzv *a) { return err_set(a->e, RZ_ENOMEM, "tokenizer: out of memory"); }

/* ---- items ---- */

static status put(rzv *a, const void *p, size_t n) {
    buf_add(a->out, p, n);
    return a->out->failed ? rzv_no_memory(a) : RZ_OK;
}

/* The next n bytes of the file; NULL: there are less. */
static const char *take(rzv *a, size_t n) {
    const char *p = a->file.p + a->at;
    if (n > a->file.len - a->at) return NULL;
    a->at += n;
    return p;
}

static status too_long(const rzv *a, const char *name) {
    return rzv_error(a, name, "is longer than the file");
}

static status item(rzv *a, const char *name, void *v, size_t n) {
    if (!rzv_reads(a)) return put(a, v, n);
    const char *p = take(a, n);
    if (!p) return too_long(a, name);
    memcpy(v, p, n);
    return RZ_OK;
}

/* Go to a multiple of `step` bytes. */
static status align(rzv *a, const char *name, size_t step) {
    static const char zero[RZV_ALIGN];
    const size_t over = (rzv_reads(a) ? a->at : a->out->len) % step;
    if (over == 0) return RZ_OK;
    if (!rzv_reads(a)) return put(a, zero, step - over);
    return take(a, step - over) ? RZ_OK : too_long(a, name);
}

status rzv_u32(rzv *a, const char *name, uint32_t *v, uint32_t low, uint32_t high) {
    TRY(item(a, name, v, sizeof *v));
    if (*v >= low && *v <= high) return RZ_OK;
    return err_set(a->e, RZ_EFORMAT, "%s: %s is %u, expected %u to %u", a->path, name, (unsigned)*v,
                   (unsigned)low, (unsigned)high);
}

status rzv_flag(rzv *a, const char *name, bool *v) {
    uint32_t x = *v;
    TRY(rzv_u32(a, name, &x, 0, 1));
    *v = x != 0;
    return RZ_OK;
}

status rzv_id(rzv *a, const char *name, int32_t *v) {
    TRY(item(a, name, v, sizeof *v));
    if (*v == -1 || (*v >= 0 && (size_t)*v < a->t->n)) return RZ_OK;
    return err_set(a->e, RZ_EFORMAT, "%s: %s is %d, expected -1 to %zu", a->path, name, (int)*v,
                   a->t->n - 1);
}

status rzv_f64(rzv *a, const char *name, double *v) { return item(a, name, v, sizeof *v); }

status rzv_str(rzv *a, const char *name, str *v) {
    uint32_t len = (uint32_t)v->len;
    if (v->len > UINT32_MAX) return rzv_error(a, name, "is longer than 4 GiB");
    TRY(item(a, name, &len, sizeof len));
    if (!rzv_reads(a)) {
        if (len) TRY(put(a, v->p, len));
    } else {
        *v = (str){take(a, len), len};
        if (!v->p) return too_long(a, name);
    }
    return align(a, name, sizeof len);
}

status rzv_array(rzv *a, const char *name, void *pointer, size_t n, size_t each) {
    size_t bytes;
    const char *p;
    if (mem_mul_over(n, each, &bytes)) return too_long(a, name);
    TRY(align(a, name, RZV_ALIGN));
    if (!rzv_reads(a)) {
        memcpy(&p, pointer, sizeof p);
        if (bytes) TRY(put(a, p, bytes));
    } else {
        p = take(a, bytes);
        if (!p) return too_long(a, name);
        memcpy(pointer, &p, sizeof p);
    }
    return align(a, name, sizeof(uint32_t));
}

status rzv_inside(rzv *a, const char *name, void *p, size_t bytes) {
    return item(a, name, p, bytes);
}

status rzv_bytes(rzv *a, const char *name, int32_t id[256]) {
    TRY(rzv_inside(a, name, id, 256 * sizeof *id));
    for (int i = 0; i < 256; i++)
        if (id[i] < -1 || id[i] >= (int64_t)a->t->n)
            return rzv_error(a, name, "has an id of no token");
    return RZ_OK;
}

/* ---- the sum ---- */

static uint64_t fold(uint64_t a, uint64_t b) {
    const __uint128_t r = (__uint128_t)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* Four rows, as they do not wait for one another: as fast as memory. */
static uint64_t sum_of(const char *p, size_t len) {
    static const uint64_t key = 0x9e3779b97f4a7c15ull;
    uint64_t row[4] = {key ^ len, key + 1, key + 2, key + 3}, word[8];
    size_t rest = len;
    for (; rest >= sizeof word; p += sizeof word, rest -= sizeof word) {
        memcpy(word, p, sizeof word);
        for (int i = 0; i < 4; i++) row[i] = fold(row[i] ^ word[2 * i], key ^ word[2 * i + 1]);
    }
    memset(word, 0, sizeof word);
    if (rest) memcpy(word, p, rest);
    for (int i = 0; i < 4; i++) row[i] = fold(row[i] ^ word[2 * i], key ^ word[2 * i + 1]);
    uint64_t sum = key;
    for (int i = 0; i < 4; i++) sum = fold(sum ^ row[i], key + 4);
    return sum;
}

void rzv_seal_of(str file, char head[RZV_HEADER]) {
    const uint64_t bytes = file.len, sum = sum_of(file.p + RZV_HEADER, file.len - RZV_HEADER);
    memcpy(head + 16, &bytes, sizeof bytes);
    memcpy(head + 24, &sum, sizeof sum);
}

void rzv_seal(char *file, size_t len) { rzv_seal_of((str){file, len}, file); }
