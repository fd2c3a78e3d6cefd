/* format_list.h - the model files tensor_file_open knows: one row each, found by the first bytes.
 *
 * `is` looks at the bytes. `parse` reads one file that is in memory. `complete` is called after it
 * and opens the further files that belong to the first (on_disk: its path is f->path) or refuses to
 * do without them. */
#ifndef FORMAT_FORMAT_LIST_H
#define FORMAT_FORMAT_LIST_H

/* clang-format off */
#define FORMAT_LIST(X)                                                \
/*    is              parse              complete                  */ \
    X(gguf_is,        gguf_parse,        gguf_complete)               \
    X(safetensors_is, safetensors_parse, safetensors_complete)
/* clang-format on */

#endif
