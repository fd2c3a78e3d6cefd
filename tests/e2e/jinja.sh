#!/bin/sh
# The template engine beside python3-jinja2: the same texts, the same refusals.
cd "$(dirname "$0")/../.." || exit 1
OUT=${OUT:-build/release}
command -v python3 >/dev/null || {
    echo "skipped: python3 is not installed"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
# A python3 of the system has the packaged jinja2 even where another python3 comes first.
for python in python3 /usr/bin/python3; do
    "$python" -c 'import jinja2' 2>/dev/null && break
done
exec "$python" tests/e2e/jinja_peer.py "$OUT/check"
