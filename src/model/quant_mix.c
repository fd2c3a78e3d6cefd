/* quant_mix.c - the rules behind names like Q4_K_M, as a table.
 *
 * The first row that fits decides, else the base type. Fused query-key-value tensors have rules of
 * their own: files of that kind have been made so for years, and their names promise it. */
#include "model/quant_mix.h"

#include <stdio.h>

enum mix_id {
#define MIX_LIST(X)                   \
    /* name       file type  base  */ \
    X(F32, 0, F32)                    \
    X(F16, 1, F16)                    \
    X(BF16, 32, BF16)                 \
    X(Q8_0, 7, Q8_0)                  \
    X(Q6_K, 18, Q6_K)                 \
    X(Q5_K_M, 17, Q5_K)               \
    X(Q5_K_S, 16, Q5_K)               \
    X(Q5_1, 9, Q5_1)                  \
    X(Q5_0, 8, Q5_0)                  \
    X(Q4_K_M, 15, Q4_K)               \
    X(Q4_K_S, 14, Q4_K)               \
    X(Q4_1, 3, Q4_1)                  \
    X(Q4_0, 2, Q4_0)                  \
    X(IQ4_NL, 25, IQ4_NL)             \
    X(IQ4_XS, 30, IQ4_XS)             \
    X(Q3_K_L, 13, Q3_K)               \
    X(Q3_K_M, 12, Q3_K)               \
    X(Q3_K_S, 11, Q3_K)               \
    X(IQ3_M, 27, IQ3_S)               \
    X(IQ3_S, 26, IQ3_S)               \
    X(IQ3_XS, 22, IQ3_S)              \
    X(IQ3_XXS, 23, IQ3_XXS)           \
    X(Q2_K, 10, Q2_K)                 \
    X(Q2_K_S, 21, Q2_K)               \
    X(IQ2_M, 29, IQ2_S)               \
    X(IQ2_S, 28, IQ2_XS)              \
    X(IQ2_XS, 20, IQ2_XS)             \
    X(IQ2_XXS, 19, IQ2_XXS)           \
    X(IQ1_M, 31, IQ1_M)               \
    X(IQ1_S, 24, IQ1_S)               \
    X(TQ2_0, 37, TQ2_0)               \
    X(TQ1_0, 36, TQ1_0)               \
    X(MXFP4_MOE, 38, MXFP4)           \
    X(NVFP4, 39, NVFP4)               \
    X(Q2_0, 41, Q2_0)                 \
    X(Q1_0, 40, Q1_0)
#define X(name, file_type, base) ID_##name,
    MIX_LIST(X)
#undef X
        ID_COUNT
};
_Static_assert(ID_COUNT <= 64, "mixes are bits of a 64-bit number");

static const quant_mix mixes[] = {
#define X(name, file_type, base) {#name, file_type, QUANT_##base, false},
    MIX_LIST(X)
#undef X
    /* Bare type names: the mix people mean by them. */
    {"Q5_K", 17, QUANT_Q5_K, true},
    {"Q4_K", 15, QUANT_Q4_K, true},
    {"Q3_K", 12, QUANT_Q3_K, true},
    {"MXFP4", 38, QUANT_MXFP4, true},
};

const quant_mix *quant_mix_at(size_t i) {
    return i < sizeof mixes / sizeof *mixes ? &mixes[i] : NULL;
}

const quant_mix *quant_mix_find(str name) {
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        if (str_eq_nocase(name, str_of(mixes[i].name))) return &mixes[i];
    return NULL;
}

void quant_mix_names(buf *out) {
    for (size_t i = 0; i < ID_COUNT; i++) buf_printf(out, "%s%s", i ? ", " : "", mixes[i].name);
}

status quant_mix_get(const quant_mix **out, const char *name, err *e) {
    *out = quant_mix_find(str_of(name));
    if (*out) return RZ_OK;
    buf names = BUF_INIT;
    quant_mix_names(&names);
    const status s = err_set(e, RZ_EINVAL, "\"%.60s\" is no type; there are %s", name,
                             buf_cstr(&names) ? buf_cstr(&names) : "");
    buf_free(&names);
    return s;
}

/* ---- Tensors ---- */

