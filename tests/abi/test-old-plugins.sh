#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Plugins that were built with each recorded version of the headers run on today's core: a port and
# an interrupt, a PCI function with memory access and messages, a disk. Their sources are not
# changed either. They are tried by the conformance tests, by drivers on the fake host, by `check`
# in the real core, and with a guest where this host can run one.
. "${top_srcdir:-.}/tests/tap.sh"
. "$top_srcdir/tests/abi/lib.sh"
old=$top_srcdir/tests/abi/old
guests=$top_builddir/tests/guests
harness=$top_builddir/sdk/harness/.libs
run=$top_builddir/run

build() { # VERSION NAME
  ${CC:-cc} $SAN_CFLAGS -std=c11 -O1 -g -Wall -Wextra -Werror -fPIC -fvisibility=hidden -I"$abi/$1" -shared \
    -Wl,-z,now -Wl,--version-script="$top_srcdir/sdk/backplane-plugin.map" \
    -o "$tmp/$1/$2.so" "$old/$2.c"
}
driver() { # NAME: the example's own test
  ${CC:-cc} $SAN_CFLAGS -std=c11 -I"$now" -L"$harness" -o "$tmp/test-$1" \
    "$top_srcdir/sdk/example/$1/test-$1.c" -lbackplane-test
}
drive() { # VERSION NAME
  BACKPLANE_PLUGIN_PATH=$tmp/$1:$top_builddir/modules LD_LIBRARY_PATH=$harness "$tmp/test-$2" >"$tmp/out" 2>&1
  rc=$?
  cat "$tmp/out"
  [ $rc = 0 ] && grep -q '^ok' "$tmp/out" && ! grep -q 'SKIP\|^not ok' "$tmp/out"
}
checked() {
  "$top_builddir/backplane-check" --seed 7 --steps 500 --cycles 10 --timeout 120 "$tmp/$1/$2.so" >"$tmp/out" 2>&1
  rc=$?
  grep -A 9 '^not ok' "$tmp/out"
  [ $rc = 0 ] && [ "$(grep -c '^ok' "$tmp/out")" -ge 20 ]
}
known() { "$run" --plugin-path "$tmp/$1" inspect "$2" | grep -q "^$2 1.0 "; }
configure() { # VERSION
  cat >"$tmp/$1/vm.conf" <<END2
pci { }
acpi { }
debug-exit { }
rtc { }
serial com1 { chardev = "stdio" }
isa-scratch scratch0 { port = 0x2f0 }
pci-dma dma0 { }
block-mem mem0 { text = "the first sector" }
virtio-blk disk0 { drive = "mem0" }
boot { kernel = "$guests/devices.elf" cmdline = "pci" }
machine { memory = "64M" }
END2
}
guest() { # VERSION
  timeout 60 "$run" --plugin-path "$tmp/$1" run "$tmp/$1/vm.conf" </dev/null >"$tmp/out" 2>&1
  rc=$?
  cat "$tmp/out"
  [ $rc = 61 ] && grep -q '^disk: reads the first sector$' "$tmp/out"
}

ok 'the driver of isa-scratch' driver isa-scratch
ok 'the driver of pci-dma' driver pci-dma
for version in $(versions); do
  mkdir "$tmp/$version"
  for name in isa-scratch pci-dma block-mem; do
    ok "$name builds with $version" build "$version" $name
    ok "$name of $version: today's inspect knows it" known "$version" $name
    ok "$name of $version passes today's backplane-check" checked "$version" $name
    [ $name = block-mem ] || ok "$name of $version does its work" drive "$version" $name
  done
  configure "$version"
  ok "plugins of $version: a machine of them can be made" "$run" --plugin-path "$tmp/$version" check "$tmp/$version/vm.conf"
  if [ -w /dev/kvm ]; then
    ok "plugins of $version: a guest uses them" guest "$version"
  else
    skip "plugins of $version: a guest uses them" 'no /dev/kvm that this user may open'
  fi
done

# It can fail: a plugin that was built with a member more at the front of a table does not work.
mkdir "$tmp/broken" && cp -R "$abi/$(versions | head -n 1)" "$tmp/include" && chmod -R u+w "$tmp/include"
sed -i 's/^    int (\*line)(.*/    int (*fresh)(bp_inst);\n&/' "$tmp/include/backplane/if/irq.h"
broken() {
  ${CC:-cc} -std=c11 -w -fPIC -fvisibility=hidden -I"$tmp/include" -shared -Wl,-z,now \
    -Wl,--version-script="$top_srcdir/sdk/backplane-plugin.map" -o "$tmp/broken/isa-scratch.so" "$old/isa-scratch.c"
}
ok 'a plugin is built with headers that were broken' broken
not_ok 'noticed: it does not do its work' drive broken isa-scratch
done_testing
