/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bus.c - regions: making, placing, moving, freeing; who covers what.
 */
#include "config.h"

#include "core/bus/bus.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "core/bus/internal.h"

struct bus *
bus_new(bus_overlap_fn overlap, void *ctx)
{
    struct bus *bus = g_new0(struct bus, 1);
    size_t len = BUS_PORTS * sizeof *bus->ports;

    /* Half a MiB of address space; a page of it is touched where a region is. */
    bus->ports =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bus->ports == MAP_FAILED)
        g_error("cannot map %zu bytes for the table of ports: %s", len, g_strerror(errno));
    (void)madvise(bus->ports, len, MADV_NOHUGEPAGE);
    atomic_store(&bus->map, g_malloc0(sizeof(struct bus_map)));
    atomic_store(&bus->epoch, 1);
    g_mutex_init(&bus->lock);
    bus->regions = g_ptr_array_new();
    bus->readers = g_ptr_array_new();
    bus->reservations = g_array_new(FALSE, FALSE, sizeof(struct bus_reservation));
    bus->overlap = overlap;
    bus->overlap_ctx = ctx;
    return bus;
}

static void
region_destroy(gpointer data)
{
    struct bus_region *region = data;

    g_free(atomic_load(&region->bells));
    g_free(region->port_place);
    g_free(region->name);
    g_free(region);
}

void
bus_free(struct bus *bus)
{
    if (bus == NULL)
        return;
    g_assert(bus->readers->len == 0);
    g_mutex_lock(&bus->lock);
    for (unsigned i = 0; i < bus->regions->len; i++) {
        bus_bells_orphan(bus->regions->pdata[i]);
        region_destroy(bus->regions->pdata[i]);
    }
    bus_reclaim(bus, true);
    g_mutex_unlock(&bus->lock);
    for (unsigned i = 0; i < bus->reservations->len; i++)
        g_free(g_array_index(bus->reservations, struct bus_reservation, i).name);
    g_array_free(bus->reservations, TRUE);
    g_ptr_array_free(bus->regions, TRUE);
    g_ptr_array_free(bus->readers, TRUE);
    g_free(atomic_load(&bus->map));
    munmap(bus->ports, BUS_PORTS * sizeof *bus->ports);
    g_mutex_clear(&bus->lock);
    g_free(bus);
}

int
bus_region_new(struct bus *bus, const struct bus_region_config *config,
               struct bus_region **ret_region)
{
    struct bus_region *region;

    if (config->len == 0 || (config->space == BUS_PIO && config->len > BUS_PORTS))
        return -EINVAL;
    region = g_new0(struct bus_region, 1);
    region->bus = bus;
    region->config = *config;
    region->config.name = region->name = g_strdup(config->name);
    atomic_store(&region->base, BUS_NOWHERE);
    g_mutex_lock(&bus->lock);
    g_ptr_array_add(bus->regions, region);
    g_mutex_unlock(&bus->lock);
    *ret_region = region;
    return 0;
}

/* ---- Who covers what, under bus->lock ------------------------------------------------------- */

static bool
ranges_meet(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
    return a < b ? b - a < a_len : a - b < b_len;
}

/*
 * Name of what covers part of [base, base + len) and, if that has a last byte, the first address
 * behind it; of RAM only the name is known and *ret_end is left alone.
 */
static const char *
bus_blocker(struct bus *bus, enum bus_space space, uint64_t base, uint64_t len,
            const struct bus_region *except, uint64_t *ret_end)
{
    const struct bus_map *map = atomic_load(&bus->map);

    for (unsigned i = 0; i < bus->reservations->len; i++) {
        const struct bus_reservation *r =
            &g_array_index(bus->reservations, struct bus_reservation, i);

        if (r->space == space && ranges_meet(r->base, r->len, base, len)) {
            *ret_end = r->base + r->len;
            return r->name;
        }
    }
    if (space == BUS_PIO) {
        for (uint64_t port = base; port < base + len && port < BUS_PORTS; port++) {
            const struct bus_place *place = atomic_load(&bus->ports[port]);

            if (place && place->region != except) {
                *ret_end = place->base + place->len;
                return place->region->name;
            }
        }
        return NULL;
    }
    for (unsigned i = 0; i < map->n; i++)
        if (map->places[i].region != except &&
            ranges_meet(map->places[i].base, map->places[i].len, base, len)) {
            *ret_end = map->places[i].base + map->places[i].len;
            return map->places[i].region->name;
        }
    return bus->overlap ? bus->overlap(bus->overlap_ctx, base, len) : NULL;
}

