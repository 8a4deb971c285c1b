# SPDX-License-Identifier: BSD-3-Clause
"""Idle: how often a machine that has nothing to do is woken up."""
import time

import machines
import parts
import process
import tiny

NAME = "idle"
IMAGES = [("kernel", "cloud"), ("initrd", "boot", "cloud")]


def cases(place, ctx):
    del ctx
    return (["halted"] if place == "here" else []) + (["Linux"] if place != "here" or parts.kvm_runs_linux() else [])


def contenders(place, case, ctx):
    del place, ctx
    return machines.usual() if case == "Linux" else ["bare", *machines.usual()]


def rounds(place, case, ctx):
    del place, case, ctx
    return 1


def run(ctx):
    seconds = 2 if ctx.quick else 10
    if ctx.case == "halted":
        _, first, last = tiny.watch(ctx, tiny.command(ctx), ["@Z"], "-i", str(seconds * 1000))
        ctx.sample("wake-ups", (last["switches"] - first["switches"]) / seconds, "1/s")
        ctx.sample("CPU", (last["cpu_us"] - first["cpu_us"]) / seconds, "us/s")
        return
    with open(ctx.file("disk"), "wb") as file:
        file.truncate(16 << 20)
    machine = machines.Machine(
        kernel=ctx.kernel("cloud"), initrd=ctx.initrd("boot"), mib=256,
        cmdline="console=ttyS0 quiet panic=-1 rdinit=/init bench=idle",
        disks=[machines.Disk(ctx.file("disk"))], nets=[machines.Net()])
    with ctx.start(machine) as vm:
        vm.wait("@@ idle")
        time.sleep(3)
        before = process.Usage(vm.pid)
        time.sleep(seconds)
        after = process.Usage(vm.pid)
        ctx.sample("wake-ups", (after.switches - before.switches) / seconds, "1/s")
        ctx.sample("wake-ups beside the vCPU", (after.beside - before.beside) / seconds, "1/s")
        ctx.sample("CPU", after.since(before) * 1e6 / seconds, "us/s")
