/* api_train.c - rz_train: a configuration, what the caller wants otherwise, and the loop. */
#include <math.h>
#include <stdio.h>

#include "api/api.h"
#include "base/mem.h"
#include "train/train.h"

typedef struct train_call {
    rz_train_options opt;
    train_config config;
    pool *workers;
} train_call;

static void on_plan(void *ud, const train_plan *p) {
    const train_call *c = ud;
    const rz_train_plan plan = {p->weights, p->tokens,     p->windows, p->validation,
                                p->steps,   p->first_step, p->memory};
    if (c->opt.plan) c->opt.plan(c->opt.ud, &plan);
}

static int on_step(void *ud, const train_step *s) {
    const train_call *c = ud;
    const double each = (double)s->steps / (s->seconds > 1e-9 ? s->seconds : 1e-9);
    const rz_train_step step = {
        .step = s->step,
        .tokens = s->tokens,
        .loss = s->loss,
        .grad_norm = s->grad_norm,
        .learning_rate = s->rate,
        .epoch = s->epoch,
        .validation_loss = s->validation,
        .has_validation = !isnan(s->validation),
        .steps_per_second = each,
        .tokens_per_second = each * (double)s->tokens / (double)s->step,
        .memory = os_resident_bytes(),
    };
    return c->opt.step ? c->opt.step(c->opt.ud, &step) : 0;
}

static void on_saved(void *ud, const char *path, bool final) {
    const train_call *c = ud;
    if (c->opt.saved) c->opt.saved(c->opt.ud, path, final);
}

static int on_stop(void *ud) {
    const train_call *c = ud;
    return c->opt.stop ? c->opt.stop(c->opt.ud) : 0;
}

static status set_text(char *to, size_t cap, const char *name, const char *from, err *e) {
    if (!from) return RZ_OK;
    if (!*from || strlen(from) >= cap)
        return err_set(e, RZ_EINVAL, "%s: %zu bytes, expected 1 to %zu", name, strlen(from),
                       cap - 1);
    memcpy(to, from, strlen(from) + 1);
    return RZ_OK;
}

/* What was given in place of what the file says. */
static status overrule(train_call *c, const char *path, err *e) {
    train_model *m = &c->config.model;
    trainer_config *t = &c->config.trainer;
    TRY(set_text(m->dtype, sizeof m->dtype, "dtype", c->opt.dtype, e));
    TRY(set_text(t->folder, sizeof t->folder, "checkpoint folder", c->opt.folder, e));
    if (c->opt.seq_len) m->seq = c->opt.seq_len;
    if (c->opt.batch_size) t->batch = c->opt.batch_size;
    if (c->opt.grad_accum) t->accum = c->opt.grad_accum;
    if (c->opt.max_steps) t->max_steps = c->opt.max_steps;
    if (c->opt.max_checkpoints >= 0) t->keep = (uint32_t)c->opt.max_checkpoints;
    if (c->opt.seed >= 0) t->seed = (uint64_t)c->opt.seed;
    return train_config_check(&c->config, path, e);
}

rz_status rz_train(const char *config, const char *data, const rz_train_options *given,
                   rz_error *e) {
    int threads = 0;
    if (!config) return err_set(e, RZ_EINVAL, "rz_train: no configuration");
    train_call *c = mem_zero(sizeof *c);
    if (!c) return err_set(e, RZ_ENOMEM, "rz_train: out of memory");
    const rz_train_options usual = RZ_TRAIN_INIT;
    status s =
        api_take_struct(&c->opt, sizeof c->opt, given ? given : &usual, "rz_train_options", e);
    if (s >= 0) s = train_config_load(&c->config, config, e);
    if (s >= 0) s = overrule(c, config, e);
    if (s >= 0) s = api_pick_threads(c->opt.threads, &threads, e);
    if (s >= 0) s = pool_new(&c->workers, threads, e);
    if (s >= 0) {
        const train_request r = {
            &c->config, data, c->opt.resume, c->workers, {on_plan, on_step, on_saved, on_stop, c}};
        s = train_run(&r, e);
    }
    pool_free(c->workers);
    mem_free(c);
    return s;
}
