/* tok_tiktoken.c - .tiktoken files: one line per token, base64 of its bytes, a space, its id.
 * The id is the rank: any two neighbours whose bytes together are a token merge, lowest id
 * first.
 *
 * How text is split and what the special tokens are is not in the file; tok_named.c knows. */
#include <stdio.h>

#include "base/base64.h"
#include "base/mem.h"
#include "tokenizer/tok_impl.h"
#include "tokenizer/tok_named.h"

typedef struct reader {
    tok *t;
    const char *path;
    str *text; /* [room]; len 0: no such token */
    size_t room, count;
} reader;

static status read_line(reader *r, str line, size_t number, err *e) {
    size_t space = 0;
    uint64_t id;
    while (space < line.len && line.p[space] != ' ') space++;
    if (space == line.len || !str_u64((str){line.p + space + 1, line.len - space - 1}, &id))
        return err_set(e, RZ_EFORMAT, "%s:%zu: \"%.*s\", expected base64, a space and a number",
                       r->path, number, STR_FMT(line));
    if (id >= r->room)
        return err_set(e, RZ_EFORMAT,
                       "%s:%zu: id %llu, expected less than %zu in a file of this size", r->path,
                       number, (unsigned long long)id, r->room);
    if (r->text[id].len)
        return err_set(e, RZ_EFORMAT, "%s:%zu: id %llu a second time", r->path, number,
                       (unsigned long long)id);
    char *bytes = arena_alloc(&r->t->mem, space + 1);
    if (!bytes) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    const size_t n = base64_decode((str){line.p, space}, bytes);
    if (n == SIZE_MAX || n == 0)
        return err_set(e, RZ_EFORMAT, "%s:%zu: \"%.*s\", expected base64", r->path, number,
                       STR_FMT(((str){line.p, space})));
    r->text[id] = (str){bytes, n};
    r->count++;
    return RZ_OK;
}

static status read_lines(reader *r, str file, err *e) {
    for (size_t number = 1; file.p && file.len; number++) {
        str line = str_split(&file, '\n');
        if (line.len && line.p[line.len - 1] == '\r') line.len--;
        if (line.len) TRY(read_line(r, line, number, e));
    }
    if (r->count == 0) return err_set(e, RZ_EFORMAT, "%s: no tokens", r->path);
    return RZ_OK;
}

/* Room for ids: gaps are for special tokens, so they are not many more than there are lines. */
static size_t room_for(str file) {
    size_t lines = 1;
    for (size_t i = 0; i < file.len; i++) lines += file.p[i] == '\n';
    const size_t most = MERGE_MAX_SYMBOL - 4096;
    return lines + 4096 < most ? lines + 4096 : most;
}

static status put_special(reader *r, int32_t id, const char *text, bool plain, err *e) {
    if ((size_t)id >= r->room || r->text[id].len)
        return err_set(e, RZ_EFORMAT, "%s: id %d of the special token %s is taken or too large",
                       r->path, (int)id, text);
    const char *copy = arena_copy(&r->t->mem, text, strlen(text));
    if (!copy) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    r->text[id] = str_of(copy);
    r->t->type[id] = plain ? TOK_USER_DEFINED : TOK_CONTROL;
    return RZ_OK;
}

static status put_specials(reader *r, const tok_named *v, bool agent, err *e) {
    char text[64];
    for (const named_token *s = v->token; s->text; s++)
        TRY(put_special(r, s->id, s->text, s->plain, e));
    for (const named_range *g = v->range; g && g->text; g++) {
        const char *number = strstr(g->text, "%d");
        for (int32_t id = g->first; id <= g->last; id++) {
            snprintf(text, sizeof text, "%.*s%d%s", (int)(number - g->text), g->text,
                     (int)(id - g->first + g->number), number + 2);
            TRY(put_special(r, id, text, false, e));
        }
    }
    for (int i = 0; agent && i < NAMED_AGENT_TOKENS; i++) {
        const int32_t id = tok_named_agent(v, i, text);
        TRY(put_special(r, id, text, false, e));
    }
    return RZ_OK;
}

