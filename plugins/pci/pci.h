/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci.h - the host bridge plugin's own: one bus of conventional PCI functions.
 *
 *   ports.c    what the guest touches: 0xcf8/0xcfc and the memory-mapped window (ECAM)
 *     config.c   configuration space of a function: masks, windows, what a write sets off
 *       bar.c      where regions are decoded
 *       msix.c     MSI-X capability, vector table and pending bits
 *       function.c INTx pin and the bits that devices ask for, from any thread
 *   bus.c      bp.pci-bus/1, what the devices call
 *   chipset.c  the bridges on the bus, and the shadow RAM that one of them switches
 *   assign.c   the addresses that firmware would have given out
 *   acpi.c     the host bridge in the ACPI tables
 *   state.c    save and load
 *   pci.c      class and life cycle
 *
 * The core calls into the bus with the bus's lock held, and the bus calls into devices (config
 * windows) with that lock held too, never the other way round: what a device calls while the guest
 * runs (intx, status) works on atomics only.
 */
#ifndef PCI_PCI_H
#define PCI_PCI_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <backplane/backplane.h>

#include "regs.h"

#define PCI_NAME_MAX 32
#define PCI_NOWHERE  UINT64_MAX

enum {
    PCI_BARS = 6,
    PCI_ROM = 6, /* index of the expansion ROM */
    PCI_DECODERS = 7,
    PCI_WINDOWS_MAX = 8,
    PCI_GSI_BASE = 16, /* the I/O APIC's pins beyond those of the ISA bus */
};

enum pci_backing {
    PCI_BACKING_NONE,
    PCI_BACKING_UPPER, /* the high half of the 64-bit BAR before it */
    PCI_BACKING_REGION,
    PCI_BACKING_RAM,
};

/* One base address register and what it decodes. */
struct pci_bar {
    enum pci_backing backing;
    uint32_t flags; /* BP_PCI_BAR_* */
    bp_inst owner;  /* of the region or RAM: the device, or the bus for an MSI-X table */
    bp_region region;
    bp_ram ram;
    uint64_t len;
    uint64_t want; /* where the registers say that it is, or PCI_NOWHERE */
    uint64_t at;   /* where it is; differs from want while something else is there */
};

/* A part of configuration space that the device answers for. */
struct pci_window {
    uint32_t off, len;
    bp_region region;
};

struct pci_msix {
    struct pci_fn *fn;
    uint32_t cap; /* its place in configuration space */
    uint32_t bar, n;
    uint32_t pba_off;
    uint64_t bar_len;
    bool on, mask_all; /* what was last told to the vectors, with master enable in `on` */
    bp_irq *irqs;
    uint8_t *table; /* n entries, as the guest reads them */
};

/* pci_fn.pin */
enum {
    PCI_PIN_ASSERTED = 1, /* the device's side */
    PCI_PIN_DISABLED = 2, /* the driver's: Interrupt Disable */
};

struct pci_fn {
    struct pci_bus *bus;
    bp_inst dev;
    uint32_t devfn;
    char name[PCI_NAME_MAX];
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t power_on[PCI_CONFIG_SIZE]; /* what a reset makes of config */
    uint8_t writable[PCI_CONFIG_SIZE];
    uint32_t cap_end, last_cap; /* first byte free for a capability; the list's last next pointer */
    struct pci_bar bars[PCI_DECODERS];
    struct pci_window windows[PCI_WINDOWS_MAX];
    uint32_t n_windows;
    struct pci_msix *msix;
    bool anywhere; /* the bus chose its slot */
    bool has_line;
    bp_irq line;
    _Atomic uint32_t pin;    /* PCI_PIN_* */
    _Atomic uint32_t status; /* BP_PCI_*_ON */
};

/* A range of addresses that the bridge forwards, and how far the initial assignment got. */
struct pci_range {
    uint64_t base, len, next;
};

struct pci_bus {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_io_if *io;
    const struct bp_irq_if *irq;
    const struct bp_ram_if *ram;
    const struct bp_machine_if *machine;
    struct bp_machine_info info;
    uint32_t address; /* 0xcf8 */
    uint8_t reset_control;
    bool i440fx;    /* the chip set */
    uint8_t pam[7]; /* what shadow RAM was last told */
    bool assign;    /* at the next start: power-on or reset came before it */
    uint64_t ecam_base;
    uint32_t n_gsis;
    struct pci_range mem32, mem64, ports;
    struct pci_fn *fns[PCI_SLOTS * PCI_FUNCTIONS];
};

