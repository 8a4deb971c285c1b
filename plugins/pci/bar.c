/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bar.c - base address registers: where the regions of the functions are on the machine's bus.
 *
 * Placement follows COMMAND and the registers at every write. Software may point a register at
 * RAM, at another register's range, at anything; the core refuses to place it there, and it then
 * is nowhere until something moves and it fits, as on a bus where nobody answers. Two values mean
 * "not set yet" and are never decoded: zero, and the all-ones pattern that is written to learn the
 * size.
 */
#include "pci.h"

static uint32_t
bar_register(uint32_t index)
{
    return index == PCI_ROM ? PCI_ROM_BAR : PCI_BAR0 + index * 4;
}

static void
bar_init_register(struct pci_fn *fn, uint32_t index, uint32_t val, uint32_t writable)
{
    uint8_t data[4], mask[4];

    pci_put32(data, val);
    pci_put32(mask, writable);
    pci_config_init(fn, bar_register(index), data, mask, sizeof data);
}

int
pci_bar_add(struct pci_fn *fn, uint32_t index, const struct pci_bar *bar)
{
    bool io = bar->flags & BP_PCI_BAR_IO, wide = bar->flags & BP_PCI_BAR_64;
    uint64_t len = bar->len, mask = ~(len - 1);
    uint64_t min = index == PCI_ROM ? PCI_ROM_LEN_MIN : io ? 4 : 16;
    uint64_t max = io ? 0x8000 : wide ? UINT64_C(1) << 62 : UINT64_C(1) << 31;
    uint32_t val;

    if (index >= PCI_DECODERS || len < min || len > max || (len & (len - 1)) != 0)
        return BP_E_INVAL;
    if ((io && (wide || (bar->flags & BP_PCI_BAR_PREFETCH))) ||
        (index == PCI_ROM && bar->flags != 0) || (wide && index >= PCI_BARS - 1))
        return BP_E_INVAL;
    if (fn->bars[index].backing != PCI_BACKING_NONE ||
        (wide && fn->bars[index + 1].backing != PCI_BACKING_NONE))
        return BP_E_EXIST;

    fn->bars[index] = *bar;
    fn->bars[index].want = fn->bars[index].at = PCI_NOWHERE;
    if (index == PCI_ROM) {
        bar_init_register(fn, index, 0, (uint32_t)mask | PCI_ROM_ENABLE);
        return 0;
    }
    val = io ? PCI_BAR_SPACE_IO
             : (wide ? PCI_BAR_TYPE_64 : 0) |
                   (bar->flags & BP_PCI_BAR_PREFETCH ? PCI_BAR_PREFETCHABLE : 0);
    bar_init_register(fn, index, val, (uint32_t)mask);
    if (wide) {
        fn->bars[index + 1].backing = PCI_BACKING_UPPER;
        bar_init_register(fn, index + 1, 0, (uint32_t)(mask >> 32));
    }
    return 0;
}

/* Where software wants it to be now. */
static uint64_t
bar_wanted(const struct pci_fn *fn, uint32_t index)
{
    const struct pci_bar *bar = &fn->bars[index];
    uint32_t command = pci_get16(fn->config + PCI_COMMAND);
    const uint8_t *reg = fn->config + bar_register(index);
    uint64_t addr = pci_get32(reg);

    if (bar->flags & BP_PCI_BAR_IO) {
        addr &= ~(uint64_t)PCI_BAR_IO_FLAGS;
        if (!(command & PCI_COMMAND_IO) || addr == 0 || addr > 0x10000 - bar->len)
            return PCI_NOWHERE;
        return addr;
    }
    if (!(command & PCI_COMMAND_MEMORY) || (index == PCI_ROM && !(addr & PCI_ROM_ENABLE)))
        return PCI_NOWHERE;
    if (bar->flags & BP_PCI_BAR_64)
        addr |= (uint64_t)pci_get32(reg + 4) << 32;
    addr &= ~(bar->len - 1);
    if (addr == 0 || addr == (UINT64_C(1) << 32) - bar->len || addr == 0 - bar->len)
        return PCI_NOWHERE;
    return addr;
}

