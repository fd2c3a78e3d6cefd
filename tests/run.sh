#!/bin/sh
# Every test, part by part; the last line is the sum of all parts' counts. Called by `make test`,
# which has built everything first:
#
#   OUT=build/asan BIN=build/asan RUN= sh tests/run.sh
#
# OUT holds the objects and the unit tests, BIN the products, RUN runs them (cross builds). QUICK=1
# leaves out of the unit tests what takes seconds, as cross builds do; THREADED=1 leaves out the
# suites of one thread, for tsan. The scripts under tests/cli and tests/e2e are run from the root
# with the first three in the environment, standard input closed; each prints
# "N passed, N failed, N skipped" last.
cd "$(dirname "$0")/.." || exit 1
OUT=${OUT:-build/release} BIN=${BIN:-build} RUN=${RUN:-} MAKE=${MAKE:-make}
[ -z "$RUN" ] || QUICK=1
export OUT BIN RUN
unset MAKEFLAGS MFLAGS MAKELEVEL # parts that call make are not this make's children
. tests/count.sh

# shellcheck disable=SC2086 # RUN is a command with arguments
part unit $RUN "$OUT/test" ${QUICK:+--quick} ${THREADED:+--threaded}
for target in tests/fuzz/fuzz_*.c; do
    [ -f "$target" ] || continue
    target=$(basename "$target" .c) target=${target#fuzz_}
    # shellcheck disable=SC2086 # as above
    part "fuzz corpus $target" $RUN "$OUT/replay_$target" "tests/fuzz/corpus/$target"
done
part examples sh tests/examples.sh
if [ -n "$RUN" ]; then
    part_skip "command line, server, packaging" "cross build: only unit tests and examples run"
    total
    exit
fi
for script in tests/cli/*.sh tests/e2e/*.sh; do
    [ -f "$script" ] && part "${script#tests/}" sh "$script"
done
if [ "$BIN" = build ]; then # the same for every variant, so once
    part dist sh tests/dist.sh
    part layers sh tests/layers.sh
    part lint sh tests/lint.sh
    part gates sh tests/gates.sh
    part book sh tests/book.sh
fi
total
