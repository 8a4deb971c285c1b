/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * assign.c - what firmware does before it hands over: every base address register gets a place and
 * decoding is switched on, so that a guest need not do it. An operating system may move all of it.
 *
 * Big regions first, which packs naturally aligned powers of two without gaps. Memory goes below
 * 4 GiB, where every guest can reach it, and above RAM only when it does not fit there.
 */
#include "pci.h"

#include <stdlib.h>

struct assign_item {
    struct pci_fn *fn;
    uint32_t index;
};

static struct pci_bar *
item_bar(const struct assign_item *item)
{
    return &item->fn->bars[item->index];
}

static int
item_compare(const void *a, const void *b)
{
    const struct assign_item *x = a, *y = b;
    uint64_t x_len = item_bar(x)->len, y_len = item_bar(y)->len;

    if (x_len != y_len)
        return x_len < y_len ? 1 : -1;
    if (x->fn->devfn != y->fn->devfn)
        return x->fn->devfn < y->fn->devfn ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* Steps over what is taken by somebody who is not on this bus. */
static bool
assign_from(struct pci_range *range, struct pci_fn *fn, uint32_t index)
{
    uint64_t len = fn->bars[index].len, addr;

    if (len > range->len)
        return false;
    for (addr = (range->next + len - 1) & ~(len - 1);
         addr >= range->next && addr - range->base <= range->len - len; addr += len) {
        int err = pci_bar_place(fn, index, addr);

        if (err == BP_E_BUSY)
            continue;
        if (err)
            return false;
        pci_bar_write(fn, index, addr);
        range->next = addr + len;
        return true;
    }
    return false;
}

static bool
assign_bar(struct pci_bus *bus, struct pci_fn *fn, uint32_t index)
{
    uint32_t flags = fn->bars[index].flags;

    if (flags & BP_PCI_BAR_IO)
        return assign_from(&bus->ports, fn, index);
    return assign_from(&bus->mem32, fn, index) ||
           ((flags & BP_PCI_BAR_64) && assign_from(&bus->mem64, fn, index));
}

void
pci_assign(struct pci_bus *bus)
{
    static const uint32_t n_fns = PCI_SLOTS * PCI_FUNCTIONS;
    struct assign_item *items = calloc(n_fns * PCI_DECODERS, sizeof *items);
    uint8_t failed[PCI_SLOTS * PCI_FUNCTIONS] = {0}; /* COMMAND bits not to set */
    uint32_t n = 0;

    if (!items)
        return; /* the guest then finds the registers as after power-on */
    bus->mem32.next = bus->mem32.base;
    bus->mem64.next = bus->mem64.base;
    bus->ports.next = bus->ports.base;
    for (uint32_t i = 0; i < n_fns; i++)
        for (uint32_t j = 0; bus->fns[i] && j < PCI_DECODERS; j++)
            if (bus->fns[i]->bars[j].backing >= PCI_BACKING_REGION)
                items[n++] = (struct assign_item){bus->fns[i], j};
    qsort(items, n, sizeof *items, item_compare);
    for (uint32_t i = 0; i < n; i++)
        if (!assign_bar(bus, items[i].fn, items[i].index)) {
            bool io = item_bar(&items[i])->flags & BP_PCI_BAR_IO;

            failed[items[i].fn->devfn] |= io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
            bus->host->log(bus->inst, BP_LOG_WARN, "a PCI function's base address does not fit");
        }
    for (uint32_t i = 0; i < n; i++) {
        struct pci_fn *fn = items[i].fn;
        uint8_t bit =
            item_bar(&items[i])->flags & BP_PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;

        fn->config[PCI_COMMAND] |= bit & (uint8_t)~failed[fn->devfn];
    }
    free(items);
    /* An expansion ROM got an address and stays disabled. */
    for (uint32_t i = 0; i < n_fns; i++)
        if (bus->fns[i])
            pci_config_apply(bus->fns[i]);
}
