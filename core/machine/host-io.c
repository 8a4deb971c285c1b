/* SPDX-License-Identifier: BSD-3-Clause */
/* host-io.c - bp.io/1 on core/bus. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/machine/host.h"
#include "core/machine/machine-private.h"

/* The parts of a region that both sides need to find again. */
struct host_region {
    struct instance *inst;
    struct bus_region *region;
    struct bp_region_ops ops;
};

static struct host_region *
region_of(bp_inst id, bp_region r)
{
    struct instance *inst = instance_of(id);

    return inst ? handles_get(inst->handles, HANDLE_REGION, r.v) : NULL;
}

/* Copies a struct that the plugin may have compiled shorter or longer than we know it. */
static void
take_struct(void *to, uint32_t to_size, const void *from, uint32_t from_size)
{
    memset(to, 0, to_size);
    memcpy(to, from, MIN(to_size, from_size));
}

static gboolean
space_of(uint32_t kind, enum bus_space *ret_space)
{
    switch (kind) {
    case BP_REGION_PIO:
        *ret_space = BUS_PIO;
        return TRUE;
    case BP_REGION_MMIO:
        *ret_space = BUS_MMIO;
        return TRUE;
    case BP_REGION_BUS:
        *ret_space = BUS_INDIRECT;
        return TRUE;
    default:
        return FALSE;
    }
}

static int
io_region(bp_inst id, const struct bp_region_desc *plugin_desc, bp_region *ret_region)
{
    struct instance *inst = instance_of(id);
    struct bp_region_desc desc;
    struct host_region *hr;
    struct bus_region_config config = {0};
    g_autofree char *name = NULL;
    int err;

    if (!inst || !plugin_desc || !ret_region)
        return BP_E_INVAL;
    take_struct(&desc, sizeof desc, plugin_desc, plugin_desc->size);
    if (!desc.name || !desc.ops || !space_of(desc.kind, &config.space))
        return BP_E_INVAL;
    if (!instance_take_name(inst, HANDLE_REGION, desc.name))
        return BP_E_EXIST;
    hr = g_new0(struct host_region, 1);
    hr->inst = inst;
    take_struct(&hr->ops, sizeof hr->ops, desc.ops, desc.ops->size);
    name = g_strdup_printf("%s: %s", inst->conf->id, desc.name);
    config.posted = desc.flags & BP_REGION_POSTED;
    config.len = desc.len;
    config.name = name;
    config.read = hr->ops.read;
    config.write = hr->ops.write;
    config.self = desc.self ? desc.self : inst->self;
    config.id = desc.id;
    config.lock = inst->cls->c.flags & BP_C_PARALLEL ? NULL : &inst->domain->lock;
    err = bus_region_new(inst->machine->bus, &config, &hr->region);
    if (err) {
        g_free(hr);
        return err;
    }
    ret_region->v = handles_add(inst->handles, HANDLE_REGION, hr);
    if (!ret_region->v) {
        host_fini_region(hr);
        return BP_E_NOSPC;
    }
    return 0;
}

void
host_fini_region(void *object)
{
    struct host_region *hr = object;

    bus_region_free(hr->region);
    g_free(hr);
}

static int
place_auto(struct host_region *hr)
{
    struct bus *bus = hr->inst->machine->bus;
    gboolean pio = bus_region_space(hr->region) == BUS_PIO;
    uint64_t len = bus_region_len(hr->region), base;
    int err;

    /* A page of its own for each MMIO region, so that none shares one with a ROM or a doorbell. */
    err =
        bus_find_free(bus, bus_region_space(hr->region), pio ? MACHINE_AUTO_PIO : MACHINE_AUTO_BASE,
                      pio ? MACHINE_AUTO_PIO_END : MACHINE_AUTO_END,
                      pio ? len : MAX(len, MEMORY_PAGE_SIZE), pio ? 0 : MEMORY_PAGE_SIZE, &base);
    return err ? err : bus_region_place(hr->region, base);
}

static int
io_place(bp_inst id, bp_region r, uint64_t base)
{
    struct host_region *hr = region_of(id, r);
    enum bus_space space;
    const char *other;
    int err;

    if (!hr)
        return BP_E_INVAL;
    space = bus_region_space(hr->region);
    if (space == BUS_INDIRECT)
        return BP_E_INVAL;
    if (base == BP_IO_AUTO) {
        err = place_auto(hr);
        if (err == -ENOSPC)
            instance_fail(hr->inst, "no address is left for another device of this kind");
        return err;
    }
    err = bus_region_place(hr->region, base == BP_IO_NOWHERE ? BUS_NOWHERE : base);
    if (err == -EBUSY && hr->inst->stage < INSTANCE_REALIZED) {
        uint64_t len = bus_region_len(hr->region);
        g_autofree char *text = NULL;

        other = bus_overlap(hr->inst->machine->bus, space, base, len, hr->region);
        text = g_strdup_printf("%s 0x%" PRIx64 "-0x%" PRIx64
                               " clash with those of %s; give one of the two another address",
                               space == BUS_PIO ? "ports" : "addresses", base, base + len - 1,
                               other ? other : "another section");
        instance_fail(hr->inst, text);
    }
    return err;
}

static uint64_t
io_where(bp_inst id, bp_region r)
{
    struct host_region *hr = region_of(id, r);
    uint64_t base = hr ? bus_region_base(hr->region) : BUS_NOWHERE;

    return base == BUS_NOWHERE ? BP_IO_NOWHERE : base;
}

static int
io_doorbell(bp_inst id, bp_region r, uint64_t off, uint32_t width, int64_t match, uint32_t cookie,
            bp_event *ret_event)
{
    struct host_region *hr = region_of(id, r);

    if (!hr || !ret_event)
        return BP_E_INVAL;
    return host_event_doorbell(hr->inst, hr->region, off, width, match, cookie, ret_event);
}

static int
io_doorbell_fd(bp_inst id, bp_event bell, uint32_t taken, int *ret_fd)
{
    return host_event_doorbell_fd(id, bell, taken != 0, ret_fd);
}

static int
io_access(bp_inst dev, bp_region r, uint64_t off, uint32_t width, uint32_t write, uint64_t *val)
{
    struct host_region *hr = region_of(dev, r);

    return hr && val ? bus_access(hr->region, off, width, write, val) : BP_E_INVAL;
}

const struct bp_io_if *
host_io(void)
{
    static const struct bp_io_if table = {
        .size = sizeof table,
        .region = io_region,
        .place = io_place,
        .where = io_where,
        .doorbell = io_doorbell,
        .access = io_access,
        .doorbell_fd = io_doorbell_fd,
    };
    return &table;
}
