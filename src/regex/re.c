/* re.c - compiling a pattern, choosing its engine, and the calls of re.h.
 *
 * The choice: backreferences and atomic groups that could not be rewritten need the backtracker;
 * everything else runs on a table of states, complete from the start when it is small, else built
 * while matching. Captures come second: once the match is known, the backtracker (short matches) or
 * the thread lists fill them in. */
#include "regex/re.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "regex/re_run.h"

enum {
    COMPLETE_BYTES = 512 << 10, /* of a table made ahead of time */
    COMPLETE_INST = 4000,
    MAX_ROW = 1 << 14, /* symbols times combinations of look-around bits */
    DEFAULT_BUDGET = 20000000
};

/* ---- compile ---- */

/* Bits of the oracle that the look-arounds inside a program need. */
static unsigned look_bits(const re_prog *p) {
    unsigned bits = 0;
    for (uint32_t i = 0; i < p->n; i++)
        if (p->inst[i].op == RE_OP_LOOK && p->inst[i].arg >= bits) bits = p->inst[i].arg + 1;
    return bits;
}

static status make_programs(re *r, err *e) {
    const re_tree *t = &r->tree;
    const bool back_only = t->backrefs || t->atomics;
    TRY(re_prog_make(&r->main, t, t->root, (re_prog_options){.captures = true, .bodies = true}, e));
    if ((size_t)r->main.n * r->n_slot > RE_MAX_SLOTS)
        return err_set(e, RZ_EFULL, "regex: %u groups in a pattern of %u instructions are too many",
                       t->n_group - 1, r->main.n);
    if (back_only) return RZ_OK;
    TRY(re_prog_make(&r->forward, t, t->root, (re_prog_options){0}, e));
    TRY(re_prog_make(&r->backward, t, t->root, (re_prog_options){.reverse = true}, e));
    for (unsigned i = 0; i < t->n_look; i++) {
        const re_node *look = t->look[i];
        r->look_behind[i] = look->behind;
        TRY(re_prog_make(&r->look[i], t, look->child, (re_prog_options){.reverse = !look->behind},
                         e));
        if ((size_t)r->syms.n << look_bits(&r->look[i]) > MAX_ROW)
            return err_set(e, RZ_EFULL, "regex: too many look-arounds inside a look-around");
    }
    r->n_look = t->n_look;
    r->main_look_bits = look_bits(&r->forward);
    return RZ_OK;
}

/* The symbols a match may begin with; false: it may be empty. */
static bool first_symbols(const re *r, const re_prog *p, uint32_t pc, uint8_t *mark,
                          uint64_t *out) {
    bool consumes = true;
    uint32_t depth = 0;
    uint32_t *stack = mem_array(p->n, sizeof *stack);
    if (!stack) return false;
    stack[depth++] = pc;
    while (depth > 0) {
        for (pc = stack[--depth]; !mark[pc];) {
            const re_inst *i = &p->inst[pc];
            mark[pc] = 1;
            if (i->op == RE_OP_SET) {
                for (uint32_t k = 0; k < r->syms.n_word; k++)
                    out[k] |= r->syms.set[(size_t)i->arg * r->syms.n_word + k];
                break;
            }
            if (i->op == RE_OP_MATCH || i->op == RE_OP_BACKREF || i->op == RE_OP_ATOMIC)
                consumes = false;
            if (i->op == RE_OP_MATCH) break;
            if (i->op == RE_OP_SPLIT) stack[depth++] = i->alt;
            pc = i->next;
        }
    }
    mem_free(stack);
    return consumes;
}

static void start_bytes(re *r, const uint64_t *set) {
    const re_syms *y = &r->syms;
    for (unsigned b = 0; b < 128; b++)
        r->can_start[b] = set[y->ascii[b] / 64] >> (y->ascii[b] % 64) & 1;
    bool in = set[y->other / 64] >> (y->other % 64) & 1;
    for (uint32_t high = 2; high < 0x110000 / 64; high++) {
        if (y->stage1 && (high == 2 || y->stage1[high] != y->stage1[high - 1])) {
            in = false;
            const uint16_t *block = y->stage2 + (size_t)y->stage1[high] * 64;
            for (unsigned i = 0; i < 64 && !in; i++) in = set[block[i] / 64] >> (block[i] % 64) & 1;
        }
        const unsigned lead = high < 0x20    ? 0xC0 | high
                              : high < 0x400 ? 0xE0 | high >> 6
                                             : 0xF0 | high >> 12;
        if (in) r->can_start[lead] = 1;
    }
}

