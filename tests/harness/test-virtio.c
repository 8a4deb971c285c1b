/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libbackplane-virtio with drivers that keep the rules: every transport, with and without indirect
 * descriptors and EVENT_IDX, on hosts that map memory whole, in windows, or not at all.
 */
#include <string.h>
#include <unistd.h>

#include "tap.h"
#include "virtio-toy.h"

#define INDIRECT (UINT64_C(1) << BP_VIRTIO_F_INDIRECT_DESC)
#define EVENT    (UINT64_C(1) << BP_VIRTIO_F_EVENT_IDX)

enum transport {
    MMIO,
    PCI,
    INTX,
};
static const char *const transport_names[] = {"mmio", "pci", "pci with INTx"};

struct rig {
    struct bpt_machine *m;
    struct toy *toy;
    struct bpt_virtio *v;
    uint64_t buf;
};

/* A machine with one toy, running. */
static struct rig
rig_make(enum transport how, uint64_t window)
{
    struct rig r = {.m = bpt_new(64 << 20, 1 << 20)};
    const char *props = how == MMIO ? "transport=mmio" : "transport=pci";

    bpt_map_window(r.m, window);
    if ((how != MMIO && bpt_load(r.m, "pci", "pci0", NULL)) ||
        bpt_add(r.m, &toy_class, "toy0", props) || bpt_realize_all(r.m) || bpt_start(r.m) ||
        !(r.v = bpt_virtio_find(r.m, TOY_ID, 0))) {
        printf("Bail out! no toy on %s: %s\n", transport_names[how], bpt_error(r.m));
        exit(1);
    }
    if (how == INTX)
        bpt_virtio_use_intx(r.v);
    r.toy = bpt_self(r.m, "toy0");
    r.buf = bpt_alloc(r.m, 4096, 1);
    return r;
}

/* One chain there and back: out parts of 100 and 28 bytes, in parts of 50 and 200. */
static int
echo(struct rig *r, uint32_t queue, int indirect, uint32_t *ret_irq)
{
    struct bpt_vq *q = bpt_virtio_queue(r->v, queue);
    uint64_t buf = r->buf;
    struct bpt_sg sg[4];
    uint8_t *out, *in;
    uint32_t len = 0;
    int head;

    sg[0] = (struct bpt_sg){buf + 1, 100, 0};
    sg[1] = (struct bpt_sg){buf + 200, 28, 0};
    sg[2] = (struct bpt_sg){buf + 1000, 50, 1};
    sg[3] = (struct bpt_sg){buf + 2000, 200, 1};
    out = bpt_ram(r->m, buf, 4096);
    in = out;
    memset(out, 0, 4096);
    for (int i = 0; i < 100; i++)
        out[1 + i] = (uint8_t)(i + 1);
    memset(out + 200, 0xee, 28);
    head = bpt_vq_add(q, sg, 4, indirect);
    bpt_vq_kick(q);
    bpt_pump(r->m);
    *ret_irq = bpt_virtio_irq(r->v);
    return head >= 0 && bpt_vq_get(q, &len) == head && len == 128 &&
           !memcmp(in + 1000, out + 1, 50) && !memcmp(in + 2000, out + 51, 50) &&
           in[2050] == 0xee && in[2077] == 0xee && in[2078] == 0;
}

static void
try_transport(enum transport how, uint64_t window, uint64_t features)
{
    struct rig r = rig_make(how, window);
    uint32_t irq = 0;
    char what[80];
    int good = 1;

    snprintf(what, sizeof what, "%s, %s, %s%s", transport_names[how],
             window > 1 ? "windows"
             : window   ? "no mapping"
                        : "whole mapping",
             features & INDIRECT ? "indirect " : "", features & EVENT ? "event_idx" : "");
    ok(bpt_virtio_setup(r.v, features, TOY_QUEUES) == 0 && r.toy->n_ready == 1, "%s: sets up",
       what);
    ok((r.toy->features & (INDIRECT | EVENT)) == features, "%s: gets its features", what);
    for (uint32_t i = 0; i < 300 && good; i++)
        good = echo(&r, i % TOY_QUEUES, features & INDIRECT && i & 1, &irq) && irq == 1;
    ok(good, "%s: 300 chains over three queues, each with an interrupt", what);
    eq_int(r.toy->n_pop, r.toy->n_done, "each chain that was popped was completed");
    bpt_map_window(r.m, 0);
    ok(bpt_state_roundtrip(r.m, "toy0") == 0, "%s: state survives: %s", what, bpt_error(r.m));
    ok(echo(&r, 1, 0, &irq), "%s: goes on", what);
    eq_int(bpt_reset(r.m), 0, "machine reset");
    eq_int(bpt_virtio_status(r.v), 0, "resets the device");
    eq_int(bpt_free(r.m), 0, "no problems");
}

