#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Small guests through the whole program: every boot path, every way out, on this host's /dev/kvm.
# shellcheck source-path=SCRIPTDIR source=run.bash
. "${top_srcdir:-.}/tests/kvm/run.bash"

# machine NAME BOOT-SECTION [MORE]: writes $tmp/NAME.conf
machine() {
  { echo 'acpi { }'; echo 'rtc { }'; echo 'i8042 { }'; echo 'debug-exit { }'
    echo 'serial com1 { chardev = "stdio" }'
    echo "boot { $2 }"; echo "${3-machine { memory = \"64M\" \}}"; } >"$tmp/$1.conf"
}
machine multiboot "kernel = \"$guests/boot-multiboot.elf\" cmdline = \"hello world\"
  modules = { \"$tmp/one first module\" }"
echo 'text of the module' >"$tmp/one"
run multiboot
ok "multiboot: the guest ends the program with a status of its own" status_is 43
ok "multiboot: the magic number" says multiboot.out '^magic=2badb002$'
ok "multiboot: the command line" says multiboot.out '^cmdline=.*hello world$'
ok "multiboot: lower memory in KiB" says multiboot.out '^mem_lower=0000027f$'
ok "multiboot: upper memory in KiB" says multiboot.out '^mem_upper=0000fc00$'
ok "multiboot: the module's contents" says multiboot.out '^module=text of the module$'
ok "multiboot: the module's string" says multiboot.out 'string=.*first module'
ok "multiboot: the memory map has the RAM above 1 MiB" says multiboot.out '^range=0000000000100000 0000000003f00000 00000001$'

machine pvh "kernel = \"$guests/boot-pvh.elf\" cmdline = \"pvh line\" initrd = \"$tmp/one\""
run pvh
ok "PVH: ends with its status" status_is 45
ok "PVH: the magic number" says pvh.out '^magic=336ec578$'
ok "PVH: the command line" says pvh.out '^cmdline=pvh line$'
ok "PVH: the initrd is the first module" says pvh.out '^modules=00000001$'
ok "PVH: the RSDP is told" says pvh.out '^rsdp=000e0000$'

machine bz64 "kernel = \"$guests/boot-bzimage64.bin\""
run bz64
ok "bzImage: 64-bit entry" status_is 49
ok "bzImage: it got an E820 map" says bz64.out '^[C-Z]$'
machine bz32 "kernel = \"$guests/boot-bzimage32.bin\""
run bz32
ok "bzImage: 32-bit entry where there is no other" status_is 47
ok "bzImage: it got an E820 map there too" says bz32.out '^[C-Z]$'

machine firmware "firmware = \"$guests/boot-firmware.bin\""
run firmware
ok "firmware: starts at the reset vector" status_is 51
ok "firmware: its copy below 1 MiB is there" says firmware.out '^firmware runs below 1 MiB$'

kernel="kernel = \"$guests/power.elf\" cmdline"
machine off "$kernel = \"acpi-off\""
run off
ok "ACPI power-off ends with status 0" status_is 0
ok "... after one boot" says off.out '^boot=00000001$'
for how in acpi-reset i8042-reset triple-fault; do
  machine "$how" "$kernel = \"$how\""
  run "$how"
  ok "$how: reboots, and the second boot powers off" status_is 0
  ok "$how: the second boot came" says "$how.out" '^boot=00000002$'
  machine "$how-exit" "$kernel = \"$how\"" 'machine { memory = "64M" on_reboot = "exit" }'
  run "$how-exit"
  ok "$how: ends with status 0 where on_reboot says exit" status_is 0
  not_ok "$how: ... without a second boot" says "$how-exit.out" '^boot=00000002$'
done
ok "a triple fault shows the registers" says triple-fault.err '[Rr][Ii][Pp]'

machine bad "$kernel = \"no-code\""
run bad
ok "code where there is no memory ends with status 4" status_is 4
ok "... shows the registers" says bad.err '[Rr][Ii][Pp]'
ok "... and tells what it was" says bad.err "KVM"

machine loop "$kernel = \"loop\"" 'machine { memory = "64M" cpus = 4 }'
"$top_builddir/run" run "$tmp/loop.conf" </dev/null >"$tmp/loop.out" 2>"$tmp/loop.err" &
pid=$!
for _ in $(seq 200); do grep -q boot= "$tmp/loop.out" && break; sleep 0.05; done
kill -INT $pid
wait $pid; status=$?
ok "SIGINT stops a busy guest, status 0" status_is 0
ok "... which was running" says loop.out '^boot=00000001$'

machine forever "$kernel = \"acpi-off\""
for i in 1 2 3 4 5; do run forever; status_is 0 || break; done
ok "five runs in a row" status_is 0

done_testing