static status find_starts(re *r, err *e) {
    const re_prog *p = &r->main;
    uint8_t *mark = mem_zero(p->n);
    uint64_t *set = mem_array_zero(r->syms.n_word, sizeof *set);
    const bool ok = mark && set;
    if (ok) {
        r->start_any = !first_symbols(r, p, p->start, mark, set);
        if (!r->start_any) start_bytes(r, set);
    }
    mem_free(mark);
    mem_free(set);
    return ok ? RZ_OK : err_set(e, RZ_ENOMEM, "regex: out of memory");
}

/* Every way through begins with \A. */
static bool begins_at_text_start(const re_tree *t, const re_node *n) {
    if (n->kind == RE_N_CAT || n->kind == RE_N_GROUP) return begins_at_text_start(t, n->child);
    if (n->kind == RE_N_ALT) {
        for (const re_node *c = n->child; c; c = c->next)
            if (!begins_at_text_start(t, c)) return false;
        return true;
    }
    if (n->kind != RE_N_ASSERT || n->how != RE_BEHIND || !n->neg) return false;
    const re_set *s = &t->set[n->a];
    return s->n == 1 && s->r[0].lo == 0 && s->r[0].hi == UCD_MAX && (s->flags & RE_SET_BAD);
}

static status choose_engine(re *r, const re_options *opt, err *e) {
    const bool back_only = r->tree.backrefs || r->tree.atomics;
    r->engine = opt->engine;
    if (r->engine == RE_AUTO) r->engine = back_only ? RE_BACK : RE_DFA;
    if (r->engine == RE_JIT) r->engine = RE_DFA;
    if (back_only && r->engine != RE_BACK)
        return err_set(e, RZ_EUNSUPPORTED, "regex: the engine asked for cannot run this pattern");
    if (r->engine != RE_DFA) return RZ_OK;
    if (r->forward.n <= COMPLETE_INST) {
        TRY(re_dfa_init(&r->first, &r->forward, &r->syms, r->main_look_bits, false, false,
                        COMPLETE_BYTES, e));
        r->have_first = re_dfa_complete(&r->first);
        if (!r->have_first) re_dfa_done(&r->first);
    }
    if (opt->engine == RE_JIT || (opt->engine == RE_AUTO && !opt->no_jit))
        r->jit = re_jit_new(r, false);
    if (opt->engine == RE_AUTO) r->onepass = re_onepass_new(&r->main, &r->syms, r->n_slot);
    if (r->onepass && r->jit) r->groups = re_jit_new(r, true);
    if (opt->engine == RE_JIT && !r->jit)
        return err_set(e, RZ_EUNSUPPORTED, "regex: no machine code for this pattern here");
    return RZ_OK;
}

static status find_literals(re *r, const re_options *opt, err *e) {
    if (opt->engine != RE_AUTO || opt->no_prefilter) return RZ_OK;
    r->n_need = re_required(&r->tree, r->need);
    if (r->engine != RE_DFA || r->text_start) return RZ_OK;
    r->literals = mem_zero(sizeof *r->literals);
    if (!r->literals) return err_set(e, RZ_ENOMEM, "regex: out of memory");
    if (re_literals_make(r->literals, &r->tree)) return RZ_OK;
    mem_free(r->literals);
    r->literals = NULL;
    return RZ_OK;
}

static void name_engine(re *r) {
    static const char *const names[] = {"", "pike", "dfa", "backtracker"};
    const bool lazy = r->engine == RE_DFA && !r->have_first;
    const char *name = r->jit ? "jit" : lazy ? "lazy dfa" : names[r->engine];
    const char *before = !r->literals ? "" : r->literals->n == 1 ? "memmem" : "teddy";
    const bool only = r->literals && r->literals->whole;
    snprintf(r->name, sizeof r->name, "%s%s%s", before, *before && !only ? "+" : "",
             only ? "" : name);
}

