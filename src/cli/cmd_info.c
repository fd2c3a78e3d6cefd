/* cmd_info.c - realizar info: what a model file holds, or what this program is. */
#include <stdio.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "cli/model_arg.h"
#include "cli/show.h"
#include "json/json.h"

typedef struct info_args {
    model_arg model;
    bool json, tensors, meta;
} info_args;

enum { META_COLUMNS = 100 };

/* clang-format off */
#define FLAG(id, n, h) {.name = (n), .kind = ARG_FLAG, .at = offsetof(info_args, id), .help = (h)}
static const arg_option options[] = {
    FLAG(meta, "meta", "list the metadata"),
    FLAG(tensors, "tensors", "list the tensors"),
    FLAG(json, "json", "one JSON object instead of text"),
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {
    {"Model", model_arg_options, offsetof(info_args, model)},
    {"Options", options, 0},
};

/* ---- This program ---- */

static const char *const features[] = {
    "gguf",  "run",    "http-server",    "continuous-batching", "streaming",
    "bench", "logits", "embedded-model", "embeddings",          "classic-models"};

static const char *compiler(void) {
#ifdef __clang__
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}

static const char *checked_by(void) {
#if defined(__SANITIZE_ADDRESS__)
    return "address sanitizer";
#elif defined(__SANITIZE_THREAD__)
    return "thread sanitizer";
#else
    return "";
#endif
}

static void list_cpu(buf *out, const char *between, const char *quote) {
    const cpu_info *c = cpu_get();
    const struct {
        bool has;
        const char *name;
    } all[] = {{c->avx2, "avx2"},
               {c->fma, "fma"},
               {c->f16c, "f16c"},
               {c->avx_vnni, "avx-vnni"},
               {c->avx512f, "avx512f"},
               {c->avx512bw, "avx512bw"},
               {c->avx512vl, "avx512vl"},
               {c->avx512dq, "avx512dq"},
               {c->avx512_vnni, "avx512-vnni"},
               {c->avx512_vbmi, "avx512-vbmi"},
               {c->avx512_bf16, "avx512-bf16"},
               {c->avx512_fp16, "avx512-fp16"},
               {c->neon, "neon"},
               {c->dotprod, "dotprod"},
               {c->i8mm, "i8mm"},
               {c->fp16, "fp16"}};
    const char *before = "";
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!all[i].has) continue;
        buf_printf(out, "%s%s%s%s", before, quote, all[i].name, quote);
        before = between;
    }
}

static void list_features(buf *out, const char *between, const char *quote) {
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        buf_printf(out, "%s%s%s%s", i ? between : "", quote, features[i], quote);
}

static void about_program(bool as_json, buf *out) {
    if (as_json) {
        buf_printf(out, "{\"version\":\"%s\",\"system\":", rz_version());
        json_write_string(out, str_of(rz_system_info()));
        buf_printf(out, ",\"cores\":%d,\"cpu\":[", cpu_get()->cores);
        list_cpu(out, ",", "\"");
        buf_text(out, "],\"build\":");
        json_write_string(out, str_of(compiler()));
        buf_text(out, ",\"features\":[");
        list_features(out, ",", "\"");
        buf_text(out, "]}\n");
        return;
    }
    buf_printf(out, "realizar %s\n", rz_version());
    buf_printf(out, "  system    %s\n  cpu       ", rz_system_info());
    list_cpu(out, " ", "");
    buf_printf(out, "\n  build     %s%s%s\n  features  ", compiler(), *checked_by() ? ", " : "",
               checked_by());
    list_features(out, ", ", "");
    buf_char(out, '\n');
}

/* ---- A model ---- */

/* The text of metadata entry i in memory of its own. */
static status meta_text(const rz_model *m, size_t i, const char **key, const char **type, buf *out,
                        err *e) {
    const long need = rz_model_meta_at(m, i, key, type, NULL, 0);
    char *to = need >= 0 ? buf_reserve(out, (size_t)need + 1) : NULL;
    if (!to) return err_set(e, RZ_ENOMEM, "out of memory for metadata");
    rz_model_meta_at(m, i, key, type, to, (size_t)need + 1);
    out->len += (size_t)need;
    return RZ_OK;
}

