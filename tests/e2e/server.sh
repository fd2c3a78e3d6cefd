#!/bin/sh
# The server through curl: every route, the errors a client meets, and how it stops.
cd "$(dirname "$0")/../.." || exit 1
. tests/serve.sh
command -v curl >/dev/null || { skip "curl is not installed"; finish; }

get() { curl -s --max-time 30 "$url$1"; }
# code METHOD PATH [CURL ARGUMENTS]
code() {
    method=$1 path=$2
    shift 2
    curl -s -o "$work/body" -w '%{http_code}' --max-time 30 -X "$method" "$@" "$url$path"
}
post() {
    curl -s --max-time 30 -H 'Content-Type: application/json' -d "$2" "$url$1"
}

serve --demo
has "/health" "$(get /health)" '"status":"healthy","version":"'
has "/ready" "$(get /ready)" '{"ready":true,"model_loaded":true,"model_name":"default"}'
has "/models" "$(get /models)" '{"models":[{"id":"default",'
has "/v1/models" "$(get /v1/models)" '{"object":"list","data":[{"id":"default","object":"model",'

tokens=$(post /tokenize '{"text":"Once upon a time"}')
has "/tokenize" "$tokens" '{"token_ids":['
ids=${tokens#*\[} ids=${ids%%\]*}
count=$(echo "$ids" | tr ',' '\n' | wc -l | tr -d ' ')
has "num_tokens is the number of ids" "$tokens" "\"num_tokens\":$count}"
is "/detokenize gives the text back" "$(post /detokenize "{\"token_ids\":[$ids]}")" \
    '{"text":"Once upon a time"}'

text=$(post /generate '{"prompt":"Once upon a time","max_tokens":20}')
has "/generate" "$text" '"text":"Once upon a time'
has "/generate counts" "$text" '"num_generated":20'
is "the same request gives the same answer" \
    "$(post /generate '{"prompt":"Once upon a time","max_tokens":20}')" "$text"
seeded='{"prompt":"Once","max_tokens":20,"strategy":"top_k","seed":7,"temperature":1.2}'
is "the same seed gives the same answer" "$(post /generate "$seeded")" "$(post /generate "$seeded")"

stream=$(curl -sN -H 'Content-Type: application/json' \
    -d '{"prompt":"Once upon a time","max_tokens":5}' "$url/stream/generate")
is "a stream has one event per token" "$(echo "$stream" | grep -c '^event: token$')" 5
has "a stream ends with done" "$stream" 'event: done
data: {"num_generated":5,'
batch=$(post /batch/tokenize '{"texts":["Once upon a time","a",""]}')
has "/batch/tokenize keeps the order" "$batch" "{\"results\":[$tokens,"
one=$(post /generate '{"prompt":"The cat","max_tokens":8}')
two=$(post /generate '{"prompt":"A dog","max_tokens":8}')
is "/batch/generate equals single calls" \
    "$(post /batch/generate '{"prompts":["The cat","A dog"],"max_tokens":8}')" \
    "{\"results\":[$one,$two]}"

is "unknown path" "$(code GET /nothing)" 404
is "wrong method" "$(code DELETE /generate)" 405
is "no content type" "$(code POST /generate -d '{}')" 415
json='Content-Type: application/json'
is "broken JSON" "$(code POST /generate -H "$json" -d '{"prompt"')" 400
is "missing field" "$(code POST /generate -H "$json" -d '{}')" 422
is "empty prompt" "$(code POST /generate -H "$json" -d '{"prompt":""}')" 400
is "its text" "$(cat "$work/body")" '{"error":"Prompt cannot be empty"}'
is "another model" "$(code POST /generate -H "$json" -d '{"prompt":"a","model_id":"x"}')" 404
is "a prompt beyond the context" "$(code POST /generate -H "$json" -d "{\"prompt\":\"$(
    printf '%5000s' '' | tr ' ' x)\"}")" 400
is "a body of 1 GiB" "$(code POST /generate -H "$json" -H 'Content-Length: 1073741824' -d x)" 413
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "[" }' >"$work/deep"
is "100,000 deep" "$(code POST /generate -H "$json" --data-binary "@$work/deep")" 400
head -c 100000 /dev/urandom >"$work/noise"
is "bytes at random" "$(code POST /tokenize -H "$json" --data-binary "@$work/noise")" 400
is "a chunked body" "$(code POST /tokenize -H "$json" -H 'Transfer-Encoding: chunked' \
    -d '{"text":"a"}')" 200
is "HTTP/1.0" "$(code GET /health --http1.0)" 200
is "HEAD" "$(curl -sI "$url/health" | head -n 1 | tr -d '\r')" 'HTTP/1.1 200 OK'

if command -v promtool >/dev/null; then
    get /metrics | promtool check metrics >"$work/lint" 2>&1
    # Names and types that are promised as they are.
    counters='requests_successful|requests_failed|tokens_generated|inference_time_seconds'
    grep -vE -e "^realizar_($counters|uptime_seconds) counter metrics should have .*suffix" \
        -e '^realizar_avg_latency_ms metric names should not contain abbreviated units' \
        "$work/lint" >"$work/other"
    check "promtool objects: $(head -n 3 "$work/other")" test ! -s "$work/other"
else
    skip "promtool is not installed"
fi
check "requests are counted" test "$(metric realizar_requests_total)" -gt 5
check "failures are counted" test "$(metric realizar_requests_failed)" -gt 3
is "nothing runs" "$(metric realizar_requests_running)" 0

"$BIN/realizar" serve --demo --port "$port" >"$work/out" 2>"$work/second"
is "a port in use ends the program" $? 1
has "with its reason" "$(cat "$work/second")" "Address already in use"
check "and nothing on standard output" test ! -s "$work/out"

# A stream is running when the signal comes: it is finished, then the program ends.
curl -sN -H "$json" -d '{"prompt":"Once","max_tokens":180,"ignore_eos":true}' \
    "$url/stream/generate" >"$work/stream" &
reader=$!
for _ in $(seq 200); do
    [ -s "$work/stream" ] && break
    sleep 0.02
done
stop
wait "$reader"
is "SIGTERM ends it with 0" "$rc" 0
has "the running stream was finished" "$(tail -n 3 "$work/stream")" '"num_generated":180'
check "nothing answers any more" sh -c "! curl -s --max-time 2 '$url/health'"
finish
