#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# cppcheck and clang-tidy over every C file. It takes minutes, so `make check` leaves it out and
# `make lint-static` sets LINT_STATIC. The checks that are on, and why others are off, are in .clang-tidy.
. "$top_srcdir/tests/tap.sh"
[ -n "$LINT_STATIC" ] || skip_all 'it takes minutes: make lint-static'
. "$top_srcdir/tests/lint/lib.sh"
flags="-std=gnu11 -D_GNU_SOURCE -DHAVE_CONFIG_H -I$top_builddir -I. -Isdk/include -Isdk/virtio -Isdk/harness -Ilib
  $(for package in glib-2.0 libconfuse liburing slirp; do
    pkg-config --cflags $package 2>/dev/null; done | sed 's/-I/-isystem /g')"
files=$(sources '^(core|lib|plugins|sdk)/.*\.c$' | grep -v '^sdk/example/')
if command -v cppcheck >/dev/null; then
  # shellcheck disable=SC2086
  ok 'cppcheck' cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,performance,portability \
    --suppressions-list=tests/lint/cppcheck.supp -j 2 -D__GNUC__=12 -D__x86_64__ -D_GNU_SOURCE -DPLUGINDIR='"/"' \
    -DCONFDIR='"/"' '-D__attribute__(x)=' -I. -Isdk/include $files
else
  skip 'cppcheck' 'not installed'
fi
for tidy in clang-tidy-14 clang-tidy ''; do
  [ -n "$tidy" ] && command -v $tidy >/dev/null && break
done
if [ -n "$tidy" ]; then
  for file in $files; do
    # shellcheck disable=SC2086
    ok "clang-tidy $file" $tidy --quiet --warnings-as-errors='*' "$file" -- $flags -DPLUGINDIR='"/"' -DCONFDIR='"/"'
  done
else
  skip 'clang-tidy' 'not installed'
fi
done_testing
