/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-guest.h - what the two halves of the driver's side share: virtio-guest.c (registers) and
 * virtq-guest.c (rings).
 */
#ifndef HARNESS_VIRTIO_GUEST_H
#define HARNESS_VIRTIO_GUEST_H

#include "fake.h"

#define F_EVENT_IDX (UINT64_C(1) << 29)
#define F_VERSION_1 (UINT64_C(1) << 32)

struct bpt_virtio {
    struct bpt_machine *m;
    struct bpt_virtio *next;
    uint64_t mmio;  /* its registers, or 0 */
    uint32_t devfn; /* PCI */
    uint64_t common, notify, isr, config;
    uint32_t notify_step;
    int msix;
    uint64_t features;
    uint64_t sent_from, sent_seen; /* into the machine's messages */
    struct bpt_vq **queues;        /* the latest of each index */
    uint32_t n_queues;
};

/* What a queue's owner need not see. */
struct bpt_vq_books {
    uint64_t desc, avail, used; /* the RAM that was taken for the rings, and for how many */
    uint32_t num;
    uint32_t notify_off;  /* PCI: as the device said when the queue was set up */
    uint16_t *free_heads; /* a stack */
    uint32_t n_free;
    uint16_t *chain_len; /* descriptors of the chain at that head */
    uint16_t *next;      /* the chains' links, as they were made */
    uint64_t *table;     /* indirect table of that head, kept */
    uint32_t *table_room;
};

void vq_free(struct bpt_vq *);

#endif
