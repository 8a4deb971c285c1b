# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# lib.sh - sourced by the tests in this folder: finds a KVM host that runs stock kernels, describes
# a machine in a few variables, runs it, and turns what its guest printed into TAP.
#
#   on_kvm_host            first of all; what follows runs where /dev/kvm can boot Debian
#   vm_new; cpus=2 ...     a machine with the variables below
#   vm_run NAME            runs it; $vm_status is the status, $vm_log what came from the serial line
#   vm_passed NAME         the guest's own checks as TAP, and that its script came to the end
#   vm_start NAME / vm_end the same in two steps, with $vm_pid in between
#
# BACKPLANE_VMM=qemu runs the same guests under QEMU: it tells a wrong guest from a wrong Backplane.
# BACKPLANE_KVM_HOST=here|l1 skips the probe.
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}"
: "${top_builddir:=$top_srcdir/build}"
vmm=${BACKPLANE_VMM:-backplane}
nested=$top_srcdir/tests/nested
. "$top_srcdir/tests/tap.sh"
logs=$top_builddir/tests/nested/logs/$(basename "$0" .sh)
PATH=$PATH:/usr/sbin:/sbin

# Whether a guest had a triple fault that nobody asked for. The emulated processors lose one now and
# then, whatever the hypervisor: of boots by turns on pc with 4 CPUs QEMU lost 2 of 18 and Backplane
# 1 of 19, and the emulated host's own kernel died of a corrupted stack under both. A hypervisor that
# makes guests triple-fault does so each time, and then the third run is the result.
lost_guest() {
  local file
  for file in "$logs"/*.err; do
    case $file in */reboot-triple.err) continue ;; esac
    grep -q 'the guest triple-faulted' "$file" 2>/dev/null && return
  done
  return 1
}

# Artefacts are made here and not in the emulated host: that one has no network.
on_kvm_host() {
  local flavour rc try output
  if [ -n "${L1-}" ]; then
    logs=/run/share
    return
  fi
  mkdir -p "$logs"
  rm -f "$logs"/*
  for flavour in generic cloud; do
    "$nested/guest" initrd "$flavour" >"$tmp/guest" 2>&1 || {
      cat "$tmp/guest" >&2
      skip_all "the guests' kernels cannot be had: $(tail -n 1 "$tmp/guest")"
    }
  done
  case ${BACKPLANE_KVM_HOST-} in
    here) return ;;
    l1) ;;
    *) "$top_builddir/tests/nested/kvm-probe" >"$tmp/probe" 2>&1 && return ;;
  esac
  command -v qemu-system-x86_64 >/dev/null ||
    skip_all "this machine's KVM runs no stock kernel and there is no qemu-system-x86_64 to emulate one that does"
  # An emulated host that dies or stands still is no result. Three times is one.
  export top_srcdir top_builddir BACKPLANE_CACHE BACKPLANE_VMM
  for try in 1 2 3; do
    output=$tmp/output
    rc=0
    "$nested/l1" -s "$logs" -t "${l1_limit:-1200}" -m "${l1_memory:-3072}" -- bash "$0" "$@" \
      >"$output" 2>"$tmp/errors" || rc=$?
    [ $try -lt 3 ] || break
    if [ $rc = 125 ]; then
      echo "# the emulated host died; once more"
      sed 's/^/# /' "$tmp/errors"
    elif [ $rc != 0 ] && lost_guest; then
      echo "# a guest triple-faulted on the emulated host, and something failed; all of it once more"
      grep '^not ok' "$output" | sed 's/^/# /'
      rm -f "$logs"/*
    else
      break
    fi
  done
  cat "$output"
  sed 's/^/# /' "$tmp/errors"
  case $rc in
    124) echo "Bail out! not done in time" ;;
    125) echo "Bail out! the emulated host died three times" ;;
  esac
  exit $rc
}

vm_new() {
  platform=pc     # configs/platform/$platform.conf
  cpus=1 memory=256M flavour=cloud
  cmdline=        # appended to what every guest gets
  reboot=         # what on_reboot is set to
  serial=stdio    # the character device behind the first serial port
  disks=()        # lines of a virtio-blk section's body: 'drive = "file:PATH"' first
  nets=()         # the same for virtio-net
  more=           # any further sections
  from=/dev/null  # what is typed into the terminal, and where its output goes, if not to the log
  to=
  limit=300       # seconds that no guest needs, however busy the machine
}

# The first IP port that nobody listens on, from FROM on.
free_port() {
  local port=$1
  while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
  echo "$port"
}

vm_command_line() {
  echo "console=ttyS0 panic=-1 quiet loglevel=4 ${L1:+test.emulated=1 }$cmdline"
}

vm_config() { # NAME
  local body n
  echo "include(\"platform/$platform.conf\")"
  echo "machine { cpus = $cpus  memory = \"$memory\" ${reboot:+ on_reboot = \"$reboot\" }}"
  echo "boot {"
  echo "  kernel = \"$("$nested/guest" kernel "$flavour")\""
  echo "  initrd = \"$("$nested/guest" initrd "$flavour")\""
  echo "  cmdline = \"$(vm_command_line)\""
  echo "}"
  echo "serial com1 { chardev = \"$serial\" }"
  echo "virtio-rng rng0 { }"
  n=0
  for body in "${disks[@]}"; do echo "virtio-blk disk$((n++)) { $body }"; done
  n=0
  for body in "${nets[@]}"; do echo "virtio-net net$((n++)) { $body }"; done
  echo "$more"
}

# The same machine for QEMU, from the same words.
vm_qemu() { # NAME
  local body n=0 bus=pci value extra
  args=(qemu-system-x86_64 -enable-kvm -cpu host -smp "$cpus" -m "$memory" -nodefaults
    -no-user-config -display none -serial "$serial"
    -kernel "$("$nested/guest" kernel "$flavour")" -initrd "$("$nested/guest" initrd "$flavour")"
    -append "$(vm_command_line)")
  case $platform in
    pc) args+=(-machine pc) ;;
    microvm) args+=(-machine "microvm,rtc=on") bus=device ;;
  esac
  [ "$reboot" = exit ] && args+=(-no-reboot)
  args+=(-device "virtio-rng-$bus")
  for body in "${disks[@]}"; do
    value=$(sed -n 's/.*drive *= *"file:\([^"]*\)".*/\1/p' <<<"$body")
    extra=$(sed -n 's/.*queues *= *\([0-9]*\).*/,num-queues=\1/p' <<<"$body")
    args+=(-drive "if=none,format=raw,discard=unmap,id=d$n,file=$value,readonly=$(grep -q 'readonly *= *true' <<<"$body" && echo on || echo off)"
      -device "virtio-blk-$bus,drive=d$n$extra")
    n=$((n + 1))
  done
  for body in "${nets[@]}"; do
    value=$(sed -n 's/.*netdev *= *"\([^"]*\)".*/\1/p' <<<"$body")
    extra=$(sed -n 's/.*mac *= *"\([^"]*\)".*/,mac=\1/p' <<<"$body")
    case $value in
      tap:*) args+=(-netdev "tap,id=n$n,ifname=${value#tap:},script=no,downscript=no") ;;
      *) args+=(-netdev "user,id=n$n${hostfwd:+,hostfwd=$hostfwd}") ;;
    esac
    args+=(-device "virtio-net-$bus,netdev=n$n$extra")
    n=$((n + 1))
  done
}