/* Until FEATURES_OK a driver may write any bits, and the state of the device can be loaded then. */
static void
test_unjudged_features(enum transport how)
{
    struct rig r = rig_make(how, 0);

    bpt_virtio_set_status(r.v, 1 | 2);
    bpt_virtio_accept(r.v, UINT64_MAX);
    eq_int(bpt_state_roundtrip(r.m, "toy0"), 0, "features that are not offered survive");
    bpt_virtio_set_status(r.v, 1 | 2 | 8);
    eq_int(bpt_virtio_status(r.v) & 8, 0, "and are refused when they are judged");
    eq_int(bpt_free(r.m), 0, "no problems");
}

static void
test_suppression(enum transport how, uint64_t features)
{
    struct rig r = rig_make(how, 0);
    struct bpt_vq *q;
    struct bpt_sg sg = {0, 8, 1};
    unsigned kicks = 0, irqs = 0;

    bpt_virtio_setup(r.v, features, 1);
    q = bpt_virtio_queue(r.v, 0);
    sg.gpa = bpt_alloc(r.m, 64, 8);
    r.toy->fill = 1;
    for (int i = 0; i < 10; i++)
        bpt_vq_add(q, &sg, 1, 0);
    kicks += (unsigned)bpt_vq_kick(q);
    bpt_pump(r.m);
    irqs += bpt_virtio_irq(r.v) & 1;
    ok(kicks == 1 && irqs == 1 && bpt_vq_used(q)[1] == 10, "ten chains, one kick, one interrupt");
    while (bpt_vq_get(q, NULL) >= 0)
        ;
    bpt_vq_want_irq(q, 0);
    bpt_vq_add(q, &sg, 1, 0);
    bpt_vq_kick(q);
    bpt_pump(r.m);
    ok(bpt_vq_used(q)[1] == 11 && !bpt_virtio_irq(r.v), "no interrupt where none is wanted");
    bpt_vq_get(q, NULL);
    bpt_vq_want_irq(q, 1);
    bpt_vq_add(q, &sg, 1, 0);
    bpt_vq_kick(q);
    bpt_pump(r.m);
    ok(bpt_virtio_irq(r.v) == 1, "and again where one is");
    bpt_vq_get(q, NULL);
    /* The device is busy: it asks not to be notified, and is not. */
    bp_virtq_want_notify(bp_virtio_queue(r.toy->vdev, 0), 0);
    if (!(features & EVENT)) {
        bpt_vq_add(q, &sg, 1, 0);
        eq_int(bpt_vq_kick(q), 0, "a busy device is not kicked");
    } else {
        bpt_vq_add(q, &sg, 1, 0);
        bpt_vq_kick(q);
        bpt_vq_add(q, &sg, 1, 0);
        eq_int(bpt_vq_kick(q), 0, "a busy device is kicked once");
    }
    eq_int(bp_virtq_want_notify(bp_virtio_queue(r.toy->vdev, 0), 1), 1,
           "and sees what came meanwhile when it wants to be again");
    eq_int(bpt_free(r.m), 0, "no problems");
}

