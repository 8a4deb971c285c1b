/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rx.c - packets from the back end into the receive queues (5.1.6.4).
 *
 * With mergeable buffers a packet may take several chains. Its bytes are copied as chains are
 * popped; when the queue runs dry in the middle, all of them are given back and the back end keeps
 * the packet until the driver has added buffers.
 */
#include <stdlib.h>
#include <string.h>

#include "net.h"

/* So many chains and iovecs one packet may take: 64 KiB into buffers of 256 bytes. A driver whose
 * buffers are smaller than that loses its large packets. */
#define CHAINS_MAX 256u
#define IOVS_MAX   (CHAINS_MAX + BP_VIRTIO_QUEUE_MAX)

int
rx_init(struct net *net)
{
    net->rx_chains = calloc(CHAINS_MAX, sizeof *net->rx_chains);
    net->rx_iov = calloc(IOVS_MAX, sizeof *net->rx_iov);
    return net->rx_chains && net->rx_iov ? 0 : BP_E_NOMEM;
}

void
rx_fini(struct net *net)
{
    free(net->rx_chains);
    free(net->rx_iov);
}

/* A cursor over the packet as the back end gave it. */
struct source {
    const struct bp_iovec *iov;
    uint32_t n, at;
    uint64_t off, left;
};

/* Copies what the chain has room for; returns how much. */
static uint32_t
fill(struct source *s, const struct bp_virtq_chain *chain)
{
    const struct bp_iovec *to = chain->iov + chain->n_out, *end = to + chain->n_in;
    uint64_t off = 0, before = s->left;

    while (s->left && to < end && s->at < s->n) {
        const struct bp_iovec *from = &s->iov[s->at];
        uint64_t take = from->len - s->off, room = to->len - off;

        take = take < room ? take : room;
        take = take < s->left ? take : s->left;
        memcpy((uint8_t *)to->base + off, (const uint8_t *)from->base + s->off, take);
        s->left -= take;
        s->off += take;
        off += take;
        if (s->off == from->len) {
            s->at++;
            s->off = 0;
        }
        if (off == to->len) {
            to++;
            off = 0;
        }
    }
    return (uint32_t)(before - s->left);
}

/* Over the header that was copied with the packet. */
static void
put_header(const struct bp_virtq_chain *chain, const struct bp_net_hdr *hdr)
{
    const struct bp_iovec *to = chain->iov + chain->n_out;

    if (to->len >= HDR_LEN)
        memcpy(to->base, hdr, HDR_LEN);
    else
        bp_virtq_copy_in(chain, 0, hdr, HDR_LEN);
}

/* The first bytes of the packet, contiguous, for header and filter. */
static uint64_t
peek(const struct bp_iovec *iov, uint32_t n_iov, void *buf, uint64_t len)
{
    uint64_t done = 0;

    for (uint32_t i = 0; i < n_iov && done < len; i++) {
        uint64_t take = iov[i].len < len - done ? iov[i].len : len - done;

        memcpy((uint8_t *)buf + done, iov[i].base, take);
        done += take;
    }
    return done;
}

static void
give_back(struct net *net, struct bp_virtq *vq, uint32_t n)
{
    while (n > 0)
        bp_virtq_unpop(vq, &net->rx_chains[--n]);
}

/* The driver cannot have more buffers in the queue than these: waiting would be for ever. */
static bool
queue_is_full(const struct net *net, const struct bp_virtq *vq, uint32_t chains, uint32_t iovs)
{
    uint32_t size = bp_virtq_size(vq);
    bool indirect = bp_virtio_features(net->vdev) & BIT(BP_VIRTIO_F_INDIRECT_DESC);

    return chains >= size || (!indirect && iovs >= size);
}

/* Returns the chains that the packet took, 0 when it has to wait, BP_E_* when it is to be dropped.
 */
