/* job.c - see job.h. The outbox is a list threaded through the generations with one lock and one
 * eventfd. A generation is in it at most once, with all its news, so the engine never waits for
 * the loop and many tokens cost one wake-up when the loop is behind. */
#include "server/job.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "server/embed.h"

enum { FIRST_NEWS = 256, NEWS_SCORES = -2 };

/* In front of each token's text in `news`; with id NEWS_SCORES, in front of a list of rz_score. */
typedef struct news_head {
    rz_token id;
    uint32_t len;
} news_head;

/* ---- engine threads ---- */

/* Under the lock. */
static void post(outbox *o, gen *g) {
    if (g->listed) return;
    g->listed = true;
    g->next = NULL;
    const bool first = o->first == NULL;
    if (first) o->first = g;
    else o->last->next = g;
    o->last = g;
    if (first) eventfd_write(o->fd.source.fd, 1);
}

/* false: no memory. */
static bool tell(gen *g, int32_t id, const void *bytes, size_t len) {
    outbox *o = &g->job->srv->outbox;
    pthread_mutex_lock(&o->lock);
    const news_head head = {id, (uint32_t)len};
    char *to = buf_reserve(&g->news, sizeof head + len);
    if (to) {
        memcpy(to, &head, sizeof head);
        if (len) memcpy(to + sizeof head, bytes, len);
        g->news.len += sizeof head + len;
    }
    post(o, g);
    pthread_mutex_unlock(&o->lock);
    return to != NULL;
}

static int on_token(void *ud, rz_token id, const char *text, size_t len) {
    return tell(ud, id, text, len) ? 0 : 1; /* no memory: end this request, and only this one */
}

/* Without memory the buffer stays failed, and the token behind this ends the request. */
static void on_scores(void *ud, const rz_score *list, size_t n) {
    tell(ud, NEWS_SCORES, list, n * sizeof *list);
}

static void on_done(void *ud, rz_finish why, const rz_usage *use, const rz_error *error) {
    gen *g = ud;
    outbox *o = &g->job->srv->outbox;
    char *failure = error && error->text[0] ? mem_strdup(error->text) : NULL;
    pthread_mutex_lock(&o->lock);
    g->over = true;
    g->over_why = why;
    if (use) g->over_use = *use;
    g->over_failure = failure;
    g->over_late = error && error->status == RZ_ECANCELED;
    if (g->news.failed) g->over_why = RZ_FINISH_ERROR;
    post(o, g);
    pthread_mutex_unlock(&o->lock);
    /* The loop may free g from here on. */
}

bool job_tell(gen *g, const void *bytes, size_t len) { return tell(g, -1, bytes, len); }

void job_over(gen *g, rz_finish why, const rz_usage *use, const rz_error *error) {
    on_done(g, why, use, error);
}

/* ---- loop thread ---- */

job *job_new(conn *c, const job_type *type, uint32_t n) {
    job *j = mem_zero(sizeof *j);
    gen *list = mem_array_zero(n, sizeof *list);
    if (!j || !list) {
        mem_free(j);
        mem_free(list);
        return NULL;
    }
    *j = (job){.srv = c->srv, .conn = c, .type = type, .n = n, .gen = list};
    j->began_ns = loop_now(c->srv->loop);
    for (uint32_t i = 0; i < n; i++) list[i].job = j;
    server *s = c->srv;
    j->next = s->jobs;
    if (s->jobs) s->jobs->prev = j;
    s->jobs = j;
    s->n_job++;
    c->job = j;
    c->state = CONN_WORK;
    return j;
}

static void job_free(job *j) {
    server *s = j->srv;
    for (uint32_t i = 0; i < j->n; i++) {
        gen *g = &j->gen[i];
        mem_free(g->prompt);
        mem_free(g->failure);
        toolcall_free(g->tools);
        buf_free(&g->ids);
        buf_free(&g->text);
        buf_free(&g->scored);
        buf_free(&g->items);
        buf_free(&g->score);
        buf_free(&g->taken);
        buf_free(&g->news);
    }
    if (j->prev) j->prev->next = j->next;
    else s->jobs = j->next;
    if (j->next) j->next->prev = j->prev;
    s->n_job--;
    mem_free(j->gen);
    mem_free(j);
}

bool job_set_prompt(job *j, uint32_t i, const rz_token *ids, size_t n) {
    gen *g = &j->gen[i];
    g->prompt = mem_array(n, sizeof *ids);
    if (!g->prompt) return false;
    memcpy(g->prompt, ids, n * sizeof *ids);
    g->n_prompt = n;
    return true;
}

status job_submit(job *j, uint32_t i, const rz_params *p, err *e) {
    gen *g = &j->gen[i];
    if (!j->srv->engine)
        return err_set(e, RZ_EUNSUPPORTED, "this model gives vectors of texts, it makes no text");
    if (!buf_reserve(&g->news, FIRST_NEWS) || !buf_reserve(&g->taken, FIRST_NEWS))
        return err_set(e, RZ_ENOMEM, "out of memory");
    const rz_sink sink = {on_token, on_done, g};
    rz_params own = *p;
    if (j->scores) {
        own.scores = on_scores;
        own.scores_ud = g;
        own.top_scores = (int)j->scores - 1;
    }
    TRY(rz_engine_submit(j->srv->engine, g->prompt, g->n_prompt, &own, &sink, &g->ticket, e));
    g->submitted = true;
    j->n_left++;
    return RZ_OK;
}

status job_embed(job *j, uint32_t i, int timeout_ms, err *e) {
    gen *g = &j->gen[i];
    g->embeds = true;
    g->until_ns = timeout_ms ? os_now_ns() + (uint64_t)timeout_ms * 1000000 : 0;
    TRY(embed_submit(j->srv, g, e));
    g->submitted = true;
    j->n_left++;
    return RZ_OK;
}

