/* api_regex.c - rz_regex_compile and its relatives.
 *
 * A pattern keeps one set of working memory for whoever calls rz_regex_find next; another thread
 * that calls meanwhile makes its own. */
#include <stdatomic.h>

#include "base/buf.h"
#include "base/mem.h"
#include "regex/re.h"

struct rz_regex {
    re *re;
    _Atomic(re_work *) spare;
};

struct rz_regex_iter {
    re_work *work;
    const rz_regex *r;
    rz_span *span; /* [groups] */
};

rz_status rz_regex_compile(rz_regex **out, const char *pattern, size_t len, unsigned flags,
                           rz_error *e) {
    const unsigned known = RZ_REGEX_ICASE | RZ_REGEX_MULTILINE | RZ_REGEX_DOTALL |
                           RZ_REGEX_EXTENDED | RZ_REGEX_ASCII | RZ_REGEX_NO_JIT;
    if (!out || (len && !pattern))
        return err_set(e, RZ_EINVAL, "rz_regex_compile: a pointer is NULL");
    if (flags & ~known)
        return err_set(e, RZ_EINVAL, "rz_regex_compile: unknown flags 0x%x", flags & ~known);
    rz_regex *r = mem_zero(sizeof *r);
    if (!r) return err_set(e, RZ_ENOMEM, "regex: out of memory");
    const re_options opt = {.flags = flags & ~(unsigned)RZ_REGEX_NO_JIT,
                            .no_jit = (flags & RZ_REGEX_NO_JIT) != 0};
    const status s = re_compile(&r->re, (str){pattern, len}, &opt, e);
    if (s < 0) mem_free(r);
    else *out = r;
    return s;
}

void rz_regex_free(rz_regex *r) {
    if (!r) return;
    re_work_free(atomic_load(&r->spare));
    re_free(r->re);
    mem_free(r);
}

const char *rz_regex_engine_name(const rz_regex *r) { return re_engine_name(r->re); }
size_t rz_regex_groups(const rz_regex *r) { return re_groups(r->re); }
int rz_regex_group_index(const rz_regex *r, const char *name) {
    return name ? re_group_index(r->re, str_of(name)) : -1;
}
const char *rz_regex_group_name(const rz_regex *r, size_t group) {
    if (group >= re_groups(r->re)) return NULL;
    const str name = re_group_name(r->re, group);
    return name.len ? name.p : "";
}

/* ---- one search ---- */

static status borrow(const rz_regex *r, re_work **out, err *e) {
    *out = atomic_exchange(&((rz_regex *)r)->spare, NULL);
    return *out ? RZ_OK : re_work_new(out, r->re, e);
}

static void give_back(const rz_regex *r, re_work *w) {
    re_text(w, (str){NULL, 0});
    re_work_free(atomic_exchange(&((rz_regex *)r)->spare, w));
}

rz_status rz_regex_find(const rz_regex *r, const char *text, size_t len, size_t from, rz_span *out,
                        rz_error *e) {
    re_work *w;
    if (!r || !out || (len && !text))
        return err_set(e, RZ_EINVAL, "rz_regex_find: a pointer is NULL");
    TRY(borrow(r, &w, e));
    re_text(w, (str){text, len});
    const status s = re_find(w, from, out, e);
    give_back(r, w);
    return s;
}

/* Groups beyond `cap` are left out, places beyond the groups say there is none. */
static void copy_groups(const rz_span *from, size_t n, rz_span *out, size_t cap) {
    for (size_t i = 0; i < cap && i < n; i++) out[i] = from[i];
    for (size_t i = n; i < cap; i++) out[i] = (rz_span){RZ_NO_MATCH, RZ_NO_MATCH};
}

rz_status rz_regex_captures(const rz_regex *r, const char *text, size_t len, size_t from,
                            rz_span *out, size_t cap, rz_error *e) {
    re_work *w;
    if (!r || (cap && !out) || (len && !text))
        return err_set(e, RZ_EINVAL, "rz_regex_captures: a pointer is NULL");
    rz_span *span = mem_array(re_groups(r->re), sizeof *span);
    if (!span) return err_set(e, RZ_ENOMEM, "regex: out of memory");
    status s = borrow(r, &w, e);
    if (s >= 0) {
        re_text(w, (str){text, len});
        s = re_captures(w, from, span, e);
        if (s >= 0) copy_groups(span, re_groups(r->re), out, cap);
        give_back(r, w);
    }
    mem_free(span);
    return s;
}

/* ---- iterating ---- */

rz_status rz_regex_iter_new(rz_regex_iter **out, const rz_regex *r, rz_error *e) {
    if (!out || !r) return err_set(e, RZ_EINVAL, "rz_regex_iter_new: a pointer is NULL");
    rz_regex_iter *it = mem_zero(sizeof *it);
    if (!it) return err_set(e, RZ_ENOMEM, "regex: out of memory");
    it->r = r;
    it->span = mem_array(re_groups(r->re), sizeof *it->span);
    status s = it->span ? RZ_OK : err_set(e, RZ_ENOMEM, "regex: out of memory");
    if (s >= 0) s = re_work_new(&it->work, r->re, e);
    if (s < 0) rz_regex_iter_free(it);
    else *out = it;
    return s;
}