/* Numbers and booleans as themselves; strings, and arrays as the shortened text they are. */
static bool is_plain_json(const char *type, str text) {
    const str t = str_of(type);
    double v;
    if (str_is(t, "bool")) return true;
    return !str_is(t, "string") && !str_is(t, "array") && str_f64(text, &v);
}

static status list_meta(const rz_model *m, size_t n, bool as_json, buf *out, err *e) {
    buf text = BUF_INIT;
    buf_text(out, as_json ? ",\"metadata\":{" : "\nmetadata:\n");
    for (size_t i = 0; i < n; i++) {
        const char *key = "", *type = "";
        buf_clear(&text);
        const status s = meta_text(m, i, &key, &type, &text, e);
        if (s < 0) {
            buf_free(&text);
            return s;
        }
        if (as_json) {
            if (i) buf_char(out, ',');
            json_write_string(out, str_of(key));
            buf_char(out, ':');
            if (is_plain_json(type, buf_view(&text))) buf_str(out, buf_view(&text));
            else json_write_string(out, buf_view(&text));
        } else {
            buf_text(out, "  ");
            show_plain(out, str_of(key), 0);
            buf_printf(out, " (%s) = ", type);
            show_plain(out, buf_view(&text), META_COLUMNS);
            buf_char(out, '\n');
        }
    }
    buf_free(&text);
    if (as_json) buf_char(out, '}');
    return RZ_OK;
}

static void tensor_line(const rz_tensor_desc *t, buf *out) {
    const size_t start = out->len;
    buf_text(out, "  ");
    show_plain(out, str_of(t->name), 0);
    const size_t width = out->failed ? 0 : show_width((str){out->p + start, out->len - start});
    buf_printf(out, "%*s %-8s [", width < 40 ? (int)(40 - width) : 1, "", t->type);
    for (uint32_t d = 0; d < t->n_dims; d++)
        buf_printf(out, d ? ", %llu" : "%llu", (unsigned long long)t->dim[d]);
    buf_text(out, "], ");
    show_bytes(out, t->bytes);
    buf_char(out, '\n');
}

static void list_tensors(const rz_model *m, bool as_json, buf *out) {
    rz_tensor_desc t;
    buf_text(out, as_json ? ",\"tensors\":[" : "\ntensors (first dimension varies fastest):\n");
    for (size_t i = 0; rz_model_tensor(m, i, &t) == RZ_OK; i++) {
        if (!as_json) {
            tensor_line(&t, out);
            continue;
        }
        buf_text(out, i ? ",{\"name\":" : "{\"name\":");
        json_write_string(out, str_of(t.name));
        buf_printf(out, ",\"type\":\"%s\",\"shape\":[", t.type);
        for (uint32_t d = 0; d < t.n_dims; d++)
            buf_printf(out, d ? ",%llu" : "%llu", (unsigned long long)t.dim[d]);
        buf_printf(out, "],\"bytes\":%llu}", (unsigned long long)t.bytes);
    }
    if (as_json) buf_char(out, ']');
}

static void text_member(buf *out, const char *key, const char *value) {
    buf_printf(out, ",\"%s\":", key);
    json_write_string(out, str_of(value));
}

static void head_json(const rz_model_info *i, buf *out) {
    buf_text(out, "{\"path\":");
    json_write_string(out, str_of(i->path));
    text_member(out, "format", i->format);
    text_member(out, "architecture", i->arch);
    text_member(out, "name", i->name);
    text_member(out, "layer_kinds", i->layer_kinds);
    text_member(out, "quantization", i->quant);
    text_member(out, "stored_types", i->types);
    text_member(out, "assumed", i->notes);
    text_member(out, "tokenizer", i->tokenizer);
    buf_printf(out, ",\"chat_template\":%s", i->chat_template ? "true" : "false");
    const struct {
        const char *key;
        uint64_t value;
    } large[] = {{"parameters", i->params},
                 {"active_parameters", i->active_params},
                 {"weight_bytes", i->weight_bytes},
                 {"file_bytes", i->file_bytes},
                 {"state_bytes", i->state_bytes},
                 {"kv_bytes_per_token_f32", 4ull * i->kv_floats_per_token}};
    for (size_t k = 0; k < sizeof large / sizeof *large; k++)
        buf_printf(out, ",\"%s\":%llu", large[k].key, (unsigned long long)large[k].value);
    const struct {
        const char *key;
        uint32_t value;
    } number[] = {{"layers", i->layers},
                  {"width", i->width},
                  {"heads", i->heads},
                  {"kv_heads", i->kv_heads},
                  {"head_size", i->head_size},
                  {"ffn_width", i->ffn_width},
                  {"vocab_size", i->vocab},
                  {"context_length", i->context},
                  {"kv_floats_per_token", i->kv_floats_per_token},
                  {"tensor_count", i->tensors},
                  {"metadata_count", i->meta_keys}};
    for (size_t k = 0; k < sizeof number / sizeof *number; k++)
        buf_printf(out, ",\"%s\":%u", number[k].key, number[k].value);
}

