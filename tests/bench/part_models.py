# SPDX-License-Identifier: BSD-3-Clause
"""Device models without KVM: the fixed work of tests/perf on the fake host, and the same system calls
without a device in front of them."""
import os
import re
import shutil
import subprocess

import machines
import process

NAME = "models"
IMAGES = ()
UNITS = {"blk": "request", "net": "packet", "tap": "packet", "ser": "byte"}
BARE = {"io_uring-read-32": "request", "io_uring-read-1": "request", "io_uring-nop-32": "request",
        "writev-frame": "packet", "write-byte": "byte"}
BATCHES = 20000


def cases(place, ctx):
    del ctx
    return ["time", "instructions"] if place == "here" else []


def contenders(place, case, ctx):
    del place
    bare = os.path.exists(ctx.tool("bare-io"))  # not where there is no liburing
    return ["backplane", "system calls"] if case == "time" and bare else ["backplane"]


def rounds(place, case, ctx):
    del place
    return 1 if ctx.quick or case == "instructions" else 5


def run(ctx):
    if ctx.case == "instructions":
        instructions(ctx)
        return
    batches = BATCHES // 10 if ctx.quick else BATCHES
    if ctx.who == "backplane":
        text = output(ctx, [f"{ctx.build}/libtool", "--mode=execute", f"{ctx.build}/tests/perf/workload", "-t", str(batches)])
    else:
        text = output(ctx, [ctx.tool("bare-io"), str(batches)])
    for name, units, ns in re.findall(r"^(\S+) units=(\d+).* ns=(\d+)$", text, re.M):
        unit = BARE.get(name) or UNITS.get(name[:3], "unit")
        ctx.sample(f"time a {unit}", int(ns) / int(units), "ns", name)


def output(ctx, argv, **more):
    ctx.note_command(argv)
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **more,
                          env=machines.environment(ctx) | {"top_srcdir": ctx.source, "top_builddir": ctx.build})
    if done.returncode:
        raise process.Died(f"{argv}: {done.stderr[-400:]}")
    return done.stdout


def instructions(ctx):
    """Of plugins and libbackplane-virtio only, as `make perf-counts` counts them."""
    if not shutil.which("valgrind"):
        raise machines.Unsupported("no valgrind")
    text = output(ctx, ["make", "-s", "-C", ctx.build, "perf-counts"])
    found = re.findall(r"^# (\S+): ([0-9.]+) instructions a unit", text, re.M)
    if not found:
        raise process.Died(f"make perf-counts counted nothing:\n{text[-400:]}")
    for name, count in found:
        unit = UNITS.get(name[:3], "unit")
        ctx.sample(f"instructions a {unit}", float(count), "", name)