/* What a tensor is for, by its name. */
typedef enum role {
    ROLE_OTHER,
    ROLE_OUTPUT,
    ROLE_EMBEDDING,
    ROLE_QKV,
    ROLE_V,
    ROLE_K,
    ROLE_Q,
    ROLE_O,
    ROLE_UP,
    ROLE_GATE,
    ROLE_DOWN
} role;

static bool holds(str name, const char *part) { return str_find(name, str_of(part)) >= 0; }

static bool is_listed(str name, const char *const *part, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (holds(name, part[i])) return true;
    return false;
}

bool mix_is_embedding(str name) {
    return str_is(name, "token_embd.weight") || str_is(name, "per_layer_token_embd.weight");
}

bool mix_is_output(const mix_model *m, str name) {
    return str_is(name, "output.weight") || (m->tied && mix_is_embedding(name));
}

bool mix_may_quantize(const mix_tensor *t) {
    static const char *const whole[] = {"position_embd.weight", "token_types.weight"};
    static const char *const part[] = {
        "_norm.weight",
        "ffn_gate_inp.weight",
        "ffn_gate_tid2eid.weight",
        "altup",
        "laurel",
        "per_layer_model_proj",
        "ssm_conv1d",
        "shortconv.conv",
        "indexer.k_proj",
        "indexer.q_proj",
        "time_mix_first",
        "time_mix_w0",
        "time_mix_w1",
        "time_mix_w2",
        "time_mix_v0",
        "time_mix_v1",
        "time_mix_v2",
        "time_mix_a0",
        "time_mix_a1",
        "time_mix_a2",
        "time_mix_g1",
        "time_mix_g2",
        "time_mix_decay_w1",
        "time_mix_decay_w2",
        "time_mix_lerp_fused",
        "attn_rel_b",
        ".position_embd",
        ".rel_pos",
        ".patch_embd",
        ".patch_merger",
    };
    if (t->rows < 2 || !str_ends(t->name, STR_LIT("weight"))) return false;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (str_is(t->name, whole[i])) return false;
    return !is_listed(t->name, part, sizeof part / sizeof *part);
}

static role role_of(const mix_model *m, str name) {
    static const struct {
        const char *part;
        role role;
    } rows[] = {{"attn_qkv.weight", ROLE_QKV},  {"attn_v.weight", ROLE_V},
                {"attn_k.weight", ROLE_K},      {"attn_q.weight", ROLE_Q},
                {"attn_output.weight", ROLE_O}, {"ffn_up", ROLE_UP},
                {"ffn_gate", ROLE_GATE},        {"ffn_down", ROLE_DOWN}};
    if (mix_is_output(m, name)) return ROLE_OUTPUT;
    if (mix_is_embedding(name)) return ROLE_EMBEDDING;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (holds(name, rows[i].part)) return rows[i].role;
    return ROLE_OTHER;
}

static bool has_values(str name) {
    return holds(name, "attn_v.weight") || holds(name, "attn_qkv.weight") ||
           holds(name, "attn_kv_b.weight");
}

/* N of "blk.N.", false for tensors of no layer. */
static bool layer_of(str name, uint32_t n_layer, uint32_t *out) {
    uint64_t i;
    if (!str_starts(name, STR_LIT("blk."))) return false;
    str rest = {name.p + 4, name.len - 4};
    if (!str_u64(str_split(&rest, '.'), &i) || i >= n_layer) return false;
    *out = (uint32_t)i;
    return true;
}

/* ---- Conditions ---- */

enum condition {
    GQA4 = 1 << 0, /* four or more query heads share a key head: values are few */
    GQA4_OR_EXPERTS = 1 << 1,
    EIGHT_EXPERTS = 1 << 2,
    NOT_EIGHT = 1 << 3,
    MORE_BITS = 1 << 4, /* the first and the last eighth of layers, and every third between */
    EIGHTH = 1 << 5,    /* the first eighth */
    SIXTEENTH = 1 << 6,
    MIDDLE = 1 << 7, /* without the first and the last eighth */
    FIRST_2 = 1 << 8,
    FIRST_4 = 1 << 9,
    FALCON = 1 << 10,
    NOT_FALCON = 1 << 11,
    WEIGHED = 1 << 12, /* with an importance matrix */
    UNWEIGHED = 1 << 13,
    UNEVEN = 1 << 14,  /* rows do not fill blocks of the base type */
    EXPERTS = 1 << 15, /* a stack of experts */
};