void job_skip(job *j, uint32_t i) {
    j->gen[i].ended = true;
    j->gen[i].why = RZ_FINISH_LENGTH;
}

/* Nothing is left to come: reply, if anybody still listens, and forget. */
static void finish(job *j) {
    conn *c = j->conn;
    if (c) {
        j->type->end(j);
        c->job = NULL;
        c->paused = false;
    }
    job_free(j);
}

void job_started(job *j) {
    if (j->n_left == 0) finish(j);
}

void job_cancel(job *j) {
    j->canceled = true;
    for (uint32_t i = 0; i < j->n; i++)
        if (j->gen[i].embeds) atomic_store(&j->gen[i].stop, true);
        else if (j->gen[i].submitted && !j->gen[i].ended)
            rz_engine_cancel(j->srv->engine, j->gen[i].ticket);
}

void job_leave(job *j) {
    if (j->conn) j->conn->job = NULL;
    j->conn = NULL;
    job_cancel(j);
    if (j->n_left == 0) job_free(j);
}

void job_pause(job *j, bool paused) {
    for (uint32_t i = 0; i < j->n; i++)
        if (j->gen[i].submitted && !j->gen[i].ended && !j->gen[i].embeds)
            rz_engine_pause(j->srv->engine, j->gen[i].ticket, paused);
}

/* ---- taking news out ---- */

/* Scores are kept beside the token they came in front of. */
static void keep_scores(gen *g) {
    static const rz_score none = {-1, 0};
    const size_t want = g->job->scores * sizeof none;
    while (g->score.len < want && !g->score.failed) buf_add(&g->score, &none, sizeof none);
    g->scored.failed |= g->score.failed;
    buf_add(&g->scored, g->score.p, g->score.failed ? 0 : want);
    buf_clear(&g->score);
}

/* Control tokens are no text, but those around a call say where it is. */
static str mark_of(const gen *g, rz_token id) {
    const rz_tokenizer *t = g->job->srv->tokenizer;
    str piece = {NULL, 0};
    if (rz_token_is_control(t, id)) piece.p = rz_token_piece(t, id, &piece.len);
    return piece.p && tool_is_mark(toolcall_family(g->tools), piece) ? piece : STR_LIT("");
}

static void take_token(gen *g, rz_token id, str text) {
    job *j = g->job;
    if (id == NEWS_SCORES) {
        buf_clear(&g->score);
        buf_str(&g->score, text);
        return;
    }
    if (id >= 0) g->n_token++;
    if (!j->conn) return;
    if (id >= 0 && j->scores) keep_scores(g);
    if (id >= 0 && g->tools && text.len == 0) text = mark_of(g, id);
    if (j->type->token) {
        j->type->token(j, g, id, text);
        return;
    }
    if (id >= 0) buf_add(&g->ids, &id, sizeof id);
    buf_str(&g->text, text);
}

static void count(metrics *m, const gen *g) {
    const rz_usage *u = &g->use;
    m->tokens += g->n_token;
    m->prompt_tokens += u->prompt;
    m->inference_s += u->prefill_s + u->decode_s;
    if (g->why == RZ_FINISH_CANCEL) m->canceled++;
    if (g->n_token == 0) return;
    metrics_observe(&m->first_token, u->queue_s + u->prefill_s);
    if (g->n_token > 1) metrics_observe(&m->per_token, u->decode_s / (g->n_token - 1));
}

static void take_news(gen *g) {
    job *j = g->job;
    conn *c = j->conn;
    const char *p = g->taken.p;
    const char *end = p + g->taken.len;
    while (p < end) {
        news_head head;
        memcpy(&head, p, sizeof head);
        p += sizeof head;
        take_token(g, head.id, (str){p, head.len});
        p += head.len;
    }
    buf_clear(&g->taken);
    if (g->ending) {
        g->ended = true;
        count(&j->srv->metrics, g);
        if (--j->n_left == 0) finish(j);
    }
    if (c) conn_settle(c);
}

/* Swap the news of every listed generation out of the engine's reach and link them by `turn`,
 * since the engine may list them again while we look. */
static gen *take_list(outbox *o) {
    pthread_mutex_lock(&o->lock);
    eventfd_t seen;
    eventfd_read(o->fd.source.fd, &seen);
    gen *list = o->first;
    for (gen *g = list; g; g = g->next) {
        const buf news = g->news;
        g->news = g->taken;
        g->taken = news;
        g->turn = g->next;
        g->listed = false;
        g->ending = g->over;
        if (!g->over) continue;
        g->why = g->over_why;
        g->use = g->over_use;
        g->failure = g->over_failure;
        g->late = g->over_late;
        g->over_failure = NULL;
    }
    o->first = o->last = NULL;
    pthread_mutex_unlock(&o->lock);
    return list;
}

static void outbox_ready(loop_source *source, unsigned events) {
    (void)events;
    server *s = ((server_source *)source)->srv;
    gen *g = take_list(&s->outbox);
    while (g) {
        gen *next = g->turn; /* g may be freed */
        take_news(g);
        g = next;
    }
}

status outbox_init(server *s, err *e) {
    outbox *o = &s->outbox;
    o->fd =
        (server_source){{.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = outbox_ready}, s};
    if (o->fd.source.fd < 0) return err_sys(e, errno, "server: cannot create an eventfd");
    pthread_mutex_init(&o->lock, NULL);
    return loop_add(s->loop, &o->fd.source, LOOP_READ, e);
}

void outbox_done(server *s) {
    outbox *o = &s->outbox;
    if (o->fd.source.fd < 0 || !o->fd.srv) return;
    close(o->fd.source.fd);
    pthread_mutex_destroy(&o->lock);
}
