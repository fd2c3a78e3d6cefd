#!/bin/sh
# Every committed corpus file through its fuzz target: OUT=build/release sh replay.sh TARGET ...
#
# OUT/replay_<target> are built by `make fuzz-replay`; RUN runs them (cross builds).
cd "$(dirname "$0")/../.." || exit 1
OUT=${OUT:-build/release}
. tests/count.sh
for target; do
    # shellcheck disable=SC2086 # RUN is a command with arguments
    part "replay $target" ${RUN:-} "$OUT/replay_$target" "tests/fuzz/corpus/$target"
done
total
