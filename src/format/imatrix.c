/* imatrix.c - reads and writes importance matrices in both of their forms. */
#include "format/imatrix.h"

#include <math.h>

#include "base/buf.h"
#include "base/mem.h"
#include "format/gguf.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are read as they lie");

enum { MAX_ENTRIES = 1 << 20, MAX_NAME = 1024 };

static status no_memory(const char *path, err *e) {
    return err_set(e, RZ_ENOMEM, "%.200s: out of memory", path);
}

/* ---- Reading: what both forms share ---- */

/* Room for one more entry of n values. */
static status add_entry(imatrix *m, const char *path, str name, size_t n, imatrix_entry **out,
                        err *e) {
    imatrix_entry *x = &m->entry[m->n];
    const char *copy = arena_copy(&m->mem, name.p, name.len);
    x->mean = arena_zero(&m->mem, n, sizeof *x->mean);
    if (!copy || !x->mean) return no_memory(path, e);
    x->name = (str){copy, name.len};
    x->n = n;
    switch (map_put(&m->index, x->name, m->n)) {
        case MAP_EXISTS:
            return err_set(e, RZ_EFORMAT, "%.200s: %.*s has two entries", path, STR_FMT(name));
        case MAP_NOMEM:
            return no_memory(path, e);
        case MAP_NEW:
            break;
    }
    m->n++;
    *out = x;
    return RZ_OK;
}

/* One mean; bits of files can be anything. */
static status put_mean(imatrix_entry *x, size_t i, double mean, const char *path, err *e) {
    if (!(mean >= 0) || mean > (double)INFINITY / 2)
        return err_set(e, RZ_EFORMAT, "%.200s: entry %.*s: value %zu is %g, expected a mean square",
                       path, STR_FMT(x->name), i, mean);
    x->mean[i] = mean > 3e38 ? 3e38f : (float)mean;
    return RZ_OK;
}

/* ---- The older form ---- */

typedef struct cursor {
    const uint8_t *p;
    size_t left;
    const char *path;
} cursor;

static status take_i32(cursor *c, const char *what, int32_t *out, err *e) {
    if (c->left < sizeof *out)
        return err_set(e, RZ_EFORMAT, "%.200s: file ends before %s", c->path, what);
    memcpy(out, c->p, sizeof *out);
    c->p += sizeof *out;
    c->left -= sizeof *out;
    return RZ_OK;
}

static status read_old_entry(imatrix *m, cursor *c, err *e) {
    int32_t len = 0, calls = 0, n = 0;
    TRY(take_i32(c, "a name", &len, e));
    if (len < 1 || len > MAX_NAME || (size_t)len > c->left)
        return err_set(e, RZ_EFORMAT, "%.200s: entry %zu: its name has %d bytes", c->path, m->n,
                       len);
    const str name = {(const char *)c->p, (size_t)len};
    c->p += len;
    c->left -= (size_t)len;
    TRY(take_i32(c, "a number of calls", &calls, e));
    TRY(take_i32(c, "a number of values", &n, e));
    if (n < 1 || (size_t)n > c->left / sizeof(float))
        return err_set(e, RZ_EFORMAT, "%.200s: entry %.*s: %d values do not fit the file", c->path,
                       STR_FMT(name), n);
    imatrix_entry *x;
    TRY(add_entry(m, c->path, name, (size_t)n, &x, e));
    for (size_t i = 0; i < x->n; i++) {
        float v;
        memcpy(&v, c->p + i * sizeof v, sizeof v);
        TRY(put_mean(x, i, (double)v / (calls > 0 ? calls : 1), c->path, e));
    }
    c->p += x->n * sizeof(float);
    c->left -= x->n * sizeof(float);
    return RZ_OK;
}

/* Files end with calls and text, or before them. */
static status read_old_end(imatrix *m, cursor *c, err *e) {
    int32_t chunks = 0, len = 0;
    if (c->left == 0) return RZ_OK;
    TRY(take_i32(c, "its number of calls", &chunks, e));
    if (chunks > 0) m->chunks = (uint32_t)chunks;
    if (c->left == 0) return RZ_OK;
    TRY(take_i32(c, "the name of its text", &len, e));
    if (len < 0 || (size_t)len > c->left)
        return err_set(e, RZ_EFORMAT, "%.200s: the name of its text has %d bytes", c->path, len);
    m->dataset.p = arena_copy(&m->mem, (const char *)c->p, (size_t)len);
    m->dataset.len = (size_t)len;
    return m->dataset.p ? RZ_OK : no_memory(c->path, e);
}

