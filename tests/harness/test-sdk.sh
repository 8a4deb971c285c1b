#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The SDK as somebody else gets it: installed into a folder of its own, its headers compiled alone,
# and the example built there from a copy, with pkg-config and nothing of this tree.
. "$top_srcdir/tests/tap.sh"

command -v pkg-config >/dev/null || skip_all "there is no pkg-config"
sdk=$tmp/sdk
ok "the SDK is installed" make -C "$top_builddir" install-sdk DESTDIR="$sdk" MAKEFLAGS=
pc=$(dirname "$(find "$sdk" -name backplane.pc)")
lib=$(dirname "$(find "$sdk" -name libbackplane-test.so)")
inc=$(dirname "$(find "$sdk" -path '*backplane/backplane.h')")/..
prefix=$(sed -n 's/^prefix=//p' "$pc/backplane.pc")
pkg_config="env PKG_CONFIG_PATH=$pc PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
  pkg-config --define-variable=prefix=$sdk$prefix"
pkg_config=$(echo $pkg_config)

# Each public header stands alone, in C and in C++.
for h in $(cd "$inc" && find backplane -name '*.h' | sort); do
  printf "#include <%s>\nextern int unit;\n" "$h" >"$tmp/h.c"
  ok "$h alone is C11" $CC -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Werror -I"$inc" \
    -fsyntax-only "$tmp/h.c"
  if [ "${CXX:-no}" != no ] && command -v ${CXX%% *} >/dev/null; then
    ok "$h alone is C++17" $CXX -std=c++17 -Wall -Wextra -Wpedantic -Werror -I"$inc" \
      -fsyntax-only -x c++ "$tmp/h.c"
  else
    skip "$h alone is C++17" "no C++ compiler"
  fi
done

# A plugin may be written in C++.
cat >"$tmp/cxx.cc" <<'END'
#include <backplane/backplane.h>
static int create(const struct bp_host *h, bp_inst in, void **self)
{
    return h->fail(in, BP_E_NOTSUP, self ? "no" : "none");
}
static bp_class make()
{
    bp_class c = {};
    c.size = sizeof c, c.name = "cxx", c.version = "1", c.summary = "in C++", c.create = create;
    return c;
}
static const bp_class cls = make();
BP_PLUGIN("cxx", "1", "BSD-3-Clause", "https://example.org", &cls);
END
if [ "${CXX:-no}" != no ] && command -v ${CXX%% *} >/dev/null; then
  ok "a plugin can be C++" $CXX -std=c++17 -Wall -Wextra -Werror -I"$inc" -fPIC -shared \
    -o "$tmp/cxx.so" "$tmp/cxx.cc"
else
  skip "a plugin can be C++" "no C++ compiler"
fi

# The example. A sanitizer's run-time is not part of a plugin, so -z defs is left out with one.
cp -R "$top_srcdir/sdk/example" "$tmp/example"
chmod -R u+w "$tmp/example"
make_example() {
  LD_LIBRARY_PATH=$lib MAKEFLAGS= top_builddir= make -C "$tmp/example" CC="$CC" \
    PKG_CONFIG="$pkg_config" CFLAGS="-O2 -g -Wall -Wextra -Werror $SAN_CFLAGS" \
    ${SAN_CFLAGS:+PLUGIN_LDFLAGS=} "$@"
}
ok "the example builds out of tree" make_example
ok "and passes its test" make_example check
exports() {
  nm -D --defined-only "$tmp/example/isa-scratch.so" | awk '{ print $3 }' | sed 's/@.*//' |
    grep -v '^__\|^_init\|^_fini\|^_edata\|^_end\|^$'
}
one_export() { [ "$(exports)" = bp_plugin_v1 ] || { exports; false; }; }
if [ -z "$SAN_CFLAGS" ]; then
  ok "it exports its entry and nothing else" one_export
  ok "it has the note of the ABI" sh -c "readelf -n '$tmp/example/isa-scratch.so' | grep -q 'BP  '"
else
  skip "it exports its entry and nothing else" "sanitizers add theirs"
  skip "it has the note of the ABI" "sanitizers put red zones around it, which readelf takes for faults"
fi
ok "it installs where plugins are" make_example install DESTDIR="$tmp/root"
ok "under its name" sh -c "find '$tmp/root' -path '*/backplane/plugins/isa-scratch.so' | grep -q ."
sed 's/irq->level/irq->lever/' "$tmp/example/isa-scratch.c" >"$tmp/bad.c"
cp "$tmp/bad.c" "$tmp/example/isa-scratch.c"
not_ok "a mistake in it is noticed" make_example

# The virtio library is found the same way.
cat >"$tmp/virtio.c" <<'END'
#include <backplane/virtio.h>
int main(void) { bp_virtio_free(NULL); return 0; }
END
build_virtio() {
  $CC $SAN_CFLAGS -o "$tmp/virtio" "$tmp/virtio.c" $($pkg_config --cflags --libs backplane-virtio) &&
    LD_LIBRARY_PATH=$lib "$tmp/virtio"
}
ok "libbackplane-virtio is found by pkg-config" build_virtio
done_testing
