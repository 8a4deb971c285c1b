#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Rules about the text of files: heads, words, layers.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/lint/lib.sh"

# found PATTERN FILE...: grep that says nothing when there is nothing, not even files
found() {
  found_pattern=$1; shift
  [ $# = 0 ] || grep -HnE "$found_pattern" "$@"
}
found_anyhow() { # in capitals or not
  found_pattern=$1; shift
  [ $# = 0 ] || grep -HniE "$found_pattern" "$@"
}
heads() {
  for file in $(sources '\.([chS]|lds|map|am|ac|in|sh|py|supp|conf|[1-9])$') $(scripts); do
    case $file in
    tests/fuzz/corpus/*|tests/config/bad/*|tests/config/good/*|tests/config/data/*) continue ;;
    esac
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' || echo "$file has no SPDX line"
  done
}
# Built from parts, so that this file does not find itself.
marks="\\b(TO""DO|FIX""ME|X""XX)([ :(.,]|\$)"
none 'each file says its licence' heads
# shellcheck disable=SC2046
none 'nothing is marked as to be done later: do it, or leave it out' found "$marks" $(sources '\.([chS]|am|ac|in|sh|md|conf|[1-9])$')
# shellcheck disable=SC2046
none 'no blanks at the end of a line' found '[ 	]$' $(sources '\.([chS]|am|ac|in|sh|[1-9])$' | grep -v '^tests/config/bad/')

# ---- Layers: what may include what ------------------------------------------------------------
libs='#[ 	]*include[ 	]*[<"](glib|gio|gmodule|confuse)'
# shellcheck disable=SC2046
none 'sdk and plugins use neither GLib nor libconfuse: take what the C library has' found "$libs" $(sources '^(sdk|plugins|lib)/.*\.[ch]$')
# shellcheck disable=SC2046
none 'sdk and plugins know nothing of the core: ask the host table for it' found '#[ 	]*include[ 	]*[<"]([^">]*/)?core/' $(sources '^(sdk|plugins|lib)/.*\.[ch]$')
# shellcheck disable=SC2046
none 'the core knows no plugin and no library of plugins' found '#[ 	]*include[ 	]*[<"]([^">]*/)?(plugins|sdk|lib)/|<backplane/virtio\.h>' $(sources '^core/.*\.[ch]$')
freestanding() {
  # shellcheck disable=SC2046
  found '#[ 	]*include' $(sources '^sdk/include/.*\.h$') | grep -vE '<(backplane/[a-z0-9/-]*|stddef|stdint)\.h>' |
    grep -vE '/log\.h:[0-9]*:#include <(stdarg|stdio)\.h>'
}
none 'the public headers are freestanding, but for log.h' freestanding
# A plugin's own files are in its folder; what several share is in lib/NAME, which holds no plugin.
libraries=$(sources '^lib/.*\.h$' | sed 's|^lib/\([^/]*\)/.*|\1|' | sort -u | paste -s -d '|')
strangers() {
  # shellcheck disable=SC2046
  found '#[ 	]*include[ 	]*"' $(sources '^(plugins|lib)/.*\.[ch]$') | grep -vE "#[ 	]*include[ 	]*\"([^/\"]*|($libraries)/[^/\"]*)\""
}
none 'a plugin includes no other plugin: link to its interface' strangers
# A shared folder with a plugin in it would be a way around.
# shellcheck disable=SC2046
none 'what plugins share is no plugin' found 'BP_PLUGIN' $(sources '^lib/.*\.[ch]$')
# From below: each folder of the core uses what is left of it, and its own.
order='memory boot kvm,bus,loop plugin config machine cli'
layers() {
  below=
  for layer in $order; do
    for folder in $(echo "$layer" | tr , ' '); do
      allowed=$(echo "$below $folder" | sed 's/^ //; s/ /|/g')
      # shellcheck disable=SC2046
      found '#[ 	]*include[ 	]*"core/[a-z]*/' $(sources "^core/$folder/.*\\.[ch]\$") | grep -vE "\"core/($allowed)/"
    done
    below="$below $(echo "$layer" | tr , ' ')"
  done
}
none "the core's folders use only what is below: $order" layers
known() {
  for folder in core/*/; do
    folder=${folder#core/}
    echo "$order" | grep -qE "(^|[ ,])${folder%/}([ ,]|\$)" || echo "core/$folder is in no layer; put it into the order"
  done
}
none "each folder of the core is in a layer" known
# shellcheck disable=SC2046
none 'ioctl(KVM_...) is in core/kvm only' found 'ioctl *\([^;]*\bKVM_[A-Z]' $(sources '^(core|sdk|plugins|lib)/.*\.[ch]$' | grep -v '^core/kvm/')
words='virtio|uart|8250|16450|16550a?|vga|i8042|cmos|slirp|serial|rtc|mc146818|keyboard|mouse|vnc|sdl|ps2|e1000|ethernet|fw_cfg'
# shellcheck disable=SC2046
none 'the core speaks of no device' found_anyhow "(^|[^a-zA-Z0-9])($words)([^a-zA-Z0-9]|\$)" $(sources '^core/')
core_binary() {
  # PACKAGE names and user-visible texts are in here too.
  strings -n 4 "$top_builddir/backplane" | grep -iwE "$words"
}
if [ -n "$SAN_CFLAGS" ]; then
  skip 'the program speaks of no device' 'a sanitizer speaks of everything'
elif command -v strings >/dev/null; then
  none 'the program speaks of no device' core_binary
else
  skip 'the program speaks of no device' 'no strings'
fi
done_testing