static void
test_config(enum transport how)
{
    struct rig r = rig_make(how, 0);
    uint32_t gen;

    for (uint32_t i = 0; i < TOY_CONFIG; i++)
        r.toy->config[i] = (uint8_t)(0x10 + i);
    eq_int(bpt_virtio_config(r.v, 0, 4), 0x13121110, "configuration is little endian");
    eq_int(bpt_virtio_config(r.v, 5, 1), 0x15, "and has bytes");
    eq_int(bpt_virtio_config(r.v, 8, 8), 0x1b1a1918, "and zeroes behind it");
    eq_int(bpt_virtio_config(r.v, 64, 4), 0, "and nothing further");
    bpt_virtio_config_write(r.v, 2, 2, 0xbeef);
    ok(r.toy->config[2] == 0xef && r.toy->config[3] == 0xbe, "it can be written");
    bpt_virtio_config_write(r.v, 10, 4, 0x11223344);
    ok(r.toy->config[10] == 0x44 && r.toy->config[11] == 0x33, "as far as it goes");
    gen = bpt_virtio_generation(r.v);
    bp_virtio_config_changed(r.toy->vdev);
    ok(bpt_virtio_generation(r.v) != gen, "a change is a new generation");
    bpt_virtio_setup(r.v, 0, 1);
    eq_int(bpt_virtio_irq(r.v), 0, "no interrupt from before");
    bp_virtio_config_changed(r.toy->vdev);
    eq_int(bpt_virtio_irq(r.v), 2, "a change interrupts a driver that is there");
    eq_int(bpt_virtio_irq(r.v), 0, "once");
    eq_int(bpt_free(r.m), 0, "no problems");
}

static void
test_reset_in_flight(enum transport how)
{
    struct rig r = rig_make(how, 0);
    struct bpt_sg sg = {0, 64, 1};
    struct bpt_vq *q;
    uint8_t *p;
    uint32_t irq;

    r.toy->hold = r.toy->slow_reset = r.toy->fill = 1;
    bpt_virtio_setup(r.v, EVENT, 1);
    q = bpt_virtio_queue(r.v, 0);
    sg.gpa = bpt_alloc(r.m, 4096, 4096);
    p = bpt_ram(r.m, sg.gpa, 64);
    bpt_vq_add(q, &sg, 1, 0);
    bpt_vq_kick(q);
    bpt_pump(r.m);
    eq_int(r.toy->n_held, 1, "a request is in flight");
    bpt_virtio_set_status(r.v, 0);
    ok(bpt_virtio_status(r.v) != 0, "the reset is not over");
    /* A driver that does not wait goes on at once. */
    bpt_virtio_set_status(r.v, bpt_virtio_status(r.v) | 1);
    bpt_virtio_set_status(r.v, bpt_virtio_status(r.v) | 2);
    bpt_virtio_accept(r.v, EVENT | UINT64_C(1) << BP_VIRTIO_F_VERSION_1);
    bpt_virtio_set_status(r.v, bpt_virtio_status(r.v) | 8);
    ok(bpt_virtio_status(r.v) & 8, "features are taken meanwhile");
    q = bpt_vq_new(r.v, 0, 0);
    bpt_vq_enable(q, 1);
    bpt_virtio_set_status(r.v, bpt_virtio_status(r.v) | 4);
    bpt_vq_add(q, &sg, 1, 0);
    bpt_vq_kick(q);
    bpt_pump(r.m);
    eq_int(r.toy->n_held, 1, "the new queue is not touched yet");
    eq_int(p[0], 0, "nor is the old buffer");
    r.toy->hold = 0;
    eq_int(toy_finish(r.toy), 1, "the old request ends");
    eq_int(bpt_virtio_status(r.v), 1 | 2 | 4 | 8, "the reset is over");
    bpt_pump(r.m);
    ok(bpt_vq_get(q, NULL) >= 0 && bpt_vq_used(q)[1] == 1, "and the new queue is served");
    irq = bpt_virtio_irq(r.v);
    (void)irq;
    eq_int(bpt_virtio_reset(r.v), 0, "a reset with nothing in flight is immediate");
    eq_int(bpt_free(r.m), 0, "no problems");
}