status tok_text_bytes(tok *t, const str *text, const char *path, err *e) {
    size_t total = 0;
    for (size_t i = 0; i < t->n; i++) total += text[i].len;
    if (total > UINT32_MAX)
        return err_set(e, RZ_EFORMAT, "%s: the tokens are longer than 4 GiB", path);
    t->byte_at = arena_zero(&t->mem, t->n + 1, sizeof *t->byte_at);
    t->bytes = arena_alloc(&t->mem, total + 1);
    if (!t->byte_at || !t->bytes) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    for (size_t i = 0; i < t->n; i++) {
        if (text[i].len) memcpy(t->bytes + t->byte_at[i], text[i].p, text[i].len);
        t->byte_at[i + 1] = t->byte_at[i] + (uint32_t)text[i].len;
    }
    return RZ_OK;
}

status tok_rank_finish(tok *t, const str *text, const char *path, const str *pattern, size_t n,
                       err *e) {
    tok_index x = {0};
    status s = RZ_OK;
    uint32_t other;
    if (!tok_index_init(&x, text, t->n)) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    for (uint32_t id = 0; s >= 0 && id < t->n; id++)
        if (t->type[id] == TOK_NORMAL && !tok_index_add(&x, id, &other))
            s = err_set(e, RZ_EFORMAT, "%s: ids %u and %u have the same bytes", path,
                        (unsigned)other, (unsigned)id);
    for (uint32_t id = 0; s >= 0 && id < t->n; id++)
        if (t->type[id] != TOK_NORMAL) tok_index_add(&x, id, &other); /* plain ones go first */
    if (s >= 0) s = tok_text_bytes(t, text, path, e);
    const tok_bpe_options o = {path, pattern, n, true};
    if (s >= 0) s = tok_bpe_init(t, NULL, &o, e);
    if (s >= 0) {
        tok_find_ends(t, &x);
        s = tok_find_specials(t, e);
    }
    tok_index_done(&x);
    return s;
}

static status finish(reader *r, const tok_named *v, bool splintr, err *e) {
    str pattern[NAMED_MAX_PATTERNS];
    size_t n = 0;
    const char *const *from = splintr && v->splintr_pattern[0] ? v->splintr_pattern : v->pattern;
    for (; from[n]; n++) pattern[n] = str_of(from[n]);
    return tok_rank_finish(r->t, r->text, r->path, pattern, n, e);
}

static status read_all(reader *r, str file, const tok_named *v, bool agent, err *e) {
    tok *t = r->t;
    r->text = mem_array_zero(r->room, sizeof *r->text);
    t->type = arena_zero(&t->mem, r->room, 1);
    t->flags = arena_zero(&t->mem, r->room, 1);
    if (!r->text || !t->type || !t->flags) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    TRY(read_lines(r, file, e));
    for (size_t i = 0; i < r->room; i++) t->type[i] = r->text[i].len ? TOK_NORMAL : TOK_ABSENT;
    TRY(put_specials(r, v, agent, e));
    for (size_t i = 0; i < r->room; i++)
        if (r->text[i].len) t->n = i + 1;
    return RZ_OK;
}

status tok_open_tiktoken(tok **out, const char *path, str file, const tok_named *v, int variant,
                         err *e) {
    tok *t = mem_zero(sizeof *t);
    if (!t) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    reader r = {t, path, NULL, room_for(file), 0};
    status s = read_all(&r, file, v, variant & TOK_AGENT, e);
    const int32_t special[TOK_SPECIAL_COUNT] = {
        [RZ_BOS] = v->bos, [RZ_EOS] = v->eos, [RZ_EOT] = -1, [RZ_PAD] = v->pad, [RZ_UNK] = v->unk};
    memcpy(t->special, special, sizeof special);
    if (v->adds_bos) t->before[t->n_before++] = v->bos;
    if (s >= 0) s = finish(&r, v, variant & TOK_SPLINTR, e);
    mem_free(r.text);
    if (s < 0) {
        tok_close(t);
        return s;
    }
    *out = t;
    return RZ_OK;
}
