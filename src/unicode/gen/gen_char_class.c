/* gen_char_class.c - writes src/unicode/char_class_tables.c from the Unicode character database.
 *
 *   gen_char_class [FOLDER] > char_class_tables.c   (/usr/share/unicode, as Debian installs it)
 *
 * A program of its own, not part of the library, so it prints and exits as it likes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 0x32400, LAST = 0x10FFFF };

static uint8_t number[LAST + 1]; /* of the class bit, plus 1 */
static const char *folder = "/usr/share/unicode";

static int class_number(const char *category) {
    static const char *const classes[] = {
        "Lu Lt", "Ll", "Lm Lo", "Mn Mc Me", "Nd Nl No", "Pc Pd Ps Pe Pi Pf Po", "Sm Sc Sk So"};
    for (int i = 0; i < 7; i++)
        if (strstr(classes[i], category)) return i + 1;
    return 0;
}

static FILE *open_file(const char *name) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    if (f) return f;
    fprintf(stderr, "gen_char_class: cannot read %s\n", path);
    exit(1);
}

static void read_categories(void) {
    char line[1024];
    unsigned first = 0;
    FILE *f = open_file("UnicodeData.txt");
    while (fgets(line, sizeof line, f)) {
        char name[128], category[8];
        unsigned cp;
        if (sscanf(line, "%x;%127[^;];%7[^;]", &cp, name, category) != 3) exit(1);
        if (strstr(name, ", First>")) first = cp;
        else {
            if (!strstr(name, ", Last>")) first = cp;
            for (unsigned c = first; c <= cp; c++) number[c] = (uint8_t)class_number(category);
        }
    }
    fclose(f);
}

static void read_white_space(void) {
    char line[1024];
    FILE *f = open_file("PropList.txt");
    while (fgets(line, sizeof line, f)) {
        unsigned from, to;
        if (!strstr(line, "; White_Space")) continue;
        if (sscanf(line, "%x..%x", &from, &to) != 2) to = from;
        for (; from <= to; from++) number[from] = 8;
    }
    fclose(f);
}

/* What the header says about the characters beyond the table must hold. */
static void check_rest(void) {
    for (unsigned c = LIMIT; c <= LAST; c++)
        if (number[c] != (c >= 0xE0100 && c <= 0xE01EF ? 4 : 0)) exit(2);
}

int main(int argc, char **argv) {
    static unsigned row[LIMIT / 128], kept[LIMIT / 128];
    unsigned n = 0;
    if (argc > 1) folder = argv[1];
    read_categories();
    read_white_space();
    check_rest();
    for (unsigned b = 0; b < LIMIT / 128; b++) {
        unsigned k = 0;
        while (k < n && memcmp(number + kept[k] * 128, number + b * 128, 128) != 0) k++;
        if (k == n) kept[n++] = b;
        row[b] = k;
    }
    if (n > 256) return 2;
    printf(
        "/* char_class_tables.c - written by gen/gen_char_class.c from the Unicode database. */\n"
        "#include \"unicode/char_class.h\"\n\n/* clang-format off */\n"
        "const uint8_t char_class_of[][128] = {\n");
    for (unsigned k = 0; k < n; k++)
        for (unsigned half = 0; half < 2; half++) {
            printf(half ? "     \"" : "    {\"");
            for (unsigned i = 0; i < 64; i++) putchar('0' + number[kept[k] * 128 + half * 64 + i]);
            printf(half ? "\"},\n" : "\"\n");
        }
    printf("};\n\nconst uint8_t char_class_row[CHAR_CLASS_LIMIT / 128] = {");
    for (unsigned b = 0; b < LIMIT / 128; b++) printf("%s%u,", b % 20 ? " " : "\n    ", row[b]);
    printf("\n};\n");
    return 0;
}
