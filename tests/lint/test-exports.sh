#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What the built shared objects export and want: a plugin exports its entry, wants nothing from the
# program that opens it, and carries the note; the library for virtio exports bp_ only.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/lint/lib.sh"
[ -z "$SAN_CFLAGS" ] || skip_all 'sanitizers add symbols of their own'
command -v nm >/dev/null && command -v readelf >/dev/null || skip_all 'no binutils'
exports() { nm -D --defined-only "$1" | awk '{ print $NF }' | sed 's/@.*//' | sort -u; }
entry_only() { [ "$(exports "$1")" = bp_plugin_v1 ] || { exports "$1"; return 1; }; }
# ldd -r binds every symbol with the libraries that the file names, and nothing else.
complete() { LD_LIBRARY_PATH="$top_builddir/sdk/virtio/.libs" ldd -r "$1" >"$tmp/ldd" 2>&1; ! grep -E 'undefined symbol|not found' "$tmp/ldd"; }
noted() { readelf -n "$1" 2>/dev/null | grep -A1 'Owner' | grep -q '^ *BP '; }
now() { readelf -d "$1" | grep -qE 'BIND_NOW|FLAGS.*NOW'; }
for plugin in "$top_builddir"/modules/*.so; do
  name=${plugin##*/}
  [ -e "$plugin" ] || continue
  ok "$name exports its entry and nothing else" entry_only "$plugin"
  ok "$name wants nothing but its libraries" complete "$plugin"
  ok "$name carries the note" noted "$plugin"
  ok "$name is bound when it is opened" now "$plugin"
done
for library in "$top_builddir"/sdk/virtio/.libs/*.so; do
  [ -e "$library" ] || continue
  exports "$library" >"$tmp/exports"
  not_ok "${library##*/} exports bp_ only" grep -v '^bp_' "$tmp/exports"
  ok "${library##*/} wants nothing but its libraries" complete "$library"
done
done_testing
