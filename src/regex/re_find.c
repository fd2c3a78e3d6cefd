/* re_find.c - finding a match with tables of states.
 *
 * First each place where a match can begin is tried with the anchored table: when most of them
 * match, as in tokenizing, that reads every byte once. When tries fail and the bytes they read add
 * up, the searching table takes over: it finds the end of the leftmost match in one pass, and the
 * reversed one goes back to its start. So no text makes it read more than a few times its
 * length. */
#include <string.h>

#include "base/mem.h"
#include "regex/re_run.h"

enum { LAZY_BYTES = 4 << 20, PATIENCE = 4 };

static status need_dfa(re_dfa **slot, const re_prog *p, const re_syms *y, unsigned bits,
                       bool search, bool all, err *e) {
    if (*slot) return RZ_OK;
    re_dfa *d = mem_zero(sizeof *d);
    if (!d) return err_set(e, RZ_ENOMEM, "regex: out of memory");
    const status s = re_dfa_init(d, p, y, bits, search, all, LAZY_BYTES, e);
    if (s < 0) mem_free(d);
    else *slot = d;
    return s;
}

status re_make_looks(re_work *w, err *e) {
    const re *r = w->r;
    const size_t len = w->text.len + 1;
    if (!mem_room(&w->look, &w->cap_look, len, sizeof *w->look))
        return err_set(e, RZ_ENOMEM, "regex: out of memory");
    memset(w->look, 0, len * sizeof *w->look);
    w->text.look = w->look;
    for (unsigned i = 0; i < r->n_look; i++) {
        unsigned bits = 0; /* of the look-arounds inside this one, which come before it */
        for (uint32_t k = 0; k < r->look[i].n; k++)
            if (r->look[i].inst[k].op == RE_OP_LOOK && r->look[i].inst[k].arg >= bits)
                bits = r->look[i].inst[k].arg + 1;
        TRY(need_dfa(&w->look_dfa[i], &r->look[i], &r->syms, bits, true, true, e));
        TRY(re_dfa_mark(w->look_dfa[i], &w->text, w->look, i, !r->look_behind[i], e));
    }
    w->looks_ready = true;
    return RZ_OK;
}

bool re_still_possible(re_work *w, size_t from) {
    const re *r = w->r;
    const re_subject *s = &w->text;
    if (r->n_need == 0) return true;
    if (!w->need_known || from < w->need_from || (from > w->need_at && w->need_at != RE_NONE)) {
        const uint8_t *at = memmem(s->p + from, s->len - from, r->need, r->n_need);
        w->need_known = true;
        w->need_from = from;
        w->need_at = at ? (size_t)(at - s->p) : RE_NONE;
    }
    return w->need_at != RE_NONE;
}

/* The whole rest in one pass, and back. */
static status sweep(re_work *w, size_t at, re_span *out, err *e) {
    const re *r = w->r;
    size_t stop, start;
    TRY(need_dfa(&w->search, &r->forward, &r->syms, r->main_look_bits, true, false, e));
    TRY(need_dfa(&w->reverse, &r->backward, &r->syms, r->main_look_bits, false, true, e));
    TRY(re_dfa_forward(w->search, &w->text, at, &out->end, &stop, e));
    out->start = RE_NONE;
    if (out->end == RE_NONE) return RZ_OK;
    TRY(re_dfa_backward(w->reverse, &w->text, out->end, at, &start, e));
    out->start = start;
    return RZ_OK;
}

/* A match at exactly `at`. */
static status try_at(re_work *w, re_dfa *d, size_t at, bool slots, size_t *end, size_t *stop,
                     err *e) {
    const re *r = w->r;
    size_t len;
    if (!r->jit) return re_dfa_forward(d, &w->text, at, end, stop, e);
    const unsigned behind = r->forward.any_behind ? re_sym_before(&w->text, at, &len) : 0;
    if (slots && r->groups) {
        w->slots_ready = re_jit_groups(r->groups, &w->text, at, behind, w->slot, stop);
        *end = w->slot[1];
    } else {
        *end = re_jit_one(r->jit, &w->text, at, behind, stop);
    }
    return RZ_OK;
}

status re_find_tables(re_work *w, size_t from, bool slots, re_span *out, err *e) {
    const re *r = w->r;
    const re_subject *s = &w->text;
    re_dfa *d = r->have_first ? (re_dfa *)&r->first : w->first;
    size_t wasted = 0, stop, len;
    size_t end = RE_NONE;
    out->start = out->end = RE_NONE;
    if (!d) {
        TRY(need_dfa(&w->first, &r->forward, &r->syms, r->main_look_bits, false, false, e));
        d = w->first;
    }
    if (r->text_start) {
        if (from > 0 || (!r->start_any && (s->len == 0 || !r->can_start[s->p[0]]))) return RZ_OK;
        TRY(try_at(w, d, 0, slots, &out->end, &stop, e));
        out->start = out->end == RE_NONE ? RE_NONE : 0;
        return RZ_OK;
    }
    for (size_t at = from;; at += len) {
        if (r->literals) {
            uint32_t which;
            at = re_literals_find(r->literals, s->p, s->len, at, &which);
            if (at == RE_NONE) break;
            if (r->literals->whole) {
                out->start = at;
                out->end = at + r->literals->len[which];
                break;
            }
        } else if (!r->start_any) {
            while (at < s->len && !r->can_start[s->p[at]]) at++;
        }
        if (at == s->len && !r->start_any) break;
        if (w->in_vain >= PATIENCE || wasted > 64 + 2 * (at - from)) {
            TRY(sweep(w, at, out, e));
            if (wasted) w->in_vain += w->in_vain < 2 * PATIENCE;
            else if (out->start == at) w->in_vain--;
            return RZ_OK;
        }
        TRY(try_at(w, d, at, slots, &end, &stop, e));
        if (end != RE_NONE) {
            out->start = at;
            out->end = end;
            break;
        }
        if (at == s->len || !re_still_possible(w, at)) break;
        wasted += stop - at;
        re_sym_at(s, at, &len);
    }
    return RZ_OK;
}
