/* tok_charsmap.c - every step through the array is checked, so a damaged one finds nothing. */
#include "tokenizer/tok_charsmap.h"

status tok_charsmap_read(tok_charsmap *m, str blob, const char *where, arena *mem, err *e) {
    uint32_t bytes = 0;
    if (blob.len >= 4) {
        const unsigned char *p = (const unsigned char *)blob.p;
        bytes = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
    if (blob.len < 4 || bytes % 4 || bytes == 0 || bytes >= blob.len - 4)
        return err_set(e, RZ_EFORMAT,
                       "%s: a character map of %zu bytes says that %u of them are its array", where,
                       blob.len, (unsigned)bytes);
    const str texts = {blob.p + 4 + bytes, blob.len - 4 - bytes};
    if (texts.p[texts.len - 1])
        return err_set(e, RZ_EFORMAT, "%s: the character map's last text does not end", where);
    m->n = bytes / 4;
    m->unit = arena_alloc(mem, bytes);
    char *copy = arena_copy(mem, texts.p, texts.len);
    if (!m->unit || !copy) return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    for (size_t i = 0; i < m->n; i++) {
        const unsigned char *p = (const unsigned char *)blob.p + 4 + i * 4;
        m->unit[i] =
            (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
    m->texts = (str){copy, texts.len};
    return RZ_OK;
}

static size_t offset_of(uint32_t unit) {
    return (size_t)((unit & 0x7FFFFFFFu) >> 10) << (unit >> 9 & 1 ? 8 : 0);
}

size_t tok_charsmap_find(const tok_charsmap *m, str s, bool longest, str *to) {
    size_t found = 0;
    if (m->n == 0) return 0;
    size_t at = offset_of(m->unit[0]);
    for (size_t i = 0; i < s.len && s.p[i]; i++) {
        const unsigned char c = (unsigned char)s.p[i];
        at ^= c;
        if (at >= m->n || (m->unit[at] & 0x800000FFu) != c) break;
        const uint32_t unit = m->unit[at];
        at ^= offset_of(unit);
        if (!(unit >> 8 & 1)) continue;
        if (at >= m->n) break;
        const size_t text = m->unit[at] & 0x7FFFFFFFu;
        if (text >= m->texts.len) break;
        *to = str_of(m->texts.p + text);
        found = i + 1;
        if (!longest) break;
    }
    return found;
}

bool tok_charsmap_begins(const tok_charsmap *m, unsigned char byte) {
    if (m->n == 0) return false;
    const size_t at = offset_of(m->unit[0]) ^ byte;
    return at < m->n && (m->unit[at] & 0x800000FFu) == byte;
}

bool tok_charsmap_spares(const tok_charsmap *m, unsigned char byte) {
    if (!tok_charsmap_begins(m, byte)) return true;
    const uint32_t unit = m->unit[offset_of(m->unit[0]) ^ byte];
    const size_t children = offset_of(m->unit[0]) ^ byte ^ offset_of(unit);
    if (unit >> 8 & 1) return false; /* replaced */
    for (unsigned next = 0; next < 0x80; next++)
        if ((children ^ next) < m->n && (m->unit[children ^ next] & 0x800000FFu) == next)
            return false;
    return true;
}
