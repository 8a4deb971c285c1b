# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# lib.bash - sourced after tap.sh: packages are built, and put into Debian roots of their own.
#   source_tree FOLDER             an unpacked source package, with its orig tarball beside it
#   build_packages TREE VARIABLE=VALUE...
#   new_root NAME PACKAGE...       $tmp/NAME, a minimal Debian with these packages; kept for next time
#   add_repository NAME FOLDER     its packages can be installed there
#   inside NAME COMMAND...         in that root: own processes, mounts and device files

suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
cache=${BACKPLANE_DEBIAN_CACHE:-/var/tmp/backplane-debian-$(id -u)}

# What apt of this machine has for the suite: "SITE RELEASE".
mirrors() {
  apt-get indextargets --format '$(CREATED_BY) $(SITE) $(RELEASE) $(COMPONENT)' |
    sed -n "s/^Packages \([^ ]*\) \(${suite}[^ ]*\) main\$/\1 \2/p" | sort -u
}
mirror() { mirrors | sed -n "s/ $suite\$//p" | head -n 1; }

source_tree() {
  local version
  version=$(sed -n 's/^backplane (\([^-]*\).*/\1/p' "$top_srcdir/debian/changelog" | head -n 1)
  mkdir -p "$1" && cp "$dist" "$1/dist.tar.xz" &&
    (cd "$1" && tar xf dist.tar.xz && rm dist.tar.xz &&
      # Upstream's tarball without the folder that the package brings.
      mv backplane-*/debian . && tar --sort=name --mtime=@0 --owner=0 --group=0 -cJf "backplane_$version.orig.tar.xz" backplane-*/ &&
      mv debian backplane-*/ && mv backplane-*/ source)
}
build_packages() {
  local tree=$1
  shift
  (cd "$tree" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u CC -u CXX -u CFLAGS -u TESTS \
    -u top_srcdir -u top_builddir DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=$(nproc)" "$@" \
    dpkg-buildpackage -us -uc)
}

new_root() {
  local name=$1 list packages tar
  shift
  packages=$(IFS=,; echo "$*")
  tar=$cache/$suite-$(echo "$packages $(mirror)" | sha256sum | cut -c 1-12).tar
  if [ ! -e "$tar" ]; then
    mkdir -p "$cache"
    rm -rf "$tar.root"
    debootstrap --variant=minbase --include="$packages" "$suite" "$tar.root" "$(mirror)" || return
    rm -rf "$tar.root"/var/cache/apt/archives/*.deb
    tar -C "$tar.root" --exclude=./proc/* --exclude=./sys/* -cf "$tar.new" . && mv "$tar.new" "$tar"
    rm -rf "$tar.root"
  fi
  mkdir "$tmp/$name" && tar -C "$tmp/$name" -xf "$tar" || return
  for list in /etc/resolv.conf /etc/hosts; do cp -L "$list" "$tmp/$name/etc/" 2>/dev/null; done
  mirrors | sed 's/$/ main/; s/^/deb /' >"$tmp/$name/etc/apt/sources.list"
  apt-config dump | grep '^Acquire::.*[Pp]roxy' >"$tmp/$name/etc/apt/apt.conf.d/90machine"
  # A service is not started by what is installed into a folder.
  printf '#!/bin/sh\nexit 101\n' >"$tmp/$name/usr/sbin/policy-rc.d"
  chmod +x "$tmp/$name/usr/sbin/policy-rc.d"
}
add_repository() {
  mkdir -p "$tmp/$1/srv/packages"
  rm -f "$tmp/$1"/srv/packages/*
  cp "$2"/*.deb "$tmp/$1/srv/packages/" &&
    (cd "$tmp/$1/srv/packages" && dpkg-scanpackages -m . >Packages 2>/dev/null) &&
    echo 'deb [trusted=yes] file:/srv/packages ./' >"$tmp/$1/etc/apt/sources.list.d/here.list" &&
    inside "$1" apt-get update -q
}
# shellcheck disable=SC2016
inside() {
  local root=$tmp/$1
  shift
  timeout -s KILL 900 unshare --mount --pid --fork --kill-child sh -c '
    root=$1; shift
    mount -t proc proc "$root/proc" &&
    mount -t tmpfs -o mode=755 dev "$root/dev" && cd "$root/dev" &&
    mknod -m 666 null c 1 3 && mknod -m 666 zero c 1 5 && mknod -m 666 full c 1 7 &&
    mknod -m 666 random c 1 8 && mknod -m 666 urandom c 1 9 && mknod -m 666 tty c 5 0 &&
    ln -s /proc/self/fd fd && ln -s fd/0 stdin && ln -s fd/1 stdout && ln -s fd/2 stderr &&
    mkdir pts shm && mount -t devpts -o newinstance,ptmxmode=666 pts pts && ln -s pts/ptmx ptmx || exit 125
    if [ -e /dev/kvm ]; then
      group=$(sed -n "s/^kvm:[^:]*:\([0-9]*\):.*/\1/p" "$root/etc/group")
      mknod -m 660 kvm c 10 232 && chown "0:${group:-0}" kvm
    fi
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
      DEBIAN_FRONTEND=noninteractive "$@"' sh "$root" "$@"
}
