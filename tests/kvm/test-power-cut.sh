#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The program is killed while a guest writes and flushes as fast as it can. Each write that the guest
# was told of is in the image, whole; the next run finds it there and goes on.
# shellcheck source-path=SCRIPTDIR source=run.bash
. "${top_srcdir:-.}/tests/kvm/run.bash"
slots=16

# cut RECORDS: kills the program when so many more are acknowledged; $last: where this run began, $ack:
# the last acknowledged
cut() {
  local line left=$1
  last='' ack=''
  mkfifo "$tmp/out" || return
  "$top_builddir/run" run "$tmp/journal.conf" </dev/null >"$tmp/out" 2>"$tmp/err" &
  pid=$!
  (sleep 120 && kill -KILL "$pid") >/dev/null 2>&1 &
  watch=$!
  # What is in the pipe when the program dies was acknowledged as well.
  while IFS= read -r line; do
    case $line in
      last=????????) last=$((0x${line#*=})) ;;
      ack=????????)
        ack=$((0x${line#*=}))
        left=$((left - 1))
        [ $left != 0 ] || kill -KILL "$pid"
        ;;
    esac
  done <"$tmp/out"
  wait "$pid" 2>"$tmp/killed"
  status=$?
  kill "$watch" 2>/dev/null
  rm "$tmp/out"
  [ $status = 137 ] && [ -n "$ack" ] || { echo "status $status after record '$ack'"; cat "$tmp/err"; return 1; }
}

# The newest acknowledged record of each slot is there, or, in the slot that it was about to write
# next, that one or a part of it.
whole() {
  od -An -v -tu4 -w4096 "$tmp/disk" | awk -v ack="$ack" -v slots=$slots '
    NR <= slots {
      slot = NR - 1
      want = ack - (ack - slot + slots) % slots
      if (want <= 0) want = 0
      for (i = 1; i <= NF; i++)
        if ($i != want && !(slot == (ack + 1) % slots && $i == ack + 1)) {
          printf "slot %d holds %s, not %s, after record %s\n", slot, $i, want, ack
          bad = 1
          break
        }
    }
    END { exit bad }'
}
# No more than the one that was about to be acknowledged is new.
begins_at() { [ "$last" = "$1" ] || [ "$last" = $(($1 + 1)) ] || { echo "it found record $last, not $1"; false; }; }

direct=true
truncate -s 1M "$tmp/disk"
dd if="$tmp/disk" of=/dev/null iflag=direct bs=4096 count=1 2>/dev/null || direct=false # a tmpfs of old
for variant in "pci, io_uring, main thread::" "mmio, io_uring, I/O thread that polls:thread:" \
  "pci, threads, I/O thread:thread:aio = threads" "pci, io_uring, O_DIRECT, I/O thread that polls:thread:direct = $direct"; do
  IFS=: read -r name thread drive <<<"$variant"
  bus=${name%%,*}
  rm -f "$tmp/disk"
  truncate -s 1M "$tmp/disk"
  { [ "$bus" = pci ] && echo 'pci { }'
    echo 'acpi { } debug-exit { } rtc { }'
    echo 'serial com1 { chardev = "stdio" }'
    echo "boot { kernel = \"$guests/journal.elf\" cmdline = \"$bus\" }"
    echo 'machine { memory = "64M" }'
    echo 'iothread io { poll_us = 1000 }'
    echo "block-file file { path = disk  $drive }"
    echo "virtio-blk disk0 { drive = file ${thread:+ iothread = io} }"; } >"$tmp/journal.conf"
  before=0
  for records in 1 9 40 133; do
    ok "$name: cut after $records records" cut $records
    ok "$name: it found what the run before had written" begins_at "$before"
    ok "$name: each acknowledged record is in the image" whole
    before=$ack
  done
done
done_testing
