/* test_model.c - logits and greedy tokens against other engines, however the work is cut up. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/api.h"
#include "base/mem.h"
#include "base/os.h"
#include "format/gguf.h"
#include "golden.h"
#include "model/arch.h"
#include "test.h"

typedef struct golden_row {
    const char *name;
    double tolerance; /* largest difference allowed, or ... */
    double
        nmse; /* ... sum (a-b)^2 / sum b^2 against the exact logits, when activations are rounded */
    bool exact;
    size_t context; /* 0: the model's own */
} golden_row;

static const golden_row rows[] = {
    {"gguf-llama", 5e-4, 0, false, 0},
    {"gguf-llama3-rope", 5e-4, 0, false, 0},
    {"gguf-llama256-f16", 5e-4, 0, true, 0},
    {"gguf-llama256-bf16", 5e-4, 0, true, 0},
    {"gguf-llama256-q8_0", 0, 0.00086, true, 0},
    {"gguf-llama256-q4_0", 0, 0.00083, true, 0},
    {"stories260K", 1e-4, 0, false, 0},
    {"gguf-qwen2", 5e-4, 0, false, 0},
    {"gguf-qwen3", 5e-4, 0, false, 0},
    {"gguf-gemma2", 5e-4, 0, true, 0},
    {"gguf-gemma3", 5e-4, 0, true, 0},
    {"gguf-gpt2", 5e-4, 0, true, 0},
    {"gguf-gptneox", 5e-4, 0, true, 0},
    {"gguf-falcon", 5e-4, 0, true, 0},
    {"gguf-mixtral", 5e-4, 0, false, 0},
    {"gguf-qwen2moe", 5e-4, 0, false, 0},
    {"gguf-mamba", 5e-4, 0, false, 0},
    {"gguf-mamba2", 5e-4, 0, false, 0},
    {"gguf-phi3", 5e-4, 0, false, 256},
    {"gguf-phi3-long", 5e-4, 0, false, 256},
    {"gguf-bloom", 5e-4, 0, true, 0},
};

/* The trainer's layers, alone and mixed, with a config.json and with names and shapes alone. */
static const golden_row oxidizr_rows[] = {
    {"ox-transformer", 2e-4, 0, false, 0},
    {"ox-transformer-noconfig", 2e-4, 0, false, 0},
    {"ox-mla-mlp", 2e-4, 0, false, 0},
    {"ox-mla-moe", 2e-4, 0, false, 0},
    {"ox-mla-moe-noconfig", 2.5e-4, 0, false, 0},
    {"ox-mla-moe-noshared", 2.1e-4, 0, false, 0},
    {"ox-mla-moe-noshared-noconfig", 3.1e-4, 0, false, 0},
    {"ox-mamba1", 2.7e-4, 0, false, 0},
    {"ox-mamba1-noconfig", 8.3e-4, 0, false, 0},
    {"ox-mamba2", 2e-4, 0, false, 0},
    {"ox-mamba2-noconfig", 2e-4, 0, false, 0},
    {"ox-mamba3", 2e-4, 0, false, 0},
    {"ox-mamba3-noconfig", 2e-4, 0, false, 0},
    {"ox-mamba3-norope", 2e-4, 0, false, 0},
    {"ox-mamba3-conv", 2e-4, 0, false, 0},
    {"ox-mamba3-mimo4", 2e-4, 0, false, 0},
    {"ox-mamba3-mimo4-noconfig", 2e-4, 0, false, 0},
    {"ox-mamba3-hybrid", 2e-4, 0, false, 0},
    {"ox-nano-hybrid", 2e-4, 0, false, 0},
    {"ox-nano-hybrid-noconfig", 2.3e-4, 0, false, 0},
    {"ox-nano-start", 2.6e-4, 0, false, 0},
    {"ssm-mamba3-official", 2.1e-4, 0, false, 0},
};

/* Texts turn otherwise beyond 32 tokens, all of them: chunks agree behind that place alone. */
static const golden_row long_row = {"hf-phi3-longrope", 3e-4, 0, false, 0};
enum { LONG_FROM = 32 };

/* Latent attention: without query latent, split and whole kv_b, V3's choice of experts and YaRN. */
static const golden_row latent_rows[] = {
    {"gguf-deepseek2-lite", 5e-4, 0, false, 0}, {"gguf-deepseek2-legacy", 5e-4, 0, false, 0},
    {"gguf-deepseek2-v2", 5e-4, 0, false, 0},   {"gguf-deepseek2-v3", 5e-4, 0, false, 0},
    {"hf-deepseek-v2-lite", 2e-4, 0, false, 0}, {"hf-deepseek-v2", 2.1e-4, 0, false, 0},
    {"hf-deepseek-v3", 3.2e-4, 0, false, 0},
};

