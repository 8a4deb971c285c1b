/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tables.c - the tables whose layout the specification fixes (ACPI 6.4, 5.2). What they say of
 * interrupts has to agree with how the machine routes them: the timer's IRQ 0 arrives at pin 2 of
 * the I/O APIC, the SCI at pin 9, level-triggered and active high.
 */
#include "acpi.h"

#include <string.h>

enum {
    HEADER_LENGTH = 4, /* offsets in a table's header */
    FACS_LEN = 64,
    FADT_LEN = 276,
    SPACE_IO = 1, /* generic address structure */
    ACCESS_BYTE = 1,
    ACCESS_WORD = 2,
    ACCESS_DWORD = 3,
};

/* FADT flags (5.2.9) */
enum {
    FADT_WBINVD = 1 << 0,
    FADT_PROC_C1 = 1 << 2,
    FADT_NO_SLEEP_BUTTON = 1 << 5,
    FADT_NO_FIXED_RTC = 1 << 6,
    FADT_TIMER_32 = 1 << 8,
    FADT_RESET_REG = 1 << 10,
};

/* IAPC_BOOT_ARCH (5.2.9.3) */
enum {
    BOOT_LEGACY_DEVICES = 1 << 0,
    BOOT_8042 = 1 << 1,
    BOOT_NO_VGA = 1 << 2,
    BOOT_NO_CMOS_RTC = 1 << 5,
};

enum {
    MADT_PCAT_COMPAT = 1, /* there is an 8259 pair too */
    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LAPIC_NMI = 4,
    MADT_X2APIC = 9,
    MADT_ENABLED = 1,
    MADT_LEVEL_HIGH = 0xd,
    MADT_APIC_ID_MAX = 254,
};

static uint8_t
table_checksum(const uint8_t *p, size_t len)
{
    uint8_t sum = 0;

    while (len--)
        sum = (uint8_t)(sum + *p++);
    return (uint8_t)-sum;
}

size_t
acpi_header_begin(struct aml *b, const char *signature, uint8_t revision)
{
    size_t start = b->len;
    char id[9] = "BP      ";

    memcpy(id + 2, signature, 4);
    aml_raw(b, signature, 4);
    aml_u32(b, 0); /* length */
    aml_u8(b, revision);
    aml_u8(b, 0); /* checksum */
    aml_raw(b, "BCKPLN", 6);
    aml_raw(b, id, 8);
    aml_u32(b, 1);
    aml_raw(b, "BCKP", 4);
    aml_u32(b, 1);
    return start;
}

void
acpi_header_end(struct aml *b, size_t start)
{
    uint8_t *table = b->data + start;
    size_t len = b->len - start;

    if (aml_failed(b))
        return;
    for (int i = 0; i < 4; i++)
        table[HEADER_LENGTH + i] = (uint8_t)(len >> i * 8);
    table[ACPI_HEADER_CHECKSUM] = 0;
    table[ACPI_HEADER_CHECKSUM] = table_checksum(table, len);
}

void
acpi_facs(struct aml *b)
{
    static const uint8_t zero[FACS_LEN];

    aml_raw(b, "FACS", 4);
    aml_u32(b, FACS_LEN);
    aml_raw(b, zero, 24); /* signature of the hardware, waking vectors, global lock, flags */
    aml_u8(b, 2);         /* version */
    aml_raw(b, zero, FACS_LEN - 33);
}

static void
fadt_address(struct aml *b, uint16_t port, uint8_t bytes, uint8_t access)
{
    aml_u8(b, SPACE_IO);
    aml_u8(b, (uint8_t)(bytes * 8));
    aml_u8(b, 0); /* bit offset */
    aml_u8(b, access);
    aml_u64(b, port);
}

static void
fadt_no_address(struct aml *b)
{
    static const uint8_t zero[12];

    aml_raw(b, zero, sizeof zero);
}

static uint16_t
fadt_boot_arch(const struct acpi *acpi)
{
    return (uint16_t)(BOOT_LEGACY_DEVICES | (acpi->has & BP_ACPI_HAS_8042 ? BOOT_8042 : 0) |
                      (acpi->has & BP_ACPI_HAS_VGA ? 0 : BOOT_NO_VGA) |
                      (acpi->has & BP_ACPI_HAS_RTC ? 0 : BOOT_NO_CMOS_RTC));
}

