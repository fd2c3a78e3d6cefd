#!/bin/sh
# realizar imatrix: what a text says about a model, and files quantized with it.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc
text=models/story.txt
f16=$work/f16.gguf
"$realizar" quantize models/demo.gguf "$f16" F16 --quiet || fail "no F16 of the demo"

try imatrix "$f16" $text --out "$work/im.gguf"
is "exit code" $rc 0
is "output" "$(out)" ""
has "summary" "$(err)" "importance of 35 tensors from 5 pieces of 192 tokens in $work/im.gguf"
try imatrix "$f16" $text --out "$work/one.gguf" --threads 1 --quiet
is "quiet" "$(err)" ""
check "one thread: the same file" cmp "$work/im.gguf" "$work/one.gguf"
input=$text
try imatrix --model "$f16" - --out "$work/im.dat" --form dat --ctx 64
has "the older form, from standard input" "$(err)" "13 pieces of 64 tokens in $work/im.dat"
input=

for type in IQ1_S IQ2_XXS IQ2_XS Q2_K; do
    try quantize "$f16" "$work/$type.gguf" $type --imatrix "$work/im.gguf" --quiet
    is "$type: exit code" $rc 0
    try run "$work/$type.gguf" "Once upon a time" --temperature 0 -n 4 --quiet
    is "$type: runs" $rc 0
done
try info "$work/Q2_K.gguf" --meta
has "the file says which text" "$(out)" "quantize.imatrix.dataset (string) = $text"
has "the file says how many pieces" "$(out)" "quantize.imatrix.chunks_count (u32) = 5"
try quantize "$f16" IQ2_XS --dry-run --imatrix "$work/im.dat"
is "the older form is read" $rc 0
has "weighted" "$(out)" "(weighted)"
has "what is not in it" "$(err)" "1 tensors are not in the importance matrix"

# ---- Float weights on load

try logits "$f16" --ids 1,317,381 --quant Q5_1 --out "$work/a.f32"
is "--quant: exit code" $rc 0
"$realizar" quantize "$f16" "$work/q5.gguf" Q5_1 --quiet
try logits "$work/q5.gguf" --ids 1,317,381 --out "$work/b.f32"
check "--quant: the bits of a file of that type" cmp "$work/a.f32" "$work/b.f32"
try run "$f16" "Once upon a time" --quant Q8_0 --temperature 0 -n 4 --quiet
is "run --quant" $rc 0
refused "--quant: no such type" 1 "\"Q9\" is no type" run "$f16" x --quant Q9
refused "--quant: too few bits" 1 "IQ1_S needs an importance matrix" run "$f16" x --quant IQ1_S

# ---- Refusals

refused "no text" 2 "no text: name a file" imatrix "$f16" --out "$work/x.gguf"
refused "no out" 2 "no --out: name the file" imatrix "$f16" $text
refused "no such text" 1 "none.txt: No such file" imatrix "$f16" none.txt --out "$work/x.gguf"
: >"$work/empty.txt"
refused "an empty text" 1 "the text is empty" imatrix "$f16" "$work/empty.txt" -o "$work/x.gguf"
refused "too much context" 1 "context is 500, expected 2 to 192" \
    imatrix "$f16" $text -o "$work/x.gguf" --ctx 500
refused "another model's" 1 "made with another model" \
    quantize "$shared/models/stories260K-f32.gguf" "$work/x.gguf" Q4_0 --imatrix "$work/im.gguf"
is "a refusal leaves no file" "$(find "$work" -name 'x.gguf*')" ""
finish
