/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci-dma.c - a PCI function that copies guest memory: a BAR of registers, DMA, and a completion
 * that interrupts by MSI-X, or by INTA# when the driver has not enabled that.
 *
 *   0x00  ID       32 bits, read-only
 *   0x04  STATUS   1 done, 2 failed; writing a bit clears it and, when none is left, the interrupt
 *   0x08  SOURCE   64 bits, guest physical
 *   0x10  TARGET   64 bits, guest physical
 *   0x18  LENGTH   32 bits, at most 1 MiB
 *   0x1c  START    any write; a doorbell, so that the vCPU goes on at once
 *
 * The addresses are the guest's: mem->read() and mem->write() refuse what is not RAM, and a refusal
 * is a bit in STATUS. A copy that was asked for is made before quiesce() returns, or saved.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <backplane/backplane.h>
#include <backplane/log.h>

#define DMA_ID     0x31616d64u /* "dma1" */
#define DMA_MAX    (1u << 20)
#define DMA_CHUNK  4096u
#define DMA_VENDOR 0x1234u /* belongs to nobody; a product has its own */
#define DMA_DEVICE 0xdda1u
#define DMA_BAR    4096u

enum {
    REG_ID = 0x00,
    REG_STATUS = 0x04,
    REG_SOURCE = 0x08,
    REG_TARGET = 0x10,
    REG_LENGTH = 0x18,
    REG_START = 0x1c,
};

enum {
    STATUS_DONE = 1,
    STATUS_FAILED = 2,
};

struct dma {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_mem_if *mem;
    const struct bp_irq_if *irq;
    const struct bp_pci_bus_if *bus;
    void *bus_self;
    uint32_t fn;
    bp_irq message;
    uint64_t source, target;
    uint32_t length, status;
    bool running, wanted; /* wanted: START was written while the machine was being stopped */
};

static void
dma_interrupt(struct dma *d)
{
    if (d->status && d->bus->status(d->bus_self, d->fn) & BP_PCI_MSIX_ON) {
        (void)!d->irq->raise(d->inst, d->message);
        (void)!d->bus->intx(d->bus_self, d->fn, 0);
    } else {
        (void)!d->bus->intx(d->bus_self, d->fn, d->status != 0);
    }
}

/* 0, or what refused an address. */
static int
dma_copy(struct dma *d)
{
    uint8_t chunk[DMA_CHUNK];
    uint32_t done = 0;

    if (d->length > DMA_MAX || !(d->bus->status(d->bus_self, d->fn) & BP_PCI_MASTER_ON))
        return BP_E_INVAL;
    while (done < d->length) {
        uint32_t n = d->length - done < DMA_CHUNK ? d->length - done : DMA_CHUNK;
        int err = d->mem->read(d->inst, d->source + done, chunk, n);

        if (!err)
            err = d->mem->write(d->inst, d->target + done, chunk, n);
        if (err)
            return err;
        done += n;
    }
    return 0;
}

static void
dma_run(struct dma *d)
{
    int err = dma_copy(d);

    if (err)
        bp_logf(d->host, d->inst, BP_LOG_GUEST, "cannot copy %u bytes from 0x%llx to 0x%llx: %d",
                d->length, (unsigned long long)d->source, (unsigned long long)d->target, err);
    d->wanted = false;
    d->status |= err ? STATUS_DONE | STATUS_FAILED : STATUS_DONE;
    dma_interrupt(d);
}

/* Registers are 32 bits wide; other widths read zero and write nothing. */
static uint64_t
dma_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    const struct dma *d = self;

    (void)id;
    if (width != 4)
        return 0;
    switch (off) {
    case REG_ID:
        return DMA_ID;
    case REG_STATUS:
        return d->status;
    case REG_SOURCE:
        return (uint32_t)d->source;
    case REG_SOURCE + 4:
        return d->source >> 32;
    case REG_TARGET:
        return (uint32_t)d->target;
    case REG_TARGET + 4:
        return d->target >> 32;
    case REG_LENGTH:
        return d->length;
    }
    return 0;
}

static void
dma_set_half(uint64_t *reg, int high, uint64_t val)
{
    *reg = high ? (*reg & UINT32_MAX) | val << 32 : (*reg & ~(uint64_t)UINT32_MAX) | val;
}

static void
dma_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct dma *d = self;

    (void)id;
    if (width != 4)
        return;
    switch (off) {
    case REG_STATUS:
        d->status &= ~(uint32_t)val;
        if (!d->status)
            (void)!d->bus->intx(d->bus_self, d->fn, 0);
        break;
    case REG_SOURCE:
    case REG_SOURCE + 4:
        dma_set_half(&d->source, off != REG_SOURCE, val);
        break;
    case REG_TARGET:
    case REG_TARGET + 4:
        dma_set_half(&d->target, off != REG_TARGET, val);
        break;
    case REG_LENGTH:
        d->length = (uint32_t)val;
        break;
    }
}

static const struct bp_region_ops dma_ops = {
    .size = sizeof dma_ops, .read = dma_read, .write = dma_write};

/* The doorbell. Guest memory is there from start() on. */
static void
dma_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct dma *d = self;

    (void)cookie, (void)mask;
    if (d->running)
        dma_run(d);
    else
        d->wanted = true;
}

static int
dma_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct dma *d = calloc(1, sizeof *d);

    if (!d)
        return BP_E_NOMEM;
    d->host = host;
    d->inst = inst;
    *ret_self = d;
    return 0;
}

