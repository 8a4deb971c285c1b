#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The layout of the plugin ABI: today's headers have kept what each recorded version had, what is
# new since the last record has a number of its own, and no record was changed. Then each of these
# gates is shown to close, on copies with a deliberate break.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/abi/lib.sh"

# ---- The gates: ABI is a copy of sdk/abi, INCLUDE one of the headers -----------------------------
kept() { # ABI INCLUDE VERSION: nothing that the version had has changed
  layout "$1/$3" "$tmp/kept.c" && takes "$2" "$tmp/kept.c"
}
numbered() { # ABI INCLUDE: today's layout is the one recorded under today's number
  numbered_version=$(version "$2")
  [ -d "$1/$numbered_version" ] ||
    { echo "$numbered_version is not recorded: run sdk/abi/record, and add the folder to git"; return 1; }
  layout "$2" "$tmp/numbered.c" && takes "$1/$numbered_version" "$tmp/numbered.c" ||
    { echo 'the layout has changed: raise BP_API_REVISION (BP_API_LATEST, once a level is frozen) in'
      echo 'backplane/version.h, run sdk/abi/record, and add the folder to git'; return 1; }
}
newest() { # ABI INCLUDE: no later number was recorded
  [ "$(versions "$1" | tail -n 1)" = "$(version "$2")" ] ||
    { echo "the headers are $(version "$2"), but $(versions "$1" | tail -n 1) is recorded"; return 1; }
}
untouched() { (cd "$1" && sha256sum --quiet -c SHA256SUMS && [ "$(wc -l <SHA256SUMS)" = "$(find level-* -type f | wc -l)" ]); }
# backplane-check knows by hand how long the tables of a level are.
checker() { # INCLUDE HOST.C
  for checker_struct in $(list "$1" | sed -n 's/^member \(bp_host\|bp_\(mem\|io\|irq\|event\|ram\|machine\)_if\) .*/\1/p' | sort -u); do
    checker_last=$(list "$1" | sed -n "s/^member $checker_struct \([a-z_0-9]*\) .*/\1/p" | tail -n 1)
    grep -q "BP_UPTO(struct $checker_struct, $checker_last)" "$2" ||
      { echo "$2: the newest level of $checker_struct ends with $checker_last"; return 1; }
  done
}

# ---- The tree as it is ----------------------------------------------------------------------------
ok 'the headers are read in full' test "$(list "$now" | grep -c '^member')" -gt 300
for version in $(versions); do
  ok "all of $version is as it was" kept "$abi" "$now" "$version"
done
ok 'the layout is the one of its number' numbered "$abi" "$now"
ok 'the number is the newest' newest "$abi" "$now"
ok 'no record was changed' untouched "$abi"
ok 'backplane-check knows how long the tables are' checker "$now" "$top_srcdir/sdk/check/host.c"

# ---- Deliberate breaks ----------------------------------------------------------------------------
old=$(version "$now")
break_in() { # FILE SED: $tmp/now, $tmp/abi are fresh copies, and the edit is made
  rm -rf "$tmp/now" "$tmp/abi"
  cp -R "$now" "$tmp/now" && cp -R "$abi" "$tmp/abi" && chmod -R u+w "$tmp/now" "$tmp/abi"
  sed -i "$2" "$tmp/now/backplane/$1"
}
breaks() { # WHAT FILE SED: the gate for what was there closes
  break_in "$2" "$3"
  not_ok "noticed: $1" kept "$abi" "$tmp/now" "$old"
}
breaks 'a member inserted' if/irq.h 's/^    int (\*gsi)(.*/    int (*fresh)(bp_inst);\n&/'
breaks 'a member inserted in a struct of values' props.h 's/^    uint32_t since;/    uint32_t fresh;\n&/'
breaks 'a member removed' if/irq.h '/^    int (\*msi_pending)/d'
breaks 'two members swapped' if/mem.h 's/(\*read)(/(*other)(/; s/(\*write)(/(*read)(/; s/(\*other)(/(*write)(/'
breaks 'a member renamed' host.h 's/(\*prop)(/(*property)(/'
breaks 'an argument of a function' if/irq.h 's/(\*level)(bp_inst, bp_irq, uint32_t on)/(*level)(bp_inst, bp_irq, uint64_t on)/'
breaks 'the result of a function' if/io.h 's/uint64_t (\*where)/int64_t (*where)/'
breaks 'const taken away' plugin.h 's/const char \*version;/char *version;/'
breaks 'a wider member' if/block.h 's/^    uint32_t n_iov;/    uint64_t n_iov;/'
breaks 'a signed member' if/block.h 's/^    uint32_t n_iov;/    int32_t n_iov;/'
breaks 'a struct without a size that grows' base.h 's/^    uint64_t len;/&\n    uint64_t fresh;/'
breaks 'a longer id in the note' plugin.h 's/^#define BP_NOTE_ID_SIZE .*/#define BP_NOTE_ID_SIZE 60/'
breaks 'another number of a constant' host.h 's/BP_LOG_WARN = 2000/BP_LOG_WARN = 2001/'
breaks 'a constant removed' if/io.h '/BP_REGION_POSTED = 1/d'
breaks 'another name of an interface' if/mem.h 's|"bp.mem/1"|"bp.mem/2"|'

