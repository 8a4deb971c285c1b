/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/if/io.h - bp.io/1: regions of I/O ports and memory-mapped registers, and doorbells.
 *
 * A service of the core. Accesses that no region claims read as all ones and write to nowhere.
 * Handlers run on the vCPU's thread with no lock of the core's held but the instance's own (none
 * for BP_C_PARALLEL), so they may place and unplace regions, their own included.
 */
#ifndef BACKPLANE_IF_IO_H
#define BACKPLANE_IF_IO_H

#include <backplane/base.h>

#define BP_IF_IO "bp.io/1"

struct bp_region_ops {
    uint32_t size, flags;
    /*
     * width is 1, 2, 4 or 8 and off + width within the region; off need not be aligned. The core
     * splits accesses that leave the region and repeats string instructions. self and id are the
     * region's. A read returns its value in the low width bytes.
     */
    uint64_t (*read)(void *self, uint32_t id, uint64_t off, uint32_t width);
    void (*write)(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width);
};

/* bp_region_desc.kind */
enum {
    BP_REGION_PIO = 1000,
    BP_REGION_MMIO = 2000,
    BP_REGION_BUS = 3000, /* never placed: reached only through access(), e.g. by a bus bridge */
};

enum {
    /* Writes need not be finished when the guest goes on: they come in order, before any later
     * access of the guest's that exits to user space, to this region or another. For registers
     * whose writes have no effect of their own, such as an index. */
    BP_REGION_POSTED = 1,
};

struct bp_region_desc {
    uint32_t size;
    uint32_t id; /* given back to the handlers */
    uint32_t kind, flags;
    uint64_t len;
    const char *name; /* unique within the instance */
    const struct bp_region_ops *ops;
    void *self; /* given to ops; NULL = the instance's own (a library under it has another) */
};

#define BP_IO_NOWHERE UINT64_MAX       /* place(): take it off the bus */
#define BP_IO_AUTO    (UINT64_MAX - 1) /* place(): the core chooses a free range of the platform's */

struct bp_io_if {
    uint32_t size, flags;
    /* Makes a region, not yet placed. BP_E_EXIST: name taken; BP_E_INVAL. [realize] */
    int (*region)(bp_inst, const struct bp_region_desc *, bp_region *ret_region);
    /*
     * Puts it at base, moves it there, takes it off (BP_IO_NOWHERE). BP_E_BUSY: the range overlaps
     * another region or RAM, and the region stays where it was; during realize the core then also
     * attaches a text that names both sides. A PCI BAR is placed by the bus. [ctx]
     */
    int (*place)(bp_inst, bp_region, uint64_t base);
    /* Where it is, BP_IO_NOWHERE when nowhere. [ctx] */
    uint64_t (*where)(bp_inst, bp_region);
    /*
     * A write of width bytes (0 = any width) at off becomes event(cookie, BP_EV_DOORBELL) on the
     * instance's context instead of a call of ops->write, with no exit to user space where KVM
     * allows it. match >= 0: only for that value. Several writes may make one event. The doorbell
     * follows the region when it moves. close() of bp.event/1 removes it. [realize]
     */
    int (*doorbell)(bp_inst, bp_region, uint64_t off, uint32_t width, int64_t match,
                    uint32_t cookie, bp_event *ret_event);
    /*
     * A bus bridge forwards an access into a region of dev, placed or not, as if the guest had made
     * it; write: *val is written, otherwise read into. The device's lock is taken, so a bridge must
     * hold none that the device's own calls into the bridge would need. [ctx]
     */
    int (*access)(bp_inst dev, bp_region, uint64_t off, uint32_t width, uint32_t write,
                  uint64_t *val);
    /*
     * A doorbell as an eventfd, for a kernel back end such as vhost. taken: *ret_fd, the caller's
     * to close, is signalled when the doorbell is rung, and event() is not called for it any more
     * (but for a ring that is on its way). Not taken, ret_fd may be NULL: event() comes again, and
     * once for what may have been rung meanwhile. The counter is nobody's to read. BP_E_NOTSUP.
     * [ctx]
     */
    int (*doorbell_fd)(bp_inst, bp_event doorbell, uint32_t taken, int *ret_fd);
};

#endif
