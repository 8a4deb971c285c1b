/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flight.c - requests in flight while the driver pulls something away under them, and a second
 * vCPU that writes while the device reads.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <sys/wait.h>

#include "hostile.h"

static void
hold_some(struct attack *x, unsigned n)
{
    x->toy->hold = 1;
    for (unsigned i = 0; i < n; i++)
        bpt_vq_publish(x->q, good_chain(x, 2 * i));
    kick(x);
    expect(x, x->toy->n_held == n, "%u of %u are in flight", x->toy->n_held, n);
}

static void
reset_at_once(struct attack *x)
{
    hold_some(x, 5);
    bpt_virtio_set_status(x->v, 0);
    expect(x, bpt_virtio_status(x->v) == 0, "the reset is not over");
}

static void
reset_pending(struct attack *x)
{
    hold_some(x, 5);
    x->toy->slow_reset = 1;
    bpt_virtio_set_status(x->v, 0);
    expect(x, bpt_virtio_status(x->v) != 0, "the reset is over too early");
    memset(bpt_vq_used(x->q), 0, 6 + 8 * x->q->num);
    memset(bpt_ram(x->m, x->buf + 4096, 16), 0x77, 16);
    toy_finish(x->toy);
    expect(x, bpt_virtio_status(x->v) == 0, "the reset does not end");
    expect(x, bpt_vq_used(x->q)[1] == 0, "the device wrote to a ring after the reset");
}

static void
reset_twice(struct attack *x)
{
    hold_some(x, 3);
    x->toy->slow_reset = 1;
    for (int i = 0; i < 20; i++)
        bpt_virtio_set_status(x->v, 0);
    expect(x, x->toy->n_reset <= 3, "%u resets were passed on", x->toy->n_reset);
    toy_finish(x->toy);
    expect(x, bpt_virtio_status(x->v) == 0, "the reset does not end");
}

static void
pushes_after_reset(struct attack *x)
{
    struct toy_chain kept[4];

    hold_some(x, 4);
    memcpy(kept, x->toy->chains, sizeof kept);
    bpt_virtio_set_status(x->v, 0);
    bpt_virtio_setup(x->v, F_EVENT, 1);
    x->q = bpt_virtio_queue(x->v, 0);
    hold_some(x, 4); /* the same heads, in flight anew */
    for (int i = 0; i < 4; i++)
        bp_virtq_push(bp_virtio_queue(x->toy->vdev, 0), &kept[i].chain, 16);
    bp_virtq_flush(bp_virtio_queue(x->toy->vdev, 0));
    expect(x, bpt_vq_used(x->q)[1] == 0, "a void chain was completed");
    x->used0 = 0;
    toy_finish(x->toy);
    expect(x, bpt_vq_used(x->q)[1] == 4, "the new chains were not");
}

static void
breaks_in_flight(struct attack *x)
{
    hold_some(x, 5);
    offer(x, 0xffff);
    memset(bpt_vq_used(x->q), 0, 6 + 8 * x->q->num);
    toy_finish(x->toy);
    expect(x, bpt_vq_used(x->q)[1] == 0, "a broken device completed chains");
}

static void
stops_queue(struct attack *x)
{
    hold_some(x, 5);
    bpt_vq_enable(x->q, 0);
    bpt_vq_enable(x->q, 1);
    expect(x, !bpt_vq_enabled(x->q), "it is ready again with chains in flight");
    toy_finish(x->toy);
    expect(x, bpt_vq_used(x->q)[1] == 0, "chains of a stopped queue were completed");
    x->toy->hold = 0;
    x->q = bpt_vq_new(x->v, 0, 0);
    bpt_vq_enable(x->q, 1);
    expect(x, bpt_vq_enabled(x->q), "it is not ready although all is done");
    offer(x, good_chain(x, 0));
}

static void
moves_bar_in_flight(struct attack *x)
{
    uint32_t fn = bpt_virtio_devfn(x->v), bar = bpt_pci_read(x->m, fn, 0x10, 4);

    hold_some(x, 5);
    bpt_pci_write(x->m, fn, 0x10, 4, bar + 0x800000);
    bpt_pci_enable(x->m, fn, 0);
    toy_finish(x->toy);
    bpt_pci_write(x->m, fn, 0x10, 4, bar);
    bpt_pci_enable(x->m, fn, 1);
}

static void
masks_in_flight(struct attack *x)
{
    uint32_t fn = bpt_virtio_devfn(x->v);

    hold_some(x, 5);
    bpt_pci_msix_control(x->m, fn, 0xc000);
    toy_finish(x->toy);
    expect(x, bpt_virtio_messages(x->v, 0) == 0, "a masked message was sent");
    bpt_pci_msix_control(x->m, fn, 0x8000);
    expect(x, bpt_virtio_messages(x->v, 0) == 1, "and the pending one was not");
}

/* A child of ours shares guest RAM and is the other vCPU: it writes to the rings all the time. */
static void
second_vcpu(struct attack *x)
{
    uint16_t *avail = bpt_vq_avail(x->q);
    struct bpt_desc *desc = bpt_vq_desc(x->q, 0);
    pid_t pid = fork();

    if (pid == 0) {
        for (;;) {
            uint32_t i = rnd() % x->q->num;

            desc[i] = (struct bpt_desc){x->buf + rnd() % 70000, rnd() % 20000,
                                        (uint16_t)(rnd() % 8), (uint16_t)(rnd() % 80)};
            desc[rnd() % 8] = (struct bpt_desc){x->buf, 16, 0, 0};
            avail[2 + rnd() % x->q->num] = (uint16_t)(rnd() % (x->q->num + 1));
            avail[1] = (uint16_t)(avail[1] + rnd() % 4);
        }
    }
    for (int round = 0; round < 400; round++) {
        kick(x);
        if (bpt_virtio_status(x->v) & 64)
            bpt_virtio_setup(x->v, F_INDIRECT | (round & 1 ? F_EVENT : 0), 1);
        x->q = bpt_virtio_queue(x->v, 0);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

const struct hostile_case flight_cases[] = {
    CASE("a reset drops requests (2.4.1)", IGNORED, reset_at_once),
    CASE("a reset waits for requests (2.4.1)", IGNORED, reset_pending),
    CASE("resets while a reset waits (2.4.2)", IGNORED, reset_twice),
    CASE("requests of before a reset end after it (2.4.1)", SERVED, pushes_after_reset),
    CASE("the device breaks with requests in flight (2.1.2)", NEEDS_RESET, breaks_in_flight),
    CASE("QueueReady 0 and 1 with requests in flight (4.2.2.2)", SERVED, stops_queue,
         .flags = ON_MMIO),
    CASE("the BAR moves with requests in flight", SERVED, moves_bar_in_flight, .flags = ON_PCI),
    CASE("MSI-X is masked with requests in flight", SERVED, masks_in_flight, .flags = ON_PCI),
    CASE("another vCPU writes to the rings meanwhile (2.7)", ANY_END, second_vcpu, IND),
};
const unsigned n_flight_cases = sizeof flight_cases / sizeof *flight_cases;
