/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/if/block.h - bp.block/1: what a block back end gives to a device.
 *
 * Got with link(inst, "drive", BP_IF_BLOCK, ...). A back end serves one device, on that device's
 * context. Offsets and lengths are bytes. `be` is bp_link.self.
 */
#ifndef BACKPLANE_IF_BLOCK_H
#define BACKPLANE_IF_BLOCK_H

#include <backplane/base.h>

#define BP_IF_BLOCK "bp.block/1"

/* bp_block_req.op */
enum {
    BP_BLOCK_READ = 1000,
    BP_BLOCK_WRITE = 2000,
    BP_BLOCK_FLUSH = 3000,   /* what was completed before is durable when done */
    BP_BLOCK_DISCARD = 4000, /* contents undefined afterwards */
    BP_BLOCK_ZERO = 5000,    /* reads as zeroes afterwards */
};

/* bp_block_req.flags */
enum {
    BP_BLOCK_UNMAP = 1, /* ZERO: may free the space */
};

/* bp_block_info.features */
enum {
    BP_BLOCK_CAN_FLUSH = 1, /* has a volatile cache */
    BP_BLOCK_CAN_DISCARD = 2,
    BP_BLOCK_CAN_ZERO = 4,
    BP_BLOCK_READONLY = 8,
};

struct bp_block_info {
    uint32_t size;
    uint32_t block_size; /* smallest unit for offset and len: 512 to 64K, a power of two */
    uint64_t bytes;      /* capacity; a multiple of block_size */
    uint32_t features;
    uint32_t physical_size; /* preferred unit, a multiple of block_size */
    uint32_t max_iov;       /* longest iovec; 0 = any */
    uint32_t mem_align;     /* alignment that buffers should have; others are copied */
};

/*
 * Belongs to the device from allocation to done(); the back end may use `backend` in between. iov
 * is host memory (guest memory that is mapped) and valid until done().
 */
struct bp_block_req {
    uint32_t size, op;
    uint32_t flags;
    uint32_t n_iov;
    uint64_t offset, len;
    const struct bp_iovec *iov; /* READ, WRITE: their lengths add up to len */
    /* Called exactly once for each accepted request, on the device's context, never from within
     * submit(); it may come from within commit(). result: 0 or BP_E_*. */
    void (*done)(struct bp_block_req *, int result);
    void *user;
    uint64_t backend[6];
};

/* What the device gives to the back end with attach(). */
struct bp_block_client {
    uint32_t size, flags;
    void *user;
    /* The back end's bp_block_info has changed (resize). Optional. */
    void (*changed)(void *user);
    /* A batch of done() calls is over: interrupts may be sent now. Follows every done(), never
     * from within submit(). Optional. */
    void (*completed)(void *user);
};

struct bp_block_if {
    uint32_t size, flags;
    /* [ctx] */
    int (*info)(void *be, struct bp_block_info *ret_info);
    /* Once, before the first request; NULL detaches, and until then the client stays as and where
     * it is. BP_E_BUSY: another device has it. [ctx] */
    int (*attach)(void *be, const struct bp_block_client *);
    /*
     * 0: accepted, done() will follow. BP_E_AGAIN: full; try again after a done(). Another error:
     * nothing was started and done() will not be called. Requests outside the capacity or not in
     * block_size units get BP_E_RANGE. Requests may complete in any order. [ctx]
     */
    int (*submit)(void *be, struct bp_block_req *);
    /* Requests since the last commit() may be waiting for it: call after each batch. What is done
     * by then may be completed from here. [ctx] */
    void (*commit)(void *be);
};

#endif
