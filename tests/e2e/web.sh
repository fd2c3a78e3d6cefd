#!/bin/sh
# The page at /: what curl sees of it, and a browser that clicks through it where Chromium and npm's
# playwright-core can be had. Pictures are left in build/artefacts.
cd "$(dirname "$0")/../.." || exit 1
. tests/serve.sh
OUT=${OUT:-build/release}
command -v curl >/dev/null || { skip "curl is not installed"; finish; }
# code PATH [CURL ARGUMENTS]
code() {
    where=$1
    shift
    : >"$work/body"
    curl -s -o "$work/body" -D "$work/head" -w '%{http_code}' --max-time 30 "$@" "$url$where"
}

serve --demo
for file in /:text/html /app.css:text/css /app.js:text/javascript; do
    where=${file%%:*}
    is "$where" "$(code "$where")" 200
    has "$where has its type" "$(cat "$work/head")" "Content-Type: ${file#*:}; charset=utf-8"
    has "$where has a policy" "$(cat "$work/head")" "default-src 'none'; script-src 'self'"
    tag=$(sed -n 's/^ETag: //p' "$work/head" | tr -d '\r')
    is "$where is known" "$(code "$where" -H "If-None-Match: \"x\", W/$tag")" 304
    check "$where is not sent again" test ! -s "$work/body"
    check "$where: 304 tells no length" sh -c "! grep -qi '^content-length' '$work/head'"
    is "$where has changed" "$(code "$where" -H 'If-None-Match: "0"')" 200
done
total=$(cat src/server/web/* | wc -c)
check "the page has $total bytes, below 100,000" test "$total" -lt 100000
check "no text of a model meets the HTML parser" sh -c \
    "! grep -nE 'innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(' src/server/web/*"
code / >/dev/null
check "no script or style stands in the page" sh -c \
    "! grep -nE '<style|<script>|style=|[ \"]on[a-z]+=' '$work/body'"
pieces=$(curl -s -H 'Content-Type: application/json' \
    -d '{"text":"a \ud83d\ude00","with_pieces":true}' "$url/tokenize")
has "/tokenize gives pieces" "$pieces" '"pieces":['
stop
serve --demo --no-web
is "--no-web: no page" "$(code /)" 404
is "--no-web: no script" "$(code /app.js)" 404
is "--no-web: all else is there" "$(code /health)" 200
stop
serve --demo --api-key secret
is "the page needs no key" "$(code /)" 200
is "its script neither" "$(code /app.js)" 200
is "but what it asks for does" "$(code /v1/models)" 401
stop

chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -z "$chromium" ]; then
    skip "Chromium is not installed"
    finish
elif ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    skip "node or npm is not installed"
    finish
elif [ ! -d build/npm/node_modules/playwright-core ] &&
    ! npm install --prefix build/npm --no-save --no-audit --no-fund playwright-core@1 \
        >"$work/npm" 2>&1; then
    skip "the npm package playwright-core could not be installed"
    finish
elif [ ! -x "$OUT/make_parrot" ]; then
    skip "$OUT/make_parrot is not built"
    finish
fi
artefacts=build/artefacts
mkdir -p "$artefacts"
browse() {
    CHROMIUM=$chromium timeout 300 node tests/e2e/web.mjs "$url" "$1" "$artefacts" >"$work/out" 2>&1
    cat "$work/out"
    # shellcheck disable=SC2046 # the words of the line are what is wanted
    set -- $(tail -n 1 "$work/out" | grep -xE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped')
    passed=$((passed + ${1:-0})) failed=$((failed + ${3:-1}))
}

serve --demo
browse story
stop
is "SIGTERM ends it with 0" "$rc" 0
"$OUT/make_parrot" "$work/parrot.gguf" '' '# A heading

' 'Some **bold**, *slanted* and `code`, 2 * 3 * 4, snake_case_name.

' '<script>window.hacked=1</script> <img src=x onerror="window.hacked=2">

' '[click](javascript:window.hacked=3) [data](data:text/html,<script>1</script>)

' '[fine](https://example.org/a?b=1&c=2) ![picture](http://elsewhere.example/p.png)' \
    ' https://example.net/x.

' '```html
<script>window.hacked=4</script>
```

' '```c
int main(void) {
    return 42; // done
}
```

' '- one
- two
    - deep

' '| a | b |
|---|--:|
| 1 | <b>2</b> |

' '> A quotation, *in* two
> lines

' 'The end.' || fail "no parrot"
serve --model "$work/parrot.gguf" --api-key secret
browse hostile
stop
is "SIGTERM ends it with 0" "$rc" 0
finish
