# SPDX-License-Identifier: BSD-3-Clause
"""A running hypervisor, seen from outside: what it prints, and what it has used so far."""
import glob
import os
import re
import select
import signal
import subprocess
import time


# Threads of virtual processors, as each hypervisor names them.
VCPU = re.compile(r"vcpu|CPU \d+/KVM|kvm-vcpu|fc_vcpu|crosvm_vcpu")


class Died(Exception):
    """It ended, or said nothing, before what was waited for."""


class Usage:
    """What a process and the kernel threads that work for it have used until now."""

    def __init__(self, pid):
        # The clock of all its threads, those that are gone included; nanoseconds.
        self.cpu = time.clock_gettime((~pid << 3) | 2)
        self.vhost = sum(time.clock_gettime((~worker << 3) | 2) for worker in vhost_workers(pid))
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        self.faults = int(fields[7]) + int(fields[9])
        self.switches = self.beside = 0  # of all threads, and of those that run no virtual processor
        for path in glob.glob(f"/proc/{pid}/task/*/status"):
            try:
                with open(path, encoding="ascii", errors="replace") as file:
                    text = file.read()
            except OSError:
                continue  # a thread that has just ended
            switches = sum(int(n) for n in re.findall(r"ctxt_switches:\s*(\d+)", text))
            self.switches += switches
            name = re.match(r"Name:\s*(.*)", text).group(1)
            self.beside += 0 if VCPU.match(name) else switches

    def since(self, before):
        """Seconds of processor time between two looks."""
        return self.cpu + self.vhost - before.cpu - before.vhost


def vhost_workers(pid):
    """The kernel's threads that move packets for a process: they are named after its threads."""
    names = {f"vhost-{task}" for task in os.listdir(f"/proc/{pid}/task")}
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                if file.read().strip() in names:
                    found.append(int(path.split("/")[2]))
        except OSError:
            pass
    return found


class Running:
    """Runs a command; its output is read when somebody waits for something in it."""

    def __init__(self, argv, env, log):
        self.output = b""
        self.errors = open(log, "wb")
        self.started = time.monotonic()
        self.process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, start_new_session=True)
        self.pid = self.process.pid
        self.log = log
        self.seen = 0
        os.set_blocking(self.process.stdout.fileno(), False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process.stdin.close()
        self.errors.close()

    def said(self):
        """The end of what it wrote, for a message."""
        with open(self.log, "rb") as file:
            text = self.output[-400:] + file.read()[-400:]
        return text.decode(errors="replace").replace("\r", "")

    def wait(self, mark, limit=120):
        """Seconds from its start until `mark` came out of it; marks come in order."""
        mark = mark.encode()
        end = time.monotonic() + limit
        while True:
            at = self.output.find(mark, self.seen)
            if at >= 0:
                self.seen = at + len(mark)
                return time.monotonic() - self.started
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Died(f"no '{mark.decode()}' in {limit} seconds:\n{self.said()}")
            got = self.process.stdout.read(65536)
            if not got:
                raise Died(f"ended before '{mark.decode()}':\n{self.said()}")
            self.output += got

    def ended(self, limit=60):
        """Seconds from its start until it was gone."""
        end = time.monotonic() + limit
        while self.process.poll() is None:
            left = end - time.monotonic()
            if left <= 0:
                raise Died(f"still there after {limit} seconds:\n{self.said()}")
            if select.select([self.process.stdout], [], [], min(left, 0.05))[0]:
                got = self.process.stdout.read(65536)
                if got:
                    self.output += got
                else:
                    self.process.wait()
        return time.monotonic() - self.started

    def pss_beside(self, guest_mib):
        """KiB of its memory (PSS) without the mappings of at least half the guest's RAM."""
        total = size = 0
        with open(f"/proc/{self.pid}/smaps", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("Size:"):
                    size = int(line.split()[1])
                elif line.startswith("Pss:") and size < guest_mib * 512:
                    total += int(line.split()[1])
        return total
