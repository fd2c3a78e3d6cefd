/* gen_ucd.c - writes src/unicode/ucd_tables.c from the files of the Unicode character database.
 *
 *   gen_ucd [FOLDER] > ucd_tables.c      (FOLDER: /usr/share/unicode, as Debian installs it)
 *
 * A program of its own, not part of the library, so it prints, exits and allocates as it likes.
 * Code points with the same properties share a record; equal blocks of record numbers are stored
 * once. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unicode/ucd_list.h"

enum { N_CP = 0x110000, MAX_SCRIPT = 255, MAX_RECORD = 65535 };

#define NAME(name, alias) #name,
static const char *const category_names[] = {UCD_CATEGORY_LIST(NAME) NULL};
static const char *const grapheme_names[] = {UCD_GRAPHEME_LIST(NAME) NULL};
static const char *const property_names[] = {UCD_PROPERTY_LIST(NAME) NULL};

static ucd_record of[N_CP];
static ucd_record records[MAX_RECORD];
static unsigned n_record;
static uint16_t number[N_CP];
static char scripts[MAX_SCRIPT][2][64];
static unsigned n_script;
static const char *folder = "/usr/share/unicode";

static void die(const char *what, const char *arg) {
    fprintf(stderr, "gen_ucd: %s: %s\n", what, arg);
    exit(1);
}

static FILE *open_file(const char *name) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    if (!f) die("cannot read", path);
    return f;
}

/* The next line's fields, comment and surrounding blanks removed; 0 at the end of the file. */
static int fields(FILE *f, char *line, size_t cap, char **out, int max) {
    while (fgets(line, (int)cap, f)) {
        line[strcspn(line, "#\n")] = 0;
        int n = 0;
        for (char *p = line; p && n < max; n++) {
            char *end = strchr(p, ';');
            if (end) *end++ = 0;
            p += strspn(p, " \t");
            for (size_t len = strlen(p); len && strchr(" \t", p[len - 1]); len--) p[len - 1] = 0;
            out[n] = p;
            p = end;
        }
        if (n >= 2) return n;
    }
    return 0;
}