static void head_text(const rz_model_info *i, buf *out) {
    const uint64_t kv = i->kv_floats_per_token;
    show_plain(out, str_of(i->path), 0);
    buf_printf(out, "\n  format        %s, ", i->format);
    show_bytes(out, i->file_bytes);
    buf_printf(out, ", %u tensors, %u metadata keys\n", i->tensors, i->meta_keys);
    if (i->name[0]) {
        buf_text(out, "  name          ");
        show_plain(out, str_of(i->name), META_COLUMNS);
        buf_char(out, '\n');
    }
    buf_printf(out, "  architecture  %s, ", i->arch);
    show_count(out, i->params);
    buf_text(out, " weights");
    if (i->active_params != i->params) {
        buf_text(out, ", ");
        show_count(out, i->active_params);
        buf_text(out, " for a token");
    }
    buf_printf(out, "\n  stored as     %s, ", i->quant);
    show_bytes(out, i->weight_bytes);
    buf_printf(out, ": %s\n  layers        %u, width %u, feed-forward %u\n", i->types, i->layers,
               i->width, i->ffn_width);
    buf_printf(out, "  kinds         %s\n", i->layer_kinds);
    if (i->heads)
        buf_printf(out, "  attention     %u heads of %u, %u for keys and values\n", i->heads,
                   i->head_size, i->kv_heads);
    if (i->state_bytes) {
        buf_text(out, "  state         ");
        show_bytes(out, i->state_bytes);
        buf_text(out, " for a text of any length\n");
    }
    buf_printf(out, "  vocabulary    %u, %s%s\n", i->vocab, i->tokenizer,
               i->chat_template ? ", chat template" : "");
    if (i->notes[0]) buf_printf(out, "  assumed       %s\n", i->notes);
    buf_printf(out, "  context       %u tokens; cache ", i->context);
    show_bytes(out, kv * 4);
    buf_text(out, " a token as f32, ");
    show_bytes(out, kv * 4 * i->context);
    buf_text(out, " in all (half as f16)\n");
}

static status about_model(const info_args *a, rz_model *m, buf *out, err *e) {
    rz_model_info info;
    rz_model_describe(m, &info);
    if (a->json) head_json(&info, out);
    else head_text(&info, out);
    if (a->meta) TRY(list_meta(m, info.meta_keys, a->json, out, e));
    if (a->tensors) list_tensors(m, a->json, out);
    if (a->json) buf_text(out, "}\n");
    return RZ_OK;
}

/* ---- A classic model ---- */

static void classic_json(const rz_predictor_info *i, buf *out) {
    buf_text(out, "{\"path\":");
    json_write_string(out, str_of(i->path));
    text_member(out, "format", i->format);
    text_member(out, "kind", i->kind);
    buf_printf(out, ",\"type\":%u,\"inputs\":%llu,\"outputs\":%llu,\"classes\":%llu", i->type,
               (unsigned long long)i->inputs, (unsigned long long)i->outputs,
               (unsigned long long)i->classes);
    buf_printf(out, ",\"probabilities\":%s,\"parameters\":%llu,\"file_bytes\":%llu",
               i->proba ? "true" : "false", (unsigned long long)i->params,
               (unsigned long long)i->file_bytes);
}

