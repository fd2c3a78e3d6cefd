/* test_apr.c - the container of .apr files: the layout byte by byte, and every kind of damage. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/crc32.h"
#include "base/os.h"
#include "classic/classic.h"
#include "format/msgpack.h"
#include "guarded.h"
#include "test.h"

enum { N = 784, FILE_BYTES = 3248 };

/* The file that the layout was decoded from had weights with these properties (and others that
 * nobody wrote down): first, second and last, least and largest, their sum, and their sum weighed
 * with (j mod 256) / 255. Any such weights give its predictions. */
static void golden_weights(float *w) {
    const double b = 0.011170970, sum = 4.3759893, ramp_sum = 2.16547559 - b;
    double s1 = 0, sr = 0, srr = 0, rest = sum, rest_ramp = ramp_sum;
    static const struct {
        int at;
        double w;
    } fixed[] = {{0, 0.0025542672},
                 {1, 0.0050530219},
                 {783, 0.0057581053},
                 {400, 0.0018470},
                 {500, 0.0094230}};
    bool is_fixed[N] = {false};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        is_fixed[fixed[i].at] = true;
        w[fixed[i].at] = (float)fixed[i].w;
        rest -= fixed[i].w;
        rest_ramp -= fixed[i].w * (fixed[i].at % 256) / 255;
    }
    for (int j = 0; j < N; j++) {
        const double r = (j % 256) / 255.0;
        if (is_fixed[j]) continue;
        s1 += 1;
        sr += r;
        srr += r * r;
    }
    /* w = p + q r with both sums right. */
    const double q = (s1 * rest_ramp - sr * rest) / (s1 * srr - sr * sr), p = (rest - q * sr) / s1;
    for (int j = 0; j < N; j++)
        if (!is_fixed[j]) w[j] = (float)(p + q * ((j % 256) / 255.0));
}

static void put_u32(buf *b, uint32_t v) { buf_add(b, &v, 4); }
static void put_f32(buf *b, float v) { buf_add(b, &v, 4); }

/* The file by its layout, with nothing of the code under test. */
static void golden_file(buf *b) {
    static const char meta[] =
        "\x82\xaa"
        "created_at\xaa"
        "1764278947\xb0"
        "aprender_version\xa6"
        "0.11.0";
    float w[N];
    const uint64_t n = N, iterations = 100;
    golden_weights(w);
    buf_add(b, "APRN\x01\x00\x02\x00", 8);
    put_u32(b, 47);
    put_u32(b, 3165);
    put_u32(b, 3165);
    for (int i = 0; i < 12; i++) buf_char(b, 0);
    buf_add(b, meta, sizeof meta - 1);
    buf_char(b, 1);
    buf_add(b, &n, 8);
    buf_add(b, w, sizeof w);
    put_f32(b, 0.011170970f);
    put_f32(b, 0.01f);
    buf_add(b, &iterations, 8);
    put_f32(b, 1e-4f);
    put_u32(b, crc32_add(0, b->p, b->len));
}

static void test_crc32_of_known_text(void) {
    CHECK(crc32_add(0, "123456789", 9) == 0xcbf43926);
    CHECK(crc32_add(crc32_add(0, "12345", 5), "6789", 4) == 0xcbf43926);
    CHECK(crc32_add(0, "", 0) == 0);
}

static void test_the_layout_of_the_published_file(void) {
    buf b = BUF_INIT, again = BUF_INIT;
    classic *c = NULL;
    err e = {0};
    golden_file(&b);
    CHECK(b.len == FILE_BYTES);
    CHECK(memcmp(b.p + 0x58 - 8 - 1, "\x01\x10\x03", 3) == 0);
    REQUIRE(classic_parse(&c, "golden", buf_view(&b), &e) == RZ_OK);
    CHECK(c->type == 2 && c->inputs == N && c->classes == 2 && c->outputs == 1);
    CHECK_STR(c->name, "LogisticRegression");
    CHECK(str_is(json_get(c->meta, "created_at")->text, "1764278947"));
    CHECK(str_is(json_get(c->meta, "aprender_version")->text, "0.11.0"));
    CHECK(classic_write(c, &again, &e) == RZ_OK);
    CHECK(again.len == b.len && memcmp(again.p, b.p, b.len) == 0);
    classic_free(c);
    buf_free(&b);
    buf_free(&again);
}

