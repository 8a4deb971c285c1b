/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sync.c - the engine for files in memory: plain system calls on the device's own context.
 *
 * Such a call is a copy: there is no disk to wait for, and handing the request to another thread,
 * as io_uring does for file systems without asynchronous reads and writes, costs more than the
 * copy. A turn ends after so many bytes, so that other devices of the context get theirs.
 */
#include "block-file.h"

#define TURN_BYTES (2u << 20)

int
sync_init(struct block_file *f)
{
    f->sync.batch_tail = &f->sync.batch;
    return f->event->soft(f->inst, "more", EV_SYNC, &f->sync.again);
}

void
sync_queue(struct block_file *f, struct bp_block_req *req)
{
    requests_append(&f->sync.batch_tail, req);
}

static struct bp_block_req *
take(struct sync *s)
{
    struct bp_block_req *req = s->batch;

    s->batch = io_of(req)->next;
    if (!s->batch)
        s->batch_tail = &s->batch;
    return req;
}

void
sync_commit(struct block_file *f)
{
    struct sync *s = &f->sync;
    uint64_t bytes = 0;

    /* A device that commits from its completed() is not completed again in there; see below. */
    if (s->working || !s->batch)
        return;
    s->working = true;
    while (s->batch && bytes < TURN_BYTES) {
        struct bp_block_req *req = take(s);

        bytes += req->len;
        io_complete(f, req, io_whole(f, req));
    }
    if (BP_HAS(struct bp_block_client, f->client, completed))
        f->client->completed(f->client->user);
    s->working = false;
    if (s->batch)
        (void)f->event->kick(f->inst, s->again);
}
