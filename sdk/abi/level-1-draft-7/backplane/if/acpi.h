/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/if/acpi.h - bp.acpi/1: how a device appears in the ACPI tables.
 *
 * Provided by the acpi plugin; got with link(inst, NULL, BP_IF_ACPI, ...). Devices describe
 * themselves in realize(); the tables are built and written to guest memory when the acpi instance
 * starts, which is before the kernel runs and again after each reset.
 */
#ifndef BACKPLANE_IF_ACPI_H
#define BACKPLANE_IF_ACPI_H

#include <backplane/base.h>

#define BP_IF_ACPI "bp.acpi/1"

/* bp_acpi_res.kind */
enum {
    BP_ACPI_IO = 1000,         /* ports: base, len */
    BP_ACPI_MMIO = 2000,       /* Memory32Fixed or QWordMemory: base, len */
    BP_ACPI_IRQ = 3000,        /* base = GSI; flags BP_ACPI_LEVEL, BP_ACPI_SHARED */
    BP_ACPI_BUSES = 4000,      /* producer: bus numbers base, len */
    BP_ACPI_IO_WINDOW = 5000,  /* producer: ports that a bridge forwards */
    BP_ACPI_MEM_WINDOW = 6000, /* producer: addresses that a bridge forwards */
};

enum {
    BP_ACPI_LEVEL = 1,
    BP_ACPI_SHARED = 2,
};

struct bp_acpi_res {
    uint32_t size, kind, flags, pad;
    uint64_t base, len;
};

/* One _PRT entry: pin (0 = INTA#) of a slot goes to a GSI. */
struct bp_acpi_prt {
    uint32_t size, slot, pin, gsi;
};

struct bp_acpi_device {
    uint32_t size;
    uint32_t flags;
    const char *name; /* four characters "COM1", or two "VM": two hex digits are then appended */
    const char *hid;  /* "PNP0501", "LNRO0005" */
    const char *cid;  /* or NULL */
    uint64_t uid;
    uint64_t adr;                  /* _ADR when BP_ACPI_HAS_ADR */
    const struct bp_acpi_res *res; /* _CRS */
    uint32_t n_res, res_size;      /* res_size: sizeof(struct bp_acpi_res), the stride */
    const struct bp_acpi_prt *prt;
    uint32_t n_prt, prt_size;
    const void *aml; /* further AML inside the device, or NULL */
    uint64_t aml_len;
    bp_inst inst; /* who asks, so that a refusal has its text attached there; 0 = nobody */
};

enum {
    BP_ACPI_HAS_ADR = 1,
    BP_ACPI_CCA = 2, /* _CCA 1: coherent DMA */
};

/* fixed() bits: hardware whose presence the FADT tells */
enum {
    BP_ACPI_HAS_8042 = 1,
    BP_ACPI_HAS_RTC = 2, /* century is the CMOS index */
    BP_ACPI_HAS_VGA = 4,
};

/* firmware(): what a table loader in firmware takes, with addresses as offsets in its file */
enum {
    BP_ACPI_FW_TABLES = 1000, /* all tables: "etc/acpi/tables" */
    BP_ACPI_FW_RSDP = 2000,   /* the root pointer: "etc/acpi/rsdp" */
    BP_ACPI_FW_LOADER = 3000, /* commands to place and join the two: "etc/table-loader" */
};

struct bp_acpi_if {
    uint32_t size, flags;
    /* Adds a device below \_SB; everything is copied. BP_E_EXIST: name taken; BP_E_NOSPC: no room
     * in the tables; a text is attached. [realize] */
    int (*device)(void *acpi, const struct bp_acpi_device *);
    /* Adds a whole table; the length and checksum of its header are set here. [realize] */
    int (*table)(void *acpi, const void *bytes, uint64_t len);
    /* [realize] */
    int (*fixed)(void *acpi, uint32_t has, uint32_t century);
    /*
     * For firmware that makes the tables itself: copies a piece (BP_ACPI_FW_*), at most cap bytes
     * of it, and says how long it is, which does not change once all devices are realized.
     * BP_E_NOTSUP: a kernel is booted, and finds the tables in its memory. [any], from start() on
     */
    int (*firmware)(void *acpi, uint32_t piece, void *buf, uint64_t cap, uint64_t *ret_len);
    /*
     * For a chip set whose power management registers are moved through configuration space, as in
     * the PIIX4: a region (kind BUS, of instance *ret_inst) for offsets 0x40 to 0xff of function 3.
     * BP_E_NOTSUP: they do not move. [realize]
     */
    int (*pm_config)(void *acpi, bp_inst *ret_inst, bp_region *ret_region);
};

#endif
