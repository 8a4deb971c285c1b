# SPDX-License-Identifier: BSD-3-Clause
"""Boot: Debian's kernels to their init and to the end, and what KVM was asked for on the way."""
import machines
import parts
import trace

NAME = "boot"
IMAGES = [("kernel", "cloud"), ("kernel", "generic"), ("initrd", "boot", "cloud"), ("initrd", "boot", "generic")]
SHOWN = 12  # causes of exits that are kept


def cases(place, ctx):
    if place == "here" and not parts.kvm_runs_linux():
        return []
    shapes = ["cloud-1"] if ctx.quick else ["cloud-1", "cloud-4", "generic-1", "generic-4"]
    return shapes + [f"{shape}-exits" for shape in shapes if shape.startswith("cloud")]


def contenders(place, case, ctx):
    del place, ctx
    return machines.known() if case.startswith("cloud-1") else machines.usual()


def rounds(place, case, ctx):
    if ctx.quick or case.endswith("-exits"):
        return 1
    return 5 if place == "here" else 3 if case.startswith("cloud") else 1


def machine(ctx, line):
    flavour, cpus = ctx.case.split("-")[:2]
    with open(ctx.file("disk"), "wb") as file:
        file.truncate(16 << 20)
    return machines.Machine(
        kernel=ctx.kernel(flavour), initrd=ctx.initrd("boot", flavour), cpus=int(cpus), mib=256,
        cmdline=f"console=ttyS0 quiet panic=-1 rdinit=/init bench.end=poweroff {line}".strip(),
        disks=[machines.Disk(ctx.file("disk"))], nets=[machines.Net()])


def run(ctx):
    if ctx.case.endswith("-exits"):
        count(ctx)
        return
    with ctx.start(machine(ctx, "")) as vm:
        ctx.sample("to init", vm.wait("@@ init"), "s")
        vm.wait("@@ end")
        ctx.sample("to the end", vm.ended(), "s")


def count(ctx):
    if not trace.available():
        raise machines.Unsupported("no tracepoints here")
    tracer = trace.Trace()
    what = machine(ctx, "bench.hold=3")
    tracer.start()
    try:
        with ctx.start(what) as vm:
            vm.wait("@@ init")
            causes, faults = tracer.stop()
            tracer = None
    finally:
        if tracer:
            tracer.stop()
    case = ctx.case.removesuffix("-exits")
    exits = sum(causes.values())
    ctx.sample("exits to init", exits, "", case)
    ctx.sample("page faults to init", faults, "", case)
    ctx.record(case=case, causes=dict(causes.most_common(SHOWN)), exits=exits)
