#!/bin/sh
# What a long context costs: time of a token and memory of a sequence behind 1024 and 65536 tokens,
# for a recurrent model and one with attention of about the same size.
#
#   sh bench/context.sh [REALIZAR [THREADS]]
#
# Random weights in F32, cache in F16; decode only, the fastest of five runs. The model with
# attention reads 65536 tokens first, which takes a minute or two.
cd "$(dirname "$0")/.." || exit 1
realizar=${1:-build/realizar} threads=${2:-1}
if [ ! -x "$realizar" ]; then
    echo "bench: no $realizar: run make first" >&2
    exit 1
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/realizar-context.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

# The number a line of JSON gives to a key.
number() { sed -nE "s/.*\"$1\":([0-9.]+).*/\\1/p" "$2" | head -n 1; }

echo "load average: $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || uptime)"
echo "| model | weights | tokens before | time of a token | memory of the sequence |"
echo "|---|---|---|---|---|"
for shape in mamba2-tiny llama-tiny; do
    "$realizar" bench --synthetic "$shape" --type F32 --write "$work/model.gguf" \
        >"$work/out" 2>&1 &&
        "$realizar" info --json "$work/model.gguf" >"$work/info" || {
        cat "$work/out" >&2
        exit 1
    }
    for depth in 1024 65536; do
        "$realizar" bench --synthetic "$shape" --type F32 --kv-type f16 --threads "$threads" \
            --depths $depth --prompt-tokens 1 --answer-tokens 64 --runs 5 --no-limits --json \
            >"$work/out" || exit 1
        grep '"test":"decode"' "$work/out" >"$work/decode"
        awk -v shape="$shape" -v depth=$depth -v n="$(number parameters "$work/info")" \
            -v state="$(number state_bytes "$work/info")" \
            -v token="$(number kv_bytes_per_token "$work/out")" \
            -v speed="$(number max "$work/decode")" 'BEGIN {
                printf "| %s | %.2f million | %d | %.3f ms | %.1f KiB |\n", shape, n / 1e6, depth,
                    1000 / speed, (state + token * depth) / 1024 }'
    done
done
