/* SPDX-License-Identifier: BSD-3-Clause */
/* boot-multiboot.c - shows what a multiboot 1 loader handed over. */
#include "guest.h"

int main(u32 magic, const u32 *info);

int
main(u32 magic, const u32 *info)
{
    const u32 *module = (const u32 *)info[6];

    guest_show("magic", magic);
    guest_show("flags", info[0]);
    guest_show("mem_lower", info[1]);
    guest_show("mem_upper", info[2]);
    guest_puts("cmdline=");
    guest_puts((const char *)info[4]);
    guest_puts("\n");
    guest_show("modules", info[5]);
    for (u32 i = 0; i < info[5]; i++, module += 4) {
        guest_puts("module=");
        for (u32 at = module[0]; at < module[1]; at++)
            guest_putc((char)read8(at));
        guest_puts("string=");
        guest_puts((const char *)module[2]);
        guest_puts("\n");
    }
    for (u32 at = info[12]; at < info[12] + info[11]; at += read32(at) + 4) {
        guest_puts("range=");
        guest_hex(read32(at + 8));
        guest_hex(read32(at + 4));
        guest_putc(' ');
        guest_hex(read32(at + 16));
        guest_hex(read32(at + 12));
        guest_putc(' ');
        guest_hex(read32(at + 20));
        guest_putc('\n');
    }
    return magic == 0x2badb002 ? 21 : 1;
}
