# SPDX-License-Identifier: BSD-3-Clause
# report.awk - samples ("PLACE WHAT WHO NUMBER" lines) to a table, verdicts on the goals, and JSON.
{
  key = $1 SUBSEP $2 SUBSEP $3
  if (!(key in n)) order[++keys] = key
  value[key, ++n[key]] = $4
}

function sort_samples(key,   i, j, x) {
  for (i = 2; i <= n[key]; i++) {
    x = value[key, i]
    for (j = i - 1; j >= 1 && value[key, j] > x; j--) value[key, j + 1] = value[key, j]
    value[key, j + 1] = x
  }
}
function min(place, what, who) { return value[place SUBSEP what SUBSEP who, 1] }
function known(place, what, who) { return (place SUBSEP what SUBSEP who) in n }
function median(key,   m) {
  m = int((n[key] + 1) / 2)
  return n[key] % 2 ? value[key, m] : (value[key, m] + value[key, m + 1]) / 2
}
# The one with the smaller minimum, so that a kind of machine is compared at its best.
function best(place, what, who,   a, b) {
  a = who "-microvm"
  b = who "-pc"
  if (!known(place, what, a)) return b
  if (!known(place, what, b)) return a
  return min(place, what, a) <= min(place, what, b) ? a : b
}
function goal(text, got, limit, format) {
  printf "  %-58s " format "  (goal: " format ")  %s\n", text, got, limit, got <= limit ? "met" : "MISSED"
}

END {
  if (!keys) { print "bench: nothing was measured"; exit 1 }
  unit["start"] = "us"; unit["exit"] = "ns"; unit["boot"] = "ms"
  unit["memory-tiny"] = unit["memory-linux"] = "KiB"
  printf "%-5s %-13s %-18s %10s %10s  %s\n", "place", "what", "who", "min", "median", ""
  for (k = 1; k <= keys; k++) sort_samples(order[k])
  for (k = 1; k <= keys; k++) {
    split(order[k], part, SUBSEP)
    places[part[1]] = 1
    base = known(part[1], part[2], "bare") ? "bare" : best(part[1], part[2], "qemu")
    ratio = ""
    if (known(part[1], part[2], base) && min(part[1], part[2], base) > 0)
      ratio = sprintf("%.2f x %s", value[order[k], 1] / min(part[1], part[2], base), base)
    row[k] = sprintf("%-5s %-13s %-18s %10d %10d %-3s  %s", part[1], part[2], part[3],
      value[order[k], 1], median(order[k]), unit[part[2]], ratio)
  }
  split("start exit memory-tiny boot memory-linux", whats, " ")
  split("here l1", place_order, " ")
  for (p = 1; p <= 2; p++) for (w = 1; w <= 5; w++) for (k = 1; k <= keys; k++)
    if (index(order[k], place_order[p] SUBSEP whats[w] SUBSEP) == 1) print row[k]

  for (p = 1; p <= 2; p++) {
    at = place_order[p]
    if (!(at in places)) continue
    print at ":"
    who = best(at, "start", "backplane")
    if (known(at, "start", who) && known(at, "start", "bare"))
      goal("start over the bare loop (" who ")", min(at, "start", who) / min(at, "start", "bare"), 1.5, "%.2f")
    who = best(at, "exit", "backplane")
    if (known(at, "exit", who) && known(at, "exit", "bare"))
      goal("exit above the bare loop, us (" who ")", (min(at, "exit", who) - min(at, "exit", "bare")) / 1000, 0.3, "%.2f")
    who = best(at, "boot", "backplane")
    if (known(at, "boot", who) && known(at, "boot", best(at, "boot", "qemu")))
      goal("boot over " best(at, "boot", "qemu") " (" who ")", min(at, "boot", who) / min(at, "boot", best(at, "boot", "qemu")), 1, "%.2f")
    split("backplane-microvm backplane-pc", mine, " ")
    for (m = 1; m <= 2; m++)
      if (known(at, "memory-linux", mine[m]))
        goal("MiB beside guest RAM, Linux (" mine[m] ")", min(at, "memory-linux", mine[m]) / 1024, 4, "%.2f")
  }

  printf "[\n" >json
  for (k = 1; k <= keys; k++) {
    split(order[k], part, SUBSEP)
    printf "  {\"place\": \"%s\", \"what\": \"%s\", \"unit\": \"%s\", \"who\": \"%s\", \"min\": %d, \"median\": %d, \"samples\": [",
      part[1], part[2], unit[part[2]], part[3], value[order[k], 1], median(order[k]) >json
    for (i = 1; i <= n[order[k]]; i++) printf "%s%d", (i == 1 ? "" : ", "), value[order[k], i] >json
    printf "]}%s\n", k < keys ? "," : "" >json
  }
  printf "]\n" >json
  print "all samples: " json
}
