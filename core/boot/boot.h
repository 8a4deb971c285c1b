/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * boot.h - puts a kernel or a firmware image into guest memory and says how the first CPU starts.
 *
 * Owns the boot protocols: Linux bzImage (64-bit entry, 32-bit where that is all a kernel has),
 * PVH ELF, multiboot 1 (ELF and a.out fields), firmware ending at 4 GiB. It must not know KVM: the
 * CPU's initial state is a plain description that somebody else applies.
 *
 *     boot = boot_new(&config, mem, &error);          opens the files, once
 *     boot_load(boot, e820, rsdp, &entry, &error);    first start
 *     ...                                             the guest asks for a reboot
 *     memory_reset(mem); (devices write their tables again)
 *     boot_load(boot, e820, rsdp, &entry, &error);    the same files, also when renamed meanwhile
 *     boot_free(boot);                                before memory_free()
 *
 * The files are read with pread straight into guest memory. They are untrusted: everything in them
 * is checked, and each fault is one GError, CORE_ERROR_CONFIG, `PATH: what is wrong; what to do`.
 * One thread at a time; vCPUs do not run meanwhile. `check` makes the same two calls without KVM.
 */
#ifndef CORE_BOOT_BOOT_H
#define CORE_BOOT_BOOT_H

#include <glib.h>
#include <stdint.h>

#include "core/memory/e820.h"
#include "core/memory/memory.h"

struct boot_module {
    const char *path;
    const char *string; /* the module's command line; NULL: none */
};

/* Either kernel or firmware; the others go with a kernel. NULL: not given. */
struct boot_config {
    const char *kernel;
    const char *initrd; /* PVH and multiboot: the first module */
    const char *cmdline;
    const struct boot_module *modules; /* PVH and multiboot only */
    unsigned n_modules;
    const char *firmware;
};

enum boot_mode {
    BOOT_RESET,     /* real mode at the reset vector: what a vCPU is after its creation */
    BOOT_PROTECTED, /* 32-bit, flat segments, paging off */
    BOOT_LONG,      /* 64-bit, paging on, page tables in guest memory */
};

/* A segment register with its hidden part, in the terms of KVM and of the manuals. */
struct boot_segment {
    uint64_t base;
    uint32_t limit; /* in bytes, the granularity bit already applied */
    uint16_t selector;
    uint8_t type, present, dpl, db, s, l, g;
};

/*
 * The state of the boot CPU. All of it is meant, zeroes too; registers without a field are as after
 * a CPU reset (r8-r15 are 0). Other CPUs wait for their INIT and start-up interrupts.
 */
struct boot_entry {
    enum boot_mode mode;
    uint64_t rip, rflags, rsp, rbp, rax, rbx, rcx, rdx, rsi, rdi;
    struct boot_segment cs, data, tr, ldt; /* data: ds, es, fs, gs and ss */
    uint64_t gdt_base, idt_base;
    uint16_t gdt_limit, idt_limit;
    uint64_t cr0, cr3, cr4, efer;
    char protocol[48]; /* for messages: "Linux 64-bit boot protocol 2.15" */
};

struct boot;

/* Opens every file that the config names. Keeps mem, copies the config. NULL: see error. */
struct boot *boot_new(const struct boot_config *config, struct memory *mem, GError **error)
    __attribute__((warn_unused_result));
void boot_free(struct boot *boot);
/* The kernel looks like a Linux bzImage: it takes what it has to know from ACPI. */
bool boot_is_linux(const struct boot *boot);

/*
 * Load. The RAM that e820 says is free is used; RAM need not be zero before. rsdp is the guest
 * address of the ACPI root pointer, 0 for none. On failure *ret_entry is untouched and RAM is in
 * any state.
 */
gboolean boot_load(struct boot *boot, struct e820 *e820, uint64_t rsdp,
                   struct boot_entry *ret_entry, GError **error)
    __attribute__((warn_unused_result));

#endif