static void
test_quiesce(enum transport how)
{
    struct rig r = rig_make(how, 0);
    struct bpt_sg sg = {0, 64, 1};
    struct bpt_state *s, *t;
    struct bpt_vq *q;
    struct rig other;

    r.toy->hold = 1;
    bpt_virtio_setup(r.v, 0, 1);
    q = bpt_virtio_queue(r.v, 0);
    sg.gpa = bpt_alloc(r.m, 64, 8);
    bpt_vq_add(q, &sg, 1, 0);
    bpt_vq_kick(q);
    bpt_pump(r.m);
    eq_int(bp_virtio_quiesce(r.toy->vdev), BP_E_AGAIN, "no stop while a chain is in flight");
    toy_finish(r.toy);
    r.toy->hold = 0;
    bpt_vq_get(q, NULL);
    bpt_vq_add(q, &sg, 1, 0);
    bpt_vq_kick(q); /* not delivered before the stop */
    eq_int(bpt_quiesce(r.m), 0, "now it stops");
    eq_int(bpt_maps(r.m), 0, "and maps nothing");
    eq_int(bpt_save(r.m, "toy0", &s), 0, "saved");
    /* The same guest memory under another machine: what snapshot and restore do. */
    other = rig_make(how, 0);
    bpt_virtio_setup(other.v, 0, 1);
    bpt_quiesce(other.m);
    memcpy(bpt_ram(other.m, 1 << 20, 63 << 20), bpt_ram(r.m, 1 << 20, 63 << 20), 63 << 20);
    eq_int(bpt_restore(other.m, "toy0", s), 0, "loaded elsewhere");
    eq_int(bpt_save(other.m, "toy0", &t), 0, "saved there");
    ok(bpt_state_equal(s, t), "the same");
    other.toy->n_pop = other.toy->n_ready = 0;
    bpt_start(other.m);
    ok(other.toy->n_pop == 1 && other.toy->n_ready == 1, "what was not looked at is not lost");
    bpt_state_free(s);
    bpt_state_free(t);
    eq_int(bpt_free(other.m), 0, "no problems there");
    bpt_start(r.m);
    eq_int(r.toy->n_pop, 2, "nor here");
    ok(bpt_vq_get(q, NULL) >= 0, "it is served");
    eq_int(bpt_free(r.m), 0, "no problems");
}

static void
test_unpop(void)
{
    struct rig r = rig_make(MMIO, 0);
    struct bp_iovec iov[2][4];
    struct bp_virtq_chain a = {.size = sizeof a, .cap_iov = 4, .iov = iov[0]}, b = a;
    struct bpt_sg sg = {0, 64, 1};
    struct bp_virtq *vq;
    struct bpt_vq *q;

    bpt_virtio_setup(r.v, 0, 1);
    q = bpt_virtio_queue(r.v, 0);
    vq = bp_virtio_queue(r.toy->vdev, 0);
    sg.gpa = bpt_alloc(r.m, 64, 8);
    b.iov = iov[1];
    bpt_vq_add(q, &sg, 1, 0);
    bpt_vq_add(q, &sg, 1, 0);
    ok(bp_virtq_pop(vq, &a) == 1 && bp_virtq_pop(vq, &b) == 1, "two chains");
    bp_virtq_unpop(vq, &b);
    bp_virtq_unpop(vq, &a);
    bp_virtq_unpop(vq, &a);
    ok(bp_virtq_pop(vq, &b) == 1 && b.head == a.head, "given back and taken again, in order");
    bp_virtq_push(vq, &b, 3);
    bp_virtq_push(vq, &b, 3);
    eq_int(bpt_vq_used(q)[1], 0, "nothing is published before the flush");
    bp_virtq_flush(vq);
    eq_int(bpt_vq_used(q)[1], 1, "a second push of the same chain does nothing");
    ok(bp_virtq_pop(vq, &a) == 1 && bp_virtq_pop(vq, &b) == 0, "the other one is there too");
    bp_virtq_push(vq, &a, 0);
    bp_virtq_flush(vq);
    eq_int(bpt_free(r.m), 0, "no problems");
}

static void
test_dirty(uint64_t window)
{
    struct rig r = rig_make(PCI, window);
    struct bpt_sg sg[2] = {{0, 100, 0}, {0, 8192, 1}};
    struct bpt_vq *q;

    bpt_virtio_setup(r.v, 0, 1);
    q = bpt_virtio_queue(r.v, 0);
    sg[0].gpa = bpt_alloc(r.m, 4096, 4096);
    sg[1].gpa = bpt_alloc(r.m, 8192, 4096);
    bpt_dirty_clear(r.m);
    bpt_vq_do(q, sg, 2, NULL);
    ok(!bpt_dirty(r.m, sg[0].gpa) && bpt_dirty(r.m, sg[1].gpa) && bpt_dirty(r.m, q->used),
       "what the device writes is said to be dirty (windows of %llu)", (unsigned long long)window);
    eq_int(bpt_free(r.m), 0, "no problems");
}

