#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The pages that are made of the headers: there is one for each header, it has every function and
# type, each function says from where it may be called, and the page is well-formed.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/abi/lib.sh"
pages=$top_builddir/sdk/man
listed() {
  (cd "$now/backplane" && find . -name '*.h' | sed 's|^\./||' | grep -vx 'backplane.h\|version.h' | sort) >"$tmp/headers"
  cut -d ' ' -f 2 "$top_srcdir/sdk/man/pages" | sort | diff "$tmp/headers" -
}
ok 'each header has a page' listed
formed() {
  mandoc -T lint -W warning "$1" | grep -v 'referenced manual not found' >"$tmp/lint"
  cat "$tmp/lint"
  [ ! -s "$tmp/lint" ]
}
# Everything that list.awk sees in the header is in the page.
whole() { # PAGE HEADER
  awk -f "$abi/list.awk" "$now/backplane/$2" >"$tmp/list" 2>/dev/null || return 1
  sed 's/\\e/\\/g' "$1" >"$tmp/text"
  for whole_word in $(awk '$1 == "member" { print $3 } $1 != "member" { print $2 }' "$tmp/list" | sort -u); do
    grep -qw -- "$whole_word" "$tmp/text" || { echo "$whole_word is not in $1"; return 1; }
  done
}
# A function of a table, or the text it shares with others, has a tag.
tagged() { # PAGE
  awk '/^\.Ss struct/ { table = $3 ~ /(_if|bp_host)$/ }
    /^\.Sh THREADS/ { table = 0 }
    table && /^\.Bd/ { if (function_of && !tag) print function_of; function_of = ""; tag = 0; literal = 1 }
    table && /^\.Ed/ { literal = 0 }
    literal && match($0, /\(\*[a-z_0-9]+\)\(/) { function_of = substr($0, RSTART + 2, RLENGTH - 4) }
    /\[(any|ctx|realize)\]/ { tag = 1 }
    (/^\.S[sh]/) && function_of { if (!tag) print function_of; function_of = ""; tag = 0 }' "$1" >"$tmp/untagged"
  cat "$tmp/untagged"
  [ ! -s "$tmp/untagged" ]
}
while read -r page header; do
  page=$pages/$page.3
  if command -v mandoc >/dev/null; then
    ok "${page##*/} is well-formed" formed "$page"
  else
    skip "${page##*/} is well-formed" 'no mandoc'
  fi
  ok "${page##*/} has all of $header" whole "$page" "$header"
  ok "${page##*/} says from where each function may be called" tagged "$page"
done <"$top_srcdir/sdk/man/pages"
# It can fail.
sed 's/ \[ctx\]//; s/\[ctx\]//' "$now/backplane/if/irq.h" >"$tmp/irq.h"
awk -v name=bp_irq -v header=x -v date=x -f "$top_srcdir/sdk/man/page.awk" "$tmp/irq.h" >"$tmp/irq.3"
not_ok 'noticed: a function without a tag' tagged "$tmp/irq.3"
grep -v msi_pending "$pages/bp_irq.3" >"$tmp/short.3"
not_ok 'noticed: a function that is not in its page' whole "$tmp/short.3" if/irq.h
done_testing
