/* nearest.c - see nearest.h. */
#include "base/nearest.h"

#include "base/str.h"

enum { NEAR_CAP = 32 };

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* Typing mistakes between two words: letters missing, added, changed, or two neighbours swapped. */
static size_t mistakes(str a, str b) {
    size_t row[3][NEAR_CAP + 1];
    if (a.len > NEAR_CAP || b.len > NEAR_CAP) return NEAR_CAP;
    for (size_t j = 0; j <= b.len; j++) row[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = row[i % 3];
        const size_t *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            const bool same = a.p[i - 1] == b.p[j - 1];
            now[j] = smaller(smaller(up[j], now[j - 1]) + 1, up[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                now[j] = smaller(now[j], up2[j - 2] + 1);
        }
    }
    return row[a.len % 3][b.len];
}

const char *nearest_name(const char *given, const char *const *name, size_t n) {
    const str g = str_of(given);
    const char *best = NULL;
    size_t best_cost = g.len / 3 > 1 ? g.len / 3 + 1 : 2; /* one mistake in three letters */
    if (g.len < 2) return NULL;
    for (size_t i = 0; i < n; i++) {
        const str have = str_of(name[i]);
        size_t cost = mistakes(g, have);
        if (str_starts(have, g) && cost > 1) cost = 1; /* cut short is likelier than mistyped */
        if (cost < best_cost) {
            best_cost = cost;
            best = name[i];
        }
    }
    return best;
}
