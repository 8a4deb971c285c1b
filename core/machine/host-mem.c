/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host-mem.c - bp.mem/1 and bp.ram/1 on core/memory.
 *
 * [any] functions are on the data path: no lock, no allocation, and an unknown instance costs one
 * comparison.
 */
#include <errno.h>
#include <string.h>

#include "core/machine/host.h"
#include "core/machine/machine-private.h"

static struct memory *
memory_of(bp_inst id)
{
    struct instance *inst = instance_of(id);

    return inst ? inst->machine->memory : NULL;
}

static int
mem_read(bp_inst id, uint64_t gpa, void *buf, uint64_t len)
{
    struct memory *mem = memory_of(id);

    return mem ? memory_read(mem, gpa, buf, len) : BP_E_INVAL;
}

static int
mem_write(bp_inst id, uint64_t gpa, const void *buf, uint64_t len)
{
    struct memory *mem = memory_of(id);

    return mem ? memory_write(mem, gpa, buf, len) : BP_E_INVAL;
}

static int
mem_map(bp_inst id, uint64_t gpa, uint64_t len, uint32_t prot, struct bp_map *ret_map)
{
    struct memory *mem = memory_of(id);
    struct bp_map map = {.size = sizeof map, .prot = prot, .gpa = gpa};
    uint32_t size;
    int err;

    if (!mem || !ret_map || len == 0)
        return BP_E_INVAL;
    err = memory_map(mem, gpa, len, prot & BP_MAP_WRITE, &map.p, &map.len);
    if (err)
        return err;
    size = ret_map->size;
    memcpy(ret_map, &map, MIN(size, sizeof map));
    ret_map->size = size;
    return 0;
}

static int
mem_unmap(bp_inst id, struct bp_map *map, uint64_t dirty_off, uint64_t dirty_len)
{
    struct memory *mem = memory_of(id);

    if (!mem || !map || dirty_off > map->len || dirty_len > map->len - dirty_off)
        return BP_E_INVAL;
    if (dirty_len)
        memory_mark_dirty(mem, map->gpa + dirty_off, dirty_len);
    return 0;
}

static void
mem_dirty(bp_inst id, uint64_t gpa, uint64_t len)
{
    struct memory *mem = memory_of(id);

    if (mem)
        memory_mark_dirty(mem, gpa, len);
}

static const uint32_t *
mem_dirty_wanted(bp_inst id)
{
    struct memory *mem = memory_of(id);

    return mem ? memory_logs(mem) : NULL;
}

const struct bp_mem_if *
host_mem(void)
{
    static const struct bp_mem_if table = {
        .size = sizeof table,
        .read = mem_read,
        .write = mem_write,
        .map = mem_map,
        .unmap = mem_unmap,
        .dirty = mem_dirty,
        .dirty_wanted = mem_dirty_wanted,
    };
    return &table;
}

/* One bp_ram: a region of core/memory, and whether it has a dirty log. */
struct host_ram {
    struct memory_region *region;
};

/* Makes a new region, or none and then why, the instance's. */
static int
ram_add(struct instance *inst, struct memory_region *region, uint32_t flags, const GError *why,
        bp_ram *ret_ram)
{
    struct host_ram *ram;

    if (!region) {
        instance_fail(inst, why->message);
        return BP_E_NOMEM;
    }
    if ((flags & BP_RAM_DIRTY) && memory_region_log(region, true) != 0) {
        memory_region_free(region);
        return BP_E_NOMEM;
    }
    ram = g_new0(struct host_ram, 1);
    ram->region = region;
    ret_ram->v = handles_add(inst->handles, HANDLE_RAM, ram);
    if (!ret_ram->v) {
        host_fini_ram(ram);
        return BP_E_NOSPC;
    }
    return 0;
}

