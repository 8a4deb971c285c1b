/* SPDX-License-Identifier: BSD-3-Clause */
/* boot-pvh.c - shows what the PVH start info says. */
#include "guest.h"

int main(u32 zero, const u32 *info);

int
main(u32 zero, const u32 *info)
{
    (void)zero;
    guest_show("magic", info[0]);
    guest_show("version", info[1]);
    guest_show("modules", info[3]);
    guest_puts("cmdline=");
    guest_puts((const char *)info[6]);
    guest_puts("\n");
    guest_show("rsdp", info[8]);
    guest_show("ranges", info[12]);
    return info[0] == 0x336ec578 ? 22 : 1;
}
