#!/bin/sh
# Speed of the regular expression engine, beside PCRE2's JIT where libpcre2-dev is installed.
#
#   sh bench/regex.sh [TEXT [CASE]]     TEXT: a large file for the patterns of tokenizers
cd "$(dirname "$0")/.." || exit 1
[ -f build/librealizar.a ] || make -s build/librealizar.a || exit 1
peer=""
if echo '#include <pcre2.h>' | ${CC:-cc} -DPCRE2_CODE_UNIT_WIDTH=8 -E - > /dev/null 2>&1; then
    peer="-DHAVE_PCRE2 bench/peers/regex_pcre2.c"
else
    echo "no pcre2.h: ours alone"
fi
# shellcheck disable=SC2086
${CC:-cc} -std=gnu11 -O2 -Wall -Wextra -Iinclude bench/bench_regex.c $peer build/librealizar.a \
    -o build/bench_regex ${peer:+-lpcre2-8} -pthread -lm || exit 1
echo "load average: $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || uptime)"
exec build/bench_regex "$@"
