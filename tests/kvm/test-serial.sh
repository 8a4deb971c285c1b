#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A small guest moves bytes through the serial port and each back end, as fast as both can.
# shellcheck source-path=SCRIPTDIR source=run.bash
. "${top_srcdir:-.}/tests/kvm/run.bash"

# conf NAME GUEST-MODE CHARDEV
conf() {
  { echo 'debug-exit { }'
    echo "serial com1 { chardev = \"$3\" }"
    echo "boot { kernel = \"$guests/serial.elf\" cmdline = \"$2\" }"
    echo 'machine { memory = "16M" }'; } >"$tmp/$1.conf"
}
backplane() { timeout 60 "$top_builddir/run" run "$1" 2>"$tmp/err"; status=$?; }
seq 0 11999 | while read -r i; do printf '%08x\n' "$i"; done >"$tmp/want"
head -n 2000 "$tmp/want" >"$tmp/short"
# Every byte value but the one that ends the echo.
for i in {0..255}; do [ "$i" = 4 ] || printf '%b' "\\x$(printf %02x "$i")"; done >"$tmp/bytes"
for _ in {1..40}; do cat "$tmp/bytes"; done >"$tmp/input"

conf flood flood stdio
conf short short stdio
backplane "$tmp/short.conf" </dev/null >"$tmp/out"
ok 'a flood to a file: the guest came to its end' status_is 1
ok 'a flood to a file: complete' cmp "$tmp/short" "$tmp/out"
ok 'the serial port and its back end said nothing' test ! -s "$tmp/err"

{ backplane "$tmp/flood.conf" </dev/null; echo "$status" >"$tmp/status"; } |
  { sleep 1; cat; } >"$tmp/out"
status=$(cat "$tmp/status")
ok 'a flood to a slow pipe: the guest came to its end' status_is 1
ok 'a flood to a slow pipe: complete' cmp "$tmp/want" "$tmp/out"

backplane "$tmp/short.conf" <&- >&-
ok 'standard input and output closed: the guest came to its end' status_is 1

# A guest that empties its receiver loses what is in it, so wait until it has.
conf echo echo stdio
: >"$tmp/out"
{ for _ in {1..500}; do grep -q ready "$tmp/out" && break; sleep 0.02; done
  cat "$tmp/input"; printf '\004'; } |
  { backplane "$tmp/echo.conf" >"$tmp/out"; echo "$status" >"$tmp/status"; }
status=$(cat "$tmp/status")
ok 'an echo through pipes: the guest came to its end' status_is 1
{ echo ready; cat "$tmp/input"; } >"$tmp/echoed"
ok 'an echo through pipes: every byte comes back' cmp "$tmp/echoed" "$tmp/out"

conf early early stdio
{ cat "$tmp/input"; printf '\004'; } >"$tmp/file"
backplane "$tmp/early.conf" <"$tmp/file" >"$tmp/out"
ok 'an echo of a file: every byte comes back' cmp "$tmp/input" "$tmp/out"

conf file short "file:log"
backplane "$tmp/file.conf"
ok 'char-file: the guest came to its end' status_is 1
ok 'char-file: complete' cmp "$tmp/short" "$tmp/log"

conf pty "wait short" "pty:$tmp/pty"
backplane "$tmp/pty.conf" &
for _ in {1..500}; do [ -L "$tmp/pty" ] && break; sleep 0.02; done
{ exec 3<>"$tmp/pty"; echo go >&3; timeout 30 head -c 18000 <&3 >"$tmp/out"; exec 3>&-; }
wait
ok 'char-pty: complete' cmp "$tmp/short" "$tmp/out"
ok 'char-pty: the link is gone' test ! -L "$tmp/pty"

conf wait short tcp
echo 'char-socket tcp { port = 0  wait = true }' >>"$tmp/wait.conf"
listens() { # sets $port
  for _ in {1..500}; do
    port=$(sed -n 's/.*listens on 127.0.0.1 port \([0-9]*\)$/\1/p' "$tmp/err")
    [ -n "$port" ] && return
    sleep 0.02
  done
}
: >"$tmp/err"
{ backplane "$tmp/wait.conf"; echo "$status" >"$tmp/status"; } &
listens
sleep 0.3
exec 3<>"/dev/tcp/127.0.0.1/$port"
timeout 30 cat <&3 >"$tmp/out"
exec 3>&-
wait
status=$(cat "$tmp/status")
ok 'char-socket that waits: the guest came to its end' status_is 1
ok 'char-socket that waits: complete from the first byte' cmp "$tmp/short" "$tmp/out"

: >"$tmp/err"
timeout 60 "$top_builddir/run" run "$tmp/wait.conf" 2>"$tmp/err" &
listens
kill -INT $!
wait $!
status=$?
ok 'a machine that waits can be ended' status_is 0

printf 'x' >"$tmp/log"
ok 'check' "$top_builddir/run" check "$tmp/file.conf"
ok 'check leaves a log alone' grep -q x "$tmp/log"

term() { "$top_builddir/tests/kvm/on-terminal" "$1" "$top_builddir/run" run "$2" \
  >"$tmp/term" 2>&1; }
says_term() { grep -q "$1" "$tmp/term" || { cat "$tmp/term"; false; }; }
conf hang hang stdio
term '\x01x' "$tmp/hang.conf"
ok 'Ctrl-a x ends a guest that hangs, and the terminal is as before' \
  says_term 'status 0, terminal as before'
term '\k' "$tmp/hang.conf"
ok 'SIGTERM does too' says_term 'status 0, terminal as before'
conf tty early stdio
term 'Hello\x04' "$tmp/tty.conf"
ok 'what is typed comes back' says_term 'Hello'
ok 'a guest that ends leaves the terminal as before' says_term 'status 1, terminal as before'
done_testing