static int
dma_add_function(struct dma *d, bp_region region)
{
    struct bp_value slot = {.size = sizeof slot};
    struct bp_pci_function fn = {
        .size = sizeof fn,
        .vendor = DMA_VENDOR,
        .device = DMA_DEVICE,
        .class_code = 0x088000, /* base system peripheral, other */
        .revision = 1,
        .intx_pin = 1,
        .name = "pci-dma",
    };
    int err = d->host->prop(d->inst, "slot", &slot);

    fn.slot = slot.i < 0 ? BP_PCI_SLOT_AUTO : (uint32_t)slot.i;
    if (err || (err = d->bus->add(d->bus_self, d->inst, &fn, &d->fn)) ||
        (err = d->bus->bar(d->bus_self, d->fn, 0, 0, region, DMA_BAR)) ||
        (err = d->irq->msi(d->inst, "done", 0, &d->message)))
        return err;
    return d->bus->msix(d->bus_self, d->fn, 1, &d->message, 1);
}

static int
dma_realize(void *self)
{
    struct dma *d = self;
    const struct bp_host *host = d->host;
    const struct bp_io_if *io = host->query(d->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, doorbell));
    struct bp_region_desc desc = {.size = sizeof desc,
                                  .kind = BP_REGION_MMIO,
                                  .len = DMA_BAR,
                                  .name = "registers",
                                  .ops = &dma_ops};
    struct bp_link link = {.size = sizeof link};
    bp_region region;
    bp_event start;
    int err;

    d->mem = host->query(d->inst, BP_IF_MEM, BP_UPTO(struct bp_mem_if, write));
    d->irq = host->query(d->inst, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, raise));
    if (!io || !d->mem || !d->irq)
        return host->fail(d->inst, BP_E_NOTSUP, "needs " BP_IF_IO ", " BP_IF_MEM " and " BP_IF_IRQ);
    err = host->link(d->inst, NULL, BP_IF_PCI_BUS, BP_UPTO(struct bp_pci_bus_if, status), &link);
    if (err)
        return bp_failf(host, d->inst, err, "needs a machine with a PCI bus");
    d->bus = link.iface;
    d->bus_self = link.self;
    if ((err = io->region(d->inst, &desc, &region)) ||
        (err = io->doorbell(d->inst, region, REG_START, 4, -1, 0, &start)))
        return err;
    return dma_add_function(d, region);
}

static int
dma_start(void *self)
{
    struct dma *d = self;

    d->running = true;
    if (d->wanted)
        dma_run(d);
    return 0;
}

static int
dma_quiesce(void *self)
{
    ((struct dma *)self)->running = false;
    return 0;
}

static void
dma_reset(void *self, uint32_t kind)
{
    struct dma *d = self;

    (void)kind;
    d->source = d->target = 0;
    d->length = d->status = 0;
    d->wanted = false;
    (void)!d->bus->intx(d->bus_self, d->fn, 0);
}

static int
dma_save(void *self, const struct bp_writer *w)
{
    const struct dma *d = self;
    int err;

    if ((err = w->section(w, "dma", 1, 1)) || (err = w->u64(w, "source", d->source)) ||
        (err = w->u64(w, "target", d->target)) || (err = w->u64(w, "length", d->length)) ||
        (err = w->u64(w, "status", d->status)))
        return err;
    return w->u64(w, "wanted", d->wanted);
}

static int
dma_load_one(const struct bp_reader *r, const char *key, uint64_t max, uint64_t *val)
{
    int err = r->u64(r, key, val);

    if (err == BP_E_NOENT)
        return 0;
    return err ? err : *val > max ? BP_E_INVAL : 0;
}

static int
dma_load(void *self, const struct bp_reader *r)
{
    uint64_t source = 0, target = 0, length = 0, status = 0, wanted = 0;
    struct dma *d = self;
    uint32_t ver;
    int err = r->section(r, "dma", &ver);

    if (err)
        return err;
    if (ver != 1)
        return BP_E_NOTSUP;
    if ((err = dma_load_one(r, "source", UINT64_MAX, &source)) ||
        (err = dma_load_one(r, "target", UINT64_MAX, &target)) ||
        (err = dma_load_one(r, "length", UINT32_MAX, &length)) ||
        (err = dma_load_one(r, "status", STATUS_DONE | STATUS_FAILED, &status)) ||
        (err = dma_load_one(r, "wanted", 1, &wanted)))
        return err;
    d->source = source;
    d->target = target;
    d->length = (uint32_t)length;
    d->status = (uint32_t)status;
    d->wanted = wanted;
    /* A message that was sent is saved where it went; only the pin has a level. */
    if (!(d->bus->status(d->bus_self, d->fn) & BP_PCI_MSIX_ON))
        (void)!d->bus->intx(d->bus_self, d->fn, d->status != 0);
    return 0;
}

static const struct bp_prop dma_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "slot",
     .help = "PCI device number, -1 for the first free one",
     .def = "-1",
     .min = -1,
     .max = 31},
};
static const char *const dma_needs[] = {BP_IF_IO, BP_IF_MEM, BP_IF_IRQ, BP_IF_PCI_BUS, NULL};

static const struct bp_class dma_class = {
    .size = sizeof dma_class,
    .name = "pci-dma",
    .version = "1.0",
    .summary = "PCI function that copies guest memory",
    .props = dma_props,
    .n_props = sizeof dma_props / sizeof *dma_props,
    .prop_size = sizeof *dma_props,
    .needs = dma_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = dma_create,
    .realize = dma_realize,
    .start = dma_start,
    .quiesce = dma_quiesce,
    .reset = dma_reset,
    .event = dma_event,
    .save = dma_save,
    .load = dma_load,
    .destroy = free,
};

BP_PLUGIN("pci-dma", "1.0", "BSD-3-Clause", "https://example.org/pci-dma", &dma_class);
