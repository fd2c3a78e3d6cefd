/* 02_session.c - the same, one step at a time: feed tokens, look at the logits, choose, go back.
 *
 *   02_session [MODEL.gguf]
 *
 * Continues one beginning twice, without computing the beginning again. */
#include <realizar.h>
#include <stdio.h>

/* Feed what was chosen and choose again, `n` times. */
static rz_status tell(rz_session *s, const rz_tokenizer *t, const rz_params *p, int n,
                      rz_error *err) {
    for (int i = 0; i < n; i++) {
        const rz_token id = rz_session_sample(s, p);
        if (id == rz_token_special(t, RZ_EOS)) break;
        size_t len;
        const char *bytes = rz_token_bytes(t, id, &len);
        if (bytes) fwrite(bytes, 1, len, stdout);
        const rz_status fed = rz_session_feed(s, &id, 1, err);
        if (fed != RZ_OK) return fed;
    }
    printf("\n");
    return RZ_OK;
}

int main(int argc, char **argv) {
    const char begin[] = "Once upon a time there was a";
    rz_model *model = NULL;
    rz_session *session = NULL;
    rz_error err = {0};
    rz_token ids[64];
    size_t n = 0;

    rz_status s = argc > 1 ? rz_model_open(&model, argv[1], NULL, &err)
                           : rz_model_open_demo(&model, NULL, &err);
    const rz_tokenizer *t = s == RZ_OK ? rz_model_tokenizer(model) : NULL;
    if (s == RZ_OK) s = rz_session_new(&session, model, 0, RZ_KV_AUTO, &err);
    if (s == RZ_OK) s = rz_encode(t, begin, sizeof begin - 1, RZ_ENCODE_BOS, ids, 64, &n, &err);
    for (int seed = 1; s == RZ_OK && seed <= 2; seed++) {
        rz_params params = RZ_PARAMS_INIT;
        params.temperature = 0.8f;
        params.seed = (uint64_t)seed;
        /* The first n-1 tokens stay; the last is fed again because its logits are needed. */
        if (seed > 1) s = rz_session_rewind(session, n - 1, &err);
        const size_t have = rz_session_length(session);
        if (s == RZ_OK) s = rz_session_feed(session, ids + have, n - have, &err);
        printf("%s", begin);
        if (s == RZ_OK) s = tell(session, t, &params, 40, &err);
    }
    if (s != RZ_OK) fprintf(stderr, "02_session: %s\n", err.text);
    rz_session_free(session);
    rz_model_close(model);
    return s != RZ_OK;
}
