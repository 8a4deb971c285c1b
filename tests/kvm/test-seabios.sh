#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# SeaBIOS as Debian has it: finds its machine, boots a disk, gives up without one.
# shellcheck source-path=SCRIPTDIR source=run.bash
. "${top_srcdir:-.}/tests/kvm/run.bash"
[ -r /usr/share/seabios/bios-256k.bin ] || skip_all "Debian's package seabios is not installed"
export BACKPLANE_DISK=$tmp/disk

# Firmware that hangs ignores the power button that SIGTERM is.
firmware() { # NAME
  timeout -k 5 120 "$top_builddir/run" run "$tmp/$1.conf" </dev/null >"$tmp/$1.out" 2>"$tmp/$1.err"
  status=$?
  sed 's/^/# /' "$tmp/$1.err"
}
machine() { # NAME: its config file, from the sections on stdin
  { cat
    echo "debug-console { chardev = \"file:$tmp/$1.log\" }"
    echo 'debug-exit { }'; } >"$tmp/$1.conf"
}

# The example as it is, with a disk of ours.
cp "$guests/boot-sector.bin" "$tmp/disk"
machine disk < <(echo "include(\"$(cd "$top_srcdir" && pwd)/configs/bios-disk.conf\")")
firmware disk
ok 'configs/bios-disk.conf: the boot sector came to its end' status_is 51
ok 'it ran' says disk.out 'boot sector runs'
ok 'the memory map has RAM at 0' says disk.out 'memory map good'
ok 'the ROM cannot be written' says disk.out 'ROM locked'
ok 'it read the disk through the firmware' says disk.out 'second sector read'
ok 'the chip set is known' says disk.log 'Running on QEMU (i440fx)'
not_ok 'the RAM was unlocked' grep -q 'Unable to' "$tmp/disk.log"
ok 'both processors answered' says disk.log 'Found 2 cpu(s) max supported 2'
ok 'the PM registers are where the tables say' says disk.log 'Moving pm_base to 0x600'
ok 'the tables were placed' says disk.log 'ACPI: parse DSDT'
ok 'the keyboard was found' says disk.log 'PS2 keyboard initialized'
ok 'the disk was found' says disk.log 'found virtio-blk at'

# No disk, no firmware configuration: what the clock's memory says is enough.
machine bare <<'EOF'
include("platform/pc.conf")
machine { cpus = 2  memory = "64M" }
boot { firmware = "/usr/share/seabios/bios-256k.bin" }
serial com1 { chardev = "stdio" }
EOF
firmware_until() { # NAME TEXT: ends it when its log has the text
  "$top_builddir/run" run "$tmp/$1.conf" </dev/null >"$tmp/$1.out" 2>"$tmp/$1.err" &
  local pid=$! i
  for ((i = 0; i < 600; i++)); do
    grep -q "$2" "$tmp/$1.log" 2>/dev/null && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.2
  done
  kill -KILL $pid 2>/dev/null
  wait $pid 2>/dev/null
  says "$1.log" "$2"
}
ok 'without a disk it says so' firmware_until bare 'No bootable device'
ok 'it knows its memory without being told' says bare.log 'RamSize: 0x04000000'
ok 'and its processors' says bare.log 'Found 2 cpu(s) max supported 2'
done_testing
