/* quantize_load.c - quantizes the matrices of a model that has just been opened.
 *
 * It goes by the tables that bound them, so that fused, turned and numbered tensors of checkpoints
 * are what the model uses, and rules go by the names that GGUF has for them. */
#include <stdio.h>

#include "base/mem.h"
#include "model/arch.h"
#include "model/quantize.h"

typedef struct loader {
    model *m;
    const quant_mix *mix;
    mix_model rules;
    pool *workers;
    quant_progress_fn *progress;
    void *ud;
    uint64_t done, total;
    bool counting;                    /* first pass: only what there is to do */
    uint64_t bytes[QUANT_TYPE_COUNT]; /* of the weights in each type */
} loader;

/* What GGUF calls the matrices of checkpoint folders whose tables know no GGUF names. */
static const struct {
    bool in_layer;
    size_t offset;
    const char *name;
} usual[] = {
    {false, M_AT(embed), "token_embd.weight"},
    {false, M_AT(head), "output.weight"},
    {true, L_AT(q), "attn_q.weight"},
    {true, L_AT(k), "attn_k.weight"},
    {true, L_AT(v), "attn_v.weight"},
    {true, L_AT(o), "attn_output.weight"},
    {true, L_AT(q_down), "attn_q_a.weight"},
    {true, L_AT(kv_down), "attn_kv_a_mqa.weight"},
    {true, L_AT(gate), "ffn_gate.weight"},
    {true, L_AT(up), "ffn_up.weight"},
    {true, L_AT(down), "ffn_down.weight"},
    {true, L_AT(experts_gate), "ffn_gate_exps.weight"},
    {true, L_AT(experts_up), "ffn_up_exps.weight"},
    {true, L_AT(experts_down), "ffn_down_exps.weight"},
    {true, L_AT(shared_gate), "ffn_gate_shexp.weight"},
    {true, L_AT(shared_up), "ffn_up_shexp.weight"},
    {true, L_AT(shared_down), "ffn_down_shexp.weight"},
    {true, L_AT(ssm_in_x), "ssm_in.weight"},
    {true, L_AT(ssm_in_z), "ssm_in.weight"},
    {true, L_AT(ssm_out), "ssm_out.weight"},
};

bool quant_rule_name(const tensor_slot *table, const tensor_slot *s, const layer *l, char *out,
                     size_t cap) {
    const char *name = s->gguf;
    for (const tensor_slot *k = table; !name && (k->gguf || k->hf); k++)
        if (k->offset == s->offset) name = k->gguf;
    for (size_t i = 0; !name && i < sizeof usual / sizeof *usual; i++)
        if (usual[i].in_layer == (l != NULL) && usual[i].offset == s->offset) name = usual[i].name;
    if (!name) return false;
    if (l) snprintf(out, cap, "blk.%u.%s", l->index, name);
    else snprintf(out, cap, "%s", name);
    return true;
}

/* What a matrix becomes; its own type when it stays. */
static quant_type target(const loader *a, const char *name, const weight *w, bool stacked) {
    const mix_tensor t = {str_of(name), w->n_in, w->n_out, stacked};
    if (w->type != QUANT_F32 && w->type != QUANT_F16 && w->type != QUANT_BF16) return w->type;
    if (!mix_may_quantize(&t)) return w->type;
    return mix_fitting(mix_choose(a->mix, &a->rules, &t), w->n_in);
}

/* Quantize one matrix into `out`. */
static status convert(loader *a, const char *name, const weight *w, quant_type to, uint8_t *out,
                      err *e) {
    const quant_rows rows = {str_of(name), w->data, w->type, to, w->n_in, w->n_out, NULL};
    uint64_t row_bytes = 0;
    quant_row_bytes(to, w->n_in, &row_bytes);
    uint64_t step = (4u << 20) / row_bytes;
    if (step < 1) step = 1;
    for (uint64_t at = 0; at < w->n_out; at += step) {
        const uint64_t n = w->n_out - at < step ? w->n_out - at : step;
        TRY(quant_rows_make(&rows, at, n, out + at * row_bytes, a->workers, e));
        a->done += n * w->row_bytes;
        if (a->progress && a->progress(a->ud, a->done, a->total) != 0)
            return err_set(e, RZ_ECANCELED, "%.200s: loading was stopped", a->m->file->path);
    }
    return RZ_OK;
}

