#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# virtio-console with Linux's driver: a console, and ports that the guest finds by name.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/nested/lib.sh"
on_kvm_host "$@"

lines=1000 bytes=200000
sum() { md5sum <"$1" | cut -d' ' -f1; }
head -c "$bytes" /dev/urandom >"$tmp/sent"
for machine in pc microvm; do
  vm_new
  port=$(free_port 5700)
  # shellcheck disable=SC2034 # read by lib.sh
  platform=$machine cmdline="test=console test.lines=$lines test.bytes=$bytes"
  # shellcheck disable=SC2034
  more="
char-file hvc { path = \"$tmp/hvc\" }
char-file events { path = \"$tmp/events\" }
char-socket agent { host = \"127.0.0.1\" port = $port }
virtio-console console0 { chardev = hvc  cols = 100  rows = 40 }
virtio-console ports0 { ports = { agent, events } }"
  vm_start "$machine"
  vm_wait '@@ set agent ready'
  exec 5<>"/dev/tcp/127.0.0.1/$port"
  head -c "$bytes" <&5 >"$tmp/back" &
  reader=$!
  cat "$tmp/sent" >&5
  vm_end
  exec 5>&-
  wait "$reader"
  vm_passed "$machine"
  ok "$machine: the console's bytes arrive whole" test "$(sum "$tmp/hvc")" = "$(vm_value sum.lines)"
  ok "$machine: a port's bytes arrive whole" test "$(sum "$tmp/events")" = "$(vm_value sum.lines)"
  ok "$machine: the guest got what was sent into a socket" test \
    "$(sum "$tmp/sent")" = "$(vm_value sum.agent)"
  ok "$machine: and it came back the same" cmp "$tmp/sent" "$tmp/back"
done
done_testing