static status read_old(imatrix *m, cursor *c, err *e) {
    int32_t n = 0;
    TRY(take_i32(c, "its number of entries", &n, e));
    /* An entry takes 13 bytes and a value at least. */
    if (n < 1 || n > MAX_ENTRIES || (size_t)n > c->left / 17)
        return err_set(e, RZ_EFORMAT,
                       "%.200s: no importance matrix: neither GGUF nor a plausible number of "
                       "entries (%d)",
                       c->path, n);
    m->entry = arena_zero(&m->mem, (size_t)n, sizeof *m->entry);
    if (!m->entry) return no_memory(c->path, e);
    for (int32_t i = 0; i < n; i++) TRY(read_old_entry(m, c, e));
    return read_old_end(m, c, e);
}

/* ---- GGUF ---- */

static float f32_at(const tensor_info *t, uint64_t i) {
    float v;
    memcpy(&v, t->data + i * sizeof v, sizeof v);
    return v;
}

/* The entry of the sums `t`, whose name ends in .in_sum2. */
static status read_sums(imatrix *m, const tensor_file *f, const tensor_info *t, err *e) {
    char name[MAX_NAME + 16];
    const str base = {t->name.p, t->name.len - strlen(".in_sum2")};
    if (base.len == 0 || base.len > MAX_NAME)
        return err_set(e, RZ_EFORMAT, "%.200s: tensor %.*s: its name has %zu bytes", f->path,
                       STR_FMT(t->name), t->name.len);
    memcpy(name, base.p, base.len);
    memcpy(name + base.len, ".counts", sizeof ".counts");
    const tensor_info *counts = tensor_file_find(f, str_of(name));
    if (!counts)
        return err_set(e, RZ_EFORMAT, "%.200s: tensor %.*s is there without %.300s", f->path,
                       STR_FMT(t->name), name);
    if (t->type != QUANT_F32 || counts->type != QUANT_F32 || t->n % counts->n != 0)
        return err_set(
            e, RZ_EFORMAT, "%.200s: %llu values of %s and %llu counts of %s do not match: %.*s",
            f->path, (unsigned long long)t->n, quant_get(t->type)->name,
            (unsigned long long)counts->n, quant_get(counts->type)->name, STR_FMT(t->name));
    imatrix_entry *x;
    TRY(add_entry(m, f->path, base, (size_t)t->n, &x, e));
    const uint64_t n_col = t->n / counts->n;
    for (uint64_t i = 0; i < t->n; i++) {
        const double count = (double)f32_at(counts, i / n_col);
        const double mean = count > 0 ? (double)f32_at(t, i) / count : 1;
        TRY(put_mean(x, (size_t)i, mean, f->path, e));
    }
    return RZ_OK;
}

static status read_gguf(imatrix *m, const tensor_file *f, err *e) {
    const meta_value *text = tensor_file_meta(f, "imatrix.datasets");
    TRY(meta_u32(f, "imatrix.chunk_count", &m->chunks, e));
    if (text && text->type == META_ARRAY && text->a.elem == META_STRING && text->a.n > 0) {
        m->dataset = text->a.strings[0];
        m->dataset.p = arena_copy(&m->mem, m->dataset.p, m->dataset.len);
        if (!m->dataset.p) return no_memory(f->path, e);
    }
    m->entry = arena_zero(&m->mem, f->n_tensor + 1, sizeof *m->entry);
    if (!m->entry) return no_memory(f->path, e);
    for (size_t i = 0; i < f->n_tensor; i++)
        if (str_ends(f->tensor[i].name, STR_LIT(".in_sum2")))
            TRY(read_sums(m, f, &f->tensor[i], e));
    if (m->n > 0) return RZ_OK;
    return err_set(e, RZ_EFORMAT, "%.200s: no importance matrix: no tensor is called *.in_sum2",
                   f->path);
}

status imatrix_parse(imatrix **out, const char *path, const uint8_t *data, size_t len, err *e) {
    imatrix *m = mem_zero(sizeof *m);
    status s = m ? RZ_OK : no_memory(path, e);
    if (s < 0) return s;
    m->dataset = STR_LIT("");
    if (gguf_is((str){(const char *)data, len})) {
        tensor_file f = {.path = path};
        s = gguf_parse(&f, path, data, len, e);
        if (s >= 0) s = read_gguf(m, &f, e);
        map_free(&f.kv_index);
        map_free(&f.tensor_index);
        arena_free(&f.mem);
    } else {
        cursor c = {data, len, path};
        s = read_old(m, &c, e);
    }
    if (s < 0) {
        imatrix_close(m);
        return s;
    }
    *out = m;
    return RZ_OK;
}

status imatrix_open(imatrix **out, const char *path, err *e) {
    os_map file;
    TRY(os_map_open(&file, path, e));
    const status s = imatrix_parse(out, path, file.data, file.len, e);
    os_map_close(&file);
    return s;
}

