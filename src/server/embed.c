/* embed.c - see embed.h. One text at a time, in order of arrival: its products already use all
 * threads of the model, and the engine takes its turns between them.
 *
 * Whoever waits behind a long text is told in time that its own time is over: the list is looked
 * through between the steps of the text being computed. */
#include "server/embed.h"

#include <math.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/os.h"

enum { MOST_WAITING = 8192 };

typedef struct embedder {
    rz_model *model;
    float *vector; /* [width] */
    buf text;      /* it as the request wants it */
    uint32_t width;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    gen *first, *last; /* under the lock, as are the next two */
    size_t n_waiting;
    bool quit;
} embedder;

/* Over before it was computed: true, and *e says why when it is an error. */
static bool is_over(gen *g, uint64_t now, rz_finish *why, err *e) {
    *why = RZ_FINISH_CANCEL;
    if (atomic_load(&g->stop)) return true;
    if (!g->until_ns || now < g->until_ns) return false;
    *why = RZ_FINISH_ERROR;
    (void)err_set(e, RZ_ECANCELED, "the request took longer than it may");
    return true;
}

/* Take those that are over out of the list; returns them linked by `waits`. */
static gen *take_over(embedder *x, uint64_t now) {
    gen *over = NULL, *last = NULL;
    err e;
    rz_finish why;
    pthread_mutex_lock(&x->lock);
    for (gen **at = &x->first; *at;) {
        gen *g = *at;
        if (!is_over(g, now, &why, &e)) {
            last = g;
            at = &g->waits;
            continue;
        }
        *at = g->waits;
        x->n_waiting--;
        g->waits = over;
        over = g;
    }
    x->last = last;
    pthread_mutex_unlock(&x->lock);
    return over;
}

static void end_waiting(embedder *x) {
    const uint64_t now = os_now_ns();
    for (gen *g = take_over(x, now), *next; g; g = next) {
        err e = {0};
        rz_finish why;
        next = g->waits; /* g may be freed */
        (void)is_over(g, now, &why, &e);
        job_over(g, why, NULL, &e);
    }
}

typedef struct watch {
    embedder *x;
    gen *g;
} watch;

static int stop(void *ud) {
    const watch *w = ud;
    rz_finish why;
    err e;
    end_waiting(w->x);
    return is_over(w->g, os_now_ns(), &why, &e);
}

/* Fewer numbers are a vector of their own, of length 1 again. */
static void shorten(float *v, uint32_t n) {
    double square = 0;
    for (uint32_t i = 0; i < n; i++) square += (double)v[i] * (double)v[i];
    const double unit = square > 0 ? 1 / sqrt(square) : 1;
    for (uint32_t i = 0; i < n; i++) v[i] = (float)((double)v[i] * unit);
}

/* The vector as text. Here and not where the reply is made: there are thousands of numbers. */
static void form(embedder *x, const vector_form *f) {
    const str bytes = {(const char *)x->vector, f->n * sizeof *x->vector};
    buf *b = &x->text;
    buf_clear(b);
    if (f->n < x->width && !f->raw) shorten(x->vector, f->n);
    if (f->as == VECTOR_FLOATS) {
        buf_str(b, bytes);
        return;
    }
    if (f->as == VECTOR_BASE64) {
        char *to = buf_reserve(b, base64_length(bytes.len) + 2);
        if (!to) return;
        to[0] = '"';
        b->len += base64_encode(bytes, to + 1) + 2;
        b->p[b->len - 1] = '"';
        return;
    }
    buf_char(b, '[');
    for (uint32_t i = 0; i < f->n; i++) {
        const double v = (double)x->vector[i];
        if (isfinite(v)) buf_printf(b, i ? ",%.9g" : "%.9g", v);
        else buf_text(b, i ? ",null" : "null");
    }
    buf_char(b, ']');
}

static void compute(embedder *x, gen *g) {
    watch w = {x, g};
    rz_embed_options opt = RZ_EMBED_INIT;
    rz_usage use = {.prompt = (uint32_t)g->n_prompt};
    const uint64_t began = os_now_ns();
    rz_finish why;
    err e = {0};
    opt.raw = g->job->vector.raw;
    opt.stop = stop;
    opt.stop_ud = &w;
    if (is_over(g, began, &why, &e)) {
        job_over(g, why, NULL, &e);
        return;
    }
    status s = rz_embed_ids(x->model, g->prompt, g->n_prompt, &opt, x->vector, &e);
    use.prefill_s = (double)(os_now_ns() - began) * 1e-9;
    if (s >= 0) form(x, &g->job->vector);
    if (s >= 0 && (x->text.failed || !job_tell(g, x->text.p, x->text.len)))
        s = err_set(&e, RZ_ENOMEM, "out of memory");
    if (s >= 0) {
        job_over(g, RZ_FINISH_STOP, &use, NULL);
    } else if (s == RZ_ECANCELED && is_over(g, os_now_ns(), &why, &e)) {
        job_over(g, why, &use, &e);
    } else {
        job_over(g, RZ_FINISH_ERROR, &use, &e);
    }
}

static void *embed_main(void *arg) {
    embedder *x = arg;
    pthread_mutex_lock(&x->lock);
    for (;;) {
        while (!x->first && !x->quit) pthread_cond_wait(&x->more, &x->lock);
        gen *g = x->first;
        if (!g) break;
        x->first = g->waits;
        if (!x->first) x->last = NULL;
        x->n_waiting--;
        pthread_mutex_unlock(&x->lock);
        compute(x, g);
        pthread_mutex_lock(&x->lock);
    }
    pthread_mutex_unlock(&x->lock);
    return NULL;
}

static status start(server *s, err *e) {
    rz_model_info info;
    embedder *x = mem_zero(sizeof *x);
    rz_model_describe(s->model, &info);
    if (x) *x = (embedder){.model = s->model, .width = info.width, .text = BUF_INIT};
    if (x) x->vector = mem_array(info.width, sizeof *x->vector);
    if (!x || !x->vector) {
        mem_free(x);
        return err_set(e, RZ_ENOMEM, "out of memory");
    }
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->more, NULL);
    const int why = pthread_create(&x->thread, NULL, embed_main, x);
    s->embedder = x;
    if (!why) return RZ_OK;
    x->quit = true; /* there is no thread to wait for */
    embed_done(s);
    return err_sys(e, why, "server: cannot start a thread");
}

status embed_submit(server *s, gen *g, err *e) {
    if (!s->embedder) TRY(start(s, e));
    embedder *x = s->embedder;
    pthread_mutex_lock(&x->lock);
    const bool full = x->n_waiting >= MOST_WAITING;
    if (!full) {
        g->waits = NULL;
        if (x->last) x->last->waits = g;
        else x->first = g;
        x->last = g;
        x->n_waiting++;
        pthread_cond_signal(&x->more);
    }
    pthread_mutex_unlock(&x->lock);
    return full ? err_set(e, RZ_EFULL, "%d texts are waiting already", MOST_WAITING) : RZ_OK;
}

void embed_done(server *s) {
    embedder *x = s->embedder;
    if (!x) return;
    if (!x->quit) {
        pthread_mutex_lock(&x->lock);
        x->quit = true;
        pthread_cond_signal(&x->more);
        pthread_mutex_unlock(&x->lock);
        pthread_join(x->thread, NULL);
    }
    pthread_cond_destroy(&x->more);
    pthread_mutex_destroy(&x->lock);
    buf_free(&x->text);
    mem_free(x->vector);
    mem_free(x);
    s->embedder = NULL;
}
