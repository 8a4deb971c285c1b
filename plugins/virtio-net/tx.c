/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tx.c - packets from the transmit queues to the back end (5.1.6.2).
 *
 * The frame goes to the back end from where the driver put it; only the header is copied, checked,
 * and handed over as our copy, because the driver could change it after the check.
 */
#include <stdlib.h>
#include <string.h>

#include "net.h"

/* Packets that one turn sends before the other users of the event context get theirs. */
#define TURN 256

enum {
    GSO_NONE = 0,
    GSO_TCPV4 = 1,
    GSO_UDP = 3,
    GSO_TCPV6 = 4,
    GSO_ECN = 0x80,
};

int
tx_init(struct net *net)
{
    for (uint32_t i = 0; i < net->max_pairs; i++) {
        struct tx *tx = &net->tx[i];

        tx->chain.size = sizeof tx->chain;
        tx->chain.cap_iov = BP_VIRTIO_QUEUE_MAX;
        tx->chain.iov = calloc(BP_VIRTIO_QUEUE_MAX, sizeof *tx->chain.iov);
        tx->iov = calloc(BP_VIRTIO_QUEUE_MAX + 1, sizeof *tx->iov);
        if (!tx->chain.iov || !tx->iov)
            return BP_E_NOMEM;
    }
    return 0;
}

void
tx_fini(struct net *net)
{
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        free(net->tx[i].chain.iov);
        free(net->tx[i].iov);
    }
}

/* Whether the header is one that a back end may act on, and clears what it need not know. */
static bool
header_good(const struct net *net, struct bp_net_hdr *hdr, uint64_t frame_len)
{
    uint64_t features = bp_virtio_features(net->vdev), need;

    hdr->flags &= BP_NET_HDR_NEEDS_CSUM;
    hdr->num_buffers = 0;
    if (hdr->flags & BP_NET_HDR_NEEDS_CSUM) {
        if (!(features & BIT(F_CSUM)) ||
            (uint64_t)hdr->csum_start + hdr->csum_offset + 2 > frame_len)
            return false;
    } else {
        hdr->csum_start = hdr->csum_offset = 0;
    }
    switch (hdr->gso_type & ~GSO_ECN) {
    case GSO_NONE:
        hdr->gso_type = hdr->gso_size = hdr->hdr_len = 0;
        return true;
    case GSO_TCPV4:
        need = BIT(F_HOST_TSO4);
        break;
    case GSO_TCPV6:
        need = BIT(F_HOST_TSO6);
        break;
    case GSO_UDP:
        need = BIT(F_HOST_UFO);
        break;
    default:
        return false;
    }
    if (hdr->gso_type & GSO_ECN)
        need |= BIT(F_HOST_ECN);
    return (features & need) == need && hdr->gso_size > 0 && hdr->hdr_len <= frame_len &&
           (hdr->flags & BP_NET_HDR_NEEDS_CSUM);
}

/* tx->iov: our header, then the chain without its first HDR_LEN bytes. */
static void
build(struct tx *tx)
{
    uint64_t skip = HDR_LEN;

    tx->iov[0].base = &tx->hdr;
    tx->iov[0].len = HDR_LEN;
    tx->n_iov = 1;
    for (uint32_t i = 0; i < tx->chain.n_out; i++) {
        const struct bp_iovec *from = &tx->chain.iov[i];

        if (skip >= from->len) {
            skip -= from->len;
            continue;
        }
        tx->iov[tx->n_iov].base = (uint8_t *)from->base + skip;
        tx->iov[tx->n_iov++].len = from->len - skip;
        skip = 0;
    }
}

/* The chain is longer than the header. */
static void
copy_header(struct tx *tx)
{
    if (tx->chain.iov[0].len >= HDR_LEN) {
        memcpy(&tx->hdr, tx->chain.iov[0].base, HDR_LEN);
        __asm__ volatile("" ::: "memory"); /* a copy; the compiler must not look again */
    } else {
        bp_virtq_copy_out(&tx->chain, 0, &tx->hdr, HDR_LEN);
    }
}

/* 0: the chain is finished with, sent or dropped; BP_E_AGAIN: it waits. */
static int
send_chain(struct net *net, uint32_t pair)
{
    struct tx *tx = &net->tx[pair];
    uint64_t len = tx->chain.out_len;

    if (!tx->pending) {
        if (len <= HDR_LEN || len > HDR_LEN + FRAME_MAX || !net->link_up)
            return 0;
        copy_header(tx);
        if (!header_good(net, &tx->hdr, len - HDR_LEN)) {
            net->host->log(net->inst, BP_LOG_GUEST, "dropped a packet with a bad offload header");
            return 0;
        }
        build(tx);
    }
    return net->be->send(net->be_self, pair, tx->iov, tx->n_iov, len) == BP_E_AGAIN ? BP_E_AGAIN
                                                                                    : 0;
}

void
tx_run(struct net *net, uint32_t pair)
{
    struct bp_virtq *vq = bp_virtio_queue(net->vdev, 2 * pair + 1);
    struct tx *tx = &net->tx[pair];
    unsigned n = 0;

    if (!vq || pair >= net->pairs || !bp_virtio_live(net->vdev) || vhost_has(net, pair))
        return;
    bp_virtq_want_notify(vq, 0); /* until it is found empty */
    for (; n < TURN; n++) {
        if (!tx->pending && bp_virtq_pop(vq, &tx->chain) <= 0)
            break;
        tx->pending = send_chain(net, pair) == BP_E_AGAIN;
        if (tx->pending)
            break;
        bp_virtq_push(vq, &tx->chain, 0);
    }
    net->be->commit(net->be_self, pair);
    bp_virtq_flush(vq);
    if (n == TURN)
        net->ev->kick(net->inst, net->again);
}

void
tx_park_pair(struct net *net, uint32_t pair)
{
    struct tx *tx = &net->tx[pair];

    if (tx->pending)
        bp_virtq_unpop(bp_virtio_queue(net->vdev, 2 * pair + 1), &tx->chain);
    tx->pending = false;
}

void
tx_park(struct net *net)
{
    for (uint32_t i = 0; i < net->max_pairs; i++)
        tx_park_pair(net, i);
}

void
tx_reset(struct net *net)
{
    for (uint32_t i = 0; i < net->max_pairs; i++)
        net->tx[i].pending = false;
}
