/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bus.h - I/O ports and memory-mapped registers: who answers at which address.
 *
 * Owns the regions that handlers answer for, the two look-up structures (a table of 65536 ports, a
 * sorted array of MMIO ranges), and doorbells. It makes no ioctl: the VM is a function pointer,
 * without which doorbells still work, in user space. It must not know what a region is for.
 *
 * Threads. Dispatch takes no lock of the bus's. Each thread that dispatches (a vCPU) has a struct
 * bus_reader; look-up structures are replaced, never changed, and what was replaced is freed when
 * no reader that could still see it is inside. Making, placing, moving and freeing regions and
 * doorbells is [any], also from inside a handler, that of the same region included; the bus's own
 * lock is a leaf and never held across a handler.
 * Around a handler the region's lock is taken, if it has one. An access that was looked up before
 * its region moved may reach the handler just after the move, as on real hardware; it never reaches
 * it after bus_region_free(), provided that the region has a lock and the caller holds it. Owners
 * of regions without a lock, and whoever frees such a lock, call bus_sync() in between.
 *
 * Accesses. Handlers see widths 1, 2, 4 and 8 with off + width inside the region, at any
 * alignment. What crosses the end of a region is split; what no region claims reads as ones and is
 * dropped when written.
 */
#ifndef CORE_BUS_BUS_H
#define CORE_BUS_BUS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum bus_space {
    BUS_PIO,
    BUS_MMIO,
    BUS_INDIRECT, /* never placed: reached only through bus_access() */
};

#define BUS_NOWHERE UINT64_MAX

struct bus;
struct bus_reader;
struct bus_region;
struct bus_doorbell;

/* Name of whatever else (RAM) covers part of an MMIO range, or NULL. Called under the bus's lock.
 */
typedef const char *(*bus_overlap_fn)(void *ctx, uint64_t gpa, uint64_t len);

/* What the kernel can do about writes; vm_bus_ops are these. 0 or -errno. */
struct bus_kernel_ops {
    /* A write of width bytes (0: any) to addr, of the value match (< 0: any), is a write to the
     * eventfd fd; or no longer is. */
    int (*ioeventfd)(void *ctx, bool assign, bool pio, uint64_t addr, uint32_t width, int64_t match,
                     int fd);
    /* The guest need not wait for writes to [addr, addr + len); or must again. They are dispatched
     * in order, before any access by any vCPU that ends in user space later. */
    int (*post)(void *ctx, bool assign, bool pio, uint64_t addr, uint64_t len);
};

/* overlap may be NULL. */
struct bus *bus_new(bus_overlap_fn overlap, void *ctx);
/* Frees also the regions that are still there; readers must have been freed. */
void bus_free(struct bus *bus);

/* Doorbells and posted regions go to the kernel from now on, those already placed included; one
 * that the kernel does not take stays in user space. [main] */
void bus_attach(struct bus *bus, const struct bus_kernel_ops *ops, void *ctx);
/* Takes all of them back from the kernel. [main] */
void bus_detach(struct bus *bus);

/* ---- Regions -------------------------------------------------------------------------------- */

struct bus_region_config {
    enum bus_space space;
    bool posted;      /* the guest need not wait for writes */
    uint64_t len;     /* 1 or more, at most 0x10000 for ports */
    const char *name; /* for messages and statistics, e.g. "disk0: notify"; copied */
    /* NULL: reads as ones; NULL: ignored. self and id are handed back to them. */
    uint64_t (*read)(void *self, uint32_t id, uint64_t off, uint32_t width);
    void (*write)(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width);
    void *self;
    uint32_t id;
    GMutex *lock; /* taken around the handlers; NULL: they may run at once on several threads */
};

/* A region that is nowhere yet. -EINVAL: len. [any] */
int bus_region_new(struct bus *bus, const struct bus_region_config *config,
                   struct bus_region **ret_region) __attribute__((warn_unused_result));

/* Takes it off the bus and removes its doorbells. NULL is fine. See above for locks. [any] */
void bus_region_free(struct bus_region *region);

/*
 * Put it at base, taking it from where it was; BUS_NOWHERE takes it off. Doorbells go along. [any]
 *  -EINVAL  the end is beyond the address space, or the region is BUS_INDIRECT
 *  -EBUSY   another region, a reservation or RAM covers part of it (bus_overlap() says which);
 *           the region stays where it was
 */
