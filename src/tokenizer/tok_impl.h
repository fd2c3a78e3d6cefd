/* tok_impl.h - what the files of src/tokenizer share about an open tokenizer. Nobody else includes
 * it. */
#ifndef TOKENIZER_TOK_IMPL_H
#define TOKENIZER_TOK_IMPL_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/os.h"
#include "tokenizer/tok.h"
#include "tokenizer/tok_index.h"
#include "tokenizer/tok_merge.h"
#include "tokenizer/tok_norm.h"
#include "tokenizer/tok_special.h"
#include "tokenizer/tok_tree.h"

/* Token types, GGUF's own numbers. */
enum {
    TOK_UNDEFINED = 0,
    TOK_NORMAL = 1,
    TOK_UNKNOWN = 2,
    TOK_CONTROL = 3,
    TOK_USER_DEFINED = 4,
    TOK_UNUSED = 5,
    TOK_BYTE = 6,
    TOK_TYPE_COUNT,
    TOK_ABSENT = TOK_TYPE_COUNT /* a gap between ids: no such token */
};

/* Flags of a token. */
enum {
    TOK_IS_END = 1,
    TOK_STRIPS_LEFT = 2,  /* the white space before it is swallowed */
    TOK_STRIPS_RIGHT = 4, /* the white space after it is swallowed  */
    TOK_WHOLE_WORD = 8,   /* found only where no word character touches it */
    TOK_NORMALIZED = 16,  /* found in the rewritten text, not in the original */
};

/* Where a stretch of plain text stands. */
enum {
    TOK_AT_START = 1,      /* at the very beginning of the text */
    TOK_AFTER_SPECIAL = 2, /* there, or right behind a special token */
};

/* Variants of named vocabularies. */
enum { TOK_AGENT = 1, TOK_SPLINTR = 2 };

/* What a GGUF file of model "llama" would say of a SentencePiece tokenizer. */
typedef enum tok_carry_spm {
    TOK_CARRY_NONE, /* it cannot */
    TOK_CARRY_PREFIX,
    TOK_CARRY_NO_PREFIX,
} tok_carry_spm;

enum { TOK_SPECIAL_COUNT = RZ_UNK + 1, TOK_MAX_SIZE = 1 << 26, TOK_MAX_AROUND = 4 };

struct rzv;

/* One kind of vocabulary. */
typedef struct tok_methods {
    const char *name; /* "SentencePiece BPE" */
    /* Append the ids of plain text; `where` is made of TOK_AT_START, TOK_AFTER_SPECIAL. The caller
     * asks out->failed. */
    status (*encode)(const tok *t, str text, int where, tok_ids *out, err *e);
    void (*free_state)(void *state); /* NULL state allowed */
    /* The next place at or behind `from` where plain text may be cut in parts that are encoded with
     * `where` 0 from the second on; text.len: none. NULL: never. */
    size_t (*cut)(const tok *t, str text, size_t from);
    void (*forget)(void *state);  /* drop caches; or NULL */
    status (*rzv)(struct rzv *a); /* the kind's part of a compact file, see tok_rzv.h */
} tok_methods;

struct rz_tokenizer {
    const tok_methods *kind;
    void *state; /* the kind's own */
    size_t n;
    const str *piece;   /* [n] views into the file; NULL: spelled as their bytes, unless ... */
    uint32_t *piece_at; /* [n + 1] ... these are there: where each begins in piece_text */
    char *piece_text;
    uint32_t *byte_at;     /* [n + 1] where the decoded bytes of each id begin in `bytes` */
    char *bytes;           /* control tokens may have their text there; it is not decoded */
    uint8_t *type, *flags; /* [n] */
    float *score;          /* [n] or NULL */
    int32_t special[TOK_SPECIAL_COUNT];
    int32_t before[TOK_MAX_AROUND], after[TOK_MAX_AROUND]; /* ids around a text */
    uint8_t n_before, n_after;
    bool drops_first_space;     /* see tok_drops_first_space */
    bool drops_last_space;      /* the last token's final space is not text */
    tok_special_set specials;   /* looked for in the original text */
    tok_special_set normalized; /* looked for in the rewritten text */
    tok_special_set *kept;      /* texts the normalizer leaves alone; or NULL */
    const tok_norm *norm;       /* rewrites text between special tokens; or NULL */
    tok_norm own_norm;          /* `norm` where the steps are this tokenizer's own */
    bool puts_space;            /* plain text that begins with no space gets one */
    const char *gguf_pre; /* of model "gpt2" in GGUF: the name of its pre-tokenizer; or NULL */
    tok_carry_spm carry_prefix;
    _Atomic(tok_tree *) tree; /* all tokens by their bytes, once somebody asked */
    tensor_file *file;        /* owned, or NULL */
    os_map map;               /* of a compact file, which all arrays lie in */
    arena mem;                /* all other arrays above except inside specials */
};

/* tok_many.c. Plain text in parts on the pool's threads; ids as from kind->encode. */
status tok_encode_parts(const tok *t, str text, int where, pool *workers, tok_ids *out, err *e);

/* tok_roles.c. Set TOK_IS_END by special ids and by the usual names among the texts in *x; what is
 * named so is a control token. */
void tok_find_ends(tok *t, const tok_index *x);
/* Fill t->specials and t->normalized from types and flags. */
status tok_find_specials(tok *t, err *e);

