/* arch_list.h - every architecture: its table is `arch_<name>` in arch_<name>.c. */
#ifndef MODEL_ARCH_LIST_H
#define MODEL_ARCH_LIST_H

#define ARCH_LIST(X) \
    X(llama)         \
    X(qwen2)         \
    X(qwen3)         \
    X(gemma)         \
    X(gemma2)        \
    X(gemma3)        \
    X(gpt2)          \
    X(gptneox)       \
    X(falcon)        \
    X(bloom)         \
    X(oxidizr)       \
    X(mamba3)        \
    X(starcoder2)    \
    X(stablelm)      \
    X(olmo2)         \
    X(granite)       \
    X(smollm3)       \
    X(cohere)        \
    X(cohere2)       \
    X(phi2)          \
    X(gptoss)        \
    X(lfm2)          \
    X(jamba)         \
    X(granitehybrid) \
    X(bamba)         \
    X(nemotronh)     \
    X(lfm2moe)       \
    X(bert)          \
    X(nomicbert)     \
    X(qwen2moe) X(qwen3moe) X(mamba) X(mamba2) X(phi3) X(deepseek2)

#endif
