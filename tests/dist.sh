#!/bin/sh
# What leaves the build: symbols, dependencies, an installed copy, a binary that runs in an empty
# folder, a bootstrap that installs what is missing. Uses the release products.
cd "$(dirname "$0")/.." || exit 1
BIN=${BIN:-build} MAKE=${MAKE:-make} CC=${CC:-cc}
work=$(mktemp -d "${TMPDIR:-/tmp}/realizar-dist.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

ok() { passed=$((passed + 1)); }
bad() {
    failed=$((failed + 1))
    echo "FAILED $*"
}
skip() {
    skipped=$((skipped + 1))
    echo "skipped $*"
}
have() { command -v "$1" >/dev/null 2>&1; }
# check NAME COMMAND ...: the command succeeds.
check() {
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then ok; else bad "$name: $(tail -n 5 "$work/log")"; fi
}
# same NAME GOT EXPECTED
same() { if [ "$2" = "$3" ]; then ok; else bad "$1: \"$2\", expected \"$3\""; fi; }

version=$(sed -n 's/^#define RZ_VERSION_[A-Z]* *//p' include/realizar.h | paste -sd.)

# ---- Symbols

if have nm; then
    same "names in librealizar.a that do not begin with rz_" \
        "$(nm -gP --defined-only "$BIN/librealizar.a" | grep -v rz_)" ""
    same "names in librealizar.so that do not begin with rz_" \
        "$(nm -DgP --defined-only "$BIN/librealizar.so" | grep -v '^rz_')" ""
    # Everything the header declares is there, and nothing else.
    sed -n 's/.*RZ_API.*[ *]\(rz_[a-z0-9_]*\)(.*/\1/p' include/realizar.h | sort >"$work/declared"
    nm -gP --defined-only "$BIN/librealizar.a" | sed -n 's/^\(rz_[a-z0-9_]*\) .*/\1/p' | sort \
        >"$work/defined"
    same "header and library" "$(diff "$work/declared" "$work/defined")" ""
else
    skip "symbols: no nm"
fi

# ---- What the binary needs

if have readelf; then
    system='^(libc|libm|libpthread|ld-linux[a-z0-9-]*|libc\.musl-[a-z0-9_]*)\.so'
    needed=$(readelf -d "$BIN/realizar" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
        grep -vE "$system" | tr '\n' ' ')
    same "libraries beyond libc, libm and pthreads" "$needed" ""
    # Assembler or linker input without a marker would make the stack executable.
    stack=$(readelf -lW "$BIN/realizar" | sed -n 's/^ *GNU_STACK .* \(R[WE]*\) .*/\1/p')
    same "stack is not executable" "$stack" RW
else
    skip "needed libraries: no readelf"
fi
same "version" "$("$BIN/realizar" --version | grep -o "$version" | head -n 1)" "$version"

# ---- Installed

dest=$work/dest
check "make install" "$MAKE" -s install DESTDIR="$dest" PREFIX=/opt/rz CC="$CC"
installed=$(cd "$dest/opt/rz" 2>/dev/null && find . ! -type d | sort | tr '\n' ' ')
same "installed files" "$installed" "./bin/realizar ./include/realizar.h ./lib/librealizar.a \
./lib/librealizar.so ./lib/librealizar.so.0 ./lib/pkgconfig/realizar.pc \
./share/man/man1/realizar.1 "

# uses HOW FLAG ...: an example built against the installed copy alone runs.
uses() {
    how=$1
    shift
    libraries=$dest/opt/rz/lib
    if "$CC" -o "$work/example" examples/01_generate.c "$@" >"$work/log" 2>&1 &&
        LD_LIBRARY_PATH=$libraries "$work/example" </dev/null >"$work/out" 2>>"$work/log"; then
        ok
    else
        bad "example built with $how: $(cat "$work/log")"
    fi
}
if have pkg-config; then
    export PKG_CONFIG_PATH="$dest/opt/rz/lib/pkgconfig"
    same "pkg-config --modversion" "$(pkg-config --modversion realizar)" "$version"
    moved="--define-variable=prefix=$dest/opt/rz"
    # shellcheck disable=SC2046 # the words are flags
    uses "pkg-config, shared" $(pkg-config "$moved" --cflags --libs realizar)
    # shellcheck disable=SC2046
    uses "pkg-config, static" -static $(pkg-config --static "$moved" --cflags --libs realizar)
else
    skip "pkg-config: not installed"
fi
uses "the files by name" -I"$dest/opt/rz/include" "$dest/opt/rz/lib/librealizar.a" -pthread -lm
check "make uninstall" "$MAKE" -s uninstall DESTDIR="$dest" PREFIX=/opt/rz
same "files left after uninstall" "$(find "$dest" ! -type d)" ""
# The pkg-config file of the tree says the default prefix again.
"$MAKE" -s "$BIN/realizar.pc" CC="$CC" >/dev/null

if have "${CXX:-c++}"; then
    check "header in C++" "${CXX:-c++}" -x c++ -Wall -Wextra -pedantic -Werror -fsyntax-only \
        include/realizar.h
else
    skip "header in C++: no C++ compiler"
fi

# ---- One file that needs nothing: what the container image is made of

static_in_an_empty_root() {
    mkdir "$work/root" && cp "$BIN/realizar-static" "$work/root/realizar" || return 1
    chmod 755 "$work/root"
    chroot --userspec=65534:65534 "$work/root" /realizar run --demo "Once" --max-tokens 8 \
        --temperature 0 >"$work/out" 2>"$work/log" </dev/null
}
if echo 'int main(void) { return 0; }' | "$CC" -xc - -static -o "$work/none" 2>/dev/null; then
    check "make static" "$MAKE" -s static CC="$CC"
    if have readelf; then
        same "static binary needs" "$(readelf -d "$BIN/realizar-static" | grep NEEDED)" ""
    fi
    if [ "$(id -u)" != 0 ] || ! chroot / true 2>/dev/null; then
        skip "static binary in an empty root: not allowed to chroot"
    elif static_in_an_empty_root && [ -s "$work/out" ]; then
        ok
    else
        bad "static binary in an empty root: $(cat "$work/log")"
    fi
else
    skip "static binary: no static libc"
fi

# ---- Dockerfile

same "Dockerfile: every COPY source exists" "$(sed -n 's/^COPY \([^-].*\) [^ ]*$/\1/p' Dockerfile |
    while read -r from; do [ -e "$from" ] || echo "$from"; done)" ""
