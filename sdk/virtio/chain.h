/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain.h - the short way through a descriptor chain: everything mapped, every buffer in one of the
 * windows, and best in the one that was hit last, and nothing wrong. Whatever else it meets it
 * leaves to chain.c, which begins anew and knows what to say. Kept in line with pop, for this is
 * what a request costs.
 */
#ifndef VIRTIO_CHAIN_H
#define VIRTIO_CHAIN_H

#include "internal.h"

enum {
    DESC_NEXT = 1,
    DESC_WRITE = 2,
    DESC_INDIRECT = 4,
    DESC_SIZE = 16,
};

/* A descriptor's second half: length, then flags, then next. */
#define HALF_FLAGS(h) ((uint32_t)((h) >> 32))

static inline uint64_t
desc_word(const uint8_t *at)
{
    return le64toh(__atomic_load_n((const uint64_t *)(const void *)at, __ATOMIC_RELAXED));
}

/* The open window in which gpa to gpa + last are; else NULL. In line, since a call would cost what
 * the registers hold. */
static inline __attribute__((always_inline)) const struct window *
window_reach(const struct bp_virtio *dev, uint64_t gpa, uint64_t last)
{
    for (const struct window *w = dev->windows; w < dev->windows + N_WINDOWS; w++)
        if (gpa - w->gpa < w->len && last < w->len - (gpa - w->gpa))
            return w;
    return NULL;
}

/*
 * 1: *chain is filled. 0: take the long way.
 *
 * Two words a descriptor, little endian, written by the driver at any time: each is loaded once. A
 * loop of descriptors fills the iovec and ends there.
 */
static inline __attribute__((always_inline)) int
chain_walk_fast(const struct bp_virtq *vq, uint16_t head, struct bp_virtq_chain *chain)
{
    const struct bp_virtio *dev = vq->dev;
    /* Copies, because stores through the iovec could alias what they are copies of. */
    uint64_t gpa = dev->hot_gpa, room = dev->hot_len;
    uintptr_t there = (uintptr_t)dev->hot_p - gpa; /* add a guest address */
    const uint8_t *table = vq->desc_p, *at = table + (size_t)head * DESC_SIZE;
    struct bp_iovec *v = chain->iov, *end = v + chain->cap_iov;
    uint64_t sum = 0, all = 0; /* 64 bits hold the lengths of any chain */
    uint32_t table_len = vq->num * DESC_SIZE, kind = 0;
    uint64_t addr = desc_word(at), half = desc_word(at + 8);

    if (HALF_FLAGS(half) & DESC_INDIRECT) {
        uint64_t off = addr - gpa, last = (uint32_t)half - 1u;

        table_len = (uint32_t)half;
        if (unlikely(off >= room || off + last >= room)) {
            const struct window *w = window_reach(dev, addr, last);

            if (!w)
                return 0;
            table = w->p + (addr - w->gpa);
        } else {
            table = (const uint8_t *)(there + addr);
        }
        if (unlikely(!table_len || !vq->indirect || HALF_FLAGS(half) & DESC_NEXT ||
                     (table_len | addr) % DESC_SIZE))
            return 0;
        addr = desc_word(table);
        half = desc_word(table + 8);
    }
    for (;;) {
        /* No length becomes 4 GiB here, which the sum tells. */
        uint64_t off = addr - gpa, last = (uint32_t)half - 1u;
        uint32_t flags = HALF_FLAGS(half), next;

        if ((flags & (DESC_WRITE | DESC_INDIRECT)) != kind) {
            if (unlikely(kind || flags & DESC_INDIRECT))
                return 0;
            kind = DESC_WRITE;
            chain->n_out = (uint32_t)(v - chain->iov);
            chain->out_len = all = sum;
            sum = 0;
        }
        if (unlikely(v == end))
            return 0;
        if (unlikely(off >= room || off + last >= room)) {
            const struct window *w = window_reach(dev, addr, last);

            if (!w)
                return 0;
            gpa = w->gpa;
            room = w->len;
            there = (uintptr_t)w->p - gpa;
        }
        v->base = (void *)(there + addr);
        v->len = last + 1;
        v++;
        sum += last + 1;
        if (!(flags & DESC_NEXT))
            break;
        next = (flags >> 16) * DESC_SIZE;
        if (unlikely(next >= table_len))
            return 0;
        addr = desc_word(table + next);
        half = desc_word(table + next + 8);
    }
    if (kind) {
        chain->n_in = (uint32_t)(v - chain->iov) - chain->n_out;
        chain->in_len = sum;
    } else {
        chain->n_out = (uint32_t)(v - chain->iov);
        chain->out_len = sum;
        chain->n_in = 0;
        chain->in_len = 0;
    }
    return likely((all | sum) <= UINT32_MAX);
}

#endif
