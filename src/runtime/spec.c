/* spec.c - see spec.h. */
#include "runtime/spec.h"

#include "base/mem.h"

enum {
    LONGEST = 4,           /* tokens that have to be the same for a guess from the text ... */
    SHORTEST = 2,          /* ... and how few are enough                                    */
    LOOK_BACK = 32 * 1024, /* tokens                                                       */
    CATCH_UP = 256,        /* tokens the other model reads in one step                      */
};

status spec_init(spec *s, uint32_t lookup, const model *draft, pool *workers, uint32_t most,
                 uint32_t context, uint32_t max_sessions, err *e) {
    *s = (spec){.lookup = lookup,
                .most = most,
                .draft = draft,
                .workers = workers,
                .context = context,
                .max_sessions = max_sessions};
    if (!draft) return RZ_OK;
    s->kv = draft->main_type == QUANT_F32 ? KV_F32 : KV_F16;
    s->idle = mem_array(max_sessions, sizeof *s->idle);
    return s->idle ? RZ_OK : err_set(e, RZ_ENOMEM, "engine: out of memory");
}

void spec_done(spec *s) {
    while (s->n_idle) session_free(s->idle[--s->n_idle]);
    mem_free(s->idle);
    *s = (spec){0};
}

/* What followed the last time the text ended like this; the longest likeness counts. */
static uint32_t look_up(const int32_t *tokens, uint32_t n, uint32_t max, int32_t *out) {
    const uint32_t first = n > LOOK_BACK ? n - LOOK_BACK : 0;
    for (uint32_t len = LONGEST; len >= SHORTEST; len--) {
        if (n - first <= len) continue;
        const int32_t *end = tokens + n - len;
        for (uint32_t i = n - len; i-- > first;) {
            if (tokens[i] != *end || memcmp(tokens + i, end, len * sizeof *end) != 0) continue;
            const uint32_t from = i + len;
            uint32_t made = 0;
            /* What follows may itself be what is being guessed: a text that goes round. */
            for (; made < max; made++)
                out[made] = from + made < n ? tokens[from + made] : out[from + made - n];
            return made;
        }
    }
    return 0;
}

/* q's own, or one that waits, or a new one; NULL: it goes without. */
static session *take_session(spec *s, seq *q) {
    if (q->drafter) return q->drafter;
    if (s->n_idle) {
        q->drafter = s->idle[--s->n_idle];
        (void)session_rewind(q->drafter, 0, NULL);
    } else if (s->n_session < s->max_sessions &&
               session_new(&q->drafter, s->draft, s->workers, s->context, s->kv, NULL) == RZ_OK) {
        s->n_session++;
    }
    q->n_drafted = 0;
    return q->drafter;
}

static int32_t likeliest(const float *logits, uint32_t V) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < V; i++)
        if (logits[i] > logits[best]) best = i;
    return (int32_t)best;
}

/* The other model goes on by itself. Long prompts it reads over several steps, and guesses behind
 * the last of them. */
static uint32_t ask_model(spec *s, seq *q, uint32_t max, int32_t *out) {
    session *d = take_session(s, q);
    if (!d || q->n_token + max > s->context) return 0;
    uint32_t want = q->n_token - q->n_drafted, made = 0;
    if (want > CATCH_UP) want = CATCH_UP;
    if (session_feed(d, q->tokens + q->n_drafted, want, NULL, NULL) < 0) return 0;
    q->n_drafted += want;
    if (q->n_drafted < q->n_token) return 0;
    while (made < max) {
        out[made] = likeliest(session_logits(d), s->draft->c.V);
        if (++made < max && session_feed(d, out + made - 1, 1, NULL, NULL) < 0) break;
    }
    return made;
}

uint32_t spec_guess(spec *s, seq *q, uint32_t max) {
    if (max > SEQ_MAX_DRAFT) max = SEQ_MAX_DRAFT;
    if (q->draft_most && max > q->draft_most) max = q->draft_most;
    q->n_draft = 0;
    q->by_model = false;
    const uint32_t most = s->lookup < max ? s->lookup : max;
    if (most) q->n_draft = look_up(q->tokens, q->n_token, most, q->draft);
    if (q->n_draft || !s->draft || !max) return q->n_draft;
    q->by_model = true;
    q->n_draft = ask_model(s, q, s->most < max ? s->most : max, q->draft);
    return q->n_draft;
}

/* What the other model has read ahead is right as far as the guesses were, the last of which it has
 * not read. After many wrong guesses fewer are made, after right ones more. */
void spec_judge(spec *s, seq *q, uint32_t right) {
    const uint32_t n = q->n_draft;
    if (n == 0) return;
    if (q->by_model) {
        const uint32_t known = q->n_drafted + (right < n ? right : n - 1);
        if (session_rewind(q->drafter, known, NULL) == RZ_OK) q->n_drafted = known;
        else spec_leave(s, q);
    }
    q->draft_most = right == n ? 2 * n : right + 1;
    if (q->draft_most > SEQ_MAX_DRAFT) q->draft_most = SEQ_MAX_DRAFT;
    q->n_draft = 0;
}

void spec_leave(spec *s, seq *q) {
    if (q->drafter) s->idle[s->n_idle++] = q->drafter;
    q->drafter = NULL;
    q->n_drafted = 0;
}
