/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * io.c - bp.io/1 of the fake host, and the guest's accesses to ports and memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "fake.h"

static int
io_region(bp_inst handle, const struct bp_region_desc *desc, bp_region *ret_region)
{
    struct inst *in;
    struct obj *o;
    int err = host_call(handle, TAG_REALIZE, "region()", &in);

    if (err)
        return err;
    if (!desc->len || !desc->name || !*desc->name || !desc->ops ||
        (desc->kind != BP_REGION_PIO && desc->kind != BP_REGION_MMIO &&
         desc->kind != BP_REGION_BUS) ||
        (desc->kind == BP_REGION_PIO && desc->len > 0x10000))
        return BP_E_INVAL;
    if (obj_named(in, OBJ_REGION, desc->name))
        return BP_E_EXIST;
    o = obj_new(in, OBJ_REGION, desc->name);
    memcpy(&o->region.desc, desc,
           desc->size < sizeof o->region.desc ? desc->size : sizeof o->region.desc);
    o->region.desc.name = o->name;
    if (!o->region.desc.self)
        o->region.desc.self = in->self;
    o->region.base = BP_IO_NOWHERE;
    ret_region->v = o->id;
    return 0;
}

/* Some placed region of that kind that touches [base, base + len), other than `but`. */
struct obj *
region_at(struct bpt_machine *m, uint32_t kind, uint64_t base, uint64_t len, const struct obj *but)
{
    for (unsigned i = 0; i < m->n_objs; i++) {
        struct obj *o = m->objs[i];

        if (o->kind == OBJ_REGION && !o->closed && o != but && o->region.desc.kind == kind &&
            o->region.base != BP_IO_NOWHERE && base <= o->region.base + (o->region.desc.len - 1) &&
            base + (len - 1) >= o->region.base)
            return o;
    }
    return NULL;
}

