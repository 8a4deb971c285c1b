#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Today's plugins on a host whose tables are cut down to what each recorded version had. On a frozen
# level, all that need no more than it must work. On a draft, a plugin that uses what came later
# must say so: it is refused with a text, and crashes nowhere; which those are is listed here, so
# that a new one is a decision.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/abi/lib.sh"

# sizes VERSION: --cut for the tables that the core gives out
sizes() {
  {
    cat <<'END'
#include <backplane/backplane.h>
#include <stdio.h>
#define SHOW(name, type) printf("--cut %s=%zu\n", name, sizeof(struct type));
int main(void) {
SHOW("bp.host", bp_host)
END
    list "$abi/$1" | sed -n 's/^string BP_IF_\(MEM\|IO\|IRQ\|EVENT\|RAM\|MACHINE\)$/\1/p' | sort -u | while read -r name; do
      printf 'SHOW(BP_IF_%s, bp_%s_if)\n' "$name" "$(echo "$name" | tr A-Z a-z)"
    done
    echo 'return 0; }'
  } >"$tmp/sizes.c"
  ${CC:-cc} -std=c11 -I"$abi/$1" -o "$tmp/sizes" "$tmp/sizes.c" && "$tmp/sizes" >"$tmp/$1.cut"
}
# Tests that make an instance and use it; where it cannot be made here they are skipped, with why.
tests=life-once,host-optional,host-no-map,state-roundtrip,fuzz-bare
# In a namespace of its own a network plugin may make interfaces, and they end with it.
apart='unshare -rn'
$apart true 2>/dev/null && [ -w /dev/net/tun ] || apart=
on() { # VERSION FILE ARGUMENT...: the plugin works there
  on_version=$1 on_file=$2; shift 2
  ${alone:-} "$top_builddir/backplane-check" --seed 7 --steps 300 --timeout 120 --only $tests \
    $(cat "$tmp/$on_version.cut") "$@" "$on_file" >"$tmp/out" 2>&1
  on_rc=$?
  cat "$tmp/out"
  return $on_rc
}
refused() { # VERSION FILE ARGUMENT...: nothing worse than a refusal that says why
  on "$@" >/dev/null && { echo 'it works there: take it off the list'; return 1; }
  cat "$tmp/out"
  ! grep -qiE 'crash|signal|killed|no text|against the rules|too long|sanitizer' "$tmp/out" &&
    grep -qE 'needs|bp\.[a-z]*/1' "$tmp/out"
}
later() { # VERSION NAME: uses what came after that draft
  case $1/$2 in
  level-1-draft-[12]/fw-cfg) return 0 ;; # the memory map: bp.machine/1 map()
  *) return 1 ;;
  esac
}
for version in $(versions); do
  ok "$version: how long its tables are" sizes "$version"
  ok "$version: all seven of them" test "$(wc -l <"$tmp/$version.cut")" = 7
  for plugin in "$top_builddir"/modules/*.so; do
    [ -e "$plugin" ] || continue
    name=${plugin##*/}; name=${name%.so}
    set --
    alone=
    case $name in
    char-socket | display-vnc) set -- --set "path=$tmp/socket" ;;
    display-png) set -- --set "path=$tmp/screen.png" ;;
    net-tap)
      [ -n "$apart" ] || { skip "$version: $name works" 'no tap interface can be made here'; continue; }
      alone=$apart
      set -- --set ifname=old0 ;;
    vga) set -- --set memory=1M ;;
    esac
    if later "$version" "$name"; then
      ok "$version: $name says what it needs" refused "$version" "$plugin" "$@"
    else
      ok "$version: $name works" on "$version" "$plugin" "$@"
    fi
  done
done
done_testing
