#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# backplane-check itself: a good plugin passes, and each that is broken on purpose fails in the test
# that is for it, with words that say what is wrong.
. "$top_srcdir/tests/tap.sh"
[ -z "$SAN_CFLAGS" ] || skip_all 'a sanitizer would be the first to say something'

map=-Wl,--version-script=$top_srcdir/sdk/backplane-plugin.map
build() { # FLAG...
  # shellcheck disable=SC2086
  $CC -std=gnu11 -D_GNU_SOURCE -O0 -fPIC -shared -fvisibility=hidden -I"$top_srcdir/sdk/include" $map \
    -Wl,-z,now -o "$tmp/broken.so" "$@" "$top_srcdir/tests/check/broken.c" -pthread
}
check() { "$top_builddir/backplane-check" --seed 7 --steps 2000 "$@" >"$tmp/out" 2>&1; }
good() {
  build && check "$tmp/broken.so" && ! grep '^not ok' "$tmp/out" && [ "$(grep -c '^ok' "$tmp/out")" -ge 35 ]
}
ok 'the good one passes' good || cat "$tmp/out"

# red TEST WORDS: the test is red, and says so.
red() {
  check --only "$1" ${3:+--timeout "$3"} "$tmp/broken.so"
  rc=$?
  [ $rc = 1 ] && grep -q "^not ok 1 - $1: " "$tmp/out" && grep -q "^# .*$2" "$tmp/out" || {
    echo "status $rc"; cat "$tmp/out"; return 1
  }
}
n=0
while IFS='|' read -r variant test words; do
  n=$((n + 1))
  build "-DBROKEN_$variant" 2>"$tmp/err" || cat "$tmp/err"
  ok "$test finds $variant" red "$test" "$words"
done <<'END'
UNDEFINED|elf-undefined|undefined symbol: a_symbol_of_nobody
CONSTRUCTOR|elf-constructors|it has constructors
FORK|elf-forbidden|it calls fork()
EXIT|elf-forbidden|it calls _exit()
NOTE|elf-note|its id is otherwise in the note and broken in the descriptor
LEVELS|entry-levels|it needs level 1 and accepts level 0
LICENSE|descriptor|the plugin has no license
SUMMARY|class|the class has no summary
NO_SAVE|class|state_ver, save() and load() go together
FLAGS|class|flags 0x4000 are unknown
HELP|props|port has no help
DEFAULT|props-defaults|the default "0x200k" is refused
SET|props-set|set() takes a property that is not in the table
CREATE|life-once|it never works
POSITIVE|life-once|create() returned 7
LATE_REGION|life-once|region() is \[realize\]
CHECK_MODE|life-check|after `backplane check` 1 more descriptors
FD_LEAK|life-many|more descriptors are open
MEMORY_LEAK|life-many|more blocks of memory
STATIC|life-many|there were too many of me
RESET|life-reset|signal 6
QUIESCE|life-quiesce|does not quiesce
THREAD|life-quiesce|1 threads are left
MAPPING|life-quiesce|mapping
REQUEST_LEFT|life-quiesce|1 requests are not done
QUERY|provides|gives a table for what it does not provide
RANGE|provides-block|BP_E_RANGE is what it should
ATTACH_TWICE|provides-block|takes a second device
DONE_WITHIN|provides-block|done() was called from within submit()
DONE_TWICE|provides-block|done() was called twice
MIN_SIZE|host-short|signal 11
UNCHECKED|host-missing|signal 11
NO_TEXT|host-missing|attaches no text
OPTIONAL|host-missing|its needs say "?bp.ram/1"
UNLISTED|host-missing|does not work without bp.machine/1, which its needs do not list
FAILURE_LEAK|host-failing|memory or descriptors are left over
NO_MAP|host-no-map|never maps guest memory it says: dut: must map
NO_MEMORY|no-memory|signal 11
SAVE_CHANGES|state-same|two saves one after the other differ
STATE_LOST|state-roundtrip|what another instance saves after it has loaded this differs
SAVE_IGNORES|state-failing|of the writer fails, and save() returns 0
LOAD_NEEDS|state-missing|load() refuses a state without regs level
LOAD_TRUSTS|state-hostile|signal 11
WIDTH|fuzz-widths|read of 8 bytes
REGISTER|fuzz-guest|signal 11
END
build -DBROKEN_HANG
ok 'fuzz-widths finds HANG' red fuzz-widths 'it did not come back within 2 s' 2
map=
build -DBROKEN_EXPORT
ok 'elf-exports finds EXPORT' red elf-exports 'exports a_second_symbol'
build -Wl,-z,lazy
ok 'elf-linking finds what is bound lazily' red elf-linking 'it is bound lazily'
build -Wl,-z,lazy -DBROKEN_UNDEFINED
ok 'elf-undefined finds what a lazy file hides' red elf-undefined 'a_symbol_of_nobody is in no library'
build -Wl,-z,execstack
ok 'elf-linking finds an executable stack' red elf-linking 'executable stack'
build && chmod o+w "$tmp/broken.so"
ok 'elf-object finds a file that anybody may change' red elf-object 'world-writable'
build && head -c 6000 "$tmp/broken.so" >"$tmp/short" && mv "$tmp/short" "$tmp/broken.so"
ok 'elf-object finds a truncated file' red elf-object 'truncated'
echo 'no plugin' >"$tmp/broken.so"
ok 'elf-object finds a text' red elf-object 'no ELF file'
ok 'all variants were tried' test $n -ge 40

# The seed makes a run again.
map=-Wl,--version-script=$top_srcdir/sdk/backplane-plugin.map
build
trace() { "$top_builddir/backplane-check" --reproduce "$1" --steps 250 "$tmp/broken.so" | grep '^# | ' >"$2"; }
trace 5 "$tmp/a"; trace 5 "$tmp/b"; trace 6 "$tmp/c"
ok 'a seed that is given again does the same' cmp "$tmp/a" "$tmp/b"
not_ok 'another one something else' cmp "$tmp/a" "$tmp/c"
ok 'and each access is shown' grep -q '^# | write reg+0x' "$tmp/a"

# The command line.
use() { "$top_builddir/backplane-check" "$@" >"$tmp/out" 2>&1; [ $? = 2 ] && grep -q 'see backplane-check --help' "$tmp/out"; }
ok 'no file' use
ok 'a file that is not there' use "$tmp/nowhere.so"
ok 'a test that is not there' use --only life-, --skip no-such "$tmp/broken.so"
ok 'a number that is none' use --steps many "$tmp/broken.so"
done_testing
