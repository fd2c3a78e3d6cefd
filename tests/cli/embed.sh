#!/bin/sh
# realizar embed: JSON of vectors, texts from everywhere, what is refused.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc

length() {
    grep -o '"embedding":\[[^]]*' "$work/out" | sed -n "$1p" | sed 's/.*\[//' | tr ',' '\n' |
        awk '{ s += $1 * $1 } END { printf "%.4f", sqrt(s) }'
}

try embed --demo "Once upon a time" "There was a dog"
is "two texts: exit code" $rc 0
is "two texts: vectors" "$(json '.embeddings#')" 2
is "two texts: width" "$(json '.embeddings[1].embedding#')" "$(json .width)"
is "two texts: index" "$(json '.embeddings[1].index')" 1
is "auto: a decoder pools its last token" "$(json .pooling)" last
is "normalize" "$(json .normalize)" l2
is "length of the first" "$(length 1)" 1.0000
is "length of the second" "$(length 2)" 1.0000
cp "$work/out" "$work/args"

printf 'Once upon a time\n\nThere was a dog\n' >"$work/lines"
try embed --demo --file "$work/lines"
check "lines of a file: the same" cmp -s "$work/out" "$work/args"
input=$work/lines
try embed --demo
check "lines of standard input: the same" cmp -s "$work/out" "$work/args"
input=
try embed --demo --threads 1 "Once upon a time" "There was a dog"
check "one thread: the same" cmp -s "$work/out" "$work/args"

try embed --demo --pooling mean --normalize none "Once upon a time"
is "mean: said" "$(json .pooling)" mean
is "none: said" "$(json .normalize)" none
check "not of length 1" [ "$(length 1)" != 1.0000 ]
try embed --demo --pooling cls "Once upon a time"
cp "$work/out" "$work/first"
try embed --demo --pooling cls "Once in a while"
is "the first token of a decoder knows nothing of the rest" \
    "$(json '.embeddings[0].embedding[0]')" \
    "$("$tool" json '.embeddings[0].embedding[0]' <"$work/first")"

refused "no model" 2 "no model" embed
refused "texts from two places" 2 "choose one" embed --demo --file "$work/lines" x
try embed --demo --set llama.context_length=4 "one" "a text that is longer than four tokens"
is "a text too long: exit code" $rc 1
has "a text too long" "$(err)" "text 2: a text of "
finish
