/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci.c - virtio over PCI (4.1), modern only: four structures in one 32-bit memory BAR, so that
 * firmware which cannot reach above 4 GiB reaches them, and the PCI_CFG window for firmware that
 * cannot reach memory BARs at all. Interrupts are MSI-X vectors, or INTA# with the ISR register.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define VIRTIO_VENDOR  0x1af4u
#define VIRTIO_DEVICE  0x1040u /* + device id */
#define PCI_CAP_VENDOR 0x09u
#define BAR_REGS       0u
#define BAR_MSIX       1u
#define NOTIFY_STEP    4u
#define COMMON_LEN     56u
#define REGION_REGS    0u
#define REGION_PCI_CFG 1u

/* Each structure has a page of BAR 0. */
enum {
    AT_COMMON = 0x0000,
    AT_ISR = 0x1000,
    AT_DEVICE = 0x2000,
    AT_NOTIFY = 0x3000,
    AT_END = 0x4000,
};
#define PAGE_MASK 0xfffu

/* 4.1.4: cfg_type */
enum {
    CAP_COMMON = 1,
    CAP_NOTIFY = 2,
    CAP_ISR = 3,
    CAP_DEVICE = 4,
    CAP_PCI_CFG = 5,
};

/* 4.1.4.3: struct virtio_pci_common_cfg */
enum {
    C_DEVICE_FEATURE_SELECT = 0,
    C_DEVICE_FEATURE = 4,
    C_DRIVER_FEATURE_SELECT = 8,
    C_DRIVER_FEATURE = 12,
    C_CONFIG_VECTOR = 16,
    C_NUM_QUEUES = 18,
    C_STATUS = 20,
    C_CONFIG_GENERATION = 21,
    C_QUEUE_SELECT = 22,
    C_QUEUE_SIZE = 24,
    C_QUEUE_VECTOR = 26,
    C_QUEUE_ENABLE = 28,
    C_QUEUE_NOTIFY_OFF = 30,
    C_QUEUE_DESC = 32,
    C_QUEUE_DRIVER = 40,
    C_QUEUE_DEVICE = 48,
};

/* The PCI_CFG window begins at the capability's bar field (4.1.4.9). */
enum {
    W_BAR = 0,
    W_OFFSET = 4,
    W_LENGTH = 8,
    W_DATA = 12,
    W_END = 16,
    W_AT = 4, /* in the capability */
};

/* ---- Interrupts ---- */

static void
pci_intx(struct bp_virtio *dev, int on)
{
    if (dev->pci.intx == on)
        return;
    dev->pci.intx = on;
    dev->pci.bus_if->intx(dev->pci.bus.self, dev->pci.fn, (uint32_t)on);
}

static inline void
pci_irq(struct bp_virtio *dev, uint32_t bit, uint16_t vector)
{
    const struct pci_side *pci = &dev->pci;

    dev->isr |= bit;
    if (likely(pci->bus_if->status(pci->bus.self, pci->fn) & BP_PCI_MSIX_ON)) {
        pci_intx(dev, 0);
        if (vector < pci->n_vectors)
            dev->irq->raise(dev->inst, pci->vectors[vector]);
    } else {
        pci_intx(dev, 1);
    }
}

static void
pci_queue_irq(struct bp_virtio *dev, struct bp_virtq *vq)
{
    pci_irq(dev, ISR_QUEUE, vq->vector);
}

static void
pci_config_irq(struct bp_virtio *dev)
{
    pci_irq(dev, ISR_CONFIG, dev->config_vector);
}

static void
pci_reset(struct bp_virtio *dev)
{
    pci_intx(dev, 0);
}

static int
pci_queue_fd(struct bp_virtio *dev, struct bp_virtq *vq, int *ret_fd)
{
    const struct pci_side *pci = &dev->pci;

    if (!(pci->bus_if->status(pci->bus.self, pci->fn) & BP_PCI_MSIX_ON) ||
        vq->vector >= pci->n_vectors || !BP_HAS(struct bp_irq_if, dev->irq, as_fd))
        return BP_E_NOTSUP;
    return dev->irq->as_fd(dev->inst, pci->vectors[vq->vector], ret_fd, NULL);
}

/* The pin's level is our state, not the bus's, which may be loaded before or after us. */
static void
pci_loaded(struct bp_virtio *dev, int pin)
{
    dev->pci.intx = !pin;
    pci_intx(dev, pin);
}

static void
pci_free(struct bp_virtio *dev)
{
    free(dev->pci.vectors);
}