int bus_region_place(struct bus_region *region, uint64_t base) __attribute__((warn_unused_result));

uint64_t bus_region_base(const struct bus_region *region); /* BUS_NOWHERE: not placed. [any] */
uint64_t bus_region_len(const struct bus_region *region);
enum bus_space bus_region_space(const struct bus_region *region);
const char *bus_region_name(const struct bus_region *region);

/* Keep regions out of a range that is answered elsewhere (by the kernel's own chips). [main] */
int bus_reserve(struct bus *bus, enum bus_space space, uint64_t base, uint64_t len,
                const char *name) __attribute__((warn_unused_result));

/* Name of what covers part of [base, base + len): a region other than except (may be NULL), a
 * reservation, RAM; or NULL. Good until that region is freed. [any] */
const char *bus_overlap(struct bus *bus, enum bus_space space, uint64_t base, uint64_t len,
                        const struct bus_region *except);

/* Lowest free range of len bytes in [lo, hi), hi excluded, aligned to align (a power of two; 0:
 * len rounded up to one). -ENOSPC, -EINVAL. Nothing is set aside: place the region next. [any] */
int bus_find_free(struct bus *bus, enum bus_space space, uint64_t lo, uint64_t hi, uint64_t len,
                  uint64_t align, uint64_t *ret_base) __attribute__((warn_unused_result));

/* ---- Doorbells ------------------------------------------------------------------------------ */

/*
 * A write of width bytes (1, 2, 4, 8; 0: any) at off, of the value match if that is >= 0, is a
 * write to the eventfd instead of a call of the region's write(). fd stays the caller's and open
 * until the removal. -EINVAL: outside the region, or no such width; -EEXIST: that write already is
 * a doorbell. [any]
 */
int bus_doorbell_add(struct bus_region *region, uint64_t off, uint32_t width, int64_t match, int fd,
                     struct bus_doorbell **ret_bell) __attribute__((warn_unused_result));
/* Afterwards fd is not written any more, neither by the kernel nor by a dispatch that is going on.
 * NULL is fine, and so is a region that was freed before. [any] */
void bus_doorbell_remove(struct bus_doorbell *bell);

/* ---- Access --------------------------------------------------------------------------------- */

/* One for each thread that dispatches; used by that thread alone. */
struct bus_reader *bus_reader_new(struct bus *bus);
void bus_reader_free(struct bus_reader *reader);

/* The guest's access: count transfers of width bytes (1, 2, 4) between a port and data, in order.
 * reader is a struct bus_reader *, its type hidden so that this is a vcpu_ops.pio. */
void bus_dispatch_pio(void *reader, uint16_t port, unsigned width, unsigned count, void *data,
                      bool write);
/* The guest's access of len bytes (1-8) at gpa, aligned or not; a vcpu_ops.mmio. */
void bus_dispatch_mmio(void *reader, uint64_t gpa, void *data, unsigned len, bool write);

/*
 * Access a region directly, placed or not, as if the guest had: takes its lock, rings doorbells.
 * -EINVAL: no such width, or outside the region. [any], from no handler under the same lock
 */
int bus_access(struct bus_region *region, uint64_t off, uint32_t width, bool write, uint64_t *val)
    __attribute__((warn_unused_result));

/* Returns when every dispatch that was going on at the call is finished. Not from a handler, and
 * not with a lock that a handler may want. [any] */
void bus_sync(struct bus *bus);

/* ---- Statistics ----------------------------------------------------------------------------- */

/* Accesses by the guest that reached user space, since the beginning. */
struct bus_stat {
    const char *name; /* good until the region is freed; "(unclaimed)" for the two without */
    enum bus_space space;
    uint64_t base, len; /* base BUS_NOWHERE: not placed now */
    uint64_t reads, writes;
    uint64_t rings; /* doorbells that the kernel did not take */
};

/* Copies up to max; returns how many there are: every region, then unclaimed ports, then unclaimed
 * MMIO. [any] */
unsigned bus_stats(struct bus *bus, struct bus_stat *stats, unsigned max);

#endif
