/* touch_file.h - read everything an open tensor_file points at: a pointer gone wrong faults. */
#ifndef TESTS_TOUCH_FILE_H
#define TESTS_TOUCH_FILE_H

#include "format/tensor_file.h"

static inline uint64_t touch_bytes(const void *p, uint64_t n) {
    const uint8_t *b = p;
    uint64_t sum = n;
    for (uint64_t i = 0; i < n; i++) sum = sum * 31 + b[i];
    return sum;
}

static inline uint64_t touch_value(const meta_value *v) {
    if (v->type == META_STRING) return touch_bytes(v->s.p, v->s.len);
    if (v->type != META_ARRAY) return v->u;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < v->a.n; i++) {
        int64_t whole = 0;
        double real = 0;
        if (v->a.elem == META_STRING) sum += touch_bytes(v->a.strings[i].p, v->a.strings[i].len);
        else if (v->a.elem == META_ARRAY) sum += touch_value(&v->a.items[i]);
        else if (meta_array_i64(v, i, &whole)) sum += (uint64_t)whole;
        else if (meta_array_f64(v, i, &real)) sum += real < 0;
    }
    return sum;
}

static inline uint64_t touch_file(const tensor_file *f) {
    uint64_t sum = 0;
    for (size_t i = 0; i < f->n_kv; i++)
        sum += touch_bytes(f->kv[i].key.p, f->kv[i].key.len + 1) + touch_value(&f->kv[i].value);
    for (size_t i = 0; i < f->n_tensor; i++) {
        const tensor_info *t = &f->tensor[i];
        sum += touch_bytes(t->name.p, t->name.len + 1) + t->data[0] + t->data[t->bytes - 1];
    }
    return sum;
}

#endif
