#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Samples to tables: `report.py bench.json` prints what a run of `bench` has found.

A figure is the median of the rounds, then in parentheses the minimum, then the spread: half of the
distance between the quartiles, in parts of a hundred of the median. With a spread above NOISY it is
marked with a "!": what it shows may be the machine's other work. One round has no spread.
"""
import json
import statistics
import sys

import goals

NOISY = 10  # percent
HIGHER = ("IOPS", "bandwidth", "requests", "machines in a GiB")
OURS = "backplane"
FLOORS = ("bare", "system calls")


class Figure:
    """What all rounds say of one contender in one case."""

    def __init__(self, unit):
        self.unit, self.samples = unit, []

    @property
    def median(self):
        return statistics.median(self.samples)

    @property
    def quartiles(self):
        if len(self.samples) < 2:
            return self.median, self.median
        low, _, high = statistics.quantiles(self.samples, n=4, method="inclusive")
        return low, high

    @property
    def spread(self):
        low, high = self.quartiles
        return 50 * (high - low) / self.median if self.median else 0

    @property
    def noisy(self):
        return self.spread > NOISY

    def text(self):
        told = f"{short(self.median)} ({short(min(self.samples))})"
        if len(self.samples) > 1:
            told += f" {self.spread:.0f}%" + ("!" if self.noisy else "")
        return told


def short(value):
    """Three digits that count, without an exponent."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


class Table:
    """All figures of a run, by place, part, metric, case and contender."""

    def __init__(self, result):
        self.result = result
        self.figures, self.order = {}, []
        for record in result["records"]:
            if "metric" in record:
                key = tuple(record[name] for name in ("place", "part", "metric", "case", "who"))
                self.figures.setdefault(key, Figure(record["unit"])).samples.append(record["value"])

    def get(self, place, part, metric, case, who):
        return self.figures.get((place, part, metric, case, who))

    def blocks(self):
        """(place, part, metric) in the order in which they were measured."""
        return list(dict.fromkeys(key[:3] for key in self.figures))

    def cases(self, block):
        return list(dict.fromkeys(key[3] for key in self.figures if key[:3] == block))

    def whos(self, block):
        return list(dict.fromkeys(key[4] for key in self.figures if key[:3] == block))

    def best(self, place, part, metric, case, among):
        """The contender with the better median of those for which `among` is true, and its figure."""
        found = [(figure.median, key[4], figure) for key, figure in self.figures.items()
                 if key[:4] == (place, part, metric, case) and among(key[4])]
        if not found:
            return None, None
        _, who, figure = (max if metric in HIGHER else min)(found, key=lambda entry: entry[0])
        return who, figure

    def ratio(self, place, part, metric, case):
        """Our better one, in parts of the floor where there is one and of the best peer where not."""
        _, mine = self.best(place, part, metric, case, ours)
        floor, other = self.best(place, part, metric, case, lambda who: who in FLOORS)
        if not other:
            floor, other = self.best(place, part, metric, case, peer)
        if not mine or not other or not other.median:
            return None, None
        return mine.median / other.median, floor

    def causes(self):
        """Exits of a boot by who caused them: one record for each contender and case."""
        return [record for record in self.result["records"] if "causes" in record]


def ours(who):
    return who.startswith(OURS)


def peer(who):
    return not ours(who) and who not in FLOORS


def told(record):
    """An error as one line."""
    where = " ".join(str(record[name]) for name in ("place", "part", "case", "who"))
    return f"{where}: {record['error']}"


def block_lines(table, block):
    place, part, metric = block
    whos = table.whos(block)
    units = {figure.unit for key, figure in table.figures.items() if key[:3] == block}
    rows = [["", *whos, "ours / best"]]
    for case in table.cases(block):
        row = [case]
        for who in whos:
            figure = table.get(*block, case, who)
            row.append(figure.text() if figure else "-")
        ratio, other = table.ratio(place, part, metric, case)
        row.append("" if ratio is None else f"{ratio:.2f} x {other}")
        rows.append(row)
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    if not any(row[-1] for row in rows[1:]):
        widths[-1], rows = 0, [row[:-1] + [""] for row in rows]
    better = "higher" if metric in HIGHER else "lower"
    unit = ", ".join(sorted(unit for unit in units if unit))
    yield f"{place}, {part}: {metric}{', ' + unit if unit else ''} ({better} is better)"
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        yield "  " + "  ".join(cells).rstrip()
    yield ""


def cause_lines(table):
    for record in table.causes():
        yield f"{record['place']}, boot: exits to user space until init, {record['case']}, {record['who']}: {record['exits']}"
        for cause, count in record["causes"].items():
            yield f"  {count:6} {cause}"
        rest = record["exits"] - sum(record["causes"].values())
        if rest:
            yield f"  {rest:6} others"
        yield ""


def goal_lines(table):
    yield "goals"
    for goal in goals.judge(table):
        yield f"  {goal.place:4}  {goal.text:66}  {goal.got:>12}  {goal.limit:>12}  {goal.verdict}"


def show(result, out):
    table = Table(result)
    for block in table.blocks():
        for line in block_lines(table, block):
            print(line, file=out)
    for lines in (cause_lines(table), goal_lines(table)):
        for line in lines:
            print(line, file=out)
    noisy = sum(figure.noisy for figure in table.figures.values())
    print(f"\n{noisy} of {len(table.figures)} figures are noisy: their quartiles are more than "
          f"{2 * NOISY} % of the median apart", file=out)
    for record in result["records"]:
        if "error" in record and "attempt" not in record:
            print(f"lost: {told(record)}", file=out)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        show(json.load(file), sys.stdout)


if __name__ == "__main__":
    main()
