/* test_convert.c - models from one kind of file to the other and back: the tensors, the logits, the
 * tokenizer, and what is refused. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/os.h"
#include "format/hf_dir.h"
#include "format/safetensors.h"
#include "golden.h"
#include "model/convert.h"
#include "test.h"
#include "tokenizer/tok_carry.h"

enum { PATH = 600 };

/* out[PATH]: a new name below this test's temporary one. */
static void name_of(char out[PATH], const char *what, const char *end) {
    static int serial;
    char name[64];
    snprintf(name, sizeof name, "convert-%d-%s%s", serial++, what, end);
    snprintf(out, PATH, "%s", test_temp(name));
}

static bool convert(const char *in, const char *out, const char *type, bool tokenizer) {
    rz_convert_options opt = RZ_CONVERT_INIT;
    rz_error e = {0};
    opt.type = type;
    opt.no_tokenizer = !tokenizer;
    opt.threads = 2;
    if (rz_convert(in, out, &opt, NULL, &e) == RZ_OK) return true;
    test_fail(__FILE__, __LINE__, "%s to %s: %s", in, out, e.text);
    return false;
}

/* ---- Tensors ---- */

static float *values(const tensor_info *t) {
    float *x = malloc(t->n * sizeof *x);
    quant_get(t->type)->to_float(t->data, x, t->n);
    return x;
}

/* Every tensor of one file is in the other, of the same shape; *out is the largest
 * difference, as a part of the tensor's largest value. */
static void compare_files(const char *one, const char *other, double *out) {
    tensor_file *a = NULL, *b = NULL;
    rz_error e = {0};
    double worst = 0;
    *out = INFINITY;
    REQUIRE(tensor_file_open(&a, one, &e) == RZ_OK);
    REQUIRE(tensor_file_open(&b, other, &e) == RZ_OK);
    CHECK_MSG(a->n_tensor == b->n_tensor, "%s: %zu tensors, %zu", one, a->n_tensor, b->n_tensor);
    for (size_t i = 0; i < a->n_tensor; i++) {
        const tensor_info *t = &a->tensor[i], *u = tensor_file_find(b, t->name);
        CHECK_MSG(u && memcmp(t->dim, u->dim, sizeof t->dim) == 0, "%s: %.*s", one,
                  STR_FMT(t->name));
        if (!u || u->n != t->n) continue;
        float *x = values(t), *y = values(u);
        double largest = 1e-30, off = 0;
        for (uint64_t k = 0; k < t->n; k++) {
            largest = fmax(largest, fabs((double)x[k]));
            off = fmax(off, fabs((double)x[k] - (double)y[k]));
        }
        worst = fmax(worst, off / largest);
        free(x);
        free(y);
    }
    tensor_file_close(a);
    tensor_file_close(b);
    *out = worst;
}

/* ---- Logits ---- */

static float *score(const char *path, const golden *g) {
    const golden_case *c = &g->c[1];
    rz_model *m = NULL;
    rz_session *s = NULL;
    rz_error e = {0};
    float *logits = calloc(c->n_prompt * g->n_vocab, sizeof *logits);
    if (rz_model_open(&m, path, NULL, &e) < 0 || rz_session_new(&s, m, 0, RZ_KV_F32, &e) < 0 ||
        rz_session_score(s, c->prompt, c->n_prompt, logits, &e) < 0)
        test_fail(__FILE__, __LINE__, "%s: %s", path, e.text);
    rz_session_free(s);
    rz_model_close(m);
    return logits;
}

static void check_logits(const golden *g, const char *path, double tolerance) {
    float *a = score(g->model_path, g), *b = score(path, g);
    double worst = 0;
    for (size_t i = 0; i < g->c[1].n_prompt * g->n_vocab; i++)
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    CHECK_MSG(worst <= tolerance, "%s: logits differ by %g", path, worst);
    free(a);
    free(b);
}

/* ---- There and back ---- */

/* tolerance: of values that go through a logarithm on the way back; 0: all are exact. */
static void there_and_back(const char *name, double tolerance) {
    golden g;
    char other[PATH], back[PATH];
    if (!golden_open(&g, name, false)) {
        test_skip("golden/models/%s is not there", name);
        return;
    }
    const bool gguf = strstr(g.model_path, ".gguf") != NULL;
    name_of(other, name, gguf ? "" : ".gguf");
    name_of(back, name, gguf ? ".gguf" : "");
    if (convert(g.model_path, other, NULL, !gguf) && convert(other, back, NULL, !gguf)) {
        check_logits(&g, other, 2e-5);
        check_logits(&g, back, tolerance > 0 ? 2e-5 : strstr(name, "rope") ? 2e-6 : 0);
        double worst;
        compare_files(g.model_path, back, &worst);
        CHECK_MSG(worst <= tolerance, "%s: a value differs by %g", name, worst);
    }
    golden_close(&g);
}

