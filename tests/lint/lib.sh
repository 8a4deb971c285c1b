# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# lib.sh - sourced after tap.sh.
#   sources PATTERN...      the project's files whose names match, relative to the top folder
#   none WHAT COMMAND...    passes when COMMAND prints nothing; prints what it found when not
cd "$top_srcdir" || exit 1
# What git knows, or in an unpacked tarball everything that is no build folder.
if git rev-parse --is-inside-work-tree >/dev/null 2>&1 && [ -e .git ]; then
  git ls-files >"$tmp/files"
else
  find . -name 'build*' ! -name build-aux -prune -o -path ./autom4te.cache -prune -o -type f -print | sed 's|^\./||' >"$tmp/files"
fi
sources() {
  for sources_pattern in "$@"; do grep -E "$sources_pattern" "$tmp/files"; done |
    while read -r sources_file; do [ -f "$sources_file" ] && echo "$sources_file"; done | sort -u
}
none() {
  none_what=$1; shift
  "$@" >"$tmp/none" 2>&1
  if [ -s "$tmp/none" ]; then
    tap_line 1 "$none_what"; head -n 40 "$tmp/none" | sed 's/^/# /'; return 1
  fi
  tap_line 0 "$none_what"
}
# Shell scripts have that first line, whatever they are called.
scripts() {
  while read -r scripts_file; do
    [ -f "$scripts_file" ] && head -n 1 "$scripts_file" | grep -qE '^#!.*[ /](ba|da)?sh$' && echo "$scripts_file"
  done <"$tmp/files"
}
