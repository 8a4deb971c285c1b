/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * platform.c - bp.machine/1 of the fake host: says what it was told to say, and remembers what was
 * asked of it.
 */
#include <string.h>

#include "fake.h"

static int
machine_info(bp_inst handle, struct bp_machine_info *ret_info)
{
    struct inst *in;
    uint32_t size = ret_info->size;
    int err = host_call(handle, TAG_CTX, "info()", &in);

    if (err)
        return err;
    if (size < sizeof size || size > 4096)
        return BP_E_INVAL;
    memcpy(ret_info, &in->m->info, size < sizeof in->m->info ? size : sizeof in->m->info);
    ret_info->size = size;
    return 0;
}

static int
machine_request(bp_inst handle, uint32_t what, uint32_t arg)
{
    struct inst *in;
    int err = host_call(handle, TAG_ANY, "request()", &in);

    if (err)
        return err;
    if (what < BP_REQ_POWEROFF || what > BP_REQ_FAULT || what % 1000)
        return BP_E_INVAL;
    lock(in->m);
    if (!in->m->request) {
        in->m->request = what;
        in->m->request_arg = arg;
    }
    unlock(in->m);
    return 0;
}

static int
machine_reserve(bp_inst handle, uint64_t base, uint64_t len, uint32_t type)
{
    struct bpt_machine *m;
    struct inst *in;
    int err = host_call(handle, TAG_REALIZE, "reserve()", &in);

    if (err)
        return err;
    if (!len || base + len < base || type < BP_E820_RESERVED || type > BP_E820_NVS)
        return BP_E_INVAL;
    m = in->m;
    m->reserved = xgrow(m->reserved, m->n_reserved, sizeof *m->reserved);
    m->reserved[m->n_reserved].base = base;
    m->reserved[m->n_reserved].len = len;
    m->reserved[m->n_reserved++].type = type;
    return 0;
}

static int
machine_publish(bp_inst handle, const char *key, uint64_t value)
{
    struct bpt_machine *m;
    struct inst *in;
    int err = host_call(handle, TAG_CTX, "publish()", &in);

    if (err)
        return err;
    m = in->m;
    for (unsigned i = 0; i < m->n_published; i++) {
        if (strcmp(m->published[i].key, key) == 0) {
            m->published[i].value = value;
            return 0;
        }
    }
    m->published = xgrow(m->published, m->n_published, sizeof *m->published);
    m->published[m->n_published].key = xstrdup(key);
    m->published[m->n_published++].value = value;
    return 0;
}

static int
machine_lookup(bp_inst handle, const char *key, uint64_t *ret_value)
{
    struct inst *in;
    int err = host_call(handle, TAG_CTX, "lookup()", &in);

    return err ? err : bpt_published(in->m, key, ret_value);
}

static int
machine_claim(bp_inst handle, uint64_t len, uint64_t *ret_base)
{
    struct inst *in;
    uint64_t align = PAGE, base;
    int err = host_call(handle, TAG_REALIZE, "claim()", &in);

    if (err)
        return err;
    if (!len)
        return BP_E_INVAL;
    while (align < len)
        align <<= 1;
    base = in->m->claim_next - len;
    base &= ~(align - 1);
    if (len > in->m->claim_next || base < BPT_MMIO32_BASE)
        return BP_E_NOSPC;
    in->m->claim_next = base;
    *ret_base = base;
    return 0;
}

/* RAM, then what was reserved: a plugin must not take it for granted that nothing overlaps. */
static int
machine_map(bp_inst handle, uint32_t index, struct bp_machine_range *ret_range)
{
    struct bp_machine_range range = {.size = sizeof range, .type = 1};
    uint32_t size = ret_range->size, n_ram;
    struct bpt_machine *m;
    struct inst *in;
    int err = host_call(handle, TAG_CTX, "map()", &in);

    if (err)
        return err;
    if (size < sizeof size || size > 4096)
        return BP_E_INVAL;
    m = in->m;
    n_ram = m->info.ram_high ? 2 : 1;
    if (index >= n_ram + m->n_reserved)
        return BP_E_RANGE;
    if (index >= n_ram) {
        range.type = m->reserved[index - n_ram].type;
        range.base = m->reserved[index - n_ram].base;
        range.len = m->reserved[index - n_ram].len;
    } else {
        range.base = index ? UINT64_C(1) << 32 : 0;
        range.len = index ? m->info.ram_high : m->info.ram_low;
    }
    memcpy(ret_range, &range, size < sizeof range ? size : sizeof range);
    ret_range->size = size;
    return 0;
}

static int
machine_shadow(bp_inst handle, uint64_t base, uint64_t len, uint32_t access)
{
    struct inst *in;
    int err = host_call(handle, TAG_CTX, "shadow()", &in);

    if (err)
        return err;
    if (base < SHADOW_BASE || base > SHADOW_END || len > SHADOW_END - base || base % SHADOW_PIECE ||
        len % SHADOW_PIECE || access > (BP_SHADOW_READ | BP_SHADOW_WRITE))
        return BP_E_INVAL;
    if (in->m->shadow_owner && in->m->shadow_owner != in)
        return BP_E_BUSY;
    in->m->shadow_owner = in;
    for (uint64_t at = base; at < base + len; at += SHADOW_PIECE)
        in->m->shadow[(at - SHADOW_BASE) / SHADOW_PIECE] = (uint8_t)access;
    return 0;
}

const struct bp_machine_if fake_machine = {
    .size = sizeof fake_machine,
    .info = machine_info,
    .request = machine_request,
    .reserve = machine_reserve,
    .publish = machine_publish,
    .lookup = machine_lookup,
    .claim = machine_claim,
    .map = machine_map,
    .shadow = machine_shadow,
};

struct bp_machine_info *
bpt_info(struct bpt_machine *m)
{
    return &m->info;
}

int
bpt_shadow(struct bpt_machine *m, uint64_t gpa)
{
    if (!m->shadow_owner || gpa < SHADOW_BASE || gpa >= SHADOW_END)
        return BP_E_NOENT;
    return m->shadow[(gpa - SHADOW_BASE) / SHADOW_PIECE];
}

uint32_t
bpt_requested(struct bpt_machine *m, uint32_t *ret_arg)
{
    uint32_t what;

    lock(m);
    what = m->request;
    if (what && ret_arg)
        *ret_arg = m->request_arg;
    m->request = 0;
    unlock(m);
    return what;
}

int
bpt_published(struct bpt_machine *m, const char *key, uint64_t *ret_value)
{
    for (unsigned i = 0; i < m->n_published; i++) {
        if (strcmp(m->published[i].key, key) == 0) {
            *ret_value = m->published[i].value;
            return 0;
        }
    }
    return BP_E_NOENT;
}

int
bpt_reserved(struct bpt_machine *m, unsigned index, uint64_t *ret_base, uint64_t *ret_len,
             uint32_t *ret_type)
{
    if (index >= m->n_reserved)
        return 0;
    *ret_base = m->reserved[index].base;
    *ret_len = m->reserved[index].len;
    *ret_type = m->reserved[index].type;
    return 1;
}
