/* SPDX-License-Identifier: BSD-3-Clause */
/* rings.c - available rings that a driver must not write, and rings in places where none can be. */
#include <string.h>

#include "hostile.h"

#define HIGH_END ((UINT64_C(1) << 32) + (1 << 20))

static void
idx_jumps(struct attack *x)
{
    good_chain(x, 0);
    bpt_vq_avail(x->q)[1] = (uint16_t)(x->q->avail_idx + x->q->num + 1);
    kick(x);
}

static void
idx_far(struct attack *x)
{
    good_chain(x, 0);
    bpt_vq_avail(x->q)[1] = (uint16_t)(x->q->avail_idx + 0x8000);
    kick(x);
}

static void
idx_back(struct attack *x)
{
    bpt_vq_avail(x->q)[1] = (uint16_t)(x->q->avail_idx - 1);
    kick(x);
}

static void
head_beyond(struct attack *x)
{
    good_chain(x, 0);
    offer(x, (uint16_t)x->q->num);
}

static void
head_ffff(struct attack *x)
{
    good_chain(x, 0);
    offer(x, 0xffff);
}

/* ---- Only with the toy ---- */

static void
same_head(struct attack *x)
{
    x->toy->hold = 1;
    good_chain(x, 0);
    bpt_vq_publish(x->q, 0);
    offer(x, 0);
}

static void
shared_descriptors(struct attack *x)
{
    x->toy->hold = 1;
    good_chain(x, 0);
    fill_desc(x, 2, x->buf, 16, BPT_DESC_NEXT, 1); /* its second is that of chain 0 */
    bpt_vq_publish(x->q, 0);
    offer(x, 2);
    toy_finish(x->toy);
}

static void
full_ring(struct attack *x)
{
    good_chain(x, 0);
    for (uint32_t i = 1; i < x->q->num; i++)
        bpt_vq_publish(x->q, 0);
    offer(x, 0);
    expect(x, bpt_vq_used(x->q)[1] == x->q->num, "%u used", bpt_vq_used(x->q)[1]);
}

static void
avail_flags(struct attack *x)
{
    bpt_vq_avail(x->q)[0] = 0xfffe;
    offer(x, good_chain(x, 0));
}

static void
used_event(struct attack *x)
{
    for (uint32_t i = 0; i < 20; i++) {
        bpt_vq_avail(x->q)[2 + x->q->num] = (uint16_t)rnd();
        offer(x, good_chain(x, 0));
    }
    expect(x, bpt_vq_used(x->q)[1] == 20, "%u used", bpt_vq_used(x->q)[1]);
}

static void
used_scribbled(struct attack *x)
{
    memset(bpt_vq_used(x->q), 0xff, 6 + 8 * x->q->num);
    offer(x, good_chain(x, 0));
    expect(x, bpt_vq_used(x->q)[1] == 1, "the device trusted the used index");
}

static void
kick_nothing(struct attack *x)
{
    for (int i = 0; i < 1000; i++)
        bpt_vq_notify(x->q);
    kick(x);
}

/* ---- Places ---- */

static void
go(struct attack *x)
{
    bpt_vq_configure(x->q);
    bpt_vq_enable(x->q, 1);
    bpt_virtio_driver_ok(x->v);
    bpt_vq_notify(x->q);
    bpt_poll(x->m, 0);
}

#define PLACE(NAME, FIELD, VALUE)                                                                  \
    static void NAME(struct attack *x)                                                             \
    {                                                                                              \
        x->q->FIELD = (VALUE);                                                                     \
        go(x);                                                                                     \
    }

