#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The Debian packages: built twice with the same bytes, clean by lintian, installed into a fresh
# Debian; a plugin is made, packaged and used there; packages are exchanged under a running machine.
# Needs root, a mirror of Debian's packages as apt of this machine has it, and for guests /dev/kvm.
. "${top_srcdir:-.}/tests/tap.sh"
[ "$(id -u)" = 0 ] || skip_all 'not root: a Debian root cannot be made'
for command in debootstrap dpkg-buildpackage dh lintian dpkg-scanpackages unshare; do
  command -v $command >/dev/null || skip_all "no $command (Debian: debootstrap devscripts debhelper lintian)"
done
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$top_srcdir/tests/debian/lib.bash"
[ -n "$(mirror)" ] || skip_all "apt knows no mirror of $suite"
guests=$top_builddir/tests/guests
dist=$(echo "$top_builddir"/backplane-*.tar.xz)

# ---- Built twice ----------------------------------------------------------------------------------
ok 'a source package' source_tree "$tmp/a"
ok 'the same elsewhere' source_tree "$tmp/b/another/place"
ok 'it builds' build_packages "$tmp/a/source" LC_ALL=C.UTF-8 TZ=UTC
other() { (umask 027 && build_packages "$tmp/b/another/place/source" LC_ALL=C TZ=Asia/Tokyo HOME=/nowhere USER=other); }
ok 'it builds in another place, time zone and language' other
same() { (cd "$tmp/a" && sha256sum ./*.deb) | (cd "$tmp/b/another/place" && sha256sum -c); }
ok 'both have the same bytes' same
ok 'all packages are there' test "$(find "$tmp/a" -name '*.deb' | wc -l)" = $((4 + $(grep -vc '^#' "$top_srcdir/debian/plugins")))
current() { mkdir "$tmp/update" && cp -R "$top_srcdir/debian" "$tmp/" && chmod -R u+w "$tmp/debian" && "$tmp/debian/update" "$tmp/update" && for file in "$tmp"/update/*; do cmp "$file" "$top_srcdir/debian/${file##*/}" || return; done; }
ok 'debian/update has been run' current

# ---- Their contents -------------------------------------------------------------------------------
# initial-upload-closes-no-bugs: the packages are not uploaded to Debian, so no bug asks for them.
clean() {
  (cd "$tmp/a" && lintian --allow-root --pedantic -I --tag-display-limit 0 --suppress-tags initial-upload-closes-no-bugs ./*.changes) >"$tmp/lintian" 2>&1
  cat "$tmp/lintian"
  ! grep -q '^[EWIPC]: ' "$tmp/lintian"
}
ok 'lintian has nothing to say' clean
field() { dpkg-deb -f "$tmp"/a/"$1"_*.deb "$2"; }
light() {
  for package in $(field backplane Depends | sed 's/|[^,]*//g; s/([^)]*)//g' | tr -d ' ' | tr ',' ' '); do
    case $package in libc6 | libconfuse* | libglib2.0-0* | libbackplane-virtio1 | systemd) ;;
    *) echo "backplane depends on $package: give its plugin a line in debian/plugins"; return 1 ;;
    esac
  done
}
ok 'the core and its plugins need no heavy library' light
level=$(sed -n 's/^#define BP_API_LATEST *//p' "$top_srcdir/sdk/include/backplane/version.h")
provides() { field "$1" Provides | tr -d ' ' | tr ',' '\n' | grep -qx "$2"; }
depends() { field "$1" Depends | tr -d ' ' | tr ',' '\n' | grep -qx "$2"; }
ok 'the core provides its API level' provides backplane "backplane-api-$level"
ok 'and stands for the packages of its plugins' provides backplane backplane-plugin-serial
for name in $(grep -v '^#' "$top_srcdir/debian/plugins" | cut -d ' ' -f 1); do
  ok "backplane-plugin-$name wants the level that it needs" depends "backplane-plugin-$name" backplane-api-1
done

