/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/if/mem.h - bp.mem/1: guest memory by guest physical address.
 *
 * A service of the core (host->query). What is read is under the guest's control and may change
 * between two reads: copy once, then check, then use.
 */
#ifndef BACKPLANE_IF_MEM_H
#define BACKPLANE_IF_MEM_H

#include <backplane/base.h>

#define BP_IF_MEM "bp.mem/1"

enum {
    BP_MAP_READ = 1,
    BP_MAP_WRITE = 2,
};

struct bp_map {
    uint32_t size, prot;
    uint64_t gpa, len;
    uint64_t cookie; /* the core's */
    void *p;
};

struct bp_mem_if {
    uint32_t size, flags;
    /* Copies; may span RAM regions. BP_E_FAULT, nothing promised of buf, unless all is RAM. [any]
     */
    int (*read)(bp_inst, uint64_t gpa, void *buf, uint64_t len);
    int (*write)(bp_inst, uint64_t gpa, const void *buf, uint64_t len);
    /*
     * A pointer to [gpa, gpa + ret->len); ret->len may be shorter than len: at the end of a RAM
     * region, or as far as the host likes. Ask for UINT64_MAX to get all there is. BP_E_FAULT: no
     * RAM there; BP_E_NOTSUP: this host never maps, use read and write. Valid until unmap, at the
     * latest until quiesce() returns. [any]
     */
    int (*map)(bp_inst, uint64_t gpa, uint64_t len, uint32_t prot, struct bp_map *ret_map);
    /* dirty_len bytes at dirty_off of the mapping were written. [any] */
    int (*unmap)(bp_inst, struct bp_map *, uint64_t dirty_off, uint64_t dirty_len);
    /* The same for a mapping that is kept: says that a range was written through it. [any] */
    void (*dirty)(bp_inst, uint64_t gpa, uint64_t len);
    /*
     * Where to see, after a write, whether dirty() is of use: while the number there is 0 nobody
     * keeps a log, and a later log will not miss the write. Constant for the life of the instance.
     * NULL, as a member or a result: always call dirty(). [ctx]
     */
    const uint32_t *(*dirty_wanted)(bp_inst);
};

#endif
