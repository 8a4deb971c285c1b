/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e820.h - the memory map that a guest is told: what is RAM and what is not.
 *
 * Starts from the RAM of a struct memory with the fixed reservations of a PC; anybody adds ranges
 * that must not be used as RAM. The result is sorted and never overlaps. Where two ranges meet, the
 * higher type wins, as it does in Linux, so the order of calls does not matter.
 */
#ifndef CORE_MEMORY_E820_H
#define CORE_MEMORY_E820_H

#include <stdbool.h>
#include <stdint.h>

#include "core/memory/memory.h"

enum e820_type {
    E820_RAM = 1,
    E820_RESERVED = 2,
    E820_ACPI = 3, /* reclaimable once the tables were read */
    E820_NVS = 4,
    E820_UNUSABLE = 5,
};

#define E820_EBDA     UINT64_C(0x9fc00) /* reserved from here to 1 MiB */
#define E820_LOW_BASE UINT64_C(0x100000)

struct e820_entry {
    uint64_t base, len;
    uint32_t type; /* enum e820_type */
};

struct e820;

/*
 * RAM of mem, less 0x9fc00-0x100000, and a reservation from MEMORY_IDENTITY_MAP_ADDR to 4 GiB (ROM
 * and KVM's own pages). Does not keep mem.
 */
struct e820 *e820_new(const struct memory *mem);
void e820_free(struct e820 *map);

/* Add a range that is not plain RAM. -EINVAL: empty, past 2^64, or of type RAM. */
int e820_reserve(struct e820 *map, uint64_t base, uint64_t len, uint32_t type)
    __attribute__((warn_unused_result));

/* The map; the array lives until the next call on it. */
const struct e820_entry *e820_entries(struct e820 *map, unsigned *ret_n);

/* True when every byte is RAM. */
bool e820_is_ram(struct e820 *map, uint64_t base, uint64_t len);

#endif
