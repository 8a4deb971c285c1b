/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtq.c - split virtqueues (2.7), the device's side. The only file with memory barriers.
 *
 *      driver writes                                device writes
 *   avail: flags idx [ heads ... ] used_event    used: flags idx [ id len ... ] avail_event
 *               |         ^                              |         ^
 *   avail_seen --+   last_avail (pop)         used_shown-+     used_next (push)
 *
 * Indices run freely through 16 bits; mask gives the slot. The driver may write anything at any
 * time: each field is loaded once and checked before use.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"

enum {
    AVAIL_NO_INTERRUPT = 1,
    USED_NO_NOTIFY = 1,
};

/* Offsets in the rings (2.7.6, 2.7.8) */
enum {
    RING_FLAGS = 0,
    RING_IDX = 2,
    RING_ENTRIES = 4,
};

static inline uint32_t
used_event_off(const struct bp_virtq *vq)
{
    return RING_ENTRIES + 2u * vq->num;
}

static inline uint32_t
avail_event_off(const struct bp_virtq *vq)
{
    return RING_ENTRIES + 8u * vq->num;
}

/* ---- Loads and stores; without a pointer they go through the host ---- */

static uint16_t
avail_load_slow(struct bp_virtq *vq, uint32_t off)
{
    uint16_t v = 0;

    if (vq->dev->mem->read(vq->dev->inst, vq->avail.gpa + off, &v, sizeof v))
        bp_virtio_broken(vq->dev, "an available ring is no longer in guest memory");
    return le16toh(v);
}

static inline uint16_t
ring_load(const uint8_t *at)
{
    return le16toh(__atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_RELAXED));
}

static inline uint16_t
avail_load(struct bp_virtq *vq, uint32_t off)
{
    return likely(vq->avail_p) ? ring_load(vq->avail_p + off) : avail_load_slow(vq, off);
}

static void
used_store_slow(struct bp_virtq *vq, uint32_t off, const void *p, uint32_t len)
{
    if (vq->dev->mem->write(vq->dev->inst, vq->used.gpa + off, p, len))
        bp_virtio_broken(vq->dev, "a used ring is no longer in guest memory");
}

static inline void
used_store(struct bp_virtq *vq, uint32_t off, uint16_t val)
{
    val = htole16(val);
    if (likely(vq->used_p))
        __atomic_store_n((uint16_t *)(void *)(vq->used_p + off), val, __ATOMIC_RELAXED);
    else
        used_store_slow(vq, off, &val, sizeof val);
}

static inline int
dirty_is_wanted(const struct bp_virtio *dev)
{
    return __atomic_load_n(dev->dirty_wanted, __ATOMIC_RELAXED) != 0;
}

static inline void
used_say_dirty(struct bp_virtq *vq)
{
    if (unlikely(dirty_is_wanted(vq->dev)) && vq->used_p)
        vq->dev->dirty(vq->dev->inst, vq->used.gpa, vq->used.len);
}

/* ---- Notifications from the driver ---- */

/*
 * Asks for a notification of the next entry. The fence keeps the store above the load of the
 * index that follows: it pairs with the driver's full barrier between writing its index and
 * reading whether to notify (2.7.13.4), so one of the two sees the other.
 */
static void
notify_on(struct bp_virtq *vq)
{
    if (vq->event_idx) {
        used_store(vq, avail_event_off(vq), vq->last_avail);
    } else if (vq->quiet) {
        used_store(vq, RING_FLAGS, 0);
        vq->quiet = 0;
    } else {
        atomic_thread_fence(memory_order_seq_cst);
        return;
    }
    used_say_dirty(vq);
    atomic_thread_fence(memory_order_seq_cst);
}

/* ---- Opening and closing ---- */

void
virtq_init(struct bp_virtq *vq)
{
    vq->vector = NO_VECTOR;
    vq->num_wanted = vq->num_max;
    vq->kick_fd = vq->call_fd = -1;
    vq->generation = 1;
}

void
virtq_set_num(struct bp_virtq *vq, uint32_t num)
{
    vq->num_wanted = num && num <= vq->num_max && !(num & (num - 1)) ? (uint16_t)num : 0;
}

