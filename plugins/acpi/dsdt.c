/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dsdt.c - the differentiated system description table: the devices that described themselves, the
 * processors, and how to power off. Devices are encoded when they are added.
 */
#include "acpi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backplane/log.h>

/* Counts what the fixed tables and the processors need, generously. */
bool
acpi_dsdt_fits(const struct acpi *acpi, size_t more)
{
    size_t len = 4096 + (size_t)acpi->info.cpus * 64 + acpi->devices.len;

    for (uint32_t i = 0; i < acpi->n_tables; i++)
        len += acpi->tables[i].len + 64;
    return len <= ACPI_AREA_LEN && more <= ACPI_AREA_LEN - len;
}

static bool
dsdt_name_taken(const struct acpi *acpi, const char *name)
{
    for (size_t i = 0; i < acpi->n_names; i++)
        if (memcmp(acpi->names[i], name, AML_NAME_LEN) == 0)
            return true;
    return false;
}

static bool
dsdt_name_valid(const char *name)
{
    for (int i = 0; name[i]; i++) {
        bool digit = name[i] >= '0' && name[i] <= '9';

        if (!(name[i] == '_' || (name[i] >= 'A' && name[i] <= 'Z') || (digit && i > 0)))
            return false;
    }
    return true;
}

/* The given name, or the given two letters with the first free number. */
static int
dsdt_choose_name(struct acpi *acpi, bp_inst inst, const char *given, char *name)
{
    size_t len = given ? strlen(given) : 0;

    if ((len != 2 && len != AML_NAME_LEN) || !dsdt_name_valid(given))
        return bp_failf(acpi->host, inst, BP_E_INVAL, "\"%s\" is no name for an ACPI device",
                        given ? given : "");
    if (len == AML_NAME_LEN) {
        memcpy(name, given, AML_NAME_LEN + 1);
        if (dsdt_name_taken(acpi, name))
            return bp_failf(acpi->host, inst, BP_E_EXIST, "there is an ACPI device %s already",
                            name);
        return 0;
    }
    for (unsigned i = 0; i < 256; i++) {
        snprintf(name, AML_NAME_LEN + 1, "%c%c%02X", given[0], given[1], i);
        if (!dsdt_name_taken(acpi, name))
            return 0;
    }
    return bp_failf(acpi->host, inst, BP_E_NOSPC, "256 ACPI devices are named %s.. already", given);
}

static int
dsdt_keep_name(struct acpi *acpi, const char *name)
{
    char(*names)[AML_NAME_LEN] = realloc(acpi->names, (acpi->n_names + 1) * sizeof *names);

    if (!names)
        return BP_E_NOMEM;
    acpi->names = names;
    memcpy(names[acpi->n_names++], name, AML_NAME_LEN);
    return 0;
}

static int
dsdt_resource(struct aml *b, const struct bp_acpi_res *res)
{
    bool level = res->flags & BP_ACPI_LEVEL, shared = res->flags & BP_ACPI_SHARED;
    uint64_t base = res->base, len = res->len;

    if (res->kind == BP_ACPI_IRQ) {
        if (base > UINT32_MAX)
            return BP_E_INVAL;
        if (base < 16 && !level && !shared)
            aml_res_irq(b, (uint8_t)base);
        else
            aml_res_gsi(b, (uint32_t)base, level, shared);
        return 0;
    }
    if (len == 0 || base + len - 1 < base)
        return BP_E_INVAL;
    switch (res->kind) {
    case BP_ACPI_IO:
        if (base + len > 0x10000)
            return BP_E_INVAL;
        if (len <= UINT8_MAX)
            aml_res_io(b, (uint16_t)base, (uint8_t)len);
        else
            aml_res_address(b, AML_SPACE_IO, false, base, len);
        return 0;
    case BP_ACPI_MMIO:
        if (base + len - 1 <= UINT32_MAX && len <= UINT32_MAX)
            aml_res_memory32(b, (uint32_t)base, (uint32_t)len);
        else
            aml_res_address(b, AML_SPACE_MEMORY, false, base, len);
        return 0;
    case BP_ACPI_BUSES:
        aml_res_address(b, AML_SPACE_BUS, true, base, len);
        return base + len > 256 ? BP_E_INVAL : 0;
    case BP_ACPI_IO_WINDOW:
        aml_res_address(b, AML_SPACE_IO, true, base, len);
        return base + len > 0x10000 ? BP_E_INVAL : 0;
    case BP_ACPI_MEM_WINDOW:
        aml_res_address(b, AML_SPACE_MEMORY, true, base, len);
        return 0;
    default:
        return BP_E_INVAL;
    }
}

static int
dsdt_crs(struct aml *b, const struct bp_acpi_device *dev)
{
    const uint8_t *at = (const uint8_t *)dev->res;
    size_t mark;

    if (!dev->n_res)
        return 0;
    aml_name(b, "_CRS");
    mark = aml_buffer_begin(b);
    for (uint32_t i = 0; i < dev->n_res; i++, at += dev->res_size) {
        struct bp_acpi_res res = {0};
        int err;

        memcpy(&res, at, dev->res_size < sizeof res ? dev->res_size : sizeof res);
        if ((err = dsdt_resource(b, &res)))
            return err;
    }
    aml_res_end(b);
    aml_buffer_end(b, mark);
    return 0;
}

