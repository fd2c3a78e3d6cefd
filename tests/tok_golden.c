/* tok_golden.c - see tok_golden.h. */
#include "tok_golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/rng.h"
#include "json/json.h"
#include "test.h"
#include "unicode/norm.h"

/* A .gz file is unpacked by the gzip program. NULL when it cannot be had. */
static void *unpacked(const char *path, size_t *len) {
    char command[1100];
    snprintf(command, sizeof command, "gzip -dc '%s' 2>/dev/null", path);
    FILE *pipe = popen(command, "r");
    if (!pipe) return NULL;
    size_t n = 0, cap = 1 << 20;
    char *p = malloc(cap);
    for (size_t got; p && (got = fread(p + n, 1, cap - n, pipe)) > 0;) {
        n += got;
        if (n == cap) p = realloc(p, cap *= 2);
    }
    if (pclose(pipe) != 0 || n == 0) {
        free(p);
        return NULL;
    }
    *len = n;
    return p;
}

bool real_open(real *r, const char *relative) {
    *r = (real){0};
    const char *path = test_shared(relative);
    if (!path) {
        test_skip("%s is not there", relative);
        return false;
    }
    err e = {0};
    status s;
    if (str_ends(str_of(path), STR_LIT(".gz"))) {
        size_t len = 0;
        r->memory = unpacked(path, &len);
        if (!r->memory) {
            test_skip("%s cannot be unpacked (no gzip?)", relative);
            return false;
        }
        s = tensor_file_open_memory(&r->file, r->memory, len, &e);
    } else {
        s = tensor_file_open(&r->file, path, &e);
    }
    if (s >= 0) s = tok_open_gguf(&r->t, r->file, &e);
    if (s < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    return s >= 0;
}

/* Open through tok_open; a .gz file is unpacked into a temporary one of the same name. */
bool real_open_any(real *r, const char *relative) {
    *r = (real){0};
    const char *path = test_shared(relative);
    if (!path) {
        test_skip("%s is not there", relative);
        return false;
    }
    if (str_ends(str_of(path), STR_LIT(".gz"))) {
        char name[256];
        size_t len = 0;
        char *plain = unpacked(path, &len);
        const char *slash = strrchr(path, '/') + 1;
        snprintf(name, sizeof name, "%.*s", (int)strlen(slash) - 3, slash);
        path = test_temp(name);
        FILE *f = plain ? fopen(path, "wb") : NULL;
        if (f) fwrite(plain, 1, len, f);
        if (f) fclose(f);
        free(plain);
        if (!f) {
            test_skip("%s cannot be unpacked (no gzip?)", relative);
            return false;
        }
    }
    err e = {0};
    if (tok_open(&r->t, path, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    return r->t != NULL;
}

void real_close(real *r) {
    tok_close(r->t);
    tensor_file_close(r->file);
    free(r->memory);
}

static size_t from_base64(str s, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    size_t n = 0, have = 0;
    for (size_t i = 0; i < s.len && s.p[i] != '='; i++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, s.p[i]) - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have & 255);
        }
    }
    return n;
}

static bool ids_equal(const tok_ids *ids, const json *list) {
    if (ids->n != list->n) return false;
    size_t i = 0;
    for (const json *v = list->child; v; v = v->next, i++)
        if ((double)ids->p[i] != v->number) return false;
    return true;
}

/* Encode one text, compare, decode again, compare. */
static bool check_text(const tok *t, str text, int flags, int how, const json *want) {
    tok_ids ids = {0};
    err e = {0};
    if (tok_encode(t, text, flags, &ids, &e) < 0) {
        test_fail(__FILE__, __LINE__, "%s", e.text);
        return false;
    }
    bool good = ids_equal(&ids, want);
    if (!(flags & TOK_SPECIAL) && !(how & GOLDEN_NO_DECODE)) {
        buf out = BUF_INIT;
        CHECK(detok_all(t, ids.p, ids.n, false, &out, &e) == RZ_OK);
        buf want_text = BUF_INIT;
        for (size_t i = 0; i < text.len; i++) {
            /* SentencePiece cannot tell the sign it uses for a space from a space. */
            const bool sign = strcmp(tok_kind(t), "byte-level BPE") != 0 &&
                              str_starts((str){text.p + i, text.len - i}, STR_LIT("\u2581"));
            buf_char(&want_text, sign ? ' ' : text.p[i]);
            if (sign) i += 2;
        }
        if (how & GOLDEN_EATS_SPACE && want_text.len && want_text.p[0] == ' ')
            buf_drop(&want_text, 1);
        buf normal = BUF_INIT; /* vocabularies that normalize give the normalized text back */
        norm_apply(&normal, text, NORM_NFC);
        good &= str_eq(buf_view(&out), buf_view(&want_text)) ||
                str_eq(buf_view(&out), buf_view(&normal));
        buf_free(&normal);
        buf_free(&want_text);
        buf_free(&out);
    }
    tok_ids_free(&ids);
    return good;
}

