/* api_chat.c - rz_chat_render: conversations as JSON to a prompt. */
#include "api/api.h"

rz_status rz_chat_render(const rz_model *m, const char *request, size_t len, char *out, size_t cap,
                         size_t *need, rz_error *e) {
    if (!m || !request || !need || (cap && !out))
        return err_set(e, RZ_EINVAL, "rz_chat_render: a pointer is NULL");
    arena mem = ARENA_INIT;
    buf text = BUF_INIT;
    json *root;
    status s = json_parse(&root, (str){request, len}, &mem, e);
    if (s == RZ_OK && root->kind != JSON_OBJECT)
        s = err_set(e, RZ_EINVAL, "rz_chat_render: the request is %s, expected an object",
                    json_kind_name(root->kind));
    if (s == RZ_OK) s = chat_render(m->chat, root, &text, e);
    if (s == RZ_OK) {
        const size_t copied = text.len < cap ? text.len : cap;
        if (copied) memcpy(out, text.p, copied);
        *need = text.len;
    }
    buf_free(&text);
    arena_free(&mem);
    return s;
}

const char *rz_chat_template(const rz_model *m, size_t *len, const char **from) {
    const str source = chat_source(m->chat, from);
    if (len) *len = source.len;
    return source.p;
}