/* tok_gguf.c: fill *t from tokenizer.ggml.*: pieces, types, scores (NULL when the file has none),
 * special ids, end tokens. `model_defaults` are the ids and switches of a file that names none.
 * t->kind stays NULL. */
typedef struct tok_gguf_defaults {
    int32_t bos, eos, unk, pad;
    bool add_bos, add_eos, needs_scores;
} tok_gguf_defaults;
/* *x receives the index of all pieces (tok_index_done it, also on failure). */
status tok_gguf_read(tok *t, const tensor_file *f, const tok_gguf_defaults *d, tok_index *x,
                     err *e);
/* One for each tokenizer.ggml.model. */
status tok_spm_open_gguf(tok *t, const tensor_file *f, err *e);
status tok_bpe_open_gguf(tok *t, const tensor_file *f, err *e);
status tok_wordpiece_open_gguf(tok *t, const tensor_file *f, err *e);
status tok_unigram_open_gguf(tok *t, const tensor_file *f, err *e);
status tok_rwkv_open_gguf(tok *t, const tensor_file *f, err *e);

/* Decoded bytes of SentencePiece spelling: U+2581 is a space, <0xXX> one byte, control tokens
 * nothing; user-defined tokens as they are when `raw_user`. `path` is for error texts. */
status tok_spm_bytes(tok *t, bool raw_user, const char *path, err *e);

/* Is there U+2581 behind another character? */
bool tok_space_inside(str piece);

/* A space (spelled U+2581) in front of plain text. */
typedef enum spm_prefix {
    SPM_PREFIX_NEVER,
    SPM_PREFIX_ALWAYS,       /* at the beginning and behind every special token */
    SPM_PREFIX_UNLESS_THERE, /* the same, unless the text begins with one */
    SPM_PREFIX_FIRST,        /* only at the very beginning, unless there is one */
} spm_prefix;
typedef struct tok_spm_options {
    const char *where; /* for error texts */
    spm_prefix prefix;
    bool keeps_spaces;       /* ' ' is itself and not U+2581 */
    bool splits_spaces;      /* a piece begins at every U+2581 */
    bool no_bytes;           /* byte tokens are not for unknown characters */
    bool drops_unknown;      /* what has no token vanishes, where there is no unknown token */
    bool keeps_unknown_runs; /* each unknown character is an id of its own */
} tok_spm_options;
/* Character-level BPE from pieces and types; pairs rank by score or, if given, as `merges` say. */
status tok_spm_init(tok *t, tok_index *x, const merge_list *merges, const tok_spm_options *o,
                    err *e);

/* GPT-2's alphabet: byte_of[code point] is the byte, or -1. */
enum { TOK_BYTE_ALPHABET = 256 + 68 };
void tok_byte_alphabet(int16_t byte_of[TOK_BYTE_ALPHABET]);
uint32_t tok_byte_char(unsigned char b);
/* The bytes a piece spells; returns their number. `out` may be NULL. */
size_t tok_byte_decode(const int16_t byte_of[TOK_BYTE_ALPHABET], str piece, char *out);
/* byte_at and bytes of all tokens, spelled in that alphabet. */
status tok_byte_level_bytes(tok *t, const char *path, err *e);

/* Byte-level BPE of the plain tokens' bytes. Patterns are copied. `merges` in ascending rank; NULL:
 * rank BPE, where any two neighbours whose bytes together are a token merge, lowest id first. */
typedef struct tok_bpe_options {
    const char *where; /* for error texts */
    const str *pattern;
    size_t n_pattern;
    bool whole_first; /* a piece that spells a token is that token */
} tok_bpe_options;
status tok_bpe_init(tok *t, const merge_list *merges, const tok_bpe_options *o, err *e);

/* byte_at and bytes from the texts of all tokens. */
status tok_text_bytes(tok *t, const str *text, const char *path, err *e);
/* A SentencePiece model, the file's bytes. The result does not refer to them. `v` gives `variant`
 * its tokens; it may be NULL without one. */
struct tok_named;
status tok_open_spm(tok **out, const char *path, str file, const struct tok_named *v, int variant,
                    err *e);
bool tok_looks_like_spm(str file);
/* tokenizer.model in a folder, with the marks around a text that tokenizer_config.json asks for. */
status tok_open_spm_in(tok **out, const char *folder, err *e);
/* The byte that "<0x0A>" names, or -1. */
int tok_byte_named(str piece);
/* The text of a tokenizer.json. The result does not refer to it. */
status tok_open_hf(tok **out, const char *path, str file, err *e);
/* Finish a rank BPE whose types, flags and special ids are set, from the bytes of its tokens. */
status tok_rank_finish(tok *t, const str *text, const char *path, const str *pattern, size_t n,
                       err *e);
/* Mistral's tekken.json, parsed; what it was parsed from may go. */
bool tok_looks_like_tekken(const json *root);
status tok_open_tekken(tok **out, const char *path, const json *root, err *e);
/* A compact file (tok_rzv.h). The result lies in its bytes. */
bool tok_looks_like_rzv(str file);
status tok_open_rzv(tok **out, const char *path, str file, err *e);
/* The parts of its kinds. */
status tok_bpe_rzv(struct rzv *a);
status tok_spm_rzv(struct rzv *a);
status tok_pipe_rzv(struct rzv *a);
/* A .tiktoken file's text. The result does not refer to it. */
status tok_open_tiktoken(tok **out, const char *path, str file, const struct tok_named *v,
                         int variant, err *e);

#endif