PLACE(desc_unaligned, desc, x->q->desc + 8)
PLACE(avail_unaligned, avail, x->q->avail + 1)
PLACE(used_unaligned, used, x->q->used + 2)
PLACE(desc_outside, desc, HIGH_END)
PLACE(avail_outside, avail, HIGH_END)
PLACE(used_outside, used, HIGH_END)
PLACE(desc_over_end, desc, HIGH_END - 16)
PLACE(avail_over_end, avail, HIGH_END - 2)
PLACE(used_over_end, used, HIGH_END - 4)
PLACE(desc_wraps, desc, UINT64_MAX - 15)
PLACE(avail_wraps, avail, UINT64_MAX - 1)
PLACE(used_wraps, used, UINT64_MAX - 3)
PLACE(used_in_hole, used, 0xfee00000)
PLACE(desc_at_registers, desc,
      bpt_where(x->m, "dev0", bpt_virtio_is_pci(x->v) ? "virtio-pci" : "virtio-mmio"))

static void
size_set(struct attack *x, uint32_t num)
{
    x->q->num = num;
    go(x);
    x->q->num = TOY_SIZE;
}

static void
size_odd(struct attack *x)
{
    size_set(x, 48);
}

static void
size_zero(struct attack *x)
{
    size_set(x, 0);
}

static void
size_big(struct attack *x)
{
    size_set(x, 0x8000);
}

static void
size_one(struct attack *x)
{
    x->q->num = 1;
    go(x);
    fill_desc(x, 0, x->buf, 16, BPT_DESC_WRITE, 0);
    x->used0 = bpt_vq_used(x->q)[1];
    offer(x, 0);
    offer(x, 0);
    expect(x, bpt_vq_used(x->q)[1] == 2, "%u used", bpt_vq_used(x->q)[1]);
    x->q->num = TOY_SIZE;
}

/* Everything in one place: the device overwrites what it reads. */
static void
all_in_one(struct attack *x)
{
    uint8_t *p = bpt_ram(x->m, x->buf, 4096);

    x->q->desc = x->q->avail = x->q->used = x->buf;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 2048; i++)
            p[i] = (uint8_t)(rnd() % 5);
        go(x);
        kick(x);
        bpt_virtio_negotiate(x->v, F_EVENT | F_INDIRECT);
    }
}

/* The buffers of a chain are the rings. */
static void
rings_as_buffers(struct attack *x)
{
    fill_desc(x, 0, x->buf, 512, BPT_DESC_NEXT, 1);
    fill_desc(x, 1, x->q->used, 512, BPT_DESC_NEXT | BPT_DESC_WRITE, 2);
    fill_desc(x, 2, x->q->avail, 128, BPT_DESC_NEXT | BPT_DESC_WRITE, 3);
    fill_desc(x, 3, x->q->desc, 1024, BPT_DESC_WRITE, 0);
    memset(bpt_ram(x->m, x->buf, 512), 0x41, 512);
    for (int i = 0; i < 10; i++)
        offer(x, 0);
}

static void
garbage(struct attack *x)
{
    for (int round = 0; round < 200; round++) {
        uint8_t *desc = (uint8_t *)bpt_vq_desc(x->q, 0);
        uint16_t *avail = bpt_vq_avail(x->q);

        for (uint32_t i = 0; i < 16 * x->q->num; i++)
            desc[i] = rnd() & 1 ? (uint8_t)rnd() : 0;
        for (uint32_t i = 0; i < 8; i++) /* some of it plausible */
            fill_desc(x, rnd() % x->q->num, x->buf + rnd() % 8192, rnd() % 8192,
                      (uint16_t)(rnd() & 7), (uint16_t)(rnd() % (x->q->num + 1)));
        for (uint32_t i = 0; i < x->q->num; i++)
            avail[2 + i] = (uint16_t)(rnd() % (x->q->num + 2));
        avail[1] = (uint16_t)(avail[1] + rnd() % (x->q->num + 2));
        kick(x);
        if (bpt_virtio_status(x->v) & 64) {
            expect(x, bpt_virtio_irq(x->v) & 2, "no interrupt");
            bpt_virtio_setup(x->v, F_INDIRECT | (round & 1 ? F_EVENT : 0), x->target->n_queues);
            x->q = bpt_virtio_queue(x->v, x->target->queue);
        }
    }
}

