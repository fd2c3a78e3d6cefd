#!/bin/sh
# The gates of the style. Every rule is one counted check; findings are printed under it.
#
#   sh tests/lint.sh          seconds, needs only sh and awk: part of `make test`
#   sh tests/lint.sh --full   also clang-format, clang-tidy and cppcheck: `make lint`
#
# Rules on C files are in lint.awk; layers (who may include whom) in layers.sh.
cd "$(dirname "$0")/.." || exit 1
full=0
case ${1:-} in --full) full=1 ;; esac
# Bytes, not characters: the same result under every locale.
export LC_ALL=C
work=$(mktemp -d "${TMPDIR:-/tmp}/realizar-lint.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

# gate NAME FILE: FILE holds the findings of rule NAME.
gate() {
    if [ -s "$2" ]; then
        failed=$((failed + 1))
        echo "FAILED $1"
        sed 's/^/  /' "$2"
    else
        passed=$((passed + 1))
    fi
}

skip() {
    skipped=$((skipped + 1))
    echo "skipped $1: $2"
}

c_files=$(find src include tests examples -name '*.[ch]' -o -path 'src/*.inc' | sort)
scripts="bootstrap .ci/run $(find tests bench -name '*.sh' -o -path 'tests/*.inc' | sort)"

# ---- C files, one by one

# shellcheck disable=SC2086 # file names of this tree have no spaces
awk -v stats=1 -f tests/lint.awk $c_files >"$work/findings" 2>&1
awk_status=$?
grep -v '^length ' "$work/findings" >"$work/lines"
for rule in opening file-length function-length line-length parameters tab trailing-space braces \
    unfinished dead-code type-name environment banned-call unsafe-call; do
    grep -E "^[^:]+:[0-9]+: $rule: " "$work/lines" >"$work/one"
    gate "$rule" "$work/one"
done
# Anything else is the tool failing.
grep -vE '^[^:]+:[0-9]+: [a-z-]+: ' "$work/lines" >"$work/one"
[ "$awk_status" = 0 ] || echo "awk: exit code $awk_status" >>"$work/one"
gate "lint.awk runs" "$work/one"

# ---- Function lengths of the whole tree

grep '^length ' "$work/findings" | awk '
    { n[NR] = $2; c[NR] = $3; total += $3 }
    function at(share,    i, sum) {
        for (i = 1; i <= NR; i++) { sum += c[i]; if (sum >= share * total) return n[i] }
    }
    END { print total, at(0.5), at(0.9), n[NR] }' >"$work/stats"
read -r functions median p90 longest <"$work/stats"
echo "functions: $functions, median $median lines, 90% within $p90, longest $longest"
: >"$work/one"
[ "${functions:-0}" -gt 50 ] || echo "only ${functions:-no} functions found" >>"$work/one"
[ "${median:-99}" -le 15 ] || echo "median function is $median lines, at most 15" >>"$work/one"
[ "${p90:-99}" -le 40 ] || echo "90% of functions are within $p90 lines, at most 40" >>"$work/one"
gate "function lengths of the tree" "$work/one"

# ---- Headers and names

: >"$work/one"
for f in $(find src include tests -name '*.h'); do
    grep -q '^#ifndef [A-Z_0-9]*_H$' "$f" && continue
    # Lists of rows are included by whoever defines what a row becomes.
    case $f in *_list.h) continue ;; esac
    echo "$f: no include guard" >>"$work/one"
done
gate "include guards" "$work/one"

find src -name '*.c' | sed 's/.*\///' | sort | uniq -d >"$work/one"
gate "file names are unique in the tree" "$work/one"

: >"$work/one"
for f in tests/test_*.c; do
    suite=$(basename "$f" .c)
    grep -q "X(${suite#test_})" tests/suite_list.h && continue
    echo "$f: no row in suite_list.h" >>"$work/one"
done
gate "every suite has its row" "$work/one"

: >"$work/one"
for f in tests/fuzz/fuzz_*.c; do
    [ -f "$f" ] || continue
    target=$(basename "$f" .c)
    case $target in fuzz_replay) continue ;; esac
    [ -n "$(ls "tests/fuzz/corpus/${target#fuzz_}" 2>/dev/null)" ] ||
        echo "$f: no seeds in tests/fuzz/corpus/${target#fuzz_}" >>"$work/one"
done
gate "every fuzz target has seeds" "$work/one"

# ---- Scripts and text

: >"$work/one"
for f in $scripts; do
    case $(head -n 1 "$f") in
        *bash) command -v bash >/dev/null 2>&1 && bash -n "$f" 2>>"$work/one" ;;
        '#!/bin/sh' | '#'*) sh -n "$f" 2>>"$work/one" ;;
        *) echo "$f: does not say which shell runs it" >>"$work/one" ;;
    esac
    sed -n 1,2p "$f" | grep -q '^# ' || echo "$f: no opening comment" >>"$work/one"
    grep -n "$(printf '\t')" "$f" | sed "s|^|$f:|; s|\$|: tab|" >>"$work/one"
    awk 'length($0) > 100 { print FILENAME ":" FNR ": over 100 columns" }' "$f" >>"$work/one"
