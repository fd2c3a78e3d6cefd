/* tok_carry.h - a model's tokenizer and chat template from one kind of model file to the other.
 *
 * GGUF holds them as metadata (tokenizer.ggml.*, tokenizer.chat_template), checkpoint folders as
 * tokenizer.json or tokenizer.model with tokenizer_config.json. Byte-level BPE and SentencePiece
 * BPE go both ways; anything else is refused by name. */
#ifndef TOKENIZER_TOK_CARRY_H
#define TOKENIZER_TOK_CARRY_H

#include "format/gguf.h"
#include "tokenizer/tok.h"

/* From a checkpoint folder into a GGUF file that is being made. Ids without a token, up to the
 * `n_vocab` rows of the embedding, get names of their own. A folder without tokenizer is fine. */
status tok_carry_to_gguf(const tensor_file *from, size_t n_vocab, gguf_writer *w, err *e);
/* From GGUF metadata into the files of a folder. */
status tok_carry_to_folder(const tensor_file *from, const char *folder, err *e);
/* The files of one folder into another as they are. */
status tok_carry_files(const tensor_file *from, const char *folder, err *e);

/* Do both turn a text of many kinds of characters into the same ids, with the same marks around it
 * and the same pieces? RZ_EUNSUPPORTED, about `path`, when not. Either may be NULL. */
status tok_carry_check(const tok *before, const tok *after, const char *path, err *e);

#endif
