/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uring.c - the io_uring engine.
 *
 * One ring, the file registered in it. Submissions are collected until commit(); completions are
 * reaped when the ring's descriptor becomes readable, and at the end of commit() for what the
 * kernel could do at once. There is room for queue_depth requests and each has one entry in the
 * ring at a time, so neither queue can overflow. No ring feature that ties it to one thread is
 * used: whoever holds the device's lock may submit.
 */
#include <errno.h>
#include <string.h>

#include <backplane/log.h>

#include "block-file.h"

static int
probe_ops(struct io_uring *ring)
{
    static const uint8_t needed[] = {IORING_OP_READ,   IORING_OP_WRITE, IORING_OP_READV,
                                     IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_FALLOCATE};
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    int err = probe ? 0 : -EOPNOTSUPP;

    for (size_t i = 0; probe && i < sizeof needed; i++)
        if (!io_uring_opcode_supported(probe, needed[i]))
            err = -EOPNOTSUPP;
    io_uring_free_probe(probe);
    return err;
}

/* A filter may let the ring be made and refuse its use: send one request through it. */
static int
try_nop(struct io_uring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    struct io_uring_cqe *cqe = NULL;
    int err;

    io_uring_prep_nop(sqe);
    err = io_uring_submit(ring);
    if (err >= 0)
        err = io_uring_wait_cqe(ring, &cqe);
    if (err < 0)
        return err;
    io_uring_cqe_seen(ring, cqe);
    return 0;
}

/* The descriptor tells of completions all the time, so BEGIN and END only look. */
static int
uring_poll(void *arg, uint32_t how)
{
    struct block_file *f = arg;

    (void)how;
    if (!f->uring.open || !io_uring_cq_ready(&f->uring.ring))
        return 0;
    uring_reap(f);
    return 1;
}

int
uring_init(struct block_file *f, const char **ret_what)
{
    struct uring *u = &f->uring;
    struct io_uring_params p = {.flags = IORING_SETUP_CLAMP};
    int err = io_uring_queue_init_params(f->queue_depth, &u->ring, &p);

    *ret_what = "io_uring_setup";
    if (err < 0)
        return err;
    u->open = true;
    *ret_what = "io_uring without the needed requests";
    if (!(p.features & IORING_FEAT_SUBMIT_STABLE) || !(p.features & IORING_FEAT_NODROP))
        err = -EOPNOTSUPP;
    else
        err = probe_ops(&u->ring);
    if (!err) {
        *ret_what = "io_uring_enter";
        err = try_nop(&u->ring);
    }
    if (!err) {
        *ret_what = "io_uring_register";
        err = io_uring_register_files(&u->ring, &f->fd, 1);
    }
    if (!err) {
        *ret_what = "watching the ring";
        err = f->event->watch(f->inst, u->ring.ring_fd, BP_EV_READ, EV_RING, &u->watch);
    }
    if (!err)
        err = f->event->soft(f->inst, "ring-retry", EV_RETRY, &u->retry);
    if (!err && BP_HAS(struct bp_event_if, f->event, poller))
        err = f->event->poller(f->inst, uring_poll, f, &u->poller);
    if (err)
        uring_fini(f);
    return err < 0 ? err : 0;
}

void
uring_fini(struct block_file *f)
{
    struct uring *u = &f->uring;

    if (u->watch.v)
        (void)f->event->close(f->inst, u->watch);
    if (u->poller.v)
        (void)f->event->close(f->inst, u->poller);
    if (u->open)
        io_uring_queue_exit(&u->ring);
    u->open = false;
    u->watch.v = u->poller.v = 0;
}

void
uring_queue(struct block_file *f, struct bp_block_req *req)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&f->uring.ring);
    struct io_step s;

    io_next(f, req, &s);
    switch (s.method) {
    case IO_READ:
        if (s.buf)
            io_uring_prep_read(sqe, 0, s.buf, (unsigned)s.len, s.offset);
        else
            io_uring_prep_readv(sqe, 0, s.iov, s.n_iov, s.offset);
        break;
    case IO_WRITE:
        if (s.buf)
            io_uring_prep_write(sqe, 0, s.buf, (unsigned)s.len, s.offset);
        else
            io_uring_prep_writev(sqe, 0, s.iov, s.n_iov, s.offset);
        break;
    case IO_SYNC:
        io_uring_prep_fsync(sqe, 0, IORING_FSYNC_DATASYNC);
        break;
    default:
        io_uring_prep_fallocate(sqe, 0, s.mode, (off_t)s.offset, (off_t)s.len);
        break;
    }
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data(sqe, req);
}

static void
submit(struct block_file *f)
{
    int r;

    if (!io_uring_sq_ready(&f->uring.ring))
        return;
    do
        r = io_uring_submit(&f->uring.ring);
    while (r == -EINTR);
    /* The kernel was short of memory; what it did not take is still in the ring. */
    if (r < 0 || io_uring_sq_ready(&f->uring.ring))
        (void)f->event->kick(f->inst, f->uring.retry);
}

void
uring_reap(struct block_file *f)
{
    struct io_uring *ring = &f->uring.ring;
    struct io_uring_cqe *cqe = NULL;
    unsigned n = io_uring_cq_ready(ring);
    bool completed = false;

    if (n == 0)
        return;
    f->uring.reaping = true;
    while (n-- > 0 && io_uring_peek_cqe(ring, &cqe) == 0) {
        struct bp_block_req *req = io_uring_cqe_get_data(cqe);
        int res = cqe->res, r;

        io_uring_cqe_seen(ring, cqe);
        r = io_result(f, req, res);
        if (r > 0) {
            uring_queue(f, req);
        } else {
            io_complete(f, req, r);
            completed = true;
        }
    }
    if (completed && BP_HAS(struct bp_block_client, f->client, completed))
        f->client->completed(f->client->user);
    f->uring.reaping = false;
    submit(f);
}

void
uring_commit(struct block_file *f)
{
    submit(f);
    /* A device that commits from its completed() is not completed again in there: the ring stays
     * readable and the event loop comes back, so a guest cannot keep us here for ever. */
    if (!f->uring.reaping)
        uring_reap(f);
}
