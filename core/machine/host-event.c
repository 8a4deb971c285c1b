/* SPDX-License-Identifier: BSD-3-Clause */
/* host-event.c - bp.event/1, and the doorbells of bp.io/1, on core/loop. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/machine/host.h"
#include "core/machine/machine-private.h"

struct host_event {
    struct instance *inst;
    struct loop_source *source;
    struct bus_doorbell *bell; /* a doorbell's other half, else NULL */
    char *name;                /* of a timer or soft event: its place in inst->names */
    uint32_t cookie;
    enum { EVENT_TIMER, EVENT_SOFT, EVENT_WATCH, EVENT_DOORBELL, EVENT_POLLER } type;
};

static struct host_event *
event_of(bp_inst id, bp_event e)
{
    struct instance *inst = instance_of(id);

    return inst ? handles_get(inst->handles, HANDLE_EVENT, e.v) : NULL;
}

/* On the instance's context, under its domain's lock. */
static void
deliver(void *user, uint32_t mask)
{
    struct host_event *e = user;

    e->inst->cls->c.event(e->inst->self, e->cookie, mask);
}

static GMutex *
lock_of(struct instance *inst)
{
    return inst->cls->c.flags & BP_C_PARALLEL ? NULL : &inst->domain->lock;
}

static struct host_event *
event_new(struct instance *inst, int type, const char *name, uint32_t cookie)
{
    struct host_event *e = g_new0(struct host_event, 1);

    e->inst = inst;
    e->type = type;
    e->name = g_strdup(name);
    e->cookie = cookie;
    return e;
}

/* Gives the event an id, or undoes it. Frees the event when err is set already. */
static int
event_give(struct host_event *e, int err, bp_event *ret_event)
{
    uint64_t id;

    if (err) {
        host_fini_event(e);
        return err;
    }
    id = handles_add(e->inst->handles, HANDLE_EVENT, e);
    if (!id) {
        host_fini_event(e);
        return BP_E_NOSPC;
    }
    ret_event->v = id;
    return 0;
}

void
host_fini_event(void *object)
{
    struct host_event *e = object;

    bus_doorbell_remove(e->bell);
    loop_source_remove(e->source);
    if (e->name)
        instance_drop_name(e->inst, HANDLE_EVENT, e->name);
    g_free(e->name);
    g_free(e);
}

/* Whether the instance may make an event: it must have somewhere to send it. */
static struct instance *
maker(bp_inst id, const void *ret)
{
    struct instance *inst = instance_of(id);

    return inst && ret && inst->cls->c.event ? inst : NULL;
}

static int
event_timer(bp_inst id, const char *name, uint32_t clock, uint32_t cookie, bp_event *ret_event)
{
    struct instance *inst = maker(id, ret_event);
    struct host_event *e;

    if (!inst || !name)
        return BP_E_INVAL;
    if (!instance_take_name(inst, HANDLE_EVENT, name))
        return BP_E_EXIST;
    e = event_new(inst, EVENT_TIMER, name, cookie);
    return event_give(e, loop_add_timer(inst->loop, clock, lock_of(inst), deliver, e, &e->source),
                      ret_event);
}

static int
event_arm(bp_inst id, bp_event ev, int64_t deadline_ns)
{
    struct host_event *e = event_of(id, ev);

    if (!e || e->type != EVENT_TIMER)
        return BP_E_INVAL;
    loop_timer_arm(e->source, deadline_ns);
    return 0;
}

static int64_t
event_now(bp_inst id, uint32_t clock)
{
    struct instance *inst = instance_of(id);

    return inst ? loop_clock_now(inst->machine->clock, clock) : INT64_MIN;
}

