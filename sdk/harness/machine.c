/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * machine.c - the fake machine and the life of its instances, in the order and with the promises
 * of backplane/plugin.h.
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/mman.h>

#include "fake.h"

#define AGAIN_SECONDS 5
#define EPOCH         INT64_C(1767323045000000000) /* 2026-01-02 03:04:05 UTC */

struct bpt_machine *
bpt_new(uint64_t ram_low, uint64_t ram_high)
{
    struct bpt_machine *m;
    const struct service services[N_SERVICES] = {
        {.iface = BP_IF_MEM, .size = sizeof fake_mem, .table = &fake_mem},
        {.iface = BP_IF_IO, .size = sizeof fake_io, .table = &fake_io},
        {.iface = BP_IF_IRQ, .size = sizeof fake_irq, .table = &fake_irq},
        {.iface = BP_IF_EVENT, .size = sizeof fake_event, .table = &fake_event},
        {.iface = BP_IF_RAM, .size = sizeof fake_ram, .table = &fake_ram},
        {.iface = BP_IF_MACHINE, .size = sizeof fake_machine, .table = &fake_machine},
    };

    if (ram_low > BPT_RAM_LOW_MAX)
        return NULL;
    m = xcalloc(1, sizeof *m);
    memcpy(m->services, services, sizeof services);
    m->slot = machine_register(m);
    m->thread = pthread_self();
    pthread_mutex_init(&m->lock, NULL);
    m->info = (struct bp_machine_info){
        .size = sizeof m->info,
        .cpus = 1,
        .mmio32_base = BPT_MMIO32_BASE,
        .mmio32_len = BPT_MMIO32_LEN,
        .mmio64_base = UINT64_C(0x8000000000),
        .mmio64_len = UINT64_C(0x4000000000),
        .gsis = 24,
        .lapic_base = 0xfee00000,
        .ioapic_base = 0xfec00000,
    };
    m->claim_next = BPT_MMIO32_BASE + (uint64_t)BPT_MMIO32_LEN;
    m->auto_next = BPT_RAM_LOW_MAX;
    m->n_gsis = 1024;
    m->gsi_counts = xcalloc(m->n_gsis, sizeof *m->gsi_counts);
    m->dirty_wanted = 1;
    m->now = 1000000000;
    m->real_off = EPOCH - m->now;
    m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ram_init(m, ram_low, ram_high);
    return m;
}

/* ---- Making instances ---- */

static struct inst *
inst_new(struct bpt_machine *m, const char *id, const struct bp_class *cls)
{
    struct inst *in;

    error_clear(m);
    if (inst_by_id(m, id)) {
        error_set(m, id, BP_E_EXIST, "there is one of that id already");
        return NULL;
    }
    in = xcalloc(1, sizeof *in);
    in->m = m;
    in->id = xstrdup(id);
    if (cls)
        memcpy(&in->cls, cls, cls->size < sizeof in->cls ? cls->size : sizeof in->cls);
    in->group = in;
    in->host = fake_host;
    in->host.flags = m->host_flags;
    if (m->host_size) {
        memset((uint8_t *)&in->host + m->host_size, 0, sizeof in->host - m->host_size);
        in->host.size = m->host_size;
    }
    m->insts = xgrow(m->insts, m->n_insts, sizeof *m->insts);
    m->insts[m->n_insts++] = in;
    in->handle.v = m->serial << 24 | (uint64_t)m->slot << 16 | m->n_insts;
    return in;
}

static void
inst_free(struct inst *in)
{
    props_free(in);
    free(in->peers);
    free(in->iface);
    free(in->id);
    free(in);
}

static int
inst_create(struct bpt_machine *m, const struct bp_class *cls, const char *id, const char *text,
            const char *const *list)
{
    struct inst *in = inst_new(m, id, cls);
    struct ctx c;
    void *self = NULL;
    int err;

    if (!in)
        return BP_E_EXIST;
    err = props_parse(in, text, list);
    if (!err) {
        ctx_enter(&c, in, PH_CREATE);
        err = in->cls.create(&in->host, in->handle, &self);
        ctx_leave(&c);
    }
    if (!err && self) {
        in->self = self;
        return 0;
    }
    if (!err)
        problem(m, "%s: create() returned 0 and no self", id);
    for (unsigned i = 0; i < m->n_objs; i++)
        if (m->objs[i]->owner == in)
            problem(m, "%s: create() failed after it had made '%s'", id, m->objs[i]->name);
    m->n_insts--;
    inst_free(in);
    return err ? err : BP_E_INVAL;
}

