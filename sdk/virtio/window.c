/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * window.c - guest physical addresses to pointers.
 *
 * Windows are mappings that are kept from first use until the device stops. iovecs of chains in
 * flight point into them, so they are given up only when no chain is in flight. Where the host does
 * not map, or maps too small pieces, a chain gets copies ("bounces") instead.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static struct window *
window_free_slot(struct bp_virtio *dev)
{
    for (unsigned i = 0; i < N_WINDOWS; i++)
        if (!dev->windows[i].len)
            return &dev->windows[i];
    dev->windows_full = 1; /* they go when no chain is in flight */
    return NULL;
}

/* Maps what there is from base on; keeps it when gpa is in it. */
static int
window_try(struct bp_virtio *dev, uint64_t base, uint64_t gpa, struct window *w)
{
    int err;

    w->map = (struct bp_map){.size = sizeof w->map};
    err = dev->mem->map(dev->inst, base, UINT64_MAX, BP_MAP_READ | BP_MAP_WRITE, &w->map);
    if (err)
        return err;
    if (gpa - base >= w->map.len) {
        dev->mem->unmap(dev->inst, &w->map, 0, 0);
        return BP_E_FAULT;
    }
    w->gpa = base;
    w->len = w->map.len;
    w->p = w->map.p;
    return 0;
}

/*
 * A window should reach as far below gpa as there is memory, or a driver whose buffers come in
 * falling order would use up all windows. RAM begins at 0 and at 4 GiB. Where it has a hole, or the
 * host maps less in one piece, the lowest page from which gpa can be reached is searched for.
 */
static int
window_map(struct bp_virtio *dev, uint64_t gpa, struct window *w)
{
    uint64_t low = gpa >> 32 ? UINT64_C(1) << 32 : 0, high = gpa & ~(uint64_t)(PAGE - 1);
    int err = window_try(dev, low, gpa, w);

    /* From high it can be reached if from anywhere, from low it cannot. */
    while (err == BP_E_FAULT && low < high) {
        uint64_t base = high - low > PAGE ? low + (high - low) / 2 / PAGE * PAGE : high;

        err = window_try(dev, base, gpa, w);
        if (err == BP_E_FAULT) {
            low = base;
        } else if (!err && high - low > PAGE) {
            dev->mem->unmap(dev->inst, &w->map, 0, 0);
            w->len = 0;
            high = base;
            err = BP_E_FAULT;
        }
    }
    return err;
}

static void
window_hot(struct bp_virtio *dev, const struct window *w)
{
    dev->hot_gpa = w->gpa;
    dev->hot_len = w->len;
    dev->hot_p = w->p;
}

struct window *
window_at(struct bp_virtio *dev, uint64_t gpa, int *ret_err)
{
    struct window *w;
    int err;

    for (unsigned i = 0; i < N_WINDOWS; i++) {
        w = &dev->windows[i];
        if (gpa - w->gpa < w->len) {
            window_hot(dev, w);
            return w;
        }
    }
    *ret_err = BP_E_NOTSUP;
    if (dev->no_maps)
        return NULL;
    w = window_free_slot(dev);
    if (!w)
        return NULL;
    err = window_map(dev, gpa, w);
    if (err) {
        dev->no_maps = err == BP_E_NOTSUP;
        *ret_err = err;
        return NULL;
    }
    window_hot(dev, w);
    return w;
}

void
windows_close(struct bp_virtio *dev)
{
    for (unsigned i = 0; i < N_WINDOWS; i++) {
        struct window *w = &dev->windows[i];

        /* What was written has been said when it was written. */
        if (w->len)
            dev->mem->unmap(dev->inst, &w->map, 0, 0);
        w->len = 0;
    }
    dev->windows_full = 0;
    dev->hot_len = 0;
}

void *
bounce_new(struct bp_virtq *vq, uint16_t head, uint64_t gpa, uint64_t len, int in, int *ret_err)
{
    struct bp_virtio *dev = vq->dev;
    struct bounce *b;

    *ret_err = BP_E_NOMEM;
    if (len > BOUNCE_MAX - dev->bounced)
        return NULL;
    if (!vq->bounces)
        vq->bounces = calloc(vq->num_max, sizeof(struct bounce *));
    vq->fast = 0;
    b = vq->bounces ? malloc(sizeof *b + len) : NULL;
    if (!b)
        return NULL;
    /* Both directions: this is the check that all of it is RAM, and a device that writes less than
     * it could does not hand out our memory. */
    *ret_err = dev->mem->read(dev->inst, gpa, b->data, len);
    if (*ret_err) {
        free(b);
        return NULL;
    }
    b->gpa = gpa;
    b->len = len;
    b->in = in;
    b->next = vq->bounces[head];
    vq->bounces[head] = b;
    dev->bounced += len;
    return b->data;
}

void
bounces_end(struct bp_virtq *vq, uint16_t head, int write)
{
    struct bounce *b, *next;

    if (!vq->bounces)
        return;
    for (b = vq->bounces[head]; b; b = next) {
        next = b->next;
        if (write && b->in && vq->dev->mem->write(vq->dev->inst, b->gpa, b->data, b->len))
            bp_virtio_broken(vq->dev, "a buffer is no longer in guest memory");
        vq->dev->bounced -= b->len;
        free(b);
    }
    vq->bounces[head] = NULL;
}

/* A pointer into some window back to its guest address; 0 when it is in none. */
static int
window_gpa(const struct bp_virtio *dev, const void *p, uint64_t *ret_gpa)
{
    for (unsigned i = 0; i < N_WINDOWS; i++) {
        const struct window *w = &dev->windows[i];

        if ((uintptr_t)p - (uintptr_t)w->p < w->len) {
            *ret_gpa = w->gpa + ((uintptr_t)p - (uintptr_t)w->p);
            return 1;
        }
    }
    return 0;
}

void
chain_dirty(struct bp_virtio *dev, const struct bp_virtq_chain *chain)
{
    const struct bp_iovec *v = chain->iov + chain->n_out, *end = v + chain->n_in;

    for (; v < end; v++) {
        uint64_t off = (uintptr_t)v->base - (uintptr_t)dev->hot_p, gpa = dev->hot_gpa + off;

        if (likely(off < dev->hot_len) || window_gpa(dev, v->base, &gpa))
            dev->dirty(dev->inst, gpa, v->len);
    }
}
