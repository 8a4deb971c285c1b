/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-pci.h - a device for tests of the bus, and the guest's way into configuration space. What
 * the device is made of is up to the test: it sets pcidev_setup before it adds one.
 */
#ifndef TEST_PCI_H
#define TEST_PCI_H

#include <stdlib.h>

#include <backplane/test.h>

#include "tap.h"

#define PCIDEV_REGIONS 8
#define PCIDEV_VECTORS 2048

struct pcidev {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_io_if *io;
    const struct bp_irq_if *irq;
    const struct bp_ram_if *ram;
    const struct bp_pci_bus_if *bus;
    void *bus_self;
    uint32_t fn;
    bp_region regions[PCIDEV_REGIONS];
    uint32_t n_regions;
    bp_irq msgs[PCIDEV_VECTORS];
    uint64_t last_off, last_val;
    uint32_t last_id, last_width, reads, writes;
};

/* Called by realize(): adds functions, regions, interrupts. 0 or BP_E_*. */
static int (*pcidev_setup)(struct pcidev *);
static struct pcidev *pcidev_last;

/* Reads give the region's number, the offset and the width. */
static uint64_t
pcidev_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct pcidev *d = self;

    d->reads++;
    d->last_id = id;
    d->last_off = off;
    d->last_width = width;
    return (uint64_t)id << 24 | (uint64_t)width << 16 | off;
}

static void
pcidev_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct pcidev *d = self;

    d->writes++;
    d->last_id = id;
    d->last_off = off;
    d->last_val = val;
    d->last_width = width;
}

static const struct bp_region_ops pcidev_ops = {sizeof pcidev_ops, 0, pcidev_read, pcidev_write};

/* Makes the next region; its number is also the id that its handlers get. */
__attribute__((unused)) static bp_region
pcidev_region(struct pcidev *d, uint32_t kind, uint64_t len)
{
    char name[16];
    struct bp_region_desc desc = {
        .size = sizeof desc,
        .id = d->n_regions,
        .kind = kind,
        .len = len,
        .name = name,
        .ops = &pcidev_ops,
    };

    snprintf(name, sizeof name, "region%u", d->n_regions);
    if (d->io->region(d->inst, &desc, &d->regions[d->n_regions]))
        abort();
    return d->regions[d->n_regions++];
}

__attribute__((unused)) static int
pcidev_add(struct pcidev *d, uint32_t slot, uint32_t function, uint32_t pin)
{
    const struct bp_pci_function f = {
        .size = sizeof f,
        .slot = slot,
        .function = function,
        .vendor = 0x1234,
        .device = 0x5678,
        .subsystem_vendor = 0x9abc,
        .subsystem = 0xdef0,
        .class_code = 0x020304,
        .revision = 0x05,
        .intx_pin = pin,
        .name = "a test device",
    };

    return d->bus->add(d->bus_self, d->inst, &f, &d->fn);
}

__attribute__((unused)) static int
pcidev_msix(struct pcidev *d, uint32_t index, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        char name[16];
        int err;

        snprintf(name, sizeof name, "vector%u", i);
        if ((err = d->irq->msi(d->inst, name, i, &d->msgs[i])))
            return err;
    }
    return d->bus->msix(d->bus_self, d->fn, index, d->msgs, n);
}

static int
pcidev_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct pcidev *d = calloc(1, sizeof *d);

    if (!d)
        return BP_E_NOMEM;
    d->host = host;
    d->inst = inst;
    *ret_self = pcidev_last = d;
    return 0;
}

static int
pcidev_realize(void *self)
{
    struct pcidev *d = self;
    struct bp_link link = {.size = sizeof link};
    int err =
        d->host->link(d->inst, NULL, BP_IF_PCI_BUS, BP_UPTO(struct bp_pci_bus_if, where), &link);

    if (err)
        return err;
    d->bus = link.iface;
    d->bus_self = link.self;
    d->io = d->host->query(d->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, access));
    d->irq = d->host->query(d->inst, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, msi_pending));
    d->ram = d->host->query(d->inst, BP_IF_RAM, BP_UPTO(struct bp_ram_if, place));
    if (!d->io || !d->irq || !d->ram)
        return BP_E_NOTSUP;
    return pcidev_setup(d);
}

static const char *const pcidev_needs[] = {BP_IF_IO, BP_IF_IRQ, BP_IF_RAM, BP_IF_PCI_BUS, NULL};

static const struct bp_class pcidev_class = {
    .size = sizeof pcidev_class,
    .name = "pcidev",
    .version = "1",
    .summary = "a device of the test's",
    .prop_size = sizeof(struct bp_prop),
    .needs = pcidev_needs,
    .create = pcidev_create,
    .realize = pcidev_realize,
    .destroy = free,
};

/* A machine with a bus, before it is realized. */
__attribute__((unused)) static struct bpt_machine *
pci_machine(const char *props)
{
    struct bpt_machine *m = bpt_new(16 << 20, 0);

    if (bpt_load(m, "pci", "pci", props))
        ok(0, "load: %s", bpt_error(m));
    return m;
}

/* Adds and realizes a device of this shape. */
__attribute__((unused)) static struct pcidev *
pci_device(struct bpt_machine *m, const char *id, int (*setup)(struct pcidev *))
{
    pcidev_setup = setup;
    if (bpt_add(m, &pcidev_class, id, "") || bpt_realize_all(m))
        return NULL;
    return pcidev_last;
}

/* ---- Configuration space by ports and by memory ---- */

__attribute__((unused)) static uint32_t
cfg_read(struct bpt_machine *m, uint32_t devfn, uint32_t off, uint32_t width)
{
    bpt_out(m, 0xcf8, 4, 0x80000000u | devfn << 8 | (off & 0xfc));
    return bpt_in(m, (uint16_t)(0xcfc + (off & 3)), width);
}

__attribute__((unused)) static void
cfg_write(struct bpt_machine *m, uint32_t devfn, uint32_t off, uint32_t width, uint32_t val)
{
    bpt_out(m, 0xcf8, 4, 0x80000000u | devfn << 8 | (off & 0xfc));
    bpt_out(m, (uint16_t)(0xcfc + (off & 3)), width, val);
}

__attribute__((unused)) static uint64_t
ecam_at(struct bpt_machine *m, uint32_t devfn, uint32_t off)
{
    return bpt_where(m, "pci", "ecam") + devfn * 4096u + off;
}

/* The capability's place by its id, or 0. */
__attribute__((unused)) static uint32_t
cfg_capability(struct bpt_machine *m, uint32_t devfn, uint32_t id)
{
    uint32_t off = cfg_read(m, devfn, 0x34, 1);

    for (int i = 0; off && i < 48; i++, off = cfg_read(m, devfn, off + 1, 1))
        if (cfg_read(m, devfn, off, 1) == id)
            return off;
    return 0;
}

#define COMMAND         0x04
#define COMMAND_IO      1
#define COMMAND_MEM     2
#define COMMAND_MASTER  4
#define COMMAND_NO_INTX 0x400
#define STATUS          0x06
#define BAR(n)          (0x10u + (n)*4u)
#define ROM             0x30

#endif
