# SPDX-License-Identifier: BSD-3-Clause
"""Network: iperf3 both ways, a ping, and requests and responses, over a tap with and without
vhost-net and over a network stack in user space."""
import ctypes
import io
import json
import os
import re
import subprocess
import tarfile
import time

import machines
import parts
import process

NAME = "net"
IMAGES = [("kernel", "cloud"), ("initrd", "net", "cloud")]
STREAMS = ("to-1", "to-4", "from-1", "from-4")
GIB = 1 << 30
CLONE_NEWNET = 0x40000000
BUSYBOX = "busybox"
# The address of the guest and of who it talks to; the one on the tap is the host's own, the other
# is what a network in user space makes of the host's loopback.
ADDRESSES = {"tap": ("192.168.77.2/24", "192.168.77.1"), "user": ("10.0.2.15/24", "10.0.2.2")}


def cases(place, ctx):
    if place == "here" and (not parts.kvm_runs_linux() or os.geteuid()):
        return []
    return ["tap"] if ctx.quick else ["tap", "vhost", "user"]


def contenders(place, case, ctx):
    del place, ctx
    return [who for who in machines.usual() if case != "user" or who not in machines.PEERS]


def rounds(place, case, ctx):
    del place
    return 1 if ctx.quick or case == "user" else 2


def ip(*words):
    subprocess.run([BUSYBOX, "ip", *words], check=True)


class Network:
    """A network of our own: whatever this host is, its interfaces are out of reach."""

    inside = False

    def __init__(self, kind, rr):
        if not Network.inside:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "no network of one's own")
            Network.inside = True
            ip("link", "set", "lo", "up")
        self.kind = kind
        if kind == "tap":
            subprocess.run([BUSYBOX, "tunctl", "-t", "tap0"], stdout=subprocess.DEVNULL, check=True)
            ip("addr", "add", "192.168.77.1/24", "dev", "tap0")
            ip("link", "set", "tap0", "up")
        self.servers = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                        for command in (["iperf3", "-s"], [rr, "-s"])]
        # Until both listen: a guest takes longer to boot, but nothing else would be sure of it.
        for port in (5201, 5202):
            while not listening(port):
                time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.kill()
            server.wait()
        if self.kind == "tap":
            ip("link", "del", "tap0")


def listening(port):
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as file:
            if re.search(rf":{port:04X} [0:]+ 0A ", file.read()):
                return True
    return False


def run(ctx):
    kind = "user" if ctx.case == "user" else "tap"
    jobs = ("ping", "rr", "nothing") + (("to-1", "from-1") if ctx.quick else STREAMS)
    results = ctx.file("results")
    with open(results, "wb") as file:
        file.truncate(1 << 20)
    address, peer = ADDRESSES[kind]
    machine = machines.Machine(
        kernel=ctx.kernel("cloud"), initrd=ctx.initrd("net"), cpus=2, mib=256,
        cmdline="console=ttyS0 quiet panic=-1 rdinit=/init bench=net bench.out=/dev/vda bench.end=poweroff "
                f"bench.seconds={1 if ctx.quick else 2} bench.jobs={','.join(jobs)} bench.address={address} "
                f"bench.peer={peer}",
        disks=[machines.Disk(results)], nets=[machines.Net(ctx.case, "" if kind == "user" else "tap0")])
    cpu = {}
    with Network(kind, ctx.tool("rr")), ctx.start(machine) as vm:
        for job in jobs:
            vm.wait(f"@@ begin {job}")
            before = process.Usage(vm.pid)
            vm.wait(f"@@ done {job}")
            cpu[job] = process.Usage(vm.pid).since(before)
        vm.wait("@@ end")
    for job, text in read(results).items():
        report(ctx, job, text, cpu)


def read(path):
    with open(path, "rb") as file, tarfile.open(fileobj=io.BytesIO(file.read())) as tar:
        return {os.path.basename(member.name).removesuffix(".json"): tar.extractfile(member).read().decode()
                for member in tar}


def parsed(job, text):
    try:
        return json.loads(text)
    except ValueError:
        raise process.Died(f"{job} printed no JSON but: {text[:400]}") from None


def report(ctx, job, text, cpu):
    case = f"{ctx.case} {job}"
    if job in STREAMS:
        end = parsed(job, text).get("end", {}).get("sum_received")
        if not end:
            raise process.Died(f"{job}: {text[:400]}")
        ctx.sample("bandwidth", end["bits_per_second"] / 1e6, "Mbit/s", case)
        # Less what a run costs that moves nothing.
        ctx.sample("CPU per GiB", max(0, cpu[job] - cpu["nothing"]) / (end["bytes"] / GIB), "s", case)
    elif job == "rr":
        trips = parsed(job, text)
        ctx.sample("requests", trips["trips"] / trips["seconds"], "1/s", case)
        ctx.sample("latency p50", trips["p50_us"], "us", case)
        ctx.sample("latency p99", trips["p99_us"], "us", case)
        ctx.sample("CPU per million requests", cpu[job] / trips["trips"] * 1e6, "s", case)
    elif job == "ping":
        least, average, _ = re.search(r"= ([0-9.]+)/([0-9.]+)/([0-9.]+) ms", text).groups()
        ctx.sample("round trip min", float(least) * 1000, "us", case)
        ctx.sample("round trip average", float(average) * 1000, "us", case)
