#!/bin/sh
# Help, usage errors of every option of every command, the manual page, completion.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc

# ---- Without a command

try
is "no arguments: exit code" $rc 1
is "no arguments: output" "$(out)" ""
has "no arguments" "$(err)" "usage: realizar COMMAND"
for word in --help -h help; do
    try $word
    is "$word: exit code" $rc 0
    is "$word: error" "$(err)" ""
    has "$word" "$(out)" "usage: realizar COMMAND"
done
commands=$(sed -n '/^Generate:/,/^Other:/s/^  \([a-z]*\) .*/\1/p' "$work/out")
is "commands" "$(echo $commands)" \
    "run generate embed serve lambda health info tokenize tokenizer decode logits vocab \
quantize convert imatrix train prepare predict fit bench perplexity completion"
version=$(sed -n 's/^#define RZ_VERSION_[A-Z]* *//p' include/realizar.h | paste -sd.)
for word in --version -V; do
    try $word
    is "$word" "$(out)" "realizar $version"
done
refused "unknown command" 2 "\"rnu\": no such command; did you mean run?" rnu
refused "unknown command" 2 "\"xyzzy\": no such command; realizar --help lists them" xyzzy
refused "unknown option" 2 "no such option before a command" --frobnicate
refused "a file as command" 2 "did you mean realizar run a.gguf?" a.gguf
refused "help for an unknown command" 2 "did you mean bench?" help bnech

# ---- Each command

for command in $commands; do
    try "$command" --help
    is "$command --help: exit code" $rc 0
    is "$command --help: error" "$(err)" ""
    has "$command --help" "$(out)" "usage: realizar $command"
    is "$command --help: lines over 80 columns" \
        "$(sed '/^Examples:/,$d' "$work/out" | grep -cE '.{81}')" 0
    cp "$work/out" "$work/help"
    try help "$command"
    check "help $command is $command --help" cmp -s "$work/out" "$work/help"
    refused "$command: unknown option" 2 "--zzzz: no such option; --help lists them" \
        "$command" --zzzz

    # Every option, "--name KIND" a line, KIND being what help calls the value.
    grep -o '^  [ -][^-]*--[a-z-]*\( [A-Z1a-z][A-Z0-9a-z,|=_]*\)\{0,1\}' "$work/help" |
        sed 's/.*--/--/' >"$work/options"
    while read -r option kind; do
        case $option:$kind in
            --help:*) continue ;;
            *:) refused "$command $option=1" 2 "$option takes no value" "$command" "$option=1" ;;
            *)
                refused "$command $option" 2 "$option needs a value" "$command" "$option"
                case $kind in
                    N | X | SIZE | SECONDS | *[a-z0-9]'|'*)
                        refused "$command $option=bad" 2 "$option is \"bad\", expected" \
                            "$command" "$option=bad" ;;
                esac ;;
        esac
        dashed=$(printf '%s' "$option" | sed 's/-/\\-/g')
        check "$command $option is in the manual page" grep -qF -- "$dashed" src/cli/realizar.1
    done <"$work/options"
    cat "$work/options" >>"$work/all-options"
done
count=$(sort -u "$work/all-options" | wc -l | tr -d ' ')
check "options were found: $count" [ "$count" -gt 40 ]

# Nothing in the manual page that the program does not have.
sed 's/\\-/-/g' src/cli/realizar.1 | grep -oE -- '--[a-z][a-z-]+' | sort -u >"$work/documented"
{
    cut -d' ' -f1 "$work/all-options"
    echo --version
} | sort -u >"$work/known"
is "options only in the manual page" "$(comm -23 "$work/documented" "$work/known")" ""
if command -v groff >/dev/null 2>&1; then
    is "manual page: complaints of groff" \
        "$(groff -man -Tascii -ww src/cli/realizar.1 2>&1 >/dev/null)" ""
else
    skip "manual page: no groff"
fi

# blazr's names and defaults
try generate --help
for part in "--model PATH" "--prompt TEXT" "--max-tokens N" "--temperature X" "--top-p X" \
    "--top-k N" "--vocab auto|llama3|cl100k_base|o200k_base|deepseek_v3" "--cpu" \
    "(default: 100)" "(default: 0.7)" "(default: 0.9)" "(default: 40)"; do
    has "generate --help" "$(out | tr '\n' ' ' | tr -s ' ')" "$part"
done

# ---- Completion

for shell in bash zsh fish; do
    try completion $shell
    is "completion $shell" $rc 0
    for command in $commands; do has "completion $shell" "$(out)" "$command"; done
done
refused "completion for no shell" 2 "name one shell" completion
refused "completion for another shell" 2 "no shell known here" completion tcsh
if command -v bash >/dev/null 2>&1; then
    try completion bash
    is "completion bash: option" "$(bash -c '. "$1"; COMP_WORDS=(realizar run --temp) COMP_CWORD=2
        _realizar; echo "${COMPREPLY[@]}"' bash "$work/out")" --temperature
    is "completion bash: command" "$(bash -c '. "$1"; COMP_WORDS=(realizar dec) COMP_CWORD=1
        _realizar; echo "${COMPREPLY[@]}"' bash "$work/out")" decode
else
    skip "completion: no bash"
fi

# ---- Where output cannot go

if [ -w /dev/full ]; then
    for words in --help "run --help" info "tokenize --demo x" "logits --demo --prompt x"; do
        # shellcheck disable=SC2086 # the words are arguments
        "$realizar" $words </dev/null >/dev/full 2>"$work/err"
        is "$words to a full disk: exit code" $? 1
        has "$words to a full disk" "$(err)" "cannot write standard output: No space left"
    done
else
    skip "full disk: no /dev/full"
fi
finish
