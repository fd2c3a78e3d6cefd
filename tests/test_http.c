/* test_http.c - the request parser alone. Every request here, good and bad, is cut at every byte
 * and fed byte by byte, always in memory that ends exactly where the bytes do. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/rng.h"
#include "server/http.h"
#include "test.h"

static const limits standard = {
    .line_bytes = 8192, .head_bytes = 32768, .headers = HTTP_MAX_HEADERS, .body_bytes = 1 << 20};
static const limits tiny = {.line_bytes = 40, .head_bytes = 200, .headers = 4, .body_bytes = 20};

/* Two pages, the second forbidden: text put at the end of the first faults when over-read. */
static char *guarded(size_t len) {
    static char *page;
    static size_t size;
    if (!page) {
        size = (size_t)sysconf(_SC_PAGESIZE) * 16;
        page = mmap(NULL, size + (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(page + size, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE);
    }
    return page + size - len;
}

/* What came of a request, as one line of text to compare. */
typedef struct outcome {
    char text[2048];
} outcome;

static void describe(outcome *o, const http_request *r, const char *p, str body, size_t rest) {
    const str path = http_at(p, r->path), target = http_at(p, r->target);
    int n = snprintf(o->text, sizeof o->text, "%s [%.*s] path [%.*s] 1.%d%s%s%s length %llu |",
                     http_method_name(r->method), STR_FMT(target), STR_FMT(path), r->minor,
                     r->keep_alive ? " keep" : "", r->chunked ? " chunked" : "",
                     r->expect_continue ? " expect" : "", (unsigned long long)r->length);
    for (uint32_t i = 0; i < r->n_header; i++)
        n += snprintf(o->text + n, sizeof o->text - (size_t)n, " [%.*s]=[%.*s]",
                      STR_FMT(http_at(p, r->header[i].name)),
                      STR_FMT(http_at(p, r->header[i].value)));
    snprintf(o->text + n, sizeof o->text - (size_t)n, " body [%.*s] rest %zu", STR_FMT(body), rest);
}

/* Feed text in pieces that end at cut[0], cut[1], ... and say what came of it. */
static void feed(outcome *o, const char *text, size_t len, const size_t *cut, size_t n_cut,
                 const limits *lim) {
    static http_request r;
    http_chunks c = {0};
    http_reset(&r);
    static char kept[16 * 4096];
    size_t have = 0, from = 0;
    bool head = false;
    for (size_t i = 0; i <= n_cut; i++) {
        const size_t to = i < n_cut ? cut[i] : len;
        memcpy(kept + have, text + from, to - from);
        have += to - from;
        from = to;
        char *p = guarded(have);
        memcpy(p, kept, have);
        http_result res = head ? HTTP_DONE : http_head(&r, p, have, lim);
        int code = r.status;
        const char *why = r.why;
        head = res == HTTP_DONE;
        size_t body = head ? have - r.head_len : 0, used = (size_t)r.length;
        if (head && r.chunked) {
            res = http_chunked(&c, p + r.head_len, &body, lim);
            used = c.out;
            code = c.status;
            why = c.why;
            have = r.head_len + body;
            memcpy(kept, p, have);
        } else if (head) {
            res = body >= r.length ? HTTP_DONE : HTTP_PARTIAL;
        }
        if (res == HTTP_BAD) {
            snprintf(o->text, sizeof o->text, "%d %s", code, why);
            return;
        }
        if (res == HTTP_DONE) {
            /* Count what was not fed yet as the rest, so that every cut gives the same sum. */
            describe(o, &r, p, (str){p + r.head_len, used}, body - used + (len - from));
            return;
        }
    }
    snprintf(o->text, sizeof o->text, "partial");
}

static void check_cuts(const char *text, size_t len, const char *want, const limits *lim) {
    outcome o;
    feed(&o, text, len, NULL, 0, lim);
    CHECK_STR(o.text, want);
    for (size_t cut = 0; cut <= len; cut++) {
        feed(&o, text, len, &cut, 1, lim);
        CHECK_STR(o.text, want);
    }
    size_t all[1024];
    for (size_t i = 0; i < len && i < 1024; i++) all[i] = i + 1;
    feed(&o, text, len, all, len < 1024 ? len : 1024, lim);
    CHECK_STR(o.text, want);
    for (uint64_t round = 0, rng = 7; round < 50; round++) {
        size_t n = 0;
        for (size_t at = 0; n < 1024 && at < len; n++) all[n] = at += rng_below(&rng, 9);
        while (n && all[n - 1] > len) n--;
        feed(&o, text, len, all, n, lim);
        CHECK_STR(o.text, want);
    }
}

typedef struct sample {
    const char *text, *want;
} sample;

static void check_all(const sample *s, size_t n, const limits *lim) {
    for (size_t i = 0; i < n; i++) check_cuts(s[i].text, strlen(s[i].text), s[i].want, lim);
}
#define COUNT(list) (sizeof(list) / sizeof *(list))
#define HOST "Host: h\r\n"

static void test_good_requests(void) {
    static const sample good[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n",
         "GET [/] path [/] 1.1 keep length 0 | [Host]=[h] body [] rest 0"},
        {"GET /a/b?x=1&y=%20 HTTP/1.1\r\nHost:h:80\r\nAccept:\t*/* \r\n\r\n",
         "GET [/a/b?x=1&y=%20] path [/a/b] 1.1 keep length 0 | [Host]=[h:80] [Accept]=[*/*] body "
         "[] rest 0"},
        {"\r\n\r\nHEAD / HTTP/1.0\r\n\r\n", "HEAD [/] path [/] 1.0 length 0 | body [] rest 0"},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
         "GET [/] path [/] 1.0 keep length 0 | [Connection]=[Keep-Alive] body [] rest 0"},
        {"GET / HTTP/1.1\r\n" HOST "Connection: x, CLOSE\r\n\r\n",
         "GET [/] path [/] 1.1 length 0 | [Host]=[h] [Connection]=[x, CLOSE] body [] rest 0"},
        {"GET / HTTP/1.9\r\n" HOST "\r\n",
         "GET [/] path [/] 1.1 keep length 0 | [Host]=[h] body [] rest 0"},
        {"GET http://example.org:8080/p?q HTTP/1.1\r\n" HOST "\r\n",
         "GET [http://example.org:8080/p?q] path [/p] 1.1 keep length 0 | [Host]=[h] body [] rest "
         "0"},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
         "OPTIONS [*] path [*] 1.1 keep length 0 | [Host]=[h] body [] rest 0"},
        {"POST /g HTTP/1.1\r\n" HOST "content-length: 5\r\n\r\nhelloGET /",
         "POST [/g] path [/g] 1.1 keep length 5 | [Host]=[h] [content-length]=[5] body [hello] "
         "rest 5"},
        {"POST /g HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 0\r\n\r\n",
         "POST [/g] path [/g] 1.1 keep expect length 0 | [Host]=[h] [Expect]=[100-Continue] "
         "[Content-Length]=[0] body [] rest 0"},
        {"POST / HTTP/1.1\r\n" HOST
         "Empty:\r\nContent-Type: a/b; c=d\r\nContent-Length:2\r\n\r\nxy",
         "POST [/] path [/] 1.1 keep length 2 | [Host]=[h] [Empty]=[] [Content-Type]=[a/b; c=d] "
         "[Content-Length]=[2] body [xy] rest 0"},
        {"GET / HTTP/1.1\r\n" HOST "X: caf\xc3\xa9 \x80\r\n\r\n",
         "GET [/] path [/] 1.1 keep length 0 | [Host]=[h] [X]=[caf\xc3\xa9 \x80] body [] rest 0"},
        {"GET / HTTP/1.1\r\n" HOST, "partial"},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhell", "partial"},
        {"", "partial"},
    };
    check_all(good, COUNT(good), &standard);
}

