/* tokens.c - every id is checked once when the file is opened: training uses them as indexes. */
#include "train/tokens.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/sha256.h"

status tokens_open(tokens *out, const char *path, uint32_t vocab, err *e) {
    tokens t = {.own = NULL};
    TRY(os_map_open(&t.map, path, e));
    status s = RZ_OK;
    t.id = (const uint32_t *)(const void *)t.map.data; /* a map begins on a page */
    t.n = t.map.len / sizeof *t.id;
    if (t.map.len == 0) s = err_set(e, RZ_EFORMAT, "%.300s: no tokens in an empty file", path);
    else if (t.map.len % sizeof *t.id)
        s = err_set(e, RZ_EFORMAT,
                    "%.300s: %zu bytes are no whole number of 32-bit tokens; realizar prepare "
                    "makes token files of text",
                    path, t.map.len);
    for (size_t i = 0; s >= 0 && i < t.n; i++)
        if (t.id[i] >= vocab)
            s = err_set(e, RZ_EFORMAT, "%.300s: token %u at position %zu, vocab_size is %u", path,
                        t.id[i], i, vocab);
    if (s < 0) os_map_close(&t.map);
    else *out = t;
    return s;
}

status tokens_random(tokens *out, size_t n, uint32_t vocab, uint64_t seed, err *e) {
    uint32_t *id = mem_array(n, sizeof *id);
    if (!id) return err_set(e, RZ_ENOMEM, "no memory for %zu random tokens", n);
    for (size_t i = 0; i < n; i++) id[i] = (uint32_t)rng_below(&seed, vocab);
    *out = (tokens){.own = id, .id = id, .n = n};
    return RZ_OK;
}

void tokens_close(tokens *t) {
    os_map_close(&t->map);
    mem_free(t->own);
    *t = (tokens){.n = 0};
}

void tokens_digest(const tokens *t, char out[TOKENS_DIGEST]) {
    const size_t all = t->n * sizeof *t->id, first = all < (1 << 20) ? all : 1 << 20;
    const uint64_t size = all;
    static const char digit[] = "0123456789abcdef";
    uint8_t sum[SHA256_BYTES];
    sha256 h;
    sha256_start(&h);
    sha256_add(&h, t->id, first);
    sha256_add(&h, &size, sizeof size);
    sha256_end(&h, sum);
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        out[2 * i] = digit[sum[i] >> 4];
        out[2 * i + 1] = digit[sum[i] & 15];
    }
    out[2 * SHA256_BYTES] = 0;
}
