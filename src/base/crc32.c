/* crc32.c - four bytes at a time by tables, which are made when first used. */
#include "base/crc32.h"

#include <pthread.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "four bytes are read as they lie");

static uint32_t table[4][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 4; k++)
            table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
}

uint32_t crc32_add(uint32_t crc, const void *p, size_t n) {
    const uint8_t *b = p;
    pthread_once(&once, make_tables);
    crc = ~crc;
    for (; n >= 4; b += 4, n -= 4) {
        uint32_t w;
        memcpy(&w, b, sizeof w);
        w ^= crc;
        crc = table[3][w & 255] ^ table[2][w >> 8 & 255] ^ table[1][w >> 16 & 255] ^
              table[0][w >> 24];
    }
    for (; n; b++, n--) crc = crc >> 8 ^ table[0][(crc ^ *b) & 255];
    return ~crc;
}
