#!/bin/sh
# realizar logits: the golden numbers, JSON, a file that appears whole or not at all.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc
model=$shared/models/stories260K-f32.gguf golden=$shared/golden/models

# ids FILE: int32 of the golden data as a list.
ids() { od -An -v -td4 "$1" | tr -s ' \n' ',' | sed 's/^,//; s/,$//'; }

# ---- Golden numbers

if [ -r "$model" ] && [ -r "$golden/stories260K/golden/logits0.f32" ]; then
    try logits "$model" --ids "$(ids "$golden/stories260K/golden/prompt0.i32")" --out "$work/a.f32"
    is "stories260K: exit code" $rc 0
    is "stories260K: output" "$(out)" ""
    has "stories260K: what was written" "$(err)" "5 positions of 512 logits in $work/a.f32"
    check "stories260K: every logit within 1e-4" \
        "$tool" floats "$work/a.f32" "$golden/stories260K/golden/logits0.f32" 1e-4
    try logits "$model" --prompt "Once upon a time" --out -
    check "--prompt and --out -: the same bytes" cmp "$work/out" "$work/a.f32"
    try logits "$model" --prompt "Once upon a time" --threads 1 --ctx 5 --out "$work/b.f32"
    check "one thread, no spare context: the same bytes" cmp "$work/b.f32" "$work/a.f32"
    try logits "$model" --prompt "Once upon a time" --kv-type f16 --out "$work/h.f32"
    check "f16 cache: other bytes" [ "$(cmp -s "$work/h.f32" "$work/a.f32"; echo $?)" = 1 ]
    check "f16 cache: within 0.05" "$tool" floats "$work/h.f32" "$work/a.f32" 0.05
    try logits "$model" --prompt "Once upon a time" --top 3
    is "JSON: positions" "$(json '.positions#')" 5
    is "JSON: vocab" "$(json .vocab)" 512
    is "JSON: top" "$(json '.positions[4].top#')" 3
    is "JSON: the likeliest token is the first greedy one" "$(json '.positions[4].top[0].id')" \
        "$(ids "$golden/stories260K/golden/greedy0.i32" | cut -d, -f1)"
    is "JSON: id" "$(json '.positions[1].id')" 403
    is "JSON: piece" "$(json '.positions[1].piece')" "▁Once"
    refused "more tokens than context" 1 "" logits "$model" --prompt "Once upon a time" --ctx 4
    refused "an id beyond the vocabulary" 1 "512" logits "$model" --ids 1,512
else
    skip "golden logits: no $model"
fi
for name in gguf-llama gguf-llama3-rope; do
    if [ -r "$golden/$name/model.gguf" ]; then
        try logits "$golden/$name/model.gguf" --ids "$(ids "$golden/$name/golden/prompt1.i32")" \
            --out "$work/$name.f32"
        check "$name: 17 positions within 5e-4" \
            "$tool" floats "$work/$name.f32" "$golden/$name/golden/logits1.f32" 5e-4
    else
        skip "golden logits: no $name"
    fi
done

# ---- JSON of the demo

try logits --demo --prompt "Once upon a time"
is "demo: JSON" "$(json '.positions[0].top#')" 5
is "demo: best first, by the numbers" "$(
    for i in 0 1 2 3 4; do json ".positions[1].top[$i].logit"; done | sort -grc 2>&1)" ""
try logits --demo --ids 1 --top 1000000
is "demo: top is at most the vocabulary" "$(json '.positions[0].top#')" "$(json .vocab)"
is "demo: probabilities add up to one" "$(
    grep -o '"logprob":[^}]*' "$work/out" | cut -d: -f2 |
        awk '{ s += exp($1) } END { printf "%.4f", s }')" 1.0000

# ---- The file

echo old >"$work/kept"
refused "a failure" 1 "" logits --demo --ids 1,99999999 --out "$work/kept"
is "a failure leaves the file alone" "$(cat "$work/kept")" old
try logits --demo --ids 1 --out "$work/kept"
is "success replaces it: bytes" "$(wc -c <"$work/kept" | tr -d ' ')" \
    $((4 * $("$realizar" info --demo --json | "$tool" json .vocab_size)))
is "nothing else is left in the folder" "$(find "$work" -name 'kept*' | wc -l | tr -d ' ')" 1
refused "no such folder" 1 "$work/none/x: cannot write" logits --demo --ids 1 --out "$work/none/x"
mkfifo "$work/fifo"
refused "a pipe by name" 1 "exists and is not a plain file" logits --demo --ids 1 --out "$work/fifo"
check "the pipe is still one" [ -p "$work/fifo" ]
refused "a folder" 1 "exists and is not a plain file" logits --demo --ids 1 --out "$work"
if [ -w /dev/full ]; then
    "$realizar" logits --demo --ids 1 --out - >/dev/full 2>"$work/err"
    is "a full disk" $? 1
fi
# Stopped while it computes: the whole file or none, and nothing half-written beside it.
long=$(seq -s, 3 150)
"$realizar" logits --demo --ids "$long" --out "$work/stopped" 2>"$work/err" </dev/null &
pid=$!
wait_for 20 listens realizar
kill -INT $pid 2>/dev/null
wait $pid
rc=$?
pid=
case $rc:$(find "$work" -name 'stopped*' | wc -l | tr -d ' ') in
    0:1 | 130:0) pass ;;
    *) fail "stopped: exit code $rc, files $(find "$work" -name 'stopped*')" ;;
esac

refused "neither ids nor prompt" 2 "give either" logits --demo
refused "both ids and prompt" 2 "give either" logits --demo --ids 1 --prompt x
refused "no ids" 1 "no tokens: nothing to compute" logits --demo --ids ""
refused "ids that are none" 2 "\"x\" is no token id" logits --demo --ids x
refused "an argument too many" 2 "unexpected argument \"1\"" logits --demo 1 --ids 1
finish