# ---- Installed ------------------------------------------------------------------------------------
ok 'a Debian to run machines on' new_root host systemd
ok 'it sees the packages' add_repository host "$tmp/a"
install() { inside "$1" apt-get install -q -y --no-install-recommends "${@:2}"; }
ok 'backplane is installed' install host backplane backplane-plugin-vga backplane-plugin-display-png
ok 'nothing heavy came with it' test ! -e "$tmp/host/usr/lib/x86_64-linux-gnu/libslirp.so.0"
owned() { inside host stat -c '%U:%G %a' "$1" | grep -qx "$2"; }
ok 'a user for machines is there' inside host sh -c 'id backplane | grep -q kvm'
ok 'a folder for configs' owned /etc/backplane 'root:backplane 750'
ok 'a folder for images' owned /var/lib/backplane 'backplane:backplane 750'
ok 'the service can be loaded' inside host systemd-analyze verify --man=no /lib/systemd/system/backplane@.service

cp "$guests/devices.elf" "$guests/power.elf" "$tmp/host/srv/"
cat >"$tmp/host/etc/backplane/vm.conf" <<END
pci { }
acpi { }
debug-exit { }
serial com1 { chardev = "stdio" }
virtio-rng rng0 { }
boot { kernel = "/srv/devices.elf" cmdline = "pci" }
machine { memory = "64M" }
END
cat "$tmp/host/etc/backplane/vm.conf" - >"$tmp/host/etc/backplane/vga.conf" <<END
vga vga0 { display = "png:/tmp/screen.png" }
END
sed 's/devices.elf.*/power.elf" cmdline = "button" }/; $a rtc { }' "$tmp/host/etc/backplane/vm.conf" >"$tmp/host/etc/backplane/wait.conf"
chmod 644 "$tmp"/host/etc/backplane/*.conf
as_user='setpriv --reuid backplane --regid backplane --groups kvm --inh-caps=-all --bounding-set=-all --no-new-privs'
says() { # STATUS TEXT COMMAND...
  local status=$1 text=$2 rc
  shift 2
  "$@" >"$tmp/out" 2>&1 </dev/null
  rc=$?
  cat "$tmp/out"
  [ $rc = "$status" ] && grep -q -- "$text" "$tmp/out"
}
machine() { # STATUS TEXT CONFIG
  # shellcheck disable=SC2086
  says "$1" "$2" inside host $as_user backplane run "/etc/backplane/$3.conf"
}
if [ -w /dev/kvm ]; then
  guest() { ok "$@"; }
else
  guest() { skip "$1" 'no /dev/kvm that may be opened'; }
fi
ok 'a config is checked' says 0 good inside host backplane check /etc/backplane/vm.conf
guest 'a machine runs, as a user who is not root' machine 61 '^entropy: not all zero' vm
guest 'and one with a video adapter' machine 61 '^entropy: not all zero' vga
ok 'the package of the video adapter is removed' inside host apt-get remove -q -y backplane-plugin-vga
ok 'check says which package is missing' says 2 'vga.conf:.*install the package backplane-plugin-vga' inside host backplane check /etc/backplane/vga.conf
guest 'and so does run' machine 2 'vga.conf:.*install the package backplane-plugin-vga' vga
guest 'the other machine still runs' machine 61 '^entropy: not all zero' vm
ok 'that package is installed' install host backplane-plugin-vga
ok 'and all is well' says 0 good inside host backplane check /etc/backplane/vga.conf

# ---- A third party's plugin -----------------------------------------------------------------------
ok 'a Debian to build plugins on' new_root dev build-essential debhelper pkg-config
ok 'it sees the packages, too' add_repository dev "$tmp/a"
ok 'backplane-dev is installed' install dev backplane-dev backplane backplane-plugin-{vga,block-file,net-user,display-png}
cp "$top_srcdir"/debian/tests/{plugins,template} "$tmp/dev/srv/"
ok 'autopkgtest: plugins' inside dev sh /srv/plugins
ok 'autopkgtest: template' inside dev sh /srv/template
make_toaster() {
  inside dev sh -ec '
    cd /root && backplane-new-plugin toaster && cd toaster
    sed -i "s/a byte, and a counter that interrupts/toasts/; s/\"0x2f0\"/\"0x2e0\"/" toaster.c
    make check
    make clean
    mkdir -p debian/source
    echo "3.0 (native)" >debian/source/format
    cat >debian/changelog <<END
backplane-plugin-toaster (0.1) unstable; urgency=medium

  * First package.

 -- A Third Party <third@example.org>  Sun, 22 Nov 2026 12:00:00 +0000
END
    cat >debian/control <<END
Source: backplane-plugin-toaster
Section: otherosfs
Priority: optional
Maintainer: A Third Party <third@example.org>
Build-Depends: backplane-dev, debhelper-compat (= 13), dh-sequence-backplane, pkg-config
Standards-Version: 4.6.2

Package: backplane-plugin-toaster
Architecture: any
Depends: \${backplane:Depends}, \${misc:Depends}, \${shlibs:Depends}
Description: toaster for the Backplane hypervisor
 It toasts.
END
    printf "#!/usr/bin/make -f\n%%:\n\tdh \$@\n" >debian/rules
    chmod +x debian/rules
    dpkg-buildpackage -b -us -uc'
}
ok 'a plugin is made from the template, changed, tested, packaged' make_toaster
mkdir "$tmp/toaster" && cp "$tmp"/dev/root/*.deb "$tmp/a/" 2>/dev/null
ok 'its package has what dh_backplane found' depends backplane-plugin-toaster backplane-api-1
broken_note() { # a plugin without a note is no plugin
  inside dev sh -ec 'cd /root/toaster && sed -i "s/^BP_PLUGIN.*/int toaster_lost;/" toaster.c &&
    sed -i "s/-Wl,--version-script=[^ ]*//; s/static const struct bp_class toaster_class/const struct bp_class toaster_class/" toaster.c Makefile && DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -b -us -uc'
}
not_ok 'a file without a note is not packaged' broken_note
ok 'the host sees the new package' add_repository host "$tmp/a"
ok 'it is installed there' install host backplane-plugin-toaster
echo 'toaster toaster0 { }' | cat "$tmp/host/etc/backplane/vm.conf" - >"$tmp/host/etc/backplane/toast.conf"
ok 'a config has a toaster' says 0 good inside host backplane check /etc/backplane/toast.conf
guest 'a machine has a toaster' machine 61 '^entropy: not all zero' toast

