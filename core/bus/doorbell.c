/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doorbell.c - writes that become eventfd signals, by the kernel or here; regions whose writes the
 * kernel keeps for a while.
 *
 * Every doorbell also works in user space: while its region moves, where the kernel does not take
 * it, through bus_access(), and without any VM. A reader looks at the region's published list of
 * doorbells without a lock; only for a write that is in it does it take the bus's lock, see that
 * the doorbell is still there, and write the eventfd, so that its owner may close it at any time.
 */
#include <errno.h>
#include <unistd.h>

#include "core/bus/internal.h"

static bool
bell_matches(const struct bus_bell *bell, uint64_t off, uint32_t width, uint64_t val)
{
    return bell->off == off && (bell->width == 0 || bell->width == width) &&
           (bell->match < 0 || (uint64_t)bell->match == val);
}

bool
bus_is_bell(struct bus_region *region, uint64_t off, uint32_t width, uint64_t val)
{
    const struct bus_bells *bells = atomic_load(&region->bells);

    for (unsigned i = 0; bells && i < bells->n; i++)
        if (bell_matches(&bells->bells[i], off, width, val))
            return true;
    return false;
}

bool
bus_ring(struct bus_region *region, uint64_t off, uint32_t width, uint64_t val)
{
    struct bus *bus = region->bus;
    const uint64_t one = 1;
    bool rung = false;

    g_mutex_lock(&bus->lock);
    for (unsigned i = 0; region->doorbells && i < region->doorbells->len && !rung; i++) {
        struct bus_doorbell *bell = region->doorbells->pdata[i];

        if (bell_matches(&bell->write, off, width, val)) {
            /* EAGAIN: so full of signals that another would change nothing. */
            rung = write(bell->fd, &one, sizeof one) > 0 || errno == EAGAIN;
        }
    }
    g_mutex_unlock(&bus->lock);
    return rung;
}

/* ---- What the kernel knows, under bus->lock ------------------------------------------------- */

static void
bell_to_kernel(struct bus_region *region, struct bus_doorbell *bell, uint64_t base)
{
    struct bus *bus = region->bus;

    if (bus->kernel && !bell->in_kernel && base != BUS_NOWHERE)
        bell->in_kernel =
            bus->kernel->ioeventfd(bus->kernel_ctx, true, region->config.space == BUS_PIO,
                                   base + bell->write.off, bell->write.width, bell->write.match,
                                   bell->fd) == 0;
}

static void
bell_from_kernel(struct bus_region *region, struct bus_doorbell *bell, uint64_t base)
{
    struct bus *bus = region->bus;

    if (bell->in_kernel)
        (void)bus->kernel->ioeventfd(bus->kernel_ctx, false, region->config.space == BUS_PIO,
                                     base + bell->write.off, bell->write.width, bell->write.match,
                                     bell->fd);
    bell->in_kernel = false;
}

void
bus_to_kernel(struct bus_region *region, uint64_t base)
{
    const struct bus_region_config *config = &region->config;
    struct bus *bus = region->bus;

    for (unsigned i = 0; region->doorbells && i < region->doorbells->len; i++)
        bell_to_kernel(region, region->doorbells->pdata[i], base);
    if (bus->kernel && config->posted && !region->in_kernel && base != BUS_NOWHERE)
        region->in_kernel = bus->kernel->post(bus->kernel_ctx, true, config->space == BUS_PIO, base,
                                              config->len) == 0;
}

void
bus_from_kernel(struct bus_region *region, uint64_t base)
{
    const struct bus_region_config *config = &region->config;
    struct bus *bus = region->bus;

    for (unsigned i = 0; region->doorbells && i < region->doorbells->len; i++)
        bell_from_kernel(region, region->doorbells->pdata[i], base);
    if (region->in_kernel)
        (void)bus->kernel->post(bus->kernel_ctx, false, config->space == BUS_PIO, base,
                                config->len);
    region->in_kernel = false;
}

