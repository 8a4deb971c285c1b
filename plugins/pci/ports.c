/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ports.c - the guest's two ways into configuration space: configuration mechanism 1 (address at
 * 0xcf8, data at 0xcfc) and the memory-mapped window of PCI Express (ECAM), both for bus 0 only.
 *
 * The reset control register lives at 0xcf9, inside the address register's dword; only a dword
 * access reaches the address register, so the two do not meet.
 *
 * Each access by way of the ports is two exits, and a boot makes a thousand. Linux takes the window
 * only when there are no ports, so a Linux kernel that is told of the window gets none, but for the
 * reset control register.
 */
#include "pci.h"

static struct pci_fn *
ports_function(struct pci_bus *bus, uint32_t address)
{
    if (!(address & PCI_ADDRESS_ENABLE) || (address >> 16 & 0xff) != 0)
        return NULL;
    return bus->fns[address >> 8 & 0xff];
}

static uint64_t
ports_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct pci_bus *bus = self;
    struct pci_fn *fn;

    (void)id;
    if (off == 0 && width == 4)
        return bus->address;
    if (off == PCI_PORT_RESET && width == 1)
        return bus->reset_control;
    if (off < PCI_PORT_DATA || off + width > PCI_PORT_LEN)
        return pci_ones(width);
    fn = ports_function(bus, bus->address);
    if (!fn)
        return pci_ones(width);
    return pci_config_read(fn, (bus->address & 0xfc) + (uint32_t)(off - PCI_PORT_DATA), width);
}

/* Without configuration ports. The dword is one region still: a write to all of it, as systems make
 * that look for the ports, must not reach the register as four bytes. */
static uint64_t
reset_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct pci_bus *bus = self;

    (void)id;
    return off == PCI_PORT_RESET && width == 1 ? bus->reset_control : pci_ones(width);
}

/* The processor is reset by the 0 -> 1 edge of the reset bit, warm or cold as the others say; here
 * every reset is a cold one. */
static void
ports_reset_control(struct pci_bus *bus, uint8_t val)
{
    bool edge = (val & PCI_RESET_CPU) && !(bus->reset_control & PCI_RESET_CPU);

    bus->reset_control = val & (PCI_RESET_SYSTEM | PCI_RESET_CPU | PCI_RESET_FULL);
    if (edge)
        bus->machine->request(bus->inst, BP_REQ_RESET, 0);
}

static void
ports_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct pci_bus *bus = self;
    struct pci_fn *fn;

    (void)id;
    if (off == 0 && width == 4) {
        bus->address = (uint32_t)val & PCI_ADDRESS_BITS;
        return;
    }
    if (off == PCI_PORT_RESET && width == 1) {
        ports_reset_control(bus, (uint8_t)val);
        return;
    }
    if (off < PCI_PORT_DATA || off + width > PCI_PORT_LEN)
        return;
    fn = ports_function(bus, bus->address);
    if (fn)
        pci_config_write(fn, (bus->address & 0xfc) + (uint32_t)(off - PCI_PORT_DATA), val, width);
}

/*
 * ECAM: 4 KiB a function, of which a conventional function has the first 256 bytes; the rest is the
 * extended space, which reads as zero (no capability) where there is a function. Accesses that
 * leave an aligned quadword are not supported by the hardware either and go nowhere.
 */
static struct pci_fn *
ecam_function(struct pci_bus *bus, uint64_t off)
{
    uint64_t devfn = off / PCI_ECAM_SIZE;

    return devfn < PCI_SLOTS * PCI_FUNCTIONS ? bus->fns[devfn] : NULL;
}

static uint64_t
ecam_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct pci_fn *fn = ecam_function(self, off);
    uint32_t reg = off % PCI_ECAM_SIZE;

    (void)id;
    if (!fn || reg % 8 + width > 8)
        return pci_ones(width);
    if (reg >= PCI_CONFIG_SIZE)
        return 0;
    return pci_config_read(fn, reg, width);
}

static void
ecam_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct pci_fn *fn = ecam_function(self, off);
    uint32_t reg = off % PCI_ECAM_SIZE;

    (void)id;
    if (fn && reg % 8 + width <= 8 && reg < PCI_CONFIG_SIZE)
        pci_config_write(fn, reg, val, width);
}

static void
reset_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    (void)id;
    if (off == PCI_PORT_RESET && width == 1)
        ports_reset_control(self, (uint8_t)val);
}

static const struct bp_region_ops reset_ops = {
    .size = sizeof reset_ops,
    .read = reset_read,
    .write = reset_write,
};

static const struct bp_region_ops ports_ops = {
    .size = sizeof ports_ops,
    .read = ports_read,
    .write = ports_write,
};

static const struct bp_region_ops ecam_ops = {
    .size = sizeof ecam_ops,
    .read = ecam_read,
    .write = ecam_write,
};

int
pci_ports_realize(struct pci_bus *bus, bool config)
{
    const struct bp_region_desc desc = {
        .size = sizeof desc,
        .kind = BP_REGION_PIO,
        .len = config ? PCI_PORT_LEN : PCI_PORT_DATA,
        .name = config ? "config" : "reset control",
        .ops = config ? &ports_ops : &reset_ops,
    };
    bp_region region;
    int err = bus->io->region(bus->inst, &desc, &region);

    return err ? err : bus->io->place(bus->inst, region, PCI_PORT_BASE);
}

int
pci_ecam_realize(struct pci_bus *bus)
{
    const struct bp_region_desc desc = {
        .size = sizeof desc,
        .kind = BP_REGION_MMIO,
        .len = PCI_SLOTS * PCI_FUNCTIONS * PCI_ECAM_SIZE,
        .name = "ecam",
        .ops = &ecam_ops,
    };
    bp_region region;
    uint64_t base;
    int err;

    if ((err = bus->machine->claim(bus->inst, desc.len, &base)) ||
        (err = bus->io->region(bus->inst, &desc, &region)) ||
        (err = bus->io->place(bus->inst, region, base)))
        return err;
    /* Linux uses the window only when the memory map or ACPI says that it is reserved. */
    if ((err = bus->machine->reserve(bus->inst, base, desc.len, BP_E820_RESERVED)))
        return err;
    bus->ecam_base = base;
    return 0;
}
