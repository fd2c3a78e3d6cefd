/* apr.h - the container of .apr files, version 1: what kind of model, how it describes itself, and
 * its numbers as bytes, which classic/ understands.
 *
 *   0  "APRN"                       12  u32 bytes of payload, stored   32  metadata, MessagePack
 *   4  u8 major 1, u8 minor         16  u32 the same, uncompressed         payload
 *   6  u16 model type               20  u8 compression, u8 flags           u32 CRC-32 of all
 *   8  u32 bytes of metadata        22  ten zero bytes                     before it
 *
 * Little-endian throughout. Nothing lies between the parts or behind the end. */
#ifndef FORMAT_APR_H
#define FORMAT_APR_H

#include "json/json.h"

enum { APR_HEAD = 32, APR_CRC = 4 };

typedef struct apr {
    uint8_t major, minor;
    uint16_t type;
    str meta;      /* MessagePack, as it lies in the file */
    const json *m; /* the same, read: an object */
    str payload;   /* a view into the file */
} apr;

/* Does it begin as a version 1 file? */
bool apr_is(str bytes);
/* Check everything but what the payload means. `data` and `mem` must outlive *out. The error begins
 * with `path`. RZ_EUNSUPPORTED: compressed, encrypted, signed, of another version. */
status apr_parse(apr *out, const char *path, str data, arena *mem, err *e);
/* The bytes of the file; a->m is not looked at. RZ_EFULL: over 4 GiB. Check out->failed. */
status apr_write(const apr *a, buf *out, err *e);

#endif
