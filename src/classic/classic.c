/* classic.c - a classic model from its .apr file and back, and the checks in front of asking it. */
#include "classic/classic.h"

#include "base/mem.h"
#include "base/os.h"

typedef struct row {
    uint16_t id;
    const char *name;
    const classic_kind *kind; /* NULL: known by name alone */
} row;

#define READABLE(id, name, kind) {id, #name, &kind},
#define UNREADABLE(id, name) {id, #name, NULL},
static const row known[] = {CLASSIC_LIST(READABLE) CLASSIC_UNREADABLE_LIST(UNREADABLE)};

static const row *find(uint16_t id) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].id == id) return &known[i];
    return NULL;
}

static status no_memory(err *e) { return err_set(e, RZ_ENOMEM, "out of memory for a model"); }

/* "labels": one text for each class. */
static status take_labels(classic *c, err *e) {
    const json *list = json_get(c->meta, "labels");
    if (!list) return RZ_OK;
    if (list->kind != JSON_ARRAY || list->n != c->classes)
        return err_set(e, RZ_EFORMAT, "metadata: \"labels\" is %s of %u, expected %zu strings",
                       json_kind_name(list->kind), list->n, c->classes);
    c->label = arena_alloc(&c->mem, (c->classes + 1) * sizeof *c->label);
    if (!c->label) return no_memory(e);
    size_t i = 0;
    for (const json *v = list->child; v; v = v->next) {
        if (v->kind != JSON_STRING)
            return err_set(e, RZ_EFORMAT, "metadata: label %zu is %s, expected a string", i,
                           json_kind_name(v->kind));
        c->label[i] = arena_copy(&c->mem, v->text.p, v->text.len);
        if (!c->label[i++]) return no_memory(e);
    }
    return RZ_OK;
}

static status read_model(classic *c, str bytes, err *e) {
    const row *r = find(c->type);
    if (!r) return err_set(e, RZ_EUNSUPPORTED, "model type 0x%02x is not known", (unsigned)c->type);
    if (!r->kind)
        return err_set(e, RZ_EUNSUPPORTED, "models of type %s (0x%02x) are not supported", r->name,
                       (unsigned)c->type);
    payload in = {(const uint8_t *)bytes.p, bytes.len, &c->mem};
    c->kind = r->kind;
    c->name = r->name;
    c->k = kern_get();
    c->outputs = 1;
    TRY(c->kind->read(c, &in, e));
    if (in.left)
        return err_set(e, RZ_EFORMAT, "%s: %zu bytes are left over behind its payload", c->name,
                       in.left);
    return take_labels(c, e);
}

static status parse(classic *c, str data, err *e) {
    apr a = {0};
    TRY(apr_parse(&a, c->path, data, &c->mem, e));
    c->type = a.type;
    c->minor = a.minor;
    c->meta = a.m;
    c->raw_meta = a.meta;
    c->file_bytes = data.len;
    const status s = read_model(c, a.payload, e);
    return s < 0 ? err_at(e, s, c->path) : s;
}

status classic_parse(classic **out, const char *path, str data, err *e) {
    classic *c = mem_zero(sizeof *c);
    if (!c) return no_memory(e);
    /* Metadata and words stay views: of a copy, which is as large as the file and no larger. */
    const char *copy = arena_copy(&c->mem, data.p, data.len);
    c->path = arena_copy(&c->mem, path, strlen(path));
    const status s = copy && c->path ? parse(c, (str){copy, data.len}, e) : no_memory(e);
    if (s < 0) classic_free(c);
    else *out = c;
    return s;
}

status classic_open(classic **out, const char *path, err *e) {
    os_map file;
    TRY(os_map_open(&file, path, e));
    const status s = classic_parse(out, path, (str){(const char *)file.data, file.len}, e);
    os_map_close(&file);
    return s;
}

status classic_from_payload(classic **out, uint16_t type, str payload_bytes, str meta, err *e) {
    const apr a = {.major = 1, .type = type, .meta = meta, .payload = payload_bytes};
    buf b = BUF_INIT;
    status s = apr_write(&a, &b, e);
    if (s >= 0 && b.failed) s = no_memory(e);
    if (s >= 0) s = classic_parse(out, "<fitted>", buf_view(&b), e);
    buf_free(&b);
    return s;
}

void classic_free(classic *c) {
    if (!c) return;
    arena mem = c->mem;
    arena_free(&mem);
    mem_free(c);
}

status classic_write(const classic *c, buf *out, err *e) {
    buf bytes = BUF_INIT;
    c->kind->write(c, &bytes);
    const apr a = {.major = 1,
                   .minor = c->minor,
                   .type = c->type,
                   .meta = c->raw_meta,
                   .payload = buf_view(&bytes)};
    const status s = bytes.failed ? no_memory(e) : apr_write(&a, out, e);
    buf_free(&bytes);
    return s;
}

static status check_run(const classic *c, size_t cols, bool proba, size_t width, err *e) {
    const size_t want = proba ? c->classes : c->outputs;
    if (!c->kind->run) return err_set(e, RZ_EINVAL, "%s takes text, not numbers", c->name);
    if (proba && (c->classes == 0 || c->no_proba))
        return err_set(e, RZ_EUNSUPPORTED, "%s has no probabilities", c->name);
    if (cols != c->inputs)
        return err_set(e, RZ_EINVAL, "%zu features, expected %zu", cols, c->inputs);
    if (width != want)
        return err_set(e, RZ_EINVAL, "room for %zu numbers a row, the answer has %zu", width, want);
    return RZ_OK;
}

status classic_run(const classic *c, const float *x, size_t rows, size_t cols, bool proba, float *y,
                   size_t width, err *e) {
    enum { NEAR = 512 }; /* floats of working memory that need no allocation */
    float near[NEAR];
    TRY(check_run(c, cols, proba, width, e));
    float *work = c->work <= NEAR ? near : mem_array(c->work, sizeof *work);
    if (!work) return err_set(e, RZ_ENOMEM, "out of memory for %zu floats", c->work);
    c->kind->run(c, x, rows, proba, y, work);
    if (work != near) mem_free(work);
    return RZ_OK;
}

status classic_run_text(const classic *c, str text, float *y, size_t width, err *e) {
    if (!c->kind->run_text) return err_set(e, RZ_EINVAL, "%s takes numbers, not text", c->name);
    if (width != c->outputs)
        return err_set(e, RZ_EINVAL, "room for %zu numbers, the answer has %zu", width, c->outputs);
    return c->kind->run_text(c, text, y, e);
}