static int
io_place(bp_inst handle, bp_region region, uint64_t base)
{
    struct bpt_machine *m;
    struct obj *o, *other;
    struct inst *in;
    uint64_t len;
    int err = host_call(handle, TAG_CTX, "place()", &in);

    if (err)
        return err;
    m = in->m;
    o = obj_of(in, region.v, OBJ_REGION);
    if (!o || o->region.desc.kind == BP_REGION_BUS)
        return BP_E_INVAL;
    len = o->region.desc.len;
    if (base == BP_IO_NOWHERE) {
        o->region.base = base;
        return 0;
    }
    if (base == BP_IO_AUTO) {
        if (o->region.desc.kind == BP_REGION_PIO)
            return BP_E_NOTSUP;
        base = m->auto_next;
        m->auto_next += (len + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    }
    if (base + (len - 1) < base || (o->region.desc.kind == BP_REGION_PIO && base + len > 0x10000))
        return BP_E_RANGE;
    other = region_at(m, o->region.desc.kind, base, len, o);
    if (other) {
        error_set(m, in->id, BP_E_BUSY, "%s at 0x%llx overlaps %s of %s", o->name,
                  (unsigned long long)base, other->name, other->owner->id);
        return BP_E_BUSY;
    }
    if (o->region.desc.kind == BP_REGION_MMIO &&
        (ram_overlaps(m, base, len) || ram_at(m, base, len)))
        return error_set(m, in->id, BP_E_BUSY, "%s at 0x%llx overlaps RAM", o->name,
                         (unsigned long long)base);
    o->region.base = base;
    return 0;
}

static uint64_t
io_where(bp_inst handle, bp_region region)
{
    struct inst *in = inst_of(handle);
    struct obj *o = in ? obj_of(in, region.v, OBJ_REGION) : NULL;

    return o ? o->region.base : BP_IO_NOWHERE;
}

static int
io_doorbell(bp_inst handle, bp_region region, uint64_t off, uint32_t width, int64_t match,
            uint32_t cookie, bp_event *ret_event)
{
    struct inst *in;
    struct obj *r, *o;
    int err = host_call(handle, TAG_REALIZE, "doorbell()", &in);

    if (err)
        return err;
    r = obj_of(in, region.v, OBJ_REGION);
    if (!r || off >= r->region.desc.len || width > r->region.desc.len - off ||
        (width != 0 && width != 1 && width != 2 && width != 4 && width != 8))
        return BP_E_INVAL;
    for (unsigned i = 0; i < in->m->n_objs; i++) {
        struct obj *d = in->m->objs[i];

        if (d->kind == OBJ_DOORBELL && !d->closed && d->bell.region == r && d->bell.off == off &&
            d->bell.width == width && d->bell.match == match)
            return BP_E_EXIST;
    }
    o = obj_new(in, OBJ_DOORBELL, "doorbell");
    o->cookie = cookie;
    o->bell.region = r;
    o->bell.off = off;
    o->bell.width = width;
    o->bell.match = match;
    o->bell.fd = -1;
    ret_event->v = o->id;
    return 0;
}

static int
io_doorbell_fd(bp_inst handle, bp_event bell, uint32_t taken, int *ret_fd)
{
    struct inst *in;
    struct obj *o;
    int fd, err = host_call(handle, TAG_CTX, "doorbell_fd()", &in);

    if (err)
        return err;
    o = obj_of(in, bell.v, OBJ_DOORBELL);
    if (!o || (taken && !ret_fd))
        return BP_E_INVAL;
    if (taken) {
        if (o->bell.fd < 0)
            o->bell.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        fd = fcntl(o->bell.fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return -errno;
        *ret_fd = fd;
    }
    lock(in->m);
    if (o->bell.taken && !taken)
        event_pend(o); /* whether it was rung or not: a device must be able to take it */
    o->bell.taken = taken != 0;
    unlock(in->m);
    return 0;
}

static void
bell_ring(struct bpt_machine *m, struct obj *d)
{
    static const uint64_t one = 1;

    lock(m);
    if (!d->bell.taken)
        event_pend(d);
    else if (write(d->bell.fd, &one, sizeof one) < 0 && errno != EAGAIN)
        abort();
    unlock(m);
}

static int
rings(struct bpt_machine *m, const struct obj *r, uint64_t off, uint32_t width, uint64_t val)
{
    int rang = 0;

    for (unsigned i = 0; i < m->n_objs; i++) {
        struct obj *d = m->objs[i];

        if (d->kind == OBJ_DOORBELL && !d->closed && d->bell.region == r && d->bell.off == off &&
            (!d->bell.width || d->bell.width == width) &&
            (d->bell.match < 0 || ((uint64_t)d->bell.match & width_mask(width)) == val)) {
            bell_ring(m, d);
            rang = 1;
        }
    }
    return rang;
}

/* off and width lie inside the region. */
static void
region_do(struct obj *o, uint64_t off, uint32_t width, int write, uint64_t *val)
{
    const struct bp_region_desc *d = &o->region.desc;
    struct ctx c;

    *val &= width_mask(width);
    if (write && rings(o->owner->m, o, off, width, *val))
        return;
    ctx_enter(&c, o->owner, PH_RUN);
    if (write && BP_HAS(struct bp_region_ops, d->ops, write))
        d->ops->write(d->self, d->id, off, *val, width);
    else if (!write && BP_HAS(struct bp_region_ops, d->ops, read))
        *val = d->ops->read(d->self, d->id, off, width) & width_mask(width);
    else if (!write)
        *val = width_mask(width);
    ctx_leave(&c);
}

static int
io_access(bp_inst dev, bp_region region, uint64_t off, uint32_t width, uint32_t write,
          uint64_t *val)
{
    struct inst *in = inst_of(dev);
    struct obj *o = in ? obj_of(in, region.v, OBJ_REGION) : NULL;

    if (!o || (width != 1 && width != 2 && width != 4 && width != 8))
        return BP_E_INVAL;
    if (off >= o->region.desc.len || width > o->region.desc.len - off)
        return BP_E_RANGE;
    region_do(o, off, width, (int)write, val);
    return 0;
}

const struct bp_io_if fake_io = {
    .size = sizeof fake_io,
    .region = io_region,
    .place = io_place,
    .where = io_where,
    .doorbell = io_doorbell,
    .access = io_access,
    .doorbell_fd = io_doorbell_fd,
};

/* ---- The guest's side ---- */

static int
ram_access(struct bpt_machine *m, uint64_t gpa, uint32_t width, int write, uint64_t *val)
{
    struct obj *o;
    uint8_t *p = bpt_ram(m, gpa, width);

    if (!p) {
        o = ram_at(m, gpa, width);
        if (!o || gpa < o->ram.gpa || gpa + width > o->ram.gpa + o->ram.len)
            return 0;
        p = o->ram.p + (gpa - o->ram.gpa);
        if (write && o->ram.flags & BP_RAM_ROM)
            return 1;
        if (write)
            o->ram.dirty[(gpa - o->ram.gpa) / PAGE] = 1;
    }
    if (write)
        memcpy(p, val, width);
    else
        *val = 0, memcpy(val, p, width);
    return 1;
}

int
space_access(struct bpt_machine *m, uint32_t kind, uint64_t addr, uint32_t width, int write,
             uint64_t *val)
{
    struct obj *o = region_at(m, kind, addr, width, NULL);
    uint64_t base, out = 0;
    int claimed = 0;

    if (!o) {
        if (kind == BP_REGION_MMIO && ram_access(m, addr, width, write, val))
            return 1;
        if (!write)
            *val = width_mask(width);
        return 0;
    }
    base = o->region.base;
    if (addr >= base && width <= o->region.desc.len - (addr - base)) {
        region_do(o, addr - base, width, write, val);
        return 1;
    }
    for (uint32_t i = 0; i < width; i++) { /* leaves the region: byte by byte */
        uint64_t one = *val >> 8 * i & 0xff;

        claimed |= space_access(m, kind, addr + i, 1, write, &one);
        out |= one << 8 * i;
    }
    if (!write)
        *val = out;
    return claimed;
}

uint32_t
bpt_in(struct bpt_machine *m, uint16_t port, uint32_t width)
{
    uint64_t v = 0;

    space_access(m, BP_REGION_PIO, port, width, 0, &v);
    return (uint32_t)v;
}

void
bpt_out(struct bpt_machine *m, uint16_t port, uint32_t width, uint32_t val)
{
    uint64_t v = val;

    space_access(m, BP_REGION_PIO, port, width, 1, &v);
}

uint64_t
bpt_mmio_read(struct bpt_machine *m, uint64_t gpa, uint32_t width)
{
    uint64_t v = 0;

    space_access(m, BP_REGION_MMIO, gpa, width, 0, &v);
    return v;
}

void
bpt_mmio_write(struct bpt_machine *m, uint64_t gpa, uint32_t width, uint64_t val)
{
    space_access(m, BP_REGION_MMIO, gpa, width, 1, &val);
}

int
bpt_claimed(struct bpt_machine *m, uint32_t kind, uint64_t base, const char **ret_id)
{
    struct obj *o = region_at(m, kind, base, 1, NULL);

    if (o && ret_id)
        *ret_id = o->owner->id;
    return o != NULL;
}

uint64_t
bpt_where(struct bpt_machine *m, const char *id, const char *name)
{
    struct inst *in = inst_by_id(m, id);
    struct obj *o = in ? obj_named(in, OBJ_REGION, name) : NULL;

    return o ? o->region.base : BP_IO_NOWHERE;
}

static struct obj *
region_nth(struct bpt_machine *m, const char *id, unsigned index)
{
    struct inst *in = inst_by_id(m, id);

    for (unsigned i = 0; in && i < m->n_objs; i++)
        if (m->objs[i]->kind == OBJ_REGION && !m->objs[i]->closed && m->objs[i]->owner == in &&
            index-- == 0)
            return m->objs[i];
    return NULL;
}

int
bpt_region(struct bpt_machine *m, const char *id, unsigned index, struct bpt_region_info *ret_info)
{
    struct obj *o = region_nth(m, id, index);

    if (!o)
        return 0;
    ret_info->kind = o->region.desc.kind;
    ret_info->len = o->region.desc.len;
    ret_info->base = o->region.base;
    ret_info->name = o->name;
    return 1;
}

int
bpt_access(struct bpt_machine *m, const char *id, unsigned index, uint64_t off, uint32_t width,
           int write, uint64_t *val)
{
    struct obj *o = region_nth(m, id, index);

    if (!o)
        return BP_E_NOENT;
    if (width != 1 && width != 2 && width != 4 && width != 8)
        return BP_E_INVAL;
    if (off >= o->region.desc.len || width > o->region.desc.len - off)
        return BP_E_RANGE;
    region_do(o, off, width, write, val);
    return 0;
}