/* One small model in every other type that files are made of. */
static const golden_row type_rows[] = {
    {"gguf-llama256-q4_1", 0, 0.00085, true, 0},   {"gguf-llama256-q5_0", 0, 0.00087, true, 0},
    {"gguf-llama256-q5_1", 0, 0.0011, true, 0},    {"gguf-llama256-q2_k", 0, 0.0019, true, 0},
    {"gguf-llama256-q3_k", 0, 0.0014, true, 0},    {"gguf-llama256-q4_k", 0, 0.0018, true, 0},
    {"gguf-llama256-q5_k", 0, 0.0018, true, 0},    {"gguf-llama256-q6_k", 0, 0.0016, true, 0},
    {"gguf-llama256-iq4_nl", 0, 0.00093, true, 0}, {"gguf-llama256-iq4_xs", 0, 0.0018, true, 0},
    {"gguf-llama256-iq2_xs", 0, 0.0018, true, 0},  {"gguf-llama256-iq3_s", 0, 0.0014, true, 0},
    {"gguf-llama256-mxfp4", 0, 0.00076, true, 0},  {"gguf-llama256-tq2_0", 0, 0.0012, true, 0},
};

/* The families again as checkpoint folders; tolerances are those of each folder's meta.json. */
static const golden_row folder_rows[] = {
    {"hf-llama", 2e-4, 0, false, 0},
    {"hf-llama-bf16", 2.1e-4, 0, false, 0},
    {"hf-llama-f16", 2e-4, 0, false, 0},
    {"hf-llama-v5config", 2e-4, 0, false, 0},
    {"hf-llama3-rope", 2.2e-4, 0, false, 0},
    {"hf-mistral", 2.2e-4, 0, false, 0},
    {"hf-qwen2", 2.1e-4, 0, false, 0},
    {"hf-qwen3", 2.1e-4, 0, false, 0},
    {"hf-gemma2", 2e-4, 0, false, 0},
    {"hf-gemma3", 2.7e-4, 0, false, 0},
    {"hf-phi3", 2e-4, 0, false, 0},
    {"hf-gpt2", 2e-4, 0, false, 0},
    {"hf-gpt2-openai-f16", 2e-4, 0, false, 0},
    {"hf-gptneox", 2e-4, 0, false, 0},
    {"hf-falcon", 2e-4, 0, false, 0},
    {"hf-mixtral", 2e-4, 0, false, 0},
    {"hf-qwen2moe", 2e-4, 0, false, 0},
    {"hf-qwen3moe", 2e-4, 0, false, 0},
    {"hf-mamba", 1e-3, 0, false, 0},
    {"hf-mamba2", 2.3e-4, 0, false, 0},
    {"hf-bloom", 2e-4, 0, false, 0},
};

/* Their margins are down to 0.017 and 0.047, with inputs rounded to 8 bits: rounding may choose
 * another expert, and then another token. */
static const golden_row rounded_experts[] = {
    {"gguf-qwen2moe-q4_0", 0, 0.00078, true, 0},
    {"gguf-deepseek2-v3-q8_0", 0, 0.0034, true, 0},
};

