# lint.awk - measures C files against the limits of the style: one line per finding on standard
# output, "file:line: rule: what". Plain POSIX awk, byte by byte (run it with LC_ALL=C).
#
# It knows comments, strings and braces, not C: a function is a `{` at depth 0 behind a `)`. Text
# between preprocessor lines is read as if all branches were compiled, so branches must balance.
#
# A comment "/* long: why */" inside a function frees it from the length limit. With -v stats=1 the
# last lines are the lengths: "length N COUNT" for each function length found under src/.

BEGIN {
    MAX_FILE = 1000; MAX_FUNCTION = 80; MAX_LINE = 100; MAX_PARAMETERS = 8
    OUTPUT = "printf|vprintf|puts|putchar|putc|fputs|fputc|fprintf|vfprintf|perror|psignal"
    MEMORY = "malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|strdup|strndup" \
             "|asprintf|vasprintf|getline"
    LEAVE = "exit|_exit|_Exit|quick_exit|abort|err|errx"
    UNSAFE = "gets|strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|system|popen|alloca" \
             "|rand|srand|tmpnam|mktemp|setenv|putenv|longjmp"
}

function report(line, rule, text) { printf "%s:%d: %s: %s\n", file, line, rule, text }

function words(list) { return "(^|[^A-Za-z0-9_.>])(" list ")[ ]*\\(" }

