# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# cache.sh - sourced by `l1` and `guest`: Debian's kernels, unpacked, and the initramfs images that
# are made of them. Everything lands in one folder outside the source tree and is made only once;
# deleting that folder is the way to get a newer kernel.

cache=${BACKPLANE_CACHE:-${XDG_CACHE_HOME:-/var/tmp}/backplane-nested-$(id -u)}
me=${0##*/}

say() { echo "$me: $*" >&2; }
die() { say "$*"; exit 125; }

# need PROGRAM=PACKAGE...: ends with one line that names all that is missing.
need() {
  local pair missing=
  for pair; do command -v "${pair%%=*}" >/dev/null || missing+=" ${pair#*=}"; done
  [ -z "$missing" ] || die "install what is missing first: apt-get install$missing"
}

cache_open() {
  PATH=$PATH:/usr/sbin:/sbin
  need busybox=busybox-static cpio=cpio modprobe=kmod flock=util-linux
  mkdir -p "$cache" || :
  if ! [ -O "$cache" ] || ! [ -w "$cache" ]; then
    die "$cache cannot be used as a cache: set BACKPLANE_CACHE to a folder of your own"
  fi
}

# with_lock COMMAND...: two test scripts may want the same kernel at the same moment.
with_lock() {
  local rc=0
  exec 8>"$cache/.lock"
  flock 8
  "$@" 8>&- || rc=$?
  exec 8>&-
  return $rc
}

# kernel_dir FLAVOUR: prints the folder with vmlinuz and lib/modules of Debian's `generic` or
# `cloud` kernel, unpacked from the unmodified package.
kernel_dir() {
  local dir=$cache/kernel-$1
  [ -s "$dir/vmlinuz" ] || with_lock kernel_unpack "$1" "$dir" || return
  echo "$dir"
}

kernel_unpack() {
  local flavour=$1 dir=$2 meta package version work=$2.new
  [ ! -s "$dir/vmlinuz" ] || return 0
  case $flavour in
    generic) meta=linux-image-amd64 ;;
    cloud) meta=linux-image-cloud-amd64 ;;
    *) die "there is no kernel flavour '$flavour': use generic or cloud" ;;
  esac
  package=$(apt-cache depends "$meta" 2>/dev/null | sed -n 's/.*Depends: //p' | head -n 1)
  [ -n "$package" ] || die "apt knows no package $meta: run apt-get update first"
  say "downloading $package"
  rm -rf "$work"
  mkdir -p "$work/tree"
  (cd "$work" && apt-get download -q -o APT::Sandbox::User=root "$package") >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    die "cannot download $package"
  }
  dpkg-deb --fsys-tarfile "$work/$package"_*.deb | tar -x -C "$work/tree" ./boot ./lib/modules
  version=$(basename "$work"/tree/lib/modules/*)
  mv "$work/tree/boot/vmlinuz-$version" "$work/vmlinuz"
  mv "$work/tree/lib" "$work/lib"
  depmod -b "$work" "$version"
  echo "$version" >"$work/version"
  rm -rf "$work"/*.deb "$work/tree" "$work/log" "$dir"
  mv "$work" "$dir"
}

# initramfs NAME FLAVOUR TREE MODULE...: prints the path of an initramfs of busybox, the files of
# TREE, and the modules with all they depend on in /modules, to be loaded in the order of
# /modules/order. The name carries a hash of what went in, so that an edit makes a new image.
initramfs() {
  local name=$1 flavour=$2 tree=$3 kernel hash out
  shift 3
  kernel=$(kernel_dir "$flavour") || return
  hash=$({
    cat "$kernel/version" "$(command -v busybox)" "${BASH_SOURCE[0]}"
    echo "$*"
    cd "$tree" && find . -type f | LC_ALL=C sort | xargs sha256sum
  } | sha256sum | cut -c1-16)
  out=$cache/$name-$flavour-$hash.cpio
  [ -s "$out" ] || with_lock initramfs_pack "$out" "$kernel" "$tree" "$@" || return
  touch "$out"
  echo "$out"
}

initramfs_pack() {
  local out=$1 kernel=$2 tree=$3 root=$cache/initramfs.new version module file
  shift 3
  [ ! -s "$out" ] || return 0
  version=$(cat "$kernel/version")
  rm -rf "$root"
  mkdir -p "$root"/{bin,dev,etc,mnt,modules,proc,root,run,sbin,sys,tmp}
  cp -R "$tree/." "$root/"
  chmod -R u=rwX,go=rX "$root"
  cp "$(command -v busybox)" "$root/bin/busybox"
  : >"$root/modules/order"
  for module; do
    modprobe -d "$kernel" -S "$version" --show-depends "$module" >"$root/depends" ||
      die "Debian's kernel $version has no module $module"
    # "builtin NAME" lines need nothing; "insmod PATH" lines come in the order to load them.
    while read -r file; do
      grep -qx "${file##*/}" "$root/modules/order" && continue
      cp "$file" "$root/modules/"
      echo "${file##*/}" >>"$root/modules/order"
    done < <(sed -n 's/^insmod \([^ ]*\).*/\1/p' "$root/depends")
  done
  rm "$root/depends"
  (cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$out.new"
  mv "$out.new" "$out"
  rm -rf "$root"
  find "$cache" -maxdepth 1 -name '*.cpio' -mtime +30 -delete
}
