/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c - the bus's state: the configuration ports, and for each function its configuration
 * space, which of its BARs are decoded, its pin, and its MSI-X table with pending bits.
 *
 * On load everything that no driver can change has to be as it is here: state belongs to the very
 * same functions in the same slots.
 */
#include "pci.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backplane/log.h>

#define STATE_VERSION 1

static void
state_section_name(const struct pci_fn *fn, char *name, size_t len)
{
    snprintf(name, len, "fn.%02x.%u", pci_slot(fn->devfn), fn->devfn & 7);
}

static uint64_t
state_decoded(const struct pci_fn *fn)
{
    uint64_t bits = 0;

    for (uint32_t i = 0; i < PCI_DECODERS; i++)
        if (fn->bars[i].at != PCI_NOWHERE)
            bits |= UINT64_C(1) << i;
    return bits;
}

static int
state_save_msix(const struct pci_msix *msix, const struct bp_writer *w)
{
    uint8_t pending[PCI_MSIX_VECTORS_MAX / 8] = {0};
    int err;

    for (uint32_t i = 0; i < msix->n; i++)
        if (msix->fn->bus->irq->msi_pending(msix->fn->dev, msix->irqs[i]) > 0)
            pending[i / 8] |= (uint8_t)(1u << i % 8);
    err = w->blob(w, "msix-table", msix->table, (uint64_t)msix->n * PCI_MSIX_ENTRY);
    return err ? err : w->blob(w, "msix-pending", pending, (msix->n + 7) / 8);
}

static int
state_save_function(struct pci_fn *fn, const struct bp_writer *w)
{
    char name[16];
    int err;

    state_section_name(fn, name, sizeof name);
    if ((err = w->section(w, name, STATE_VERSION, 1)) ||
        (err = w->blob(w, "config", fn->config, sizeof fn->config)) ||
        (err = w->u64(w, "decoded", state_decoded(fn))) ||
        (err = w->u64(w, "pin", atomic_load(&fn->pin) & PCI_PIN_ASSERTED)))
        return err;
    return fn->msix ? state_save_msix(fn->msix, w) : 0;
}

int
pci_save(void *self, const struct bp_writer *w)
{
    struct pci_bus *bus = self;
    int err;

    if ((err = w->section(w, "bus", STATE_VERSION, 1)) ||
        (err = w->u64(w, "address", bus->address)) ||
        (err = w->u64(w, "reset-control", bus->reset_control)) ||
        (err = w->u64(w, "assign", bus->assign)))
        return err;
    for (uint32_t i = 0; i < PCI_SLOTS * PCI_FUNCTIONS && !err; i++)
        if (bus->fns[i])
            err = state_save_function(bus->fns[i], w);
    return err;
}

/* What was read of a function, checked before anything is changed. */
struct state_fn {
    bool there;
    uint8_t config[PCI_CONFIG_SIZE];
    uint64_t decoded, pin;
    uint8_t *table; /* NULL: as after a reset */
    uint8_t pending[PCI_MSIX_VECTORS_MAX / 8];
};

static int
state_read_blob(const struct bp_reader *r, const char *key, void *p, uint64_t len)
{
    uint64_t got = 0;
    int err = r->blob(r, key, p, len, &got);

    return err ? err : got == len ? 0 : BP_E_INVAL;
}

static int
state_read_msix(const struct pci_msix *msix, const struct bp_reader *r, struct state_fn *st)
{
    uint64_t len = (uint64_t)msix->n * PCI_MSIX_ENTRY;
    uint8_t *table = malloc(len);
    int err;

    if (!table)
        return BP_E_NOMEM;
    err = state_read_blob(r, "msix-table", table, len);
    if (err) {
        free(table);
        return err == BP_E_NOENT ? 0 : err;
    }
    st->table = table;
    err = state_read_blob(r, "msix-pending", st->pending, (msix->n + 7) / 8);
    return err == BP_E_NOENT ? 0 : err;
}

