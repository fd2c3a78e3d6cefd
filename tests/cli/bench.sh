#!/bin/sh
# realizar bench: its three forms say the same things, hashes do not depend on the number of
# threads, results can be compared. Not how fast it is.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc
model=$shared/models/stories260K-f32.gguf
short="--runs 3 --prompt-tokens 16 --answer-tokens 4 --depths 0,20 --no-limits"

# shellcheck disable=SC2086 # the words are arguments
try bench --demo $short --threads 1,2 --batch 1,3
is "table: exit code" $rc 0
is "table: nothing on standard error" "$(err)" ""
has "table: the machine comes first" "$(head -n 1 "$work/out")" "machine: "
has "table: model" "$(sed -n 2p "$work/out")" "llama, "
is "table: prefill at each depth, both threads" \
    "$(grep -cE '^ +[12] +(0|20) +1  prefill +16 +3( +[0-9.]+){3}$' "$work/out")" 4
is "table: decode, alone and together, with GB/s" \
    "$(grep -cE '^ +[12] +(0|20) +[13]  decode +4 +3( +[0-9.]+){4}$' "$work/out")" 8
hashes=$(sed -n 's/^logits \([0-9a-f]*\), greedy tokens \([0-9a-f]*\) .*/\1 \2/p' "$work/out")
is "table: hashes" "$(echo "$hashes" | grep -cxE '[0-9a-f]{16} [0-9a-f]{16}')" 1

# shellcheck disable=SC2086
try bench --demo $short --threads 2 --json
is "JSON: results" "$(json '.results#')" 4
is "JSON: threads" "$(json '.results[3].threads')" 2
is "JSON: batch" "$(json '.results[3].batch')" 1
is "JSON: load average" "$(json '.load#')" 3
is "JSON: hashes, with two threads" "$(json .logit_hash) $(json .token_hash)" "$hashes"
for i in 0 1 2 3; do
    check "JSON: slowest, median, fastest in order" sh -c "echo \
        $(json ".results[$i].min") $(json ".results[$i].tokens_per_s") $(json ".results[$i].max") |
        awk '{ exit !(\$1 > 0 && \$1 <= \$2 && \$2 <= \$3) }'"
done
is "JSON: depth" "$(json '.results[3].depth')" 20
is "JSON: test" "$(json '.results[3].test')" decode

# shellcheck disable=SC2086
try bench --demo $short --threads 1 --csv
is "CSV: lines" "$(wc -l <"$work/out" | tr -d ' ')" 5
columns=$(head -n 1 "$work/out" | tr ',' '\n' | wc -l | tr -d ' ')
is "CSV: as many values as names" "$(sed 's/"[^"]*"/x/g' "$work/out" |
    awk -F, '{ print NF }' | sort -u)" "$columns"
has "CSV: hashes" "$(out)" "$(echo "$hashes" | tr ' ' ',')"

# ---- The limits of the machine

try bench --demo --runs 1 --depths 0 --threads 1 --prompt-tokens 8 --answer-tokens 2 --json
is "limits: threads" "$(json '.limits[0].threads')" 1
check "limits: bandwidth" sh -c "echo $(json '.limits[0].read_gb_per_s') | grep -q '[1-9]'"
if [ "$(json '.limits[0].peaks#')" != 0 ]; then
    check "limits: int8 peak" sh -c "echo $(json '.limits[0].peaks[0].int8_gmac_per_s') |
        grep -q '[1-9]'"
fi

# ---- Comparing

cat >"$work/old.json" <<'END'
{"machine":"m","model":"a","quantization":"Q4_0","kv":"f16","results":[
{"test":"prefill","threads":1,"depth":0,"batch":1,"tokens_per_s":100,"min":90,"max":110},
{"test":"decode","threads":1,"depth":0,"batch":1,"tokens_per_s":10,"min":9,"max":11},
{"test":"decode","threads":2,"depth":0,"batch":1,"tokens_per_s":10,"min":9,"max":11}]}
END
sed 's/"a"/"b"/; s/:100,"min":90,"max":110/:400,"min":390,"max":420/; s/"threads":2/"threads":3/' \
    "$work/old.json" >"$work/new.json"
