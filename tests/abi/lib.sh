# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# lib.sh - sourced after tap.sh by the tests of the plugin ABI.
#   versions [ABI]          the folders of recorded headers in a copy of sdk/abi, oldest first
#   list INCLUDE            what the headers in a folder consist of, see sdk/abi/list.awk
#   layout INCLUDE OUT.c    C that only headers with the same layout take
#   takes INCLUDE LAYOUT.c  whether they do
abi=$top_srcdir/sdk/abi
now=$top_srcdir/sdk/include
versions() {
  for versions_folder in "${1:-$abi}"/level-*; do echo "${versions_folder##*/}"; done |
    sed 's/^\(level-\([0-9]*\)\(-draft-\([0-9]*\)\)\{0,1\}\)$/\2 \4 \1/' |
    awk '{ print $1, NF == 3 ? $2 : 1000000, $NF }' | sort -n -k 1,1 -k 2,2 | sed 's/.* //'
}
list() {
  list_in=$1/backplane
  # test.h and virtio.h belong to libraries, and log.h is nothing but inline code.
  awk -f "$abi/list.awk" $(find "$list_in" -name '*.h' | grep -vE '/(test|virtio|log)\.h$' | LC_ALL=C sort)
}
layout() {
  list "$1" >"$2.list" && awk -f "$abi/layout.awk" "$2.list" >"$2.make.c" &&
    ${CC:-cc} -std=c11 -I"$1" -o "$2.make" "$2.make.c" && "$2.make" >"$2" && grep -q _Static_assert "$2"
}
takes() { ${CC:-cc} -std=c11 -Wall -Werror -fsyntax-only -I"$1" "$2"; }
number() { sed -n "s/^#define $2 *//p" "$1/backplane/version.h"; }
# version INCLUDE: the name of the folder in which these headers are to be recorded
version() {
  if [ "$(number "$1" BP_API_LATEST)" = "$(number "$1" BP_API_DRAFT)" ]; then
    echo "level-$(number "$1" BP_API_LATEST)-draft-$(number "$1" BP_API_REVISION)"
  else
    echo "level-$(number "$1" BP_API_LATEST)"
  fi
}
