#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# net-user, with no privilege: DHCP, the gateway, a download from the host's loopback, an upload,
# and a forwarded port.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/nested/lib.sh"
on_kvm_host "$@"

mkdir "$tmp/www"
mkfifo "$tmp/silence"
exec 5<>"$tmp/silence" # an input that neither gives anything nor ends
seq 1 600000 >"$tmp/www/file"
sum=$(md5sum <"$tmp/www/file" | cut -d' ' -f1)
http=$(free_port 18080)
upload=$(free_port $((http + 1)))
forward=$(free_port $((upload + 1)))
control=$(free_port $((forward + 1)))
busybox httpd -f -p "127.0.0.1:$http" -h "$tmp/www" &
server=$!

for machine in pc:cloud:2 microvm:generic:1; do
  IFS=: read -r machine kernel count <<<"$machine"
  name="$kernel kernel, $machine"
  vm_new
  # shellcheck disable=SC2034 # read by lib.sh
  platform=$machine flavour=$kernel cpus=$count
  mac=52:54:00:be:ef:0$count
  nets=("netdev = slirp  mac = \"$mac\"")
  more="net-user slirp { hostfwd = { \"tcp:127.0.0.1:$forward-80\", \"tcp:127.0.0.1:$control-7\" } }"
  # shellcheck disable=SC2034
  hostfwd=tcp:127.0.0.1:$forward-:80,hostfwd=tcp:127.0.0.1:$control-:7
  cmdline="test=net test.gateway=10.0.2.2 test.mac=$mac test.url=http://10.0.2.2:$http/file"
  cmdline+=" test.sum=$sum test.upload=$upload test.serve=1"
  # Its input stays open: nc takes an end there for the end of the conversation.
  busybox nc -l -p "$upload" >"$tmp/upload" <&5 &
  receiver=$!
  vm_start "$machine"
  vm_wait '^@@ set serving'
  ok "$name: the host reaches the guest through a forwarded port" \
    timeout 120 busybox wget -q -O "$tmp/fetched" "http://127.0.0.1:$forward/file"
  ok "$name: what comes is the guest's file" test "$(md5sum <"$tmp/fetched" | cut -d' ' -f1)" = "$sum"
  busybox nc -w 5 127.0.0.1 "$control" </dev/null
  vm_end
  wait "$receiver"
  vm_passed "$name"
  ok "$name: the address is the first that slirp gives" test "$(vm_value address)" = 10.0.2.15
  ok "$name: the upload arrived whole" test "$(md5sum <"$tmp/upload" | cut -d' ' -f1)" = "$sum"
done
kill "$server"
done_testing
