/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.c - the configuration space of one function: which bits a driver can change, which parts
 * the device answers for, and what a write sets off.
 */
#include "pci.h"

#include <string.h>

/* The window that holds all of [off, off + width), or NULL; *ret_cut: some window holds a part. */
static const struct pci_window *
config_window(const struct pci_fn *fn, uint32_t off, uint32_t width, bool *ret_cut)
{
    *ret_cut = false;
    for (uint32_t i = 0; i < fn->n_windows; i++) {
        const struct pci_window *win = &fn->windows[i];

        if (off >= win->off && off + width <= win->off + win->len)
            return win;
        if (off < win->off + win->len && win->off < off + width)
            *ret_cut = true;
    }
    return NULL;
}

static uint8_t
config_read_byte(struct pci_fn *fn, uint32_t off)
{
    uint8_t val = fn->config[off];

    /* Interrupt Status is the pin's state whether or not the driver disabled it (6.2.3). */
    if (off == PCI_STATUS && (atomic_load(&fn->pin) & PCI_PIN_ASSERTED))
        val |= PCI_STATUS_INTERRUPT;
    return val;
}

uint64_t
pci_config_read(struct pci_fn *fn, uint32_t off, uint32_t width)
{
    bool cut;
    const struct pci_window *win = config_window(fn, off, width, &cut);
    uint64_t val = 0;

    if (win) {
        val = pci_ones(width);
        fn->bus->io->access(fn->dev, win->region, off - win->off, width, 0, &val);
        return val & pci_ones(width);
    }
    for (uint32_t i = 0; i < width; i++)
        val |= (cut ? pci_config_read(fn, off + i, 1) : config_read_byte(fn, off + i)) << i * 8;
    return val;
}

static bool
config_touches(uint32_t off, uint32_t width, uint32_t reg, uint32_t len)
{
    return off < reg + len && reg < off + width;
}

void
pci_config_write(struct pci_fn *fn, uint32_t off, uint64_t val, uint32_t width)
{
    bool cut;
    const struct pci_window *win = config_window(fn, off, width, &cut);

    if (win) {
        fn->bus->io->access(fn->dev, win->region, off - win->off, width, 1, &val);
        return;
    }
    if (cut) {
        for (uint32_t i = 0; i < width; i++)
            pci_config_write(fn, off + i, val >> i * 8 & 0xff, 1);
        return;
    }
    for (uint32_t i = 0; i < width; i++) {
        uint8_t *reg = &fn->config[off + i], mask = fn->writable[off + i];

        *reg = (uint8_t)((*reg & ~mask) | ((val >> i * 8) & mask));
    }
    if (config_touches(off, width, PCI_COMMAND, 2) ||
        config_touches(off, width, PCI_BAR0, PCI_BARS * 4) ||
        config_touches(off, width, PCI_ROM_BAR, 4) ||
        (fn->msix && config_touches(off, width, fn->msix->cap + PCI_MSIX_CONTROL, 2)))
        pci_config_apply(fn);
    if (pci_chipset_owns(fn, off, width))
        pci_chipset_apply(fn->bus);
}

void
pci_config_init(struct pci_fn *fn, uint32_t off, const void *data, const void *writable,
                uint32_t len)
{
    memcpy(fn->config + off, data, len);
    memcpy(fn->power_on + off, data, len);
    if (writable)
        memcpy(fn->writable + off, writable, len);
}

void
pci_config_apply(struct pci_fn *fn)
{
    pci_function_update(fn);
    pci_bar_update(fn);
    pci_msix_update(fn);
}

void
pci_config_reset(struct pci_fn *fn)
{
    memcpy(fn->config, fn->power_on, sizeof fn->config);
    pci_function_intx(fn, false);
    pci_msix_reset(fn);
    pci_config_apply(fn);
}
