/* tiny.c - see tiny.h. */
#include "tiny.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "format/safetensors.h"
#include "test.h"

enum { NAME = 224 };

void tiny_begin(tiny *t, const char *hf_layer, uint64_t seed) {
    t->n = 0;
    t->hf_layer = hf_layer;
    t->random = seed;
}

void tiny_end(tiny *t) {
    for (size_t i = 0; i < t->n; i++) {
        free(t->t[i].x);
        free(t->t[i].gguf_data);
        free(t->t[i].hf_bytes);
    }
    t->n = 0;
}

static float noise(tiny *t) {
    t->random = t->random * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(t->random >> 40) / (1 << 23) - 1);
}

static void whole_name(char *out, size_t cap, int layer, const char *prefix, const char *name) {
    if (!name) out[0] = 0;
    else if (layer < 0) snprintf(out, cap, "%s", name);
    else snprintf(out, cap, "%s%d.%s", prefix, layer, name);
}

tiny_tensor *tiny_add(tiny *t, int layer, const char *hf, const char *gguf, uint64_t a, uint64_t b,
                      uint64_t c) {
    tiny_tensor *x = &t->t[t->n++];
    *x = (tiny_tensor){.n_dims = c   ? 3
                                 : b ? 2
                                     : 1,
                       .dim = {a, b, c},
                       .n = a * (b ? b : 1) * (c ? c : 1),
                       .type = QUANT_F32};
    whole_name(x->hf, sizeof x->hf, layer, t->hf_layer, hf);
    whole_name(x->gguf, sizeof x->gguf, layer, "blk.", gguf);
    const char *name = hf ? hf : gguf;
    const bool gain = !b && (strstr(name, "norm") || strstr(name, "Norm") || strstr(name, "_ln")) &&
                      !strstr(name, "bias");
    const uint64_t cols = c ? c : b;
    const float size = cols ? 1.8f / sqrtf((float)cols) : 0.3f;
    x->x = malloc(x->n * sizeof *x->x);
    for (uint64_t i = 0; i < x->n; i++) x->x[i] = noise(t) * size + (gain ? 1.0f : 0.0f);
    return x;
}

void tiny_quantize(tiny_tensor *x, quant_type type) {
    const quant_info *q = quant_get(type);
    x->type = type;
    x->gguf_data = malloc(x->n / q->block * q->bytes);
    q->from_float(x->x, x->gguf_data, x->n);
    q->to_float(x->gguf_data, x->x, x->n);
}

uint8_t *tiny_bytes(tiny_tensor *x, uint64_t last) {
    x->hf_last = last;
    x->hf_bytes = calloc(x->n, last ? last : 1);
    return x->hf_bytes;
}

const float *tiny_get(const tiny *t, int layer, const char *name) {
    char hf[NAME], gguf[NAME];
    whole_name(hf, sizeof hf, layer, t->hf_layer, name);
    whole_name(gguf, sizeof gguf, layer, "blk.", name);
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->t[i].hf, hf) == 0 || (!t->t[i].hf[0] && strcmp(t->t[i].gguf, gguf) == 0))
            return t->t[i].x;
    return NULL;
}

/* ---- Files ---- */

status tiny_gguf(const tiny *t, tiny_head_fn *head, buf *out, err *e) {
    gguf_writer *g;
    TRY(gguf_writer_new(&g, e));
    status s = head(g, e);
    for (size_t i = 0; i < t->n && s >= 0; i++) {
        const tiny_tensor *x = &t->t[i];
        uint64_t dim[3];
        for (uint32_t d = 0; d < x->n_dims; d++) dim[d] = x->dim[x->n_dims - 1 - d];
        if (x->gguf[0])
            s = gguf_put_tensor(g, str_of(x->gguf), x->type, x->n_dims, dim,
                                x->gguf_data ? x->gguf_data : x->x, e);
    }
    if (s >= 0) s = gguf_write_buf(g, out, e);
    gguf_writer_free(g);
    return s;
}