static int find(const char *const *names, const char *name) {
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

static void range(const char *text, uint32_t *first, uint32_t *last) {
    char *end;
    *first = *last = (uint32_t)strtoul(text, &end, 16);
    if (strncmp(end, "..", 2) == 0) *last = (uint32_t)strtoul(end + 2, NULL, 16);
    if (*last >= N_CP || *first > *last) die("bad range", text);
}

static int32_t distance(const char *target, uint32_t cp) {
    return *target ? (int32_t)strtol(target, NULL, 16) - (int32_t)cp : 0;
}

static void read_unicode_data(void) {
    char line[4096], *part[15];
    uint32_t first = 0;
    FILE *f = open_file("UnicodeData.txt");
    while (fields(f, line, sizeof line, part, 15) == 15) {
        const uint32_t cp = (uint32_t)strtoul(part[0], NULL, 16);
        const int category = find(category_names, part[2]);
        if (category < 0 || cp >= N_CP) die("bad line for", part[0]);
        if (!strstr(part[1], ", Last>")) first = cp;
        for (uint32_t c = first; c <= cp; c++) of[c].category = (uint8_t)category;
        of[cp].upper = distance(part[12], cp);
        of[cp].lower = distance(part[13], cp);
    }
    fclose(f);
}

static void read_properties(const char *name) {
    char line[4096], *part[2];
    FILE *f = open_file(name);
    while (fields(f, line, sizeof line, part, 2)) {
        const int p = find(property_names, part[1]);
        uint32_t first, last;
        if (p < 0) continue;
        range(part[0], &first, &last);
        for (uint32_t c = first; c <= last; c++) of[c].props |= (uint64_t)1 << p;
    }
    fclose(f);
}

static void read_graphemes(void) {
    char line[4096], *part[2];
    FILE *f = open_file("auxiliary/GraphemeBreakProperty.txt");
    while (fields(f, line, sizeof line, part, 2)) {
        const int g = find(grapheme_names, part[1]);
        uint32_t first, last;
        if (g < 0) die("unknown grapheme class", part[1]);
        range(part[0], &first, &last);
        for (uint32_t c = first; c <= last; c++) of[c].grapheme = (uint8_t)g;
    }
    fclose(f);
}

static void add_script(const char *name, const char *alias) {
    if (n_script == MAX_SCRIPT) die("too many scripts", name);
    snprintf(scripts[n_script][0], 64, "%s", name);
    snprintf(scripts[n_script++][1], 64, "%s", alias);
}

static void read_scripts(void) {
    char line[4096], *part[3];
    add_script("Unknown", "Zzzz");
    FILE *f = open_file("PropertyValueAliases.txt");
    while (fields(f, line, sizeof line, part, 3))
        if (strcmp(part[0], "sc") == 0 && strcmp(part[1], "Zzzz") != 0)
            add_script(part[2], part[1]);
    fclose(f);
    f = open_file("Scripts.txt");
    while (fields(f, line, sizeof line, part, 2)) {
        unsigned s = 0;
        uint32_t first, last;
        while (s < n_script && strcmp(scripts[s][0], part[1]) != 0) s++;
        if (s == n_script) die("unknown script", part[1]);
        range(part[0], &first, &last);
        for (uint32_t c = first; c <= last; c++) of[c].script = (uint8_t)s;
    }
    fclose(f);
}

/* Simple foldings (C and S), then for each set of equal foldings a cycle through it. */
static void read_folding(void) {
    static uint32_t first_of[N_CP], last_of[N_CP]; /* of the code points folding to this one */
    char line[4096], *part[3];
    FILE *f = open_file("CaseFolding.txt");
    while (fields(f, line, sizeof line, part, 3)) {
        const uint32_t cp = (uint32_t)strtoul(part[0], NULL, 16);
        if (cp >= N_CP) die("bad line for", part[0]);
        if (strcmp(part[1], "C") == 0 || strcmp(part[1], "S") == 0)
            of[cp].fold = distance(part[2], cp);
    }
    fclose(f);
    for (uint32_t cp = 1; cp < N_CP; cp++) {
        const uint32_t to = (uint32_t)((int32_t)cp + of[cp].fold);
        if (!first_of[to]) first_of[to] = cp;
        else of[last_of[to]].next = (int32_t)cp - (int32_t)last_of[to];
        last_of[to] = cp;
        of[cp].next = (int32_t)first_of[to] - (int32_t)cp;
    }
}

/* Records are found by a small hash table; their numbers follow first appearance. */
static void number_records(void) {
    static unsigned slot[1 << 17];
    for (uint32_t cp = 0; cp < N_CP; cp++) {
        uint64_t h = 14695981039346656037u;
        const unsigned char *bytes = (const unsigned char *)&of[cp];
        for (size_t i = 0; i < sizeof of[cp]; i++) h = (h ^ bytes[i]) * 1099511628211u;
        size_t at = (size_t)(h >> 40) & 0x1FFFF;
        while (slot[at] && memcmp(&records[slot[at] - 1], &of[cp], sizeof of[cp]) != 0)
            at = (at + 1) & 0x1FFFF;
        if (!slot[at]) {
            if (n_record == MAX_RECORD) die("too many records", "");
            records[n_record] = of[cp];
            slot[at] = ++n_record;
        }
        number[cp] = (uint16_t)(slot[at] - 1);
    }
}

static void print_numbers(const char *head, const uint16_t *p, size_t n) {
    printf("\n%s = {", head);
    for (size_t i = 0, column = 100; i < n; i++) {
        const size_t width = (size_t)snprintf(NULL, 0, "%d,", p[i]);
        if (column + width > 98) {
            printf("\n    ");
            column = 4;
        }
        printf("%d,", p[i]);
        column += width;
    }
    printf("\n};\n");
}

static void print_blocks(void) {
    static uint16_t stage1[UCD_N_BLOCK], first[UCD_N_BLOCK], stage2[N_CP];
    unsigned n = 0;
    for (unsigned b = 0; b < UCD_N_BLOCK; b++) {
        unsigned same = 0;
        while (same < n && memcmp(number + (size_t)first[same] * UCD_BLOCK,
                                  number + (size_t)b * UCD_BLOCK, UCD_BLOCK * sizeof *number) != 0)
            same++;
        if (same == n) {
            memcpy(stage2 + (size_t)n * UCD_BLOCK, number + (size_t)b * UCD_BLOCK,
                   UCD_BLOCK * sizeof *number);
            first[n++] = (uint16_t)b;
        }
        stage1[b] = (uint16_t)same;
    }
    print_numbers("const uint16_t ucd_stage1[UCD_N_BLOCK]", stage1, UCD_N_BLOCK);
    print_numbers("const uint16_t ucd_stage2[]", stage2, (size_t)n * UCD_BLOCK);
}

static void print_version(void) {
    char line[256];
    FILE *f = open_file("PropList.txt");
    if (!fgets(line, sizeof line, f) || strncmp(line, "# PropList-", 11) != 0 ||
        !strstr(line, ".txt"))
        die("no version in", "PropList.txt");
    fclose(f);
    *strstr(line, ".txt") = 0;
    printf("const char ucd_tables_version[] = \"%s\";\n", line + 11);
}

int main(int argc, char **argv) {
    if (argc > 1) folder = argv[1];
    read_unicode_data();
    read_properties("PropList.txt");
    read_properties("DerivedCoreProperties.txt");
    read_properties("emoji/emoji-data.txt");
    read_graphemes();
    read_scripts();
    read_folding();
    number_records();
    printf(
        "/* ucd_tables.c - written by gen/gen_ucd.c from the Unicode character database. */\n"
        "#include \"unicode/ucd_list.h\"\n\n/* clang-format off */\n");
    print_version();
    printf("\nconst unsigned ucd_tables_scripts = %u;\n\nconst ucd_script ucd_scripts[] = {\n",
           n_script);
    for (unsigned i = 0; i < n_script; i++)
        printf("    {\"%s\", \"%s\"},\n", scripts[i][0], scripts[i][1]);
    printf("};\n\nconst ucd_record ucd_records[] = {\n");
    for (unsigned i = 0; i < n_record; i++) {
        const ucd_record *r = &records[i];
        printf("    {0x%llx, %d, %d, %d, %d, %d, %d, %d, 0},\n", (unsigned long long)r->props,
               r->lower, r->upper, r->fold, r->next, r->category, r->script, r->grapheme);
    }
    printf("};\n");
    print_blocks();
    fprintf(stderr, "gen_ucd: %u records of %zu bytes\n", n_record, sizeof(ucd_record));
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
