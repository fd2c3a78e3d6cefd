/* vocab_arg.c - see vocab_arg.h. */
#include "cli/vocab_arg.h"

/* clang-format off */
const arg_option vocab_arg_options[] = {
    {.name = "model", .letter = 'm', .kind = ARG_TEXT, .at = offsetof(vocab_arg, model.path),
     .value = "PATH", .help = "the GGUF file, instead of the argument MODEL"},
    {.name = "demo", .kind = ARG_FLAG, .at = offsetof(vocab_arg, model.demo),
     .help = "the small model inside this program"},
    {.name = "vocab", .kind = ARG_TEXT, .at = offsetof(vocab_arg, vocab), .value = "VOCAB",
     .help = "a vocabulary instead of a model: cl100k_base, llama3, ... or a tokenizer file; "
             "auto = the model's"},
    {.name = NULL}};
/* clang-format on */

bool vocab_arg_alone(const vocab_arg *a) { return a->vocab && strcmp(a->vocab, "auto") != 0; }

status vocab_arg_take(vocab_arg *a, const arg_list *rest, size_t words, size_t *used, err *e) {
    *used = 0;
    const bool model = a->model.path || a->model.demo || rest->n > words;
    if (vocab_arg_alone(a) && !model) return RZ_OK;
    return model_arg_take(&a->model, rest, used, e);
}

status vocab_arg_open(const vocab_arg *a, vocab *out, err *e) {
    rz_model_info info;
    *out = (vocab){NULL, NULL, NULL};
    if (vocab_arg_alone(a) && !a->model.path && !a->model.demo) {
        TRY(rz_tokenizer_open(&out->own, a->vocab, e));
        out->t = out->own;
        return RZ_OK;
    }
    TRY(model_arg_open(&a->model, NULL, &out->m, e));
    out->t = rz_model_tokenizer(out->m);
    rz_model_describe(out->m, &info);
    status s = RZ_OK;
    if (!out->t) s = err_set(e, RZ_EUNSUPPORTED, "this model file has no tokenizer");
    else if (vocab_arg_alone(a))
        s = err_set(e, RZ_EUNSUPPORTED,
                    "--vocab %.60s: %.200s brings its own tokenizer (%s); leave --vocab out, or "
                    "the model",
                    a->vocab, info.path, info.tokenizer);
    if (s < 0) vocab_close(out);
    return s;
}

void vocab_close(vocab *v) {
    rz_tokenizer_close(v->own);
    rz_model_close(v->m);
    *v = (vocab){NULL, NULL, NULL};
}
