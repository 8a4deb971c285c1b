/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial.c - moves bytes through COM1 the way its command line says: flood writes 12,000 numbered
 * lines in bursts of 16 bytes, or 2,000 with short; wait does so after the first byte of input;
 * echo says "ready" and sends back what comes until an EOT, which is 0x04; early does the same
 * without FIFOs and the greeting, so that nothing is lost that was there before; hang reads nothing
 * for ever.
 */
#include "guest.h"

int main(u32 magic, const u32 *info);

#define COM1 0x3f8

static u32 fifo; /* bytes that the transmitter's FIFO has room for */

static void
send(u8 c)
{
    if (!fifo) {
        while (!(inb(COM1 + 5) & 0x20))
            ;
        fifo = 16;
    }
    outb(COM1, c);
    fifo--;
}

static u8
receive(void)
{
    while (!(inb(COM1 + 5) & 0x01))
        ;
    return inb(COM1);
}

static void
flood(u32 lines)
{
    for (u32 i = 0; i < lines; i++) {
        for (int shift = 28; shift >= 0; shift -= 4)
            send((u8) "0123456789abcdef"[i >> shift & 15]);
        send('\n');
    }
}

static void
echo(void)
{
    u8 c;

    while ((c = receive()) != 0x04) {
        fifo = 0;
        send(c);
    }
    guest_exit(0);
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

int
main(u32 magic, const u32 *info)
{
    const char *line = (const char *)info[4];

    (void)magic;
    outb(COM1 + 3, 0x03);
    if (has(line, "early"))
        echo();
    outb(COM1 + 2, 0x07);
    if (has(line, "hang"))
        for (;;)
            __asm__ volatile("pause");
    if (has(line, "wait"))
        receive();
    if (has(line, "echo")) {
        guest_puts("ready\n");
        echo();
    }
    flood(has(line, "short") ? 2000 : 12000);
    guest_exit(0);
}