static const struct transport pci_transport = {
    .queue_irq = pci_queue_irq,
    .config_irq = pci_config_irq,
    .reset = pci_reset,
    .queue_fd = pci_queue_fd,
    .loaded = pci_loaded,
    .free = pci_free,
};

/* ---- The common structure ---- */

/* Reading has no side effects, so that any piece of it is a piece of this image. */
static void
common_image(struct bp_virtio *dev, uint8_t *c)
{
    const struct bp_virtq *vq = virtio_selected(dev);
    uint32_t accepted =
        dev->driver_sel > 1 ? 0 : (uint32_t)(dev->features_driver >> 32 * dev->driver_sel);

    memset(c, 0, COMMON_LEN);
    bytes_put(c + C_DEVICE_FEATURE_SELECT, dev->offered_sel, 4);
    bytes_put(c + C_DEVICE_FEATURE, virtio_offered(dev), 4);
    bytes_put(c + C_DRIVER_FEATURE_SELECT, dev->driver_sel, 4);
    bytes_put(c + C_DRIVER_FEATURE, accepted, 4);
    bytes_put(c + C_CONFIG_VECTOR, dev->config_vector, 2);
    bytes_put(c + C_NUM_QUEUES, dev->desc.n_queues, 2);
    bytes_put(c + C_STATUS, virtio_read_status(dev), 1);
    bytes_put(c + C_CONFIG_GENERATION, dev->config_gen, 1);
    bytes_put(c + C_QUEUE_SELECT, dev->queue_sel, 2);
    bytes_put(c + C_QUEUE_VECTOR, NO_VECTOR, 2);
    if (!vq)
        return;
    bytes_put(c + C_QUEUE_SIZE, vq->num_wanted, 2);
    bytes_put(c + C_QUEUE_VECTOR, vq->vector, 2);
    bytes_put(c + C_QUEUE_ENABLE, vq->enabled, 2);
    bytes_put(c + C_QUEUE_NOTIFY_OFF, vq->index, 2);
    bytes_put(c + C_QUEUE_DESC, vq->desc_gpa, 8);
    bytes_put(c + C_QUEUE_DRIVER, vq->avail_gpa, 8);
    bytes_put(c + C_QUEUE_DEVICE, vq->used_gpa, 8);
}

static uint16_t
vector_check(const struct bp_virtio *dev, uint64_t val)
{
    return val < dev->pci.n_vectors ? (uint16_t)val : (uint16_t)NO_VECTOR;
}

/* A 64-bit field, whole or by halves (4.1.3.1). */
static void
address_put(uint64_t *addr, uint64_t off, uint64_t val, uint32_t width)
{
    uint8_t b[8];

    bytes_put(b, *addr, 8);
    bytes_put(b + off, val, width);
    *addr = bytes_get(b, 8);
}

/* What belongs to the selected queue; not while it is enabled (4.1.4.3.2). */
static void
common_put_queue(struct bp_virtq *vq, uint64_t off, uint64_t val, uint32_t width)
{
    if (vq->enabled) {
        virtio_guest_log(vq->dev, "changes a queue that is enabled");
        return;
    }
    if (off == C_QUEUE_SIZE && width == 2)
        virtq_set_num(vq, (uint32_t)val);
    else if (off == C_QUEUE_VECTOR && width == 2)
        vq->vector = vector_check(vq->dev, val);
    else if (off == C_QUEUE_ENABLE && width == 2 && val == 1)
        virtio_queue_enable(vq, 1);
    else if (off >= C_QUEUE_DESC && off < COMMON_LEN && width >= 4 && off % width == 0)
        address_put(off < C_QUEUE_DRIVER   ? &vq->desc_gpa
                    : off < C_QUEUE_DEVICE ? &vq->avail_gpa
                                           : &vq->used_gpa,
                    off % 8, val, width);
}

static void
common_put(struct bp_virtio *dev, uint64_t off, uint64_t val, uint32_t width)
{
    struct bp_virtq *vq = virtio_selected(dev);

    if (off == C_DEVICE_FEATURE_SELECT && width == 4)
        dev->offered_sel = (uint32_t)val;
    else if (off == C_DRIVER_FEATURE_SELECT && width == 4)
        dev->driver_sel = (uint32_t)val;
    else if (off == C_DRIVER_FEATURE && width == 4)
        virtio_accept(dev, (uint32_t)val);
    else if (off == C_CONFIG_VECTOR && width == 2)
        dev->config_vector = vector_check(dev, val);
    else if (off == C_STATUS && width == 1)
        virtio_write_status(dev, (uint32_t)val);
    else if (off == C_QUEUE_SELECT && width == 2)
        dev->queue_sel = (uint32_t)val;
    else if (off >= C_QUEUE_SIZE && vq)
        common_put_queue(vq, off, val, width);
}

