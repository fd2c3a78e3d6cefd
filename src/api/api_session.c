/* api_session.c - argument checks in front of runtime/session.c. */
#include "api/api.h"

rz_status rz_session_new(rz_session **out, rz_model *m, size_t context, rz_kv kv, rz_error *e) {
    if (!out || !m) return err_set(e, RZ_EINVAL, "rz_session_new: a pointer is NULL");
    TRY(api_check_predicts(m, e));
    if (context == 0) context = m->m->c.C;
    if (context > m->m->c.C)
        return err_set(e, RZ_EINVAL, "context is %zu, this model was made for at most %u", context,
                       m->m->c.C);
    kv_type type;
    TRY(api_kv_type(m, kv, &type, e));
    return session_new(out, m->m, m->workers, (uint32_t)context, type, e);
}

void rz_session_free(rz_session *s) { session_free(s); }

static status check_feed(const rz_session *s, const rz_token *ids, size_t n, err *e) {
    const uint32_t V = session_model(s)->c.V;
    if (n && !ids) return err_set(e, RZ_EINVAL, "rz_session_feed: ids is NULL");
    if (n > UINT32_MAX / 2) return err_set(e, RZ_EFULL, "session: %zu tokens are too many", n);
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= V)
            return err_set(e, RZ_EINVAL, "token %d at position %zu is not in a vocabulary of %u",
                           ids[i], i, V);
    return RZ_OK;
}

rz_status rz_session_feed(rz_session *s, const rz_token *ids, size_t n, rz_error *e) {
    TRY(check_feed(s, ids, n, e));
    return session_feed(s, ids, (uint32_t)n, NULL, e);
}

rz_status rz_session_score(rz_session *s, const rz_token *ids, size_t n, float *logits,
                           rz_error *e) {
    TRY(check_feed(s, ids, n, e));
    if (!logits) return err_set(e, RZ_EINVAL, "rz_session_score: logits is NULL");
    return session_feed(s, ids, (uint32_t)n, logits, e);
}

const float *rz_session_logits(const rz_session *s) { return session_logits(s); }

rz_token rz_session_sample(rz_session *s, const rz_params *given) {
    rz_params p;
    if (api_take_struct(&p, sizeof p, given, "rz_params", NULL) < 0 ||
        api_check_params(&p, NULL) < 0)
        return -1;
    return session_sample(s, &p);
}

size_t rz_session_length(const rz_session *s) { return session_length(s); }

rz_status rz_session_rewind(rz_session *s, size_t length, rz_error *e) {
    if (length > UINT32_MAX) length = UINT32_MAX;
    return session_rewind(s, (uint32_t)length, e);
}
