#!/bin/sh
# Tests of the test machinery: every rule of lint.awk fires on a file that breaks it and stays
# silent on one that does not, and count.sh lets no failure through.
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
root=$PWD
work=$(mktemp -d "${TMPDIR:-/tmp}/realizar-gates.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/src/base/gen" "$work/src/cli" "$work/src/kernels"

# Counted in files: most checks stand behind a pipe and so in a process of their own.
ok() { echo ok >>"$work/passed"; }
bad() { echo "FAILED $*" | tee -a "$work/failed"; }

# lint PATH < text: the findings on that file, the opening comment added.
lint() {
    { echo "/* ${1##*/} - test. */" && cat; } >"$work/$1"
    (cd "$work" && awk -f "$root/tests/lint.awk" "$1")
}

# finds RULE PATH < text
finds() {
    found=$(lint "$2")
    case $found in
        *": $1: "*) ok ;;
        *) bad "$1 does not fire on $2: ${found:-nothing found}" ;;
    esac
}

silent() {
    found=$(lint "$1")
    if [ -z "$found" ]; then ok; else bad "a clean file is blamed: $found"; fi
}

repeat() { awk -v n="$1" -v s="$2" 'BEGIN { for (i = 0; i < n; i++) print s }'; }

# A function of N lines, its braces included.
function_of() {
    echo "static int f(int a) {"
    repeat $(($1 - 2)) "    a++;"
    echo "}"
}

finds tab src/base/a.c <<EOT
$(printf '\tint a;')
EOT
echo 'int a; ' | finds trailing-space src/base/a.c
repeat 1000 'int a;' | finds file-length src/base/a.c
repeat 999 'int a;' | silent src/base/a.c
function_of 81 | finds function-length src/base/a.c
function_of 80 | silent src/base/a.c
function_of 81 | sed '2s|$| /* long: one switch */|' | silent src/base/a.c
awk 'BEGIN { printf "int "; for (i = 0; i < 96; i++) printf "a"; print ";" }' |
    finds line-length src/base/a.c
# 98 columns in 194 bytes.
awk 'BEGIN { printf "/* "; for (i = 0; i < 96; i++) printf "\303\251"; print " */" }' |
    finds line-length src/base/a.c
awk 'BEGIN { printf "/* "; for (i = 0; i < 94; i++) printf "\303\251"; print " */" }' |
    silent src/base/a.c
echo 'int f(int a, int b, int c, int d, int e, int f, int g, int h, int i) { return a; }' |
    finds parameters src/base/a.c
echo 'int f(int a, int b, int c, int d, int e, int f, int g, int h, int i) { return a; }' |
    silent src/kernels/a.c
echo 'int f(int a, int b, int c, int d, int e, int f, int g, void (*h)(int, int)) { return a; }' |
    silent src/base/a.c
for word in TO''DO FIX''ME X''XX; do echo "/* $word: later */" | finds unfinished src/base/a.c; done
echo 'const char *s = "name-XXXXXX";' | silent src/base/a.c
echo '/* x = y + 1; */' | finds dead-code src/base/a.c
echo '/* free_it(p, 1); */' | finds dead-code src/base/a.c
echo '// int x;' | finds dead-code src/base/a.c
printf '#if 0\nint a;\n#endif\n' | finds dead-code src/base/a.c
echo '/* Says why; and then goes on. Call kv_free() first. */' | silent src/base/a.c
echo 'typedef int thing_t;' | finds type-name src/base/a.c
echo 'int f(void) { return getenv("HOME") != 0; }' | finds environment src/base/a.c
echo 'int f(const char *s) { return getenv(s) != 0; }' | finds environment src/base/a.c
echo 'int f(void) { return getenv("RZ_CPU") != 0; }' | silent src/base/a.c
for call in 'exit(1)' 'abort()' 'free(malloc(1))' 'printf("a")' 'fprintf(stderr, "a")' \
    'perror("a")' 'strdup("a")' 'write(STDERR_FILENO, "a", 1)'; do
    echo "void f(void) { $call; }" | finds banned-call src/base/a.c
done
echo 'void f(void) { o->exit(1); mem_exit(2); snprintf(s, 1, "abort()"); }' | silent src/base/a.c
echo 'void f(void) { printf("a"); exit(1); }' | silent src/cli/a.c
echo 'void f(void) { printf("a"); exit(1); }' | silent src/base/gen/a.c
echo 'void f(void) { p = malloc(1); }' | silent src/base/mem.c
echo 'void f(void) { strcpy(a, b); }' | finds unsafe-call src/cli/a.c
echo 'void f(void) { {' | finds braces src/base/a.c
silent src/base/a.c <<'EOT'
#define TWICE(x) \
    do {         \
        x;       \
    } while (0)
static const struct {
    int a;
} table[] = {{'{'}, {'"'}};
QUANT_LIST(ROW)
static const char *text(const char *s) { return s[0] == '\'' ? "}{" : "\"{"; }
EOT
echo 'int a;' >"$work/src/base/b.c"
found=$(cd "$work" && awk -f "$root/tests/lint.awk" src/base/b.c)
case $found in *": opening: "*) ok ;; *) bad "opening does not fire" ;; esac

# sum WANT_STATUS WANT_LAST_LINE < script: what count.sh makes of parts.
sum() {
    { echo '. tests/count.sh' && cat && echo total; } >"$work/sum.sh"
    got=$(PART_SECONDS=2 sh "$work/sum.sh" 2>&1)
    status=$?
    last=$(echo "$got" | tail -n 1)
    if [ "$status" = "$1" ] && [ "$last" = "$2" ]; then ok; else
        bad "count.sh: status $status, \"$last\", expected $1, \"$2\""
    fi
}
sum 0 '5 passed, 0 failed, 1 skipped' <<'EOT'
part a echo '2 passed, 0 failed, 1 skipped'
part b echo '3 passed, 0 failed, 0 skipped'
EOT
sum 1 '2 passed, 1 failed, 0 skipped' <<'EOT'
part a sh -c 'echo "2 passed, 0 failed, 0 skipped"; exit 3'
EOT
sum 1 '2 passed, 2 failed, 0 skipped' <<'EOT'
part a echo '2 passed, 1 failed, 0 skipped'
part b echo 'all is well'
EOT
sum 1 '0 passed, 1 failed, 0 skipped' <<'EOT'
part a sh -c 'echo "7 passed, 0 failed, 0 skipped"; echo Segmentation fault'
EOT
sum 1 '1 passed, 1 failed, 1 skipped' <<'EOT'
part_skip a 'no tool'
part b sh -c 'sleep 9; echo "1 passed, 0 failed, 0 skipped"'
part c echo '1 passed, 0 failed, 0 skipped'
EOT
sum 1 '0 passed, 0 failed, 1 skipped' <<'EOT'
part_skip a 'a run in which nothing passed is no success'
EOT

count() { [ ! -f "$1" ] || grep -c '' "$1"; }
passed=$(count "$work/passed") failed=$(count "$work/failed")
echo "${passed:-0} passed, ${failed:-0} failed, 0 skipped"
[ -z "$failed" ]
