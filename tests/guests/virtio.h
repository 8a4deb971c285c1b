/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio.h - the least virtio driver: modern PCI by 0xcf8 and BARs, or MMIO version 2; polling, one
 * request at a time. Both transports end in the same few functions.
 */
#ifndef TESTS_GUESTS_VIRTIO_H
#define TESTS_GUESTS_VIRTIO_H

#include "guest.h"

#define VQ_SIZE 16

struct vq {
    u32 index, base; /* base: descriptor table, available ring, used ring in one page each */
    u16 avail, used;
    u32 notify; /* address to write the index to */
};

struct virtio {
    u32 id;                     /* device id: 1 net, 2 block, 4 entropy */
    int pci;                    /* else MMIO */
    u32 common, notify, device; /* addresses of the registers */
    u32 notify_multiplier;
    struct vq vq[2];
};

struct buffer {
    void *p;
    u32 len;
    int write; /* the device writes it */
};

/* The n-th virtio device of that id on PCI (pci) or among the MMIO slots; 0: there is none. */
int virtio_find(struct virtio *dev, int pci, u32 id);
/* Reset, negotiate VERSION_1 and these feature bits of the first 32, set up n queues. 0: refused.
 */
int virtio_start(struct virtio *dev, u32 features, u32 n_queues);
void virtio_add(struct virtio *dev, u32 queue, const struct buffer *buffers, u32 n);
/* Notifies the device, unless it has asked not to be. */
void virtio_kick(struct virtio *dev, u32 queue);
/* Waits for a completion; its length, or ~0 when none came in a long time. */
u32 virtio_wait(struct virtio *dev, u32 queue);
u32 virtio_config32(struct virtio *dev, u32 off);
u8 virtio_config8(struct virtio *dev, u32 off);

#endif
