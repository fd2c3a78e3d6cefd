/* bind.c - tensor names to pointers, checking type and shape of each.
 *
 * Weights stay where they are in the map; a fused tensor gives several weights that share its
 * bytes. Only what a checkpoint folder stores transposed, head by head, or less one is copied. */
#include <math.h>
#include <stdio.h>

#include "model/arch.h"

enum { MISSING_SHOWN = 10, SHAPE_TEXT = 96, NAME_MAX_LEN = BIND_NAME_MAX };

/* Work in progress: which tensors found their slot, which slots no tensor. */
typedef struct binder {
    model *m;
    bool *used; /* [n_tensor] */
    uint64_t size[DIM_COUNT];
    uint32_t H;        /* heads of the layer at hand */
    uint64_t more_ssm; /* rows of its fused projection that follow the step sizes */
    uint32_t n_missing;
    char missing[400], last_missing[NAME_MAX_LEN];
} binder;

/* Several slots may want parts of one tensor: it counts once. */
static void note_missing(binder *b, const char *name) {
    const size_t at = strlen(b->missing);
    if (strcmp(name, b->last_missing) == 0) return;
    snprintf(b->last_missing, sizeof b->last_missing, "%s", name);
    if (b->n_missing < MISSING_SHOWN)
        snprintf(b->missing + at, sizeof b->missing - at, "%s%s", b->n_missing ? ", " : "", name);
    b->n_missing++;
}

/* Of one layer, or of the model (l NULL). */
static void fill_sizes(binder *b, const layer *l) {
    static const layer none = {.mix = MIX_NONE};
    const model_config *c = &b->m->c;
    if (!l) l = &none;
    const attend_config *a = &l->attend;
    const ssm_config *s = &l->ssm;
    const uint64_t head = s->heads ? s->inner / s->heads : 0;
    b->H = a->H;
    b->more_ssm = s->decay_floor > 0 ? 2ull * s->heads + s->angles : 0;
    const uint64_t size[DIM_COUNT] = {
        [DIM_NONE] = 1,
        [DIM_D] = c->D,
        [DIM_HK] = (uint64_t)a->H * a->K,
        [DIM_GK] = (uint64_t)a->G * a->K,
        [DIM_K] = a->K,
        [DIM_H] = a->H,
        [DIM_F] = l->F,
        [DIM_V] = c->V,
        [DIM_C] = c->C,
        [DIM_TYPE] = c->n_type,
        [DIM_E] = c->route.n_expert,
        [DIM_FE] = c->F_expert,
        [DIM_FS] = c->F_shared,
        [DIM_ONE] = 1,
        [DIM_SI] = s->inner,
        [DIM_SN] = s->state,
        [DIM_SK] = s->conv,
        [DIM_SR] = s->rank,
        [DIM_SH] = s->heads,
        [DIM_SA] = s->angles_shared ? s->angles : (uint64_t)s->heads * s->angles,
        [DIM_SP] = head,
        [DIM_SW] = head * s->wide,
        [DIM_SC] = s->inner + 2ull * s->groups * s->state,
        [DIM_MC] = c->mla.rank,
        [DIM_MQ] = c->mla.q_rank,
        [DIM_MX] = c->mla.q_rank ? 0 : c->D,
        [DIM_MN] = c->mla.nope,
        [DIM_MR] = c->mla.rope,
        [DIM_MV] = c->mla.value,
        [DIM_MH] = (uint64_t)a->H * (c->mla.nope + c->mla.rope),
        [DIM_MP] = (uint64_t)a->H * c->mla.nope,
        [DIM_MT] = (uint64_t)a->H * c->mla.rope,
        [DIM_MO] = (uint64_t)a->H * c->mla.value};
    memcpy(b->size, size, sizeof size);
}

/* Slowest dimension first, the way people write matrices. */
static void shape_text(char text[SHAPE_TEXT], const uint64_t *dim, uint32_t n_dims) {
    size_t at = 0;
    for (uint32_t i = n_dims; i-- > 0;)
        at += (size_t)snprintf(text + at, SHAPE_TEXT - at, "%s%llu", i + 1 == n_dims ? "[" : ",",
                               (unsigned long long)dim[i]);
    snprintf(text + at, SHAPE_TEXT - at, "]");
}

