/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain.h - the short way through a descriptor chain: everything mapped, every buffer in the window
 * that was hit last, and nothing wrong. Whatever else it meets it leaves to chain.c, which begins
 * anew and knows what to say. Kept in line with pop, for this is what a request costs.
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

struct cursor {
    const uint64_t *table; /* two words a descriptor, little endian, written by the driver */
    const uint64_t *at;
    uint32_t num; /* descriptors in the table */
    struct bp_iovec *v, *end;
    uint64_t sum;      /* 64 bits hold the lengths of any chain */
    uint64_t gpa, len; /* the hot window, copied because stores could alias it */
    uintptr_t win;
};

static inline uint64_t
desc_word(const uint64_t *at)
{
    return le64toh(__atomic_load_n(at, __ATOMIC_RELAXED));
}

/* Takes descriptors for as long as they are of one kind. 1: the chain ended; 0: one of the other
 * kind follows; -1: the long way. A loop fills the iovec and ends there. */
static inline __attribute__((always_inline)) int
take_kind(struct cursor *c, uint32_t kind)
{
    for (;;) {
        uint64_t addr = desc_word(&c->at[0]), half = desc_word(&c->at[1]);
        uint64_t last = (half & UINT32_MAX) - 1, off = addr - c->gpa;
        uint32_t flags = HALF_FLAGS(half);

        if ((flags & (DESC_WRITE | DESC_INDIRECT)) != kind)
            return 0;
        /* No length makes last so large that it leaves the window. */
        if (unlikely(off >= c->len || last >= c->len - off || c->v == c->end))
            return -1;
        c->v->base = (void *)(c->win + off);
        c->v->len = last + 1;
        c->v++;
        c->sum += last + 1;
        if (!(flags & DESC_NEXT))
            return 1;
        flags >>= 16; /* next */
        if (unlikely(flags >= c->num))
            return -1;
        c->at = c->table + 2 * (size_t)flags;
    }
}

/* 1: the table that c->at refers to is the cursor's now; 0: the long way. */
static inline int
take_table(struct cursor *c, const struct bp_virtq *vq)
{
    uint64_t addr = desc_word(&c->at[0]), half = desc_word(&c->at[1]);
    uint64_t last = (half & UINT32_MAX) - 1, off = addr - c->gpa;

    if (unlikely(off >= c->len || last >= c->len - off || !vq->indirect ||
                 HALF_FLAGS(half) & DESC_NEXT || ((last + 1) | addr) % DESC_SIZE))
        return 0;
    c->table = c->at = (const uint64_t *)(c->win + off);
    c->num = (uint32_t)((last + 1) / DESC_SIZE);
    return 1;
}

/* 1: *chain is filled. 0: take the long way. */
static inline __attribute__((always_inline)) int
chain_walk_fast(const struct bp_virtq *vq, uint16_t head, struct bp_virtq_chain *chain)
{
    const struct bp_virtio *dev = vq->dev;
    const uint64_t *table = (const void *)vq->desc_p;
    struct cursor c = {.table = table,
                       .at = table + 2 * (size_t)head,
                       .num = vq->num,
                       .v = chain->iov,
                       .end = chain->iov + chain->cap_iov,
                       .gpa = dev->hot_gpa,
                       .len = dev->hot_len,
                       .win = (uintptr_t)dev->hot_p};
    uint64_t out_len;
    int ended;

    if (HALF_FLAGS(desc_word(&c.at[1])) & DESC_INDIRECT && !take_table(&c, vq))
        return 0;
    ended = take_kind(&c, 0);
    chain->n_out = (uint32_t)(c.v - chain->iov);
    chain->out_len = out_len = c.sum;
    c.sum = 0;
    if (!ended)
        ended = take_kind(&c, DESC_WRITE);
    chain->n_in = (uint32_t)(c.v - chain->iov) - chain->n_out;
    chain->in_len = c.sum;
    return likely(ended == 1 && (out_len | c.sum) <= UINT32_MAX);
}

#endif
