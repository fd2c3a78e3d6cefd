/* fuzz_config.c - any configuration over any tensors: a model opens and can be described and run,
 * or there is one error that says why.
 *
 * The input is a GGUF file, or text of config.json or config.yaml, a 0, and a safetensors file. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/tensor_file.h"
#include "fuzz.h"
#include "json/yaml.h"
#include "kernels/kern.h"
#include "model/describe.h"
#include "model/forward.h"

enum { MAX_ROWS = 2, MAX_WIDE = 1 << 14 };

static void require(bool ok) {
    if (!ok) abort();
}

static void describe(const model *m) {
    buf b = BUF_INIT;
    model_describe_layers(m, &b);
    model_describe_types(m, &b);
    require(b.failed || b.len > 0);
    require(model_active_params(m) <= m->n_param);
    require(model_max_cols(m) >= m->c.D);
    for (uint32_t i = 0; i < m->c.L; i++) {
        const layer *l = &m->layer[i];
        require(l->mix > MIX_NONE && l->mix < MIX_KIND_COUNT);
        require(l->state_at + l->state_width <= m->state_width);
    }
    buf_free(&b);
}

/* A step's scratch can be laid out, whatever the sizes are. */
static void lay_out(const model *m) {
    step s;
    err e = {0};
    if (model_max_cols(m) > MAX_WIDE || m->c.V > MAX_WIDE) return;
    if (step_init(&s, m, MAX_ROWS, 1, &e) >= 0) step_done(&s);
    else require(e.text[0]);
}

static void open_model(tensor_file *f) {
    model *m = NULL;
    err e = {0};
    const status s = model_open(&m, f, &e);
    require(s < 0 ? m == NULL && e.text[0] : m != NULL);
    if (m) {
        describe(m);
        lay_out(m);
    }
    model_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tensor_file *f = NULL;
    err e = {0};
    const uint8_t *end = size > 4 && memcmp(data, "GGUF", 4) != 0 ? memchr(data, 0, size) : NULL;
    const size_t head = end ? (size_t)(end - data) + 1 : 0;
    if (tensor_file_open_memory(&f, data + head, size - head, &e) < 0) return 0;
    if (head) {
        const str text = {(const char *)data, head - 1};
        const bool is_json = data[0] == '{';
        json *root = NULL;
        if ((is_json ? json_parse_python : yaml_parse)(&root, text, &f->mem, &e) >= 0 &&
            root->kind == JSON_OBJECT && f->config)
            f->config = root;
    }
    open_model(f);
    tensor_file_close(f);
    return 0;
}
