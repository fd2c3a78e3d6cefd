#!/bin/sh
# The OpenAI endpoints: by curl, and by OpenAI's own client for JavaScript, installed by name into
# build/npm where npm reaches a registry.
cd "$(dirname "$0")/../.." || exit 1
. tests/serve.sh
command -v curl >/dev/null || { skip "curl is not installed"; finish; }

post() { curl -s --max-time 30 -H 'Content-Type: application/json' -d "$2" "$url$1"; }
# code PATH JSON
code() {
    curl -s -o "$work/body" -w '%{http_code}' --max-time 30 -H 'Content-Type: application/json' \
        -d "$2" "$url$1"
}
chat='"messages":[{"role":"user","content":"Tell me a story."}]'

serve --demo
one=$(post /v1/completions '{"prompt":"Once upon a time","max_tokens":8,"temperature":0}')
has "an object" "$one" '"object":"text_completion"'
has "a finish reason" "$one" '"finish_reason":"length"'
has "usage" "$one" '"completion_tokens":8,'
native=$(post /generate '{"prompt":"Once upon a time","max_tokens":8}')
text=${native#*'"generated_text":'} text=${text%%,*}
has "the greedy text is that of /generate" "$one" "\"text\":$text"
has "echo begins with the prompt" \
    "$(post /v1/completions '{"prompt":"Once upon","max_tokens":3,"temperature":0,"echo":true}')" \
    '"text":"Once upon'
two=$(post /v1/completions '{"prompt":["Once","The dog"],"max_tokens":3,"n":2,"seed":5}')
has "two prompts, two answers each" "$two" '"index":3,'
is "a seed repeats" "$(post /v1/completions '{"prompt":"Once","max_tokens":9,"seed":5}' |
    sed 's/.*"choices"//')" "$(post /v1/completions '{"prompt":"Once","max_tokens":9,"seed":5}' |
    sed 's/.*"choices"//')"

answer=$(post /v1/chat/completions "{$chat,\"max_tokens\":5,\"temperature\":0}")
has "a chat answers with a message" "$answer" '"message":{"role":"assistant","content":"'
prompt=$(post /apply-template "{$chat}")
is "the template of a model without one" "$prompt" \
    '{"prompt":"<|user|>\nTell me a story.\n<|assistant|>\n"}'
is "chat_template_kwargs reach the template" \
    "$(post /apply-template "{$chat,\"chat_template_kwargs\":{\"add_generation_prompt\":false}}")" \
    '{"prompt":"<|user|>\nTell me a story.\n"}'
parts='[{"type":"text","text":"a"},{"type":"text","text":"b"}]'
is "parts of text are joined" \
    "$(post /apply-template "{\"messages\":[{\"role\":\"user\",\"content\":$parts}]}")" \
    '{"prompt":"<|user|>\na\nb\n<|assistant|>\n"}'

stream=$(post /v1/chat/completions \
    "{$chat,\"max_tokens\":4,\"stream\":true,\"stream_options\":{\"include_usage\":true}}")
has "the first chunk says who speaks" "$stream" '"delta":{"role":"assistant","content":""}'
has "a chunk ends it" "$stream" '"delta":{},"logprobs":null,"finish_reason":"length"'
has "usage comes when asked for" "$stream" '"choices":[],"usage":{"prompt_tokens":'
has "the end" "$stream" 'data: [DONE]'

# What cannot be honoured is refused in the dialect's own shape.
is "no messages" "$(code /v1/chat/completions '{"model":"x"}')" 400
has "... in words" "$(cat "$work/body")" \
    '{"error":{"message":"missing field `messages`","type":"invalid_request_error","param":null'
is "an empty list" "$(code /v1/chat/completions '{"messages":[]}')" 400
is "a number as content" "$(code /v1/chat/completions \
    '{"messages":[{"role":"user","content":5}]}')" 400
is "no prompt" "$(code /v1/completions '{}')" 400
is "an empty prompt" "$(code /v1/completions '{"prompt":""}')" 400
is "an empty list of prompts" "$(code /v1/completions '{"prompt":[]}')" 400
is "ids out of range" "$(code /v1/completions '{"prompt":[1,99999999]}')" 400
is "mixed prompts" "$(code /v1/completions '{"prompt":["a",1]}')" 400
is "too many answers" "$(code /v1/completions '{"prompt":"a","n":65}')" 400
is "a tool without a name" \
    "$(code /v1/chat/completions "{$chat,\"tools\":[{\"type\":\"function\"}]}")" 400
shape() { code /v1/completions "{\"prompt\":\"a\",\"max_tokens\":4,$1}"; }
is "a schema" "$(shape '"response_format":{"type":"json_schema","json_schema":{"schema":{}}}')" 200
is "a format without its schema" "$(shape '"response_format":{"type":"json_schema"}')" 400
is "a format nobody knows" "$(shape '"response_format":{"type":"yaml"}')" 400
is "a keyword that is not supported" "$(shape '"json_schema":{"not":{}}')" 400
is "a grammar with a mistake" "$(shape '"grammar":"root ::= [a"')" 400
is "two shapes" "$(shape '"grammar":"root ::= [a]","json_schema":{}')" 400
is "a shape beside a format" "$(shape '"regex":"a","response_format":{"type":"json_object"}')" 400
is "a grammar" "$(post /v1/completions '{"prompt":"a","grammar":"root ::= \"<\" [a]{3} \">\""}' |
    sed 's/.*"text":"//; s/".*//')" "<aaa>"
is "a regular expression" "$(post /generate '{"prompt":"a","regex":"b{3}"}' |
    sed 's/.*"generated_text":"//; s/".*//')" bbb
is "more log probabilities than are told" \
    "$(code /v1/completions '{"prompt":"a","logprobs":21}')" 400
is "a temperature below zero" "$(code /v1/completions '{"prompt":"a","temperature":-1}')" 400
is "max_tokens 0 makes nothing" "$(post /v1/completions '{"prompt":"Once","max_tokens":0}' |
    sed 's/.*"choices":\[{"index":0,//; s/,.*//')" '"text":""'

if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    skip "node or npm is not installed"
elif [ ! -d build/npm/node_modules/openai ] &&
    ! npm install --prefix build/npm --no-save --no-audit --no-fund openai@6 >"$work/npm" 2>&1; then
    skip "the npm package openai could not be installed: $(tail -n 1 "$work/npm" | cut -c1-80)"
else
    OPENAI_PACKAGE=$PWD/build/npm/node_modules/openai/index.mjs \
        node tests/e2e/openai.mjs "$url" >"$work/out" 2>&1
    cat "$work/out"
    # shellcheck disable=SC2046 # the words of the line are what is wanted
    set -- $(tail -n 1 "$work/out" | grep -xE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped')
    passed=$((passed + ${1:-0})) failed=$((failed + ${3:-1}))
fi
stop
is "SIGTERM ends it with 0" "$rc" 0
finish