/* Rows of the stored tensor, and the first of those a slot takes. */
static uint64_t stored_rows(const binder *b, const tensor_slot *s, uint64_t *first) {
    const uint64_t *size = b->size;
    const uint64_t q = size[DIM_HK], k = size[DIM_GK], f = size[DIM_F];
    const uint64_t scan = size[DIM_SI] + size[DIM_SC], h = size[DIM_SH];
    const uint64_t ssm = scan + h + b->more_ssm;
    const uint64_t low = size[DIM_SR] + 2 * size[DIM_SN];
    const uint64_t latent = size[DIM_MC] + size[DIM_MR];
    const struct {
        uint64_t first, rows;
    } part[] = {[PART_ALL] = {0, size[s->out]},
                [PART_Q] = {0, q + 2 * k},
                [PART_K] = {q, q + 2 * k},
                [PART_V] = {q + k, q + 2 * k},
                [PART_GATE] = {0, 2 * f},
                [PART_UP] = {f, 2 * f},
                [PART_FIRST] = {0, 2 * size[s->out]},
                [PART_SECOND] = {size[s->out], 2 * size[s->out]},
                [PART_THIRD_1] = {0, 3 * size[s->out]},
                [PART_THIRD_2] = {size[s->out], 3 * size[s->out]},
                [PART_THIRD_3] = {2 * size[s->out], 3 * size[s->out]},
                [PART_EVEN] = {0, 2 * size[s->out]},
                [PART_ODD] = {1, 2 * size[s->out]},
                [PART_SSM_Z] = {0, ssm},
                [PART_SSM_X] = {size[DIM_SI], ssm},
                [PART_SSM_DT] = {scan, ssm},
                [PART_SSM_DECAY] = {scan + h, ssm},
                [PART_SSM_LAMBDA] = {scan + 2 * h, ssm},
                [PART_SSM_ANGLE] = {scan + 3 * h, ssm},
                [PART_X_DT] = {0, low},
                [PART_X_B] = {size[DIM_SR], low},
                [PART_X_C] = {size[DIM_SR] + size[DIM_SN], low},
                [PART_LATENT] = {0, latent},
                [PART_LATENT_ROPE] = {size[DIM_MC], latent}};
    *first = part[s->part].first;
    return part[s->part].rows;
}

/* Folders saved from a larger model carry its name in front of every other. */
static const tensor_info *find_named(const model *m, const char *name) {
    const tensor_info *t = tensor_file_find(m->file, str_of(name));
    if (t || !m->file->config || !m->arch->hf_outer) return t;
    char whole[NAME_MAX_LEN];
    snprintf(whole, sizeof whole, "%s%s", m->arch->hf_outer, name);
    return tensor_file_find(m->file, str_of(whole));
}

static const tensor_info *find_tensor(const binder *b, const char *name) {
    return find_named(b->m, name);
}

static bool is_folder(const binder *b) { return b->m->file->config != NULL; }

/* What a slot of layer l, or of the model (NULL), is called in a folder or in a GGUF file; numbered
 * experts with their '*'. false: not in this kind. */
static bool slot_name(const model *m, const tensor_slot *s, const layer *l, bool folder,
                      char name[NAME_MAX_LEN]) {
    const char *own = folder ? s->hf : s->gguf;
    if (!own) return false;
    if (l)
        snprintf(name, NAME_MAX_LEN, "%s%u.%s", folder ? m->arch->hf_layer : "blk.", l->index, own);
    else snprintf(name, NAME_MAX_LEN, "%s", own);
    return true;
}

/* Name of one expert: the number in place of '*'. */
static void expert_name(char out[NAME_MAX_LEN], const char *name, const char *star, uint32_t i) {
    snprintf(out, NAME_MAX_LEN, "%.*s%u%s", (int)(star - name), name, i, star + 1);
}

bool bind_has_slot(const model *m, const tensor_slot *s, const layer *l) {
    char name[NAME_MAX_LEN], first[NAME_MAX_LEN];
    if (!slot_name(m, s, l, m->file->config != NULL, name)) return false;
    /* Its parts are put in order when they are bound: not rows that others could work on. */
    if (m->file->config && s->twist == TWIST_MX_SPLIT) return false;
    const char *star = strchr(name, '*');
    if (star) expert_name(first, name, star, 0);
    return find_named(m, star ? first : name) != NULL;
}

