/* describe.c - a model in words: what its layers are, how its weights are stored, how many of them
 * a token uses. */
#include "model/describe.h"

#include "model/arch.h"

static const char *const mixers[MIX_KIND_COUNT] = {[MIX_NONE] = "no mixer",
                                                   [MIX_ATTN] = "attention",
                                                   [MIX_MLA] = "latent attention",
                                                   [MIX_MAMBA1] = "mamba",
                                                   [MIX_MAMBA2] = "mamba2",
                                                   [MIX_MAMBA3] = "mamba3",
                                                   [MIX_SHORTCONV] = "short convolution"};

static bool same_kind(const layer *a, const layer *b) {
    return a->mix == b->mix && a->ffn == b->ffn && a->attend.window == b->attend.window;
}

static void one_kind(const model *m, const layer *l, buf *out) {
    buf_text(out, mixers[l->mix]);
    if (l->mix == MIX_ATTN && l->attend.both_ways) buf_text(out, " both ways");
    if (l->mix == MIX_ATTN && l->attend.window) buf_printf(out, " (window %u)", l->attend.window);
    if (l->ffn == FFN_DENSE) buf_text(out, " + feed-forward");
    if (l->ffn != FFN_MOE) return;
    buf_printf(out, " + %u experts (%u used%s)", m->c.route.n_expert, m->c.route.n_used,
               l->shared_gate.data || l->shared_up.data ? ", one shared" : "");
}

void model_describe_layers(const model *m, buf *out) {
    for (uint32_t i = 0; i < m->c.L; i++) {
        uint32_t n = 0, first = 0;
        while (!same_kind(&m->layer[first], &m->layer[i])) first++;
        if (first < i) continue;
        for (uint32_t j = i; j < m->c.L; j++) n += same_kind(&m->layer[j], &m->layer[i]);
        buf_printf(out, "%s%u ", out->len ? ", " : "", n);
        one_kind(m, &m->layer[i], out);
    }
}

void model_describe_types(const model *m, buf *out) {
    uint64_t bytes[QUANT_TYPE_COUNT] = {0}, n[QUANT_TYPE_COUNT] = {0};
    for (size_t i = 0; i < m->file->n_tensor; i++) {
        bytes[m->file->tensor[i].type] += m->file->tensor[i].bytes;
        n[m->file->tensor[i].type]++;
    }
    for (;;) { /* the type with most bytes first */
        uint32_t best = QUANT_TYPE_COUNT;
        for (uint32_t t = 0; t < QUANT_TYPE_COUNT; t++)
            if (n[t] && (best == QUANT_TYPE_COUNT || bytes[t] > bytes[best])) best = t;
        if (best == QUANT_TYPE_COUNT) return;
        buf_printf(out, "%s%s %.1f%% (%llu)", out->len ? ", " : "",
                   quant_get((quant_type)best)->name,
                   m->weight_bytes ? 100.0 * (double)bytes[best] / (double)m->weight_bytes : 0.0,
                   (unsigned long long)n[best]);
        n[best] = 0;
    }
}

static uint64_t size_of(const weight *w) { return (uint64_t)w->n_out * w->n_in; }

uint64_t model_active_params(const model *m) {
    uint64_t idle = 0;
    const uint32_t unused = m->c.route.n_expert - m->c.route.n_used;
    for (uint32_t i = 0; i < m->c.L; i++) {
        const layer *l = &m->layer[i];
        if (l->ffn != FFN_MOE) continue;
        idle += unused * (size_of(&l->experts_gate.w) + size_of(&l->experts_up.w) +
                          size_of(&l->experts_down.w));
    }
    return m->n_param - idle;
}
