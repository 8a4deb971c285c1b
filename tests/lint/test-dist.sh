#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The tarball has every file that git has, but for what only git and CI want.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/lint/lib.sh"
${MAKE:-make} -s -C "$top_builddir" print-dist >"$tmp/raw" 2>"$tmp/err" || { cat "$tmp/err"; exit 1; }
# Names are relative to the top of the source, or lead there from the build folder.
while read -r name; do
  case $name in
    /* | ../*) (cd "$top_builddir" && realpath -m --relative-to="$top_srcdir" "$name") ;;
    *) echo "${name#./}" ;;
  esac
done <"$tmp/raw" | sort -u >"$tmp/dist"
forgotten() {
  while read -r file; do
    [ -f "$file" ] || continue
    case $file in .gitignore|.ci/*|*/.gitignore) continue ;; esac
    grep -qxF "$file" "$tmp/dist" && continue
    folder=$file
    while [ "$folder" != "${folder%/*}" ]; do
      folder=${folder%/*}
      grep -qxF "$folder" "$tmp/dist" && continue 2
    done
    echo "$file"
  done <"$tmp/files"
}
ok 'the list of what is distributed' test -s "$tmp/dist"
none 'the tarball has all files: name them in a .am file' forgotten
done_testing
