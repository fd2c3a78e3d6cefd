/* test_train_config.c - the YAML of training: published shapes, defaults, and what is refused with
 * which words. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "test.h"
#include "train/train_config.h"

#define TRAINER                                                                          \
    "trainer:\n  learning_rate: 3e-4\n  batch_size: 4\n  max_steps: 0 # no limit\n"      \
    "  num_epochs: 2\n  gradient_accumulation: 2\n  checkpoint_dir: \"./checkpoints\"\n" \
    "  log_interval: 10\n  save_interval: 100\n"
#define ORIGINAL                                                                      \
    TRAINER                                                                           \
    "  load_balance_alpha: 0.01\n  group_size: 8\n  beta_kl: 0.04\n"                  \
    "  target_device: gpu\n  distributed:\n    enabled: false\n    backend: single\n" \
    "    gpu_ids: [0, 1]\n"
#define SIZES(h, l, n) "model:\n  hidden_size: " h "\n  num_layers: " l "\n  num_heads: " n "\n"
#define NANO                                                                                    \
    SIZES("384", "8", "6")                                                                      \
    "  name: nano\n  kv_heads: null\n  kv_latent_dim: 192\n  q_latent_dim: 192\n  d_rope: 16\n" \
    "  num_experts: 4\n  experts_per_tok: 2\n  shared_expert_enabled: true\n"                   \
    "  intermediate_size: 1536\n  vocab_size: 128354\n  max_seq_len: 512\n"                     \
    "  rope_theta: 10000.0\n  dtype: f32\n  mamba2_num_heads: 48\n  mamba2_head_dim: 16\n"      \
    "  mamba2_state_size: 64\n  mamba2_chunk_size: 64\n  mamba2_n_groups: 1\n"                  \
    "  mamba2_conv_kernel: 4\n  mamba2_expand: 2\n"
#define SMALL SIZES("64", "2", "4") "  vocab_size: 100\n  max_seq_len: 32\n  rope_theta: 10000\n"

static train_config c;

static void parses(const char *text) {
    err e = {0};
    CHECK_MSG(train_config_parse(&c, "x.yaml", str_of(text), &e) == RZ_OK, "%s", e.text);
}

/* The published configurations, and the numbers of weights that were counted of them. */
static void test_published_configurations_have_their_weights(void) {
    static const struct {
        const char *text;
        uint64_t weights;
    } known[] = {
        {SIZES("128", "4", "4") "  name: nano-start\n  kv_latent_dim: 64\n  q_latent_dim: 64\n"
                                "  d_rope: 8\n  num_experts: 2\n  experts_per_tok: 1\n"
                                "  shared_expert_enabled: true\n  intermediate_size: 512\n"
                                "  mamba_layers: [0, 1, 2]\n  mamba2_num_heads: 16\n"
                                "  mamba2_head_dim: 16\n  mamba2_state_size: 32\n"
                                "  mamba2_chunk_size: 32\n  mamba2_n_groups: 1\n"
                                "  mamba2_conv_kernel: 4\n  mamba2_expand: 2\n"
                                "  vocab_size: 100315\n  max_seq_len: 64\n  rope_theta: 10000.0\n"
                                "  dtype: f32\n" ORIGINAL,
         26667840},
        {NANO "  mamba_layers: [0, 1, 2, 4, 5, 6]\n" ORIGINAL, 123157248},
        {NANO "  mamba_layers: [0, 1, 2, 3, 4, 5, 6, 7]\n" ORIGINAL, 106260864},
        {NANO ORIGINAL, 106260864}, /* mamba2_* without a list is every layer */
        {NANO "  mamba3_enabled: true\n" ORIGINAL, 111153408},
        {NANO "  mamba3_enabled: true\n  mamba3_mimo_rank: 4\n" ORIGINAL, 111170432},
        {NANO "  mamba3_enabled: true\n  mamba_layers: [0, 1, 2, 4, 5, 6]\n" ORIGINAL, 126826656},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        parses(known[i].text);
        CHECK_MSG(train_model_weights(&c.model) == known[i].weights, "%zu: %llu, expected %llu", i,
                  (unsigned long long)train_model_weights(&c.model),
                  (unsigned long long)known[i].weights);
    }
}

static void test_a_minimal_configuration_gets_defaults(void) {
    parses(SMALL TRAINER);
    CHECK_STR(c.model.name, "model");
    CHECK_STR(c.trainer.folder, "./checkpoints");
    CHECK(c.model.ffn == 256 && c.model.kv_heads == 4 && !c.model.tied);
    CHECK(c.trainer.rate > 2.9e-4 && c.trainer.rate < 3.1e-4 && c.trainer.keep == 10);
    CHECK(c.trainer.schedule == SCHEDULE_CONSTANT && c.trainer.max_steps == 0);
    CHECK(c.trainer.document_end == -1 && c.trainer.clip == 1 && c.trainer.shuffle);
    CHECK(c.model.kind[0] == LAYER_GQA && c.model.kind[1] == LAYER_GQA);
    parses(SMALL "  mamba_layers: [1]\n  kv_heads: 2\n" TRAINER
                 "  schedule: cosine\n  shuffle: false\n");
    CHECK(c.model.kind[0] == LAYER_GQA && c.model.kind[1] == LAYER_MAMBA1);
    CHECK(c.trainer.schedule == SCHEDULE_COSINE && !c.trainer.shuffle && c.model.kv_heads == 2);
}

