/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * context.c - handles and ids of the fake host, which context a thread is in, and failures on
 * demand.
 *
 * A handle carries the machine's slot and serial number, so that one kept over bpt_free() is
 * noticed. An object's id is its index in the machine plus one, with its kind above.
 */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "fake.h"

#define N_MACHINES 256u

static _Atomic(struct bpt_machine *) machines[N_MACHINES];
static _Atomic uint64_t serials = 1;
static __thread struct ctx *ctx_top;

unsigned
machine_register(struct bpt_machine *m)
{
    m->serial = atomic_fetch_add(&serials, 1) & 0xffffffffff;
    for (unsigned i = 0; i < N_MACHINES; i++) {
        struct bpt_machine *none = NULL;

        if (atomic_compare_exchange_strong(&machines[i], &none, m))
            return i;
    }
    fputs("# libbackplane-test: too many machines at once\n", stderr);
    abort();
}

void
machine_forget(struct bpt_machine *m)
{
    atomic_store(&machines[m->slot], NULL);
}

/* handle: serial << 24 | slot << 16 | index + 1 */
struct inst *
inst_of(bp_inst handle)
{
    struct bpt_machine *m = atomic_load(&machines[handle.v >> 16 & (N_MACHINES - 1)]);
    unsigned index = (unsigned)(handle.v & 0xffff);

    if (!m || handle.v >> 24 != m->serial || !index || index > m->n_insts)
        return NULL;
    return m->insts[index - 1]->stage == ST_DESTROYED ? NULL : m->insts[index - 1];
}

struct inst *
inst_by_id(struct bpt_machine *m, const char *id)
{
    for (unsigned i = 0; i < m->n_insts; i++)
        if (m->insts[i]->stage != ST_DESTROYED && strcmp(m->insts[i]->id, id) == 0)
            return m->insts[i];
    return NULL;
}

struct obj *
obj_new(struct inst *in, enum obj_kind kind, const char *name)
{
    struct bpt_machine *m = in->m;
    struct obj *o = xcalloc(1, sizeof *o);

    o->kind = kind;
    o->owner = in;
    o->name = xstrdup(name ? name : "");
    lock(m);
    m->objs = xgrow(m->objs, m->n_objs, sizeof *m->objs);
    m->objs[m->n_objs++] = o;
    o->id = (uint64_t)kind << 56 | (m->serial & 0xffffff) << 32 | m->n_objs;
    unlock(m);
    return o;
}

struct obj *
obj_of(struct inst *in, uint64_t id, unsigned kinds)
{
    struct bpt_machine *m = in->m;
    uint64_t index = id & 0xffffffff;
    struct obj *o;

    if (!index || index > m->n_objs)
        return NULL;
    o = m->objs[index - 1];
    return o->id == id && (o->kind & kinds) && o->owner == in && !o->closed ? o : NULL;
}

struct obj *
obj_named(struct inst *in, unsigned kinds, const char *name)
{
    for (unsigned i = 0; i < in->m->n_objs; i++) {
        struct obj *o = in->m->objs[i];

        if (o->owner == in && (o->kind & kinds) && !o->closed && strcmp(o->name, name) == 0)
            return o;
    }
    return NULL;
}

/* The id is void from here on; the object itself stays until the machine is freed. */
void
obj_close(struct obj *o)
{
    int fds[2] = {-1, -1};

    if (o->closed)
        return;
    o->closed = 1;
    o->pending = 0;
    switch (o->kind) {
    case OBJ_REGION:
        o->region.base = BP_IO_NOWHERE;
        break;
    case OBJ_LINE:
        o->line.level = o->line.fd_level = 0;
        fds[0] = o->line.trigger, fds[1] = o->line.resample;
        break;
    case OBJ_MSG:
        fds[0] = o->msg.trigger;
        break;
    case OBJ_DOORBELL:
        fds[0] = o->bell.fd;
        break;
    case OBJ_RAM:
        o->ram.gpa = BP_RAM_NOWHERE;
        if (!o->ram.alias)
            munmap(o->ram.p, o->ram.len);
        free(o->ram.dirty);
        break;
    default:
        break;
    }
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

void
obj_free(struct obj *o)
{
    obj_close(o);
    free(o->name);
    free(o);
}

void
ctx_enter(struct ctx *c, struct inst *in, enum phase phase)
{
    c->up = ctx_top;
    c->inst = in;
    c->phase = phase;
    ctx_top = c;
}

void
ctx_leave(struct ctx *c)
{
    ctx_top = c->up;
}

int
ctx_in_realize(struct bpt_machine *m)
{
    for (struct ctx *c = ctx_top; c; c = c->up)
        if (c->inst->m == m && c->phase != PH_RUN)
            return 1;
    return 0;
}

int
ctx_in_create(struct inst *in)
{
    return ctx_top && ctx_top->inst == in && ctx_top->phase == PH_CREATE;
}

/* The instance's own context, its group's, or a bus that it has linked and that acts for it. */
static int
ctx_fits(struct inst *in)
{
    struct inst *at = ctx_top->inst;

    if (at->group == in->group)
        return 1;
    for (uint32_t i = 0; i < in->n_peers; i++)
        if (in->peers[i] == at)
            return 1;
    return 0;
}

static void
check_context(struct inst *in, enum tag tag, const char *what)
{
    struct bpt_machine *m = in->m;

    if (tag == TAG_ANY)
        return;
    if (!pthread_equal(m->thread, pthread_self())) {
        problem(m, "%s: %s is not [any] and was called from another thread", in->id, what);
        return;
    }
    if (!ctx_top || ctx_top->inst->m != m || ctx_in_realize(m))
        return;
    if (tag == TAG_REALIZE)
        problem(m, "%s: %s is [realize] and was called while the machine runs", in->id, what);
    else if (!ctx_fits(in))
        problem(m, "%s: %s is [ctx] and was called on the context of %s", in->id, what,
                ctx_top->inst->id);
}

static int
inject(struct inst *in)
{
    struct bpt_machine *m = in->m;
    int err = 0;

    lock(m);
    if (m->inject_left && (!m->inject_id || strcmp(m->inject_id, in->id) == 0) &&
        --m->inject_left == 0) {
        m->injected = 1;
        err = m->inject_err;
    }
    unlock(m);
    return err;
}

int
host_call(bp_inst handle, enum tag tag, const char *what, struct inst **ret_inst)
{
    struct inst *in = inst_of(handle);
    int err;

    if (!in)
        return BP_E_INVAL;
    check_context(in, tag, what);
    err = inject(in);
    if (err)
        return err;
    *ret_inst = in;
    return 0;
}

void
bpt_inject(struct bpt_machine *m, const char *id, uint64_t nth, int err)
{
    lock(m);
    free(m->inject_id);
    m->inject_id = id ? xstrdup(id) : NULL;
    m->inject_left = nth;
    m->inject_err = err;
    m->injected = 0;
    unlock(m);
}

int
inject_state(struct bpt_machine *m)
{
    if (!m->inject_state_left || --m->inject_state_left)
        return 0;
    m->injected = 1;
    return m->inject_err;
}

void
bpt_inject_state(struct bpt_machine *m, uint64_t nth, int err)
{
    m->inject_state_left = nth;
    m->inject_err = err;
    m->injected = 0;
}

int
bpt_injected(struct bpt_machine *m)
{
    return m->injected;
}