/* Buffers from the top of RAM downwards, and above 4 GiB: windows must not run out. */
static void
test_windows(uint64_t window)
{
    struct rig r = rig_make(MMIO, window);
    struct bpt_vq *q;
    int good = 1;

    r.toy->fill = 1;
    bpt_virtio_setup(r.v, 0, 1);
    q = bpt_virtio_queue(r.v, 0);
    for (uint64_t i = 1; i < 200 && good; i++) {
        uint64_t high = UINT64_C(0x100100000) - i * 4096, low = (UINT64_C(64) << 20) - i * 65536;
        struct bpt_sg sg[2] = {{low - 50, 100, 1}, {high, 5000 > i * 4096 ? 4096 : 5000, 1}};

        good = bpt_vq_do(q, sg, 2, NULL) == 0 && *(uint8_t *)bpt_ram(r.m, low + 49, 1) == 0x5a &&
               *(uint8_t *)bpt_ram(r.m, high, 1) == 0x5a;
    }
    ok(good, "buffers all over memory, windows of %llu", (unsigned long long)window);
    ok(bpt_maps(r.m) <= 16 + 3 * TOY_QUEUES, "%u mappings are open", bpt_maps(r.m));
    eq_int(bpt_free(r.m), 0, "no problems");
}

/* Memory has a hole below 1 MiB, so that it cannot be mapped from 0 on: one window must reach all
 * that is above, wherever the first buffer was. */
static void
test_falling(void)
{
    struct rig r = rig_make(MMIO, 0);
    struct bpt_vq *q;
    int good = 1;

    bpt_virtio_setup(r.v, 0, 1);
    q = bpt_virtio_queue(r.v, 0);
    r.toy->fill = 1;
    /* From 1 MiB on are the rings. */
    for (uint64_t i = 0; i < 60 + 60 && good; i++) {
        uint64_t gpa = i < 60 ? (63 - i) << 20 : 0xff000 - (i - 60) * 4096;
        struct bpt_sg sg[2] = {{gpa, 100, 1}, {UINT64_C(0x100000000) + (gpa & 0xfffff), 100, 1}};

        good = bpt_vq_do(q, sg, 2, NULL) == 0 && *(uint8_t *)bpt_ram(r.m, gpa + 99, 1) == 0x5a &&
               *(uint8_t *)bpt_ram(r.m, sg[1].gpa + 99, 1) == 0x5a;
    }
    ok(good, "buffers in falling order, and beside them some above 4 GiB");
    eq_int(bpt_maps(r.m), 3 + 2, "a mapping for each ring and two for memory");
    eq_int(bpt_free(r.m), 0, "no problems");
}

/* More pieces than the iovec has room for: a copy takes their place. */
static void
test_pieces(void)
{
    struct rig r = rig_make(MMIO, 4096);
    struct bpt_sg sg[2];
    struct bpt_vq *q;
    uint8_t *out, *in;

    bpt_virtio_setup(r.v, 0, 1);
    q = bpt_virtio_queue(r.v, 0);
    r.toy->cap = 4;
    sg[0] = (struct bpt_sg){bpt_alloc(r.m, 40000, 4096), 40000, 0};
    sg[1] = (struct bpt_sg){bpt_alloc(r.m, 40000, 4096), 40000, 1};
    out = bpt_ram(r.m, sg[0].gpa, 40000);
    in = bpt_ram(r.m, sg[1].gpa, 40000);
    for (int i = 0; i < 40000; i++)
        out[i] = (uint8_t)(i * 7);
    ok(bpt_vq_do(q, sg, 2, NULL) == 0 && !memcmp(out, in, 40000), "buffers over twenty windows");
    eq_int(bpt_free(r.m), 0, "no problems");
}