static void test_what_does_not_fit_is_named(void) {
    static const struct {
        const char *text, *part;
    } bad[] = {
        {SMALL "  hiden_size: 4\n" TRAINER,
         "model.hiden_size: no such key; did you mean hidden_size?"},
        {SMALL TRAINER "  learning_rat: 4\n", "trainer.learning_rat: no such key; did you mean"},
        {SMALL TRAINER "  zzzzzz: 4\n", "x.yaml: trainer.zzzzzz: no such key"},
        {SMALL TRAINER "data:\n  x: 1\n", "data: no such section, expected model and trainer"},
        {SMALL, "no section trainer"},
        {"5\n", "no section model"},
        {SIZES("64", "2", "4") "  max_seq_len: 32\n  rope_theta: 1e4\n" TRAINER,
         "model.vocab_size is missing"},
        {SIZES("64.5", "2", "4") TRAINER,
         "model.hidden_size is 64.5, expected a whole number from 1"},
        {SIZES("-1", "2", "4") TRAINER, "model.hidden_size is -1"},
        {SIZES("many", "2", "4") TRAINER, "model.hidden_size is many"},
        {SMALL "  kv_heads: 3\n" TRAINER, "num_heads 4 is no multiple of kv_heads 3"},
        {SIZES("66", "2", "4") "  vocab_size: 9\n  max_seq_len: 3\n  rope_theta: 1e4\n" TRAINER,
         "hidden_size 66 is no multiple of num_heads 4"},
        {SIZES("12", "2", "4") "  vocab_size: 9\n  max_seq_len: 3\n  rope_theta: 1e4\n" TRAINER,
         "hidden_size 12 by num_heads 4 makes heads of 3, expected an even number"},
        {SMALL "  kv_latent_dim: 8\n" TRAINER, "kv_latent_dim 8 without q_latent_dim"},
        {SMALL "  kv_latent_dim: 8\n  q_latent_dim: 8\n  d_rope: 3\n" TRAINER, "d_rope is 3"},
        {SMALL "  kv_latent_dim: 8\n  q_latent_dim: 8\n  d_rope: 4\n  num_experts: 2\n"
               "  intermediate_size: 9\n  experts_per_tok: 3\n" TRAINER,
         "experts_per_tok 3 is more than num_experts 2"},
        {SMALL "  num_experts: 2\n" TRAINER, "num_experts 2 without intermediate_size"},
        {SMALL "  mamba_layers: [2]\n" TRAINER,
         "mamba_layers has 2, expected layers below num_layers 2"},
        {SMALL "  mamba_layers: 1\n" TRAINER, "mamba_layers is number, expected a list"},
        {SMALL "  mamba2_num_heads: 7\n  mamba2_head_dim: 16\n  mamba2_state_size: 8\n" TRAINER,
         "hidden_size 64 by mamba2_expand 2 is 128, but mamba2_num_heads 7 by mamba2_head_dim 16 "
         "is 112"},
        {SMALL "  mamba2_num_heads: 8\n  mamba2_head_dim: 16\n" TRAINER,
         "mamba2_num_heads 8 without mamba2_state_size"},
        {SMALL "  mamba2_num_heads: 8\n  mamba2_head_dim: 16\n  mamba2_state_size: 8\n"
               "  mamba2_n_groups: 3\n" TRAINER,
         "mamba2_num_heads 8 is no multiple of mamba2_n_groups 3"},
        {SMALL "  mamba3_enabled: true\n" TRAINER, "mamba3_enabled without mamba2_num_heads"},
        {SMALL "  tie_word_embeddings: 1\n" TRAINER,
         "tie_word_embeddings is 1, expected true or false"},
        {SMALL "  dtype: f8\n" TRAINER, "dtype is f8, expected f32, f16 or bf16"},
        {SMALL "  name: a/b\n" TRAINER, "name is a/b, expected no slash"},
        {SMALL TRAINER "  schedule: wavy\n",
         "trainer.schedule is wavy, expected constant|linear|cosine"},
        {SMALL TRAINER "  min_learning_rate: 1\n",
         "min_learning_rate 1 is above learning_rate 0.0003"},
        {SMALL TRAINER "  document_end: 100\n", "document_end 100 is not below vocab_size 100"},
        {SMALL TRAINER "  validation_fraction: 0.9\n", "a number from 0 to 0.5"},
        {"model: [\n", "x.yaml: "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err e = {0};
        train_config out;
        CHECK(train_config_parse(&out, "x.yaml", str_of(bad[i].text), &e) < 0);
        CHECK_MSG(strstr(e.text, bad[i].part) != NULL, "%zu: \"%s\" is not in \"%s\"", i,
                  bad[i].part, e.text);
    }
}

void suite_train_config(void) {
    RUN(test_published_configurations_have_their_weights);
    RUN(test_a_minimal_configuration_gets_defaults);
    RUN(test_what_does_not_fit_is_named);
}