static int
ram_create(bp_inst id, const char *name, uint64_t len, uint32_t flags, bp_ram *ret_ram,
           void **ret_p)
{
    struct instance *inst = instance_of(id);
    g_autofree char *full = NULL;
    g_autoptr(GError) error = NULL;
    struct memory_region *region;
    int err;

    if (!inst || !name || !ret_ram || !ret_p || len == 0 || len % MEMORY_PAGE_SIZE)
        return BP_E_INVAL;
    if (!instance_take_name(inst, HANDLE_RAM, name))
        return BP_E_EXIST;
    full = g_strdup_printf("%s.%s", inst->conf->id, name);
    region = memory_region_new(inst->machine->memory,
                               flags & BP_RAM_ROM ? MEMORY_ROM : MEMORY_DEVICE, full, len, &error);
    err = ram_add(inst, region, flags, error, ret_ram);
    if (!err)
        *ret_p = memory_region_host(region);
    return err;
}

/* An instance's objects end newest first, so an alias ends before what it is an alias of. */
static int
ram_alias(bp_inst id, const char *name, bp_ram r, uint64_t off, uint64_t len, uint32_t flags,
          bp_ram *ret_ram)
{
    struct instance *inst = instance_of(id);
    struct host_ram *of = inst ? handles_get(inst->handles, HANDLE_RAM, r.v) : NULL;
    g_autofree char *full = NULL;
    g_autoptr(GError) error = NULL;
    uint64_t has = of ? memory_region_len(of->region) : 0;

    if (!of || !name || !ret_ram || len == 0 || (off | len) % MEMORY_PAGE_SIZE || off > has ||
        len > has - off)
        return BP_E_INVAL;
    if (!instance_take_name(inst, HANDLE_RAM, name))
        return BP_E_EXIST;
    full = g_strdup_printf("%s.%s", inst->conf->id, name);
    return ram_add(inst, memory_region_new_alias(of->region, off, len, full, &error), flags, error,
                   ret_ram);
}

/* What is in the way of a range that the RAM does not touch now. memory_region_place() refuses
 * other RAM; registers would only be hidden by it. */
static bool
ram_meets_registers(struct instance *inst, const struct host_ram *ram, uint64_t gpa)
{
    uint64_t len = memory_region_len(ram->region), old;

    if (memory_region_placed(ram->region, &old) && gpa < old + len && old < gpa + len)
        return false;
    return bus_overlap(inst->machine->bus, BUS_MMIO, gpa, len, NULL) != NULL;
}

static int
ram_place(bp_inst id, bp_ram r, uint64_t gpa)
{
    struct instance *inst = instance_of(id);
    struct host_ram *ram = inst ? handles_get(inst->handles, HANDLE_RAM, r.v) : NULL;

    if (!ram)
        return BP_E_INVAL;
    if (gpa == BP_RAM_NOWHERE) {
        memory_region_unplace(ram->region);
        return 0;
    }
    if (ram_meets_registers(inst, ram, gpa))
        return BP_E_BUSY;
    return memory_region_place(ram->region, gpa);
}

static int
ram_dirty(bp_inst id, bp_ram r, uint64_t off, uint64_t len, void *ret_bits, uint64_t bytes)
{
    struct instance *inst = instance_of(id);
    struct host_ram *ram = inst ? handles_get(inst->handles, HANDLE_RAM, r.v) : NULL;
    uint64_t pages = len / MEMORY_PAGE_SIZE + (len % MEMORY_PAGE_SIZE != 0);

    if (!ram || !ret_bits || bytes < pages / 8 + (pages % 8 != 0))
        return BP_E_INVAL;
    return (int)MIN(memory_region_fetch_dirty(ram->region, off, len, ret_bits), INT32_MAX);
}

const struct bp_ram_if *
host_ram(void)
{
    static const struct bp_ram_if table = {
        .size = sizeof table,
        .create = ram_create,
        .place = ram_place,
        .dirty = ram_dirty,
        .alias = ram_alias,
    };
    return &table;
}

void
host_fini_ram(void *object)
{
    struct host_ram *ram = object;

    memory_region_free(ram->region);
    g_free(ram);
}
