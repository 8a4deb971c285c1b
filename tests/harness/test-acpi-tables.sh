#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The ACPI tables as others read them: iasl takes every table apart without an error and compiles
# the DSDT again, acpiexec loads it and finds what a kernel looks for.
. "$top_srcdir/tests/tap.sh"
command -v iasl >/dev/null && command -v acpiexec >/dev/null ||
  skip_all "acpica-tools are not installed"
dump=$top_builddir/tests/harness/acpi-dump

clean() { # FILE: iasl had nothing to say of it
  ! grep -Ei 'error|warning|invalid|unknown|could not' "$1"
}
disassemble() ( # TABLE
  cd "$tmp" && iasl -d "$1.dat" >"$1.log" 2>&1 && clean "$1.log" && [ -s "$1.dsl" ] &&
    ! grep -E 'Incorrect checksum|should be' "$1.dsl"
)
compile() ( # TABLE: nothing above a remark
  cd "$tmp" && iasl -p again "$1.dsl" >"$1.log" 2>&1 && grep '0 Errors, 0 Warnings' "$1.log"
)
asks() { # COMMAND PATTERN...
  acpiexec -b "$1" "$tmp/DSDT.dat" >"$tmp/exec.log" 2>&1 || return 1
  shift
  for pattern; do grep -q "$pattern" "$tmp/exec.log" || { cat "$tmp/exec.log"; return 1; }; done
  ! grep -Ei 'ACPI (bios )?(error|exception|warning)' "$tmp/exec.log"
}

ok "a machine without PCI is built" "$dump" "$tmp" rtc
for t in DSDT FACP APIC XSDT FACS; do ok "$t is taken apart" disassemble $t; done
ok "its DSDT compiles again" compile DSDT
not_ok "there is no bus in it" grep -q PCI0 "$tmp/DSDT.dsl"
rm -f "$tmp"/*.d*

ok "a PC is built" "$dump" "$tmp" pci rtc i8042
for t in DSDT FACP APIC XSDT FACS MCFG; do ok "$t is taken apart" disassemble $t; done
ok "its DSDT compiles again" compile DSDT
ok "the last of 128 memory-mapped devices is there" grep -q VM7F "$tmp/DSDT.dsl"
ok "_S5 evaluates" asks 'evaluate \_S5' 'Contains 4 Elements' '= 0000000000000005'
ok "the bridge's windows are resources" asks 'resources \_SB.PCI0' 'Bus Number Range' \
  'I/O Range' 'Memory Range' '64-Bit QWORD\|QWord'
ok "the routing is a table of pins" asks 'evaluate \_SB.PCI0._PRT' 'Contains 128 Elements'
ok "every processor is a device" asks 'evaluate \_SB.CPUS.C003._UID' '= 0000000000000003'
done_testing
