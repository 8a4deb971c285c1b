/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain.c - a descriptor chain (2.7.5) to iovecs, all cases and what is wrong with the bad ones;
 * and copies from and to chains.
 *
 * The driver can change descriptors while we look: each is loaded once, and only that copy is
 * checked and used. Nothing here relies on what chain.h saw before it gave up.
 */
#include <string.h>

#include "chain.h"

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

/* Where descriptors come from: the queue's table, or an indirect one. */
struct table {
    const uint8_t *p; /* NULL: by read() */
    uint64_t gpa;
    uint32_t n;
};

struct walk {
    struct bp_virtq *vq;
    struct bp_iovec *iov;
    uint32_t n, cap;
    uint16_t head;
    int copy; /* what is not in one window is copied, not split */
    const char *why;
};

static int
desc_load(struct bp_virtio *dev, const struct table *t, uint32_t i, struct desc *d)
{
    uint64_t raw[2];

    if (t->p) {
        const uint64_t *at = (const void *)(t->p + (size_t)i * DESC_SIZE);

        raw[0] = __atomic_load_n(&at[0], __ATOMIC_RELAXED);
        raw[1] = __atomic_load_n(&at[1], __ATOMIC_RELAXED);
    } else {
        int err = dev->mem->read(dev->inst, t->gpa + (uint64_t)i * DESC_SIZE, raw, sizeof raw);

        if (err)
            return err;
    }
    raw[1] = le64toh(raw[1]);
    d->addr = le64toh(raw[0]);
    d->len = (uint32_t)raw[1];
    d->flags = (uint16_t)(raw[1] >> 32);
    d->next = (uint16_t)(raw[1] >> 48);
    return 0;
}

static int
walk_fail(struct walk *w, int err, const char *why)
{
    w->why = why;
    return err;
}

/* A buffer becomes one entry, an entry for each window that it lies in, or a copy. */
static int
walk_add(struct walk *w, uint64_t gpa, uint64_t len, int in)
{
    struct bp_virtio *dev = w->vq->dev;
    int err = 0;

    if (gpa + len < gpa)
        return walk_fail(w, BP_E_FAULT, "a buffer wraps around the end of memory");
    while (len) {
        struct window *win = window_at(dev, gpa, &err);
        uint64_t run;
        void *p;

        if (!win && err == BP_E_FAULT)
            return walk_fail(w, err, "a buffer is not in guest memory");
        run = win ? win->len - (gpa - win->gpa) : 0;
        p = win ? win->p + (gpa - win->gpa) : NULL;
        if (!win || (w->copy && run < len)) {
            run = len;
            p = bounce_new(w->vq, w->head, gpa, len, in, &err);
            if (!p)
                return walk_fail(w, err,
                                 err == BP_E_FAULT
                                     ? "a buffer is not in guest memory"
                                     : "its buffers are more than can be copied at a time");
        }
        if (run > len)
            run = len;
        if (w->n == w->cap)
            return walk_fail(w, BP_E_NOSPC, "a chain is longer than the device takes");
        w->iov[w->n++] = (struct bp_iovec){p, run};
        gpa += run;
        len -= run;
    }
    return 0;
}

/* The table that an indirect descriptor refers to (2.7.5.3). */
static int
walk_indirect(struct walk *w, const struct desc *d, struct table *ret)
{
    struct bp_virtio *dev = w->vq->dev;
    struct window *win;
    int err = 0;

    if (!w->vq->indirect)
        return walk_fail(w, BP_E_PROTO, "an indirect descriptor was not negotiated");
    if (d->flags & DESC_NEXT)
        return walk_fail(w, BP_E_PROTO, "an indirect descriptor has a next one");
    if (!d->len || d->len % DESC_SIZE)
        return walk_fail(w, BP_E_PROTO, "an indirect table is not whole descriptors");
    if (d->addr + d->len < d->addr)
        return walk_fail(w, BP_E_FAULT, "an indirect table wraps around the end of memory");
    ret->n = d->len / DESC_SIZE;
    ret->gpa = d->addr;
    ret->p = NULL;
    win = window_at(dev, d->addr, &err);
    if (!win && err == BP_E_FAULT)
        return walk_fail(w, err, "an indirect table is not in guest memory");
    /* Loads of 64 bits want alignment; a table need not have it (2.7.5.3 asks for none). */
    if (win && d->len <= win->len - (d->addr - win->gpa) && d->addr % 8 == 0)
        ret->p = win->p + (d->addr - win->gpa);
    return 0;
}

