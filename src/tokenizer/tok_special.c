/* tok_special.c - the sorted list is its own trie: walking a text narrows a range of entries byte
 * by byte, and an entry that ends here is always the first of its range. */
#include "tokenizer/tok_special.h"

#include <stdlib.h>

#include "base/mem.h"

bool tok_special_add(tok_special_set *s, str text, int32_t id, bool always) {
    if (text.len == 0) return true;
    if (!mem_room(&s->entry, &s->cap, s->n + 1, sizeof *s->entry)) return false;
    s->entry[s->n++] = (tok_special_entry){text, id, always};
    return true;
}

static int by_text(const void *pa, const void *pb) {
    const tok_special_entry *a = pa, *b = pb;
    const size_t n = a->text.len < b->text.len ? a->text.len : b->text.len;
    const int c = memcmp(a->text.p, b->text.p, n);
    if (c) return c;
    if (a->text.len != b->text.len) return a->text.len < b->text.len ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

void tok_special_sort(tok_special_set *s) {
    if (s->n) qsort(s->entry, s->n, sizeof *s->entry, by_text);
    memset(s->first, 0, sizeof s->first);
    memset(s->any, 0, sizeof s->any);
    for (size_t i = 0; i < s->n; i++) {
        const unsigned char b = (unsigned char)s->entry[i].text.p[0];
        if (s->entry[i].text.len > s->longest) s->longest = s->entry[i].text.len;
        s->first[b + 1]++;
        s->any[1][b] = true;
        s->has[1] = true;
        if (!s->entry[i].always) continue;
        s->any[0][b] = true;
        s->has[0] = true;
    }
    for (int b = 0; b < 256; b++) s->first[b + 1] += s->first[b];
    for (int i = 0; i < 2; i++) {
        int n = 0;
        for (int b = 0; b < 256; b++) {
            n += s->any[i][b];
            if (s->any[i][b]) s->only[i] = b;
        }
        if (n != 1) s->only[i] = -1;
    }
}

void tok_special_free(tok_special_set *s) {
    mem_free(s->entry);
    *s = (tok_special_set){0};
}

/* First entry of [lo, hi) whose byte at `depth` is >= b; all of them are longer than depth. */
static size_t lower(const tok_special_entry *e, size_t lo, size_t hi, size_t depth, unsigned b) {
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if ((unsigned char)e[mid].text.p[depth] < b) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

static bool is_wanted(tok_wanted w, int32_t id) {
    bool found = w.all;
    for (size_t i = 0; i < w.n && !found; i++) found = w.id[i] == id;
    return found;
}

static bool longest_at(const tok_special_set *s, str rest, tok_wanted wanted,
                       tok_special_match *m) {
    const unsigned first = (unsigned char)rest.p[0];
    size_t lo = s->first[first], hi = s->first[first + 1], depth = 1;
    bool found = false;
    while (lo < hi) {
        for (; lo < hi && s->entry[lo].text.len == depth; lo++) {
            if (!s->entry[lo].always && !is_wanted(wanted, s->entry[lo].id)) continue;
            m->len = depth;
            m->id = s->entry[lo].id;
            found = true;
        }
        if (depth == rest.len) break;
        const unsigned b = (unsigned char)rest.p[depth];
        lo = lower(s->entry, lo, hi, depth, b);
        hi = lower(s->entry, lo, hi, depth, b + 1);
        depth++;
    }
    return found;
}

bool tok_special_at(const tok_special_set *s, str text, tok_special_match *m) {
    if (text.len == 0 || !s->any[1][(unsigned char)text.p[0]]) return false;
    m->at = 0;
    return longest_at(s, text, (tok_wanted){true, NULL, 0}, m);
}

bool tok_special_find(const tok_special_set *s, str text, size_t from, tok_wanted wanted,
                      tok_special_match *m) {
    const bool some = wanted.all || wanted.n;
    if (!s->has[some]) return false;
    const bool *any = s->any[some];
    for (size_t i = from; i < text.len; i++) {
        if (s->only[some] >= 0) {
            const char *at = memchr(text.p + i, s->only[some], text.len - i);
            if (!at) return false;
            i = (size_t)(at - text.p);
        }
        if (!any[(unsigned char)text.p[i]]) continue;
        if (!longest_at(s, (str){text.p + i, text.len - i}, wanted, m)) continue;
        m->at = i;
        return true;
    }
    return false;
}
