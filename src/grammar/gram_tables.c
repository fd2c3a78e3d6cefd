/* gram_tables.c - stacks and sets of stacks, numbered; see gram_tables.h. */
#include "grammar/gram_tables.h"

#include <stdlib.h>

#include "base/mem.h"

/* Room for element n of an array. */
static bool room(gram_tables *t, void *array, size_t *cap, size_t n, size_t each) {
    const size_t before = *cap;
    if (t->trouble != RZ_OK || n >= UINT32_MAX / 2 || !mem_room(array, cap, n + 1, each)) {
        if (t->trouble == RZ_OK) t->trouble = RZ_ENOMEM;
        return false;
    }
    t->bytes += (*cap - before) * each;
    return true;
}

#define ROOM(t, field, n) \
    ((n) < (t)->cap_##field || room((t), &(t)->field, &(t)->cap_##field, (n), sizeof *(t)->field))

typedef uint32_t hash_of(const gram_tables *t, uint32_t i);

/* More than two slots for each of the numbers 1..n, which `hash` places. */
static bool grow_slots(gram_tables *t, uint32_t **slot, uint32_t *n_slot, uint32_t n,
                       hash_of *hash) {
    if (*n_slot / 2 > n) return true;
    const uint32_t more = *n_slot ? *n_slot * 2 : 256;
    uint32_t *s = mem_array_zero(more, sizeof *s);
    if (!s) {
        t->trouble = RZ_ENOMEM;
        return false;
    }
    for (uint32_t i = 1; i <= n; i++) {
        uint32_t at = hash(t, i) & (more - 1);
        while (s[at]) at = (at + 1) & (more - 1);
        s[at] = i;
    }
    t->bytes += (more - *n_slot) * sizeof *s;
    mem_free(*slot);
    *slot = s;
    *n_slot = more;
    return true;
}

/* ---- frames ---- */

static uint32_t hash_frame(uint32_t state, uint32_t below) {
    uint64_t h = ((uint64_t)state << 32 | below) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 32);
}

static uint32_t hash_of_frame(const gram_tables *t, uint32_t i) {
    return hash_frame(t->frame[i].state, t->frame[i].below);
}

uint32_t gram_frame_of(gram_tables *t, uint32_t state, uint32_t below) {
    if (!grow_slots(t, &t->frame_slot, &t->n_frame_slot, t->n_frame - 1, hash_of_frame)) return 0;
    uint32_t at = hash_frame(state, below) & (t->n_frame_slot - 1);
    for (; t->frame_slot[at]; at = (at + 1) & (t->n_frame_slot - 1)) {
        const uint32_t f = t->frame_slot[at];
        if (t->frame[f].state == state && t->frame[f].below == below) return f;
    }
    const uint32_t f = t->n_frame;
    if (!ROOM(t, frame, f) || !ROOM(t, mark, f)) return 0;
    t->frame[f] = (gram_frame){state, below, below ? t->frame[below].depth + 1 : 0};
    t->mark[f] = 0;
    t->frame_slot[at] = f;
    return t->n_frame++;
}

/* ---- configs ---- */