static status compile(re *r, str pattern, const re_options *opt, err *e) {
    re_tree *t = &r->tree;
    t->mem.limit = RE_MAX_TREE;
    TRY(re_parse(t, pattern, opt->flags, e));
    TRY(re_simplify(t, e));
    re_set any = {NULL, 0, 0, RE_SET_BAD};
    t->any_set = re_set_add(&t->mem, &any, 0, UCD_MAX) ? re_intern(t, &any) : RE_INFINITE;
    if (t->any_set == RE_INFINITE) return err_set(e, RZ_ENOMEM, "regex: out of memory");
    r->n_slot = t->n_group * 2;
    r->budget = opt->step_budget ? opt->step_budget : DEFAULT_BUDGET;
    r->text_start = begins_at_text_start(t, t->root);
    TRY(re_syms_make(&r->syms, t, e));
    TRY(make_programs(r, e));
    TRY(find_starts(r, e));
    TRY(choose_engine(r, opt, e));
    TRY(find_literals(r, opt, e));
    name_engine(r);
    return RZ_OK;
}

status re_compile(re **out, str pattern, const re_options *opt, err *e) {
    static const re_options none;
    re *r = mem_zero(sizeof *r);
    if (!r) return err_set(e, RZ_ENOMEM, "regex: out of memory");
    const status s = compile(r, pattern, opt ? opt : &none, e);
    if (s < 0) {
        re_free(r);
        return s;
    }
    *out = r;
    return RZ_OK;
}

void re_free(re *r) {
    if (!r) return;
    arena_free(&r->tree.mem);
    re_syms_done(&r->syms);
    re_prog_done(&r->main);
    re_prog_done(&r->forward);
    re_prog_done(&r->backward);
    for (unsigned i = 0; i < RE_MAX_LOOK; i++) re_prog_done(&r->look[i]);
    re_dfa_done(&r->first);
    re_jit_free(r->jit);
    re_jit_free(r->groups);
    mem_free(r->literals);
    re_onepass_free(r->onepass);
    mem_free(r);
}

size_t re_groups(const re *r) { return r->tree.n_group; }

int re_group_index(const re *r, str name) {
    for (uint32_t i = 1; i < r->tree.n_group; i++)
        if (name.len && str_eq(r->tree.group[i].name, name)) return (int)i;
    return -1;
}

str re_group_name(const re *r, size_t group) {
    return group < r->tree.n_group ? r->tree.group[group].name : (str){NULL, 0};
}

const char *re_engine_name(const re *r) { return r->name; }

/* ---- work ---- */

status re_work_new(re_work **out, const re *r, err *e) {
    re_work *w = mem_zero(sizeof *w);
    if (!w) return err_set(e, RZ_ENOMEM, "regex: out of memory");
    w->r = r;
    w->slot = mem_array(r->n_slot, sizeof *w->slot);
    if (!w->slot) {
        re_work_free(w);
        return err_set(e, RZ_ENOMEM, "regex: out of memory");
    }
    re_text(w, (str){NULL, 0});
    *out = w;
    return RZ_OK;
}

static void free_dfa(re_dfa *d) {
    re_dfa_done(d);
    mem_free(d);
}

void re_work_free(re_work *w) {
    if (!w) return;
    free_dfa(w->first);
    free_dfa(w->search);
    free_dfa(w->reverse);
    for (unsigned i = 0; i < RE_MAX_LOOK; i++) free_dfa(w->look_dfa[i]);
    re_pike_done(w->pike);
    mem_free(w->pike);
    re_back_done(w->back);
    mem_free(w->back);
    mem_free(w->look);
    mem_free(w->slot);
    mem_free(w);
}

void re_text(re_work *w, str text) {
    static const uint8_t nothing[1];
    w->text = (re_subject){text.p ? (const uint8_t *)text.p : nothing, text.len, &w->r->syms, NULL};
    w->looks_ready = w->need_known = false;
    re_seek(w, 0);
}

void re_seek(re_work *w, size_t at) {
    w->at = at;
    w->last_end = RE_NONE;
}

/* ---- find ---- */

static status need_pike(re_work *w, err *e) {
    if (w->pike) return RZ_OK;
    re_pike *k = mem_zero(sizeof *k);
    if (!k) return err_set(e, RZ_ENOMEM, "regex: out of memory");
    const status s = re_pike_init(k, &w->r->main, w->r->n_slot, e);
    if (s < 0) mem_free(k);
    else w->pike = k;
    return s;
}

static status need_back(re_work *w, err *e) {
    if (w->back) return RZ_OK;
    re_back *b = mem_zero(sizeof *b);
    if (!b) return err_set(e, RZ_ENOMEM, "regex: out of memory");
    const status s = re_back_init(b, &w->r->main, w->r->n_slot, w->r->budget, e);
    if (s < 0) mem_free(b);
    else w->back = b;
    return s;
}

