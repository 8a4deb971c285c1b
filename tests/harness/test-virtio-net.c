/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-virtio-net.c - the network card against a back end that the test plays itself, on both
 * transports: features, both directions with back-pressure, offload headers, control queue, state.
 */
#include <backplane/test.h>
#include <stdio.h>

#include "tests/tap.h"

enum { RX, TX, CTRL };
enum { F_CSUM = 0, F_GUEST_CSUM = 1, F_MAC = 5, F_GUEST_TSO4 = 7, F_HOST_TSO4 = 11 };
enum { F_MRG_RXBUF = 15, F_STATUS = 16, F_CTRL_VQ = 17, F_CTRL_RX = 18, F_CTRL_VLAN = 19 };
enum { F_CTRL_OFFLOADS = 2, F_MQ = 22, F_CTRL_MAC = 23 };
#define BIT(n) (UINT64_C(1) << (n))
#define ALL    UINT64_MAX
#define HDR    12u

/* The back end: what it was given, and what it answers. */
struct wire {
    const struct bp_net_client *client;
    struct bp_net_info info;
    uint32_t queues, offloads;
    int answer;       /* of send() */
    unsigned sent;    /* packets taken */
    unsigned refused; /* answered AGAIN */
    unsigned commits, readies;
    uint32_t last_queue;
    uint8_t last[70000];
    uint64_t last_len;
};

static int
wire_info(void *be, struct bp_net_info *ret_info)
{
    struct wire *w = be;

    *ret_info = w->info;
    return 0;
}

static int
wire_attach(void *be, const struct bp_net_client *client)
{
    ((struct wire *)be)->client = client;
    return 0;
}

static int
wire_set_queues(void *be, uint32_t n)
{
    ((struct wire *)be)->queues = n;
    return 0;
}

static int
wire_set_offloads(void *be, uint32_t offloads)
{
    ((struct wire *)be)->offloads = offloads;
    return 0;
}

static int
wire_send(void *be, uint32_t queue, const struct bp_iovec *iov, uint32_t n, uint64_t len)
{
    struct wire *w = be;

    if (w->answer) {
        w->refused++;
        return w->answer;
    }
    w->last_queue = queue;
    w->last_len = 0;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(w->last + w->last_len, iov[i].base, iov[i].len);
        w->last_len += iov[i].len;
    }
    if (w->last_len != len)
        w->last_len = 0;
    w->sent++;
    return 0;
}

static void
wire_commit(void *be, uint32_t queue)
{
    (void)queue;
    ((struct wire *)be)->commits++;
}

static void
wire_ready(void *be, uint32_t queue)
{
    (void)queue;
    ((struct wire *)be)->readies++;
}

static const struct bp_net_if wire_table = {
    .size = sizeof wire_table,
    .info = wire_info,
    .attach = wire_attach,
    .set_queues = wire_set_queues,
    .set_offloads = wire_set_offloads,
    .send = wire_send,
    .commit = wire_commit,
    .ready = wire_ready,
};

static const char *bus; /* "pci" or "mmio" */

struct bench {
    struct bpt_machine *m;
    struct bpt_virtio *dev;
    struct wire wire;
};

static void
bench_wire(struct bench *b)
{
    memset(b, 0, sizeof *b);
    b->wire.info.size = sizeof b->wire.info;
    b->wire.info.tx_offloads = BP_NET_CSUM | BP_NET_TSO4;
    b->wire.info.rx_offloads = BP_NET_CSUM | BP_NET_TSO4;
    b->wire.info.max_queues = 4;
    b->wire.info.link_up = 1;
}

/* A machine with one card; the driver accepts `want` and has n queues. */
static void
bench_open(struct bench *b, const char *props, uint64_t want, uint32_t n)
{
    char text[256];

    b->m = bpt_new(64 << 20, 0);
    if (strcmp(bus, "pci") == 0)
        bpt_load(b->m, "pci", "pci", NULL);
    bpt_provide(b->m, "wire", BP_IF_NET, &wire_table, &b->wire);
    snprintf(text, sizeof text, "netdev=wire%s%s", props ? "," : "", props ? props : "");
    if (bpt_load(b->m, "virtio-net", "net0", text) || bpt_realize_all(b->m) || bpt_start(b->m))
        printf("# %s\n", bpt_error(b->m));
    b->dev = bpt_virtio_find(b->m, 1, 0);
    if (n && (!b->dev || bpt_virtio_setup(b->dev, want, n)))
        printf("# the driver could not be set up: %s\n", bpt_error(b->m));
}

