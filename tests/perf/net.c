/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net.c - virtio-net: batches of full-size packets to and from a back end that does nothing.
 */
#include "tests/perf/workload.h"

enum { RX, TX, FRAME = 1514, HDR = 12, ROOM = 1536 };

static struct {
    const struct bp_net_client *client;
    unsigned sent, commits;
} wire;

static int
wire_info(void *be, struct bp_net_info *ret_info)
{
    (void)be;
    *ret_info = (struct bp_net_info){.size = sizeof *ret_info,
                                     .tx_offloads = BP_NET_CSUM | BP_NET_TSO4,
                                     .rx_offloads = BP_NET_CSUM | BP_NET_TSO4,
                                     .max_queues = 1,
                                     .link_up = 1};
    return 0;
}

static int
wire_attach(void *be, const struct bp_net_client *client)
{
    (void)be;
    wire.client = client;
    return 0;
}

static int
wire_number(void *be, uint32_t n)
{
    (void)be;
    (void)n;
    return 0;
}

static int
wire_send(void *be, uint32_t queue, const struct bp_iovec *iov, uint32_t n_iov, uint64_t len)
{
    (void)be;
    (void)queue;
    (void)iov;
    (void)n_iov;
    wire.sent += len == HDR + FRAME;
    return 0;
}

static void
wire_commit(void *be, uint32_t queue)
{
    (void)be;
    (void)queue;
    wire.commits++;
}

static void
wire_ready(void *be, uint32_t queue)
{
    (void)be;
    (void)queue;
}

static const struct bp_net_if wire_if = {
    .size = sizeof wire_if,
    .info = wire_info,
    .attach = wire_attach,
    .set_queues = wire_number,
    .set_offloads = wire_number,
    .send = wire_send,
    .commit = wire_commit,
    .ready = wire_ready,
};

struct card {
    struct bpt_machine *m;
    struct bpt_virtio *dev;
    struct bpt_vq *vq;
    uint64_t buffers;
    unsigned index;
};

static void
card_open(struct card *c, unsigned index)
{
    c->m = bpt_new(16 << 20, 0);
    must(c->m && bpt_load(c->m, "pci", "pci", NULL) == 0);
    bpt_dirty_log(c->m, 0); /* nobody migrates it */
    bpt_provide(c->m, "wire", BP_IF_NET, &wire_if, NULL);
    must(bpt_load(c->m, "virtio-net", "card", "netdev=wire") == 0);
    must(bpt_realize_all(c->m) == 0 && bpt_start(c->m) == 0);
    c->dev = bpt_virtio_find(c->m, 1, 0);
    must(c->dev && bpt_virtio_setup(c->dev, UINT64_MAX, 3) == 0);
    c->index = index;
    c->vq = bpt_virtio_queue(c->dev, index);
    c->buffers = bpt_alloc(c->m, BATCH * ROOM, 64);
    wire.sent = 0;
}

/* Header and the front of the frame in one buffer, the rest in another, as Linux sends. */
static void
tx_batch(struct card *c, struct tally *t)
{
    for (unsigned i = 0; i < BATCH; i++) {
        uint64_t at = c->buffers + i * ROOM;
        const struct bpt_sg sg[] = {{at, HDR + 66, 0}, {at + HDR + 66, FRAME - 66, 0}};

        must(bpt_vq_add(c->vq, sg, 2, 1) >= 0);
    }
    t->kicks += (unsigned)bpt_vq_kick(c->vq);
    t->events += bpt_pump(c->m);
    for (unsigned i = 0; i < BATCH; i++)
        must(bpt_vq_get(c->vq, NULL) >= 0);
}

static void
rx_batch(struct card *c, struct tally *t)
{
    static const struct bp_net_hdr hdr = {.num_buffers = 1};
    static uint8_t packet[HDR + FRAME];
    struct bp_iovec iov = {packet, sizeof packet};
    uint32_t len;

    memcpy(packet, &hdr, sizeof hdr);
    bpt_vq_want_irq(c->vq, 1);
    for (unsigned i = 0; i < BATCH; i++) {
        const struct bpt_sg sg = {c->buffers + i * ROOM, ROOM, 1};

        must(bpt_vq_add(c->vq, &sg, 1, 0) >= 0);
    }
    t->kicks += (unsigned)bpt_vq_kick(c->vq);
    t->events += bpt_pump(c->m);
    for (unsigned i = 0; i < BATCH; i++)
        must(wire.client->receive(wire.client->user, 0, &iov, 1, sizeof packet) == 0);
    wire.client->received(wire.client->user, 0);
    for (unsigned i = 0; i < BATCH; i++)
        must(bpt_vq_get(c->vq, &len) >= 0 && len == sizeof packet);
}

static int
card_run(const char *name, struct tally *t, unsigned index)
{
    struct card c;
    struct tally warm = {0};
    uint64_t messages;

    card_open(&c, index);
    for (unsigned i = 0; i < 4; i++)
        (index == TX ? tx_batch : rx_batch)(&c, &warm);
    messages = bpt_virtio_messages(c.dev, index);
    wire.commits = 0;
    perf_mark("between");
    for (unsigned i = 0; i < perf_batches; i++)
        (index == TX ? tx_batch : rx_batch)(&c, t);
    perf_mark(name);
    t->units = perf_batches * BATCH;
    t->batches = perf_batches;
    t->interrupts = (unsigned)(bpt_virtio_messages(c.dev, index) - messages);
    t->commits = wire.commits;
    must(index == RX || wire.sent == (perf_batches + 4) * BATCH);
    must(bpt_free(c.m) == 0);
    return 0;
}

int
net_tx(const char *name, struct tally *t)
{
    return card_run(name, t, TX);
}

int
net_rx(const char *name, struct tally *t)
{
    return card_run(name, t, RX);
}
