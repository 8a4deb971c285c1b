# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# boot.bash - sourced by boot-cloud.sh and boot-generic.sh with $kernel and $shapes set: that kernel
# of Debian's on machines of those shapes, PLATFORM:CPUS:MEMORY.
# BACKPLANE_ALL_SHAPES=1 takes all of them: `make check-nested-all`.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/nested/lib.sh"
on_kvm_host "$@"

truncate -s 16M "$tmp/disk"
[ -z "${BACKPLANE_ALL_SHAPES-}" ] || shapes=$(echo {pc,microvm}:{1,2,4}:{256M,5G})
# shellcheck disable=SC2154
for shape in $shapes; do
  IFS=: read -r machine count size <<<"$shape"
  vm_new
  # shellcheck disable=SC2034,SC2154
  flavour=$kernel platform=$machine cpus=$count memory=$size
  case $size in *G) mib=$((${size%G} * 1024)) ;; *) mib=${size%M} ;; esac
  cmdline="test=boot test.cpus=$count test.mib=$mib test.platform=$machine test.epoch=$(date +%s)"
  disks=("drive = \"file:$tmp/disk\"")
  nets=('netdev = "user"')
  vm_run "$kernel-$machine-$count-$size"
  vm_passed "$kernel kernel, $machine, $count CPU, $size"
  # shellcheck disable=SC2154
  if [ "$machine-$vmm" = pc-backplane ]; then
    ok "$kernel kernel, $machine, $count CPU, $size: no port leads to configuration space" \
      test "$(vm_value pci_ports)" = 0
  fi
done
done_testing
