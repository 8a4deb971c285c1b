# SPDX-License-Identifier: BSD-3-Clause
"""What KVM did, counted by the kernel's own tracepoints, which are the same for every hypervisor."""
import collections
import os
import re
import subprocess

ROOT = "/sys/kernel/tracing"
# Nested page faults, but for accesses to what is no memory: KVM has those fault by a reserved bit.
FAULTS = "hist:keys=common_pid if !(error_code & 8)"
EVENTS = ("kvm_exit", "kvm_mmio", "kvm_userspace_exit")
EVENT = re.compile(r"-(\d+) +\[\d+\].*?: (kvm_exit|kvm_mmio|kvm_userspace_exit): (.*)")
SVM_IO, VMX_IO = 0x7B, 30


def available():
    if not os.path.exists(f"{ROOT}/events"):
        subprocess.run(["mount", "-t", "tracefs", "none", ROOT], stderr=subprocess.DEVNULL, check=False)
    return os.access(f"{ROOT}/events/kvm/kvm_userspace_exit/enable", os.W_OK)


def put(name, text):
    with open(f"{ROOT}/{name}", "w", encoding="ascii") as file:
        file.write(text)


class Trace:
    """Between start() and stop(): exits to user space by who caused them, and page faults."""

    def start(self):
        put("tracing_on", "0")
        put("buffer_size_kb", "16384")
        put("trace", "")
        # Of the exits from the guest those that access a port: they say which.
        put("events/kvm/kvm_exit/filter", f"exit_reason == {SVM_IO} || exit_reason == {VMX_IO}")
        for event in EVENTS:
            put(f"events/kvm/{event}/enable", "1")
        put("events/kvm/kvm_page_fault/trigger", FAULTS)
        put("tracing_on", "1")

    def stop(self):
        put("tracing_on", "0")
        with open(f"{ROOT}/events/kvm/kvm_page_fault/hist", encoding="ascii") as file:
            faults = re.search(r"Hits: (\d+)", file.read())
        put("events/kvm/kvm_page_fault/trigger", "!" + FAULTS)
        for event in EVENTS:
            put(f"events/kvm/{event}/enable", "0")
        put("events/kvm/kvm_exit/filter", "0")
        with open(f"{ROOT}/trace", encoding="ascii", errors="replace") as file:
            causes = count(file)
        put("trace", "")
        return causes, int(faults.group(1)) if faults else 0


def port_of(text):
    """The port and direction in a kvm_exit event: SVM's EXITINFO1 or VMX' exit qualification."""
    info = int(re.search(r"info1 0x([0-9a-f]+)", text).group(1), 16)
    read = info & (8 if "IO_INSTRUCTION" in text else 1)
    return f"port {info >> 16 & 0xffff:#x} {'read' if read else 'write'}"


def count(lines):
    """Exits by cause: for an access, the last one that the thread made before it came out."""
    last = {}
    causes = collections.Counter()
    for line in lines:
        match = EVENT.search(line)
        if not match:
            continue
        thread, event, text = match.groups()
        if event == "kvm_exit":
            last[thread, "io"] = port_of(text)
        elif event == "kvm_mmio":
            address = int(re.search(r"gpa 0x([0-9a-f]+)", text).group(1), 16)
            last[thread, "mmio"] = f"mmio {address & ~0xfff:#x} {'write' if 'mmio write' in text else 'read'}"
        else:
            reason = text.split()[1].removeprefix("KVM_EXIT_").lower()
            causes[last.get((thread, reason), reason)] += 1
    return causes
