/* re_prog.c - tree to program.
 *
 * Code falls through: an instruction's `next` is the one behind it unless it jumps. Counted
 * repeats are written out. A loop whose body can match nothing is (x+)? and not x*: one empty turn
 * is taken and then the loop is left, as Perl does it. */
#include <string.h>

#include "base/mem.h"
#include "regex/re_int.h"

typedef struct emitter {
    re_prog *p;
    const re_tree *t;
    re_prog_options opt;
    bool reverse; /* of the part being written */
    size_t steps;
    uint32_t n_ahead; /* conditions that need the next symbol, so far */
    bool full, nomem;
} emitter;

static bool emit(emitter *m, const re_node *n);

static bool add(emitter *m, re_inst i) {
    re_prog *p = m->p;
    if (p->n == RE_MAX_INST) {
        m->full = true;
        return false;
    }
    if (!mem_room(&p->inst, &p->cap, p->n + 1u, sizeof *p->inst)) {
        m->nomem = true;
        return false;
    }
    if (!i.next) i.next = p->n + 1;
    p->inst[p->n++] = i;
    return true;
}

static bool add_op(emitter *m, re_op op, uint32_t arg) {
    return add(m, (re_inst){.op = (uint8_t)op, .arg = arg});
}

/* A choice whose two ways are filled in later; returns its number. */
static uint32_t add_split(emitter *m) {
    return add_op(m, RE_OP_SPLIT, 0) ? m->p->n - 1 : RE_INFINITE;
}

static void point_split(emitter *m, uint32_t split, bool lazy, uint32_t in, uint32_t out) {
    m->p->inst[split].next = lazy ? out : in;
    m->p->inst[split].alt = lazy ? in : out;
}

static bool emit_cat(emitter *m, const re_node *n) {
    if (!m->reverse) {
        for (const re_node *c = n->child; c; c = c->next)
            if (!emit(m, c)) return false;
        return true;
    }
    size_t count = 0;
    for (const re_node *c = n->child; c; c = c->next) count++;
    const re_node **list = mem_array(count, sizeof *list);
    if (!list) {
        m->nomem = true;
        return false;
    }
    count = 0;
    for (const re_node *c = n->child; c; c = c->next) list[count++] = c;
    bool ok = true;
    while (ok && count > 0) ok = emit(m, list[--count]);
    mem_free(list);
    return ok;
}

static bool emit_alt(emitter *m, const re_node *n) {
    uint32_t end = 0; /* the jumps to the end, linked through `arg` */
    for (const re_node *c = n->child; c; c = c->next) {
        const uint32_t split = c->next ? add_split(m) : 0;
        if (split == RE_INFINITE || !emit(m, c)) return false;
        if (!c->next) break;
        if (!add_op(m, RE_OP_JUMP, end)) return false;
        end = m->p->n - 1;
        point_split(m, split, false, split + 1, m->p->n);
    }
    while (end) {
        const uint32_t before = m->p->inst[end].arg;
        m->p->inst[end].next = m->p->n;
        m->p->inst[end].arg = 0;
        end = before;
    }
    return true;
}

/* x+ */
static bool emit_plus(emitter *m, const re_node *x, bool lazy) {
    const bool guarded = m->opt.bodies && re_nullable(x);
    const uint32_t loop = m->p->n_loop;
    uint32_t leave = 0;
    const uint32_t start = m->p->n, n_ahead = m->n_ahead;
    if (guarded && (m->p->n_loop++, !add_op(m, RE_OP_LOOP, loop))) return false;
    if (!emit(m, x)) return false;
    m->p->empty_loop_ahead |= m->n_ahead > n_ahead && re_nullable(x);
    if (guarded) {
        leave = m->p->n;
        if (!add_op(m, RE_OP_LEAVE, loop)) return false;
    }
    const uint32_t split = add_split(m);
    if (split == RE_INFINITE) return false;
    point_split(m, split, lazy, start, m->p->n);
    if (guarded) m->p->inst[leave].alt = m->p->n;
    return true;
}

static bool emit_star(emitter *m, const re_node *x, bool lazy) {
    const uint32_t split = add_split(m);
    if (split == RE_INFINITE) return false;
    if (re_nullable(x)) {
        if (!emit_plus(m, x, lazy)) return false;
    } else {
        if (!emit(m, x) || !add_op(m, RE_OP_JUMP, 0)) return false;
        m->p->inst[m->p->n - 1].next = split;
    }
    point_split(m, split, lazy, split + 1, m->p->n);
    return true;
}