done
gate "scripts" "$work/one"

# Paths of one machine have no place in the tree.
grep -rnIE '(^|[^A-Za-z0-9_.])/(home|root|work)/[a-z]' Makefile README.md CONTRIBUTING.md \
    Dockerfile bootstrap .ci src include tests bench examples book >"$work/one"
gate "no path of one machine" "$work/one"

# ---- Tools that are not everywhere

# Formatting differs between releases; the tree is formatted by 14.
clang_format() {
    for tool in clang-format-14 clang-format; do
        command -v $tool >/dev/null 2>&1 || continue
        $tool --version | grep -q 'version 14\.' && echo $tool && return
    done
}

full_format() {
    tool=$(clang_format)
    if [ -z "$tool" ]; then
        skip format "no clang-format 14"
        return
    fi
    # shellcheck disable=SC2086
    $tool --dry-run -Werror $c_files >"$work/one" 2>&1 || echo "run: $tool -i FILE" >>"$work/one"
    gate format "$work/one"
}

# One clang-tidy per core; each prints only findings, its exit code is kept. The analyzer follows
# the paths of a function until it has seen TIDY_NODES states; its own bound, 225000, takes about
# four times as long.
full_tidy() {
    if ! command -v clang-tidy >/dev/null 2>&1; then
        skip clang-tidy "not installed"
        return
    fi
    flags='-std=c11 -D_GNU_SOURCE -Isrc -Iinclude -Itests -ffp-contract=off'
    flags="$flags -Xclang -analyzer-config -Xclang max-nodes=${TIDY_NODES:-60000}"
    simd=
    case $(uname -m) in
        x86_64) simd='-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavxvnni' ;;
    esac
    find src tests examples -name '*.c' | grep -vE '_tables\.c$|/gen/' | sort |
        xargs -n 4 -P "$(nproc 2>/dev/null || echo 2)" sh -c '
            flags=$1 simd=$2 out=$3
            shift 3
            for f; do
                more="-include tests/tidy.h"
                case $f in
                    *_avx2.c | *_avxvnni.c | *_avx512.c) more="$more $simd" ;;
                    *_neon.c | *_dotprod.c) continue ;;
                    src/base/err.c | examples/*) more= ;;
                esac
                clang-tidy --quiet "$f" -- $flags $more >"$out.$$" 2>&1 ||
                    echo "$f: clang-tidy exit code $?" >>"$out-$$.all"
                grep -E ":[0-9]+: (error|warning): " "$out.$$" >>"$out-$$.all"
            done' sh "$flags" "$simd" "$work/tidy"
    # A finding in a header comes once for every file that includes it.
    cat "$work"/tidy-*.all 2>/dev/null | sed "s|^$PWD/||" | sort -u >"$work/one"
    gate clang-tidy "$work/one"
}

full_cppcheck() {
    if ! command -v cppcheck >/dev/null 2>&1; then
        skip cppcheck "not installed"
        return
    fi
    # Parameter names differ on purpose (short inside, long in the header); the two ends of the
    # embedded model are symbols of one section; the logarithm of an empty sum is -infinity. Loops
    # of kernels run to a constant row count, and registers are written through pointers: cppcheck
    # mixes the counts up and does not see the writes.
    cppcheck --quiet --std=c11 -D__x86_64__ -D_GNU_SOURCE -Isrc -Iinclude -j "$(nproc)" \
        --enable=warning,portability --inline-suppr --suppress=internalAstError \
        --suppress=nullPointerRedundantCheck \
        --suppress=funcArgOrderDifferent --suppress=comparePointers:src/api/demo_model.c \
        --suppress=invalidFunctionArg:src/cli/cmd_logits.c \
        --suppress=invalidFunctionArg:src/cli/cmd_perplexity.c \
        --suppress=arrayIndexOutOfBounds:src/kernels/kern_body.inc \
        --suppress=uninitvar:src/kernels/kern_body.inc \
        --suppress=legacyUninitvar:src/kernels/kern_body.inc \
        --suppress=uninitvar:src/kernels/kern_quant_ymm.inc \
        --template='{file}:{line}: {id}: {message}' src >"$work/one" 2>&1
    gate cppcheck "$work/one"
}

full_shellcheck() {
    if ! command -v shellcheck >/dev/null 2>&1; then
        skip shellcheck "not installed"
        return
    fi
    # shellcheck disable=SC2086
    shellcheck -x -S warning -e SC1091,SC2034,SC2044,SC2183,SC3045 $scripts >"$work/one" 2>&1
    gate shellcheck "$work/one"
}

if [ $full = 1 ]; then
    sh tests/layers.sh >"$work/one" 2>&1 && : >"$work/one"
    gate layers "$work/one"
    full_format
    full_shellcheck
    full_cppcheck
    full_tidy
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
