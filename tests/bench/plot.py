#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Draws a run of `bench`: `plot.py bench.json FOLDER` writes an SVG and a PNG of each picture.

Bars are medians, the lines on them go from quartile to quartile.
"""
import json
import sys

try:
    import matplotlib
except ImportError:
    sys.exit("plot: no matplotlib for this Python: apt-get install python3-matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

import report  # noqa: E402

COLOURS = {"bare": "#888888", "system calls": "#888888", "backplane": "#1b6ca8", "backplane-microvm": "#1b6ca8",
           "backplane-pc": "#74b3e0", "qemu-microvm": "#d9822b", "qemu-pc": "#f0b46c", "qemu-q35": "#f7dcb8",
           "lkvm": "#5a9367", "firecracker": "#b5485d", "cloud-hypervisor": "#8367a8", "crosvm": "#4b4b4b"}


class Panel:
    """One pair of axes: cases side by side, and in each a bar for every contender."""

    def __init__(self, title, place, part, metric, cases, log=False, floor=None, scale=1.0):
        self.title, self.block, self.cases, self.log = title, (place, part, metric), cases, log
        self.floor, self.scale = floor, scale  # what is taken off every bar; what it is divided by

    def bars(self, table):
        for who in table.whos(self.block):
            found = [(n, table.get(*self.block, case, who)) for n, (case, _) in enumerate(self.cases)]
            found = [(n, figure) for n, figure in found if figure]
            if found and who != self.floor:
                yield who, found

    def draw(self, axes, table):
        bars = list(self.bars(table))
        width = 0.8 / max(1, len(bars))
        for index, (who, found) in enumerate(bars):
            at, high, errors = [], [], ([], [])
            for n, figure in found:
                off = self.off(table, self.cases[n][0])
                low, up = figure.quartiles
                at.append(n + (index - (len(bars) - 1) / 2) * width)
                high.append((figure.median - off) / self.scale)
                errors[0].append((figure.median - low) / self.scale)
                errors[1].append((up - figure.median) / self.scale)
            axes.bar(at, high, width * 0.92, label=who, color=COLOURS.get(who, "#222222"), yerr=errors,
                     error_kw={"elinewidth": 0.8, "ecolor": "#333333"})
        axes.set_title(self.title, fontsize=9, loc="left")
        axes.set_xticks(range(len(self.cases)), [label for _, label in self.cases], fontsize=8)
        axes.tick_params(axis="y", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", linewidth=0.4)
        axes.set_axisbelow(True)
        if self.log:
            axes.set_yscale("log")

    def off(self, table, case):
        figure = table.get(*self.block, case.replace("1000 regions", "1 region").replace("100 regions", "1 region"),
                           self.floor) if self.floor else None
        return figure.median if figure else 0


def same(*names):
    return [(name, name) for name in names]


def pictures():
    plugins = [(f"{n} plugin{'s' if n > 1 else ''}", f"{n}") for n in (1, 5, 25)]
    yield "start", [Panel(f"{place}: exec to the guest's first instruction, ms, by plugins", place, "start", "time",
                          plugins, log=True, scale=1000) for place in ("here", "l1")]
    kinds = ("port write", "port read", "MMIO write", "MMIO read")
    cases = [(f"1 region: {kind} to a device", kind) for kind in kinds]
    yield "exits", [Panel("here: time of an access to a device above the bare loop's, ns", "here", "exits", "time", cases,
                          floor="bare"),
                    Panel("here: the same with so many regions, port write", "here", "exits", "time",
                          [(f"{n} region{'s' if n > 1 else ''}: port write to a device", f"{n}") for n in (1, 100, 1000)],
                          floor="bare")]
    kernels = same("cloud-1", "cloud-4", "generic-1", "generic-4")
    yield "boot", [Panel("l1: exec to the guest's init, s, by kernel and vCPUs", "l1", "boot", "to init", kernels),
                   Panel("l1: exits to user space on the way", "l1", "boot", "exits to init", kernels, log=True),
                   Panel("l1: nested page faults on the way", "l1", "boot", "page faults to init", kernels, log=True)]
    small = [(f"tmpfs {name}", name.replace("rand", "")) for name in
             ("randread-1", "randread-32", "randread-4x32", "randwrite-1", "randwrite-32", "randwrite-4x32")]
    large = [(f"tmpfs {name}", name) for name in ("read-128k", "write-128k", "read-1m", "write-1m")]
    yield "disk", [Panel("l1: 4 KiB at random on tmpfs, IOPS, by depth", "l1", "disk", "IOPS", small),
                   Panel("l1: the same, processor seconds a million requests", "l1", "disk", "CPU per million requests",
                         small),
                   Panel("l1: one after the other on tmpfs, MiB/s", "l1", "disk", "bandwidth", large)]
    ways = ("to-1", "to-4", "from-1", "from-4")
    yield "net", [Panel(f"l1: TCP over {name}, Mbit/s, by direction and streams", "l1", "net", "bandwidth",
                        [(f"{kind} {way}", way) for way in ways])
                  for kind, name in (("tap", "a tap"), ("vhost", "a tap with vhost-net"), ("user", "user space"))] + [
        Panel("l1: a ping's round trip, average, us", "l1", "net", "round trip average",
              [(f"{kind} ping", kind) for kind in ("tap", "vhost", "user")])]
    yield "memory", [Panel("here: PSS beside guest RAM, MiB, tiny guest: one, each of 50", "here", "memory", "PSS",
                           [("tiny guest", "one"), ("many", "each of 50")], log=True, scale=1024),
                     Panel("l1: the same with Linux, idle", "l1", "memory", "PSS",
                           [("Linux, serial", "serial"), ("Linux, serial, disk, net", "+ disk, net"),
                            ("Linux, serial, 16 disks", "+ 16 disks")], log=True, scale=1024)]
    models = ("blk-null", "blk-null-single", "blk-file", "io_uring-read-32", "io_uring-read-1")
    yield "models", [Panel("here: ns a request, on the fake host and without a device", "here", "models", "time a request",
                           same(*models)),
                     Panel("here: instructions of the model a request", "here", "models", "instructions a request",
                           same("blk-null", "blk-null-single", "blk-file"))]


def draw(table, name, panels, folder):
    panels = [panel for panel in panels if any(panel.bars(table))]
    if not panels:
        return
    figure, axes = plt.subplots(len(panels), 1, figsize=(8, 2.6 * len(panels)), squeeze=False, layout="constrained")
    labels = {}
    for panel, place in zip(panels, axes[:, 0]):
        panel.draw(place, table)
        labels |= dict(zip(*reversed(place.get_legend_handles_labels())))
    # A row of its own for the legend: matplotlib 3.6 cannot put one outside by itself.
    axes[0, 0].legend(labels.values(), labels.keys(), loc="lower left", bbox_to_anchor=(0, 1.12), ncols=6, fontsize=8,
                      frameon=False, borderaxespad=0)
    figure.savefig(f"{folder}/{name}.svg", metadata={"Date": None})
    figure.savefig(f"{folder}/{name}.png", dpi=100, metadata={"Software": None})
    plt.close(figure)


def main():
    # The same samples give the same files.
    matplotlib.rcParams["svg.hashsalt"] = "backplane"
    matplotlib.rcParams["svg.fonttype"] = "none"
    with open(sys.argv[1], encoding="utf-8") as file:
        table = report.Table(json.load(file))
    for name, panels in pictures():
        draw(table, name, panels, sys.argv[2])


if __name__ == "__main__":
    main()
