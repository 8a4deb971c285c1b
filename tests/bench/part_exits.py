# SPDX-License-Identifier: BSD-3-Clause
"""Exits: what one access to a port or a register costs, to a plugin and to nothing."""
import machines
import tiny

NAME = "exits"
IMAGES = ()
NOWHERE_PORT, NOWHERE = 0x6F0, 0xDC000000
# The plugin's regions, as regions.c lays them out.
PORTS, REGISTERS, STRIDE = 0x2000, 0xD0000000, 8
# A register of each peer's that does little: a port of the serial line's, and of memory the identity
# of a virtio-mmio transport or the capabilities of a timer.
SERIAL_SCRATCH = 0x3FF
PEER_REGISTERS = {"qemu-microvm": 0xFEB00000, "qemu-pc": 0xFED00000, "qemu-q35": 0xFED00000}


def cases(place, ctx):
    del place
    return ["1 region"] if ctx.quick else ["1 region", "100 regions", "1000 regions"]


def contenders(place, case, ctx):
    del place, ctx
    if case != "1 region":
        return ["backplane-microvm"]
    return ["bare", *machines.usual()]


def rounds(place, case, ctx):
    del case
    return 1 if ctx.quick else 7 if place == "here" else 3


def targets(who, regions):
    """Where a contender has something: name of the target, port, address of a register."""
    found = [("nothing", NOWHERE_PORT, NOWHERE)]
    if who.startswith("backplane") or who == "bare":
        middle = regions // 2 * STRIDE
        found.insert(0, ("a device", PORTS + middle, REGISTERS + middle))
    else:
        found.insert(0, ("a device", SERIAL_SCRATCH, PEER_REGISTERS.get(who)))
    return found


def phases(ctx, regions, times):
    for target, port, register in targets(ctx.who, regions):
        if ctx.who == "lkvm" and target == "nothing":
            continue  # it writes a line to its log for each
        for kind in tiny.KINDS:
            address = port if kind.startswith("port") else register
            if address is not None:
                yield target, (kind, address, times)


def run(ctx):
    regions = int(ctx.case.split()[0])
    times = 2000 if ctx.place == "l1" or ctx.quick else 20000  # a tenth of a second and more: clocks tick
    plan = list(phases(ctx, regions, times))
    argv = tiny.command(ctx, [phase for _, phase in plan], f"bench-regions bench0 {{ count = {regions} }}\n")
    marks = [f"@{chr(ord('a') + n)}" for n in range(len(plan))] + ["@Z"]
    seen = tiny.watch(ctx, argv, marks, "-s", "120")
    for (target, phase), begin, end in zip(plan, seen, seen[1:]):
        case = f"{ctx.case}: {phase[0]} to {target}"
        ctx.sample("time", (end["us"] - begin["us"]) * 1000 / times, "ns", case)
        ctx.sample("CPU", (end["cpu_us"] - begin["cpu_us"]) * 1000 / times, "ns", case)
