/* tensor_set.c - values a user gives in place of the file's, or beside them. */
#include "base/mem.h"
#include "format/tensor_file.h"

static status no_memory(const tensor_file *f, err *e) {
    return err_set(e, RZ_ENOMEM, "%s: out of memory", f->path);
}

/* A copy of `object` whose member at `path` ("a.b") is `value`; members before it are hidden, not
 * changed. NULL: out of memory. */
static json *with_member(const json *object, str path, const json *value, arena *mem) {
    const str name = str_split(&path, '.');
    json *copy = arena_zero(mem, 1, sizeof *copy), *member = arena_zero(mem, 1, sizeof *member);
    if (!copy || !member) return NULL;
    const bool is_object = object && object->kind == JSON_OBJECT;
    const json *old = is_object ? object->child : NULL;
    while (old && !str_eq(old->key, name)) old = old->next;
    if (path.p) {
        const json *inner = with_member(old, path, value, mem);
        if (!inner) return NULL;
        *member = *inner;
    } else {
        *member = *value;
    }
    member->key = name;
    *copy = (json){.kind = JSON_OBJECT, .n = is_object ? object->n + 1 : 1, .child = member};
    if (is_object) copy->key = object->key;
    member->next = is_object ? object->child : NULL;
    return copy;
}

static status set_config(tensor_file *f, str key, const json *value, err *e) {
    const json *changed = with_member(f->config, key, value, &f->mem);
    if (!changed) return no_memory(f, e);
    f->config = changed;
    return RZ_OK;
}

static bool to_meta(const json *v, meta_value *out) {
    int64_t whole;
    switch (v->kind) {
        case JSON_BOOL:
            *out = (meta_value){.type = META_BOOL, .u = v->truth};
            return true;
        case JSON_STRING:
            *out = (meta_value){.type = META_STRING, .s = v->text};
            return true;
        case JSON_NUMBER:
            if (json_int(v, INT64_MIN / 2, INT64_MAX / 2, &whole))
                *out = (meta_value){.type = META_I64, .i = whole};
            else *out = (meta_value){.type = META_F64, .f = v->number};
            return true;
        default:
            return false;
    }
}

static status set_meta(tensor_file *f, str key, const json *value, err *e) {
    meta_value made;
    if (!to_meta(value, &made))
        return err_set(e, RZ_EINVAL, "%s: %.*s cannot be set to %s", f->path, STR_FMT(key),
                       json_kind_name(value->kind));
    const uint64_t *at = map_get(&f->kv_index, key);
    if (at) {
        f->kv[*at].value = made;
        return RZ_OK;
    }
    meta_kv *kv = arena_zero(&f->mem, f->n_kv + 1, sizeof *kv);
    if (!kv || map_put(&f->kv_index, key, f->n_kv) != MAP_NEW) return no_memory(f, e);
    if (f->n_kv) memcpy(kv, f->kv, f->n_kv * sizeof *kv);
    kv[f->n_kv++] = (meta_kv){key, made};
    f->kv = kv;
    return RZ_OK;
}

status tensor_file_set(tensor_file *f, const char *assignment, err *e) {
    str rest = str_of(assignment), key;
    if (!memchr(rest.p, '=', rest.len))
        return err_set(e, RZ_EINVAL, "\"%.80s\" sets nothing: expected KEY=VALUE", assignment);
    key = str_split(&rest, '=');
    const char *name = arena_copy(&f->mem, key.p, key.len);
    const char *text = arena_copy(&f->mem, rest.len ? rest.p : "", rest.len);
    if (!name || !text) return no_memory(f, e);
    if (key.len == 0 || rest.len == 0)
        return err_set(e, RZ_EINVAL, "\"%.80s\" sets nothing: expected KEY=VALUE", assignment);
    json *value = NULL, word = {.kind = JSON_STRING, .text = {text, rest.len}};
    if (json_parse(&value, word.text, &f->mem, NULL) < 0) value = &word; /* a bare word */
    return (f->config ? set_config : set_meta)(f, (str){name, key.len}, value, e);
}
