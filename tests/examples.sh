#!/bin/sh
# Runs every built example on the embedded model and, where the shared data is, on a real one.
cd "$(dirname "$0")/.." || exit 1
OUT=${OUT:-build/release} BIN=${BIN:-build} RUN=${RUN:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/realizar-examples.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

ok() { passed=$((passed + 1)); }
bad() {
    failed=$((failed + 1))
    echo "FAILED $*"
}

# example NAME PATTERN [ARGUMENT ...]: ends with 0, prints a line matching PATTERN, complains not.
example() {
    name=$1 pattern=$2
    shift 2
    # shellcheck disable=SC2086 # RUN is a command with arguments
    if ! $RUN "$BIN/examples/$name" "$@" >"$work/out" 2>"$work/err" </dev/null; then
        bad "$name: exit code $?: $(cat "$work/err")"
    elif [ -s "$work/err" ]; then
        bad "$name: wrote to standard error: $(cat "$work/err")"
    elif ! grep -qE "$pattern" "$work/out"; then
        bad "$name: no line like '$pattern' in: $(cat "$work/out")"
    else
        ok
    fi
}

on_model() {
    example 01_generate '^Once upon a time..+' "$@"
    example 01_generate '^\[[0-9]+ tokens in, [0-9]+ out\]$' "$@"
    example 02_session '^Once upon a time there was a..+' "$@"
    example 03_engine '^The little dog..+' "$@"
    example 04_tokenize '^back: "The cat sat\. Olé!"$' "$@"
}

on_model
model=${REALIZAR_SHARED:-../shared}/models/stories260K-f32.gguf
if [ -f "$model" ]; then
    on_model "$model"
else
    echo "skipped examples on stories260K: no shared data"
    skipped=$((skipped + 5))
fi

# A classic model needs no language model: fitted to a table, from memory and through a file.
example 06_predict '^RandomForest of 4 features: (27|28|29|30) of 30 right$'
example 06_predict '^RandomForest of 13 features: 3[3-6] of 36 right$' models/data/wine.csv \
    cultivar "$work/wine.apr"
if [ -s "$work/wine.apr" ]; then ok; else bad "06_predict: wrote no file"; fi

# The same program twice gives the same text: greedy, and seeded.
for name in 01_generate 02_session 03_engine; do
    # shellcheck disable=SC2086
    $RUN "$BIN/examples/$name" >"$work/a" 2>&1 </dev/null
    # shellcheck disable=SC2086
    $RUN "$BIN/examples/$name" >"$work/b" 2>&1 </dev/null
    if [ -s "$work/a" ] && cmp -s "$work/a" "$work/b"; then ok; else
        bad "$name: two runs differ"
    fi
done

# A file that is no model: one sentence and exit code 1.
echo 'not a model' >"$work/bad.gguf"
for name in 01_generate 02_session 03_engine 04_tokenize; do
    # shellcheck disable=SC2086
    $RUN "$BIN/examples/$name" "$work/bad.gguf" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    if [ $status = 1 ] && [ "$(grep -c '' "$work/err")" = 1 ] && [ ! -s "$work/out" ]; then ok; else
        bad "$name: bad file: status $status, $(cat "$work/out" "$work/err")"
    fi
done

# The tokenizer from Python: a library of this machine's processor, and no sanitizer under it.
if ! command -v python3 >/dev/null 2>&1 || [ -n "$RUN" ] || [ "$BIN" != build ]; then
    echo "skipped realizar_tokenizer.py: no python3, or another variant's library"
    skipped=$((skipped + 1))
else
    vocabs=${REALIZAR_SHARED:-../shared}/vocabs
    [ -r "$vocabs/cl100k_base.tiktoken" ] || vocabs=
    if PYTHONDONTWRITEBYTECODE=1 REALIZAR_LIB=$BIN/librealizar.so python3 tests/ffi.py \
        models/demo.gguf ${vocabs:+"$vocabs"} >"$work/out" 2>&1; then ok; else
        bad "realizar_tokenizer.py: $(cat "$work/out")"
    fi
fi

# The server in a program: answers, then SIGTERM ends it with 0.
if ! command -v curl >/dev/null 2>&1; then
    echo "skipped 05_embed_server: no curl"
    skipped=$((skipped + 1))
elif [ -n "$RUN" ]; then
    echo "skipped 05_embed_server: cross build"
    skipped=$((skipped + 1))
else
    "$BIN/examples/05_embed_server" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    tries=0
    until grep -q '^listening' "$work/out" || [ $tries = 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    url=$(sed -n 's/^listening on //p' "$work/out")
    answer=$(curl -sS -m 20 "$url/generate" -H 'Content-Type: application/json' \
        -d '{"prompt":"Once upon a time","max_tokens":8}' 2>&1)
    kill -TERM $pid
    wait $pid
    status=$?
    case $status:$answer in
        0:*'"text"'*) ok ;;
        *) bad "05_embed_server: status $status, answer: $answer, $(cat "$work/err")" ;;
    esac
fi

for f in examples/*.c; do
    if [ "$(grep -c '' "$f")" -le 60 ]; then ok; else bad "$f: over 60 lines"; fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
