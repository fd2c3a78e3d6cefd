/* re_back.c - backtracking: one way at a time, first choice first.
 *
 * Two uses. With a window it remembers every (instruction, place) it has been at: coming back can
 * only fail again, so time is instructions x window, and it is the quickest way to the captures of
 * a short match. Without one it runs what no automaton can: backreferences and atomic groups; there
 * the step budget ends what would take exponential time. */
#include <string.h>

#include "base/mem.h"
#include "regex/re_run.h"
#include "unicode/utf8.h"

enum {
    JOB_VISIT,
    JOB_SLOT,
    JOB_LOOP,
    VISITED_BITS = 1 << 21,
    MAX_DEPTH = RE_MAX_NEST + 10,
    MAX_JOBS = 4 << 20
};

/* A place to try, or what to put back on the way. */
typedef struct back_job {
    uint32_t kind, pc; /* pc: also the slot or loop register */
    size_t at;         /* also the old value */
} back_job;

typedef struct run {
    re_back *b;
    const re_prog *p;
    const re_subject *s;
    size_t *slot;
    size_t from, window; /* of `visited`; window RE_NONE: not remembering */
    int depth;
    status failed;
} run;

status re_back_init(re_back *b, const re_prog *p, uint32_t n_slot, uint64_t budget, err *e) {
    *b = (re_back){.n_slot = n_slot, .n_loop = p->n_loop, .budget = budget};
    b->cap_job = 64;
    b->job = mem_array(b->cap_job, sizeof *b->job);
    b->loop = mem_array(p->n_loop, sizeof *b->loop);
    if (b->job && b->loop) return RZ_OK;
    re_back_done(b);
    return err_set(e, RZ_ENOMEM, "regex: out of memory");
}

void re_back_done(re_back *b) {
    if (!b) return;
    mem_free(b->job);
    mem_free(b->loop);
    mem_free(b->visited);
    *b = (re_back){0};
}

bool re_back_fits(const re_prog *p, size_t len) { return (len + 1) <= VISITED_BITS / p->n; }

static bool push(run *r, uint32_t kind, uint32_t pc, size_t at) {
    re_back *b = r->b;
    if (b->n_job == MAX_JOBS) {
        r->failed = RZ_EFULL;
        return false;
    }
    if (!mem_room(&b->job, &b->cap_job, b->n_job + 1, sizeof *b->job)) {
        r->failed = RZ_ENOMEM;
        return false;
    }
    b->job[b->n_job++] = (back_job){kind, pc, at};
    return true;
}

static bool set_slot(run *r, uint32_t slot, size_t at) {
    if (slot >= r->b->n_slot) return true;
    const size_t old = r->slot[slot];
    r->slot[slot] = at;
    return push(r, JOB_SLOT, slot, old);
}

static void put_back(run *r, const back_job *j) {
    if (j->kind == JOB_SLOT) r->slot[j->pc] = j->at;
    else r->b->loop[j->pc] = j->at;
}

/* Drop all jobs above `base`; with `undo` also what they did. Otherwise what puts back stays, for
 * when an earlier choice is taken up again. */
static void drop(run *r, size_t base, bool undo) {
    re_back *b = r->b;
    size_t keep = base;
    if (undo) {
        while (b->n_job > base)
            if (b->job[--b->n_job].kind != JOB_VISIT) put_back(r, &b->job[b->n_job]);
        return;
    }
    for (size_t i = base; i < b->n_job; i++)
        if (b->job[i].kind != JOB_VISIT) b->job[keep++] = b->job[i];
    b->n_job = keep;
}

/* The bytes of a group once more at `at`; *len is theirs there. */
static bool same_again(const run *r, uint32_t group, bool icase, size_t at, size_t *len) {
    const size_t from = r->slot[group * 2], to = r->slot[group * 2 + 1];
    if (from == RE_NONE || to == RE_NONE || to < from) return false;
    const char *text = (const char *)r->s->p;
    if (!icase) {
        *len = to - from;
        return r->s->len - at >= *len && memcmp(text + from, text + at, *len) == 0;
    }
    size_t here = at;
    for (size_t i = from; i < to;) {
        uint32_t a, b;
        if (here >= r->s->len) return false;
        const size_t n = utf8_decode((str){text + i, to - i}, &a);
        const size_t m = utf8_decode((str){text + here, r->s->len - here}, &b);
        if (a == UTF8_BAD || b == UTF8_BAD) {
            if (text[i] != text[here]) return false;
            i++, here++;
            continue;
        }
        if (ucd_fold(a) != ucd_fold(b)) return false;
        i += n;
        here += m;
    }
    *len = here - at;
    return true;
}

/* Bodies of look-arounds and atomic groups have ends of their own: there nothing is remembered. */
static bool remembers(const run *r) { return r->window != RE_NONE && r->depth == 0; }

