/* cmd_list.h - every subcommand, in the order of `realizar --help`. */
#ifndef CLI_CMD_LIST_H
#define CLI_CMD_LIST_H

/* clang-format off */
#define CMD_LIST(X)                                                                        \
/*    group       name        summary                                                  */ \
    X("Generate", run,        "continue a prompt, text streaming to standard output")      \
    X("Generate", generate,   "the same as run, with model and prompt as options")         \
    X("Generate", embed,      "texts as vectors, for searching and comparing")             \
    X("Serve",    serve,      "answer over HTTP")                                          \
    X("Serve",    lambda,     "answer events of AWS Lambda")                               \
    X("Serve",    health,     "ask a running server whether it is well")                   \
    X("Inspect",  info,       "describe a model file, or this program")                    \
    X("Inspect",  tokenize,   "text to token ids")                                         \
    X("Inspect",  tokenizer,  "what a vocabulary is, and how two compare")                  \
    X("Inspect",  decode,     "token ids to text")                                         \
    X("Inspect",  logits,     "the numbers behind every position, for verification")       \
    X("Inspect",  vocab,      "vocabularies known by name: list, pull")                      \
    X("Models",   quantize,   "a model file in fewer bits")                                \
    X("Models",   convert,    "folders to GGUF files and back, in any type")                \
    X("Models",   imatrix,    "which inputs of a model matter, for quantize")               \
    X("Train",    train,      "a model from a configuration and tokens")                  \
    X("Train",    prepare,    "texts to a file of tokens, to train on")                    \
    X("Classic",  predict,    "ask a classic model (.apr) about rows of numbers")          \
    X("Classic",  fit,        "make a classic model from a table")                         \
    X("Measure",  bench,      "speed of a model on this machine")                          \
    X("Measure",  perplexity, "how well a model predicts a text")                          \
    X("Shell",    completion, "tab completion for bash, zsh and fish")
/* clang-format on */

#endif
