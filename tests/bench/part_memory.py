# SPDX-License-Identifier: BSD-3-Clause
"""Memory: what a machine takes beside the guest's RAM when it has nothing to do, and how many fit."""
import time

import machines
import parts
import process
import tiny

NAME = "memory"
IMAGES = [("kernel", "cloud"), ("initrd", "boot", "cloud")]
MANY = 50


def cases(place, ctx):
    if place == "here" and not parts.kvm_runs_linux():
        return ["tiny guest", "many"]
    shapes = ["tiny guest", "Linux, serial, disk, net"]
    return shapes if ctx.quick else shapes + ["Linux, serial", "Linux, serial, 16 disks"]


def contenders(place, case, ctx):
    del place, ctx
    if case == "many":  # QEMU's firmware for a PC takes seconds each where guests are emulated
        return ["bare", *[who for who in machines.usual() if who != "qemu-pc"]]
    return ["bare", *machines.usual()] if case == "tiny guest" else machines.usual()


def rounds(place, case, ctx):
    return 1 if ctx.quick or place == "l1" or case == "many" else 3


def run(ctx):
    if ctx.case == "tiny guest":
        with process.Running(tiny.command(ctx), machines.environment(ctx), ctx.file("errors")) as vm:
            vm.wait("@Z")
            time.sleep(0.2)
            ctx.sample("PSS", vm.pss_beside(tiny.MIB), "KiB")
    elif ctx.case == "many":
        together(ctx)
    else:
        linux(ctx)


def together(ctx):
    """As many at once: what they share counts once, and so a machine more costs less than one alone."""
    count = 5 if ctx.quick else MANY
    argv, env = tiny.command(ctx), machines.environment(ctx)
    alive = []
    try:
        for _ in range(count):
            alive.append(process.Running(argv, env, ctx.file("errors")))
        for vm in alive:
            vm.wait("@Z", 600)
        time.sleep(0.5)
        each = sum(vm.pss_beside(tiny.MIB) for vm in alive) / count
    finally:
        for vm in alive:
            vm.__exit__()
    ctx.sample("PSS", each, "KiB")
    ctx.sample("machines in a GiB", (1 << 20) / each, "")


def linux(ctx):
    count = {"Linux, serial": 0, "Linux, serial, disk, net": 1}.get(ctx.case, 16)
    disks = []
    for n in range(count):
        with open(ctx.file(f"disk{n}"), "wb") as file:
            file.truncate(16 << 20)
        disks.append(machines.Disk(ctx.file(f"disk{n}")))
    machine = machines.Machine(
        kernel=ctx.kernel("cloud"), initrd=ctx.initrd("boot"), mib=256,
        cmdline="console=ttyS0 quiet panic=-1 rdinit=/init bench=idle", disks=disks,
        nets=[machines.Net()] if count == 1 else [])
    with ctx.start(machine) as vm:
        vm.wait("@@ idle")
        time.sleep(1)
        ctx.sample("PSS", vm.pss_beside(machine.mib), "KiB")
