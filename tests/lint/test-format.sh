#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every C file is as clang-format leaves it. Releases of clang-format differ, so it is release 14.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/lint/lib.sh"
for format in clang-format-14 clang-format ''; do
  [ -n "$format" ] && $format --version 2>/dev/null | grep -q 'version 14\.' && break
done
[ -n "$format" ] || skip_all 'no clang-format 14'
for file in $(sources '\.[ch]$'); do
  ok "$file" $format --dry-run -Werror "$file"
done
done_testing
