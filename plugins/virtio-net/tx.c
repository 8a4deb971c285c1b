/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tx.c - packets from the transmit queues to the back end (5.1.6.2).
 *
 * The frame goes to the back end from where the driver put it; only the header is copied, checked,
 * and handed over as our copy, because the driver could change it after the check. Chains are given
 * back to the driver after the back end's commit(), until when it may read from them.
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

        tx->chain_iov = calloc(TX_IOVS, sizeof *tx->chain_iov);
        tx->iov = calloc(TX_IOVS, sizeof *tx->iov);
        if (!tx->chain_iov || !tx->iov)
            return BP_E_NOMEM;
        for (uint32_t j = 0; j < TX_BATCH; j++) {
            tx->packet[j].chain.size = sizeof tx->packet[j].chain;
            tx->packet[j].chain.cap_iov = BP_VIRTIO_QUEUE_MAX;
        }
    }
    return 0;
}

void
tx_fini(struct net *net)
{
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        free(net->tx[i].chain_iov);
        free(net->tx[i].iov);
    }
}

/* Whether the header is one that a back end may act on, and clears what it need not know. */
static bool
offload_good(const struct net *net, struct bp_net_hdr *hdr, uint64_t frame_len)
{
    uint64_t features = bp_virtio_features(net->vdev), need;

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

static inline bool
header_good(const struct net *net, struct bp_net_hdr *hdr, uint64_t frame_len)
{
    hdr->flags &= BP_NET_HDR_NEEDS_CSUM;
    hdr->num_buffers = 0;
    if (hdr->flags || hdr->gso_type & ~GSO_ECN)
        return offload_good(net, hdr, frame_len);
    *hdr = (struct bp_net_hdr){0};
    return true;
}

/* At iov: our header, then the chain, which is longer, without its first HDR_LEN bytes. Returns the
 * entries. */
static inline uint32_t
build(struct tx_packet *p, struct bp_iovec *iov)
{
    const struct bp_iovec *from = p->chain.iov, *end = from + p->chain.n_out;
    struct bp_iovec *to = iov;
    uint64_t skip = HDR_LEN;

    *to++ = (struct bp_iovec){&p->hdr, HDR_LEN};
    for (; skip >= from->len; from++)
        skip -= from->len;
    *to++ = (struct bp_iovec){(uint8_t *)from->base + skip, from->len - skip};
    for (from++; from < end; from++)
        *to++ = *from;
    return (uint32_t)(to - iov);
}

/* The chain is longer than the header. */
static void
copy_header(struct tx_packet *p)
{
    if (p->chain.iov[0].len >= HDR_LEN) {
        memcpy(&p->hdr, p->chain.iov[0].base, HDR_LEN);
        __asm__ volatile("" ::: "memory"); /* a copy; the compiler must not look again */
    } else {
        bp_virtq_copy_out(&p->chain, 0, &p->hdr, HDR_LEN);
    }
}

/* 0: the back end has it, or it was dropped; BP_E_AGAIN: the back end is full. */
static int
send_packet(struct net *net, uint32_t pair, struct tx_packet *p, struct bp_iovec *iov)
{
    uint64_t len = p->chain.out_len;
    uint32_t n;

    if (len <= HDR_LEN || len > HDR_LEN + FRAME_MAX || !net->link_up)
        return 0;
    copy_header(p);
    if (!header_good(net, &p->hdr, len - HDR_LEN)) {
        net->host->log(net->inst, BP_LOG_GUEST, "dropped a packet with a bad offload header");
        return 0;
    }
    n = build(p, iov);
    return net->be->send(net->be_self, pair, iov, n, len) == BP_E_AGAIN ? BP_E_AGAIN : 0;
}

/* What was sent is completed, once the back end is done with it. */
static void
settle(struct net *net, uint32_t pair, struct bp_virtq *vq)
{
    struct tx *tx = &net->tx[pair];

    if (tx->n == 0)
        return;
    net->be->commit(net->be_self, pair);
    for (uint32_t i = 0; i < tx->n; i++)
        bp_virtq_push(vq, &tx->packet[i].chain, 0);
    tx->n = tx->used = 0;
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
        struct tx_packet *p = &tx->packet[tx->n];

        p->chain.iov = tx->chain_iov + tx->used;
        if (bp_virtq_pop(vq, &p->chain) <= 0)
            break;
        if (send_packet(net, pair, p, tx->iov + tx->used) == BP_E_AGAIN) {
            bp_virtq_unpop(vq, &p->chain); /* until sendable() */
            break;
        }
        tx->used += p->chain.n_out + p->chain.n_in + 1;
        if (++tx->n == TX_BATCH || TX_IOVS - tx->used <= BP_VIRTIO_QUEUE_MAX)
            settle(net, pair, vq);
    }
    settle(net, pair, vq);
    bp_virtq_flush(vq);
    if (n == TURN)
        net->ev->kick(net->inst, net->again);
}
