/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi-dump FOLDER [PLUGIN...] - writes the ACPI tables of a machine of 4 CPUs with these plugins
 * and with 128 memory-mapped devices to FOLDER/NAME.dat, as they stand in guest memory.
 */
#include <stdio.h>
#include <string.h>

#include <backplane/test.h>

#define AREA 0xe0000u

static uint64_t
get(const uint8_t *p, int bytes)
{
    uint64_t val = 0;

    for (int i = 0; i < bytes; i++)
        val |= (uint64_t)p[i] << i * 8;
    return val;
}

static int
dump(struct bpt_machine *m, const char *folder, uint64_t addr)
{
    const uint8_t *p = bpt_ram(m, addr, 36);
    char path[4096];
    FILE *f;
    int bad;

    if (!p || !bpt_ram(m, addr, get(p + 4, 4)))
        return 1;
    snprintf(path, sizeof path, "%s/%.4s.dat", folder, (const char *)p);
    f = fopen(path, "w");
    if (!f)
        return 1;
    bad = fwrite(p, 1, get(p + 4, 4), f) != get(p + 4, 4);
    return fclose(f) || bad;
}

static int
add_devices(struct bpt_machine *m)
{
    const struct bp_acpi_if *acpi =
        bpt_query(m, "acpi", BP_IF_ACPI, BP_UPTO(struct bp_acpi_if, device));
    int err = 0;

    for (uint32_t i = 0; i < 128 && !err; i++) {
        const struct bp_acpi_res res[] = {
            {.size = sizeof *res, .kind = BP_ACPI_MMIO, .base = 0xd8000000u + i * 512, .len = 512},
            {.size = sizeof *res,
             .kind = BP_ACPI_IRQ,
             .flags = BP_ACPI_LEVEL | BP_ACPI_SHARED,
             .base = 16 + i % 8},
        };
        const struct bp_acpi_device dev = {
            .size = sizeof dev,
            .flags = BP_ACPI_CCA,
            .name = "VM",
            .hid = "LNRO0005",
            .uid = i,
            .res = res,
            .n_res = 2,
            .res_size = sizeof *res,
        };

        err = acpi->device(bpt_self(m, "acpi"), &dev);
    }
    return err;
}

int
main(int argc, char **argv)
{
    struct bpt_machine *m = bpt_new(4 << 20, 1 << 20);
    const uint8_t *rsdp, *xsdt, *fadt;
    int bad = argc < 2;

    bpt_info(m)->cpus = 4;
    bad = bad || bpt_load(m, "acpi", "acpi", "");
    for (int i = 2; i < argc && !bad; i++)
        bad = bpt_load(m, argv[i], argv[i], "");
    if (bad || bpt_realize_all(m) || add_devices(m) || bpt_start(m)) {
        fprintf(stderr, "%s\n", bpt_error(m));
        return 1;
    }
    rsdp = bpt_ram(m, AREA, 36);
    xsdt = bpt_ram(m, get(rsdp + 24, 8), 36);
    bad = dump(m, argv[1], get(rsdp + 24, 8));
    for (uint64_t i = 36; i < get(xsdt + 4, 4); i += 8)
        bad |= dump(m, argv[1], get(xsdt + i, 8));
    fadt = bpt_ram(m, get(xsdt + 36, 8), 276);
    bad |= dump(m, argv[1], get(fadt + 36, 4)) | dump(m, argv[1], get(fadt + 140, 8));
    return bpt_free(m) || bad;
}
