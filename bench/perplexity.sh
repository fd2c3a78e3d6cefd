#!/bin/sh
# The perplexity of a text for a model in every type: a row of a table each, bits a weight and
# perplexity. The importance matrix comes from other text, which the model itself makes.
#   sh bench/perplexity.sh MODEL-F32.gguf TEXT
[ $# = 2 ] || {
    echo "usage: sh bench/perplexity.sh MODEL-F32.gguf TEXT" >&2
    exit 2
}
realizar=${BIN:-build}/realizar
work=$(mktemp -d "${TMPDIR:-/tmp}/realizar-perplexity.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
for seed in 1 2 3 4 5 6 7 8; do
    "$realizar" run "$1" "Once upon a time" --seed $seed --temperature 0.8 -n 160 --echo --quiet
    echo
done >"$work/own.txt" || exit 1
"$realizar" imatrix "$1" "$work/own.txt" --out "$work/own.gguf" --quiet || exit 1

row() {
    name=$1
    shift
    "$realizar" quantize "$model" "$work/x.gguf" "$@" 2>"$work/err" || {
        cat "$work/err" >&2
        exit 1
    }
    bits=$(sed -nE 's/.*-> .*\(([0-9.]+) bits.*/\1/p' "$work/err")
    found=$("$realizar" perplexity "$work/x.gguf" "$text")
    found=${found#perplexity }
    found=${found%% *}
    echo "| $name | $bits | $found |"
}

model=$1 text=$2
for type in F32 F16 BF16 Q8_0 Q6_K Q5_K_M Q5_1 Q5_0 Q4_K_M Q4_1 Q4_0 IQ4_NL IQ4_XS MXFP4 NVFP4 \
    Q3_K_M IQ3_S IQ3_XXS Q2_K IQ2_S IQ2_XS IQ2_XXS IQ1_M IQ1_S; do
    row "$type" $type --pure --imatrix "$work/own.gguf"
done
