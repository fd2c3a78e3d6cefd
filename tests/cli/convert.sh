#!/bin/sh
# realizar convert: a folder to a GGUF file and back, in other types, and what it refuses.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc
folder=$shared/models/demo/demo-hf
if [ ! -d "$folder" ]; then
    skip "no shared data"
    finish
fi

story() {
    "$realizar" run "$1" "Once upon a time" --temperature 0 -n 24 --quiet 2>&1
}

try convert "$folder" "$work/demo.gguf"
is "to GGUF: exit code" $rc 0
is "to GGUF: output" "$(out)" ""
has "to GGUF: summary" "$(err)" "47 tensors, 0 of them in another type"
has "to GGUF: tells the same story" "$(story "$work/demo.gguf")" "$(story "$folder")"
try info "$work/demo.gguf" --meta
has "to GGUF: name" "$(out)" "general.name (string) = demo-hf"
has "to GGUF: tokenizer" "$(out)" "tokenizer.ggml.model (string) = llama"

try convert "$work/demo.gguf" "$work/back" --quiet
is "to a folder: exit code" $rc 0
is "to a folder: quiet" "$(err)" ""
is "to a folder: files" "$(cd "$work/back" && echo *)" \
    "config.json generation_config.json model.safetensors tokenizer.model tokenizer_config.json"
has "to a folder: tells the same story" "$(story "$work/back")" "$(story "$folder")"
check "to a folder: the same logits, bit for bit" sh -c "
    '$realizar' logits '$folder' --ids 1,317,381 --out '$work/a.f32' 2>/dev/null &&
    '$realizar' logits '$work/back' --ids 1,317,381 --out '$work/b.f32' 2>/dev/null &&
    cmp '$work/a.f32' '$work/b.f32'"

try convert "$folder" "$work/one.gguf" --type Q4_K_M --threads 1 --quiet
is "quantized: exit code" $rc 0
try convert "$folder" "$work/two.gguf" --type Q4_K_M --threads 2 --quiet
check "one thread, two threads: the same file" cmp "$work/one.gguf" "$work/two.gguf"
try quantize "$work/demo.gguf" "$work/by-quantize.gguf" Q4_K_M --quiet
for file in one by-quantize; do
    try info "$work/$file.gguf" --json
    out >"$work/$file.json"
done
is "quantized: as large as quantize makes it" \
    "$("$tool" json .weight_bytes <"$work/one.json")" \
    "$("$tool" json .weight_bytes <"$work/by-quantize.json")"
check "quantized: the logits of quantize, bit for bit" sh -c "
    '$realizar' logits '$work/one.gguf' --ids 1,317,381 --out '$work/a.f32' 2>/dev/null &&
    '$realizar' logits '$work/by-quantize.gguf' --ids 1,317,381 --out '$work/b.f32' 2>/dev/null &&
    cmp '$work/a.f32' '$work/b.f32'"

try convert "$work/demo.gguf" "$work/half" --type BF16 --no-tokenizer --quiet
is "a folder in BF16: exit code" $rc 0
is "a folder without tokenizer: files" "$(cd "$work/half" && echo *)" \
    "config.json model.safetensors"

# ---- Refusals

refused "too few arguments" 2 "expected IN and OUT, found 1" convert a
refused "no such file" 1 "no-such.gguf: No such file" convert no-such.gguf "$work/x.gguf"
refused "no such type" 1 "\"Q9\" is no type; there are F32" \
    convert "$folder" "$work/x.gguf" --type Q9
refused "a folder in blocks" 1 "matrices of a folder are F32, F16 or BF16" \
    convert "$work/demo.gguf" "$work/x" --type Q8_0
refused "quantized already" 1 "is Q8_0 already" \
    convert models/demo.gguf "$work/x.gguf" --type Q4_0
refused "importance is needed" 1 "needs an importance matrix" \
    convert "$folder" "$work/x.gguf" --type IQ1_S
refused "a folder that is there" 1 "is there already; name a new folder" \
    convert "$work/demo.gguf" "$work/back"
refused "onto itself" 1 "is the file that is read" \
    convert "$work/demo.gguf" "$work/demo.gguf" --type F16
refused "no such folder" 1 "cannot" convert "$folder" "$work/none/x.gguf"
is "a refusal leaves nothing" "$(find "$work" -name 'x*' -o -name '*.new-*')" ""
finish