/* False when the range leaves its address space. */
static bool
bus_range_valid(enum bus_space space, uint64_t base, uint64_t len)
{
    if (space == BUS_PIO)
        return base < BUS_PORTS && len <= BUS_PORTS - base;
    /* Not up to 2^64 itself either, so that base + len never wraps. */
    return space == BUS_MMIO && len <= UINT64_MAX - base;
}

const char *
bus_overlap(struct bus *bus, enum bus_space space, uint64_t base, uint64_t len,
            const struct bus_region *except)
{
    const char *name = NULL;
    uint64_t end;

    g_mutex_lock(&bus->lock);
    if (len && bus_range_valid(space, base, len))
        name = bus_blocker(bus, space, base, len, except, &end);
    g_mutex_unlock(&bus->lock);
    return name;
}

int
bus_reserve(struct bus *bus, enum bus_space space, uint64_t base, uint64_t len, const char *name)
{
    struct bus_reservation reservation = {space, base, len, NULL};
    uint64_t end;
    int err = 0;

    if (len == 0 || !bus_range_valid(space, base, len))
        return -EINVAL;
    g_mutex_lock(&bus->lock);
    if (bus_blocker(bus, space, base, len, NULL, &end)) {
        err = -EBUSY;
    } else {
        reservation.name = g_strdup(name);
        g_array_append_val(bus->reservations, reservation);
    }
    g_mutex_unlock(&bus->lock);
    return err;
}

/* base rounded up, or UINT64_MAX when that is beyond everything. */
static uint64_t
align_up(uint64_t base, uint64_t align)
{
    return base > UINT64_MAX - (align - 1) ? UINT64_MAX : (base + align - 1) & ~(align - 1);
}

int
bus_find_free(struct bus *bus, enum bus_space space, uint64_t lo, uint64_t hi, uint64_t len,
              uint64_t align, uint64_t *ret_base)
{
    uint64_t base;
    int err = -ENOSPC;

    if (len == 0 || (space != BUS_PIO && space != BUS_MMIO) || (align & (align - 1)) ||
        (align == 0 && len > UINT64_C(1) << 63))
        return -EINVAL;
    if (align == 0)
        for (align = 1; align < len; align *= 2)
            continue;
    if (space == BUS_PIO && hi > BUS_PORTS)
        hi = BUS_PORTS;
    g_mutex_lock(&bus->lock);
    base = align_up(lo, align);
    while (base < hi && len <= hi - base) {
        uint64_t end = 0;

        if (!bus_blocker(bus, space, base, len, NULL, &end)) {
            *ret_base = base;
            err = 0;
            break;
        }
        /* RAM comes in pages, and has no end here. */
        base = align_up(end ? end : align_up(base + 1, 4096), align);
    }
    g_mutex_unlock(&bus->lock);
    return err;
}

/* ---- Placing, under bus->lock --------------------------------------------------------------- */

static void
place_ports(struct bus_region *region, uint64_t base)
{
    struct bus *bus = region->bus;
    struct bus_place *old = region->port_place, *place = NULL;

    if (base != BUS_NOWHERE) {
        place = g_new(struct bus_place, 1);
        *place = (struct bus_place){base, region->config.len, region};
        for (uint64_t i = 0; i < place->len; i++)
            atomic_store(&bus->ports[base + i], place);
    }
    if (old) {
        for (uint64_t i = 0; i < old->len; i++)
            if (atomic_load(&bus->ports[old->base + i]) == old)
                atomic_store(&bus->ports[old->base + i], NULL);
        bus_retire(bus, old, g_free);
    }
    region->port_place = place;
}