static void test_a_minor_version_is_kept(void) {
    buf b = BUF_INIT, again = BUF_INIT;
    classic *c = NULL;
    golden_file(&b);
    b.p[5] = 3;
    const uint32_t crc = crc32_add(0, b.p, b.len - 4);
    memcpy(b.p + b.len - 4, &crc, 4);
    REQUIRE(classic_parse(&c, "f", buf_view(&b), NULL) == RZ_OK);
    CHECK(classic_write(c, &again, NULL) == RZ_OK);
    CHECK(again.len == b.len && memcmp(again.p, b.p, b.len) == 0);
    classic_free(c);
    buf_free(&b);
    buf_free(&again);
}

static void test_golden_predictions(void) {
    static const struct {
        double constant; /* of every input; negative: the ramp */
        double logit, p;
    } rows[] = {{0, 0.01117097, 0.50279271},
                {0.5, 2.19916560, 0.90017456},
                {1, 4.38716023, 0.98771676},
                {-1, 2.16547559, 0.89710608}};
    buf b = BUF_INIT;
    classic *c = NULL;
    float x[4][N], y[4], p[4][2];
    golden_file(&b);
    REQUIRE(classic_parse(&c, "golden", buf_view(&b), NULL) == RZ_OK);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < N; j++)
            x[i][j] = (float)(rows[i].constant < 0 ? (j % 256) / 255.0 : rows[i].constant);
    CHECK(classic_run(c, x[0], 4, N, true, p[0], 2, NULL) == RZ_OK);
    CHECK(classic_run(c, x[0], 4, N, false, y, 1, NULL) == RZ_OK);
    for (int i = 0; i < 4; i++) {
        CHECK_MSG(fabs((double)p[i][1] - rows[i].p) < 5e-7, "row %d: %.9g", i, (double)p[i][1]);
        const double logit = log((double)p[i][1] / (double)p[i][0]);
        CHECK_MSG(fabs(logit - rows[i].logit) < 2e-5, "row %d: logit %.9g", i, logit);
        CHECK(fabs((double)p[i][0] + (double)p[i][1] - 1) < 1e-6 && y[i] == 1);
    }
    classic_free(c);
    buf_free(&b);
}

static void test_every_flipped_bit_is_an_error(void) {
    buf b = BUF_INIT;
    golden_file(&b);
    for (size_t i = 0; i < b.len; i++) {
        const int bit = (int)(i % 8);
        classic *c = NULL;
        err e = {0};
        b.p[i] = (char)(b.p[i] ^ 1 << bit);
        const status s = classic_parse(&c, "f", buf_view(&b), &e);
        CHECK_MSG(s < 0 && !c && e.text[0], "byte %zu, bit %d", i, bit);
        b.p[i] = (char)(b.p[i] ^ 1 << bit);
    }
    for (size_t n = 0; n < b.len; n += n < 100 ? 1 : 97) {
        classic *c = NULL;
        err e = {0};
        const str cut = {(const char *)guarded(b.p, n), n};
        CHECK_MSG(classic_parse(&c, "f", cut, &e) == RZ_EFORMAT, "%zu bytes: %s", n, e.text);
    }
    buf_free(&b);
}

/* A file of this payload with a right checksum. */
static status parse_payload(uint16_t type, const void *bytes, size_t len, err *e) {
    classic *c = NULL;
    const status s = classic_from_payload(&c, type, (str){bytes, len}, STR_LIT("\x80"), e);
    CHECK((c != NULL) == (s == RZ_OK));
    classic_free(c);
    return s;
}

