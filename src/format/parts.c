/* parts.c - names of parts and shards, opening one of them, joining their tensors. */
#include "format/parts.h"

#include <stdio.h>

enum { DIGITS = 5, NUMBERS_BYTES = 1 + DIGITS + 4 + DIGITS /* "-00002-of-00003" */ };

/* Exactly five digits. */
static bool five_digits(str s, uint32_t *out) {
    uint64_t v;
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    if (s.len != DIGITS || !str_u64(s, &v)) return false;
    *out = (uint32_t)v;
    return true;
}

bool parts_of_name(str path, const char *ending, str *stem, uint32_t *no, uint32_t *count) {
    if (!str_ends(path, str_of(ending))) return false;
    const str rest = {path.p, path.len - strlen(ending)};
    if (rest.len <= NUMBERS_BYTES) return false;
    const char *at = rest.p + rest.len - NUMBERS_BYTES;
    uint32_t number, of;
    if (at[0] != '-' || memcmp(at + 1 + DIGITS, "-of-", 4) != 0) return false;
    if (!five_digits((str){at + 1, DIGITS}, &number)) return false;
    if (!five_digits((str){at + 1 + DIGITS + 4, DIGITS}, &of)) return false;
    if (number < 1 || number > of) return false;
    *stem = (str){rest.p, rest.len - NUMBERS_BYTES};
    *no = number;
    *count = of;
    return true;
}

const char *parts_name(arena *mem, str stem, uint32_t no, uint32_t count, const char *ending) {
    const size_t cap = stem.len + NUMBERS_BYTES + 16 + strlen(ending);
    char *path = arena_alloc(mem, cap);
    if (!path) return NULL;
    memcpy(path, stem.p, stem.len);
    snprintf(path + stem.len, cap - stem.len, "-%05u-of-%05u%s", no, count, ending);
    return path;
}

status parts_join(tensor_file *f, const tensor_file *part, size_t n, err *e) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) total += part[i].n_tensor;
    f->n_tensor = 0;
    f->tensor = arena_zero(&f->mem, total, sizeof *f->tensor);
    if (!f->tensor || !map_reserve(&f->tensor_index, total))
        return err_set(e, RZ_ENOMEM, "%.200s: out of memory for %zu tensors", f->path, total);
    for (size_t i = 0; i < n; i++) {
        for (size_t t = 0; t < part[i].n_tensor; t++) {
            const tensor_info *info = &part[i].tensor[t];
            const map_put_result r = map_put(&f->tensor_index, info->name, f->n_tensor);
            if (r == MAP_NOMEM) return err_set(e, RZ_ENOMEM, "%.200s: out of memory", f->path);
            if (r == MAP_EXISTS)
                return err_set(e, RZ_EFORMAT, "%.200s: tensor %.*s: an earlier part has it too",
                               part[i].path, STR_FMT(info->name));
            f->tensor[f->n_tensor++] = *info;
        }
    }
    return RZ_OK;
}

status parts_open(tensor_file *whole, tensor_file *part, const char *path, parts_parse *parse,
                  os_map *mapped, err *e) {
    part->path = path;
    TRY(os_map_open(mapped, path, e));
    part->mem = whole->mem;
    const status s = parse(part, path, mapped->data, mapped->len, e);
    whole->mem = part->mem;
    part->mem = (arena)ARENA_INIT;
    return s;
}