# ---- Upgrades -------------------------------------------------------------------------------------
later() ( # the same with a higher level, as a later release would be
  source_tree "$tmp/c" && cd "$tmp/c/source" || return
  sed -i "s/^\(#define BP_API_LATEST *\).*/\1$((level + 1))/" sdk/include/backplane/version.h
  sed -i '1s/-1)/-2)/' debian/changelog
  EDITOR=true dpkg-source --commit . later </dev/null || return
  build_packages "$tmp/c/source" LC_ALL=C.UTF-8
)
ok 'a later version, with a higher level' later
waiting() { # a machine that waits for its power button
  # shellcheck disable=SC2086
  inside host $as_user backplane run /etc/backplane/wait.conf >"$tmp/waiting" 2>&1 </dev/null &
  pid=$!
  for _ in $(seq 300); do grep -q '^waits for the button' "$tmp/waiting" && return; sleep 0.1; done
  cat "$tmp/waiting"
  return 1
}
# Its process, as this side sees it.
program() {
  for process in /proc/[0-9]*; do
    [ "$(tr '\0' ' ' <"$process/cmdline")" != 'backplane run /etc/backplane/wait.conf ' ] || echo "${process#/proc/}"
  done 2>/dev/null
}
guest 'a machine waits' waiting
guest 'its process is there' test "$(program | wc -l)" = 1
cp "$tmp"/dev/root/backplane-plugin-toaster*.deb "$tmp/c/"
ok 'the host sees the later version' add_repository host "$tmp/c"
ok 'the packages are upgraded under it' inside host apt-get dist-upgrade -q -y
ok 'the new version is there' says 0 "API level $((level + 1))" inside host backplane --version
guest 'the machine still runs' test -n "$(program)"
ok 'the toaster of before is still there, without a rebuild' says 0 good inside host backplane check /etc/backplane/toast.conf
guest 'and runs on the new version' machine 61 '^entropy: not all zero' toast
ok 'all packages are removed under it' inside host apt-get purge -q -y backplane libbackplane-virtio1
ok 'the program is gone' test ! -e "$tmp/host/usr/bin/backplane"
ok 'its plugins, too' sh -c "! ls '$tmp'/host/usr/lib/*/backplane/plugins/*.so"
guest 'the machine still runs without them' test -n "$(program)"
[ -z "$(program)" ] || kill -TERM $(program)
powered_off() { wait "$pid"; rc=$?; cat "$tmp/waiting"; [ $rc = 0 ] && grep -q '^the button' "$tmp/waiting"; }
guest 'its power button still works' powered_off
done_testing
