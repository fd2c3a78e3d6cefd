#!/bin/sh
# realizar run and generate: where the prompt comes from, what goes to which stream, choosing
# tokens, being stopped.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc
story='Once upon a time'
speed='^prompt: [0-9]* tokens, .* tokens/s; answer: [0-9]* tokens'

# ---- Types of the cache

for kv in f16 bf16 q8_0 q4_0; do
    try run --demo "$story" -t 0 -n 30 --quiet --kv-type $kv --threads 1
    is "cache $kv: exit code" $rc 0
    one=$(out)
    try run --demo "$story" -t 0 -n 30 --quiet --cache-type-k $kv --cache-type-v $kv --threads 2
    is "cache $kv: llama.cpp's names, two threads" "$(out)" "$one"
done
try run --demo "$story" --cache-type-k q8_0 --cache-type-v f16
is "keys and values differ: exit code" $rc 1
has "keys and values differ" "$(err)" "--cache-type-v: keys and values are kept alike"
refused "a type there is none of" 2 "--kv-type" run --demo "$story" --kv-type q9_9

# ---- The golden text

model=$shared/models/stories260K-f32.gguf golden=$shared/golden/models/stories260K/golden/text.txt
if [ -r "$model" ] && [ -r "$golden" ]; then
    try run "$model" "$story" --temperature 0 --max-tokens 200 --echo
    is "stories260K: exit code" $rc 0
    check "stories260K: prompt and 200 greedy tokens" cmp "$work/out" "$golden"
    try run "$model" "$story" --temperature 0 --max-tokens 200
    check "stories260K: the answer alone" [ "$story$(out)" = "$(cat "$golden")" ]
    try generate --model "$model" --prompt "$story" --temperature 0 --max-tokens 200 --cpu -e
    check "stories260K: generate" cmp "$work/out" "$golden"
    for kv in f32 auto; do
        try run "$model" "$story" -t0 -n200 -e --kv-type $kv --threads 1 --ctx 205
        check "stories260K: cache $kv, one thread, no spare context" cmp "$work/out" "$golden"
    done
    try run "$model" "$story" -t 0 -n 200 --ctx 100
    has "a full context ends the answer" "$(err)" "context full"
    try run "$model" "$story" --ctx 5
    is "a prompt that fills the context: exit code" $rc 1
    has "a prompt that fills the context" "$(err)" "the prompt has 5 tokens"
    try run "$model" "$story" --ctx 513
    is "a context beyond the model's: exit code" $rc 1
    try generate --model "$model" --prompt x --vocab cl100k_base
    is "--vocab of another tokenizer: exit code" $rc 1
    has "--vocab of another tokenizer" "$(err)" "brings its own tokenizer (SentencePiece BPE)"
    is "--vocab of another tokenizer: output" "$(out)" ""
else
    skip "golden text: no $model"
fi

# ---- Streams

try run --demo "$story" -t 0 -n 20
is "exit code" $rc 0
is "lines on standard error" "$(err_lines)" 1
check "the line about speed" grep -q "$speed" "$work/err"
has "why it ended" "$(err)" "answer: 20 tokens, "
has "why it ended" "$(err)" "; --max-tokens reached"
cp "$work/out" "$work/answer"
check "an answer" [ -s "$work/answer" ]
check "no line end is added" [ "$(tail -c 1 "$work/answer")" != "" ]
for option in -q --quiet --no-summary; do
    try run --demo "$story" -t 0 -n 20 $option
    is "$option: standard error" "$(err)" ""
    check "$option: answer" cmp "$work/out" "$work/answer"
done
if "$tool" pty true 2>/dev/null; then
    on_terminal=$("$tool" pty "$realizar" run --demo "$story" -t 0 -n 20 | tr -d '\r')
    is "on a terminal the answer ends its line" "$(echo "$on_terminal" | sed '$d')" \
        "$(cat "$work/answer")"
    check "on a terminal the line about speed is the last" \
        [ "$(echo "$on_terminal" | tail -n 1 | grep -c "$speed")" = 1 ]
    try_terminal() { "$tool" pty "$realizar" "$@" | tr -d '\r'; }
    has "a terminal is not asked for a prompt" "$(try_terminal run --demo)" \
        "realizar run: no prompt: give it as an argument, with --file, or through standard input"
