# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# lib.sh - sourced after tap.sh.
#   sources PATTERN...      the project's files whose names match, relative to the top folder
#   none WHAT COMMAND...    passes when COMMAND prints nothing; prints what it found when not
cd "$top_srcdir" || exit 1
# A tarball has generated files beside the sources, and no list of which is which.
git rev-parse --is-inside-work-tree >/dev/null 2>&1 && [ -e .git ] ||
  skip_all 'no git here: the sources are checked where they are written'
git ls-files >"$tmp/files"
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
