/* convert_plan.c - decides name, shape, type and source of every tensor of a converted file.
 *
 * Matrices are read where they lie and made row by row while they are written: experts are stacked
 * or taken apart, rows of queries and keys change places inside their head. Vectors are small and
 * made at once. */
#include "model/convert_plan.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "format/safetensors.h"
#include "model/arch.h"

typedef struct planner {
    convert_plan *p;
    const tensor_file *f;
    const bound_tensor *map; /* [f->n_tensor] */
    size_t cap;
    pool *workers;
} planner;

static status no_memory(const planner *a, err *e) {
    return err_set(e, RZ_ENOMEM, "%.200s: out of memory", a->f->path);
}

/* ---- Rows ---- */

/* Row of the source that becomes row r. A head's pairs (0, 1), (2, 3) ... are the halves' (0, K/2),
 * (1, K/2 + 1) ... */
static uint64_t row_from(const convert_tensor *t, uint64_t r) {
    if (t->head == 0) return t->first_row + r;
    const uint64_t K = t->head, in = r % K, half = K / 2;
    if (t->pairs) return r - in + in / 2 + in % 2 * half;
    return r - in + (in < half ? 2 * in : 2 * (in - half) + 1);
}

static void gather(const convert_tensor *t, uint64_t row_bytes, uint64_t first, uint64_t n,
                   uint8_t *out) {
    const uint64_t each = t->from[0]->n / t->from[0]->dim[0];
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t row = row_from(t, first + i);
        const tensor_info *s = t->from[t->n_from > 1 ? row / each : 0];
        memcpy(out + i * row_bytes, s->data + (t->n_from > 1 ? row % each : row) * row_bytes,
               row_bytes);
    }
}

status convert_rows(void *ud, uint64_t first, uint64_t n, void *out, err *e) {
    const convert_tensor *t = ud;
    const quant_type from = t->from[0]->type;
    uint64_t row_bytes;
    size_t bytes;
    if (!quant_row_bytes(from, t->to.dim[0], &row_bytes) ||
        mem_mul_over((size_t)n, (size_t)row_bytes, &bytes))
        return err_set(e, RZ_EFORMAT, "tensor %.*s: rows of %llu values do not fit",
                       STR_FMT(t->to.name), (unsigned long long)t->to.dim[0]);
    if (from == t->to.type) {
        gather(t, row_bytes, first, n, out);
        return RZ_OK;
    }
    uint8_t *rows = mem_alloc(bytes);
    if (!rows)
        return err_set(e, RZ_ENOMEM, "tensor %.*s: out of memory for its rows",
                       STR_FMT(t->to.name));
    gather(t, row_bytes, first, n, rows);
    const quant_rows q = {t->to.name, rows, from, t->to.type, t->to.dim[0], n, NULL};
    const status s = quant_rows_make(&q, 0, n, out, t->workers, e);
    mem_free(rows);
    return s;
}

/* ---- Vectors ---- */

/* The float whose -exp is nearest to `a`: the rounded logarithm or one of its neighbours. */
static float log_of_neg(float a) {
    float best = logf(-a), y = best;
    for (int i = 0; i < 3; i++) y = nextafterf(y, -INFINITY);
    for (int i = 0; i < 7; i++, y = nextafterf(y, INFINITY))
        if (fabsf(expf(y) + a) < fabsf(expf(best) + a)) best = y;
    return best;
}

static status twist_values(const planner *a, const tensor_info *t, slot_twist twist, float *x,
                           uint64_t n, err *e) {
    const bool gguf = a->p->names == CONVERT_TO_GGUF;
    if (twist == TWIST_NONE || twist == TWIST_TRANSPOSED) return RZ_OK;
    if (twist != TWIST_NEG_EXP)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%s: tensor %.*s is stored in a way that is not converted", a->f->path,
                       STR_FMT(t->name));
    for (uint64_t i = 0; i < n; i++) {
        if (!gguf && !(x[i] < 0))
            return err_set(e, RZ_EFORMAT, "%s: tensor %.*s: value %llu is %g, expected less than 0",
                           a->f->path, STR_FMT(t->name), (unsigned long long)i, (double)x[i]);
        x[i] = gguf ? -expf(x[i]) : log_of_neg(x[i]);
    }
    return RZ_OK;
}

