/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio driver that does anything: the input is a list of small commands that write rings,
 * descriptors, registers and buffers, notify, reset, stop and start. Afterwards a reset has to cure
 * the device, every chain that was popped has been completed or dropped by a reset, and the fake
 * host saw no broken rule.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backplane/test.h>

#include "harness/virtio-toy.h"

#define RAM  (UINT64_C(1) << 20)
#define AREA 0x10000u /* rings, tables and buffers: 64 KiB that the input can write */

struct input {
    const uint8_t *p;
    size_t n;
};

static struct bpt_machine *m;
static struct toy *toy;
static struct bpt_virtio *v;
static struct bpt_vq *q;
static uint64_t area, regs;
static int pci;

static uint32_t
take(struct input *in, unsigned bytes)
{
    uint32_t val = 0;

    for (unsigned i = 0; i < bytes; i++, in->p += in->n ? 1 : 0, in->n -= in->n ? 1 : 0)
        val |= in->n ? (uint32_t)*in->p << 8 * i : 0;
    return val;
}

static void
must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz-virtqueue: %s: %s\n", what,
            bpt_problems(m) ? bpt_problem(m, 0) : bpt_error(m));
    abort();
}

static void
make_machine(uint32_t how)
{
    static const uint64_t windows[] = {0, 4096, 1, 65536};

    if (!getenv("top_builddir"))
        setenv("BACKPLANE_PLUGIN_PATH", "modules", 0);
    pci = how & 1;
    m = bpt_new(RAM, 1 << 16);
    bpt_map_window(m, windows[how >> 1 & 3]);
    must(!pci || !bpt_load(m, "pci", "pci0", NULL), "pci");
    must(!bpt_add(m, &toy_class, "toy0", pci ? "transport=pci" : "transport=mmio") &&
             !bpt_realize_all(m) && !bpt_start(m),
         "start");
    toy = bpt_self(m, "toy0");
    v = bpt_virtio_find(m, TOY_ID, 0);
    must(v != NULL, "find");
    regs = bpt_where(m, "toy0", pci ? "virtio-pci" : "virtio-mmio");
    area = bpt_alloc(m, AREA, 4096);
}

static void
setup(uint32_t features)
{
    uint64_t f = (features & 1 ? UINT64_C(1) << BP_VIRTIO_F_INDIRECT_DESC : 0) |
                 (features & 2 ? UINT64_C(1) << BP_VIRTIO_F_EVENT_IDX : 0);

    /* A reset that waits for what is held would never end here. */
    toy_finish(toy);
    must(!bpt_virtio_setup(v, f, TOY_QUEUES), "set-up");
    q = bpt_virtio_queue(v, 0);
}

/* Addresses that are worth trying: in the area, in the rings, at the ends of RAM, anywhere. */
static uint64_t
address(struct input *in)
{
    uint32_t how = take(in, 1), off = take(in, 2);

    switch (how % 8) {
    case 0:
        return q->desc + off;
    case 1:
        return q->used + off;
    case 2:
        return RAM - off;
    case 3:
        return (UINT64_C(1) << 32) + off;
    case 4:
        return (uint64_t)take(in, 4) << 32 | off;
    default:
        return area + off;
    }
}

static void
scribble(uint64_t at, struct input *in)
{
    uint32_t n = take(in, 1);

    while (n--) {
        uint8_t *p = bpt_ram(m, at++, 1);

        if (p)
            *p = (uint8_t)take(in, 1);
    }
}

static void
write_desc(struct input *in)
{
    uint32_t where = take(in, 1);
    struct bpt_desc d = {.addr = address(in)}, *at;

    d.len = take(in, 2);
    d.len <<= where & 0x80 ? 16 : 0;
    d.flags = (uint16_t)take(in, 1);
    d.next = (uint16_t)take(in, 1);
    /* Into the queue's table, or an indirect one at the beginning of the area. */
    at = where & 0x40 ? bpt_ram(m, area + 16 * (where & 0x3f), 16)
                      : bpt_ram(m, q->desc + 16 * (where & 0x3f), 16);
    if (at)
        memcpy(at, &d, sizeof d);
}

static void
stop_and_go(struct input *in)
{
    uint32_t how = take(in, 1);

    toy_finish(toy);
    if (how & 1)
        must(!bpt_state_roundtrip(m, "toy0"), "round trip");
    else
        must(!bpt_quiesce(m) && !bpt_maps(m) && !bpt_start(m), "stop and start");
}

static void
command(struct input *in)
{
    uint32_t off, width;

    switch (take(in, 1) % 16) {
    case 0:
        scribble(address(in), in);
        break;
    case 1:
    case 2:
    case 3:
        write_desc(in);
        break;
    case 4:
        bpt_vq_publish(q, (uint16_t)take(in, 1));
        break;
    case 5:
        bpt_vq_avail(q)[1] = (uint16_t)take(in, 2);
        break;
    case 6:
        bpt_vq_notify(q);
        break;
    case 7:
        off = take(in, 2), width = 1u << (off >> 14);
        bpt_mmio_write(m, regs + (off & 0x3fff), width,
                       width < 8 ? take(in, width) : take(in, 4) | (uint64_t)take(in, 4) << 32);
        break;
    case 8:
        off = take(in, 2);
        bpt_mmio_read(m, regs + (off & 0x3fff), 1u << (off >> 14));
        break;
    case 9:
        bpt_poll(m, 0);
        break;
    case 10:
        toy_finish(toy);
        break;
    case 11:
        off = take(in, 1);
        toy->hold = off & 1, toy->slow_reset = off >> 1 & 1, toy->fill = off >> 2 & 1;
        toy->cap = off >> 3;
        break;
    case 12:
        setup(take(in, 1));
        break;
    case 13:
        stop_and_go(in);
        break;
    case 14:
        q = bpt_virtio_queue(v, take(in, 1) % TOY_QUEUES);
        break;
    default:
        off = take(in, 1);
        if (pci && off >= 0x40)
            bpt_pci_write(m, bpt_virtio_devfn(v), off & 0xfc, 4, take(in, 4));
        else
            bpt_virtio_set_status(v, take(in, 1));
        break;
    }
}

static void
cure(void)
{
    struct bpt_sg sg[2] = {{area, 16, 0}, {area + 64, 16, 1}};
    uint32_t len = 0;

    toy->hold = toy->slow_reset = toy->fill = 0;
    toy->cap = 0;
    toy_finish(toy);
    if (pci) { /* the bus is not what is tried here */
        must(!bpt_reset(m), "reset");
        bpt_pci_enable(m, bpt_virtio_devfn(v), 1);
    }
    setup(3);
    memset(bpt_ram(m, area, 16), 0x33, 16);
    must(!bpt_vq_do(q, sg, 2, &len) && len == 16 && *(uint8_t *)bpt_ram(m, area + 79, 1) == 0x33,
         "works again");
    must(toy->n_pop == toy->n_done + toy->n_dropped, "each chain once");
    must(!bpt_quiesce(m) && !bpt_maps(m) && !bpt_problems(m), "end");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};

    make_machine(take(&in, 1));
    setup(take(&in, 1));
    while (in.n)
        command(&in);
    bpt_poll(m, 0);
    cure();
    bpt_free(m);
    return 0;
}
