/* api_basics.c - version, status names, a line about this machine, checks the others share. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "api/api.h"
#include "model/arch.h"
#include "base/cpu.h"
#include "kernels/kern.h"

#define TEXT(x) #x
#define VERSION(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)

const char *rz_version(void) {
    return VERSION(RZ_VERSION_MAJOR, RZ_VERSION_MINOR, RZ_VERSION_PATCH);
}

const char *rz_status_name(rz_status s) {
    static const char *const name[] = {"RZ_OK",        "RZ_ENOMEM",       "RZ_EIO",
                                       "RZ_EFORMAT",   "RZ_EUNSUPPORTED", "RZ_EINVAL",
                                       "RZ_ENOTFOUND", "RZ_EFULL",        "RZ_ECANCELED"};
    const int i = -(int)s;
    return i >= 0 && i < (int)(sizeof name / sizeof *name) ? name[i] : "unknown status";
}

static char info[256];

static void describe(void) {
    const cpu_info *c = cpu_get();
    struct utsname os;
    if (uname(&os) != 0) memset(&os, 0, sizeof os);
    snprintf(info, sizeof info, "kernels %s; cpu%s%s%s%s%s%s%s; %d core%s; %.32s %.32s",
             kern_get()->name, c->avx2 ? " avx2" : "", c->avx_vnni ? " avx-vnni" : "",
             c->avx512f ? " avx512f" : "", c->avx512_vnni ? " avx512-vnni" : "",
             c->avx512_bf16 ? " avx512-bf16" : "", c->neon ? " neon" : "",
             c->dotprod ? " dotprod" : "", c->cores, c->cores == 1 ? "" : "s", os.sysname,
             os.machine);
}

const char *rz_system_info(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, describe);
    return info;
}

status api_take_struct(void *ours, size_t our_size, const void *theirs, const char *what, err *e) {
    memset(ours, 0, our_size);
    if (theirs) {
        size_t size;
        memcpy(&size, theirs, sizeof size);
        if (size < sizeof size || size > 4096)
            return err_set(e, RZ_EINVAL, "%s.size is %zu: start from its RZ_..._INIT macro", what,
                           size);
        memcpy(ours, theirs, size < our_size ? size : our_size);
    }
    memcpy(ours, &our_size, sizeof our_size);
    return RZ_OK;
}

status api_kv_type(const rz_model *m, rz_kv kv, kv_type *out, err *e) {
    static const kv_type type[] = {[RZ_KV_F32] = KV_F32,
                                   [RZ_KV_F16] = KV_F16,
                                   [RZ_KV_BF16] = KV_BF16,
                                   [RZ_KV_Q8_0] = KV_Q8_0,
                                   [RZ_KV_Q4_0] = KV_Q4_0};
    if ((unsigned)kv >= sizeof type / sizeof *type)
        return err_set(e, RZ_EINVAL, "kv is %d, expected an rz_kv", (int)kv);
    const kv_type automatic = m->m->main_type == QUANT_F32 ? KV_F32 : KV_F16;
    *out = kv == RZ_KV_AUTO ? automatic : type[kv];
    return RZ_OK;
}

status api_check_predicts(const rz_model *m, err *e) {
    if (!m->m->c.both_ways) return RZ_OK;
    return err_set(e, RZ_EUNSUPPORTED,
                   "%s: %s models have no next token, only vectors of texts: realizar embed",
                   m->file->path, m->m->arch->name);
}

status api_check_ids(const rz_model *m, const rz_token *ids, size_t n, err *e) {
    if (n == 0 || !ids) return err_set(e, RZ_EINVAL, "no tokens given");
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= m->m->c.V)
            return err_set(e, RZ_EINVAL, "token %d at position %zu is not in a vocabulary of %u",
                           ids[i], i, m->m->c.V);
    return RZ_OK;
}

static status check_range(const char *name, float v, float min, float max, err *e) {
    if (v >= min && v <= max) return RZ_OK; /* NaN fails */
    return err_set(e, RZ_EINVAL, "%s is %g, expected %g to %g", name, (double)v, (double)min,
                   (double)max);
}

enum { MAX_STOPS = 64 };

status api_check_params(const rz_params *p, err *e) {
    TRY(check_range("temperature", p->temperature, 0, 1e6f, e));
    TRY(check_range("top_p", p->top_p, 0, 1, e));
    TRY(check_range("min_p", p->min_p, 0, 1, e));
    TRY(check_range("repeat_penalty", p->repeat_penalty, 0, 1e6f, e));
    if (p->timeout_ms < 0)
        return err_set(e, RZ_EINVAL, "timeout_ms is %d, expected 0 or more", p->timeout_ms);
    TRY(check_range("presence_penalty", p->presence_penalty, -1e6f, 1e6f, e));
    TRY(check_range("frequency_penalty", p->frequency_penalty, -1e6f, 1e6f, e));
    if (p->top_scores < 0 || p->top_scores > RZ_MAX_SCORES)
        return err_set(e, RZ_EINVAL, "top_scores is %d, expected 0 to %d", p->top_scores,
                       RZ_MAX_SCORES);
    if (p->max_tokens < 0)
        return err_set(e, RZ_EINVAL, "max_tokens is %d, expected >= 0", p->max_tokens);
    if (p->top_k < 0) return err_set(e, RZ_EINVAL, "top_k is %d, expected >= 0", p->top_k);
    if (p->repeat_last_n < -1)
        return err_set(e, RZ_EINVAL, "repeat_last_n is %d, expected >= -1", p->repeat_last_n);
    if ((p->n_stop && !p->stop) || (p->n_bias && !p->bias))
        return err_set(e, RZ_EINVAL, "a list of stop strings or biases is NULL but has a count");
    if (p->n_stop > MAX_STOPS)
        return err_set(e, RZ_EINVAL, "%zu stop strings, expected at most %d", p->n_stop, MAX_STOPS);
    for (size_t i = 0; i < p->n_stop; i++)
        if (!p->stop[i]) return err_set(e, RZ_EINVAL, "stop string %zu is NULL", i);
    for (size_t i = 0; i < p->n_bias; i++)
        if (isnan(p->bias[i].add))
            return err_set(e, RZ_EINVAL, "logit bias %zu is not a number", i);
    return RZ_OK;
}
