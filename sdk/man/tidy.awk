# SPDX-License-Identifier: BSD-3-Clause
# tidy.awk - behind page.awk: a sentence begins on a line of its own, and a paragraph only between
# two texts.
function put(line) {
    if (line == ".Pp") { waiting = last !~ /^\.(Sh|Ss|Pp)/; return }
    if (waiting && line !~ /^\.(Sh|Ss|Bd|El)/) print ".Pp"
    waiting = 0
    print line
    last = line
}
/^\.Bd/ { literal = 1 }
/^\.Ed/ { literal = 0 }
!literal && !/^\./ {
    from = 1
    while (match(substr($0, from), /[^ .]\.\)? +[^ ]/)) {
        at = from + RSTART + RLENGTH - 2
        from = at
        if (substr($0, 1, at - 1) ~ /(e\.g|i\.e)\. +$/) continue
        part = substr($0, 1, at - 1)
        sub(/ +$/, "", part)
        put(part)
        $0 = substr($0, at)
        if (/^[.']/) $0 = "\\&" $0
        from = 1
    }
}
{ put($0) }