static void
bench_close(struct bench *b)
{
    eq_int(bpt_free(b->m), 0, "no rule of the ABI was broken");
}

static uint64_t
buffer(struct bench *b, const void *from, uint32_t len)
{
    uint64_t gpa = bpt_alloc(b->m, len, 16);

    if (from)
        memcpy(bpt_ram(b->m, gpa, len), from, len);
    return gpa;
}

static void
test_registers(void)
{
    struct bench b;
    uint64_t offered;

    bench_wire(&b);
    b.wire.info.mtu = 1400;
    bench_open(&b, "mac=\"52:54:00:aa:bb:cc\",queues=2", 0, 0);
    offered = bpt_virtio_offered(b.dev);
    ok((offered & (BIT(F_MAC) | BIT(F_STATUS) | BIT(F_MRG_RXBUF) | BIT(F_CTRL_VQ) | BIT(F_MQ))) ==
           (BIT(F_MAC) | BIT(F_STATUS) | BIT(F_MRG_RXBUF) | BIT(F_CTRL_VQ) | BIT(F_MQ)),
       "the features of every card are offered");
    ok(offered & BIT(F_HOST_TSO4) && offered & BIT(F_GUEST_TSO4), "... and the back end's");
    ok(!(offered & BIT(12)) && !(offered & BIT(8)), "... but none that it lacks");
    eq_int(bpt_virtio_config(b.dev, 0, 4), 0xaa005452, "the address of the config");
    eq_int(bpt_virtio_config(b.dev, 4, 2), 0xccbb, "... its end");
    eq_int(bpt_virtio_config(b.dev, 6, 2), 1, "the link is up");
    eq_int(bpt_virtio_config(b.dev, 8, 2), 2, "two queue pairs");
    eq_int(bpt_virtio_config(b.dev, 10, 2), 1400, "the back end's MTU");
    ok(bpt_virtio_queue_max(b.dev, 4) > 0 && bpt_virtio_queue_max(b.dev, 5) == 0,
       "five queues: two pairs and control");
    ok(bpt_virtio_setup(b.dev, ALL, 5) == 0, "the driver accepts everything");
    eq_int(b.wire.offloads, BP_NET_CSUM | BP_NET_TSO4, "the back end is told what may arrive");
    b.wire.info.link_up = 0;
    b.wire.client->changed(b.wire.client->user);
    bpt_poll(b.m, 0);
    eq_int(bpt_virtio_config(b.dev, 6, 2), 0, "the link goes down");
    ok(bpt_virtio_irq(b.dev) & 2, "... with a configuration interrupt");
    bpt_virtio_reset(b.dev);
    eq_int(b.wire.offloads, 0, "a reset takes the offloads back");
    bench_close(&b);
}

static void
test_properties(void)
{
    static const char *const bad[] = {"mac=\"52:54:00:aa:bb\"",
                                      "mac=\"01:54:00:aa:bb:cc\"",
                                      "mac=\"00:00:00:00:00:00\"",
                                      "mac=\"52:54:00:aa:bb:cc:dd\"",
                                      "mac=\"52-54-00-aa-bb-cc\"",
                                      "mac=\"52:54:00:aa:bb:cg\"",
                                      "queue_size=100",
                                      "queues=5"};
    struct bench b;
    char text[128];

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        int err;

        bench_wire(&b);
        b.m = bpt_new(64 << 20, 0);
        bpt_provide(b.m, "wire", BP_IF_NET, &wire_table, &b.wire);
        snprintf(text, sizeof text, "netdev=wire,%s", bad[i]);
        err = bpt_load(b.m, "virtio-net", "net0", text);
        if (!err)
            err = bpt_realize_all(b.m);
        ok(err && *bpt_error(b.m), "refused, with a reason: %s", bad[i]);
        bench_close(&b);
    }
    bench_wire(&b);
    bench_open(&b, NULL, ALL, 3);
    ok((bpt_virtio_config(b.dev, 0, 1) & 3) == 2, "the default address is local and unicast");
    bench_close(&b);
}

