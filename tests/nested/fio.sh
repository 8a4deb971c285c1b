#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# fio writes and verifies with everything switched on that makes a disk fast: an I/O thread that
# polls, several queues, io_uring. Then the power is cut while a guest writes files with fsync: each
# one that it was told of is in the image, in a file system that fsck likes.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/nested/lib.sh"
if [ -z "${L1-}" ]; then
  image=$("$nested/guest" fio 2>"$tmp/guest") || skip_all "no guest with fio: $(tail -n 1 "$tmp/guest")"
  export image
fi
on_kvm_host "$@"

cp "$image" "$tmp/root"
truncate -s 64M "$tmp/raw"
vm_new
# shellcheck disable=SC2034 # read by lib.sh
cpus=2 memory=384M cmdline="root=/dev/vda rw test=fio test.queues=2"
# shellcheck disable=SC2034
more="iothread io0 { poll_us = 1000 }
iothread io1 { poll_us = 1000 }
block-file raw { path = \"$tmp/raw\"  aio = io_uring }"
disks=("drive = \"file:$tmp/root\"  queues = 2  iothread = io0" "drive = raw  queues = 2  iothread = io1")
vm_run fio
vm_passed fio
ok "fio: fsck finds nothing to mend" e2fsck -fn "$tmp/root"

# there N: files 1 to N are in the image as they were written
there() {
  local n
  for n in $(seq 1 "$1"); do
    debugfs -R "cat /data/$n" "$tmp/root" 2>/dev/null | cmp - <(seq $((n * 1000)) $((n * 1000 + 400))) ||
      { echo "file $n of $1 is not what was written"; return 1; }
  done
}
# Kill the program, and let fsck do what the next boot would: replay the journal.
for count in 2 17; do
  "$nested/guest" disk "$tmp/root" 48M || exit
  cmdline="root=/dev/vda rw test=fsyncs"
  more="iothread io0 { poll_us = 1000 }"
  disks=("drive = \"file:$tmp/root\"  queues = 2  iothread = io0")
  vm_start "cut-$count"
  vm_wait "@@ set fsynced $count\\b"
  kill -KILL "$vm_pid"
  vm_end
  synced=$(vm_value fsynced)
  ok "cut after $count files: it was running, and told the guest of ${synced:-none}" \
    test "$vm_status:$((synced >= count))" = 137:1
  ok "cut after $count files: the journal is replayed, with nothing to ask" e2fsck -p "$tmp/root"
  ok "cut after $count files: fsck finds nothing to mend" e2fsck -fn "$tmp/root"
  ok "cut after $count files: all that the guest was told of are there" there "${synced:-0}"
done
done_testing