static rz_model *open_golden(golden *g, const golden_row *row, int threads) {
    if (!golden_open(g, row->name, row->exact)) return NULL;
    if (!g->model_path[0]) { /* stories260K keeps its model elsewhere */
        const char *path = test_shared("models/stories260K-f32.gguf");
        if (!path) return NULL;
        snprintf(g->model_path, sizeof g->model_path, "%s", path);
    }
    rz_model_options opt = RZ_MODEL_INIT;
    opt.threads = threads;
    rz_model *m = NULL;
    rz_error e = {0};
    if (rz_model_open(&m, g->model_path, &opt, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    return m;
}

/* logits[n_prompt, V] of a prompt, fed `chunk` tokens at a time. */
static float *score(rz_model *m, const golden_row *row, const golden_case *c, size_t n_vocab,
                    size_t chunk) {
    rz_session *s;
    rz_error e = {0};
    if (rz_session_new(&s, m, row->context, RZ_KV_F32, &e) < 0) {
        test_fail(__FILE__, __LINE__, "%s", e.text);
        return NULL;
    }
    float *logits = malloc(c->n_prompt * n_vocab * sizeof *logits);
    for (size_t at = 0; logits && at < c->n_prompt; at += chunk) {
        const size_t n = c->n_prompt - at < chunk ? c->n_prompt - at : chunk;
        if (rz_session_score(s, c->prompt + at, n, logits + at * n_vocab, &e) < 0)
            test_fail(__FILE__, __LINE__, "%s", e.text);
    }
    rz_session_free(s);
    return logits;
}

/* The error, in whichever way the row limits it. */
static double compare_logits(const golden_row *row, size_t i, const float *got, const float *want,
                             size_t n) {
    double worst = 0, square = 0, norm = 0;
    for (size_t j = 0; j < n; j++) {
        const double d = (double)got[j] - (double)want[j];
        worst = fmax(worst, fabs(d));
        square += d * d;
        norm += (double)want[j] * (double)want[j];
    }
    if (row->nmse > 0)
        CHECK_MSG(square / norm <= row->nmse, "%s prompt %zu: nmse %.2g, allowed %.2g", row->name,
                  i, square / norm, row->nmse);
    else
        CHECK_MSG(worst <= row->tolerance, "%s prompt %zu: off by %.2g, allowed %.2g", row->name, i,
                  worst, row->tolerance);
    return row->nmse > 0 ? square / norm : worst;
}

static void check_greedy(rz_model *m, const golden_row *row, size_t i, const golden_case *c) {
    rz_session *s;
    REQUIRE(rz_session_new(&s, m, row->context, RZ_KV_F32, NULL) == RZ_OK);
    const rz_params greedy = RZ_PARAMS_INIT;
    CHECK(rz_session_feed(s, c->prompt, c->n_prompt, NULL) == RZ_OK);
    for (size_t j = 0; j < c->n_greedy; j++) {
        const rz_token id = rz_session_sample(s, &greedy);
        if (id != c->greedy[j]) {
            test_fail(__FILE__, __LINE__, "%s prompt %zu: token %zu is %d, expected %d", row->name,
                      i, j, id, c->greedy[j]);
            break;
        }
        if (j + 1 < c->n_greedy) CHECK(rz_session_feed(s, &id, 1, NULL) == RZ_OK);
    }
    rz_session_free(s);
}

static void check_parts(const golden_row *row, bool greedy) {
    golden g;
    rz_model *m = open_golden(&g, row, 2);
    if (!m) {
        test_skip("golden/models/%s is not there", row->name);
        return;
    }
    double worst = 0;
    size_t positions = 0;
    for (size_t i = 0; i < g.n_case; i++) {
        const golden_case *c = &g.c[i];
        float *whole = score(m, row, c, g.n_vocab, c->n_prompt);
        if (!whole) break;
        const float *judged = whole + c->first_pos * g.n_vocab;
        worst = fmax(worst, compare_logits(row, i, judged, c->logits, c->n_pos * g.n_vocab));
        positions += c->n_pos;
        static const size_t chunks[] = {1, 3, 16};
        for (size_t k = 0; k < 3; k++) {
            float *cut = score(m, row, c, g.n_vocab, chunks[k]);
            const size_t from = row == &long_row && c->n_prompt > LONG_FROM ? LONG_FROM : 0;
            CHECK_MSG(cut && memcmp(cut + from * g.n_vocab, whole + from * g.n_vocab,
                                    (c->n_prompt - from) * g.n_vocab * sizeof *cut) == 0,
                      "%s prompt %zu: chunks of %zu change the logits", row->name, i, chunks[k]);
            free(cut);
        }
        free(whole);
        if (greedy) check_greedy(m, row, i, c);
    }
    test_figure("%-29s %zu prompts, %4zu positions, worst %s %.2g of %.2g", row->name, g.n_case,
                positions, row->nmse > 0 ? "nmse" : "error", worst,
                row->nmse > 0 ? row->nmse : row->tolerance);
    rz_model_close(m);
    golden_close(&g);
}

static void check_row(const golden_row *row) { check_parts(row, true); }

static void test_golden_llama(void) { check_row(&rows[0]); }
static void test_golden_llama3_rope(void) { check_row(&rows[1]); }
static void test_golden_f16(void) { check_row(&rows[2]); }
static void test_golden_bf16(void) { check_row(&rows[3]); }
static void test_golden_q8_0(void) { check_row(&rows[4]); }
static void test_golden_q4_0(void) { check_row(&rows[5]); }
static void test_golden_stories(void) { check_row(&rows[6]); }

static void test_golden_qwen2(void) { check_row(&rows[7]); }
static void test_golden_qwen3(void) { check_row(&rows[8]); }
static void test_golden_gemma2(void) { check_row(&rows[9]); }
static void test_golden_gemma3(void) { check_row(&rows[10]); }
static void test_golden_gpt2(void) { check_row(&rows[11]); }
static void test_golden_gptneox(void) { check_row(&rows[12]); }
static void test_golden_falcon(void) { check_row(&rows[13]); }

static void test_golden_mixtral(void) { check_row(&rows[14]); }
static void test_golden_qwen2moe(void) { check_row(&rows[15]); }

static void test_golden_mamba(void) { check_row(&rows[16]); }
static void test_golden_mamba2(void) { check_row(&rows[17]); }

static void test_golden_phi3(void) { check_row(&rows[18]); }
static void test_golden_phi3_long(void) { check_row(&rows[19]); }

static void test_golden_bloom(void) { check_row(&rows[20]); }

static void test_golden_of_the_trainers_checkpoints(void) {
    for (size_t i = 0; i < sizeof oxidizr_rows / sizeof *oxidizr_rows; i++)
        check_row(&oxidizr_rows[i]);
}

static void test_golden_of_rotation_by_length(void) { check_row(&long_row); }

/* What was cached for a long text serves a short one no more. */
static void test_rewind_across_the_change_of_rotation(void) {
    golden g;
    rz_model *m = open_golden(&g, &long_row, 1);
    if (!m) {
        test_skip("golden/models/%s is not there", long_row.name);
        return;
    }
    rz_session *s;
    const rz_token *ids = g.c[2].prompt;
    const size_t bytes = g.n_vocab * sizeof(float);
    REQUIRE(rz_session_new(&s, m, 0, RZ_KV_F32, NULL) == RZ_OK);
    float *kept = malloc(2 * bytes), *later = kept + g.n_vocab;
    CHECK(rz_session_feed(s, ids, LONG_FROM, NULL) == RZ_OK);
    memcpy(kept, rz_session_logits(s), bytes);
    CHECK(rz_session_feed(s, ids + LONG_FROM, 10, NULL) == RZ_OK);
    memcpy(later, rz_session_logits(s), bytes);
    CHECK(rz_session_rewind(s, LONG_FROM - 1, NULL) == RZ_OK);
    CHECK(rz_session_feed(s, ids + LONG_FROM - 1, 1, NULL) == RZ_OK);
    CHECK(memcmp(kept, rz_session_logits(s), bytes) == 0);
    CHECK(rz_session_feed(s, ids + LONG_FROM, 10, NULL) == RZ_OK);
    CHECK(memcmp(later, rz_session_logits(s), bytes) == 0);
    free(kept);
    rz_session_free(s);
    rz_model_close(m);
    golden_close(&g);
}

static void test_golden_of_latent_attention(void) {
    for (size_t i = 0; i < sizeof latent_rows / sizeof *latent_rows; i++)
        check_row(&latent_rows[i]);
}

/* Rank + rotated dims, once: neither times heads nor for keys and values apart. */
static void test_latent_cache_is_one_latent_and_one_key(void) {
    static const struct {
        const char *name;
        uint32_t layers, rank, rope;
    } file[] = {{"gguf-deepseek2-lite", 27, 12, 4},
                {"gguf-deepseek2-legacy", 2, 20, 8},
                {"gguf-deepseek2-v3-q8_0", 3, 32, 16},
                {"hf-deepseek-v2", 3, 20, 8}};
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        golden g;
        rz_model *m = open_golden(&g, &(golden_row){.name = file[i].name}, 1);
        if (!m) {
            test_skip("golden/models/%s is not there", file[i].name);
            continue;
        }
        rz_model_info info;
        rz_model_describe(m, &info);
        CHECK_MSG(info.kv_floats_per_token == file[i].layers * (file[i].rank + file[i].rope),
                  "%s: %u", file[i].name, info.kv_floats_per_token);
        rz_model_close(m);
        golden_close(&g);
    }
}

static void test_golden_of_checkpoint_folders(void) {
    for (size_t i = 0; i < sizeof folder_rows / sizeof *folder_rows; i++)
        check_row(&folder_rows[i]);
}

static void test_golden_of_rounded_experts(void) {
    for (size_t i = 0; i < sizeof rounded_experts / sizeof *rounded_experts; i++)
        check_parts(&rounded_experts[i], false);
}

static void test_golden_of_every_stored_type(void) {
    for (size_t i = 0; i < sizeof type_rows / sizeof *type_rows; i++) check_row(&type_rows[i]);
}

static void test_threads_change_no_bit(void) {
    golden g;
    float *one = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        rz_model *m = open_golden(&g, &rows[5], threads);
        if (!m) {
            test_skip("golden/models/%s is not there", rows[5].name);
            return;
        }
        const golden_case *c = &g.c[2];
        float *got = score(m, &rows[5], c, g.n_vocab, c->n_prompt);
        if (!one) one = got;
        else {
            CHECK(got && memcmp(got, one, c->n_prompt * g.n_vocab * sizeof *got) == 0);
            free(got);
        }
        rz_model_close(m);
        golden_close(&g);
    }
    free(one);
}

