/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * internal.h - what the files of core/bus share; nobody else includes it.
 *
 * How look-up needs no lock. What a reader follows pointers to (places, maps, doorbell lists,
 * regions) is never changed after it was published. A writer, under bus->lock, publishes a
 * replacement, then retires the old one with the number of the current epoch and starts the next.
 * A reader notes the epoch that it entered in; what was retired in an epoch is freed when no reader
 * is inside that entered in it or earlier. All of this is sequentially consistent, which on x86
 * costs a reader one locked exchange on entry.
 */
#ifndef CORE_BUS_INTERNAL_H
#define CORE_BUS_INTERNAL_H

#include <stdatomic.h>

#include "core/bus/bus.h"

#define BUS_PORTS 0x10000u

/* Where a region is. Ports point to one of these each, MMIO has them in a sorted array. */
struct bus_place {
    uint64_t base, len;
    struct bus_region *region;
};

struct bus_map {
    unsigned n;
    struct bus_place places[]; /* ascending, disjoint */
};

/* The write that a doorbell is. */
struct bus_bell {
    uint64_t off;
    uint32_t width; /* 0: any */
    int64_t match;  /* -1: any */
};

struct bus_doorbell {
    struct bus *bus;
    struct bus_region *region; /* NULL: the region was freed */
    struct bus_bell write;
    int fd;
    bool in_kernel;
};

/* Copies, so that a reader never follows a pointer to a doorbell that may be freed. */
struct bus_bells {
    unsigned n;
    struct bus_bell bells[];
};

struct bus_region {
    struct bus *bus;
    struct bus_region_config config;
    char *name;
    _Atomic uint64_t base;
    struct bus_place *port_place; /* what the ports point to; under bus->lock */
    atomic_bool gone;
    bool in_kernel;                    /* its writes are posted; under bus->lock */
    _Atomic(struct bus_bells *) bells; /* NULL: none */
    GPtrArray *doorbells;              /* under bus->lock; NULL: none */
    _Atomic uint64_t reads, writes, rings;
};

struct bus_reader {
    _Alignas(64) _Atomic uint64_t entered; /* the epoch, or 0: outside */
    struct bus *bus;
    unsigned last; /* MMIO: index of the last hit, good or not in the map of today */
};

struct bus_retired {
    struct bus_retired *next;
    uint64_t epoch;
    void *what;
    GDestroyNotify free;
};

struct bus_reservation {
    enum bus_space space;
    uint64_t base, len;
    char *name;
};

struct bus {
    _Atomic(struct bus_place *) *ports; /* BUS_PORTS of them, pages touched where used */
    _Atomic(struct bus_map *) map;
    _Atomic uint64_t epoch;  /* from 1 */
    _Atomic unsigned direct; /* threads that are no readers but look at a list of doorbells */
    _Atomic uint64_t unclaimed_reads[2], unclaimed_writes[2];

    GMutex lock; /* a leaf; everything below */
    GPtrArray *regions, *readers;
    GArray *reservations;
    struct bus_retired *retired;
    bus_overlap_fn overlap;
    void *overlap_ctx;
    const struct bus_kernel_ops *kernel; /* NULL: no VM */
    void *kernel_ctx;
};

/* reclaim.c, under bus->lock */
void bus_retire(struct bus *bus, void *what, GDestroyNotify free_fn);
void bus_reclaim(struct bus *bus, bool all);

/* doorbell.c, under bus->lock */
void bus_to_kernel(struct bus_region *region, uint64_t base);
void bus_from_kernel(struct bus_region *region, uint64_t base);
void bus_bells_orphan(struct bus_region *region);
/* Without it. Is this write a doorbell's? The caller keeps the list from being freed. */
bool bus_is_bell(struct bus_region *region, uint64_t off, uint32_t width, uint64_t val);
/* Rings the doorbell that this write is; false when it is none any more. */
bool bus_ring(struct bus_region *region, uint64_t off, uint32_t width, uint64_t val);

#endif
