/* api_limits.c - measuring: what this machine can do at most, and where the time goes. */
#include <stdlib.h>

#include "api/api.h"
#include "base/mem.h"
#include "base/os.h"
#include "kernels/kern.h"
#include "kernels/limits.h"
#include "kernels/profile.h"

enum { ROUNDS = 3 };
static const size_t default_bytes = (size_t)1 << 30;

static double middle(double v[ROUNDS]) {
    for (int i = 1; i < ROUNDS; i++)
        for (int j = i; j > 0 && v[j] < v[j - 1]; j--) {
            const double t = v[j];
            v[j] = v[j - 1];
            v[j - 1] = t;
        }
    return v[ROUNDS / 2];
}

static double seconds_since(uint64_t start) {
    const double s = (double)(os_now_ns() - start) * 1e-9;
    return s > 1e-9 ? s : 1e-9;
}

/* Multiply-accumulates a second of all threads together, each with a loop of its own. */
static double compute(pool *p, limits_loop *loop) {
    double rate[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        const uint64_t start = os_now_ns();
        const double done = limits_compute_all(p, loop);
        rate[r] = done / seconds_since(start);
    }
    return middle(rate);
}

static double read_rate(pool *p, const uint8_t *buffer, size_t bytes) {
    double rate[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        const uint64_t start = os_now_ns();
        const double n = limits_read_all(p, buffer, bytes);
        rate[r] = n / seconds_since(start);
    }
    return middle(rate);
}

static void measure(rz_limits *out, pool *p, uint8_t *buffer, size_t bytes) {
    memset(buffer, 1, bytes);
    rz_limits l = {.threads = pool_threads(p), .used = -1};
    l.read_bytes = read_rate(p, buffer, bytes);
    for (int i = 0; limits_list(i) && l.n_peak < RZ_MAX_PEAKS; i++, l.n_peak++) {
        const limits_isa *isa = limits_list(i);
        l.peak[l.n_peak] = (rz_peak){isa->name, compute(p, isa->int8), compute(p, isa->f32)};
        if (strcmp(isa->name, kern_get()->name) == 0) l.used = (int)l.n_peak;
    }
    *out = l;
}

rz_status rz_limits_measure(rz_limits *out, int threads, size_t bytes, rz_error *e) {
    if (!out) return err_set(e, RZ_EINVAL, "rz_limits_measure: a pointer is NULL");
    pool *p;
    int n;
    TRY(api_pick_threads(threads, &n, e));
    if (bytes == 0) bytes = default_bytes;
    TRY(pool_new(&p, n, e));
    uint8_t *buffer = mem_map(bytes);
    if (buffer) measure(out, p, buffer, bytes);
    mem_unmap(buffer, bytes);
    pool_free(p);
    return buffer ? RZ_OK : err_set(e, RZ_ENOMEM, "limits: no memory for %zu bytes", bytes);
}

/* ---- Profile ---- */

rz_status rz_profile_start(rz_error *e) { return profile_start(e); }

void rz_profile_stop(void) { profile_stop(); }

long rz_profile_text(char *out, size_t cap) {
    buf b = BUF_INIT;
    profile_text(&b);
    const size_t n = b.failed || cap == 0 ? 0 : b.len < cap ? b.len : cap - 1;
    if (n) memcpy(out, b.p, n);
    if (cap) out[n] = 0;
    const long len = b.failed ? 0 : (long)b.len;
    buf_free(&b);
    return len;
}