static int
event_soft(bp_inst id, const char *name, uint32_t cookie, bp_event *ret_event)
{
    struct instance *inst = maker(id, ret_event);
    struct host_event *e;

    if (!inst || !name)
        return BP_E_INVAL;
    if (!instance_take_name(inst, HANDLE_EVENT, name))
        return BP_E_EXIST;
    e = event_new(inst, EVENT_SOFT, name, cookie);
    return event_give(e, loop_add_soft(inst->loop, lock_of(inst), deliver, e, &e->source),
                      ret_event);
}

static int
event_kick(bp_inst id, bp_event ev)
{
    struct host_event *e = event_of(id, ev);

    if (!e || e->type != EVENT_SOFT)
        return BP_E_INVAL;
    loop_kick(e->source);
    return 0;
}

static int
event_watch(bp_inst id, int fd, uint32_t mask, uint32_t cookie, bp_event *ret_event)
{
    struct instance *inst = maker(id, ret_event);
    struct host_event *e;

    if (!inst || (mask & ~(uint32_t)(BP_EV_READ | BP_EV_WRITE | BP_EV_HANGUP | BP_EV_ERROR)))
        return BP_E_INVAL;
    e = event_new(inst, EVENT_WATCH, NULL, cookie);
    return event_give(e,
                      loop_add_watch(inst->loop, fd, mask & (BP_EV_READ | BP_EV_WRITE),
                                     lock_of(inst), deliver, e, &e->source),
                      ret_event);
}

static int
event_modify(bp_inst id, bp_event ev, uint32_t mask)
{
    struct host_event *e = event_of(id, ev);

    if (!e || e->type != EVENT_WATCH)
        return BP_E_INVAL;
    return loop_watch_modify(e->source, mask & (BP_EV_READ | BP_EV_WRITE));
}

static int
event_poller(bp_inst id, int (*poll)(void *arg, uint32_t how), void *arg, bp_event *ret_event)
{
    struct instance *inst = instance_of(id);
    struct host_event *e;

    if (!inst || !poll || !ret_event)
        return BP_E_INVAL;
    e = event_new(inst, EVENT_POLLER, NULL, 0);
    return event_give(e, loop_add_poller(inst->loop, lock_of(inst), poll, arg, &e->source),
                      ret_event);
}

static int
event_close(bp_inst id, bp_event ev)
{
    struct instance *inst = instance_of(id);
    struct host_event *e = inst ? handles_remove(inst->handles, HANDLE_EVENT, ev.v) : NULL;

    if (!e)
        return BP_E_INVAL;
    host_fini_event(e);
    return 0;
}

int
host_event_doorbell(struct instance *inst, struct bus_region *region, uint64_t off, uint32_t width,
                    int64_t match, uint32_t cookie, bp_event *ret_event)
{
    struct host_event *e;
    int err;

    if (!inst->cls->c.event)
        return BP_E_INVAL;
    e = event_new(inst, EVENT_DOORBELL, NULL, cookie);
    err = loop_add_doorbell(inst->loop, lock_of(inst), deliver, e, &e->source);
    if (!err) {
        err = bus_doorbell_add(region, off, width, match, loop_doorbell_fd(e->source), &e->bell);
    }
    return event_give(e, err, ret_event);
}

int
host_event_doorbell_fd(bp_inst id, bp_event ev, gboolean taken, int *ret_fd)
{
    struct host_event *e = event_of(id, ev);
    int fd, err;

    if (!e || e->type != EVENT_DOORBELL || (taken && !ret_fd))
        return BP_E_INVAL;
    if (!taken)
        return loop_doorbell_pause(e->source, FALSE);
    fd = fcntl(loop_doorbell_fd(e->source), F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    err = loop_doorbell_pause(e->source, TRUE);
    if (err) {
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return 0;
}

const struct bp_event_if *
host_event(void)
{
    static const struct bp_event_if table = {
        .size = sizeof table,
        .timer = event_timer,
        .arm = event_arm,
        .now = event_now,
        .soft = event_soft,
        .kick = event_kick,
        .watch = event_watch,
        .modify = event_modify,
        .close = event_close,
        .poller = event_poller,
    };
    return &table;
}
