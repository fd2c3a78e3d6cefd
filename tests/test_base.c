/* test_base.c - arenas, buffers, strings, maps, files, queues. */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/sha256.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/cpu.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/queue.h"
#include "base/rng.h"
#include "test.h"

static void test_err_says_code_and_one_line(void) {
    err e = {0};
    CHECK(err_set(&e, RZ_EFORMAT, "%s: bad\nline %d", "f", 3) == RZ_EFORMAT);
    CHECK(e.status == RZ_EFORMAT);
    CHECK_STR(e.text, "f: bad?line 3");
    CHECK(err_at(&e, RZ_EIO, "here") == RZ_EIO);
    CHECK_STR(e.text, "here: f: bad?line 3");
    CHECK(err_set(NULL, RZ_EINVAL, "nobody listens") == RZ_EINVAL);
}

static void test_arena_is_aligned_and_limited(void) {
    arena a = ARENA_INIT;
    for (size_t i = 1; i < 5000; i += 37) {
        char *p = arena_alloc(&a, i);
        REQUIRE(p);
        CHECK((uintptr_t)p % 16 == 0);
        memset(p, 1, i);
    }
    CHECK_STR(arena_copy(&a, "text", 4), "text");
    CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
    CHECK(arena_zero(&a, SIZE_MAX / 2, 4) == NULL);
    arena_free(&a);
    a.limit = 64;
    CHECK(arena_alloc(&a, 48) != NULL);
    CHECK(arena_alloc(&a, 32) == NULL);
    CHECK(arena_alloc(&a, 16) != NULL);
    arena_reset(&a);
    CHECK(arena_alloc(&a, 64) != NULL);
    arena_free(&a);
}

static void test_buf_failure_is_sticky(void) {
    buf b = BUF_INIT;
    b.limit = 10;
    buf_text(&b, "12345");
    buf_printf(&b, "%d", 678);
    CHECK_STR(buf_cstr(&b), "12345678");
    buf_text(&b, "too long");
    CHECK(b.failed);
    buf_char(&b, 'x');
    CHECK(b.len == 8 && buf_cstr(&b) == NULL);
    buf_clear(&b);
    for (int i = 0; i < 10; i++) buf_char(&b, 'a');
    CHECK(!b.failed && b.len == 10);
    buf_drop(&b, 4);
    CHECK(b.len == 6);
    buf_free(&b);
}

static void test_buf_printf_grows(void) {
    buf b = BUF_INIT;
    char big[1000];
    memset(big, 'z', sizeof big - 1);
    big[sizeof big - 1] = 0;
    buf_printf(&b, "<%s>", big);
    CHECK(b.len == 1001 && b.p[0] == '<' && b.p[1000] == '>');
    buf_free(&b);
}

