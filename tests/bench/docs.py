#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Puts the figures of a run into docs/BENCHMARKS.md: `docs.py bench.json BENCHMARKS.md`.

What stands between "<!-- NAME -->" and "<!-- end -->" is replaced; what NAMEs there are is below.
"""
import json
import re
import shlex
import sys

import goals
import report


def fenced(lines):
    text = "\n".join(lines).rstrip()
    return f"```\n{text}\n```" if text else "Not measured in this run."


def environment(result, table):
    del table
    told = result["environment"]
    rows = [("date", told["date"]), ("commit", told["commit"]), ("processor", f"{told['cpu']}, {told['processors']} of them"),
            ("load before", ", ".join(f"{load:.1f}" for load in told["load"])), ("kernel", told["kernel"]),
            ("emulated host", told["l1"]),
            ("guests' kernels", ", ".join(f"{name} {version}" for name, version in told["guest kernels"].items()))]
    rows += [(name, version) for name, version in told["versions"].items() if version]
    rows.append(("command", f"`{shlex.join(told['command'])}`"))
    return "\n".join(["| | |", "|---|---|"] + [f"| {name} | {value} |" for name, value in rows])


def goal_table(result, table):
    del result
    rows = [f"| {goal.place} | {goal.text} | {goal.limit.replace('<=', '≤').replace('>=', '≥')} | {goal.got} | {goal.verdict} |"
            for goal in goals.judge(table)]
    return "\n".join(["| where | what | goal | measured | |", "|---|---|---|---|---|"] + rows)


def figures(part):
    def lines(result, table):
        del result
        found = [line for block in table.blocks() if block[1] == part for line in report.block_lines(table, block)]
        if part == "boot":
            found += report.cause_lines(table)
        return fenced(found)
    return lines


def commands(result, table):
    """How each was run: the first command line of each part and contender, with short paths."""
    del table
    seen, lines = set(), []
    for record in result["records"]:
        if "command" in record:
            key = (record["part"], record["case"], record["who"])
            if key in seen:
                continue
            seen.add(key)
            lines.append(f"{record['place']}, {', '.join(key)}:\n  {brief(shlex.join(record['command']))}")
        elif "config" in record:
            lines.append("\n".join("  | " + line for line in brief(record["config"]).strip().split("\n")))
    return fenced(lines)


def brief(text):
    """Without the folders of this machine."""
    text = re.sub(r"^(make .*)-C /\S+ ", r"\1", text)
    text = re.sub(r"/\S*/(backplane-nested-\d+|backplane-bench\.\w+)/", "", text)
    return re.sub(r"/\S*/(?=(tests/bench|tests/perf|(\.libs/)?backplane|libtool|lkvm|bare-loop|bare-io)\b)", "", text)


def noise(result, table):
    noisy = sum(figure.noisy for figure in table.figures.values())
    once = sum(len(figure.samples) == 1 for figure in table.figures.values())
    lines = [f"{noisy} of {len(table.figures)} figures are noisy; {once} were measured once, and have no spread."]
    load, processors = result["environment"]["load"][0], result["environment"]["processors"]
    if load > processors / 4:
        lines.append(f"The machine had other work (a load of {load:.1f} on {processors} processors before the first of "
                     "them), so that single figures say little.")
    return "\n".join(lines)


WRITERS = {"environment": environment, "goals": goal_table, "commands": commands, "noise": noise}


def writer(name):
    return WRITERS.get(name) or figures(name.removeprefix("figures "))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        result = json.load(file)
    table = report.Table(result)
    with open(sys.argv[2], encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r"(?<=<!-- )(?!end )([a-z ]+)( -->\n).*?(?=<!-- end -->)",
                  lambda found: f"{found[1]}{found[2]}\n{writer(found[1])(result, table)}\n\n", text, flags=re.S)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