static int
load(struct bpt_machine *m, const char *name, const char *id, const char *text,
     const char *const *list)
{
    struct bp_class cls;
    int err;

    error_clear(m);
    err = load_class(m, name, &cls);
    return err ? err : inst_create(m, &cls, id, text, list);
}

int
bpt_load(struct bpt_machine *m, const char *name, const char *id, const char *props)
{
    return load(m, name, id, props, NULL);
}

int
bpt_loadv(struct bpt_machine *m, const char *name, const char *id, const char *const *props)
{
    return load(m, name, id, NULL, props);
}

int
bpt_add(struct bpt_machine *m, const struct bp_class *cls, const char *id, const char *props)
{
    return inst_create(m, cls, id, props, NULL);
}

int
bpt_provide(struct bpt_machine *m, const char *id, const char *iface, const void *table, void *self)
{
    struct inst *in = inst_new(m, id, NULL);

    if (!in)
        return BP_E_EXIST;
    in->iface = xstrdup(iface);
    in->table = table;
    in->self = self;
    in->cls.flags = BP_C_SHARED;
    in->cls.name = in->iface;
    in->stage = m->running ? ST_RUNNING : ST_REALIZED;
    return 0;
}

/* ---- Realize ---- */

static int
realize_one(struct inst *in)
{
    struct bpt_machine *m = in->m;
    struct ctx c;
    int err = 0;

    ctx_enter(&c, in, PH_REALIZE);
    if (in->cls.realize)
        err = in->cls.realize(in->self);
    ctx_leave(&c);
    maps_drop(in, "after realize()");
    if (err)
        return err;
    in->stage = ST_REALIZED;
    m->order = xgrow(m->order, m->n_order, sizeof *m->order);
    m->order[m->n_order++] = in;
    return 0;
}

static int realize_tree(struct inst *);

/* The machine's provider of a needed interface, realized first. */
static int
realize_need(struct inst *in, const char *need)
{
    int optional = *need == '?';

    need += optional;
    for (unsigned i = 0; i < N_SERVICES; i++)
        if (strcmp(in->m->services[i].iface, need) == 0)
            return 0;
    for (unsigned i = 0; i < in->m->n_insts; i++) {
        struct inst *peer = in->m->insts[i];

        if (peer != in && peer->stage != ST_DESTROYED && inst_provides(peer, need))
            return realize_tree(peer);
    }
    return optional
               ? 0
               : error_set(in->m, in->id, BP_E_NOENT, "nothing in the machine provides %s", need);
}

static int
realize_tree(struct inst *in)
{
    struct bpt_machine *m = in->m;
    int err = 0;

    if (in->stage != ST_CREATED)
        return 0;
    if (in->visited)
        return error_set(m, in->id, BP_E_INVAL, "needs itself, in a circle");
    in->visited = 1;
    for (uint32_t i = 0; i < in->n_props && !err; i++) {
        struct prop_value *pv = &in->props[i];

        for (uint32_t k = 0; pv->type == BP_LINK && k < pv->n && !err; k++) {
            struct inst *peer = link_target(in, pv->items[k].s);

            in->visited = peer != NULL;
            if (!peer)
                return error_set(m, in->id, BP_E_NOENT, "%s: there is no '%s'", pv->key,
                                 pv->items[k].s);
            err = realize_tree(peer);
            if (!err && !inst_provides(peer, pv->iface))
                err = error_set(m, in->id, BP_E_INVAL, "%s: %s does not provide %s", pv->key,
                                peer->id, pv->iface);
        }
    }
    for (const char *const *n = in->cls.needs; n && *n && !err; n++)
        err = realize_need(in, *n);
    in->visited = 0;
    return err ? err : realize_one(in);
}

int
bpt_realize_all(struct bpt_machine *m)
{
    int err;

    error_clear(m);
    err = links_expand(m);
    for (unsigned i = 0; i < m->n_insts && !err; i++)
        err = realize_tree(m->insts[i]);
    return err;
}

int
bpt_realize(struct bpt_machine *m, const char *id)
{
    struct inst *in = inst_by_id(m, id);
    int err;

    error_clear(m);
    if (!in)
        return error_set(m, NULL, BP_E_NOENT, "there is no '%s'", id);
    err = links_expand(m);
    return err ? err : realize_tree(in);
}

/* ---- Start, quiesce, reset ---- */