#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
#define CHUNKED_IS \
    "POST [/] path [/] 1.1 keep chunked length 0 | [Host]=[h] [Transfer-Encoding]=[chunked] body "

static void test_chunked_bodies(void) {
    static const sample list[] = {
        {CHUNKED "0\r\n\r\n", CHUNKED_IS "[] rest 0"},
        {CHUNKED "5\r\nhello\r\n0\r\n\r\n", CHUNKED_IS "[hello] rest 0"},
        {CHUNKED "5\r\nhello\r\n00B;x=\"y\"\r\n, big wor\r\n\r\n2 ;z\r\nld\r\n000\r\n\r\nGET",
         CHUNKED_IS "[hello, big wor\r\nld] rest 3"},
        {CHUNKED "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\nTrailer: x\r\nOther:\r\n\r\nrest",
         CHUNKED_IS "[abc] rest 4"},
        {CHUNKED "5\r\nhel", "partial"},
        {CHUNKED "5\r\nhello\r\n0\r\n", "partial"},
        {CHUNKED "5\r\nhelloX\r\n0\r\n\r\n", "400 a chunk is longer than its size"},
        {CHUNKED "5\r\nhello\rX0\r\n\r\n", "400 a chunk is longer than its size"},
        {CHUNKED "5\r\nhello\n0\r\n\r\n", "400 a chunk is longer than its size"},
        {CHUNKED "5\nhello\r\n0\r\n\r\n", "400 a line does not end in CRLF"},
        {CHUNKED "\r\n", "400 a chunk size is malformed"},
        {CHUNKED "-1\r\n", "400 a chunk size is malformed"},
        {CHUNKED "0x5\r\nhello\r\n", "400 a chunk size is malformed"},
        {CHUNKED " 5\r\nhello\r\n", "400 a chunk size is malformed"},
        {CHUNKED "5 5\r\nhello\r\n", "400 a chunk size is malformed"},
        {CHUNKED "5;\x01\r\nhello\r\n", "400 a chunk size is malformed"},
        {CHUNKED "fffffffffffffffff\r\n", "413 the request body is too large"},
        {CHUNKED "ffffffffffffffff\r\n", "413 the request body is too large"},
        {CHUNKED "100001\r\n", "413 the request body is too large"},
        {CHUNKED "0\r\n folded: x\r\n\r\n", "400 a trailer field is malformed"},
        {CHUNKED "0\r\nnothing\r\n\r\n", "400 a trailer field is malformed"},
    };
    check_all(list, COUNT(list), &standard);
    char text[1024] = CHUNKED "5;";
    memset(text + strlen(text), 'x', 300);
    check_cuts(text, strlen(text), "400 a chunk size line is too long", &standard);
}

