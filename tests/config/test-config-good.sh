#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every file in good/ is taken; `check --print` shows the machine in its .out, and what it shows is
# taken too and shows the same again. With UPDATE=1 the .out files are written instead.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/config/lib.sh"
unset BACKPLANE_TEST_UNSET
BACKPLANE_TEST_SET='set'
export BACKPLANE_TEST_SET
accepted() { # NAME
  bp check --plugin-path "$plugins" "$1.conf" >out 2>err || { cat err; return 1; }
  echo "$1.conf: good" | diff - out
}
printed() { # NAME
  bp check --print --plugin-path "$plugins" "$1.conf" >out.raw 2>err || { cat err; return 1; }
  plain <out.raw >out
  [ -z "$UPDATE" ] || cp out "$srcdir/good/$1.out"
  diff "$srcdir/good/$1.out" out
}
# The printed file stands elsewhere, and means the same. Only that what it spells out is no default
# any more, and that the secret is lost.
reprinted() {
  mkdir -p elsewhere && cp out.raw elsewhere/printed.conf
  (cd elsewhere && bp check --print --plugin-path "$plugins" printed.conf) >again 2>err || { cat err; return 1; }
  sed -e 's/ # default$//' -e 's/ is secret$/ is not set/' out.raw | diff - again
}
ok 'the plugins of this test are built' fake_devices
cp -R "$srcdir"/good/* "$tmp" && chmod -R u+w "$tmp" && cp "$tmp/disk" "$tmp/parts/disk.img" && cd "$tmp" || exit 1
for conf in *.conf; do
  ok "good/$conf is taken" accepted "${conf%.conf}"
  ok "good/$conf is printed" printed "${conf%.conf}"
  ok "good/$conf is the same when printed again" reprinted
done

bp check --plugin-path "$plugins" types.conf >out 2>err
ok 'a deprecated key is warned about' grep -q '^types.conf:[0-9]*: fake-dev dev0: colour is deprecated: use label$' err
not_ok 'a secret is not printed' grep -q hunter2 out.raw

# A name of firmware is a list of paths, beside the file or in the data folder.
mkdir -p named/firmware data/firmware
echo 'boot { firmware = known }' >named/a.conf
printf '# a list\n\n%s\n  %s\n/nobody\n' "$tmp/not there" "$tmp/firmware" >named/firmware/known
firmware_is() { # FILE TEXT: what check says, and its status
  BACKPLANE_DATA_DIR=$tmp/data bp check --print --plugin-path "$plugins" "$1" >out 2>err
  status=$?
  grep -qF -- "$2" out err || { cat out err; return 1; }
  return $status
}
ok 'firmware by name: the first path that is there' firmware_is named/a.conf "firmware = \"$tmp/firmware\""
mv named/firmware/known data/firmware/known
ok 'firmware by name: the data folder' firmware_is named/a.conf "firmware = \"$tmp/firmware\""
cp firmware named/known
ok 'firmware by name: a file of that name comes first' firmware_is named/a.conf "firmware = \"$tmp/named/known\""
rm named/known
echo '/nobody' >data/firmware/known
not_ok 'firmware by name: none of them is there' firmware_is named/a.conf 'can be read: /nobody; install one'
ok 'firmware by name: it is said where' grep -q "a.conf:1: boot: firmware: none of the images in $tmp/data/firmware/known" err
rm data/firmware/known
not_ok 'firmware by name: no such name' firmware_is named/a.conf "as a name it was looked for at"
echo 'boot { firmware = "sub/known" }' >named/a.conf
not_ok 'firmware with a folder is no name' firmware_is named/a.conf "cannot read $tmp/named/sub/known: No such file"
not_ok 'firmware with a folder is looked for nowhere else' grep -q 'as a name' err

cd / || exit 1
ok 'paths start at the folder of the file, wherever one stands' bp check --plugin-path "$plugins" "$tmp/include.conf"
cd "$tmp" || exit 1
printf 'boot { kernel = kernel }\nfake-dev { socket = 5 }\n' >fd.conf
ok 'a descriptor by number' bp check --plugin-path "$plugins" fd.conf 5<fd.conf
printf 'boot { kernel = kernel }\nfake-dev { socket = control }\n' >fd.conf
named() { exec 3<fd.conf 4<fd.conf; LISTEN_FDS=2 LISTEN_FDNAMES=other:control exec sh -c \
  'LISTEN_PID=$$ exec "$@"' sh "$top_builddir/backplane" check --print --plugin-path "$plugins" fd.conf; }
(named) >out 2>err
ok 'a descriptor by name' grep -q 'socket = "control"' out
mkdir one two && cp "$plugins/fake-dev.so" two && chmod 755 one two
printf 'boot { kernel = kernel }\nfake-dev { }\n' >vm.conf
ok 'a second folder is looked into when the first has no such file' bp check --plugin-path one --plugin-path two vm.conf
BACKPLANE_PLUGIN_PATH=one:$tmp/two
export BACKPLANE_PLUGIN_PATH
ok 'BACKPLANE_PLUGIN_PATH is looked into' bp check vm.conf
echo text >one/fake-dev.so
not_ok 'the first file of that name counts' bp check vm.conf
ok '--plugin-path comes before BACKPLANE_PLUGIN_PATH' bp --plugin-path "$plugins" check vm.conf
unset BACKPLANE_PLUGIN_PATH

i=0
while [ $i -lt 15 ]; do
  echo "include(\"deep$((i + 1)).conf\")" >deep$i.conf
  i=$((i + 1))
done
echo 'boot { kernel = kernel }' >deep15.conf
ok '16 files inside of each other' bp check deep0.conf
echo 'include("deep16.conf")' >deep15.conf && echo 'boot { kernel = kernel }' >deep16.conf
bp check deep0.conf >out 2>err
ok '17 are too many' grep -q '^deep15.conf:1: include: .*at most 15 may be' err
for i in 0 1 2 3 4 5 6 7 8; do
  { echo "include(\"wide$((i + 1)).conf\")"; echo "include(\"wide$((i + 1)).conf\")"; } >wide$i.conf
done
: >wide9.conf
bp check wide0.conf >out 2>err
ok 'more than 256 files are too many' grep -q 'more than 256 files are included' err
{ echo 'boot { kernel = kernel cmdline = "'; head -c 1100000 /dev/zero | tr '\0' x; echo '" }'; } >long.conf
bp check long.conf >out 2>err
ok 'more than a MiB is too much' grep -q '^long.conf: too long for a config file' err
bp check /dev/null >out 2>err
ok 'a device may be read as a file' grep -q 'there is no boot section' err
bp check . >out 2>err
ok 'a folder is none' grep -q '^\.: it is a folder' err
bp check nothing.conf >out 2>err
ok 'a missing file is named' grep -q '^nothing.conf: cannot open: No such file' err
done_testing