/* ---- Damaged models ---- */

/* The embedded model written again with one change. */
typedef struct change {
    const char *drop_tensor, *drop_key;
    const char *set_key;
    uint32_t set_u32;
    const char *set_str;
    const char *reshape; /* tensor given with dim[0] halved */
} change;

static status rewrite(const tensor_file *f, const change *c, buf *out, err *e) {
    gguf_writer *w;
    TRY(gguf_writer_new(&w, e));
    status s = RZ_OK;
    for (size_t i = 0; i < f->n_kv && s >= 0; i++) {
        const meta_kv *kv = &f->kv[i];
        if ((c->drop_key && str_is(kv->key, c->drop_key)) ||
            (c->set_key && str_is(kv->key, c->set_key)))
            continue;
        s = gguf_put_value(w, kv->key, &kv->value, e);
    }
    if (s >= 0 && c->set_key && c->set_str) s = gguf_put_str(w, c->set_key, str_of(c->set_str), e);
    else if (s >= 0 && c->set_key) s = gguf_put_u32(w, c->set_key, c->set_u32, e);
    for (size_t i = 0; i < f->n_tensor && s >= 0; i++) {
        const tensor_info *t = &f->tensor[i];
        if (c->drop_tensor && str_is(t->name, c->drop_tensor)) continue;
        uint64_t dim[TENSOR_MAX_DIMS];
        memcpy(dim, t->dim, sizeof dim);
        if (c->reshape && str_is(t->name, c->reshape)) dim[1] /= 2;
        s = gguf_put_tensor(w, t->name, t->type, t->n_dims, dim, t->data, e);
    }
    if (s >= 0) s = gguf_write_buf(w, out, e);
    gguf_writer_free(w);
    return s;
}

