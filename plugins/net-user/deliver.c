/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deliver.c - packets from slirp to the device.
 *
 * A frame goes straight to the device when it may be called and has buffers; otherwise it is copied
 * to a bounded queue. Slirp's sockets are not read while anything waits (poll.c), so the queue only
 * grows by what slirp answers to the guest's own packets; what exceeds it is dropped, as a wire
 * would, and TCP sends it again.
 */
#include <stdlib.h>
#include <string.h>

#include "net-user.h"

#define QUEUE_MAX 512

static const struct bp_net_hdr plain_header = {.num_buffers = 1};

/* Slirp computes every checksum, so a driver that can be told so need not check them. */
static const struct bp_net_hdr valid_header = {.flags = BP_NET_HDR_DATA_VALID, .num_buffers = 1};

static const struct bp_net_hdr *
header(const struct net_user *nu)
{
    return nu->rx_offloads & BP_NET_CSUM ? &valid_header : &plain_header;
}

/* The ABI's iovec is for both directions, so its base is not const; receive() only reads. */
static void *
readable(const void *p)
{
    return (void *)(uintptr_t)p;
}

static int
hand_over(struct net_user *nu, const struct bp_iovec *iov, uint32_t n, uint64_t len)
{
    int err = nu->client->receive(nu->client->user, 0, iov, n, len);

    if (err == BP_E_AGAIN)
        nu->blocked = true;
    else
        nu->delivered = true;
    return err;
}

static void
enqueue(struct net_user *nu, const void *frame, uint64_t len)
{
    struct packet *p;

    if (nu->queue.n >= QUEUE_MAX)
        return;
    p = malloc(sizeof *p + sizeof(struct bp_net_hdr) + len);
    if (!p)
        return;
    p->next = NULL;
    p->len = sizeof(struct bp_net_hdr) + len;
    memcpy(p->data, header(nu), sizeof(struct bp_net_hdr));
    memcpy(p->data + sizeof(struct bp_net_hdr), frame, len);
    if (!nu->queue.tail)
        nu->queue.tail = &nu->queue.head;
    *nu->queue.tail = p;
    nu->queue.tail = &p->next;
    nu->queue.n++;
}

void
deliver_frame(struct net_user *nu, const void *frame, uint64_t len)
{
    struct bp_iovec iov[2] = {{readable(header(nu)), sizeof(struct bp_net_hdr)},
                              {readable(frame), len}};

    if (!nu->client || !nu->running)
        return;
    if (!nu->sending && !nu->blocked && !nu->queue.head &&
        hand_over(nu, iov, 2, iov[0].len + len) != BP_E_AGAIN)
        return;
    enqueue(nu, frame, len);
    if (nu->sending)
        nu->ev->kick(nu->inst, nu->flush);
}

void
deliver_flush(struct net_user *nu)
{
    while (nu->queue.head && nu->client && nu->running && !nu->blocked) {
        struct packet *p = nu->queue.head;
        struct bp_iovec iov = {p->data, p->len};

        if (hand_over(nu, &iov, 1, p->len) == BP_E_AGAIN)
            break;
        nu->queue.head = p->next;
        nu->queue.n--;
        if (!nu->queue.head)
            nu->queue.tail = NULL;
        free(p);
    }
    if (nu->delivered && nu->client) {
        nu->delivered = false;
        if (BP_HAS(struct bp_net_client, nu->client, received))
            nu->client->received(nu->client->user, 0);
    }
}

void
deliver_drop_all(struct net_user *nu)
{
    while (nu->queue.head) {
        struct packet *p = nu->queue.head;

        nu->queue.head = p->next;
        free(p);
    }
    nu->queue.n = 0;
    nu->queue.tail = NULL;
    nu->blocked = nu->delivered = false;
}