static void test_str_numbers_are_strict(void) {
    int64_t i = 7;
    uint64_t u = 7;
    double d = 7;
    CHECK(str_i64(STR_LIT("-9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(!str_i64(STR_LIT("9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(str_u64(STR_LIT("18446744073709551615"), &u) && u == UINT64_MAX);
    CHECK(!str_u64(STR_LIT("18446744073709551616"), &u));
    CHECK(!str_u64(STR_LIT(""), &u) && !str_u64(STR_LIT("1 "), &u) && !str_u64(STR_LIT("+1"), &u));
    CHECK(str_f64(STR_LIT("-1.5e3"), &d) && d == -1500.0);
    CHECK(!str_f64(STR_LIT("inf"), &d) && !str_f64(STR_LIT("nan"), &d) &&
          !str_f64(STR_LIT("0x10"), &d) && !str_f64(STR_LIT("1e999"), &d) && d == -1500.0);
    CHECK(str_bytes(STR_LIT("1.5k"), &u) && u == 1536);
    CHECK(str_bytes(STR_LIT("2GiB"), &u) && u == 2ull << 30);
    CHECK(str_bytes(STR_LIT("12"), &u) && u == 12);
    CHECK(!str_bytes(STR_LIT("-1"), &u) && !str_bytes(STR_LIT("k"), &u) &&
          !str_bytes(STR_LIT(""), &u));
}

static void test_str_split_and_trim(void) {
    str rest = STR_LIT("a,,b");
    CHECK(str_is(str_split(&rest, ','), "a"));
    CHECK(str_is(str_split(&rest, ','), "") && rest.p != NULL);
    CHECK(str_is(str_split(&rest, ','), "b") && rest.p == NULL);
    CHECK(str_is(str_trim(STR_LIT(" \t x y\r\n")), "x y"));
    CHECK(str_find(STR_LIT("hello"), STR_LIT("lo")) == 3);
    CHECK(str_find(STR_LIT("hello"), STR_LIT("xx")) == -1);
    CHECK(str_eq_nocase(STR_LIT("Content-LENGTH"), STR_LIT("content-length")));
}

static void test_map_finds_what_was_put(void) {
    enum { N = 5000 };
    static char keys[N][16];
    map m = MAP_INIT;
    for (int i = 0; i < N; i++) {
        snprintf(keys[i], sizeof keys[i], "key-%d", i);
        CHECK(map_put(&m, str_of(keys[i]), (uint64_t)i) == MAP_NEW);
    }
    CHECK(map_put(&m, str_of("key-77"), 0) == MAP_EXISTS);
    int wrong = 0;
    for (int i = 0; i < N; i++) {
        const uint64_t *v = map_get(&m, str_of(keys[i]));
        if (!v || *v != (uint64_t)i || m.entry[i].value != (uint64_t)i) wrong++;
    }
    CHECK(wrong == 0);
    CHECK(map_get(&m, str_of("key-5000")) == NULL);
    map_free(&m);
}

static void test_an_array_grows_or_stays(void) {
    uint16_t *p = NULL;
    size_t cap = 0, n = 0;
    uint64_t before = mem_count();
    for (; n < 1000; n++) {
        REQUIRE(mem_room(&p, &cap, n + 1, sizeof *p));
        p[n] = (uint16_t)n;
    }
    CHECK(mem_count() - before < 10 && cap >= n);
    const size_t had = cap;
    mem_fail_at(1);
    CHECK(!mem_room(&p, &cap, had + 1, sizeof *p) && cap == had);
    mem_fail_at(0);
    CHECK(!mem_room(&p, &cap, SIZE_MAX, sizeof *p) && cap == had);
    CHECK(p[0] == 0 && p[999] == 999);
    CHECK(mem_room(&p, &cap, 5 * had, sizeof *p) && cap == 5 * had && p[999] == 999);
    mem_free(p);
}

static void test_map_survives_no_memory(void) {
    map m = MAP_INIT;
    mem_fail_at(1);
    CHECK(map_put(&m, str_of("a"), 1) == MAP_NOMEM);
    mem_fail_at(2);
    CHECK(map_put(&m, str_of("a"), 1) == MAP_NOMEM);
    mem_fail_at(0);
    CHECK(map_get(&m, str_of("a")) == NULL);
    CHECK(map_put(&m, str_of("a"), 1) == MAP_NEW && *map_get(&m, str_of("a")) == 1);
    map_free(&m);
}

static void test_file_appears_whole_or_not_at_all(void) {
    const char *path = test_temp("whole");
    err e = {0};
    os_file *f;
    REQUIRE(os_file_create(&f, path, &e) == RZ_OK);
    CHECK(os_file_write(f, "half", 4, &e) == RZ_OK);
    CHECK(access(path, F_OK) != 0);
    os_file_discard(f);
    CHECK(access(path, F_OK) != 0);

    REQUIRE(os_file_create(&f, path, &e) == RZ_OK);
    char block[10000];
    memset(block, 'b', sizeof block);
    for (int i = 0; i < 20; i++) CHECK(os_file_write(f, block, sizeof block, &e) == RZ_OK);
    CHECK(os_file_length(f) == 200000);
    CHECK(os_file_commit(f, &e) == RZ_OK);
    os_map m;
    REQUIRE(os_map_open(&m, path, &e) == RZ_OK);
    CHECK(m.len == 200000 && m.data[0] == 'b' && m.data[199999] == 'b');
    os_map_close(&m);
}

static void test_opening_what_is_no_file_says_so(void) {
    err e = {0};
    os_map m;
    CHECK(os_map_open(&m, "/nowhere/x.gguf", &e) == RZ_ENOTFOUND);
    CHECK_STR(e.text, "/nowhere/x.gguf: No such file or directory");
    CHECK(os_map_open(&m, "/tmp", &e) == RZ_EIO);
    CHECK_STR(e.text, "/tmp: is a directory");
    const char *fifo = test_temp("fifo");
    REQUIRE(mkfifo(fifo, 0600) == 0);
    CHECK(os_map_open(&m, fifo, &e) == RZ_EIO);
    CHECK(strstr(e.text, "not a plain file"));
    char *p;
    size_t n;
    const char *path = test_temp("small");
    REQUIRE(os_write_file(path, "12345", 5, &e) == RZ_OK);
    CHECK(os_read_file(path, 4, &p, &n, &e) == RZ_EFORMAT);
    REQUIRE(os_read_file(path, 5, &p, &n, &e) == RZ_OK);
    CHECK(n == 5 && strcmp(p, "12345") == 0);
    mem_free(p);
    CHECK(os_write_file("/nowhere/x", "1", 1, &e) == RZ_EIO);
}

static void test_log_reaches_its_listener(void);
static char logged[200];
static void listen_log(void *ud, rz_level level, const char *line) {
    (void)ud;
    snprintf(logged, sizeof logged, "%d %s", (int)level, line);
}
static void test_log_reaches_its_listener(void) {
    rz_log_set(listen_log, NULL, RZ_LOG_INFO);
    log_debug("too quiet");
    CHECK_STR(logged, "");
    log_warn("disk %d%% full", 93);
    CHECK_STR(logged, "1 disk 93% full");
    rz_log_set(NULL, NULL, RZ_LOG_WARN);
}

enum { PUSHERS = 4, PUSHES = 2000 };
static void *push_many(void *q) {
    for (int i = 0; i < PUSHES; i++)
        while (!queue_push(q, &i)) sched_yield();
    return NULL;
}

static void test_queue_delivers_everything_once(void) {
    queue *q;
    REQUIRE(queue_new(&q, sizeof(int), 100, NULL) == RZ_OK);
    pthread_t t[PUSHERS];
    for (int i = 0; i < PUSHERS; i++) REQUIRE(pthread_create(&t[i], NULL, push_many, q) == 0);
    long sum = 0, n = 0;
    while (n < (long)PUSHERS * PUSHES) {
        int got[16];
        queue_wait(q, 1000);
        const size_t k = queue_pop(q, got, 16);
        for (size_t i = 0; i < k; i++) sum += got[i];
        n += (long)k;
    }
    for (int i = 0; i < PUSHERS; i++) pthread_join(t[i], NULL);
    CHECK(n == (long)PUSHERS * PUSHES);
    CHECK(sum == (long)PUSHERS * PUSHES * (PUSHES - 1) / 2);
    int none;
    CHECK(queue_pop(q, &none, 1) == 0);
    queue_free(q);
}

static void test_queue_is_bounded_and_in_order(void) {
    queue *q;
    REQUIRE(queue_new(&q, sizeof(int), 70, NULL) == RZ_OK);
    int v;
    for (v = 0; queue_push(q, &v); v++) continue;
    CHECK(v == 70 && queue_length(q) == 70);
    for (int i = 0; i < 70; i++) {
        int got = -1;
        CHECK(queue_pop(q, &got, 1) == 1 && got == i);
    }
    queue_free(q);
}

static void test_random_streams_are_spread(void) {
    uint64_t s = 1;
    int low = 0;
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        const double u = rng_unit(&s);
        CHECK(u >= 0 && u < 1);
        sum += u;
        if (rng_below(&s, 10) == 3) low++;
    }
    CHECK(fabs(sum / 10000 - 0.5) < 0.02);
    CHECK(low > 850 && low < 1150);
    CHECK(os_random_u64() != os_random_u64());
    CHECK(cpu_get()->cores >= 1);
}

static void test_sha256_of_the_standards_texts(void) {
    char sum[SHA256_TEXT];
    sha256_text("abc", 3, sum);
    CHECK_STR(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_text("", 0, sum);
    CHECK_STR(sum, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    sha256_text(two, strlen(two), sum);
    CHECK_STR(sum, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char many[300]; /* in parts of any size it is the same */
    memset(many, 'a', sizeof many);
    for (size_t part = 1; part < 130; part++) {
        sha256 s;
        uint8_t a[SHA256_BYTES], b[SHA256_BYTES];
        sha256_start(&s);
        for (size_t at = 0; at < sizeof many; at += part)
            sha256_add(&s, many + at, part < sizeof many - at ? part : sizeof many - at);
        sha256_end(&s, a);
        sha256_start(&s);
        sha256_add(&s, many, sizeof many);
        sha256_end(&s, b);
        CHECK(memcmp(a, b, sizeof a) == 0);
    }
}

static void test_base64_goes_there_and_back(void) {
    char bytes[64], text[128], back[128];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 37);
    for (size_t n = 1; n <= sizeof bytes; n++) {
        const size_t len = base64_encode((str){bytes, n}, text);
        CHECK(len == base64_length(n));
        CHECK(base64_decode((str){text, len}, back) == n && memcmp(back, bytes, n) == 0);
    }
    CHECK(base64_encode(STR_LIT("ab"), text) == 4 && memcmp(text, "YWI=", 4) == 0);
    CHECK(base64_decode(STR_LIT("YW=="), back) == 1);
    CHECK(base64_decode(STR_LIT(""), back) == SIZE_MAX);
    CHECK(base64_decode(STR_LIT("YW="), back) == SIZE_MAX);
    CHECK(base64_decode(STR_LIT("Y*=="), back) == SIZE_MAX);
}

void suite_base(void) {
    RUN(test_err_says_code_and_one_line);
    RUN(test_arena_is_aligned_and_limited);
    RUN(test_buf_failure_is_sticky);
    RUN(test_buf_printf_grows);
    RUN(test_str_numbers_are_strict);
    RUN(test_str_split_and_trim);
    RUN(test_map_finds_what_was_put);
    RUN(test_an_array_grows_or_stays);
    RUN(test_map_survives_no_memory);
    RUN(test_file_appears_whole_or_not_at_all);
    RUN(test_opening_what_is_no_file_says_so);
    RUN(test_log_reaches_its_listener);
    RUN(test_queue_delivers_everything_once);
    RUN(test_queue_is_bounded_and_in_order);
    RUN(test_random_streams_are_spread);
    RUN(test_sha256_of_the_standards_texts);
    RUN(test_base64_goes_there_and_back);
}
