#!/bin/sh
# Many clients at once: 500 streams (fewer under sanitizers), each with its own prompt, each judged
# by the text its prompt gives alone; clients that leave; more connections than descriptors.
cd "$(dirname "$0")/../.." || exit 1
. tests/serve.sh
command -v node >/dev/null || { skip "node is not installed"; finish; }
case $(node --version) in v1[0-7].*) skip "node is older than 18"; finish ;; esac

# add LINE: the last line of a script here, "N passed, N failed, N skipped".
add() {
    # shellcheck disable=SC2086 # the words of the line are what is wanted
    set -- $1
    passed=$((passed + ${1:-0})) failed=$((failed + ${3:-1})) skipped=$((skipped + ${5:-0}))
}
run() {
    node "$@" >"$work/out" 2>&1
    cat "$work/out"
    add "$(tail -n 1 "$work/out" | grep -xE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped')"
}

n=500
plain || n=60
serve --demo
run tests/e2e/streams.mjs "$url" "$n" "$(plain && echo memory)"
stop
is "SIGTERM ends it with 0" "$rc" 0

# 80 descriptors and 300 clients: the others wait or are refused, nobody spins, all is well after.
descriptors=80
serve --demo
run tests/e2e/crowd.mjs "$url" "$pid" 300
stop
is "SIGTERM ends it with 0" "$rc" 0
finish
