/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-virtio-net-vhost.c - the network card's queues in a vhost device's hands, with one pair and
 * with several: what the kernel is told, who moves packets when, and what is left when it fails.
 */
#include <backplane/test.h>
#include <stdio.h>

#include "tests/harness/fake-vhost.h"
#include "tests/tap.h"

#define ALL      UINT64_MAX
#define EVENT    (UINT64_C(1) << 29)
#define RINGS    (UINT64_C(1) << 15 | UINT64_C(1) << 28 | EVENT | UINT64_C(1) << 32)
#define HDR      12u
#define PAIRS    4u
#define CTRL_TOP (2 * PAIRS)

/* The tap: a descriptor a queue, and what is sent or taken. */
static struct {
    const struct bp_net_client *client;
    int fd[PAIRS], taken[PAIRS];
    unsigned sent, queues;
    uint32_t vhost;
} wire;

static int
wire_info(void *be, struct bp_net_info *ret_info)
{
    (void)be;
    *ret_info = (struct bp_net_info){
        .size = sizeof *ret_info, .max_queues = PAIRS, .link_up = 1, .vhost = wire.vhost};
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
wire_set_queues(void *be, uint32_t n)
{
    (void)be;
    wire.queues = n;
    return 0;
}

static int
wire_set_offloads(void *be, uint32_t offloads)
{
    (void)be;
    (void)offloads;
    return 0;
}

static int
wire_send(void *be, uint32_t queue, const struct bp_iovec *iov, uint32_t n, uint64_t len)
{
    (void)be;
    (void)iov;
    (void)n;
    (void)len;
    vhost_faults += wire.taken[queue];
    wire.sent++;
    return 0;
}

static void
wire_nothing(void *be, uint32_t queue)
{
    (void)be;
    (void)queue;
}

static int
wire_take_fd(void *be, uint32_t queue, uint32_t taken)
{
    (void)be;
    wire.taken[queue] = taken != 0;
    return wire.fd[queue];
}

static const struct bp_net_if wire_table = {
    .size = sizeof wire_table,
    .info = wire_info,
    .attach = wire_attach,
    .set_queues = wire_set_queues,
    .set_offloads = wire_set_offloads,
    .send = wire_send,
    .commit = wire_nothing,
    .ready = wire_nothing,
    .take_fd = wire_take_fd,
};

static struct bpt_machine *m;
static struct bpt_virtio *card;

/* A machine with a card of `pairs` on that bus; 0 or what realize() said. */
static int
machine(const char *bus, unsigned pairs, uint32_t vhost)
{
    char props[64];
    int err;

    vhost_bury();
    vhost_ioctls = 0;
    wire.sent = 0;
    wire.vhost = vhost;
    m = bpt_new(64 << 20, 1 << 20);
    if (strcmp(bus, "pci") == 0)
        bpt_load(m, "pci", "pci", NULL);
    bpt_provide(m, "wire", BP_IF_NET, &wire_table, NULL);
    snprintf(props, sizeof props, "netdev=wire,queues=%u", pairs);
    err = bpt_load(m, "virtio-net", "net0", props);
    if (!err)
        err = bpt_realize_all(m);
    if (!err)
        err = bpt_start(m);
    card = err ? NULL : bpt_virtio_find(m, 1, 0);
    return err;
}

/* The vhost device of a pair: they were opened in that order. */
static struct vhost_dev *
dev_of(unsigned pair)
{
    return &vhost_devs[pair];
}

static int
kernel_has(unsigned pair)
{
    const struct vhost_dev *d = dev_of(pair);

    return d->fd && d->ring[0].backend == wire.fd[pair] && d->ring[1].backend == wire.fd[pair] &&
           wire.taken[pair];
}

static int
kernel_has_not(unsigned pair)
{
    const struct vhost_dev *d = dev_of(pair);

    return (!d->fd || (d->ring[0].backend < 0 && d->ring[1].backend < 0)) && !wire.taken[pair];
}

/* A packet to the wire through the pair's transmit queue; 1: it is used, by the kernel or by us. */
static int
transmit(unsigned pair)
{
    struct bpt_vq *vq = bpt_virtio_queue(card, 2 * pair + 1);
    struct bpt_sg sg = {bpt_alloc(m, HDR + 60, 16), HDR + 60, 0};

    bpt_vq_add(vq, &sg, 1, 0);
    bpt_vq_kick(vq);
    bpt_pump(m);
    vhost_serve(dev_of(pair));
    return bpt_vq_get(vq, NULL) >= 0;
}

static int
receive(unsigned pair, uint8_t fill)
{
    struct bpt_vq *vq = bpt_virtio_queue(card, 2 * pair);
    struct bpt_sg sg = {bpt_alloc(m, 2000, 16), 2000, 1};
    uint32_t len = 0;

    vhost_fill = fill;
    bpt_vq_add(vq, &sg, 1, 0);
    bpt_vq_kick(vq);
    bpt_pump(m);
    vhost_serve(dev_of(pair));
    return bpt_vq_get(vq, &len) >= 0 && len == 100 && *(uint8_t *)bpt_ram(m, sg.gpa, 1) == fill;
}

/* How many pairs the driver uses (5.1.6.5.5); the answer. */
static int
set_pairs(uint16_t pairs)
{
    struct bpt_sg sg[2] = {{bpt_alloc(m, 4, 4), 4, 0}, {bpt_alloc(m, 1, 1), 1, 1}};
    uint8_t cmd[4] = {4, 0, (uint8_t)pairs, 0};

    memcpy(bpt_ram(m, sg[0].gpa, 4), cmd, 4);
    if (bpt_vq_do(bpt_virtio_queue(card, CTRL_TOP), sg, 2, NULL))
        return -1;
    return *(uint8_t *)bpt_ram(m, sg[1].gpa, 1);
}

static void
end(const char *what)
{
    int problems = bpt_free(m);

    vhost_bury();
    ok(!problems && !vhost_faults, "%s: no rule was broken (%u faults)", what, vhost_faults);
    vhost_faults = 0;
}

/* ---- What the kernel is told ---- */

static void
test_one(const char *bus, uint64_t features)
{
    static const uint64_t high = UINT64_C(1) << 32;
    const uint64_t places[] = {0,
                               0x9ffff,
                               0xa0000,
                               0xbffff,
                               1 << 20,
                               (64 << 20) - 1,
                               64 << 20,
                               high,
                               high + (1 << 20) - 1,
                               high + (1 << 20)};
    struct vhost_dev *d = dev_of(0);
    unsigned wrong = 0;
    uint64_t sent;

    printf("# one pair on %s%s\n", bus, features & EVENT ? "" : ", without EVENT_IDX");
    machine(bus, 1, BP_NET_VHOST_AUTO);
    ok(d->fd && !d->owner && kernel_has_not(0),
       "before the driver is ready nothing is handed over");
    bpt_virtio_setup(card, features, 3);
    ok(kernel_has(0), "when it is the kernel has both queues");
    eq_int(d->features, RINGS & features, "with the features that concern rings");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        wrong += vhost_at(d, places[i]) != bpt_ram(m, places[i], 1);
    eq_int(wrong, 0, "and all of the guest's memory, but for its hole");
    for (int i = 0; i < 2; i++)
        ok(d->ring[i].num == bpt_virtio_queue(card, (uint32_t)i)->num &&
               (void *)(uintptr_t)d->ring[i].addr.avail_user_addr ==
                   (void *)bpt_vq_avail(bpt_virtio_queue(card, (uint32_t)i)),
           "queue %d is where the driver has it", i);
    vhost_serve(d);
    sent = bpt_msi_count(m);
    ok(transmit(0) && receive(0, 0x31), "a packet each way");
    eq_int(wire.sent, 0, "... which we do not see");
    bpt_poll(m, 0);
    ok(bpt_virtio_irq(card) & 1, "... with an interrupt");
    eq_int(bpt_msi_count(m) - sent, strcmp(bus, "pci") == 0 ? 2 : 0, "... a message for each");
    bpt_vq_notify(bpt_virtio_queue(card, 1));
    bpt_vq_notify(bpt_virtio_queue(card, 0));
    eq_int(bpt_poll(m, 0), 0, "a kick makes no event of ours");
    bpt_quiesce(m);
    ok(kernel_has_not(0) && bpt_maps(m) == 0, "a machine that stops has its queues back");
    bpt_start(m);
    ok(kernel_has(0) && transmit(0) && receive(0, 0x32), "and gives them away again");
    eq_int(bpt_state_roundtrip(m, "net0"), 0, "state is saved and loaded: the kernel's index too");
    ok(kernel_has(0) && transmit(0) && receive(0, 0x33), "and it goes on from there");
    bpt_virtio_reset(card);
    ok(kernel_has_not(0), "a driver's reset ends it");
    bpt_virtio_setup(card, features & ~EVENT, 3);
    ok(kernel_has(0) && !(d->features & EVENT) && transmit(0) && receive(0, 0x34),
       "another driver, other features");
    end("one pair");
}

/* ---- Several pairs ---- */

static void
test_many(const char *bus)
{
    printf("# %u pairs on %s\n", PAIRS, bus);
    machine(bus, PAIRS, BP_NET_VHOST_AUTO);
    bpt_virtio_setup(card, ALL, 2 * PAIRS + 1);
    ok(kernel_has(0) && kernel_has_not(1) && kernel_has_not(2) && kernel_has_not(3),
       "a driver has one pair until it asks for more");
    eq_int(set_pairs(PAIRS), 0, "it asks for all");
    for (unsigned i = 0; i < PAIRS; i++) {
        ok(kernel_has(i) && transmit(i) && receive(i, (uint8_t)(0x40 + i)), "pair %u works", i);
        for (unsigned k = 0; k < PAIRS; k++)
            ok(k == i || vhost_serve(dev_of(k)) == 0, "... and pair %u has nothing of it", k);
    }
    eq_int(set_pairs(2), 0, "it asks for two");
    ok(kernel_has(0) && kernel_has(1) && kernel_has_not(2) && kernel_has_not(3), "and has two");
    ok(transmit(0) && transmit(1) && receive(1, 0x50), "which go on");
    eq_int(set_pairs(3), 0, "it asks for one more");
    ok(kernel_has(2) && transmit(2) && receive(2, 0x51), "which goes on where it was");
    eq_int(wire.sent, 0, "all of it without us");
    eq_int(set_pairs(PAIRS + 1), 1, "more than there are: refused");
    eq_int(set_pairs(0), 1, "none: refused");
    ok(kernel_has(0) && kernel_has(1) && kernel_has(2), "and nothing has changed");
    bpt_quiesce(m);
    ok(kernel_has_not(0) && kernel_has_not(1) && kernel_has_not(2) && bpt_maps(m) == 0,
       "a stop takes all of them back");
    bpt_start(m);
    ok(kernel_has(0) && kernel_has(1) && kernel_has(2) && kernel_has_not(3) && transmit(2),
       "a start gives them away");
    bpt_virtio_reset(card);
    ok(kernel_has_not(0) && kernel_has_not(1) && kernel_has_not(2), "a reset takes them back");
    eq_int(wire.queues, 1, "and leaves one to the next driver");
    end("several pairs");
}

/* ---- Failures ---- */

static void
test_missing(void)
{
    vhost_missing = 1;
    ok(machine("mmio", 1, BP_NET_VHOST_ON) && strstr(bpt_error(m), "vhost_net"),
       "vhost = on without the device is refused, with a reason");
    end("refused");
    ok(machine("mmio", 1, BP_NET_VHOST_AUTO) == 0, "auto does without");
    bpt_virtio_setup(card, ALL, 3);
    ok(transmit(0) && wire.sent == 1, "and we move packets");
    end("without");
    vhost_missing = 0;
}

/* Every call of the kernel's fails in turn: packets go one way or the other, and nothing leaks. */
static void
test_failing(const char *bus, unsigned pairs)
{
    unsigned fds, bad = 0, leaks = 0, n, total, kernel = 0, queues = 2 * pairs + 1;

    machine(bus, pairs, BP_NET_VHOST_AUTO);
    bpt_virtio_setup(card, ALL, queues);
    if (pairs > 1)
        set_pairs((uint16_t)pairs);
    bpt_quiesce(m);
    total = vhost_ioctls;
    bpt_free(m);
    vhost_bury();
    fds = bpt_open_fds();
    for (n = 1; n <= total; n++) {
        vhost_fail_at = n;
        if (machine(bus, pairs, BP_NET_VHOST_AUTO)) {
            bad++;
            printf("# call %u: no machine\n", n);
        } else {
            bpt_virtio_setup(card, ALL, queues);
            if (pairs > 1)
                set_pairs((uint16_t)pairs);
            for (unsigned i = 0; i < pairs; i++) {
                kernel += kernel_has(i) != 0;
                if (!kernel_has(i) && !kernel_has_not(i)) {
                    bad++;
                    printf("# call %u: pair %u is neither's\n", n, i);
                }
                if (!(bpt_virtio_status(card) & 64) && !transmit(i)) {
                    bad++;
                    printf("# call %u: pair %u is stuck\n", n, i);
                }
            }
            bpt_quiesce(m);
            vhost_bury();
            for (unsigned i = 0; i < pairs; i++)
                if (!kernel_has_not(i)) {
                    bad++;
                    printf("# call %u: the kernel keeps pair %u\n", n, i);
                }
        }
        vhost_fail_at = 0;
        bad += bpt_free(m) != 0;
        vhost_bury();
        leaks += bpt_open_fds() != fds;
    }
    ok(total > 10 && bad == 0, "%s, %u pairs: each of %u calls fails in turn (%u bad)", bus, pairs,
       total, bad);
    ok(kernel > 0, "... some leave a pair with the kernel");
    eq_int(leaks, 0, "... and none leaks");
    eq_int(vhost_faults, 0, "... or breaks a rule");
    vhost_faults = 0;
}

int
main(void)
{
    for (unsigned i = 0; i < PAIRS; i++)
        wire.fd[i] = eventfd(0, EFD_CLOEXEC);
    test_one("pci", ALL);
    test_one("mmio", ALL);
    test_one("pci", ALL & ~EVENT);
    test_many("pci");
    test_many("mmio");
    test_missing();
    test_failing("pci", 1);
    test_failing("mmio", PAIRS);
    return done_testing();
}
