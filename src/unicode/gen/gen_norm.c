/* gen_norm.c - writes src/unicode/norm_tables.c from the files of the Unicode character database.
 *
 *   gen_norm [FOLDER] > norm_tables.c      (FOLDER: /usr/share/unicode, as Debian installs it)
 *
 * A program of its own, not part of the library, so it prints and exits as it likes. Hangul is
 * left out: norm.c computes it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unicode/norm_tables.h"

enum { N_CP = 0x110000, MAX_MAP = 20, MAX_POINTS = 65536 };

static struct {
    uint8_t ccc, flags, excluded, compat, n;
    uint32_t map[MAX_MAP];
} of[N_CP];
static uint8_t number[NORM_LIMIT];
static uint32_t points[MAX_POINTS];
static unsigned n_points;
static const char *folder = "/usr/share/unicode";

static FILE *open_file(const char *name) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    if (f) return f;
    fprintf(stderr, "gen_norm: cannot read %s\n", path);
    exit(1);
}

static void read_data(void) {
    char line[1024];
    FILE *f = open_file("UnicodeData.txt");
    while (fgets(line, sizeof line, f)) {
        char *field[6], *p = line;
        for (int i = 0; i < 6; i++) {
            field[i] = p;
            p = strchr(p, ';');
            if (!p) exit(1);
            *p++ = 0;
        }
        const unsigned long cp = strtoul(field[0], NULL, 16);
        of[cp].ccc = (uint8_t)strtoul(field[3], NULL, 10);
        p = field[5];
        if (*p == '<') {
            of[cp].compat = 1;
            p = strchr(p, '>') + 1;
        }
        for (char *end; *p; p = end) {
            if (of[cp].n == MAX_MAP) exit(1);
            of[cp].map[of[cp].n++] = (uint32_t)strtoul(p, &end, 16);
        }
    }
    fclose(f);
}

static void read_props(void) {
    char line[1024];
    FILE *f = open_file("DerivedNormalizationProps.txt");
    while (fgets(line, sizeof line, f)) {
        unsigned from, to;
        char name[64];
        if (sscanf(line, "%x..%x ; %63[A-Za-z_]", &from, &to, name) != 3) {
            if (sscanf(line, "%x ; %63[A-Za-z_]", &from, name) != 2) continue;
            to = from;
        }
        for (; from <= to; from++) {
            if (strcmp(name, "Full_Composition_Exclusion") == 0) of[from].excluded = 1;
            if (strcmp(name, "NFC_QC") == 0) of[from].flags |= NORM_NOT_NFC;
            if (strcmp(name, "NFKC_QC") == 0) of[from].flags |= NORM_NOT_NFKC;
        }
    }
    fclose(f);
}

static unsigned expand(uint32_t cp, int compat, uint32_t *out) {
    if (of[cp].n == 0 || (of[cp].compat && !compat)) {
        *out = cp;
        return 1;
    }
    unsigned n = 0;
    for (unsigned i = 0; i < of[cp].n; i++) n += expand(of[cp].map[i], compat, out + n);
    return n;
}

static void write_kinds(void) {
    static uint8_t kinds[256][2];
    static unsigned row[NORM_LIMIT / 128], kept[NORM_LIMIT / 128];
    unsigned n_kind = 0, n = 0;
    for (unsigned cp = 0; cp < N_CP; cp++) {
        if (of[cp].n)
            of[cp].flags |= of[cp].compat ? NORM_COMPATIBLE : NORM_CANONICAL | NORM_COMPATIBLE;
        if (cp >= NORM_LIMIT) {
            if (of[cp].ccc || of[cp].flags) exit(2); /* norm.c takes it for plain */
            continue;
        }
        unsigned k = 0;
        while (k < n_kind && (kinds[k][0] != of[cp].ccc || kinds[k][1] != of[cp].flags)) k++;
        if (k == 256) exit(2);
        if (k == n_kind) {
            kinds[n_kind][0] = of[cp].ccc;
            kinds[n_kind++][1] = of[cp].flags;
        }
        number[cp] = (uint8_t)k;
    }
    for (unsigned b = 0; b < NORM_LIMIT / 128; b++) {
        unsigned k = 0;
        while (k < n && memcmp(number + kept[k] * 128, number + b * 128, 128) != 0) k++;
        if (k == n) kept[n++] = b;
        row[b] = k;
    }
    if (n > 256) exit(2);
    printf("const norm_kind norm_kinds[] = {");
    for (unsigned k = 0; k < n_kind; k++)
        printf("%s{%u, %u},", k % 10 ? " " : "\n    ", kinds[k][0], kinds[k][1]);
    printf("\n};\n\nconst uint8_t norm_number[][128] = {\n");
    for (unsigned k = 0; k < n; k++)
        for (unsigned i = 0; i < 128; i++)
            printf("%s%u%s",
                   i == 0   ? "    {"
                   : i % 32 ? " "
                            : "\n     ",
                   number[kept[k] * 128 + i], i == 127 ? "},\n" : ",");
    printf("};\n\nconst uint8_t norm_row[NORM_LIMIT / 128] = {");
    for (unsigned b = 0; b < NORM_LIMIT / 128; b++)
        printf("%s%u,", b % 20 ? " " : "\n    ", row[b]);
    printf("\n};\n\n");
}