static slot_twist twist_of(const binder *b, const tensor_slot *s) {
    return is_folder(b) ? s->twist : TWIST_NONE;
}

static status wrong_shape(const binder *b, const tensor_info *t, const uint64_t *want,
                          uint32_t n_want, err *e) {
    char found[SHAPE_TEXT], expected[SHAPE_TEXT];
    shape_text(found, t->dim, t->n_dims);
    shape_text(expected, want, n_want);
    return err_set(e, RZ_EFORMAT, "%s: tensor %.*s is %s, expected %s", b->m->file->path,
                   STR_FMT(t->name), found, expected);
}

static status check_shape(const binder *b, const tensor_info *t, const tensor_slot *s, err *e) {
    uint64_t first;
    const uint64_t rows = stored_rows(b, s, &first), cols = b->size[s->in];
    uint64_t want[TENSOR_MAX_DIMS] = {rows, 1, 1, 1};
    if (s->in != DIM_NONE) {
        const bool turned = twist_of(b, s) == TWIST_TRANSPOSED;
        want[0] = turned ? rows : cols;
        want[1] = turned ? cols : rows;
    }
    if (s->kind == SLOT_FLAT ? t->n == rows * cols : memcmp(t->dim, want, sizeof want) == 0)
        return RZ_OK;
    return wrong_shape(b, t, want, s->in != DIM_NONE ? 2 : 1, e);
}

static status no_memory(const binder *b, err *e) {
    return err_set(e, RZ_ENOMEM, "%s: out of memory", b->m->file->path);
}

static status unusable(const binder *b, const tensor_info *t, err *e) {
    return err_set(e, RZ_EUNSUPPORTED,
                   "%s: tensor %.*s is stored as %s, which this version cannot compute with",
                   b->m->file->path, STR_FMT(t->name), quant_get(t->type)->name);
}

/* How far the rows a slot takes are apart. */
static uint64_t row_step(const tensor_slot *s) {
    return s->part == PART_EVEN || s->part == PART_ODD ? 2 : 1;
}

/* Row of the fused tensor that becomes row i of the part, when heads come one after the other. */
static uint64_t per_head_row(const binder *b, const tensor_slot *s, uint64_t i) {
    const uint64_t K = b->size[DIM_K], which = (uint64_t)(s->part - PART_Q);
    return i / K * 3 * K + which * K + i % K;
}

/* A copy of the rows a slot takes, in the order it takes them. */
static status copy_rows(binder *b, const tensor_info *t, const tensor_slot *s, uint64_t row_bytes,
                        const uint8_t **out, err *e) {
    const uint64_t n = b->size[s->out];
    uint8_t *copy = arena_zero(&b->m->mem, n, row_bytes);
    if (!copy) return no_memory(b, e);
    for (uint64_t i = 0; i < n; i++)
        memcpy(copy + i * row_bytes, t->data + per_head_row(b, s, i) * row_bytes, row_bytes);
    *out = copy;
    return RZ_OK;
}

/* A stored [in, out] matrix turned; only for types whose block is one value. */
static status copy_turned(binder *b, const tensor_info *t, const uint8_t **out, err *e) {
    const quant_info *q = quant_get(t->type);
    if (q->block != 1) return unusable(b, t, e);
    const uint64_t rows = t->dim[1], cols = t->dim[0], size = q->bytes;
    uint8_t *copy = arena_zero(&b->m->mem, t->n, size);
    if (!copy) return no_memory(b, e);
    for (uint64_t r = 0; r < rows; r++)
        for (uint64_t c = 0; c < cols; c++)
            memcpy(copy + (c * rows + r) * size, t->data + (r * cols + c) * size, size);
    *out = copy;
    return RZ_OK;
}

