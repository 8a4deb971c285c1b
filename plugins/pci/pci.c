/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci.c - class and life cycle of the PCI host bridge. What the parts are: see pci.h.
 */
#include "pci.h"

#include <stdlib.h>
#include <string.h>

#include <backplane/log.h>

#define PCI_CHIPSET_I440FX 1 /* index of the property's choice */
#define PCI_WINDOW_MIN     UINT64_C(0x1000000)
#define PCI_IO_BASE        0xc000 /* ports for BARs, above those of the ISA bus */
#define PCI_IO_LEN         0x4000

static int
pci_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct pci_bus *bus = calloc(1, sizeof *bus);

    if (!bus)
        return BP_E_NOMEM;
    bus->host = host;
    bus->inst = inst;
    bus->assign = true;
    bus->ports = (struct pci_range){.base = PCI_IO_BASE, .len = PCI_IO_LEN};
    *ret_self = bus;
    return 0;
}

static int
pci_services(struct pci_bus *bus)
{
    const struct bp_host *host = bus->host;

    bus->io = host->query(bus->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, access));
    bus->irq = host->query(bus->inst, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, msi_pending));
    bus->ram = host->query(bus->inst, BP_IF_RAM, BP_UPTO(struct bp_ram_if, place));
    bus->machine = host->query(bus->inst, BP_IF_MACHINE, BP_UPTO(struct bp_machine_if, claim));
    if (!bus->io || !bus->irq || !bus->machine)
        return host->fail(bus->inst, BP_E_NOTSUP,
                          "needs " BP_IF_IO ", " BP_IF_IRQ " and " BP_IF_MACHINE);
    return 0;
}

/* The largest range that the machine still has, at most as long as asked for. */
static int
pci_claim_window(struct pci_bus *bus, uint64_t len)
{
    uint64_t base;
    int err;

    while ((err = bus->machine->claim(bus->inst, len, &base)) && len > PCI_WINDOW_MIN)
        len /= 2;
    if (err)
        return bp_failf(bus->host, bus->inst, err,
                        "no 16 MiB are free below 4 GiB for the windows of PCI devices");
    bus->mem32 = (struct pci_range){.base = base, .len = len};
    bus->mem64 = (struct pci_range){.base = bus->info.mmio64_base, .len = bus->info.mmio64_len};
    return 0;
}

/*
 * Firmware gives out addresses from the I/O APIC's downwards as it likes, and does not know of the
 * window; so there it is all that the machine has.
 */
static int
pci_take_window(struct pci_bus *bus, uint64_t len, bool firmware)
{
    if (!bus->i440fx || !firmware)
        return pci_claim_window(bus, len);
    bus->mem32.base = bus->info.mmio32_base;
    bus->mem32.len = bus->info.ioapic_base - bus->mem32.base;
    bus->mem64 = (struct pci_range){.base = bus->info.mmio64_base, .len = bus->info.mmio64_len};
    return 0;
}

/* Linux looks at the window only where there are no ports, and then needs half the exits; without
 * ACPI nothing would tell it of the window. */
static bool
pci_needs_ports(const struct pci_bus *bus, bool ecam)
{
    struct bp_link link = {.size = sizeof link};

    return !ecam || !(bus->info.flags & BP_MACHINE_LINUX) ||
           bus->host->link(bus->inst, NULL, BP_IF_ACPI, BP_UPTO(struct bp_acpi_if, table), &link);
}

static int
pci_realize(void *self)
{
    struct pci_bus *bus = self;
    struct bp_value ecam = {.size = sizeof ecam}, window = {.size = sizeof window};
    struct bp_value chipset = {.size = sizeof chipset}, ports = {.size = sizeof ports};
    bool firmware, want_ecam, want_ports;
    int err;

    if ((err = pci_services(bus)))
        return err;
    bus->info.size = sizeof bus->info;
    if ((err = bus->machine->info(bus->inst, &bus->info)) ||
        (err = bus->host->prop(bus->inst, "ecam", &ecam)) ||
        (err = bus->host->prop(bus->inst, "ports", &ports)) ||
        (err = bus->host->prop(bus->inst, "chipset", &chipset)) ||
        (err = bus->host->prop(bus->inst, "window", &window)))
        return err;
    if (window.i & (window.i - 1))
        return bus->host->fail(bus->inst, BP_E_INVAL, "window is not a power of two");
    if (bus->info.gsis <= PCI_GSI_BASE)
        return bus->host->fail(bus->inst, BP_E_NOTSUP,
                               "the machine's I/O APIC has no pins for PCI interrupts");
    bus->n_gsis = bus->info.gsis - PCI_GSI_BASE;
    firmware = bus->info.flags & BP_MACHINE_FIRMWARE;
    bus->i440fx = chipset.n ? chipset.i == PCI_CHIPSET_I440FX : firmware;
    want_ecam = ecam.n ? ecam.i != 0 : !bus->i440fx;
    want_ports = ports.n ? ports.i != 0 : pci_needs_ports(bus, want_ecam);
    if (bus->i440fx && !BP_HAS(struct bp_machine_if, bus->machine, shadow))
        return bus->host->fail(bus->inst, BP_E_NOTSUP, "chipset i440fx needs a newer core");
    if ((err = pci_ports_realize(bus, want_ports)) ||
        (want_ecam && (err = pci_ecam_realize(bus))) ||
        (err = pci_take_window(bus, (uint64_t)window.i, firmware)) ||
        (err = pci_chipset_realize(bus)))
        return err;
    return pci_acpi_realize(bus);
}