static int by_number(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t hash_list(const uint32_t *p, uint32_t n, bool ends) {
    return (uint32_t)map_hash(p, n * sizeof *p, ends);
}

/* Slots hold a config's number + 1. */
static uint32_t hash_of_config(const gram_tables *t, uint32_t i) {
    const gram_config *q = &t->config[i - 1];
    return hash_list(t->item + q->item, q[1].item - q->item, q->ends);
}

static uint32_t add_config(gram_tables *t, uint32_t at) {
    const uint32_t c = t->n_config;
    const size_t row = (size_t)c * t->a->n_class;
    if (!ROOM(t, config, c + 1u) || !ROOM(t, item, (size_t)t->n_item + t->n_list) ||
        !ROOM(t, next, row + t->a->n_class) || !ROOM(t, mask, c))
        return GRAM_DEAD;
    t->config[c] = (gram_config){t->n_item, t->reach, t->ends};
    if (t->n_list) memcpy(t->item + t->n_item, t->list, t->n_list * sizeof *t->list);
    t->n_item += t->n_list;
    t->config[c + 1].item = t->n_item;
    memset(t->next + row, 0xFF, t->a->n_class * sizeof *t->next);
    t->mask[c] = NULL;
    t->config_slot[at] = c + 1;
    return t->n_config++;
}

/* The number of the config in t->list, t->ends. */
static uint32_t number_config(gram_tables *t) {
    if (t->n_list > GRAM_MAX_WAYS) {
        t->n_list = 0;
        t->ends = false;
    }
    if (t->trouble < 0 ||
        !grow_slots(t, &t->config_slot, &t->n_config_slot, t->n_config, hash_of_config))
        return GRAM_DEAD;
    if (t->n_list > 1) qsort(t->list, t->n_list, sizeof *t->list, by_number);
    uint32_t at = hash_list(t->list, t->n_list, t->ends) & (t->n_config_slot - 1);
    for (; t->config_slot[at]; at = (at + 1) & (t->n_config_slot - 1)) {
        const uint32_t c = t->config_slot[at] - 1;
        const gram_config *q = &t->config[c];
        if (q->ends != t->ends || q[1].item - q->item != t->n_list) continue;
        if (t->n_list && memcmp(t->item + q->item, t->list, t->n_list * sizeof *t->list) != 0)
            continue;
        /* Another way here may have needed more room on the way. */
        if (t->config[c].reach < t->reach) t->config[c].reach = t->reach;
        return c;
    }
    return add_config(t, at);
}

static void begin(gram_tables *t) {
    t->generation++;
    t->n_list = 0;
    t->ends = false;
    t->reach = 0;
}

static void push(gram_tables *t, uint32_t *n, uint32_t state, uint32_t below) {
    const uint32_t f = gram_frame_of(t, state, below);
    if (!f || t->mark[f] == t->generation) return;
    const uint32_t reach = t->frame[f].depth + t->a->state[state].need;
    if (reach > t->a->max_depth) {
        t->reach = GRAM_UNKNOWN;
        return;
    }
    if (t->reach < reach) t->reach = reach;
    t->mark[f] = t->generation;
    if (ROOM(t, work, *n)) t->work[(*n)++] = f;
}

static bool is_bare(const gram_auto *a, uint32_t s) {
    const gram_state *q = &a->state[s];
    return q->final && q->edge == q[1].edge && q->call == q[1].call;
}

/* Into t->list: the stack (state, below) and those it turns into without reading a byte, as far as
 * they can read one. */
static void enter(gram_tables *t, uint32_t state, uint32_t below) {
    const gram_auto *a = t->a;
    uint32_t n = 0;
    push(t, &n, state, below);
    while (n && t->trouble == RZ_OK && t->n_list <= GRAM_MAX_WAYS) {
        const uint32_t f = t->work[--n];
        const gram_frame q = t->frame[f];
        const gram_state *s = &a->state[q.state];
        if (++t->steps > GRAM_MAX_WORK) t->trouble = RZ_EFULL;
        if (s->edge < s[1].edge && ROOM(t, list, t->n_list)) t->list[t->n_list++] = f;
        if (s->final && q.below) push(t, &n, t->frame[q.below].state, t->frame[q.below].below);
        else if (s->final) t->ends = true;
        for (uint32_t i = s->call; i < s[1].call && t->trouble == RZ_OK; i++) {
            const gram_callee c = a->call[i];
            if (is_bare(a, c.back)) { /* the last thing its rule does: nothing to come back to */
                push(t, &n, c.start, q.below);
                continue;
            }
            if (q.depth + a->state[c.back].need > a->max_depth) {
                t->reach = GRAM_UNKNOWN;
                continue;
            }
            const uint32_t back = gram_frame_of(t, c.back, q.below);
            if (back) push(t, &n, c.start, back);
        }
    }
}

uint32_t gram_config_of(gram_tables *t, uint32_t frame) {
    begin(t);
    if (frame) enter(t, t->frame[frame].state, t->frame[frame].below);
    return number_config(t);
}

uint32_t gram_step(gram_tables *t, uint32_t config, unsigned class) {
    const gram_auto *a = t->a;
    const uint32_t from = t->config[config].item, to = t->config[config + 1].item;
    begin(t);
    for (uint32_t k = from; k < to && t->trouble == RZ_OK; k++) {
        const gram_frame f = t->frame[t->item[k]];
        const gram_state *s = &a->state[f.state];
        t->steps++;
        for (uint32_t i = s->edge; i < s[1].edge && a->edge[i].lo <= class; i++)
            if (a->edge[i].hi >= class) enter(t, a->edge[i].to, f.below);
    }
    const uint32_t c = number_config(t);
    if (t->trouble == RZ_OK) t->next[(size_t)config * a->n_class + class] = c;
    return c;
}

uint32_t gram_move(gram_tables *t, const gram_tables *from, uint32_t config) {
    uint32_t chain[GRAM_MAX_DEPTH + 2];
    const gram_config *q = &from->config[config];
    begin(t);
    for (uint32_t k = q->item; k < q[1].item && t->trouble == RZ_OK; k++) {
        uint32_t n = 0, below = 0;
        for (uint32_t f = from->item[k]; f; f = from->frame[f].below) chain[n++] = f;
        while (n && t->trouble == RZ_OK)
            below = gram_frame_of(t, from->frame[chain[--n]].state, below);
        if (ROOM(t, list, t->n_list)) t->list[t->n_list++] = below;
    }
    t->ends = q->ends;
    t->reach = q->reach;
    return number_config(t);
}

/* ---- life ---- */

gram_tables *gram_tables_new(const gram_auto *a, const tok_tree *tree) {
    gram_tables *t = mem_zero(sizeof *t);
    if (!t) return NULL;
    t->a = a;
    t->tree = tree;
    t->refs = 1;
    t->n_frame = 1; /* 0: no frame */
    t->local = mem_array_zero(a->n_state, sizeof *t->local);
    t->bits = mem_array(gram_words(tree), sizeof *t->bits);
    t->bytes = a->n_state * sizeof *t->local + gram_words(tree) * sizeof *t->bits;
    if (t->local && t->bits && ROOM(t, frame, 0) && ROOM(t, mark, 0)) {
        begin(t);
        (void)number_config(t); /* GRAM_DEAD */
        if (t->n_config == 1) return t;
    }
    gram_tables_free(t);
    return NULL;
}

void gram_tables_free(gram_tables *t) {
    if (!t) return;
    for (uint32_t i = 0; i < t->n_config; i++) mem_free(t->mask[i]);
    for (uint32_t i = 0; t->local && i < t->a->n_state; i++) mem_free(t->local[i]);
    mem_free(t->frame);
    mem_free(t->frame_slot);
    mem_free(t->mark);
    mem_free(t->config);
    mem_free(t->config_slot);
    mem_free(t->item);
    mem_free(t->next);
    mem_free(t->mask);
    mem_free(t->local);
    mem_free(t->work);
    mem_free(t->list);
    mem_free(t->bits);
    mem_free(t);
}