/* Maps a ring whole, or finds out that all of it can be read. */
static int
ring_open(struct bp_virtio *dev, struct ring *r, uint64_t gpa, uint32_t len)
{
    uint8_t drop[256];
    int err;

    r->gpa = gpa;
    r->len = len;
    r->p = NULL;
    if (gpa + len < gpa)
        return BP_E_FAULT;
    r->map = (struct bp_map){.size = sizeof r->map};
    err = dev->no_maps ? BP_E_NOTSUP
                       : dev->mem->map(dev->inst, gpa, len, BP_MAP_READ | BP_MAP_WRITE, &r->map);
    if (!err && r->map.len >= len) {
        r->p = r->map.p;
        return 0;
    }
    if (!err)
        dev->mem->unmap(dev->inst, &r->map, 0, 0);
    for (uint32_t at = 0, n; at < len; at += n) {
        n = len - at < sizeof drop ? len - at : (uint32_t)sizeof drop;
        err = dev->mem->read(dev->inst, gpa + at, drop, n);
        if (err)
            return err;
    }
    return 0;
}

static void
ring_close(struct bp_virtio *dev, struct ring *r)
{
    if (r->p)
        dev->mem->unmap(dev->inst, &r->map, 0, 0);
    r->p = NULL;
}

int
virtq_open(struct bp_virtq *vq, const char **ret_why)
{
    struct bp_virtio *dev = vq->dev;
    uint32_t event = dev->features & F_BIT(BP_VIRTIO_F_EVENT_IDX) ? 2 : 0;

    if (!vq->num_wanted) {
        *ret_why = "a queue's size is not a power of two within its limit";
        return BP_E_INVAL;
    }
    if (vq->desc_gpa % 16 || vq->avail_gpa % 2 || vq->used_gpa % 4) {
        *ret_why = "a ring is not aligned";
        return BP_E_INVAL;
    }
    vq->num = vq->num_wanted;
    vq->mask = (uint16_t)(vq->num - 1);
    vq->event_idx = event != 0;
    vq->indirect = (dev->features & F_BIT(BP_VIRTIO_F_INDIRECT_DESC)) != 0;
    if (!vq->popped)
        vq->popped = calloc(vq->num_max, sizeof *vq->popped);
    if (!vq->popped) {
        *ret_why = "there is no memory for a queue";
        return BP_E_NOMEM;
    }
    if (ring_open(dev, &vq->desc, vq->desc_gpa, 16u * vq->num) ||
        ring_open(dev, &vq->avail, vq->avail_gpa, 4u + 2u * vq->num + event) ||
        ring_open(dev, &vq->used, vq->used_gpa, 4u + 8u * vq->num + event)) {
        virtq_shut(vq);
        *ret_why = "a ring is not in guest memory";
        return BP_E_FAULT;
    }
    vq->desc_p = vq->desc.p;
    vq->avail_p = vq->avail.p;
    vq->used_p = vq->used.p;
    vq->avail_seen = vq->last_avail;
    vq->live = 1;
    vq->fast = vq->desc_p && vq->avail_p && vq->used_p && !vq->bounces;
    vq->quiet = 1; /* it may have been left so */
    notify_on(vq);
    return 0;
}

void
virtq_shut(struct bp_virtq *vq)
{
    vq->live = vq->fast = 0;
    ring_close(vq->dev, &vq->desc);
    ring_close(vq->dev, &vq->avail);
    ring_close(vq->dev, &vq->used);
    vq->desc_p = vq->avail_p = vq->used_p = NULL;
}

void
virtq_reset(struct bp_virtq *vq)
{
    virtq_shut(vq);
    if (!++vq->generation)
        vq->generation = 1;
    vq->enabled = 0;
    vq->num_wanted = vq->num_max;
    vq->vector = NO_VECTOR;
    vq->desc_gpa = vq->avail_gpa = vq->used_gpa = 0;
    vq->last_avail = vq->avail_seen = vq->used_next = vq->used_shown = 0;
    vq->poll_seen = 0;
    vq->quiet = vq->force = 0;
}

uint32_t
virtq_popped(const struct bp_virtq *vq)
{
    uint32_t n = 0;

    for (uint32_t i = 0; vq->dev->n_popped && vq->popped && i < vq->num_max; i++)
        n += vq->popped[i] != 0;
    return n;
}

void
virtq_forget(struct bp_virtq *vq)
{
    for (uint32_t i = 0; vq->dev->n_popped && vq->popped && i < vq->num_max; i++) {
        if (vq->popped[i]) {
            bounces_end(vq, (uint16_t)i, 0);
            vq->popped[i] = 0;
            vq->dev->n_popped--;
        }
    }
}

