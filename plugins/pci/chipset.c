/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chipset.c - what the bridges of bus 0 are. Without firmware one bridge is enough, which no system
 * has a driver for. PC firmware wants a chip set that it can program, and this one is an Intel
 * 440FX with the PIIX functions that firmware looks for: PAM registers that switch the RAM below
 * 1 MiB (82441FX data sheet, 3.2.19), the ISA bridge with its interrupt routing registers, and
 * power management, whose registers belong to the acpi plugin.
 */
#include "pci.h"

enum {
    I440FX_PAM = 0x59, /* seven registers: 0xf0000, then pairs of 16 KiB from 0xc0000 on */
    I440FX_PAM_LEN = 7,
    I440FX_SMRAM = 0x72,
    PAM_SHADOW = 0x3, /* bit 0 reads, bit 1 writes: as shadow() has them */
    PIIX_SLOT = 1,
    PIIX_PM_FUNCTION = 3,
    PIIX_XBCS = 0x4e,
    PIIX_PIRQ = 0x60,
    PIIX_PIRQ_LEN = 4,
    PIIX_PIRQ_BITS = 0x8f,
    PIIX_PIRQ_OFF = 0x80,
    PIIX_PM_CONFIG = 0x40, /* the acpi plugin's from here to the end */
};

#define PAM_LOW        UINT64_C(0xc0000)
#define PAM_HIGH       UINT64_C(0xf0000)
#define PAM_PIECE      UINT64_C(0x4000)
#define PAM_HIGH_PIECE UINT64_C(0x10000)

static void
chipset_registers(struct pci_fn *fn, uint32_t off, uint8_t val, uint8_t writable, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        pci_config_init(fn, off + i, &val, &writable, 1);
}

/* Which RAM is shown where. What the host refuses stays as it was; the guest finds out. */
void
pci_chipset_apply(struct pci_bus *bus)
{
    const struct pci_fn *fn = bus->fns[0];
    uint8_t pam[I440FX_PAM_LEN];

    if (!bus->i440fx)
        return;
    for (uint32_t i = 0; i < I440FX_PAM_LEN; i++) {
        uint64_t base = PAM_LOW + (uint64_t)(i - 1) * 2 * PAM_PIECE;

        pam[i] = fn->config[I440FX_PAM + i];
        if (pam[i] == bus->pam[i])
            continue;
        bus->pam[i] = pam[i];
        if (i == 0) {
            (void)bus->machine->shadow(bus->inst, PAM_HIGH, PAM_HIGH_PIECE, pam[0] >> 4 & 3u);
            continue;
        }
        (void)bus->machine->shadow(bus->inst, base, PAM_PIECE, pam[i] & PAM_SHADOW);
        (void)bus->machine->shadow(bus->inst, base + PAM_PIECE, PAM_PIECE,
                                   pam[i] >> 4 & PAM_SHADOW);
    }
}

bool
pci_chipset_owns(const struct pci_fn *fn, uint32_t off, uint32_t width)
{
    return fn->bus->i440fx && fn->devfn == 0 && off < I440FX_PAM + I440FX_PAM_LEN &&
           I440FX_PAM < off + width;
}

static int
chipset_host_bridge(struct pci_bus *bus)
{
    const struct bp_pci_function desc = {
        .size = sizeof desc,
        .slot = 0,
        .vendor = 0x8086,
        .device = 0x1237,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .class_code = 0x060000,
        .revision = 2,
        .name = "the host bridge",
    };
    /* With a kernel all is RAM already, as firmware leaves it; tables are written there. */
    uint8_t all = bus->info.flags & BP_MACHINE_FIRMWARE ? 0 : 0x33;
    uint64_t end = PAM_HIGH + PAM_HIGH_PIECE;
    uint32_t fn;
    int err = pci_bus_if.add(bus, bus->inst, &desc, &fn);

    if (err)
        return err;
    chipset_registers(bus->fns[fn], I440FX_PAM, all & 0x30, 0x30, 1);
    chipset_registers(bus->fns[fn], I440FX_PAM + 1, all, 0x33, I440FX_PAM_LEN - 1);
    chipset_registers(bus->fns[fn], I440FX_SMRAM, 0x02, 0x78, 1);
    /* Also makes the area switchable, so that a clash is found now. */
    if ((err = bus->machine->shadow(bus->inst, PAM_LOW, end - PAM_LOW, 0)))
        return err == BP_E_BUSY
                   ? bus->host->fail(bus->inst, err, "another section switches shadow RAM already")
                   : err;
    pci_chipset_apply(bus);
    return 0;
}

/* Where the pins arrive does not follow the routing registers: see pci_gsi(). */
static int
chipset_isa_bridge(struct pci_bus *bus)
{
    const struct bp_pci_function desc = {
        .size = sizeof desc,
        .slot = PIIX_SLOT,
        .vendor = 0x8086,
        .device = 0x7000,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .class_code = 0x060100,
        .name = "the ISA bridge",
    };
    uint32_t fn;
    int err = pci_bus_if.add(bus, bus->inst, &desc, &fn);

    if (err)
        return err;
    chipset_registers(bus->fns[fn], PIIX_XBCS, 0x03, 0xff, 1);
    chipset_registers(bus->fns[fn], PIIX_PIRQ, PIIX_PIRQ_OFF, PIIX_PIRQ_BITS, PIIX_PIRQ_LEN);
    return 0;
}

/* Only with acpi: firmware takes it that there is a timer when it sees this function. */
static int
chipset_power(struct pci_bus *bus)
{
    struct bp_pci_function desc = {
        .size = sizeof desc,
        .slot = PIIX_SLOT,
        .function = PIIX_PM_FUNCTION,
        .vendor = 0x8086,
        .device = 0x7113,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .class_code = 0x068000,
        .revision = 3,
        .name = "power management",
    };
    struct bp_link link = {.size = sizeof link};
    const struct bp_acpi_if *acpi;
    bp_region region;
    bp_inst owner;
    uint32_t fn;
    int err =
        bus->host->link(bus->inst, NULL, BP_IF_ACPI, BP_UPTO(struct bp_acpi_if, pm_config), &link);

    if (err)
        return err == BP_E_NOENT ? 0 : err;
    acpi = link.iface;
    err = acpi->pm_config(link.self, &owner, &region);
    if (err == BP_E_NOTSUP)
        return 0;
    if (err || (err = pci_bus_if.add(bus, owner, &desc, &fn)))
        return err;
    return pci_bus_if.window(bus, fn, PIIX_PM_CONFIG, PCI_CONFIG_SIZE - PIIX_PM_CONFIG, region);
}

static int
chipset_plain(struct pci_bus *bus)
{
    /* A host bridge that no system has a driver or a quirk for: there is nothing to program. */
    const struct bp_pci_function desc = {
        .size = sizeof desc,
        .slot = 0,
        .vendor = 0x1b36,
        .device = 0x0008,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .class_code = 0x060000,
        .name = "the host bridge",
    };
    uint32_t fn;

    return pci_bus_if.add(bus, bus->inst, &desc, &fn);
}

int
pci_chipset_realize(struct pci_bus *bus)
{
    int err;

    if (!bus->i440fx)
        return chipset_plain(bus);
    if ((err = chipset_host_bridge(bus)) || (err = chipset_isa_bridge(bus)))
        return err;
    return chipset_power(bus);
}
