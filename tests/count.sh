# shellcheck shell=sh
# count.sh - sourced by tests/run.sh and .ci/run: runs parts, adds up their counts.
#
# A part is a command whose last line of output is "N passed, N failed, N skipped". Nothing is
# swallowed: all output is shown, a part that ends without that line or with an exit code other
# than 0 is a failure even when its own count says otherwise, and so is one that takes longer than
# PART_SECONDS. Output goes through a file, not a pipe: a pipe would wait for every process
# the part has left behind.
passed=0 failed=0 skipped=0
count_log=$(mktemp "${TMPDIR:-/tmp}/realizar-count.XXXXXX") || exit 1
trap 'rm -f "$count_log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
PART_SECONDS=${PART_SECONDS:-600}

# part NAME COMMAND [ARGUMENT ...]
part() {
    part_name=$1
    shift
    echo "== $part_name"
    part_start=$(date +%s) part_rc=0
    if command -v timeout >/dev/null 2>&1; then
        timeout -k 10 "$PART_SECONDS" "$@" </dev/null >"$count_log" 2>&1 || part_rc=$?
    else
        "$@" </dev/null >"$count_log" 2>&1 || part_rc=$?
    fi
    cat "$count_log"
    part_took=$(($(date +%s) - part_start))
    part_line=$(tail -n 1 "$count_log" | grep -xE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped')
    if [ "$part_rc" = 124 ] || [ "$part_rc" = 137 ]; then
        part_says="$part_name: stopped after $part_took s"
    else
        part_says="$part_name: exit code $part_rc"
    fi
    if [ -z "$part_line" ]; then
        [ "$part_rc" != 0 ] || part_says="$part_name: printed no count line"
        echo "FAILED $part_says"
        failed=$((failed + 1))
    else
        # shellcheck disable=SC2086 # the words of the line are what is wanted
        set -- $part_line
        passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + $5))
        if [ "$part_rc" != 0 ] && [ "$3" = 0 ]; then
            echo "FAILED $part_says"
            failed=$((failed + 1))
        fi
    fi
    echo "-- $part_name: $part_took s"
    echo
}

# part_skip NAME REASON: it cannot run here; counted.
part_skip() {
    echo "== $1"
    echo "skipped $1: $2"
    echo
    skipped=$((skipped + 1))
}

# The line alone, and the status of the whole: to be called last.
total() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ] && [ "$passed" != 0 ]
}