/* n matrices of the shape of *w, matrix i at data[i]. Both are changed to the blocks. */
static status replace(loader *a, const char *name, weight *w, const uint8_t **data, uint32_t n,
                      bool stacked, err *e) {
    const quant_type to = target(a, name, w, stacked);
    const uint64_t old_bytes = w->row_bytes * w->n_out;
    uint64_t row_bytes = 0;
    if (to == w->type) return RZ_OK;
    if (mix_needs_importance(to))
        return err_set(e, RZ_EUNSUPPORTED,
                       "%s needs an importance matrix: realizar quantize makes such a file",
                       quant_get(to)->name);
    if (a->counting) {
        a->total += old_bytes * n;
        return RZ_OK;
    }
    quant_row_bytes(to, w->n_in, &row_bytes);
    const uint64_t new_bytes = row_bytes * w->n_out;
    uint8_t *blocks = arena_alloc(&a->m->mem, new_bytes * n);
    if (!blocks)
        return err_set(e, RZ_ENOMEM, "%.200s: no memory for %llu bytes of %s", a->m->file->path,
                       (unsigned long long)(new_bytes * n), quant_get(to)->name);
    for (uint32_t i = 0; i < n; i++) {
        weight one = *w;
        one.data = data[i];
        TRY(convert(a, name, &one, to, blocks + i * new_bytes, e));
        data[i] = blocks + i * new_bytes;
    }
    a->bytes[w->type] -= old_bytes * n;
    a->bytes[to] += new_bytes * n;
    w->type = to;
    w->row_bytes = row_bytes;
    w->data = data[0];
    return RZ_OK;
}

/* Every matrix of one table; `l` is NULL for the model's own. */
static status replace_all(loader *a, const tensor_slot *table, void *object, const layer *l,
                          err *e) {
    char name[160];
    for (const tensor_slot *s = table; s->gguf || s->hf; s++) {
        void *member = (char *)object + s->offset;
        /* A tied head is the embedding under another name. */
        if (!l && a->m->tied && s->offset == M_AT(head)) continue;
        /* Several rows may fill one member: rules go by the name of the one that did. */
        if (!bind_has_slot(a->m, s, l)) continue;
        if (!quant_rule_name(table, s, l, name, sizeof name)) continue;
        if (s->kind == SLOT_EXPERTS) {
            expert_stack *x = member;
            if (x->w.data) TRY(replace(a, name, &x->w, x->data, a->m->c.route.n_expert, true, e));
        } else if (s->kind == SLOT_WEIGHT) {
            weight *w = member;
            const uint8_t *data = w->data;
            if (data) TRY(replace(a, name, w, &data, 1, false, e));
        }
    }
    return RZ_OK;
}

static status both_passes(loader *a, err *e) {
    model *m = a->m;
    for (int pass = 0; pass < 2; pass++) {
        a->counting = pass == 0;
        TRY(replace_all(a, m->arch->model_slot, m, NULL, e));
        for (uint32_t i = 0; i < m->c.L; i++)
            TRY(replace_all(a, m->arch->layer_slot, &m->layer[i], &m->layer[i], e));
    }
    if (m->tied) m->head = m->embed;
    return RZ_OK;
}

bool quant_rules(mix_model *out, const model *m, arena *mem) {
    uint32_t *attn = arena_zero(mem, m->c.L + 1, sizeof *attn);
    uint32_t *ffn = arena_zero(mem, m->c.L + 1, sizeof *ffn);
    if (!attn || !ffn) return false;
    for (uint32_t i = 0; i < m->c.L; i++) {
        const layer *l = &m->layer[i];
        attn[i + 1] = attn[i] + (l->mix == MIX_ATTN || l->mix == MIX_MLA);
        ffn[i + 1] = ffn[i] + (l->ffn != FFN_NONE);
    }
    *out = (mix_model){.n_layer = m->c.L,
                       .n_expert = m->c.route.n_expert,
                       .n_gqa = m->c.G ? m->c.H / m->c.G : 0,
                       .n_attn = attn[m->c.L],
                       .falcon = strcmp(m->arch->name, "falcon") == 0,
                       .tied = m->tied,
                       .attn_rank = attn,
                       .ffn_rank = ffn};
    return true;
}

static void count_types(loader *a) {
    for (size_t i = 0; i < a->m->file->n_tensor; i++)
        a->bytes[a->m->file->tensor[i].type] += a->m->file->tensor[i].bytes;
}

static void note_types(const loader *a) {
    a->m->weight_bytes = 0;
    for (uint32_t i = 0; i < QUANT_TYPE_COUNT; i++) {
        a->m->weight_bytes += a->bytes[i];
        if (a->bytes[i] > a->bytes[a->m->main_type]) a->m->main_type = (quant_type)i;
    }
}

status model_quantize(model *m, const char *name, pool *workers, quant_progress_fn *progress,
                      void *ud, err *e) {
    loader a = {.m = m, .workers = workers, .progress = progress, .ud = ud};
    TRY(quant_mix_get(&a.mix, name, e));
    if (!quant_rules(&a.rules, m, &m->mem))
        return err_set(e, RZ_ENOMEM, "%.200s: out of memory", m->file->path);
    count_types(&a);
    TRY(both_passes(&a, e));
    note_types(&a);
    return RZ_OK;
}