static void test_what_is_refused(void) {
    err e = {0};
    CHECK(parse_payload(0x50, "", 0, &e) == RZ_EUNSUPPORTED);
    CHECK_STR(e.text, "<fitted>: models of type TransformerLM (0x50) are not supported");
    CHECK(parse_payload(0x77, "", 0, &e) == RZ_EUNSUPPORTED);
    CHECK_STR(e.text, "<fitted>: model type 0x77 is not known");
    CHECK(parse_payload(2, "", 0, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "<fitted>: the payload ends before the tag of the weights");
    CHECK(parse_payload(2, "\0", 1, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "<fitted>: the model was never fitted: it has no weights (tag 0)");
    CHECK(parse_payload(1, "\1\377\377\377\3\0\0\0\0", 9, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "<fitted>: weights: 67108863 times 1 floats, but 0 bytes are left");
    CHECK(parse_payload(1, "\1\1\0\0\0\0\0\0\0\0\0\300\177\0\0\0\0\1", 18, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "<fitted>: weights: number 0 is not finite");
    CHECK(parse_payload(1, "\1\1\0\0\0\0\0\0\0\0\0\200\77\0\0\0\0\1\0", 19, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "<fitted>: LinearRegression: 1 bytes are left over behind its payload");
    CHECK(parse_payload(1, "\1\1\0\0\0\0\0\0\0\0\0\200\77\0\0\0\0\1", 18, &e) == RZ_OK);
}

/* Bytes of the head that ask for what is not done here, with the checksum made right again. */
static void test_features_of_the_head(void) {
    static const struct {
        size_t at;
        char value;
        status status;
        const char *text;
    } rows[] = {
        {4, 2, RZ_EUNSUPPORTED, "f: .apr version 2.0, this program reads 1"},
        {20, 9, RZ_EUNSUPPORTED, "f: its payload is compressed (method 9)"},
        {21, 2, RZ_EUNSUPPORTED, "f: flags are 0x02: encrypted, signed or in chunks"},
        {25, 1, RZ_EUNSUPPORTED, "f: byte 25 of its head is 1, expected 0"},
        {16, 1, RZ_EFORMAT,
         "f: its payload has 3165 bytes stored and 3073 uncompressed, without compression"},
        {8, 48, RZ_EFORMAT, "f: 3248 bytes, but its head says 3249 (metadata 48, payload 3165)"},
        {32, (char)0x91, RZ_EFORMAT, "f: metadata: 35 bytes are left over behind its value"},
        {33, (char)0xc1, RZ_EFORMAT, "f: metadata: byte 1 is c1, which is no MessagePack"},
        {33, 0x01, RZ_EFORMAT, "f: metadata: the key at byte 1 is number, expected a string"},
    };
    buf b = BUF_INIT;
    golden_file(&b);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        classic *c = NULL;
        err e = {0};
        const char was = b.p[rows[i].at];
        b.p[rows[i].at] = rows[i].value;
        uint32_t crc = crc32_add(0, b.p, b.len - 4);
        memcpy(b.p + b.len - 4, &crc, 4);
        CHECK(classic_parse(&c, "f", buf_view(&b), &e) == rows[i].status);
        CHECK_STR(e.text, rows[i].text);
        b.p[rows[i].at] = was;
    }
    buf_free(&b);
}

static void test_msgpack_values(void) {
    static const char bytes[] =
        "\x8a"
        "\xa1"
        "a\xcd\x01\x00"
        "\xa1"
        "b\xd1\xff\x00"
        "\xa1"
        "c\xcb\x3f\xf8\0\0\0\0\0\0"
        "\xa1"
        "d\xc3"
        "\xa1"
        "e\xc0"
        "\xa1"
        "f\x93\x01\xff\xa1x"
        "\xa1"
        "g\xc4\x02\xab\x01"
        "\xa1"
        "h\xd4\x05\x00"
        "\xa1"
        "i\xca\x7f\x80\0\0"
        "\xa1"
        "j\xcf\xff\xff\xff\xff\xff\xff\xff\xff";
    arena mem = ARENA_INIT;
    buf out = BUF_INIT;
    json *v = NULL;
    err e = {0};
    CHECK_MSG(msgpack_parse(&v, (str){bytes, sizeof bytes - 1}, &mem, &e) == RZ_OK, "%s", e.text);
    if (v) json_write(&out, v);
    CHECK_STR(buf_cstr(&out),
              "{\"a\":256,\"b\":-256,\"c\":1.5,\"d\":true,\"e\":null,\"f\":[1,-1,\"x\"],"
              "\"g\":\"ab01\",\"h\":null,\"i\":null,\"j\":18446744073709551615}");
    CHECK(msgpack_parse(&v, STR_LIT("\x82\xa1x\x01\xa1x\x02"), &mem, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "metadata: key \"x\" is there twice");
    char deep[64];
    memset(deep, 0x91, sizeof deep);
    CHECK(msgpack_parse(&v, (str){deep, sizeof deep}, &mem, &e) == RZ_EFORMAT);
    CHECK_STR(e.text, "metadata is nested over 32 deep");
    CHECK(msgpack_parse(&v, STR_LIT("\xdd\xff\xff\xff\xff"), &mem, &e) == RZ_EFORMAT);
    buf_free(&out);
    arena_free(&mem);
}

static void test_msgpack_writes_what_it_reads(void) {
    arena mem = ARENA_INIT;
    buf b = BUF_INIT, out = BUF_INIT;
    json *v = NULL;
    char text[70000];
    memset(text, 'x', sizeof text);
    static const size_t len[] = {0, 31, 32, 255, 256, 65535, 65536};
    msgpack_array(&b, 7);
    for (size_t i = 0; i < 7; i++) msgpack_str(&b, (str){text, len[i]});
    REQUIRE(msgpack_parse(&v, buf_view(&b), &mem, NULL) == RZ_OK);
    size_t i = 0;
    for (const json *s = v->child; s; s = s->next) CHECK(s->text.len == len[i++]);
    buf_clear(&b);
    msgpack_map(&b, 20);
    for (int k = 0; k < 20; k++) {
        buf_printf(&out, "k%d", k);
        msgpack_str(&b, buf_view(&out));
        msgpack_str(&b, STR_LIT("v"));
        buf_clear(&out);
    }
    CHECK(msgpack_parse(&v, buf_view(&b), &mem, NULL) == RZ_OK && v->n == 20);
    buf_free(&b);
    buf_free(&out);
    arena_free(&mem);
}

static void test_a_file_is_written_as_it_was_read(void) {
    buf b = BUF_INIT;
    rz_predictor *p = NULL;
    size_t len = 0;
    const char *path = test_temp("golden.apr"), *copy = test_temp("copy.apr");
    golden_file(&b);
    REQUIRE(os_write_file(path, b.p, b.len, NULL) == RZ_OK);
    CHECK(rz_predictor_is(path) == 1 && rz_predictor_is("models/demo.gguf") == 0);
    REQUIRE(rz_predictor_open(&p, path, NULL) == RZ_OK);
    CHECK(rz_predictor_save(p, copy, NULL) == RZ_OK);
    char *again = test_read_file(copy, &len);
    CHECK(again && len == b.len && memcmp(again, b.p, len) == 0);
    rz_predictor_info info;
    rz_predictor_describe(p, &info);
    CHECK(info.inputs == N && info.classes == 2 && info.proba && info.file_bytes == FILE_BYTES);
    const char *key = NULL, *type = NULL;
    char text[8];
    CHECK(rz_predictor_meta_at(p, 0, &key, &type, text, sizeof text) == 10);
    CHECK_STR(key, "created_at");
    CHECK_STR(type, "string");
    CHECK_STR(text, "1764278");
    CHECK(rz_predictor_meta_at(p, 2, &key, &type, text, sizeof text) == -1);
    CHECK(rz_predictor_label(p, 0) == NULL);
    free(again);
    rz_predictor_close(p);
    rz_predictor_close(NULL);
    buf_free(&b);
}

void suite_apr(void) {
    RUN(test_crc32_of_known_text);
    RUN(test_the_layout_of_the_published_file);
    RUN(test_a_minor_version_is_kept);
    RUN(test_golden_predictions);
    RUN(test_every_flipped_bit_is_an_error);
    RUN(test_what_is_refused);
    RUN(test_features_of_the_head);
    RUN(test_msgpack_values);
    RUN(test_msgpack_writes_what_it_reads);
    RUN(test_a_file_is_written_as_it_was_read);
}