static bool more_bits(uint32_t i, uint32_t n) {
    return i < n / 8 || i >= 7 * (uint64_t)n / 8 || (i - n / 8) % 3 == 2;
}

/* Every condition that is true of tensor t, i-th of n of its kind. */
static unsigned true_of(const quant_mix *mix, const mix_model *m, const mix_tensor *t, uint32_t i,
                        uint32_t n) {
    const struct {
        unsigned condition;
        bool is;
    } all[] = {
        {GQA4, m->n_gqa >= 4},
        {GQA4_OR_EXPERTS, m->n_gqa >= 4 || m->n_expert >= 4},
        {EIGHT_EXPERTS, m->n_expert == 8},
        {NOT_EIGHT, m->n_expert != 8},
        {MORE_BITS, more_bits(i, n)},
        {EIGHTH, i < n / 8},
        {SIXTEENTH, i < n / 16},
        {MIDDLE, i >= n / 8 && i < 7 * (uint64_t)n / 8},
        {FIRST_2, i < 2},
        {FIRST_4, i < 4},
        {FALCON, m->falcon},
        {NOT_FALCON, !m->falcon},
        {WEIGHED, m->importance},
        {UNWEIGHED, !m->importance},
        {UNEVEN, t->cols % quant_get(mix->base)->block != 0},
        {EXPERTS, t->stacked && holds(t->name, "_exps")},
    };
    unsigned found = 0;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        if (all[k].is) found |= all[k].condition;
    return found;
}

/* ---- Rules ---- */

#define M(name) (UINT64_C(1) << ID_##name)
#define ANY (~UINT64_C(0))
#define FEW_BITS (M(IQ2_XXS) | M(IQ2_XS) | M(IQ1_S) | M(IQ1_M) | M(IQ2_S) | M(IQ2_M))
#define IQ2_LARGE (M(IQ2_S) | M(IQ2_M))

typedef struct rule {
    uint64_t mixes;
    role role; /* ROLE_OTHER: of any role */
    unsigned needs;
    quant_type type;
} rule;

