# SPDX-License-Identifier: BSD-3-Clause
"""rough"""
import statistics
def told(record):
    return " ".join(str(record.get(k, "")) for k in ("place", "part", "case", "who", "error"))
def show(result, out):
    rows = {}
    for r in result["records"]:
        if "metric" in r:
            rows.setdefault((r["place"], r["part"], r["case"], r["metric"], r["who"]), []).append((r["value"], r["unit"]))
        if "causes" in r:
            print(r["place"], r["case"], r["who"], r["exits"], r["causes"], file=out)
    for key in sorted(rows):
        v = [x for x, _ in rows[key]]
        print(*key, "min %.6g median %.6g max %.6g" % (min(v), statistics.median(v), max(v)), rows[key][0][1], file=out)
