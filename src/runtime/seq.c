/* seq.c - what happens to one sampled token: end of text, stop strings, whole characters.
 *
 * Text is held back only while it could be the beginning of a stop string, so a reader sees every
 * character as early as it is certain. */
#include "runtime/seq.h"

#include "base/mem.h"
#include "base/os.h"

/* One block holds the stop pointers, the biases and the stop texts. */
static status copy_params(seq *s, const rz_params *p, err *e) {
    s->params = *p;
    size_t bytes = p->n_stop * sizeof(char *) + p->n_bias * sizeof(rz_bias);
    for (size_t i = 0; i < p->n_stop; i++) bytes += strlen(p->stop[i]) + 1;
    rz_bias *bias = mem_alloc(bytes);
    if (!bias) return err_set(e, RZ_ENOMEM, "request: out of memory");
    const char **stop = (const char **)(void *)(bias + p->n_bias);
    char *text = (char *)(stop + p->n_stop);
    if (p->n_bias) memcpy(bias, p->bias, p->n_bias * sizeof *bias);
    for (size_t i = 0; i < p->n_stop; i++) {
        const size_t len = strlen(p->stop[i]) + 1;
        memcpy(text, p->stop[i], len);
        stop[i] = text;
        text += len;
    }
    s->params.bias = bias;
    s->params.stop = stop;
    return RZ_OK;
}

status seq_new(seq **out, const int32_t *ids, uint32_t n, const rz_params *p, const rz_sink *sink,
               const tok *t, uint32_t max_total, err *e) {
    seq *s = mem_zero(sizeof *s);
    if (!s) return err_set(e, RZ_ENOMEM, "request: out of memory");
    s->sink = *sink;
    s->tok = t;
    s->n_prompt = s->n_token = n;
    s->max_token = max_total;
    if (p->max_tokens > 0 && (uint32_t)p->max_tokens < max_total - n)
        s->max_token = n + (uint32_t)p->max_tokens;
    s->tokens = mem_array(s->max_token, sizeof *s->tokens);
    status r = s->tokens ? copy_params(s, p, e) : err_set(e, RZ_ENOMEM, "request: out of memory");
    if (r >= 0) r = kv_seq_init(&s->kv, s->max_token, e);
    if (r >= 0 && p->grammar) r = gram_run_begin(&s->gram, p->grammar, e);
    if (r < 0) {
        seq_free(s, NULL);
        return r;
    }
    memcpy(s->tokens, ids, n * sizeof *ids);
    sampler_init(&s->sampler, &s->params);
    if (t) detok_init(&s->detok, t, true);
    s->submitted_ns = os_now_ns();
    if (p->timeout_ms > 0) s->until_ns = s->submitted_ns + (uint64_t)p->timeout_ms * 1000000;
    *out = s;
    return RZ_OK;
}

void seq_free(seq *s, kv_pool *pages) {
    if (!s) return;
    if (s->kv.page) kv_seq_done(&s->kv, pages);
    gram_run_end(&s->gram);
    mem_free((void *)(uintptr_t)s->params.bias);
    mem_free(s->tokens);
    buf_free(&s->held);
    mem_free(s);
}

static void end(seq *s, rz_finish why) {
    s->ended = true;
    s->why = why;
}

static void fail(seq *s) { end(s, RZ_FINISH_ERROR); }

/* The text has grown by a token; a text that nothing can follow is over. */
static void follow_grammar(seq *s, int32_t id) {
    if (gram_run_token(&s->gram, id, &s->error) < 0) fail(s);
    else if (gram_run_closed(&s->gram)) end(s, RZ_FINISH_STOP);
}

int32_t seq_pick(seq *s, sampler_scratch *w, const float *logits, uint64_t *mask) {
    bool any = true;
    if (s->gram.g) {
        const bool no_end = s->params.ignore_eos != 0;
        if (gram_run_mask(&s->gram, mask, no_end, &any, &s->error) < 0) {
            fail(s);
            return -1;
        }
        w->allowed = mask;
        w->n_allowed = (uint32_t)tok_size(s->tok);
    }
    const int32_t id = any ? sampler_pick(&s->sampler, w, logits, s->tokens, s->n_token) : -1;
    w->allowed = NULL;
    if (any) return id;
    if (gram_run_may_end(&s->gram)) {
        end(s, RZ_FINISH_STOP);
    } else {
        (void)err_set(&s->error, RZ_EUNSUPPORTED, "grammar: no token of this vocabulary fits here");
        fail(s);
    }
    return -1;
}

