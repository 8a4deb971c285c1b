/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * msix.c - the MSI-X capability and the BAR behind it: vector table and pending bits (6.8.2).
 *
 * The table's bytes are kept as the driver wrote them; each change is handed to the core, which
 * owns routes, masking and what is pending. A vector is masked by its own bit, by Function Mask,
 * while MSI-X is disabled, and while the function may not be bus master (a message is a write).
 */
#include "pci.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
msix_sync_vector(struct pci_msix *msix, uint32_t vector)
{
    const uint8_t *entry = msix->table + (size_t)vector * PCI_MSIX_ENTRY;
    const struct pci_bus *bus = msix->fn->bus;
    uint64_t addr = pci_get32(entry) | (uint64_t)pci_get32(entry + 4) << 32;
    uint32_t masked =
        !msix->on || msix->mask_all || (entry[PCI_MSIX_ENTRY_CONTROL] & PCI_MSIX_VECTOR_MASKED);

    if (bus->irq->msi_set(msix->fn->dev, msix->irqs[vector], addr,
                          pci_get32(entry + PCI_MSIX_ENTRY_DATA), masked))
        bus->host->log(bus->inst, BP_LOG_GUEST,
                       "the host has no interrupt route left for an MSI-X vector");
}

static void
msix_sync(struct pci_msix *msix)
{
    for (uint32_t i = 0; i < msix->n; i++)
        msix_sync_vector(msix, i);
}

void
pci_msix_update(struct pci_fn *fn)
{
    struct pci_msix *msix = fn->msix;
    uint32_t control;
    bool on, mask_all;

    if (!msix)
        return;
    control = pci_get16(fn->config + msix->cap + PCI_MSIX_CONTROL);
    on = (control & PCI_MSIX_ENABLE) && (pci_get16(fn->config + PCI_COMMAND) & PCI_COMMAND_MASTER);
    mask_all = control & PCI_MSIX_MASK_ALL;
    if (on == msix->on && mask_all == msix->mask_all)
        return;
    msix->on = on;
    msix->mask_all = mask_all;
    msix_sync(msix);
}

/* Entries start out masked, everything else is zero. */
static void
msix_clear_table(struct pci_msix *msix)
{
    memset(msix->table, 0, (size_t)msix->n * PCI_MSIX_ENTRY);
    for (uint32_t i = 0; i < msix->n; i++)
        msix->table[(size_t)i * PCI_MSIX_ENTRY + PCI_MSIX_ENTRY_CONTROL] = PCI_MSIX_VECTOR_MASKED;
}

void
pci_msix_reset(struct pci_fn *fn)
{
    struct pci_msix *msix = fn->msix;

    if (!msix)
        return;
    msix_clear_table(msix);
    msix->on = msix->mask_all = false;
    msix_sync(msix);
}

/* Which bits of a table byte exist: the two low address bits and most of vector control do not. */
static uint8_t
msix_entry_mask(uint32_t byte)
{
    if (byte == 0)
        return 0xfc;
    if (byte == PCI_MSIX_ENTRY_CONTROL)
        return PCI_MSIX_VECTOR_MASKED;
    return byte < PCI_MSIX_ENTRY_CONTROL ? 0xff : 0;
}

void
pci_msix_restore(struct pci_msix *msix, const uint8_t *table)
{
    for (uint32_t i = 0; i < msix->n * PCI_MSIX_ENTRY; i++)
        msix->table[i] = table[i] & msix_entry_mask(i % PCI_MSIX_ENTRY);
    msix_sync(msix);
}

static uint8_t
msix_pending_byte(const struct pci_msix *msix, uint64_t byte)
{
    uint8_t bits = 0;

    for (uint32_t i = 0; i < 8 && byte * 8 + i < msix->n; i++)
        if (msix->fn->bus->irq->msi_pending(msix->fn->dev, msix->irqs[byte * 8 + i]) > 0)
            bits |= (uint8_t)(1u << i);
    return bits;
}

static uint64_t
msix_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    const struct pci_msix *msix = self;
    uint64_t table_len = (uint64_t)msix->n * PCI_MSIX_ENTRY, val = 0;

    (void)id;
    for (uint32_t i = 0; i < width; i++) {
        uint64_t at = off + i;
        uint8_t byte = 0;

        if (at < table_len)
            byte = msix->table[at];
        else if (at >= msix->pba_off)
            byte = msix_pending_byte(msix, at - msix->pba_off);
        val |= (uint64_t)byte << i * 8;
    }
    return val;
}