const struct hostile_case ring_cases[] = {
    CASE("an available index one too far (2.7.6)", NEEDS_RESET, idx_jumps),
    CASE("an available index far away (2.7.6)", NEEDS_RESET, idx_far),
    CASE("an available index that goes back (2.7.6.1)", NEEDS_RESET, idx_back),
    CASE("a head just outside the table (2.7.6)", NEEDS_RESET, head_beyond),
    CASE("a head far outside the table (2.7.6)", NEEDS_RESET, head_ffff),
    CASE("notifications for nothing", IGNORED, kick_nothing),
    CASE("random rings", ANY_END, garbage, IND),
};
const unsigned n_ring_cases = sizeof ring_cases / sizeof *ring_cases;

const struct hostile_case toy_ring_cases[] = {
    CASE("a head that the device still has (2.7.13.1)", NEEDS_RESET, same_head),
    CASE("descriptors in two chains at once (2.7.13.1)", SERVED, shared_descriptors),
    CASE("as many entries as the ring holds, of one chain", SERVED, full_ring),
    CASE("reserved bits in the available flags (2.7.7)", SERVED, avail_flags),
    CASE("any used_event (2.7.7)", SERVED, used_event, .features = F_EVENT),
    CASE("a used ring that the driver writes (2.7.8)", SERVED, used_scribbled),
    CASE("chains whose buffers are the rings", ANY_END, rings_as_buffers),
    CASE("a descriptor table that is not aligned (2.7)", NEEDS_RESET, desc_unaligned,
         .flags = NO_ENABLE),
    CASE("an available ring that is not aligned (2.7)", NEEDS_RESET, avail_unaligned,
         .flags = NO_ENABLE),
    CASE("a used ring that is not aligned (2.7)", NEEDS_RESET, used_unaligned, .flags = NO_ENABLE),
    CASE("a descriptor table outside RAM", NEEDS_RESET, desc_outside, .flags = NO_ENABLE),
    CASE("an available ring outside RAM", NEEDS_RESET, avail_outside, .flags = NO_ENABLE),
    CASE("a used ring outside RAM", NEEDS_RESET, used_outside, .flags = NO_ENABLE),
    CASE("a descriptor table that leaves RAM", NEEDS_RESET, desc_over_end, .flags = NO_ENABLE),
    CASE("an available ring that leaves RAM", NEEDS_RESET, avail_over_end, .flags = NO_ENABLE),
    CASE("a used ring that leaves RAM", NEEDS_RESET, used_over_end, .flags = NO_ENABLE),
    CASE("a descriptor table that wraps around 2^64", NEEDS_RESET, desc_wraps, .flags = NO_ENABLE),
    CASE("an available ring that wraps around 2^64", NEEDS_RESET, avail_wraps, .flags = NO_ENABLE),
    CASE("a used ring that wraps around 2^64", NEEDS_RESET, used_wraps, .flags = NO_ENABLE),
    CASE("a used ring over the interrupt controllers", NEEDS_RESET, used_in_hole,
         .flags = NO_ENABLE),
    CASE("a descriptor table over the device's registers", NEEDS_RESET, desc_at_registers,
         .flags = NO_ENABLE),
    CASE("a queue size that is no power of two (2.7)", NEEDS_RESET, size_odd, .flags = NO_ENABLE),
    CASE("a queue size of 0 (2.7)", NEEDS_RESET, size_zero, .flags = NO_ENABLE),
    CASE("a queue size above the device's (2.7)", NEEDS_RESET, size_big, .flags = NO_ENABLE),
    CASE("a queue of one descriptor (2.7)", SERVED, size_one, .flags = NO_ENABLE),
    CASE("all rings in one place", ANY_END, all_in_one, .flags = NO_ENABLE),
};
const unsigned n_toy_ring_cases = sizeof toy_ring_cases / sizeof *toy_ring_cases;
