/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * piix.c - the registers of a PIIX4's power management function from 0x40 on (82371AB data sheet,
 * 7.1): the base of the registers in pm.c and whether they are decoded. The PCI plugin forwards
 * configuration space to here. Power-on values are those that firmware leaves, so that a kernel
 * which is booted without firmware finds the registers where its tables say.
 */
#include "acpi.h"

#include <string.h>

/* Offsets from PIIX_BASE */
enum {
    PIIX_PMBASE = 0x00,     /* 0x40 */
    PIIX_DEVACTB = 0x18,    /* 0x58 */
    PIIX_PMREGMISC = 0x40,  /* 0x80 */
    PIIX_SMBHSTBASE = 0x50, /* 0x90 */
    PIIX_SMBHSTCFG = 0x92,  /* 0xd2 */
    PIIX_BASE_IO = 0x01,
    PIIX_DECODE = 0x01,
    /* SMI generation on: firmware takes it that SMM is set up and leaves it alone; there is none.
     */
    PIIX_DEVACTB_APMC = 0x02, /* in the register's last byte */
};

static uint8_t
piix_writable(uint32_t reg)
{
    switch (reg) {
    case PIIX_PMBASE:
        return 0xc0;
    case PIIX_PMBASE + 1:
    case PIIX_DEVACTB:
    case PIIX_DEVACTB + 1:
    case PIIX_DEVACTB + 2:
    case PIIX_SMBHSTBASE + 1:
        return 0xff;
    case PIIX_PMREGMISC:
        return PIIX_DECODE;
    case PIIX_SMBHSTBASE:
        return 0xf0;
    case PIIX_SMBHSTCFG:
        return 0x0f;
    default:
        return 0;
    }
}

static void
piix_power_on(const struct acpi *acpi, uint8_t *regs)
{
    memset(regs, 0, PIIX_LEN);
    regs[PIIX_PMBASE] = (uint8_t)((acpi->power_on_port & 0xc0) | PIIX_BASE_IO);
    regs[PIIX_PMBASE + 1] = (uint8_t)(acpi->power_on_port >> 8);
    regs[PIIX_DEVACTB + 3] = PIIX_DEVACTB_APMC;
    regs[PIIX_PMREGMISC] = PIIX_DECODE;
    regs[PIIX_SMBHSTBASE] = PIIX_BASE_IO;
}

static uint16_t
piix_port(const struct acpi *acpi)
{
    const uint8_t *regs = acpi->piix.regs;

    if (!(regs[PIIX_PMREGMISC] & PIIX_DECODE))
        return 0;
    return (uint16_t)((regs[PIIX_PMBASE] & 0xc0) | regs[PIIX_PMBASE + 1] << 8);
}

static uint64_t
piix_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    const struct acpi *acpi = self;
    uint64_t val = 0;

    (void)id;
    for (uint32_t i = 0; i < width && off + i < PIIX_LEN; i++)
        val |= (uint64_t)acpi->piix.regs[off + i] << i * 8;
    return val;
}

static void
piix_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct acpi *acpi = self;
    uint8_t *regs = acpi->piix.regs;
    uint16_t old = piix_port(acpi);

    (void)id;
    for (uint32_t i = 0; i < width && off + i < PIIX_LEN; i++) {
        uint8_t mask = piix_writable((uint32_t)off + i);

        regs[off + i] = (uint8_t)((regs[off + i] & ~mask) | ((val >> i * 8) & mask));
    }
    if (piix_port(acpi) != old)
        acpi_pm_move(acpi, piix_port(acpi));
}

static const struct bp_region_ops piix_ops = {
    .size = sizeof piix_ops,
    .read = piix_read,
    .write = piix_write,
};

int
acpi_piix_realize(struct acpi *acpi)
{
    const struct bp_region_desc desc = {
        .size = sizeof desc,
        .kind = BP_REGION_BUS,
        .len = PIIX_LEN,
        .name = "pm-config",
        .ops = &piix_ops,
    };
    int err = acpi->io->region(acpi->inst, &desc, &acpi->piix.region);

    if (err)
        return err;
    acpi->piix.there = true;
    piix_power_on(acpi, acpi->piix.regs);
    return 0;
}

void
acpi_piix_reset(struct acpi *acpi)
{
    if (!acpi->piix.there)
        return;
    piix_power_on(acpi, acpi->piix.regs);
    acpi_pm_move(acpi, acpi->power_on_port);
}

int
acpi_piix_save(const struct acpi *acpi, const struct bp_writer *w)
{
    int err;

    if (!acpi->piix.there)
        return 0;
    if ((err = w->section(w, "piix", 1, 1)) || (err = w->u64(w, "port", acpi->port)))
        return err;
    return w->blob(w, "config", acpi->piix.regs, sizeof acpi->piix.regs);
}

int
acpi_piix_load(struct acpi *acpi, const struct bp_reader *r)
{
    uint8_t regs[PIIX_LEN], reset[PIIX_LEN];
    uint64_t n = sizeof regs, port = acpi->power_on_port;
    uint32_t ver;
    int err;

    if (!acpi->piix.there)
        return 0;
    piix_power_on(acpi, reset);
    memcpy(regs, reset, sizeof regs);
    err = r->section(r, "piix", &ver);
    if (err)
        return err == BP_E_NOENT ? 0 : err;
    if (ver != 1)
        return BP_E_NOTSUP;
    if (((err = r->u64(r, "port", &port)) && err != BP_E_NOENT) ||
        ((err = r->blob(r, "config", regs, sizeof regs, &n)) && err != BP_E_NOENT))
        return err;
    if (n != sizeof regs || port > UINT16_MAX - PM_LEN + 1)
        return BP_E_INVAL;
    for (uint32_t i = 0; i < PIIX_LEN; i++)
        if ((regs[i] ^ reset[i]) & ~piix_writable(i))
            return BP_E_INVAL;
    memcpy(acpi->piix.regs, regs, sizeof regs);
    acpi_pm_move(acpi, (uint16_t)port);
    return 0;
}
