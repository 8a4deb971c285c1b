/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * power.c - leaves the machine the way its command line says: acpi-off, acpi-reset, i8042-reset,
 * triple-fault, loop, no-code,
 * button (waits for the power button, then acpi-off). A byte of CMOS RAM that survives a reset
 * counts the boots, so that a rebooted guest says which boot this is and then powers off.
 */
#include "guest.h"

int main(u32 magic, const u32 *info);

#define CMOS_COUNT 0x40

static u8
cmos(u8 index)
{
    outb(0x70, index);
    return inb(0x71);
}

static int
has(const char *line, const char *word)
{
    for (; *line; line++) {
        const char *a = line, *b = word;

        while (*b && *a == *b) {
            a++;
            b++;
        }
        if (!*b)
            return 1;
    }
    return 0;
}

/* The FADT, found as an operating system does: RSDP, XSDT, signature. */
static u32
find_fadt(void)
{
    for (u32 at = 0xe0000; at < 0x100000; at += 16) {
        u32 xsdt;

        if (read32(at) != 0x20445352 || read32(at + 4) != 0x20525450)
            continue;
        xsdt = read32(at + 24);
        for (u32 i = 36; i < read32(xsdt + 4); i += 8)
            if (read32(read32(xsdt + i)) == 0x50434146)
                return read32(xsdt + i);
    }
    guest_puts("no FADT\n");
    guest_exit(2);
}

/* SLP_TYP of \_S5 from the DSDT: the name, a package, its first byte or small integer. */
static u32
find_s5(u32 dsdt)
{
    for (u32 at = dsdt + 36; at < dsdt + read32(dsdt + 4) - 8; at++)
        if (read32(at) == 0x5f35535f) {
            at += 4 + 1 + 1 + 1; /* name, PackageOp, PkgLength, NumElements */
            return read8(at) == 0x0a ? read8(at + 1) : read8(at);
        }
    guest_puts("no _S5\n");
    guest_exit(3);
}

static void
acpi_off(void)
{
    u32 fadt = find_fadt();

    outw((u16)read32(fadt + 64), (u16)(find_s5(read32(fadt + 40)) << 10 | 1 << 13));
}

static void
acpi_reset(void)
{
    u32 fadt = find_fadt();

    outb((u16)read32(fadt + 120), read8(fadt + 128));
}

/* PM1_STS bit 8, PWRBTN_STS; seldom asked, since each time is an exit. */
static void
wait_for_button(void)
{
    u16 status = (u16)read32(find_fadt() + 56);

    guest_puts("waits for the button\n");
    while (!(inw(status) & 1 << 8))
        for (u32 i = 0; i < 200000; i++)
            __asm__ volatile("pause");
    guest_puts("the button\n");
}

int
main(u32 magic, const u32 *info)
{
    const char *line = (const char *)info[4];
    u8 boots = (u8)(cmos(CMOS_COUNT) + 1);

    (void)magic;
    outb(0x71, boots);
    guest_show("boot", boots);
    if (has(line, "button"))
        wait_for_button();
    if (boots > 1 || has(line, "acpi-off") || has(line, "button"))
        acpi_off();
    if (has(line, "acpi-reset"))
        acpi_reset();
    if (has(line, "i8042-reset"))
        outb(0x64, 0xfe);
    if (has(line, "triple-fault")) {
        static const u8 none[6];

        __asm__ volatile("lidt %0; ud2" : : "m"(none));
    }
    if (has(line, "no-code")) /* no KVM can run instructions from where there is no memory */
        __asm__ volatile("jmp *%0" : : "r"(0xd0000000));
    for (;;)
        __asm__ volatile("pause");
}