/* Each entry: address with any function, pin, no link device, GSI. */
static int
dsdt_prt(struct aml *b, const struct bp_acpi_device *dev)
{
    const uint8_t *at = (const uint8_t *)dev->prt;
    size_t mark;

    if (!dev->n_prt)
        return 0;
    if (dev->n_prt > UINT8_MAX)
        return BP_E_INVAL;
    aml_name(b, "_PRT");
    mark = aml_package_begin(b, (uint8_t)dev->n_prt);
    for (uint32_t i = 0; i < dev->n_prt; i++, at += dev->prt_size) {
        struct bp_acpi_prt prt = {0};
        size_t entry;

        memcpy(&prt, at, dev->prt_size < sizeof prt ? dev->prt_size : sizeof prt);
        entry = aml_package_begin(b, 4);
        aml_integer(b, (uint64_t)prt.slot << 16 | 0xffff);
        aml_integer(b, prt.pin);
        aml_integer(b, 0);
        aml_integer(b, prt.gsi);
        aml_end(b, entry);
    }
    aml_end(b, mark);
    return 0;
}

static int
dsdt_encode(struct aml *b, const struct bp_acpi_device *dev, const char *name)
{
    size_t mark = aml_device_begin(b, name);
    int err;

    if (dev->hid) {
        aml_name(b, "_HID");
        aml_id(b, dev->hid);
    }
    if (dev->cid) {
        aml_name(b, "_CID");
        aml_id(b, dev->cid);
    }
    if (dev->flags & BP_ACPI_HAS_ADR)
        aml_name_integer(b, "_ADR", dev->adr);
    aml_name_integer(b, "_UID", dev->uid);
    if (dev->flags & BP_ACPI_CCA)
        aml_name_integer(b, "_CCA", 1);
    if ((err = dsdt_crs(b, dev)) || (err = dsdt_prt(b, dev)))
        return err;
    aml_raw(b, dev->aml, dev->aml_len);
    aml_end(b, mark);
    return aml_failed(b) ? BP_E_NOMEM : 0;
}

int
acpi_dsdt_device(struct acpi *acpi, const struct bp_acpi_device *given)
{
    struct bp_acpi_device dev = {0};
    char name[AML_NAME_LEN + 1];
    bp_inst inst = acpi->inst;
    struct aml b;
    int err;

    memcpy(&dev, given, given->size < sizeof dev ? given->size : sizeof dev);
    if (dev.inst.v)
        inst = dev.inst;
    if ((err = dsdt_choose_name(acpi, inst, dev.name, name)))
        return err;
    aml_init(&b);
    err = dsdt_encode(&b, &dev, name);
    if (err == BP_E_INVAL)
        err = bp_failf(acpi->host, inst, err, "a resource of ACPI device %s is impossible", name);
    if (!err && !acpi_dsdt_fits(acpi, b.len))
        err = acpi->host->fail(inst, BP_E_NOSPC,
                               "the ACPI tables have become too large; use fewer devices");
    if (!err)
        err = dsdt_keep_name(acpi, name);
    if (!err) {
        aml_raw(&acpi->devices, b.data, b.len);
        err = aml_failed(&acpi->devices) ? BP_E_NOMEM : 0;
    }
    aml_fini(&b);
    return err;
}

/* \_SB.CPUS.Cnnn, matched with the MADT's entries by _UID. */
static void
dsdt_processors(const struct acpi *acpi, struct aml *b)
{
    size_t container = aml_device_begin(b, "CPUS");

    aml_name(b, "_HID");
    aml_id(b, "ACPI0010");
    aml_name(b, "_CID");
    aml_id(b, "PNP0A05");
    for (uint32_t i = 0; i < acpi->info.cpus; i++) {
        char name[16];
        size_t cpu;

        snprintf(name, sizeof name, "C%03X", i & 0xfff);
        cpu = aml_device_begin(b, name);
        aml_name(b, "_HID");
        aml_id(b, "ACPI0007");
        aml_name_integer(b, "_UID", i);
        aml_end(b, cpu);
    }
    aml_end(b, container);
}

void
acpi_dsdt(const struct acpi *acpi, struct aml *b)
{
    size_t start = acpi_header_begin(b, "DSDT", 2), mark;

    aml_name(b, "\\_S5");
    mark = aml_package_begin(b, 4);
    aml_integer(b, ACPI_SLEEP_TYPE_S5);
    aml_integer(b, ACPI_SLEEP_TYPE_S5);
    aml_integer(b, 0);
    aml_integer(b, 0);
    aml_end(b, mark);
    mark = aml_scope_begin(b, "\\_SB");
    dsdt_processors(acpi, b);
    aml_raw(b, acpi->devices.data, acpi->devices.len);
    aml_end(b, mark);
    acpi_header_end(b, start);
}