static void test_malformed_requests(void) {
    static const sample list[] = {
        {"\x16\x03\x01\x02\x00\x01", "400 this is not HTTP"},
        {"\n", "400 this is not HTTP"},
        {" GET / HTTP/1.1\r\n" HOST "\r\n", "400 this is not HTTP"},
        {"\r\n\r\n\r\n\r\n\r\n", "400 this is not HTTP"},
        {"GET /\r\n", "400 the request line is malformed"},
        {"GET\r\n\r\n", "400 the request line is malformed"},
        {"GET  / HTTP/1.1\r\n" HOST "\r\n", "400 the request target is malformed"},
        {"GET /  HTTP/1.1\r\n" HOST "\r\n", "400 the request target is malformed"},
        {"GET /a b HTTP/1.1\r\n" HOST "\r\n", "400 the request target is malformed"},
        {"GET /\x7f HTTP/1.1\r\n" HOST "\r\n", "400 the request target is malformed"},
        {"GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", "400 the request target is malformed"},
        {"GET nothing HTTP/1.1\r\n" HOST "\r\n", "400 the request target is not a path"},
        {"GET http://host HTTP/1.1\r\n" HOST "\r\n", "400 the request target is not a path"},
        {"GET * HTTP/1.1\r\n" HOST "\r\n", "400 the request target is not a path"},
        {"G(T / HTTP/1.1\r\n" HOST "\r\n", "400 the request line is malformed"},
        {"GET / HTTP/1.\r\n", "400 the request line is malformed"},
        {"GET / http/1.1\r\n", "400 the request line is malformed"},
        {"GET / HTTP/1.1 \r\n", "400 the request line is malformed"},
        {"GET / HTTP/11.1\r\n", "400 the request line is malformed"},
        {"GET / HTTP/1.1\n" HOST "\r\n", "400 a line does not end in CRLF"},
        {"GET / HTTP/1.1\r\nHost: h\n\r\n", "400 a line does not end in CRLF"},
        {"GET / HTTP/1.1\r\nHost: h\r\n\n", "400 a line does not end in CRLF"},
        {"GET / HTTP/1.1\r\n\r\n", "400 the Host header is missing"},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", "400 more than one Host header"},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400 Host is malformed"},
        {"GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n", "400 folded header lines are not accepted"},
        {"GET / HTTP/1.1\r\n" HOST "\tfolded\r\n\r\n", "400 folded header lines are not accepted"},
        {"GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", "400 a header name is malformed"},
        {"GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", "400 a header name is malformed"},
        {"GET / HTTP/1.1\r\n" HOST "a : x\r\n\r\n", "400 a header name is malformed"},
        {"GET / HTTP/1.1\r\n" HOST "a: x\ry\r\n\r\n", "400 a header value is malformed"},
        {"GET / HTTP/1.1\r\n" HOST "a: \x01\r\n\r\n", "400 a header value is malformed"},
        {"PRI * HTTP/2.0\r\n\r\n", "505 only HTTP/1.0 and HTTP/1.1 are spoken here"},
        {"GET / HTTP/0.9\r\n\r\n", "505 only HTTP/1.0 and HTTP/1.1 are spoken here"},
        {"BREW / HTTP/1.1\r\n" HOST "\r\n", "501 this method is not implemented"},
        {"get / HTTP/1.1\r\n" HOST "\r\n", "501 this method is not implemented"},
        {"GET / HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n",
         "417 the only expectation met here is 100-continue"},
    };
    check_all(list, COUNT(list), &standard);
    static const char nul[] = "GET / HTTP/1.1\r\nHost: h\r\nA: \0\r\n\r\n";
    check_cuts(nul, sizeof nul - 1, "400 a header value is malformed", &standard);
    static const char nul_path[] = "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n";
    check_cuts(nul_path, sizeof nul_path - 1, "400 the request target is malformed", &standard);
}