static status bind_weight(binder *b, const tensor_info *t, const tensor_slot *s, weight *w,
                          err *e) {
    uint64_t first, row_bytes;
    stored_rows(b, s, &first);
    if (!ops_cpu_supports(t->type) || !quant_row_bytes(t->type, b->size[s->in], &row_bytes))
        return unusable(b, t, e);
    const uint8_t *data = t->data;
    if (twist_of(b, s) == TWIST_PER_HEAD) {
        TRY(copy_rows(b, t, s, row_bytes, &data, e));
    } else {
        if (twist_of(b, s) == TWIST_TRANSPOSED) TRY(copy_turned(b, t, &data, e));
        data += first * row_bytes;
    }
    *w = (weight){.data = data,
                  .type = t->type,
                  .n_out = (uint32_t)b->size[s->out],
                  .n_in = (uint32_t)b->size[s->in],
                  .row_bytes = row_bytes};
    return RZ_OK;
}

/* Small vectors become floats: borrowed when they are floats already, else converted once. */
static status bind_vector(binder *b, const tensor_info *t, const tensor_slot *s, const float **v,
                          err *e) {
    uint64_t first;
    stored_rows(b, s, &first);
    const slot_twist twist = twist_of(b, s);
    const bool as_is = (twist == TWIST_NONE || twist == TWIST_TRANSPOSED) && row_step(s) == 1;
    if (as_is && t->type == QUANT_F32 && (uintptr_t)t->data % sizeof(float) == 0) {
        *v = (const float *)(const void *)t->data + first;
        return RZ_OK;
    }
    quant_to_float *to_float = quant_get(t->type)->to_float;
    if (!to_float) return unusable(b, t, e);
    const uint64_t n = b->size[s->out] * (s->kind == SLOT_FLAT ? b->size[s->in] : 1);
    float *whole = arena_zero(&b->m->mem, t->n, sizeof *whole);
    float *part = arena_zero(&b->m->mem, n, sizeof *part);
    if (!whole || !part) return no_memory(b, e);
    to_float(t->data, whole, t->n);
    for (uint64_t i = 0; i < n; i++) {
        part[i] = whole[twist == TWIST_PER_HEAD ? per_head_row(b, s, i) : first + i * row_step(s)];
        if (twist == TWIST_PLUS_ONE) part[i] += 1;
        if (twist == TWIST_NEG_EXP) part[i] = -expf(part[i]);
        if (twist == TWIST_EXP_NEG) part[i] = expf(-part[i]);
        if (twist == TWIST_NEG_EXP_BOUND) part[i] = -fminf(fmaxf(expf(part[i]), 1e-6f), 1e6f);
    }
    *v = part;
    return RZ_OK;
}

/* ---- A matrix for each head ---- */

/* How the heads of a SLOT_HEADS lie in the stored rows. */
typedef struct head_layout {
    uint64_t first, rows, stride; /* of head h: rows from h * stride + first */
    bool turned;                  /* stored [in, out] */
} head_layout;

static head_layout layout_of(const binder *b, const tensor_slot *s) {
    const uint64_t out = b->size[s->out], in = b->size[s->in];
    const uint64_t both = b->size[DIM_MN] + b->size[DIM_MV];
    if (s->part == PART_HEADS_K) return (head_layout){0, in, both, true};
    if (s->part == PART_HEADS_V) return (head_layout){b->size[DIM_MN], out, both, false};
    if (s->part == PART_HEADS_TURNED) return (head_layout){0, in, in, true};
    return (head_layout){0, out, out, false};
}

/* Turned matrices as floats: a block of quantized values cannot be turned. */
static status copy_heads(binder *b, const tensor_info *t, const head_layout *at, head_stack *x,
                         err *e) {
    const uint64_t rows = at->rows, cols = t->dim[0], H = b->H;
    quant_to_float *to_float = quant_get(t->type)->to_float;
    float *copy = arena_zero(&b->m->mem, H * rows * cols, sizeof *copy);
    float *row = arena_zero(&b->m->mem, cols, sizeof *row);
    if (!copy || !row) return no_memory(b, e);
    for (uint64_t h = 0; h < H; h++)
        for (uint64_t r = 0; r < rows; r++) {
            to_float(t->data + (h * at->stride + at->first + r) * x->w.row_bytes, row, cols);
            for (uint64_t c = 0; c < cols; c++) copy[(h * cols + c) * rows + r] = row[c];
        }
    x->w = (weight){(const uint8_t *)copy, QUANT_F32, (uint32_t)cols, (uint32_t)rows,
                    rows * sizeof *copy};
    x->head_bytes = rows * cols * sizeof *copy;
    return RZ_OK;
}

