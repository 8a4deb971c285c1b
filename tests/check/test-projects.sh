#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Projects of somebody else: the SDK is installed into a folder, and the examples and a fresh
# template are copied out of there and built by their own makefiles, with nothing of this tree but
# the plugins that a package of backplane has.
. "$top_srcdir/tests/tap.sh"
[ -z "$SAN_CFLAGS" ] || skip_all 'somebody else has no sanitizer in the libraries'
real=$(command -v pkg-config) || skip_all 'there is no pkg-config'

sdk=$tmp/sdk
ok 'the SDK is installed' make -C "$top_builddir" install-sdk DESTDIR="$sdk" MAKEFLAGS=
pc=$(dirname "$(find "$sdk" -name backplane.pc)")
prefix=$(sed -n 's/^prefix=//p' "$pc/backplane.pc")
root=$sdk$prefix
# The SDK says where it will be; here it lies in a folder in front of that.
mkdir "$tmp/bin"
cat >"$tmp/bin/pkg-config" <<END
#!/bin/sh
PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 PKG_CONFIG_PATH=$pc \\
  exec $real --define-variable=prefix=$root "\$@"
END
chmod +x "$tmp/bin/pkg-config"
PATH=$tmp/bin:$root/bin:$PATH
LD_LIBRARY_PATH=$(dirname "$pc")
ACLOCAL_PATH=$root/share/aclocal
BACKPLANE_PLUGIN_PATH=$top_builddir/modules
export PATH LD_LIBRARY_PATH ACLOCAL_PATH BACKPLANE_PLUGIN_PATH
plugins=$top_builddir/modules
unset top_builddir MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES AM_MAKEFLAGS TESTS
variable() { [ -n "$(pkg-config --variable="$1" backplane)" ] && [ -e "$(pkg-config --variable="$1" backplane)" ]; }
for name in mapfile check exampledir templatedir includedir; do
  ok "backplane.pc knows its $name" variable $name
done
for name in plugindir api_level api_min abi_major inspect; do
  ok "backplane.pc knows its $name" test -n "$(pkg-config --variable=$name backplane)"
done

flags='-O1 -Wall -Wextra -Werror'
installed() { [ -f "$(find "$tmp/root" -path "*/backplane/plugins/$1.so")" ]; }
inspected() { "$run" --plugin-path "$1" inspect "$2" | grep -q "^$2 "; }
run=$plugins/../backplane

# A new plugin, from the name to the package.
cd "$tmp" || exit 1
ok 'a project is made from the template' backplane-new-plugin my-toaster2
not_ok 'not over one that is there' backplane-new-plugin my-toaster2
not_ok 'not of an impossible name' backplane-new-plugin My_Toaster
not_ok 'not of a name like an option' backplane-new-plugin --toaster
none_left() { ! grep -rn '@NAME@\|@SYMBOL@' my-toaster2; }
ok 'it has a name everywhere' none_left
cd my-toaster2 || exit 1
ok 'it builds' make CC="$CC" CFLAGS="$flags"
ok 'it passes its test and the checker' make check CC="$CC" CFLAGS="$flags"
ok 'it is installed' make install DESTDIR="$tmp/root"
ok 'where plugins are' installed my-toaster2
ok 'its man page, too' test -f "$tmp/root$root/share/man/man7/backplane-my-toaster2.7"
ok 'the hypervisor knows it' inspected . my-toaster2
sed -i 's/irq->level/irq->lever/' my-toaster2.c
not_ok 'a mistake in it is noticed' make CC="$CC" CFLAGS="$flags"

example() {
  cp -R "$(pkg-config --variable=exampledir backplane)/$1" "$tmp/$1" && chmod -R u+w "$tmp/$1"
  cd "$tmp/$1" || exit
}
plain() { # NAME: a makefile and pkg-config
  example "$1"
  ok "$1 builds with make" make CC="$CC" CXX="$CXX" CFLAGS="$flags" CXXFLAGS="$flags"
  ok "$1 passes its test and the checker" make check CC="$CC" CXX="$CXX"
  ok "$1 is installed" make install DESTDIR="$tmp/root"
  ok "$1 is where plugins are" installed "$1"
  ok "the hypervisor knows $1" inspected . "$1"
}
plain pci-dma
if [ "${CXX:-no}" != no ] && command -v "${CXX%% *}" >/dev/null; then
  plain block-overlay
else
  skip 'block-overlay' 'no C++ compiler'
fi

if command -v autoreconf >/dev/null && command -v automake >/dev/null; then
  example isa-scratch
  ok 'isa-scratch makes its configure' autoreconf -fi
  ok 'isa-scratch is configured' ./configure -q CC="$CC" CFLAGS="$flags"
  ok 'isa-scratch builds with autotools' make
  ok 'isa-scratch passes its test and the checker' make check
  ok 'isa-scratch is installed' make install DESTDIR="$tmp/root"
  ok 'isa-scratch is where plugins are' installed isa-scratch
  ok 'the hypervisor knows isa-scratch' inspected . isa-scratch
else
  skip 'isa-scratch' 'no autotools'
fi

if command -v meson >/dev/null && command -v ninja >/dev/null; then
  example virtio-echo
  ok 'virtio-echo is set up' env CC="$CC" CFLAGS='-O1 -Werror' meson setup build
  ok 'virtio-echo builds with meson' meson compile -C build
  ok 'virtio-echo passes its test and the checker' meson test -C build --print-errorlogs
  ok 'virtio-echo is installed' env DESTDIR="$tmp/root" meson install -C build
  ok 'virtio-echo is where plugins are' installed virtio-echo
  ok 'the hypervisor knows virtio-echo' inspected build virtio-echo
else
  skip 'virtio-echo' 'no meson'
fi
cd / || exit 1
done_testing
