# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# setup.sh - sourced by `demo` and `test`: makes a fresh Debian machine able to build and to run
# guests, and says in one line what it does.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=${JOBS:-$(nproc)}
PATH=$PATH:/usr/sbin:/sbin

say() { echo "$*" >&2; }
die() { say "$*"; exit 1; }

# quietly LOG COMMAND...: all output goes to LOG, of which the end is shown when COMMAND fails.
quietly() {
  local log=$1 rc=0
  shift
  "$@" >"$log" 2>&1 </dev/null || rc=$?
  [ $rc = 0 ] || {
    tail -n 40 "$log" >&2
    say "failed: $* (all of it: $log)"
  }
  return $rc
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    die "this needs root and there is no sudo: $*"
  fi
}

# install_packages GROUP...: those of tools/debian-packages that are missing, and nothing else.
install_packages() {
  local group package missing=() log
  command -v dpkg-query >/dev/null || {
    say "not a Debian system: taking for granted what tools/debian-packages lists"
    return 0
  }
  while read -r group package; do
    case " $* " in *" $group "*) ;; *) continue ;; esac
    dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed' ||
      missing+=("$package")
  done < <(grep -v '^#' "$top/tools/debian-packages")
  log=$(mktemp)
  # Kernels for guests are downloaded, not installed, so apt has to know them.
  if [ ${#missing[@]} -gt 0 ] || ! apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1; then
    say "updating apt's lists"
    quietly "$log" as_root apt-get update -q || die "apt-get update failed"
  fi
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    quietly "$log" as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends "${missing[@]}" ||
      die "apt-get install failed"
  fi
  rm -f "$log"
}

# bootstrap: `configure` as it has to be for the tree as it is now.
bootstrap() {
  [ -x "$top/configure" ] && [ -z "$(find "$top" -newer "$top/configure" \
    \( -name configure.ac -o -name '*.am' \) -print -quit)" ] && return
  (cd "$top" && autoreconf -fi)
}

# build_in FOLDER CONFIGURE-ARGUMENT...: configured once, made every time.
build_in() {
  local dir=$1
  shift
  mkdir -p "$dir"
  # make itself takes up whatever changed in configure.ac and the .am files later on.
  [ -e "$dir/Makefile" ] || (cd "$dir" && "$top/configure" -q "$@") || return
  make -C "$dir" -j"$jobs" -s
}