/* clang-format off */
static const rule rules[] = {
    {M(MXFP4_MOE),                 ROLE_OUTPUT,    0,                QUANT_Q8_0},
    {ANY,                          ROLE_OUTPUT,    FALCON,           QUANT_Q8_0},
    {ANY,                          ROLE_OUTPUT,    UNEVEN,           QUANT_Q8_0},
    {FEW_BITS | M(IQ3_XXS),        ROLE_OUTPUT,    0,                QUANT_Q5_K},
    {~M(Q8_0),                     ROLE_OUTPUT,    0,                QUANT_Q6_K},
    {M(MXFP4_MOE),                 ROLE_OTHER,     EXPERTS,          QUANT_MXFP4},
    {M(MXFP4_MOE),                 ROLE_OTHER,     0,                QUANT_Q8_0},

    {IQ2_LARGE | M(IQ3_XXS),       ROLE_EMBEDDING, 0,                QUANT_IQ3_S},
    {FEW_BITS,                     ROLE_EMBEDDING, 0,                QUANT_Q2_K},
    {M(TQ1_0) | M(TQ2_0) | M(Q2_0), ROLE_EMBEDDING, 0,               QUANT_Q4_K},

    {FEW_BITS,                     ROLE_V,         GQA4_OR_EXPERTS,  QUANT_Q4_K},
    {IQ2_LARGE,                    ROLE_V,         0,                QUANT_IQ3_S},
    {FEW_BITS,                     ROLE_V,         0,                QUANT_Q2_K},
    {FEW_BITS,                     ROLE_K,         EIGHT_EXPERTS,    QUANT_Q4_K},
    {IQ2_LARGE,                    ROLE_DOWN,      EIGHTH,           QUANT_IQ3_S},
    {FEW_BITS,                     ROLE_DOWN,      EIGHTH,           QUANT_Q2_K},
    {FEW_BITS,                     ROLE_O,         EIGHT_EXPERTS,    QUANT_Q5_K},
    {M(IQ1_S) | M(IQ1_M),          ROLE_O,         0,                QUANT_IQ2_XXS},
    {IQ2_LARGE,                    ROLE_O,         0,                QUANT_IQ3_S},

    {~FEW_BITS,                    ROLE_V,         EIGHT_EXPERTS,    QUANT_Q8_0},
    {M(Q2_K) | M(Q2_K_S) | M(IQ3_XXS) | M(IQ3_XS) | M(IQ3_S),
                                   ROLE_V,         GQA4,             QUANT_Q4_K},
    {M(Q2_K),                      ROLE_V,         0,                QUANT_Q3_K},
    {M(IQ3_XXS),                   ROLE_V,         UNWEIGHED,        QUANT_IQ3_S},
    {M(IQ3_M),                     ROLE_V,         0,                QUANT_Q4_K},
    {M(Q3_K_M),                    ROLE_V,         FIRST_2,          QUANT_Q5_K},
    {M(Q3_K_M),                    ROLE_V,         0,                QUANT_Q4_K},
    {M(Q3_K_L),                    ROLE_V,         0,                QUANT_Q5_K},
    {M(IQ4_NL) | M(IQ4_XS),        ROLE_V,         GQA4,             QUANT_Q5_K},
    {M(Q4_K_M) | M(Q5_K_M),        ROLE_V,         MORE_BITS,        QUANT_Q6_K},
    {M(Q4_K_S),                    ROLE_V,         FIRST_4,          QUANT_Q5_K},

    {~FEW_BITS,                    ROLE_K,         EIGHT_EXPERTS,    QUANT_Q8_0},
    {M(IQ3_XS),                    ROLE_K,         0,                QUANT_IQ3_XXS},
    {M(IQ3_XXS),                   ROLE_K,         0,                QUANT_IQ2_S},
    {M(IQ3_XS),                    ROLE_Q,         0,                QUANT_IQ3_XXS},
    {M(IQ3_XXS),                   ROLE_Q,         0,                QUANT_IQ2_S},

    {M(Q2_K),                      ROLE_DOWN,      0,                QUANT_Q3_K},
    {M(Q2_K_S),                    ROLE_DOWN,      EIGHTH,           QUANT_Q4_K},
    {M(IQ3_XXS),                   ROLE_DOWN,      UNWEIGHED|EIGHTH, QUANT_Q4_K},
    {M(IQ3_XXS),                   ROLE_DOWN,      UNWEIGHED,        QUANT_Q3_K},
    {M(Q3_K_M),                    ROLE_DOWN,      SIXTEENTH,        QUANT_Q5_K},
    {M(Q3_K_M),                    ROLE_DOWN,      NOT_FALCON,       QUANT_Q4_K},
    {M(Q3_K_M),                    ROLE_DOWN,      MORE_BITS,        QUANT_Q4_K},
    {M(IQ3_M),                     ROLE_DOWN,      EIGHTH,           QUANT_Q4_K},
    {M(IQ3_M),                     ROLE_DOWN,      EIGHT_EXPERTS|MORE_BITS, QUANT_Q4_K},
    {M(Q3_K_L),                    ROLE_DOWN,      FALCON,           QUANT_Q4_K},
    {M(Q3_K_L),                    ROLE_DOWN,      0,                QUANT_Q5_K},
    {M(Q4_K_M),                    ROLE_DOWN,      FALCON|SIXTEENTH, QUANT_Q6_K},
    {M(Q4_K_M),                    ROLE_DOWN,      FALCON|MORE_BITS, QUANT_Q5_K},
    {M(Q4_K_M),                    ROLE_DOWN,      NOT_FALCON|MORE_BITS, QUANT_Q6_K},
    {M(IQ4_NL) | M(IQ4_XS),        ROLE_DOWN,      UNWEIGHED|EIGHTH, QUANT_Q5_K},
    {M(Q5_K_M),                    ROLE_DOWN,      MORE_BITS,        QUANT_Q6_K},
    {M(Q4_K_S),                    ROLE_DOWN,      NOT_FALCON|EIGHTH, QUANT_Q5_K},
    {M(Q4_0),                      ROLE_DOWN,      WEIGHED|EIGHTH,   QUANT_Q4_1},
    {M(Q5_0),                      ROLE_DOWN,      WEIGHED|EIGHTH,   QUANT_Q5_1},

    {M(Q2_K) | M(Q3_K_S) | M(Q3_K_M) | M(Q4_K_S) | M(Q4_K_M) | M(IQ3_XXS) | M(IQ3_XS) | M(IQ3_S) |
     M(IQ3_M) | M(IQ4_NL) | M(IQ4_XS),
                                   ROLE_O,         NOT_FALCON|EIGHT_EXPERTS, QUANT_Q5_K},
    {M(Q2_K),                      ROLE_O,         NOT_FALCON|NOT_EIGHT, QUANT_Q3_K},
    {M(IQ3_XXS),                   ROLE_O,         NOT_FALCON|NOT_EIGHT, QUANT_IQ3_S},
    {M(Q3_K_M) | M(IQ3_M),         ROLE_O,         NOT_FALCON|NOT_EIGHT, QUANT_Q4_K},
    {M(Q3_K_L),                    ROLE_O,         NOT_FALCON|NOT_EIGHT, QUANT_Q5_K},
    {M(Q3_K_L),                    ROLE_O,         FALCON,           QUANT_Q4_K},

    {M(Q3_K_M) | M(Q3_K_L) | M(IQ3_M), ROLE_QKV,   0,                QUANT_Q4_K},
    {M(Q4_K_M),                    ROLE_QKV,       0,                QUANT_Q5_K},
    {M(Q5_K_M),                    ROLE_QKV,       0,                QUANT_Q6_K},

    {M(IQ3_XS),                    ROLE_GATE,      MIDDLE,           QUANT_IQ3_XXS},
    {M(IQ3_XS),                    ROLE_UP,        MIDDLE,           QUANT_IQ3_XXS},
};
/* clang-format on */

