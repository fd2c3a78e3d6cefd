#!/bin/sh
# realizar bench: its three forms say the same things, and hashes do not depend on the number of
# threads. Not how fast it is.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc
model=$shared/models/stories260K-f32.gguf
short="--runs 3 --prompt-tokens 16 --answer-tokens 4 --depths 0,20 --threads 1"

# shellcheck disable=SC2086 # the words are arguments
try bench --demo $short
is "table: exit code" $rc 0
is "table: nothing on standard error" "$(err)" ""
has "table: the machine comes first" "$(head -n 1 "$work/out")" "machine: "
has "table: model" "$(sed -n 2p "$work/out")" "llama, "
has "table: threads" "$(sed -n 2p "$work/out")" "1 thread"
is "table: two tests at each depth" "$(grep -cE '^ +(0|20)  (prefill|decode) ' "$work/out")" 4
check "table: GB/s of decode" grep -qE '  decode +4 +3( +[0-9.]+){4}$' "$work/out"
hashes=$(sed -n 's/^logits \([0-9a-f]*\), greedy tokens \([0-9a-f]*\) .*/\1 \2/p' "$work/out")
is "table: hashes" "$(echo "$hashes" | grep -cxE '[0-9a-f]{16} [0-9a-f]{16}')" 1

# shellcheck disable=SC2086
try bench --demo $short --threads 2 --json
is "JSON: results" "$(json '.results#')" 4
is "JSON: threads" "$(json .threads)" 2
is "JSON: hashes, with two threads" "$(json .logit_hash) $(json .token_hash)" "$hashes"
for i in 0 1 2 3; do
    check "JSON: slowest, median, fastest in order" sh -c "echo \
        $(json ".results[$i].min") $(json ".results[$i].tokens_per_s") $(json ".results[$i].max") |
        awk '{ exit !(\$1 > 0 && \$1 <= \$2 && \$2 <= \$3) }'"
done
is "JSON: depth" "$(json '.results[3].depth')" 20
is "JSON: test" "$(json '.results[3].test')" decode

# shellcheck disable=SC2086
try bench --demo $short --csv
is "CSV: lines" "$(wc -l <"$work/out" | tr -d ' ')" 5
columns=$(head -n 1 "$work/out" | tr ',' '\n' | wc -l | tr -d ' ')
is "CSV: as many values as names" "$(sed 's/"[^"]*"/x/g' "$work/out" |
    awk -F, '{ print NF }' | sort -u)" "$columns"
has "CSV: hashes" "$(out)" "$(echo "$hashes" | tr ' ' ',')"

if [ -r "$model" ]; then
    # shellcheck disable=SC2086
    try bench "$model" $short --kv-type f16 --json
    is "f16 cache" "$(json .kv)" f16
    try bench "$model" --runs 1 --depths 0,4096 --answer-tokens 2 --prompt-tokens 8 --json
    is "depths that do not fit are left out" "$(json '.results#')" 2
    is "auto is f32 for f32 weights" "$(json .kv)" f32
    # All 1 MB of weights are read for a token: input and output share a table.
    is "bytes a token reads" "$(json .bytes_per_token)" "$(json .weight_bytes)"
else
    skip "bench: no $model"
fi

# ---- Made-up models

try bench --synthetic llama-15m --runs 1 --depths 0 --prompt-tokens 8 --answer-tokens 2 --json
is "--synthetic: exit code" $rc 0
is "--synthetic: results" "$(json '.results#')" 2
is "--synthetic: type" "$(json .quantization)" Q4_0
refused "a shape there is none of" 1 "llama-9t" bench --synthetic llama-9t
refused "a type there is none of" 1 "Q4_9" bench --synthetic llama-15m --type Q4_9
refused "a shape and a model" 2 "two models" bench --synthetic llama-15m --demo
for shape in $(sed -n 's/^ *{"\([a-z0-9.-]*\)".*/\1/p' src/api/api_synthetic.c); do
    shapes="$shapes $shape"
    has "help knows shape $shape" "$("$realizar" bench --help | tr '\n' ' ')" "$shape"
done
check "shapes were found" [ -n "$shapes" ]

refused "no depth fits" 1 "no depth fits a context of" bench --demo --depths 100000
refused "no depth" 2 "--depths" bench --demo --depths ""
refused "depths that are none" 2 "--depths: \"x\"" bench --demo --depths 0,x
refused "two forms" 2 "--csv and --json: choose one" bench --demo --csv --json
refused "no model" 2 "no model" bench
finish
