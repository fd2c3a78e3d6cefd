#!/bin/sh
# Fail when a file includes a header from its own layer or above (own folder excepted), when a
# program reaches past the public header, or when the public header needs anything of ours.
cd "$(dirname "$0")/.." || exit 1
rank() {
    case $1 in
        base) echo 0 ;; json | unicode | quant) echo 1 ;; regex | format | kernels) echo 2 ;;
        tokenizer | gpu) echo 3 ;; model | grammar | classic) echo 4 ;; runtime | train) echo 5 ;;
        cache) echo 6 ;;
        api) echo 7 ;; server | lambda | cli) echo 8 ;; *) echo 99 ;;
    esac
}

# allowed OWN OTHER: may a file of folder OWN include a header of folder OTHER?
allowed() {
    case $1:$2 in
        "$1:$1" | json:unicode) return 0 ;; # JSON is UTF-8; unicode/ stands on base alone
        server:base | server:json | lambda:base | lambda:json | cli:base | cli:json) return 0 ;;
        server:* | lambda:* | cli:*) return 1 ;;
    esac
    [ "$(rank "$2")" -lt "$(rank "$1")" ]
}

passed=0 failed=0
check_file() {
    for inc in $(sed -n 's/^ *# *include "\([^"]*\)".*/\1/p' "$1"); do
        case $inc in
            */*) other=${inc%%/*} ;;
            *) other="a file outside src (write the folder: \"$2/$inc\")" ;;
        esac
        allowed "$2" "$other" && continue
        echo "$1: $2/ must not include $other"
        return 1
    done
}

for f in $(find src -name '*.[ch]' -o -name '*.inc' | sort); do
    own=${f#src/}
    if check_file "$f" "${own%%/*}"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
if grep -n '#include "' include/realizar.h; then
    echo "include/realizar.h: must stand alone"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
