/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loader.c - the tables as firmware takes them: one file with all tables, one with the RSDP, whose
 * addresses are offsets, and a list of commands that say where to put the two, which addresses to
 * add up and which checksums to make good. The commands are those of QEMU's firmware interface
 * (docs/specs, linker/loader), which SeaBIOS and OVMF carry out.
 */
#include "acpi.h"

#include <string.h>

enum {
    LOADER_ALLOCATE = 1,
    LOADER_ADD_POINTER = 2,
    LOADER_ADD_CHECKSUM = 3,
    LOADER_ENTRY_LEN = 128,
    LOADER_NAME_LEN = 56,
    LOADER_ZONE_HIGH = 1,
    LOADER_ZONE_LOW = 2, /* where an RSDP is searched: 0xe0000 to 0xfffff */
    LOADER_RSDP_ALIGN = 16,
    LOADER_TABLES_ALIGN = 64,
};

static const char loader_tables[] = "etc/acpi/tables";
static const char loader_rsdp[] = "etc/acpi/rsdp";

static void
loader_name(struct aml *b, const char *name)
{
    char padded[LOADER_NAME_LEN] = {0};

    memcpy(padded, name, strlen(name));
    aml_raw(b, padded, sizeof padded);
}

static void
loader_end(struct aml *b)
{
    while (!aml_failed(b) && b->len % LOADER_ENTRY_LEN)
        aml_u8(b, 0);
}

static void
loader_allocate(struct aml *b, const char *file, uint32_t align, uint8_t zone)
{
    aml_u32(b, LOADER_ALLOCATE);
    loader_name(b, file);
    aml_u32(b, align);
    aml_u8(b, zone);
    loader_end(b);
}

/* Adds where the tables were put to the size bytes at offset of file. */
static void
loader_pointer(struct aml *b, const char *file, size_t offset, uint8_t size)
{
    aml_u32(b, LOADER_ADD_POINTER);
    loader_name(b, file);
    loader_name(b, loader_tables);
    aml_u32(b, (uint32_t)offset);
    aml_u8(b, size);
    loader_end(b);
}

static void
loader_checksum(struct aml *b, const char *file, size_t offset, size_t start, size_t len)
{
    aml_u32(b, LOADER_ADD_CHECKSUM);
    loader_name(b, file);
    aml_u32(b, (uint32_t)offset);
    aml_u32(b, (uint32_t)start);
    aml_u32(b, (uint32_t)len);
    loader_end(b);
}

static size_t
loader_table_len(const struct aml *image, size_t table)
{
    const uint8_t *p = image->data + table + 4;

    return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

static void
loader_commands(struct aml *b, const struct aml *image, const struct acpi_places *at)
{
    loader_allocate(b, loader_rsdp, LOADER_RSDP_ALIGN, LOADER_ZONE_LOW);
    loader_allocate(b, loader_tables, LOADER_TABLES_ALIGN, LOADER_ZONE_HIGH);
    loader_pointer(b, loader_tables, at->fadt + ACPI_FADT_FACS, 4);
    loader_pointer(b, loader_tables, at->fadt + ACPI_FADT_DSDT, 4);
    loader_pointer(b, loader_tables, at->fadt + ACPI_FADT_X_DSDT, 8);
    loader_checksum(b, loader_tables, at->fadt + ACPI_HEADER_CHECKSUM, at->fadt,
                    loader_table_len(image, at->fadt));
    for (size_t i = 0; i < at->n_listed; i++)
        loader_pointer(b, loader_tables, at->xsdt + ACPI_HEADER_LEN + i * 8, 8);
    loader_checksum(b, loader_tables, at->xsdt + ACPI_HEADER_CHECKSUM, at->xsdt,
                    loader_table_len(image, at->xsdt));
    loader_pointer(b, loader_rsdp, ACPI_RSDP_XSDT, 8);
    loader_checksum(b, loader_rsdp, ACPI_RSDP_CHECKSUM, 0, ACPI_RSDP_LEN_V1);
    loader_checksum(b, loader_rsdp, ACPI_RSDP_EXTENDED_CHECKSUM, 0, ACPI_RSDP_LEN);
}

int
acpi_loader(const struct acpi *acpi, uint32_t piece, void *buf, uint64_t cap, uint64_t *ret_len)
{
    struct aml image, commands;
    struct acpi_places at;
    const uint8_t *from = NULL;
    uint64_t len = 0;
    int err;

    aml_init(&image);
    aml_init(&commands);
    err = acpi_layout(acpi, 0, &image, &at);
    if (!err) {
        loader_commands(&commands, &image, &at);
        err = aml_failed(&commands) ? BP_E_NOMEM : 0;
    }
    if (!err) {
        switch (piece) {
        case BP_ACPI_FW_TABLES:
            memset(image.data, 0, ACPI_RSDP_LEN); /* the RSDP is a file of its own */
            from = image.data;
            len = image.len;
            break;
        case BP_ACPI_FW_RSDP:
            from = image.data;
            len = ACPI_RSDP_LEN;
            break;
        case BP_ACPI_FW_LOADER:
            from = commands.data;
            len = commands.len;
            break;
        default:
            err = BP_E_INVAL;
            break;
        }
    }
    if (!err) {
        if (cap)
            memcpy(buf, from, len < cap ? len : cap);
        *ret_len = len;
    }
    aml_fini(&image);
    aml_fini(&commands);
    return err;
}
