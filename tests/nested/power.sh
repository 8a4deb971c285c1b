#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# poweroff ends with status 0 and reboot reboots, ten times in one process that does not grow.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/nested/lib.sh"
on_kvm_host "$@"

# sample: what the process has now - open files, threads, and KiB of memory that are not the guest's.
# The guest's memory is left out by size: it is the one mapping of $1 MiB.
sample() {
  local guest_kib=$(($1 * 1024))
  printf '%s %s %s\n' "$(find "/proc/$vm_pid/fd" -mindepth 1 | wc -l)" \
    "$(find "/proc/$vm_pid/task" -mindepth 1 -maxdepth 1 | wc -l)" \
    "$(awk -v guest=$guest_kib '/^[0-9a-f]+-/ { mine = 1 } /^Size:/ { if ($2 >= guest / 2) mine = 0 }
      /^Pss:/ { if (mine) sum += $2 } END { print sum }' "/proc/$vm_pid/smaps")"
}

# no_more COLUMN [SLACK]: the last sample is not above the largest of the first three.
no_more() {
  awk -v column="$1" -v slack="${2:-0}" -v boots="$boots" '{ value[NR] = $column; print }
    END {
      for (n = 1; n <= 3; n++) if (value[n] > first) first = value[n]
      exit !(NR == boots && value[NR] <= first + slack)
    }' "$logs/$machine.samples"
}

for machine in pc:cloud:2:10 microvm:generic:1:5; do
  IFS=: read -r machine kernel count boots <<<"$machine"
  name="$kernel kernel, $machine"
  vm_new
  # shellcheck disable=SC2034 # read by lib.sh
  platform=$machine flavour=$kernel cpus=$count limit=900
  rm -f "$tmp/disk"
  truncate -s 1M "$tmp/disk"
  disks=("drive = \"file:$tmp/disk\"")
  nets=('netdev = "user"')
  cmdline="test=reboot test.boots=$boots"
  vm_start "$machine"
  : >"$logs/$machine.samples"
  for boot in $(seq "$boots"); do
    vm_wait "^@@ set boot $boot" || break
    sample 256 >>"$logs/$machine.samples"
  done
  vm_end
  ok "$name: $boots boots, then power-off with status 0" test "$(vm_value boot) $vm_status" = "$boots 0" || vm_show
  ok "$name: the last boot has no more files open than the first three had" no_more 1
  ok "$name: and no more threads" no_more 2
  ok "$name: and its memory beside the guest's grew by less than 512 KiB" no_more 3 512
done

# Every way in which Linux asks for a reset, on the machine that has all of them.
for way in acpi kbd pci triple; do
  vm_new
  rm -f "$tmp/disk"
  truncate -s 1M "$tmp/disk"
  disks=("drive = \"file:$tmp/disk\"")
  cmdline="reboot=$way test=reboot test.boots=2"
  vm_run "reboot-$way"
  ok "reboot=$way: reboots once, then power-off with status 0" test "$(vm_value boot) $vm_status" = "2 0" || vm_show
done

for machine in pc microvm; do
  vm_new
  # shellcheck disable=SC2034 # read by lib.sh
  platform=$machine reboot=exit
  rm -f "$tmp/disk"
  truncate -s 1M "$tmp/disk"
  disks=("drive = \"file:$tmp/disk\"")
  cmdline="test=reboot test.boots=2"
  vm_run "$machine-exit"
  ok "$machine, on_reboot = exit: ends with status 0 instead" test "$(vm_value boot) $vm_status" = "1 0" || vm_show
done

# A panic with panic=-1 is a reboot like any other; what the kernel said before has to be there.
vm_new
# shellcheck disable=SC2034
reboot=exit cmdline="test=panic"
vm_run panic
ok "a panic: the kernel says so" grep -q 'Kernel panic - not syncing: sysrq' "$vm_log" || vm_show
ok "a panic: its last line before it restarts is there" grep -q 'Kernel Offset: ' <(tail -n 1 "$vm_log") || vm_show
ok "a panic: it ends as a reboot does" test "$vm_status" = 0
done_testing
