# SPDX-License-Identifier: BSD-3-Clause
"""Disk: fio in the guest on virtio-blk, over a raw file on tmpfs and on a disk."""
import io
import json
import os
import tarfile

import machines
import parts
import process

NAME = "disk"
IMAGES = [("kernel", "cloud"), ("initrd", "disk", "cloud")]
JOBS = ("randread-1", "randread-32", "randread-4x32", "randwrite-1", "randwrite-32", "randwrite-4x32",
        "read-128k", "write-128k", "read-1m", "write-1m")
FEW = ("randread-1", "randread-32", "randwrite-32", "read-1m", "write-1m")
PERCENTILES = ("50.000000", "99.000000", "99.900000")
GIB = 1 << 30
SIZE = 256  # MiB of the image


def image_of(ctx):
    """Where a case has its image. On a disk it is a block device where there is one (the emulated
    host's, which is a file of this machine's) and else a file in the folder that BENCH_DISK names."""
    if ctx.case == "tmpfs":
        return "/dev/shm/backplane-bench.raw"
    if ctx.place == "l1":
        return "/dev/vda"
    folder = os.environ.get("BENCH_DISK")
    if not folder:
        raise machines.Unsupported("BENCH_DISK names no folder on a disk")
    return f"{folder}/backplane-bench.raw"


def cases(place, ctx):
    if place == "here" and not parts.kvm_runs_linux():
        return []
    return ["tmpfs"] if ctx.quick else ["tmpfs", "disk"]


def contenders(place, case, ctx):
    del place, case, ctx
    return machines.usual()


def rounds(place, case, ctx):
    del place
    return 1 if ctx.quick or case == "disk" else 2


def run(ctx):
    jobs = JOBS if ctx.case == "tmpfs" and not ctx.quick else FEW
    image, results = image_of(ctx), ctx.file("results")
    try:
        with open(image, "wb") as file:
            for _ in range(64 if ctx.quick else SIZE):
                file.write(b"\xa5" * (1 << 20))
            file.flush()
            os.fsync(file.fileno())
        with open(results, "wb") as file:
            file.truncate(1 << 20)
        measure(ctx, jobs, image, results)
    finally:
        if not image.startswith("/dev/vd"):
            os.unlink(image)


def measure(ctx, jobs, image, results):
    seconds = 1 if ctx.quick else 2
    machine = machines.Machine(
        kernel=ctx.kernel("cloud"), initrd=ctx.initrd("disk"), cpus=2, mib=256,
        cmdline="console=ttyS0 quiet panic=-1 rdinit=/init bench=disk bench.out=/dev/vdb bench.end=poweroff "
                f"bench.seconds={seconds} bench.jobs={','.join(jobs)}",
        disks=[machines.Disk(image, direct=ctx.case == "disk"), machines.Disk(results)])
    cpu = {}
    with ctx.start(machine) as vm:
        for job in jobs:
            vm.wait(f"@@ begin {job}")
            before = process.Usage(vm.pid)
            vm.wait(f"@@ done {job}")
            cpu[job] = process.Usage(vm.pid).since(before)
            vm.wait(f"@@ next {job}")
        vm.wait("@@ end")
    for job, result in read(results).items():
        report(ctx, job, result, cpu[job])


def read(path):
    """What the guest left on the disk for results: a tar file of fio's own JSON, below its notes."""
    found = {}
    with open(path, "rb") as file, tarfile.open(fileobj=io.BytesIO(file.read())) as tar:
        for member in tar:
            if member.name.endswith(".json"):
                text = tar.extractfile(member).read().decode()
                found[os.path.basename(member.name).removesuffix(".json")] = json.loads(text[text.index("{"):])["jobs"][0]
    return found


def report(ctx, job, result, cpu):
    side = result["write" if "write" in job else "read"]
    case = f"{ctx.case} {job}"
    ctx.sample("IOPS", side["iops"], "1/s", case)
    ctx.sample("bandwidth", side["bw_bytes"] / (1 << 20), "MiB/s", case)
    for name in PERCENTILES:
        if name in side["clat_ns"].get("percentile", {}):
            ctx.sample(f"latency p{float(name):g}", side["clat_ns"]["percentile"][name] / 1000, "us", case)
    ctx.sample("CPU per GiB", cpu / (side["io_bytes"] / GIB), "s", case)
    ctx.sample("CPU per million requests", cpu / (side["total_ios"] / 1e6), "s", case)
