/* 03_engine.c - several requests at once, answered from the engine's thread: 03_engine [MODEL] */
#include <realizar.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

typedef struct request {
    const char *prompt;
    char text[4096];
    size_t len;
    sem_t done;
} request;

/* Both run on the engine thread and must not block: they take notes. */
static int on_token(void *ud, rz_token id, const char *text, size_t len) {
    request *r = ud;
    (void)id;
    if (len > sizeof r->text - r->len) return 1;
    memcpy(r->text + r->len, text, len);
    r->len += len;
    return 0;
}

static void on_done(void *ud, rz_finish why, const rz_usage *use, const rz_error *err) {
    if (why == RZ_FINISH_ERROR) fprintf(stderr, "03_engine: %s\n", err->text);
    (void)use;
    sem_post(&((request *)ud)->done);
}

int main(int argc, char **argv) {
    static request r[3] = {{.prompt = "Once"}, {.prompt = "The little dog"}, {.prompt = "One day"}};
    rz_model *model = NULL;
    rz_engine *engine = NULL;
    rz_error err = {0};
    rz_params params = RZ_PARAMS_INIT;
    int sent = 0;
    params.max_tokens = 30;
    rz_status s = argc > 1 ? rz_model_open(&model, argv[1], NULL, &err)
                           : rz_model_open_demo(&model, NULL, &err);
    if (s == RZ_OK) s = rz_engine_new(&engine, model, NULL, &err);
    for (; s == RZ_OK && sent < 3; sent += s == RZ_OK) {
        const rz_sink sink = {on_token, on_done, &r[sent]};
        rz_token ids[64];
        rz_ticket ticket;
        size_t n;
        sem_init(&r[sent].done, 0, 0);
        s = rz_encode(rz_model_tokenizer(model), r[sent].prompt, strlen(r[sent].prompt),
                      RZ_ENCODE_BOS, ids, 64, &n, &err);
        if (s == RZ_OK) s = rz_engine_submit(engine, ids, n, &params, &sink, &ticket, &err);
    }
    for (int i = 0; i < sent; i++) {
        sem_wait(&r[i].done);
        printf("%s%.*s\n", r[i].prompt, (int)r[i].len, r[i].text);
    }
    if (s != RZ_OK) fprintf(stderr, "03_engine: %s\n", err.text);
    rz_engine_free(engine);
    rz_model_close(model);
    return s != RZ_OK;
}
