# SPDX-License-Identifier: BSD-3-Clause
# list.awk - what the plugin ABI consists of, one line for each thing, read from the headers given:
#   struct STRUCT
#   member STRUCT MEMBER DECLARATION     with @ in place of the member's name
#   const NAME                           an enumerator, or a #define of a number
#   string NAME                          a #define of a string
# The headers are written for this: no struct is nested in another, and each line of a #define is
# one thing. What cannot be read ends the run, so that nothing is left out in silence.
function fail(text) { print FILENAME ": " text >"/dev/stderr"; failed = 1; exit 1 }
function trim(s) { gsub(/[ \t\n]+/, " ", s); sub(/^ /, "", s); sub(/ $/, "", s); return s }

# The next c outside of parentheses, 0 if there is none.
function outside(s, c,   i, depth, k) {
    for (i = 1; i <= length(s); i++) {
        k = substr(s, i, 1)
        if (k == "(") depth++
        else if (k == ")") depth--
        else if (k == c && !depth) return i
    }
    return 0
}

function member(struct, text,   at, first, base, part, name) {
    text = trim(text)
    if (text == "") return
    at = outside(text, ",")
    first = at ? substr(text, 1, at - 1) : text
    if (match(first, /\(\*[a-z_0-9]+\)\(/)) { # a function
        name = substr(first, RSTART + 2, RLENGTH - 4)
        if (at) fail("struct " struct ": " text)
        print "member " struct " " name " " substr(first, 1, RSTART + 1) "@" substr(first, RSTART + RLENGTH - 2)
        return
    }
    if (!match(first, /[a-z_A-Z0-9]+(\[[A-Z_0-9]+\])?$/)) fail("struct " struct ": " text)
    base = substr(first, 1, RSTART - 1)
    sub(/[* ]+$/, "", base)
    if (base == "") fail("struct " struct ": " text)
    text = substr(text, length(base) + 1)
    while (text != "") {
        at = outside(text, ",")
        part = trim(at ? substr(text, 1, at - 1) : text)
        text = at ? substr(text, at + 1) : ""
        if (!match(part, /[a-z_A-Z0-9]+(\[[A-Z_0-9]+\])?$/)) fail("struct " struct ": " part)
        name = substr(part, RSTART)
        base_part = substr(part, 1, RSTART - 1)
        array = ""
        if ((at = index(name, "["))) { array = substr(name, at); name = substr(name, 1, at - 1) }
        print "member " struct " " name " " base " " base_part "@" array
    }
}

function headers(text,   at, to, body, name, n, lines, i, parts) {
    while ((at = index(text, "/*"))) {
        to = index(substr(text, at + 2), "*/")
        if (!to) fail("a comment has no end")
        text = substr(text, 1, at - 1) " " substr(text, at + to + 3)
    }
    gsub(/\\\n/, " ", text)
    n = split(text, lines, "\n")
    text = ""
    for (i = 1; i <= n; i++) {
        if (lines[i] !~ /^#/) { text = text lines[i] "\n"; continue }
        if (match(lines[i], /^# *define +BP_[A-Z0-9_]+ +[^ ]/)) {
            split(lines[i], parts, " ")
            name = parts[1] == "#" ? parts[3] : parts[2]
            body = trim(substr(lines[i], index(lines[i], name) + length(name)))
            if (body ~ /^"[^"]*"$/) print "string " name
            else if (body ~ /^\(?-?[0-9A-Zux_]+( - 1\))?$/ && body !~ /^BP_API/) print "const " name
        }
    }
    while (match(text, /(struct|enum)( [a-z_0-9]+)? \{[^}]*\}/)) {
        body = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        at = index(body, "{")
        name = trim(substr(body, 1, at - 1))
        body = substr(body, at + 1, length(body) - at - 1)
        if (index(body, "{")) fail(name ": something is nested in it")
        if (name ~ /^enum/) {
            n = split(body, parts, ",")
            for (i = 1; i <= n; i++) {
                sub(/=.*/, "", parts[i])
                if (trim(parts[i]) != "") print "const " trim(parts[i])
            }
        } else {
            name = substr(name, 8)
            print "struct " name
            n = split(body, parts, ";")
            for (i = 1; i <= n; i++) member(name, parts[i])
        }
    }
    if (text ~ /(struct|enum|union)( [a-z_0-9]+)? *\{/) fail("what is this: " trim(text))
}

FNR == 1 && NR > 1 { headers(whole); whole = "" }
{ whole = whole $0 "\n" }
END { if (!failed) headers(whole) }
