#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The SDK as somebody else gets it: installed into a folder of its own, its headers compiled alone,
# and the virtio library found with pkg-config. tests/check/test-projects.sh builds whole projects.
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
  for std in c11 c17; do
    ok "$h alone is $std" $CC -std=$std -Wall -Wextra -Wpedantic -Wshadow -Werror -I"$inc" \
      -fsyntax-only "$tmp/h.c"
  done
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
