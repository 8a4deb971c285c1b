/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/if/pci.h - bp.pci-bus/1: how a device becomes a function on the PCI bus.
 *
 * Provided by the host bridge plugin; got with link(inst, NULL, BP_IF_PCI_BUS, ...). The bus owns
 * configuration space, decodes BARs (it places the device's regions), and owns the MSI-X table; the
 * device owns its registers and interrupts. `bus` is bp_link.self.
 */
#ifndef BACKPLANE_IF_PCI_H
#define BACKPLANE_IF_PCI_H

#include <backplane/base.h>

#define BP_IF_PCI_BUS "bp.pci-bus/1"

#define BP_PCI_SLOT_AUTO UINT32_MAX

struct bp_pci_function {
    uint32_t size;
    uint32_t slot;     /* device number 0-31, or BP_PCI_SLOT_AUTO */
    uint32_t function; /* 0-7; when 0 with BP_PCI_SLOT_AUTO, a full bus gives it another */
    uint32_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code; /* 24 bits: base class, subclass, programming interface */
    uint32_t revision;
    uint32_t intx_pin; /* 0 none, 1 INTA# .. 4 INTD# */
    const char *name;  /* for messages */
};

/* bar() flags */
enum {
    BP_PCI_BAR_IO = 1,
    BP_PCI_BAR_64 = 2, /* takes the next index too */
    BP_PCI_BAR_PREFETCH = 4,
};

/* status() bits */
enum {
    BP_PCI_MSIX_ON = 1,   /* the driver enabled MSI-X: raise vectors, not the pin */
    BP_PCI_MASTER_ON = 2, /* bus mastering is allowed */
};

struct bp_pci_bus_if {
    uint32_t size, flags;
    /*
     * Adds a function of instance dev. *ret_fn names it in the other calls. BP_E_BUSY: the slot is
     * taken; BP_E_NOSPC: none is free; a text is attached. [realize]
     */
    int (*add)(void *bus, bp_inst dev, const struct bp_pci_function *, uint32_t *ret_fn);
    /*
     * Makes region (of dev, kind PIO or MMIO by flags, len a power of two, at least 16 bytes for
     * MMIO and 4 for ports) appear behind BAR index 0-5. [realize]
     */
    int (*bar)(void *bus, uint32_t fn, uint32_t index, uint32_t flags, bp_region region,
               uint64_t len);
    /* As bar(), for memory of bp.ram/1, or the expansion ROM with index 6. [realize] */
    int (*bar_ram)(void *bus, uint32_t fn, uint32_t index, uint32_t flags, bp_ram ram,
                   uint64_t len);
    /*
     * Adds a capability: data are the len bytes after the id and next bytes; write_mask (len bytes,
     * or NULL for read-only) says which bits the driver may change. *ret_off is its place in
     * configuration space. [realize]
     */
    int (*capability)(void *bus, uint32_t fn, uint32_t id, const void *data, const void *write_mask,
                      uint32_t len, uint32_t *ret_off);
    /* Accesses to len bytes of configuration space at off go to region (kind BUS) of dev instead,
     * with offsets from its start. [realize] */
    int (*window)(void *bus, uint32_t fn, uint32_t off, uint32_t len, bp_region region);
    /*
     * Gives the function an MSI-X capability with n vectors (1-2048) whose table and pending bits
     * live in BAR index, which the bus makes. irqs are messages of dev's from bp.irq/1. [realize]
     */
    int (*msix)(void *bus, uint32_t fn, uint32_t index, const bp_irq *irqs, uint32_t n);
    /* Drives the function's INTx pin (shared, level). [any] */
    int (*intx)(void *bus, uint32_t fn, uint32_t on);
    /* BP_PCI_*_ON bits as the driver has set them now. [any] */
    int (*status)(void *bus, uint32_t fn);
    /* Where the function sits: slot << 3 | function. [ctx] */
    int (*where)(void *bus, uint32_t fn);
};

#endif
