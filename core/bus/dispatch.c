/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dispatch.c - from an access of the guest to the handlers: look-up, splitting, the region's lock.
 *
 * This is the hot path of every exit to user space: it allocates nothing, makes no system call and
 * takes no lock but the region's. Values are little-endian in data, as x86 and KVM have them.
 */
#include <errno.h>
#include <string.h>

#include "core/bus/internal.h"

static void
bus_count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void
bus_enter(struct bus_reader *reader)
{
    uint64_t epoch = atomic_load(&reader->bus->epoch);

    /* An exchange, not a store: the look-up that follows must not overtake it. */
    (void)atomic_exchange(&reader->entered, epoch);
}

static void
bus_leave(struct bus_reader *reader)
{
    atomic_store_explicit(&reader->entered, 0, memory_order_release);
}

/* One access inside the region, of a width that handlers know; rings: it is a doorbell's write. */
static uint64_t
bus_handle(struct bus_region *region, uint64_t off, uint32_t width, bool write, uint64_t val,
           bool rings)
{
    const struct bus_region_config *config = &region->config;
    uint64_t result = UINT64_MAX;

    if (rings && bus_ring(region, off, width, val)) {
        bus_count(&region->rings);
        return 0;
    }
    bus_count(write ? &region->writes : &region->reads);
    if (config->lock)
        g_mutex_lock(config->lock);
    /* Asked under the lock: it may have been freed while this thread waited. */
    if (!atomic_load_explicit(&region->gone, memory_order_acquire)) {
        if (write && config->write)
            config->write(config->self, config->id, off, val, width);
        else if (!write && config->read)
            result = config->read(config->self, config->id, off, width);
    }
    if (config->lock)
        g_mutex_unlock(config->lock);
    return result;
}

static void
bus_transfer(const struct bus_place *place, uint64_t addr, uint32_t width, void *data, bool write)
{
    uint64_t off = addr - place->base, val = 0;

    if (write) {
        memcpy(&val, data, width);
        bus_handle(place->region, off, width, true, val,
                   bus_is_bell(place->region, off, width, val));
    } else {
        val = bus_handle(place->region, off, width, false, 0, false);
        memcpy(data, &val, width);
    }
}

/* The place that covers an address, if any. */
static const struct bus_place *
bus_find_mmio(struct bus_reader *reader, uint64_t gpa)
{
    const struct bus_map *map = atomic_load(&reader->bus->map);
    unsigned low = 0, high = map->n;

    if (reader->last < map->n &&
        gpa - map->places[reader->last].base < map->places[reader->last].len)
        return &map->places[reader->last];
    while (low < high) {
        unsigned mid = (low + high) / 2;

        if (map->places[mid].base <= gpa)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0 || gpa - map->places[low - 1].base >= map->places[low - 1].len)
        return NULL;
    reader->last = low - 1;
    return &map->places[low - 1];
}

static const struct bus_place *
bus_find(struct bus_reader *reader, enum bus_space space, uint64_t addr)
{
    const struct bus_place *place;

    if (space == BUS_MMIO)
        return bus_find_mmio(reader, addr);
    if (addr >= BUS_PORTS)
        return NULL;
    place = atomic_load(&reader->bus->ports[addr]);
    /* A region is put in and taken out port by port. */
    return place && addr - place->base < place->len ? place : NULL;
}

/* An access that no single handler takes: in pieces as large as the regions under it allow. */
static void
bus_split(struct bus_reader *reader, enum bus_space space, uint64_t addr, unsigned len,
          uint8_t *data, bool write)
{
    struct bus *bus = reader->bus;
    bool unclaimed = false;
    unsigned done = 0;

    while (done < len) {
        const struct bus_place *place = NULL;
        unsigned width = 1;

        if (addr + done >= addr)
            place = bus_find(reader, space, addr + done);
        if (place) {
            uint64_t run = MIN(len - done, place->base + place->len - (addr + done));

            width = run >= 8 ? 8 : run >= 4 ? 4 : run >= 2 ? 2 : 1;
            bus_transfer(place, addr + done, width, data + done, write);
        } else {
            unclaimed = true;
            if (!write)
                data[done] = 0xff;
        }
        done += width;
    }
    if (unclaimed)
        bus_count(write ? &bus->unclaimed_writes[space] : &bus->unclaimed_reads[space]);
}

void
bus_dispatch_pio(void *opaque, uint16_t port, unsigned width, unsigned count, void *data,
                 bool write)
{
    struct bus_reader *reader = opaque;
    uint8_t *p = data;

    bus_enter(reader);
    for (; count; count--, p += width) {
        const struct bus_place *place = bus_find(reader, BUS_PIO, port);

        if (place && port - place->base + width <= place->len)
            bus_transfer(place, port, width, p, write);
        else
            bus_split(reader, BUS_PIO, port, width, p, write);
    }
    bus_leave(reader);
}

void
bus_dispatch_mmio(void *opaque, uint64_t gpa, void *data, unsigned len, bool write)
{
    struct bus_reader *reader = opaque;
    const struct bus_place *place;

    bus_enter(reader);
    place = bus_find_mmio(reader, gpa);
    if (place && gpa - place->base + len <= place->len && (len & (len - 1)) == 0)
        bus_transfer(place, gpa, len, data, write);
    else
        bus_split(reader, BUS_MMIO, gpa, len, data, write);
    bus_leave(reader);
}

int
bus_access(struct bus_region *region, uint64_t off, uint32_t width, bool write, uint64_t *val)
{
    struct bus *bus = region->bus;
    bool rings = false;
    uint64_t mask, result;

    if ((width != 1 && width != 2 && width != 4 && width != 8) || off >= region->config.len ||
        width > region->config.len - off)
        return -EINVAL;
    mask = width == 8 ? UINT64_MAX : (UINT64_C(1) << (width * 8)) - 1;
    if (write) {
        atomic_fetch_add(&bus->direct, 1);
        rings = bus_is_bell(region, off, width, *val & mask);
        atomic_fetch_sub(&bus->direct, 1);
    }
    result = bus_handle(region, off, width, write, *val & mask, rings);
    if (!write)
        *val = result & mask;
    return 0;
}
