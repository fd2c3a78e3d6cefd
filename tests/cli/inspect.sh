#!/bin/sh
# realizar info, tokenize, decode: text and JSON, round trips, files that are none.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc
model=$shared/models/stories260K-f32.gguf

# ---- info

try info
is "info: exit code" $rc 0
for part in "realizar 0." "  system  " "  cpu  " "  build  " "  features  "; do
    has "info" "$(out)" "$part"
done
try info --json
is "info --json: version" "$(json .version)" "$("$realizar" --version | cut -d' ' -f2)"
check "info --json: features" [ "$(json '.features#')" -gt 3 ]
check "info --json: cores" [ "$(json .cores)" -ge 1 ]
refused "info --meta of nothing" 2 "--meta and --tensors need a model" info --meta
refused "info of two models" 2 "unexpected argument \"b\"" info a b
refused "info of a missing file" 1 "$work/none: No such file" info "$work/none"

try info --demo
has "info --demo" "$(out)" "  architecture  llama"
try info --demo --json --meta --tensors
is "info --demo --json: as many tensors as it says" "$(json '.tensors#')" "$(json .tensor_count)"
is "info --demo --json: as many keys as it says" "$(json '.metadata#')" "$(json .metadata_count)"

if [ -r "$model" ]; then
    try info "$model"
    for part in "GGUF v3" "name          stories260K" "llama, 260.0K weights" \
        "stored as     F32" "layers        5, width 64" "8 heads of 8, 4 for" \
        "vocabulary    512" "512 tokens; cache 1.2 KiB a token as f32, 640.0 KiB in all"; do
        has "info" "$(out)" "$part"
    done
    try info "$model" --meta --tensors
    has "info --meta" "$(out)" "llama.context_length (u32) = 512"
    has "info --tensors" "$(out)" "[64, 512]"
    try info --model "$model" --json --meta --tensors
    is "info --json: parameters" "$(json .parameters)" 260032
    is "info --json: file_bytes" "$(json .file_bytes)" "$(wc -c <"$model" | tr -d ' ')"
    is "info --json: a key" "$(json '.tensors[0].name')" token_embd.weight
    is "info --json: shape" "$(json '.tensors[0].shape')" "[64,512]"
    try info --json "$model"
    is "info --json without --meta" "$(json .metadata 2>/dev/null)" ""
else
    skip "info: no $model"
fi

# ---- tokenize and decode

text='Once upon a time, a b  c.
Line two; Grüße, 你好 🙂!'
printf '%s' "$text" >"$work/text"
try tokenize --demo "$text" --ids
is "tokenize --ids: exit code" $rc 0
cp "$work/out" "$work/ids"
try decode --demo --ids "$(cat "$work/ids")"
check "decode gives the text back" cmp "$work/out" "$work/text"
try decode --demo "$(cat "$work/ids")"
check "ids as an argument" cmp "$work/out" "$work/text"
# shellcheck disable=SC2046
try decode --demo $(tr ',' ' ' <"$work/ids")
check "ids as several arguments" cmp "$work/out" "$work/text"
input=$work/ids try decode --demo
check "ids from standard input" cmp "$work/out" "$work/text"
input=$work/ids try decode --demo -
check "ids from -" cmp "$work/out" "$work/text"
try decode --demo --json --ids "$(cat "$work/ids")"
is "decode --json" "$(json .text)" "$text"
is "decode --json: count" "$(json .count)" "$(tr ',' '\n' <"$work/ids" | wc -l | tr -d ' ')"
input=$work/text try tokenize --demo --ids
check "text from standard input" cmp "$work/out" "$work/ids"
try tokenize --demo --ids --file "$work/text"
check "text from a file" cmp "$work/out" "$work/ids"
unset input
try tokenize --demo "$text"
is "a line for each token" "$(wc -l <"$work/out" | tr -d ' ')" \
    "$(tr ',' '\n' <"$work/ids" | wc -l | tr -d ' ')"
is "the ids of the table" "$(awk '{ print $1 }' "$work/out" | paste -sd,)" "$(cat "$work/ids")"
try tokenize --demo --json "$text"
is "tokenize --json" "$(json .ids | tr -d '[]')" "$(cat "$work/ids")"
is "tokenize --json: a piece for each id" "$(json '.pieces#')" "$(json .count)"
try tokenize --demo --json --no-bos ""
is "no text and no prefix are no tokens" "$(json .count)" 0
try decode --demo --ids ""
is "no ids are no text" "$rc:$(out)" "0:"
try tokenize --demo ""
is "no text is the prefix" "$(wc -l <"$work/out" | tr -d ' ')" 1

if [ -r "$model" ]; then
    try tokenize "$model" "Once upon a time" --ids
    is "stories260K: known ids" "$(out)" "1,403,407,261,378"
    try tokenize "$model" "Once upon a time" --ids --no-bos
    is "--no-bos" "$(out)" "403,407,261,378"
    try tokenize "$model" "</s>" --ids --special --no-bos
    has "--special" ",$(out)," ",2,"
    try tokenize "$model" "</s>" --ids --no-bos
    case ,$(out), in
        *,2,*) fail "special tokens are text without --special" ;;
        *) pass ;;
    esac
    refused "an id beyond the vocabulary" 1 "512" decode "$model" --ids 1,512
    refused "another vocabulary" 1 "brings its own tokenizer" decode "$model" --vocab llama3 --ids 1
else
    skip "known ids: no $model"
fi
refused "ids that are none" 2 "\"x\" is no token id" decode --demo --ids 1,x
refused "ids twice" 2 "unexpected argument \"2\"" decode --demo --ids 1 2
refused "two forms" 2 "--color and --jsonl: choose one" tokenize --demo x --json --ids
refused "two texts" 2 "two texts" tokenize --demo x --file "$work/text"
refused "tokenize without model" 2 "no model" tokenize

# ---- Files that are none

: >"$work/empty.gguf"
head -c 100 /dev/urandom >"$work/random.gguf"
printf 'GGUF\003\000\000\000' >"$work/short.gguf"
for file in empty random short; do
    refused "info of a $file file" 1 "$work/$file.gguf" info "$work/$file.gguf"
    for command in tokenize decode; do
        refused "$command of a $file file" 1 "$work/$file.gguf" $command "$work/$file.gguf" 1
    done
done
finish
