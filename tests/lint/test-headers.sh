#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Each public header compiles by itself, as the first include of a plugin that wants no warnings, in
# C11, C17 and C++17, with every compiler that is here.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/lint/lib.sh"
alone() { # HEADER LANGUAGE COMPILER FLAG...
  header=$1 language=$2; shift 2
  # A declaration, since ISO C wants one.
  printf '#include <%s>\nextern int alone;\n' "$header" | "$@" -x "$language" -Isdk/include -Wall -Wextra -Wpedantic -Werror -fsyntax-only -
}
for header in $(sources '^sdk/include/.*\.h$'); do
  name=${header#sdk/include/}
  for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    for std in c11 c17; do
      ok "$name in $std by $compiler" alone "$name" c $compiler -std=$std
    done
  done
  for compiler in g++ clang++; do
    command -v $compiler >/dev/null || continue
    ok "$name in C++17 by $compiler" alone "$name" c++ $compiler -std=c++17
  done
  ok "$name twice" sh -c "printf '#include <$name>\n#include <$name>\n' | ${CC:-cc} -x c -std=c11 -Isdk/include -Werror -fsyntax-only -"
done
done_testing
