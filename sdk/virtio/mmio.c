/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mmio.c - virtio over MMIO, version 2 (4.2): one page of registers at an address of the platform's
 * choice and one level interrupt, told to the guest through an ACPI node.
 */
#include <stdio.h>
#include <string.h>

#include <backplane/log.h>

#include "internal.h"

#define MMIO_LEN   0x1000u
#define MMIO_MAGIC 0x74726976u /* "virt" */
#define MMIO_NODE  "LNRO0005"  /* the ACPI id that drivers look for */
#define VENDOR_ID  0x4c504b42u /* "BKPL" */

/* 4.2.2 */
enum {
    R_MAGIC = 0x000,
    R_VERSION = 0x004,
    R_DEVICE_ID = 0x008,
    R_VENDOR_ID = 0x00c,
    R_DEVICE_FEATURES = 0x010,
    R_DEVICE_FEATURES_SEL = 0x014,
    R_DRIVER_FEATURES = 0x020,
    R_DRIVER_FEATURES_SEL = 0x024,
    R_QUEUE_SEL = 0x030,
    R_QUEUE_NUM_MAX = 0x034,
    R_QUEUE_NUM = 0x038,
    R_QUEUE_READY = 0x044,
    R_QUEUE_NOTIFY = 0x050,
    R_INTERRUPT_STATUS = 0x060,
    R_INTERRUPT_ACK = 0x064,
    R_STATUS = 0x070,
    R_QUEUE_DESC_LOW = 0x080,
    R_QUEUE_DESC_HIGH = 0x084,
    R_QUEUE_DRIVER_LOW = 0x090,
    R_QUEUE_DRIVER_HIGH = 0x094,
    R_QUEUE_DEVICE_LOW = 0x0a0,
    R_QUEUE_DEVICE_HIGH = 0x0a4,
    R_SHM_LEN_LOW = 0x0b0,
    R_SHM_BASE_HIGH = 0x0bc,
    R_CONFIG_GENERATION = 0x0fc,
    R_CONFIG = 0x100,
};

/* ---- Interrupts ---- */

static void
mmio_raise(struct bp_virtio *dev, uint32_t bit)
{
    dev->isr |= bit;
    dev->irq->level(dev->inst, dev->mmio.line, 1);
}

static void
mmio_queue_irq(struct bp_virtio *dev, struct bp_virtq *vq)
{
    (void)vq;
    mmio_raise(dev, ISR_QUEUE);
}

static void
mmio_config_irq(struct bp_virtio *dev)
{
    mmio_raise(dev, ISR_CONFIG);
}

static void
mmio_level(struct bp_virtio *dev)
{
    dev->irq->level(dev->inst, dev->mmio.line, dev->isr != 0);
}

static void
mmio_loaded(struct bp_virtio *dev, int pin)
{
    (void)pin;
    mmio_level(dev);
}

static int
mmio_queue_fd(struct bp_virtio *dev, struct bp_virtq *vq, int *ret_fd)
{
    (void)dev, (void)vq, (void)ret_fd;
    return BP_E_NOTSUP; /* the status bit has to be set too */
}

static void
mmio_free(struct bp_virtio *dev)
{
    (void)dev;
}

static const struct transport mmio_transport = {
    .queue_irq = mmio_queue_irq,
    .config_irq = mmio_config_irq,
    .reset = mmio_level,
    .queue_fd = mmio_queue_fd,
    .loaded = mmio_loaded,
    .free = mmio_free,
};

/* ---- Registers ---- */

static uint32_t
mmio_get(struct bp_virtio *dev, uint64_t reg)
{
    const struct bp_virtq *vq = virtio_selected(dev);

    switch (reg) {
    case R_MAGIC:
        return MMIO_MAGIC;
    case R_VERSION:
        return 2;
    case R_DEVICE_ID:
        return dev->desc.device_id;
    case R_VENDOR_ID:
        return VENDOR_ID;
    case R_DEVICE_FEATURES:
        return virtio_offered(dev);
    case R_QUEUE_NUM_MAX:
        return vq ? vq->num_max : 0;
    case R_QUEUE_READY:
        return vq ? vq->enabled : 0;
    case R_INTERRUPT_STATUS:
        return dev->isr;
    case R_STATUS:
        return virtio_read_status(dev);
    case R_CONFIG_GENERATION:
        return dev->config_gen;
    default:
        /* There are no shared memory regions, which reads as a length of -1 (4.2.2.1). */
        return reg >= R_SHM_LEN_LOW && reg <= R_SHM_BASE_HIGH ? UINT32_MAX : 0;
    }
}

static void
half_put(uint64_t *addr, uint32_t val, int high)
{
    if (high)
        *addr = (*addr & UINT32_MAX) | (uint64_t)val << 32;
    else
        *addr = (*addr & ~(uint64_t)UINT32_MAX) | val;
}

