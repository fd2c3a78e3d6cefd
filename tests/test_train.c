/* test_train.c - the loop: it learns, it goes on as if never stopped, threads change nothing, and
 * what it saves is the model it trained. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/os.h"
#include "realizar.h"
#include "test.h"
#include "train/net.h"
#include "format/tensor_file.h"
#include "train/train_config.h"

enum { V = 40, S = 16, TOKENS = 1200 };

static const char *data_file(uint32_t shift) {
    uint32_t id[TOKENS];
    const char *path = test_temp(shift ? "train_other.bin" : "train_data.bin");
    for (uint32_t i = 0; i < TOKENS; i++) id[i] = (i * i / 3 + i % 7 + shift) % V;
    CHECK(os_write_file(path, id, sizeof id, NULL) == RZ_OK);
    return path;
}

/* A small model; `more` are further lines of the trainer's section. */
static const char *config_file(const char *name, const char *more) {
    const char *path = test_temp(name);
    buf b = BUF_INIT;
    buf_printf(&b,
               "model:\n  name: tiny\n  hidden_size: 32\n  num_layers: 2\n  num_heads: 4\n"
               "  kv_heads: 2\n  intermediate_size: 48\n  vocab_size: %d\n  max_seq_len: %d\n"
               "  rope_theta: 500.0\n"
               "trainer:\n  learning_rate: 0.01\n  batch_size: 3\n  max_steps: 20\n"
               "  num_epochs: 50\n  gradient_accumulation: 2\n  checkpoint_dir: %s\n"
               "  log_interval: 1\n  save_interval: 10\n  schedule: cosine\n  warmup_steps: 3\n%s",
               V, S, "none", more);
    CHECK(os_write_file(path, b.p, b.len, NULL) == RZ_OK);
    buf_free(&b);
    return path;
}

typedef struct seen {
    uint64_t steps, stop_after;
    double first, last, validation;
    rz_train_plan plan;
    char final[512];
} seen;

static void on_plan(void *ud, const rz_train_plan *p) { ((seen *)ud)->plan = *p; }

static int on_step(void *ud, const rz_train_step *s) {
    seen *x = ud;
    if (x->steps == 0) x->first = s->loss;
    x->steps++;
    x->last = s->loss;
    if (s->has_validation) x->validation = s->validation_loss;
    CHECK(s->grad_norm > 0 && s->learning_rate >= 0 && s->tokens == s->step * 6 * S);
    return s->step == x->stop_after;
}

static void on_saved(void *ud, const char *path, int final) {
    if (final) snprintf(((seen *)ud)->final, sizeof((seen *)ud)->final, "%s", path);
}

static status train(seen *x, const char *folder, const char *config, int threads,
                    const char *resume, err *e) {
    rz_train_options o = RZ_TRAIN_INIT;
    o.folder = folder;
    o.threads = threads;
    o.resume = resume;
    o.plan = on_plan;
    o.step = on_step;
    o.saved = on_saved;
    o.ud = x;
    return rz_train(config, data_file(0), &o, e);
}

static const char *new_folder(const char *name) {
    const char *path = test_temp(name);
    CHECK(os_make_folder(path, NULL) == RZ_OK);
    return path;
}

