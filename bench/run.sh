#!/bin/sh
# Speed of this machine: `realizar bench` on the embedded model and on every model given.
#
#   sh bench/run.sh build/realizar [MODEL.gguf ...]
#
# Prints one table per model, load average first: figures taken beside other work mean little.
cd "$(dirname "$0")/.." || exit 1
realizar=${1:-build/realizar}
[ $# = 0 ] || shift
if [ ! -x "$realizar" ]; then
    echo "bench: no $realizar: run make first" >&2
    exit 1
fi
echo "load average: $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || uptime)"
echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
failed=0
echo
echo "== embedded model"
"$realizar" bench --demo || failed=1
for model; do
    echo
    echo "== $model"
    "$realizar" bench "$model" || failed=1
done
exit $failed
