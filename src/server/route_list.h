/* route_list.h - every endpoint. A path that ends in a star matches any rest, which the handler
 * finds in call.rest. HEAD comes with GET. */
#define ROUTE_LIST(X)                                    \
    /* method  path               handler   */           \
    X(GET, "/", web_get)                                 \
    X(GET, "/app.css", web_get)                          \
    X(GET, "/app.js", web_get)                           \
    X(GET, "/health", health_get)                        \
    X(GET, "/ready", ready_get)                          \
    X(GET, "/metrics", metrics_get)                      \
    X(GET, "/models", models_get)                        \
    X(GET, "/v1/models", v1_models_get)                  \
    X(GET, "/v1/models/*", v1_model_get)                 \
    X(POST, "/tokenize", tokenize_post)                  \
    X(POST, "/detokenize", detokenize_post)              \
    X(POST, "/generate", generate_post)                  \
    X(POST, "/stream/generate", stream_post)             \
    X(POST, "/batch/tokenize", batch_tokenize)           \
    X(POST, "/batch/generate", batch_generate)           \
    X(POST, "/v1/completions", completions_post)         \
    X(POST, "/v1/chat/completions", chat_post)           \
    X(POST, "/apply-template", apply_template_post)      \
    X(POST, "/v1/responses", responses_post)             \
    X(GET, "/props", props_get)                          \
    X(GET, "/slots", slots_get)                          \
    X(POST, "/infill", infill_post)                      \
    X(POST, "/v1/embeddings", embeddings_post)           \
    X(POST, "/rerank", rerank_post)                      \
    X(POST, "/v1/rerank", rerank_post)                   \
    X(POST, "/v1/messages", messages_post)               \
    X(POST, "/v1/messages/count_tokens", messages_count) \
    X(POST, "/api/generate", ollama_generate)            \
    X(POST, "/api/chat", ollama_chat)                    \
    X(POST, "/api/embed", ollama_embed)                  \
    X(POST, "/api/embeddings", ollama_embeddings)        \
    X(GET, "/api/tags", ollama_tags)                     \
    X(GET, "/api/ps", ollama_ps)                         \
    X(POST, "/api/show", ollama_show)                    \
    X(GET, "/api/version", ollama_version)
