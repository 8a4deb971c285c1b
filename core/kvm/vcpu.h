/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vcpu.h - virtual CPUs: a thread each, the KVM_RUN loop, pause and resume, what ended a guest.
 *
 * Life of a vCPU:
 *
 *     vm_begin_cpus -> vcpu_connect -> vcpu_start: parked -> vm_ready
 *     vcpu_set_entry (the boot CPU only)
 *     parked  -- vcpus_resume -->  runs  -- vcpus_pause -->  parked
 *     vcpus_stop -> vm_free
 *
 * A parked vCPU is outside KVM_RUN and outside every callback, and has no access of the guest's
 * half done, so the state that KVM reports is complete. All but the boot CPU (index 0) wait, in
 * KVM_RUN, for the guest to start them with INIT and start-up interrupts.
 *
 * Callbacks run on the vCPU's thread with no lock held. They may not pause or stop vCPUs; they ask
 * another thread to.
 */
#ifndef CORE_KVM_VCPU_H
#define CORE_KVM_VCPU_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/boot/boot.h"
#include "core/thread.h"

struct vm;
struct vcpu;

/* Why a vCPU stopped by itself. */
enum vcpu_stop {
    VCPU_TRIPLE_FAULT,    /* KVM_EXIT_SHUTDOWN: real hardware resets the machine */
    VCPU_SYSTEM_RESET,    /* KVM_EXIT_SYSTEM_EVENT: the guest asked for it */
    VCPU_SYSTEM_SHUTDOWN, /* the same */
    VCPU_FAULT,           /* KVM cannot go on with this guest */
};

struct vcpu_event {
    enum vcpu_stop why;
    unsigned cpu;
    const char *what;    /* one line: "KVM internal error: emulation failure (suberror 1)" */
    const char *hint;    /* what a person can do, one or two sentences; NULL: nothing to say */
    const char *dump;    /* registers and instruction bytes, lines that end in \n */
    uint64_t exits;      /* exits to user space since the machine was started or reset */
    int64_t run_time_ns; /* since then */
};

struct vcpu_ops {
    /* The guest's access to a port or to what is no memory; see bus_dispatch_pio(), _mmio(). */
    void (*pio)(void *io, uint16_t port, unsigned width, unsigned count, void *data, bool write);
    void (*mmio)(void *io, uint64_t gpa, void *data, unsigned len, bool write);
    /* The vCPU cannot go on; it parks itself after this. Everything in event dies with the call. */
    void (*stopped)(void *user, const struct vcpu_event *event);
};

struct vcpu_config {
    unsigned index;                   /* also the APIC id; 0 to what vm_begin_cpus() was told - 1 */
    const struct thread_attrs *attrs; /* NULL: default; copied */
    const struct vcpu_ops *ops;
    void *io;   /* for pio() and mmio() */
    void *user; /* for stopped() */
    /* To print the instruction bytes of a fault; may be NULL. memory_read() with its context. */
    int (*read_guest)(void *ctx, uint64_t gpa, void *buf, uint64_t len);
    void *read_ctx;
};

/* Says where the exits of a vCPU go, after vm_begin_cpus(). The VM owns it. [main] */
struct vcpu *vcpu_connect(struct vm *vm, const struct vcpu_config *config);

unsigned vcpu_index(const struct vcpu *vcpu);
uint64_t vcpu_exits(const struct vcpu *vcpu);  /* to user space since the beginning. [any] */
bool vcpu_is_current(const struct vcpu *vcpu); /* [any] */

/* Registers for the first instruction, and what all CPUs have in common then: after vm_ready(),
 * every vCPU is parked or not started. After vm_reset() again. [main] */
gboolean vcpu_set_entry(struct vcpu *vcpu, const struct boot_entry *entry, GError **error)
    __attribute__((warn_unused_result));

/* Makes the thread, which is parked or about to be. CORE_ERROR_HOST also when an affinity or
 * scheduling class is refused. [main] */
gboolean vcpu_start(struct vcpu *vcpu, GError **error) __attribute__((warn_unused_result));

/* All vCPUs of a VM at once. Not from a vCPU's thread; hold no lock that a handler may want. */
void vcpus_resume(struct vm *vm);
void vcpus_pause(struct vm *vm); /* returns when all are parked */
void vcpus_stop(struct vm *vm);  /* pause, end the threads, join them */

/* Registers as text, for `dump` of an event or a debugger; parked. The caller frees it. */
char *vcpu_dump(struct vcpu *vcpu);

#endif
