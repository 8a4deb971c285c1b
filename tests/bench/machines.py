# SPDX-License-Identifier: BSD-3-Clause
"""Command lines: one machine, described once, as each hypervisor wants to be told of it.

Each peer is run at its best: no default devices, I/O threads, io_uring. What a hypervisor cannot do
it says with Unsupported, and is left out of that comparison.
"""
import dataclasses
import json
import os
import re
import shutil


class Unsupported(Exception):
    """This hypervisor has no such thing."""


@dataclasses.dataclass
class Disk:
    path: str
    direct: bool = False


@dataclasses.dataclass
class Net:
    kind: str = "user"  # or tap, or vhost (a tap moved by the kernel)
    ifname: str = ""


@dataclasses.dataclass
class Machine:
    kernel: str
    initrd: str = ""
    cmdline: str = ""
    cpus: int = 1
    mib: int = 256
    disks: list = dataclasses.field(default_factory=list)
    nets: list = dataclasses.field(default_factory=list)
    sections: str = ""  # more of Backplane's config
    flat: str = ""  # the tiny guest for who loads no ELF file

    @property
    def linux(self):
        return bool(self.initrd)


PEERS = ("lkvm", "firecracker", "cloud-hypervisor", "crosvm")
BACKPLANE = ("backplane-microvm", "backplane-pc")
QEMU = ("qemu-microvm", "qemu-pc", "qemu-q35")


def peer_path(name):
    """LKVM, CLOUD_HYPERVISOR and so on in the environment name the programs of the other peers."""
    path = os.environ.get(name.upper().replace("-", "_"), "")
    return path if os.access(path, os.X_OK) else ""


def backplane_program(build):
    """As installed: no libtool script around it, no search path for libraries."""
    real = f"{build}/.libs/backplane"
    return real if os.access(real, os.X_OK) else f"{build}/backplane"


def known():
    """Who can be run here, in the order in which they take turns."""
    names = list(BACKPLANE)
    if shutil.which("qemu-system-x86_64"):
        names += QEMU
    return names + [name for name in PEERS if peer_path(name)]


def usual():
    """Those but QEMU's q35, which has the devices of its pc and takes longer to find them."""
    return [name for name in known() if name != "qemu-q35"]


def backplane(platform, m, ctx):
    config = ctx.file(f"{platform}.conf")
    lines = [f'include("platform/{platform}.conf")',
             f'machine {{ cpus = {m.cpus}  memory = "{m.mib}M" }}',
             f'boot {{ kernel = "{m.kernel}"'
             + (f' initrd = "{m.initrd}" cmdline = "{m.cmdline}"' if m.linux else "") + " }",
             'serial com1 { chardev = "stdio" }']
    for n, disk in enumerate(m.disks):
        back = f"block-file file{n} {{ path = \"{disk.path}\"" + ("  direct = on" if disk.direct else "") + " }"
        lines += [back, f"virtio-blk disk{n} {{ drive = file{n} }}"]
    for n, net in enumerate(m.nets):
        if net.kind == "user":
            lines.append(f'virtio-net net{n} {{ netdev = "user" }}')
        else:
            vhost = "on" if net.kind == "vhost" else "off"
            lines += [f"net-tap wire{n} {{ ifname = {net.ifname}  vhost = {vhost} }}",
                      f"virtio-net net{n} {{ netdev = wire{n} }}"]
    text = "\n".join(lines) + "\n" + m.sections
    with open(config, "w", encoding="utf-8") as out:
        out.write(text)
    ctx.note_config(text)
    return [backplane_program(ctx.build), "run", config]


def qemu(machine, m, ctx):
    del ctx
    bus = "device" if machine == "microvm" else "pci"
    argv = ["qemu-system-x86_64", "-enable-kvm", "-machine", "microvm,rtc=on" if machine == "microvm" else machine,
            "-m", str(m.mib), "-smp", str(m.cpus), "-nodefaults", "-no-user-config", "-no-reboot",
            "-display", "none", "-serial", "stdio", "-name", "guest,debug-threads=on", "-kernel", m.kernel]
    if m.linux:
        argv += ["-cpu", "host", "-initrd", m.initrd, "-append", m.cmdline]
    if m.disks:
        argv += ["-object", "iothread,id=io"]
    for n, disk in enumerate(m.disks):
        cache = "none" if disk.direct else "writeback"
        argv += ["-drive", f"if=none,id=d{n},format=raw,file={disk.path},aio=io_uring,cache={cache},discard=unmap",
                 "-device", f"virtio-blk-{bus},drive=d{n},iothread=io"]
    for n, net in enumerate(m.nets):
        if net.kind == "user":
            argv += ["-netdev", f"user,id=n{n}"]
        else:
            vhost = "on" if net.kind == "vhost" else "off"
            argv += ["-netdev", f"tap,id=n{n},ifname={net.ifname},script=no,downscript=no,vhost={vhost}"]
        argv += ["-device", f"virtio-net-{bus},netdev=n{n}" + (",romfile=" if bus == "pci" else "")]
    return argv


