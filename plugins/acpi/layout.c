/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout.c - all tables one after the other, as they stand in guest memory from ACPI_AREA on: the
 * RSDP first, where kernels look for it, then what it leads to.
 */
#include "acpi.h"

enum {
    LAYOUT_RSDP_LEN = 36,
    LAYOUT_ALIGN = 64, /* what the FACS needs; good for all */
    LAYOUT_OWN_TABLES = 2,
};

static uint64_t
layout_align(struct aml *image)
{
    while (!aml_failed(image) && image->len % LAYOUT_ALIGN)
        aml_u8(image, 0);
    return ACPI_AREA + image->len;
}

int
acpi_layout(const struct acpi *acpi, struct aml *image)
{
    uint64_t facs, dsdt, listed[LAYOUT_OWN_TABLES + ACPI_TABLES_MAX], xsdt;
    struct aml rsdp;
    size_t n = 0;

    for (int i = 0; i < LAYOUT_RSDP_LEN; i++)
        aml_u8(image, 0);
    facs = layout_align(image);
    acpi_facs(image);
    dsdt = layout_align(image);
    acpi_dsdt(acpi, image);
    listed[n++] = layout_align(image);
    acpi_fadt(acpi, image, facs, dsdt);
    listed[n++] = layout_align(image);
    acpi_madt(acpi, image);
    for (uint32_t i = 0; i < acpi->n_tables; i++) {
        size_t start;

        listed[n++] = layout_align(image);
        start = image->len;
        aml_raw(image, acpi->tables[i].data, acpi->tables[i].len);
        acpi_header_end(image, start);
    }
    xsdt = layout_align(image);
    acpi_xsdt(image, listed, n);

    aml_init(&rsdp);
    acpi_rsdp(&rsdp, xsdt);
    if (aml_failed(image) || aml_failed(&rsdp)) {
        aml_fini(&rsdp);
        return BP_E_NOMEM;
    }
    for (size_t i = 0; i < rsdp.len; i++)
        image->data[i] = rsdp.data[i];
    aml_fini(&rsdp);
    return image->len <= ACPI_AREA_LEN ? 0 : BP_E_NOSPC;
}