static void check_damage(change c, status want, const char *text) {
    rz_model *demo, *m = NULL;
    rz_error e = {0};
    buf file = BUF_INIT;
    REQUIRE(rz_model_open_demo(&demo, NULL, &e) == RZ_OK);
    CHECK(rewrite(demo->file, &c, &file, &e) == RZ_OK);
    const status got = rz_model_open_memory(&m, file.p, file.len, NULL, &e);
    CHECK_MSG(got == want && m == NULL, "%s: %s", rz_status_name(got), e.text);
    CHECK_STR(e.text, text);
    rz_model_close(m);
    buf_free(&file);
    rz_model_close(demo);
}

static void test_damaged_models_are_named(void) {
    char no_arch[sizeof((err *)0)->text];
    snprintf(no_arch, sizeof no_arch,
             "<memory>: architecture \"gpt9\" is not supported; this version runs: %s",
             arch_names());
    check_damage((change){.drop_tensor = "blk.3.attn_q.weight"}, RZ_EFORMAT,
                 "<memory>: 1 tensor is missing: blk.3.attn_q.weight");
    check_damage((change){.reshape = "blk.1.ffn_up.weight"}, RZ_EFORMAT,
                 "<memory>: tensor blk.1.ffn_up.weight is [128,96], expected [256,96]");
    check_damage((change){.drop_key = "llama.block_count"}, RZ_EFORMAT,
                 "<memory>: key llama.block_count is missing");
    check_damage((change){.set_key = "general.architecture", .set_str = "gpt9"}, RZ_EUNSUPPORTED,
                 no_arch);
    check_damage((change){.set_key = "llama.attention.head_count_kv", .set_u32 = 4}, RZ_EFORMAT,
                 "<memory>: attention.head_count_kv is 4, expected a divisor of head_count 6");
    check_damage((change){.set_key = "llama.block_count", .set_u32 = 4000000000u}, RZ_EFORMAT,
                 "<memory>: block_count is 4000000000, expected 1 to 4096");
    check_damage((change){.set_key = "llama.expert_count", .set_u32 = 8}, RZ_EFORMAT,
                 "<memory>: key llama.expert_used_count is missing");
    check_damage((change){.set_key = "llama.rope.scaling.type", .set_str = "spiral"},
                 RZ_EUNSUPPORTED,
                 "<memory>: rope scaling type \"spiral\" is not supported (none, linear, yarn, "
                 "llama3)");
}

static void test_damaged_latent_attention_is_named(void) {
    static const struct {
        change c;
        const char *text;
    } bad[] = {
        {{.set_key = "deepseek2.attention.kv_lora_rank", .set_u32 = 0},
         "<memory>: kv_lora_rank is 0, expected 1 to 4096"},
        {{.set_key = "deepseek2.attention.kv_lora_rank", .set_u32 = 4090},
         "<memory>: a latent of 4090 with heads of 16 and 8 rotated dims"},
        {{.set_key = "deepseek2.attention.kv_lora_rank", .set_u32 = 16},
         "<memory>: tensor blk.0.attn_kv_a_mqa.weight is [28,64], expected [24,64]"},
        {{.set_key = "deepseek2.attention.key_length_mla", .set_u32 = 8},
         "<memory>: heads of 8 with 8 rotated dims"},
        {{.set_key = "deepseek2.attention.value_length_mla", .set_u32 = 11},
         "<memory>: tensor blk.0.attn_v_b.weight is [4,12,20], expected [4,11,20]"},
        {{.set_key = "deepseek2.attention.q_lora_rank", .set_u32 = 0},
         "<memory>: 3 tensors are missing: blk.0.attn_q.weight, blk.1.attn_q.weight, "
         "blk.2.attn_q.weight"},
        {{.set_key = "deepseek2.expert_gating_func", .set_u32 = 3},
         "<memory>: expert_gating_func is 3, expected 1 (softmax) or 2 (sigmoid)"},
        {{.drop_tensor = "blk.1.attn_k_b.weight"},
         "<memory>: 1 tensor is missing: blk.1.attn_kv_b.weight"},
    };
    const char *path = test_shared("golden/models/gguf-deepseek2-v3/model.gguf");
    if (!path) {
        test_skip("golden/models/gguf-deepseek2-v3 is not there");
        return;
    }
    rz_model *good, *m = NULL;
    rz_error e = {0};
    REQUIRE(rz_model_open(&good, path, NULL, &e) == RZ_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf file = BUF_INIT;
        CHECK(rewrite(good->file, &bad[i].c, &file, &e) == RZ_OK);
        CHECK(rz_model_open_memory(&m, file.p, file.len, NULL, &e) < 0 && m == NULL);
        CHECK_STR(e.text, bad[i].text);
        buf_free(&file);
    }
    rz_model_close(good);
}

