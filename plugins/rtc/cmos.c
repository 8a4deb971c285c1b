/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmos.c - the bytes that a PC's set-up program keeps beside the clock, as far as firmware and
 * kernels read them: how much memory and how many processors there are.
 */
#include "rtc.h"

enum {
    CMOS_EQUIPMENT = 0x14,
    CMOS_EQUIPMENT_FPU = 0x02,
    CMOS_BASE_MEMORY = 0x15,     /* KiB below 640 KiB */
    CMOS_EXTENDED_MEMORY = 0x17, /* KiB above 1 MiB, at most 0xffff; again at 0x30 */
    CMOS_EXTENDED_MEMORY_2 = 0x30,
    CMOS_MEMORY_16M = 0x34, /* 64 KiB units above 16 MiB, below 4 GiB */
    CMOS_MEMORY_4G = 0x5b,  /* three bytes: 64 KiB units above 4 GiB */
    CMOS_CPUS = 0x5f,       /* less one */
    CMOS_CHECKED = 0x10,    /* 0x10 to 0x2d are summed up ... */
    CMOS_CHECKSUM = 0x2e,   /* ... here, high byte first */
};

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)

static void
cmos_put(uint8_t *cmos, unsigned reg, unsigned bytes, uint64_t val)
{
    uint64_t max = (UINT64_C(1) << bytes * 8) - 1;

    if (val > max)
        val = max;
    for (unsigned i = 0; i < bytes; i++)
        cmos[reg + i] = (uint8_t)(val >> i * 8);
}

void
rtc_fill_cmos(uint8_t *cmos, const struct bp_machine_info *info)
{
    uint64_t low = info->ram_low;
    uint64_t extended = low > MIB ? (low - MIB) / KIB : 0;
    unsigned sum = 0;

    cmos[CMOS_EQUIPMENT] = CMOS_EQUIPMENT_FPU;
    cmos_put(cmos, CMOS_BASE_MEMORY, 2, low < 640 * KIB ? low / KIB : 640);
    cmos_put(cmos, CMOS_EXTENDED_MEMORY, 2, extended);
    cmos_put(cmos, CMOS_EXTENDED_MEMORY_2, 2, extended);
    cmos_put(cmos, CMOS_MEMORY_16M, 2, low > 16 * MIB ? (low - 16 * MIB) / (64 * KIB) : 0);
    cmos_put(cmos, CMOS_MEMORY_4G, 3, info->ram_high / (64 * KIB));
    cmos_put(cmos, CMOS_CPUS, 1, info->cpus ? info->cpus - 1 : 0);
    for (unsigned i = CMOS_CHECKED; i < CMOS_CHECKSUM; i++)
        sum += cmos[i];
    cmos[CMOS_CHECKSUM] = (uint8_t)(sum >> 8);
    cmos[CMOS_CHECKSUM + 1] = (uint8_t)sum;
}
