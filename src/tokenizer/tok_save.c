/* tok_save.c - a byte-level vocabulary as a .tiktoken file: one line per plain token. */
#include "base/base64.h"
#include "base/os.h"
#include "tokenizer/tok_impl.h"

status tok_save_tiktoken(const tok *t, const char *path, err *e) {
    if (strcmp(tok_kind(t), "byte-level BPE") != 0)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%s: a .tiktoken file holds byte-level BPE, and this vocabulary is %s", path,
                       tok_kind(t));
    buf out = BUF_INIT;
    for (size_t id = 0; id < t->n && !out.failed; id++) {
        const str bytes = {t->bytes + t->byte_at[id], t->byte_at[id + 1] - t->byte_at[id]};
        if (t->type[id] != TOK_NORMAL || bytes.len == 0) continue;
        char *to = buf_reserve(&out, base64_length(bytes.len));
        if (to) out.len += base64_encode(bytes, to);
        buf_printf(&out, " %zu\n", id);
    }
    const status s = out.failed ? err_set(e, RZ_ENOMEM, "tokenizer: out of memory")
                                : os_write_file(path, out.p, out.len, e);
    buf_free(&out);
    return s;
}