void rz_regex_iter_free(rz_regex_iter *it) {
    if (!it) return;
    re_work_free(it->work);
    mem_free(it->span);
    mem_free(it);
}

void rz_regex_iter_text(rz_regex_iter *it, const char *text, size_t len) {
    re_text(it->work, (str){text, text ? len : 0});
}

rz_status rz_regex_next(rz_regex_iter *it, rz_span *out, size_t cap, size_t *n, rz_error *e) {
    if (!it || !n || (cap && !out))
        return err_set(e, RZ_EINVAL, "rz_regex_next: a pointer is NULL");
    return re_next_many(it->work, out, cap, n, e);
}

rz_status rz_regex_next_captures(rz_regex_iter *it, rz_span *out, size_t cap, rz_error *e) {
    if (!it || (cap && !out))
        return err_set(e, RZ_EINVAL, "rz_regex_next_captures: a pointer is NULL");
    const size_t n = re_groups(it->r->re);
    const bool direct = cap >= n;
    TRY(re_next_captures(it->work, direct ? out : it->span, e));
    if (!direct) copy_groups(it->span, n, out, cap);
    for (size_t i = n; i < cap; i++) out[i].start = out[i].end = RZ_NO_MATCH;
    return RZ_OK;
}

/* ---- replace ---- */

/* The group that `$...` at *at names; *at moves behind it. -1: none such. */
static int named_group(const rz_regex *r, str with, size_t *at) {
    size_t i = *at + 1;
    const bool brace = i < with.len && with.p[i] == '{';
    i += brace;
    const size_t from = i;
    bool number = true;
    for (; i < with.len; i++) {
        const char c = with.p[i];
        const bool digit = c >= '0' && c <= '9';
        if (!digit && !(c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z'))) break;
        if (!digit && number && i > from && !brace) break; /* $1st is $1 and "st" */
        number = number && digit;
    }
    const str name = {with.p + from, i - from};
    if (name.len == 0 || (brace && (i == with.len || with.p[i] != '}'))) return -1;
    *at = i + brace;
    if (!number) return re_group_index(r->re, name);
    uint64_t v;
    return str_u64(name, &v) && v < re_groups(r->re) ? (int)v : -1;
}

static status add_template(const rz_regex *r, str with, str text, const rz_span *span, buf *out,
                           err *e) {
    for (size_t i = 0; i < with.len;) {
        const size_t from = i;
        if (with.p[i] != '$') {
            buf_char(out, with.p[i++]);
        } else if (i + 1 < with.len && with.p[i + 1] == '$') {
            buf_char(out, '$');
            i += 2;
        } else {
            const int g = named_group(r, with, &i);
            if (g < 0)
                return err_set(e, RZ_EINVAL, "rz_regex_replace: offset %zu: $ names no group",
                               from);
            if (span && span[g].start != RZ_NO_MATCH)
                buf_add(out, text.p + span[g].start, span[g].end - span[g].start);
        }
    }
    return RZ_OK;
}

static status replace_all(rz_regex_iter *it, str text, str with, buf *out, err *e) {
    size_t done = 0;
    rz_regex_iter_text(it, text.p, text.len);
    TRY(add_template(it->r, with, text, NULL, out, e)); /* names are checked also without match */
    buf_clear(out);
    for (;;) {
        TRY(re_next_captures(it->work, it->span, e));
        if (it->span[0].start == RZ_NO_MATCH) break;
        buf_add(out, text.p + done, it->span[0].start - done);
        TRY(add_template(it->r, with, text, it->span, out, e));
        done = it->span[0].end;
    }
    if (text.len > done) buf_add(out, text.p + done, text.len - done);
    return out->failed ? err_set(e, RZ_ENOMEM, "regex: out of memory") : RZ_OK;
}

rz_status rz_regex_replace(const rz_regex *r, const char *text, size_t len, const char *with,
                           char *out, size_t cap, size_t *need, rz_error *e) {
    rz_regex_iter *it = NULL;
    buf b = BUF_INIT;
    if (!r || !need || (len && !text) || !with || (cap && !out))
        return err_set(e, RZ_EINVAL, "rz_regex_replace: a pointer is NULL");
    TRY(rz_regex_iter_new(&it, r, e));
    const status s = replace_all(it, (str){text, len}, str_of(with), &b, e);
    if (s >= 0) {
        const size_t copied = b.len < cap ? b.len : cap;
        if (copied) memcpy(out, b.p, copied);
        *need = b.len;
    }
    buf_free(&b);
    rz_regex_iter_free(it);
    return s;
}

size_t rz_regex_escape(const char *text, size_t len, char *out, size_t cap) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        const bool sign = text[i] && strchr("\\.+*?()|[]{}^$#&-~ ", text[i]);
        if (sign && n++ < cap) out[n - 1] = '\\';
        if (n++ < cap) out[n - 1] = text[i];
    }
    return n;
}
