/* SPDX-License-Identifier: BSD-3-Clause */
/* host-machine.c - bp.machine/1: what platform devices know of and ask from the whole. */
#include <errno.h>
#include <string.h>

#include "core/kvm/cpuid.h"
#include "core/machine/host.h"
#include "core/machine/machine-private.h"

static int
machine_info(bp_inst id, struct bp_machine_info *ret_info)
{
    struct instance *inst = instance_of(id);
    struct bp_machine_info info = {.size = sizeof info};
    const struct machine *m;
    uint64_t high;
    uint32_t size;
    unsigned bits;

    if (!inst || !ret_info)
        return BP_E_INVAL;
    m = inst->machine;
    bits = m->vm ? vm_phys_bits(m->vm) : cpuid_host_phys_bits();
    high = memory_high_end(m->memory);
    info.cpus = m->config->machine.cpus;
    info.ram_low = memory_low_end(m->memory);
    info.ram_high = high - MEMORY_HIGH_BASE;
    info.mmio32_base = MACHINE_MMIO32_BASE;
    info.mmio32_len = m->mmio32_end - MACHINE_MMIO32_BASE;
    /* Above RAM, aligned to what the largest BAR of a bus may need; at most a quarter of the space,
     * which leaves room for memory to grow on hosts with few address bits. */
    info.mmio64_base = (high + (UINT64_C(1) << 34)) & ~((UINT64_C(1) << 34) - 1);
    if (bits < 64 && info.mmio64_base < UINT64_C(1) << bits)
        info.mmio64_len = MIN((UINT64_C(1) << bits) - info.mmio64_base, UINT64_C(1) << 38);
    info.gsis = VM_GSIS;
    info.lapic_base = VM_LAPIC_BASE;
    info.ioapic_base = VM_IOAPIC_BASE;
    info.flags = (m->config->boot.firmware ? (uint32_t)BP_MACHINE_FIRMWARE : 0) |
                 (boot_is_linux(m->boot) ? (uint32_t)BP_MACHINE_LINUX : 0);
    size = ret_info->size;
    memcpy(ret_info, &info, MIN(size, sizeof info));
    ret_info->size = size;
    return 0;
}

static int
machine_if_request(bp_inst id, uint32_t what, uint32_t arg)
{
    struct instance *inst = instance_of(id);

    if (!inst || what < BP_REQ_POWEROFF || what > BP_REQ_FAULT)
        return BP_E_INVAL;
    if (what == BP_REQ_FAULT)
        machine_fault(inst->machine, g_strdup_printf("%s: the guest cannot go on", inst->conf->id));
    else
        machine_request(inst->machine, what, arg);
    return 0;
}

static int
machine_reserve(bp_inst id, uint64_t base, uint64_t len, uint32_t type)
{
    struct instance *inst = instance_of(id);

    return inst ? e820_reserve(inst->machine->e820, base, len, type) : BP_E_INVAL;
}

static int
machine_publish(bp_inst id, const char *key, uint64_t value)
{
    struct instance *inst = instance_of(id);
    struct machine *m;

    if (!inst || !key)
        return BP_E_INVAL;
    m = inst->machine;
    g_mutex_lock(&m->published_lock);
    g_hash_table_replace(m->published, g_strdup(key), g_memdup2(&value, sizeof value));
    g_mutex_unlock(&m->published_lock);
    return 0;
}

static int
machine_lookup(bp_inst id, const char *key, uint64_t *ret_value)
{
    struct instance *inst = instance_of(id);
    const uint64_t *value;
    struct machine *m;

    if (!inst || !key || !ret_value)
        return BP_E_INVAL;
    m = inst->machine;
    g_mutex_lock(&m->published_lock);
    value = g_hash_table_lookup(m->published, key);
    if (value)
        *ret_value = *value;
    g_mutex_unlock(&m->published_lock);
    return value ? 0 : BP_E_NOENT;
}