/* ---- BAR 0 ---- */

static uint64_t
regs_read(struct bp_virtio *dev, uint64_t off, uint32_t width)
{
    uint8_t buf[COMMON_LEN + 8] = {0};
    uint64_t at = off & PAGE_MASK;

    switch (off & ~(uint64_t)PAGE_MASK) {
    case AT_COMMON:
        common_image(dev, buf);
        return at < COMMON_LEN ? bytes_get(buf + at, width) : 0;
    case AT_ISR:
        if (at)
            return 0;
        buf[0] = (uint8_t)dev->isr; /* 4.1.4.5: reading acknowledges */
        dev->isr = 0;
        pci_intx(dev, 0);
        return buf[0];
    case AT_DEVICE:
        virtio_config_read(dev, at, buf, width);
        return bytes_get(buf, width);
    default:
        return 0;
    }
}

static void
regs_write(struct bp_virtio *dev, uint64_t off, uint64_t val, uint32_t width)
{
    uint64_t at = off & PAGE_MASK;
    uint8_t buf[8];

    switch (off & ~(uint64_t)PAGE_MASK) {
    case AT_COMMON:
        common_put(dev, at, val, width);
        break;
    case AT_DEVICE:
        bytes_put(buf, val, width);
        virtio_config_write(dev, at, buf, width);
        break;
    case AT_NOTIFY: /* through PCI_CFG, and where the host has no doorbells */
        if (at % NOTIFY_STEP == 0)
            virtio_ring_bell(dev, (uint32_t)(at / NOTIFY_STEP));
        break;
    default:
        break;
    }
}

/* ---- The window in configuration space (4.1.4.9) ---- */

/* 1: what the driver set up is a place in BAR 0 that can be accessed so. */
static int
window_aims(const struct pci_side *pci)
{
    uint32_t len = pci->cfg_len;

    return pci->cfg_bar == BAR_REGS && (len == 1 || len == 2 || len == 4) &&
           pci->cfg_off % len == 0 && pci->cfg_off < AT_END;
}

static uint64_t
window_read(struct bp_virtio *dev, uint64_t off, uint32_t width)
{
    const struct pci_side *pci = &dev->pci;
    uint8_t buf[W_END] = {(uint8_t)pci->cfg_bar};

    if (width > W_END - off)
        return 0;
    bytes_put(buf + W_OFFSET, pci->cfg_off, 4);
    bytes_put(buf + W_LENGTH, pci->cfg_len, 4);
    if (off + width > W_DATA && window_aims(pci))
        bytes_put(buf + W_DATA, regs_read(dev, pci->cfg_off, pci->cfg_len), 4);
    return bytes_get(buf + off, width);
}

static void
window_write(struct bp_virtio *dev, uint64_t off, uint64_t val, uint32_t width)
{
    struct pci_side *pci = &dev->pci;
    uint8_t buf[W_END] = {(uint8_t)pci->cfg_bar};

    if (width > W_END - off)
        return;
    bytes_put(buf + W_OFFSET, pci->cfg_off, 4);
    bytes_put(buf + W_LENGTH, pci->cfg_len, 4);
    bytes_put(buf + off, val, width);
    pci->cfg_bar = buf[W_BAR];
    pci->cfg_off = (uint32_t)bytes_get(buf + W_OFFSET, 4);
    pci->cfg_len = (uint32_t)bytes_get(buf + W_LENGTH, 4);
    if (off + width > W_DATA && window_aims(pci))
        regs_write(dev, pci->cfg_off, bytes_get(buf + W_DATA, pci->cfg_len), pci->cfg_len);
}

static uint64_t
pci_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    return id == REGION_REGS ? regs_read(self, off, width) : window_read(self, off, width);
}

static void
pci_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    if (id == REGION_REGS)
        regs_write(self, off, val, width);
    else
        window_write(self, off, val, width);
}

static const struct bp_region_ops pci_ops = {
    .size = sizeof pci_ops,
    .read = pci_read,
    .write = pci_write,
};

/* ---- Joining the bus ---- */

