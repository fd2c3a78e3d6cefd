/* tok_patterns.h - regular expressions that more than one file spells: the scanners are known by
 * them, vocabularies name them. */
#ifndef TOKENIZER_TOK_PATTERNS_H
#define TOKENIZER_TOK_PATTERNS_H

/* Parts. */
#define PAT_CONTRACTION "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define PAT_LETTERS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define PAT_SIGNS " ?[^\\s\\p{L}\\p{N}]+"
#define PAT_SPACE "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define PAT_WORD_DOWN \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
#define PAT_WORD_UP \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"
#define PAT_ASCII_SIGN "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]"

/* Whole patterns. */
#define PAT_CL100K PAT_CONTRACTION "|" PAT_LETTERS "|\\p{N}{1,3}|" PAT_SIGNS "[\\r\\n]*|" PAT_SPACE
#define PAT_QWEN2 PAT_CONTRACTION "|" PAT_LETTERS "|\\p{N}|" PAT_SIGNS "[\\r\\n]*|" PAT_SPACE
#define PAT_GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"
#define PAT_O200K                                                                             \
    PAT_WORD_DOWN PAT_CONTRACTION "?|" PAT_WORD_UP PAT_CONTRACTION "?|\\p{N}{1,3}|" PAT_SIGNS \
                                  "[\\r\\n/]*|" PAT_SPACE
#define PAT_TEKKEN PAT_WORD_DOWN "|" PAT_WORD_UP "|\\p{N}|" PAT_SIGNS "[\\r\\n/]*|" PAT_SPACE

/* DeepSeek-V3 has three. */
#define PAT_DEEPSEEK_DIGITS "\\p{N}{1,3}"
#define PAT_DEEPSEEK_CJK "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
#define PAT_DEEPSEEK_WORDS                                                          \
    PAT_ASCII_SIGN                                                                  \
    "[A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|" \
    "\\s*[\r\n]+|\\s+(?!\\S)|\\s+"

#endif