try bench "$work/new.json" --vs "$work/old.json"
is "comparing: exit code" $rc 0
has "comparing: what differs" "$(out)" 'not the same model: "a" and "b"'
has "comparing: four times as fast" "$(grep prefill "$work/out")" "4.000"
has "comparing: the same" "$(grep decode "$work/out")" "1.000  within the spread"
is "comparing: rows in common" "$(grep -cE ' (prefill|decode) ' "$work/out")" 2
has "comparing: mean" "$(out)" "geometric mean of the ratios: 2.000"
echo '{"results":[]}' >"$work/none.json"
echo '[1' >"$work/broken.json"
refused "nothing in common" 1 "no test in common" bench "$work/new.json" --vs "$work/none.json"
refused "no JSON" 1 "broken.json: " bench "$work/new.json" --vs "$work/broken.json"
echo '{}' >"$work/other.json"
refused "no result" 1 'no "results"' bench "$work/new.json" --vs "$work/other.json"
refused "no file" 1 "No such file" bench "$work/new.json" --vs "$work/absent.json"
# shellcheck disable=SC2086
try bench --demo $short --threads 1 --vs "$work/old.json"
is "a run beside a file: exit code" $rc 0
is "a run beside a file: rows" "$(grep -cE '^ +1 +0 +1  (prefill|decode) ' "$work/out")" 2
refused "comparing has one form" 2 "--vs" bench --demo --vs x.json --json

if [ -r "$model" ]; then
    # shellcheck disable=SC2086
    try bench "$model" $short --kv-type q8_0 --json
    is "q8_0 cache" "$(json .kv)" q8_0
    try bench "$model" --no-limits --runs 1 --depths 0,4096 --answer-tokens 2 \
        --prompt-tokens 8 --json
    is "depths that do not fit are left out" "$(json '.results#')" 2
    is "auto is f32 for f32 weights" "$(json .kv)" f32
    # All 1 MB of weights are read for a token: input and output share a table.
    is "bytes a token reads" "$(json .bytes_per_token)" "$(json .weight_bytes)"
else
    skip "bench: no $model"
fi

# ---- Profile

# shellcheck disable=SC2086
try bench --demo $short --threads 2 --profile --json
is "--profile: exit code" $rc 0
is "--profile: the result is as ever" "$(json '.results#')" 4
check "--profile: steps" grep -qE '^profile: [0-9]+ steps, [0-9.]+ ms, 2 threads$' "$work/err"
check "--profile: products" grep -qE '^  linear +[0-9]+ +[0-9.]+ +[0-9.]+% ' "$work/err"
try run --demo "Once upon a time" -n 4 --quiet --profile
check "run --profile" grep -qE '^  attend +[0-9]+ ' "$work/err"
is "run --profile: the answer alone" "$(wc -l <"$work/out" | tr -d ' ')" 0

# ---- Made-up models

try bench --synthetic llama-15m --no-limits --runs 1 --depths 0 --prompt-tokens 8 \
    --answer-tokens 2 --json
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

try bench --synthetic llama-15m --type Q8_0 --write "$work/15m.gguf"
is "--write: exit code" $rc 0
is "--write: says nothing" "$(out)$(err)" ""
try run "$work/15m.gguf" "a b c" -n 3 -t 0 --ignore-eos
is "--write: the file runs" $rc 0
has "--write: its words are tokens" "$(err)" "prompt: 4 tokens"
refused "--write what" 2 "--write: needs --synthetic" bench --demo --write "$work/x.gguf"
refused "--write where" 1 "No such file" bench --synthetic llama-15m --write "$work/no/x.gguf"

refused "no depth fits" 1 "no depth fits" bench --demo --no-limits --depths 100000
refused "no depth" 2 "--depths" bench --demo --depths ""
refused "depths that are none" 2 "--depths: \"x\"" bench --demo --depths 0,x
refused "two forms" 2 "--csv and --json: choose one" bench --demo --csv --json
refused "a batch of none" 2 "--batch: 0 is not in 1 to 64" bench --demo --batch 0
refused "too many threads" 2 "--threads: 2000 is not in 0 to 1024" bench --demo --threads 2000
refused "no model" 2 "no model" bench
finish
