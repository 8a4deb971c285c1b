/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * request.c - one request: what the driver asked for, the steps to do it, its status.
 *
 * Header, data and status may be cut into descriptors in any way (2.7.4.1). The header and the
 * segments of a discard are copied once and checked in the copy; data is never looked at. Whatever
 * is wrong with a request ends in its status byte; only a chain without room for one breaks the
 * device.
 */
#include <endian.h>
#include <string.h>

#include "virtio-blk.h"

struct header {
    uint32_t type, ioprio;
    uint64_t sector;
};

static inline __attribute__((always_inline)) void
end(struct blk_req *r, uint8_t status)
{
    uint32_t written = status == BLK_S_OK ? r->written : r->chain.in_len == 1;

    if (r->cut)
        *r->cut = r->uncut;
    *r->status = status;
    bp_virtq_push(r->queue->vq, &r->chain, written);
    queue_put(r);
}

void
request_end(struct blk_req *r, uint8_t status)
{
    end(r, status);
}

static void
submit_failed(struct blk_req *r, int err)
{
    if (err == BP_E_AGAIN)
        queue_stall(r);
    else
        request_end(r, err == BP_E_NOTSUP ? BLK_S_UNSUPP : BLK_S_IOERR);
}

static inline void
submit(struct blk_dev *d, struct blk_req *r)
{
    int err = d->block->submit(d->be, &r->io);

    if (unlikely(err)) {
        submit_failed(r, err);
        return;
    }
    d->in_flight++;
    d->uncommitted = true;
}

void
request_submit(struct blk_req *r)
{
    submit(r->queue->dev, r);
}

static void
next_segment(struct blk_req *r)
{
    const struct blk_segment *s = &req_segments(r)[r->n_segments - r->n_left--];

    r->io.offset = s->sector * BLK_SECTOR;
    r->io.len = (uint64_t)s->num_sectors * BLK_SECTOR;
    r->io.flags = r->io.op == BP_BLOCK_ZERO && (s->flags & 1) ? BP_BLOCK_UNMAP : 0;
}

/* Failures, resets, and requests of several steps. */
static void
done_slow(struct blk_dev *d, struct blk_req *r, int result)
{
    if (d->resetting) {
        request_end(r, BLK_S_IOERR);
        if (d->in_flight == 0) {
            d->resetting = false;
            bp_virtio_reset_done(d->vdev);
        }
    } else if (result < 0) {
        request_end(r, BLK_S_IOERR);
    } else if (r->n_left > 0) {
        next_segment(r);
        submit(d, r);
    } else if (r->sync) {
        r->sync = false;
        r->io.op = BP_BLOCK_FLUSH;
        submit(d, r);
    } else {
        request_end(r, BLK_S_OK);
    }
}

void
request_done(struct bp_block_req *io, int result)
{
    struct blk_req *r = io->user;
    struct blk_dev *d = r->queue->dev;

    d->in_flight--;
    if (likely(result == 0 && !d->resetting && !r->n_left && !r->sync))
        end(r, BLK_S_OK);
    else
        done_slow(d, r, result);
}

/* Is [sector, sector + len) on the disk? */
static bool
in_range(const struct blk_dev *d, uint64_t sector, uint64_t len)
{
    uint64_t capacity = d->info.bytes / BLK_SECTOR;

    return len % BLK_SECTOR == 0 && sector <= capacity && len / BLK_SECTOR <= capacity - sector;
}

static void
cut(struct blk_req *r, struct bp_iovec *iov, uint64_t front, uint64_t back)
{
    r->cut = iov;
    r->uncut = *iov;
    iov->base = (uint8_t *)iov->base + front;
    iov->len -= front + back;
}

/* Points io.iov at the data: what is left without header and status. Returns its length. */
static inline uint64_t
find_data(struct blk_req *r, uint32_t op)
{
    struct bp_iovec *iov = r->iov, *end = iov + r->chain.n_out;
    uint64_t len, skip = sizeof(struct header);

    if (op == BP_BLOCK_WRITE) {
        len = r->chain.out_len - skip;
        for (; skip > 0 && skip >= iov->len; iov++)
            skip -= iov->len;
        if (unlikely(skip > 0))
            cut(r, iov, skip, 0);
    } else {
        len = r->chain.in_len - 1;
        iov = end;
        end += r->chain.n_in - 1; /* the last has the status byte */
        if (unlikely(end->len > 1))
            cut(r, end++, 0, 1);
    }
    r->io.iov = iov;
    r->io.n_iov = (uint32_t)(end - iov);
    return len;
}

static inline void
start_transfer(struct blk_dev *d, struct blk_req *r, uint32_t op, uint64_t sector)
{
    uint64_t len = find_data(r, op);

    if (unlikely(!in_range(d, sector, len) || (op == BP_BLOCK_WRITE && d->readonly))) {
        request_end(r, BLK_S_IOERR);
    } else if (unlikely(len == 0)) {
        request_end(r, BLK_S_OK);
    } else {
        r->io.op = op;
        r->io.offset = sector * BLK_SECTOR;
        r->io.len = len;
        r->sync = op == BP_BLOCK_WRITE && !d->writeback;
        submit(d, r);
    }
}

