#!/bin/sh
# realizar quantize: files in fewer bits that still run, and requests that make no sense.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc
model=models/demo.gguf # Q8_0
f16=$work/f16.gguf

try quantize $model "$f16" F16
is "to F16: exit code" $rc 0
is "to F16: output" "$(out)" ""
has "to F16: summary" "$(err)" "bits a weight) in $f16"
try info "$f16" --meta
has "F16: file type" "$(out)" "general.file_type (u32) = 1"
has "F16: quantization version" "$(out)" "general.quantization_version (u32) = 2"
try info "$f16" --json
is "F16: same parameters" "$(json .parameters)" \
    "$("$realizar" info $model --json | "$tool" json .parameters)"

# Everything a file can be made of still runs; rows of 96 do not fill blocks of 256.
for type in Q8_0 Q6_K Q5_K_M Q5_K_S Q4_K_M Q4_K_S Q5_1 Q5_0 Q4_1 Q4_0 IQ4_NL IQ4_XS Q3_K_L Q3_K_M \
    Q3_K_S IQ3_M IQ3_S IQ3_XS IQ3_XXS Q2_K Q2_K_S IQ2_M IQ1_M TQ2_0 TQ1_0 \
    MXFP4_MOE NVFP4 Q2_0 Q1_0 BF16 F32; do
    try quantize "$f16" "$work/$type.gguf" $type --quiet
    is "$type: exit code" $rc 0
    is "$type: quiet" "$(err)" ""
    try run "$work/$type.gguf" "Once upon a time" --temperature 0 -n 4 --quiet
    is "$type: runs" $rc 0
done
for type in IQ2_S IQ2_XS IQ2_XXS IQ1_S; do
    refused "$type alone" 1 "needs an importance matrix (--imatrix FILE" \
        quantize "$f16" "$work/x.gguf" $type
done
check "8 bits from 8 bits by way of floats: much the same" sh -c "
    '$realizar' logits $model --ids 1,317,381 --out '$work/a.f32' 2>/dev/null &&
    '$realizar' logits '$work/Q8_0.gguf' --ids 1,317,381 --out '$work/b.f32' 2>/dev/null &&
    '$tool' floats '$work/a.f32' '$work/b.f32' 0.2"

try quantize "$f16" "$work/one.gguf" Q4_0 --threads 1 --quiet
try quantize "$f16" "$work/two.gguf" Q4_0 --threads 2 --quiet
check "one thread, two threads: the same file" cmp "$work/one.gguf" "$work/two.gguf"

# ---- Choices

try quantize "$f16" Q4_K_M --dry-run
is "dry run: exit code" $rc 0
has "dry run: a tensor" "$(out)" "blk.0.attn_q.weight                  [96, 96] F16 -> Q5_0 (rows"
has "dry run: a vector stays" "$(out)" "blk.0.attn_norm.weight               [96] F32, 384 bytes"
has "dry run: summary" "$(err)" "rows that do not fill the blocks"
try quantize "$f16" Q4_0 --dry-run --keep "blk.0.*=Q8_0" --keep "blk.*=Q5_1" --pure \
    --output-type Q8_0 --token-embedding-type F16
has "--keep: the first that fits" "$(out)" \
    "blk.0.attn_q.weight                  [96, 96] F16 -> Q8_0"
has "--keep: the second" "$(out)" "blk.1.attn_q.weight                  [96, 96] F16 -> Q5_1"

# ---- Refusals

refused "too few arguments" 2 "expected IN, OUT and TYPE, found 2" quantize a b
refused "no such file" 1 "no-such.gguf: No such file" quantize no-such.gguf "$work/x.gguf" Q8_0
refused "no such type" 1 "\"Q9\" is no type; there are F32" quantize "$f16" "$work/x.gguf" Q9
refused "quantized already" 1 "is Q8_0 already" quantize $model "$work/x.gguf" Q4_0
refused "a keep that is none" 1 "\"x\" is not TENSOR=TYPE" \
    quantize "$f16" "$work/x.gguf" Q4_0 --keep x
refused "a keep for nothing" 1 "\"none*\" is the name of no tensor" \
    quantize "$f16" "$work/x.gguf" Q4_0 --keep "none*=Q8_0"
refused "a type that rows do not fill" 1 "has rows of 96 values, which Q4_K cannot store" \
    quantize "$f16" "$work/x.gguf" Q4_0 --keep "blk.0.attn_q.weight=Q4_K"
refused "no importance matrix there" 1 "none.dat: No such file" \
    quantize "$f16" "$work/x.gguf" Q4_0 --imatrix "$work/none.dat"
refused "a text as importance matrix" 1 "no importance matrix" \
    quantize "$f16" "$work/x.gguf" Q4_0 --imatrix README.md
is "a refusal leaves no file" "$(find "$work" -name 'x.gguf*')" ""
before=$(cksum <"$f16")
refused "onto itself" 1 "is the file that is read" quantize "$f16" "$f16" Q8_0
ln -s f16.gguf "$work/link.gguf"
refused "onto itself by a link" 1 "is the file that is read" quantize "$f16" "$work/link.gguf" Q8_0
is "onto itself: nothing was written" "$(cksum <"$f16")" "$before"
refused "no such folder" 1 "cannot write" quantize "$f16" "$work/none/x.gguf" Q8_0
finish
