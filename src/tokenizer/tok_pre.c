/* tok_pre.c - names and patterns. The names are those llama.cpp gives, the patterns those of the
 * models' own tokenizer.json (llama.cpp respells some for an engine without Unicode classes). */
#include "tokenizer/tok_pre.h"

#include "tokenizer/tok_patterns.h"

static const pre_kind by_default = {
    .pattern = {"[\\p{P}\\$\\+<=>\\^~\\|]+", PAT_GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}};
static const pre_kind llama3 = {.pattern = {PAT_CL100K}, .ignore_merges = true, .add_bos = true};
static const pre_kind cl100k = {.pattern = {PAT_CL100K}};
static const pre_kind gpt2 = {.pattern = {PAT_GPT2}};
static const pre_kind qwen2 = {.pattern = {PAT_QWEN2}};
static const pre_kind gpt2_nfc = {.pattern = {PAT_GPT2}, .nfc = true};
static const pre_kind qwen2_nfc = {.pattern = {PAT_QWEN2}, .nfc = true};
static const pre_kind digits_gpt2_nfc = {.pattern = {"\\p{N}", PAT_GPT2}, .nfc = true};
static const pre_kind digits_gpt2 = {.pattern = {"\\p{N}", PAT_GPT2}};
static const pre_kind falcon = {
    .pattern = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", PAT_GPT2, "[0-9][0-9][0-9]"}};
static const pre_kind gpt4o = {.pattern = {PAT_O200K}};
static const pre_kind granite_multi = {.pattern = {PAT_O200K}, .ignore_merges = true};
static const pre_kind tekken = {.pattern = {PAT_TEKKEN}, .ignore_merges = true, .add_bos = true};
static const pre_kind deepseek3 = {
    .pattern = {"\\p{N}{1,3}", PAT_DEEPSEEK_CJK, PAT_DEEPSEEK_WORDS}};
static const pre_kind deepseek_llm = {
    .pattern = {
        "[\r\n]",
        "\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293"
        "\u0295-\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c"
        "\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5"
        "\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77"
        "\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59"
        "\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc"
        "\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107"
        "\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139"
        "\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee"
        "\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e"
        "\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f"
        "\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2"
        "\U000118a0-\U000118df\U0001e900-\U0001e943]+",
        "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", "\\s+$",
        "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "\\p{N}+"}};
static const pre_kind deepseek_coder = {.pattern = {"[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+",
                                                    "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+",
                                                    "\\p{N}"}};
static const pre_kind jais2 = {
    .pattern = {PAT_CONTRACTION
                "|" PAT_LETTERS "|\\p{N}{1,3}|" PAT_SIGNS "[\\r\\n]*|\\s*[\\r\\n]+|\\s{512}(?!\\S)|"
                "\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)|\\s{16}(?!\\S)|"
                "\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}"}};
static const pre_kind spark25 = {
    .pattern = {"\\p{N}{1,3}", PAT_DEEPSEEK_CJK,
                PAT_ASCII_SIGN
                "[A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+|[\r\n]|"
                "\\s+(?!\\S)|\\s+",
                "\\p{N}"}};
static const pre_kind youtu = {
    .pattern = {"[\uac00-\ud7a3\u3131-\u318e]+|["
                "\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c"
                "\u3001-\u303f\ufe30-\ufe4f]+|[\u3105-\u312f]+|" PAT_DEEPSEEK_CJK,
                PAT_WORD_DOWN PAT_CONTRACTION "?|" PAT_WORD_UP PAT_CONTRACTION "?|\\p{N}|" PAT_SIGNS
                                              "[\\r\\n/]*|" PAT_SPACE},
    .ignore_merges = true};
static const pre_kind qwen35 = {
    .pattern = {PAT_CONTRACTION "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
                                "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" PAT_SPACE},
    .nfc = true};
static const pre_kind bloom = {
    .pattern = {" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"}};
static const pre_kind viking = {
    .pattern = {" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+", "\\p{N}"}};
static const pre_kind chameleon = {
    .pattern = {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )",
                "\\p{N}", "[\\p{P}!-/:-@\\[-`{-~]", PAT_GPT2},
    .add_bos = true};
static const pre_kind tiny_aya = {.pattern = {"\\d{1,3}(?=(?:\\d{3})*\\b)", PAT_O200K}};
static const pre_kind kimi = {
    .pattern = {
        "[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*"
        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+" PAT_CONTRACTION "?|[^\\r\\n\\p{L}\\p{N}]?"
        "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+"
        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*" PAT_CONTRACTION "?|\\p{N}{1,3}|" PAT_SIGNS
        "[\\r\\n]*|" PAT_SPACE}};
static const pre_kind superbpe = {.pattern = {"\\p{N}+", "(?=(\\d{3})+(?!\\d))"}};
static const pre_kind bailing = {.pattern = {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|"
                                             "\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|"
                                             "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}};
static const pre_kind seed_coder = {
    .pattern = {PAT_CONTRACTION "|" PAT_LETTERS
                                "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" PAT_SPACE}};
static const pre_kind ufakzeka = {
    .pattern = {PAT_LETTERS "|\\p{N}|" PAT_SIGNS "[\\r\\n]*|" PAT_SPACE}};
static const pre_kind afmoe = {
    /* groups of three digits counted from the right */
    {"\\p{N}{1,3}(?=(?:\\p{N}{3})*(?:\\P{N}|$))",
     "[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf"
     "\u0e40-\u0e7f\u0ec0-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff\uac00-\ud7af"
     "\u1100-\u11ff]+",
     PAT_DEEPSEEK_WORDS},
    false,
    false,
    false};
static const pre_kind laguna = {.pattern = {"[^\\n]+|[\\n]+", PAT_QWEN2}};
static const pre_kind exaone_moe = {
    .pattern = {PAT_CONTRACTION
                "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}|" PAT_SIGNS
                "[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}};
static const pre_kind minicpm5 = {
    .pattern = {"\\p{N}{1,3}",
                PAT_CONTRACTION "|" PAT_LETTERS "|\\p{N}+|" PAT_SIGNS "[\\r\\n]*|" PAT_SPACE},
    .ignore_merges = true};

static const struct {
    const char *name;
    const pre_kind *kind;
} names[] = {
    {"default", &by_default},
    {"llama3", &llama3},
    {"llama-v3", &llama3},
    {"llama-bpe", &llama3},
    {"falcon3", &llama3},
    {"falcon-h1", &llama3},
    {"pixtral", &llama3},
    {"midm-2.0", &llama3},
    {"lfm2", &llama3},
    {"jina-v5-nano", &llama3},
    {"dbrx", &cl100k},
    {"smaug-bpe", &cl100k},
    {"glm4", &cl100k},
    {"chatglm-bpe", &cl100k},
    {"gpt-2", &gpt2},
    {"phi-2", &gpt2},
    {"jina-es", &gpt2},
    {"jina-de", &gpt2},
    {"jina-v1-en", &gpt2},
    {"jina-v2-es", &gpt2},
    {"jina-v2-de", &gpt2},
    {"jina-v2-code", &gpt2},
    {"roberta-bpe", &gpt2},
    {"gigachat", &gpt2},
    {"a.x-4.0", &gpt2},
    {"mellum", &gpt2},
    {"modern-bert", &gpt2},
    {"exaone4", &gpt2},
    {"mpt", &gpt2_nfc},
    {"olmo", &gpt2_nfc},
    {"jais", &gpt2},
    {"trillion", &gpt2},
    {"granite-docling", &gpt2},
    {"starcoder", &digits_gpt2},
    {"refact", &digits_gpt2},
    {"command-r", &digits_gpt2_nfc},
    {"smollm", &digits_gpt2},
    {"codeshell", &digits_gpt2},
    {"exaone", &digits_gpt2},
    {"minerva-7b", &digits_gpt2},
    {"mellum2", &digits_gpt2},
    {"falcon", &falcon},
    {"qwen2", &qwen2_nfc},
    {"deepseek-r1-qwen", &qwen2_nfc},
    {"kormo", &qwen2},
    {"f2llmv2", &qwen2},
    {"megrez", &qwen2},
    {"stablelm2", &qwen2},
    {"hunyuan", &qwen2},
    {"solar-open", &qwen2},
    {"grok-2", &qwen2},
    {"qwen35", &qwen35},
    {"gpt-4o", &gpt4o},
    {"llama4", &gpt4o},
    {"kanana2", &gpt4o},
    {"talkie", &gpt4o},
    {"minimax-m2", &gpt4o},
    {"granite-embed-multi-97m", &granite_multi},
    {"tekken", &tekken},
    {"deepseek-v3", &deepseek3},
    {"hunyuan-dense", &deepseek3},
    {"hy_v4", &deepseek3},
    {"joyai-llm", &deepseek3},
    {"deepseek-llm", &deepseek_llm},
    {"deepseek-coder", &deepseek_coder},
    {"jais-2", &jais2},
    {"spark2_5", &spark25},
    {"youtu", &youtu},
    {"poro-chat", &bloom},
    {"bloom", &bloom},
    {"gpt3-finnish", &bloom},
    {"viking", &viking},
    {"chameleon", &chameleon},
    {"tiny_aya", &tiny_aya},
    {"cohere2moe", &tiny_aya},
    {"kimi-k2", &kimi},
    {"superbpe", &superbpe},
    {"bailingmoe", &bailing},
    {"bailingmoe2", &bailing},
    {"llada-moe", &bailing},
    {"seed-coder", &seed_coder},
    {"ufakzeka", &ufakzeka},
    {"afmoe", &afmoe},
    {"laguna", &laguna},
    {"exaone-moe", &exaone_moe},
    {"minicpm5", &minicpm5},
};

const pre_kind *pre_find(str name) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i].name)) return names[i].kind;
    return NULL;
}

const char *pre_name(size_t i) { return i < sizeof names / sizeof *names ? names[i].name : NULL; }