def lkvm(m, ctx):
    del ctx
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        if not re.search(r"^flags.*\b(svm|vmx)\b", file.read(), re.M):
            raise Unsupported("it wants a processor with SVM or VMX")
    argv = [peer_path("lkvm"), "run", "--nodefaults", "--console", "serial", "-m", f"{m.mib}M", "-c", str(m.cpus),
            "-k", m.kernel if m.linux else m.flat]
    if m.linux:
        # Its own words for the kernel, but for the early console, which costs an exit a byte. It has
        # no ACPI: a guest ends by a reset through the keyboard controller.
        line = m.cmdline.replace("bench.end=poweroff", "bench.end=reboot") + (
            " noapic noacpi pci=conf1 reboot=k i8042.direct=1 i8042.dumbkbd=1 i8042.nopnp=1 i8042.noaux=1")
        argv += ["-i", m.initrd, "-p", line]
    for disk in m.disks:
        argv += ["-d", disk.path + (",direct" if disk.direct else "")]
    for net in m.nets:
        if net.kind == "user":
            argv += ["-n", "mode=user"]
        else:
            argv += ["-n", f"mode=tap,tapif={net.ifname},vhost={1 if net.kind == 'vhost' else 0}"]
    if not m.nets:
        argv += ["-n", "mode=none"]
    return argv


def firecracker(m, ctx):
    config = {"boot-source": {"kernel_image_path": m.kernel, "boot_args": m.cmdline + " reboot=k"},
              "machine-config": {"vcpu_count": m.cpus, "mem_size_mib": m.mib},
              "drives": [], "network-interfaces": []}
    if m.linux:
        config["boot-source"] |= {"kernel_image_path": ctx.vmlinux(m.kernel), "initrd_path": m.initrd}
    for n, disk in enumerate(m.disks):
        if disk.direct:
            raise Unsupported("no O_DIRECT")
        config["drives"].append({"drive_id": f"d{n}", "path_on_host": disk.path, "is_root_device": False,
                                 "is_read_only": False, "io_engine": "Async"})
    for n, net in enumerate(m.nets):
        if net.kind != "tap":
            raise Unsupported("taps only")
        config["network-interfaces"].append({"iface_id": f"n{n}", "host_dev_name": net.ifname})
    path = ctx.file("firecracker.json")
    with open(path, "w", encoding="utf-8") as out:
        json.dump(config, out)
    ctx.note_config(json.dumps(config))
    return [peer_path("firecracker"), "--no-api", "--config-file", path]


def cloud_hypervisor(m, ctx):
    argv = [peer_path("cloud-hypervisor"), "--cpus", f"boot={m.cpus}", "--memory", f"size={m.mib}M",
            "--serial", "tty", "--console", "off",
            "--kernel", ctx.vmlinux(m.kernel) if m.linux else m.kernel]
    if m.linux:
        argv += ["--initramfs", m.initrd, "--cmdline", m.cmdline]
    if m.disks:
        argv.append("--disk")
        argv += [f"path={disk.path},direct={'on' if disk.direct else 'off'},num_queues={m.cpus}" for disk in m.disks]
    if m.nets:
        if any(net.kind != "tap" for net in m.nets):
            raise Unsupported("taps only")
        argv.append("--net")
        argv += [f"tap={net.ifname}" for net in m.nets]
    return argv


def crosvm(m, ctx):
    argv = [peer_path("crosvm"), "run", "--disable-sandbox", "--mem", str(m.mib), "--cpus", str(m.cpus),
            "--serial", "type=stdout,hardware=serial,num=1,console"]
    if m.linux:
        argv += ["--initrd", m.initrd, "-p", m.cmdline]
    for disk in m.disks:
        argv += ["--block", f"path={disk.path},direct={'true' if disk.direct else 'false'}"]
    for net in m.nets:
        if net.kind == "user":
            raise Unsupported("taps only")
        argv += ["--net", f"tap-name={net.ifname}" + (",vhost-net" if net.kind == "vhost" else "")]
    return argv + [ctx.vmlinux(m.kernel) if m.linux else m.kernel]


def command(who, m, ctx):
    """The command that runs machine `m` under `who`."""
    if who.startswith("backplane-"):
        return backplane(who.removeprefix("backplane-"), m, ctx)
    if who.startswith("qemu-"):
        return qemu(who.removeprefix("qemu-"), m, ctx)
    return {"lkvm": lkvm, "firecracker": firecracker, "cloud-hypervisor": cloud_hypervisor,
            "crosvm": crosvm}[who](m, ctx)


def environment(ctx):
    """What Backplane finds its parts by; the others do not look at it."""
    return os.environ | {"BACKPLANE_PLUGIN_PATH": f"{ctx.build}/modules:{ctx.build}/tests/bench/modules",
                         "BACKPLANE_DATA_DIR": f"{ctx.source}/configs"}
