/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bus.c - bp.pci-bus/1: what the devices of the machine call. Functions are named by slot << 3 |
 * function; a name that is not there is refused.
 */
#include "pci.h"

#include <stdio.h>
#include <string.h>

#include <backplane/log.h>

static struct pci_fn *
bus_function(void *self, uint32_t fn)
{
    struct pci_bus *bus = self;

    return fn < PCI_SLOTS * PCI_FUNCTIONS ? bus->fns[fn] : NULL;
}

/* A slot without any function, or PCI_SLOTS. */
static uint32_t
bus_free_slot(const struct pci_bus *bus)
{
    for (uint32_t slot = 0; slot < PCI_SLOTS; slot++) {
        bool used = false;

        for (uint32_t i = 0; i < PCI_FUNCTIONS; i++)
            used = used || bus->fns[slot << 3 | i];
        if (!used)
            return slot;
    }
    return PCI_SLOTS;
}

/*
 * Once all slots are in use: the first place beside a function 0 that did not ask for its slot
 * either, going through all slots before any gets a third one. PCI_SLOTS * PCI_FUNCTIONS: none.
 */
static uint32_t
bus_free_function(const struct pci_bus *bus)
{
    for (uint32_t function = 1; function < PCI_FUNCTIONS; function++)
        for (uint32_t slot = 0; slot < PCI_SLOTS; slot++) {
            const struct pci_fn *first = bus->fns[slot << 3];

            if (first && first->anywhere && !bus->fns[slot << 3 | function])
                return slot << 3 | function;
        }
    return PCI_SLOTS * PCI_FUNCTIONS;
}

static int
bus_add_line(struct pci_bus *bus, struct pci_fn *fn, uint32_t pin)
{
    char name[32];
    int err;

    snprintf(name, sizeof name, "intx.%02x.%u", pci_slot(fn->devfn), fn->devfn & 7);
    err = bus->irq->line(bus->inst, name, pci_gsi(bus, pci_slot(fn->devfn), pin - 1), BP_IRQ_LEVEL,
                         &fn->line);
    fn->has_line = !err;
    return err;
}

static int
bus_choose(struct pci_bus *bus, bp_inst dev, const struct bp_pci_function *desc,
           uint32_t *ret_devfn)
{
    const struct bp_host *host = bus->host;
    uint32_t slot = desc->slot;
    const struct pci_fn *there;

    if (slot == BP_PCI_SLOT_AUTO) {
        slot = bus_free_slot(bus);
        if (slot == PCI_SLOTS && desc->function == 0)
            *ret_devfn = bus_free_function(bus);
        if (slot == PCI_SLOTS && (desc->function || *ret_devfn == PCI_SLOTS * PCI_FUNCTIONS))
            return host->fail(dev, BP_E_NOSPC,
                              "the PCI bus is full; use fewer devices, or fewer with a slot of "
                              "their own");
        if (slot == PCI_SLOTS)
            return 0;
    }
    if (slot >= PCI_SLOTS || desc->function >= PCI_FUNCTIONS)
        return bp_failf(host, dev, BP_E_INVAL, "there is no PCI slot %u, function %u", slot,
                        desc->function);
    there = bus->fns[slot << 3 | desc->function];
    if (there)
        return bp_failf(host, dev, BP_E_BUSY,
                        "PCI slot %u, function %u belongs to %s; choose another", slot,
                        desc->function, there->name);
    *ret_devfn = slot << 3 | desc->function;
    return 0;
}

/* Function 0 says whether its slot has more than one function. */
static void
bus_mark_multifunction(struct pci_bus *bus, uint32_t slot)
{
    struct pci_fn *first = bus->fns[slot << 3];
    uint8_t multi = 0;

    if (!first)
        return;
    for (uint32_t i = 1; i < PCI_FUNCTIONS; i++)
        if (bus->fns[slot << 3 | i])
            multi = PCI_HEADER_MULTIFUNCTION;
    pci_config_init(first, PCI_HEADER_TYPE, &multi, NULL, 1);
}

static int
bus_add(void *self, bp_inst dev, const struct bp_pci_function *given, uint32_t *ret_fn)
{
    struct pci_bus *bus = self;
    struct bp_pci_function desc = {0};
    struct pci_fn *fn;
    uint32_t devfn = 0;
    int err;

    memcpy(&desc, given, given->size < sizeof desc ? given->size : sizeof desc);
    if (desc.intx_pin > 4)
        return BP_E_INVAL;
    if ((err = bus_choose(bus, dev, &desc, &devfn)))
        return err;
    fn = pci_function_new(bus, dev, devfn, &desc);
    if (!fn)
        return BP_E_NOMEM;
    if (desc.intx_pin && (err = bus_add_line(bus, fn, desc.intx_pin))) {
        pci_function_free(fn);
        return err;
    }
    fn->anywhere = desc.slot == BP_PCI_SLOT_AUTO;
    bus->fns[devfn] = fn;
    bus_mark_multifunction(bus, pci_slot(devfn));
    *ret_fn = devfn;
    return 0;
}