/* DISCARD and WRITE_ZEROES: copies the segments and checks them all before the first is done. */
static uint8_t
copy_segments(struct blk_req *r, uint32_t op)
{
    const struct blk_dev *d = r->queue->dev;
    uint32_t allowed = op == BP_BLOCK_ZERO ? 1 : 0;
    uint64_t bytes = r->chain.out_len - sizeof(struct header);
    struct blk_segment *s = req_segments(r);

    if (bytes == 0 || bytes % sizeof *s || bytes / sizeof *s > BLK_SEGMENTS || d->readonly)
        return BLK_S_IOERR;
    if (bp_virtq_copy_out(&r->chain, sizeof(struct header), s, bytes) != bytes)
        return BLK_S_IOERR;
    for (uint64_t i = 0; i < bytes / sizeof *s; i++) {
        struct blk_segment seg = {
            .sector = le64toh(s[i].sector),
            .num_sectors = le32toh(s[i].num_sectors),
            .flags = le32toh(s[i].flags),
        };

        if (seg.flags & ~allowed)
            return BLK_S_UNSUPP;
        if (seg.num_sectors > BLK_SEG_SECTORS ||
            !in_range(d, seg.sector, (uint64_t)seg.num_sectors * BLK_SECTOR))
            return BLK_S_IOERR;
        if (seg.num_sectors > 0)
            s[r->n_segments++] = seg; /* over what was copied and checked */
    }
    return BLK_S_OK;
}

static void
start_segments(struct blk_req *r, uint32_t op, int feature)
{
    struct blk_dev *d = r->queue->dev;
    uint8_t status = BLK_S_UNSUPP;

    if (bp_virtio_features(d->vdev) >> feature & 1)
        status = copy_segments(r, op);
    if (status != BLK_S_OK) {
        request_end(r, status);
        return;
    }
    if (r->n_segments == 0) { /* all were empty */
        request_end(r, BLK_S_OK);
        return;
    }
    r->io.op = op;
    r->sync = op == BP_BLOCK_ZERO && !d->writeback;
    r->n_left = r->n_segments;
    next_segment(r);
    submit(d, r);
}

static void
get_id(struct blk_req *r)
{
    struct blk_dev *d = r->queue->dev;
    uint64_t room = r->chain.in_len - 1;

    if (room > sizeof d->serial)
        room = sizeof d->serial;
    r->written = (uint32_t)bp_virtq_copy_in(&r->chain, 0, d->serial, room);
    if (room == r->chain.in_len - 1)
        r->written++; /* the status byte follows at once */
    request_end(r, BLK_S_OK);
}

static void
no_status(struct blk_req *r)
{
    struct blk_dev *d = r->queue->dev;

    bp_virtq_push(r->queue->vq, &r->chain, 0);
    queue_put(r);
    bp_virtio_broken(d->vdev, "request without room for its status");
}

/* Everything but reads and writes. */
static void
start_other(struct blk_req *r, uint32_t type)
{
    struct blk_dev *d = r->queue->dev;

    if (type != BLK_T_GET_ID)
        r->written = r->chain.in_len == 1;
    switch (type) {
    case BLK_T_FLUSH:
        r->io.op = BP_BLOCK_FLUSH;
        if (d->info.features & BP_BLOCK_CAN_FLUSH)
            submit(d, r);
        else
            request_end(r, BLK_S_OK);
        break;
    case BLK_T_GET_ID:
        get_id(r);
        break;
    case BLK_T_DISCARD:
        start_segments(r, BP_BLOCK_DISCARD, BLK_F_DISCARD);
        break;
    case BLK_T_WRITE_ZEROES:
        start_segments(r, BP_BLOCK_ZERO, BLK_F_WRITE_ZEROES);
        break;
    default:
        request_end(r, BLK_S_UNSUPP);
    }
}

void
request_start(struct blk_req *r)
{
    struct blk_dev *d = r->queue->dev;
    const struct bp_iovec *last = r->iov + r->chain.n_out + r->chain.n_in - 1;
    struct header h;

    if (unlikely(r->chain.in_len == 0)) {
        no_status(r);
        return;
    }
    r->io.flags = 0;
    r->cut = NULL;
    r->sync = false;
    r->n_left = r->n_segments = 0;
    r->written = (uint32_t)r->chain.in_len;
    /* No buffer of a chain is empty, so the last byte is in the last one. */
    r->status = (uint8_t *)last->base + last->len - 1;
    if (likely(r->chain.n_out > 0 && r->iov[0].len >= sizeof h)) {
        memcpy(&h, r->iov[0].base, sizeof h);
        __asm__ volatile("" ::: "memory"); /* h is a copy; the compiler must not look again */
    } else if (bp_virtq_copy_out(&r->chain, 0, &h, sizeof h) != sizeof h) {
        request_end(r, BLK_S_IOERR);
        return;
    }
    if (likely(le32toh(h.type) == BLK_T_IN)) {
        start_transfer(d, r, BP_BLOCK_READ, le64toh(h.sector));
    } else if (le32toh(h.type) == BLK_T_OUT) {
        r->written = r->chain.in_len == 1;
        start_transfer(d, r, BP_BLOCK_WRITE, le64toh(h.sector));
    } else {
        start_other(r, le32toh(h.type));
    }
}
