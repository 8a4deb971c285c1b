# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# run.bash - sourced by the tests that run a small guest with the whole program on /dev/kvm.
. "${top_srcdir:-.}/tests/tap.sh"
[ -w /dev/kvm ] || skip_all "no /dev/kvm that this user may open"
# shellcheck disable=SC2034
guests=$top_builddir/tests/guests

# run NAME: $tmp/NAME.conf; output to $tmp/NAME.out, messages to $tmp/NAME.err, status to $status
run() {
  timeout 60 "$top_builddir/run" run "$tmp/$1.conf" </dev/null >"$tmp/$1.out" 2>"$tmp/$1.err"
  status=$?
  sed 's/^/# /' "$tmp/$1.err"
}
status_is() { [ "$status" = "$1" ] || { echo "status is $status, not $1"; false; }; }
says() { grep -q -- "$2" "$tmp/$1" || { cat "$tmp/$1"; false; }; }
