#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The service of a machine: systemd takes it, and finds it as closed as it is meant to be.
. "$top_srcdir/tests/tap.sh"
command -v systemd-analyze >/dev/null || skip_all 'no systemd-analyze'
systemd-analyze security --help 2>/dev/null | grep -q -- --offline || skip_all 'this systemd-analyze looks at no file'
unit=$top_builddir/packaging/systemd/backplane@.service
mkdir "$tmp/good" "$tmp/open" "$tmp/bad"
# The program of the tree is not installed.
sed 's|^ExecStart=.*/backplane run|ExecStart=/bin/true run|' "$unit" >"$tmp/good/backplane@.service"
sed '/^CapabilityBoundingSet=/d; /^SystemCallFilter=/d' "$tmp/good/backplane@.service" >"$tmp/open/backplane@.service"
sed 's/^DevicePolicy=closed/DevicePolicy=shut/' "$tmp/good/backplane@.service" >"$tmp/bad/backplane@.service"
taken() { systemd-analyze verify --man=no "$1/backplane@.service" >"$tmp/out" 2>&1; rc=$?; cat "$tmp/out"; [ $rc = 0 ] && [ ! -s "$tmp/out" ]; }
closed() { systemd-analyze security --offline=yes --threshold=20 "$1/backplane@.service"; }
ok 'the program is where it is installed' grep -q '^ExecStart=/.*/bin/backplane run /etc/backplane/%i.conf$' "$unit"
ok 'systemd takes the service' taken "$tmp/good"
not_ok 'noticed: a word that it does not know' taken "$tmp/bad"
ok 'it is exposed to 2.0 of 10 at most' closed "$tmp/good"
not_ok 'noticed: capabilities and all system calls' closed "$tmp/open"
if command -v systemd-sysusers >/dev/null; then
  mkdir -p "$tmp/root/etc"
  : >"$tmp/root/etc/passwd"; : >"$tmp/root/etc/group"
  ok 'the user can be made' systemd-sysusers --root="$tmp/root" "$top_srcdir/packaging/systemd/backplane-sysusers.conf"
  ok 'he is there' grep -q '^backplane:' "$tmp/root/etc/passwd"
  ok 'he may use KVM' grep -q '^kvm:.*:backplane$' "$tmp/root/etc/group"
else
  skip 'the user can be made' 'no systemd-sysusers'
fi
done_testing
