# book.awk - takes the checked blocks out of a Markdown file, and compares outputs.
#
#   awk -v dir=D -f tests/book.awk FILE.md
#       ```console run    every "$ command" to D/N.cmd, the lines under it to D/N.want
#       ```console serve  the same, to be run while the server is up (D/N.serve says so)
#       ```c run          the program to D/N.c
#     D/N.at names the place in the file.
#   awk -v want=W -v got=G -f tests/book.awk /dev/null
#     exit code 0 when G is W; "..." in W stands for any text in a line, alone for any lines.

function start() {
    n++
    base = dir "/" sprintf("%03d", n)
    print FILENAME ":" FNR > (base ".at")
    close(base ".at")
    if (serve) { print "" > (base ".serve"); close(base ".serve") }
}

function same_line(w, g,    p, first) {
    first = 1
    while ((p = index(w, "...")) > 0) {
        if (first && substr(g, 1, p - 1) != substr(w, 1, p - 1)) return 0
        if (!first && p > 1) {
            if (!index(g, substr(w, 1, p - 1))) return 0
            g = substr(g, index(g, substr(w, 1, p - 1)))
        }
        g = substr(g, p)
        w = substr(w, p + 3)
        first = 0
    }
    if (first) return w == g
    return length(g) >= length(w) && substr(g, length(g) - length(w) + 1) == w
}

# Are expected lines i.. and printed lines j.. the same?
function same(i, j) {
    for (; i <= n_want && wanted[i] != "..."; i++)
        if (j > n_got || !same_line(wanted[i], printed[j++])) return 0
    if (i > n_want) return j > n_got
    for (; j <= n_got + 1; j++) if (same(i + 1, j)) return 1
    return 0
}

BEGIN {
    if (want != "") {
        while ((getline line < want) > 0) wanted[++n_want] = line
        while ((getline line < got) > 0) printed[++n_got] = line
        exit !same(1, 1)
    }
}

/^```/ {
    if (block != "") {
        block = ""
        close(base ".c")
        close(base ".cmd")
        close(base ".want")
        next
    }
    info = substr($0, 4)
    serve = info == "console serve"
    block = info == "console run" || serve ? "console" : info == "c run" ? "c" : "other"
    if (block == "c") start()
    base_open = 0
    next
}

block == "c" { print > (base ".c") }

block == "console" && /^\$ / {
    if (base_open) { close(base ".want"); close(base ".cmd") }
    start()
    base_open = 1
    printf "" > (base ".want")
    command = substr($0, 3)
    print command > (base ".cmd")
    more = command ~ /\\$/
    next
}

# A backslash at the end of a line: the command goes on.
block == "console" && base_open && more {
    print > (base ".cmd")
    more = /\\$/
    next
}

block == "console" && base_open { print > (base ".want") }
