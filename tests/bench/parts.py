# SPDX-License-Identifier: BSD-3-Clause
"""The parts of the benchmark, each a module part_NAME.py, and what they have in common.

A part that is in ORDER and whose file is there takes part. It has NAME, IMAGES (what guests boot
from, as calls of Context), cases(place, ctx), contenders(place, case, ctx), rounds(place, case, ctx),
and run(ctx), which measures ctx.case with ctx.who once and says what it found with ctx.sample().
"""
import functools
import importlib
import json
import lzma
import os
import subprocess
import tarfile

import machines
import process

HERE = os.path.dirname(os.path.realpath(__file__))
SOURCE = os.environ.get("top_srcdir") or os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("top_builddir") or f"{SOURCE}/build"
TRIES = 3
ORDER = ("start", "exits", "boot", "idle", "memory", "disk", "net", "models", "screen")
NAMES = [name for name in ORDER if os.path.exists(f"{HERE}/part_{name}.py")]


@functools.lru_cache
def load(name):
    return importlib.import_module(f"part_{name}")


@functools.lru_cache
def kvm_runs_linux():
    """Whether a stock kernel can be a guest at this very place."""
    return subprocess.run([f"{BUILD}/tests/nested/kvm-probe"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


class Context:
    """Where a part measures, and where its results go."""

    def __init__(self, place, quick, folder, out):
        self.place, self.quick, self.folder, self.out = place, quick, folder, out
        self.source, self.build = SOURCE, BUILD
        self.turn, self.part, self.case, self.who = 0, "", "", ""
        self.kept = []

    def begin(self, job):
        self.turn, self.part, self.case, self.who = job

    def run(self, part):
        """Once, or again when an emulated processor lost the guest; what a lost one said is dropped."""
        for attempt in range(TRIES):
            self.kept = []
            try:
                part.run(self)
                break
            except machines.Unsupported as why:
                self.kept = []
                self.record(unsupported=str(why))
                break
            except (process.Died, OSError, ValueError, subprocess.SubprocessError, tarfile.TarError) as why:
                self.kept = []
                self.record(error=str(why), attempt=attempt + 1)
                self.flush()
        self.flush()

    def flush(self):
        for record in self.kept:
            self.emit_line(record)
        self.kept = []

    # ---- what was found ----

    def emit_line(self, record):
        self.out.write(json.dumps(record) + "\n")
        self.out.flush()

    def record(self, **more):
        self.kept.append({"place": self.place, "round": self.turn, "part": self.part, "case": self.case,
                          "who": self.who} | more)

    def sample(self, metric, value, unit, case=None):
        self.record(**{"metric": metric, "value": value, "unit": unit} | ({"case": case} if case else {}))

    def note_config(self, text):
        if self.turn == 0:
            self.record(config=text)

    def note_command(self, argv):
        if self.turn == 0:
            self.record(command=argv)

    # ---- what is run ----

    def file(self, name):
        return f"{self.folder}/{name}"

    def tool(self, name):
        return f"{self.build}/tests/bench/{name}"

    def start(self, machine):
        argv = machines.command(self.who, machine, self)
        self.note_command(argv)
        return process.Running(argv, machines.environment(self), self.file("errors"))

    def blank(self, name, mib):
        """A disk image without holes."""
        path = self.file(name)
        with open(path, "wb") as file:
            for _ in range(mib):
                file.write(b"\xa5" * (1 << 20))
        return path

    def kernel(self, flavour):
        return made(f"{self.source}/tests/nested/guest", "kernel", flavour)

    def initrd(self, name, flavour="cloud"):
        return made(f"{self.source}/tests/bench/images", "initrd", name, flavour)

    def vmlinux(self, kernel):
        """The ELF file in a bzImage, for who loads no bzImage."""
        path = self.file("vmlinux")
        with open(kernel, "rb") as file:
            image = file.read()
        at = image.find(b"\xfd7zXZ\0")
        if at < 0:
            raise machines.Unsupported("this kernel is not packed with xz")
        with open(path, "wb") as file:
            file.write(lzma.LZMADecompressor().decompress(image[at:]))
        return path

    def need_images(self, names):
        """All that guests boot from; an emulated host has no network to get it by."""
        for name in names:
            for call in getattr(load(name), "IMAGES", ()):
                getattr(self, call[0])(*call[1:])


@functools.lru_cache
def made(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command)} failed")
    return done.stdout.strip()
