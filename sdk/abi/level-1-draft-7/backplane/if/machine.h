/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/if/machine.h - bp.machine/1: what a platform device may know of and ask from the
 * machine as a whole; bp.power/1 and bp.refresh/1: what the machine asks of a plugin.
 */
#ifndef BACKPLANE_IF_MACHINE_H
#define BACKPLANE_IF_MACHINE_H

#include <backplane/base.h>

#define BP_IF_MACHINE "bp.machine/1"

struct bp_machine_info {
    uint32_t size;
    uint32_t cpus;                    /* APIC ids are 0 to cpus - 1 */
    uint64_t ram_low;                 /* bytes of RAM from address 0 */
    uint64_t ram_high;                /* bytes of RAM from 4 GiB */
    uint64_t mmio32_base, mmio32_len; /* for a bus to place devices in, below 4 GiB */
    uint64_t mmio64_base, mmio64_len; /* the same above RAM, below the host's physical limit */
    uint32_t gsis;                    /* input pins of the I/O APIC */
    uint32_t lapic_base, ioapic_base; /* physical addresses */
    uint32_t flags;
};

/* bp_machine_info.flags */
enum {
    BP_MACHINE_FIRMWARE = 1, /* boots a firmware image, not a kernel */
    BP_MACHINE_LINUX = 2,    /* boots a Linux bzImage: a kernel that goes by the ACPI tables */
};

/* One range of map(): RAM is type 1, the others are BP_E820_*. */
struct bp_machine_range {
    uint32_t size, type;
    uint64_t base, len;
};

/* shadow() */
enum {
    BP_SHADOW_READ = 1,  /* reads come from RAM */
    BP_SHADOW_WRITE = 2, /* writes go to RAM; otherwise nowhere */
};

/* request() */
enum {
    BP_REQ_POWEROFF = 1000,
    BP_REQ_RESET = 2000,
    BP_REQ_EXIT = 3000,  /* ends the program with status arg (0-255) */
    BP_REQ_FAULT = 4000, /* the guest cannot go on */
};

/* reserve() types, as in the E820 map */
enum {
    BP_E820_RESERVED = 2,
    BP_E820_ACPI = 3,
    BP_E820_NVS = 4,
};

struct bp_machine_if {
    uint32_t size, flags;
    /* [ctx] */
    int (*info)(bp_inst, struct bp_machine_info *ret_info);
    /* Carried out soon, by the main loop; the first request wins. [any] */
    int (*request)(bp_inst, uint32_t what, uint32_t arg);
    /* Marks a range in the map that the kernel is given. [realize] */
    int (*reserve)(bp_inst, uint64_t base, uint64_t len, uint32_t type);
    /*
     * Publishes a number that the boot protocol hands to the kernel. Known keys: "acpi.rsdp", the
     * guest physical address of the RSDP. Others are kept for lookup(). [ctx], until start()
     */
    int (*publish)(bp_inst, const char *key, uint64_t value);
    int (*lookup)(bp_inst, const char *key, uint64_t *ret_value);
    /* Sets aside a range of the 32-bit MMIO window, aligned to len's power of two. [realize] */
    int (*claim)(bp_inst, uint64_t len, uint64_t *ret_base);
    /* The index-th range of the map that a kernel is given, ascending, with what was reserved;
     * BP_E_RANGE past the last. [ctx], from start() on */
    int (*map)(bp_inst, uint32_t index, struct bp_machine_range *ret_range);
    /*
     * For a chip set that shadows firmware: what the guest reaches in [base, base + len), multiples
     * of 16 KiB from 0xc0000 to 1 MiB. BP_SHADOW_READ: RAM, otherwise what lies there on the bus,
     * which from 0xe0000 on is the end of the firmware image. The first call, in realize(), makes
     * the area switchable and the instance its owner; where nobody asks, RAM is all there is.
     * BP_E_BUSY: another instance is the owner. [ctx]
     */
    int (*shadow)(bp_inst, uint64_t base, uint64_t len, uint32_t access);
};

/* Provided by a plugin that can tell the guest that the power button was pressed. */
#define BP_IF_POWER "bp.power/1"
struct bp_power_if {
    uint32_t size, flags;
    int (*button)(void *self); /* [ctx] */
};

/* Provided by a plugin that can look at its host resource again (SIGHUP), e.g. a grown file. */
#define BP_IF_REFRESH "bp.refresh/1"
struct bp_refresh_if {
    uint32_t size, flags;
    int (*refresh)(void *self); /* [ctx] */
};

#endif
