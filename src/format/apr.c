/* apr.c - reads and writes the container of .apr version 1. */
#include "format/apr.h"

#include "base/crc32.h"
#include "format/msgpack.h"

static const char magic[4] = {'A', 'P', 'R', 'N'};

static uint16_t u16_at(str s, size_t at) {
    const uint8_t *p = (const uint8_t *)s.p + at;
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t u32_at(str s, size_t at) {
    return u16_at(s, at) | (uint32_t)u16_at(s, at + 2) << 16;
}

bool apr_is(str bytes) { return str_starts(bytes, (str){magic, sizeof magic}); }

static status check_head(const char *path, str d, err *e) {
    if (!apr_is(d)) return err_set(e, RZ_EFORMAT, "%.200s: not an .apr file (APRN)", path);
    if (d.len < APR_HEAD + APR_CRC)
        return err_set(e, RZ_EFORMAT, "%.200s: %zu bytes, an .apr file has at least %d", path,
                       d.len, APR_HEAD + APR_CRC);
    if (d.p[4] != 1)
        return err_set(e, RZ_EUNSUPPORTED, "%.200s: .apr version %u.%u, this program reads 1", path,
                       (uint8_t)d.p[4], (uint8_t)d.p[5]);
    const uint64_t meta = u32_at(d, 8), stored = u32_at(d, 12);
    if (APR_HEAD + meta + stored + APR_CRC != d.len)
        return err_set(e, RZ_EFORMAT,
                       "%.200s: %zu bytes, but its head says %llu (metadata %llu, payload %llu)",
                       path, d.len, (unsigned long long)(APR_HEAD + meta + stored + APR_CRC),
                       (unsigned long long)meta, (unsigned long long)stored);
    const uint32_t crc = crc32_add(0, d.p, d.len - APR_CRC), said = u32_at(d, d.len - APR_CRC);
    if (crc != said)
        return err_set(e, RZ_EFORMAT, "%.200s: damaged: CRC-32 is %08x, the file says %08x", path,
                       crc, said);
    return RZ_OK;
}

/* What a file may ask for that is not done here, by the values of its bytes 20 to 31. */
static status check_features(const char *path, str d, err *e) {
    const uint8_t compression = (uint8_t)d.p[20], flags = (uint8_t)d.p[21];
    if (compression)
        return err_set(e, RZ_EUNSUPPORTED, "%.200s: its payload is compressed (method %u)", path,
                       compression);
    if (flags)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%.200s: flags are 0x%02x: encrypted, signed or in chunks", path, flags);
    for (size_t i = 22; i < APR_HEAD; i++)
        if (d.p[i])
            return err_set(e, RZ_EUNSUPPORTED, "%.200s: byte %zu of its head is %u, expected 0",
                           path, i, (uint8_t)d.p[i]);
    if (u32_at(d, 12) != u32_at(d, 16))
        return err_set(e, RZ_EFORMAT,
                       "%.200s: its payload has %u bytes stored and %u uncompressed, without "
                       "compression",
                       path, u32_at(d, 12), u32_at(d, 16));
    return RZ_OK;
}

status apr_parse(apr *out, const char *path, str d, arena *mem, err *e) {
    apr a = {0};
    json *m = NULL;
    TRY(check_head(path, d, e));
    TRY(check_features(path, d, e));
    a.major = (uint8_t)d.p[4];
    a.minor = (uint8_t)d.p[5];
    a.type = u16_at(d, 6);
    a.meta = (str){d.p + APR_HEAD, u32_at(d, 8)};
    a.payload = (str){a.meta.p + a.meta.len, u32_at(d, 12)};
    const status s = msgpack_parse(&m, a.meta, mem, e);
    if (s < 0) return err_at(e, s, path);
    if (m->kind != JSON_OBJECT)
        return err_set(e, RZ_EFORMAT, "%.200s: metadata is %s, expected a map", path,
                       json_kind_name(m->kind));
    a.m = m;
    *out = a;
    return RZ_OK;
}

static void put(buf *b, uint32_t v, int bytes) {
    for (int i = 0; i < bytes; i++) buf_char(b, (char)(v >> 8 * i));
}

status apr_write(const apr *a, buf *out, err *e) {
    if (a->meta.len > UINT32_MAX || a->payload.len > UINT32_MAX)
        return err_set(e, RZ_EFULL, "an .apr file holds at most 4 GiB of payload, not %zu bytes",
                       a->payload.len);
    buf_clear(out);
    buf_add(out, magic, sizeof magic);
    put(out, a->major, 1);
    put(out, a->minor, 1);
    put(out, a->type, 2);
    put(out, (uint32_t)a->meta.len, 4);
    put(out, (uint32_t)a->payload.len, 4);
    put(out, (uint32_t)a->payload.len, 4);
    while (out->len < APR_HEAD && !out->failed) buf_char(out, 0);
    buf_str(out, a->meta);
    buf_str(out, a->payload);
    if (!out->failed) put(out, crc32_add(0, out->p, out->len), 4);
    return RZ_OK;
}
