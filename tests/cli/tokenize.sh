#!/bin/sh
# realizar tokenize, tokenizer and decode with vocabularies by themselves: golden ids line by line.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc
vocabs=$shared/vocabs golden=$shared/golden/tokenizer

# ---- refusals and small things, without any data

refused "two outputs" 2 "choose one" tokenize --demo --json --count x
refused "two prefixes" 2 "choose one" tokenize --demo --bos --no-bos x
refused "no such name" 1 "no vocabulary known by name" tokenize --vocab quipu x
refused "no such file" 1 "No such file" tokenize --vocab "$work/none.tiktoken" x
refused "a vocabulary and a model" 1 "brings its own tokenizer" \
    tokenize --demo --vocab cl100k_base x
refused "tokenizer of nothing" 2 "expected info or compare" tokenizer
refused "compare with itself alone" 2 "two vocabularies" tokenizer compare demo

try tokenize --demo --count "Once upon a time"
is "--count" "$rc:$(out)" 0:8
try tokenize --demo --count --no-bos "Once upon a time"
is "--count without the prefix" "$(out)" 7
try tokenize --demo --color "Once upon"
check "--color colours" grep -q "$(printf '\033\[30;48;5;')" "$work/out"
is "--color has the text" "$(out | sed "s/$(printf '\033')\[[0-9;]*m//g")" "<s> Once upon"
printf '%s\n\n%s' '{"text":"Once upon"}' '{"text_b64":"T25jZSB1cG9u"}' >"$work/lines"
input=$work/lines try tokenize --demo --jsonl
is "--jsonl: a line for each" "$rc:$(wc -l <"$work/out" | tr -d ' ')" 0:2
is "--jsonl: both ways to write a text" "$(sort -u "$work/out" | wc -l | tr -d ' ')" 1
printf '%s\n%s\n' '{"text":"a"}' '{"txt":1}' >"$work/lines"
try tokenize --demo --jsonl --file "$work/lines"
is "--jsonl: a bad line" "$rc" 1
has "--jsonl: a bad line is named" "$(err)" "line 2: expected an object with a string"
printf '%s\n' '{"text_b64":"a"}' >"$work/lines"
try tokenize --demo --jsonl --file "$work/lines"
has "--jsonl: bad base64" "$(err)" "line 1: text_b64 is no base64"

try tokenizer info demo --json --special
is "info: size" "$(json .size)" 512
is "info: bos" "$(json .bos)" 1
check "info: special tokens" [ "$(json '.special#')" = "$(json .control)" ]
try tokenizer info demo
has "info: text" "$(out)" "  kind      SentencePiece BPE"
printf 'Once upon a time' >"$work/text"
try tokenizer compare demo demo --file "$work/text" --json
is "compare" "$(json '[1].tokens')" 7
try tokenizer compare demo demo --file "$work/text"
is "compare: a row each" "$(grep -c demo "$work/out")" 2

# ---- golden ids

# ids_of FILE special: the expected lines.
ids_of() {
    case $2 in
        special) sed -E 's/.*"ids_special": ?(\[[^]]*\]).*/{"ids":\1}/' ;;
        *) cat ;;
    esac <"$1" | sed -E 's/.*"ids": ?(\[[^]]*\]).*/{"ids":\1}/' | tr -d ' '
}

golden_file() {
    vocab=$vocabs/$1 lines=$golden/$2
    if [ ! -r "$vocab" ] || [ ! -r "$lines" ]; then
        skip "$1: no shared data"
        return
    fi
    try tokenize --vocab "$vocab" --jsonl --file "$lines"
    ids_of "$lines" plain >"$work/want"
    check "$1: every line of $2" cmp "$work/out" "$work/want"
    [ "$3" = special ] || return
    try tokenize --vocab "$vocab" --jsonl --special --file "$lines"
    ids_of "$lines" special >"$work/want"
    check "$1: every line of $2 with special tokens" cmp "$work/out" "$work/want"
}

golden_file cl100k_base.tiktoken cl100k_base.jsonl special
golden_file o200k_base.tiktoken o200k_base.jsonl special
golden_file gpt2.tiktoken gpt2.jsonl special
golden_file llama3.tiktoken llama3.jsonl special
golden_file deepseek_v3.tiktoken deepseek_v3.jsonl special
golden_file mistral_v3_tekken.tiktoken mistral_v3.jsonl plain
golden_file ggml/ggml-vocab-llama-spm.gguf llama2.jsonl special

if [ -r "$vocabs/cl100k_base.tiktoken" ]; then
    REALIZAR_VOCAB_DIR=$vocabs try tokenize --vocab cl100k_base --ids "hello world"
    is "a name in \$REALIZAR_VOCAB_DIR" "$(out)" 15339,1917
    REALIZAR_VOCAB_DIR=$vocabs try decode --vocab cl100k_base --ids 15339,1917
    is "decode --vocab" "$(out)" "hello world"
    REALIZAR_VOCAB_DIR=$vocabs try tokenize --vocab llama3 --bos --ids "hello"
    is "--bos" "$(out)" 128000,15339
    REALIZAR_VOCAB_DIR=$vocabs try tokenizer compare cl100k_base llama3 --file "$work/text"
    has "compare two" "$(out)" "4.000        0  llama3"
fi
finish
