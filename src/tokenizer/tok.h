/* tok.h - text to token ids and back. Read-only once open; any number of threads may use it.
 *
 * Each kind of vocabulary is a file tok_<kind>.c that fills the function table below. */
#ifndef TOKENIZER_TOK_H
#define TOKENIZER_TOK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"
#include "format/tensor_file.h"

typedef struct rz_tokenizer tok;

enum { TOK_BOS = RZ_ENCODE_BOS, TOK_SPECIAL = RZ_ENCODE_SPECIAL };

/* Growing list of ids; `failed` is sticky like in buf. */
typedef struct tok_ids {
    int32_t *p;
    size_t n, cap;
    bool failed;
} tok_ids;
void tok_ids_push(tok_ids *l, int32_t id);
bool tok_ids_room(tok_ids *l, size_t more); /* for that many more; false: failed */
void tok_ids_free(tok_ids *l);

/* From the tokenizer.ggml.* metadata. *out = NULL and RZ_OK when the file has no tokenizer at all
 * (tokenizer.ggml.model absent, "none" or "no_vocab"). RZ_EUNSUPPORTED names the kind and file for
 * one we cannot run; RZ_EFORMAT for a damaged one. The tensor_file must outlive the result. */
status tok_open_gguf(tok **out, const tensor_file *f, err *e);
/* What belongs to a model: of a checkpoint folder the first of tokenizer.json, tekken.json and
 * tokenizer.model; else the metadata as above. *out = NULL and RZ_OK when there is nothing. */
status tok_open_model(tok **out, const tensor_file *f, err *e);
/* A name ("cl100k_base") or a path: what holds a slash or ends in a suffix of three letters or more
 * (".gguf", ".json", ".tiktoken", ".model", ".rzv") is a path. Names are looked for in
 * $REALIZAR_VOCAB_DIR, then in $XDG_DATA_HOME/realizar/vocabs, which is
 * ~/.local/share/realizar/vocabs by default. */
status tok_open_any(tok **out, const char *what, err *e);
/* A tokenizer file of any kind, known by its content: GGUF, tokenizer.json, tekken.json,
 * SentencePiece, the compact form (tok_rzv.h), .tiktoken (by its name, see tok_named.h). */
status tok_open(tok **out, const char *path, err *e);
/* A named vocabulary ("cl100k_base", "llama3+agent") from the first folder that has its file.
 * RZ_ENOTFOUND says where it was looked for; RZ_EINVAL lists the names there are. */
status tok_open_named(tok **out, str name, const char *const *folder, size_t n_folder, err *e);
void tok_close(tok *t);
/* Write the plain tokens as a .tiktoken file: ids are ranks, which says all only of vocabularies
 * whose merges come in the order of their ids. RZ_EUNSUPPORTED for what is no byte-level BPE. */
status tok_save_tiktoken(const tok *t, const char *path, err *e);
/* Write everything as a compact file (tok_rzv.h), which opens in no time. */
status tok_save_rzv(const tok *t, const char *path, err *e);

/* Append the ids of `text` (any bytes). `flags` are TOK_... */
status tok_encode(const tok *t, str text, int flags, tok_ids *out, err *e);

/* The same with a chosen set of special tokens, and on the threads of a pool: a
 * long text is cut where no token can cross, so the ids are the same. */
typedef struct tok_encode_options {
    int flags;
    const int32_t *special; /* [n_special] recognised besides; not used with TOK_SPECIAL */
    size_t n_special;
    pool *workers; /* or NULL */
} tok_encode_options;
status tok_encode_with(const tok *t, str text, const tok_encode_options *o, tok_ids *out, err *e);
/* Many texts, ids[i] for text[i] (they begin empty). On failure all lists are
 * empty and *failed, unless NULL, is the first text that has one. */
status tok_encode_batch(const tok *t, const str *text, size_t n, const tok_encode_options *o,
                        tok_ids *ids, size_t *failed, err *e);
/* The next place at or behind `from` where a text may be cut so that the parts'
 * ids in a row are the whole's; text.len when there is none. Every part but the
 * first is encoded by tok_encode_rest. */
size_t tok_cut(const tok *t, str text, size_t from, const tok_encode_options *o);
status tok_encode_rest(const tok *t, str text, const tok_encode_options *o, tok_ids *out, err *e);
size_t tok_longest_special(const tok *t); /* bytes */
/* Ids around a text (BOS, EOS), in order. */
const int32_t *tok_before(const tok *t, size_t *n);
const int32_t *tok_after(const tok *t, size_t *n);
/* Free what is remembered of earlier texts. No encoding may run. */
void tok_forget(tok *t);

size_t tok_size(const tok *t);
const char *tok_kind(const tok *t);      /* "SentencePiece BPE" */
str tok_piece(const tok *t, int32_t id); /* as spelled in the vocabulary; p NULL: no such id */
/* The bytes `id` contributes in the middle of a text: for SentencePiece "_Once" is " Once",
 * "<0x0A>" is one byte, control tokens are empty. p == NULL: no such id. */
str tok_bytes(const tok *t, int32_t id);
bool tok_is_end(const tok *t, int32_t id); /* generation stops here (EOS, EOT) */
bool tok_is_control(const tok *t, int32_t id);
int32_t tok_special(const tok *t, rz_special which); /* -1: has none */
/* Does decoding drop the one leading space that encoding put there? (SentencePiece dummy prefix) */
bool tok_drops_first_space(const tok *t);

#endif
