#!/bin/sh
# realizar lambda against an emulator of the runtime API, and the package for AWS.
cd "$(dirname "$0")/../.." || exit 1
. tests/serve.sh
command -v node >/dev/null || { skip "node is not installed"; finish; }
case $(node --version) in v1[0-7].*) skip "node is older than 18"; finish ;; esac

env -u AWS_LAMBDA_RUNTIME_API "$BIN/realizar" lambda --demo 2>"$work/err"
is "outside of Lambda: exit code" $? 2
has "outside of Lambda: why" "$(cat "$work/err")" "AWS_LAMBDA_RUNTIME_API is not set"
AWS_LAMBDA_RUNTIME_API=nowhere "$BIN/realizar" lambda --demo 2>"$work/err"
is "an address that is none: exit code" $? 1
has "an address that is none: why" "$(cat "$work/err")" "is no address and port"

timeout 300 node tests/e2e/lambda.mjs "$BIN/realizar" >"$work/out" 2>&1
if plain || grep -q FAILED "$work/out"; then cat "$work/out"; fi
# shellcheck disable=SC2046 # the words of the line are what is wanted
set -- $(tail -n 1 "$work/out" | grep -xE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped')
passed=$((passed + ${1:-0})) failed=$((failed + ${3:-1}))

# The package: a static program named bootstrap, twice the same, that answers where nothing else is.
if [ ! -x build/realizar-static ]; then
    skip "build/realizar-static is not built"
    finish
fi
printf 'a model' >"$work/some.gguf"
if ! sh src/lambda/package.sh build/realizar-static "$work/one.zip" "$work/some.gguf" \
    >"$work/out" 2>&1; then
    skip "$(cat "$work/out")"
    finish
fi
sh src/lambda/package.sh build/realizar-static "$work/two.zip" "$work/some.gguf" >"$work/out"
check "the same files give the same package" cmp -s "$work/one.zip" "$work/two.zip"
if command -v python3 >/dev/null; then
    is "what is in it" "$(python3 -c 'import sys, zipfile
for i in zipfile.ZipFile(sys.argv[1]).infolist(): print(i.filename, oct(i.external_attr >> 16))' \
        "$work/one.zip" | tr '\n' ' ')" "bootstrap 0o100755 some.gguf 0o100644 "
else
    skip "python3 is not installed"
fi
finish
