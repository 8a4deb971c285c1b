/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reclaim.c - readers and the freeing of what they may still see. See internal.h.
 */
#include "core/bus/internal.h"

struct bus_reader *
bus_reader_new(struct bus *bus)
{
    /* A cache line of its own: each vCPU writes to its reader at every access. */
    struct bus_reader *reader = g_aligned_alloc0(1, sizeof *reader, _Alignof(struct bus_reader));

    reader->bus = bus;
    g_mutex_lock(&bus->lock);
    g_ptr_array_add(bus->readers, reader);
    g_mutex_unlock(&bus->lock);
    return reader;
}

void
bus_reader_free(struct bus_reader *reader)
{
    if (reader == NULL)
        return;
    g_assert(atomic_load(&reader->entered) == 0);
    g_mutex_lock(&reader->bus->lock);
    g_ptr_array_remove_fast(reader->bus->readers, reader);
    g_mutex_unlock(&reader->bus->lock);
    g_aligned_free(reader);
}

void
bus_retire(struct bus *bus, void *what, GDestroyNotify free_fn)
{
    struct bus_retired *retired;

    if (what == NULL)
        return;
    retired = g_new(struct bus_retired, 1);
    retired->what = what;
    retired->free = free_fn;
    /* Who enters from here on cannot find it any more: it was unpublished before. */
    retired->epoch = atomic_fetch_add(&bus->epoch, 1);
    retired->next = bus->retired;
    bus->retired = retired;
}

/* The earliest epoch in which a reader entered that is still inside. */
static uint64_t
bus_earliest(struct bus *bus)
{
    uint64_t earliest = atomic_load(&bus->direct) ? 0 : UINT64_MAX;

    for (unsigned i = 0; i < bus->readers->len; i++) {
        struct bus_reader *reader = bus->readers->pdata[i];
        uint64_t entered = atomic_load(&reader->entered);

        if (entered && entered < earliest)
            earliest = entered;
    }
    return earliest;
}

void
bus_reclaim(struct bus *bus, bool all)
{
    uint64_t earliest = all ? UINT64_MAX : bus_earliest(bus);
    struct bus_retired **link = &bus->retired, *retired;

    while ((retired = *link)) {
        if (retired->epoch < earliest) {
            *link = retired->next;
            retired->free(retired->what);
            g_free(retired);
        } else {
            link = &retired->next;
        }
    }
}

void
bus_sync(struct bus *bus)
{
    uint64_t epoch = atomic_fetch_add(&bus->epoch, 1);
    bool inside;

    for (;;) {
        g_mutex_lock(&bus->lock);
        inside = bus_earliest(bus) <= epoch;
        if (!inside)
            bus_reclaim(bus, false);
        g_mutex_unlock(&bus->lock);
        if (!inside)
            return;
        g_usleep(50); /* rare: making readers tell would cost every access */
    }
}