int
bpt_start(struct bpt_machine *m)
{
    struct ctx c;

    error_clear(m);
    lock(m);
    clock_sync(m);
    m->running = 1;
    unlock(m);
    for (unsigned i = 0; i < m->n_order; i++) {
        struct inst *in = m->order[i];
        enum stage before = in->stage;
        int err = 0;

        if (before != ST_REALIZED && before != ST_QUIESCED)
            continue;
        in->stage = ST_RUNNING; /* maps are allowed from the call on */
        ctx_enter(&c, in, PH_RUN);
        if (in->cls.start)
            err = in->cls.start(in->self);
        ctx_leave(&c);
        in->starting = err == BP_E_AGAIN;
        if (err) {
            in->stage = before;
            return err;
        }
    }
    return 0;
}

static int
quiesce_one(struct inst *in)
{
    struct timespec now, end;
    struct ctx c;
    int err = 0;

    if (in->stage != ST_RUNNING)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += AGAIN_SECONDS;
    do {
        ctx_enter(&c, in, PH_RUN);
        if (in->cls.quiesce)
            err = in->cls.quiesce(in->self);
        ctx_leave(&c);
        if (err == BP_E_AGAIN)
            bpt_poll(in->m, 10);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (err == BP_E_AGAIN && now.tv_sec < end.tv_sec);
    if (err)
        return error_set(in->m, in->id, err, "does not quiesce");
    maps_drop(in, "after quiesce()");
    in->stage = ST_QUIESCED;
    return 0;
}

int
bpt_quiesce(struct bpt_machine *m)
{
    error_clear(m);
    for (unsigned i = m->n_order; i-- > 0;) {
        int err = quiesce_one(m->order[i]);

        if (err)
            return err;
    }
    lock(m);
    clock_sync(m);
    m->running = 0;
    unlock(m);
    return 0;
}

int
bpt_reset(struct bpt_machine *m)
{
    int was_running = m->running;
    int err = was_running ? bpt_quiesce(m) : 0;
    struct ctx c;

    for (unsigned i = 0; i < m->n_order && !err; i++) {
        struct inst *in = m->order[i];

        ctx_enter(&c, in, PH_RUN);
        if (in->cls.reset)
            in->cls.reset(in->self, BP_RESET_COLD);
        ctx_leave(&c);
        maps_drop(in, "after reset()");
    }
    return err || !was_running ? err : bpt_start(m);
}

/* ---- A host that lacks something ---- */

/* A table that ends where readable memory does, so that whoever reads on is found. */
static void
cut_new(struct service *s, uint32_t size)
{
    s->cut_area = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s->cut_area == MAP_FAILED || mprotect(s->cut_area, PAGE, PROT_READ | PROT_WRITE) < 0) {
        fputs("# libbackplane-test: out of memory\n", stderr);
        abort();
    }
    s->cut = (uint8_t *)s->cut_area + PAGE - size;
    s->cut_size = size;
}

static void
cut_free(struct service *s)
{
    if (s->cut)
        munmap(s->cut_area, 2 * PAGE);
    s->cut = NULL;
}

/* ---- The end ---- */

static void
inst_end(struct inst *in)
{
    struct bpt_machine *m = in->m;
    struct ctx c;

    lock(m);
    for (unsigned i = 0; i < m->n_objs; i++)
        if (m->objs[i]->owner == in)
            obj_close(m->objs[i]);
    unlock(m);
    ctx_enter(&c, in, PH_RUN);
    if (in->cls.destroy)
        in->cls.destroy(in->self);
    ctx_leave(&c);
    maps_drop(in, "after destroy()");
    in->stage = ST_DESTROYED;
    in->starting = 0;
    for (unsigned i = 0; i < m->n_order; i++) {
        if (m->order[i] == in) {
            m->n_order--;
            memmove(&m->order[i], &m->order[i + 1], (m->n_order - i) * sizeof *m->order);
        }
    }
}

int
bpt_destroy(struct bpt_machine *m, const char *id)
{
    struct inst *in = inst_by_id(m, id);
    int err;

    error_clear(m);
    if (!in)
        return error_set(m, NULL, BP_E_NOENT, "there is no '%s'", id);
    for (unsigned i = 0; i < m->n_insts; i++)
        for (uint32_t k = 0; m->insts[i]->stage != ST_DESTROYED && k < m->insts[i]->n_peers; k++)
            if (m->insts[i]->peers[k] == in)
                return error_set(m, id, BP_E_BUSY, "%s links to it", m->insts[i]->id);
    err = quiesce_one(in);
    if (err)
        return err;
    for (uint32_t k = 0; k < in->n_peers; k++)
        in->peers[k]->taken = 0;
    inst_end(in);
    return 0;
}

