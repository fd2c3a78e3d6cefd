/* test_vectors.c - vectors over HTTP: they are rz_embed's, in every dialect's shape, and the loop
 * never waits for them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/mem.h"
#include "json/json.h"
#include "serving.h"
#include "test.h"

enum { WIDTH = 96, TEXTS = 1500 }; /* of the demo model; enough texts to be busy with for a while */

static void test_vectors_are_given(void) {
    static const exchange list[] = {
        {"/v1/embeddings", "{\"input\":\"Once\"}", 200,
         "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":["},
        {"/v1/embeddings", "{\"input\":[\"Once\",\"upon\"],\"user\":\"x\"}", 200,
         "\"index\":1,\"embedding\":["},
        {"/v1/embeddings", "{\"input\":[\"Once\",\"upon\"]}", 200,
         "],\"model\":\"default\",\"usage\":{\"prompt_tokens\":7,\"total_tokens\":7}}"},
        {"/v1/embeddings", "{\"input\":[317,381]}", 200,
         "\"usage\":{\"prompt_tokens\":2,\"total_tokens\":2}}"},
        {"/v1/embeddings", "{\"input\":[[317],[381,365]]}", 200, "\"prompt_tokens\":3,"},
        {"/v1/embeddings", "{\"input\":\"Once\",\"encoding_format\":\"base64\"}", 200,
         "\"embedding\":\""},
        {"/api/embed", "{\"model\":\"x\",\"input\":\"Once\"}", 200,
         "{\"model\":\"default\",\"embeddings\":[["},
        {"/api/embed", "{\"input\":[\"Once\",\"a\"]}", 200, "],\"total_duration\":"},
        {"/api/embed", "{\"input\":[]}", 200, "\"embeddings\":[]}"},
        {"/api/embed", "{\"input\":\"\"}", 200, "\"embeddings\":[]}"},
        {"/api/embeddings", "{\"prompt\":\"Once\"}", 200, "{\"embedding\":["},
        {"/api/embeddings", "{}", 200, "{\"embedding\":[]}"},
        {"/rerank",
         "{\"query\":\"the dog\",\"documents\":[\"a cat\",\"the dog\",{\"text\":\"night\"}]}", 200,
         "\"results\":[{\"index\":1,\"relevance_score\":1},{\"index\":"},
        {"/v1/rerank",
         "{\"query\":\"dog\",\"documents\":[\"a\",\"dog\"],\"top_n\":1,\"return_documents\":true}",
         200, "\"results\":[{\"index\":1,\"relevance_score\":1,\"document\":{\"text\":\"dog\"}}]}"},
    };
    check_demo(NULL, list, sizeof list / sizeof *list);
}

#define HUNDRED "the dog the dog the dog the dog the dog the dog the dog the dog the dog the dog "
#define LONG HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED

static void test_what_has_no_vector_is_refused(void) {
    static const exchange list[] = {
#define BAD(path, sent, part) {path, sent, 400, "{\"error\":{\"message\":\"" part}
        BAD("/v1/embeddings", "{}", "missing field `input`"),
        BAD("/v1/embeddings", "{\"input\":\"\"}", "text 0 is empty"),
        BAD("/v1/embeddings", "{\"input\":[\"a\",\"\"]}", "text 1 is empty"),
        BAD("/v1/embeddings", "{\"input\":[]}", "field `input` must be a text, a list"),
        BAD("/v1/embeddings", "{\"input\":5}", "field `input` must be a text, a list"),
        BAD("/v1/embeddings", "{\"input\":[\"a\",1]}", "field `input` must be a text, a list"),
        BAD("/v1/embeddings", "{\"input\":[[1,\"a\"]]}", "field `input` must hold token ids below"),
        BAD("/v1/embeddings", "{\"input\":[512]}", "field `input` must hold token ids below 512"),
        BAD("/v1/embeddings", "{\"input\":\"a\",\"dimensions\":97}",
            "field `dimensions` must be from 1 to 96"),
        BAD("/v1/embeddings", "{\"input\":\"a\",\"dimensions\":0}", "field `dimensions` must be"),
        BAD("/v1/embeddings", "{\"input\":\"a\",\"encoding_format\":\"hex\"}",
            "field `encoding_format` must be"),
        BAD("/v1/embeddings", "{\"input\":\"" LONG "\"}", "text 0 is "),
        BAD("/rerank", "{\"documents\":[\"a\"]}", "missing field `query`"),
        BAD("/rerank", "{\"query\":\"\",\"documents\":[\"a\"]}", "field `query` is empty"),
        BAD("/rerank", "{\"query\":\"a\",\"documents\":[]}", "field `documents` is empty"),
        BAD("/rerank", "{\"query\":\"a\",\"documents\":[7]}", "field `documents` must hold texts"),
        BAD("/rerank", "{\"query\":\"a\",\"documents\":[\"b\"],\"top_n\":0}",
            "field `top_n` must be from 1"),
#undef BAD
        {"/api/embed", "{\"input\":\"" LONG "\"}", 200, "\"prompt_eval_count\":192}"},
        {"/api/embed", "{\"input\":\"" LONG "\",\"truncate\":false}", 400,
         "{\"error\":\"text 0 is "},
        {"/api/embed", "{}", 400, "{\"error\":\"missing field `input`\"}"},
    };
    check_demo(NULL, list, sizeof list / sizeof *list);
}

/* The list of numbers behind `from` in the reply. */
static size_t numbers_of(const char *body, const char *from, float *out) {
    const char *at = strstr(body, from);
    size_t n = 0;
    char *end;
    if (!at) return 0;
    for (at += strlen(from); n < WIDTH; at = end + 1) {
        out[n++] = strtof(at, &end);
        if (*end != ',') break;
    }
    return n;
}

static void test_vectors_are_those_of_the_library(void) {
    static const char asked[] = "{\"input\":\"Once upon a time\"}";
    rz_embed_options raw = RZ_EMBED_INIT;
    float want[WIDTH], got[WIDTH] = {0};
    running r;
    buf b = BUF_INIT;
    raw.raw = 1;
    if (!make_server(&r, NULL)) return;
    start_server(&r);
    REQUIRE(rz_embed(r.model, "Once upon a time", 16, NULL, want, NULL, NULL) == RZ_OK);
    CHECK(numbers_of(ask_post(&r, &b, "/v1/embeddings", asked), "\"embedding\":[", got) == WIDTH);
    CHECK(memcmp(got, want, sizeof got) == 0);
    CHECK(numbers_of(ask_post(&r, &b, "/api/embed", asked), "\"embeddings\":[[", got) == WIDTH);
    CHECK(memcmp(got, want, sizeof got) == 0);
    const char *reply = ask_post(&r, &b, "/v1/embeddings",
                                 "{\"input\":\"Once upon a time\",\"encoding_format\":\"base64\"}");
    const char *text = strstr(reply, "\"embedding\":\"");
    const size_t len = base64_length(sizeof got);
    char bytes[sizeof got + 3];
    CHECK(text && base64_decode((str){text + 13, len}, bytes) == sizeof got);
    CHECK(memcmp(bytes, want, sizeof want) == 0);
    /* Fewer numbers: the same direction, length 1. */
    CHECK(numbers_of(ask_post(&r, &b, "/v1/embeddings",
                              "{\"input\":\"Once upon a time\",\"dimensions\":7}"),
                     "\"embedding\":[", got) == 7);
    double length = 0;
    for (int i = 0; i < 7; i++) length += (double)got[i] * (double)got[i];
    CHECK_MSG(fabs(length - 1) < 1e-6, "%g", length);
    CHECK(fabsf(got[1] / got[0] - want[1] / want[0]) < 1e-5f * fabsf(want[1] / want[0]));
    REQUIRE(rz_embed(r.model, "Once upon a time", 16, &raw, want, NULL, NULL) == RZ_OK);
    CHECK(numbers_of(ask_post(&r, &b, "/api/embeddings", "{\"prompt\":\"Once upon a time\"}"),
                     "\"embedding\":[", got) == WIDTH);
    CHECK(memcmp(got, want, sizeof got) == 0);
    stop_server(&r);
    buf_free(&b);
}

/* A request for so many vectors that it is still being worked on when others are answered. */
static void format_many(buf *out, const char *more) {
    buf texts = BUF_INIT;
    for (int i = 0; i < TEXTS; i++)
        buf_printf(&texts, "%s\"%d %s\"", i ? "," : "{\"input\":[", i, HUNDRED HUNDRED HUNDRED);
    buf_printf(&texts, "]%s}", more);
    format_post(out, "/v1/embeddings", buf_cstr(&texts), "Connection: close\r\n");
    buf_free(&texts);
}

static void test_the_loop_does_not_wait_for_vectors(void) {
    running r;
    buf many = BUF_INIT, b = BUF_INIT;
    if (!make_server(&r, NULL)) return;
    start_server(&r);
    format_many(&many, "");
    const int fd = dial(&r);
    put(fd, many.p, many.len);
    CHECK(becomes(&r, "realizar_jobs", 1));
    CHECK(status_of(ask_get(&r, &b, "/health")) == 200);
    CHECK(metric(&r, "realizar_jobs") == 1); /* /health did not wait for it */
    /* Nobody waits for them any more. */
    close(fd);
    CHECK(becomes(&r, "realizar_jobs", 0));
    CHECK(metric(&r, "realizar_requests_canceled_total") > 0);
    buf_clear(&many);
    format_many(&many, ",\"timeout\":0.001");
    const int late = dial(&r);
    put(late, many.p, many.len);
    CHECK(status_of(hear(late, &b, NULL)) == 200); /* /health's is still in b */
    CHECK_MSG(strstr(buf_cstr(&b), "HTTP/1.1 504 ") != NULL, "%s", buf_cstr(&b));
    close(late);
    CHECK(becomes(&r, "realizar_jobs", 0));
    stop_server(&r);
    buf_free(&many);
    buf_free(&b);
}

static void test_stopping_ends_vectors(void) {
    running r;
    buf many = BUF_INIT;
    if (!make_server(&r, NULL)) return;
    start_server(&r);
    format_many(&many, "");
    const int fd = dial(&r);
    put(fd, many.p, many.len);
    CHECK(becomes(&r, "realizar_jobs", 1));
    rz_server_stop(r.server);
    rz_server_stop(r.server);
    wait_server(&r);
    CHECK(r.status == RZ_ECANCELED);
    close(fd);
    buf_free(&many);
}

/* Wherever memory runs out, that request fails and the next one works. */
static void test_out_of_memory_costs_one_request(void) {
    running r;
    buf text = BUF_INIT, b = BUF_INIT;
    if (!make_server(&r, NULL)) return;
    start_server(&r);
    format_post(&text, "/v1/embeddings", "{\"input\":[\"Once\",\"upon\"]}",
                "Connection: close\r\n");
    char *request = strdup(buf_cstr(&text));
    buf_reserve(&b, 65536);
    bool hit = true;
    for (long n = 1; hit && n < 400; n++) {
        const int fd = dial(&r);
        char reply[4096];
        mem_fail_at(n);
        say(fd, request);
        while (recv(fd, reply, sizeof reply, 0) > 0) continue;
        hit = mem_fail_hit();
        mem_fail_at(0);
        close(fd);
        CHECK(becomes(&r, "realizar_jobs", 0));
    }
    CHECK(!hit);
    CHECK(status_of(ask_post(&r, &b, "/v1/embeddings", "{\"input\":\"a\"}")) == 200);
    free(request);
    buf_free(&text);
    buf_free(&b);
    stop_server(&r);
}

void suite_vectors(void) {
    RUN(test_vectors_are_given);
    RUN(test_what_has_no_vector_is_refused);
    RUN(test_vectors_are_those_of_the_library);
    RUN(test_the_loop_does_not_wait_for_vectors);
    RUN(test_stopping_ends_vectors);
    RUN(test_out_of_memory_costs_one_request);
}