void
virtq_read_used_index(struct bp_virtq *vq)
{
    uint16_t idx = 0;

    if (vq->used_p)
        idx = __atomic_load_n((uint16_t *)(void *)(vq->used_p + RING_IDX), __ATOMIC_RELAXED);
    else if (vq->dev->mem->read(vq->dev->inst, vq->used.gpa + RING_IDX, &idx, sizeof idx))
        bp_virtio_broken(vq->dev, "a used ring is no longer in guest memory");
    vq->used_next = vq->used_shown = le16toh(idx);
    vq->force = 1;
}

/* ---- What is available ---- */

/* Looks at the driver's index. 1: there are entries; 0; BP_E_PROTO after breaking the device. */
static int
avail_look(struct bp_virtq *vq)
{
    uint16_t idx = avail_load(vq, RING_IDX);
    uint16_t n = (uint16_t)(idx - vq->last_avail);

    if (unlikely(!vq->live))
        return BP_E_IO;
    if (unlikely(n > vq->num)) {
        bp_virtio_broken(vq->dev, "an available index jumps");
        return BP_E_PROTO;
    }
    vq->avail_seen = idx;
    /* Pairs with the driver's barrier before it writes the index (2.7.13.3): entries and
     * descriptors up to it are there. */
    atomic_thread_fence(memory_order_acquire);
    return n != 0;
}

int
virtq_pending(struct bp_virtq *vq)
{
    return vq->live && avail_look(vq) > 0;
}

int
bp_virtq_want_notify(struct bp_virtq *vq, uint32_t on)
{
    if (!vq->live)
        return 0;
    if (on) {
        notify_on(vq);
        return avail_look(vq) > 0;
    }
    /* With EVENT_IDX not moving the event is enough. */
    if (!vq->event_idx && !vq->quiet) {
        used_store(vq, RING_FLAGS, USED_NO_NOTIFY);
        used_say_dirty(vq);
        vq->quiet = 1;
    }
    return 0;
}

int
virtq_poll(struct bp_virtq *vq, uint32_t how)
{
    uint16_t idx;

    vq->polled = how == BP_POLL_BEGIN || (how == BP_POLL_LOOK && vq->polled);
    if (!vq->live || how == BP_POLL_BEGIN)
        return 0;
    if (how == BP_POLL_END)
        notify_on(vq);
    if (!vq->live)
        return 0;
    idx = avail_load(vq, RING_IDX);
    if (idx == vq->avail_seen || (how == BP_POLL_LOOK && idx == vq->poll_seen))
        return 0;
    vq->poll_seen = idx;
    return 1;
}

/* ---- Pop and push ---- */

/* Nothing more was known to be there: look, and if there is nothing ask to be told and look again,
 * for what came between. */
static int
pop_look(struct bp_virtq *vq)
{
    int more = avail_look(vq);

    if (more || vq->polled)
        return more;
    notify_on(vq);
    return avail_look(vq);
}

static int
pop_fail(struct bp_virtq *vq, int err, const char *why)
{
    bp_virtio_broken(vq->dev, why);
    return err;
}

/* The entry at last_avail, with all checks and all ways to reach memory. */
static int
pop_slow(struct bp_virtq *vq, struct bp_virtq_chain *chain)
{
    struct bp_virtio *dev = vq->dev;
    uint16_t head = avail_load(vq, RING_ENTRIES + 2u * (vq->last_avail & vq->mask));
    const char *why;
    int err;

    if (head >= vq->num)
        return pop_fail(vq, BP_E_PROTO, "an available ring names a descriptor outside its table");
    if (vq->popped[head])
        return pop_fail(vq, BP_E_PROTO, "a chain was made available twice");
    dev->n_popped++; /* from here on windows stay */
    err = chain_walk(vq, head, chain, &why);
    if (err) {
        dev->n_popped--;
        return pop_fail(vq, err, why);
    }
    vq->last_avail++;
    vq->popped[head] = vq->generation;
    chain->head = head;
    chain->generation = vq->generation;
    return 1;
}

/* Nothing is known to be there, or something is out of the ordinary. */
static int
pop_other(struct bp_virtq *vq, struct bp_virtq_chain *chain)
{
    int more;

    if (!vq->live)
        return BP_E_IO;
    if (vq->last_avail != vq->avail_seen)
        return pop_slow(vq, chain);
    more = pop_look(vq);
    return more > 0 ? bp_virtq_pop(vq, chain) : more;
}

int
bp_virtq_pop(struct bp_virtq *vq, struct bp_virtq_chain *chain)
{
    uint16_t head;

    if (vq->last_avail == vq->avail_seen || unlikely(!vq->fast))
        return pop_other(vq, chain);
    head = ring_load(vq->avail_p + RING_ENTRIES + 2u * (vq->last_avail & vq->mask));
    if (unlikely(head > vq->mask || vq->popped[head] || !chain_walk_fast(vq, head, chain)))
        return pop_slow(vq, chain);
    vq->dev->n_popped++;
    vq->last_avail++;
    vq->popped[head] = vq->generation;
    chain->head = head;
    chain->generation = vq->generation;
    return 1;
}