static void set_dims(tensor_info *t, uint32_t n_dims, uint64_t a, uint64_t b, uint64_t c) {
    t->n_dims = n_dims;
    t->dim[0] = a;
    t->dim[1] = b;
    t->dim[2] = c;
    t->dim[3] = 1;
}

/* The shapes other programs expect: one-dimensional, but for what is one row for each channel. */
static void vector_dims(const planner *a, const bound_tensor *b, tensor_info *t, uint64_t cols) {
    const ssm_config *s = b->layer ? &b->layer->ssm : NULL;
    const bool gguf = a->p->gguf;
    const bool norm = s && b->slot->offset == L_AT(ssm_norm.gain);
    const bool single = s && (b->slot->offset == L_AT(ssm_A) || b->slot->offset == L_AT(ssm_skip));
    if (b->slot->kind == SLOT_FLAT && b->slot->in != DIM_NONE) {
        const bool conv = b->slot->offset == L_AT(ssm_conv) && !gguf;
        set_dims(t, conv ? 3 : 2, cols, conv ? 1 : t->n / cols, conv ? t->n / cols : 1);
    } else if (gguf && norm && b->layer->mix == MIX_MAMBA2) {
        set_dims(t, 2, t->n / s->groups, s->groups, 1);
    } else if (gguf && single && b->layer->mix == MIX_MAMBA2) {
        set_dims(t, 2, 1, t->n, 1);
    } else {
        set_dims(t, 1, t->n, 1, 1);
    }
}

/* ---- Types ---- */

static bool is_matrix(const bound_tensor *b) {
    return b->slot && (b->slot->kind == SLOT_WEIGHT || b->slot->kind == SLOT_EXPERTS);
}

/* What a file of that kind can hold. */
static quant_type storable(const planner *a, quant_type t) {
    if (a->p->gguf) {
        if (t < QUANT_GGML_COUNT) return t;
        return t == QUANT_F8_E4M3 || t == QUANT_F8_E5M2 ? QUANT_F16 : QUANT_F32;
    }
    return safetensors_has_type(t) ? t : QUANT_F32;
}

static status quantized_twice(const tensor_info *t, quant_type to, err *e) {
    return err_set(e, RZ_EINVAL,
                   "tensor %.*s is %s already; quantizing it again to %s loses more than starting "
                   "from floats (realizar quantize --allow-requantize does it all the same)",
                   STR_FMT(t->name), quant_get(t->type)->name, quant_get(to)->name);
}

static status matrix_type(const planner *a, const bound_tensor *b, const tensor_info *t,
                          const tensor_info *to, quant_type *out, err *e) {
    const arch *family = a->p->m->arch;
    const tensor_slot *table = b->layer ? family->layer_slot : family->model_slot;
    const uint64_t cols = to->dim[0];
    char name[160];
    *out = storable(a, t->type);
    if (a->p->type != QUANT_TYPE_COUNT) *out = a->p->type;
    if (!a->p->mix || !quant_rule_name(table, b->slot, b->layer, name, sizeof name)) return RZ_OK;
    const mix_tensor shape = {str_of(name), cols, to->n / cols, b->slot->kind == SLOT_EXPERTS};
    if (!mix_may_quantize(&shape)) return RZ_OK;
    const quant_type type = mix_fitting(mix_choose(a->p->mix, &a->p->rules, &shape), cols);
    if (type != t->type && quant_get(t->type)->block > 1 && quant_get(type)->block > 1)
        return quantized_twice(t, type, e);
    const bool outer = mix_is_output(&a->p->rules, shape.name) || mix_is_embedding(shape.name);
    if (mix_needs_importance(type) && !outer)
        return err_set(e, RZ_EINVAL,
                       "%s needs an importance matrix: convert without --type, then realizar "
                       "quantize with --imatrix",
                       quant_get(type)->name);
    *out = type;
    return RZ_OK;
}

/* ---- Tensors ---- */

static convert_tensor *add(planner *a) {
    convert_plan *p = a->p;
    if (p->n == a->cap) {
        const size_t cap = a->cap ? 2 * a->cap : 256;
        convert_tensor *more = arena_zero(&p->mem, cap, sizeof *more);
        if (!more) return NULL;
        if (p->n) memcpy(more, p->tensor, p->n * sizeof *more);
        p->tensor = more;
        a->cap = cap;
    }
    p->tensor[p->n] = (convert_tensor){.workers = a->workers};
    return &p->tensor[p->n++];
}