function begin_file() {
    file = FILENAME
    base = file
    sub(/.*\//, "", base)
    generated = base ~ /_tables\.c$/ || base ~ /_shaders\.c$/
    library = file ~ /^src\// && file !~ /\/gen\// && file !~ /^src\/cli\//
    depth = 0; in_comment = 0; in_pp = 0; decl = ""; decl_line = 0; function_name = ""
    long_ok = 0
    if (index($0, "/* " base " - ") != 1)
        report(1, "opening", "a file begins with \"/* " base " - what it is for\"")
}

function end_file() {
    if (file == "") return
    if (lines > MAX_FILE && !generated)
        report(lines, "file-length", lines " lines, at most " MAX_FILE)
    if (depth != 0) report(lines, "braces", "unbalanced: functions of this file are not measured")
}

# Comments: code that somebody switched off ends like code and begins like code.
function comment(text, slashes) {
    if (text ~ /(^|[ *])long: /) long_ok = 1
    sub(/^[ \t*\/]+/, "", text)
    sub(/[ \t]+$/, "", text)
    if (text ~ /^(if|for|while|switch) ?\(.*[;{]$/ || text ~ /^(return|goto) ?[^ ]*;$/ ||
        text ~ /^#(if|ifdef|ifndef|endif|include|define)( |$)/ ||
        text ~ /^[A-Za-z_][][A-Za-z0-9_.>-]*(\(.*\)| [-+*\/|&^]?= .*|\+\+|--);$/)
        report(FNR, "dead-code", "commented-out code: " text)
    else if (slashes && text ~ /;$/)
        report(FNR, "dead-code", "commented-out code: " text)
}

# Depth-0 text ends in front of a `{`: is it a function, and with how many parameters?
function open_function(    text, i, c, level, commas, inside, name) {
    text = decl
    gsub(/__attribute__ *\(\([^()]*(\([^()]*\))?[^()]*\)\)/, "", text)
    sub(/[ \t]+$/, "", text)
    if (text !~ /\)$/ || text ~ /^[^(]*=/) return
    level = 0; commas = 0
    for (i = length(text); i > 0; i--) {
        c = substr(text, i, 1)
        if (c == ")") level++
        else if (c == "(" && --level == 0) break
        else if (c == "," && level == 1) commas++
    }
    inside = substr(text, i + 1, length(text) - i - 1)
    name = substr(text, 1, i - 1)
    if (name ~ /\)$/) { sub(/\)$/, "", name); sub(/.*\(/, "", name) }
    sub(/[ \t]+$/, "", name)
    sub(/.*[ \t*]/, "", name)
    function_name = name
    function_line = decl_line
    if (commas + 1 > MAX_PARAMETERS && file !~ /^src\/(kernels|quant)\//)
        report(decl_line, "parameters", name " takes " commas + 1 ", at most " MAX_PARAMETERS)
}

function close_function(    n) {
    n = FNR - function_line + 1
    if (!generated && file ~ /^src\//) lengths[n]++
    if (n > MAX_FUNCTION && !long_ok && !generated)
        report(function_line, "function-length", function_name " has " n " lines, at most " \
               MAX_FUNCTION)
    function_name = ""
    long_ok = 0
}

function code(text) {
    line_code = line_code text
    if (depth > 0 || in_pp) return
    if (decl == "" && text ~ /[^ \t]/) decl_line = FNR
    if (decl != "" || text ~ /[^ \t]/) decl = decl text
}

function brace(c) {
    line_code = line_code c
    if (in_pp) return
    if (c == ";") {
        if (depth == 0) decl = ""
    } else if (c == "{") {
        if (depth++ == 0) open_function()
    } else if (depth > 0 && --depth == 0) {
        if (function_name != "") close_function()
        decl = ""
        long_ok = 0
    }
}

function scan(s,    c, p) {
    while (s != "") {
        if (in_comment) {
            p = index(s, "*/")
            comment(p ? substr(s, 1, p - 1) : s, 0)
            if (!p) return
            s = substr(s, p + 2)
            in_comment = 0
            continue
        }
        if (!match(s, /[{};"'\/]/)) { code(s); return }
        if (RSTART > 1) code(substr(s, 1, RSTART - 1))
        s = substr(s, RSTART)
        c = substr(s, 1, 1)
        if (c == "\"" && match(s, /^"([^"\\]|\\.)*"/)) {
            code("\"\"")
            s = substr(s, RLENGTH + 1)
        } else if (c == "'" && match(s, /^'([^'\\]|\\.)*'/)) {
            code("' '")
            s = substr(s, RLENGTH + 1)
        } else if (substr(s, 1, 2) == "/*") {
            in_comment = 1
            s = substr(s, 3)
        } else if (substr(s, 1, 2) == "//") {
            comment(substr(s, 3), 1)
            return
        } else {
            if (c == "{" || c == "}" || c == ";") brace(c)
            else code(c)
            s = substr(s, 2)
        }
    }
}

function check_calls() {
    if (file !~ /^src\//) return
    if (line_code ~ words(UNSAFE)) report(FNR, "unsafe-call", line_code)
    if (!library) return
    if (line_code ~ words(LEAVE)) report(FNR, "banned-call", "leaves the process: " line_code)
    if (base != "mem.c" && line_code ~ words(MEMORY))
        report(FNR, "banned-call", "memory comes from base/mem.h: " line_code)
    if (base != "log.c" && (line_code ~ words(OUTPUT) || line_code ~ /STD(OUT|ERR)_FILENO/))
        report(FNR, "banned-call", "the library does not print: " line_code)
}

function check_environment(    name) {
    if ($0 !~ /getenv *\(/) return
    if (file ~ /^src\// && !match($0, /getenv\("[A-Z_]+"\)/))
        report(FNR, "environment", "getenv of something that cannot be read here")
    else if (file ~ /^src\//) {
        name = substr($0, RSTART + 8, RLENGTH - 10)
        if (name !~ /^RZ_(CPU|LOG|THREADS)$/ && !(file ~ /^src\/lambda\// && name ~ /^_?AWS_/) &&
            !(base == "cmd_train.c" && name == "OXIDIZED_RUN_DIR") &&
            !(base == "cmd_serve.c" && name == "REALIZAR_API_KEY") &&
            !(base == "cmd_lambda.c" &&
              name ~ /^(REALIZAR_API_KEY|REALIZAR_ARGS|_HANDLER|AWS_LAMBDA_RUNTIME_API)$/) &&
            !(base == "cmd_vocab.c" && name ~ /^(REALIZAR_VOCAB_DIR|HOME)$/) &&
            !(base == "tok_find.c" && name ~ /^(REALIZAR_VOCAB_DIR|XDG_DATA_HOME|HOME)$/) &&
            !(base == "model_store.c" &&
              name ~ /^(HF_HUB_CACHE|HF_HOME|OLLAMA_MODELS|XDG_CACHE_HOME|HOME)$/))
            report(FNR, "environment", "only RZ_CPU, RZ_LOG and RZ_THREADS are read, not " name)
    }
}

function check_text(    width) {
    if (index($0, "\t")) report(FNR, "tab", "indent with spaces")
    if ($0 ~ /[ \t]$/) report(FNR, "trailing-space", "")
    width = $0
    gsub(/[\200-\277]/, "", width) # a character counts once, however many bytes it has
    if (length(width) > MAX_LINE && !generated)
        report(FNR, "line-length", length(width) " columns, at most " MAX_LINE)
    if ($0 ~ /(^|[^A-Za-z0-9_])(TODO|FIXME|XXX|HACK)([^A-Za-z0-9_]|$)/)
        report(FNR, "unfinished", $0)
    if ($0 ~ /^ *# *if +0( |$)/) report(FNR, "dead-code", "#if 0")
    if ($0 ~ /(typedef .*|^\} *)[A-Za-z0-9]_t;/)
        report(FNR, "type-name", "no _t: that ending belongs to the system")
}

FNR == 1 { end_file(); begin_file() }

{
    lines = FNR
    check_text()
    check_environment()
    line_code = ""
    if (!in_comment && !in_pp && $0 ~ /^ *#/) in_pp = 1
    # extern "C" { ... } and macros that stand alone at depth 0 open no scope that counts.
    if (!in_comment && ($0 ~ /^extern "C" \{/ || (depth == 0 && $0 ~ /^\}$/))) next
    if (!in_comment && !in_pp && decl == "" && $0 ~ /^[A-Z][A-Z0-9_]+\(.*\)$/) next
    scan($0)
    if (in_pp && !in_comment && $0 !~ /\\$/) in_pp = 0
    check_calls()
    if (decl != "") decl = decl " "
}

END {
    end_file()
    if (stats) for (n = 1; n < 10000; n++) if (n in lengths) print "length", n, lengths[n]
}