static void test_many_missing_tensors_make_one_line(void) {
    rz_model *demo, *m = NULL;
    rz_error e = {0};
    buf file = BUF_INIT;
    REQUIRE(rz_model_open_demo(&demo, NULL, &e) == RZ_OK);
    CHECK(rewrite(demo->file, &(change){.set_key = "llama.block_count", .set_u32 = 7}, &file, &e) ==
          RZ_OK);
    CHECK(rz_model_open_memory(&m, file.p, file.len, NULL, &e) == RZ_EFORMAT);
    CHECK(strstr(e.text, "18 tensors are missing: blk.5.attn_norm.weight, ") != NULL);
    size_t named = 0;
    for (const char *at = e.text; (at = strstr(at, "blk.")) != NULL; at++) named++;
    CHECK_MSG(named == 10, "%zu names: %s", named, e.text);
    CHECK(strstr(e.text, ", ...") != NULL && !strstr(e.text, "blk.6.ffn_down"));
    buf_free(&file);
    rz_model_close(demo);
}

static void test_opening_survives_no_memory(void) {
    rz_model *m = NULL;
    rz_error e = {0};
    long n = 1;
    for (; n < 400; n++) {
        mem_fail_at(n);
        const rz_status s = rz_model_open_demo(&m, NULL, &e);
        const bool hit = mem_fail_hit();
        mem_fail_at(0);
        if (!hit) {
            CHECK(s == RZ_OK);
            rz_model_close(m);
            break;
        }
        CHECK_MSG(s == RZ_ENOMEM || s == RZ_EIO, "allocation %ld: %s", n, rz_status_name(s));
        if (s == RZ_OK) rz_model_close(m);
    }
    CHECK_MSG(n < 400, "still failing after %ld allocations", n);
}

static void test_future_tokens_leave_past_logits_alone(void) {
    rz_model *m;
    rz_session *a, *b;
    REQUIRE(rz_model_open_demo(&m, NULL, NULL) == RZ_OK);
    REQUIRE(rz_session_new(&a, m, 0, RZ_KV_AUTO, NULL) == RZ_OK);
    REQUIRE(rz_session_new(&b, m, 0, RZ_KV_AUTO, NULL) == RZ_OK);
    enum { N = 40 };
    rz_token ids[N];
    const size_t V = m->m->c.V;
    float *one = malloc(2 * N * V * sizeof *one), *two = one + N * V;
    for (int i = 0; i < N; i++) ids[i] = 3 + i * 7 % 400;
    CHECK(rz_session_score(a, ids, N, one, NULL) == RZ_OK);
    ids[N - 1] = 5;
    CHECK(rz_session_score(b, ids, N, two, NULL) == RZ_OK);
    CHECK(memcmp(one, two, (N - 1) * V * sizeof *one) == 0);
    CHECK(memcmp(one + (N - 1) * V, two + (N - 1) * V, V * sizeof *one) != 0);
    free(one);
    rz_session_free(a);
    rz_session_free(b);
    rz_model_close(m);
}

static void test_rewind_is_as_if_never_fed(void) {
    rz_model *m;
    rz_session *s;
    rz_error e = {0};
    REQUIRE(rz_model_open_demo(&m, NULL, NULL) == RZ_OK);
    REQUIRE(rz_session_new(&s, m, 100, RZ_KV_AUTO, NULL) == RZ_OK);
    rz_token ids[101];
    for (int i = 0; i < 101; i++) ids[i] = 3 + i * 11 % 400;
    CHECK(rz_session_logits(s) == NULL && rz_session_sample(s, NULL) == -1);
    CHECK(rz_session_feed(s, ids, 50, &e) == RZ_OK);
    float kept[512];
    memcpy(kept, rz_session_logits(s), sizeof kept);
    CHECK(rz_session_feed(s, ids + 50, 51, &e) == RZ_EINVAL || e.status == RZ_EFULL);
    CHECK(rz_session_length(s) == 50);
    CHECK(rz_session_feed(s, ids + 50, 50, &e) == RZ_OK);
    CHECK(rz_session_rewind(s, 101, &e) == RZ_EINVAL);
    CHECK(rz_session_rewind(s, 33, &e) == RZ_OK && rz_session_logits(s) == NULL);
    CHECK(rz_session_feed(s, ids + 33, 17, &e) == RZ_OK);
    CHECK(memcmp(kept, rz_session_logits(s), sizeof kept) == 0);
    const rz_token bad[] = {1, 512};
    CHECK(rz_session_feed(s, bad, 2, &e) == RZ_EINVAL);
    CHECK_STR(e.text, "token 512 at position 1 is not in a vocabulary of 512");
    rz_session_free(s);
    rz_model_close(m);
}

