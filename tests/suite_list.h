/* suite_list.h - every test suite; its file is tests/test_<name>.c. One: build/release/test name */
/* clang-format off */
#define SUITE_LIST(X)       \
    X(base)                 \
    X(pool)                 \
    X(norm)                 \
    X(tok)                  \
    X(tok_bpe)              \
    X(tok_files)            \
    X(tok_hf)               \
    X(tok_rzv)              \
    X(tok_words)            \
    X(utf8)                 \
    X(ucd)                  \
    X(re)                   \
    X(re_split)             \
    X(regex_api)            \
    X(chat)                 \
    X(jinja)                \
    X(json)                 \
    X(yaml)                 \
    X(quant)                \
    X(quantize)             \
    X(convert)              \
    X(importance)           \
    X(prepare)              \
    X(train_grad)           \
    X(train_config)         \
    X(train)                \
    X(gguf)                 \
    X(gguf_bad)             \
    X(safetensors)          \
    X(hf_dir)               \
    X(safetensors_write)    \
    X(sampler)              \
    X(kv)                   \
    X(kv_types)             \
    X(model)                \
    X(engine)               \
    X(batch)                \
    X(embed)                \
    X(prefix)               \
    X(families)             \
    X(encoders)             \
    X(hybrids)              \
    X(synthetic)            \
    X(http)                 \
    X(server)               \
    X(rate)                 \
    X(dialects)             \
    X(vectors)              \
    X(toolcall)             \
    X(kern)                 \
    X(apr)                  \
    X(classic)              \
    X(table)                \
    X(fit)                  \
    X(gram)                 \
    X(gram_schema)          \
    X(ops)                  \
    X(latent)               \
    X(args)                 \
    X(cli)                  \
    X(tok_walk)             \
    X(encode)               \
    X(lambda)
/* clang-format on */

/* Suites whose code runs on the caller's thread alone: `--threaded` leaves them out, there is no
 * race for tsan to find in them. */
#define SUITES_OF_ONE_THREAD                                                                     \
    "norm", "tok", "tok_bpe", "tok_files", "tok_hf", "tok_rzv", "tok_words", "tok_walk", "utf8", \
        "ucd", "re", "re_split", "chat", "jinja", "json", "yaml", "quant", "gguf", "gguf_bad",   \
        "safetensors", "hf_dir", "safetensors_write", "sampler", "toolcall", "gram",             \
        "gram_schema", "kern", "args", "apr", "classic", "table", "fit"