/* One packet of len bytes from the driver in two buffers, header and frame (if any). */
static int
transmit(struct bench *b, const struct bp_net_hdr *hdr, uint32_t len)
{
    struct bpt_vq *vq = bpt_virtio_queue(b->dev, TX);
    struct bpt_sg sg[2] = {{buffer(b, hdr, HDR), HDR, 0}, {0, len, 0}};
    uint8_t frame[2000];

    for (uint32_t i = 0; i < len; i++)
        frame[i] = (uint8_t)(i * 7);
    sg[1].gpa = buffer(b, frame, len);
    bpt_vq_add(vq, sg, len ? 2 : 1, 0);
    bpt_vq_kick(vq);
    bpt_poll(b->m, 0);
    return bpt_vq_get(vq, NULL);
}

static void
test_transmit(void)
{
    struct bp_net_hdr plain = {0};
    struct bench b;
    int good = 1;

    bench_wire(&b);
    bench_open(&b, NULL, ALL, 3);
    ok(transmit(&b, &plain, 1000) >= 0, "a packet is completed");
    eq_int(b.wire.sent, 1, "... and sent once");
    eq_int(b.wire.last_len, HDR + 1000, "... whole, with its header");
    for (uint32_t i = 0; i < 1000; i++)
        good = good && b.wire.last[HDR + i] == (uint8_t)(i * 7);
    ok(good, "... every byte of it");
    ok(b.wire.commits > 0, "the batch is committed");
    ok(bpt_virtio_irq(b.dev) & 1, "the driver is told");

    b.wire.answer = BP_E_AGAIN;
    ok(transmit(&b, &plain, 60) == BP_E_AGAIN, "a full back end keeps the chain");
    ok(transmit(&b, &plain, 61) == BP_E_AGAIN, "... and the next one");
    b.wire.answer = 0;
    b.wire.client->sendable(b.wire.client->user, 0);
    bpt_poll(b.m, 0);
    eq_int(b.wire.sent, 3, "both go out when it has room");
    eq_int(b.wire.last_len, HDR + 61, "... in their order");
    ok(bpt_vq_get(bpt_virtio_queue(b.dev, TX), NULL) >= 0 &&
           bpt_vq_get(bpt_virtio_queue(b.dev, TX), NULL) >= 0,
       "... and are completed");

    b.wire.answer = BP_E_AGAIN;
    transmit(&b, &plain, 62);
    ok(bpt_quiesce(b.m) == 0, "a stop with a waiting packet");
    b.wire.answer = 0;
    bpt_start(b.m);
    bpt_poll(b.m, 0);
    eq_int(b.wire.sent, 4, "it goes out after the stop, once");
    eq_int(b.wire.last_len, HDR + 62, "... and whole");

    b.wire.answer = BP_E_AGAIN;
    transmit(&b, &plain, 63);
    eq_int(bpt_virtio_reset(b.dev), 0, "the driver resets with a waiting packet");
    b.wire.answer = 0;
    b.wire.client->sendable(b.wire.client->user, 0);
    bpt_poll(b.m, 0);
    eq_int(b.wire.sent, 4, "... which is gone");
    bench_close(&b);
}

