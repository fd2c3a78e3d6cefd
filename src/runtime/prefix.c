/* prefix.c - the tree of pages. See prefix.h.
 *
 * A node is as old as its page is idle, and pages become idle from the end of a text to its
 * beginning, so the oldest idle node never has children. A node whose page some sequence holds is
 * not in that list at all: sequences hold whole paths, from the root on. Nodes with fewer tokens
 * than a page are the ends of texts; they are copied, never shared, and have no children. */
#include "runtime/prefix.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/os.h"

enum { NONE = 0, ROOTS = 2, LOOK_AT_MOST = 64, MAX_SAVED = 65536 };

typedef struct prefix_node {
    int32_t token[KV_PAGE_TOKENS];
    uint32_t n_token; /* 0: the page is not in the tree */
    uint32_t parent, child, next, prev;
    uint32_t chain;        /* next in its bucket */
    uint32_t newer, older; /* among idle pages; node 0 closes the ring; 0 in a held one */
    float *state;          /* after its last token, or NULL */
} prefix_node;

static uint32_t page_of(uint32_t node) { return node - 1; }
static bool is_full(const prefix_node *n) { return n->n_token == KV_PAGE_TOKENS; }

/* ---- Life ---- */

static size_t n_node(const prefix *t) { return (size_t)t->pages->n_page + 1 + ROOTS; }

/* Few enough that a text of full length takes a quarter of them. */
static uint32_t state_distance(const prefix *t) {
    const uint32_t few = t->saved.n_slot / 4 ? t->saved.n_slot / 4 : 1;
    const uint32_t fit = kv_pages_for(t->context / few + 1) * KV_PAGE_TOKENS;
    return fit > 256 ? fit : 256;
}

status prefix_init(prefix *t, kv_pool *pages, const model *m, uint32_t context, uint64_t bytes,
                   err *e) {
    *t = (prefix){.m = m, .pages = pages, .context = context, .limit = bytes};
    t->node_bytes = pages->slab.page_bytes + sizeof(prefix_node);
    t->state_bytes = m->state_width * sizeof(float);
    if (bytes < t->node_bytes + t->state_bytes) return RZ_OK;
    uint32_t n_bucket = 1;
    while (n_bucket < pages->n_page && n_bucket < 1u << 31) n_bucket *= 2;
    t->mask = n_bucket - 1;
    t->seed = os_random_u64();
    if (t->state_bytes) {
        uint64_t n = bytes / t->state_bytes;
        if (n > MAX_SAVED) n = MAX_SAVED;
        TRY(ssm_pool_init(&t->saved, m->state_width, (uint32_t)n, e));
        t->every = state_distance(t);
    }
    t->node = mem_map(n_node(t) * sizeof *t->node);
    t->bucket = mem_map(n_bucket * sizeof *t->bucket);
    if (!t->node || !t->bucket)
        return err_set(e, RZ_ENOMEM, "prefix cache: no memory for a tree of %u pages",
                       pages->n_page);
    return RZ_OK;
}

void prefix_done(prefix *t) {
    if (t->pages) mem_unmap(t->node, n_node(t) * sizeof *t->node);
    mem_unmap(t->bucket, ((size_t)t->mask + 1) * sizeof *t->bucket);
    ssm_pool_done(&t->saved);
    *t = (prefix){0};
}

/* ---- Idle pages ---- */

static void push_idle(prefix *t, uint32_t i) {
    prefix_node *n = t->node;
    n[i].newer = NONE;
    n[i].older = n[NONE].older;
    n[n[NONE].older].newer = i;
    n[NONE].older = i;
    t->n_idle++;
}

static void unlink_idle(prefix *t, uint32_t i) {
    prefix_node *n = t->node;
    n[n[i].newer].older = n[i].older;
    n[n[i].older].newer = n[i].newer;
    n[i].newer = n[i].older = NONE;
    t->n_idle--;
}

/* One more sequence holds node i. */
static void hold(prefix *t, uint32_t i) {
    if (t->pages->held[page_of(i)] == 1) unlink_idle(t, i);
    kv_share(t->pages, page_of(i));
}

static void let_go(prefix *t, uint32_t i) {
    kv_give(t->pages, page_of(i));
    if (t->pages->held[page_of(i)] == 1) push_idle(t, i);
}

/* ---- Nodes ---- */

static uint32_t bucket_of(const prefix *t, uint32_t parent, const int32_t *token) {
    return (uint32_t)map_hash(token, KV_PAGE_TOKENS * sizeof *token, t->seed + parent) & t->mask;
}

/* The full page with these tokens below `parent`, or NONE. */
static uint32_t find(const prefix *t, uint32_t parent, const int32_t *token) {
    uint32_t i = t->bucket[bucket_of(t, parent, token)];
    for (; i != NONE; i = t->node[i].chain)
        if (t->node[i].parent == parent &&
            memcmp(t->node[i].token, token, sizeof t->node[i].token) == 0)
            break;
    return i;
}

