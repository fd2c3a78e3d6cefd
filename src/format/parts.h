/* parts.h - one model in several files: what GGUF parts and safetensors shards have in common. */
#ifndef FORMAT_PARTS_H
#define FORMAT_PARTS_H

#include "format/tensor_file.h"

/* Number and count from "NAME-00002-of-00003" + `ending` (from 1, as written); *stem is "NAME" with
 * its folder. false when the path is not spelled like that, or number and count do not fit. */
bool parts_of_name(str path, const char *ending, str *stem, uint32_t *no, uint32_t *count);
/* "STEM-00002-of-00003" + ending, in `mem`; NULL: out of memory. */
const char *parts_name(arena *mem, str stem, uint32_t no, uint32_t count, const char *ending);

/* All tensors of all parts in one list of f, with one index. A name that two parts have is
 * RZ_EFORMAT. */
status parts_join(tensor_file *f, const tensor_file *part, size_t n, err *e);

/* How one part is read: gguf_parse, safetensors_parse. */
typedef status parts_parse(tensor_file *f, const char *path, const uint8_t *data, size_t len,
                           err *e);
/* Map and parse the file `path` as a part of `whole`, whose arena takes the memory. *mapped is the
 * caller's to close, also on failure. */
status parts_open(tensor_file *whole, tensor_file *part, const char *path, parts_parse *parse,
                  os_map *mapped, err *e);

#endif