static status bind_heads(binder *b, const tensor_info *t, const tensor_slot *s, head_stack *x,
                         err *e) {
    const head_layout at = layout_of(b, s);
    const uint64_t H = b->H, cols = b->size[at.turned ? s->out : s->in];
    const uint64_t flat[TENSOR_MAX_DIMS] = {cols, H * at.stride, 1, 1};
    const uint64_t stacked[TENSOR_MAX_DIMS] = {cols, at.stride, H, 1};
    const bool whole = at.stride == at.rows;
    if (memcmp(t->dim, flat, sizeof flat) != 0 &&
        !(whole && memcmp(t->dim, stacked, sizeof stacked) == 0))
        return wrong_shape(b, t, whole ? stacked : flat, whole ? 3 : 2, e);
    head_stack made = {.w = {.type = t->type}};
    if (!ops_cpu_supports(t->type) || !quant_row_bytes(t->type, cols, &made.w.row_bytes))
        return unusable(b, t, e);
    if (at.turned) {
        TRY(copy_heads(b, t, &at, &made, e));
    } else {
        made.w.data = t->data + at.first * made.w.row_bytes;
        made.w.n_out = (uint32_t)at.rows;
        made.w.n_in = (uint32_t)cols;
        made.head_bytes = at.stride * made.w.row_bytes;
    }
    *x = made;
    return RZ_OK;
}

/* Whatever kind it is, a slot's member begins with a pointer that is NULL until it is bound. */
static bool is_filled(const void *member) {
    const void *first;
    memcpy(&first, member, sizeof first);
    return first != NULL;
}

static status bind_slot(binder *b, const tensor_slot *s, const char *name, void *object, err *e) {
    const tensor_info *t = find_tensor(b, name);
    if (!t) {
        if (!s->optional && !is_filled((char *)object + s->offset)) note_missing(b, name);
        return RZ_OK;
    }
    b->used[t - b->m->file->tensor] = true;
    void *member = (char *)object + s->offset;
    if (is_filled(member)) return RZ_OK;
    if (s->kind == SLOT_HEADS) return bind_heads(b, t, s, member, e);
    TRY(check_shape(b, t, s, e));
    if (s->kind == SLOT_WEIGHT) return bind_weight(b, t, s, member, e);
    if (s->kind == SLOT_VECTOR || s->kind == SLOT_FLAT) return bind_vector(b, t, s, member, e);
    norm_weight *norm = member;
    if (norm->eps == 0) norm->eps = b->m->c.norm_eps;
    norm->center = s->kind == SLOT_CENTER;
    return bind_vector(b, t, s, &norm->gain, e);
}

/* ---- Experts ---- */

static status bind_one_expert(binder *b, const tensor_slot *s, const char *name, expert_stack *x,
                              uint32_t expert, err *e) {
    weight w = {0};
    tensor_slot one = *s;
    one.kind = SLOT_WEIGHT;
    one.offset = 0;
    TRY(bind_slot(b, &one, name, &w, e));
    if (!w.data) return RZ_OK; /* reported as missing */
    if (expert > 0 && w.type != x->w.type)
        return err_set(e, RZ_EUNSUPPORTED, "%s: tensor %s is %s beside experts of %s",
                       b->m->file->path, name, quant_get(w.type)->name, quant_get(x->w.type)->name);
    x->w = w;
    x->data[expert] = w.data;
    return RZ_OK;
}

/* Blocks of MXFP4 whose 32 values lie in pairs, low nibble first, with their scales elsewhere, as
 * quant/block.h has them: the scale, then values 0 and 16, 1 and 17, ... */
static void join_mx(uint8_t *out, const uint8_t *pairs, uint8_t scale) {
    *out++ = scale;
    for (uint32_t i = 0; i < 16; i++) {
        const uint32_t low = pairs[i / 2], high = pairs[8 + i / 2], shift = i % 2 * 4;
        out[i] = (uint8_t)((low >> shift & 15) | (high >> shift & 15) << 4);
    }
}