/* Far enough for several copies of the state to be taken and thinned out. */
static void check_recurrent_rewind(const char *name) {
    golden g;
    if (!golden_open(&g, name, false)) {
        test_skip("golden/models/%s is not there", name);
        return;
    }
    rz_model *m;
    rz_session *s;
    rz_error e = {0};
    static const char *const longer = "max_seq_len=2048";
    rz_model_options opt = RZ_MODEL_INIT;
    opt.set = &longer;
    opt.n_set = 1;
    REQUIRE(rz_model_open(&m, g.model_path, &opt, &e) == RZ_OK);
    REQUIRE(rz_session_new(&s, m, 2048, RZ_KV_F32, &e) == RZ_OK);
    rz_token ids[2048];
    for (int i = 0; i < 2048; i++) ids[i] = i * 37 % (int)g.n_vocab;
    static const size_t stops[] = {1, 255, 256, 257, 700, 1024, 2000};
    enum { STOPS = sizeof stops / sizeof *stops };
    float want[STOPS];
    size_t at = 0;
    for (size_t i = 0; i < STOPS; i++) {
        CHECK(rz_session_feed(s, ids + at, stops[i] - at, &e) == RZ_OK);
        at = stops[i];
        want[i] = rz_session_logits(s)[7];
    }
    for (size_t i = STOPS; i-- > 0;) {
        CHECK(rz_session_rewind(s, stops[i] - 1, &e) == RZ_OK);
        CHECK(rz_session_length(s) == stops[i] - 1);
        CHECK(rz_session_feed(s, ids + stops[i] - 1, 1, &e) == RZ_OK);
        CHECK_MSG(rz_session_logits(s)[7] == want[i], "%s after %zu tokens", name, stops[i]);
    }
    rz_session_free(s);
    rz_model_close(m);
    golden_close(&g);
}

static void test_recurrent_rewind_is_as_if_never_fed(void) {
    check_recurrent_rewind("gguf-mamba2");
    check_recurrent_rewind("ox-nano-hybrid");
    check_recurrent_rewind("ox-mamba3-hybrid");
}

/* What a checkpoint without config.json cannot say is assumed, told, and can be set. */
static void test_assumptions_are_told_and_can_be_set(void) {
    static const struct {
        const char *set, *notes; /* what is told, or the error */
        status want;
    } row[] = {
        {"experts_per_tok=1",
         "layers and their sizes from names and shapes; max_seq_len 4096 by default; "
         "mamba2_n_groups 1 by default; rope_theta 10000 by default",
         RZ_OK},
        {"experts_per_tok=5", "expert_used_count is 5, expected 1 to 4", RZ_EFORMAT},
        {"mamba2_n_groups=3",
         "layer 0: conv1d's channels are not the inner width and two of each group", RZ_EFORMAT},
        {"rope_theta=1", "rope_theta is 1, rms_norm_eps 1e-05, max_seq_len 0", RZ_EFORMAT},
        {"rope_theta", "\"rope_theta\" sets nothing: expected KEY=VALUE", RZ_EINVAL},
        {"max_seq_len=no", "config.json: max_seq_len is string no, expected a number of 0 or more",
         RZ_EFORMAT},
    };
    const char *path = test_shared("golden/models/ox-nano-hybrid-noconfig");
    if (!path) {
        test_skip("golden/models/ox-nano-hybrid-noconfig is not there");
        return;
    }
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rz_model *m = NULL;
        rz_error e = {0};
        rz_model_info info = {.notes = ""};
        rz_model_options opt = RZ_MODEL_INIT;
        opt.set = &row[i].set;
        opt.n_set = 1;
        CHECK(rz_model_open(&m, path, &opt, &e) == row[i].want);
        if (m) rz_model_describe(m, &info);
        const char *text = m ? info.notes : e.text;
        const size_t n = strlen(text), tail = strlen(row[i].notes);
        CHECK_STR(n > tail ? text + n - tail : text, row[i].notes);
        rz_model_close(m);
    }
}