static int
bar_move(struct pci_fn *fn, struct pci_bar *bar, uint64_t addr)
{
    const struct pci_bus *bus = fn->bus;

    if (bar->backing == PCI_BACKING_RAM)
        return bus->ram->place(bar->owner, bar->ram, addr == PCI_NOWHERE ? BP_RAM_NOWHERE : addr);
    return bus->io->place(bar->owner, bar->region, addr == PCI_NOWHERE ? BP_IO_NOWHERE : addr);
}

static bool
bar_decodes(const struct pci_bar *bar)
{
    return bar->backing == PCI_BACKING_REGION || bar->backing == PCI_BACKING_RAM;
}

static void
bar_take_off(struct pci_fn *fn, struct pci_bar *bar)
{
    if (bar->at != PCI_NOWHERE)
        (void)bar_move(fn, bar, PCI_NOWHERE);
    bar->at = PCI_NOWHERE;
}

int
pci_bar_place(struct pci_fn *fn, uint32_t index, uint64_t addr)
{
    struct pci_bar *bar = &fn->bars[index];
    int err;

    bar_take_off(fn, bar);
    err = bar_move(fn, bar, addr);
    if (!err)
        bar->at = addr;
    return err;
}

void
pci_bar_write(struct pci_fn *fn, uint32_t index, uint64_t addr)
{
    uint8_t *reg = fn->config + bar_register(index);
    uint32_t flags = fn->bars[index].flags & BP_PCI_BAR_IO ? PCI_BAR_IO_FLAGS : PCI_BAR_MEM_FLAGS;

    pci_put32(reg, (uint32_t)addr | (pci_get32(reg) & flags));
    if (fn->bars[index].flags & BP_PCI_BAR_64)
        pci_put32(reg + 4, (uint32_t)(addr >> 32));
}

static void
bar_try_all(struct pci_fn *fn)
{
    for (uint32_t i = 0; i < PCI_DECODERS; i++) {
        struct pci_bar *bar = &fn->bars[i];

        /* A refusal is the guest's own doing and no error: nobody answers there. */
        if (bar_decodes(bar) && bar->want != PCI_NOWHERE && bar->at == PCI_NOWHERE)
            (void)!pci_bar_place(fn, i, bar->want);
    }
}

void
pci_bar_retry(struct pci_bus *bus)
{
    for (uint32_t i = 0; i < PCI_SLOTS * PCI_FUNCTIONS; i++)
        if (bus->fns[i])
            bar_try_all(bus->fns[i]);
}

void
pci_bar_hide(struct pci_fn *fn)
{
    for (uint32_t i = 0; i < PCI_DECODERS; i++) {
        fn->bars[i].want = PCI_NOWHERE;
        if (bar_decodes(&fn->bars[i]))
            bar_take_off(fn, &fn->bars[i]);
    }
}

void
pci_bar_restore(struct pci_fn *fn, uint32_t decoded)
{
    for (uint32_t i = 0; i < PCI_DECODERS; i++) {
        struct pci_bar *bar = &fn->bars[i];

        if (!(decoded >> i & 1) || !bar_decodes(bar))
            continue;
        bar->want = bar_wanted(fn, i);
        if (bar->want != PCI_NOWHERE)
            (void)!pci_bar_place(fn, i, bar->want);
    }
}

void
pci_bar_update(struct pci_fn *fn)
{
    bool freed = false;

    for (uint32_t i = 0; i < PCI_DECODERS; i++) {
        struct pci_bar *bar = &fn->bars[i];

        if (!bar_decodes(bar))
            continue;
        bar->want = bar_wanted(fn, i);
        if (bar->at != PCI_NOWHERE && bar->at != bar->want) {
            bar_take_off(fn, bar);
            freed = true;
        }
    }
    bar_try_all(fn);
    if (freed)
        pci_bar_retry(fn->bus);
}