int
bpt_free(struct bpt_machine *m)
{
    int n;

    if (!m)
        return 0;
    if (m->running && bpt_quiesce(m))
        problem(m, "%s", bpt_error(m));
    while (m->n_order)
        inst_end(m->order[m->n_order - 1]);
    for (unsigned i = m->n_insts; i-- > 0;)
        if (m->insts[i]->stage != ST_DESTROYED)
            inst_end(m->insts[i]);
    machine_forget(m);
    drivers_free(m);
    n = (int)m->n_problems;
    for (unsigned i = 0; i < m->n_problems; i++)
        fprintf(stderr, "# problem: %s\n", m->problems[i]);
    bpt_problems_clear(m);
    bpt_log_clear(m);
    error_clear(m);
    for (unsigned i = 0; i < m->n_objs; i++)
        obj_free(m->objs[i]);
    for (unsigned i = 0; i < m->n_insts; i++)
        inst_free(m->insts[i]);
    for (unsigned i = 0; i < m->n_published; i++)
        free(m->published[i].key);
    for (unsigned i = 0; i < N_SERVICES; i++)
        cut_free(&m->services[i]);
    ram_fini(m);
    close(m->wake_fd);
    pthread_mutex_destroy(&m->lock);
    free(m->maps);
    free(m->insts);
    free(m->order);
    free(m->objs);
    free(m->sent);
    free(m->gsi_counts);
    free(m->published);
    free(m->reserved);
    free(m->inject_id);
    free(m);
    return n;
}

/* ---- Access to instances, and a host that lacks something ---- */

int
bpt_set(struct bpt_machine *m, const char *id, const char *pair)
{
    struct inst *in = inst_by_id(m, id);
    const char *eq = strchr(pair, '=');
    char *key = eq ? xprintf("%.*s", (int)(eq - pair), pair) : NULL;
    struct bp_value v;
    struct bp_prop p;
    struct ctx c;
    int err;

    error_clear(m);
    if (!in || !eq || !class_prop(&in->cls, key, &p) || !(p.flags & BP_P_RUNTIME) || !in->cls.set) {
        free(key);
        return error_set(m, id, BP_E_INVAL, "'%s' cannot be set", pair);
    }
    err = prop_parse_one(in, &p, eq + 1, &v);
    if (!err) {
        ctx_enter(&c, in, PH_RUN);
        err = in->cls.set(in->self, key, &v);
        ctx_leave(&c);
        free((void *)(uintptr_t)v.s);
    }
    free(key);
    return err;
}

bp_inst
bpt_inst(struct bpt_machine *m, const char *id)
{
    struct inst *in = inst_by_id(m, id);

    return in ? in->handle : (bp_inst){0};
}

void *
bpt_self(struct bpt_machine *m, const char *id)
{
    struct inst *in = inst_by_id(m, id);

    return in ? in->self : NULL;
}

const void *
bpt_query(struct bpt_machine *m, const char *id, const char *iface, uint32_t min_size)
{
    struct inst *in = inst_by_id(m, id);

    return in ? inst_table(in, iface, min_size) : NULL;
}

const struct bp_host *
bpt_host(struct bpt_machine *m, const char *id)
{
    struct inst *in = inst_by_id(m, id);

    return in ? &in->host : NULL;
}

void
bpt_host_flags(struct bpt_machine *m, uint64_t flags)
{
    m->host_flags = flags;
}

void
bpt_hide(struct bpt_machine *m, const char *iface)
{
    for (unsigned i = 0; i < N_SERVICES; i++)
        if (strcmp(m->services[i].iface, iface) == 0)
            m->services[i].hidden = 1;
}

void
bpt_truncate(struct bpt_machine *m, const char *iface, uint32_t size)
{
    if (strcmp(iface, "bp.host") == 0 && size >= sizeof size && size < sizeof fake_host)
        m->host_size = size;
    for (unsigned i = 0; i < N_SERVICES; i++) {
        struct service *s = &m->services[i];

        if (strcmp(s->iface, iface) != 0 || size < sizeof size || size > s->size)
            continue;
        cut_free(s);
        cut_new(s, size);
        memcpy(s->cut, s->table, size);
        memcpy(s->cut, &size, sizeof size);
    }
}