/* The bit of a mix, also when it is called by its other name. */
static uint64_t bit_of(const quant_mix *mix) {
    for (unsigned i = 0; i < ID_COUNT; i++)
        if (mixes[i].file_type == mix->file_type) return UINT64_C(1) << i;
    return 0;
}

/* Rank and number of tensors of this kind: what conditions on layers count with. Layers of experts
 * are counted by number, as several tensors of one kind stand in each. */
static void place_of(const mix_model *m, role r, str name, uint32_t *i, uint32_t *n) {
    uint32_t layer;
    *i = 0;
    *n = r == ROLE_V ? m->n_attn : m->n_layer;
    if (!layer_of(name, m->n_layer, &layer)) return;
    *i = layer;
    if (r == ROLE_V) *i = m->attn_rank[layer];
    else if (m->n_expert <= 1) *i = m->ffn_rank[layer];
}

quant_type mix_choose(const quant_mix *mix, const mix_model *m, const mix_tensor *t) {
    const role r = role_of(m, t->name);
    const uint64_t bit = bit_of(mix);
    uint32_t i, n;
    if (quant_get(mix->base)->block == 1) return mix->base;
    place_of(m, r, t->name, &i, &n);
    const unsigned is = true_of(mix, m, t, i, n);
    quant_type type = mix->base;
    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++) {
        const rule *x = &rules[k];
        if (!(x->mixes & bit) || (x->role != ROLE_OTHER && x->role != r) || (x->needs & ~is))
            continue;
        type = x->type;
        break;
    }
    /* Eight query heads of 80 layers to a key head (70B): values cost next to nothing. */
    const bool is_70b = m->n_layer == 80 && m->n_gqa == 8;
    if (r == ROLE_V && is_70b && !(bit & FEW_BITS) && (type == QUANT_Q3_K || type == QUANT_Q4_K))
        type = QUANT_Q5_K;
    return type;
}

quant_type mix_fitting(quant_type wanted, uint64_t cols) {
    static const quant_type instead[QUANT_TYPE_COUNT] = {
        [QUANT_IQ1_S] = QUANT_IQ4_NL,   [QUANT_IQ1_M] = QUANT_IQ4_NL,
        [QUANT_IQ2_XXS] = QUANT_IQ4_NL, [QUANT_IQ2_XS] = QUANT_IQ4_NL,
        [QUANT_IQ2_S] = QUANT_IQ4_NL,   [QUANT_IQ3_XXS] = QUANT_IQ4_NL,
        [QUANT_IQ3_S] = QUANT_IQ4_NL,   [QUANT_IQ4_XS] = QUANT_IQ4_NL,
        [QUANT_Q1_0] = QUANT_Q4_0,      [QUANT_Q2_0] = QUANT_Q4_0,
        [QUANT_Q2_K] = QUANT_Q4_0,      [QUANT_Q3_K] = QUANT_Q4_0,
        [QUANT_TQ1_0] = QUANT_Q4_0,     [QUANT_TQ2_0] = QUANT_Q4_0,
        [QUANT_NVFP4] = QUANT_MXFP4,    [QUANT_Q4_K] = QUANT_Q5_0,
        [QUANT_Q5_K] = QUANT_Q5_1,      [QUANT_Q6_K] = QUANT_Q8_0,
    };
    if (cols % quant_get(wanted)->block == 0) return wanted;
    const quant_type other = instead[wanted];
    /* No row of the table: F32, which nothing falls back to. */
    if (other != QUANT_F32 && cols % quant_get(other)->block == 0) return other;
    return QUANT_F16;
}