static int
state_read_function(const struct pci_fn *fn, const struct bp_reader *r, struct state_fn *st)
{
    char name[16];
    uint32_t ver;
    int err;

    memcpy(st->config, fn->power_on, sizeof st->config);
    state_section_name(fn, name, sizeof name);
    err = r->section(r, name, &ver);
    if (err)
        return err == BP_E_NOENT ? 0 : err;
    if (ver != STATE_VERSION)
        return BP_E_NOTSUP;
    st->there = true;
    err = state_read_blob(r, "config", st->config, sizeof st->config);
    if (err && err != BP_E_NOENT)
        return err;
    for (uint32_t i = 0; i < PCI_CONFIG_SIZE; i++)
        if ((st->config[i] ^ fn->power_on[i]) & ~fn->writable[i])
            return bp_failf(fn->bus->host, fn->bus->inst, BP_E_INVAL,
                            "the state of PCI slot %u, function %u is that of another device",
                            pci_slot(fn->devfn), fn->devfn & 7);
    if ((err = r->u64(r, "decoded", &st->decoded)) && err != BP_E_NOENT)
        return err;
    if ((err = r->u64(r, "pin", &st->pin)) && err != BP_E_NOENT)
        return err;
    if (st->pin > 1 || st->decoded >= 1u << PCI_DECODERS)
        return BP_E_INVAL;
    return fn->msix ? state_read_msix(fn->msix, r, st) : 0;
}

/* Registers first, without placing anything. */
static void
state_apply_config(struct pci_fn *fn, const struct state_fn *st)
{
    memcpy(fn->config, st->config, sizeof fn->config);
    pci_bar_hide(fn);
    if (fn->has_line)
        pci_function_intx(fn, st->pin);
}

static void
state_apply_msix(struct pci_fn *fn, const struct state_fn *st)
{
    pci_msix_reset(fn);
    if (st->table)
        pci_msix_restore(fn->msix, st->table);
    /* While MSI-X is off every vector is masked, so this only notes that it was raised. */
    for (uint32_t i = 0; i < fn->msix->n; i++)
        if (st->pending[i / 8] >> i % 8 & 1)
            fn->bus->irq->raise(fn->dev, fn->msix->irqs[i]);
}

static int
state_read_bus(struct pci_bus *bus, const struct bp_reader *r, struct state_fn *fns)
{
    uint64_t address = 0, control = 0, assign = 0;
    uint32_t ver;
    int err = r->section(r, "bus", &ver);

    if (err)
        return err;
    if (ver != STATE_VERSION)
        return BP_E_NOTSUP;
    if (((err = r->u64(r, "address", &address)) && err != BP_E_NOENT) ||
        ((err = r->u64(r, "reset-control", &control)) && err != BP_E_NOENT) ||
        ((err = r->u64(r, "assign", &assign)) && err != BP_E_NOENT))
        return err;
    if ((address & ~(uint64_t)PCI_ADDRESS_BITS) ||
        (control & ~(uint64_t)(PCI_RESET_SYSTEM | PCI_RESET_CPU | PCI_RESET_FULL)) || assign > 1)
        return BP_E_INVAL;
    for (uint32_t i = 0; i < PCI_SLOTS * PCI_FUNCTIONS; i++)
        if (bus->fns[i] && (err = state_read_function(bus->fns[i], r, &fns[i])))
            return err;
    bus->address = (uint32_t)address;
    bus->reset_control = (uint8_t)control;
    bus->assign = assign;
    return 0;
}

/* What was decoded gets its place before what was in its way. */
static void
state_apply(struct pci_bus *bus, const struct state_fn *fns)
{
    static const uint32_t n = PCI_SLOTS * PCI_FUNCTIONS;

    for (uint32_t i = 0; i < n; i++)
        if (bus->fns[i])
            state_apply_config(bus->fns[i], &fns[i]);
    for (uint32_t i = 0; i < n; i++)
        if (bus->fns[i])
            pci_bar_restore(bus->fns[i], (uint32_t)fns[i].decoded);
    for (uint32_t i = 0; i < n; i++)
        if (bus->fns[i] && bus->fns[i]->msix)
            state_apply_msix(bus->fns[i], &fns[i]);
    for (uint32_t i = 0; i < n; i++)
        if (bus->fns[i])
            pci_config_apply(bus->fns[i]);
    pci_chipset_apply(bus);
}

int
pci_load(void *self, const struct bp_reader *r)
{
    struct pci_bus *bus = self;
    struct state_fn *fns = calloc(PCI_SLOTS * PCI_FUNCTIONS, sizeof *fns);
    int err;

    if (!fns)
        return BP_E_NOMEM;
    err = state_read_bus(bus, r, fns);
    if (!err)
        state_apply(bus, fns);
    for (uint32_t i = 0; i < PCI_SLOTS * PCI_FUNCTIONS; i++)
        free(fns[i].table);
    free(fns);
    return err;
}
