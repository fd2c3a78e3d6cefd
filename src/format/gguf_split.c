/* gguf_split.c - models cut into several GGUF files, NAME-00001-of-00003.gguf and so on.
 *
 * Each part is a GGUF file of its own with its own alignment; only the first has the model's
 * metadata. All carry split.no (from 0, while file names count from 1), split.count and
 * split.tensors.count, the number of tensors of all parts together. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "format/gguf.h"
#include "format/parts.h"

enum { SUFFIX_BYTES = 40 };

static void suffix_of(char out[SUFFIX_BYTES], uint32_t no, uint32_t count) {
    snprintf(out, SUFFIX_BYTES, "-%05u-of-%05u.gguf", no + 1, count);
}

static status no_memory(const tensor_file *f, err *e) {
    return err_set(e, RZ_ENOMEM, "%.200s: out of memory for a split file", f->path);
}

/* The split.* keys of one part. */
static status part_numbers(const tensor_file *f, uint32_t *no, uint32_t *count, err *e) {
    *no = UINT32_MAX;
    TRY(meta_u32(f, "split.count", count, e));
    TRY(meta_u32(f, "split.no", no, e));
    if (*count < 1 || *count > TENSOR_FILE_MAX_PARTS)
        return err_set(e, RZ_EFORMAT, "%.200s: key split.count is %u, expected 1 to %d", f->path,
                       *count, TENSOR_FILE_MAX_PARTS);
    if (*no == UINT32_MAX)
        return err_set(e, RZ_EFORMAT, "%.200s: has key split.count but no split.no", f->path);
    if (*no >= *count)
        return err_set(e, RZ_EFORMAT, "%.200s: key split.no is %u, expected 0 to %u", f->path, *no,
                       *count - 1);
    return RZ_OK;
}

/* Map and parse part `no`. Its memory is joined to the arena of `whole`. */
static status open_part(tensor_file *whole, tensor_file *part, str stem, uint32_t no,
                        uint32_t count, os_map *mapped, err *e) {
    const char *path = parts_name(&whole->mem, stem, no + 1, count, ".gguf");
    if (!path) return no_memory(whole, e);
    const status found = parts_open(whole, part, path, gguf_parse, mapped, e);
    if (found == RZ_ENOTFOUND)
        return err_set(e, RZ_ENOTFOUND, "%.200s: part %u of %u is missing: %.200s", whole->path,
                       no + 1, count, path);
    TRY(found);
    uint32_t its_no, its_count = 0;
    TRY(part_numbers(part, &its_no, &its_count, e));
    if (its_no != no || its_count != count)
        return err_set(e, RZ_EFORMAT,
                       "%.200s: is part %u of %u by its keys, expected part %u of %u", path,
                       its_no + 1, its_count, no + 1, count);
    return RZ_OK;
}

/* The first part promises how many tensors all of them have. */
static status check_total(const tensor_file *part, uint32_t count, err *e) {
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++) total += part[i].n_tensor;
    uint32_t promised = (uint32_t)total;
    TRY(meta_u32(&part[0], "split.tensors.count", &promised, e));
    if (promised == total) return RZ_OK;
    return err_set(e, RZ_EFORMAT,
                   "%.200s: the %u parts have %zu tensors, key split.tensors.count is %u",
                   part[0].path, count, total, promised);
}

/* f has been emptied into part[given]; fill it from all of them. */
static status join_parts(tensor_file *f, tensor_file *part, os_map *mapped, str stem,
                         uint32_t given, uint32_t count, err *e) {
    for (uint32_t i = 0; i < count; i++)
        if (i != given) TRY(open_part(f, &part[i], stem, i, count, &mapped[i], e));
    TRY(check_total(part, count, e));
    TRY(parts_join(f, part, count, e));
    f->format = part[0].format;
    f->kv = part[0].kv;
    f->n_kv = part[0].n_kv;
    f->kv_index = part[0].kv_index;
    part[0].kv_index = (map)MAP_INIT;
    mapped[given] = f->part[0];
    f->file_bytes = 0;
    for (uint32_t i = 0; i < count; i++) f->file_bytes += mapped[i].len;
    return RZ_OK;
}

static status complete(tensor_file *f, str stem, uint32_t given, uint32_t count, err *e) {
    tensor_file *part = mem_array_zero(count, sizeof *part);
    os_map *mapped = mem_array_zero(count, sizeof *mapped);
    status s = RZ_ENOMEM;
    if (!part || !mapped) {
        no_memory(f, e);
    } else {
        part[given] = (tensor_file){.path = f->path,
                                    .format = f->format,
                                    .kv = f->kv,
                                    .n_kv = f->n_kv,
                                    .tensor = f->tensor,
                                    .n_tensor = f->n_tensor,
                                    .kv_index = f->kv_index,
                                    .tensor_index = f->tensor_index};
        f->kv = NULL;
        f->tensor = NULL;
        f->n_kv = f->n_tensor = 0;
        f->kv_index = f->tensor_index = (map)MAP_INIT;
        s = join_parts(f, part, mapped, stem, given, count, e);
    }
    for (uint32_t i = 0; part && i < count; i++) {
        map_free(&part[i].kv_index);
        map_free(&part[i].tensor_index);
    }
    mem_free(part);
    if (s >= 0) {
        mem_free(f->part);
        f->part = mapped;
        f->n_part = count;
        return RZ_OK;
    }
    for (uint32_t i = 0; mapped && i < count; i++) os_map_close(&mapped[i]);
    mem_free(mapped);
    return s;
}

status gguf_complete(tensor_file *f, bool on_disk, err *e) {
    uint32_t no, count = 0;
    TRY(meta_u32(f, "split.count", &count, e));
    if (count <= 1) return RZ_OK; /* 0 is what joining parts to one file leaves */
    TRY(part_numbers(f, &no, &count, e));
    if (!on_disk)
        return err_set(e, RZ_EUNSUPPORTED,
                       "%.200s: part %u of %u: a split file can only be opened by its path",
                       f->path, no + 1, count);
    char suffix[SUFFIX_BYTES];
    suffix_of(suffix, no, count);
    const str path = {f->path, strlen(f->path)};
    if (!str_ends(path, str_of(suffix)))
        return err_set(e, RZ_EFORMAT,
                       "%.200s: is part %u of %u by its keys, so its name must end in %s", f->path,
                       no + 1, count, suffix);
    return complete(f, (str){path.p, path.len - strlen(suffix)}, no, count, e);
}
