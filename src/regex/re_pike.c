/* re_pike.c - all threads of a program at once, in order of priority, with their captures.
 *
 * Time is instructions x characters whatever the pattern. Used for captures in long matches and as
 * the engine the others are tested against. Backreferences and atomic groups it cannot do. */
#include <string.h>

#include "base/mem.h"
#include "regex/re_run.h"

/* Either an instruction to visit, or a capture to put back. */
typedef struct pike_job {
    uint32_t pc, slot; /* slot: RE_INFINITE for a visit */
    size_t old;
} pike_job;

status re_pike_init(re_pike *k, const re_prog *p, uint32_t n_slot, err *e) {
    const size_t cells = (size_t)p->n * n_slot;
    *k = (re_pike){.n_inst = p->n, .n_slot = n_slot};
    k->mark = mem_array_zero(p->n, sizeof *k->mark);
    k->stack = mem_array(2 * (size_t)p->n + n_slot, sizeof *k->stack);
    k->work = mem_array(n_slot, sizeof *k->work);
    bool ok = k->mark && k->stack && k->work;
    for (int i = 0; i < 2; i++) {
        k->pc[i] = mem_array(p->n, sizeof *k->pc[i]);
        k->cap[i] = mem_array(cells, sizeof *k->cap[i]);
        ok = ok && k->pc[i] && k->cap[i];
    }
    if (ok) return RZ_OK;
    re_pike_done(k);
    return err_set(e, RZ_ENOMEM, "regex: out of memory");
}

void re_pike_done(re_pike *k) {
    if (!k) return;
    mem_free(k->mark);
    mem_free(k->stack);
    mem_free(k->work);
    for (int i = 0; i < 2; i++) {
        mem_free(k->pc[i]);
        mem_free(k->cap[i]);
    }
    *k = (re_pike){0};
}

typedef struct moment {
    const re_prog *p;
    const re_subject *s;
    size_t at;
    unsigned behind, ahead;
} moment;

static bool passes(const moment *m, const re_inst *i) {
    if (i->op == RE_OP_LOOK) return (m->s->look[m->at] >> i->arg & 1) != i->neg;
    return re_assert_holds(m->s->y, i, m->behind, m->ahead);
}

/* Add to list `to` the threads that wait behind pc; k->work holds the captures so far. */
static void add_thread(re_pike *k, const moment *m, uint32_t pc, int to, uint32_t *n) {
    size_t depth = 0;
    k->stack[depth++] = (pike_job){pc, RE_INFINITE, 0};
    while (depth > 0) {
        const pike_job job = k->stack[--depth];
        if (job.slot != RE_INFINITE) {
            k->work[job.slot] = job.old;
            continue;
        }
        for (pc = job.pc; k->mark[pc] != k->generation;) {
            const re_inst *i = &m->p->inst[pc];
            k->mark[pc] = k->generation;
            if (i->op == RE_OP_SET || i->op == RE_OP_MATCH) {
                k->pc[to][*n] = pc;
                memcpy(k->cap[to] + (size_t)(*n)++ * k->n_slot, k->work,
                       k->n_slot * sizeof *k->work);
                break;
            }
            if (i->op == RE_OP_SPLIT) {
                k->stack[depth++] = (pike_job){i->alt, RE_INFINITE, 0};
            } else if (i->op == RE_OP_SAVE && i->arg < k->n_slot) {
                k->stack[depth++] = (pike_job){0, i->arg, k->work[i->arg]};
                k->work[i->arg] = m->at;
            } else if ((i->op == RE_OP_ASSERT || i->op == RE_OP_LOOK) && !passes(m, i)) {
                break;
            }
            pc = i->next;
        }
    }
}

bool re_pike_run(re_pike *k, const re_prog *p, const re_subject *s, size_t at, bool anchored,
                 size_t *slot) {
    size_t len;
    bool found = false;
    int from = 0;
    uint32_t n = 0;
    moment m = {p, s, at, re_sym_before(s, at, &len), 0};
    m.ahead = re_sym_at(s, at, &len);
    if (++k->generation == 0) memset(k->mark, 0, k->n_inst * sizeof *k->mark), k->generation = 1;
    for (size_t i = 0; i < k->n_slot; i++) k->work[i] = RE_NONE;
    add_thread(k, &m, p->start, from, &n);
    for (;;) {
        uint32_t n_next = 0;
        const unsigned sym = m.ahead;
        const bool ended = sym == s->y->edge;
        /* The threads that go on are closed over at the next place. */
        m.behind = sym;
        m.at += len;
        m.ahead = re_sym_at(s, m.at, &len);
        if (++k->generation == 0)
            memset(k->mark, 0, k->n_inst * sizeof *k->mark), k->generation = 1;
        bool cut = false;
        for (uint32_t i = 0; i < n && !cut; i++) {
            const re_inst *in = &p->inst[k->pc[from][i]];
            const size_t *cap = k->cap[from] + (size_t)i * k->n_slot;
            if (in->op == RE_OP_MATCH) {
                memcpy(slot, cap, k->n_slot * sizeof *slot);
                found = cut = true;
            } else if (!ended && re_sym_in(s->y, in->arg, sym)) {
                memcpy(k->work, cap, k->n_slot * sizeof *slot);
                add_thread(k, &m, in->next, !from, &n_next);
            }
        }
        if (ended) break;
        if (!anchored && !found) {
            for (size_t i = 0; i < k->n_slot; i++) k->work[i] = RE_NONE;
            add_thread(k, &m, p->start, !from, &n_next);
        } else if (n_next == 0) {
            break;
        }
        from = !from;
        n = n_next;
    }
    return found;
}
