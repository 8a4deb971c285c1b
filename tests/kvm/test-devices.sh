#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A small guest drives disk, entropy source and network card, on PCI and as MMIO devices.
# shellcheck source-path=SCRIPTDIR source=run.bash
. "${top_srcdir:-.}/tests/kvm/run.bash"

for bus in pci mmio; do
  { printf 'the first sector\n'; head -c 65000 /dev/zero; } >"$tmp/disk"
  truncate -s 64K "$tmp/disk"
  { [ $bus = pci ] && echo 'pci { }'
    echo 'acpi { } debug-exit { } rtc { }'
    echo 'serial com1 { chardev = "stdio" }'
    echo "boot { kernel = \"$guests/devices.elf\" cmdline = \"$bus\" }"
    echo 'machine { memory = "64M" }'
    echo 'iothread io { poll_us = 1000 }'
    echo "virtio-blk disk0 { drive = \"file:disk\" iothread = io }"
    echo 'virtio-net net0 { netdev = "user" }'
    echo 'virtio-rng rng0 { }'; } >"$tmp/$bus.conf"
  run $bus
  ok "$bus: the guest came to its end" status_is 61
  ok "$bus: disk: its size" says $bus.out '^disk: sectors=00000080$'
  ok "$bus: disk: reads the first sector" says $bus.out '^disk: reads the first sector$'
  ok "$bus: disk: writes the second" grep -q '^written by the guest$' "$tmp/disk"
  ok "$bus: disk: a read past the end is an I/O error" says $bus.out '^disk: past the end=00000001$'
  ok "$bus: entropy: as many bytes as asked" says $bus.out '^entropy: bytes=00000020$'
  ok "$bus: entropy: they are not zero" says $bus.out '^entropy: not all zero$'
  ok "$bus: net: the gateway answers" says $bus.out '^net: answer is ARP=00000806$'
  ok "$bus: net: with an ARP reply" says $bus.out '^net: operation=00000002$'
  ok "$bus: net: that comes from 10.0.2.2" says $bus.out '^net: from=0a000202$'
done

# What the disk's file does not take is the guest's I/O error and nobody's signal.
{ printf 'the first sector\n'; head -c 65000 /dev/zero; } >"$tmp/disk"
# A thread that writes with a system call of its own gets the signal.
sed -i 's/"file:disk"/slow/' "$tmp/pci.conf"
echo 'block-file slow { path = disk  aio = threads }' >>"$tmp/pci.conf"
case $SAN_CFLAGS in
  *thread*) skip 'a disk file that may not be written' "the thread sanitizer's start writes a file of its own" ;;
  *)
    (ulimit -f 0 && exec timeout 60 "$top_builddir/run" run "$tmp/pci.conf" 2>&1) </dev/null | cat >"$tmp/full.out"
    status=${PIPESTATUS[0]}
    ok 'a disk file that may not be written: the guest goes on to its end' status_is 61
    ok 'a disk file that may not be written: the operator is told' says full.out 'write of 512 bytes at 512: File too large'
    not_ok 'a disk file that may not be written: it is not' grep -q '^written by the guest$' "$tmp/disk"
    ;;
esac
done_testing
