/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.c - bp.irq/1 of the fake host: lines wired to GSIs, messages, and their eventfd forms.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "fake.h"

/* ---- Lines; all locked ---- */

static int
gsi_level(struct bpt_machine *m, uint32_t gsi)
{
    int level = 0;

    for (unsigned i = 0; i < m->n_objs; i++) {
        const struct obj *o = m->objs[i];

        if (o->kind == OBJ_LINE && !o->closed && o->line.gsi == gsi)
            level |= o->line.level | o->line.fd_level;
    }
    return level;
}

static void
line_set(struct obj *o, int *which, int on)
{
    struct bpt_machine *m = o->owner->m;
    int before = gsi_level(m, o->line.gsi);

    *which = on;
    if (!before && on)
        m->gsi_counts[o->line.gsi]++;
}

static void
msg_send(struct bpt_machine *m, struct obj *o)
{
    o->msg.pending = 0;
    m->sent = xgrow(m->sent, m->n_sent, sizeof *m->sent);
    m->sent[m->n_sent++] = (struct sent_msg){o->msg.addr, o->msg.data};
}

static void
msg_raise(struct bpt_machine *m, struct obj *o)
{
    if (o->msg.masked)
        o->msg.pending = 1;
    else
        msg_send(m, o);
}

static int
fd_took(int fd)
{
    uint64_t n;

    return fd >= 0 && read(fd, &n, sizeof n) == (ssize_t)sizeof n;
}

void
irq_drain(struct bpt_machine *m)
{
    lock(m);
    for (unsigned i = 0; i < m->n_objs; i++) {
        struct obj *o = m->objs[i];

        if (o->closed)
            continue;
        if (o->kind == OBJ_MSG && fd_took(o->msg.trigger))
            msg_raise(m, o);
        if (o->kind == OBJ_LINE && fd_took(o->line.trigger)) {
            line_set(o, &o->line.fd_level, 1);
            if (!(o->line.flags & BP_IRQ_LEVEL))
                o->line.fd_level = 0;
        }
    }
    unlock(m);
}

/* ---- bp.irq/1 ---- */

/* Another instance's line on that GSI that cannot share it with a new one, or NULL. */
static struct obj *
gsi_taken(struct bpt_machine *m, uint32_t gsi, uint32_t flags, int any)
{
    for (unsigned i = 0; i < m->n_objs; i++) {
        struct obj *o = m->objs[i];

        if (o->kind == OBJ_LINE && !o->closed && o->line.gsi == gsi &&
            (any || !(flags & o->line.flags & BP_IRQ_LEVEL)))
            return o;
    }
    return NULL;
}

static uint32_t
gsi_choose(struct bpt_machine *m, uint32_t flags)
{
    for (uint32_t gsi = 16; gsi < m->info.gsis; gsi++)
        if (!gsi_taken(m, gsi, flags, 1))
            return gsi;
    for (uint32_t gsi = 16; gsi < m->info.gsis; gsi++)
        if (!gsi_taken(m, gsi, flags, 0))
            return gsi;
    return BP_IRQ_AUTO;
}

static int
irq_line(bp_inst handle, const char *name, uint32_t gsi, uint32_t flags, bp_irq *ret_irq)
{
    struct inst *in;
    struct obj *o, *other;
    int err = host_call(handle, TAG_REALIZE, "line()", &in);

    if (err)
        return err;
    if (obj_named(in, OBJ_LINE | OBJ_MSG, name))
        return BP_E_EXIST;
    if (gsi == BP_IRQ_AUTO) {
        gsi = gsi_choose(in->m, flags);
        if (gsi == BP_IRQ_AUTO)
            return error_set(in->m, in->id, BP_E_BUSY, "no GSI is free");
    }
    if (gsi >= in->m->info.gsis || gsi >= in->m->n_gsis)
        return BP_E_RANGE;
    other = gsi_taken(in->m, gsi, flags, 0);
    if (other)
        return error_set(in->m, in->id, BP_E_BUSY, "IRQ %u belongs to %s", gsi, other->owner->id);
    o = obj_new(in, OBJ_LINE, name);
    o->line.gsi = gsi;
    o->line.flags = flags;
    o->line.trigger = o->line.resample = -1;
    ret_irq->v = o->id;
    return 0;
}

static int
irq_gsi(bp_inst handle, bp_irq irq)
{
    struct inst *in = inst_of(handle);
    struct obj *o = in ? obj_of(in, irq.v, OBJ_LINE) : NULL;

    return o ? (int)o->line.gsi : BP_E_INVAL;
}

static int
irq_level(bp_inst handle, bp_irq irq, uint32_t on)
{
    struct inst *in;
    struct obj *o;
    int err = host_call(handle, TAG_ANY, "level()", &in);

    if (err)
        return err;
    lock(in->m);
    o = obj_of(in, irq.v, OBJ_LINE);
    if (o)
        line_set(o, &o->line.level, on != 0);
    unlock(in->m);
    return o ? 0 : BP_E_INVAL;
}

static int
irq_msi(bp_inst handle, const char *name, uint32_t vector, bp_irq *ret_irq)
{
    struct inst *in;
    struct obj *o;
    int err = host_call(handle, TAG_REALIZE, "msi()", &in);

    (void)vector;
    if (err)
        return err;
    if (obj_named(in, OBJ_LINE | OBJ_MSG, name))
        return BP_E_EXIST;
    o = obj_new(in, OBJ_MSG, name);
    o->msg.masked = 1;
    o->msg.trigger = -1;
    ret_irq->v = o->id;
    return 0;
}

