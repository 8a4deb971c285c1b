/* SPDX-License-Identifier: BSD-3-Clause */
/* handles.c - see handles.h. Slots live in chunks that never move, so that readers need no lock. */
#include "core/machine/handles.h"

#include <glib.h>
#include <stdatomic.h>

#define CHUNK_SLOTS 64u
#define CHUNKS      128u /* 8,192 objects of one instance: far above 2,048 MSI-X vectors */

struct slot {
    _Atomic(void *) object;
    _Atomic uint32_t generation;
    _Atomic uint32_t kind; /* enum handle_kind */
};

struct handles {
    GMutex lock; /* writers */
    uint32_t used;
    GArray *free_slots;
    _Atomic(struct slot *) chunk[CHUNKS];
};

struct handles *
handles_new(void)
{
    struct handles *h = g_new0(struct handles, 1);

    g_mutex_init(&h->lock);
    return h;
}

static struct slot *
slot_at(const struct handles *h, uint32_t index)
{
    struct slot *chunk;

    if (index >= CHUNKS * CHUNK_SLOTS)
        return NULL;
    chunk = atomic_load_explicit(&h->chunk[index / CHUNK_SLOTS], memory_order_acquire);
    return chunk ? &chunk[index % CHUNK_SLOTS] : NULL;
}

/* The slot that an id names, if the generation fits. Ids count slots from 1: id 0 is never valid.
 */
static struct slot *
slot_of(const struct handles *h, enum handle_kind kind, uint64_t id)
{
    uint32_t index = (uint32_t)id - 1;
    struct slot *s;

    if (!h || (uint32_t)id == 0)
        return NULL;
    s = slot_at(h, index);
    if (!s || atomic_load_explicit(&s->generation, memory_order_acquire) != (uint32_t)(id >> 32) ||
        atomic_load_explicit(&s->kind, memory_order_relaxed) != (uint32_t)kind)
        return NULL;
    return s;
}

uint64_t
handles_add(struct handles *h, enum handle_kind kind, void *object)
{
    uint32_t index, generation;
    struct slot *s;

    if (!h)
        return 0;
    g_mutex_lock(&h->lock);
    if (h->free_slots && h->free_slots->len) {
        index = g_array_index(h->free_slots, uint32_t, h->free_slots->len - 1);
        g_array_set_size(h->free_slots, h->free_slots->len - 1);
    } else {
        if (h->used == CHUNKS * CHUNK_SLOTS) {
            g_mutex_unlock(&h->lock);
            return 0;
        }
        index = h->used++;
        if (index % CHUNK_SLOTS == 0)
            atomic_store_explicit(&h->chunk[index / CHUNK_SLOTS], g_new0(struct slot, CHUNK_SLOTS),
                                  memory_order_release);
    }
    s = slot_at(h, index);
    generation = atomic_load_explicit(&s->generation, memory_order_relaxed) + 1;
    atomic_store_explicit(&s->object, object, memory_order_relaxed);
    atomic_store_explicit(&s->kind, (uint32_t)kind, memory_order_relaxed);
    atomic_store_explicit(&s->generation, generation, memory_order_release);
    g_mutex_unlock(&h->lock);
    return (uint64_t)generation << 32 | (index + 1);
}

void *
handles_get(const struct handles *h, enum handle_kind kind, uint64_t id)
{
    struct slot *s = slot_of(h, kind, id);

    return s ? atomic_load_explicit(&s->object, memory_order_relaxed) : NULL;
}

void *
handles_remove(struct handles *h, enum handle_kind kind, uint64_t id)
{
    uint32_t index = (uint32_t)id - 1;
    void *object = NULL;
    struct slot *s;

    if (!h)
        return NULL;
    g_mutex_lock(&h->lock);
    s = slot_of(h, kind, id);
    if (s) {
        object = atomic_load_explicit(&s->object, memory_order_relaxed);
        atomic_store_explicit(&s->kind, HANDLE_NONE, memory_order_relaxed);
        atomic_fetch_add_explicit(&s->generation, 1, memory_order_release);
        if (!h->free_slots)
            h->free_slots = g_array_new(FALSE, FALSE, sizeof index);
        g_array_append_val(h->free_slots, index);
    }
    g_mutex_unlock(&h->lock);
    return object;
}

void
handles_free(struct handles *h, void (*fini)(enum handle_kind kind, void *object))
{
    if (!h)
        return;
    for (uint32_t i = h->used; i > 0; i--) {
        struct slot *s = slot_at(h, i - 1);
        uint32_t kind = atomic_load_explicit(&s->kind, memory_order_relaxed);

        if (kind != HANDLE_NONE)
            fini((enum handle_kind)kind, atomic_load_explicit(&s->object, memory_order_relaxed));
    }
    for (uint32_t i = 0; i < CHUNKS; i++)
        g_free(atomic_load_explicit(&h->chunk[i], memory_order_relaxed));
    if (h->free_slots)
        g_array_free(h->free_slots, TRUE);
    g_mutex_clear(&h->lock);
    g_free(h);
}