static int
bus_bar(void *self, uint32_t fn_id, uint32_t index, uint32_t flags, bp_region region, uint64_t len)
{
    struct pci_fn *fn = bus_function(self, fn_id);
    struct pci_bar bar = {
        .backing = PCI_BACKING_REGION,
        .flags = flags,
        .region = region,
        .len = len,
    };

    if (!fn || index >= PCI_BARS)
        return BP_E_INVAL;
    bar.owner = fn->dev;
    return pci_bar_add(fn, index, &bar);
}

static int
bus_bar_ram(void *self, uint32_t fn_id, uint32_t index, uint32_t flags, bp_ram ram, uint64_t len)
{
    struct pci_fn *fn = bus_function(self, fn_id);
    struct pci_bar bar = {
        .backing = PCI_BACKING_RAM,
        .flags = flags,
        .ram = ram,
        .len = len,
    };

    if (!fn || (flags & BP_PCI_BAR_IO))
        return BP_E_INVAL;
    if (!fn->bus->ram)
        return BP_E_NOTSUP;
    bar.owner = fn->dev;
    return pci_bar_add(fn, index, &bar);
}

static int
bus_capability(void *self, uint32_t fn_id, uint32_t id, const void *data, const void *write_mask,
               uint32_t len, uint32_t *ret_off)
{
    struct pci_fn *fn = bus_function(self, fn_id);
    uint8_t head[2] = {(uint8_t)id, 0}, link, status = PCI_STATUS_CAPABILITIES;
    uint32_t off;

    if (!fn || id > 0xff)
        return BP_E_INVAL;
    off = (fn->cap_end + 3) & ~3u;
    if (len > PCI_CONFIG_SIZE || off + sizeof head + len > PCI_CONFIG_SIZE)
        return BP_E_NOSPC;
    pci_config_init(fn, off, head, NULL, sizeof head);
    if (len)
        pci_config_init(fn, off + sizeof head, data, write_mask, len);
    link = (uint8_t)off;
    pci_config_init(fn, fn->last_cap, &link, NULL, 1);
    pci_config_init(fn, PCI_STATUS, &status, NULL, 1);
    fn->last_cap = off + 1;
    fn->cap_end = off + (uint32_t)sizeof head + len;
    *ret_off = off;
    return 0;
}

static int
bus_window(void *self, uint32_t fn_id, uint32_t off, uint32_t len, bp_region region)
{
    struct pci_fn *fn = bus_function(self, fn_id);

    /* The header is the bus's own. */
    if (!fn || off < PCI_HEADER_END || off > PCI_CONFIG_SIZE || len == 0 ||
        len > PCI_CONFIG_SIZE - off)
        return BP_E_INVAL;
    for (uint32_t i = 0; i < fn->n_windows; i++)
        if (off < fn->windows[i].off + fn->windows[i].len && fn->windows[i].off < off + len)
            return BP_E_BUSY;
    if (fn->n_windows == PCI_WINDOWS_MAX)
        return BP_E_NOSPC;
    fn->windows[fn->n_windows++] = (struct pci_window){.off = off, .len = len, .region = region};
    return 0;
}

static int
bus_msix(void *self, uint32_t fn_id, uint32_t index, const bp_irq *irqs, uint32_t n)
{
    struct pci_fn *fn = bus_function(self, fn_id);

    return fn ? pci_msix_add(fn, index, irqs, n) : BP_E_INVAL;
}

static int
bus_intx(void *self, uint32_t fn_id, uint32_t on)
{
    struct pci_fn *fn = bus_function(self, fn_id);

    if (!fn || !fn->has_line)
        return BP_E_INVAL;
    pci_function_intx(fn, on != 0);
    return 0;
}

static int
bus_status(void *self, uint32_t fn_id)
{
    struct pci_fn *fn = bus_function(self, fn_id);

    return fn ? (int)atomic_load(&fn->status) : BP_E_INVAL;
}

static int
bus_where(void *self, uint32_t fn_id)
{
    struct pci_fn *fn = bus_function(self, fn_id);

    return fn ? (int)fn->devfn : BP_E_INVAL;
}

const struct bp_pci_bus_if pci_bus_if = {
    .size = sizeof pci_bus_if,
    .add = bus_add,
    .bar = bus_bar,
    .bar_ram = bus_bar_ram,
    .capability = bus_capability,
    .window = bus_window,
    .msix = bus_msix,
    .intx = bus_intx,
    .status = bus_status,
    .where = bus_where,
};