static void test_convert_keeps_tensors_and_logits(void) {
    static const char *const exact[] = {"hf-llama",          "hf-llama-f16",   "hf-llama-bf16",
                                        "hf-llama-v5config", "hf-llama3-rope", "hf-mistral",
                                        "hf-qwen2",          "hf-qwen2moe",    "hf-qwen3",
                                        "hf-qwen3moe",       "gguf-llama",     "gguf-qwen2",
                                        "gguf-qwen2moe",     "gguf-qwen3",     "gguf-llama256-bf16",
                                        "gguf-llama256-f16", "hf-mixtral",     "gguf-mixtral"};
    static const char *const rounded[] = {"hf-mamba", "hf-mamba2", "gguf-mamba", "gguf-mamba2",
                                          "gguf-llama3-rope"};
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) there_and_back(exact[i], 0);
    for (size_t i = 0; i < sizeof rounded / sizeof *rounded; i++) there_and_back(rounded[i], 3e-7);
}

/* GGUF has no names for these: they go as they are, and not a bit changes. */
static void test_convert_carries_what_gguf_has_no_form_for(void) {
    static const char *const names[] = {
        "ox-mamba1",      "ox-mamba2",           "ox-mamba3-conv", "ox-mamba3-mimo4",
        "ox-mla-mlp",     "ox-mla-moe-noconfig", "ox-transformer", "ox-nano-hybrid-noconfig",
        "ox-nano-hybrid", "ssm-mamba3-official"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        golden g;
        char other[PATH], back[PATH];
        if (!golden_open(&g, names[i], false)) {
            test_skip("golden/models/%s is not there", names[i]);
            continue;
        }
        name_of(other, names[i], ".gguf");
        name_of(back, names[i], "");
        if (convert(g.model_path, other, NULL, true) && convert(other, back, NULL, true)) {
            check_logits(&g, other, 0);
            check_logits(&g, back, 0);
            double worst;
            compare_files(g.model_path, back, &worst);
            CHECK(worst == 0);
        }
        golden_close(&g);
    }
}

static void check_quantized(const char *name) {
    golden g;
    char made[PATH], folder[PATH];
    rz_model *a = NULL, *b = NULL;
    rz_model_options quant = RZ_MODEL_INIT;
    rz_model_info x, y;
    if (!golden_open(&g, name, false)) {
        test_skip("golden/models/%s is not there", name);
        return;
    }
    quant.quant = "Q8_0";
    name_of(made, name, ".gguf");
    name_of(folder, name, "");
    if (convert(g.model_path, made, "Q8_0", true) && convert(made, folder, NULL, true)) {
        REQUIRE(rz_model_open(&a, g.model_path, &quant, NULL) == RZ_OK);
        REQUIRE(rz_model_open(&b, made, NULL, NULL) == RZ_OK);
        rz_model_describe(a, &x);
        rz_model_describe(b, &y);
        CHECK_MSG(strcmp(y.quant, "Q8_0") == 0, "%s is %s", name, y.quant);
        CHECK_MSG(x.params == y.params, "%s: %llu weights", name, (unsigned long long)y.params);
        rz_model_close(a);
        rz_model_close(b);
        double worst;
        compare_files(g.model_path, folder, &worst);
        CHECK_MSG(worst > 0 && worst < 0.006, "%s: a value is off by %g", name, worst);
    }
    golden_close(&g);
}

static void test_convert_quantizes_on_the_way(void) {
    check_quantized("hf-llama");
    check_quantized("hf-qwen3moe");
    check_quantized("hf-mamba2");
    check_quantized("ox-nano-hybrid");
}

/* ---- Tokenizers ---- */

