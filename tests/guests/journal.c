/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journal.c - writes records to the disk for ever, each with a flush behind it, and says of each
 * that it was acknowledged: "ack=N". At its start it looks for the newest record that is whole,
 * says "last=N", and goes on from there; the test cuts the power when it likes.
 *
 * Record N fills slot N % SLOTS with the number N, so a torn one shows.
 */
#include "virtio.h"

int main(u32 magic, const u32 *info);

#define SLOTS 16u
#define WORDS 1024u /* 4 KiB */

enum { BLOCK = 2, READ = 0, WRITE = 1, FLUSH = 4, F_FLUSH = 9 };

static u32 data[WORDS], request[4];
static u8 status;

static int
disk_request(struct virtio *dev, u32 type, u32 slot)
{
    struct buffer b[3] = {{request, 16, 0}, {data, sizeof data, type == READ}, {&status, 1, 1}};

    request[0] = type;
    request[1] = 0;
    request[2] = slot * (sizeof data / 512);
    request[3] = 0;
    status = 0xff;
    if (type == FLUSH)
        b[1] = b[2];
    virtio_add(dev, 0, b, type == FLUSH ? 2 : 3);
    virtio_kick(dev, 0);
    return virtio_wait(dev, 0) != ~0u && *(volatile u8 *)&status == 0;
}

static int
newest(struct virtio *dev, u32 *ret_n)
{
    u32 n = 0;

    for (u32 slot = 0; slot < SLOTS; slot++) {
        u32 i = 1;

        if (!disk_request(dev, READ, slot))
            return 0;
        while (i < WORDS && data[i] == data[0])
            i++;
        if (i == WORDS && data[0] % SLOTS == slot && data[0] > n)
            n = data[0];
    }
    *ret_n = n;
    return 1;
}

int
main(u32 magic, const u32 *info)
{
    const char *line = (const char *)info[4];
    struct virtio dev;
    u32 n;
    int pci = 0;

    (void)magic;
    for (; *line; line++)
        pci = pci || (line[0] == 'p' && line[1] == 'c' && line[2] == 'i');
    if (!virtio_find(&dev, pci, BLOCK) || !virtio_start(&dev, 1u << F_FLUSH, 1) ||
        !newest(&dev, &n)) {
        guest_puts("no disk\n");
        return 1;
    }
    guest_show("last", n);
    for (;;) {
        n++;
        for (u32 i = 0; i < WORDS; i++)
            data[i] = n;
        if (!disk_request(&dev, WRITE, n % SLOTS) || !disk_request(&dev, FLUSH, 0)) {
            guest_puts("failed\n");
            return 2;
        }
        guest_show("ack", n);
    }
}