static status copy_mx(binder *b, const tensor_slot *s, const tensor_info *blocks,
                      const tensor_info *scales, expert_stack *x, err *e) {
    const uint64_t E = b->m->c.route.n_expert, out = b->size[s->out], n = b->size[s->in] / 32;
    uint64_t first;
    const uint64_t rows = stored_rows(b, s, &first), step = row_step(s);
    const uint64_t want[TENSOR_MAX_DIMS] = {16, n, rows, E},
                   ones[TENSOR_MAX_DIMS] = {n, rows, E, 1};
    if (b->size[s->in] % 32) return unusable(b, blocks, e);
    if (memcmp(blocks->dim, want, sizeof want) != 0) return wrong_shape(b, blocks, want, 4, e);
    if (memcmp(scales->dim, ones, sizeof ones) != 0) return wrong_shape(b, scales, ones, 3, e);
    if (blocks->type != QUANT_U8) return unusable(b, blocks, e);
    if (scales->type != QUANT_U8) return unusable(b, scales, e);
    const uint64_t bytes = quant_get(QUANT_MXFP4)->bytes, row_bytes = n * bytes;
    uint8_t *copy = arena_zero(&b->m->mem, E * out, row_bytes);
    if (!copy) return no_memory(b, e);
    x->w = (weight){copy, QUANT_MXFP4, (uint32_t)out, (uint32_t)b->size[s->in], row_bytes};
    for (uint64_t i = 0; i < E * out; i++) {
        const uint64_t row = i / out * rows + first + i % out * step;
        for (uint64_t k = 0; k < n; k++, copy += bytes)
            join_mx(copy, blocks->data + (row * n + k) * 16, scales->data[row * n + k]);
    }
    return RZ_OK;
}

/* Experts stored [E, in, rows], one value at a time. */
static status copy_turned_experts(binder *b, const tensor_slot *s, const tensor_info *t,
                                  expert_stack *x, err *e) {
    const quant_info *q = quant_get(t->type);
    const uint64_t E = b->m->c.route.n_expert, out = b->size[s->out], in = b->size[s->in];
    uint64_t first;
    const uint64_t rows = stored_rows(b, s, &first), step = row_step(s), size = q->bytes;
    const uint64_t want[TENSOR_MAX_DIMS] = {rows, in, E, 1};
    if (memcmp(t->dim, want, sizeof want) != 0) return wrong_shape(b, t, want, 3, e);
    if (q->block != 1 || !ops_cpu_supports(t->type)) return unusable(b, t, e);
    uint8_t *copy = arena_zero(&b->m->mem, E * out * in, size);
    if (!copy) return no_memory(b, e);
    x->w = (weight){copy, t->type, (uint32_t)out, (uint32_t)in, in * size};
    for (uint64_t i = 0; i < E * out; i++) {
        const uint8_t *from = t->data + (i / out * in * rows + first + i % out * step) * size;
        for (uint64_t c = 0; c < in; c++, copy += size) memcpy(copy, from + c * rows * size, size);
    }
    return RZ_OK;
}

static status bind_mx_split(binder *b, const tensor_slot *s, const char *name, expert_stack *x,
                            err *e) {
    char name_of_blocks[NAME_MAX_LEN + 8], name_of_scales[NAME_MAX_LEN + 8];
    snprintf(name_of_blocks, sizeof name_of_blocks, "%s_blocks", name);
    snprintf(name_of_scales, sizeof name_of_scales, "%s_scales", name);
    const tensor_info *whole = find_tensor(b, name), *blocks = find_tensor(b, name_of_blocks),
                      *scales = find_tensor(b, name_of_scales);
    if (!whole && (!blocks || !scales)) {
        note_missing(b, blocks ? name_of_scales : name_of_blocks);
        return RZ_OK;
    }
    if (whole) {
        b->used[whole - b->m->file->tensor] = true;
        TRY(copy_turned_experts(b, s, whole, x, e));
    } else {
        b->used[blocks - b->m->file->tensor] = b->used[scales - b->m->file->tensor] = true;
        TRY(copy_mx(b, s, blocks, scales, x, e));
    }
    for (uint32_t i = 0; i < b->m->c.route.n_expert; i++)
        x->data[i] = x->w.data + (uint64_t)i * x->w.n_out * x->w.row_bytes;
    return RZ_OK;
}

