/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-guest.c - a virtio driver's registers, PCI or MMIO: negotiation, queues, interrupts. It
 * knows the specification and nothing of libbackplane-virtio.
 */
#include <string.h>

#include "virtio-guest.h"

enum {
    /* common configuration of PCI */
    C_OFFERED_SEL = 0,
    C_OFFERED = 4,
    C_ACCEPT_SEL = 8,
    C_ACCEPT = 12,
    C_CONFIG_VECTOR = 16,
    C_STATUS = 20,
    C_GENERATION = 21,
    C_QUEUE_SEL = 22,
    C_QUEUE_SIZE = 24,
    C_QUEUE_VECTOR = 26,
    C_QUEUE_ENABLE = 28,
    C_QUEUE_NOTIFY_OFF = 30,
    C_QUEUE_ADDR = 32,
    /* MMIO registers */
    M_OFFERED = 0x10,
    M_OFFERED_SEL = 0x14,
    M_ACCEPT = 0x20,
    M_ACCEPT_SEL = 0x24,
    M_QUEUE_SEL = 0x30,
    M_QUEUE_MAX = 0x34,
    M_QUEUE_NUM = 0x38,
    M_QUEUE_READY = 0x44,
    M_QUEUE_NOTIFY = 0x50,
    M_ISR = 0x60,
    M_ACK = 0x64,
    M_STATUS = 0x70,
    M_QUEUE_DESC = 0x80,
    M_QUEUE_DRIVER = 0x90,
    M_QUEUE_DEVICE = 0xa0,
    M_GENERATION = 0xfc,
    M_CONFIG = 0x100,
};

#define VIRTIO_PCI_VENDOR 0x1af4u
#define VIRTIO_PCI_DEVICE 0x1040u
#define MMIO_MAGIC        0x74726976u
#define S_FEATURES_OK     8u

static uint64_t
rd(struct bpt_virtio *v, uint64_t at, uint32_t width)
{
    return bpt_mmio_read(v->m, at, width);
}

static void
wr(struct bpt_virtio *v, uint64_t at, uint32_t width, uint64_t val)
{
    bpt_mmio_write(v->m, at, width, val);
}

/* ---- Finding ---- */

/* The place of the structure that a vendor capability describes (4.1.4). */
static int
pci_structures(struct bpt_virtio *v)
{
    uint32_t cap = 0;

    while ((cap = bpt_pci_cap(v->m, v->devfn, 9, cap)) != 0) {
        uint32_t type = bpt_pci_read(v->m, v->devfn, cap + 3, 1);
        uint64_t bar = bpt_pci_bar(v->m, v->devfn, bpt_pci_read(v->m, v->devfn, cap + 4, 1));
        uint64_t at = bar + bpt_pci_read(v->m, v->devfn, cap + 8, 4);

        if (bar == BP_IO_NOWHERE)
            continue;
        switch (type) {
        case 1:
            v->common = at;
            break;
        case 2:
            v->notify = at;
            v->notify_step = bpt_pci_read(v->m, v->devfn, cap + 16, 4);
            break;
        case 3:
            v->isr = at;
            break;
        case 4:
            v->config = at;
            break;
        default:
            break;
        }
    }
    return v->common && v->notify && v->isr;
}

static uint64_t
mmio_find(struct bpt_machine *m, uint32_t device_id, unsigned nth)
{
    for (unsigned i = 0; i < m->n_objs; i++) {
        const struct obj *o = m->objs[i];

        if (o->kind == OBJ_REGION && !o->closed && strstr(o->name, "virtio") &&
            o->region.desc.kind == BP_REGION_MMIO && o->region.base != BP_IO_NOWHERE &&
            bpt_mmio_read(m, o->region.base, 4) == MMIO_MAGIC &&
            bpt_mmio_read(m, o->region.base + 4, 4) == 2 &&
            bpt_mmio_read(m, o->region.base + 8, 4) == device_id && nth-- == 0)
            return o->region.base;
    }
    return 0;
}

struct bpt_virtio *
bpt_virtio_find(struct bpt_machine *m, uint32_t device_id, unsigned nth)
{
    struct bpt_virtio *v = xcalloc(1, sizeof *v);

    v->m = m;
    v->devfn = BPT_PCI_NONE;
    if (bpt_claimed(m, BP_REGION_PIO, 0xcf8, NULL))
        v->devfn = bpt_pci_find(m, VIRTIO_PCI_VENDOR, VIRTIO_PCI_DEVICE + device_id, nth);
    if (v->devfn != BPT_PCI_NONE)
        bpt_pci_enable(m, v->devfn, 1);
    else
        v->mmio = mmio_find(m, device_id, nth);
    if (v->devfn != BPT_PCI_NONE ? !pci_structures(v) : !v->mmio) {
        free(v);
        return NULL;
    }
    v->msix = v->devfn != BPT_PCI_NONE && bpt_pci_cap(m, v->devfn, 0x11, 0);
    v->next = m->drivers;
    m->drivers = v;
    return v;
}

