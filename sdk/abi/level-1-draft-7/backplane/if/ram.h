/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/if/ram.h - bp.ram/1: memory of a device's own that the guest reaches without an exit,
 * as RAM (video memory) or as ROM (an option ROM).
 */
#ifndef BACKPLANE_IF_RAM_H
#define BACKPLANE_IF_RAM_H

#include <backplane/base.h>

#define BP_IF_RAM "bp.ram/1"

enum {
    BP_RAM_ROM = 1,   /* the guest's writes are dropped */
    BP_RAM_DIRTY = 2, /* keep a dirty log */
};

#define BP_RAM_NOWHERE UINT64_MAX

struct bp_ram_if {
    uint32_t size, flags;
    /*
     * len bytes (a multiple of 4 KiB) of zeroed memory at *ret_p, not yet visible to the guest.
     * BP_E_NOMEM, BP_E_EXIST for a second one of the same name. [realize]
     */
    int (*create)(bp_inst, const char *name, uint64_t len, uint32_t flags, bp_ram *ret_ram,
                  void **ret_p);
    /*
     * Shows it at gpa (a multiple of 4 KiB), moves it there, or hides it (BP_RAM_NOWHERE).
     * BP_E_BUSY: something else is there; it stays where it was. [ctx]
     */
    int (*place)(bp_inst, bp_ram, uint64_t gpa);
    /*
     * Fetches and clears the dirty log of [off, off + len): one bit a 4 KiB page, least significant
     * first, in ret_bits of at least bytes bytes. Returns the number of dirty pages. [ctx]
     */
    int (*dirty)(bp_inst, bp_ram, uint64_t off, uint64_t len, void *ret_bits, uint64_t bytes);
    /*
     * A second way to the bytes [off, off + len) of ram (multiples of 4 KiB): it has a name, a
     * place and a dirty log of its own, e.g. a window of old on video memory. What is written
     * through one is in the log of that one only. flags: as of create(). BP_E_INVAL: not a part of
     * ram. [realize]
     */
    int (*alias)(bp_inst, const char *name, bp_ram ram, uint64_t off, uint64_t len, uint32_t flags,
                 bp_ram *ret_ram);
};

#endif