else
    skip "terminals: none to be had"
fi

# ---- Where the prompt comes from

printf '%s' "$story" >"$work/prompt"
echo "$story" >"$work/prompt-line"
printf '%s\r\n' "$story" >"$work/prompt-crlf"
for file in prompt prompt-line prompt-crlf; do
    try run --demo -t 0 -n 20 -f "$work/$file"
    check "--file $file" cmp "$work/out" "$work/answer"
    input=$work/$file try run --demo -t 0 -n 20
    check "standard input $file" cmp "$work/out" "$work/answer"
done
unset input
for words in "-" "--file -" "--file=-" "--prompt -"; do
    # shellcheck disable=SC2086
    "$realizar" run --demo -t 0 -n 20 $words <"$work/prompt-line" >"$work/out" 2>"$work/err"
    check "$words is standard input" cmp "$work/out" "$work/answer"
done
mkfifo "$work/pipe"
(cat "$work/prompt" >"$work/pipe") &
try run --demo -t 0 -n 20 --file "$work/pipe"
check "--file of a pipe" cmp "$work/out" "$work/answer"
try run -t0 --demo -n20 -- "$story"
check "options in front, letters joined" cmp "$work/out" "$work/answer"
try run --demo "" -n 5
is "an empty prompt begins a text of its own" $rc 0
try run --demo -n 5 -- "--dashes"
is "a prompt that begins with dashes" $rc 0

refused "two prompts" 2 "two prompts" run --demo "$story" --file "$work/prompt"
refused "two prompts" 2 "two prompts" run --demo "$story" --prompt b
refused "words without quotes" 2 "unexpected argument \"upon\"; quote" run --demo Once upon
refused "no model" 2 "no model: give a GGUF file, or --demo" run
refused "two models" 2 "two models" run --demo --model a.gguf x
refused "no such prompt file" 1 "$work/none: No such file or directory" run --demo -f "$work/none"
refused "no such model" 1 "$work/none.gguf" run "$work/none.gguf" x
refused "a folder as model" 1 "$work" run "$work" x
refused "a model that is none" 1 "$work/prompt: " run "$work/prompt" x
refused "a bias that is none" 2 "--logit-bias is \"5\", expected ID=ADD" run --demo x --logit-bias 5
refused "a bias for no token" 1 "--logit-bias: token 99999 is not in a vocabulary of" \
    run --demo x --logit-bias 99999=1
refused "two shapes" 2 "--regex and --json: only one of them can hold" \
    run --demo x --regex a --json
refused "a grammar that is none" 1 "--grammar-text: grammar: line 1, column 10: the class is not" \
    run --demo x --grammar-text 'root ::= [a'
refused "a schema that is not known" 1 "--json-schema-text: JSON schema: keyword \"not\" is not" \
    run --demo x --json-schema-text '{"not":{}}'
refused "an empty stop" 2 "--stop is \"\", expected some text" run --demo x --stop ""

# ---- Choosing tokens

try run --demo "$story" -n 40 --seed 7
cp "$work/out" "$work/seven"
try run --demo "$story" -n 40 --seed 7 --threads 2
check "the same seed, the same text" cmp "$work/out" "$work/seven"
try run --demo "$story" -n 40 --seed 8
check "another seed, another text" [ "$(out)" != "$(cat "$work/seven")" ]
try run --demo "$story" -n 40 -t 1.5 --top-k 1
check "--top-k 1 is greedy" [ "$(head -c 40 "$work/out")" = "$(head -c 40 "$work/answer")" ]
printf 'root ::= "<" [0-9]{3} ">"\n' >"$work/shape.gbnf"
try run --demo "$story" -t 1 --seed 3 --grammar "$work/shape.gbnf"
is "--grammar: the answer fits" "$(out | grep -cE '^<[0-9]{3}>$')" 1
has "--grammar: it ends with the grammar" "$(err)" "; end of text"
try run --demo "$story" -t 1 --seed 3 --regex 'a{30}' -n 4
has "--regex: --max-tokens cuts it" "$(err)" "; --max-tokens reached"
try run --demo "$story" -t 0 --json-schema-text '{"type":"array","items":{"type":"boolean"},
    "minItems":2,"maxItems":2}'