/* Anything two programs might frame differently is refused. */
static void test_smuggling_is_refused(void) {
#define P "POST / HTTP/1.1\r\n" HOST
    static const sample list[] = {
        {P "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "400 Content-Length together with Transfer-Encoding"},
        {P "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
         "400 Content-Length together with Transfer-Encoding"},
        {P "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
         "400 more than one Content-Length"},
        {P "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
         "400 more than one Content-Length"},
        {P "Content-Length: 5, 5\r\n\r\nhello", "400 Content-Length is not a number"},
        {P "Content-Length: +5\r\n\r\nhello", "400 Content-Length is not a number"},
        {P "Content-Length: -5\r\n\r\nhello", "400 Content-Length is not a number"},
        {P "Content-Length: 0x5\r\n\r\nhello", "400 Content-Length is not a number"},
        {P "Content-Length: 5 5\r\n\r\nhello", "400 Content-Length is not a number"},
        {P "Content-Length:\r\n\r\nhello", "400 Content-Length is not a number"},
        {P "Content-Length: 5.0\r\n\r\nhello", "400 Content-Length is not a number"},
        {P "Content-Length: 18446744073709551616\r\n\r\n", "413 the request body is too large"},
        {P "Content-Length : 5\r\n\r\nhello", "400 a header name is malformed"},
        {P "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
         "400 more than one Transfer-Encoding"},
        {P "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         "400 more than one Transfer-Encoding"},
        {P "Transfer-Encoding: chunked, chunked\r\n\r\n",
         "501 the only Transfer-Encoding implemented is chunked"},
        {P "Transfer-Encoding: gzip, chunked\r\n\r\n",
         "501 the only Transfer-Encoding implemented is chunked"},
        {P "Transfer-Encoding: xchunked\r\n\r\n",
         "501 the only Transfer-Encoding implemented is chunked"},
        {P "Transfer-Encoding: \x0b"
           "chunked\r\n\r\n",
         "400 a header value is malformed"},
        {P "Transfer-Encoding:\r\n chunked\r\n\r\n",
         "501 the only Transfer-Encoding implemented is chunked"},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "400 HTTP/1.0 knows no Transfer-Encoding"},
    };
#undef P
    check_all(list, COUNT(list), &standard);
}

static void test_limits_hold_at_their_edges(void) {
    static const sample list[] = {
        /* 40 bytes of request line are accepted, 41 are not. */
        {"GET /3456789012345678901234567 HTTP/1.0\r\n\r\n",
         "GET [/3456789012345678901234567] path [/3456789012345678901234567] 1.0 length 0 | body "
         "[] "
         "rest 0"},
        {"GET /34567890123456789012345678901 HTTP/1.0\r\n\r\n", "414 the request line is too long"},
        {"GET /3456789012345678901234567890123456789012345678901234567890",
         "414 the request line is too long"},
        {"GET / HTTP/1.0\r\na:1\r\nb:2\r\nc:3\r\nd:4\r\n\r\n",
         "GET [/] path [/] 1.0 length 0 | [a]=[1] [b]=[2] [c]=[3] [d]=[4] body [] rest 0"},
        {"GET / HTTP/1.0\r\na:1\r\nb:2\r\nc:3\r\nd:4\r\ne:5\r\n\r\n", "431 too many header lines"},
        {CHUNKED "14\r\n01234567890123456789\r\n0\r\n\r\n",
         CHUNKED_IS "[01234567890123456789] rest 0"},
        {CHUNKED "14\r\n01234567890123456789\r\n1\r\n", "413 the request body is too large"},
        {CHUNKED "15\r\n012", "413 the request body is too large"},
    };
    check_all(list, COUNT(list), &tiny);
    char text[1024];
    const char *start = "GET / HTTP/1.0\r\nlong: ";
    const size_t n = strlen(start);
    memcpy(text, start, n);
    memset(text + n, 'x', sizeof text - n);
    /* The head with its last blank line may have 200 bytes. */
    memcpy(text + 196, "\r\n\r\n", 5);
    outcome o;
    feed(&o, text, 200, NULL, 0, &tiny);
    CHECK(strncmp(o.text, "GET [/]", 7) == 0);
    memcpy(text + 196, "x\r\n\r\n", 6);
    check_cuts(text, 201, "431 the request head is too large", &tiny);
    memset(text + n, 'x', sizeof text - n);
    check_cuts(text, 300, "431 the request head is too large", &tiny);
    memcpy(text, CHUNKED "0\r\n", strlen(CHUNKED "0\r\n"));
    memset(text + strlen(CHUNKED "0\r\n"), 'y', 300);
    check_cuts(text, strlen(CHUNKED) + 250, "431 the trailer fields are too large", &tiny);
}

static void test_bytes_at_random_never_fault(void) {
    static const char pool[] =
        "GETPOST /HTTP/1.1\r\n\r\n::chunkedTransfer-Encoding 0123\t;\x80\x01";
    uint64_t rng = 3;
    outcome once, cut;
    for (int round = 0; round < (test_thorough() ? 20000 : 2000); round++) {
        char text[300];
        const char *prefix = round % 3 == 0   ? ""
                             : round % 3 == 1 ? "POST / HTTP/1.1\r\nHost: a\r\n"
                                              : CHUNKED;
        size_t len = strlen(prefix);
        memcpy(text, prefix, len);
        const size_t more = rng_below(&rng, 100);
        for (size_t i = 0; i < more; i++) text[len++] = pool[rng_below(&rng, sizeof pool)];
        const size_t at = rng_below(&rng, len + 1);
        feed(&once, text, len, NULL, 0, &tiny);
        feed(&cut, text, len, &at, 1, &tiny);
        CHECK_STR(cut.text, once.text);
    }
}

static void test_find_ignores_case(void) {
    static const char text[] = "GET / HTTP/1.0\r\nX-One: 1\r\nx-two: 2\r\nX-ONE: 3\r\n\r\n";
    http_request r;
    http_reset(&r);
    REQUIRE(http_head(&r, text, sizeof text - 1, &standard) == HTTP_DONE);
    CHECK(str_is(http_find(&r, text, "x-one"), "1"));
    CHECK(str_is(http_find(&r, text, "x-two"), "2"));
    CHECK(http_find(&r, text, "x-three").p == NULL);
}

void suite_http(void) {
    RUN(test_good_requests);
    RUN(test_chunked_bodies);
    RUN(test_malformed_requests);
    RUN(test_smuggling_is_refused);
    RUN(test_limits_hold_at_their_edges);
    RUN(test_bytes_at_random_never_fault);
    RUN(test_find_ignores_case);
}
