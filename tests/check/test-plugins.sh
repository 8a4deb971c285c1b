#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every plugin of this tree passes backplane-check. The seed is fixed, so that a failure is one of
# the tree and not of the day.
. "$top_srcdir/tests/tap.sh"

# In a namespace of its own a network plugin may make interfaces, and they end with it.
apart='unshare -rn'
$apart true 2>/dev/null || apart=
check() { # PLUGIN ARGUMENT...
  plugin=$1; shift
  ${alone:-} "$top_builddir/backplane-check" --seed 7 --steps 2000 --timeout 300 "$@" "$plugin" >"$tmp/out" 2>&1
  rc=$?
  grep -A 12 '^not ok' "$tmp/out"
  # At least the tests of the file and of its tables were run, and one that makes an instance.
  [ "$(grep -c '^ok' "$tmp/out")" -ge 20 ] || { cat "$tmp/out"; return 1; }
  return $rc
}
for plugin in "$top_builddir"/modules/*.so; do
  [ -e "$plugin" ] || continue
  name=${plugin##*/}; name=${name%.so}
  alone=
  case $name in
  char-socket | display-vnc) set -- --set "path=$tmp/socket" ;;
  net-tap)
    set -- --set ifname=check0
    alone=$apart
    if [ -z "$apart" ] || ! [ -w /dev/net/tun ]; then
      set -- --only elf-,entry-,descriptor,class,props,props-defaults,provides-,state-
    fi ;;
  vga) set -- --set memory=1M $([ ! -e "$top_builddir/modules/display-png.so" ] || echo --with "$top_builddir/modules/display-png.so:path=$tmp/screen.png") ;;
  *) set -- ;;
  esac
  ok "$name" check "$plugin" "$@"
done
done_testing
