#!/bin/sh
# The words beside the code: links lead somewhere, files that are named exist, and the blocks marked
# "console run", "console serve" and "c run" in README.md and the book do what they show. In their
# outputs "..." stands for text that differs from machine to machine.
cd "$(dirname "$0")/.." || exit 1
BIN=${BIN:-build} CC=${CC:-cc}
work=$(mktemp -d "${TMPDIR:-/tmp}/realizar-book.XXXXXX") || exit 1
server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT
passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); }
bad() {
    failed=$((failed + 1))
    echo "FAILED $*"
}
skip() {
    skipped=$((skipped + 1))
    echo "skipped $*"
}
pages="README.md CONTRIBUTING.md $(find book/src bench examples -name '*.md' | sort)"

# ---- Links and file names

for page in $pages; do
    folder=$(dirname "$page")
    # Code blocks have brackets of their own.
    awk '/^```/ { code = !code; next } !code' "$page" >"$work/text"
    lost=
    for link in $(grep -oE '\]\([^)#]+[)#]' "$work/text" | sed 's/^](//; s/[)#]$//'); do
        case $link in http://* | https://*) continue ;; esac
        [ -e "$folder/$link" ] || lost="$lost $link"
    done
    for name in $(grep -oE '`[^` ]+`' "$work/text" | tr -d '`' |
        grep -E '^(src|tests|include|examples|bench|book|models)/[A-Za-z0-9_./-]+$'); do
        [ -e "$name" ] || lost="$lost $name"
    done
    if [ -z "$lost" ]; then ok; else bad "$page: leads nowhere:$lost"; fi
done

for page in book/src/*.md; do
    name=$(basename "$page")
    [ "$name" = SUMMARY.md ] && continue
    if grep -q "($name)" book/src/SUMMARY.md; then ok; else bad "$page: not in SUMMARY.md"; fi
done

# ---- Every row of the lists is in the book

# listed LIST PAGE SED-PROGRAM: each name the program finds in LIST stands in PAGE.
listed() {
    lost=
    for name in $(sed -nE "$3" "$1"); do
        grep -qF -e "$name" "$2" || lost="$lost $name"
    done
    if [ -n "$(sed -nE "$3" "$1")" ] && [ -z "$lost" ]; then ok; else
        bad "$2: rows of $1 that are missing:$lost"
    fi
}
listed src/server/route_list.h book/src/http-api.md 's/^ *X\([A-Z]+, "([^"*]*).*/\1/p'
listed src/cli/cmd_list.h book/src/command-line.md 's/^ *X\("[A-Za-z]+", *([a-z]+).*/`\1`/p'
tr ' ' '\n' <src/model/arch_list.h >"$work/arch_list.h"
listed "$work/arch_list.h" book/src/model-files.md 's/^X\(([a-z][a-z0-9]*)\).*/\1/p'
listed "$work/arch_list.h" README.md 's/^X\(([a-z][a-z0-9]*)\).*/\1/p'

# ---- Blocks

blocks=0
for page in $pages; do
    blocks=$((blocks + 1))
    mkdir "$work/$blocks"
    awk -v dir="$work/$blocks" -f tests/book.awk "$page"
done

start_server() {
    : >"$work/server"
    "$BIN/realizar" serve --demo --port 0 --model-id demo >"$work/server" 2>&1 </dev/null &
    server=$!
    tries=0
    until grep -q 'http://' "$work/server" || [ $tries = 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    port=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$work/server" | head -n 1 | sed 's/.*://')
}

# The text says build/realizar, port 8080 and ../shared; run what is meant.
PATH=$PWD/$BIN:$PATH
here() {
    sed "s|build/realizar|$BIN/realizar|g; s|127.0.0.1:8080|127.0.0.1:${port:-8080}|g; \
        s|\.\./shared|$shared|g" "$1"
}

# show COMMAND-FILE: what a terminal would show, the answer on lines of its own.
show() {
    timeout 120 sh "$1" >"$work/out" 2>"$work/err" </dev/null
    cat "$work/out"
    [ -z "$(tail -c 1 "$work/out")" ] || echo
    cat "$work/err"
}

shared=${REALIZAR_SHARED:-../shared}
port=
for cmd in "$work"/*/*.cmd; do
    [ -f "$cmd" ] || continue
    block=${cmd%.cmd}
    at=$(cat "$block.at")
    if grep -q '\.\./shared' "$cmd" && [ ! -d "$shared" ]; then
        skip "$at: no shared data"
        continue
    fi
    if [ -f "$block.serve" ]; then
        if ! command -v curl >/dev/null 2>&1; then
            skip "$at: no curl"
            continue
        fi
        [ -n "$server" ] || start_server
    fi
    here "$cmd" >"$work/cmd"
    show "$work/cmd" | sed 's/[ \t\r]*$//' >"$work/got"
    if awk -v want="$block.want" -v got="$work/got" -f tests/book.awk /dev/null; then ok; else
        bad "$at: $(cat "$cmd")"
        diff "$block.want" "$work/got" | sed 's/^/  /' | head -n 40
    fi
done

for source in "$work"/*/*.c; do
    [ -f "$source" ] || continue
    at=$(cat "${source%.c}.at")
    # shellcheck disable=SC2086 # the compiler may be two words, "ccache cc"
    if $CC -std=c11 -Wall -Wextra -Werror -Iinclude "$source" "$BIN/librealizar.a" \
        -o "$work/program" -pthread -lm >"$work/log" 2>&1 &&
        "$work/program" >"$work/out" 2>"$work/log" </dev/null && [ -s "$work/out" ]; then
        ok
    else
        bad "$at: $(cat "$work/log")"
    fi
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
