#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Plugin files that are wrong in every way there is: `check` refuses each with one line that names
# the file and status 2, `list` says that it is broken and goes on.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/config/lib.sh"
cd "$tmp" || exit 1
# A plugin that crashes in `run` ends the process; the thread that makes the VM is not joined then.
TSAN_OPTIONS=${TSAN_OPTIONS-}:report_thread_leaks=0
export TSAN_OPTIONS
fake_kernel kernel
# wrong NAME TEXT [LISTTEXT]: check refuses the section NAME with TEXT (a basic regular expression),
# the file and something to do; list says TEXT, or LISTTEXT, too.
wrong() {
  printf 'boot { kernel = kernel }\n%s id0 { }\n' "$1" >vm.conf
  bp check --plugin-path "$plugins" vm.conf >out 2>err.raw
  rc=$?
  plain <err.raw >err
  if [ $rc != 2 ]; then echo "check: status $rc, not 2"; cat err; return 1; fi
  if [ -s out ] || [ "$(wc -l <err)" != 1 ]; then echo "check: not one line"; cat out err; return 1; fi
  if ! grep -q "^vm.conf:2: $1 id0: .*$2" err; then echo "check: other text:"; cat err; return 1; fi
  if ! grep -q "PLUGINS/$1\.so.*; " err; then echo "check: no file, or nothing to do:"; cat err; return 1; fi
  bp list --plugin-path "$plugins" --timeout 600 >out.raw 2>err
  rc=$?
  plain <out.raw >out
  if [ $rc != 0 ]; then echo "list: status $rc"; cat out err; return 1; fi
  if ! grep -q "^$1 *BROKEN *PLUGINS/$1\.so: .*${3:-$2}" out; then echo "list: other text:"; cat out; return 1; fi
  rm -rf "$plugins/$1.so"
}
# built NAME TEXT FLAG...: fake.c with the flags
built() {
  built_name=$1 built_text=$2; shift 2
  fake "$built_name" "$@" && wrong "$built_name" "$built_text"
}
patched() { # FILE OFFSET OCTAL: one byte
  printf "\\$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

ok 'a well-behaved plugin is taken' fake good
printf 'boot { kernel = kernel }\ngood { path = kernel }\n' >vm.conf
ok 'its section is taken' bp check --plugin-path "$plugins" vm.conf
ok 'flags that are no critical ones may be unknown' fake newer -DFAKE_NEW_FLAG
printf 'boot { kernel = kernel }\nnewer { }\n' >vm.conf
ok 'its section is taken' bp check --plugin-path "$plugins" vm.conf

echo 'this is no ELF file at all, only text' >"$plugins/text.so"
ok 'a text file' wrong text 'not a shared object (no ELF header)'
: >"$plugins/empty.so"
ok 'an empty file' wrong empty '0 bytes are no shared object'
printf '\177ELF' >"$plugins/magic.so"
ok 'only the ELF magic' wrong magic 'the file is truncated'
for size in 64 500 4096 8192; do
  fake cut && truncate -s $size "$plugins/cut.so"
  ok "truncated to $size bytes" wrong cut 'truncated'
done
fake arch && patched "$plugins/arch.so" 18 003
ok 'another architecture' wrong arch 'built for another architecture (ELF machine 3, 64-bit); this host needs one for'
fake class && patched "$plugins/class.so" 4 001
ok 'a 32-bit file' wrong class 'built for another architecture (ELF machine [0-9]*, 32-bit)'
fake program && patched "$plugins/program.so" 16 001
ok 'an object file' wrong program 'an ELF file but no shared object (type 1)'
fake phnum && patched "$plugins/phnum.so" 57 377
ok 'too many program headers' wrong phnum 'damaged: [0-9]* program headers'
fake phoff && patched "$plugins/phoff.so" 39 100
ok 'program headers beyond the end' wrong phoff 'the file is truncated'
ok 'a shared object without a note' built no-note 'no backplane plugin (no .note.bp' -DFAKE_ENTRY -DFAKE_NO_NOTE
ok 'no entry' built no-entry 'no entry bp_plugin_v1() in it' -DFAKE_ENTRY -DFAKE_NO_ENTRY
fake other-id && mv "$plugins/other-id.so" "$plugins/renamed.so"
ok 'an id that is not the name' wrong renamed 'it calls itself other-id, but the file is named renamed.so'
ok 'another ABI' built abi 'built for plugin ABI 9, but this backplane (VERSION) has ABI 1; install backplane-plugin-abi for ABI 1' -DFAKE_ENTRY -DFAKE_ABI=9
ok 'a level to come' built future 'needs plugin API level 99, but this backplane (VERSION) has level 1; upgrade backplane' -DFAKE_ENTRY -DFAKE_LEVEL=99
ok 'a level of old' built past 'built for plugin API level 0, but this backplane (VERSION) takes level 1 and newer; upgrade backplane-plugin-past' -DFAKE_ENTRY -DFAKE_LEVEL=0
ok 'a need above the level' built need 'needs API level 3 but was built at 1' -DFAKE_ENTRY -DFAKE_NEED=3
ok 'an entry that refuses' built refuses 'refuses this backplane' -DFAKE_ENTRY -DFAKE_ENTRY_REFUSES
ok 'another name in the descriptor' built other-name 'its note says other-name but its descriptor says somebody-else' -DFAKE_ENTRY -DFAKE_OTHER_NAME
ok 'a descriptor that lies about its size' built small-plugin 'its descriptor says that it has 12 bytes' -DFAKE_ENTRY -DFAKE_SMALL_PLUGIN
ok 'endless classes' built many-classes 'it has 18446744073709551615 classes' -DFAKE_ENTRY -DFAKE_MANY_CLASSES
ok 'a class that lies about its size' built small-class 'a class says that it has 24 bytes' -DFAKE_SMALL_CLASS
ok 'a class of two GiB' built huge-class 'a class says that it has 2147483647 bytes' -DFAKE_HUGE_CLASS
ok 'a class without a name' built no-class-name 'it has no class name' -DFAKE_NO_CLASS_NAME
ok 'a class name of a section of the core' built reserved 'a section of the core has that name' -DFAKE_CLASS='"machine"'
ok 'a class name with capitals' built capitals 'a name is \[a-z\]' -DFAKE_CLASS='"Capitals"'
ok 'a class of another name' built other-class 'it has no class other-class' -DFAKE_CLASS='"something"'
ok 'no create()' built no-create 'it has no create()' -DFAKE_NO_CREATE
ok 'a critical flag of the future' built critical 'flags 0x10000 are unknown here' -DFAKE_CRITICAL_FLAG
ok 'state without save()' built state 'it has state version 1 but no save() and load()' -DFAKE_STATE
ok 'an interface that is none' built iface 'in its provides is no interface' -DFAKE_PROVIDES='"block"'
ok 'a stride that lies' built stride 'its property table says 8 bytes an entry' -DFAKE_SMALL_STRIDE
ok 'endless properties' built many-props '4294967295 properties' -DFAKE_MANY_PROPS
ok 'a property that lies about its size' built small-prop 'a property says that it has 8 bytes' -DFAKE_SMALL_PROP
ok 'a property without a name' built no-prop-name "it has no property's name" -DFAKE_NO_PROP_NAME
ok 'a property with an impossible name' built prop-name 'a name is \[a-z\]' -DFAKE_BAD_PROP_NAME
ok 'a property that belongs to the core' built reserved-prop 'that key belongs to the core' -DFAKE_RESERVED_PROP
ok 'a property twice' built two-props 'property port: it is in the table twice' -DFAKE_TWO_PROPS
ok 'two primary properties' built two-primaries 'it and port are both primary' -DFAKE_TWO_PRIMARIES
ok 'a type of the future' built type 'type 4711 is unknown here' -DFAKE_BAD_TYPE
ok 'a property with a critical flag' built prop-flag 'flags 0x80000000 are unknown here' -DFAKE_BAD_FLAG
ok 'a default that does not parse' built default 'its default is refused: port: "1G" is no integer' -DFAKE_BAD_DEFAULT
ok 'a range of nothing' built range 'its least value is above its greatest' -DFAKE_BAD_RANGE
ok 'a choice of nothing' built choices 'it has no choices' -DFAKE_NO_CHOICES
ok 'a link to nothing' built link-to 'is no interface to link to' -DFAKE_NO_IFACE
ok 'a needs list that is none' built needs 'in its needs is no interface' -DFAKE_NEEDS='"/x",'

# The library is there when the plugin is linked, and gone when it is opened.
# shellcheck disable=SC2086
echo 'int helper_of_test(void) { return 0; }' | $CC -shared -fPIC -x c - -o "$tmp/libbp-test-gone.so"
fake library -Wl,--no-as-needed "$tmp/libbp-test-gone.so" && rm "$tmp/libbp-test-gone.so"
ok 'a library that is not there' wrong library 'cannot be opened: .*libbp-test-gone.so'

fake crash -DFAKE_ENTRY -DFAKE_ENTRY_CRASHES
ok 'a crash in the entry' wrong crash 'crashed in bp_plugin_v1(): SIGSEGV' 'crashed while it was opened: Segmentation fault'
fake lies -DFAKE_ENTRY -DFAKE_ENTRY_LIES
ok 'an entry that returns nonsense' wrong lies 'crashed in its descriptor: SIGSEGV' 'crashed while it was opened: Segmentation fault'

ln -s nowhere.so "$plugins/dangling.so"
ok 'a link to nowhere' wrong dangling 'cannot open: No such file'
mkdir "$plugins/folder.so"
ok 'a folder' wrong folder 'a folder, not a file'
mkfifo "$plugins/pipe.so"
ok 'a pipe' wrong pipe 'a device or pipe, not a file'
fake loose && chmod o+w "$plugins/loose.so"
ok 'a world-writable file' wrong loose 'the file is world-writable; run chmod o-w'
fake loose && chmod 1777 "$plugins"
ok 'a file in a world-writable folder' wrong loose 'its folder PLUGINS is world-writable; run chmod o-w'
chmod 755 "$plugins" && mkdir -m 777 "$tmp/open" && fake away && mv "$plugins/away.so" "$tmp/open" && chmod 1777 "$tmp/open" &&
  ln -s "$tmp/open/away.so" "$plugins/away.so"
ok 'a link into a world-writable folder' wrong away 'its folder TMP/open is world-writable'

# What only shows when an instance is made.
unmade() { # COMMAND NAME TEXT
  printf 'boot { kernel = kernel }\n\n%s id0 { }\n' "$2" >vm.conf
  bp "$1" --plugin-path "$plugins" vm.conf >out 2>err
  rc=$?
  if [ $rc != 2 ] || [ -s out ] || [ "$(wc -l <err)" != 1 ]; then echo "status $rc"; cat out err; return 1; fi
  grep -q "^vm.conf:3: $2 id0: .*$3" err || { cat err; return 1; }
}
fake create-crash -DFAKE_CREATE_CRASHES
fake create-abort -DFAKE_CREATE_ABORTS
fake create-fail -DFAKE_CREATE_FAILS
for command in check run; do
  ok "$command: create() crashes" unmade $command create-crash 'create-crash.so crashed in create(): SIGSEGV'
  ok "$command: create() aborts" unmade $command create-abort 'create-abort.so crashed in create(): SIGABRT'
  ok "$command: create() fails" unmade $command create-fail 'this device never works; remove it'
done

# Only list can say this: check would wait, as it would for a plugin that only takes long. On a busy
# host the good one may be late too, so what is asked is that it is listed.
mkdir "$tmp/slow" && fake hangs -DFAKE_ENTRY -DFAKE_ENTRY_HANGS && fake next
mv "$plugins/hangs.so" "$plugins/next.so" "$tmp/slow"
bp list --plugin-path "$tmp/slow" --timeout 1 >out 2>err
ok 'list outlives an entry that does not return' grep -q '^hangs  *BROKEN .*did not come back within 1000 ms' out
ok '... and lists the next one' grep -q '^next ' out
fake exits -DFAKE_ENTRY -DFAKE_ENTRY_EXITS
bp list --plugin-path "$plugins" --timeout 600 >out 2>err
ok 'list outlives an entry that ends the process' grep -q '^exits  *BROKEN .*ended the process while it was opened (status 0)' out
ok '... and lists the next one' grep -q '^good  *1.0 ' out
not_ok 'inspect fails for a broken one' bp inspect --plugin-path "$plugins" exits
done_testing
