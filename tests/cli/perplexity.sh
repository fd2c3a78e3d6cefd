#!/bin/sh
# realizar perplexity: the same number from the logits of another command, whatever the threads.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc
text=models/story.txt

try perplexity --demo $text --json
is "demo: exit code" $rc 0
is "demo: context" "$(json .context)" 192
is "demo: stride" "$(json .stride)" 96
ids=$("$realizar" tokenize --demo --ids - <$text | tr ', ' '\n\n' | wc -l)
is "demo: every token but the prefix counts once" "$(json .tokens)" $((ids - 1))
cp "$work/out" "$work/two.json"
try perplexity --demo $text --json --threads 1
is "one thread: the same number" "$(json .perplexity)" \
    "$("$tool" json .perplexity <"$work/two.json")"
try perplexity --demo $text
has "text" "$(out)" "stride 96)"
input=$text
try perplexity --demo - --json
is "standard input: the same number" "$(json .perplexity)" \
    "$("$tool" json .perplexity <"$work/two.json")"
input=

# One window, against the likelihoods that logits prints.
words="Once upon a time, there was a kind girl named Lily."
printf %s "$words" >"$work/short.txt"
try logits --demo --prompt "$words" --top 512
nll=$(awk '
    /"position"/ {
        match($0, /"id":[0-9]+/)
        id = substr($0, RSTART + 5, RLENGTH - 5)
        if (last != "") {
            found = "\"id\":" id ",\"piece\":\"[^\"]*\",\"logit\":[^,]*,\"logprob\":"
            if (!match(last, found)) exit 1
            rest = substr(last, RSTART + RLENGTH)
            sub(/[^-0-9.e].*/, "", rest)
            sum -= rest
            n++
        }
        last = $0
        sub(/.*"top":/, "", last)
    }
    END { printf "%.4f", sum / n }' "$work/out")
try perplexity --demo "$work/short.txt" --json
is "the mean of what logits says" "$(json .mean_nll | awk '{ printf "%.4f", $1 }')" "$nll"
is "one window" "$(json .windows)" 1

try perplexity --demo $text --ctx 64 --stride 64 --json
is "windows side by side: all tokens" "$(json .tokens)" \
    "$("$tool" json .tokens <"$work/two.json")"
is "windows side by side: stride without the prefix" "$(json .stride)" 63

refused "no text" 2 "no text: name a file" perplexity --demo
refused "no such file" 1 "none.txt: No such file" perplexity --demo none.txt
refused "a stride beyond the context" 1 "--stride is 65, expected at most 64" \
    perplexity --demo $text --ctx 64 --stride 65
refused "too little context" 1 "--ctx is 2, expected at least 3" perplexity --demo $text --ctx 2
printf x >"$work/x.txt"
: >"$work/empty.txt"
refused "an empty text" 1 "the text has 0 tokens" perplexity --demo "$work/empty.txt"
finish