void
bus_attach(struct bus *bus, const struct bus_kernel_ops *ops, void *ctx)
{
    g_mutex_lock(&bus->lock);
    g_assert(bus->kernel == NULL);
    bus->kernel = ops;
    bus->kernel_ctx = ctx;
    for (unsigned i = 0; i < bus->regions->len; i++) {
        struct bus_region *region = bus->regions->pdata[i];

        bus_to_kernel(region, atomic_load(&region->base));
    }
    g_mutex_unlock(&bus->lock);
}

void
bus_detach(struct bus *bus)
{
    g_mutex_lock(&bus->lock);
    for (unsigned i = 0; i < bus->regions->len; i++) {
        struct bus_region *region = bus->regions->pdata[i];

        bus_from_kernel(region, atomic_load(&region->base));
    }
    bus->kernel = NULL;
    g_mutex_unlock(&bus->lock);
}

/* ---- Adding and removing -------------------------------------------------------------------- */

/* Publish what the region's doorbells are now. */
static void
bells_publish(struct bus_region *region)
{
    unsigned n = region->doorbells->len;
    struct bus_bells *old = atomic_load(&region->bells), *bells = NULL;

    if (n) {
        bells = g_malloc(sizeof *bells + n * sizeof bells->bells[0]);
        bells->n = n;
        for (unsigned i = 0; i < n; i++)
            bells->bells[i] = ((struct bus_doorbell *)region->doorbells->pdata[i])->write;
    }
    atomic_store(&region->bells, bells);
    bus_retire(region->bus, old, g_free);
    bus_reclaim(region->bus, false);
}

void
bus_bells_orphan(struct bus_region *region)
{
    if (region->doorbells == NULL)
        return;
    for (unsigned i = 0; i < region->doorbells->len; i++)
        bell_from_kernel(region, region->doorbells->pdata[i], atomic_load(&region->base));
    for (unsigned i = 0; i < region->doorbells->len; i++)
        ((struct bus_doorbell *)region->doorbells->pdata[i])->region = NULL;
    g_ptr_array_free(region->doorbells, TRUE);
    region->doorbells = NULL;
}

int
bus_doorbell_add(struct bus_region *region, uint64_t off, uint32_t width, int64_t match, int fd,
                 struct bus_doorbell **ret_bell)
{
    const struct bus_bell write = {off, width, match < 0 ? -1 : match};
    struct bus *bus = region->bus;
    struct bus_doorbell *bell;

    if ((width != 0 && width != 1 && width != 2 && width != 4 && width != 8) ||
        off >= region->config.len || width > region->config.len - off ||
        (match >= 0 && width && width < 8 && match >> (width * 8) != 0))
        return -EINVAL;
    g_mutex_lock(&bus->lock);
    if (region->doorbells == NULL)
        region->doorbells = g_ptr_array_new();
    for (unsigned i = 0; i < region->doorbells->len; i++) {
        const struct bus_bell *other = &((struct bus_doorbell *)region->doorbells->pdata[i])->write;

        if (other->off == off && (other->width == width || !other->width || !width) &&
            (other->match == write.match || other->match < 0 || write.match < 0)) {
            g_mutex_unlock(&bus->lock);
            return -EEXIST;
        }
    }
    bell = g_new0(struct bus_doorbell, 1);
    bell->bus = bus;
    bell->region = region;
    bell->write = write;
    bell->fd = fd;
    g_ptr_array_add(region->doorbells, bell);
    bells_publish(region);
    bell_to_kernel(region, bell, atomic_load(&region->base));
    g_mutex_unlock(&bus->lock);
    *ret_bell = bell;
    return 0;
}

void
bus_doorbell_remove(struct bus_doorbell *bell)
{
    struct bus *bus;

    if (bell == NULL)
        return;
    bus = bell->bus;
    g_mutex_lock(&bus->lock);
    if (bell->region) {
        bell_from_kernel(bell->region, bell, atomic_load(&bell->region->base));
        g_ptr_array_remove_fast(bell->region->doorbells, bell);
        bells_publish(bell->region);
    }
    g_mutex_unlock(&bus->lock);
    g_free(bell);
}
