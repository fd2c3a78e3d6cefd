# shellcheck shell=sh
# shellcheck disable=SC2034 # $port and $rc are for the scripts that source this
# serve.sh - sourced by the scripts of tests/e2e: starts the program under test, counts checks.
#
#   . tests/serve.sh
#   serve --demo               sets $pid, $url and $port; $descriptors limits them
#   check "a fact" COMMAND ... counts
#   finish                     the last line, and the exit code
BIN=${BIN:-build}
work=$(mktemp -d "${TMPDIR:-/tmp}/realizar-e2e.XXXXXX") || exit 1
pid='' descriptors=''
cleanup() {
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
passed=0 failed=0 skipped=0

# The release build is judged by its memory; sanitizers have their own idea of it.
plain() { [ "$BIN" = build ]; }

pass() { passed=$((passed + 1)); }

fail() {
    failed=$((failed + 1))
    echo "FAILED $*"
}

skip() {
    skipped=$((skipped + 1))
    echo "skipped $*"
}

check() {
    what=$1
    shift
    if "$@"; then pass; else fail "$what"; fi
}

# is "a fact" VALUE EXPECTED
is() {
    if [ "$2" = "$3" ]; then pass; else fail "$1: \"$2\", expected \"$3\""; fi
}

# has "a fact" TEXT PART
has() {
    case $2 in
        *"$3"*) pass ;;
        *) fail "$1: \"$3\" is not in \"$2\"" ;;
    esac
}

# Ten seconds for a server to say where it listens; far more than it needs.
serve() {
    : >"$work/log"
    (
        # shellcheck disable=SC3045 # every sh in use has it
        [ -z "$descriptors" ] || ulimit -n "$descriptors"
        exec "$BIN/realizar" serve --port 0 "$@"
    ) 2>"$work/log" &
    pid=$!
    url=
    for _ in $(seq 200); do
        url=$(grep -om1 'http://[^ ]*:[0-9][0-9]*' "$work/log")
        [ -n "$url" ] && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    port=${url##*:}
    [ -n "$url" ] && return
    cat "$work/log"
    echo "FAILED the server does not start"
    echo "$passed passed, $((failed + 1)) failed, $skipped skipped"
    exit 1
}

# Ask it to stop and wait; sets $rc.
stop() {
    kill -TERM "$pid"
    wait "$pid"
    rc=$?
    pid=
}

# metric NAME
metric() { curl -s "$url/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }

finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
    exit
}