static unsigned keep(const uint32_t *p, unsigned n) {
    if (n_points + n > MAX_POINTS) exit(2);
    for (unsigned i = 0; i + n <= n_points; i++)
        if (memcmp(points + i, p, n * sizeof *p) == 0) return i;
    memcpy(points + n_points, p, n * sizeof *p);
    n_points += n;
    return n_points - n;
}

static void write_decompositions(void) {
    unsigned n = 0;
    printf("const norm_decomposition norm_decompositions[] = {");
    for (uint32_t cp = 0; cp < N_CP; cp++) {
        uint32_t both[2 * MAX_MAP * MAX_MAP];
        if (of[cp].n == 0) continue;
        const unsigned canonical = of[cp].compat ? 0 : expand(cp, 0, both);
        const unsigned compatible = expand(cp, 1, both + canonical);
        printf("%s{0x%X, %u, %u, %u},", n++ % 4 ? " " : "\n    ", cp,
               keep(both, canonical + compatible), canonical, compatible);
    }
    printf("\n};\nconst unsigned norm_n_decompositions = %u;\n\nconst uint32_t norm_points[] = {",
           n);
    for (unsigned i = 0; i < n_points; i++) printf("%s0x%X,", i % 12 ? " " : "\n    ", points[i]);
    printf("\n};\n\n");
}

static int by_pair(const void *a, const void *b) {
    const uint32_t *x = a, *y = b;
    if (x[0] != y[0]) return x[0] < y[0] ? -1 : 1;
    return (x[1] > y[1]) - (x[1] < y[1]);
}

static void write_compositions(void) {
    static uint32_t pairs[4096][3];
    unsigned n = 0;
    for (uint32_t cp = 0; cp < N_CP; cp++) {
        if (of[cp].n != 2 || of[cp].compat || of[cp].excluded) continue;
        if (n == 4096) exit(2);
        pairs[n][0] = of[cp].map[0];
        pairs[n][1] = of[cp].map[1];
        pairs[n++][2] = cp;
    }
    qsort(pairs, n, sizeof *pairs, by_pair);
    printf("const norm_composition norm_compositions[] = {");
    for (unsigned i = 0; i < n; i++)
        printf("%s{0x%X, 0x%X, 0x%X},", i % 4 ? " " : "\n    ", pairs[i][0], pairs[i][1],
               pairs[i][2]);
    printf("\n};\nconst unsigned norm_n_compositions = %u;\n", n);
}

int main(int argc, char **argv) {
    if (argc > 1) folder = argv[1];
    read_data();
    read_props();
    printf(
        "/* norm_tables.c - written by gen/gen_norm.c from the Unicode character database. */\n"
        "#include \"unicode/norm_tables.h\"\n\n/* clang-format off */\n");
    write_kinds();
    write_decompositions();
    write_compositions();
    return 0;
}
