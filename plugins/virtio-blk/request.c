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

void
request_end(struct blk_req *r, uint8_t status)
{
    uint32_t written = status == BLK_S_OK ? r->written : r->chain.in_len == 1;

    if (r->cut)
        *r->cut = r->uncut;
    *r->status = status;
    bp_virtq_push(r->queue->vq, &r->chain, written);
    queue_put(r);
}

void
request_submit(struct blk_req *r)
{
    struct blk_dev *d = r->queue->dev;
    int err = d->block->submit(d->be, &r->io);

    if (err == 0) {
        d->in_flight++;
        d->uncommitted = true;
    } else if (err == BP_E_AGAIN) {
        queue_stall(r);
    } else {
        request_end(r, err == BP_E_NOTSUP ? BLK_S_UNSUPP : BLK_S_IOERR);
    }
}

static void
next_segment(struct blk_req *r)
{
    const struct blk_segment *s = &req_segments(r)[r->segment++];

    r->io.offset = s->sector * BLK_SECTOR;
    r->io.len = (uint64_t)s->num_sectors * BLK_SECTOR;
    r->io.flags = r->io.op == BP_BLOCK_ZERO && (s->flags & 1) ? BP_BLOCK_UNMAP : 0;
}

void
request_done(struct bp_block_req *io, int result)
{
    struct blk_req *r = io->user;
    struct blk_dev *d = r->queue->dev;

    d->in_flight--;
    if (d->resetting) {
        request_end(r, BLK_S_IOERR);
        if (d->in_flight == 0) {
            d->resetting = false;
            bp_virtio_reset_done(d->vdev);
        }
    } else if (result < 0) {
        request_end(r, BLK_S_IOERR);
    } else if (r->segment < r->n_segments) {
        next_segment(r);
        request_submit(r);
    } else if (r->sync) {
        r->sync = false;
        r->io.op = BP_BLOCK_FLUSH;
        request_submit(r);
    } else {
        request_end(r, BLK_S_OK);
    }
}

/* Is [sector, sector + len) on the disk? */
static bool
in_range(const struct blk_dev *d, uint64_t sector, uint64_t len)
{
    uint64_t capacity = d->info.bytes / BLK_SECTOR;

    return len % BLK_SECTOR == 0 && sector <= capacity && len / BLK_SECTOR <= capacity - sector;
}

/* Finds the status byte, the last one that the device may write, and returns its iovec. */
static struct bp_iovec *
find_status(struct blk_req *r)
{
    struct bp_iovec *last = r->iov + r->chain.n_out + r->chain.n_in - 1;

    while (last->len == 0)
        last--;
    r->status = (uint8_t *)last->base + last->len - 1;
    return last;
}

static void
cut(struct blk_req *r, struct bp_iovec *iov, uint64_t front, uint64_t back)
{
    r->cut = iov;
    r->uncut = *iov;
    iov->base = (uint8_t *)iov->base + front;
    iov->len -= front + back;
}

static void
start_transfer(struct blk_req *r, uint32_t op, uint64_t sector, struct bp_iovec *status_iov)
{
    struct blk_dev *d = r->queue->dev;
    struct bp_iovec *iov = r->iov, *end = r->iov + r->chain.n_out;
    uint64_t len, skip = sizeof(struct header);

    if (op == BP_BLOCK_WRITE) {
        len = r->chain.out_len - skip;
        for (; skip > 0 && skip >= iov->len; iov++)
            skip -= iov->len;
        if (skip > 0)
            cut(r, iov, skip, 0);
    } else {
        len = r->chain.in_len - 1;
        iov = end;
        end = status_iov + 1;
        if (status_iov->len > 1)
            cut(r, status_iov, 0, 1);
        else
            end--;
    }
    if (!in_range(d, sector, len) || (op == BP_BLOCK_WRITE && d->readonly)) {
        request_end(r, BLK_S_IOERR);
    } else if (len == 0) {
        request_end(r, BLK_S_OK);
    } else {
        r->io.op = op;
        r->io.offset = sector * BLK_SECTOR;
        r->io.len = len;
        r->io.iov = iov;
        r->io.n_iov = (uint32_t)(end - iov);
        r->sync = op == BP_BLOCK_WRITE && !d->writeback;
        request_submit(r);
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
            s[r->n_segments++] = seg;
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
    next_segment(r);
    request_submit(r);
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

void
request_start(struct blk_req *r)
{
    struct blk_dev *d = r->queue->dev;
    struct bp_iovec *status_iov;
    struct header h;

    if (r->chain.in_len == 0) {
        bp_virtq_push(r->queue->vq, &r->chain, 0);
        queue_put(r);
        bp_virtio_broken(d->vdev, "request without room for its status");
        return;
    }
    r->io.flags = 0;
    r->cut = NULL;
    r->sync = false;
    r->segment = r->n_segments = 0;
    r->written = (uint32_t)r->chain.in_len;
    status_iov = find_status(r);
    if (r->chain.n_out > 0 && r->iov[0].len >= sizeof h) {
        memcpy(&h, r->iov[0].base, sizeof h);
        __asm__ volatile("" ::: "memory"); /* h is a copy; the compiler must not look again */
    } else if (bp_virtq_copy_out(&r->chain, 0, &h, sizeof h) != sizeof h) {
        request_end(r, BLK_S_IOERR);
        return;
    }
    switch (le32toh(h.type)) {
    case BLK_T_IN:
        start_transfer(r, BP_BLOCK_READ, le64toh(h.sector), status_iov);
        break;
    case BLK_T_OUT:
        r->written = r->chain.in_len == 1;
        start_transfer(r, BP_BLOCK_WRITE, le64toh(h.sector), status_iov);
        break;
    case BLK_T_FLUSH:
        r->written = r->chain.in_len == 1;
        r->io.op = BP_BLOCK_FLUSH;
        if (d->info.features & BP_BLOCK_CAN_FLUSH)
            request_submit(r);
        else
            request_end(r, BLK_S_OK);
        break;
    case BLK_T_GET_ID:
        get_id(r);
        break;
    case BLK_T_DISCARD:
        r->written = r->chain.in_len == 1;
        start_segments(r, BP_BLOCK_DISCARD, BLK_F_DISCARD);
        break;
    case BLK_T_WRITE_ZEROES:
        r->written = r->chain.in_len == 1;
        start_segments(r, BP_BLOCK_ZERO, BLK_F_WRITE_ZEROES);
        break;
    default:
        request_end(r, BLK_S_UNSUPP);
    }
}
