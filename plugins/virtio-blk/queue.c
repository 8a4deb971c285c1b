/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * queue.c - takes chains out of the queues, and decides when to commit and to interrupt.
 *
 * All that the driver has made available is submitted before one commit, and all that a batch of
 * completions pushed is published with one flush a queue. Requests come from a pool that is as
 * large as the queue, so an honest driver never finds it empty; one that offers a descriptor twice
 * waits. The last used request is taken first, so that few of the pool's pages are ever touched.
 */
#include "virtio-blk.h"

static struct blk_req *
queue_get(struct blk_queue *q)
{
    struct blk_dev *d = q->dev;
    struct blk_req *r = q->free;

    if (r) {
        q->free = r->next;
        return r;
    }
    if (q->carved == d->queue_size)
        return NULL;
    r = (struct blk_req *)(void *)(q->pool + q->carved++ * d->req_bytes);
    r->queue = q;
    r->io.size = sizeof r->io;
    r->io.done = request_done;
    r->io.user = r;
    r->chain.size = sizeof r->chain;
    r->chain.cap_iov = d->max_iov;
    r->chain.iov = r->iov;
    return r;
}

static void
give_back(struct blk_req *r)
{
    r->next = r->queue->free;
    r->queue->free = r;
}

void
queue_stall(struct blk_req *r)
{
    struct blk_dev *d = r->queue->dev;

    r->next = NULL;
    *d->stalled_tail = r;
    d->stalled_tail = &r->next;
}

static struct blk_req *
take_stalled(struct blk_dev *d)
{
    struct blk_req *list = d->stalled;

    d->stalled = NULL;
    d->stalled_tail = &d->stalled;
    return list;
}

void
queue_drop_stalled(struct blk_dev *d)
{
    struct blk_req *r, *next;

    for (r = take_stalled(d); r; r = next) {
        next = r->next;
        request_end(r, BLK_S_IOERR);
    }
}

/* Pops and submits until the queue is empty or the back end full. */
static void
queue_drain(struct blk_queue *q)
{
    struct blk_dev *d = q->dev;
    struct blk_req *r;

    q->more = true;
    if (d->stopping || d->resetting)
        return;
    bp_virtq_want_notify(q->vq, 0);
    while (!d->stalled && (r = queue_get(q))) {
        if (bp_virtq_pop(q->vq, &r->chain) != 1) {
            give_back(r);
            q->more = false;
            return;
        }
        request_start(r);
    }
}

static void
flush(struct blk_dev *d)
{
    for (uint32_t i = 0; i < d->n_queues; i++)
        if (d->queue[i].pushed) {
            d->queue[i].pushed = false;
            bp_virtq_flush(d->queue[i].vq);
        }
}

/* Submitted requests may wait for it. */
static void
commit(struct blk_dev *d)
{
    d->uncommitted = false;
    d->block->commit(d->be);
}

static bool
anything_left(const struct blk_dev *d)
{
    if (d->stalled || d->uncommitted)
        return true;
    for (uint32_t i = 0; i < d->n_queues; i++)
        if (d->queue[i].more)
            return true;
    return false;
}

void
queue_notify(struct blk_queue *q)
{
    struct blk_dev *d = q->dev;

    if (d->working) {
        q->more = true;
        return;
    }
    d->working = true;
    queue_drain(q);
    commit(d);
    flush(d);
    d->working = false;
}

void
queue_resume(struct blk_dev *d)
{
    struct blk_req *r, *next;

    if (d->working)
        return;
    d->working = true;
    for (r = take_stalled(d); r; r = next) {
        next = r->next;
        request_submit(r);
    }
    for (uint32_t i = 0; i < d->n_queues && !d->stalled; i++)
        if (d->queue[i].more)
            queue_drain(&d->queue[i]);
    commit(d);
    flush(d);
    d->working = false;
}

void
queue_completed(struct blk_dev *d)
{
    flush(d);
    if (!anything_left(d))
        return;
    /* From within our own commit() the rest is left to a turn of its own: a driver that adds
     * requests as fast as they complete must not keep other devices from theirs. */
    if (d->working)
        (void)d->event->kick(d->inst, d->resume);
    else
        queue_resume(d);
}
