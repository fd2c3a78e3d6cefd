/* h_tokenize.c - POST /tokenize, /batch/tokenize and /detokenize.
 *
 *   text | texts, model_id, add_special = false, parse_special = false, with_pieces = false
 *   token_ids, model_id */
#include <stdint.h>

#include "base/mem.h"
#include "server/fields.h"
#include "server/native.h"
#include "server/reply.h"

enum { WITH_PIECES = 1 << 16 }; /* beside RZ_ENCODE_... */

static int encode_flags(fields *f) {
    return (fields_bool(f, "with_pieces", false) ? WITH_PIECES : 0) |
           (fields_bool(f, "add_special", false) ? RZ_ENCODE_BOS : 0) |
           (fields_bool(f, "parse_special", false) ? RZ_ENCODE_SPECIAL : 0);
}

/* What the token stands for: a text, or its bytes where they are none by themselves. */
static void write_piece(buf *b, const rz_tokenizer *t, rz_token id) {
    str piece = {NULL, 0};
    piece.p = rz_token_is_control(t, id) ? rz_token_piece(t, id, &piece.len)
                                         : rz_token_bytes(t, id, &piece.len);
    if (!piece.p) piece = (str){"", 0};
    const size_t at = b->len;
    if (json_write_string(b, piece)) return;
    b->len = at;
    for (size_t i = 0; i < piece.len; i++) {
        buf_char(b, i ? ',' : '[');
        reply_number(b, (unsigned char)piece.p[i]);
    }
    buf_char(b, ']');
}

/* {"token_ids":[...],"pieces":[...],"num_tokens":N} */
static status write_tokens(buf *b, server *s, str text, int flags, err *e) {
    size_t n;
    TRY(native_encode(s, text, flags & ~WITH_PIECES, &n, e));
    buf_text(b, "{\"token_ids\":");
    native_write_ids(b, s->ids, n);
    if (flags & WITH_PIECES) {
        buf_text(b, ",\"pieces\":[");
        for (size_t i = 0; i < n; i++) {
            if (i) buf_char(b, ',');
            write_piece(b, s->tokenizer, s->ids[i]);
        }
        buf_char(b, ']');
    }
    buf_text(b, ",\"num_tokens\":");
    reply_number(b, n);
    buf_char(b, '}');
    return RZ_OK;
}

void tokenize_post(conn *c, const call *in) {
    fields f;
    err e;
    fields_parse(&f, in);
    const str text = fields_need_text(&f, "text");
    const int flags = encode_flags(&f);
    native_check(&f, in->srv);
    if (fields_failed(&f, c)) return;
    buf *b = reply_body(in->srv);
    if (write_tokens(b, in->srv, text, flags, &e) < 0) reply_error(c, 500, "%s", e.text);
    else reply_json(c, b);
}

void batch_tokenize(conn *c, const call *in) {
    fields f;
    err e;
    fields_parse(&f, in);
    const json *texts = fields_need(&f, "texts", JSON_ARRAY);
    const int flags = encode_flags(&f);
    native_check(&f, in->srv);
    if (!f.status && texts->n == 0) fields_fail(&f, 400, "Texts array cannot be empty");
    if (!f.status && texts->n > in->srv->lim.batch)
        fields_fail(&f, 400, "Texts array has %u entries, at most %zu are accepted", texts->n,
                    in->srv->lim.batch);
    for (const json *t = f.status ? NULL : texts->child; t; t = t->next)
        if (t->kind != JSON_STRING)
            fields_fail(&f, 422, "field `texts` must hold strings, not %s",
                        json_kind_name(t->kind));
    if (fields_failed(&f, c)) return;
    buf *b = reply_body(in->srv);
    buf_text(b, "{\"results\":[");
    for (const json *t = texts->child; t; t = t->next) {
        if (t != texts->child) buf_char(b, ',');
        if (write_tokens(b, in->srv, t->text, flags, &e) < 0) {
            reply_error(c, 500, "%s", e.text);
            return;
        }
    }
    buf_text(b, "]}");
    reply_json(c, b);
}

void detokenize_post(conn *c, const call *in) {
    fields f;
    err e;
    fields_parse(&f, in);
    const json *list = fields_need(&f, "token_ids", JSON_ARRAY);
    native_check(&f, in->srv);
    if (fields_failed(&f, c)) return;
    rz_token *ids = arena_alloc(&in->srv->arena, (list->n + 1u) * sizeof *ids);
    if (!ids) fields_fail(&f, 500, "out of memory");
    size_t n = 0;
    for (const json *v = f.status ? NULL : list->child; v; v = v->next) {
        int64_t id = 0;
        if (!json_int(v, INT32_MIN, INT32_MAX, &id))
            fields_fail(&f, 422, "field `token_ids` must hold token ids, not %s",
                        json_kind_name(v->kind));
        if (ids) ids[n++] = (rz_token)id;
    }
    if (fields_failed(&f, c)) return;
    buf text = BUF_INIT;
    if (native_decode(in->srv, ids, n, &text, &e) < 0) {
        reply_error(c, e.status == RZ_ENOMEM ? 500 : 400, "%s", e.text);
    } else {
        buf *b = reply_body(in->srv);
        buf_text(b, "{\"text\":");
        json_write_string(b, buf_view(&text));
        buf_char(b, '}');
        reply_json(c, b);
    }
    buf_free(&text);
}
