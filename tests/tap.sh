# SPDX-License-Identifier: BSD-3-Clause
# tap.sh - sourced by the tests that are shell scripts; prints TAP.
#   ok WHAT COMMAND...      one case: passes when COMMAND succeeds; its output is shown when not
#   not_ok WHAT COMMAND...  passes when COMMAND fails
#   skip WHAT WHY           a case that this host cannot run
#   skip_all WHY            ends the script: nothing here can run on this host
#   done_testing            prints the plan and exits; always the last line
tap_n=0 tap_bad=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/backplane-test.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
tap_line() { # STATUS WHAT
  tap_n=$((tap_n + 1))
  if [ "$1" = 0 ]; then echo "ok $tap_n - $2"; else echo "not ok $tap_n - $2"; tap_bad=$((tap_bad + 1)); fi
}
ok() {
  tap_what=$1; shift
  if "$@" >"$tmp/.tap" 2>&1; then tap_line 0 "$tap_what"; else
    tap_rc=$?; tap_line 1 "$tap_what"; echo "# status $tap_rc from: $*"; tail -n 60 "$tmp/.tap" | sed 's/^/# /'; return 1; fi
}
not_ok() {
  tap_what=$1; shift
  if "$@" >"$tmp/.tap" 2>&1; then
    tap_line 1 "$tap_what"; echo "# expected to fail: $*"; tail -n 60 "$tmp/.tap" | sed 's/^/# /'; return 1
  else tap_line 0 "$tap_what"; fi
}
skip() { tap_n=$((tap_n + 1)); echo "ok $tap_n - $1 # SKIP $2"; }
skip_all() { echo "1..0 # SKIP $1"; exit 0; }
done_testing() { echo "1..$tap_n"; [ "$tap_bad" = 0 ]; exit; }
