# SPDX-License-Identifier: BSD-3-Clause
"""Start: from exec to the guest's first instruction, with few and with many plugins."""
import re
import shutil
import time

import machines
import tiny

NAME = "start"
IMAGES = ()
# What a config of so many plugins has. The three of "5" are the platform's acpi and rtc, the serial
# port and its back end; a back end in short form counts, for it is a shared object of its own.
ONE = "bench-regions mark { mark = 0x3f8 }\n"
FIVE = "virtio-rng rng0 { }\n"
MANY = """vga vga0 {{ }}
fw-cfg fw {{ }}
debug-exit exit0 {{ }}
debug-console log0 {{ chardev = "file:{folder}/console.log" }}
char-file lines {{ path = "{folder}/lines" }}
char-pty terminal {{ }}
char-socket agent {{ path = "{folder}/socket" }}
virtio-console console0 {{ chardev = lines  ports = {{ terminal, agent }} }}
block-file disk {{ path = "{folder}/disk" }}
virtio-blk disk0 {{ drive = disk }}
net-user wire {{ }}
virtio-net net0 {{ netdev = wire }}
virtio-rng rng0 {{ }}
virtio-rng rng1 {{ }}
bench-regions regions0 {{ count = 1 }}
serial com2 {{ port = 0x2f8  irq = 3  chardev = "pty" }}
"""
PAUSE = 0.2  # seconds


def cases(place, ctx):
    del place, ctx
    return ["5 plugins", "1 plugin", "25 plugins"]


def contenders(place, case, ctx):
    """The peers beside the config that does what they do."""
    del place, ctx
    if case != "5 plugins":
        return ["backplane-microvm"] if case.startswith("1 ") else ["backplane-pc"]
    return ["bare"] + machines.usual()


def rounds(place, case, ctx):
    del case
    return 1 if ctx.quick else 9 if place == "here" else 5


def command(ctx):
    if ctx.case == "5 plugins":
        return tiny.command(ctx, sections=FIVE if ctx.who == "backplane-microvm" else "")
    argv = tiny.command(ctx)
    elf = ctx.file("guest.elf")
    head = f'machine {{ memory = "{tiny.MIB}M" }}\nboot {{ kernel = "{elf}" }}\n'
    if ctx.case == "1 plugin":
        text = head + ONE
    else:
        with open(ctx.file("disk"), "wb") as file:
            file.truncate(1 << 20)
        text = (head + 'include("platform/pc.conf")\nserial com1 { chardev = "stdio" }\n'
                + MANY.format(folder=ctx.folder))
    with open(argv[-1], "w", encoding="utf-8") as file:
        file.write(text)
    ctx.note_config(text)
    return argv


def run(ctx):
    argv = command(ctx)
    if ctx.turn == 0:
        tiny.watch(ctx, argv, ["@A"])  # what lies in files is in memory for all
    # The kernel goes on taking the machine before apart when its process is gone, and one that is made
    # meanwhile waits for that.
    time.sleep(PAUSE)
    first = tiny.watch(ctx, argv, ["@A"])[0]
    ctx.sample("time", first["us"], "us")
    ctx.sample("CPU", first["cpu_us"], "us")
    ctx.sample("page faults", first["faults"], "")
    if ctx.turn == 0 and shutil.which("strace"):
        ctx.sample("system calls", system_calls(ctx, argv), "")


def system_calls(ctx, argv):
    """As strace saw them until the guest's first byte was written."""
    path = ctx.file("strace")
    tiny.watch(ctx, ["strace", "-f", "-qq", "-o", path] + argv, ["@A"])
    count = 0
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if re.match(r"\d+ +[a-z]\w*\(", line):
                count += 1
            if re.search(r'write\(1, "@|writev\(1, \[\{iov_base="@', line):
                break
    return count