void
drivers_free(struct bpt_machine *m)
{
    struct bpt_virtio *v;

    while ((v = m->drivers) != NULL) {
        m->drivers = v->next;
        for (uint32_t i = 0; i < v->n_queues; i++)
            vq_free(v->queues[i]);
        free(v->queues);
        free(v);
    }
}

struct bpt_machine *
bpt_virtio_machine(const struct bpt_virtio *v)
{
    return v->m;
}

int
bpt_virtio_is_pci(const struct bpt_virtio *v)
{
    return !v->mmio;
}

uint32_t
bpt_virtio_devfn(const struct bpt_virtio *v)
{
    return v->devfn;
}

void
bpt_virtio_use_intx(struct bpt_virtio *v)
{
    v->msix = 0;
}

/* ---- Registers ---- */

uint32_t
bpt_virtio_status(struct bpt_virtio *v)
{
    return (uint32_t)(v->mmio ? rd(v, v->mmio + M_STATUS, 4) : rd(v, v->common + C_STATUS, 1));
}

void
bpt_virtio_set_status(struct bpt_virtio *v, uint32_t bits)
{
    if (v->mmio)
        wr(v, v->mmio + M_STATUS, 4, bits);
    else
        wr(v, v->common + C_STATUS, 1, bits);
}

uint64_t
bpt_virtio_offered(struct bpt_virtio *v)
{
    uint64_t f = 0, sel = v->mmio ? v->mmio + M_OFFERED_SEL : v->common + C_OFFERED_SEL;

    for (uint32_t i = 0; i < 2; i++) {
        wr(v, sel, 4, i);
        f |= rd(v, v->mmio ? v->mmio + M_OFFERED : v->common + C_OFFERED, 4) << 32 * i;
    }
    return f;
}

void
bpt_virtio_accept(struct bpt_virtio *v, uint64_t features)
{
    uint64_t sel = v->mmio ? v->mmio + M_ACCEPT_SEL : v->common + C_ACCEPT_SEL;

    v->features = features;
    for (uint32_t i = 0; i < 2; i++) {
        wr(v, sel, 4, i);
        wr(v, v->mmio ? v->mmio + M_ACCEPT : v->common + C_ACCEPT, 4,
           (uint32_t)(features >> 32 * i));
    }
}

uint32_t
bpt_virtio_generation(struct bpt_virtio *v)
{
    return (uint32_t)(v->mmio ? rd(v, v->mmio + M_GENERATION, 4)
                              : rd(v, v->common + C_GENERATION, 1));
}

uint64_t
bpt_virtio_config(struct bpt_virtio *v, uint32_t off, uint32_t width)
{
    if (!v->mmio && !v->config)
        return 0;
    return rd(v, (v->mmio ? v->mmio + M_CONFIG : v->config) + off, width);
}

void
bpt_virtio_config_write(struct bpt_virtio *v, uint32_t off, uint32_t width, uint64_t val)
{
    if (v->mmio || v->config)
        wr(v, (v->mmio ? v->mmio + M_CONFIG : v->config) + off, width, val);
}

static void
queue_select(struct bpt_virtio *v, uint32_t index)
{
    if (v->mmio)
        wr(v, v->mmio + M_QUEUE_SEL, 4, index);
    else
        wr(v, v->common + C_QUEUE_SEL, 2, index);
}

uint32_t
bpt_virtio_queue_max(struct bpt_virtio *v, uint32_t index)
{
    queue_select(v, index);
    return (uint32_t)(v->mmio ? rd(v, v->mmio + M_QUEUE_MAX, 4)
                              : rd(v, v->common + C_QUEUE_SIZE, 2));
}

static void
address_write(struct bpt_virtio *v, uint64_t at, uint64_t gpa)
{
    wr(v, at, 4, (uint32_t)gpa);
    wr(v, at + 4, 4, gpa >> 32);
}

void
bpt_vq_configure(struct bpt_vq *q)
{
    struct bpt_virtio *v = q->dev;

    queue_select(v, q->index);
    if (v->mmio) {
        wr(v, v->mmio + M_QUEUE_NUM, 4, q->num);
        address_write(v, v->mmio + M_QUEUE_DESC, q->desc);
        address_write(v, v->mmio + M_QUEUE_DRIVER, q->avail);
        address_write(v, v->mmio + M_QUEUE_DEVICE, q->used);
        return;
    }
    wr(v, v->common + C_QUEUE_SIZE, 2, q->num);
    wr(v, v->common + C_QUEUE_VECTOR, 2, v->msix ? q->index + 1 : 0xffff);
    address_write(v, v->common + C_QUEUE_ADDR, q->desc);
    address_write(v, v->common + C_QUEUE_ADDR + 8, q->avail);
    address_write(v, v->common + C_QUEUE_ADDR + 16, q->used);
    q->books->notify_off = (uint32_t)rd(v, v->common + C_QUEUE_NOTIFY_OFF, 2);
}