static status put_bytes(safetensors_writer *g, const tiny_tensor *x, err *e) {
    uint64_t dim[4] = {x->hf_last, 0, 0, 0};
    const uint32_t more = x->hf_last ? 1 : 0;
    for (uint32_t d = 0; d < x->n_dims; d++) dim[d + more] = x->dim[x->n_dims - 1 - d];
    return safetensors_put_tensor(g, str_of(x->hf), QUANT_U8, x->n_dims + more, dim, x->hf_bytes,
                                  e);
}

static status put_hf(safetensors_writer *g, const tiny_tensor *x, err *e) {
    if (x->hf_bytes) return put_bytes(g, x, e);
    const char *star = strchr(x->hf, '*');
    const uint32_t n_dims = x->n_dims - (star ? 1 : 0);
    const uint64_t count = star ? x->dim[0] : 1, each = x->n / count;
    uint64_t dim[3];
    for (uint32_t d = 0; d < n_dims; d++) dim[d] = x->dim[x->n_dims - 1 - d];
    for (uint64_t i = 0; i < count; i++) {
        char name[NAME];
        if (star)
            snprintf(name, sizeof name, "%.*s%llu%s", (int)(star - x->hf), x->hf,
                     (unsigned long long)i, star + 1);
        else snprintf(name, sizeof name, "%s", x->hf);
        TRY(safetensors_put_tensor(g, str_of(name), QUANT_F32, n_dims, dim, x->x + i * each, e));
    }
    return RZ_OK;
}

status tiny_put_numbers(gguf_writer *g, const char *arch, const tiny_number *n, err *e) {
    char key[96];
    for (; n->key; n++) {
        const bool real = n->value != floor(n->value) || strstr(n->key, "scale") ||
                          strstr(n->key, "base") || strstr(n->key, "factor");
        snprintf(key, sizeof key, "%s.%s", arch, n->key);
        if (real) TRY(gguf_put_f32(g, key, (float)n->value, e));
        else TRY(gguf_put_u32(g, key, (uint32_t)n->value, e));
    }
    return RZ_OK;
}

const char *tiny_folder_of(tiny_put_fn *put, const void *of, const char *name, const char *config) {
    static char folder[512];
    char path[600];
    safetensors_writer *g;
    err e = {0};
    snprintf(folder, sizeof folder, "%s", test_temp(name));
    if (mkdir(folder, 0700) != 0 || safetensors_writer_new(&g, &e) < 0) return NULL;
    status s = put(of, g, &e);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    if (s >= 0) s = safetensors_write(g, path, &e);
    safetensors_writer_free(g);
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *out = s >= 0 ? fopen(path, "w") : NULL;
    if (!out) return NULL;
    fputs(config, out);
    return fclose(out) == 0 ? folder : NULL;
}

static status put_all(const void *of, safetensors_writer *g, err *e) {
    const tiny *t = of;
    for (size_t i = 0; i < t->n; i++)
        if (t->t[i].hf[0]) TRY(put_hf(g, &t->t[i], e));
    return RZ_OK;
}

const char *tiny_folder(const tiny *t, const char *name, const char *config) {
    return tiny_folder_of(put_all, t, name, config);
}

/* ---- Mathematics ---- */

double tiny_silu(double x) { return x / (1 + exp(-x)); }

double tiny_softplus(double x) { return x > 30 ? x : log1p(exp(x)); }

void tiny_times(double *y, const float *a, const float *b, const double *x, size_t rows,
                size_t cols) {
    for (size_t r = 0; r < rows; r++) {
        y[r] = b ? (double)b[r] : 0;
        for (size_t c = 0; c < cols; c++) y[r] += (double)a[r * cols + c] * x[c];
    }
}

void tiny_rms(double *y, const double *x, size_t n, const float *gain, double eps) {
    double square = 0;
    for (size_t i = 0; i < n; i++) square += x[i] * x[i] / (double)n;
    for (size_t i = 0; i < n; i++) y[i] = x[i] / sqrt(square + eps) * (double)gain[i];
}

