/* SPDX-License-Identifier: BSD-3-Clause */
/* guest.c - see guest.h. */
#include "guest.h"

#define COM1 0x3f8

void
guest_putc(char c)
{
    while (!(inb(COM1 + 5) & 0x20))
        ;
    outb(COM1, (u8)c);
}

void
guest_puts(const char *s)
{
    while (*s)
        guest_putc(*s++);
}

void
guest_hex(u32 v)
{
    for (int shift = 28; shift >= 0; shift -= 4)
        guest_putc("0123456789abcdef"[v >> shift & 15]);
}

void
guest_show(const char *name, u32 v)
{
    guest_puts(name);
    guest_putc('=');
    guest_hex(v);
    guest_putc('\n');
}

int
guest_streq(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

void
guest_exit(u8 v)
{
    outb(GUEST_EXIT_PORT, v);
    for (;;)
        __asm__ volatile("cli; hlt");
}
