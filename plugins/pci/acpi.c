/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi.c - the host bridge as an operating system finds it: a device with its windows and interrupt
 * routing, the MCFG table for the memory-mapped configuration window (PCI Firmware Specification
 * 3.0, 4.1.2), and a motherboard device that reserves that window.
 */
#include "pci.h"

#include <string.h>

enum {
    ACPI_PINS = 4,
    ACPI_HEADER_LEN = 36,
    ACPI_MCFG_LEN = ACPI_HEADER_LEN + 8 + 16,
};

static int
acpi_bridge(const struct pci_bus *bus, const struct bp_acpi_if *acpi, void *self)
{
    struct bp_acpi_prt prt[PCI_SLOTS * ACPI_PINS];
    struct bp_acpi_res res[8];
    uint32_t n_prt = 0, n_res = 0;
    struct bp_acpi_device dev = {
        .size = sizeof dev,
        .flags = BP_ACPI_CCA,
        .inst = bus->inst,
        .name = "PCI0",
        .hid = "PNP0A08",
        .cid = "PNP0A03",
        .res = res,
        .res_size = sizeof *res,
        .prt = prt,
        .prt_size = sizeof *prt,
    };
    const struct {
        uint32_t kind;
        uint64_t base, len;
    } windows[] = {
        {BP_ACPI_BUSES, 0, 1},
        {BP_ACPI_IO, PCI_PORT_BASE, PCI_PORT_LEN},
        {BP_ACPI_IO_WINDOW, 0, PCI_PORT_BASE},
        {BP_ACPI_IO_WINDOW, PCI_PORT_BASE + PCI_PORT_LEN, 0x10000 - PCI_PORT_BASE - PCI_PORT_LEN},
        {BP_ACPI_MEM_WINDOW, 0xa0000, 0x20000}, /* where a VGA adapter answers */
        {BP_ACPI_MEM_WINDOW, bus->mem32.base, bus->mem32.len},
        {BP_ACPI_MEM_WINDOW, bus->mem64.base, bus->mem64.len},
    };

    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        if (windows[i].len)
            res[n_res++] = (struct bp_acpi_res){.size = sizeof *res,
                                                .kind = windows[i].kind,
                                                .base = windows[i].base,
                                                .len = windows[i].len};
    for (uint32_t slot = 0; slot < PCI_SLOTS; slot++)
        for (uint32_t pin = 0; pin < ACPI_PINS; pin++)
            prt[n_prt++] = (struct bp_acpi_prt){
                .size = sizeof *prt, .slot = slot, .pin = pin, .gsi = pci_gsi(bus, slot, pin)};
    dev.n_res = n_res;
    dev.n_prt = n_prt;
    return acpi->device(self, &dev);
}

static int
acpi_ecam(const struct pci_bus *bus, const struct bp_acpi_if *acpi, void *self)
{
    const struct bp_acpi_res res = {
        .size = sizeof res,
        .kind = BP_ACPI_MMIO,
        .base = bus->ecam_base,
        .len = PCI_SLOTS * PCI_FUNCTIONS * PCI_ECAM_SIZE,
    };
    const struct bp_acpi_device dev = {
        .size = sizeof dev,
        .inst = bus->inst,
        .name = "ECAM",
        .hid = "PNP0C02",
        .uid = bus->ecam_base >> 20,
        .res = &res,
        .n_res = 1,
        .res_size = sizeof res,
    };
    uint8_t mcfg[ACPI_MCFG_LEN] = "MCFG";
    int err = acpi->device(self, &dev);

    if (err)
        return err;
    mcfg[8] = 1; /* revision */
    memcpy(mcfg + 10, "BCKPLN", 6);
    memcpy(mcfg + 16, "BPPCI   ", 8);
    pci_put32(mcfg + 24, 1);
    memcpy(mcfg + 28, "BCKP", 4);
    pci_put32(mcfg + 32, 1);
    /* One entry: base, segment 0, buses 0 to 0. */
    pci_put32(mcfg + ACPI_HEADER_LEN + 8, (uint32_t)bus->ecam_base);
    return acpi->table(self, mcfg, sizeof mcfg);
}

int
pci_acpi_realize(struct pci_bus *bus)
{
    struct bp_link link = {.size = sizeof link};
    const struct bp_acpi_if *acpi;
    int err =
        bus->host->link(bus->inst, NULL, BP_IF_ACPI, BP_UPTO(struct bp_acpi_if, table), &link);

    if (err == BP_E_NOENT)
        return 0;
    if (err)
        return err;
    acpi = link.iface;
    if ((err = acpi_bridge(bus, acpi, link.self)))
        return err;
    return bus->ecam_base ? acpi_ecam(bus, acpi, link.self) : 0;
}
