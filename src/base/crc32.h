/* crc32.h - the CRC-32 of IEEE 802.3, as zlib, PNG and .apr files have it. */
#ifndef BASE_CRC32_H
#define BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Go on from `crc`; 0 to begin with. crc32_add(crc32_add(0, a), b) is that of a followed by b. */
uint32_t crc32_add(uint32_t crc, const void *p, size_t n);

#endif
