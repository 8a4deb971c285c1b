#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every shell script, and what scripts source, passes shellcheck.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/lint/lib.sh"
command -v shellcheck >/dev/null || skip_all 'no shellcheck'
# SC1090, SC1091, SC2034, SC2154: what is sourced from a folder in a variable is checked by itself;
# it sets and uses variables. SC1007: `VAR= command` is how an empty variable is given. SC2046, words
# are split where the output is a list. SC2317: functions that ok runs seem to be never called.
checked() {
  shell='sh'
  head -n 3 "$1" | grep -qE '^#!.*bash|^# shellcheck shell=bash' && shell='bash'
  shellcheck -s $shell -S warning -e SC1007,SC1090,SC1091,SC2034,SC2046,SC2154,SC2317 "$1"
}
for file in $(scripts) $(sources '/(lib|tap)\.sh$'); do
  ok "$file" checked "$file"
done
done_testing