for option in $(sed -n 's/^CMD \[\(.*\)\]/\1/p' Dockerfile | grep -o -- '--[a-z]*'); do
    if "$BIN/realizar" serve --help | grep -q -- "$option"; then ok; else
        bad "Dockerfile: serve has no $option"
    fi
done

# ---- bootstrap, with a package manager that only writes down what it is asked for

# A folder of programs without compiler and make; apt-get "installs" them.
shelf=$work/shelf
mkdir "$shelf" "$work/store"
for tool in sh dirname id env mktemp rm cat echo getconf sort tr uname printf; do
    path=$(command -v $tool) && case $path in /*) ln -s "$path" "$shelf/$tool" ;; esac
done
for tool in "$CC" as ld; do
    path=$(command -v "$tool") && ln -s "$path" "$work/store/${tool##*/}"
done
ln -sf "$(command -v "$CC")" "$work/store/cc"
printf '#!/bin/sh\necho "make $*" >>"%s"\n' "$work/asked" >"$work/store/make"
cat >"$shelf/apt-get" <<EOT
#!/bin/sh
echo "apt-get \$*" >>"$work/asked"
case \$1 in install) PATH=$PATH; cp -P "$work/store/"* "$shelf/" ;; esac
EOT
printf '#!/bin/sh\nexec "$@"\n' >"$shelf/sudo"
chmod +x "$shelf/apt-get" "$shelf/sudo" "$work/store/make"
said=$(PATH=$shelf CC='' JOBS=1 ./bootstrap build 2>&1 </dev/null)
same "bootstrap asks for" "$(tr '\n' ';' <"$work/asked")" "apt-get update -q;\
apt-get install -qy --no-install-recommends gcc libc6-dev make;make -s -j1 CC=cc all;"
case $said in
    *"not found: compiler make"*"installing through apt-get: gcc libc6-dev make"*) ok ;;
    *) bad "bootstrap does not say what it installs: $said" ;;
esac
rm -f "$work/asked" "$shelf/cc" "$shelf/make" "$shelf/${CC##*/}" "$shelf/apt-get"
said=$(PATH=$shelf CC='' ./bootstrap build 2>&1 </dev/null)
status=$?
case $status:$said in
    1:*"no package manager"*"install it and run this again"*) ok ;;
    *) bad "bootstrap without a package manager: status $status: $said" ;;
esac
./bootstrap --help >"$work/out" 2>&1 && grep -q '^usage: ./bootstrap demo' "$work/out"
same "bootstrap --help" $? 0
./bootstrap nonsense >/dev/null 2>&1
same "bootstrap with an unknown command" $? 2

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
