/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * batch.c - several packets with one system call: an io_uring that is only ever used like a vector
 * of reads or of writes.
 *
 * A tap does both at once or says EAGAIN (RWF_NOWAIT), so every entry is complete when the call
 * returns, nothing stays in flight, and buffers are the caller's again. A kernel whose taps do not
 * know RWF_NOWAIT gets no ring. Descriptors are not registered: the kernel takes a ring apart some
 * time after it was closed, and the interface would belong to nobody else until then. It is made
 * when there is first more than one packet: most machines leave their packets to vhost.
 */
#include "tap.h"

#ifdef HAVE_URING
#include <backplane/log.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#define ENTRIES (TX_BATCH > RX_BATCH ? TX_BATCH : RX_BATCH)

/* One byte is no packet: EINVAL where RWF_NOWAIT is understood. */
static bool
knows_nowait(int fd)
{
    char byte = 0;
    struct iovec iov = {&byte, 1};

    return pwritev2(fd, &iov, 1, -1, RWF_NOWAIT) < 0 && errno == EINVAL;
}

static int
open_ring(struct tap *tap)
{
    if (!knows_nowait(tap->queue[0].fd))
        return -EOPNOTSUPP;
    return io_uring_queue_init(ENTRIES, &tap->ring, 0);
}

bool
batch_ready(struct tap *tap)
{
    int err;

    if (tap->batch == BATCH_UNTRIED) {
        err = open_ring(tap);
        tap->batch = err < 0 ? BATCH_NEVER : BATCH_OPEN;
        if (err < 0)
            bp_logf(tap->host, tap->inst, BP_LOG_DEBUG, "one system call a packet: io_uring: %s",
                    strerror(-err));
    }
    return tap->batch == BATCH_OPEN;
}

static void
finish_entry(struct io_uring_sqe *sqe, uint32_t i)
{
    sqe->rw_flags = RWF_NOWAIT;
    io_uring_sqe_set_data(sqe, (void *)(uintptr_t)i);
}

/* Hands n entries to the kernel, which is done with them when this returns. */
static void
run(struct tap *tap, uint32_t n, ssize_t *res)
{
    uint32_t done = 0;

    while (done < n) {
        struct io_uring_cqe *cqe;
        int err = io_uring_submit_and_wait(&tap->ring, n - done);

        if (err < 0 && err != -EINTR && err != -EAGAIN && err != -EBUSY)
            break;
        while (io_uring_peek_cqe(&tap->ring, &cqe) == 0) {
            res[(uintptr_t)io_uring_cqe_get_data(cqe)] = cqe->res;
            io_uring_cqe_seen(&tap->ring, cqe);
            done++;
        }
    }
    if (done < n) {
        /* Nothing can be said of what is left; the ring goes, and with it what it holds. */
        batch_close(tap);
        tap->batch = BATCH_NEVER;
    }
}

void
batch_read(struct tap *tap, struct queue *q, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&tap->ring);

        q->held[i] = -EAGAIN;
        io_uring_prep_read(sqe, q->fd, q->buf + (size_t)i * PACKET_MAX, PACKET_MAX, 0);
        finish_entry(sqe, i);
    }
    run(tap, n, q->held);
}

int
batch_write(struct tap *tap, struct queue *q)
{
    ssize_t res[TX_BATCH] = {0};

    for (uint32_t i = 0; i < q->n_tx; i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&tap->ring);

        io_uring_prep_writev(sqe, q->fd, (const struct iovec *)(const void *)q->tx[i].iov,
                             q->tx[i].n_iov, 0);
        finish_entry(sqe, i);
    }
    run(tap, q->n_tx, res);
    for (uint32_t i = 0; i < q->n_tx; i++)
        if (res[i] == -EBADFD)
            return -EBADFD;
    return 0;
}

void
batch_close(struct tap *tap)
{
    if (tap->batch == BATCH_OPEN)
        io_uring_queue_exit(&tap->ring);
    tap->batch = BATCH_UNTRIED;
}

#else

bool
batch_ready(struct tap *tap)
{
    (void)tap;
    return false;
}

void
batch_read(struct tap *tap, struct queue *q, uint32_t n)
{
    (void)tap;
    (void)q;
    (void)n;
}

int
batch_write(struct tap *tap, struct queue *q)
{
    (void)tap;
    (void)q;
    return 0;
}

void
batch_close(struct tap *tap)
{
    (void)tap;
}

#endif
