#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What the data path costs, in counts that do not depend on the machine's speed or load: the
# workload program does the same work each time, callgrind counts the instructions of the device
# models and what they call, strace counts system calls. Only plugins and libbackplane-virtio are
# counted, not the fake host nor the driver's side.
. "$top_srcdir/tests/tap.sh"
[ -z "$SAN_CFLAGS" ] || skip_all 'a sanitizer adds instructions of its own'
perf=$top_srcdir/tests/perf
workload() { "$top_builddir/libtool" --mode=execute "$@" "$top_builddir/tests/perf/workload"; }

# value NAME KEY: of the workload's own lines
value() { sed -n "s/^$1 .*\\<$2=\\([0-9]*\\).*/\\1/p" "$tmp/tally"; }
is() { # NAME KEY VALUE
  [ "$(value "$1" "$2")" = "$3" ] || { echo "$1: $2 is $(value "$1" "$2"), not $3"; return 1; }
}
workload env >"$tmp/tally" || { cat "$tmp/tally"; exit 1; }
sed 's/^/# /' "$tmp/tally"

# ---- Kicks, interrupts and the back end's batches, as the two sides see them ------------------
for name in blk-null-direct blk-null blk-null-single blk-null-polled blk-null-high blk-file blk-memory net-tx net-rx tap-tx; do
  grep -q "^$name units" "$tmp/tally" || { skip "$name: one interrupt a batch" 'its back end cannot be had here'; continue; }
  ok "$name: one interrupt a batch" is $name interrupts "$(value $name batches)"
done
for name in blk-null-direct blk-null net-tx; do
  ok "$name: one kick a batch" is $name kicks "$(value $name batches)"
  ok "$name: one event a batch" is $name events "$(value $name batches)"
  ok "$name: one commit a batch" is $name commits "$(value $name batches)"
done
ok 'blk-null-polled: a driver whose queue is looked into need not kick' is blk-null-polled kicks 0
ok 'blk-null-polled: and no event is delivered' is blk-null-polled events 0
ok 'net-rx: a driver that adds buffers in time need not kick' is net-rx kicks 0
ok 'serial-out: at most two writes for a FIFO of bytes, the first of them after a pause' \
  test "$(value serial-out commits)" -le $((2 * $(value serial-out batches)))
ok 'serial-in: one interrupt for a FIFO of bytes' is serial-in interrupts "$(value serial-in batches)"

# ---- System calls -----------------------------------------------------------------------------
# Those between a "between" and the scenario's mark; the event loop's own poll() is not the plugins'.
syscalls() {
  awk '/write\(-1, "between"/ { on = 1; next }
    match($0, /write\(-1, "[a-z-]*"/) {
      name = substr($0, RSTART + 11, RLENGTH - 12)
      for (i in n) print name, i, n[i]
      split("", n); on = 0; next
    }
    on && match($0, /^[0-9]+ +[a-z0-9_]+\(/) {
      call = substr($0, RSTART, RLENGTH - 1); sub(/^[0-9]+ +/, "", call)
      if (call != "poll") n[call]++
    }' "$1"
}
makes() { # NAME WANTED: "call count" a line, sorted
  made=$(sed -n "s/^$1 //p" "$tmp/syscalls" | sort)
  [ "$made" = "$2" ] || { echo "$1 makes: $made"; echo "and not: $2"; return 1; }
}
if command -v strace >/dev/null && strace -qq -o /dev/null true 2>/dev/null; then
  workload strace -f -qq -o "$tmp/strace" >/dev/null
  syscalls "$tmp/strace" >"$tmp/syscalls"
  for name in blk-null-direct blk-null blk-null-single blk-null-polled net-tx net-rx serial-out serial-in; do
    ok "$name: no system call" makes $name ''
  done
  # A burst of 32 is sent with one call; received it is with seven, for how many there are is not
  # known: 1, 2, 4 and then 8 packets each. The 32 of the other side are its own.
  if grep -q '^tap-tx skipped' "$tmp/tally"; then
    skip 'tap-tx, tap-rx: system calls' 'no network namespace or no tun here'
  elif ! grep -q 'io_uring_setup.* = [0-9]' "$tmp/strace"; then
    skip 'tap-tx, tap-rx: system calls' 'no io_uring here'
  else
    n=$(value tap-tx batches)
    ok 'tap-tx: one system call a burst' makes tap-tx "io_uring_enter $n"
    ok 'tap-rx: seven system calls a burst' makes tap-rx "io_uring_enter $((6 * n))
read $n
sendto $((32 * n))"
  fi
  if grep -q 'io_uring_register.* = 0' "$tmp/strace"; then
    ok 'blk-file: one io_uring_enter a batch' makes blk-file "io_uring_enter $(value blk-file batches)"
  else
    skip 'blk-file: one io_uring_enter a batch' 'no io_uring here'
  fi
  if grep -q '^blk-memory units' "$tmp/tally"; then
    ok 'blk-memory: one system call a request' makes blk-memory "pread64 $(value blk-memory units)"
  else
    skip 'blk-memory: one system call a request' 'no /dev/shm'
  fi
else
  skip 'system calls' 'strace cannot be used here'
fi

# ---- Instructions, and what plugins call ------------------------------------------------------
valgrind_works() {
  command -v valgrind >/dev/null && valgrind -q --tool=none true 2>/dev/null
}
if ! valgrind_works; then
  skip 'instructions, allocations, locks' 'valgrind cannot be used here'
  done_testing
fi
workload valgrind -q --tool=callgrind --dump-before=perf_mark --compress-strings=no \
  --compress-pos=no --callgrind-out-file="$tmp/profile" >"$tmp/counted" 2>"$tmp/err"
if [ ! -s "$tmp/profile.2" ]; then
  # An old valgrind does not know what a newer compiler writes about its code.
  grep -q 'debuginfo reader\|dwarf' "$tmp/err" || { cat "$tmp/err"; exit 1; }
  skip 'instructions, allocations, locks' 'this valgrind cannot read what this compiler writes'
  done_testing
fi
n=0
while read -r name rest; do
  n=$((n + 2)) # each has a profile up to "between" before its own
  case $rest in skipped) n=$((n - 2)); continue ;; esac
  awk -f "$perf/profile.awk" "$tmp/profile.$n" | sort >"$tmp/$name"
  units=$(value "$name" units)
  awk -v name="$name" -v units="$units" '$1 == "instructions" {
      all += $3; list = list sprintf(", %s %.1f", $2, $3 / units) }
    END { printf "# %s: %.1f instructions a unit: %s\n", name, all / units, substr(list, 3) }' "$tmp/$name"
