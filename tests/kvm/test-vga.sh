#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A small guest draws in a list of modes, on this machine and on QEMU's; the two pictures of each
# mode must agree pixel for pixel. Then SeaBIOS and its VGA BIOS make a text screen.
# shellcheck source-path=SCRIPTDIR source=run.bash
. "${top_srcdir:-.}/tests/kvm/run.bash"
[ -e "$top_builddir/modules/display-png.so" ] || skip_all 'display-png is not built'
compare=$top_builddir/tests/kvm/picture-compare

cat >"$tmp/vga.conf" <<EOF2
pci { }  acpi { }  debug-exit { }
machine { memory = "64M" }
serial com1 { chardev = "stdio" }
vga vga0 { display = "png:ours.png"  rom = "/dev/null" }
boot { kernel = "$guests/vga.elf" }
EOF2

# Each machine: its input on a descriptor, its output read line by line. No wait is without limit.
mkfifo "$tmp/ours.in" "$tmp/ours.out"
exec {ours_in}<>"$tmp/ours.in" {ours_out}<>"$tmp/ours.out"
timeout 300 "$top_builddir/run" run "$tmp/vga.conf" <"$tmp/ours.in" >"$tmp/ours.out" 2>"$tmp/ours.err" &
ours=$!
qemu=
if command -v qemu-system-x86_64 >/dev/null; then
  mkfifo "$tmp/qemu.in" "$tmp/qemu.out" "$tmp/mon.in" "$tmp/mon.out"
  exec {qemu_in}<>"$tmp/qemu.in" {qemu_out}<>"$tmp/qemu.out" {mon_in}<>"$tmp/mon.in" {mon_out}<>"$tmp/mon.out"
  timeout 300 qemu-system-x86_64 -accel tcg -m 64 -vga none -device VGA,vgamem_mb=32 -nodefaults -display none -no-reboot \
    -kernel "$guests/vga.elf" -device isa-debug-exit,iobase=0xf4,iosize=4 \
    -chardev pipe,id=com,path="$tmp/qemu" -serial chardev:com -chardev pipe,id=mon,path="$tmp/mon" -mon chardev=mon,mode=readline \
    >"$tmp/qemu.err" 2>&1 &
  qemu=$!
fi
trap 'kill $ours $qemu 2>/dev/null; rm -rf "$tmp"' EXIT

# next DESCRIPTOR: the next line that begins with "mode" or "end", to $line
next() {
  while read -r -t 60 -u "$1" line; do
    line=${line%$'\r'}
    case $line in mode\ * | end) return 0 ;; esac
  done
  return 1
}
# wait_for COMMAND...: tries for ten seconds while its status is 2
wait_for() {
  for _ in $(seq 100); do
    "$@"
    wait_status=$?
    [ $wait_status = 2 ] || return $wait_status
    sleep 0.1
  done
  return 2
}
there() { [ -s "$1" ] || return 2; }
# The program is the child of timeout, which passes the signal on.
shoot() {
  rm -f "$tmp/ours.png"
  kill -HUP "$(pgrep -P $ours)" && wait_for there "$tmp/ours.png"
}
agree() {
  rm -f "$tmp/qemu.ppm"
  echo "screendump $tmp/qemu.ppm" >&"$mon_in"
  # QEMU widens five bits with zeros in one of its modes, so that white is not white.
  bits=8
  [ "$mode" = dispi-15 ] && bits=5
  wait_for "$compare" "$tmp/ours.png" "$tmp/qemu.ppm" $bits
}

modes=0
while next "$ours_out" && [ "$line" != end ]; do
  mode=${line#mode }
  modes=$((modes + 1))
  ok "$mode: a screenshot" shoot
  if [ -n "$qemu" ]; then
    ok "$mode: QEMU draws it too" next "$qemu_out"
    ok "$mode: the pictures agree" agree
    echo >&"$qemu_in"
  else
    skip "$mode: the pictures agree" 'no qemu-system-x86_64'
  fi
  echo >&"$ours_in"
done
ok 'all modes were drawn' test $modes = 19
wait $ours
status=$?
ok 'the guest came to its end' status_is 1
sed 's/^/# /' "$tmp/ours.err"
[ -z "$qemu" ] || { kill $qemu 2>/dev/null; wait $qemu; }
done_testing
