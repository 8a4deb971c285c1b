#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What bash offers behind some words; zsh at least reads its file.
. "${top_srcdir:-.}/tests/tap.sh"
mkdir "$tmp/bin" && printf '#!/bin/sh\nexec "%s/run" "$@"\n' "$top_builddir" >"$tmp/bin/backplane"
ln -s "$top_builddir/backplane-check" "$tmp/bin/backplane-check"
chmod +x "$tmp/bin/backplane"
PATH=$tmp/bin:$PATH
unset BACKPLANE_PLUGIN_PATH
. "$top_srcdir/packaging/completion/backplane.bash"
compopt() { :; }
cd "$tmp" || exit 1
mkdir folder && touch vm.conf other.conf notes.txt
cp "$top_builddir/modules/serial.so" folder/

offers() { # WORD-EXPECTED FUNCTION WORD...
  local expected=$1 function=$2
  shift 2
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  $function
  printf '%s\n' "${COMPREPLY[@]}"
  printf '%s\n' "${COMPREPLY[@]}" | grep -qx -- "$expected"
}
ok 'commands' offers inspect _backplane backplane ''
ok 'commands that begin so' offers inspect _backplane backplane ins
not_ok 'and no others' offers run _backplane backplane ins
ok 'options' offers --version _backplane backplane --v
ok 'options of a command' offers --print _backplane backplane check --
not_ok 'not those of others' offers --json _backplane backplane check --
ok 'config files for run' offers vm.conf _backplane backplane run ''
not_ok 'no other files' offers notes.txt _backplane backplane run ''
ok 'folders, too' offers folder _backplane backplane check fo
ok 'plugins for inspect' offers virtio-blk _backplane backplane inspect ''
ok 'plugins that begin so' offers serial _backplane backplane inspect ser
not_ok 'and no others' offers virtio-blk _backplane backplane inspect ser
ok 'behind --plugin-path a folder' offers folder _backplane backplane --plugin-path fo
ok 'plugins of that folder' offers serial _backplane backplane --plugin-path folder inspect s
ok 'files for inspect' offers folder/serial.so _backplane backplane inspect folder/s
ok 'files for backplane-check' offers folder _backplane_check backplane-check fo
ok 'keys of the plugin for --set' offers chardev= _backplane_check backplane-check folder/serial.so --set c
not_ok 'and no others' offers irq= _backplane_check backplane-check folder/serial.so --set c
ok 'tests for --only' offers life-once _backplane_check backplane-check folder/serial.so --only life-
if command -v zsh >/dev/null; then
  ok 'zsh reads its file' zsh -n "$top_srcdir/packaging/completion/_backplane"
else
  skip 'zsh reads its file' 'no zsh'
fi
cd / || exit 1
done_testing