vm_start() { # NAME: $vm_pid is the hypervisor itself
  # What is written byte by byte goes to this host's own memory; see vm_end.
  vm_log=$tmp/$1.log vm_errors=$tmp/$1.err
  : >"$vm_log"
  case $vmm in
    qemu) vm_qemu "$1" ;;
    *)
      vm_config "$1" >"$logs/$1.conf"
      args=("$top_builddir/run" run "$logs/$1.conf")
      ;;
  esac
  "${args[@]}" <"$from" >"${to:-$vm_log}" 2>"$vm_errors" &
  vm_pid=$!
  (
    sleep "$limit"
    echo "$limit seconds are over: killed" >>"$vm_errors"
    kill "$vm_pid"
    sleep 10
    kill -KILL "$vm_pid"
  ) 2>/dev/null &
  vm_watch=$!
}

vm_end() {
  vm_status=0
  wait "$vm_pid" || vm_status=$?
  kill "$vm_watch" 2>/dev/null
  wait "$vm_watch" 2>/dev/null
  sed -i 's/\r*$//' "$vm_log"
  cp "$vm_log" "$vm_errors" "$logs/"
}

vm_run() { # NAME
  vm_start "$1"
  vm_end
}

# vm_wait TEXT: until the guest has printed it, or is gone.
vm_wait() {
  until grep -q -e "$1" "$vm_log"; do
    kill -0 "$vm_pid" 2>/dev/null || return
    sleep 0.1
  done
}

vm_show() { # the last of both outputs, as TAP comments
  echo "# status $vm_status; the end of the serial line and of standard error:"
  tail -n 30 "$vm_log" | sed 's/^/#   /'
  tail -n 20 "$vm_errors" | sed 's/^/#   /'
}

# vm_value KEY: what the guest said about it.
vm_value() { sed -n "s/^@@ set $1 //p" "$vm_log" | tail -n 1; }

vm_passed() { # NAME
  local line seen=0 before=$tap_bad
  while read -r line; do
    case $line in
      "@@ ok "*) tap_line 0 "$1: ${line#@@ ok }" ;;
      "@@ not ok "*) tap_line 1 "$1: ${line#@@ not ok }" ;;
      *) continue ;;
    esac
    seen=$((seen + 1))
  done < <(grep '^@@ ' "$vm_log")
  grep -qx "@@ end $seen" "$vm_log"
  tap_line $? "$1: the guest's script ran to its end, and all of its $seen results are here"
  [ "$vm_status" = 0 ]
  tap_line $? "$1: power-off ends with status 0"
  [ "$tap_bad" = "$before" ] || vm_show
}