static int
walk(struct walk *w, uint16_t head, struct bp_virtq_chain *chain)
{
    struct bp_virtq *vq = w->vq;
    struct table t = {vq->desc_p, vq->desc.gpa, vq->num};
    uint32_t i = head, left = vq->num, n_out = 0;
    uint64_t sums[2] = {0, 0};
    int writing = 0, indirect = 0;
    struct desc d;
    int err;

    for (;;) {
        if (!left--)
            return walk_fail(w, BP_E_PROTO, "a chain loops or is longer than its table");
        err = desc_load(vq->dev, &t, i, &d);
        if (err)
            return walk_fail(w, err, "a descriptor is not in guest memory");
        if (d.flags & DESC_INDIRECT) {
            if (indirect)
                return walk_fail(w, BP_E_PROTO, "an indirect table has an indirect descriptor");
            err = walk_indirect(w, &d, &t);
            if (err)
                return err;
            indirect = 1;
            i = 0;
            /* Longer than the queue (2.7.5.3.1 forbids it) is what some drivers make with indirect
             * tables; the room in the device's iovec is the limit that matters. */
            left = t.n < BP_VIRTIO_QUEUE_MAX ? t.n : BP_VIRTIO_QUEUE_MAX;
            continue;
        }
        if (!d.len)
            return walk_fail(w, BP_E_PROTO, "a buffer has no length");
        if (d.flags & DESC_WRITE) {
            if (!writing)
                n_out = w->n;
            writing = 1;
        } else if (writing) {
            return walk_fail(w, BP_E_PROTO, "a readable buffer comes after a writable one");
        }
        sums[writing] += d.len;
        if (sums[writing] > UINT32_MAX)
            return walk_fail(w, BP_E_PROTO, "a chain is 4 GiB long or longer");
        err = walk_add(w, d.addr, d.len, writing);
        if (err)
            return err;
        if (!(d.flags & DESC_NEXT))
            break;
        i = d.next;
        if (i >= t.n)
            return walk_fail(w, BP_E_PROTO, "a next descriptor is outside its table");
    }
    chain->n_out = writing ? n_out : w->n;
    chain->n_in = w->n - chain->n_out;
    chain->out_len = sums[0];
    chain->in_len = sums[1];
    return 0;
}

int
chain_walk(struct bp_virtq *vq, uint16_t head, struct bp_virtq_chain *chain, const char **ret_why)
{
    struct walk w = {.vq = vq, .iov = chain->iov, .cap = chain->cap_iov, .head = head};
    int err = walk(&w, head, chain);

    if (err == BP_E_NOSPC) {
        /* Pieces of windows took more room than the descriptors: once more with copies. */
        bounces_end(vq, head, 0);
        w.n = 0;
        w.copy = 1;
        err = walk(&w, head, chain);
    }
    if (err) {
        bounces_end(vq, head, 0);
        *ret_why = w.why;
    }
    return err;
}

/* ---- Copies ---- */

static uint64_t
iov_copy(const struct bp_iovec *v, uint32_t n, uint64_t off, void *out, const void *in,
         uint64_t len)
{
    uint64_t done = 0;

    for (; n && done < len; n--, v++) {
        uint64_t run;

        if (off >= v->len) {
            off -= v->len;
            continue;
        }
        run = v->len - off < len - done ? v->len - off : len - done;
        if (out)
            memcpy((uint8_t *)out + done, (const uint8_t *)v->base + off, run);
        else
            memcpy((uint8_t *)v->base + off, (const uint8_t *)in + done, run);
        done += run;
        off = 0;
    }
    return done;
}

uint64_t
bp_virtq_copy_out(const struct bp_virtq_chain *chain, uint64_t off, void *buf, uint64_t len)
{
    return iov_copy(chain->iov, chain->n_out, off, buf, NULL, len);
}

uint64_t
bp_virtq_copy_in(const struct bp_virtq_chain *chain, uint64_t off, const void *buf, uint64_t len)
{
    return iov_copy(chain->iov + chain->n_out, chain->n_in, off, NULL, buf, len);
}
