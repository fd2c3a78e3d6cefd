/* model.c - from an open file to a model that forward() can run. */
#include "model/model.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "model/arch.h"
#include "model/pooling.h"

static void count_weights(model *m) {
    uint64_t by_type[QUANT_TYPE_COUNT] = {0};
    for (size_t i = 0; i < m->file->n_tensor; i++) {
        const tensor_info *t = &m->file->tensor[i];
        m->n_param += t->n;
        m->weight_bytes += t->bytes;
        by_type[t->type] += t->bytes;
    }
    for (uint32_t i = 0; i < QUANT_TYPE_COUNT; i++)
        if (by_type[i] > by_type[m->main_type]) m->main_type = (quant_type)i;
}

static status make_layers(model *m, err *e) {
    m->layer = arena_zero(&m->mem, m->c.L, sizeof *m->layer);
    if (!m->layer) return err_set(e, RZ_ENOMEM, "%s: out of memory", m->file->path);
    for (uint32_t i = 0; i < m->c.L; i++) {
        layer *l = &m->layer[i];
        l->index = i;
        if (m->arch->read_layer) TRY(m->arch->read_layer(m, l, e));
        else m->arch->layer_kinds(m, l);
        if (l->F > m->c.F) m->c.F = l->F;
        if (l->attend.H > m->most_heads) m->most_heads = l->attend.H;
        if (m->c.H == 0 && l->attend.H) { /* told by its layers alone */
            m->c.H = l->attend.H;
            m->c.G = l->attend.G;
            m->c.K = l->attend.K;
        }
    }
    return RZ_OK;
}

void model_note(model *m, const char *format, ...) {
    char text[sizeof m->notes];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const size_t used = strlen(m->notes);
    if (strstr(m->notes, text)) return;
    snprintf(m->notes + used, sizeof m->notes - used, "%s%s", used ? "; " : "", text);
}

static void place_cache(model *m, layer *l) {
    if (l->mix == MIX_MLA) m->float_cache = true;
    for (int t = 0; t < KV_TYPE_COUNT; t++) {
        uint64_t bytes = 0;
        if (l->mix == MIX_ATTN) bytes = 2 * l->attend.G * kv_head_bytes((kv_type)t, l->attend.K);
        if (l->mix == MIX_MLA) bytes = kv_head_bytes((kv_type)t, m->c.mla.rank + m->c.mla.rope);
        l->cache_at[t] = m->cache_bytes[t];
        m->cache_bytes[t] += bytes;
    }
}

/* Give every layer its place in the pages and in the recurrent state. */
static status place_layers(model *m, err *e) {
    uint64_t cache = 0;
    for (uint32_t i = 0; i < m->c.L; i++) {
        layer *l = &m->layer[i];
        place_cache(m, l);
        l->state_at = (uint32_t)m->state_width;
        if (l->mix == MIX_ATTN) cache += 2ull * l->attend.G * l->attend.K;
        if (l->mix == MIX_MLA) cache += m->c.mla.rank + m->c.mla.rope;
        m->state_width += l->state_width;
        if (cache > UINT32_MAX || m->state_width > UINT32_MAX)
            return err_set(e, RZ_EUNSUPPORTED,
                           "%s: %u layers need more cache than can be addressed", m->file->path,
                           m->c.L);
    }
    m->cache_width = (uint32_t)cache;
    return RZ_OK;
}

kv_slab model_layer_cache(const layer *l, const kv_slab *all) {
    kv_slab one = *all;
    one.base += l->cache_at[all->type] * KV_PAGE_TOKENS;
    one.n_layer = 1;
    one.G = l->attend.G;
    one.K = l->attend.K;
    one.layer_bytes = 2ull * one.G * kv_head_bytes(one.type, one.K) * KV_PAGE_TOKENS;
    return one;
}

bool model_is_long(const model *m, uint32_t context, uint32_t n_token) {
    return m->long_from && (m->long_by_length ? n_token : context) > m->long_from;
}

static status find_arch(model *m, str *name, err *e) {
    *name = (str){NULL, 0};
    if (m->file->config) {
        const json *type = json_get(m->file->config, "model_type");
        if (type && type->kind == JSON_STRING) *name = type->text;
        m->arch = name->p ? arch_find_hf(*name) : arch_find_claimed(m->file);
        if (m->arch && !name->p) *name = str_of(m->arch->name);
    } else {
        TRY(meta_str(m->file, "general.architecture", name, e));
        m->arch = name->p ? arch_find(*name) : NULL;
    }
    if (!name->p)
        return err_set(e, RZ_EFORMAT, "%s: %s is missing", m->file->path,
                       m->file->config ? "config.json: model_type" : "key general.architecture");
    if (m->arch) return RZ_OK;
    return err_set(e, RZ_EUNSUPPORTED,
                   "%s: architecture \"%.*s\" is not supported; this version runs: %s",
                   m->file->path, STR_FMT(*name), arch_names());
}

static status load(model *m, err *e) {
    str name;
    TRY(find_arch(m, &name, e));
    TRY(m->arch->configure(m, name, e));
    TRY(pooling_read(m, name, e));
    TRY(make_layers(m, e));
    TRY(bind_tensors(m, e));
    TRY(place_layers(m, e));
    m->tied = !m->head.data;
    if (m->tied) m->head = m->embed;
    count_weights(m);
    return RZ_OK;
}

status model_open(model **out, const tensor_file *f, err *e) {
    model *m = mem_zero(sizeof *m);
    if (!m) return err_set(e, RZ_ENOMEM, "%s: out of memory", f->path);
    m->file = f;
    const status s = load(m, e);
    if (s < 0) {
        model_close(m);
        return s;
    }
    *out = m;
    return RZ_OK;
}

void model_close(model *m) {
    if (!m) return;
    arena_free(&m->mem);
    mem_free(m);
}

uint32_t model_max_cols(const model *m) {
    uint32_t most = m->c.D;
    for (uint32_t i = 0; i < m->c.L; i++) {
        const layer *l = &m->layer[i];
        const uint32_t mixed = l->attend.H * l->attend.K, wide = l->ssm.wide ? l->ssm.wide : 1;
        if (mixed > most) most = mixed;
        if (l->ssm.inner * wide > most) most = l->ssm.inner * wide;
    }
    if (m->c.F > most) most = m->c.F;
    if (m->c.F_expert > most) most = m->c.F_expert;
    if (m->c.F_shared > most) most = m->c.F_shared;
    if (m->most_heads * m->c.mla.value > most) most = m->most_heads * m->c.mla.value;
    if (m->c.mla.q_rank > most) most = m->c.mla.q_rank;
    if (m->c.mla.rank > most) most = m->c.mla.rank;
    if (m->c.mla.nope > most) most = m->c.mla.nope;
    return most;
}