static int
irq_raise(bp_inst handle, bp_irq irq)
{
    struct inst *in;
    struct obj *o;
    int err = host_call(handle, TAG_ANY, "raise()", &in);

    if (err)
        return err;
    lock(in->m);
    o = obj_of(in, irq.v, OBJ_LINE | OBJ_MSG);
    if (o && o->kind == OBJ_LINE && o->line.flags & BP_IRQ_LEVEL)
        o = NULL;
    if (o && o->kind == OBJ_MSG) {
        msg_raise(in->m, o);
    } else if (o) {
        line_set(o, &o->line.level, 1);
        o->line.level = 0;
    }
    unlock(in->m);
    return o ? 0 : BP_E_INVAL;
}

static int
irq_msi_set(bp_inst handle, bp_irq irq, uint64_t addr, uint32_t data, uint32_t masked)
{
    struct inst *in;
    struct obj *o;
    int err = host_call(handle, TAG_CTX, "msi_set()", &in);

    if (err)
        return err;
    irq_drain(in->m);
    lock(in->m);
    o = obj_of(in, irq.v, OBJ_MSG);
    if (o) {
        o->msg.addr = addr;
        o->msg.data = data;
        o->msg.masked = masked != 0;
        if (!masked && o->msg.pending)
            msg_send(in->m, o);
    }
    unlock(in->m);
    return o ? 0 : BP_E_INVAL;
}

static int
irq_msi_pending(bp_inst handle, bp_irq irq)
{
    struct inst *in = inst_of(handle);
    struct obj *o;
    int pending;

    if (!in)
        return BP_E_INVAL;
    irq_drain(in->m);
    lock(in->m);
    o = obj_of(in, irq.v, OBJ_MSG);
    pending = o ? (int)o->msg.pending : BP_E_INVAL;
    unlock(in->m);
    return pending;
}

/* Our non-blocking end, made when first asked for; *ret gets one of the caller's. */
static void
fd_pair(int *ours, int *ret)
{
    if (*ours < 0)
        *ours = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *ret = fcntl(*ours, F_DUPFD_CLOEXEC, 0);
}

static int
irq_as_fd(bp_inst handle, bp_irq irq, int *ret_trigger, int *ret_resample)
{
    struct inst *in;
    struct obj *o;
    int err = host_call(handle, TAG_CTX, "as_fd()", &in);

    if (err)
        return err;
    o = obj_of(in, irq.v, OBJ_LINE | OBJ_MSG);
    if (!o || (o->kind == OBJ_LINE && o->line.flags & BP_IRQ_LEVEL && !ret_resample))
        return BP_E_INVAL;
    fd_pair(o->kind == OBJ_MSG ? &o->msg.trigger : &o->line.trigger, ret_trigger);
    if (o->kind == OBJ_LINE && ret_resample)
        fd_pair(&o->line.resample, ret_resample);
    return 0;
}

const struct bp_irq_if fake_irq = {
    .size = sizeof fake_irq,
    .line = irq_line,
    .gsi = irq_gsi,
    .level = irq_level,
    .msi = irq_msi,
    .raise = irq_raise,
    .msi_set = irq_msi_set,
    .msi_pending = irq_msi_pending,
    .as_fd = irq_as_fd,
};

/* ---- The test's side ---- */

int
bpt_gsi(struct bpt_machine *m, uint32_t gsi)
{
    int level;

    irq_drain(m);
    lock(m);
    level = gsi_level(m, gsi);
    unlock(m);
    return level;
}

uint64_t
bpt_gsi_count(struct bpt_machine *m, uint32_t gsi)
{
    uint64_t n;

    irq_drain(m);
    lock(m);
    n = gsi < m->n_gsis ? m->gsi_counts[gsi] : 0;
    unlock(m);
    return n;
}

int
bpt_gsi_of(struct bpt_machine *m, const char *id, const char *name)
{
    struct inst *in = inst_by_id(m, id);
    struct obj *o = in ? obj_named(in, OBJ_LINE, name) : NULL;

    return o ? (int)o->line.gsi : BP_E_NOENT;
}

void
bpt_eoi(struct bpt_machine *m, uint32_t gsi)
{
    static const uint64_t one = 1;

    irq_drain(m);
    lock(m);
    for (unsigned i = 0; i < m->n_objs; i++) {
        struct obj *o = m->objs[i];

        if (o->kind != OBJ_LINE || o->closed || o->line.gsi != gsi || o->line.resample < 0)
            continue;
        o->line.fd_level = 0;
        if (write(o->line.resample, &one, sizeof one) < 0 && errno != EAGAIN)
            abort();
    }
    unlock(m);
}

uint64_t
bpt_msi_count(struct bpt_machine *m)
{
    uint64_t n;

    irq_drain(m);
    lock(m);
    n = m->n_sent;
    unlock(m);
    return n;
}

int
bpt_msi_take(struct bpt_machine *m, uint64_t *ret_addr, uint32_t *ret_data)
{
    int found;

    irq_drain(m);
    lock(m);
    found = m->sent_taken < m->n_sent;
    if (found) {
        *ret_addr = m->sent[m->sent_taken].addr;
        *ret_data = m->sent[m->sent_taken++].data;
    }
    unlock(m);
    return found;
}