static int
place(struct net *net, struct bp_virtq *vq, struct source *s, uint32_t *written)
{
    bool mergeable = bp_virtio_features(net->vdev) & BIT(F_MRG_RXBUF);
    uint32_t n = 0, iovs = 0;
    int err;

    while (s->left) {
        struct bp_virtq_chain *chain = &net->rx_chains[n];

        if (n == CHAINS_MAX || IOVS_MAX - iovs < BP_VIRTIO_QUEUE_MAX || (n == 1 && !mergeable)) {
            give_back(net, vq, n);
            return BP_E_RANGE;
        }
        chain->size = sizeof *chain;
        chain->iov = net->rx_iov + iovs;
        chain->cap_iov = IOVS_MAX - iovs;
        err = bp_virtq_pop(vq, chain);
        if (err <= 0) {
            give_back(net, vq, n);
            return err == 0 && queue_is_full(net, vq, n, iovs) ? BP_E_RANGE : err;
        }
        /* The header must not be split: num_buffers is written into the first chain. */
        if (n == 0 && chain->in_len < HDR_LEN) {
            give_back(net, vq, 1);
            bp_virtio_broken(net->vdev, "a receive buffer is shorter than the packet header");
            return BP_E_PROTO;
        }
        written[n] = fill(s, chain);
        iovs += chain->n_out + chain->n_in;
        n++;
    }
    return (int)n;
}

/* Whether the driver can take a packet with this header; one may come late, when it was on its way
 * while the driver switched offloads off or reset the device. */
static bool
header_allowed(const struct net *net, struct bp_net_hdr *hdr)
{
    static const uint32_t needs[] = {
        [0] = 0, [1] = BP_NET_TSO4, [3] = BP_NET_UFO, [4] = BP_NET_TSO6};
    unsigned type = hdr->gso_type & 0x7fu;
    uint32_t need;

    if (!(net->rx_offloads & BP_NET_CSUM))
        hdr->flags &= (uint8_t)~BP_NET_HDR_DATA_VALID;
    if (type >= sizeof needs / sizeof *needs || type == 2)
        return false;
    need = needs[type] | (hdr->gso_type & 0x80u ? (uint32_t)BP_NET_ECN : 0u) |
           (hdr->flags & BP_NET_HDR_NEEDS_CSUM ? (uint32_t)BP_NET_CSUM : 0u);
    return (net->rx_offloads & need) == need;
}

int
rx_receive(void *user, uint32_t queue, const struct bp_iovec *iov, uint32_t n_iov, uint64_t len)
{
    struct net *net = user;
    struct bp_virtq *vq = bp_virtio_queue(net->vdev, 2 * queue);
    uint8_t head[sizeof(struct bp_net_hdr) + 18];
    struct source s = {.iov = iov, .n = n_iov, .left = len};
    uint32_t written[CHAINS_MAX];
    struct bp_net_hdr hdr;
    int n;

    if (!vq || queue >= net->pairs || vhost_has(net, queue) || !bp_virtio_live(net->vdev) ||
        !bp_virtq_enabled(vq))
        return 0;
    if (len < HDR_LEN || len > HDR_LEN + FRAME_MAX || !net->link_up)
        return 0;
    if (n_iov && iov->len >= sizeof head)
        memcpy(head, iov->base, n = sizeof head);
    else
        n = (int)peek(iov, n_iov, head, sizeof head);
    memcpy(&hdr, head, sizeof hdr);
    if (!header_allowed(net, &hdr) ||
        !filter_wants(&net->filter, head + HDR_LEN, (uint64_t)n - HDR_LEN))
        return 0;
    n = place(net, vq, &s, written);
    if (n == 0)
        return BP_E_AGAIN;
    if (n < 0)
        return 0;
    bp_virtq_want_notify(vq, 0);   /* until it is found empty, for which the packet waits */
    hdr.num_buffers = (uint16_t)n; /* little endian, as the host is */
    put_header(&net->rx_chains[0], &hdr);
    for (int i = 0; i < n; i++)
        bp_virtq_push(vq, &net->rx_chains[i], written[i]);
    return 0;
}

void
rx_received(void *user, uint32_t queue)
{
    struct net *net = user;
    struct bp_virtq *vq = bp_virtio_queue(net->vdev, 2 * queue);

    if (vq && queue < net->max_pairs && !vhost_has(net, queue))
        bp_virtq_flush(vq);
}