/* One stacked tensor [E, out, in], or E tensors whose name has the number in place of '*'. */
static status bind_experts(binder *b, const tensor_slot *s, const char *name, expert_stack *x,
                           err *e) {
    const uint32_t E = b->m->c.route.n_expert;
    x->data = arena_zero(&b->m->mem, E, sizeof *x->data);
    if (!x->data) return no_memory(b, e);
    if (twist_of(b, s) == TWIST_MX_SPLIT) return bind_mx_split(b, s, name, x, e);
    const char *star = strchr(name, '*');
    if (star) {
        for (uint32_t i = 0; i < E; i++) {
            char numbered[NAME_MAX_LEN];
            expert_name(numbered, name, star, i);
            TRY(bind_one_expert(b, s, numbered, x, i, e));
        }
        return RZ_OK;
    }
    const tensor_info *t = find_tensor(b, name);
    if (!t) {
        note_missing(b, name);
        return RZ_OK;
    }
    b->used[t - b->m->file->tensor] = true;
    uint64_t row_bytes, first;
    const uint64_t rows = stored_rows(b, s, &first), cols = b->size[s->in];
    const uint64_t want[TENSOR_MAX_DIMS] = {cols, rows, E, 1};
    if (memcmp(t->dim, want, sizeof want) != 0) return wrong_shape(b, t, want, 3, e);
    if (!ops_cpu_supports(t->type) || !quant_row_bytes(t->type, cols, &row_bytes))
        return unusable(b, t, e);
    x->w = (weight){t->data, t->type, (uint32_t)b->size[s->out], (uint32_t)cols, row_bytes};
    for (uint32_t i = 0; i < E; i++) x->data[i] = t->data + (i * rows + first) * row_bytes;
    return RZ_OK;
}

static status bind_layer(binder *b, layer *l, err *e) {
    fill_sizes(b, l);
    for (const tensor_slot *s = b->m->arch->layer_slot; s->gguf || s->hf; s++) {
        char name[NAME_MAX_LEN];
        if (!slot_name(b->m, s, l, is_folder(b), name) || b->size[s->out] == 0 ||
            b->size[s->in] == 0 || (s->ffn != FFN_NONE && s->ffn != l->ffn) ||
            (s->mix != MIX_NONE && s->mix != l->mix))
            continue;
        void *member = (char *)l + s->offset;
        if (s->kind == SLOT_EXPERTS) TRY(bind_experts(b, s, name, member, e));
        else TRY(bind_slot(b, s, name, l, e));
    }
    return RZ_OK;
}

/* The vocabulary's size is the embedding's height; all else is checked against it. */
static status find_vocabulary(binder *b, err *e) {
    const tensor_slot *s = b->m->arch->model_slot;
    char name[NAME_MAX_LEN];
    while (s->offset != M_AT(embed) || s->kind != SLOT_WEIGHT) s++;
    const tensor_info *t =
        slot_name(b->m, s, NULL, is_folder(b), name) ? find_tensor(b, name) : NULL;
    if (!t) return RZ_OK; /* reported with everything else that is missing */
    if (t->dim[1] > INT32_MAX)
        return err_set(e, RZ_EFORMAT, "%s: tensor %.*s has %llu rows", b->m->file->path,
                       STR_FMT(t->name), (unsigned long long)t->dim[1]);
    b->m->c.V = (uint32_t)t->dim[1];
    return RZ_OK;
}

