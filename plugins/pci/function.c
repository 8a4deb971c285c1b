/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * function.c - a function as its device sees it while the guest runs: the interrupt pin and the
 * status bits. Devices come here from any thread, so both are atomics and nothing else is touched.
 */
#include "pci.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Two sides drive the pin, the device and the driver's Interrupt Disable, perhaps at once. Each
 * changes its bit first and then sets the line to what both bits say; looking at them once more
 * afterwards makes the last one to set the line the one who saw them last.
 */
static void
function_drive_pin(struct pci_fn *fn)
{
    uint32_t pin = atomic_load(&fn->pin), driven;

    if (!fn->has_line)
        return;
    do {
        driven = pin;
        fn->bus->irq->level(fn->bus->inst, fn->line, driven == PCI_PIN_ASSERTED);
        pin = atomic_load(&fn->pin);
    } while (pin != driven);
}

void
pci_function_intx(struct pci_fn *fn, bool on)
{
    uint32_t old = on ? atomic_fetch_or(&fn->pin, PCI_PIN_ASSERTED)
                      : atomic_fetch_and(&fn->pin, ~(uint32_t)PCI_PIN_ASSERTED);

    if (!(old & PCI_PIN_ASSERTED) == on)
        function_drive_pin(fn);
}

void
pci_function_update(struct pci_fn *fn)
{
    uint32_t command = pci_get16(fn->config + PCI_COMMAND), status = 0, old;
    bool disabled = command & PCI_COMMAND_INTX_DISABLE;

    if (command & PCI_COMMAND_MASTER)
        status |= BP_PCI_MASTER_ON;
    if (fn->msix && (pci_get16(fn->config + fn->msix->cap + PCI_MSIX_CONTROL) & PCI_MSIX_ENABLE))
        status |= BP_PCI_MSIX_ON;
    atomic_store(&fn->status, status);

    old = disabled ? atomic_fetch_or(&fn->pin, PCI_PIN_DISABLED)
                   : atomic_fetch_and(&fn->pin, ~(uint32_t)PCI_PIN_DISABLED);
    if (!(old & PCI_PIN_DISABLED) == disabled)
        function_drive_pin(fn);
}

struct pci_fn *
pci_function_new(struct pci_bus *bus, bp_inst dev, uint32_t devfn,
                 const struct bp_pci_function *desc)
{
    struct pci_fn *fn = calloc(1, sizeof *fn);
    uint8_t header[PCI_HEADER_END] = {0}, writable[PCI_HEADER_END] = {0};

    if (!fn)
        return NULL;
    fn->bus = bus;
    fn->dev = dev;
    fn->devfn = devfn;
    fn->cap_end = PCI_HEADER_END;
    fn->last_cap = PCI_CAPABILITIES;
    snprintf(fn->name, sizeof fn->name, "%s", desc->name ? desc->name : "a function");
    for (int i = 0; i < PCI_DECODERS; i++)
        fn->bars[i].want = fn->bars[i].at = PCI_NOWHERE;

    pci_put16(header + PCI_VENDOR_ID, desc->vendor);
    pci_put16(header + PCI_DEVICE_ID, desc->device);
    /* Revision is the low byte, the class code the other three. */
    pci_put32(header + PCI_REVISION, desc->class_code << 8 | (desc->revision & 0xff));
    pci_put16(header + PCI_SUBSYSTEM_VENDOR_ID, desc->subsystem_vendor);
    pci_put16(header + PCI_SUBSYSTEM_ID, desc->subsystem);
    header[PCI_INTERRUPT_PIN] = (uint8_t)desc->intx_pin;
    pci_put16(writable + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
                                          PCI_COMMAND_PARITY | PCI_COMMAND_SERR);
    writable[PCI_CACHE_LINE] = 0xff;
    if (desc->intx_pin) {
        /* What firmware writes there for its operating system: where the pin arrives. */
        header[PCI_INTERRUPT_LINE] = (uint8_t)pci_gsi(bus, pci_slot(devfn), desc->intx_pin - 1);
        writable[PCI_INTERRUPT_LINE] = 0xff;
        writable[PCI_COMMAND + 1] |= PCI_COMMAND_INTX_DISABLE >> 8;
    }
    pci_config_init(fn, 0, header, writable, sizeof header);
    return fn;
}

void
pci_function_free(struct pci_fn *fn)
{
    if (!fn)
        return;
    pci_msix_free(fn->msix);
    free(fn);
}
