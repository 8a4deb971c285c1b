/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest.h - a small machine for tests on /dev/kvm: RAM, a bus, interrupts, vCPUs, no plugin.
 *
 * Guest code is assembled with the test, GUEST(name, bits, "instructions"), and copied into RAM.
 * It talks to the test through ports: what it writes to LOG_PORT is logged, a write to DONE_PORT
 * ends guest_wait(). Regions of a test's own go on guest->bus.
 */
#ifndef TESTS_KVM_GUEST_H
#define TESTS_KVM_GUEST_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/boot/boot.h"
#include "core/bus/bus.h"
#include "core/kvm/irq.h"
#include "core/kvm/vcpu.h"
#include "core/kvm/vm.h"
#include "core/memory/memory.h"

#define LOG_PORT  0x10
#define DONE_PORT 0x18
#define LOG_MAX   4096
#define CPUS_MAX  64

#define GUEST(name, bits, code)                                                                    \
    __asm__(".pushsection .rodata\n"                                                               \
            ".code" #bits "\n"                                                                     \
            ".balign 16\n"                                                                         \
            "guest_" #name ":\n" code "\n"                                                         \
            "guest_" #name "_end:\n"                                                               \
            ".code64\n"                                                                            \
            ".popsection\n");                                                                      \
    extern const uint8_t guest_##name[], guest_##name##_end[]

struct guest {
    struct vm *vm;
    struct memory *mem;
    struct bus *bus;
    struct irq_router *irqs;
    unsigned cpus;
    struct vcpu *vcpus[CPUS_MAX];
    struct bus_reader *readers[CPUS_MAX];
    struct bus_region *log_region, *done_region;

    GMutex lock; /* everything below */
    GCond cond;
    uint32_t log[LOG_MAX];
    unsigned logged; /* may exceed LOG_MAX; the first ones are kept */
    unsigned done;   /* writes to DONE_PORT since the last guest_wait() */
    bool stopped;    /* a vCPU cannot go on; what follows is its event */
    enum vcpu_stop why;
    unsigned stopped_cpu;
    uint64_t stopped_exits;
    char what[256], hint[512], dump[4096];
};

/* Ends the test program, skipping all of it, where there is no /dev/kvm. */
void need_kvm(void);

/* What its bus is attached with. */
extern const struct bus_kernel_ops guest_kernel_ops;

/* Parked vCPUs with nothing to run yet. Ends the program if that fails. */
struct guest *guest_new(unsigned cpus, uint64_t ram_bytes);
/* The same with attributes for the vCPUs' threads; NULL when those are refused. */
struct guest *guest_new_attrs(unsigned cpus, uint64_t ram_bytes, const struct thread_attrs *attrs,
                              GError **error);
void guest_free(struct guest *guest);

void guest_load(struct guest *guest, uint64_t gpa, const uint8_t *code, const uint8_t *end);
#define guest_load_code(guest, gpa, name)                                                          \
    guest_load((guest), (gpa), guest_##name, guest_##name##_end)

/* Real mode, flat protected mode, long mode with the first GiB and the last of 4 GiB mapped one to
 * one; the stack ends at 0x7000, tables are at 0x2000 to 0x6fff. */
void guest_start_at(struct guest *guest, unsigned bits, uint64_t rip);

/* Until the guest writes to DONE_PORT or a vCPU stops; false: the latter, or a minute passed. */
bool guest_wait(struct guest *guest);
/* Until a vCPU stops; false: a minute passed. */
bool guest_wait_stopped(struct guest *guest);
/* Until that much was logged. */
bool guest_wait_logged(struct guest *guest, unsigned n);

uint32_t guest_log_at(struct guest *guest, unsigned i);
unsigned guest_logged(struct guest *guest);
void guest_clear_log(struct guest *guest);

#endif