static status take_name(const planner *a, const bound_tensor *b, const tensor_info *t, str *out,
                        err *e) {
    char name[BIND_NAME_MAX];
    *out = t->name;
    if (a->p->names == CONVERT_KEEP) return RZ_OK;
    if (!bind_name(a->p->m, b, a->p->gguf, name))
        return err_set(e, RZ_EUNSUPPORTED, "%s: tensor %.*s of a %s model has no name in a %s",
                       a->f->path, STR_FMT(t->name), a->p->m->arch->name,
                       a->p->gguf ? "GGUF file" : "folder");
    const char *copy = arena_copy(&a->p->mem, name, strlen(name));
    if (!copy) return no_memory(a, e);
    *out = str_of(copy);
    return RZ_OK;
}

static status finish(convert_tensor *t, const planner *a, quant_type type, err *e) {
    uint64_t row_bytes;
    t->to.type = type;
    if (!quant_row_bytes(type, t->to.dim[0], &row_bytes) ||
        (type != t->from[0]->type &&
         (!quant_get(t->from[0]->type)->to_float || !quant_get(type)->from_float)))
        return err_set(e, RZ_EUNSUPPORTED, "%s: tensor %.*s is %s, which cannot become %s",
                       a->f->path, STR_FMT(t->to.name), quant_get(t->from[0]->type)->name,
                       quant_get(type)->name);
    t->to.bytes = row_bytes * (t->to.n / t->to.dim[0]);
    return RZ_OK;
}

/* Queries and keys, whose rows GGUF has in another order for some families. */
static uint32_t head_of(const planner *a, const bound_tensor *b) {
    const size_t at = b->slot->offset;
    if (a->p->names == CONVERT_KEEP || !a->p->m->arch->gguf_pairs || !b->layer) return 0;
    if (at == L_AT(q) || at == L_AT(k) || at == L_AT(q_bias) || at == L_AT(k_bias))
        return b->layer->attend.K;
    return 0;
}

static status add_vector(planner *a, const bound_tensor *b, const tensor_info *t, err *e) {
    convert_tensor *v = add(a);
    const uint64_t n = t->n;
    quant_to_float *to_float = quant_get(t->type)->to_float;
    const tensor_info **from = arena_zero(&a->p->mem, 1, sizeof *from);
    float *x = arena_alloc(&a->p->mem, n * sizeof *x), *y = arena_alloc(&a->p->mem, n * sizeof *y);
    if (!v || !from || !x || !y) return no_memory(a, e);
    from[0] = t;
    v->from = from;
    v->n_from = 1;
    TRY(take_name(a, b, t, &v->to.name, e));
    v->to.n = n;
    vector_dims(a, b, &v->to, t->dim[0]);
    TRY(finish(v, a, QUANT_F32, e));
    to_float(t->data, x, n);
    TRY(twist_values(a, t, b->slot->twist, x, n, e));
    v->head = head_of(a, b);
    v->pairs = a->p->gguf;
    for (uint64_t i = 0; i < n; i++) y[i] = x[row_from(v, i)];
    v->to.data = (const uint8_t *)y;
    return RZ_OK;
}

/* All experts of one layer in one tensor, [E, out, in]. */
static status find_experts(planner *a, const bound_tensor *b, const tensor_info **from, err *e) {
    bound_tensor one = *b;
    char name[BIND_NAME_MAX];
    for (uint32_t i = 0; i < a->p->m->c.route.n_expert; i++) {
        one.expert = i;
        if (bind_name(a->p->m, &one, false, name)) from[i] = tensor_file_find(a->f, str_of(name));
        if (!from[i]) return err_set(e, RZ_EFORMAT, "%s: tensor %s is missing", a->f->path, name);
    }
    return RZ_OK;
}

