#!/bin/sh
# Other people's clients against a model that always says the same, so that calls of tools can be
# looked at. The packages are installed by name into build/npm where npm reaches a registry.
cd "$(dirname "$0")/../.." || exit 1
. tests/serve.sh
OUT=${OUT:-build/release}
[ -x "$OUT/make_parrot" ] || { skip "$OUT/make_parrot is not built"; finish; }
if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    skip "node or npm is not installed"
    finish
fi

# What a Hermes template says of tools, in short.
template='{%- for t in tools or [] %}<tools>{{ t | tojson }}</tools>{% endfor %}
{%- for m in messages %}[{{ m.role }}]{{ m.content }}
{%- for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}
{%- endfor %}[assistant]'
"$OUT/make_parrot" "$work/parrot.gguf" "$template" 'Let me see.' '
<tool_call>
{"name": "weather", ' '"arguments": {"city": "Paris"}}' '
</tool_call>' '
<tool_call>{"name": "clock", "arguments": {}}</tool_call>' || fail "no parrot"
serve --model "$work/parrot.gguf"

# client SCRIPT PACKAGE@VERSION
client() {
    package=${2%@*}
    if [ ! -d "build/npm/node_modules/$package" ] &&
        ! npm install --prefix build/npm --no-save --no-audit --no-fund "$2" >"$work/npm" 2>&1; then
        skip "the npm package $package could not be installed"
        return
    fi
    NODE_PATH=$PWD/build/npm/node_modules node "tests/e2e/$1" "$url" >"$work/out" 2>&1
    cat "$work/out"
    # shellcheck disable=SC2046 # the words of the line are what is wanted
    set -- $(tail -n 1 "$work/out" | grep -xE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped')
    passed=$((passed + ${1:-0})) failed=$((failed + ${3:-1}))
}

client tools_openai.mjs openai@6
client tools_ollama.mjs ollama@0.6
client tools_anthropic.mjs @anthropic-ai/sdk@0
stop
is "SIGTERM ends it with 0" "$rc" 0
finish