/* The page is held by its sequence; the tree holds it too from now on. */
static uint32_t insert(prefix *t, uint32_t parent, uint32_t page, const int32_t *token,
                       uint32_t n_token) {
    const uint32_t i = page + 1;
    prefix_node *n = &t->node[i], *up = &t->node[parent];
    memcpy(n->token, token, n_token * sizeof *token);
    n->n_token = n_token;
    n->parent = parent;
    n->child = n->prev = NONE;
    n->next = up->child;
    if (up->child != NONE) t->node[up->child].prev = i;
    up->child = i;
    if (is_full(n)) {
        uint32_t *first = &t->bucket[bucket_of(t, parent, n->token)];
        n->chain = *first;
        *first = i;
    }
    kv_share(t->pages, page);
    t->held += t->node_bytes;
    return i;
}

static void drop_state(prefix *t, prefix_node *n) {
    if (!n->state) return;
    ssm_give(&t->saved, n->state);
    n->state = NULL;
    t->held -= t->state_bytes;
}

/* An idle node without children leaves the tree. */
static void drop(prefix *t, uint32_t i) {
    prefix_node *n = &t->node[i];
    unlink_idle(t, i);
    if (is_full(n)) {
        uint32_t *at = &t->bucket[bucket_of(t, n->parent, n->token)];
        while (*at != i) at = &t->node[*at].chain;
        *at = n->chain;
    }
    if (n->prev != NONE) t->node[n->prev].next = n->next;
    else t->node[n->parent].child = n->next;
    if (n->next != NONE) t->node[n->next].prev = n->prev;
    drop_state(t, n);
    n->n_token = 0;
    kv_give(t->pages, page_of(i));
    t->held -= t->node_bytes;
}

static void drop_oldest(prefix *t) {
    drop(t, t->node[NONE].newer);
    t->evictions++;
}

bool prefix_make_room(prefix *t, uint32_t n) {
    if (n > t->pages->n_free + t->n_idle) return false;
    while (t->pages->n_free < n) drop_oldest(t);
    return true;
}

static bool fits(prefix *t, uint64_t bytes) {
    if (bytes > t->limit) return false;
    while (t->held + bytes > t->limit && t->n_idle) drop_oldest(t);
    return t->held + bytes <= t->limit;
}

/* The page of q's last shared token; where there is none, the root of texts rotated as q is. */
static uint32_t cursor(const prefix *t, const seq *q) {
    if (q->n_shared) return q->kv.page[q->n_shared - 1] + 1;
    return t->pages->n_page + 1 + (q->is_long ? 1u : 0u);
}

static void save_state(prefix *t, uint32_t i, const float *state) {
    if (!t->state_bytes || t->node[i].state || !fits(t, t->state_bytes)) return;
    t->node[i].state = ssm_take(&t->saved);
    if (!t->node[i].state) return;
    memcpy(t->node[i].state, state, t->state_bytes);
    t->held += t->state_bytes;
}

static uint32_t common(const prefix_node *n, const int32_t *token, uint32_t n_token) {
    const uint32_t most = n->n_token < n_token ? n->n_token : n_token;
    uint32_t len = 0;
    while (len < most && n->token[len] == token[len]) len++;
    return len;
}

/* Ends of texts that say no more than the new node will. Nobody holds them. */
static void drop_shorter(prefix *t, uint32_t parent, const int32_t *token, uint32_t n_token) {
    uint32_t i = t->node[parent].child, next;
    for (int seen = 0; i != NONE && seen < LOOK_AT_MOST; i = next, seen++) {
        prefix_node *n = &t->node[i];
        next = n->next;
        if (!is_full(n) && common(n, token, n_token) == n->n_token) drop(t, i);
    }
}

/* ---- Taking ---- */

/* The last node of q's way through the tree that it can go on from, and how many pages that is. */
static uint32_t walk(const prefix *t, seq *q) {
    const uint32_t most = (q->n_token - 1) / KV_PAGE_TOKENS;
    uint32_t at = cursor(t, q), depth = q->n_shared, good = depth;
    while (depth < most) {
        at = find(t, at, q->tokens + (size_t)depth * KV_PAGE_TOKENS);
        if (at == NONE) break;
        depth++;
        if (!t->state_bytes || t->node[at].state) good = depth;
    }
    q->split = depth > good ? depth * KV_PAGE_TOKENS : 0;
    return good;
}

void prefix_take(prefix *t, seq *q) {
    if (!t->node || q->n_done != q->n_shared * KV_PAGE_TOKENS) return;
    if (q->n_done == 0) q->is_long = model_is_long(t->m, t->context, q->n_token);
    const uint32_t good = walk(t, q);
    for (uint32_t d = q->n_shared; d < good; d++) {
        const uint32_t i = find(t, cursor(t, q), q->tokens + (size_t)d * KV_PAGE_TOKENS);
        hold(t, i);
        if (d < q->kv.n_page) kv_give(t->pages, q->kv.page[d]);
        else q->kv.n_page++;
        q->kv.page[d] = page_of(i);
        q->n_shared++;
        q->n_done += KV_PAGE_TOKENS;
        q->n_taken += KV_PAGE_TOKENS;
    }
}

