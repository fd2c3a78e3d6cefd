#!/bin/sh
# The llama.cpp inside the npm package node-llama-cpp beside ours, on the same file.
#
#   sh bench/peers/llama_cpp.sh [MODEL.gguf]     without a file: --synthetic llama-1b --type Q4_0
#
# Prefill and decode at 1 and 2 threads, ours and theirs in turns, ROUNDS times (5): medians and
# ratios. Then the time from exec to the first token of a short prompt. PROMPT (512) and ANSWER (64)
# are tokens. The package is installed by name into FOLDER (build/peers), which git ignores; theirs
# needs node and npm.
cd "$(dirname "$0")/../.." || exit 1
realizar=${REALIZAR:-build/realizar} folder=${FOLDER:-build/peers} rounds=${ROUNDS:-5}
prompt=${PROMPT:-512} answer=${ANSWER:-64} model=$1
[ -x "$realizar" ] || {
    echo "peers: no $realizar: run make first" >&2
    exit 1
}
mkdir -p "$folder" || exit 1
if [ ! -d "$folder/node_modules/node-llama-cpp" ]; then
    npm install --no-fund --no-audit --ignore-scripts --prefix "$folder" node-llama-cpp \
        >"$folder/npm.log" 2>&1 || {
        echo "peers: npm could not install node-llama-cpp, see $folder/npm.log" >&2
        exit 1
    }
fi
if [ -z "$model" ]; then
    model=$folder/llama-1b-q4_0.gguf
    [ -e "$model" ] ||
        "$realizar" bench --synthetic llama-1b --type Q4_0 --write "$model" || exit 1
fi
figures=$folder/figures
: >"$figures"

# ours THREADS, theirs THREADS: one line "WHO THREADS PREFILL DECODE" to the figures.
ours() {
    "$realizar" bench "$model" --csv --no-limits --runs 1 --depths 0 --threads "$1" \
        --prompt-tokens "$prompt" --answer-tokens "$answer" | sed 's/"[^"]*"/x/g' |
        awk -F, -v t="$1" '
            NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
            { rate[$at["test"]] = $at["tokens_per_s"] }
            END { print "ours", t, rate["prefill"], rate["decode"] }' >>"$figures"
}
theirs() {
    got=$(node bench/peers/llama_cpp.mjs "$folder" "$model" "$1" "$prompt" "$answer" \
        2>>"$folder/node.log" | tail -n 1)
    echo "theirs $1 $got" >>"$figures"
}
first() { # of a prompt of a few words, in milliseconds: WHO first MS MS
    from=$(date +%s%N)
    "$realizar" run "$model" "a b c d" -n 1 -t 0 --quiet --ignore-eos >"$folder/first" || return
    to=$(date +%s%N)
    echo "first 0 $(((to - from) / 1000000)) 0" >>"$figures"
}

echo "load average: $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null)"
echo "model: $model, prefill $prompt, decode $answer, $rounds rounds"
round=0
while [ "$round" -lt "$rounds" ]; do
    for threads in 1 2; do
        ours $threads
        theirs $threads
    done
    first
    round=$((round + 1))
done

# median WHO THREADS COLUMN
median() {
    awk -v w="$1" -v t="$2" -v c="$3" '$1 == w && $2 == t { print $c }' "$figures" | sort -g |
        awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : 0 }'
}
printf '%8s  %-8s %12s %12s %8s\n' threads test ours llama.cpp ratio
for threads in 1 2; do
    for test in prefill:3 decode:4; do
        a=$(median ours $threads "${test#*:}") b=$(median theirs $threads "${test#*:}")
        printf '%8s  %-8s %12s %12s %8s\n' "$threads" "${test%:*}" "$a" "$b" \
            "$(awk -v a="$a" -v b="$b" 'BEGIN { if (b > 0) printf "%.2f", a / b; else print "-" }')"
    done
done
echo "exec to the first token, ours: $(median first 0 3) ms"
