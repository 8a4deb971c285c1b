/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi.h - the acpi plugin's own.
 *
 *   acpi.c    class, life cycle, bp.acpi/1 and bp.power/1
 *   dsdt.c    what devices say of themselves, as AML
 *   tables.c  the fixed tables: FADT, FACS, MADT, XSDT, RSDP
 *   layout.c  all of them into guest memory
 *   loader.c  or into the files that firmware takes them from
 *   pm.c      the registers: PM1 events and control, power management timer, reset
 *   piix.c    how a PIIX4 moves these registers
 *   aml.c, resource.c  the encoder
 *
 * The core calls in with the instance's lock held, one call at a time.
 */
#ifndef ACPI_ACPI_H
#define ACPI_ACPI_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <backplane/backplane.h>

#include "aml.h"

/* Where the tables go: RAM that every memory map keeps from the kernel, and that a kernel scans for
 * the RSDP when nobody tells it. The rest up to 1 MiB is left to others (SMBIOS is looked for
 * there). */
#define ACPI_AREA     UINT64_C(0xe0000)
#define ACPI_AREA_LEN 0x18000

enum {
    ACPI_SCI = 9,
    ACPI_TABLES_MAX = 32,
    ACPI_HEADER_LEN = 36,
    ACPI_SLEEP_TYPE_S5 = 5,
};

enum {
    ACPI_RSDP_LEN = 36,
    ACPI_RSDP_LEN_V1 = 20, /* what the first checksum covers */
    ACPI_RSDP_CHECKSUM = 8,
    ACPI_RSDP_XSDT = 24,
    ACPI_RSDP_EXTENDED_CHECKSUM = 32,
    ACPI_HEADER_CHECKSUM = 9,
    ACPI_FADT_FACS = 36,
    ACPI_FADT_DSDT = 40,
    ACPI_FADT_X_DSDT = 140,
};

/* The register block, at the property `port`. */
enum {
    PM_STATUS = 0x0, /* PM1a_EVT_BLK */
    PM_ENABLE = 0x2,
    PM_CONTROL = 0x4, /* PM1a_CNT_BLK */
    PM_TIMER = 0x8,
    PM_RESET = 0xc,
    PM_LEN = 0x10,
    PM_RESET_VALUE = 0x01,
};

struct acpi_table {
    uint8_t *data;
    size_t len;
};

struct acpi_pm {
    bp_irq sci;
    bp_region region;
    bp_event timer;
    uint16_t status, enable, control;
    uint64_t tick_offset; /* what is added to the clock's ticks to give the timer's */
    uint64_t half;        /* timer >> 31 when TMR_STS was last looked at */
};

enum {
    PIIX_BASE = 0x40, /* first register in configuration space */
    PIIX_LEN = 0xc0,
};

struct acpi_piix {
    bool there; /* somebody asked for it */
    bp_region region;
    uint8_t regs[PIIX_LEN];
};

struct acpi {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_io_if *io;
    const struct bp_irq_if *irq;
    const struct bp_mem_if *mem;
    const struct bp_event_if *event;
    const struct bp_machine_if *machine;
    struct bp_machine_info info;
    _Atomic uint16_t port; /* of the PM registers now; firmware() reads it from any thread */
    uint16_t power_on_port;
    bool write_tables; /* at the next start: guest memory is new */
    struct aml devices;
    char (*names)[AML_NAME_LEN];
    size_t n_names;
    struct acpi_table tables[ACPI_TABLES_MAX];
    uint32_t n_tables;
    uint32_t has, century; /* fixed() */
    struct acpi_pm pm;
    struct acpi_piix piix;
};

/* dsdt.c */
int acpi_dsdt_device(struct acpi *acpi, const struct bp_acpi_device *given)
    __attribute__((warn_unused_result));
/* Whether there is room for more bytes of tables: what is too much is refused where it is added,
 * not when the machine starts. */
bool acpi_dsdt_fits(const struct acpi *acpi, size_t more);
/* The whole table, with its header. */
void acpi_dsdt(const struct acpi *acpi, struct aml *b);

/* tables.c: each appends one finished table. */
void acpi_facs(struct aml *b);
void acpi_fadt(const struct acpi *acpi, struct aml *b, uint64_t facs, uint64_t dsdt);
void acpi_madt(const struct acpi *acpi, struct aml *b);
void acpi_xsdt(struct aml *b, const uint64_t *tables, size_t n);
void acpi_rsdp(struct aml *b, uint64_t xsdt);
/* A standard header; acpi_header_end() sets length and checksum of what stands behind it. */
size_t acpi_header_begin(struct aml *b, const char *signature, uint8_t revision);
void acpi_header_end(struct aml *b, size_t start);

/* layout.c */
/* Where things ended up, from the start of the image; the RSDP is at 0. */
struct acpi_places {
    size_t facs, dsdt, fadt, xsdt;
    size_t n_listed; /* 64-bit addresses in the XSDT */
};
/* The tables as bytes for guest address base. ret_places may be NULL. */
int acpi_layout(const struct acpi *acpi, uint64_t base, struct aml *image,
                struct acpi_places *ret_places) __attribute__((warn_unused_result));

/* loader.c: bp.acpi/1 firmware() */
int acpi_loader(const struct acpi *acpi, uint32_t piece, void *buf, uint64_t cap, uint64_t *ret_len)
    __attribute__((warn_unused_result));

/* pm.c */
int acpi_pm_realize(struct acpi *acpi) __attribute__((warn_unused_result));
void acpi_pm_reset(struct acpi *acpi);
void acpi_pm_event(struct acpi *acpi);
void acpi_pm_button(struct acpi *acpi);
int acpi_pm_save(struct acpi *acpi, const struct bp_writer *w);
int acpi_pm_load(struct acpi *acpi, const struct bp_reader *r);
/* Moves the registers to another port, or takes them away (0). */
void acpi_pm_move(struct acpi *acpi, uint16_t port);

/* piix.c */
int acpi_piix_realize(struct acpi *acpi) __attribute__((warn_unused_result));
void acpi_piix_reset(struct acpi *acpi);
int acpi_piix_save(const struct acpi *acpi, const struct bp_writer *w);
int acpi_piix_load(struct acpi *acpi, const struct bp_reader *r);

#endif