void
acpi_fadt(const struct acpi *acpi, struct aml *b, uint64_t facs, uint64_t dsdt)
{
    uint16_t port = acpi->port;
    size_t start = acpi_header_begin(b, "FACP", 6);

    aml_u32(b, (uint32_t)facs);
    aml_u32(b, (uint32_t)dsdt);
    aml_u8(b, 0); /* reserved */
    aml_u8(b, 0); /* preferred profile: unspecified */
    aml_u16(b, ACPI_SCI);
    aml_u32(b, 0); /* SMI_CMD: none, ACPI mode is always on */
    aml_u32(b, 0); /* ACPI_ENABLE, ACPI_DISABLE, S4BIOS_REQ, PSTATE_CNT */
    aml_u32(b, (uint32_t)port + PM_STATUS);
    aml_u32(b, 0);
    aml_u32(b, (uint32_t)port + PM_CONTROL);
    aml_u32(b, 0);
    aml_u32(b, 0);
    aml_u32(b, (uint32_t)port + PM_TIMER);
    aml_u64(b, 0); /* no general-purpose events */
    aml_u8(b, 4);  /* lengths of the blocks */
    aml_u8(b, 2);
    aml_u8(b, 0);
    aml_u8(b, 4);
    aml_u32(b, 0);     /* GPE lengths and base, CST_CNT */
    aml_u16(b, 0xfff); /* no C2 */
    aml_u16(b, 0xfff); /* no C3 */
    aml_u32(b, 0);     /* flush size and stride: WBINVD works */
    aml_u16(b, 0);     /* duty cycle */
    aml_u16(b, 0);     /* RTC alarm's day and month: not there */
    aml_u8(b, acpi->has & BP_ACPI_HAS_RTC ? (uint8_t)acpi->century : 0);
    aml_u16(b, fadt_boot_arch(acpi));
    aml_u8(b, 0);
    aml_u32(b, FADT_WBINVD | FADT_PROC_C1 | FADT_NO_SLEEP_BUTTON | FADT_NO_FIXED_RTC |
                   FADT_TIMER_32 | FADT_RESET_REG);
    fadt_address(b, (uint16_t)(port + PM_RESET), 1, ACCESS_BYTE);
    aml_u8(b, PM_RESET_VALUE);
    aml_u16(b, 0); /* ARM_BOOT_ARCH */
    aml_u8(b, 4);  /* minor version: 6.4 */
    aml_u64(b, 0); /* X_FIRMWARE_CTRL: the 32-bit field is used */
    aml_u64(b, dsdt);
    fadt_address(b, (uint16_t)(port + PM_STATUS), 4, ACCESS_WORD);
    fadt_no_address(b);
    fadt_address(b, (uint16_t)(port + PM_CONTROL), 2, ACCESS_WORD);
    fadt_no_address(b);
    fadt_no_address(b);
    fadt_address(b, (uint16_t)(port + PM_TIMER), 4, ACCESS_DWORD);
    fadt_no_address(b); /* GPE0, GPE1, sleep control, sleep status */
    fadt_no_address(b);
    fadt_no_address(b);
    fadt_no_address(b);
    aml_raw(b, "BACKPLNE", 8); /* hypervisor vendor */
    acpi_header_end(b, start);
}

static void
madt_cpu(struct aml *b, uint32_t id)
{
    if (id <= MADT_APIC_ID_MAX) {
        aml_u8(b, MADT_LAPIC);
        aml_u8(b, 8);
        aml_u8(b, (uint8_t)id); /* processor's _UID */
        aml_u8(b, (uint8_t)id);
        aml_u32(b, MADT_ENABLED);
        return;
    }
    aml_u8(b, MADT_X2APIC);
    aml_u8(b, 16);
    aml_u16(b, 0);
    aml_u32(b, id);
    aml_u32(b, MADT_ENABLED);
    aml_u32(b, id);
}

static void
madt_override(struct aml *b, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    aml_u8(b, MADT_OVERRIDE);
    aml_u8(b, 10);
    aml_u8(b, 0); /* ISA */
    aml_u8(b, irq);
    aml_u32(b, gsi);
    aml_u16(b, flags);
}

void
acpi_madt(const struct acpi *acpi, struct aml *b)
{
    size_t start = acpi_header_begin(b, "APIC", 5);

    aml_u32(b, acpi->info.lapic_base);
    aml_u32(b, MADT_PCAT_COMPAT);
    for (uint32_t id = 0; id < acpi->info.cpus; id++)
        madt_cpu(b, id);
    aml_u8(b, MADT_IOAPIC);
    aml_u8(b, 12);
    aml_u8(b, 0); /* its id */
    aml_u8(b, 0);
    aml_u32(b, acpi->info.ioapic_base);
    aml_u32(b, 0); /* first GSI */
    madt_override(b, 0, 2, 0);
    madt_override(b, ACPI_SCI, ACPI_SCI, MADT_LEVEL_HIGH);
    aml_u8(b, MADT_LAPIC_NMI);
    aml_u8(b, 6);
    aml_u8(b, 0xff); /* of all processors */
    aml_u16(b, 0);
    aml_u8(b, 1); /* LINT1 */
    acpi_header_end(b, start);
}

void
acpi_xsdt(struct aml *b, const uint64_t *tables, size_t n)
{
    size_t start = acpi_header_begin(b, "XSDT", 1);

    for (size_t i = 0; i < n; i++)
        aml_u64(b, tables[i]);
    acpi_header_end(b, start);
}

void
acpi_rsdp(struct aml *b, uint64_t xsdt)
{
    size_t start = b->len;

    aml_raw(b, "RSD PTR ", 8);
    aml_u8(b, 0);
    aml_raw(b, "BCKPLN", 6);
    aml_u8(b, 2);  /* revision */
    aml_u32(b, 0); /* no RSDT */
    aml_u32(b, ACPI_RSDP_LEN);
    aml_u64(b, xsdt);
    aml_u32(b, 0); /* extended checksum, reserved */
    if (aml_failed(b))
        return;
    b->data[start + ACPI_RSDP_CHECKSUM] = table_checksum(b->data + start, ACPI_RSDP_LEN_V1);
    b->data[start + ACPI_RSDP_EXTENDED_CHECKSUM] = table_checksum(b->data + start, ACPI_RSDP_LEN);
}
