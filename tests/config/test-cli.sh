#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The program's own manners: options, exit statuses, list and inspect.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/config/lib.sh"
# status N COMMAND...: exits with N and says something, on one line, where it fails
status() {
  want=$1; shift
  "$@" >"$tmp/out" 2>"$tmp/err"
  rc=$?
  if [ $rc != "$want" ]; then echo "status $rc, not $want"; cat "$tmp/out" "$tmp/err"; return 1; fi
  if [ "$want" != 0 ] && [ "$(wc -l <"$tmp/err")" != 1 ]; then echo "not one line:"; cat "$tmp/err"; return 1; fi
}
says() { grep -q -- "$1" "$tmp/out" || { cat "$tmp/out"; return 1; }; }
complains() { grep -q -- "$1" "$tmp/err" || { cat "$tmp/err"; return 1; }; }

ok '--version' status 0 bp --version
ok '... has the version' says '^backplane [0-9]'
ok '... and the levels of the plugin API' says '^plugin ABI 1, API level [0-9]*, oldest accepted level [0-9]*$'
ok '--help' status 0 bp --help
for command in run check list inspect; do
  ok "--help names $command" grep -q "^  $command " "$tmp/out"
done
for command in run check list inspect; do
  ok "$command --help" status 0 bp $command --help
done
ok 'no command' status 2 bp
ok 'an unknown command' status 2 bp frobnicate
ok '... is named' complains 'there is no command frobnicate'
ok 'an unknown option' status 2 bp --frobnicate
ok 'an unknown option of a command' status 2 bp check --frobnicate vm.conf
ok 'no file' status 2 bp check
ok '... is asked for' complains 'check wants FILE'
ok 'two files' status 2 bp check a.conf b.conf
ok 'list takes no argument' status 2 bp list something
ok 'a file whose name begins with -' status 2 bp check -- -vm.conf
ok '... is looked for' complains '^-vm.conf: cannot open'

mkdir "$tmp/none"
ok 'list of an empty folder' status 0 bp list --plugin-path "$tmp/none"
ok 'inspect in an empty folder' status 2 bp inspect --plugin-path "$tmp/none" fake-dev
ok '... says which file it looked for' complains "looked for $tmp/none/fake-dev.so"
ok '... and which package has it' complains 'package backplane-plugin-fake-dev'
echo 'boot { kernel = kernel } fake-dev dev0 { }' >"$tmp/vm.conf"; fake_kernel "$tmp/kernel"
ok 'check with an empty folder' status 2 bp check --plugin-path "$tmp/none" "$tmp/vm.conf"
ok '... says what is missing' complains "^$tmp/vm.conf:1: fake-dev dev0: there is no plugin fake-dev; looked for $tmp/none/fake-dev.so"
ok 'run with an empty folder' status 2 bp run --plugin-path "$tmp/none" "$tmp/vm.conf"
ok '... says what is missing' complains "^$tmp/vm.conf:1: fake-dev dev0: there is no plugin fake-dev; looked for $tmp/none/fake-dev.so"

ok 'the plugins of this test are built' fake_devices
ok 'list' status 0 bp list --plugin-path "$plugins"
for name in fake-dev block-fake multi fake-second; do
  ok "... has $name" says "^$name  *1.0 "
done
ok 'inspect' status 0 bp inspect --plugin-path "$plugins" fake-dev
ok '... has the summary' says '^fake-dev 1.0 - a plugin for tests$'
ok '... the range and the default' says 'int, 0 to 65535, default 0x10'
ok '... the choices' says 'enum, slow, fast or reckless, default slow'
ok '... what is linked to' says 'link to bp.block/1'
ok '... the flags' says '(must-exist)'
ok '... the libraries' says 'libraries  *libc.so.6'
ok 'inspect of one class of two' status 0 bp inspect --plugin-path "$plugins" fake-second
not_ok '... shows that one' says '^multi '
ok 'inspect of a file' status 0 bp inspect "$plugins/multi.so"
ok '... shows the one class' says '^multi '
ok '... and the other' says '^fake-second '
ok 'inspect --json' status 0 bp inspect --json --plugin-path "$plugins" fake-dev
if command -v python3 >/dev/null; then
  ok '... is JSON' python3 -c '
import json, sys
plugin = json.load(open(sys.argv[1]))
c, = plugin["classes"]
p = {x["name"]: x for x in c["properties"]}
assert plugin["plugin"] == "fake-dev" and plugin["api_level"] >= 1 and "libc.so.6" in plugin["libraries"]
assert p["port"]["max"] == 65535 and p["port"]["default"] == "0x10" and p["port"]["type"] == "int"
assert p["mode"]["choices"] == ["slow", "fast", "reckless"] and p["drive"]["interface"] == "bp.block/1"
assert p["password"]["flags"] == ["secret"] and p["label"]["default"] is None
' "$tmp/out"
else
  skip '... is JSON' 'no python3'
fi
done_testing
