# SPDX-License-Identifier: BSD-3-Clause
"""What the project wants of itself, and whether a run has it: medians of one run, our better
platform against the best peer in it."""
import dataclasses

import report

PLACES = ("here", "l1")
CLOUD = "cloud-1"
SMALL = ("randread-1", "randread-32", "randwrite-1", "randwrite-32")
FULL = "Linux, serial, disk, net"


@dataclasses.dataclass
class Goal:
    place: str
    text: str
    got: str
    limit: str
    verdict: str


def at_most(place, text, got, limit, unit=""):
    return Goal(place, text, report.short(got) + unit, f"<= {report.short(limit)}{unit}", verdict(got <= limit))


def at_least(place, text, got, limit, unit=""):
    return Goal(place, text, report.short(got) + unit, f">= {report.short(limit)}{unit}", verdict(got >= limit))


def verdict(met):
    return "met" if met else "MISSED"


def judge(table):
    for place in PLACES:
        for rule in (start, plugins, exits, boot, disk, net, memory, models, idle):
            yield from rule(table, place)


def ratio(table, place, part, metric, case):
    """Ours to the best peer's, and who that is; nothing when one was not measured."""
    _, mine = table.best(place, part, metric, case, report.ours)
    who, other = table.best(place, part, metric, case, report.peer)
    return (mine.median / other.median, who) if mine and other and other.median else (None, None)


def start(table, place):
    who, mine = table.best(place, "start", "time", "5 plugins", report.ours)
    floor = table.get(place, "start", "time", "5 plugins", "bare")
    if mine and floor:
        yield at_most(place, f"start, 5 plugins, over the bare loop ({who})", mine.median / floor.median, 1.25)


def plugins(table, place):
    few = table.get(place, "start", "time", "5 plugins", "backplane-pc")
    many = table.get(place, "start", "time", "25 plugins", "backplane-pc")
    if few and many:
        yield at_most(place, "25 plugins instead of 5 (backplane-pc)", (many.median - few.median) / 1000, 1, " ms")


def exits(table, place):
    for regions in ("1 region", "1000 regions"):
        above = []
        for case in table.cases((place, "exits", "CPU")):
            floor = table.get(place, "exits", "CPU", case.replace(regions, "1 region"), "bare")
            mine = table.get(place, "exits", "CPU", case, "backplane-microvm")
            if case.startswith(regions) and floor and mine and case.endswith("a device"):
                above.append((mine.median - floor.median, case.split(": ")[1]))
        if above:
            most, case = max(above)
            yield at_most(place, f"an exit above the floor, CPU, {regions} (most: {case})", most / 1000, 0.15, " us")


def boot(table, place):
    got, who = ratio(table, place, "boot", "to init", CLOUD)
    if got:
        yield at_most(place, f"boot to init over {who}", got, 0.8)
    for platform, limit in (("microvm", 599), ("pc", 1499)):
        figure = table.get(place, "boot", "exits to init", CLOUD, f"backplane-{platform}")
        if figure:
            yield at_most(place, f"exits to user space during that boot, {platform}", figure.median, limit)
    _, faults = table.best(place, "boot", "page faults to init", CLOUD, report.ours)
    if faults:
        yield at_most(place, "nested page faults during that boot", faults.median, 1450)


def disk(table, place):
    for job in ("randread-1", "randread-32"):
        got, who = ratio(table, place, "disk", "IOPS", f"tmpfs {job}")
        if got:
            yield at_least(place, f"{job}, IOPS over {who}", got, 1.2)
    for job in ("read-1m", "write-1m"):
        got, who = ratio(table, place, "disk", "bandwidth", f"tmpfs {job}")
        if got:
            yield at_least(place, f"{job}, bandwidth over {who}", got, 1.1)
    for job in SMALL:
        got, who = ratio(table, place, "disk", "CPU per million requests", f"tmpfs {job}")
        if got:
            yield at_most(place, f"{job}, CPU a request over {who}", got, 0.7)


def net(table, place):
    for way in ("to-1", "from-1"):
        got, who = ratio(table, place, "net", "bandwidth", f"tap {way}")
        if got:
            yield at_least(place, f"TCP over tap, {way.removesuffix('-1')} the guest, over {who}", got, 1.2)
    for way in ("to-1", "from-1"):
        _, mine = table.best(place, "net", "bandwidth", f"vhost {way}", report.ours)
        other = table.get(place, "net", "bandwidth", f"vhost {way}", "qemu-pc")
        if mine and other:
            yield at_least(place, f"TCP over vhost-net, {way.removesuffix('-1')} the guest, over qemu-pc",
                           mine.median / other.median, 1)
    for kind in ("tap", "vhost"):
        got, who = ratio(table, place, "net", "round trip average", f"{kind} ping")
        if got:
            yield at_most(place, f"ping over {kind}, round trip over {who}", got, 0.8)


def memory(table, place):
    for who in ("backplane-microvm", "backplane-pc"):
        figure = table.get(place, "memory", "PSS", FULL, who)
        if figure:
            yield at_most(place, f"memory beside guest RAM, {FULL.removeprefix('Linux, ')} ({who})",
                          figure.median / 1024, 2.5, " MiB")


def models(table, place):
    figure = table.get(place, "models", "instructions a request", "blk-null", "backplane")
    if figure:
        yield at_most(place, "virtio-blk model, null back end, batch of 32, instructions", figure.median, 400)


def idle(table, place):
    for case in ("halted", "Linux"):
        metric = "wake-ups beside the vCPU" if case == "Linux" else "wake-ups"
        who, figure = table.best(place, "idle", metric, case, report.ours)
        if figure:
            yield at_most(place, f"idle, {case}: wake-ups a second caused by us ({who})", figure.median, 0)
