#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Who started the program is told that the guest runs, and that it has stopped.
# shellcheck source-path=SCRIPTDIR source=run.bash
. "${top_srcdir:-.}/tests/kvm/run.bash"
listen=$top_builddir/tests/kvm/notify-listen
run=$top_builddir/run

cat >"$tmp/vm.conf" <<END
pci { }
acpi { }
debug-exit { }
serial com1 { chardev = "stdio" }
boot { kernel = "$guests/devices.elf" cmdline = "pci" }
machine { memory = "64M" }
END
sed 's/devices.elf/nothing.elf/' "$tmp/vm.conf" >"$tmp/bad.conf"
told() { # STATUS SOCKET CONFIG
  timeout 60 "$listen" "$2" "$run" run "$tmp/$3" </dev/null >"$tmp/told" 2>"$tmp/err"
  rc=$?
  cat "$tmp/told" "$tmp/err"
  [ $rc = "$1" ]
}
for kind in path name; do
  socket=$tmp/socket
  [ $kind = path ] || socket=@backplane-test-$$
  ok "a $kind: the guest came to its end" told 61 "$socket" vm.conf
  ok "a $kind: first it is told that it runs" sh -c "grep = '$tmp/told' | head -n 1 | grep -qx 'told: READY=1'"
  ok "a $kind: then that it has stopped" grep -qx 'told: STOPPING=1' "$tmp/told"
  ok "a $kind: each once" test "$(grep -c '^told' "$tmp/told")" = 2
  rm -f "$tmp/socket"
done
ok 'a machine that cannot start fails' told 2 "$tmp/socket" bad.conf
not_ok 'and does not say that it is ready' grep -q READY "$tmp/told"
nobody() { # SOCKET MESSAGE
  NOTIFY_SOCKET=$1 timeout 60 "$run" run "$tmp/vm.conf" </dev/null >"$tmp/out" 2>"$tmp/err"
  rc=$?
  cat "$tmp/err"
  [ $rc = 61 ] && grep -q "$2" "$tmp/err"
}
ok 'nobody listens: the machine runs, and says it' nobody "$tmp/nobody" 'cannot notify'
ok 'no socket: the machine runs, and says it' nobody relative 'is no socket'
done_testing
