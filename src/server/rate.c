/* rate.c - see rate.h. The table is of one size whoever comes: where a set of it is full, the one
 * who has not asked for longest is forgotten. Which set somebody is in nobody outside can know. */
#include "server/rate.h"

#include <math.h>

#include "base/mem.h"
#include "base/os.h"

enum { SETS = 2048, WAYS = 4 };

typedef struct bucket {
    uint64_t who; /* hash; 0: free */
    uint64_t at_ns;
    double left;
} bucket;

struct rate {
    double per_ns, full;
    uint64_t seed;
    bucket set[SETS][WAYS];
};

status rate_new(rate **out, uint32_t per_minute, err *e) {
    rate *r = mem_zero(sizeof *r);
    if (!r) return err_set(e, RZ_ENOMEM, "server: out of memory");
    r->full = per_minute;
    r->per_ns = per_minute / 60e9;
    r->seed = os_random_u64();
    *out = r;
    return RZ_OK;
}

void rate_free(rate *r) { mem_free(r); }

/* splitmix64 over the bytes. */
static uint64_t hash(uint64_t h, const unsigned char *p, size_t len) {
    for (size_t i = 0; i < len; i++) {
        h = (h ^ p[i]) + 0x9e3779b97f4a7c15u;
        h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
        h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
        h ^= h >> 31;
    }
    return h ? h : 1;
}

static bucket *find(rate *r, uint64_t who, uint64_t now_ns) {
    bucket *set = r->set[who % SETS], *oldest = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].who == who) return &set[i];
        if (set[i].at_ns < oldest->at_ns) oldest = &set[i];
    }
    *oldest = (bucket){who, now_ns, r->full};
    return oldest;
}

uint32_t rate_ask(rate *r, const void *who, size_t len, uint64_t now_ns) {
    bucket *b = find(r, hash(r->seed, who, len), now_ns);
    b->left = fmin(r->full, b->left + (double)(now_ns - b->at_ns) * r->per_ns);
    b->at_ns = now_ns;
    if (b->left >= 1) {
        b->left -= 1;
        return 0;
    }
    return (uint32_t)((1 - b->left) / r->per_ns * 1e-9) + 1;
}