/* direct: the host gives the doorbell's descriptor; otherwise the library stands in between. */
static void
test_hand_over(enum transport how, int direct)
{
    struct rig r = rig_make(how, 0);
    struct bp_virtq_layout l = {.size = sizeof l};
    struct bpt_sg sg = {0, 64, 1};
    static const uint64_t one = 1;
    struct bp_virtq *vq;
    struct bpt_vq *q;
    uint64_t n = 0;

    bpt_virtio_setup(r.v, EVENT, 1);
    q = bpt_virtio_queue(r.v, 0);
    vq = bp_virtio_queue(r.toy->vdev, 0);
    sg.gpa = bpt_alloc(r.m, 64, 8);
    bpt_vq_do(q, &sg, 1, NULL);
    bpt_virtio_irq(r.v);
    if (!direct)
        bpt_inject(r.m, "toy0", 2, BP_E_NOTSUP); /* the first call is for the interrupt */
    eq_int(bp_virtq_hand_over(vq, &l), 0, direct ? "a queue is handed over" : "... by relay");
    ok(l.num == TOY_SIZE && l.desc == q->desc && l.avail == q->avail && l.used == q->used &&
           l.last_avail == 1,
       "with its place and index");
    ok(read(l.kick_fd, &n, 8) == 8, "the other side is told to look at once");
    bpt_vq_add(q, &sg, 1, 0);
    bpt_vq_notify(q);
    eq_int(bpt_pump(r.m), direct ? 0 : 1, "a kick makes no event of ours, unless we relay it");
    ok(r.toy->n_pop == 1 && read(l.kick_fd, &n, 8) == 8, "kicks go to it, not to the device");
    /* It serves the chain and interrupts. */
    bpt_vq_used(q)[2 + 4] = bpt_vq_avail(q)[3];
    bpt_vq_used(q)[1] = 2;
    ok(write(l.call_fd, &one, 8) == 8, "it calls");
    eq_int(bpt_poll(r.m, 0), how == PCI ? 0 : 1, "a message needs no event of ours, a line does");
    eq_int(bpt_virtio_irq(r.v), 1, "its calls interrupt the driver");
    ok(bpt_vq_get(q, NULL) >= 0, "who finds the chain");
    bpt_vq_add(q, &sg, 1, 0);
    bp_virtq_take_back(vq, 2);
    eq_int(r.toy->n_pop, 2, "taken back, the device serves what is left");
    ok(bpt_vq_get(q, NULL) >= 0, "in the right place");
    bpt_pump(r.m);
    bpt_vq_add(q, &sg, 1, 0);
    bpt_vq_notify(q);
    eq_int(bpt_pump(r.m), 1, "kicks come to the device again");
    ok(bpt_vq_get(q, NULL) >= 0, "which serves them");
    close(l.kick_fd);
    close(l.call_fd);
    eq_int(bp_virtq_hand_over(vq, &l), 0, "and handed over once more");
    close(l.kick_fd);
    close(l.call_fd);
    bpt_virtio_reset(r.v);
    bp_virtq_take_back(vq, 7);
    eq_int(bpt_free(r.m), 0, "no problems");
}

/* Whatever fails on the way, the queue stays with the device and no descriptor is left. */
static void
test_hand_over_fails(enum transport how)
{
    struct rig r = rig_make(how, 0);
    struct bp_virtq_layout l = {.size = sizeof l};
    unsigned fds;
    struct bpt_sg sg = {bpt_alloc(r.m, 64, 8), 64, 1};
    struct bp_virtq *vq = bp_virtio_queue(r.toy->vdev, 0);

    bpt_virtio_setup(r.v, EVENT, 1);
    ok(bp_virtq_hand_over(vq, &l) == 0, "handed over, so that what is made once is made");
    close(l.kick_fd);
    close(l.call_fd);
    bp_virtq_take_back(vq, 0);
    fds = bpt_open_fds();
    /* A message that has no descriptor is relayed, so its failure is none. */
    for (uint64_t nth = how == PCI ? 2 : 1; nth <= 2; nth++) {
        bpt_inject(r.m, "toy0", nth, BP_E_NOMEM);
        eq_int(bp_virtq_hand_over(vq, &l), BP_E_NOMEM, "a host that fails");
        eq_int(bpt_open_fds(), fds, "leaves no descriptor");
        bpt_pump(r.m);
        eq_int(bpt_vq_do(bpt_virtio_queue(r.v, 0), &sg, 1, NULL), 0, "and the device works on");
    }
    eq_int(bpt_free(r.m), 0, "no problems");
}