static int
pci_start(void *self)
{
    struct pci_bus *bus = self;

    if (!bus->assign)
        return 0;
    bus->assign = false;
    for (uint32_t i = 0; i < PCI_SLOTS * PCI_FUNCTIONS; i++)
        if (bus->fns[i] && (i & 7) && !bus->fns[i & ~7u])
            bp_logf(bus->host, bus->inst, BP_LOG_WARN,
                    "%s in PCI slot %u will not be found: the slot has no function 0",
                    bus->fns[i]->name, pci_slot(i));
    /* Firmware does this itself, and expects to find nothing assigned. */
    if (!(bus->info.flags & BP_MACHINE_FIRMWARE))
        pci_assign(bus);
    return 0;
}

static void
pci_reset(void *self, uint32_t kind)
{
    struct pci_bus *bus = self;

    (void)kind;
    bus->address = 0;
    bus->reset_control = 0;
    bus->assign = true;
    for (uint32_t i = 0; i < PCI_SLOTS * PCI_FUNCTIONS; i++)
        if (bus->fns[i])
            pci_config_reset(bus->fns[i]);
    pci_chipset_apply(bus);
}

static const void *
pci_query(void *self, const char *iface, uint32_t min_size)
{
    (void)self;
    return strcmp(iface, BP_IF_PCI_BUS) == 0 && min_size <= pci_bus_if.size ? &pci_bus_if : NULL;
}

static void
pci_destroy(void *self)
{
    struct pci_bus *bus = self;

    for (uint32_t i = 0; i < PCI_SLOTS * PCI_FUNCTIONS; i++)
        pci_function_free(bus->fns[i]);
    free(bus);
}

static const char *const pci_chipsets[] = {"plain", "i440fx", NULL};

static const struct bp_prop pci_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_ENUM,
     .name = "chipset",
     .help = "what the bridges are; i440fx for firmware, plain for a kernel",
     .choices = pci_chipsets},
    {.size = sizeof(struct bp_prop),
     .type = BP_BOOL,
     .name = "ecam",
     .help = "also give a memory-mapped window to configuration space; yes unless i440fx"},
    {.size = sizeof(struct bp_prop),
     .type = BP_BOOL,
     .name = "ports",
     .help = "give the ports 0xcf8 and 0xcfc; yes unless a Linux kernel is told of the window"},
    {.size = sizeof(struct bp_prop),
     .type = BP_SIZE,
     .name = "window",
     .help = "addresses below 4 GiB for devices, a power of two; less where there is less",
     .def = "512M",
     .min = (int64_t)PCI_WINDOW_MIN,
     .max = INT64_C(1) << 31},
};

static const char *const pci_provides[] = {BP_IF_PCI_BUS, NULL};
static const char *const pci_needs[] = {BP_IF_IO,      BP_IF_IRQ,      "?" BP_IF_RAM,
                                        BP_IF_MACHINE, "?" BP_IF_ACPI, NULL};

static const struct bp_class pci_class = {
    .size = sizeof pci_class,
    .flags = BP_C_SHARED,
    .name = "pci",
    .version = "1.0",
    .summary = "PCI host bridge and bus",
    .props = pci_props,
    .n_props = sizeof pci_props / sizeof *pci_props,
    .prop_size = sizeof *pci_props,
    .provides = pci_provides,
    .needs = pci_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = pci_create,
    .realize = pci_realize,
    .start = pci_start,
    .reset = pci_reset,
    .save = pci_save,
    .load = pci_load,
    .query = pci_query,
    .destroy = pci_destroy,
};

BP_PLUGIN("pci", "1.0", "BSD-3-Clause", "backplane", &pci_class);
