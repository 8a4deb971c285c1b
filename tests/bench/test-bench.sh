#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The benchmark's own arithmetic, on samples that were written by hand, and one round of what is
# quickest, when this machine can. No figure is judged.
. "$top_srcdir/tests/tap.sh"
bench=$top_srcdir/tests/bench
export PYTHONDONTWRITEBYTECODE=1
python=/usr/bin/python3
[ -x $python ] || skip_all 'no python3'

# ---- Reports ----------------------------------------------------------------------------------
ok 'a report of samples' sh -c '"$1" "$2/report.py" "$2/samples.json" >"$3"' - $python "$bench" "$tmp/report"
cat "$tmp/report" | sed 's/^/# /'
has() { grep -qF -e "$1" "$tmp/report"; }
ok 'median, minimum and spread' has '1010 (1000) 0%'
ok 'a wide spread is marked' has '1212 (1200) 25%!'
ok 'what was measured once has no spread' has '200 (200) '
ok 'times are compared with the floor' has '1.20 x bare'
ok 'rates with the best peer, ours being the better platform' has '1.50 x qemu-pc'
ok 'a goal that is met' grep -q 'start, 5 plugins, over the bare loop.* 1\.20 .*<= 1\.25 *met$' "$tmp/report"
ok 'a goal that is missed' grep -q '25 plugins instead of 5.* 2 ms .*<= 1 ms *MISSED$' "$tmp/report"
ok 'a goal with the other sign' grep -q 'randread-1, IOPS over qemu-pc.* 1\.50 .*>= 1\.20 *met$' "$tmp/report"
ok 'exits that are not named are others' grep -q '^ *2 others$' "$tmp/report"
ok 'how many are noisy' has '1 of 7 figures are noisy'
ok 'what has no result is said once' test "$(grep -c '^lost: l1 boot cloud-1 lkvm: no result after 3 tries$' "$tmp/report")" = 1

# ---- The page, twice: the second changes nothing ----------------------------------------------
cp "$top_srcdir/docs/BENCHMARKS.md" "$tmp/page.md"
ok 'the page takes the figures' $python "$bench/docs.py" "$bench/samples.json" "$tmp/page.md"
ok 'with the goals' grep -qF '| l1 | randread-1, IOPS over qemu-pc | ≥ 1.20 | 1.50 | met |' "$tmp/page.md"
ok 'and the command lines, without the folders of a machine' grep -qx '  backplane run pc.conf' "$tmp/page.md"
cp "$tmp/page.md" "$tmp/again.md"
$python "$bench/docs.py" "$bench/samples.json" "$tmp/again.md"
ok 'a second time it stays as it is' cmp "$tmp/page.md" "$tmp/again.md"

# ---- Causes of exits --------------------------------------------------------------------------
$python -c 'import sys; sys.path.insert(0, sys.argv[1]); import trace
for cause, count in sorted(trace.count(open(sys.argv[2])).items()): print(cause, count)' \
  "$bench" "$bench/trace.txt" >"$tmp/causes"
cat >"$tmp/wanted" <<'END'
mmio 0xfec00000 write 1
mmio 0xfed00000 read 1
port 0x64 read 1
port 0x70 write 1
port 0x71 read 1
restart 1
END
ok "each exit is its own access's, on both makes of processor" cmp "$tmp/wanted" "$tmp/causes"

# ---- One round --------------------------------------------------------------------------------
ok 'what would be run' sh -c '"$1" "$2/bench" --list here start | grep -qx "here 0 start 5 plugins bare"' - $python "$bench"
refused() { ! $python "$bench/bench" nonsense >/dev/null 2>&1; }
ok 'a part that there is not is refused' refused
if [ -n "$SAN_CFLAGS" ]; then skip 'one round' 'a sanitizer takes its time'; done_testing; fi
if ! [ -w /dev/kvm ]; then skip 'one round' 'no /dev/kvm'; done_testing; fi
for tool in bare-loop stopwatch guest.elf guest.bin modules/bench-regions.so; do
  [ -e "$top_builddir/tests/bench/$tool" ] || { skip 'one round' "no $tool: make bench-tools"; done_testing; }
done
round() {
  $python "$bench/bench" -q -w bare,backplane -o "$tmp/bench.json" here start >"$tmp/round" 2>&1 ||
    { cat "$tmp/round"; return 1; }
}
ok 'one round' round
sane() { # every contender has every figure, above nothing
  $python -c 'import json, sys
records = json.load(open(sys.argv[1]))["records"]
assert not [record for record in records if "error" in record], records
found = {(record["case"], record["who"], record["metric"]): record["value"] for record in records if "metric" in record}
for case, who in (("5 plugins", "bare"), ("5 plugins", "backplane-microvm"), ("5 plugins", "backplane-pc"),
                  ("1 plugin", "backplane-microvm"), ("25 plugins", "backplane-pc")):
    for metric in ("time", "CPU", "page faults"):
        assert found[case, who, metric] > 0, (case, who, metric)' "$tmp/bench.json"
}
ok 'has all figures' sane
done_testing