void imatrix_close(imatrix *m) {
    if (!m) return;
    map_free(&m->index);
    arena_free(&m->mem);
    mem_free(m);
}

const imatrix_entry *imatrix_find(const imatrix *m, str name) {
    const uint64_t *at = map_get(&m->index, name);
    return at ? &m->entry[*at] : NULL;
}

/* ---- Writing ---- */

static uint64_t most(const imatrix_sums *x) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < x->n_mat; i++) n = x->count[i] > n ? x->count[i] : n;
    return n;
}

static void add_i32(buf *b, uint64_t v) {
    const int32_t i = v < INT32_MAX ? (int32_t)v : INT32_MAX;
    buf_add(b, &i, sizeof i);
}

static status write_old(const char *path, const imatrix_sums *x, size_t n,
                        const imatrix_source *from, err *e) {
    buf b = BUF_INIT;
    uint64_t n_seen = 0;
    const uint64_t chunk = from->chunk_tokens ? from->chunk_tokens : 1;
    for (size_t i = 0; i < n; i++) n_seen += most(&x[i]) > 0;
    add_i32(&b, n_seen);
    for (size_t i = 0; i < n; i++) {
        const uint64_t calls = (most(&x[i]) + chunk - 1) / chunk;
        if (calls == 0) continue;
        add_i32(&b, x[i].name.len);
        buf_str(&b, x[i].name);
        add_i32(&b, calls);
        add_i32(&b, (uint64_t)x[i].n_col * x[i].n_mat);
        for (uint64_t k = 0; k < (uint64_t)x[i].n_col * x[i].n_mat; k++) {
            const uint64_t count = x[i].count[k / x[i].n_col];
            const double mean = count ? x[i].sum[k] / (double)count : 1;
            const float v = (float)(mean * (double)calls);
            buf_add(&b, &v, sizeof v);
        }
    }
    add_i32(&b, from->chunks);
    add_i32(&b, from->dataset.len);
    buf_str(&b, from->dataset);
    const status s = b.failed ? no_memory(path, e) : os_write_file(path, b.p, b.len, e);
    buf_free(&b);
    return s;
}

/* Sums and counts as the floats of the file, in `mem`. */
static status put_sums(gguf_writer *w, const imatrix_sums *x, arena *mem, const char *path,
                       err *e) {
    const size_t n = (size_t)x->n_col * x->n_mat;
    float *sum = arena_alloc(mem, n * sizeof *sum);
    float *count = arena_alloc(mem, x->n_mat * sizeof *count);
    char name[MAX_NAME + 16];
    if (!sum || !count) return no_memory(path, e);
    if (x->name.len > MAX_NAME)
        return err_set(e, RZ_EINVAL, "%.200s: a name of %zu bytes is too long", path, x->name.len);
    for (size_t i = 0; i < n; i++) sum[i] = (float)x->sum[i];
    for (uint32_t i = 0; i < x->n_mat; i++) count[i] = (float)x->count[i];
    const uint64_t sum_dim[] = {x->n_col, x->n_mat}, count_dim[] = {1, x->n_mat};
    memcpy(name, x->name.p, x->name.len);
    memcpy(name + x->name.len, ".in_sum2", sizeof ".in_sum2");
    TRY(gguf_put_tensor(w, str_of(name), QUANT_F32, 2, sum_dim, sum, e));
    memcpy(name + x->name.len, ".counts", sizeof ".counts");
    return gguf_put_tensor(w, str_of(name), QUANT_F32, 2, count_dim, count, e);
}

static status put_all(gguf_writer *w, const imatrix_sums *x, size_t n, const imatrix_source *from,
                      arena *mem, const char *path, err *e) {
    TRY(gguf_put_str(w, "general.type", STR_LIT("imatrix"), e));
    TRY(gguf_put_strs(w, "imatrix.datasets", &from->dataset, 1, e));
    TRY(gguf_put_u32(w, "imatrix.chunk_count", from->chunks, e));
    TRY(gguf_put_u32(w, "imatrix.chunk_size", from->chunk_tokens, e));
    for (size_t i = 0; i < n; i++) TRY(put_sums(w, &x[i], mem, path, e));
    return gguf_write(w, path, e);
}

status imatrix_write(const char *path, bool legacy, const imatrix_sums *x, size_t n,
                     const imatrix_source *from, err *e) {
    gguf_writer *w;
    arena mem = ARENA_INIT;
    if (legacy) return write_old(path, x, n, from, e);
    TRY(gguf_writer_new(&w, e));
    const status s = put_all(w, x, n, from, &mem, path, e);
    gguf_writer_free(w);
    arena_free(&mem);
    return s;
}