is "--json-schema-text: the answer fits" \
    "$(out | grep -cE '^\[ *(true|false), *(true|false) *\]$')" 1
try run --demo "$story" -t 0 -n 20 --stop "$(tail -c 8 "$work/answer")"
has "--stop ends the answer in front of it" "$(err)" "; end of text"
is "--stop: the text is not part of it" "$(out)$(tail -c 8 "$work/answer")" "$(cat "$work/answer")"
first=$("$realizar" logits --demo --prompt "$story" --top 2 | "$tool" json '.positions#')
top=$("$realizar" logits --demo --prompt "$story" --top 2 |
    "$tool" json ".positions[$((first - 1))].top[0].id")
try run --demo "$story" -t 0 -n 20 --logit-bias "$top=-inf"
check "--logit-bias -inf forbids the likeliest token" [ "$(out)" != "$(cat "$work/answer")" ]
try run --demo "$story" -t 0 -n 20 --logit-bias "$top=0"
check "--logit-bias 0 changes nothing" cmp "$work/out" "$work/answer"
try run --demo "$story" -t 0 -n 100 --repeat-penalty 1.5 --presence-penalty 1 \
    --frequency-penalty 1 --repeat-last-n -1 --min-p 0.1 --top-p 0.5 --ignore-eos
is "every other option at once" $rc 0

# ---- Being stopped

# Its reader does not read: the pipe is full before the answer begins.
for signal in INT TERM HUP; do
    mkfifo "$work/full-$signal"
    exec 3<>"$work/full-$signal"
    dd if=/dev/zero bs=4096 count=16 >&3 2>/dev/null
    "$realizar" run --demo "$story" --ignore-eos >&3 2>"$work/err" </dev/null 3>&- &
    pid=$!
    check "SIG$signal: handlers" wait_for 20 listens realizar
    kill -$signal $pid
    wait $pid
    rc=$?
    pid=
    exec 3>&-
    case $signal:$rc in
        INT:130 | TERM:143 | HUP:129) pass ;;
        *) fail "SIG$signal: exit code $rc" ;;
    esac
    is "SIG$signal: one line" "$(err_lines)" 1
    [ "$(err_lines)" = 1 ] || cat "$work/err"
    has "SIG$signal: the line about speed" "$(err)" "; stopped"
done

# It waits for the rest of its prompt.
mkfifo "$work/slow"
exec 3<>"$work/slow"
"$realizar" run --demo <&3 >"$work/out" 2>"$work/err" 3>&- &
pid=$!
check "reading the prompt: handlers" wait_for 20 listens realizar
kill -INT $pid
wait $pid
is "SIGINT while it reads the prompt" $? 130
pid=
exec 3>&-
is "SIGINT while it reads the prompt: messages" "$(err)" ""

# The reader goes away: no message, and quickly.
{
    "$realizar" run --demo "$story" -n 150 --ignore-eos -t 0 2>"$work/err" </dev/null
    echo $? >"$work/rc"
} | head -c 1 >/dev/null
wait_for 10 test -s "$work/rc"
case $(cat "$work/rc") in
    141 | 0) pass ;; # 0: everything fitted into the pipe
    *) fail "closed output: exit code $(cat "$work/rc")" ;;
esac
check "closed output: not a word about it" [ "$(grep -vc "$speed" "$work/err")" = 0 ]
# The same where the signal is ignored, as under many supervisors.
(
    trap '' PIPE
    "$realizar" run --demo "$story" -n 150 --ignore-eos -t 0 2>"$work/err" </dev/null
    echo $? >"$work/rc"
) | true
wait_for 10 test -s "$work/rc"
is "closed output, signal ignored: exit code" "$(cat "$work/rc")" 1
has "closed output, signal ignored" "$(err)" "cannot write standard output: Broken pipe"
finish