static void emit(seq *s, int32_t id, size_t len) {
    if (s->sink.token && s->sink.token(s->sink.ud, id, s->held.len ? s->held.p : "", len) != 0)
        end(s, RZ_FINISH_CANCEL);
    buf_drop(&s->held, len);
}

/* Where the first stop string begins in the held text, or -1. */
static ptrdiff_t find_stop(const seq *s) {
    ptrdiff_t first = -1;
    for (size_t i = 0; i < s->params.n_stop; i++) {
        if (!s->params.stop[i][0]) continue;
        const ptrdiff_t at = str_find(buf_view(&s->held), str_of(s->params.stop[i]));
        if (at >= 0 && (first < 0 || at < first)) first = at;
    }
    return first;
}

/* Bytes at the end of the held text that begin some stop string. */
static size_t possible_stop(const seq *s) {
    size_t most = 0;
    for (size_t i = 0; i < s->params.n_stop; i++) {
        const str stop = str_of(s->params.stop[i]);
        size_t len = stop.len ? stop.len - 1 : 0;
        if (len > s->held.len) len = s->held.len;
        while (len > most && memcmp(s->held.p + s->held.len - len, stop.p, len) != 0) len--;
        if (len > most) most = len;
    }
    return most;
}

bool seq_is_end(const seq *s, int32_t id) {
    return s->tok && !s->params.ignore_eos && tok_is_end(s->tok, id);
}

void seq_push(seq *s, int32_t id) {
    if (s->n_token == s->n_prompt) s->first_token_ns = os_now_ns();
    if (seq_is_end(s, id)) {
        end(s, RZ_FINISH_STOP);
        return;
    }
    s->tokens[s->n_token++] = id;
    if (s->n_token == s->max_token) end(s, RZ_FINISH_LENGTH);
    if (s->gram.g) follow_grammar(s, id);
    if (s->tok) detok_push(&s->detok, id, &s->held);
    if (s->held.failed) { /* no memory for a few bytes of text: end this one only */
        buf_clear(&s->held);
        fail(s);
        return;
    }
    const ptrdiff_t stop = find_stop(s);
    if (stop >= 0) {
        s->held.len = (size_t)stop;
        s->cut = true;
        end(s, RZ_FINISH_STOP);
    }
    emit(s, id, stop >= 0 ? s->held.len : s->held.len - possible_stop(s));
}

void seq_finish(seq *s, const err *error) {
    const err no_memory = {RZ_ENOMEM, "request: out of memory"};
    if (s->error.status < 0) error = &s->error;
    else if (s->why == RZ_FINISH_ERROR && (!error || error->status == RZ_OK)) error = &no_memory;
    if (s->why == RZ_FINISH_LENGTH || s->why == RZ_FINISH_STOP) {
        if (s->tok && !s->cut) detok_flush(&s->detok, &s->held);
        if (s->held.len && s->sink.token)
            (void)s->sink.token(s->sink.ud, -1, s->held.p, s->held.len);
    }
    const uint64_t now = os_now_ns();
    const uint64_t admitted = s->admitted_ns ? s->admitted_ns : now;
    const uint64_t first = s->first_token_ns ? s->first_token_ns : now;
    const rz_usage use = {
        .prompt = s->n_prompt,
        .output = s->n_token - s->n_prompt,
        .cached = s->n_cached,
        .queue_s = (double)(admitted - s->submitted_ns) * 1e-9,
        .prefill_s = (double)(first - admitted) * 1e-9,
        .decode_s = (double)(now - first) * 1e-9,
    };
    if (s->sink.done)
        s->sink.done(s->sink.ud, s->why, &use, s->why == RZ_FINISH_ERROR ? error : NULL);
}
