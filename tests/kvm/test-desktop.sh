#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# configs/desktop.conf: what firmware and a boot sector show reaches a VNC viewer, and what is typed
# there reaches them.
# shellcheck source-path=SCRIPTDIR source=run.bash
. "${top_srcdir:-.}/tests/kvm/run.bash"
[ -r /usr/share/seabios/bios-256k.bin ] || skip_all "Debian's package seabios is not installed"
[ -e "$top_builddir/modules/display-vnc.so" ] || skip_all 'display-vnc is not built'
viewer=$top_builddir/tests/kvm/vnc-viewer
export BACKPLANE_DISK=$tmp/disk BACKPLANE_VNC=127.0.0.1::0 BACKPLANE_MEMORY=64M

cp "$guests/boot-keys.bin" "$tmp/disk"
{ echo "include(\"$(cd "$top_srcdir" && pwd)/configs/desktop.conf\")"
  echo "debug-console { chardev = \"file:$tmp/log\" }"
  echo 'debug-exit { }'; } >"$tmp/desktop.conf"
"$top_builddir/run" run "$tmp/desktop.conf" </dev/null >"$tmp/out" 2>"$tmp/err" &
pid=$!
trap 'kill -KILL $pid 2>/dev/null; rm -rf "$tmp"' EXIT

# has FILE TEXT: waits for it as long as the machine runs, and not for ever
has() {
  for _ in $(seq 600); do
    grep -q -- "$2" "$tmp/$1" 2>/dev/null && return 0
    kill -0 $pid 2>/dev/null || break
    sleep 0.2
  done
  cat "$tmp/$1" "$tmp/err"
  return 1
}
ok 'the screen can be looked at' has err 'viewers may come to 127.0.0.1 port'
port=$(sed -n 's/.*viewers may come to 127.0.0.1 port \([0-9]*\).*/\1/p' "$tmp/err")
ok 'the boot sector runs' has log 'keys: '
ok 'a viewer sees text' "$viewer" "$port" lit 300 look "$tmp/before.ppm"
ok 'and types' "$viewer" "$port" type 'Backplane, 42!'
ok 'the guest reads just that' has log 'keys: Backplane, 42!$'
ok 'a pointer that nobody takes is no matter' "$viewer" "$port" point 10,10,1 point 20,20,0
ok 'the viewer looks again' "$viewer" "$port" lit 300 look "$tmp/after.ppm"
not_ok 'and sees what was typed' cmp -s "$tmp/before.ppm" "$tmp/after.ppm"
[ -z "$SCREENSHOT" ] || cp "$tmp/after.ppm" "$SCREENSHOT"
ok 'Enter' "$viewer" "$port" type $'\n'
wait $pid
status=$?
ok 'ends the guest' status_is 51

# The same on a terminal: what the firmware shows, until the escape key ends it.
{ sed 's|.*desktop.conf.*|include("platform/pc.conf")|' "$tmp/desktop.conf" | grep -v debug-console
  echo 'machine { memory = "64M" }'
  echo 'boot { firmware = seabios }'
  echo 'vga vga0 { display = "term:stdio" }'; } >"$tmp/term.conf"
timeout 60 "$top_builddir/tests/kvm/on-terminal" '\x01x' "$top_builddir/run" run "$tmp/term.conf" >"$tmp/term" 2>&1
ok 'display-term: the terminal is as before' grep -q 'status 0, terminal as before' "$tmp/term"
ok 'its cursor is there' grep -q $'\033\[0m\033\[?25h' "$tmp/term"
done_testing
