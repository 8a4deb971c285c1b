/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * queue.c - packets to and from one queue of the interface.
 *
 * The kernel's header in front of each packet is the device's own (struct bp_net_hdr), so checksums
 * and segmentation pass through and a packet is one readv() or writev(), or one entry of a batch.
 * How many to read at once follows what the last reads gave.
 */
#include <backplane/log.h>
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tap.h"

/* Packets that one turn reads before the other users of the event context get theirs. */
#define TURN 64

_Static_assert(sizeof(struct bp_iovec) == sizeof(struct iovec) &&
                   offsetof(struct bp_iovec, len) == offsetof(struct iovec, iov_len),
               "bp_iovec is what the kernel takes");

void
queue_watch(struct tap *tap, struct queue *q)
{
    bool want_read = q->enabled && !q->rx_blocked && !q->taken;
    uint32_t mask = (want_read ? (uint32_t)BP_EV_READ : 0u) |
                    (q->tx_blocked && !q->taken ? (uint32_t)BP_EV_WRITE : 0u);

    /* While somebody else reads it, we still want to hear of its end. */
    bool wanted = tap->running && !tap->down && tap->client && (mask || q->taken);

    /* A watch for nothing would still report an interface that was deleted, for ever. */
    if (!wanted && q->watched) {
        tap->ev->close(tap->inst, q->watch);
        q->watched = false;
    } else if (wanted && !q->watched) {
        q->watched = tap->ev->watch(tap->inst, q->fd, mask,
                                    COOKIE_QUEUE + (uint32_t)(q - tap->queue), &q->watch) == 0;
    } else if (wanted && mask != q->mask) {
        tap->ev->modify(tap->inst, q->watch, mask);
    }
    q->mask = mask;
}

void
queue_clear(struct queue *q)
{
    q->first = q->n_held = q->n_tx = 0;
    q->rx_blocked = q->tx_blocked = false;
}

void
queue_gone(struct tap *tap)
{
    if (tap->down)
        return;
    tap->down = true;
    bp_logf(tap->host, tap->inst, BP_LOG_ERR, "tap interface %s is gone; the link is down",
            tap->name);
    for (uint32_t i = 0; i < tap->n_queues; i++)
        queue_watch(tap, &tap->queue[i]);
    if (tap->client && BP_HAS(struct bp_net_client, tap->client, changed))
        tap->client->changed(tap->client->user);
}

/* ---- To the device ---- */

/* 0: taken or dropped; BP_E_AGAIN: the device has no buffer. */
static int
hand_over(struct tap *tap, struct queue *q)
{
    struct bp_iovec iov = {q->buf + (size_t)q->first * PACKET_MAX, (uint64_t)q->held[q->first]};
    int err;

    err = tap->client->receive(tap->client->user, (uint32_t)(q - tap->queue), &iov, 1, iov.len);
    q->rx_blocked = err == BP_E_AGAIN;
    if (!q->rx_blocked)
        q->first++;
    return q->rx_blocked ? BP_E_AGAIN : 0;
}

/* Reads what there is into the buffers, all of which are free. */
static void
fill(struct tap *tap, struct queue *q)
{
    q->first = 0;
    q->n_held = q->reads > 1 && batch_ready(tap) ? q->reads : 1;
    if (q->n_held > 1) {
        batch_read(tap, q, q->n_held);
        return;
    }
    do
        q->held[0] = read(q->fd, q->buf, PACKET_MAX);
    while (q->held[0] < 0 && errno == EINTR);
    if (q->held[0] < 0)
        q->held[0] = -errno;
}

/* What became of a read that gave no packet. False: there is nothing more to read. */
static bool
pass_over(struct tap *tap, struct queue *q)
{
    ssize_t err = q->held[q->first++];

    if (err == -EINVAL) /* a packet that has no virtio header: the kernel has dropped it */
        return true;
    if (err < 0 && err != -EAGAIN)
        queue_gone(tap);
    return false;
}

void
queue_read(struct tap *tap, struct queue *q)
{
    unsigned n = 0;
    bool more = true;

    while (n < TURN && q->enabled && !q->taken && tap->client) {
        if (q->first == q->n_held) {
            if (!more)
                break;
            fill(tap, q);
            q->reads = q->reads < RX_BATCH / 2 ? q->reads * 2 + !q->reads : RX_BATCH;
        }
        if (q->held[q->first] <= 0) {
            if (!pass_over(tap, q)) {
                more = false;
                q->reads = 1;
            }
            n++;
        } else if (hand_over(tap, q) == BP_E_AGAIN) {
            break;
        } else {
            n++;
        }
    }
    if (n && tap->client && BP_HAS(struct bp_net_client, tap->client, received))
        tap->client->received(tap->client->user, (uint32_t)(q - tap->queue));
    if (q->first != q->n_held && !q->rx_blocked && tap->running)
        tap->ev->kick(tap->inst, tap->again); /* they are no event of the descriptor's */
    queue_watch(tap, q);
}

/* ---- From the device ---- */

/* 0, or BP_E_AGAIN: the interface is full. */
static int
send_one(struct tap *tap, struct queue *q, const struct bp_iovec *iov, uint32_t n_iov)
{
    ssize_t done;

    do
        done = writev(q->fd, (const struct iovec *)(const void *)iov, (int)n_iov);
    while (done < 0 && errno == EINTR);
    if (done < 0 && errno == EAGAIN)
        return BP_E_AGAIN;
    /* EINVAL: the kernel refuses this packet; EIO: the interface is not up. Both only drop it. */
    if (done < 0 && errno == EBADFD)
        queue_gone(tap);
    return 0;
}

int
queue_send(struct tap *tap, struct queue *q, const struct bp_iovec *iov, uint32_t n_iov)
{
    if (tap->never_full && tap->client && tap->client->flags & BP_NET_CLIENT_KEEPS) {
        if (q->n_tx == TX_BATCH)
            queue_commit(tap, q);
        q->tx[q->n_tx].iov = iov;
        q->tx[q->n_tx++].n_iov = n_iov;
        return 0;
    }
    if (send_one(tap, q, iov, n_iov) == 0)
        return 0;
    q->tx_blocked = true;
    queue_watch(tap, q);
    return BP_E_AGAIN;
}

void
queue_commit(struct tap *tap, struct queue *q)
{
    uint32_t n = q->n_tx;

    if (n > 1 && batch_ready(tap)) {
        if (batch_write(tap, q) == -EBADFD)
            queue_gone(tap);
    } else {
        for (uint32_t i = 0; i < n; i++)
            (void)send_one(tap, q, q->tx[i].iov, q->tx[i].n_iov);
    }
    q->n_tx = 0;
}
