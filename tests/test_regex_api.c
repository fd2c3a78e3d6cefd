/* test_regex_api.c - rz_regex_*: what a program that links the library sees of the engine. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <realizar.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static rz_regex *compile(const char *pattern, unsigned flags) {
    rz_regex *r = NULL;
    rz_error e = {0};
    const rz_status s = rz_regex_compile(&r, pattern, strlen(pattern), flags, &e);
    CHECK_MSG(s == RZ_OK, "%s: %s", pattern, e.text);
    return r;
}

static bool span_is(rz_span s, size_t start, size_t end) {
    return s.start == start && s.end == end;
}

static void test_find_goes_on_from_a_place_and_sees_what_is_before(void) {
    rz_regex *r = compile("\\bab", 0);
    rz_span m = {0, 0};
    REQUIRE(r);
    CHECK(rz_regex_find(r, "ab xab ab", 9, 0, &m, NULL) == RZ_OK && span_is(m, 0, 2));
    CHECK(rz_regex_find(r, "ab xab ab", 9, 1, &m, NULL) == RZ_OK && span_is(m, 7, 9));
    CHECK(rz_regex_find(r, "ab xab ab", 9, 4, &m, NULL) == RZ_OK && span_is(m, 7, 9));
    CHECK(rz_regex_find(r, "ab xab ab", 9, 8, &m, NULL) == RZ_OK && m.start == RZ_NO_MATCH);
    CHECK(rz_regex_find(r, "ab", 2, 50, &m, NULL) == RZ_OK && m.end == RZ_NO_MATCH);
    CHECK(rz_regex_find(r, NULL, 0, 0, &m, NULL) == RZ_OK && m.start == RZ_NO_MATCH);
    rz_regex_free(r);
}

static void test_groups_have_numbers_and_names(void) {
    rz_regex *r = compile("(?<year>\\d{4})-(\\d\\d)(?:-(?P<day>\\d\\d))?", 0);
    rz_span m[6];
    REQUIRE(r);
    CHECK(rz_regex_groups(r) == 4);
    CHECK(rz_regex_group_index(r, "year") == 1 && rz_regex_group_index(r, "day") == 3);
    CHECK(rz_regex_group_index(r, "month") == -1 && rz_regex_group_index(r, NULL) == -1);
    CHECK_STR(rz_regex_group_name(r, 1), "year");
    CHECK_STR(rz_regex_group_name(r, 2), "");
    CHECK_STR(rz_regex_group_name(r, 3), "day");
    CHECK(rz_regex_group_name(r, 4) == NULL);
    CHECK(rz_regex_captures(r, "on 2024-05.", 11, 0, m, 6, NULL) == RZ_OK);
    CHECK(span_is(m[0], 3, 10) && span_is(m[1], 3, 7) && span_is(m[2], 8, 10));
    for (int g = 3; g < 6; g++) CHECK(span_is(m[g], RZ_NO_MATCH, RZ_NO_MATCH));
    /* Fewer places than groups: the first ones. */
    CHECK(rz_regex_captures(r, "2024-05-06", 10, 0, m, 2, NULL) == RZ_OK && span_is(m[1], 0, 4));
    CHECK(rz_regex_captures(r, "none", 4, 0, m, 6, NULL) == RZ_OK);
    for (int g = 0; g < 6; g++) CHECK(span_is(m[g], RZ_NO_MATCH, RZ_NO_MATCH));
    rz_regex_free(r);
}

