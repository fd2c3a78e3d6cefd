/* tok_index.c - open addressing over polynomial hashes; equal hashes are confirmed byte by byte. */
#include "tokenizer/tok_index.h"

#include "base/mem.h"
#include "base/os.h"

static const uint64_t prime = ((uint64_t)1 << 61) - 1;

static uint64_t mul_mod(uint64_t a, uint64_t b) {
    const __uint128_t r = (__uint128_t)a * b;
    const uint64_t x = (uint64_t)(r & prime) + (uint64_t)(r >> 61);
    return x >= prime ? x - prime : x;
}

static uint64_t next_hash(const tok_index *x, uint64_t h, char c) {
    const uint64_t r = mul_mod(h, x->base) + (unsigned char)c + 1;
    return r >= prime ? r - prime : r;
}

static uint64_t hash_of(const tok_index *x, str s) {
    uint64_t h = 0;
    for (size_t i = 0; i < s.len; i++) h = next_hash(x, h, s.p[i]);
    return h;
}

bool tok_index_init(tok_index *x, const str *text, size_t n) {
    size_t n_slot = 16;
    *x = (tok_index){.text = text};
    for (size_t i = 0; i < n; i++)
        if (text[i].len > x->longest) x->longest = text[i].len;
    while (n_slot < n * 2) n_slot *= 2;
    x->mask = n_slot - 1;
    x->power = mem_array(x->longest + 1, sizeof *x->power);
    x->prefix = mem_array(x->longest + 1, sizeof *x->prefix);
    x->hash = mem_array(n_slot, sizeof *x->hash);
    x->id = mem_array(n_slot, sizeof *x->id);
    if (!x->power || !x->prefix || !x->hash || !x->id) {
        tok_index_done(x);
        return false;
    }
    memset(x->id, 0xFF, n_slot * sizeof *x->id);
    x->base = (os_random_u64() >> 4) | 0x10001;
    x->power[0] = 1;
    x->prefix[0] = 0;
    for (size_t i = 0; i < x->longest; i++) x->power[i + 1] = mul_mod(x->power[i], x->base);
    return true;
}

void tok_index_done(tok_index *x) {
    mem_free(x->power);
    mem_free(x->prefix);
    mem_free(x->hash);
    mem_free(x->id);
    *x = (tok_index){0};
}

static size_t slot_of(const tok_index *x, uint64_t h, str s) {
    size_t i = (h * 0x9e3779b97f4a7c15ull >> 32) & x->mask;
    for (; x->id[i] != TOK_NO_ID; i = (i + 1) & x->mask)
        if (x->hash[i] == h && str_eq(x->text[x->id[i]], s)) break;
    return i;
}

bool tok_index_add(tok_index *x, uint32_t id, uint32_t *other) {
    const str s = x->text[id];
    if (s.len == 0) return true;
    const uint64_t h = hash_of(x, s);
    const size_t i = slot_of(x, h, s);
    if (x->id[i] != TOK_NO_ID) {
        *other = x->id[i];
        return false;
    }
    x->hash[i] = h;
    x->id[i] = id;
    return true;
}

uint32_t tok_index_find(const tok_index *x, str s) {
    return s.len && s.len <= x->longest ? x->id[slot_of(x, hash_of(x, s), s)] : TOK_NO_ID;
}

void tok_index_begin(tok_index *x, str s) {
    x->current = s;
    for (size_t i = 0; i < s.len; i++) x->prefix[i + 1] = next_hash(x, x->prefix[i], s.p[i]);
}

uint32_t tok_index_part(const tok_index *x, size_t from, size_t to) {
    const uint64_t low = mul_mod(x->prefix[from], x->power[to - from]), high = x->prefix[to];
    const uint64_t h = high >= low ? high - low : high + prime - low;
    return x->id[slot_of(x, h, (str){x->current.p + from, to - from})];
}