append='s|^    int (\*as_fd)(.*|&\n    int (*fresh)(bp_inst, bp_irq);|'
break_in if/irq.h "$append"
ok 'a member appended breaks nothing' kept "$tmp/abi" "$tmp/now" "$old"
not_ok 'noticed: it has no number of its own' numbered "$tmp/abi" "$tmp/now"
break_in if/irq.h 's/^    BP_IRQ_LEVEL = 1,.*/&\n    BP_IRQ_FRESH = 2,/'
not_ok 'noticed: nor has a new constant' numbered "$tmp/abi" "$tmp/now"
break_in if/irq.h "$append"
sed -i 's/^\(#define BP_API_REVISION *\).*/\1999/' "$tmp/now/backplane/version.h"
not_ok 'noticed: the number was raised and nothing recorded' numbered "$tmp/abi" "$tmp/now"
record() { (mkdir -p "$tmp/sdk" && rm -rf "$tmp/sdk/abi" "$tmp/sdk/include" && cp -R "$tmp/abi" "$tmp/now" "$tmp/sdk" && mv "$tmp/sdk/now" "$tmp/sdk/include" && "$tmp/sdk/abi/record"); }
ok 'it is recorded' record
ok 'then all is well' numbered "$tmp/sdk/abi" "$tmp/now"
ok 'and it is the newest' newest "$tmp/sdk/abi" "$tmp/now"
ok 'and its checksums are known' untouched "$tmp/sdk/abi"
not_ok 'noticed: headers with a number from before' newest "$tmp/sdk/abi" "$now"
not_ok 'a record is not written over' "$tmp/sdk/abi/record"
# Freezing is two numbers: no level is a draft, and the revision begins again.
sed -i 's/^\(#define BP_API_DRAFT *\).*/\10/; s/^\(#define BP_API_REVISION *\).*/\10/' "$tmp/now/backplane/version.h"
cp -R "$tmp/sdk/abi/." "$tmp/abi"
ok 'freezing the level records it' record
ok 'under the number of the level' test -d "$tmp/sdk/abi/level-$(number "$now" BP_API_LATEST)"
ok 'which is then the newest' newest "$tmp/sdk/abi" "$tmp/now"
ok 'and holds' numbered "$tmp/sdk/abi" "$tmp/now"
sed -i 's/^    int (\*fresh)(bp_inst, bp_irq);/&\n    int (*later)(bp_inst);/' "$tmp/now/backplane/if/irq.h"
not_ok 'noticed: a frozen level that grows' numbered "$tmp/sdk/abi" "$tmp/now"

break_in version.h 's/^#define BP_API_MIN.*/& /'
sed -i 's/guest/visitor/' "$tmp/abi/$old/backplane/if/mem.h"
not_ok 'noticed: a record was edited' untouched "$tmp/abi"
rm -rf "$tmp/abi" && cp -R "$abi" "$tmp/abi" && chmod -R u+w "$tmp/abi"
cp "$tmp/abi/$old/backplane/if/mem.h" "$tmp/abi/$old/backplane/if/more.h"
not_ok 'noticed: a file was added to a record' untouched "$tmp/abi"
sed 's/BP_UPTO(struct bp_irq_if, [a-z_]*)/BP_UPTO(struct bp_irq_if, msi)/' "$top_srcdir/sdk/check/host.c" >"$tmp/host.c"
not_ok 'noticed: backplane-check thinks that a table is shorter' checker "$now" "$tmp/host.c"
done_testing