/* Everything is in names and shapes, or is what a checkpoint assumes. */
static void test_a_hybrid_without_its_config_is_the_same_model(void) {
    static const golden_row row = {"ox-nano-hybrid", 2e-4, 0, false, 0};
    golden g;
    rz_error e = {0};
    rz_model *m[2] = {open_golden(&g, &row, 1), NULL};
    if (!m[0]) {
        test_skip("golden/models/%s is not there", row.name);
        return;
    }
    char name[1100], folder[512];
    size_t n = 0;
    snprintf(folder, sizeof folder, "%s", test_temp("without-config"));
    snprintf(name, sizeof name, "%s/model.safetensors", g.model_path);
    void *weights = test_read_file(name, &n);
    REQUIRE(weights != NULL && mkdir(folder, 0700) == 0);
    snprintf(name, sizeof name, "%s/model.safetensors", folder);
    CHECK(os_write_file(name, weights, n, &e) == RZ_OK);
    free(weights);
    if (rz_model_open(&m[1], folder, NULL, &e) < 0) test_fail(__FILE__, __LINE__, "%s", e.text);
    for (size_t i = 0; m[1] && i < g.n_case; i++) {
        const golden_case *c = &g.c[i];
        float *with = score(m[0], &row, c, g.n_vocab, c->n_prompt);
        float *without = score(m[1], &row, c, g.n_vocab, c->n_prompt);
        CHECK(memcmp(with, without, c->n_prompt * g.n_vocab * sizeof *with) == 0);
        free(with), free(without);
    }
    rz_model_close(m[0]);
    rz_model_close(m[1]);
    golden_close(&g);
}

/* The file has experts in both layers: with a step of two the first is asked for a plain one. */
static void test_experts_stand_in_every_so_many_layers(void) {
    static const struct {
        const char *set, *end;
    } row[] = {
        {"decoder_sparse_step=2",
         ": 3 tensors are missing: model.layers.0.mlp.gate_proj.weight, "
         "model.layers.0.mlp.up_proj.weight, model.layers.0.mlp.down_proj.weight"},
        {"decoder_sparse_step=0", ": decoder_sparse_step is 0, expected 1 or more"},
    };
    static const char *const folders[] = {"golden/models/hf-qwen2moe", "golden/models/hf-qwen3moe"};
    for (size_t k = 0; k < 2; k++) {
        const char *path = test_shared(folders[k]);
        if (!path) {
            test_skip("%s is not there", folders[k]);
            continue;
        }
        for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
            rz_model *m = NULL;
            rz_error e = {0};
            rz_model_options opt = RZ_MODEL_INIT;
            opt.set = &row[i].set;
            opt.n_set = 1;
            CHECK(rz_model_open(&m, path, &opt, &e) == RZ_EFORMAT && m == NULL);
            const size_t n = strlen(e.text), tail = strlen(row[i].end);
            CHECK_STR(n > tail ? e.text + n - tail : e.text, row[i].end);
            rz_model_close(m);
        }
    }
}

static void test_a_setting_stands_before_what_the_file_says(void) {
    rz_model *m;
    rz_model_info info;
    rz_error e = {0};
    static const char *const set[] = {"llama.context_length=77", "llama.rope.scaling.type=linear",
                                      "llama.rope.scaling.factor=2.5"};
    rz_model_options opt = RZ_MODEL_INIT;
    opt.set = set;
    opt.n_set = 3;
    REQUIRE(rz_model_open_demo(&m, &opt, &e) == RZ_OK);
    rz_model_describe(m, &info);
    CHECK(info.context == 77);
    CHECK(m->m->rope[0].inv_freq[0] == 1 / 2.5);
    rz_model_close(m);
}

void suite_model(void) {
    RUN(test_golden_llama);
    RUN(test_golden_llama3_rope);
    RUN(test_golden_f16);
    RUN(test_golden_bf16);
    RUN(test_golden_q8_0);
    RUN(test_golden_q4_0);
    RUN(test_golden_stories);
    RUN(test_golden_qwen2);
    RUN(test_golden_qwen3);
    RUN(test_golden_gemma2);
    RUN(test_golden_gemma3);
    RUN(test_golden_gpt2);
    RUN(test_golden_gptneox);
    RUN(test_golden_falcon);
    RUN(test_golden_mixtral);
    RUN(test_golden_qwen2moe);
    RUN(test_golden_mamba);
    RUN(test_golden_mamba2);
    RUN(test_golden_phi3);
    RUN(test_golden_phi3_long);
    RUN(test_golden_bloom);
    RUN(test_golden_of_rotation_by_length);
    RUN(test_golden_of_the_trainers_checkpoints);
    RUN(test_rewind_across_the_change_of_rotation);
    RUN(test_golden_of_every_stored_type);
    RUN(test_golden_of_rounded_experts);
    RUN(test_golden_of_checkpoint_folders);
    RUN(test_golden_of_latent_attention);
    RUN(test_latent_cache_is_one_latent_and_one_key);
    RUN(test_threads_change_no_bit);
    RUN(test_damaged_models_are_named);
    RUN(test_damaged_latent_attention_is_named);
    RUN(test_many_missing_tensors_make_one_line);
    RUN(test_opening_survives_no_memory);
    RUN(test_future_tokens_leave_past_logits_alone);
    RUN(test_rewind_is_as_if_never_fed);
    RUN(test_recurrent_rewind_is_as_if_never_fed);
    RUN(test_assumptions_are_told_and_can_be_set);
    RUN(test_a_hybrid_without_its_config_is_the_same_model);
    RUN(test_experts_stand_in_every_so_many_layers);
    RUN(test_a_setting_stands_before_what_the_file_says);
}