/* A virtio_pci_cap: what follows its id and next bytes. */
static int
add_cap(struct bp_virtio *dev, uint8_t type, uint32_t off, uint32_t len, uint32_t more)
{
    const struct pci_side *pci = &dev->pci;
    uint32_t cap_len = type == CAP_NOTIFY || type == CAP_PCI_CFG ? 20 : 16, at;
    uint8_t data[18] = {0};
    int err;

    data[0] = (uint8_t)cap_len;
    data[1] = type;
    data[2] = BAR_REGS;
    bytes_put(data + 6, off, 4);
    bytes_put(data + 10, len, 4);
    bytes_put(data + 14, more, 4);
    err = pci->bus_if->capability(pci->bus.self, pci->fn, PCI_CAP_VENDOR, data, NULL, cap_len - 2,
                                  &at);
    if (!err && type == CAP_PCI_CFG)
        err = pci->bus_if->window(pci->bus.self, pci->fn, at + W_AT, W_END, pci->window);
    return err;
}

static int
add_caps(struct bp_virtio *dev)
{
    int err;

    if ((err = add_cap(dev, CAP_COMMON, AT_COMMON, COMMON_LEN, 0)) ||
        (err = add_cap(dev, CAP_ISR, AT_ISR, 1, 0)) ||
        (err = add_cap(dev, CAP_NOTIFY, AT_NOTIFY, dev->desc.n_queues * NOTIFY_STEP, NOTIFY_STEP)))
        return err;
    if (dev->desc.config_len &&
        (err = add_cap(dev, CAP_DEVICE, AT_DEVICE, dev->desc.config_len, 0)))
        return err;
    return add_cap(dev, CAP_PCI_CFG, 0, 0, 0);
}

/* One vector for the configuration and one a queue; without, there is the pin. */
static int
add_msix(struct bp_virtio *dev)
{
    struct pci_side *pci = &dev->pci;
    uint32_t n = dev->desc.n_queues + 1;
    char name[24];
    int err;

    pci->vectors = calloc(n, sizeof *pci->vectors);
    if (!pci->vectors)
        return BP_E_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "vector%u", i);
        err = dev->irq->msi(dev->inst, name, i, &pci->vectors[i]);
        if (err)
            return err == BP_E_NOTSUP ? 0 : err;
    }
    err = pci->bus_if->msix(pci->bus.self, pci->fn, BAR_MSIX, pci->vectors, n);
    if (!err)
        pci->n_vectors = n;
    return err == BP_E_NOTSUP ? 0 : err;
}

int
virtio_pci_new(struct bp_virtio *dev, const struct bp_link *bus, int64_t slot)
{
    struct pci_side *pci = &dev->pci;
    const struct bp_pci_function fn = {
        .size = sizeof fn,
        .slot = slot < 0 ? BP_PCI_SLOT_AUTO : (uint32_t)slot,
        .vendor = VIRTIO_VENDOR,
        .device = VIRTIO_DEVICE + dev->desc.device_id,
        .subsystem_vendor = VIRTIO_VENDOR,
        .subsystem = VIRTIO_DEVICE + dev->desc.device_id,
        .class_code = dev->desc.pci_class,
        .revision = 1,
        .intx_pin = 1,
        .name = "virtio",
    };
    struct bp_region_desc regs = {
        .size = sizeof regs,
        .id = REGION_REGS,
        .kind = BP_REGION_MMIO,
        .len = AT_END,
        .name = "virtio-pci",
        .ops = &pci_ops,
        .self = dev,
    };
    struct bp_region_desc window = {
        .size = sizeof window,
        .id = REGION_PCI_CFG,
        .kind = BP_REGION_BUS,
        .len = W_END,
        .name = "virtio-pci-cfg",
        .ops = &pci_ops,
        .self = dev,
    };
    int err;

    dev->transport = &pci_transport;
    pci->bus = *bus;
    pci->bus_if = bus->iface;
    if ((err = dev->io->region(dev->inst, &regs, &pci->regs)) ||
        (err = dev->io->region(dev->inst, &window, &pci->window)) ||
        (err = virtio_make_bells(dev, pci->regs, AT_NOTIFY, NOTIFY_STEP, 0, 0)) ||
        (err = pci->bus_if->add(pci->bus.self, dev->inst, &fn, &pci->fn)) ||
        (err = pci->bus_if->bar(pci->bus.self, pci->fn, BAR_REGS, 0, pci->regs, AT_END)) ||
        (err = add_msix(dev)))
        return err;
    return add_caps(dev);
}
