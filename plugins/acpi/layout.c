/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout.c - all tables one after the other, as they stand in guest memory from ACPI_AREA on: the
 * RSDP first, where kernels look for it, then what it leads to.
 */
#include "acpi.h"

enum {
    LAYOUT_ALIGN = 64, /* what the FACS needs; good for all */
    LAYOUT_OWN_TABLES = 2,
};

/* The offset of the next table. */
static size_t
layout_align(struct aml *image)
{
    while (!aml_failed(image) && image->len % LAYOUT_ALIGN)
        aml_u8(image, 0);
    return image->len;
}

int
acpi_layout(const struct acpi *acpi, uint64_t base, struct aml *image,
            struct acpi_places *ret_places)
{
    uint64_t listed[LAYOUT_OWN_TABLES + ACPI_TABLES_MAX];
    struct acpi_places at = {0};
    struct aml rsdp;

    for (int i = 0; i < ACPI_RSDP_LEN; i++)
        aml_u8(image, 0);
    at.facs = layout_align(image);
    acpi_facs(image);
    at.dsdt = layout_align(image);
    acpi_dsdt(acpi, image);
    at.fadt = layout_align(image);
    listed[at.n_listed++] = base + at.fadt;
    acpi_fadt(acpi, image, base + at.facs, base + at.dsdt);
    listed[at.n_listed++] = base + layout_align(image);
    acpi_madt(acpi, image);
    for (uint32_t i = 0; i < acpi->n_tables; i++) {
        size_t start = layout_align(image);

        listed[at.n_listed++] = base + start;
        aml_raw(image, acpi->tables[i].data, acpi->tables[i].len);
        acpi_header_end(image, start);
    }
    at.xsdt = layout_align(image);
    acpi_xsdt(image, listed, at.n_listed);

    aml_init(&rsdp);
    acpi_rsdp(&rsdp, base + at.xsdt);
    if (aml_failed(image) || aml_failed(&rsdp)) {
        aml_fini(&rsdp);
        return BP_E_NOMEM;
    }
    for (size_t i = 0; i < rsdp.len; i++)
        image->data[i] = rsdp.data[i];
    aml_fini(&rsdp);
    if (ret_places)
        *ret_places = at;
    return image->len <= ACPI_AREA_LEN ? 0 : BP_E_NOSPC;
}
