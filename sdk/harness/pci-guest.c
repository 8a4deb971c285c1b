/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci-guest.c - PCI configuration as a guest does it, through whatever bus the machine has.
 */
#include "fake.h"

enum {
    CONFIG_ADDRESS = 0xcf8,
    CONFIG_DATA = 0xcfc,
    PCI_ID = 0x00,
    PCI_COMMAND = 0x04,
    PCI_BAR0 = 0x10,
    PCI_CAP_POINTER = 0x34,
    CAP_MSIX = 0x11,
    COMMAND_IO = 1,
    COMMAND_MEMORY = 2,
    COMMAND_MASTER = 4,
};

static void
aim(struct bpt_machine *m, uint32_t devfn, uint32_t off)
{
    bpt_out(m, CONFIG_ADDRESS, 4, 0x80000000u | (devfn & 0xff) << 8 | (off & 0xfc));
}

uint32_t
bpt_pci_read(struct bpt_machine *m, uint32_t devfn, uint32_t off, uint32_t width)
{
    aim(m, devfn, off);
    return bpt_in(m, (uint16_t)(CONFIG_DATA + (off & 3)), width);
}

void
bpt_pci_write(struct bpt_machine *m, uint32_t devfn, uint32_t off, uint32_t width, uint32_t val)
{
    aim(m, devfn, off);
    bpt_out(m, (uint16_t)(CONFIG_DATA + (off & 3)), width, val);
}

uint32_t
bpt_pci_find(struct bpt_machine *m, uint32_t vendor, uint32_t device, unsigned nth)
{
    for (uint32_t devfn = 0; devfn < 256; devfn++)
        if (bpt_pci_read(m, devfn, PCI_ID, 4) == (device << 16 | vendor) && nth-- == 0)
            return devfn;
    return BPT_PCI_NONE;
}

uint32_t
bpt_pci_cap(struct bpt_machine *m, uint32_t devfn, uint32_t id, uint32_t after)
{
    uint32_t at = bpt_pci_read(m, devfn, after ? after + 1 : PCI_CAP_POINTER, 1) & 0xfc;

    for (int limit = 48; at && limit; limit--) {
        if (bpt_pci_read(m, devfn, at, 1) == id)
            return at;
        at = bpt_pci_read(m, devfn, at + 1, 1) & 0xfc;
    }
    return 0;
}

uint64_t
bpt_pci_bar(struct bpt_machine *m, uint32_t devfn, uint32_t index)
{
    uint32_t low = bpt_pci_read(m, devfn, PCI_BAR0 + 4 * index, 4);
    uint32_t command = bpt_pci_read(m, devfn, PCI_COMMAND, 2);
    uint64_t addr = low & 1 ? low & ~3u : low & ~15u;

    if (!(low & 1) && (low >> 1 & 3) == 2)
        addr |= (uint64_t)bpt_pci_read(m, devfn, PCI_BAR0 + 4 * index + 4, 4) << 32;
    return addr && command & (low & 1 ? COMMAND_IO : COMMAND_MEMORY) ? addr : BP_IO_NOWHERE;
}

void
bpt_pci_enable(struct bpt_machine *m, uint32_t devfn, int on)
{
    uint32_t bits = COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER;
    uint32_t command = bpt_pci_read(m, devfn, PCI_COMMAND, 2);

    bpt_pci_write(m, devfn, PCI_COMMAND, 2, on ? command | bits : command & ~bits);
}

void
bpt_pci_msix_control(struct bpt_machine *m, uint32_t devfn, uint32_t bits)
{
    uint32_t cap = bpt_pci_cap(m, devfn, CAP_MSIX, 0);

    if (cap)
        bpt_pci_write(m, devfn, cap + 2, 2, bits);
}

void
bpt_pci_msix_vector(struct bpt_machine *m, uint32_t devfn, unsigned vector, uint64_t addr,
                    uint32_t data, int masked)
{
    uint32_t cap = bpt_pci_cap(m, devfn, CAP_MSIX, 0);
    uint32_t where = cap ? bpt_pci_read(m, devfn, cap + 4, 4) : 0;
    uint64_t at = bpt_pci_bar(m, devfn, where & 7);

    if (!cap || at == BP_IO_NOWHERE)
        return;
    at += (where & ~7u) + 16u * vector;
    bpt_mmio_write(m, at, 4, addr);
    bpt_mmio_write(m, at + 4, 4, addr >> 32);
    bpt_mmio_write(m, at + 8, 4, data);
    bpt_mmio_write(m, at + 12, 4, masked != 0);
}

unsigned
bpt_pci_msix(struct bpt_machine *m, uint32_t devfn)
{
    uint32_t cap = bpt_pci_cap(m, devfn, CAP_MSIX, 0);
    unsigned n = cap ? (bpt_pci_read(m, devfn, cap + 2, 2) & 0x7ff) + 1 : 0;

    bpt_pci_msix_control(m, devfn, 0xc000);
    for (unsigned i = 0; i < n; i++)
        bpt_pci_msix_vector(m, devfn, i, BPT_MSIX_ADDR(devfn), BPT_MSIX_DATA(i), 0);
    bpt_pci_msix_control(m, devfn, 0x8000);
    return n;
}
