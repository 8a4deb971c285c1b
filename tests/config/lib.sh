# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# lib.sh - sourced after tap.sh: a folder of fake plugins and a way to run the program with it.
#   fake NAME FLAG...   builds $plugins/NAME.so from fake.c
#   bp ARG...           runs the program
#   plain               a filter: messages without the folders of this run
srcdir=$top_srcdir/tests/config
plugins=$tmp/plugins
umask 022
mkdir -p "$plugins" && chmod 755 "$tmp" "$plugins"
unset BACKPLANE_PLUGIN_PATH
BACKPLANE_DATA_DIR=$srcdir/data
LC_ALL=C
export BACKPLANE_DATA_DIR LC_ALL
bp() { "$top_builddir/backplane" "$@"; }
fake() {
  fake_name=$1; shift
  # $CC may hold options. The plugins are not sanitized: some are wrong on purpose.
  # shellcheck disable=SC2086
  $CC -std=gnu11 -shared -fPIC -fvisibility=hidden -Wl,-z,defs \
    -Wl,--version-script="$top_srcdir/sdk/backplane-plugin.map" -I"$top_srcdir/sdk/include" \
    -DFAKE_ID="\"$fake_name\"" "$@" -o "$plugins/$fake_name.so" "$srcdir/fake.c" && chmod 755 "$plugins/$fake_name.so"
}
plain() {
  sed -e "s|$plugins|PLUGINS|g" -e "s|$tmp|TMP|g" -e "s|$srcdir|SRC|g" \
    -e 's|, [^ ,]*/backplane/plugins/|, PLUGINDIR/|g' -e 's|[^ ,]*/backplane/configs/|CONFDIR/|g' \
    -e 's|(0\.[0-9.]*|(VERSION|g'
}
# The least that a multiboot loader takes: a header with load addresses, and a HLT.
fake_kernel() {
  printf '\002\260\255\033\000\000\001\000\376\117\121\344\000\000\020\000\000\000\020\000' >"$1"
  printf '\000\000\000\000\000\000\000\000\040\000\020\000\364' >>"$1"
}
fake_devices() {
  fake fake-dev -DFAKE_DEVICE
  fake fake-pair -DFAKE_DEVICE
  fake block-fake -DFAKE_BLOCK -DFAKE_PROVIDES=BP_IF_BLOCK
  fake char-null -DFAKE_MULTI -DFAKE_PROVIDES=BP_IF_CHAR
  fake char-loop -DFAKE_LOOP -DFAKE_PROVIDES=BP_IF_CHAR
  fake fake-bus -DFAKE_SHARED -DFAKE_PROVIDES='"test.bus/1"'
  fake multi -DFAKE_MULTI
  ln -s multi.so "$plugins/fake-second.so"
  fake_kernel "$tmp/kernel" && echo disk >"$tmp/disk" && truncate -s 64K "$tmp/firmware"
}
