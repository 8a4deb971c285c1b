#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# net-tap: the same as over net-user, with a DHCP server of the host, and iperf3 both ways.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/nested/lib.sh"
on_kvm_host "$@"

# A network of our own: whatever this host is, its interfaces are out of reach.
if [ -z "${TAP_NETNS-}" ]; then
  [ "$(id -u)" = 0 ] || skip_all "a tap needs root"
  rm -rf "$tmp"
  TAP_NETNS=1 exec unshare -n -m bash "$0" "$@"
fi
command -v iperf3 >/dev/null || skip_all "iperf3 is not installed"
ip="busybox ip"
$ip link set lo up

mkdir "$tmp/www"
mkfifo "$tmp/silence"
exec 5<>"$tmp/silence" # an input that neither gives anything nor ends
seq 1 600000 >"$tmp/www/file"
sum=$(md5sum <"$tmp/www/file" | cut -d' ' -f1)
"$nested/guest" disk "$tmp/root" 64M || exit
busybox tunctl -t tap0 >/dev/null
$ip addr add 192.168.77.1/24 dev tap0
$ip link set tap0 up
cat >"$tmp/udhcpd.conf" <<CONF
start 192.168.77.20
end 192.168.77.40
interface tap0
lease_file $tmp/leases
pidfile $tmp/udhcpd.pid
option subnet 255.255.255.0
option router 192.168.77.1
option dns 192.168.77.1
CONF
: >"$tmp/leases"
busybox udhcpd -f "$tmp/udhcpd.conf" >"$tmp/udhcpd.log" 2>&1 &
busybox httpd -f -p 192.168.77.1:8000 -h "$tmp/www" &
iperf3 -s >"$tmp/iperf3.log" 2>&1 &

# Whether a thread of the kernel's works for the hypervisor: it is named after the thread that
# asked for it.
vhost_runs() {
  local task
  for task in /proc/"$vm_pid"/task/*; do
    grep -qx "vhost-${task##*/}" /proc/[0-9]*/comm && return
  done
  return 1
}

# The first leaves it to the default to use the kernel's vhost_net.
for machine in pc:cloud:2:auto microvm:cloud:1:off; do
  IFS=: read -r machine kernel count vhost <<<"$machine"
  name="$kernel kernel, $machine, tap, vhost = $vhost"
  vm_new
  # shellcheck disable=SC2034 # read by lib.sh
  platform=$machine flavour=$kernel cpus=$count
  mac=52:54:00:be:ef:1$count
  nets=("netdev = \"tap:tap0\"  mac = \"$mac\"")
  if [ "$vhost" = off ] && [ "$vmm" = backplane ]; then
    nets=("netdev = wire  mac = \"$mac\"")
    # shellcheck disable=SC2034 # read by lib.sh
    more='net-tap wire { ifname = tap0  vhost = off }'
  fi
  disks=("drive = \"file:$tmp/root\"")
  cmdline="root=/dev/vda rw test=net test.gateway=192.168.77.1 test.mac=$mac"
  cmdline+=" test.url=http://192.168.77.1:8000/file test.sum=$sum test.upload=7000 test.iperf=1"
  # Its input stays open: nc takes an end there for the end of the conversation.
  busybox nc -l -p 7000 >"$tmp/upload" <&5 &
  receiver=$!
  vm_start "$machine"
  vm_wait '^@@ set address'
  if [ "$vmm" != backplane ] || [ ! -c /dev/vhost-net ]; then
    skip "$name: who moves the packets" "this needs /dev/vhost-net and Backplane"
  elif [ "$vhost" = off ]; then
    not_ok "$name: the hypervisor moves the packets" vhost_runs
  else
    ok "$name: the kernel moves the packets" vhost_runs
  fi
  vm_end
  kill "$receiver" 2>/dev/null
  vm_passed "$name"
  ok "$name: the address is one of the lease" grep -q '^192\.168\.77\.[234][0-9]$' <<<"$(vm_value address)"
  ok "$name: the upload arrived whole" test "$(md5sum <"$tmp/upload" | cut -d' ' -f1)" = "$sum"
done
# shellcheck disable=SC2046
kill $(jobs -p) 2>/dev/null
done_testing