void golden_jsonl(const tok *t, const char *relative, int how) {
    size_t len = 0;
    char *data = test_read_file(test_shared(relative), &len);
    if (!data) {
        test_skip("%s is not there", relative);
        return;
    }
    str rest = {data, len};
    size_t line = 0, bad = 0;
    arena a = ARENA_INIT;
    while (rest.p && rest.len) {
        const str text = str_split(&rest, '\n');
        line++;
        if (text.len == 0) continue;
        json *v = NULL;
        err e = {0};
        arena_reset(&a);
        if (json_parse(&v, text, &a, &e) < 0) {
            test_fail(__FILE__, __LINE__, "%s:%zu: %s", relative, line, e.text);
            break;
        }
        const str b64 = json_get(v, "text_b64")->text;
        char *plain = malloc(b64.len + 1);
        const size_t n = from_base64(b64, plain);
        const json *ids = json_get(v, "ids"), *special = json_get(v, "ids_special");
        const bool good = check_text(t, (str){plain, n}, 0, how, ids) &&
                          (!(how & GOLDEN_SPECIAL) || check_text(t, (str){plain, n}, TOK_SPECIAL,
                                                                 how, special ? special : ids));
        if (!good && bad++ < 5)
            test_fail(__FILE__, __LINE__, "%s:%zu differs: \"%.*s\"", relative, line,
                      STR_FMT(((str){plain, n})));
        free(plain);
    }
    CHECK_MSG(bad == 0, "%s: %zu of %zu lines differ", relative, bad, line);
    CHECK(line > 0);
    arena_free(&a);
    free(data);
}

void golden_ggml(const tok *t, const char *name) {
    char path[128];
    size_t len_in = 0, len_out = 0;
    snprintf(path, sizeof path, "golden/tokenizer/ggml/ggml-vocab-%s.gguf.inp", name);
    char *in = test_read_file(test_shared(path), &len_in);
    snprintf(path, sizeof path, "golden/tokenizer/ggml/ggml-vocab-%s.gguf.out", name);
    char *out = test_read_file(test_shared(path), &len_out);
    if (!in || !out) {
        test_skip("%s is not there", path);
        free(in);
        free(out);
        return;
    }
    static const str separator = {"\n__ggml_vocab_test__\n", 21};
    str texts = {in, len_in}, lines = {out, len_out};
    size_t n = 0;
    for (; texts.len; n++) {
        const ptrdiff_t at = str_find(texts, separator);
        const str text = {texts.p, at < 0 ? texts.len : (size_t)at};
        const size_t skip = text.len + (at < 0 ? 0 : separator.len);
        texts.p += skip;
        texts.len -= skip;
        str want = str_split(&lines, '\n');
        tok_ids ids = {0};
        CHECK(tok_encode(t, text, TOK_SPECIAL, &ids, NULL) == RZ_OK);
        bool good = true;
        size_t k = 0;
        while (want.p && want.len) {
            const str number = str_split(&want, ' ');
            int64_t id;
            if (str_i64(number, &id)) good &= k < ids.n && ids.p[k++] == id;
        }
        CHECK_MSG(good && k == ids.n, "%s, text %zu: \"%.*s\"", name, n, STR_FMT(text));
        tok_ids_free(&ids);
    }
    CHECK_MSG(n >= 40, "%s: only %zu texts", name, n);
    free(in);
    free(out);
}

/* Read again from its compact form, with the same ids; false after a failure. */
static bool make_compact(real *r) {
    const char *path = test_temp("golden.rzv");
    tok *t = NULL;
    err e = {0};
    if (tok_save_rzv(r->t, path, &e) < 0 || tok_open(&t, path, &e) < 0) {
        test_fail(__FILE__, __LINE__, "%s", e.text);
        return false;
    }
    tok_close(r->t);
    r->t = t;
    return true;
}

void golden_gguf(const char *file, const char *jsonl, const char *pair) {
    real r;
    for (bool again = real_open(&r, file), first = true; again; first = false) {
        if (jsonl) golden_jsonl(r.t, jsonl, GOLDEN_SPECIAL);
        if (pair) golden_ggml(r.t, pair);
        again = first && make_compact(&r);
    }
    real_close(&r);
}

void golden_file(const char *file, const char *jsonl, int how) {
    real r;
    for (bool again = real_open_any(&r, file), first = true; again; first = false) {
        golden_jsonl(r.t, jsonl, how);
        again = first && make_compact(&r);
    }
    real_close(&r);
}

void random_texts_come_back(const tok *t) {
    const size_t n = 1 << 20;
    char *text = malloc(n);
    for (int kind = 0; kind < 4; kind++) {
        uint64_t seed = 4;
        for (size_t i = 0; i < n; i++)
            text[i] = kind == 0   ? 'a'
                      : kind == 1 ? (char)rng_splitmix(&seed)
                      : kind == 2 ? ' '
                                  : (char)('a' + rng_below(&seed, 26));
        tok_ids ids = {0};
        buf out = BUF_INIT;
        CHECK(tok_encode(t, (str){text, n}, 0, &ids, NULL) == RZ_OK);
        CHECK(detok_all(t, ids.p, ids.n, false, &out, NULL) == RZ_OK);
        CHECK_MSG(str_eq(buf_view(&out), (str){text, n}), "kind %d: %zu bytes", kind, out.len);
        tok_ids_free(&ids);
        buf_free(&out);
    }
    free(text);
}
