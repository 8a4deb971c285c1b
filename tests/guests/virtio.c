/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio.c - see virtio.h. */
#include "virtio.h"

#define MMIO_FIRST 0xfeb00000u
#define MMIO_LAST  0xfec00000u
#define QUEUE_MEM  0x00400000u /* 64 KiB for each queue */

enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };

static u32
pci_read(u32 slot, u32 off)
{
    outl(0xcf8, 0x80000000u | slot << 11 | (off & 0xfc));
    return inl(0xcfc);
}

static void
pci_write(u32 slot, u32 off, u32 v)
{
    outl(0xcf8, 0x80000000u | slot << 11 | (off & 0xfc));
    outl(0xcfc, v);
}

static int
find_pci(struct virtio *dev, u32 id)
{
    for (u32 slot = 1; slot < 32; slot++) {
        u32 cap;

        if (pci_read(slot, 0) != ((0x1040 + id) << 16 | 0x1af4))
            continue;
        pci_write(slot, 4, pci_read(slot, 4) | 7); /* I/O, memory, bus master */
        for (cap = pci_read(slot, 0x34) & 0xff; cap; cap = pci_read(slot, cap) >> 8 & 0xff) {
            u32 head = pci_read(slot, cap), bar, at;

            if ((head & 0xff) != 9)
                continue;
            bar = pci_read(slot, cap + 4) & 0xff;
            at = (pci_read(slot, 0x10 + 4 * bar) & ~15u) + pci_read(slot, cap + 8);
            switch (head >> 24) {
            case 1:
                dev->common = at;
                break;
            case 2:
                dev->notify = at;
                dev->notify_multiplier = pci_read(slot, cap + 16);
                break;
            case 4:
                dev->device = at;
                break;
            }
        }
        return dev->common && dev->notify;
    }
    return 0;
}

static int
find_mmio(struct virtio *dev, u32 id)
{
    for (u32 at = MMIO_FIRST; at < MMIO_LAST; at += 0x1000)
        if (read32(at) == 0x74726976 && read32(at + 4) == 2 && read32(at + 8) == id) {
            dev->common = at;
            dev->device = at + 0x100;
            return 1;
        }
    return 0;
}

int
virtio_find(struct virtio *dev, int pci, u32 id)
{
    for (u32 i = 0; i < sizeof *dev; i++)
        ((volatile u8 *)dev)[i] = 0;
    dev->id = id;
    dev->pci = pci;
    return pci ? find_pci(dev, id) : find_mmio(dev, id);
}

static void
set_status(struct virtio *dev, u8 v)
{
    if (dev->pci)
        *(volatile u8 *)(dev->common + 20) = v;
    else
        write32(dev->common + 0x70, v);
}

static u8
get_status(struct virtio *dev)
{
    return dev->pci ? read8(dev->common + 20) : (u8)read32(dev->common + 0x70);
}

static void
set_features(struct virtio *dev, u32 word, u32 v)
{
    write32(dev->common + (dev->pci ? 8 : 0x24), word);
    write32(dev->common + (dev->pci ? 12 : 0x20), v);
}

static void
set_queue(struct virtio *dev, struct vq *vq)
{
    u32 parts[3] = {vq->base, vq->base + 0x1000, vq->base + 0x2000};

    if (dev->pci) {
        *(volatile u16 *)(dev->common + 22) = (u16)vq->index;
        *(volatile u16 *)(dev->common + 24) = VQ_SIZE;
        for (u32 i = 0; i < 3; i++) {
            write32(dev->common + 32 + 8 * i, parts[i]);
            write32(dev->common + 36 + 8 * i, 0);
        }
        vq->notify = dev->notify + *(volatile u16 *)(dev->common + 30) * dev->notify_multiplier;
        *(volatile u16 *)(dev->common + 28) = 1;
    } else {
        write32(dev->common + 0x30, vq->index);
        write32(dev->common + 0x38, VQ_SIZE);
        for (u32 i = 0; i < 3; i++) {
            write32(dev->common + 0x80 + 0x10 * i, parts[i]);
            write32(dev->common + 0x84 + 0x10 * i, 0);
        }
        vq->notify = dev->common + 0x50;
        write32(dev->common + 0x44, 1);
    }
}

int
virtio_start(struct virtio *dev, u32 features, u32 n_queues)
{
    set_status(dev, 0);
    while (get_status(dev))
        ;
    set_status(dev, ACKNOWLEDGE | DRIVER);
    set_features(dev, 0, features);
    set_features(dev, 1, 1); /* VIRTIO_F_VERSION_1 */
    set_status(dev, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    if (!(get_status(dev) & FEATURES_OK))
        return 0;
    for (u32 i = 0; i < n_queues; i++) {
        struct vq *vq = &dev->vq[i];

        vq->index = i;
        vq->base = QUEUE_MEM + (dev->id * 4 + i) * 0x10000;
        for (u32 at = vq->base; at < vq->base + 0x3000; at += 4)
            write32(at, 0);
        set_queue(dev, vq);
    }
    set_status(dev, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    return 1;
}

void
virtio_add(struct virtio *dev, u32 queue, const struct buffer *buffers, u32 n)
{
    struct vq *vq = &dev->vq[queue];
    /* Each request takes its own part of the table, so that two may be in flight. */
    u32 first = vq->avail % 4 * 4;

    for (u32 i = 0; i < n; i++) {
        u32 at = vq->base + 16 * (first + i);

        write32(at, (u32)buffers[i].p);
        write32(at + 4, 0);
        write32(at + 8, buffers[i].len);
        write32(at + 12,
                (i + 1 < n ? 1u : 0u) | (buffers[i].write ? 2u : 0u) | (first + i + 1) << 16);
    }
    *(volatile u16 *)(vq->base + 0x1004 + 2 * (vq->avail % VQ_SIZE)) = (u16)first;
    __asm__ volatile("" : : : "memory");
    *(volatile u16 *)(vq->base + 0x1002) = ++vq->avail;
}

void
virtio_kick(struct virtio *dev, u32 queue)
{
    struct vq *vq = &dev->vq[queue];

    /* Ours is visible before we look whether the device wants to hear of it (2.7.13.4). */
    __asm__ volatile("lock; addl $0, (%%esp)" : : : "memory", "cc");
    if (*(volatile u16 *)(vq->base + 0x2000) & 1)
        return;
    if (dev->pci)
        *(volatile u16 *)vq->notify = (u16)vq->index;
    else
        write32(vq->notify, vq->index);
}

u32
virtio_wait(struct virtio *dev, u32 queue)
{
    struct vq *vq = &dev->vq[queue];

    for (u32 spins = 0; spins < 50000000; spins++) {
        if (*(volatile u16 *)(vq->base + 0x2002) != vq->used) {
            u32 len = read32(vq->base + 0x2008 + 8 * (vq->used % VQ_SIZE));

            vq->used++;
            return len;
        }
        __asm__ volatile("pause");
    }
    return ~0u;
}

u32
virtio_config32(struct virtio *dev, u32 off)
{
    return read32(dev->device + off);
}

u8
virtio_config8(struct virtio *dev, u32 off)
{
    return read8(dev->device + off);
}