static void test_iterators_give_matches_one_by_one_or_many(void) {
    const char *text = "a1 b22 c333 dd";
    rz_regex *r = compile("([a-z])(\\d+)", 0);
    rz_regex_iter *it = NULL;
    rz_span m[8];
    size_t n = 9;
    REQUIRE(r && rz_regex_iter_new(&it, r, NULL) == RZ_OK);
    CHECK(rz_regex_next(it, m, 8, &n, NULL) == RZ_OK && n == 0); /* no text yet */
    rz_regex_iter_text(it, text, strlen(text));
    CHECK(rz_regex_next(it, m, 2, &n, NULL) == RZ_OK && n == 2);
    CHECK(span_is(m[0], 0, 2) && span_is(m[1], 3, 6));
    CHECK(rz_regex_next_captures(it, m, 5, NULL) == RZ_OK && span_is(m[0], 7, 11));
    CHECK(span_is(m[1], 7, 8) && span_is(m[2], 8, 11) && m[3].start == RZ_NO_MATCH);
    CHECK(rz_regex_next_captures(it, m, 1, NULL) == RZ_OK && m[0].start == RZ_NO_MATCH);
    CHECK(rz_regex_next(it, m, 8, &n, NULL) == RZ_OK && n == 0);
    rz_regex_iter_text(it, "z9", 2);
    CHECK(rz_regex_next_captures(it, m, 1, NULL) == RZ_OK && span_is(m[0], 0, 2));
    rz_regex_iter_free(it);
    rz_regex_free(r);
}

static void test_an_iterator_of_an_anchored_pattern_finds_one_match(void) {
    rz_regex *r = compile("^(a+)b?", 0);
    rz_regex_iter *it = NULL;
    rz_span m[2];
    REQUIRE(r && rz_regex_iter_new(&it, r, NULL) == RZ_OK);
    rz_regex_iter_text(it, "aaab aab", 8);
    CHECK(rz_regex_next_captures(it, m, 2, NULL) == RZ_OK && span_is(m[0], 0, 4));
    CHECK(span_is(m[1], 0, 3));
    CHECK(rz_regex_next_captures(it, m, 2, NULL) == RZ_OK && m[0].start == RZ_NO_MATCH);
    rz_regex_iter_text(it, "baab", 4);
    CHECK(rz_regex_next_captures(it, m, 2, NULL) == RZ_OK && m[0].start == RZ_NO_MATCH);
    rz_regex_iter_free(it);
    rz_regex_free(r);
}

static const char *replaced(const char *pattern, const char *text, const char *with) {
    static char out[256];
    size_t need = 0;
    rz_error e = {0};
    rz_regex *r = compile(pattern, 0);
    if (!r) return "";
    if (rz_regex_replace(r, text, strlen(text), with, out, sizeof out - 1, &need, &e) < 0)
        strcpy(out, e.text);
    else out[need] = 0;
    rz_regex_free(r);
    return out;
}

static void test_replacements_name_groups(void) {
    CHECK_STR(replaced("(\\w+)@(\\w+)", "a@b, c@d", "$2 at $1"), "b at a, d at c");
    CHECK_STR(replaced("(?<x>a)|b", "ab", "[${x}$$]"), "[a$][$]");
    CHECK_STR(replaced("(a)", "a", "${1}0 $1st"), "a0 ast");
    CHECK_STR(replaced("x*", "abc", "-"), "-a-b-c-");
    CHECK_STR(replaced("z", "abc", "-"), "abc");
    CHECK_STR(replaced("a", "", "-"), "");
    CHECK_STR(replaced("a", "b", "$1"), "rz_regex_replace: offset 0: $ names no group");
    CHECK_STR(replaced("a", "b", "x${n}"), "rz_regex_replace: offset 1: $ names no group");
    CHECK_STR(replaced("a", "b", "${0"), "rz_regex_replace: offset 0: $ names no group");
}

static void test_replacing_says_how_much_room_it_needs(void) {
    rz_regex *r = compile("a", 0);
    char out[4] = "####";
    size_t need = 0;
    REQUIRE(r);
    CHECK(rz_regex_replace(r, "aaa", 3, "xyz", out, 2, &need, NULL) == RZ_OK && need == 9);
    CHECK(memcmp(out, "xy##", 4) == 0);
    CHECK(rz_regex_replace(r, "aaa", 3, "xyz", NULL, 0, &need, NULL) == RZ_OK && need == 9);
    rz_regex_free(r);
}