static bool emit_repeat(emitter *m, const re_node *n) {
    const uint32_t min = n->a, max = n->b;
    for (uint32_t i = 0; i + (max == RE_INFINITE) < min; i++)
        if (!emit(m, n->child)) return false;
    if (max == RE_INFINITE)
        return min ? emit_plus(m, n->child, n->lazy) : emit_star(m, n->child, n->lazy);
    uint32_t last = 0; /* the choices to stop, linked through `arg` */
    for (uint32_t i = min; i < max; i++) {
        const uint32_t split = add_split(m);
        if (split == RE_INFINITE) return false;
        m->p->inst[split].arg = last;
        last = split;
        if (!emit(m, n->child)) return false;
    }
    while (max > min && last != RE_INFINITE) {
        const uint32_t before = m->p->inst[last].arg;
        point_split(m, last, n->lazy, last + 1, m->p->n);
        m->p->inst[last].arg = 0;
        last = before ? before : RE_INFINITE;
    }
    return true;
}

static bool emit_group(emitter *m, const re_node *n) {
    if (!m->opt.captures) return emit(m, n->child);
    const uint32_t first = n->a * 2 + m->reverse, second = n->a * 2 + !m->reverse;
    return add_op(m, RE_OP_SAVE, first) && emit(m, n->child) && add_op(m, RE_OP_SAVE, second);
}

/* Out of line: the body, ended by MATCH, for the backtracker to run on its own. */
static bool emit_body(emitter *m, const re_node *body, bool reverse) {
    const uint32_t at = m->p->n - 1;
    const bool before = m->reverse;
    m->p->inst[at].alt = m->p->n;
    m->reverse = reverse;
    if (!emit(m, body) || !add_op(m, RE_OP_MATCH, 0)) return false;
    m->reverse = before;
    m->p->inst[at].next = m->p->n;
    return true;
}

static bool emit_assert(emitter *m, const re_node *n) {
    re_inst i = {.op = RE_OP_ASSERT, .how = n->how, .neg = n->neg, .arg = n->a};
    if (m->opt.reverse && n->how != RE_WORD)
        i.how = n->how == RE_AHEAD ? (uint8_t)RE_BEHIND : (uint8_t)RE_AHEAD;
    m->p->any_behind |= i.how != RE_AHEAD;
    m->p->any_ahead |= i.how != RE_BEHIND;
    m->n_ahead += i.how != RE_BEHIND;
    return add(m, i);
}

static bool emit(emitter *m, const re_node *n) {
    if (m->steps++ > 4 * (size_t)RE_MAX_INST) {
        m->full = true;
        return false;
    }
    switch ((re_kind)n->kind) {
        case RE_N_EMPTY:
            return true;
        case RE_N_SET:
            return add_op(m, RE_OP_SET, n->a);
        case RE_N_CAT:
            return emit_cat(m, n);
        case RE_N_ALT:
            return emit_alt(m, n);
        case RE_N_REPEAT:
            return emit_repeat(m, n);
        case RE_N_GROUP:
            return emit_group(m, n);
        case RE_N_ASSERT:
            return emit_assert(m, n);
        case RE_N_BACKREF:
            return add(m, (re_inst){.op = RE_OP_BACKREF, .flag = n->icase, .arg = n->a});
        case RE_N_ATOMIC:
            return add_op(m, RE_OP_ATOMIC, 0) && emit_body(m, n->child, m->reverse);
        case RE_N_LOOK:
            m->p->any_look = true;
            m->n_ahead++;
            if (!add(m, (re_inst){.op = RE_OP_LOOK, .neg = n->neg, .flag = n->behind, .arg = n->a}))
                return false;
            return !m->opt.bodies || emit_body(m, n->child, n->behind);
    }
    return false;
}

status re_prog_make(re_prog *p, const re_tree *t, const re_node *root, re_prog_options opt,
                    err *e) {
    emitter m = {.p = p, .t = t, .opt = opt, .reverse = opt.reverse};
    *p = (re_prog){.nullable = re_nullable(root)};
    /* Instruction 0 is a jump that nothing goes to: 0 then means "none" in links. */
    bool ok = add_op(&m, RE_OP_JUMP, 0);
    p->start = 1;
    if (opt.captures) ok = ok && add_op(&m, RE_OP_SAVE, opt.reverse);
    ok = ok && emit(&m, root);
    if (opt.captures) ok = ok && add_op(&m, RE_OP_SAVE, !opt.reverse);
    ok = ok && add_op(&m, RE_OP_MATCH, 0);
    p->search = p->n;
    ok = ok && add_split(&m) != RE_INFINITE && add_op(&m, RE_OP_SET, t->any_set);
    if (ok) {
        point_split(&m, p->search, false, p->start, p->search + 1);
        p->inst[p->search + 1].next = p->search;
        return RZ_OK;
    }
    re_prog_done(p);
    if (m.nomem) return err_set(e, RZ_ENOMEM, "regex: out of memory");
    return err_set(e, RZ_EFULL, "regex: the pattern makes more than %d instructions", RE_MAX_INST);
}

void re_prog_done(re_prog *p) {
    mem_free(p->inst);
    *p = (re_prog){0};
}