static void
test_headers(void)
{
    static const struct {
        struct bp_net_hdr hdr;
        uint32_t len;
        int sent;
        const char *what;
    } cases[] = {
        {{.flags = 1, .csum_start = 34, .csum_offset = 16}, 100, 1, "a checksum within the frame"},
        {{.flags = 1, .csum_start = 34, .csum_offset = 64}, 100, 1, "... at its very end"},
        {{.flags = 1, .csum_start = 34, .csum_offset = 65}, 100, 0, "... across its end"},
        {{.flags = 1, .csum_start = 0xffff, .csum_offset = 0xffff}, 100, 0, "... far outside"},
        {{.flags = 1,
          .gso_type = 1,
          .hdr_len = 54,
          .gso_size = 500,
          .csum_start = 34,
          .csum_offset = 16},
         1500,
         1,
         "a TCP segment to split"},
        {{.flags = 1,
          .gso_type = 1,
          .hdr_len = 54,
          .gso_size = 0,
          .csum_start = 34,
          .csum_offset = 16},
         1500,
         0,
         "... into pieces of nothing"},
        {{.flags = 1,
          .gso_type = 1,
          .hdr_len = 2000,
          .gso_size = 500,
          .csum_start = 34,
          .csum_offset = 16},
         1500,
         0,
         "... with headers longer than it"},
        {{.gso_type = 1, .hdr_len = 54, .gso_size = 500}, 1500, 0, "... without a checksum"},
        {{.flags = 1,
          .gso_type = 4,
          .hdr_len = 54,
          .gso_size = 500,
          .csum_start = 34,
          .csum_offset = 16},
         1500,
         0,
         "TCP over IPv6, which was not negotiated"},
        {{.gso_type = 77}, 100, 0, "a type that there is not"},
        {{.flags = 0xfe, .num_buffers = 9}, 100, 1, "bits that only the device may set"},
        {{0}, 1, 1, "a frame of one byte"},
    };
    struct bench b;

    bench_wire(&b);
    bench_open(&b, NULL, ALL, 3);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned before = b.wire.sent;

        ok(transmit(&b, &cases[i].hdr, cases[i].len) >= 0, "completed: %s", cases[i].what);
        eq_int(b.wire.sent - before, cases[i].sent, cases[i].sent ? "... sent" : "... dropped");
    }
    transmit(&b, &cases[10].hdr, 100);
    eq_int(b.wire.last[0], 0, "flags that are the device's do not reach the back end");
    ok(transmit(&b, &cases[0].hdr, 0) >= 0, "a chain of a header alone is completed");
    bench_close(&b);
}

static uint8_t frame[66000];

/* From the wire: header and frame of len bytes to `to`. */
static int
receive(struct bench *b, const uint8_t *to, uint32_t len)
{
    struct bp_net_hdr hdr = {.num_buffers = 0};
    struct bp_iovec iov[2] = {{&hdr, HDR}, {frame, len}};
    int err;

    for (uint32_t i = 0; i < len; i++)
        frame[i] = (uint8_t)(i * 13);
    memcpy(frame, to, 6);
    err = b->wire.client->receive(b->wire.client->user, 0, iov, 2, HDR + len);
    b->wire.client->received(b->wire.client->user, 0);
    return err;
}

static void
add_rx(struct bench *b, uint64_t gpa, uint32_t len)
{
    struct bpt_sg sg = {gpa, len, 1};

    bpt_vq_add(bpt_virtio_queue(b->dev, RX), &sg, 1, 0);
}