static bool same_files(const char *a, const char *b) {
    size_t n = 0, m = 0;
    char *x = test_read_file(a, &n), *y = test_read_file(b, &m);
    const bool same = x && y && n == m && n > 0 && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

static void test_going_on_and_threads_change_no_bit(void) {
    char config[256];
    snprintf(config, sizeof config, "%s",
             config_file("train_a.yaml", "  validation_fraction: 0.1\n"));
    seen whole = {.steps = 0}, half = {.stop_after = 10}, rest = {.steps = 0}, many = {.steps = 0};
    err e = {0};
    CHECK_MSG(train(&whole, new_folder("train_whole"), config, 2, NULL, &e) == RZ_OK, "%s", e.text);
    CHECK(whole.steps == 20 && whole.plan.steps == 20 && whole.plan.first_step == 0);
    CHECK_MSG(whole.last < whole.first - 0.2, "loss %g to %g", whole.first, whole.last);
    CHECK(fabs(whole.first - log(V)) < 0.1 && whole.validation > 0);
    CHECK(whole.plan.validation_sequences == 7 && whole.plan.sequences == 67);
    char folder[256];
    snprintf(folder, sizeof folder, "%s", new_folder("train_parts"));
    CHECK(train(&half, folder, config, 1, "auto", &e) == RZ_ECANCELED && half.steps == 10);
    CHECK(train(&rest, folder, config, 3, "auto", &e) == RZ_OK);
    CHECK(rest.steps == 10 && rest.plan.first_step == 10 && rest.last == whole.last);
    CHECK(same_files(whole.final, rest.final));
    CHECK(train(&many, new_folder("train_many"), config, 4, NULL, &e) == RZ_OK);
    CHECK(same_files(whole.final, many.final));
    /* A checkpoint of another configuration, and of other data. */
    const char *other = config_file("train_b.yaml", "  validation_fraction: 0.1\n  seed: 5\n");
    CHECK(train(&rest, folder, other, 1, "auto", &e) == RZ_EINVAL);
    CHECK_MSG(strstr(e.text, "another configuration: seed 5, was 42"), "%s", e.text);
    rz_train_options o = RZ_TRAIN_INIT;
    o.folder = folder;
    o.resume = "auto";
    CHECK(rz_train(config, data_file(1), &o, &e) == RZ_EINVAL);
    CHECK_MSG(strstr(e.text, "other data than"), "%s", e.text);
    o.resume = "nothing";
    CHECK(rz_train(config, data_file(0), &o, &e) == RZ_EINVAL && strstr(e.text, "expected auto"));
    o.resume = "x_step_7.safetensors";
    CHECK(rz_train(config, data_file(0), &o, &e) == RZ_ENOTFOUND);
}

/* The engine's logits of the saved checkpoint are the trainer's of the same weights. */
static void test_the_saved_model_is_the_trained_one(void) {
    char config[256];
    snprintf(config, sizeof config, "%s", config_file("c.yaml", ""));
    seen x = {.steps = 0};
    err e = {0};
    rz_model *m = NULL;
    train_config c;
    REQUIRE(train(&x, new_folder("train_saved"), config, 2, NULL, &e) == RZ_OK);
    CHECK_MSG(rz_model_open(&m, x.final, NULL, &e) == RZ_OK, "%s", e.text);
    REQUIRE(m != NULL && train_config_load(&c, config, &e) == RZ_OK);
    pool *workers = NULL;
    net *n = NULL;
    net_run *r = NULL;
    REQUIRE(pool_new(&workers, 1, NULL) == RZ_OK && net_new(&n, &c.model, &e) == RZ_OK);
    REQUIRE(net_run_new(&r, n, workers, 1, S, &e) == RZ_OK);
    tensor_file *f = NULL;
    REQUIRE(tensor_file_open(&f, x.final, &e) == RZ_OK && f->n_tensor == n->n_param);
    for (size_t i = 0; i < n->n_param; i++) {
        const tensor_info *t = tensor_file_find(f, str_of(n->param[i].name));
        REQUIRE(t && t->n == n->param[i].n);
        memcpy(n->w + n->param[i].at, t->data, t->n * sizeof *n->w);
    }
    uint32_t in[S], begin[S] = {0};
    rz_token ids[S];
    float want[S * V], got[S * V];
    for (int i = 0; i < S; i++) ids[i] = (rz_token)(in[i] = (uint32_t)(i * 11 % V));
    net_logits(r, &(net_batch){in, in, begin}, want);
    rz_session *session = NULL;
    REQUIRE(rz_session_new(&session, m, 0, RZ_KV_F32, &e) == RZ_OK);
    REQUIRE(rz_session_score(session, ids, S, got, &e) == RZ_OK);
    static const float nothing[S * V];
    const double off = test_most_off(got, want, S * V), most = test_most_off(want, nothing, S * V);
    CHECK_MSG(off < 1e-5 * most, "off by %g of %g", off, most);
    rz_session_free(session);
    tensor_file_close(f);
    net_run_free(r);
    net_free(n);
    pool_free(workers);
    rz_model_close(m);
}

static size_t count_files(const char *folder, const char *end) {
    const char *const *name;
    size_t n = 0, count = 0;
    arena mem = ARENA_INIT;
    CHECK(os_list_folder(folder, &mem, &name, &n, NULL) == RZ_OK);
    for (size_t i = 0; i < n; i++) count += str_ends(str_of(name[i]), str_of(end));
    arena_free(&mem);
    return count;
}

static void test_the_oldest_checkpoints_go(void) {
    const char *config = config_file("d.yaml", "  save_interval: 4\n  max_checkpoints: 2\n");
    seen x = {.steps = 0};
    err e = {0};
    /* A key given twice is an error of YAML; this one has its own. */
    CHECK(train(&x, new_folder("train_twice"), config, 1, NULL, &e) == RZ_EFORMAT);
    config = config_file("e.yaml", "  max_checkpoints: 1\n");
    char folder[256];
    snprintf(folder, sizeof folder, "%s", new_folder("train_oldest"));
    REQUIRE(train(&x, folder, config, 1, NULL, &e) == RZ_OK);
    CHECK(count_files(folder, ".meta.json") == 1 && count_files(folder, ".optimizer") == 1);
    CHECK(count_files(folder, ".safetensors") == 2 && count_files(folder, "config.json") == 1);
    CHECK(count_files(folder, "_step_20.safetensors") == 1);
}

static void test_what_cannot_be_trained_says_so(void) {
    static const struct {
        const char *more, *part;
    } bad[] = {
        {"  validation_fraction: 0.01\n", "is 0, less than batch_size 3"},
        {"  document_end: 77\n", "document_end 77 is not below vocab_size 40"},
    };
    err e = {0};
    seen x = {.steps = 0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *config = config_file("bad.yaml", bad[i].more);
        CHECK(train(&x, test_temp("bad"), config, 1, NULL, &e) < 0);
        CHECK_MSG(strstr(e.text, bad[i].part) != NULL, "%s", e.text);
    }
    rz_train_options o = RZ_TRAIN_INIT;
    const char *config = config_file("f.yaml", "");
    o.dtype = "bf16";
    CHECK(rz_train(config, data_file(0), &o, &e) == RZ_EUNSUPPORTED && strstr(e.text, "bf16"));
    o.dtype = NULL;
    o.seq_len = TOKENS;
    CHECK(rz_train(config, data_file(0), &o, &e) == RZ_EINVAL &&
          strstr(e.text, "1200 tokens are 0"));
    train_config c;
    REQUIRE(train_config_load(&c, config, &e) == RZ_OK);
    net *n = NULL;
    c.model.kind[1] = LAYER_MAMBA2;
    CHECK(net_new(&n, &c.model, &e) == RZ_EUNSUPPORTED);
    CHECK_MSG(strstr(e.text, "layer 1 is Mamba-2: training it is not supported yet"), "%s", e.text);
}

void suite_train(void) {
    RUN(test_going_on_and_threads_change_no_bit);
    RUN(test_the_saved_model_is_the_trained_one);
    RUN(test_the_oldest_checkpoints_go);
    RUN(test_what_cannot_be_trained_says_so);
}