static void
msix_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct pci_msix *msix = self;
    uint64_t table_len = (uint64_t)msix->n * PCI_MSIX_ENTRY;

    (void)id;
    if (off >= table_len)
        return;
    for (uint32_t i = 0; i < width && off + i < table_len; i++)
        msix->table[off + i] =
            (uint8_t)(val >> i * 8) & msix_entry_mask((off + i) % PCI_MSIX_ENTRY);
    msix_sync_vector(msix, (uint32_t)(off / PCI_MSIX_ENTRY));
    /* An unaligned access may reach into the next entry. */
    if ((off + width - 1) / PCI_MSIX_ENTRY != off / PCI_MSIX_ENTRY && off + width - 1 < table_len)
        msix_sync_vector(msix, (uint32_t)((off + width - 1) / PCI_MSIX_ENTRY));
}

static const struct bp_region_ops msix_ops = {
    .size = sizeof msix_ops,
    .read = msix_read,
    .write = msix_write,
};

static struct pci_msix *
msix_new(struct pci_fn *fn, uint32_t index, const bp_irq *irqs, uint32_t n)
{
    struct pci_msix *msix = calloc(1, sizeof *msix);
    uint64_t half = PCI_MSIX_VECTORS_MAX;

    if (!msix)
        return NULL;
    msix->irqs = calloc(n, sizeof *irqs);
    msix->table = calloc(n, PCI_MSIX_ENTRY);
    if (!msix->irqs || !msix->table) {
        pci_msix_free(msix);
        return NULL;
    }
    memcpy(msix->irqs, irqs, n * sizeof *irqs);
    msix->fn = fn;
    msix->bar = index;
    msix->n = n;
    /* The table takes the lower half of the BAR, the pending bits the upper; at least a page. */
    while (half < (uint64_t)n * PCI_MSIX_ENTRY)
        half *= 2;
    msix->pba_off = (uint32_t)half;
    msix->bar_len = half * 2;
    msix_clear_table(msix);
    return msix;
}

static int
msix_add_bar(struct pci_fn *fn, struct pci_msix *msix)
{
    struct pci_bus *bus = fn->bus;
    char name[32];
    struct bp_region_desc desc = {
        .size = sizeof desc,
        .kind = BP_REGION_MMIO,
        .len = msix->bar_len,
        .name = name,
        .ops = &msix_ops,
        .self = msix,
    };
    struct pci_bar bar = {
        .backing = PCI_BACKING_REGION,
        .owner = bus->inst,
        .len = msix->bar_len,
    };
    int err;

    snprintf(name, sizeof name, "msix.%02x.%u", pci_slot(fn->devfn), fn->devfn & 7);
    if ((err = bus->io->region(bus->inst, &desc, &bar.region)))
        return err;
    return pci_bar_add(fn, msix->bar, &bar);
}

int
pci_msix_add(struct pci_fn *fn, uint32_t index, const bp_irq *irqs, uint32_t n)
{
    uint8_t cap[PCI_MSIX_CAP_LEN - 2] = {0}, writable[PCI_MSIX_CAP_LEN - 2] = {0};
    struct pci_msix *msix;
    int err;

    if (index >= PCI_BARS || n == 0 || n > PCI_MSIX_VECTORS_MAX)
        return BP_E_INVAL;
    if (fn->msix)
        return BP_E_EXIST;
    msix = msix_new(fn, index, irqs, n);
    if (!msix)
        return BP_E_NOMEM;
    pci_put16(cap, n - 1);
    pci_put32(cap + PCI_MSIX_TABLE - 2, index);
    pci_put32(cap + PCI_MSIX_PBA - 2, msix->pba_off | index);
    pci_put16(writable, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
    if ((err = pci_bus_if.capability(fn->bus, fn->devfn, PCI_CAP_MSIX, cap, writable, sizeof cap,
                                     &msix->cap)) ||
        (err = msix_add_bar(fn, msix))) {
        pci_msix_free(msix);
        return err;
    }
    fn->msix = msix;
    return 0;
}

void
pci_msix_free(struct pci_msix *msix)
{
    if (!msix)
        return;
    free(msix->irqs);
    free(msix->table);
    free(msix);
}