void tiny_layer_norm(double *y, const double *x, size_t n, const float *gain, const float *bias,
                     double eps) {
    double mean = 0, square = 0;
    for (size_t i = 0; i < n; i++) mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) / sqrt(square + eps) * (double)gain[i] + (double)bias[i];
}

void tiny_rope(double *x, uint32_t heads, uint32_t K, uint32_t n_rot, uint32_t pos, double base) {
    for (uint32_t h = 0; h < heads; h++, x += K)
        for (uint32_t i = 0; i < n_rot / 2; i++) {
            const double angle = pos * pow(base, -2.0 * i / n_rot), a = x[i], b = x[i + n_rot / 2];
            x[i] = a * cos(angle) - b * sin(angle);
            x[i + n_rot / 2] = b * cos(angle) + a * sin(angle);
        }
}

void tiny_attend(const tiny_attention *a, double *out, const double *q, const double *k,
                 const double *v) {
    const uint32_t K = a->K, row = a->G * K;
    for (uint32_t h = 0; h < a->H; h++, q += K, out += K) {
        const uint32_t at = h / (a->H / a->G) * K;
        double sum = a->sink ? exp((double)a->sink[h]) : 0;
        memset(out, 0, K * sizeof *out);
        for (uint32_t j = a->first; j < a->end; j++) {
            double s = 0;
            for (uint32_t d = 0; d < K; d++) s += q[d] * k[j * row + at + d];
            s = exp(s * a->scale);
            sum += s;
            for (uint32_t d = 0; d < K; d++) out[d] += s * v[j * row + at + d];
        }
        for (uint32_t d = 0; d < K; d++) out[d] /= sum;
    }
}

void tiny_top(const double *z, uint32_t n, uint32_t used, uint32_t *id, double *w) {
    double sum = 0;
    for (uint32_t j = 0; j < used; j++) {
        uint32_t best = n;
        for (uint32_t i = 0; i < n; i++) {
            bool taken = false;
            for (uint32_t k = 0; k < j; k++) taken = taken || id[k] == i;
            if (!taken && (best == n || z[i] > z[best])) best = i;
        }
        id[j] = best;
        w[j] = exp(z[best]);
        sum += w[j];
    }
    for (uint32_t j = 0; j < used; j++) w[j] /= sum;
}

/* ---- Comparing ---- */

static void score(rz_model *m, const rz_token *ids, size_t n, size_t chunk, size_t V,
                  float *logits) {
    rz_session *s;
    REQUIRE(rz_session_new(&s, m, 0, RZ_KV_F32, NULL) == RZ_OK);
    for (size_t at = 0; at < n; at += chunk)
        CHECK(rz_session_score(s, ids + at, n - at < chunk ? n - at : chunk, logits + at * V,
                               NULL) == RZ_OK);
    rz_session_free(s);
}

void tiny_check_logits(const char *what, rz_model *m, const rz_token *ids, size_t n,
                       const double *want, double tolerance) {
    static const size_t chunks[] = {1, 3, 16};
    rz_model_info info;
    rz_model_describe(m, &info);
    const size_t V = info.vocab;
    float *logits = calloc(n * V, sizeof *logits), *cut = calloc(n * V, sizeof *cut);
    double worst = 0, largest = 0;
    score(m, ids, n, n, V, logits);
    for (size_t i = 0; i < n * V; i++) {
        worst = fmax(worst, fabs((double)logits[i] - want[i]));
        largest = fmax(largest, fabs(want[i]));
    }
    CHECK_MSG(worst < tolerance * fmax(1, largest), "%s: off by %.2g of %.2g", what, worst,
              largest);
    test_figure("%-29s %zu positions, worst error %.2g of %.2g", what, n, worst,
                tolerance * fmax(1, largest));
    for (size_t k = 0; k < 3; k++) {
        score(m, ids, n, chunks[k], V, cut);
        CHECK_MSG(memcmp(cut, logits, n * V * sizeof *cut) == 0, "%s: chunks of %zu", what,
                  chunks[k]);
    }
    free(logits);
    free(cut);
}
