# SPDX-License-Identifier: BSD-3-Clause
# page.awk - a manual page of section 3 from a public header, whose comments are the one source of
# what is said about the interface. The header's first comment is "FILE - TITLE." and an
# introduction; a comment in front of a declaration, or behind it on its line, is about it; what has
# no comment of its own shares the one above.
#   awk -v name=bp_mem -v date='November 22, 2026' -f page.awk if/mem.h >bp_mem.3
function flush_text(text, indent,   n, i, paragraphs, line) {
    n = split(text, paragraphs, "\n")
    for (i = 1; i <= n; i++) {
        line = paragraphs[i]
        if (line ~ /^[ \t]*$/) { if (i > 1 && i < n && !literal) print ".Pp"; continue }
        # What is indented deeper is shown as it is: a picture, a line of code.
        if (line ~ /^   /) { if (!literal) { print ".Bd -literal -offset indent"; literal = 1 } print escape(line); continue }
        if (literal) { print ".Ed"; literal = 0 }
        sub(/^ +/, "", line)
        if (line ~ /^- /) { print ".Pp"; sub(/^- /, "\\(bu ", line); print line; continue }
        print escape(line)
    }
    if (literal) { print ".Ed"; literal = 0 }
}
function escape(s) { gsub(/\\/, "\\e", s); if (s ~ /^[.']/) s = "\\&" s; return s }
function note_errors(text,   rest) {
    rest = text
    while (match(rest, /BP_E_[A-Z]+/)) { used[substr(rest, RSTART, RLENGTH)] = 1; rest = substr(rest, RSTART + RLENGTH) }
}
# Declarations that share a comment are collected, and shown in front of it.
function show() {
    if (shown != "") {
        if (!opened) { heading(); }
        printf ".Bd -literal -offset indent\n%s.Ed\n", shown
        if (about != "") { print ".Pp"; flush_text(about); note_errors(about) }
    }
    shown = about = ""
}
function heading() { if (struct != "") print ".Ss struct " struct; opened = 1 }
function declare(line, comment, fresh) {
    if (fresh || comment != "") { show(); about = comment }
    sub(/^    /, "", line)
    shown = shown escape(line) "\n"
}
BEGIN { split("", used) }
{ sub(/\r$/, "") }
/^\/\* SPDX/ { next }
# ---- Comments ----
!inside && !tail && /^ *\/\*/ && !/\*\/ *$/ { inside = 1; sub(/^ *\/\*+ ?/, ""); comment = ($0 == "") ? "" : $0 "\n"; next }
inside {
    last = sub(/ *\*\/ *$/, "")
    if (/^ *\*?$/) $0 = ""; else sub(/^ *\* ?/, "")
    comment = comment $0 "\n"
    if (last) { inside = 0; if (!titled) title() }
    next
}
/^ *\/\*.*\*\/ *$/ {
    sub(/^ *\/\*+ ?/, ""); sub(/ *\*\/ *$/, "")
    comment = $0 "\n"
    if (!titled) title()
    next
}
function title(   at, first, parts) {
    titled = 1
    # The first paragraph, on one line.
    at = index(comment, "\n\n")
    first = at ? substr(comment, 1, at) : comment
    rest_of_title = at ? substr(comment, at + 2) : ""
    gsub(/\n/, " ", first)
    sub(/^[^ ]+ - /, "", first); sub(/\. *$/, "", first)
    printf ".\\\" SPDX-License-Identifier: BSD-3-Clause\n.\\\" Made from the header by page.awk.\n.Dd %s\n.Dt %s 3\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n", date, toupper(name), name, escape(first)
    printf ".Sh SYNOPSIS\n.In %s\n.Sh DESCRIPTION\n", header
    flush_text(rest_of_title == "" ? first ".\n" : rest_of_title)
    note_errors(rest_of_title)
    comment = ""
}
# ---- Declarations ----
/^#(ifndef|ifdef|else|endif|include)/ || /^BP_(BEGIN|END)_DECLS/ { comment = ""; next }
/^#define [A-Z_]+_H$/ { next }
/^#define/ && /\\$/ { show(); struct = ""; opened = 1; macro = 1; declare($0, comment, 1); comment = ""; next }
macro { shown = shown escape($0) "\n"; if (!/\\$/) { macro = 0; show() } next }
/^$/ { if (!body) show(); comment = body ? comment : ""; next }
/^(struct|enum|typedef struct)( [a-z_0-9]+)? \{$/ {
    show(); opened = 0; body = 1; values = /^enum/
    struct = values ? "" : $0; sub(/^(typedef )?struct /, "", struct); sub(/ \{$/, "", struct)
    if (values) { opened = 1; if (comment != "") { if (!sectioned++) print ".Ss Constants"; print ".Pp"; flush_text(comment) } shown = "" ; enumerators = "" }
    else { heading(); flush_text(comment); note_errors(comment) }
    comment = ""
    next
}
/^\}/ {
    if (values) { if (enumerators != "") printf ".Bd -literal -offset indent\n%s.Ed\n", enumerators; values = 0 }
    else show()
    body = 0; comment = ""; next
}
values { gsub(/\t/, "    "); line = $0; sub(/^    /, "", line); enumerators = enumerators escape(line) "\n"; next }
body {
    # A comment behind a member stays there, however many lines it has.
    if (tail) { if (/\*\//) tail = 0; shown = shown escape(substr($0, 5)) "\n"; next }
    if (/^    [^ ]/ || shown == "") { declare($0, comment, 0); comment = "" }
    else shown = shown escape(substr($0, 5)) "\n"
    if (/[^ ].*\/\*/ && !/\*\//) tail = 1
    next
}
{
    # Outside of any struct: functions and macros of one line.
    if ($0 ~ /^#define/ || $0 ~ /^[A-Za-z_]/) {
        if (struct != "" || !general++) { show(); struct = ""; opened = 1; }
        declare($0, comment, 0)
        comment = ""
    } else if (shown != "") shown = shown escape($0) "\n"
}
END {
    show()
    print ".Sh THREADS\nA tag in brackets says from where a function may be called, or is called:"
    print ".Bl -tag -width [realize]"
    print ".It Bq realize\nfrom the instance's create(), realize() or load(): no vCPU runs, one thread;"
    print ".It Bq ctx\nin any callback that the core makes into the instance; they come one at a time for a device\ntogether with its back ends, from whatever thread;"
    print ".It Bq any\nfrom every thread, the plugin's own ones included.\n.El"
    print ".Sh OWNERSHIP\nWhat a pointer leads to is lent for the call, unless the text says how long it lives: the callee\ncopies what it keeps. Strings that the core gives live as long as the instance. Ids belong to the\ninstance that they were given to, and are gone with it. Descriptors belong to who receives them."
    print ".Sh ERRORS\nFunctions that return int give 0 or a count, or a negative number of\n.In backplane/base.h ;\nout-parameters are left alone then."
    n = 0
    list = ""
    for (e in used) sorted[++n] = e
    for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (sorted[j] < sorted[i]) { e = sorted[i]; sorted[i] = sorted[j]; sorted[j] = e }
    if (n) { print "Those named above are"; for (i = 1; i <= n; i++) printf ".Dv %s%s\n", sorted[i], i < n ? " ," : " ." }
    print ".Sh SEE ALSO\n.Xr backplane-check 1 ,\n.Xr backplane-plugin 7"
}
