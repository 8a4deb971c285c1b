/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm.h - one KVM virtual machine: its file descriptors, in-kernel chips and memory slots.
 *
 * core/kvm is the only folder with ioctl(KVM_*). It must not know devices, the bus or the memory
 * map; those are given function pointers of matching type:
 *
 *     memory_attach(mem, &vm_slot_ops, vm, &error);      guest RAM becomes slots
 *     bus_attach(bus, {vm_ioeventfd, vm_post}, vm);      doorbells become ioeventfds
 *     irqs = irq_router_new(vm);                         see irq.h
 *     vcpu_connect(vm, ...)                              see vcpu.h
 *
 * In the kernel are the local APICs, the I/O APIC (24 pins at 0xfec00000), both PICs and the PIT
 * (its speaker port 0x61 too). GSI n is IRQ n of the PICs for n < 16 and pin n of the I/O APIC,
 * but for GSI 0, the PIT's, which is pin 2 as on every PC; an ACPI MADT says so with an override
 * from 0 to 2. GSI 2 is connected to nothing.
 */
#ifndef CORE_KVM_VM_H
#define CORE_KVM_VM_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/memory/memory.h"

#define VM_LAPIC_BASE  UINT32_C(0xfee00000)
#define VM_IOAPIC_BASE UINT32_C(0xfec00000)
#define VM_GSIS        24u /* input pins of the I/O APIC */

struct vm;

/*
 * The kernel takes its time over making a VM, so a thread does it while the caller does something
 * else (builder.c):
 *
 *     vm_new             opens KVM, sees that everything needed is there, makes the VM
 *     vm_begin_memory    calls attach(), which gives the VM its memory slots
 *     vm_begin_cpus      makes the chips and the vCPUs
 *
 * Each returns at once; they come in this order, each at most once. vm_opened() waits for the
 * first, vm_ready() for all that was begun; the first error of the thread, CORE_ERROR_HOST, with
 * every reason that can be found and what to do about it, comes from them, as often as they are
 * asked. [main]
 */

/* device NULL: /dev/kvm. */
struct vm *vm_new(const char *device) __attribute__((warn_unused_result));
/* attach() runs on the thread; until vm_ready() nobody else may use what it uses without a lock. */
void vm_begin_memory(struct vm *vm, gboolean (*attach)(void *ctx, struct vm *vm, GError **error),
                     void *ctx);
/*
 * Memory slots should all be there before: one that is added within some milliseconds after the
 * chips makes the kernel wait for as long.
 */
void vm_begin_cpus(struct vm *vm, unsigned cpus);
/* TRUE: vm_ioeventfd(), vm_post(), irq_router_new(), vm_slot_ops and vm_phys_bits() may be used. */
gboolean vm_opened(struct vm *vm, GError **error) __attribute__((warn_unused_result));
/* TRUE: interrupts are connected; after vm_begin_cpus() vCPUs may be given state, and run. */
gboolean vm_ready(struct vm *vm, GError **error) __attribute__((warn_unused_result));

/* Waits for the thread; frees the vCPUs too, which have been stopped. The interrupt router has been
 * freed, memory and bus detached. NULL is fine. [main] */
void vm_free(struct vm *vm);

/*
 * Back to power-on: every vCPU, local APIC, I/O APIC, PIC and PIT as they were when they had been
 * made, the guest's clock at 0. All vCPUs are parked. vcpu_set_entry() comes next. [main]
 */
gboolean vm_reset(struct vm *vm, GError **error) __attribute__((warn_unused_result));

/* Physical address bits that a guest may use. [any] */
unsigned vm_phys_bits(const struct vm *vm);

/* Ranges that the kernel's own chips answer, needed also where there is no VM (`check`). */
struct vm_reserved {
    bool pio;
    uint64_t base, len;
    const char *name;
};
const struct vm_reserved *vm_reserved(unsigned *ret_n);

/* For memory_attach(); the context is the VM. */
extern const struct memory_slot_ops vm_slot_ops;

/* For the bus, with the VM as context; each [any]. -ENOTSUP: this KVM cannot do it. */
int vm_ioeventfd(void *vm, bool assign, bool pio, uint64_t addr, uint32_t width, int64_t match,
                 int fd);
int vm_post(void *vm, bool assign, bool pio, uint64_t addr, uint64_t len);

#endif