static void classic_text(const rz_predictor_info *i, buf *out) {
    show_plain(out, str_of(i->path), 0);
    buf_printf(out, "\n  format        %s, ", i->format);
    show_bytes(out, i->file_bytes);
    buf_printf(out, "\n  kind          %s (type 0x%02x), ", i->kind, i->type);
    show_count(out, i->params);
    buf_text(out, " parameters\n  takes         ");
    if (i->inputs) buf_printf(out, "%llu features", (unsigned long long)i->inputs);
    else buf_text(out, "text");
    if (i->classes)
        buf_printf(out, "\n  gives         one of %llu classes%s\n", (unsigned long long)i->classes,
                   i->proba ? ", with probabilities" : "");
    else
        buf_printf(out, "\n  gives         %llu number%s\n", (unsigned long long)i->outputs,
                   i->outputs == 1 ? "" : "s");
}

/* Metadata is short here and always shown. */
static status classic_meta(const rz_predictor *p, size_t n, bool as_json, buf *out, err *e) {
    if (as_json) buf_text(out, ",\"metadata\":{");
    for (size_t i = 0; i < n; i++) {
        const char *key = "", *type = "";
        const long need = rz_predictor_meta_at(p, i, &key, &type, NULL, 0);
        char *text = need >= 0 ? mem_alloc((size_t)need + 1) : NULL;
        if (!text) return err_set(e, RZ_ENOMEM, "out of memory for metadata");
        rz_predictor_meta_at(p, i, NULL, NULL, text, (size_t)need + 1);
        if (as_json) {
            if (i) buf_char(out, ',');
            json_write_string(out, str_of(key));
            buf_char(out, ':');
            if (strcmp(type, "string") == 0) json_write_string(out, str_of(text));
            else buf_text(out, text);
        } else {
            buf_text(out, "  meta          ");
            show_plain(out, str_of(key), 0);
            buf_text(out, " = ");
            show_plain(out, str_of(text), META_COLUMNS);
            buf_char(out, '\n');
        }
        mem_free(text);
    }
    if (as_json) buf_text(out, "}}\n");
    return RZ_OK;
}

static int about_classic(const cmd_call *c, const char *path, bool as_json) {
    rz_predictor *p = NULL;
    rz_predictor_info i;
    buf out = BUF_INIT;
    err e = {0};
    status s = rz_predictor_open(&p, path, &e);
    if (s >= 0) {
        rz_predictor_describe(p, &i);
        if (as_json) classic_json(&i, &out);
        else classic_text(&i, &out);
        s = classic_meta(p, i.meta_keys, as_json, &out, &e);
    }
    const int code = s < 0 ? cmd_failed(c, &e) : cmd_print(c, &out);
    rz_predictor_close(p);
    buf_free(&out);
    return code;
}

static int info(const cmd_call *c) {
    info_args *a = c->values;
    rz_model *m = NULL;
    buf out = BUF_INIT;
    size_t used = 0;
    err e = {0};
    if (!a->model.path && !a->model.demo && c->rest->n == 0) {
        if (a->meta || a->tensors) return cmd_usage(c, "--meta and --tensors need a model");
        about_program(a->json, &out);
        return cmd_print(c, &out);
    }
    if (model_arg_take(&a->model, c->rest, &used, &e) < 0 ||
        model_arg_no_more(c->rest, used, &e) < 0)
        return cmd_usage(c, "%s", e.text);
    if (!a->model.demo && rz_predictor_is(a->model.path))
        return about_classic(c, a->model.path, a->json);
    status s = model_arg_open(&a->model, NULL, &m, &e);
    if (s >= 0) s = about_model(a, m, &out, &e);
    const int code = s < 0 ? cmd_failed(c, &e) : cmd_print(c, &out);
    rz_model_close(m);
    buf_free(&out);
    return code;
}

const cmd_spec cmd_info = {
    {"[OPTION ...] [MODEL]",
     "With a model: its format, shape, vocabulary and memory. Without: version, processor features "
     "and build of this program. In JSON, metadata arrays are shortened text.",
     "info\ninfo model.gguf\ninfo model.gguf --meta --tensors\ninfo --json --demo", groups,
     sizeof groups / sizeof *groups, sizeof(info_args)},
    info};