static status add_matrix(planner *a, const bound_tensor *b, const tensor_info *t, uint32_t expert,
                         err *e) {
    const uint32_t E = a->p->m->c.route.n_expert;
    const bool experts = b->slot && b->slot->kind == SLOT_EXPERTS,
               renamed = a->p->names != CONVERT_KEEP;
    const bool stack = experts && a->p->names == CONVERT_TO_GGUF;
    const bool cut = experts && a->p->names == CONVERT_TO_FOLDER;
    convert_tensor *m = add(a);
    const tensor_info **from = arena_zero(&a->p->mem, stack ? E : 1, sizeof *from);
    if (!m || !from) return no_memory(a, e);
    bound_tensor one = *b;
    one.expert = expert;
    from[0] = t;
    if (stack) TRY(find_experts(a, b, from, e));
    m->from = from;
    m->n_from = stack ? E : 1;
    m->to = *t;
    m->to.data = NULL;
    if (renamed) TRY(take_name(a, &one, t, &m->to.name, e));
    if (stack) set_dims(&m->to, 3, t->dim[0], t->dim[1], E);
    if (cut) set_dims(&m->to, 2, t->dim[0], t->dim[1], 1);
    if (cut) m->first_row = expert * t->dim[1];
    m->to.n = m->to.dim[0] * m->to.dim[1] * m->to.dim[2] * m->to.dim[3];
    m->head = b->slot ? head_of(a, b) : 0;
    m->pairs = a->p->gguf;
    quant_type type = storable(a, t->type);
    if (is_matrix(b)) TRY(matrix_type(a, b, t, &m->to, &type, e));
    return finish(m, a, type, e);
}

static status add_tensor(planner *a, const bound_tensor *b, const tensor_info *t, err *e) {
    const bool keep = a->p->names == CONVERT_KEEP;
    if (keep) return add_matrix(a, b, t, 0, e);
    if (!b->slot) return RZ_OK; /* tables that other numbers say again */
    if (b->slot->kind == SLOT_EXPERTS) {
        if (a->p->gguf) return b->expert ? RZ_OK : add_matrix(a, b, t, 0, e);
        for (uint32_t i = 0; i < a->p->m->c.route.n_expert; i++) TRY(add_matrix(a, b, t, i, e));
        return RZ_OK;
    }
    return is_matrix(b) ? add_matrix(a, b, t, 0, e) : add_vector(a, b, t, e);
}

/* What Llama 3 divides its frequencies by, as GGUF has it. */
static status add_factors(planner *a, err *e) {
    const rope_config *r = &a->p->m->rope[0];
    static const tensor_info floats = {.type = QUANT_F32};
    const tensor_info **from = arena_zero(&a->p->mem, 1, sizeof *from);
    float *x = arena_zero(&a->p->mem, r->n_rot / 2, sizeof *x);
    convert_tensor *t = add(a);
    if (!from || !x || !t) return no_memory(a, e);
    from[0] = &floats;
    for (uint32_t i = 0; i < r->n_rot / 2; i++)
        x[i] = (float)(pow((double)a->p->m->c.rope_base, -2.0 * i / r->n_rot) / r->inv_freq[i]);
    t->from = from;
    t->n_from = 1;
    t->to = (tensor_info){.name = STR_LIT("rope_freqs.weight"), .data = (const uint8_t *)x};
    t->to.n = r->n_rot / 2;
    set_dims(&t->to, 1, t->to.n, 1, 1);
    return finish(t, a, QUANT_F32, e);
}

static status pick_type(planner *a, const char *type, err *e) {
    convert_plan *p = a->p;
    p->type = QUANT_TYPE_COUNT;
    p->mix = NULL;
    if (!type) return RZ_OK;
    if (p->gguf) {
        if (!quant_rules(&p->rules, p->m, &p->mem)) return no_memory(a, e);
        return quant_mix_get(&p->mix, type, e);
    }
    if (quant_find(str_of(type), &p->type) && safetensors_has_type(p->type) &&
        (p->type == QUANT_F32 || p->type == QUANT_F16 || p->type == QUANT_BF16))
        return RZ_OK;
    return err_set(e, RZ_EINVAL, "\"%.60s\": matrices of a folder are F32, F16 or BF16", type);
}

status convert_plan_make(convert_plan *p, const char *type, bool factors, pool *workers, err *e) {
    planner a = {.p = p, .f = p->m->file, .workers = workers};
    TRY(pick_type(&a, type, e));
    TRY(bind_map(p->m, &p->mem, &a.map, e));
    if (factors) TRY(add_factors(&a, e));
    for (size_t i = 0; i < a.f->n_tensor; i++) TRY(add_tensor(&a, &a.map[i], &a.f->tensor[i], e));
    return RZ_OK;
}

void convert_plan_free(convert_plan *p) { arena_free(&p->mem); }