done <"$tmp/counted"

# calls KIND NAME PATTERN: how often plugins called functions of that name
calls() {
  awk -v kind="$1" -v pattern="^($3)\$" '$1 == kind && $3 ~ pattern { n += $4 } END { print n + 0 }' "$tmp/$2"
}
called() { # KIND NAME PATTERN TIMES
  [ "$(calls "$1" "$2" "$3")" = "$4" ] || { grep "^$1" "$tmp/$2"; return 1; }
}
allocations='malloc|calloc|realloc|free|posix_memalign|aligned_alloc|memalign|mmap|munmap'
locks='pthread_(mutex|spin|rwlock|cond)_.*'
logs='.*log.*|snprintf|vsnprintf'
for name in blk-null blk-file blk-memory net-tx net-rx serial-out serial-in; do
  [ -s "$tmp/$name" ] || { skip "$name: no allocation, no lock" 'not run'; continue; }
  ok "$name: no allocation" called libc $name "$allocations" 0
  ok "$name: no lock of a plugin's own" called libc $name "$locks" 0
  ok "$name: nothing is formatted or logged" called '(libc|host)' $name "$logs" 0
done
requests=$(value blk-null units) batches=$(value blk-null batches)
ok 'blk-null: guest memory is not mapped, read or written through the host' called host blk-null 'mem_.*' 0
ok 'blk-null: a request is submitted once' called host blk-null null_submit "$requests"
ok 'blk-null: the host is asked for an interrupt once a batch' called host blk-null 'irq_.*' "$batches"
ok 'blk-null: data is not copied' called libc blk-null '.*mem(cpy|move).*' 0
ok 'blk-file: data is not copied' called libc blk-file '.*mem(cpy|move).*' 0
ok 'net-tx: the frame is not copied' called libc net-tx '.*mem(cpy|move).*' 0
ok 'net-rx: a packet is copied once' called libc net-rx '.*mem(cpy|move).*' "$(value net-rx units)"

# most NAME N: instructions a unit, at most: what gcc 12 makes of it, and 5 in 100.
flags=$(sed -n 's/^CFLAGS = //p' "$top_builddir/Makefile")
within() {
  awk -v units="$(value "$1" units)" -v most="$2" '$1 == "instructions" { all += $3 }
    END { printf "%.1f instructions a unit, at most %s are expected\n", all / units, most
      exit !(all > 0 && all / units <= most) }' "$tmp/$1"
}
most() {
  if [ "$flags" != '-g -O2' ]; then skip "$1: instructions" "the limits are for -g -O2, not for $flags"
  elif [ -n "$clang" ]; then skip "$1: instructions" 'the limits are for gcc'
  elif [ ! -s "$tmp/$1" ]; then skip "$1: instructions" 'not run'
  else ok "$1: at most $2 instructions a unit" within "$1" "$2"; fi
}
clang=$(${CC:-cc} --version 2>/dev/null | grep clang)
most blk-null-direct 391
most blk-null 400
most blk-null-single 775
most blk-null-polled 800
most blk-null-high 455
most blk-file 685
most blk-memory 650
most net-tx 360
most net-rx 482
most serial-out 215
most serial-in 428
done_testing
