#!/bin/sh
# package.sh PROGRAM ZIP [MODEL] - a package for AWS Lambda's runtime provided.al2023: PROGRAM, which
# must be static, as `bootstrap`, and MODEL beside it under its own name. Made by zip, or by python3
# where there is none; the same files give the same bytes.
set -eu
program=$1 zip=$2 model=${3:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/realizar-package.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp "$program" "$work/bootstrap"
chmod 755 "$work/bootstrap"
if [ -n "$model" ]; then
    cp "$model" "$work/"
    chmod 644 "$work/$(basename "$model")"
fi
TZ=UTC0 touch -t 202001010000 "$work"/*
rm -f "$zip"
case $zip in /*) ;; *) zip=$PWD/$zip ;; esac
if command -v zip >/dev/null; then
    (cd "$work" && TZ=UTC0 zip -q -X -9 "$zip" ./*)
elif command -v python3 >/dev/null; then
    python3 - "$work" "$zip" <<'PY'
import os, sys, zipfile
folder, target = sys.argv[1:]
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
    for name in sorted(os.listdir(folder)):
        info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = (0o100755 if name == "bootstrap" else 0o100644) << 16
        with open(os.path.join(folder, name), "rb") as f:
            z.writestr(info, f.read())
PY
else
    echo "package.sh: neither zip nor python3 is installed" >&2
    exit 1
fi
echo "$zip: $(wc -c <"$zip") bytes"