static bool seen(run *r, uint32_t pc, size_t at) {
    if (!remembers(r)) return false;
    if (at > r->window) return true; /* no match goes there */
    const size_t bit = (at - r->from) * r->p->n + pc;
    uint64_t *word = &r->b->visited[bit / 64];
    const bool was = *word >> (bit % 64) & 1;
    *word |= (uint64_t)1 << bit % 64;
    return was;
}

static bool search(run *r, uint32_t pc, size_t at, bool backward, size_t *end);

/* A look-around or atomic group at `at`. */
static bool part(run *r, const re_inst *i, size_t *at, bool backward) {
    const size_t base = r->b->n_job;
    size_t end;
    if (i->op == RE_OP_ATOMIC) {
        if (!search(r, i->alt, *at, backward, &end)) return false;
        drop(r, base, false);
        *at = end;
        return true;
    }
    const bool found = search(r, i->alt, *at, i->flag, &end);
    if (r->failed) return false;
    drop(r, base, found && i->neg);
    return found != i->neg;
}

/* Everything that consumes nothing, or a known text. false: this way ends here. */
static bool step(run *r, const re_inst *i, uint32_t *pc, size_t *at, bool backward) {
    size_t len;
    *pc = i->next;
    switch ((re_op)i->op) {
        case RE_OP_SET: {
            const unsigned sym =
                backward ? re_sym_before(r->s, *at, &len) : re_sym_at(r->s, *at, &len);
            *at = backward ? *at - len : *at + len;
            return len > 0 && re_sym_in(r->s->y, i->arg, sym);
        }
        case RE_OP_SPLIT:
            return push(r, JOB_VISIT, i->alt, *at);
        case RE_OP_SAVE:
            return set_slot(r, i->arg, *at);
        case RE_OP_ASSERT:
            return re_assert_holds(r->s->y, i, re_sym_before(r->s, *at, &len),
                                   re_sym_at(r->s, *at, &len));
        case RE_OP_LOOK:
            if (r->s->look && (r->s->look[*at] >> i->arg & 1) == i->neg) return false;
            return (r->s->look && i->neg) || part(r, i, at, backward);
        case RE_OP_ATOMIC:
            return part(r, i, at, backward);
        case RE_OP_BACKREF:
            if (backward || !same_again(r, i->arg, i->flag, *at, &len)) return false;
            r->b->steps += len;
            *at += len;
            return true;
        case RE_OP_LOOP: {
            if (remembers(r)) return true;
            const size_t old = r->b->loop[i->arg];
            r->b->loop[i->arg] = *at;
            return push(r, JOB_LOOP, i->arg, old);
        }
        case RE_OP_LEAVE:
            if (!remembers(r) && r->b->loop[i->arg] == *at) *pc = i->alt;
            return true;
        default:
            return true;
    }
}

static bool search(run *r, uint32_t pc, size_t at, bool backward, size_t *end) {
    re_back *b = r->b;
    const size_t base = b->n_job;
    if (r->depth == MAX_DEPTH) {
        r->failed = RZ_EFULL;
        return false;
    }
    for (;;) {
        while (!seen(r, pc, at)) {
            const re_inst *i = &r->p->inst[pc];
            if (++b->steps > b->budget && !remembers(r)) r->failed = RZ_EFULL;
            if (r->failed) return false;
            if (i->op == RE_OP_MATCH) {
                *end = at;
                return true;
            }
            const bool body = i->op == RE_OP_LOOK || i->op == RE_OP_ATOMIC;
            r->depth += body;
            const bool goes_on = step(r, i, &pc, &at, backward);
            r->depth -= body;
            if (r->failed) return false;
            if (!goes_on) break;
        }
        for (;;) {
            if (b->n_job == base) return false;
            const back_job j = b->job[--b->n_job];
            if (j.kind == JOB_VISIT) {
                pc = j.pc;
                at = j.at;
                break;
            }
            put_back(r, &j);
        }
    }
}

status re_back_run(re_back *b, const re_prog *p, const re_subject *s, size_t at, size_t window,
                   bool *found, size_t *slot, err *e) {
    run r = {.b = b, .p = p, .s = s, .slot = slot, .from = at, .window = window};
    size_t end;
    b->n_job = 0;
    if (window != RE_NONE) {
        const size_t words = ((window - at + 1) * p->n + 63) / 64;
        if (!mem_room(&b->visited, &b->cap_visited, words, sizeof *b->visited))
            return err_set(e, RZ_ENOMEM, "regex: out of memory");
        memset(b->visited, 0, words * sizeof *b->visited);
    }
    for (uint32_t i = 0; i < b->n_slot; i++) slot[i] = RE_NONE;
    for (uint32_t i = 0; i < b->n_loop; i++) b->loop[i] = RE_NONE;
    *found = search(&r, p->start, at, false, &end);
    if (r.failed == RZ_ENOMEM) return err_set(e, RZ_ENOMEM, "regex: out of memory");
    if (r.failed)
        return err_set(e, RZ_EFULL,
                       "regex: the step budget of %llu is spent on a match at byte %zu",
                       (unsigned long long)b->budget, at);
    return RZ_OK;
}
