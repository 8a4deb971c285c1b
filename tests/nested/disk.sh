#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The root file system on virtio-blk: what the guest wrote is in the image, which fsck likes.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/nested/lib.sh"
on_kvm_host "$@"

# sums NAME: the files as they are in the image are those that the guest summed.
sums() {
  local file got
  for file in stream writer1 writer2 writer3 writer4; do
    got=$(debugfs -R "cat /data/$file" "$tmp/root" 2>/dev/null | md5sum | cut -d' ' -f1)
    if [ "$got" != "$(vm_value "sum.$file")" ]; then
      echo "$file has the sum $got, in the guest it was $(vm_value "sum.$file")"
      return 1
    fi
  done
}

"$nested/guest" disk "$tmp/template" 160M || exit
seq 1 100000 | head -c 524288 >"$tmp/readonly"
for machine in pc:cloud:1 microvm:generic:2; do
  IFS=: read -r machine kernel count <<<"$machine"
  name="$kernel kernel, $machine"
  vm_new
  # shellcheck disable=SC2034 # read by lib.sh
  platform=$machine flavour=$kernel cpus=$count memory=512M
  cmdline="root=/dev/vda rw test=disk test.queues=$count"
  cp --sparse=always "$tmp/template" "$tmp/root"
  truncate -s 64M "$tmp/raw"
  disks=("drive = \"file:$tmp/root\"  queues = $count"
    "drive = \"file:$tmp/readonly\"  readonly = true" "drive = \"file:$tmp/raw\"")
  vm_run "$machine"
  vm_passed "$name"
  ok "$name: fsck finds nothing to mend" e2fsck -fn "$tmp/root"
  ok "$name: the files in the image are those that the guest wrote" sums
  ok "$name: a read-only disk is as it was" test "$(md5sum <"$tmp/readonly" | cut -d' ' -f1)" = "$(vm_value sum.readonly)"
  ok "$name: the raw disk has its size" test "$(vm_value sectors)" = 131072
  ok "$name: its last sector holds what was put there" grep -q '^last$' <(tail -c 512 "$tmp/raw")
  ok "$name: around the discarded range it is as the guest saw it" test \
    "$(tail -c +5242881 "$tmp/raw" | head -c 3145728 | md5sum | cut -d' ' -f1)" = "$(vm_value sum.tail)"
  ok "$name: a discard gave the host its room back" test "$(du -k "$tmp/raw" | cut -f1)" -lt 5000

  # Once more from what is there now: is it a file system that a kernel takes?
  disks=("drive = \"file:$tmp/root\"  queues = $count")
  vm_run "$machine-again"
  vm_passed "$name, second boot from the same image"
  ok "$name: fsck still finds nothing to mend" e2fsck -fn "$tmp/root"
done

# As many as there may be. Each holds its number, and gets that and 1000 from the guest. One queue
# each, and two processors: Linux has some 200 interrupt vectors on each.
numbers() {
  local n got
  for n in $(seq 0 127); do
    { IFS= read -r -N 512 got && IFS= read -r -N 512 got; } <"$tmp/many.$n"
    [ "${got%% *}" = $((n + 1000)) ] || { echo "disk $n is wrong: $got"; return 1; }
  done
}
for machine in pc microvm; do
  vm_new
  # shellcheck disable=SC2034 # read by lib.sh
  platform=$machine cpus=2 cmdline="test=disks test.disks=128"
  for n in $(seq 0 127); do
    printf '%-511s\n' "$n" >"$tmp/many.$n"
    disks[n]="drive = \"file:$tmp/many.$n\"  queues = 1"
  done
  truncate -s 64K "$tmp"/many.*
  vm_run "$machine-many"
  vm_passed "128 disks, $machine"
  ok "128 disks, $machine: each has what the guest wrote to it" numbers
done
done_testing