/* What belongs to the selected queue; not while it is ready (4.2.2.2). */
static void
mmio_put_queue(struct bp_virtq *vq, uint64_t reg, uint32_t val)
{
    if (reg == R_QUEUE_READY) {
        virtio_queue_enable(vq, (int)(val & 1));
        return;
    }
    if (vq->enabled) {
        virtio_guest_log(vq->dev, "changes a queue that is ready");
        return;
    }
    switch (reg) {
    case R_QUEUE_NUM:
        virtq_set_num(vq, val);
        break;
    case R_QUEUE_DESC_LOW:
    case R_QUEUE_DESC_HIGH:
        half_put(&vq->desc_gpa, val, reg == R_QUEUE_DESC_HIGH);
        break;
    case R_QUEUE_DRIVER_LOW:
    case R_QUEUE_DRIVER_HIGH:
        half_put(&vq->avail_gpa, val, reg == R_QUEUE_DRIVER_HIGH);
        break;
    case R_QUEUE_DEVICE_LOW:
    case R_QUEUE_DEVICE_HIGH:
        half_put(&vq->used_gpa, val, reg == R_QUEUE_DEVICE_HIGH);
        break;
    default:
        break;
    }
}

static void
mmio_put(struct bp_virtio *dev, uint64_t reg, uint32_t val)
{
    struct bp_virtq *vq = virtio_selected(dev);

    switch (reg) {
    case R_DEVICE_FEATURES_SEL:
        dev->offered_sel = val;
        break;
    case R_DRIVER_FEATURES_SEL:
        dev->driver_sel = val;
        break;
    case R_DRIVER_FEATURES:
        virtio_accept(dev, val);
        break;
    case R_QUEUE_SEL:
        dev->queue_sel = val;
        break;
    case R_QUEUE_NOTIFY: /* where the host has no doorbells, and for queues that do not exist */
        virtio_ring_bell(dev, val);
        break;
    case R_INTERRUPT_ACK:
        dev->isr &= ~val;
        mmio_level(dev);
        break;
    case R_STATUS:
        virtio_write_status(dev, val);
        break;
    default:
        if (vq)
            mmio_put_queue(vq, reg, val);
        break;
    }
}

static uint64_t
mmio_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    uint8_t buf[8];

    (void)id;
    if (off >= R_CONFIG) {
        virtio_config_read(self, off - R_CONFIG, buf, width);
        return bytes_get(buf, width);
    }
    /* Registers are read with aligned 32-bit accesses only (4.2.2.2). */
    return width == 4 && off % 4 == 0 ? mmio_get(self, off) : 0;
}

static void
mmio_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    uint8_t buf[8];

    (void)id;
    if (off >= R_CONFIG) {
        bytes_put(buf, val, width);
        virtio_config_write(self, off - R_CONFIG, buf, width);
    } else if (width == 4 && off % 4 == 0) {
        mmio_put(self, off, (uint32_t)val);
    }
}

static const struct bp_region_ops mmio_ops = {
    .size = sizeof mmio_ops,
    .read = mmio_read,
    .write = mmio_write,
};

/* ---- Where it is, and who is told ---- */

static int
mmio_tell_acpi(struct bp_virtio *dev, const struct bp_link *acpi, uint64_t base, uint32_t gsi)
{
    const struct bp_acpi_if *acpi_if = acpi->iface;
    const struct bp_acpi_res res[] = {
        {.size = sizeof res[0], .kind = BP_ACPI_MMIO, .base = base, .len = MMIO_LEN},
        {.size = sizeof res[0],
         .kind = BP_ACPI_IRQ,
         .flags = BP_ACPI_LEVEL | BP_ACPI_SHARED,
         .base = gsi,
         .len = 1},
    };
    const struct bp_acpi_device node = {
        .size = sizeof node,
        .flags = BP_ACPI_CCA,
        .name = dev->acpi_name,
        .hid = MMIO_NODE,
        .uid = base / MMIO_LEN,
        .res = res,
        .n_res = sizeof res / sizeof *res,
        .res_size = sizeof *res,
        .inst = dev->inst,
    };

    return acpi_if->device(acpi->self, &node);
}

int
virtio_mmio_new(struct bp_virtio *dev)
{
    struct bp_link acpi = {.size = sizeof acpi};
    struct bp_region_desc desc = {
        .size = sizeof desc,
        .kind = BP_REGION_MMIO,
        .len = MMIO_LEN,
        .name = "virtio-mmio",
        .ops = &mmio_ops,
        .self = dev,
    };
    uint64_t base;
    int gsi, err;

    dev->transport = &mmio_transport;
    if ((err = dev->io->region(dev->inst, &desc, &dev->mmio.regs)) ||
        (err = dev->io->place(dev->inst, dev->mmio.regs, BP_IO_AUTO)) ||
        (err = virtio_make_bells(dev, dev->mmio.regs, R_QUEUE_NOTIFY, 0, 4, 1)) ||
        (err =
             dev->irq->line(dev->inst, "virtio-mmio", BP_IRQ_AUTO, BP_IRQ_LEVEL, &dev->mmio.line)))
        return err;
    base = dev->io->where(dev->inst, dev->mmio.regs);
    gsi = dev->irq->gsi(dev->inst, dev->mmio.line);
    if (gsi < 0)
        return gsi;
    err = dev->host->link(dev->inst, NULL, BP_IF_ACPI, BP_UPTO(struct bp_acpi_if, device), &acpi);
    if (!err)
        return mmio_tell_acpi(dev, &acpi, base, (uint32_t)gsi);
    if (err != BP_E_NOENT)
        return err;
    bp_logf(dev->host, dev->inst, BP_LOG_INFO,
            "no ACPI to tell the guest: virtio_mmio.device=4K@0x%llx:%d", (unsigned long long)base,
            gsi);
    return 0;
}
