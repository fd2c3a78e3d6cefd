/* arch.c - finding an architecture, and what several of them share. */
#include "model/arch.h"

#include "model/arch_list.h"

#define DECLARE(name) extern const arch arch_##name;
ARCH_LIST(DECLARE)

static const arch *const archs[] = {
#define ROW(name) &arch_##name,
    ARCH_LIST(ROW)};

const arch *arch_find(str gguf_name) {
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++)
        if (archs[i]->name && str_is(gguf_name, archs[i]->name)) return archs[i];
    return NULL;
}

const arch *arch_find_hf(str model_type) {
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        str rest = str_of(archs[i]->hf_types);
        while (rest.p)
            if (str_eq(str_split(&rest, '|'), model_type)) return archs[i];
    }
    return NULL;
}

const arch *arch_find_claimed(const tensor_file *f) {
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++)
        if (archs[i]->claims && archs[i]->claims(f)) return archs[i];
    return NULL;
}

const char *arch_names(void) {
#define NAME(name) ", " #name
    static const char names[] = "" ARCH_LIST(NAME);
    return names + 2;
}

void arch_plain_layer(const model *m, layer *l) {
    const model_config *c = &m->c;
    l->mix = MIX_ATTN;
    l->ffn = FFN_DENSE;
    l->F = c->F;
    l->attend = (attend_config){.H = c->H,
                                .G = c->G,
                                .K = c->K,
                                .scale = c->score_scale,
                                .window = c->window,
                                .softcap = c->score_cap};
}

bool arch_is_listed(const tensor_file *f, const char *key, uint32_t index) {
    const json *list = f->config ? json_get(f->config, key) : NULL;
    int64_t n;
    for (const json *v = list ? list->child : NULL; v; v = v->next)
        if (json_int(v, 0, UINT32_MAX, &n) && n == index) return true;
    return false;
}