static void test_an_escaped_text_matches_itself(void) {
    static const char text[] = "a.b*c[d]{1}(x|y)^$\\?+ #&&--~~\n\xC3\xA9-";
    char out[200];
    const size_t n = rz_regex_escape(text, sizeof text - 1, out, sizeof out);
    REQUIRE(n < sizeof out);
    rz_regex *r = NULL;
    rz_span m = {0, 0};
    REQUIRE(rz_regex_compile(&r, out, n, 0, NULL) == RZ_OK);
    CHECK(rz_regex_find(r, text, sizeof text - 1, 0, &m, NULL) == RZ_OK);
    CHECK(span_is(m, 0, sizeof text - 1));
    rz_regex_free(r);
    CHECK(rz_regex_escape("a.b", 3, out, 2) == 4 && memcmp(out, "a\\", 2) == 0);
}

static void test_flags_stand_for_the_letters(void) {
    static const struct {
        const char *pattern, *text;
        unsigned flag;
    } rows[] = {{"aB", "Ab", RZ_REGEX_ICASE},
                {"^b", "a\nb", RZ_REGEX_MULTILINE},
                {"a.b", "a\nb", RZ_REGEX_DOTALL},
                {"a b # c", "ab", RZ_REGEX_EXTENDED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rz_regex *with = compile(rows[i].pattern, rows[i].flag),
                 *without = compile(rows[i].pattern, 0);
        rz_span m = {0, 0};
        REQUIRE(with && without);
        CHECK(rz_regex_find(with, rows[i].text, strlen(rows[i].text), 0, &m, NULL) == RZ_OK);
        CHECK_MSG(m.start != RZ_NO_MATCH, "%s", rows[i].pattern);
        CHECK(rz_regex_find(without, rows[i].text, strlen(rows[i].text), 0, &m, NULL) == RZ_OK);
        CHECK_MSG(m.start == RZ_NO_MATCH, "%s", rows[i].pattern);
        rz_regex_free(with);
        rz_regex_free(without);
    }
    rz_regex *ascii = compile("^\\w$", RZ_REGEX_ASCII), *unicode = compile("^\\w$", 0);
    rz_span m = {0, 0};
    REQUIRE(ascii && unicode);
    CHECK(rz_regex_find(ascii, "\xC3\xA9", 2, 0, &m, NULL) == RZ_OK && m.start == RZ_NO_MATCH);
    CHECK(rz_regex_find(unicode, "\xC3\xA9", 2, 0, &m, NULL) == RZ_OK && m.start == 0);
    rz_regex_free(ascii);
    rz_regex_free(unicode);
}

static void test_wrong_calls_are_errors_of_one_line(void) {
    rz_regex *r = NULL;
    rz_regex_iter *it = NULL;
    rz_error e = {0};
    rz_span m;
    size_t n;
    CHECK(rz_regex_compile(NULL, "a", 1, 0, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "rz_regex_compile: a pointer is NULL");
    CHECK(rz_regex_compile(&r, NULL, 1, 0, &e) == RZ_EINVAL && !r);
    CHECK(rz_regex_compile(&r, "a", 1, 0x4000, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "rz_regex_compile: unknown flags 0x4000");
    CHECK(rz_regex_compile(&r, "a(", 2, 0, &e) == RZ_EFORMAT && !r);
    CHECK_STR(e.text, "regex: offset 1: this group is not closed");
    CHECK(rz_regex_find(NULL, "a", 1, 0, &m, &e) == RZ_EINVAL);
    CHECK(rz_regex_captures(NULL, "a", 1, 0, &m, 1, &e) == RZ_EINVAL);
    CHECK(rz_regex_replace(NULL, "a", 1, "", NULL, 0, &n, &e) == RZ_EINVAL);
    CHECK(rz_regex_iter_new(&it, NULL, &e) == RZ_EINVAL && !it);
    CHECK(rz_regex_next(NULL, &m, 1, &n, &e) == RZ_EINVAL);
    CHECK(rz_regex_next_captures(NULL, &m, 1, &e) == RZ_EINVAL);
    rz_regex_free(NULL);
    rz_regex_iter_free(NULL);
    r = compile("(a+)+\\1c", 0);
    REQUIRE(r);
    CHECK(rz_regex_find(r, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", 40, 0, &m, &e) == RZ_OK);
    CHECK(rz_regex_find(r, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab c", 39, 0, &m, &e) == RZ_EFULL);
    CHECK(strstr(e.text, "step budget") != NULL);
    rz_regex_free(r);
}

typedef struct share {
    const rz_regex *r;
    int bad;
} share;

static void *search_often(void *arg) {
    share *s = arg;
    for (int i = 0; i < 300; i++) {
        rz_span m[3] = {{0, 0}};
        if (rz_regex_captures(s->r, "xx key=value yy", 15, 0, m, 3, NULL) < 0 ||
            !span_is(m[1], 3, 6) || !span_is(m[2], 7, 12))
            s->bad++;
    }
    return NULL;
}

static void test_threads_share_a_pattern(void) {
    rz_regex *r = compile("(\\w+)=(\\w+)", 0);
    pthread_t t[4];
    share s[4];
    REQUIRE(r);
    for (int i = 0; i < 4; i++) {
        s[i] = (share){r, 0};
        REQUIRE(pthread_create(&t[i], NULL, search_often, &s[i]) == 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        CHECK(s[i].bad == 0);
    }
    rz_regex_free(r);
}

static void test_engine_names_say_how_a_pattern_runs(void) {
    static const struct {
        const char *pattern, *with, *without; /* machine code */
    } rows[] = {{"\\w+", "jit", "dfa"},
                {"needle", "memmem", "memmem"},
                {"fox|dog|bird", "teddy", "teddy"},
                {"\\bneedle\\b", "memmem+jit", "memmem+dfa"},
                {"(?:https?|ftp)://\\S+", "teddy+jit", "teddy+dfa"},
                {"(a)\\1", "backtracker", "backtracker"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rz_regex *a = compile(rows[i].pattern, 0), *b = compile(rows[i].pattern, RZ_REGEX_NO_JIT);
        REQUIRE(a && b);
#if defined __x86_64__ || defined __aarch64__
        CHECK_STR(rz_regex_engine_name(a), rows[i].with);
#endif
        CHECK_STR(rz_regex_engine_name(b), rows[i].without);
        rz_regex_free(a);
        rz_regex_free(b);
    }
}

/* ---- where no memory may become executable ---- */

enum { NO_FILTER = 77 };

static bool refuse_executable_memory(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog filter = {sizeof code / sizeof *code, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        return false;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0;
}

static int in_a_strict_process(void) {
    rz_regex *r = NULL;
    rz_span m[3];
    const char *text = "see key=value here";
    if (!refuse_executable_memory()) return NO_FILTER;
    if (rz_regex_compile(&r, "(\\w+)=(\\w+)", 11, 0, NULL) < 0) return 1;
    if (strcmp(rz_regex_engine_name(r), "dfa") != 0) return 2;
    if (rz_regex_captures(r, text, strlen(text), 0, m, 3, NULL) < 0) return 3;
    if (!span_is(m[0], 4, 13) || !span_is(m[1], 4, 7) || !span_is(m[2], 8, 13)) return 4;
    rz_regex_free(r);
    return 0;
}

static void test_patterns_run_where_no_memory_may_be_executable(void) {
    int how = 0;
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) _exit(in_a_strict_process());
    REQUIRE(waitpid(child, &how, 0) == child);
    if (WIFEXITED(how) && WEXITSTATUS(how) == NO_FILTER) {
        test_skip("this system takes no filter of system calls");
        return;
    }
    CHECK_MSG(how == 0, "step %d", WIFEXITED(how) ? WEXITSTATUS(how) : -1);
}

void suite_regex_api(void) {
    RUN(test_find_goes_on_from_a_place_and_sees_what_is_before);
    RUN(test_groups_have_numbers_and_names);
    RUN(test_iterators_give_matches_one_by_one_or_many);
    RUN(test_an_iterator_of_an_anchored_pattern_finds_one_match);
    RUN(test_replacements_name_groups);
    RUN(test_replacing_says_how_much_room_it_needs);
    RUN(test_an_escaped_text_matches_itself);
    RUN(test_flags_stand_for_the_letters);
    RUN(test_wrong_calls_are_errors_of_one_line);
    RUN(test_threads_share_a_pattern);
    RUN(test_engine_names_say_how_a_pattern_runs);
    RUN(test_patterns_run_where_no_memory_may_be_executable);
}
