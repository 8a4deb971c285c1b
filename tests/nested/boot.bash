# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# boot.bash - sourced by boot-cloud.sh and boot-generic.sh with $kernel set: that kernel of Debian's
# on both platforms, with 1, 2 and 4 processors, and with 256 MiB and 5 GiB of memory.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/nested/lib.sh"
on_kvm_host "$@"

truncate -s 16M "$tmp/disk"
for machine in pc microvm; do
  for count in 1 2 4; do
    for size in 256M 5G; do
      vm_new
      # shellcheck disable=SC2034,SC2154
      flavour=$kernel platform=$machine cpus=$count memory=$size
      case $size in *G) mib=$((${size%G} * 1024)) ;; *) mib=${size%M} ;; esac
      cmdline="test=boot test.cpus=$count test.mib=$mib test.platform=$machine test.epoch=$(date +%s)"
      disks=("drive = \"file:$tmp/disk\"")
      nets=('netdev = "user"')
      vm_run "$kernel-$machine-$count-$size"
      vm_passed "$kernel kernel, $machine, $count CPU, $size"
    done
  done
done
done_testing