/* Little-endian fields in byte arrays, whatever their alignment. */
static inline uint32_t
pci_get16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t
pci_get32(const uint8_t *p)
{
    return pci_get16(p) | pci_get16(p + 2) << 16;
}

static inline void
pci_put16(uint8_t *p, uint32_t val)
{
    p[0] = (uint8_t)val;
    p[1] = (uint8_t)(val >> 8);
}

static inline void
pci_put32(uint8_t *p, uint32_t val)
{
    pci_put16(p, val);
    pci_put16(p + 2, val >> 16);
}

/* All ones in width bytes: what nobody answers. */
static inline uint64_t
pci_ones(uint32_t width)
{
    return width >= 8 ? UINT64_MAX : (UINT64_C(1) << width * 8) - 1;
}

static inline uint32_t
pci_slot(uint32_t devfn)
{
    return devfn >> 3;
}

/* The GSI of a pin (0 = INTA#): neighbours in slot or pin get different ones. */
static inline uint32_t
pci_gsi(const struct pci_bus *bus, uint32_t slot, uint32_t pin)
{
    return PCI_GSI_BASE + (slot + pin) % bus->n_gsis;
}

/* ports.c */
/* config false: only the reset control register. */
int pci_ports_realize(struct pci_bus *bus, bool config) __attribute__((warn_unused_result));
int pci_ecam_realize(struct pci_bus *bus) __attribute__((warn_unused_result));

/* config.c; the access lies within PCI_CONFIG_SIZE */
uint64_t pci_config_read(struct pci_fn *fn, uint32_t off, uint32_t width);
void pci_config_write(struct pci_fn *fn, uint32_t off, uint64_t val, uint32_t width);
/* Values that a reset restores, and whether the driver may change them; while realizing. */
void pci_config_init(struct pci_fn *fn, uint32_t off, const void *data, const void *writable,
                     uint32_t len);
/* Brings everything that hangs on configuration space in line with it. */
void pci_config_apply(struct pci_fn *fn);
void pci_config_reset(struct pci_fn *fn);

/* bar.c */
int pci_bar_add(struct pci_fn *fn, uint32_t index, const struct pci_bar *bar)
    __attribute__((warn_unused_result));
/* Reads what the registers of fn say and moves what has to move. */
void pci_bar_update(struct pci_fn *fn);
/* Tries once more to place what could not be placed because something else was there. */
void pci_bar_retry(struct pci_bus *bus);
/* Takes everything off the bus. */
void pci_bar_hide(struct pci_fn *fn);
/* After a load: places those of a mask first, as they were when the state was saved. */
void pci_bar_restore(struct pci_fn *fn, uint32_t decoded);
int pci_bar_place(struct pci_fn *fn, uint32_t index, uint64_t addr)
    __attribute__((warn_unused_result));
/* Writes an address into the registers, as software does. */
void pci_bar_write(struct pci_fn *fn, uint32_t index, uint64_t addr);

/* msix.c */
int pci_msix_add(struct pci_fn *fn, uint32_t index, const bp_irq *irqs, uint32_t n)
    __attribute__((warn_unused_result));
void pci_msix_update(struct pci_fn *fn);
void pci_msix_reset(struct pci_fn *fn);
/* Takes over a whole table, as saved; bits that no driver can set are dropped. */
void pci_msix_restore(struct pci_msix *msix, const uint8_t *table);
void pci_msix_free(struct pci_msix *msix);

/* function.c */
void pci_function_intx(struct pci_fn *fn, bool on);
/* Interrupt Disable, bus mastering and MSI-X enable as configuration space has them now. */
void pci_function_update(struct pci_fn *fn);
struct pci_fn *pci_function_new(struct pci_bus *bus, bp_inst dev, uint32_t devfn,
                                const struct bp_pci_function *desc);
void pci_function_free(struct pci_fn *fn);

/* bus.c */
extern const struct bp_pci_bus_if pci_bus_if;

/* chipset.c */
int pci_chipset_realize(struct pci_bus *bus) __attribute__((warn_unused_result));
/* What hangs on the host bridge's own registers follows them. */
void pci_chipset_apply(struct pci_bus *bus);
/* Whether an access touches these registers. */
bool pci_chipset_owns(const struct pci_fn *fn, uint32_t off, uint32_t width);

/* assign.c */
void pci_assign(struct pci_bus *bus);

/* acpi.c */
int pci_acpi_realize(struct pci_bus *bus) __attribute__((warn_unused_result));

/* state.c */
int pci_save(void *self, const struct bp_writer *w);
int pci_load(void *self, const struct bp_reader *r);

#endif
