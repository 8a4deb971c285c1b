/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * machine.c - what the machine says of itself: processors, memory, the ACPI tables. The parts that
 * other devices have a say in are known when the machine starts, not before.
 */
#include "fw-cfg.h"

#include <stdlib.h>
#include <string.h>

enum {
    E820_RAM = 1,
    E820_ENTRY = 20, /* base, length, type */
};

#define E820_LEGACY_END UINT64_C(0x100000) /* below, firmware itself says what is what */
#define E820_HIGH       UINT64_C(0x100000000)

static const struct {
    uint32_t piece;
    const char *name;
} machine_acpi_files[] = {
    {BP_ACPI_FW_TABLES, "etc/acpi/tables"},
    {BP_ACPI_FW_RSDP, "etc/acpi/rsdp"},
    {BP_ACPI_FW_LOADER, "etc/table-loader"},
};

int
fw_machine_realize(struct fw_cfg *fw)
{
    struct bp_machine_info info = {.size = sizeof info};
    uint32_t id = FW_ID_TRADITIONAL | (fw->dma ? FW_ID_DMA : 0);
    int err = fw->machine->info(fw->inst, &info);

    if (err || (err = fw_add(fw, FW_SIGNATURE, "QEMU", 4)) ||
        (err = fw_add_number(fw, FW_ID, id, 4)) ||
        (err = fw_add_number(fw, FW_RAM_SIZE, info.ram_low + info.ram_high, 8)) ||
        (err = fw_add_number(fw, FW_CPUS, info.cpus, 2)) ||
        (err = fw_add_number(fw, FW_MAX_CPUS, info.cpus, 2)))
        return err;
    /* The timer's interrupt arrives at pin 2 of the I/O APIC. */
    return fw_add_number(fw, FW_IRQ0_OVERRIDE, 1, 4);
}

static void
machine_put(uint8_t *p, uint64_t val, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(val >> i * 8);
}

static uint8_t *
machine_e820_entry(uint8_t *p, uint64_t base, uint64_t len, uint32_t type)
{
    machine_put(p, base, 8);
    machine_put(p + 8, len, 8);
    machine_put(p + 16, type, 4);
    return p + E820_ENTRY;
}

/*
 * RAM in one piece on either side of 4 GiB, then what is reserved above 1 MiB. Firmware carves its
 * own areas out of that.
 */
static int
machine_e820(struct fw_cfg *fw)
{
    struct bp_machine_info info = {.size = sizeof info};
    struct bp_machine_range range = {.size = sizeof range};
    uint8_t *data, *p;
    uint32_t n = 0;
    int err = fw->machine->info(fw->inst, &info);

    if (err)
        return err;
    while (fw->machine->map(fw->inst, n, &range) == 0)
        n++;
    data = p = malloc((size_t)(n + 2) * E820_ENTRY);
    if (!data)
        return BP_E_NOMEM;
    p = machine_e820_entry(p, 0, info.ram_low, E820_RAM);
    if (info.ram_high)
        p = machine_e820_entry(p, E820_HIGH, info.ram_high, E820_RAM);
    for (uint32_t i = 0; i < n && fw->machine->map(fw->inst, i, &range) == 0; i++)
        if (range.type != E820_RAM && range.base >= E820_LEGACY_END)
            p = machine_e820_entry(p, range.base, range.len, range.type);
    return fw_add_file_owned(fw, "etc/e820", data, (uint64_t)(p - data));
}

static int
machine_acpi(struct fw_cfg *fw)
{
    for (size_t i = 0; i < sizeof machine_acpi_files / sizeof *machine_acpi_files; i++) {
        uint32_t piece = machine_acpi_files[i].piece;
        uint64_t len = 0;
        uint8_t *data;
        int err = fw->acpi->firmware(fw->acpi_self, piece, NULL, 0, &len);

        if (err)
            return err == BP_E_NOTSUP ? 0 : err;
        data = calloc(1, len);
        if (!data)
            return BP_E_NOMEM;
        if ((err = fw_add_file_owned(fw, machine_acpi_files[i].name, data, len)))
            return err;
        fw->items[fw->n_items - 1].acpi_piece = piece;
    }
    return 0;
}

/* Registers that the tables name may have been moved since they were last looked at. */
void
fw_machine_refresh(struct fw_cfg *fw, struct fw_item *item)
{
    uint64_t len = 0;

    if (item->acpi_piece &&
        fw->acpi->firmware(fw->acpi_self, item->acpi_piece, item->data, item->len, &len) != 0)
        memset(item->data, 0, item->len);
}

int
fw_machine_start(struct fw_cfg *fw)
{
    int err = 0;

    fw_truncate(fw, fw->n_given);
    if (!fw_find_file(fw, "etc/e820"))
        err = machine_e820(fw);
    if (!err && fw->acpi && !fw_find_file(fw, "etc/table-loader"))
        err = machine_acpi(fw);
    return err ? err : fw_add_directory(fw);
}
