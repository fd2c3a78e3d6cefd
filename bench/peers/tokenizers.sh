#!/bin/sh
# Tokenizers beside other people's: MB/s over the same documents in the same run, ids compared.
#
#   sh bench/peers/tokenizers.sh FOLDER TEXT OFFSETS [ROUNDS [NAME ...]]
#
# FOLDER holds the vocabularies (cl100k_base.tiktoken, ..., llama2.model, ggml/), TEXT the documents
# one after another, OFFSETS the byte each begins at and the end. Peers come by their package names
# into build/peers, which git ignores: npm's tiktoken (OpenAI's core as WebAssembly) and
# @huggingface/tokenizers; python3-sentencepiece is used where Debian has installed it. With NAMEs
# only those rows. A peer that is not there says so.
cd "$(dirname "$0")/../.." || exit 1
if [ $# -lt 3 ]; then
    sed -n 's/^# \{0,1\}//; 2,10p' "$0"
    exit 2
fi
vocabs=$1 text=$2 offsets=$3 rounds=${4:-5}
shift 3
[ $# -eq 0 ] || shift
only=" $* "
wanted() { [ "$only" = "  " ] || case $only in *" $1 "*) ;; *) false ;; esac; }
make -s build/release/bench_tok || exit 1
peers=build/peers
mkdir -p $peers
[ -d $peers/node_modules/tiktoken ] || npm install --silent --no-fund --no-audit --prefix $peers \
    tiktoken@1.0.22 @huggingface/tokenizers@0.2.0 >/dev/null 2>&1 ||
    echo "no npm, or no packages: ours alone"
echo "load average: $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || uptime)"

python=python3
[ -x /usr/bin/python3 ] && python=/usr/bin/python3 # the one Debian installs packages for

# Each prints "MB/s ids hash" for one pass over the documents, caches warm from one pass before.
ours() { build/release/bench_tok "$text" "$1" --docs "$offsets" --rounds 1 --plain; }
npm_tiktoken() { node bench/peers/tokenizers.mjs tiktoken "$1" "$text" "$offsets"; }
npm_hf() { node bench/peers/tokenizers.mjs hf "$1" "$text" "$offsets"; }
sentencepiece() { "$python" bench/peers/tokenizers.py "$1" "$text" "$offsets"; }

median() { sort -n | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'; }

# row NAME OUR-FILE PEER PEER-ARGUMENT: in turns, then the medians.
row() {
    wanted "$1" || return
    work=$(mktemp -d "${TMPDIR:-/tmp}/realizar-peers.XXXXXX") || exit 1
    round=0
    while [ $round -lt "$rounds" ]; do
        ours "$2" >>"$work/ours" 2>/dev/null
        "$3" "$4" >>"$work/peer" 2>/dev/null
        round=$((round + 1))
    done
    mine=$(median <"$work/ours") theirs=$(median <"$work/peer")
    same=$(cut -d' ' -f2- "$work/ours" "$work/peer" | sort -u | wc -l | tr -d ' ')
    if [ -z "$theirs" ]; then
        printf '%-12s %-14s %8s %8s %8s  %s\n' "$1" "$3" "$mine" - - "not there"
    else
        ids=equal
        [ "$same" = 1 ] || ids=DIFFER
        printf '%-12s %-14s %8s %8s %7sx  %s\n' "$1" "$3" "$mine" "$theirs" \
            "$(awk "BEGIN { printf \"%.1f\", $mine / $theirs }")" "$ids"
    fi
    rm -rf "$work"
}

printf '%-12s %-14s %8s %8s %8s  %s\n' vocabulary peer ours peer ratio ids
row cl100k_base "$vocabs/cl100k_base.tiktoken" npm_tiktoken cl100k_base
row o200k_base "$vocabs/o200k_base.tiktoken" npm_tiktoken o200k_base
row gpt2 "$vocabs/gpt2.tiktoken" npm_tiktoken gpt2
for name in llama3 qwen3 deepseek_v3; do
    wanted $name && [ -r "$vocabs/$name.tokenizer.json.gz" ] || continue
    gzip -dc "$vocabs/$name.tokenizer.json.gz" >$peers/$name.tokenizer.json
    row $name $peers/$name.tokenizer.json npm_hf $peers/$name.tokenizer.json
done
row llama2 "$vocabs/llama2.model" sentencepiece "$vocabs/llama2.model"
row xlnet "$vocabs/xlnet_base_cased.model" sentencepiece "$vocabs/xlnet_base_cased.model"