/* 1: the chain is one that was popped and not pushed yet. */
static inline int
chain_flies(const struct bp_virtq *vq, const struct bp_virtq_chain *chain)
{
    return chain->head < vq->num_max && vq->popped && chain->generation &&
           vq->popped[chain->head] == chain->generation;
}

/* Out of flight. 1: it belongs to the queue as it is now, and may be given back to the driver. */
static int
chain_land(struct bp_virtq *vq, const struct bp_virtq_chain *chain, int write)
{
    struct bp_virtio *dev = vq->dev;
    int valid = vq->live && chain->generation == vq->generation;

    if (write && valid && dirty_is_wanted(dev))
        chain_dirty(dev, chain);
    bounces_end(vq, chain->head, write && valid);
    vq->popped[chain->head] = 0;
    if (!--dev->n_popped && dev->windows_full)
        windows_close(dev);
    return valid;
}

void
bp_virtq_unpop(struct bp_virtq *vq, const struct bp_virtq_chain *chain)
{
    if (chain_flies(vq, chain) && chain_land(vq, chain, 0))
        vq->last_avail--;
}

static void
push_slow(struct bp_virtq *vq, const struct bp_virtq_chain *chain, uint32_t written)
{
    uint64_t entry = htole64((uint64_t)written << 32 | chain->head);
    uint32_t off = RING_ENTRIES + 8u * (vq->used_next & vq->mask);

    if (!chain_flies(vq, chain) || !chain_land(vq, chain, 1))
        return;
    if (vq->used_p)
        memcpy(vq->used_p + off, &entry, sizeof entry);
    else
        used_store_slow(vq, off, &entry, sizeof entry);
    vq->used_next++;
}

void
bp_virtq_push(struct bp_virtq *vq, const struct bp_virtq_chain *chain, uint32_t written)
{
    struct bp_virtio *dev = vq->dev;
    uint64_t entry = htole64((uint64_t)written << 32 | chain->head);
    uint16_t slot = vq->used_next & vq->mask;

    if (unlikely(!vq->fast || chain->head > vq->mask || chain->generation != vq->generation ||
                 vq->popped[chain->head] != chain->generation || dev->windows_full ||
                 dirty_is_wanted(dev))) {
        push_slow(vq, chain, written);
        return;
    }
    vq->popped[chain->head] = 0;
    dev->n_popped--;
    /* The ring is aligned to 4, so an entry is not one atomic store; the index publishes it. */
    memcpy(vq->used_p + RING_ENTRIES + 8u * slot, &entry, sizeof entry);
    vq->used_next++;
}

/* 2.7.7.2: does the driver want an interrupt for the entries from `old` up to now? */
static int
wants_interrupt(struct bp_virtq *vq, uint16_t old)
{
    uint16_t now = vq->used_shown;

    if (unlikely(vq->force)) {
        vq->force = 0;
        return 1;
    }
    if (vq->event_idx) {
        uint16_t event = avail_load(vq, used_event_off(vq));

        return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
    }
    return !(avail_load(vq, RING_FLAGS) & AVAIL_NO_INTERRUPT);
}

void
bp_virtq_flush(struct bp_virtq *vq)
{
    uint16_t old = vq->used_shown;

    if (vq->used_next == old || unlikely(!vq->live))
        return;
    /* Entries and buffers are written before the index: pairs with the driver's read barrier after
     * it has read the index (2.7.14). */
    atomic_thread_fence(memory_order_release);
    vq->used_shown = vq->used_next;
    used_store(vq, RING_IDX, vq->used_shown);
    used_say_dirty(vq);
    /* The index is visible before we look whether to interrupt: pairs with the driver's barrier
     * between asking for interrupts and looking at the index once more. */
    atomic_thread_fence(memory_order_seq_cst);
    if (wants_interrupt(vq, old))
        vq->dev->transport->queue_irq(vq->dev, vq);
}

int
bp_virtq_enabled(const struct bp_virtq *vq)
{
    return vq->enabled;
}

uint32_t
bp_virtq_size(const struct bp_virtq *vq)
{
    return vq->num_wanted;
}

uint32_t
bp_virtq_index(const struct bp_virtq *vq)
{
    return vq->index;
}