/* Tensors that are no weights: tables of rotations, masks of old checkpoints. */
static bool is_known_buffer(str name) {
    static const char *const endings[] = {
        "rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight",
        ".attn_rot_embd",    ".rotary_emb.inv_freq",     ".attn.bias",
        ".masked_bias",      ".attention.bias"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (str_ends(name, str_of(endings[i]))) return true;
    return false;
}

/* Layers behind the last that only help to predict further tokens: not run here. */
static bool is_extra_layer(const binder *b, str name) {
    const model *m = b->m;
    const str prefix = str_of(is_folder(b) ? m->arch->hf_layer : "blk.");
    uint64_t i;
    if (m->c.n_extra == 0 || !str_starts(name, prefix)) return false;
    str rest = {name.p + prefix.len, name.len - prefix.len};
    return str_u64(str_split(&rest, '.'), &i) && i >= m->c.L && i - m->c.L < m->c.n_extra;
}

/* Does a family that has other tasks too know it as theirs? */
static bool is_ignored(const binder *b, str name) {
    const arch *a = b->m->arch;
    str rest = str_of(is_folder(b) ? a->hf_ignored : NULL);
    const str outer = str_of(a->hf_outer);
    if (outer.p && str_starts(name, outer)) name = (str){name.p + outer.len, name.len - outer.len};
    while (rest.p)
        if (str_starts(name, str_split(&rest, '|'))) return true;
    return false;
}

/* A weight nobody asked for means that this is not quite the architecture it says it is. */
static status check_all_used(const binder *b, err *e) {
    for (size_t i = 0; i < b->m->file->n_tensor; i++) {
        const str name = b->m->file->tensor[i].name;
        if (b->used[i] || is_known_buffer(name) || is_extra_layer(b, name) || is_ignored(b, name))
            continue;
        return err_set(e, RZ_EUNSUPPORTED, "%s: tensor %.*s has no place in a %s model",
                       b->m->file->path, STR_FMT(name), b->m->arch->name);
    }
    return RZ_OK;
}

status bind_tensors(model *m, err *e) {
    binder b = {.m = m};
    b.used = arena_zero(&m->mem, m->file->n_tensor + 1, sizeof *b.used);
    if (!b.used) return no_memory(&b, e);
    TRY(find_vocabulary(&b, e));
    fill_sizes(&b, NULL);
    for (const tensor_slot *s = m->arch->model_slot; s->gguf || s->hf; s++) {
        char name[NAME_MAX_LEN];
        if (slot_name(m, s, NULL, m->file->config != NULL, name)) TRY(bind_slot(&b, s, name, m, e));
    }
    for (uint32_t i = 0; i < m->c.L; i++) TRY(bind_layer(&b, &m->layer[i], e));
    if (b.n_missing)
        return err_set(e, RZ_EFORMAT, "%s: %u tensor%s missing: %s%s", m->file->path, b.n_missing,
                       b.n_missing == 1 ? " is" : "s are", b.missing,
                       b.n_missing > MISSING_SHOWN ? ", ..." : "");
    return check_all_used(&b, e);
}

/* ---- The other way round ---- */

bool bind_name(const model *m, const bound_tensor *t, bool gguf, char out[BIND_NAME_MAX]) {
    char name[NAME_MAX_LEN];
    if (!slot_name(m, t->slot, t->layer, !gguf, name)) return false;
    const char *star = gguf ? NULL : strchr(name, '*');
    if (star) expert_name(out, name, star, t->expert);
    else memcpy(out, name, sizeof name);
    return true;
}

static void map_slot(const binder *b, bound_tensor *bound, bound_tensor one) {
    const bool numbered = is_folder(b) && one.slot->hf && strchr(one.slot->hf, '*');
    const uint32_t n = numbered ? b->m->c.route.n_expert : 1;
    char name[BIND_NAME_MAX];
    for (one.expert = 0; one.expert < n; one.expert++) {
        if (!bind_name(b->m, &one, !is_folder(b), name)) return;
        const tensor_info *t = find_tensor(b, name);
        bound_tensor *to = t ? &bound[t - b->m->file->tensor] : NULL;
        if (to && !to->slot) *to = one;
    }
}

status bind_map(const model *m, arena *mem, const bound_tensor **out, err *e) {
    const binder b = {.m = (model *)(uintptr_t)m}; /* only read */
    bound_tensor *bound = arena_zero(mem, m->file->n_tensor + 1, sizeof *bound);
    if (!bound) return no_memory(&b, e);
    for (const tensor_slot *s = m->arch->model_slot; s->gguf || s->hf; s++)
        map_slot(&b, bound, (bound_tensor){s, NULL, 0});
    for (uint32_t i = 0; i < m->c.L; i++) {
        const layer *l = &m->layer[i];
        for (const tensor_slot *s = m->arch->layer_slot; s->gguf || s->hf; s++)
            if ((s->ffn == FFN_NONE || s->ffn == l->ffn) &&
                (s->mix == MIX_NONE || s->mix == l->mix))
                map_slot(&b, bound, (bound_tensor){s, l, 0});
    }
    *out = bound;
    return RZ_OK;
}
