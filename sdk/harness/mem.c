/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mem.c - guest RAM of the fake host, bp.mem/1 and bp.ram/1.
 *
 * RAM is a memfd, so that a window can be a mapping of its own: then an access beyond the window,
 * or after its unmap, faults instead of going unnoticed.
 */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "fake.h"

static uint64_t
page_up(uint64_t v)
{
    return (v + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

void
ram_init(struct bpt_machine *m, uint64_t low, uint64_t high)
{
    uint8_t *at;

    low = page_up(low);
    high = page_up(high);
    m->info.ram_low = low;
    m->info.ram_high = high;
    m->ram_fd = memfd_create("bpt-ram", MFD_CLOEXEC);
    m->ram_area_len = low + high + 3 * PAGE;
    m->ram_area =
        mmap(NULL, m->ram_area_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m->ram_fd < 0 || m->ram_area == MAP_FAILED || ftruncate(m->ram_fd, (off_t)(low + high)))
        abort();
    at = m->ram_low_p = m->ram_area + PAGE;
    if (low && mmap(at, low, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
                    m->ram_fd, 0) == MAP_FAILED)
        abort();
    at = m->ram_high_p = at + low + PAGE;
    if (high && mmap(at, high, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
                     m->ram_fd, (off_t)low) == MAP_FAILED)
        abort();
    m->dirty = xcalloc((low + high) / PAGE + 1, 1);
    m->alloc_next = low > 2 << 20 ? 1 << 20 : PAGE;
}

void
ram_fini(struct bpt_machine *m)
{
    munmap(m->ram_area, m->ram_area_len);
    close(m->ram_fd);
    free(m->dirty);
}

/* As on every PC no RAM answers here, whatever ram_low is. */
#define HOLE_BASE 0xa0000u
#define HOLE_END  0xc0000u

/* How much RAM there is from gpa on, and where it is; 0 when gpa is no RAM. */
static uint64_t
ram_run(struct bpt_machine *m, uint64_t gpa, uint8_t **ret_p)
{
    if (gpa < m->info.ram_low && (gpa < HOLE_BASE || gpa >= HOLE_END)) {
        uint64_t end = gpa < HOLE_BASE && m->info.ram_low > HOLE_BASE ? HOLE_BASE : m->info.ram_low;

        *ret_p = m->ram_low_p + gpa;
        return end - gpa;
    }
    if (gpa >= HIGH_BASE && gpa - HIGH_BASE < m->info.ram_high) {
        *ret_p = m->ram_high_p + (gpa - HIGH_BASE);
        return m->info.ram_high - (gpa - HIGH_BASE);
    }
    return 0;
}

void *
bpt_ram(struct bpt_machine *m, uint64_t gpa, uint64_t len)
{
    uint8_t *p;
    uint64_t run = ram_run(m, gpa, &p);

    return run && len <= run ? p : NULL;
}

int
ram_overlaps(struct bpt_machine *m, uint64_t base, uint64_t len)
{
    return (base < m->info.ram_low && (base < HOLE_BASE || base + len > HOLE_END)) ||
           (base < HIGH_BASE + m->info.ram_high && m->info.ram_high && base + len > HIGH_BASE);
}

uint64_t
bpt_alloc(struct bpt_machine *m, uint64_t len, uint64_t align)
{
    uint64_t gpa = (m->alloc_next + align - 1) & ~(align - 1);

    if (!bpt_ram(m, gpa, len)) {
        fprintf(stderr, "# bpt_alloc: no %llu bytes of RAM left\n", (unsigned long long)len);
        abort();
    }
    m->alloc_next = gpa + len;
    return gpa;
}

/* ---- Dirty pages ---- */

static void
dirty_mark(struct bpt_machine *m, uint64_t gpa, uint64_t len)
{
    uint8_t *p;
    uint64_t run = ram_run(m, gpa, &p), at;

    if (!run || !len)
        return;
    if (len > run)
        len = run;
    at = gpa < HIGH_BASE ? gpa : gpa - HIGH_BASE + m->info.ram_low;
    for (uint64_t page = at / PAGE; page <= (at + len - 1) / PAGE; page++)
        __atomic_store_n(&m->dirty[page], 1, __ATOMIC_RELAXED);
}

int
bpt_dirty(struct bpt_machine *m, uint64_t gpa)
{
    uint8_t *p;

    if (!ram_run(m, gpa, &p))
        return 0;
    return m->dirty[(gpa < HIGH_BASE ? gpa : gpa - HIGH_BASE + m->info.ram_low) / PAGE];
}

void
bpt_dirty_log(struct bpt_machine *m, int on)
{
    __atomic_store_n(&m->dirty_wanted, on != 0, __ATOMIC_SEQ_CST);
}

void
bpt_dirty_clear(struct bpt_machine *m)
{
    memset(m->dirty, 0, (m->info.ram_low + m->info.ram_high) / PAGE + 1);
}

/* ---- bp.mem/1 ---- */

static int
mem_read(bp_inst handle, uint64_t gpa, void *buf, uint64_t len)
{
    struct inst *in;
    int err = host_call(handle, TAG_ANY, "read()", &in);
    void *p;

    if (err)
        return err;
    if (!len)
        return 0;
    p = bpt_ram(in->m, gpa, len);
    if (!p)
        return BP_E_FAULT;
    memcpy(buf, p, len);
    return 0;
}

static int
mem_write(bp_inst handle, uint64_t gpa, const void *buf, uint64_t len)
{
    struct inst *in;
    int err = host_call(handle, TAG_ANY, "write()", &in);
    void *p;

    if (err)
        return err;
    if (!len)
        return 0;
    p = bpt_ram(in->m, gpa, len);
    if (!p)
        return BP_E_FAULT;
    memcpy(p, buf, len);
    dirty_mark(in->m, gpa, len);
    return 0;
}

/* A mapping of the window around gpa with a page behind it that faults. */
static uint8_t *
window_map(struct bpt_machine *m, uint64_t gpa, uint64_t run, struct map_window *w)
{
    uint64_t from = gpa & ~(m->window - 1), off;
    uint64_t to = from + m->window;

    if (to > gpa + run)
        to = gpa + run;
    off = gpa < HIGH_BASE ? from : from - HIGH_BASE + m->info.ram_low;
    w->base_len = to - from + PAGE;
    w->base =
        mmap(NULL, w->base_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (w->base == MAP_FAILED || mmap(w->base, to - from, PROT_READ | PROT_WRITE,
                                      MAP_SHARED | MAP_FIXED, m->ram_fd, (off_t)off) == MAP_FAILED)
        abort();
    w->len = to - gpa;
    return (uint8_t *)w->base + (gpa - from);
}

static int
mem_map(bp_inst handle, uint64_t gpa, uint64_t len, uint32_t prot, struct bp_map *ret_map)
{
    struct map_window w = {.gpa = gpa};
    struct bpt_machine *m;
    struct inst *in;
    uint8_t *p;
    int err = host_call(handle, TAG_ANY, "map()", &in);

    if (err)
        return err;
    m = in->m;
    if (!len || !prot || prot & ~3u || ret_map->size < BP_UPTO(struct bp_map, p)) {
        problem(m, "%s: map() of %llu bytes with prot %u into a bp_map of size %u", in->id,
                (unsigned long long)len, prot, ret_map->size);
        return BP_E_INVAL;
    }
    if (in->stage != ST_RUNNING)
        problem(m, "%s: map() while it is not started", in->id);
    if (m->window == 1)
        return BP_E_NOTSUP;
    w.len = ram_run(m, gpa, &p);
    if (!w.len)
        return BP_E_FAULT;
    if (m->window)
        p = window_map(m, gpa, w.len, &w);
    if (w.len > len)
        w.len = len;
    w.owner = in;
    lock(m);
    w.cookie = ++m->map_cookie;
    m->maps = xgrow(m->maps, m->n_maps, sizeof *m->maps);
    m->maps[m->n_maps++] = w;
    in->maps++;
    unlock(m);
    ret_map->prot = prot;
    ret_map->gpa = gpa;
    ret_map->len = w.len;
    ret_map->cookie = w.cookie;
    ret_map->p = p;
    return 0;
}

static void
map_remove(struct bpt_machine *m, unsigned index)
{
    if (m->maps[index].base)
        munmap(m->maps[index].base, m->maps[index].base_len);
    m->maps[index].owner->maps--;
    for (m->n_maps--; index < m->n_maps; index++)
        m->maps[index] = m->maps[index + 1];
}

static int
mem_unmap(bp_inst handle, struct bp_map *map, uint64_t dirty_off, uint64_t dirty_len)
{
    struct inst *in = inst_of(handle);
    struct bpt_machine *m;

    if (!in)
        return BP_E_INVAL;
    m = in->m;
    lock(m);
    for (unsigned i = 0; i < m->n_maps; i++) {
        if (m->maps[i].cookie == map->cookie && m->maps[i].owner == in) {
            uint64_t len = m->maps[i].len, gpa = m->maps[i].gpa;

            map_remove(m, i);
            unlock(m);
            if (dirty_off > len || dirty_len > len - dirty_off)
                problem(m, "%s: unmap() says that bytes outside the mapping are dirty", in->id);
            else
                dirty_mark(m, gpa + dirty_off, dirty_len);
            return 0;
        }
    }
    unlock(m);
    problem(m, "%s: unmap() of what is not mapped", in->id);
    return BP_E_INVAL;
}

static void
mem_dirty(bp_inst handle, uint64_t gpa, uint64_t len)
{
    struct inst *in = inst_of(handle);

    if (in && len && !bpt_ram(in->m, gpa, len))
        problem(in->m, "%s: dirty() of 0x%llx + 0x%llx, which is not RAM", in->id,
                (unsigned long long)gpa, (unsigned long long)len);
    else if (in)
        dirty_mark(in->m, gpa, len);
}

static const uint32_t *
mem_dirty_wanted(bp_inst handle)
{
    struct inst *in = inst_of(handle);

    return in ? &in->m->dirty_wanted : NULL;
}

const struct bp_mem_if fake_mem = {
    .size = sizeof fake_mem,
    .read = mem_read,
    .write = mem_write,
    .map = mem_map,
    .unmap = mem_unmap,
    .dirty = mem_dirty,
    .dirty_wanted = mem_dirty_wanted,
};

void
maps_drop(struct inst *in, const char *when)
{
    struct bpt_machine *m = in->m;

    if (in->maps && when)
        problem(m, "%s: %u mappings of guest memory are left %s", in->id, in->maps, when);
    lock(m);
    for (unsigned i = m->n_maps; i-- > 0;)
        if (m->maps[i].owner == in)
            map_remove(m, i);
    unlock(m);
}

void
bpt_map_window(struct bpt_machine *m, uint64_t bytes)
{
    if (bytes > 1 && (bytes % PAGE || bytes & (bytes - 1))) {
        fputs("# bpt_map_window: not a power of two of pages\n", stderr);
        abort();
    }
    m->window = bytes;
}

unsigned
bpt_maps(struct bpt_machine *m)
{
    return m->n_maps;
}

/* ---- bp.ram/1 ---- */

static int
ram_create(bp_inst handle, const char *name, uint64_t len, uint32_t flags, bp_ram *ret_ram,
           void **ret_p)
{
    struct inst *in;
    struct obj *o;
    void *p;
    int err = host_call(handle, TAG_REALIZE, "ram create()", &in);

    if (err)
        return err;
    if (!len || len % PAGE)
        return BP_E_INVAL;
    if (obj_named(in, OBJ_RAM, name))
        return BP_E_EXIST;
    p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return BP_E_NOMEM;
    o = obj_new(in, OBJ_RAM, name);
    o->ram.p = p;
    o->ram.len = len;
    o->ram.flags = flags;
    o->ram.gpa = BP_RAM_NOWHERE;
    o->ram.dirty = xcalloc(len / PAGE, 1);
    ret_ram->v = o->id;
    *ret_p = p;
    return 0;
}

static int
ram_alias(bp_inst handle, const char *name, bp_ram ram, uint64_t off, uint64_t len, uint32_t flags,
          bp_ram *ret_ram)
{
    struct inst *in;
    struct obj *o, *of;
    int err = host_call(handle, TAG_REALIZE, "ram alias()", &in);

    if (err)
        return err;
    of = obj_of(in, ram.v, OBJ_RAM);
    if (!of || !len || (off | len) % PAGE || off > of->ram.len || len > of->ram.len - off)
        return BP_E_INVAL;
    if (obj_named(in, OBJ_RAM, name))
        return BP_E_EXIST;
    o = obj_new(in, OBJ_RAM, name);
    o->ram.p = of->ram.p + off;
    o->ram.len = len;
    o->ram.flags = (flags & ~(uint32_t)BP_RAM_ROM) | (of->ram.flags & BP_RAM_ROM);
    o->ram.gpa = BP_RAM_NOWHERE;
    o->ram.dirty = xcalloc(len / PAGE, 1);
    o->ram.alias = 1;
    ret_ram->v = o->id;
    return 0;
}

struct obj *
ram_at(struct bpt_machine *m, uint64_t gpa, uint64_t len)
{
    for (unsigned i = 0; i < m->n_objs; i++) {
        struct obj *o = m->objs[i];

        if (o->kind == OBJ_RAM && !o->closed && o->ram.gpa != BP_RAM_NOWHERE &&
            gpa < o->ram.gpa + o->ram.len && gpa + len > o->ram.gpa)
            return o;
    }
    return NULL;
}

static int
ram_place(bp_inst handle, bp_ram ram, uint64_t gpa)
{
    struct inst *in;
    struct obj *o, *there;
    int err = host_call(handle, TAG_CTX, "ram place()", &in);

    if (err)
        return err;
    o = obj_of(in, ram.v, OBJ_RAM);
    if (!o || (gpa != BP_RAM_NOWHERE && gpa % PAGE))
        return BP_E_INVAL;
    if (gpa != BP_RAM_NOWHERE) {
        there = ram_at(in->m, gpa, o->ram.len);
        if (gpa + o->ram.len < gpa || (there && there != o) ||
            ram_overlaps(in->m, gpa, o->ram.len) ||
            region_at(in->m, BP_REGION_MMIO, gpa, o->ram.len, NULL))
            return BP_E_BUSY;
    }
    o->ram.gpa = gpa;
    return 0;
}

static int
ram_dirty(bp_inst handle, bp_ram ram, uint64_t off, uint64_t len, void *ret_bits, uint64_t bytes)
{
    struct inst *in;
    struct obj *o;
    uint8_t *bits = ret_bits;
    int n = 0, err = host_call(handle, TAG_CTX, "ram dirty()", &in);

    if (err)
        return err;
    o = obj_of(in, ram.v, OBJ_RAM);
    if (!o || !(o->ram.flags & BP_RAM_DIRTY) || off % PAGE || off > o->ram.len ||
        len > o->ram.len - off || bytes < (len / PAGE + 7) / 8)
        return BP_E_INVAL;
    memset(bits, 0, bytes);
    for (uint64_t page = 0; page < len / PAGE; page++) {
        uint8_t *d = &o->ram.dirty[off / PAGE + page];

        if (*d) {
            bits[page / 8] |= (uint8_t)(1u << page % 8);
            n++;
        }
        *d = 0;
    }
    return n;
}

const struct bp_ram_if fake_ram = {
    .size = sizeof fake_ram,
    .create = ram_create,
    .place = ram_place,
    .dirty = ram_dirty,
    .alias = ram_alias,
};

void *
bpt_device_ram(struct bpt_machine *m, const char *id, const char *name, uint64_t *ret_gpa)
{
    struct inst *in = inst_by_id(m, id);
    struct obj *o = in ? obj_named(in, OBJ_RAM, name) : NULL;

    if (o && ret_gpa)
        *ret_gpa = o->ram.gpa;
    return o ? o->ram.p : NULL;
}