/* virtio_pci_cap type 5: registers through configuration space alone. */
static void
test_pci_cfg(void)
{
    struct rig r = rig_make(PCI, 0);
    uint32_t devfn = bpt_virtio_devfn(r.v), cap = 0;

    while ((cap = bpt_pci_cap(r.m, devfn, 9, cap)) && bpt_pci_read(r.m, devfn, cap + 3, 1) != 5)
        ;
    ok(cap != 0, "there is a PCI_CFG capability");
    bpt_pci_write(r.m, devfn, cap + 4, 1, 0);
    bpt_pci_write(r.m, devfn, cap + 8, 4, 20); /* device_status */
    bpt_pci_write(r.m, devfn, cap + 12, 4, 1);
    bpt_pci_write(r.m, devfn, cap + 16, 1, 1);
    eq_int(bpt_virtio_status(r.v), 1, "it writes a register");
    bpt_virtio_set_status(r.v, 3);
    eq_int(bpt_pci_read(r.m, devfn, cap + 16, 1), 3, "and reads one");
    bpt_pci_write(r.m, devfn, cap + 12, 4, 4);
    bpt_pci_write(r.m, devfn, cap + 8, 4, 0x2000);
    memcpy(r.toy->config, "abcd", 4);
    eq_int(bpt_pci_read(r.m, devfn, cap + 16, 4), 0x64636261, "of any structure");
    bpt_pci_write(r.m, devfn, cap + 8, 4, 0x4000);
    eq_int(bpt_pci_read(r.m, devfn, cap + 16, 4), 0, "outside the BAR there is nothing");
    bpt_pci_write(r.m, devfn, cap + 8, 4, 0xffffffff);
    eq_int(bpt_pci_read(r.m, devfn, cap + 16, 4), 0, "nor far outside");
    bpt_pci_write(r.m, devfn, cap + 8, 4, 18);
    eq_int(bpt_pci_read(r.m, devfn, cap + 16, 4), 0, "nor unaligned");
    bpt_pci_write(r.m, devfn, cap + 8, 4, 0);
    bpt_pci_write(r.m, devfn, cap + 12, 4, 3);
    eq_int(bpt_pci_read(r.m, devfn, cap + 16, 4), 0, "nor for three bytes");
    eq_int(bpt_free(r.m), 0, "no problems");
}

/* Each host call that realize makes fails once; the device goes away cleanly. */
static void
test_failures(enum transport how)
{
    unsigned fds = bpt_open_fds(), n;
    int good = 1;

    for (n = 1; n < 200 && good; n++) {
        struct bpt_machine *m = bpt_new(1 << 20, 0);
        int err, fired;

        if (how != MMIO)
            bpt_load(m, "pci", "pci0", NULL);
        bpt_add(m, &toy_class, "toy0", how == MMIO ? "transport=mmio" : "transport=pci");
        if (how != MMIO)
            bpt_realize(m, "pci0");
        bpt_inject(m, "toy0", n, BP_E_NOMEM);
        err = bpt_realize_all(m);
        fired = bpt_injected(m);
        good = !!err == fired && bpt_free(m) == 0;
        if (!fired)
            break;
    }
    ok(good && n > 5 && n < 200, "%s: %u calls, each may fail", transport_names[how], n - 1);
    eq_int(bpt_open_fds(), fds, "nothing is left open");
}

int
main(void)
{
    static const uint64_t features[] = {0, INDIRECT, EVENT, INDIRECT | EVENT};

    for (enum transport how = MMIO; how <= INTX; how++) {
        for (int f = 0; f < 4; f++)
            try_transport(how, 0, features[f]);
        try_transport(how, 4096, INDIRECT | EVENT);
        try_transport(how, 1, INDIRECT | EVENT);
        try_transport(how, 1, INDIRECT);
        test_suppression(how, 0);
        test_suppression(how, EVENT);
        test_unjudged_features(how);
        test_config(how);
        test_reset_in_flight(how);
        test_quiesce(how);
        test_hand_over(how, 1);
        test_hand_over(how, 0);
        test_hand_over_fails(how);
    }
    test_unpop();
    test_dirty(0);
    test_dirty(4096);
    test_dirty(1);
    test_windows(0);
    test_windows(65536);
    test_windows(4096);
    test_windows(1);
    test_falling();
    test_pieces();
    test_pci_cfg();
    test_failures(MMIO);
    test_failures(PCI);
    return done_testing();
}