bool mix_needs_importance(quant_type t) {
    return t == QUANT_IQ2_XXS || t == QUANT_IQ2_XS || t == QUANT_IQ1_S;
}

/* ---- From a file ---- */

/* A whole number that may also be one for each layer; then the largest, as layers without attention
 * say 0. Missing keeps *out. */
static status number_or_list(const tensor_file *f, str arch, const char *suffix, uint32_t *out,
                             err *e) {
    char key[128];
    snprintf(key, sizeof key, "%.*s.%s", STR_FMT(arch), suffix);
    const meta_value *v = tensor_file_meta(f, key);
    if (!v || v->type != META_ARRAY) return meta_u32(f, key, out, e);
    int64_t most = 0, one;
    for (uint64_t i = 0; i < v->a.n; i++)
        if (meta_array_i64(v, i, &one) && one > most) most = one;
    if (most > INT32_MAX)
        return err_set(e, RZ_EFORMAT, "%s: key %s is %lld, expected below 2^31", f->path, key,
                       (long long)most);
    *out = (uint32_t)most;
    return RZ_OK;
}

enum { MAX_LAYERS = 1 << 16 };

/* Mark layers, then count those before each. */
static const uint32_t *ranks(const tensor_file *f, uint32_t n_layer, bool (*counts)(str name),
                             arena *mem) {
    uint32_t *rank = arena_zero(mem, n_layer + 1, sizeof *rank), layer;
    if (!rank) return NULL;
    for (size_t i = 0; i < f->n_tensor; i++)
        if (counts(f->tensor[i].name) && layer_of(f->tensor[i].name, n_layer, &layer))
            rank[layer] = 1;
    for (uint32_t i = 0, n = 0; i <= n_layer; i++) {
        const uint32_t here = rank[i];
        rank[i] = n;
        n += here;
    }
    return rank;
}

static bool is_down(str name) { return holds(name, "ffn_down.weight"); }

status mix_model_read(mix_model *m, const tensor_file *f, arena *mem, err *e) {
    str arch = {NULL, 0};
    uint32_t heads = 0, kv_heads = UINT32_MAX;
    *m = (mix_model){.tied = !tensor_file_find(f, STR_LIT("output.weight"))};
    TRY(meta_str(f, "general.architecture", &arch, e));
    if (!arch.p) return err_set(e, RZ_EFORMAT, "%s: key general.architecture is missing", f->path);
    m->falcon = str_is(arch, "falcon");
    TRY(number_or_list(f, arch, "block_count", &m->n_layer, e));
    TRY(number_or_list(f, arch, "expert_count", &m->n_expert, e));
    TRY(number_or_list(f, arch, "attention.head_count", &heads, e));
    TRY(number_or_list(f, arch, "attention.head_count_kv", &kv_heads, e));
    if (m->n_layer > MAX_LAYERS)
        return err_set(e, RZ_EFORMAT, "%s: key %.*s.block_count is %u, expected at most %d",
                       f->path, STR_FMT(arch), m->n_layer, MAX_LAYERS);
    if (kv_heads == UINT32_MAX) kv_heads = heads;
    m->n_gqa = kv_heads ? heads / kv_heads : 0;
    for (size_t i = 0; i < f->n_tensor; i++) m->n_attn += has_values(f->tensor[i].name);
    m->attn_rank = ranks(f, m->n_layer, has_values, mem);
    m->ffn_rank = ranks(f, m->n_layer, is_down, mem);
    if (!m->attn_rank || !m->ffn_rank) return err_set(e, RZ_ENOMEM, "%s: out of memory", f->path);
    return RZ_OK;
}
