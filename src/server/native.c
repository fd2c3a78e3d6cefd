/* native.c - see native.h. */
#include "server/native.h"

#include "base/mem.h"
#include "server/reply.h"

bool native_is_model(const server *s, str id) {
    return str_is(id, s->model_id) || str_is(id, "default");
}

void native_check(fields *f, const server *s) {
    const json *id = fields_find(f, "model_id", JSON_STRING);
    if (id && !native_is_model(s, id->text))
        fields_fail(f, 404, "Model '%.*s' not found", STR_FMT(id->text));
    if (!s->tokenizer) fields_fail(f, 501, "this model has no tokenizer");
}

/* Room for n ids; what they held is lost. */
static status reserve_ids(server *s, size_t n, err *e) {
    if (n <= s->ids_cap) return RZ_OK;
    mem_free(s->ids);
    s->ids_cap = 0;
    s->ids = mem_array(n, sizeof *s->ids);
    if (!s->ids) return err_set(e, RZ_ENOMEM, "out of memory");
    s->ids_cap = n;
    return RZ_OK;
}

status native_encode(server *s, str text, int flags, size_t *n, err *e) {
    /* Tokens are seldom shorter than a byte; when they are, the second round has the number. */
    TRY(reserve_ids(s, text.len + 16, e));
    TRY(rz_encode(s->tokenizer, text.p, text.len, flags, s->ids, s->ids_cap, n, e));
    if (*n <= s->ids_cap) return RZ_OK;
    TRY(reserve_ids(s, *n, e));
    return rz_encode(s->tokenizer, text.p, text.len, flags, s->ids, s->ids_cap, n, e);
}

status native_decode(const server *s, const rz_token *ids, size_t n, buf *out, err *e) {
    size_t room = 8 * n + 64, len = 0;
    for (int round = 0; round < 2; round++) {
        char *to = buf_reserve(out, room);
        if (!to) return err_set(e, RZ_ENOMEM, "out of memory");
        TRY(rz_decode(s->tokenizer, ids, n, to, room, &len, e));
        if (len <= room) break;
        room = len;
    }
    out->len += len;
    return RZ_OK;
}

void native_add_ids(buf *b, const rz_token *ids, size_t n, bool first) {
    for (size_t i = 0; i < n; i++) {
        if (i || !first) buf_char(b, ',');
        if (ids[i] < 0) buf_char(b, '-');
        reply_number(b, (uint64_t)(ids[i] < 0 ? -(int64_t)ids[i] : ids[i]));
    }
}

void native_write_ids(buf *b, const rz_token *ids, size_t n) {
    buf_char(b, '[');
    native_add_ids(b, ids, n, true);
    buf_char(b, ']');
}
