/* train_config.h - what is trained and how: oxidizr's YAML, read and checked. */
#ifndef TRAIN_TRAIN_CONFIG_H
#define TRAIN_TRAIN_CONFIG_H

#include "base/err.h"
#include "base/str.h"
#include "json/json.h"

enum { TRAIN_MAX_LAYERS = 1024, TRAIN_MAX_NAME = 96, TRAIN_MAX_PATH = 512 };

typedef enum layer_kind {
    LAYER_GQA,
    LAYER_MLA,
    LAYER_MAMBA1,
    LAYER_MAMBA2,
    LAYER_MAMBA3
} layer_kind;

typedef struct train_model {
    char name[TRAIN_MAX_NAME];
    uint32_t hidden, layers, heads, kv_heads; /* kv_heads: 0 in a file means as many as heads */
    uint32_t kv_latent, q_latent, d_rope;     /* 0: no latent attention */
    uint32_t experts, experts_used;           /* 0: plain feed-forward */
    uint32_t ffn, vocab, seq;
    uint32_t m2_heads, m2_head_dim, m2_state, m2_chunk, m2_groups, m2_conv, m2_expand;
    uint32_t m3_rank;
    bool m3, m3_rotate, m3_conv;
    bool tied; /* the output matrix is the embedding */
    double theta;
    char dtype[8];
    uint8_t kind[TRAIN_MAX_LAYERS]; /* layer_kind of each layer */
} train_model;

typedef enum train_schedule { SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE } train_schedule;

typedef struct trainer_config {
    double rate, min_rate; /* of learning */
    uint64_t warmup;       /* steps */
    int schedule;          /* train_schedule */
    uint32_t batch, accum; /* sequences in a part of a step; parts */
    uint64_t max_steps;    /* 0: no limit but the epochs' */
    uint32_t epochs;
    uint32_t log_every;
    uint32_t save_every;     /* 0: only at the end */
    uint32_t keep;           /* checkpoints, 0: all */
    uint32_t validate_every; /* 0: with every line of the log */
    double validation;       /* share of the data, from its end */
    double balance;          /* load_balance_alpha */
    double decay, b1, b2, eps;
    double clip; /* largest norm of the gradient, 0: any */
    uint64_t seed;
    int64_t document_end; /* a token that ends documents, -1: none */
    bool shuffle;
    char folder[TRAIN_MAX_PATH]; /* of checkpoints */
} trainer_config;

typedef struct train_config {
    train_model model;
    trainer_config trainer;
} train_config;

/* Read YAML. RZ_EFORMAT or RZ_EINVAL names file, key, the value found and what it must fit; an
 * unknown key is an error that names the nearest known one. */
status train_config_parse(train_config *out, const char *path, str text, err *e);
status train_config_load(train_config *out, const char *path, err *e);
/* Do the values fit together? For after changing some. */
status train_config_check(const train_config *c, const char *path, err *e);

/* Number of weights. */
uint64_t train_model_weights(const train_model *m);

#endif