/* Tokens of another page that q's next page begins with; *from is that page's node. */
static uint32_t look_for_start(const prefix *t, const seq *q, uint32_t *from) {
    const int32_t *token = q->tokens + q->n_done;
    const uint32_t left = q->n_token - 1 - q->n_done;
    uint32_t best = 0, i = t->node[cursor(t, q)].child;
    for (int seen = 0; i != NONE && seen < LOOK_AT_MOST; i = t->node[i].next, seen++) {
        const prefix_node *n = &t->node[i];
        const uint32_t len = common(n, token, left);
        if (len <= best || (t->state_bytes && (len < n->n_token || !n->state))) continue;
        best = len;
        *from = i;
    }
    return best;
}

void prefix_fill(prefix *t, seq *q) {
    if (!t->node || q->n_done != q->n_shared * KV_PAGE_TOKENS) return;
    const kv_slab *slab = &t->pages->slab;
    uint32_t from = NONE;
    const uint32_t len = look_for_start(t, q, &from);
    if (len) {
        const uint64_t bytes = slab->page_bytes;
        if (bytes)
            memcpy(slab->base + q->kv.page[q->n_shared] * bytes, slab->base + page_of(from) * bytes,
                   bytes);
        q->n_done += len;
        q->n_taken += len;
    } else if (q->n_taken) {
        from = cursor(t, q);
    }
    if (t->state_bytes && from != NONE) memcpy(q->state, t->node[from].state, t->state_bytes);
    t->queries += !q->asked;
    t->hits += q->n_taken && !q->hit;
    q->asked = true;
    q->hit |= q->n_taken > 0;
    t->tokens += q->n_taken;
    if (q->n_token == q->n_prompt && !q->preempted) q->n_cached += q->n_taken;
    q->n_taken = 0;
}

/* ---- Keeping ---- */

/* Where the state is copied during a prompt, beside the regular places: before its last page, and
 * where another text has gone on differently. */
static uint32_t last_boundary(const seq *q) {
    return (q->n_token - 1) / KV_PAGE_TOKENS * KV_PAGE_TOKENS;
}

uint32_t prefix_rows(const prefix *t, const seq *q, uint32_t n) {
    if (!t->node || !t->state_bytes) return n;
    const uint32_t at = q->n_done, last = last_boundary(q);
    uint32_t stop = at - at % t->every + t->every;
    if (q->split > at && q->split < stop) stop = q->split;
    if (last >= at + 2 * KV_PAGE_TOKENS && last < stop) stop = last;
    return n < stop - at ? n : stop - at;
}

void prefix_note(prefix *t, seq *q) {
    if (!t->node) return;
    while ((q->n_shared + 1) * KV_PAGE_TOKENS <= q->n_done) {
        const int32_t *token = q->tokens + (size_t)q->n_shared * KV_PAGE_TOKENS;
        const uint32_t at = cursor(t, q), page = q->kv.page[q->n_shared];
        const uint32_t i = find(t, at, token);
        if (i != NONE) { /* somebody else has computed the same: the same bits */
            hold(t, i);
            kv_give(t->pages, page);
            q->kv.page[q->n_shared] = page_of(i);
        } else {
            if (!fits(t, t->node_bytes)) return;
            drop_shorter(t, at, token, KV_PAGE_TOKENS);
            insert(t, at, page, token, KV_PAGE_TOKENS);
        }
        q->n_shared++;
    }
    const uint32_t at = q->n_done;
    if (!t->state_bytes || at == 0 || at != q->n_shared * KV_PAGE_TOKENS) return;
    if (at % t->every == 0 || at == q->split || at == last_boundary(q))
        save_state(t, cursor(t, q), q->state);
}

/* What q has computed behind its last full page. */
static void keep_end(prefix *t, const seq *q) {
    const uint32_t at = cursor(t, q), n = q->n_done - q->n_shared * KV_PAGE_TOKENS;
    const int32_t *token = q->tokens + (size_t)q->n_shared * KV_PAGE_TOKENS;
    if (n >= KV_PAGE_TOKENS) return; /* there was no room for its full pages */
    if (n == 0) {
        if (q->n_shared) save_state(t, at, q->state);
        return;
    }
    uint32_t i = t->node[at].child;
    for (int seen = 0; i != NONE && seen < LOOK_AT_MOST; i = t->node[i].next, seen++)
        if (common(&t->node[i], token, n) == n && (!t->state_bytes || t->node[i].n_token == n))
            return;
    if (!fits(t, t->node_bytes + t->state_bytes)) return;
    drop_shorter(t, at, token, n);
    save_state(t, insert(t, at, q->kv.page[q->n_shared], token, n), q->state);
}

void prefix_leave(prefix *t, seq *q) {
    if (t->node && q->n_done && q->why != RZ_FINISH_ERROR) keep_end(t, q);
    while (q->kv.n_page > q->n_shared) {
        const uint32_t page = q->kv.page[--q->kv.n_page];
        if (t->node && t->node[page + 1].n_token) let_go(t, page + 1);
        else kv_give(t->pages, page);
    }
    while (q->n_shared) {
        q->kv.n_page--;
        let_go(t, q->kv.page[--q->n_shared] + 1);
    }
    q->split = q->n_taken = 0;
}