/* From the top, so that what is left stays one window with its base. */
static int
machine_claim(bp_inst id, uint64_t len, uint64_t *ret_base)
{
    struct instance *inst = instance_of(id);
    struct machine *m;
    uint64_t align = 1, base;
    int err = 0;

    if (!inst || !ret_base || len == 0 || len > MACHINE_MMIO32_END - MACHINE_MMIO32_BASE)
        return BP_E_INVAL;
    while (align < len)
        align <<= 1;
    m = inst->machine;
    g_mutex_lock(&m->published_lock);
    base = (m->mmio32_end - len) & ~(align - 1);
    if (m->mmio32_end - MACHINE_MMIO32_BASE < len || base < MACHINE_MMIO32_BASE) {
        err = BP_E_NOSPC;
    } else {
        m->mmio32_end = base;
        *ret_base = base;
    }
    g_mutex_unlock(&m->published_lock);
    return err;
}

static int
machine_map(bp_inst id, uint32_t index, struct bp_machine_range *ret_range)
{
    struct instance *inst = instance_of(id);
    struct bp_machine_range range = {.size = sizeof range};
    const struct e820_entry *entries;
    uint32_t size;
    unsigned n;

    if (!inst || !ret_range)
        return BP_E_INVAL;
    entries = e820_entries(inst->machine->e820, &n);
    if (index >= n)
        return BP_E_RANGE;
    range.type = entries[index].type;
    range.base = entries[index].base;
    range.len = entries[index].len;
    size = ret_range->size;
    memcpy(ret_range, &range, MIN(size, sizeof range));
    ret_range->size = size;
    return 0;
}

static uint64_t
shadow_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    uint64_t val = 0;

    (void)id;
    memory_shadow_access(self, MEMORY_SHADOW_BASE + off, &val, width, false);
    return val;
}

static void
shadow_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    (void)id;
    memory_shadow_access(self, MEMORY_SHADOW_BASE + off, &val, width, true);
}

/* What comes out to the bus there is answered behind the RAM and ROM that is in front. */
static int
shadow_begin(struct instance *inst)
{
    const struct bus_region_config config = {
        .space = BUS_MMIO,
        .len = MEMORY_SHADOW_END - MEMORY_SHADOW_BASE,
        .name = "shadow RAM",
        .read = shadow_read,
        .write = shadow_write,
        .self = inst->machine->memory,
    };
    g_autoptr(GError) error = NULL;
    struct bus_region *region;
    int err;

    if (inst->stage >= INSTANCE_REALIZED)
        return BP_E_INVAL;
    if (!memory_shadow_new(inst->machine->memory, &error)) {
        instance_fail(inst, error->message);
        return BP_E_NOMEM;
    }
    err = bus_region_new(inst->machine->bus, &config, &region);
    if (err)
        return err;
    err = bus_region_place(region, MEMORY_SHADOW_BASE);
    if (err) {
        instance_fail(inst, "something else answers between 0xc0000 and 1 MiB");
        bus_region_free(region);
        return err;
    }
    inst->machine->shadow_owner = inst;
    return 0;
}

static int
machine_shadow(bp_inst id, uint64_t base, uint64_t len, uint32_t access)
{
    struct instance *inst = instance_of(id);
    int err;

    if (!inst || access > (BP_SHADOW_READ | BP_SHADOW_WRITE))
        return BP_E_INVAL;
    if (inst->machine->shadow_owner && inst->machine->shadow_owner != inst)
        return BP_E_BUSY;
    if (!inst->machine->shadow_owner && (err = shadow_begin(inst)))
        return err;
    return memory_shadow_set(inst->machine->memory, base, len, access);
}

const struct bp_machine_if *
host_machine(void)
{
    static const struct bp_machine_if table = {
        .size = sizeof table,
        .info = machine_info,
        .request = machine_if_request,
        .reserve = machine_reserve,
        .publish = machine_publish,
        .lookup = machine_lookup,
        .claim = machine_claim,
        .map = machine_map,
        .shadow = machine_shadow,
    };
    return &table;
}