static void
place_mmio(struct bus_region *region, uint64_t base)
{
    struct bus *bus = region->bus;
    struct bus_map *old = atomic_load(&bus->map);
    struct bus_map *map = g_malloc(sizeof *map + (old->n + 1) * sizeof map->places[0]);
    bool done = base == BUS_NOWHERE;

    map->n = 0;
    for (unsigned i = 0; i < old->n; i++) {
        if (old->places[i].region == region)
            continue;
        if (!done && old->places[i].base > base) {
            map->places[map->n++] = (struct bus_place){base, region->config.len, region};
            done = true;
        }
        map->places[map->n++] = old->places[i];
    }
    if (!done)
        map->places[map->n++] = (struct bus_place){base, region->config.len, region};
    atomic_store(&bus->map, map);
    bus_retire(bus, old, g_free);
}

static void
region_put(struct bus_region *region, uint64_t base)
{
    uint64_t old = atomic_load(&region->base);

    if (region->config.space == BUS_PIO)
        place_ports(region, base);
    else
        place_mmio(region, base);
    bus_from_kernel(region, old);
    atomic_store(&region->base, base);
    bus_to_kernel(region, base);
    bus_reclaim(region->bus, false);
}

int
bus_region_place(struct bus_region *region, uint64_t base)
{
    const struct bus_region_config *config = &region->config;
    struct bus *bus = region->bus;
    uint64_t end;
    int err = 0;

    if (base != BUS_NOWHERE && !bus_range_valid(config->space, base, config->len))
        return -EINVAL;
    g_mutex_lock(&bus->lock);
    if (atomic_load(&region->base) != base) {
        if (base != BUS_NOWHERE && bus_blocker(bus, config->space, base, config->len, region, &end))
            err = -EBUSY;
        else
            region_put(region, base);
    }
    g_mutex_unlock(&bus->lock);
    return err;
}

void
bus_region_free(struct bus_region *region)
{
    struct bus *bus;

    if (region == NULL)
        return;
    bus = region->bus;
    g_mutex_lock(&bus->lock);
    atomic_store(&region->gone, true);
    bus_bells_orphan(region);
    if (atomic_load(&region->base) != BUS_NOWHERE)
        region_put(region, BUS_NOWHERE);
    g_ptr_array_remove_fast(bus->regions, region);
    bus_retire(bus, region, region_destroy);
    bus_reclaim(bus, false);
    g_mutex_unlock(&bus->lock);
}

uint64_t
bus_region_base(const struct bus_region *region)
{
    return atomic_load(&region->base);
}

uint64_t
bus_region_len(const struct bus_region *region)
{
    return region->config.len;
}

enum bus_space
bus_region_space(const struct bus_region *region)
{
    return region->config.space;
}

const char *
bus_region_name(const struct bus_region *region)
{
    return region->name;
}

/* ---- Statistics ----------------------------------------------------------------------------- */

static uint64_t
stat_load(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

unsigned
bus_stats(struct bus *bus, struct bus_stat *stats, unsigned max)
{
    unsigned n;

    g_mutex_lock(&bus->lock);
    n = bus->regions->len;
    for (unsigned i = 0; i < n && i < max; i++) {
        struct bus_region *region = bus->regions->pdata[i];

        stats[i] = (struct bus_stat){.name = region->name,
                                     .space = region->config.space,
                                     .base = atomic_load(&region->base),
                                     .len = region->config.len,
                                     .reads = stat_load(&region->reads),
                                     .writes = stat_load(&region->writes),
                                     .rings = stat_load(&region->rings)};
    }
    for (unsigned space = BUS_PIO; space <= BUS_MMIO; space++, n++)
        if (n < max)
            stats[n] = (struct bus_stat){.name = "(unclaimed)",
                                         .space = space,
                                         .base = BUS_NOWHERE,
                                         .reads = stat_load(&bus->unclaimed_reads[space]),
                                         .writes = stat_load(&bus->unclaimed_writes[space])};
    g_mutex_unlock(&bus->lock);
    return n;
}