/* The backtracker tries each place in turn. */
static status find_back(re_work *w, size_t from, bool *found, err *e) {
    const re *r = w->r;
    const re_subject *s = &w->text;
    const bool free_run = r->tree.backrefs || r->tree.atomics;
    TRY(need_back(w, e));
    w->back->steps = 0;
    *found = false;
    if (!re_still_possible(w, from)) return RZ_OK;
    for (size_t at = from, len; at <= s->len && !*found; at += len) {
        re_sym_at(s, at, &len);
        if (len == 0) len = 1;
        if (r->text_start && at > 0) break;
        if (!r->start_any && (at == s->len || !r->can_start[s->p[at]])) continue;
        if (free_run) {
            TRY(re_back_run(w->back, &r->main, s, at, RE_NONE, found, w->slot, e));
        } else if (re_back_fits(&r->main, s->len - at)) {
            TRY(re_back_run(w->back, &r->main, s, at, s->len, found, w->slot, e));
        } else {
            TRY(need_pike(w, e));
            *found = re_pike_run(w->pike, &r->main, s, at, false, w->slot);
            break;
        }
    }
    return RZ_OK;
}

/* Captures of the match that is known to be at *span. */
static status fill_captures(re_work *w, const re_span *span, err *e) {
    const re *r = w->r;
    bool found = false;
    if (w->slots_ready) return RZ_OK;
    if (r->onepass && re_onepass_run(r->onepass, &w->text, *span, r->n_slot, w->slot)) return RZ_OK;
    if (r->tree.look_groups || re_back_fits(&r->main, span->end - span->start)) {
        TRY(need_back(w, e));
        w->back->steps = 0;
        const bool fits = re_back_fits(&r->main, span->end - span->start);
        TRY(re_back_run(w->back, &r->main, &w->text, span->start, fits ? span->end : RE_NONE,
                        &found, w->slot, e));
    } else {
        TRY(need_pike(w, e));
        found = re_pike_run(w->pike, &r->main, &w->text, span->start, true, w->slot);
    }
    return found ? RZ_OK : err_set(e, RZ_EINVAL, "regex: the text changed while it was searched");
}

/* `at`, or the end of the character it stands inside. */
static size_t boundary(const re_subject *s, size_t at) {
    if (at >= s->len || (s->p[at] & 0xC0) != 0x80) return at;
    for (size_t back = 1, len; back <= 3 && back <= at; back++) {
        if (s->p[at - back] < 0xC0) continue;
        re_sym_wide(s->y, s->p + at - back, s->p + s->len, &len);
        return len > back ? at - back + len : at;
    }
    return at;
}

/* slots: also fill w->slot. */
static status find(re_work *w, size_t from, bool slots, re_span *out, err *e) {
    const re *r = w->r;
    bool found = false;
    if (from > w->text.len) {
        out->start = out->end = RE_NONE;
        return RZ_OK;
    }
    if (from) from = boundary(&w->text, from);
    if (r->n_look && !w->looks_ready) TRY(re_make_looks(w, e));
    if (r->engine == RE_DFA) {
        w->slots_ready = false;
        TRY(re_find_tables(w, from, slots && r->n_slot > 2, out, e));
        if (slots && out->start != RE_NONE && r->n_slot > 2) TRY(fill_captures(w, out, e));
        return RZ_OK;
    }
    if (r->engine == RE_PIKE) {
        TRY(need_pike(w, e));
        found = re_pike_run(w->pike, &r->main, &w->text, from, false, w->slot);
        if (found && slots && r->tree.look_groups)
            TRY(fill_captures(w, &(re_span){w->slot[0], w->slot[1]}, e));
    } else {
        TRY(find_back(w, from, &found, e));
    }
    out->start = found ? w->slot[0] : RE_NONE;
    out->end = found ? w->slot[1] : RE_NONE;
    return RZ_OK;
}

status re_find(re_work *w, size_t from, re_span *out, err *e) {
    return find(w, from, false, out, e);
}

/* span[0] is the whole match already. Spans are written member by member where they are wanted: a
 * copy of one that was just written waits for its two halves. */
