/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devices.c - finds every virtio device on both transports and uses it once: reads and writes the
 * disk, draws random bytes, asks the gateway's address by ARP. "pci" or "mmio" on the command line
 * says where to look.
 */
#include "virtio.h"

int main(u32 magic, const u32 *info);

enum { NET = 1, BLOCK = 2, ENTROPY = 4 };

static u8 sector[512], status;
static u32 request[4];

static int
disk_request(struct virtio *dev, u32 type, u32 where)
{
    struct buffer b[3] = {{request, 16, 0}, {sector, 512, type == 0}, {&status, 1, 1}};

    request[0] = type;
    request[1] = 0;
    request[2] = where;
    request[3] = 0;
    status = 0xff;
    virtio_add(dev, 0, b, 3);
    virtio_kick(dev, 0);
    return virtio_wait(dev, 0) != ~0u && status == 0;
}

static void
use_disk(int pci)
{
    struct virtio dev;

    if (!virtio_find(&dev, pci, BLOCK) || !virtio_start(&dev, 1u << 9, 1)) {
        guest_puts("disk: none\n");
        return;
    }
    guest_show("disk: sectors", virtio_config32(&dev, 0));
    if (disk_request(&dev, 0, 0)) {
        guest_puts("disk: reads ");
        for (u32 i = 0; i < 16; i++)
            guest_putc((char)sector[i]);
        guest_putc('\n');
    }
    for (u32 i = 0; i < sizeof sector; i++)
        sector[i] = "written by the guest\n"[i % 21];
    if (disk_request(&dev, 1, 1))
        guest_puts("disk: wrote sector 1\n");
    if (!disk_request(&dev, 0, 0x7fffffff))
        guest_show("disk: past the end", status);
}

static void
use_entropy(int pci)
{
    static u32 bytes[8];
    struct buffer b = {bytes, sizeof bytes, 1};
    struct virtio dev;
    u32 any = 0;

    if (!virtio_find(&dev, pci, ENTROPY) || !virtio_start(&dev, 0, 1)) {
        guest_puts("entropy: none\n");
        return;
    }
    virtio_add(&dev, 0, &b, 1);
    virtio_kick(&dev, 0);
    guest_show("entropy: bytes", virtio_wait(&dev, 0));
    for (u32 i = 0; i < 8; i++)
        any |= bytes[i];
    guest_puts(any ? "entropy: not all zero\n" : "entropy: all zero\n");
}

static void
use_net(int pci)
{
    static u8 out[12 + 42], in[12 + 1514];
    static const u8 arp[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1};
    struct buffer rx = {in, sizeof in, 1}, tx = {out, sizeof out, 0};
    struct virtio dev;

    if (!virtio_find(&dev, pci, NET) || !virtio_start(&dev, 1u << 5, 2)) {
        guest_puts("net: none\n");
        return;
    }
    for (u32 i = 0; i < 6; i++) {
        out[12 + i] = 0xff;
        out[18 + i] = out[34 + i] = virtio_config8(&dev, i);
    }
    for (u32 i = 0; i < sizeof arp; i++)
        out[24 + i] = arp[i];
    out[40] = 10, out[41] = 0, out[42] = 2, out[43] = 15;
    out[50] = 10, out[51] = 0, out[52] = 2, out[53] = 2;
    virtio_add(&dev, 0, &rx, 1);
    virtio_kick(&dev, 0);
    virtio_add(&dev, 1, &tx, 1);
    virtio_kick(&dev, 1);
    if (virtio_wait(&dev, 1) == ~0u || virtio_wait(&dev, 0) == ~0u) {
        guest_puts("net: no answer\n");
        return;
    }
    guest_show("net: answer is ARP", (u32)(in[24] << 8 | in[25]));
    guest_show("net: operation", (u32)(in[32] << 8 | in[33]));
    guest_show("net: from", (u32)in[40] << 24 | (u32)in[41] << 16 | (u32)in[42] << 8 | in[43]);
}

int
main(u32 magic, const u32 *info)
{
    const char *line = (const char *)info[4];
    int pci = 0;

    (void)magic;
    for (; *line; line++)
        pci = pci || (line[0] == 'p' && line[1] == 'c' && line[2] == 'i');
    use_disk(pci);
    use_entropy(pci);
    use_net(pci);
    guest_puts("done\n");
    return 30;
}
