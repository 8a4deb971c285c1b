#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every plugin has a man page that names each of its keys; every man page is well-formed.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/lint/lib.sh"
formed() { # PAGE
  if command -v mandoc >/dev/null; then
    # Pages that are not installed here, and the ways in which groff and mandoc differ, are no fault.
    mandoc -T lint -W warning "$1" | grep -v 'referenced manual not found' >"$tmp/lint"
  else
    LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>"$tmp/lint" >/dev/null
  fi
  cat "$tmp/lint"
  [ ! -s "$tmp/lint" ]
}
command -v mandoc >/dev/null || command -v man >/dev/null || skip_all 'neither mandoc nor man'
for page in $(sources '\.[1-9]$'); do
  ok "$page is well-formed" formed "$page"
done
keys() { # PLUGIN PAGE
  "$top_builddir/run" inspect "$1" >"$tmp/inspect" || return 1
  missing=
  for key in $(sed -n 's/^    \([a-z][a-z0-9_-]*\)$/\1/p' "$tmp/inspect"); do
    sed 's/\\-/-/g' "$2" | grep -qw -- "$key" || missing="$missing $key"
  done
  [ -z "$missing" ] || { echo "$2 does not name$missing"; return 1; }
}
for folder in $(sources '^plugins/[^/]*/plugin\.am$'); do
  name=${folder#plugins/}; name=${name%%/*}
  page=plugins/$name/backplane-$name.7
  grep -q '^plugin_LTLIBRARIES' "plugins/$name/plugin.am" || continue
  ok "$name has a man page" test -f "$page" || continue
  if [ -e "$top_builddir/modules/$name.so" ]; then
    ok "$page names every key" keys "$name" "$page"
  else
    skip "$page names every key" 'this plugin is not built here'
  fi
done
done_testing
