/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * internal.h - what the files of core/memory share: the regions and the published table.
 *
 * memory.c owns the map and changes it under the lock; access.c only reads the published table;
 * dirty.c owns the bitmaps.
 */
#ifndef CORE_MEMORY_INTERNAL_H
#define CORE_MEMORY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/memory/host-pages.h"
#include "core/memory/memory.h"

struct memory_region {
    /* Fixed for life. */
    struct memory *mem;
    enum memory_kind kind;
    char *name;
    uint64_t len;
    struct host_pages
        *pages; /* own, all of RAM's, or those of the region that this is an alias of */
    uint64_t pages_off;
    struct host_pages own;
    uint32_t slot; /* index in mem->regions and KVM's slot number */

    /* Under mem->lock. */
    bool placed;
    uint64_t gpa;
    unsigned log_users;
    uint64_t *kvm_dirty; /* where KVM's log is fetched to */

    /* Any thread. dirty, its words accessed atomically, is made by the first log and stays. */
    _Atomic(uint64_t *) dirty;
    atomic_bool logging;
};

struct table_entry {
    _Atomic(uint64_t) gpa, last; /* last byte, so that a region may end at 2^64 */
    _Atomic(struct memory_region *) region;
};

struct table {
    _Atomic(unsigned) n;
    struct table_entry entries[MEMORY_REGIONS_MAX];
};

struct memory {
    struct memory_config config;
    uint64_t low_end, high_end;
    struct host_pages ram;

    /*
     * The placed regions in order of address, twice. Readers use tables[seq & 1] and look at seq
     * again afterwards. The writer (under the lock) makes seq odd, rewrites tables[0] while
     * readers use tables[1], makes seq even, and rewrites tables[1]. So a reader repeats its
     * look-up when the map changed meanwhile, and never waits.
     */
    _Atomic(unsigned) seq;
    struct table tables[2];
    _Atomic(unsigned) logs; /* regions whose log is on: marking costs one load when there is none */

    struct memory_shadow *shadow; /* NULL: RAM all the way */

    pthread_mutex_t lock;
    struct memory_region *regions[MEMORY_REGIONS_MAX]; /* by slot; NULL is free */
    const struct memory_slot_ops *ops;
    void *ctx;
};

/* A look-up's result: avail bytes are contiguous from gpa, off bytes into the region. */
struct memory_hit {
    struct memory_region *region;
    uint64_t off, avail;
};
bool memory_find(struct memory *mem, uint64_t gpa, struct memory_hit *ret_hit);

static inline uint8_t *
memory_hit_host(const struct memory_hit *hit)
{
    return hit->region->pages->base + hit->region->pages_off + hit->off;
}

/* A region that shows part of pages which somebody else owns; not placed. NULL: no slot is left. */
struct memory_region *memory_region_alias(struct memory *mem, enum memory_kind kind,
                                          const char *name, struct host_pages *pages,
                                          uint64_t pages_off, uint64_t len);

/* Shortens a region of RAM that has no log from its low end, and keeps it placed. 0 or -errno. */
int memory_region_trim(struct memory_region *region, uint64_t by)
    __attribute__((warn_unused_result));

void memory_shadow_free(struct memory *mem);

/* Mark [off, off + len) of the region if its log is on. */
void memory_region_mark(struct memory_region *region, uint64_t off, uint64_t len);

static inline uint32_t
memory_slot_flags(const struct memory_region *region)
{
    return (region->kind == MEMORY_ROM ? MEMORY_SLOT_READONLY : 0) |
           (region->log_users ? MEMORY_SLOT_LOG_DIRTY : 0);
}

#endif
