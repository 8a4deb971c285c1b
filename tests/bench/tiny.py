# SPDX-License-Identifier: BSD-3-Clause
"""The tiny guest of guest.S: its images with phases filled in, and stopwatch around who runs it."""
import json
import struct
import subprocess

import machines
import process

MARK = b"BENCHPAR"
KINDS = {"port write": 1, "port read": 2, "MMIO write": 3, "MMIO read": 4}
MIB = 64


def image(ctx, name, phases=()):
    """A copy of guest.elf or guest.bin with these phases: (kind, address, how often)."""
    with open(ctx.tool(name), "rb") as file:
        data = bytearray(file.read())
    at = data.index(MARK) + len(MARK)
    for kind, address, times in phases:
        data[at:at + 12] = struct.pack("<III", KINDS[kind], address, times)
        at += 12
    path = ctx.file(name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def command(ctx, phases=(), sections=""):
    """The tiny guest under ctx.who; "bare" is the loop that knows no device."""
    elf = image(ctx, "guest.elf", phases)
    if ctx.who == "bare":
        argv = [ctx.tool("bare-loop"), elf]
    else:
        argv = machines.command(ctx.who, machines.Machine(kernel=elf, flat=image(ctx, "guest.bin", phases), mib=MIB,
                                                          sections=sections), ctx)
    ctx.note_command(argv)
    return argv


def watch(ctx, argv, marks, *options):
    """stopwatch's readings, one for each mark."""
    with subprocess.Popen([ctx.tool("stopwatch"), *options, *marks, "--", *argv], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=machines.environment(ctx), text=True) as stopwatch:
        try:
            text, errors = stopwatch.communicate()
        except BaseException:
            stopwatch.terminate()  # it ends what it started
            raise
    if stopwatch.returncode:
        raise process.Died(f"{ctx.who} did not say {' '.join(marks)}: {errors[-400:]}")
    return json.loads(text)
