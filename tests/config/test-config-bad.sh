#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every file in bad/ is refused with exactly the one line in its .err, and status 2.
# With UPDATE=1 in the environment the .err files are written instead: review the difference.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/config/lib.sh"
unset BACKPLANE_TEST_UNSET
refused() { # NAME
  bp check --plugin-path "$plugins" "$1.conf" >out 2>err.raw
  rc=$?
  plain <err.raw >err
  [ -z "$UPDATE" ] || cp err "$srcdir/bad/$1.err"
  if [ $rc != 2 ]; then echo "status $rc, not 2"; cat err; return 1; fi
  if [ -s out ]; then echo "something on standard output:"; cat out; return 1; fi
  if [ "$(wc -l <err)" != 1 ]; then echo "not one line:"; cat err; return 1; fi
  diff "$srcdir/bad/$1.err" err
}
ok 'the plugins of this test are built' fake_devices
cp "$srcdir"/bad/*.conf "$tmp" && cd "$tmp" || exit 1
for conf in *.conf; do
  ok "bad/$conf" refused "${conf%.conf}"
done
done_testing