void
bpt_vq_enable(struct bpt_vq *q, uint32_t on)
{
    queue_select(q->dev, q->index);
    if (q->dev->mmio)
        wr(q->dev, q->dev->mmio + M_QUEUE_READY, 4, on);
    else
        wr(q->dev, q->dev->common + C_QUEUE_ENABLE, 2, on);
}

int
bpt_vq_enabled(struct bpt_vq *q)
{
    queue_select(q->dev, q->index);
    return (int)(q->dev->mmio ? rd(q->dev, q->dev->mmio + M_QUEUE_READY, 4)
                              : rd(q->dev, q->dev->common + C_QUEUE_ENABLE, 2));
}

void
bpt_vq_notify(struct bpt_vq *q)
{
    struct bpt_virtio *v = q->dev;

    if (v->mmio)
        wr(v, v->mmio + M_QUEUE_NOTIFY, 4, q->index);
    else
        wr(v, v->notify + (uint64_t)q->books->notify_off * v->notify_step, 2, q->index);
}

/* ---- Negotiation ---- */

static int
status_is_zero(void *v)
{
    return bpt_virtio_status(v) == 0;
}

int
bpt_virtio_reset(struct bpt_virtio *v)
{
    bpt_virtio_set_status(v, 0);
    return bpt_until(v->m, status_is_zero, v) ? 0 : BP_E_AGAIN;
}

/* Vector 0 for the configuration, 1 + n for queue n. */
static void
vectors_setup(struct bpt_virtio *v)
{
    if (v->mmio)
        return;
    if (v->msix)
        bpt_pci_msix(v->m, v->devfn);
    else
        bpt_pci_msix_control(v->m, v->devfn, 0);
    wr(v, v->common + C_CONFIG_VECTOR, 2, v->msix ? 0 : 0xffff);
    v->sent_from = bpt_msi_count(v->m);
    v->sent_seen = v->sent_from;
}

int
bpt_virtio_negotiate(struct bpt_virtio *v, uint64_t want)
{
    int err = bpt_virtio_reset(v);

    if (err)
        return err;
    vectors_setup(v);
    bpt_virtio_set_status(v, 1);
    bpt_virtio_set_status(v, 1 | 2);
    bpt_virtio_accept(v, (want & bpt_virtio_offered(v)) | F_VERSION_1);
    bpt_virtio_set_status(v, 1 | 2 | S_FEATURES_OK);
    return bpt_virtio_status(v) & S_FEATURES_OK ? 0 : BP_E_PROTO;
}

void
bpt_virtio_driver_ok(struct bpt_virtio *v)
{
    bpt_virtio_set_status(v, 1 | 2 | S_FEATURES_OK | 4);
}

int
bpt_virtio_setup(struct bpt_virtio *v, uint64_t want, uint32_t n)
{
    int err = bpt_virtio_negotiate(v, want);

    for (uint32_t i = 0; !err && i < n; i++) {
        struct bpt_vq *q = bpt_vq_new(v, i, 0);

        if (q)
            bpt_vq_enable(q, 1);
        else
            err = BP_E_NODEV;
    }
    if (!err)
        bpt_virtio_driver_ok(v);
    return err;
}

/* ---- Interrupts ---- */

static uint64_t
count_messages(struct bpt_virtio *v, uint64_t from, int64_t vector)
{
    struct bpt_machine *m = v->m;
    uint64_t n = 0;

    irq_drain(m);
    lock(m);
    for (uint64_t i = from; i < m->n_sent; i++)
        n += m->sent[i].addr == BPT_MSIX_ADDR(v->devfn) &&
             (vector < 0 ? m->sent[i].data != BPT_MSIX_DATA(0)
                         : m->sent[i].data == BPT_MSIX_DATA((uint32_t)vector));
    unlock(m);
    return n;
}

uint64_t
bpt_virtio_messages(struct bpt_virtio *v, uint32_t index)
{
    return count_messages(v, v->sent_from, (int64_t)(index == BPT_VIRTIO_CONFIG ? 0 : index + 1));
}

uint32_t
bpt_virtio_irq(struct bpt_virtio *v)
{
    uint32_t bits;

    if (v->mmio) {
        bits = (uint32_t)rd(v, v->mmio + M_ISR, 4);
        wr(v, v->mmio + M_ACK, 4, bits);
        return bits;
    }
    if (!v->msix)
        return (uint32_t)rd(v, v->isr, 1);
    bits = (count_messages(v, v->sent_seen, -1) ? 1u : 0u) |
           (count_messages(v, v->sent_seen, 0) ? 2u : 0u);
    v->sent_seen = bpt_msi_count(v->m);
    return bits;
}
