#!/bin/sh
# Run fuzz targets one after the other: sh tests/fuzz/run.sh OUT SECONDS TARGET ...
#
# OUT/fuzz_<target> are libFuzzer programs. Each starts from the seeds in tests/fuzz/corpus/<target>
# and what earlier runs found, which is kept in OUT/corpus/<target>; new seeds are committed by
# hand. One line per target; a finding is an input that crashes, hangs or takes too much memory:
# it lies in OUT/findings/<target>, its log beside it, and the exit code is 1.
cd "$(dirname "$0")/../.." || exit 1
[ $# -ge 3 ] || {
    echo "usage: run.sh OUT SECONDS TARGET ..."
    exit 2
}
out=$1 seconds=$2
shift 2
passed=0 failed=0
for target; do
    program=$out/fuzz_$target seeds=tests/fuzz/corpus/$target
    corpus=$out/corpus/$target findings=$out/findings/$target
    dictionary=tests/fuzz/$target.dict
    rm -rf "$findings"
    mkdir -p "$corpus" "$findings" "$seeds"
    set -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=512 \
        -max_len=65536 -print_final_stats=1 -artifact_prefix="$findings/"
    [ -f "$dictionary" ] && set -- "$@" -dict="$dictionary"
    rc=0
    "$program" "$@" "$corpus" "$seeds" >"$findings/log" 2>&1 || rc=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$findings/log")
    cover=$(grep -o 'cov: [0-9]*' "$findings/log" | tail -n 1)
    found=$(find "$findings" -type f ! -name log | wc -l | tr -d ' ')
    [ "$rc" = 0 ] || [ "$found" != 0 ] || found=1
    echo "fuzz $target: ${runs:-0} executions in $seconds s, ${cover:-cov: 0}, $found findings"
    if [ "$rc" != 0 ] || [ "$found" != 0 ]; then
        failed=$((failed + 1))
        grep -E 'ERROR|SUMMARY|runtime error' "$findings/log" | head -n 5
        find "$findings" -type f ! -name log -exec echo "  reproduce: $program" {} \;
        echo "  log: $findings/log"
    else
        passed=$((passed + 1))
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
