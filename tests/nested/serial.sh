#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The serial line gives every byte, once, in order, up to the last before power-off; and takes a
# session that is typed into it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/nested/lib.sh"
on_kvm_host "$@"

# whole FILE LINES: everything that the guest's script printed, compared byte by byte.
whole() {
  sed -n 's/\r*$//; /^=/p' "$1" | cmp - <(seq -f '=%05.0f' 1 "$2")
}

for machine in pc:20000 microvm:3000; do
  IFS=: read -r machine lines <<<"$machine"
  vm_new
  # shellcheck disable=SC2034 # read by lib.sh
  platform=$machine
  cmdline="test=serial test.lines=$lines"
  vm_run "$machine"
  vm_passed "$machine"
  ok "$machine: $lines lines arrive whole and in order" whole "$vm_log" "$lines"
  ok "$machine: the kernel's last words arrive" grep -q 'reboot: Power down' "$vm_log"
done

# To a file, and through a pipe whose reader is slow to start: back-pressure, not loss.
lines=3000
vm_new
# shellcheck disable=SC2034
serial=file:$tmp/serial cmdline="test=serial test.lines=$lines"
vm_run file
ok "char-file: power-off ends with status 0" test "$vm_status" = 0
ok "char-file: $lines lines arrive whole and in order" whole "$tmp/serial" "$lines"

mkfifo "$tmp/out" "$tmp/in"
vm_new
# shellcheck disable=SC2034
to=$tmp/out cmdline="test=serial test.lines=$lines"
(
  sleep 15
  exec cat
) <"$tmp/out" >"$tmp/slow" &
reader=$!
vm_run slow
wait $reader
ok "a reader that sleeps: $lines lines arrive whole and in order" whole "$tmp/slow" "$lines"
ok "a reader that sleeps: power-off ends with status 0" test "$vm_status" = 0

# A session: commands, then 24 KiB at once with nobody in the guest in a hurry to read them.
head -c 18432 /dev/urandom | base64 -w 0 >"$tmp/paste"
vm_new
# shellcheck disable=SC2034
from=$tmp/in
exec 4<>"$tmp/in"
vm_start session
vm_wait '^guest:.*# '
echo 'expr 100000 + 42' >&4
vm_wait '^100042'
ok "session: a command is typed and answered" grep -q '^100042' "$vm_log"
printf 'stty raw -echo; echo re""ady; sleep 2; head -c %s | md5sum; stty sane\n' "$(wc -c <"$tmp/paste")" >&4
vm_wait '^ready'
cat "$tmp/paste" >&4
sum=$(md5sum <"$tmp/paste" | cut -d' ' -f1)
vm_wait "^$sum"
ok "session: 24 KiB typed at once arrive whole" grep -q "^$sum" "$vm_log"
printf 'sleep 1000\n' >&4
sleep 2
printf '\003echo interrup""ted\n' >&4
vm_wait '^interrupted'
ok "session: an interrupt key reaches the program in front" grep -q '^interrupted' "$vm_log"
echo poweroff >&4
vm_end
exec 4>&-
ok "session: power-off ends with status 0" test "$vm_status" = 0 || vm_show
done_testing