static const uint8_t all_ones[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void
test_receive(void)
{
    struct bench b;
    struct bpt_vq *vq;
    uint64_t at[64];
    uint32_t len, total = 0;
    int good = 1, n = 0;

    bench_wire(&b);
    bench_open(&b, NULL, ALL, 3);
    vq = bpt_virtio_queue(b.dev, RX);
    eq_int(receive(&b, all_ones, 60), BP_E_AGAIN, "without a buffer the back end keeps the packet");
    for (int i = 0; i < 4; i++)
        add_rx(&b, at[i] = bpt_alloc(b.m, 1500, 16), 1500);
    bpt_vq_kick(vq);
    bpt_poll(b.m, 0);
    ok(b.wire.readies > 0, "new buffers are told to the back end");
    eq_int(receive(&b, all_ones, 60), 0, "a packet is taken");
    ok(bpt_vq_get(vq, &len) >= 0, "... completed");
    eq_int(len, HDR + 60, "... with its length");
    eq_int(((uint8_t *)bpt_ram(b.m, at[0], 12))[10], 1, "... in one buffer");
    ok(memcmp(bpt_ram(b.m, at[0] + HDR, 60), frame, 60) == 0, "... and its bytes");
    ok(bpt_virtio_irq(b.dev) & 1, "the driver is told");
    eq_int(receive(&b, all_ones, 9000), BP_E_AGAIN, "too few buffers for a large one: it waits");
    ok(bpt_vq_get(vq, NULL) == BP_E_AGAIN, "... and nothing was completed");
    for (int i = 4; i < 8; i++)
        add_rx(&b, at[i] = bpt_alloc(b.m, 1500, 16), 1500);
    eq_int(receive(&b, all_ones, 9000), 0, "with enough it is taken");
    for (int i = 1; bpt_vq_get(vq, &len) >= 0; i++, n++) {
        uint32_t skip = n == 0 ? HDR : 0;

        good =
            good && memcmp(bpt_ram(b.m, at[i] + skip, len - skip), frame + total, len - skip) == 0;
        total += len - skip;
    }
    eq_int(n, 7, "... over seven buffers");
    eq_int(((uint8_t *)bpt_ram(b.m, at[1], 12))[10], 7, "... which the header tells");
    ok(good && total == 9000, "... every byte of it");
    eq_int(receive(&b, all_ones, 65536 + 19), 0, "longer than any packet: dropped");
    eq_int(receive(&b, all_ones, 5), 0, "shorter than an Ethernet header: dropped");
    bench_close(&b);
}

/* A driver without EVENT_IDX is asked not to notify for as long as it need not. */
static void
test_quiet(void)
{
    struct bp_net_hdr plain = {0};
    struct bpt_vq *tx, *rx;
    struct bench b;
    unsigned readies;

    bench_wire(&b);
    bench_open(&b, NULL, ALL & ~BIT(29), 3);
    tx = bpt_virtio_queue(b.dev, TX);
    rx = bpt_virtio_queue(b.dev, RX);
    b.wire.answer = BP_E_AGAIN;
    transmit(&b, &plain, 100);
    eq_int(bpt_vq_used(tx)[0], 1, "while packets wait for the back end, no more need be told of");
    ok(bpt_vq_kick(tx) == 0, "... so the driver does not kick");
    b.wire.answer = 0;
    b.wire.client->sendable(b.wire.client->user, 0);
    eq_int(bpt_vq_used(tx)[0], 0, "when the queue was found empty they must");
    ok(transmit(&b, &plain, 100) >= 0 && b.wire.sent == 2, "... and are sent");
    eq_int(bpt_vq_used(rx)[0], 0, "a receive queue without buffers wants to know of them");
    for (int i = 0; i < 3; i++)
        add_rx(&b, bpt_alloc(b.m, 1500, 16), 1500);
    bpt_vq_kick(rx);
    bpt_poll(b.m, 0);
    receive(&b, all_ones, 60);
    eq_int(bpt_vq_used(rx)[0], 1, "... with buffers not");
    receive(&b, all_ones, 60);
    receive(&b, all_ones, 60);
    eq_int(bpt_vq_used(rx)[0], 1, "... the last one included");
    eq_int(receive(&b, all_ones, 60), BP_E_AGAIN, "a packet has to wait");
    eq_int(bpt_vq_used(rx)[0], 0, "... so they are wanted again");
    readies = b.wire.readies;
    add_rx(&b, bpt_alloc(b.m, 1500, 16), 1500);
    ok(bpt_vq_kick(rx) == 1 && bpt_poll(b.m, 0) && b.wire.readies == readies + 1,
       "... and the back end hears of the next");
    eq_int(receive(&b, all_ones, 60), 0, "... for its packet");
    bench_close(&b);
}

static void
test_receive_edges(void)
{
    struct bench b;
    struct bpt_vq *vq;
    uint32_t len;

    bench_wire(&b);
    bench_open(&b, NULL, ALL & ~BIT(F_MRG_RXBUF), 3);
    vq = bpt_virtio_queue(b.dev, RX);
    add_rx(&b, bpt_alloc(b.m, 200, 16), 200);
    eq_int(receive(&b, all_ones, 300), 0, "without mergeable buffers a packet too long is dropped");
    ok(bpt_vq_get(vq, NULL) == BP_E_AGAIN, "... and the buffer stays");
    eq_int(receive(&b, all_ones, 100), 0, "one that fits is taken");
    ok(bpt_vq_get(vq, &len) >= 0 && len == HDR + 100, "... into that buffer");
    bench_close(&b);

    bench_wire(&b);
    bench_open(&b, NULL, ALL, 3);
    add_rx(&b, bpt_alloc(b.m, 8, 16), 8);
    eq_int(receive(&b, all_ones, 100), 0, "a buffer shorter than the header");
    ok(bpt_virtio_status(b.dev) & 0x40, "... makes the device need a reset");
    eq_int(bpt_virtio_setup(b.dev, ALL, 3), 0, "... which cures it");
    add_rx(&b, bpt_alloc(b.m, 2000, 16), 2000);
    eq_int(receive(&b, all_ones, 100), 0, "a packet is taken");
    ok(bpt_vq_get(bpt_virtio_queue(b.dev, RX), &len) >= 0 && len == HDR + 100, "... as before");
    bpt_virtio_reset(b.dev);
    eq_int(receive(&b, all_ones, 100), 0, "a packet for a driver that is not there is dropped");
    bench_close(&b);

    bench_wire(&b);
    bench_open(&b, "queue_size=1024", ALL, 3);
    for (int i = 0; i < 1000; i++)
        add_rx(&b, bpt_alloc(b.m, 16, 16), 16);
    eq_int(receive(&b, all_ones, 60000), 0, "buffers so small that a packet takes thousands");
    ok(bpt_vq_get(bpt_virtio_queue(b.dev, RX), NULL) == BP_E_AGAIN, "... lose it, and stay");
    eq_int(receive(&b, all_ones, 1000), 0, "a short one fits still");
    ok(bpt_vq_get(bpt_virtio_queue(b.dev, RX), NULL) >= 0, "... and is completed");
    bench_close(&b);
}

/* A ring of four descriptors, and packets with offloads that the driver has not. */
static void
test_receive_small(void)
{
    struct bp_net_hdr hdr = {.flags = BP_NET_HDR_NEEDS_CSUM};
    uint8_t packet[HDR + 100] = {0};
    struct bp_iovec iov = {packet, sizeof packet};
    struct bench b;
    struct bpt_vq *vq;

    bench_wire(&b);
    bench_open(&b, NULL, ALL, 0);
    bpt_virtio_negotiate(b.dev, ALL & ~(BIT(F_GUEST_CSUM) | BIT(F_GUEST_TSO4)));
    vq = bpt_vq_new(b.dev, RX, 4);
    bpt_vq_enable(vq, 1);
    bpt_virtio_driver_ok(b.dev);
    for (int i = 0; i < 3; i++)
        add_rx(&b, bpt_alloc(b.m, 100, 16), 100);
    eq_int(receive(&b, all_ones, 1000), BP_E_AGAIN, "a packet waits while the ring has room");
    add_rx(&b, bpt_alloc(b.m, 100, 16), 100);
    eq_int(receive(&b, all_ones, 1000), 0, "... and is dropped when it can never fit");
    ok(bpt_vq_get(vq, NULL) == BP_E_AGAIN, "... without using a buffer");
    memset(packet + HDR, 0xff, 6);
    memcpy(packet, &hdr, sizeof hdr);
    b.wire.client->receive(b.wire.client->user, 0, &iov, 1, sizeof packet);
    hdr = (struct bp_net_hdr){.gso_type = 1};
    memcpy(packet, &hdr, sizeof hdr);
    b.wire.client->receive(b.wire.client->user, 0, &iov, 1, sizeof packet);
    b.wire.client->received(b.wire.client->user, 0);
    ok(bpt_vq_get(vq, NULL) == BP_E_AGAIN, "what the driver cannot read is dropped");
    eq_int(receive(&b, all_ones, 50), 0, "a plain packet");
    ok(bpt_vq_get(vq, NULL) >= 0, "... arrives");
    bench_close(&b);
}

/* A command: its answer, or -1 when none was written. */
static int
control(struct bench *b, uint32_t index, const void *command, uint32_t len)
{
    uint8_t *answer;
    uint64_t gpa = buffer(b, "\x77", 1);
    struct bpt_sg sg[2] = {{buffer(b, command, len), len, 0}, {gpa, 1, 1}};

    if (bpt_vq_do(bpt_virtio_queue(b->dev, index), sg, 2, NULL))
        return -1;
    answer = bpt_ram(b->m, gpa, 1);
    return *answer == 0x77 ? -1 : *answer;
}
#define COMMAND(b, ...)                                                                            \
    control(b, CTRL, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static int
arrives(struct bench *b, const char *to)
{
    add_rx(b, bpt_alloc(b->m, 1600, 16), 1600);
    receive(b, (const uint8_t *)to, 64);
    return bpt_vq_get(bpt_virtio_queue(b->dev, RX), NULL) >= 0;
}

static void
test_filters(void)
{
    static const char own[] = "\x52\x54\x00\xaa\xbb\xcc", other[] = "\x52\x54\x00\x11\x22\x33",
                      group[] = "\x01\x00\x5e\x00\x00\x01", every[] = "\xff\xff\xff\xff\xff\xff";
    uint8_t many[2 + 4 + 4 + 6 * 100] = {1, 0, 0, 0, 0, 0, 100};
    struct bench b;

    bench_wire(&b);
    bench_open(&b, "mac=\"52:54:00:aa:bb:cc\"", ALL, 3);
    ok(arrives(&b, other), "at first everything arrives");
    eq_int(COMMAND(&b, 0, 0, 0), 0, "promiscuous mode off");
    ok(arrives(&b, own), "its own address arrives");
    ok(!arrives(&b, other), "another one does not");
    ok(!arrives(&b, group), "nor a group");
    ok(arrives(&b, every), "a broadcast does");
    eq_int(COMMAND(&b, 1, 0, 1, 0, 0, 0, 0x52, 0x54, 0, 0x11, 0x22, 0x33, 1, 0, 0, 0, 1, 0, 0x5e, 0,
                   0, 1),
           0, "a table with one of each");
    ok(arrives(&b, other) && arrives(&b, group), "both arrive now");
    eq_int(COMMAND(&b, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0, "an empty table");
    ok(!arrives(&b, other) && !arrives(&b, group), "neither arrives");
    eq_int(control(&b, CTRL, many, sizeof many), 0, "more groups than the card keeps");
    ok(arrives(&b, group) && !arrives(&b, other), "... let all groups in");
    eq_int(COMMAND(&b, 0, 5, 1), 0, "no broadcasts");
    ok(!arrives(&b, every), "... arrive");
    eq_int(COMMAND(&b, 1, 1, 0x52, 0x54, 0, 0x11, 0x22, 0x33), 0, "another address of its own");
    ok(arrives(&b, other) && !arrives(&b, own), "... arrives instead");
    eq_int(bpt_virtio_config(b.dev, 5, 1), 0x33, "... and is in the configuration");
    eq_int(bpt_state_roundtrip(b.m, "net0"), 0, "state with filters survives");
    ok(arrives(&b, other) && !arrives(&b, own), "... in effect");
    bpt_reset(b.m);
    eq_int(bpt_virtio_config(b.dev, 5, 1), 0xcc, "power-on brings the configured address back");
    bench_close(&b);
}

static void
test_commands(void)
{
    static uint8_t long_command[20000] = {1, 0, 0xff, 0x0c};
    struct bench b;
    struct bpt_sg out;

    bench_wire(&b);
    bench_open(&b, NULL, ALL, 3);
    eq_int(COMMAND(&b, 0), 1, "a command of one byte is refused");
    eq_int(COMMAND(&b, 99, 0, 1), 1, "a class that there is not");
    eq_int(COMMAND(&b, 0, 99, 1), 1, "a command that there is not");
    eq_int(COMMAND(&b, 0, 0), 1, "a mode without a value");
    eq_int(COMMAND(&b, 0, 0, 2), 1, "... with neither on nor off");
    eq_int(COMMAND(&b, 1, 0, 2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0), 1,
           "a table that ends early");
    eq_int(COMMAND(&b, 1, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0), 1, "... of four milliards");
    eq_int(COMMAND(&b, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9), 1, "... with a byte too many");
    eq_int(COMMAND(&b, 2, 0, 0, 0x10), 1, "VLAN 4096");
    eq_int(COMMAND(&b, 2, 0, 5, 0), 0, "VLAN 5");
    eq_int(COMMAND(&b, 5, 0, 2, 0, 0, 0, 0, 0, 0, 0), 0, "offloads: checksum alone");
    eq_int(b.wire.offloads, BP_NET_CSUM, "... reaches the back end");
    eq_int(COMMAND(&b, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0), 1, "an offload that was not negotiated");
    eq_int(COMMAND(&b, 4, 0, 2, 0), 1, "queue pairs on a card with one");
    eq_int(control(&b, CTRL, long_command, sizeof long_command), 1, "a command far too long");
    out = (struct bpt_sg){buffer(&b, "\0\0\1", 3), 3, 0};
    eq_int(bpt_vq_do(bpt_virtio_queue(b.dev, CTRL), &out, 1, NULL), 0,
           "a command without room for its answer is completed");
    eq_int(COMMAND(&b, 0, 1, 1), 0, "the card still obeys");
    bench_close(&b);
}

static void
test_queue_pairs(void)
{
    struct bp_net_hdr plain = {0};
    struct bench b;
    uint64_t gpa;
    struct bpt_sg sg;

    bench_wire(&b);
    bench_open(&b, "queues=2", ALL, 5);
    eq_int(control(&b, 4, "\4\0\2\0", 4), 0, "two pairs");
    eq_int(b.wire.queues, 2, "... reach the back end");
    eq_int(control(&b, 4, "\4\0\3\0", 4), 1, "three are refused");
    eq_int(control(&b, 4, "\4\0\0\0", 4), 1, "and none");
    gpa = buffer(&b, NULL, 200);
    memcpy(bpt_ram(b.m, gpa, HDR), &plain, HDR);
    sg = (struct bpt_sg){gpa, 100, 0};
    eq_int(bpt_vq_do(bpt_virtio_queue(b.dev, 3), &sg, 1, NULL), 0, "a packet through the second");
    eq_int(b.wire.last_queue, 1, "... reaches the back end there");
    eq_int(bpt_state_roundtrip(b.m, "net0"), 0, "state with two pairs survives");
    eq_int(b.wire.queues, 2, "... in effect");
    bpt_virtio_reset(b.dev);
    eq_int(b.wire.queues, 1, "a reset leaves one");
    eq_int(bpt_virtio_setup(b.dev, ALL & ~BIT(F_MQ), 3), 0, "a driver without multi-queue");
    eq_int(COMMAND(&b, 0, 1, 1), 0, "... has its control queue behind the first pair");
    bench_close(&b);
}

static void
test_state(void)
{
    static const struct {
        const char *key;
        uint64_t value;
    } bad[] = {
        {"pairs", 9}, {"pairs", 0}, {"offloads", UINT64_MAX}, {"modes", 256}, {"unicast", 3}};
    struct bpt_state *state;
    struct bench b;

    bench_wire(&b);
    bench_open(&b, NULL, ALL, 3);
    eq_int(bpt_state_roundtrip(b.m, "net0"), 0, "save, load, save");
    bpt_quiesce(b.m);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        bpt_save(b.m, "net0", &state);
        bpt_state_put(state, "net", bad[i].key, bad[i].value);
        ok(bpt_restore(b.m, "net0", state) < 0, "refused: %s = %llu", bad[i].key,
           (unsigned long long)bad[i].value);
        bpt_state_free(state);
    }
    bpt_save(b.m, "net0", &state);
    bpt_state_put_blob(state, "net", "macs", "12345", 5);
    ok(bpt_restore(b.m, "net0", state) < 0, "refused: half an address");
    bpt_state_put_blob(state, "net", "macs", "", 0);
    bpt_state_put_blob(state, "net", "vlans", "x", 1);
    ok(bpt_restore(b.m, "net0", state) < 0, "refused: a short VLAN table");
    bpt_state_free(state);
    bench_close(&b);
}

int
main(void)
{
    static const char *const buses[] = {"mmio", "pci"};

    for (unsigned i = 0; i < 2; i++) {
        bus = buses[i];
        printf("# on %s\n", bus);
        test_registers();
        test_properties();
        test_transmit();
        test_headers();
        test_receive();
        test_quiet();
        test_receive_edges();
        test_receive_small();
        test_filters();
        test_commands();
        test_queue_pairs();
        test_state();
    }
    return done_testing();
}
