#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A second witness of the plugin ABI: libabigail, which reads what the compiler made of the headers.
# It is given libraries with a function for each struct, since it does not see what is reached
# through the `const void *` of query(), and it is told that a struct which says its own size may
# grow at its end. What that hides is left to test-layout.sh; both limits are shown here.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/abi/lib.sh"
command -v abidiff >/dev/null || skip_all 'no abidiff (Debian: abigail-tools)'

anchor() { # INCLUDE OUT.so
  list "$1" | awk -f "$abi/anchor.awk" >"$2.c" &&
    ${CC:-cc} -std=c11 -g -fPIC -shared -I"$1" -o "$2" "$2.c"
}
same() { abidiff --no-added-syms "$1" "$2"; }
# A rule for each struct that has more members than it had, and for no other: such a rule hides
# whatever else has happened to the struct, and one for several structs hides it in all of them.
grown() { # OLD-INCLUDE OLD.so NEW-INCLUDE NEW.so
  list "$1" >"$tmp/old.list" && list "$3" >"$tmp/new.list" || return 1
  awk '$1 == "member" { if (FNR == NR) old[$2]++; else { new[$2]++; sized[$2] = sized[$2] || $3 == "size" } }
    END { for (s in old) if (sized[s] && new[s] > old[s]) print s }' "$tmp/old.list" "$tmp/new.list" |
    sed 's/.*/[suppress_type]\n  type_kind = struct\n  name = &\n  has_data_member_inserted_at = end\n/' >"$tmp/grows"
  abidiff --no-added-syms --suppressions "$tmp/grows" "$2" "$4"
}

ok 'today, as a library' anchor "$now" "$tmp/now.so"
sees() { nm -D --defined-only "$1" | grep -q ' anchor_bp_pci_bus_if$'; }
ok 'it reaches the tables' sees "$tmp/now.so"
for version in $(versions); do
  ok "$version, as a library" anchor "$abi/$version" "$tmp/$version.so"
  ok "what $version had has only grown" grown "$abi/$version" "$tmp/$version.so" "$now" "$tmp/now.so"
done
version=$(version "$now")
ok 'nothing has changed since the newest' same "$tmp/$version.so" "$tmp/now.so"
ok 'as XML' abidw --out-file "$tmp/now.abi" "$tmp/now.so"
ok 'the XML stands for the library' same "$tmp/now.abi" "$tmp/now.so"

broken() { # FILE SED: $tmp/broken.so
  rm -rf "$tmp/include" && cp -R "$now" "$tmp/include" && chmod -R u+w "$tmp/include"
  sed -i "$2" "$tmp/include/backplane/$1" && anchor "$tmp/include" "$tmp/broken.so"
}
breaks() { # WHAT FILE SED
  ok "$1, as a library" broken "$2" "$3"
  not_ok "noticed: $1" grown "$now" "$tmp/now.so" "$tmp/include" "$tmp/broken.so"
}
breaks 'a member inserted' if/irq.h 's/^    int (\*gsi)(.*/    int (*fresh)(bp_inst);\n&/'
breaks 'an argument of a function' if/irq.h 's/(\*level)(bp_inst, bp_irq, uint32_t on)/(*level)(bp_inst, bp_irq, uint64_t on)/'
breaks 'a wider member' if/block.h 's/^    uint32_t n_iov;/    uint64_t n_iov;/'
breaks 'a struct without a size that grows' base.h 's/^    uint64_t len;/&\n    uint64_t fresh;/'
append='s|^    int (\*as_fd)(.*|&\n    int (*fresh)(bp_inst, bp_irq);|'
ok 'a member appended, as a library' broken if/irq.h "$append"
ok 'is growth' grown "$now" "$tmp/now.so" "$tmp/include" "$tmp/broken.so"
not_ok 'but not the same' same "$tmp/now.so" "$tmp/broken.so"

# Why there are two witnesses.
ok 'a change behind an appended member, as a library' broken if/irq.h \
  "$append; s/(\\*level)(bp_inst, bp_irq, uint32_t on)/(*level)(bp_inst, bp_irq, uint64_t on)/"
layout "$now" "$tmp/layout.c"
not_ok 'is noticed by the layout, whatever abidiff says' takes "$tmp/include" "$tmp/layout.c"
plugin() { # INCLUDE OUT.so: only what a plugin exports
  echo '#include <backplane/backplane.h>
const struct bp_plugin *bp_plugin_v1(const struct bp_hello *h) { (void)h; return NULL; }
const void *use(const struct bp_irq_if *irq) { return irq; }' >"$2.c"
  ${CC:-cc} -std=c11 -g -fPIC -shared -fvisibility=hidden -I"$1" -o "$2" "$2.c"
}
ok 'a member inserted in a table' broken if/irq.h 's/^    int (\*gsi)(.*/    int (*fresh)(bp_inst);\n&/'
ok 'a plugin with the old table' plugin "$now" "$tmp/old-plugin.so"
ok 'a plugin with the new table' plugin "$tmp/include" "$tmp/new-plugin.so"
ok 'look the same to abidiff, so the anchors are needed' same "$tmp/old-plugin.so" "$tmp/new-plugin.so"
done_testing
