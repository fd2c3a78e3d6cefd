/* 01_generate.c - one call: a prompt in, text out as it is made.
 *
 *   01_generate [MODEL.gguf [PROMPT]]     without a model: the one inside the library */
#include <realizar.h>
#include <stdio.h>

static int print(void *ud, const char *text, size_t len) {
    (void)ud;
    fwrite(text, 1, len, stdout);
    fflush(stdout);
    return 0; /* anything else stops */
}

int main(int argc, char **argv) {
    const char *prompt = argc > 2 ? argv[2] : "Once upon a time";
    rz_model *model = NULL;
    rz_error err = {0};
    rz_usage use;
    rz_params params = RZ_PARAMS_INIT;
    params.max_tokens = 60;

    rz_status s = argc > 1 ? rz_model_open(&model, argv[1], NULL, &err)
                           : rz_model_open_demo(&model, NULL, &err);
    if (s == RZ_OK) {
        printf("%s", prompt);
        s = rz_generate(model, prompt, &params, print, NULL, &use, &err);
    }
    if (s != RZ_OK) fprintf(stderr, "01_generate: %s\n", err.text);
    else printf("\n[%u tokens in, %u out]\n", use.prompt, use.output);
    rz_model_close(model);
    return s != RZ_OK;
}
