/* 04_tokenize.c - text to ids and back, and what a model says about itself.
 *
 *   04_tokenize [MODEL.gguf [TEXT]] */
#include <realizar.h>
#include <stdio.h>
#include <string.h>

enum { ROOM = 512 };

int main(int argc, char **argv) {
    const char *text = argc > 2 ? argv[2] : "The cat sat. Olé!";
    rz_model *model = NULL;
    rz_model_info info;
    rz_error err = {0};
    rz_token ids[ROOM];
    char back[8 * ROOM];
    size_t n = 0, len = 0;

    rz_status s = argc > 1 ? rz_model_open(&model, argv[1], NULL, &err)
                           : rz_model_open_demo(&model, NULL, &err);
    if (s != RZ_OK) {
        fprintf(stderr, "04_tokenize: %s\n", err.text);
        return 1;
    }
    rz_model_describe(model, &info);
    printf("%s, %s, %llu parameters, %u token vocabulary\n", info.arch, info.quant,
           (unsigned long long)info.params, info.vocab);

    const rz_tokenizer *t = rz_model_tokenizer(model);
    s = rz_encode(t, text, strlen(text), 0, ids, ROOM, &n, &err);
    if (n > ROOM) n = ROOM; /* n is what the text needs, also when that is more than there is */
    for (size_t i = 0; s == RZ_OK && i < n; i++) {
        size_t piece_len;
        const char *piece = rz_token_piece(t, ids[i], &piece_len);
        printf("%6d  %.*s\n", ids[i], (int)piece_len, piece);
    }
    if (s == RZ_OK) s = rz_decode(t, ids, n, back, sizeof back, &len, &err);
    if (s == RZ_OK) printf("back: \"%.*s\"\n", (int)len, back);
    else fprintf(stderr, "04_tokenize: %s\n", err.text);
    rz_model_close(model);
    return s != RZ_OK;
}