static void groups_from_slots(const re_work *w, re_span *span) {
    for (size_t g = 1; g < w->r->tree.n_group; g++) {
        const size_t start = w->slot[g * 2], end = w->slot[g * 2 + 1];
        const bool set = span->start != RE_NONE && start != RE_NONE && end != RE_NONE;
        span[g].start = set ? start : RE_NONE;
        span[g].end = set ? end : RE_NONE;
    }
}

status re_captures(re_work *w, size_t from, re_span *span, err *e) {
    TRY(find(w, from, true, span, e));
    groups_from_slots(w, span);
    return RZ_OK;
}

/* The one match of a pattern that begins at the start of the text, by machine code: what a program
 * asks line by line, so the way there is short. */
static void next_at_start(re_work *w, bool slots, re_span *out) {
    const re *r = w->r;
    const re_subject *s = &w->text;
    const unsigned behind = r->forward.any_behind ? s->y->edge : 0;
    size_t read, end = RE_NONE;
    w->slots_ready = false;
    if (w->at == 0 && (r->start_any || (s->len > 0 && r->can_start[s->p[0]]))) {
        if (slots && r->groups) {
            w->slots_ready = re_jit_groups(r->groups, s, 0, behind, w->slot, &read);
            end = w->slot[1];
        } else {
            end = re_jit_one(r->jit, s, 0, behind, &read);
        }
    }
    out->start = end == RE_NONE ? RE_NONE : 0;
    out->end = w->last_end = end;
    w->at = s->len + 1;
}

static status next(re_work *w, bool slots, re_span *out, err *e) {
    if (w->r->jit && w->r->text_start) {
        next_at_start(w, slots, out);
        if (!slots || out->start == RE_NONE || w->r->n_slot == 2) return RZ_OK;
        return fill_captures(w, out, e);
    }
    for (;;) {
        TRY(find(w, w->at, slots, out, e));
        if (out->start == RE_NONE || out->start < out->end || out->end != w->last_end) break;
        size_t len;
        re_sym_at(&w->text, w->at, &len);
        w->at += len ? len : 1;
    }
    w->last_end = out->end;
    w->at = out->start == RE_NONE ? w->text.len + 1 : out->end;
    return RZ_OK;
}

status re_next(re_work *w, re_span *out, err *e) { return next(w, false, out, e); }

status re_next_captures(re_work *w, re_span *span, err *e) {
    TRY(next(w, true, span, e));
    if (w->r->n_slot > 2) groups_from_slots(w, span);
    return RZ_OK;
}

/* Matches that begin with a known string, while trying each such place pays. */
static size_t run_literals(re_work *w, re_span *out, size_t cap) {
    const re *r = w->r;
    const re_subject *s = &w->text;
    size_t n = 0, at = w->at, wasted = 0, end, read, len;
    while (n < cap && wasted < 256) {
        uint32_t which;
        const size_t start = re_literals_find(r->literals, s->p, s->len, at, &which);
        at = start == RE_NONE ? s->len : start;
        if (start == RE_NONE) break;
        if (r->literals->whole) {
            end = start + r->literals->len[which];
        } else {
            const unsigned behind = r->forward.any_behind ? re_sym_before(s, start, &len) : 0;
            end = re_jit_one(r->jit, s, start, behind, &read);
            if (end == RE_NONE) {
                wasted += read - start > 16 ? read - start - 16 : 0;
                at++;
                continue;
            }
        }
        out[n].start = start;
        out[n++].end = at = w->last_end = end;
    }
    w->at = at;
    return n;
}

status re_next_many(re_work *w, re_span *out, size_t cap, size_t *n, err *e) {
    const re *r = w->r;
    const bool runs = r->jit && !r->text_start && !r->literals;
    size_t count = 0;
    while (count < cap) {
        if (r->literals && (r->jit || r->literals->whole) && w->at < w->text.len) {
            count += run_literals(w, out + count, cap - count);
            if (count == cap) break;
        }
        if (runs && w->at < w->text.len) {
            size_t len;
            const unsigned behind =
                r->forward.any_behind ? re_sym_before(&w->text, w->at, &len) : 0;
            const size_t got =
                re_jit_many(r->jit, &w->text, &w->at, behind, out + count, cap - count);
            count += got;
            if (got) w->last_end = out[count - 1].end;
            if (count == cap) break;
        }
        TRY(re_next(w, &out[count], e));
        if (out[count].start == RE_NONE) break;
        count++;
    }
    *n = count;
    return RZ_OK;
}