static void check_carried(const char *name) {
    char inner[96], folder[PATH];
    tensor_file *f = NULL, *again = NULL;
    tok *before = NULL, *in_folder = NULL, *after = NULL;
    gguf_writer *w = NULL;
    buf file = BUF_INIT;
    rz_error e = {0};
    snprintf(inner, sizeof inner, "vocabs/ggml/%s", name);
    const char *path = test_shared(inner);
    if (!path || tensor_file_open(&f, path, &e) < 0) {
        test_skip("%s is not there", inner);
        return;
    }
    name_of(folder, name, "");
    REQUIRE(mkdir(folder, 0700) == 0);
    REQUIRE(tok_open_gguf(&before, f, &e) == RZ_OK && before);
    if (tok_carry_to_folder(f, folder, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    const tensor_file beside = {.path = "folder", .folder = folder};
    if (tok_open_model(&in_folder, &beside, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    if (tok_carry_check(before, in_folder, name, &e) < 0)
        test_fail(__FILE__, __LINE__, "into a folder: %s", e.text);
    REQUIRE(gguf_writer_new(&w, &e) == RZ_OK);
    if (tok_carry_to_gguf(&beside, tok_size(before) + 3, w, &e) < 0)
        test_fail(__FILE__, __LINE__, "%s", e.text);
    REQUIRE(gguf_write_buf(w, &file, &e) == RZ_OK);
    REQUIRE(tensor_file_open_memory(&again, file.p, file.len, &e) == RZ_OK);
    if (tok_open_gguf(&after, again, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    if (tok_carry_check(before, after, name, &e) < 0)
        test_fail(__FILE__, __LINE__, "and back: %s", e.text);
    CHECK(after && tok_size(after) == tok_size(before) + 3);
    tok_close(before);
    tok_close(in_folder);
    tok_close(after);
    gguf_writer_free(w);
    tensor_file_close(f);
    tensor_file_close(again);
    buf_free(&file);
}

static void test_convert_carries_tokenizers(void) {
    check_carried("ggml-vocab-gpt-2.gguf");
    check_carried("ggml-vocab-llama-spm.gguf");
}

/* ---- Refusals ---- */

static void check_refused(const char *in, const char *out, const char *type, const char *why) {
    rz_convert_options opt = RZ_CONVERT_INIT;
    rz_error e = {0};
    opt.type = type;
    const rz_status s = rz_convert(in, out, &opt, NULL, &e);
    CHECK_MSG(s < 0 && strstr(e.text, why) && !strchr(e.text, '\n'), "\"%s\", expected \"%s\"",
              e.text, why);
}

static void test_convert_refuses_what_it_cannot_say(void) {
    char gguf[PATH], folder[PATH];
    golden g;
    name_of(gguf, "refused", ".gguf");
    name_of(folder, "refused", "");
    if (golden_open(&g, "hf-gemma2", false)) {
        check_refused(g.model_path, gguf, NULL, "gemma2 models are not converted between");
        golden_close(&g);
    }
    if (golden_open(&g, "gguf-llama256-q4_0", false)) {
        check_refused(g.model_path, gguf, "Q8_0", "is Q4_0 already");
        check_refused(g.model_path, folder, "Q8_0", "matrices of a folder are F32, F16 or BF16");
        check_refused(g.model_path, "x.safetensors", NULL, "name a folder, or a file that ends in");
        check_refused(g.model_path, g.model_path, NULL, "is the file that is read");
        check_refused(g.model_path, "/", NULL, "is there already");
        golden_close(&g);
    }
    CHECK(os_path_kind(gguf) == OS_NOTHING && os_path_kind(folder) == OS_NOTHING);
    check_refused("no-such-thing.gguf", gguf, NULL, "No such file");
}

static void test_convert_refuses_partial_rotation_in_pairs(void) {
    golden g;
    char gguf[PATH];
    rz_error e = {0};
    rz_convert_options opt = RZ_CONVERT_INIT;
    static const char *const sets[] = {"partial_rotary_factor=0.5"};
    if (!golden_open(&g, "hf-llama", false)) {
        test_skip("golden/models/hf-llama is not there");
        return;
    }
    name_of(gguf, "compared", ".gguf");
    opt.set = sets;
    opt.n_set = 1;
    /* Half of each head rotates: the rows of pairs and of halves do not correspond any more. */
    CHECK(rz_convert(g.model_path, gguf, &opt, NULL, &e) == RZ_EUNSUPPORTED);
    CHECK_MSG(strstr(e.text, "rotates only"), "%s", e.text);
    CHECK(os_path_kind(gguf) == OS_NOTHING);
    golden_close(&g);
}

void suite_convert(void) {
    RUN(test_convert_keeps_tensors_and_logits);
    RUN(test_convert_carries_what_gguf_has_no_form_for);
    RUN(test_convert_quantizes_on_the_way);
    RUN(test_convert_carries_tokenizers);
    RUN(test_convert_refuses_what_it_cannot_say);
    RUN(test_convert_refuses_partial_rotation_in_pairs);
}
