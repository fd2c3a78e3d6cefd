/* test_rate.c - how often a key or an address may ask. */
#include <stdio.h>
#include <string.h>

#include "server/rate.h"
#include "serving.h"
#include "test.h"

/* A key or, without keys, an address has as many requests as a minute gives, then it waits. */
static void test_too_many_requests_are_429(void) {
    static const char *const keys[] = {"one", "two"};
    static const char head[] =
        "POST %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n"
        "Authorization: Bearer %s\r\nContent-Length: 11\r\n\r\n{\"text\":\"\"}";
    static const struct {
        const char *path, *key, *want, *part;
    } row[] = {
        {"/tokenize", "one", "HTTP/1.1 200 ", ""},
        {"/tokenize", "one", "HTTP/1.1 200 ", ""},
        {"/tokenize", "one", "HTTP/1.1 429 Too Many Requests", "Retry-After: "},
        {"/v1/completions", "one", "HTTP/1.1 429 ", "\"code\":\"rate_limit_exceeded\"}}"},
        {"/v1/messages", "one", "HTTP/1.1 429 ", "{\"type\":\"rate_limit_error\""},
        {"/tokenize", "three", "HTTP/1.1 401 ", "a valid API key is needed"},
        {"/tokenize", "two", "HTTP/1.1 200 ", ""},
    };
    running r;
    buf b = BUF_INIT;
    char text[512];
    rz_server_options o = RZ_SERVER_INIT;
    o.api_keys = keys;
    o.n_api_keys = 2;
    o.rate_per_minute = 2;
    if (!make_server(&r, &o)) return;
    start_server(&r);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        snprintf(text, sizeof text, head, row[i].path, row[i].key);
        const char *reply = ask(&r, &b, text);
        CHECK_MSG(strncmp(reply, row[i].want, strlen(row[i].want)) == 0 &&
                      strstr(reply, row[i].part) != NULL,
                  "%zu: %s", i, reply);
    }
    CHECK(status_of(ask_get(&r, &b, "/health")) == 200);
    stop_server(&r);
    o = (rz_server_options)RZ_SERVER_INIT;
    o.rate_per_minute = 1;
    if (!make_server(&r, &o)) return;
    start_server(&r);
    CHECK(status_of(ask_post(&r, &b, "/tokenize", "{\"text\":\"\"}")) == 200);
    CHECK(strstr(ask_post(&r, &b, "/tokenize", "{\"text\":\"\"}"), "Retry-After: "));
    CHECK(metric(&r, "realizar_http_rate_limited_total") == 1); /* GET is not counted */
    stop_server(&r);
    buf_free(&b);
}

static void test_buckets_fill_again(void) {
    const uint64_t second = 1000000000u;
    rate *r;
    REQUIRE(rate_new(&r, 60, NULL) == RZ_OK);
    for (int i = 0; i < 60; i++) CHECK(rate_ask(r, "a", 1, second) == 0);
    CHECK(rate_ask(r, "a", 1, second) == 1);
    CHECK(rate_ask(r, "b", 1, second) == 0);
    CHECK(rate_ask(r, "a", 1, 2 * second + 1000) == 0);
    CHECK(rate_ask(r, "a", 1, 2 * second + 2000) == 1);
    for (int i = 0; i < 60; i++) CHECK(rate_ask(r, "a", 1, 900 * second) == 0);
    CHECK(rate_ask(r, "a", 1, 900 * second) == 1); /* never more than a minute's */
    /* Any number of others: memory stays what it is, and each has a bucket of its own. */
    for (uint32_t i = 0; i < 100000; i++) CHECK(rate_ask(r, &i, sizeof i, 901 * second) == 0);
    rate_free(r);
}

void suite_rate(void) {
    RUN(test_buckets_fill_again);
    RUN(test_too_many_requests_are_429);
}
