/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * event.c - bp.event/1 of the fake host: a clock that the test moves, and delivery of what is
 * pending in the order in which it became so. Only instances that run get events.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"

#define ENDLESS 1000000u /* more events than this in one pump: something feeds itself */

static int64_t
host_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Locked. */
void
clock_sync(struct bpt_machine *m)
{
    int64_t now;

    if (!m->clock_runs)
        return;
    now = host_ns();
    m->now += now - m->host_then;
    m->vnow += m->running ? now - m->host_then : 0;
    m->host_then = now;
}

static int64_t
clock_now(struct bpt_machine *m, uint32_t clock)
{
    clock_sync(m);
    return clock == BP_CLOCK_VIRTUAL    ? m->vnow
           : clock == BP_CLOCK_REALTIME ? m->now + m->real_off
                                        : m->now;
}

int64_t
bpt_now(struct bpt_machine *m, uint32_t clock)
{
    int64_t now;

    lock(m);
    now = clock_now(m, clock);
    unlock(m);
    return now;
}

void
bpt_set_realtime(struct bpt_machine *m, int64_t ns)
{
    lock(m);
    clock_sync(m);
    m->real_off = ns - m->now;
    unlock(m);
}

void
bpt_clock_runs(struct bpt_machine *m)
{
    lock(m);
    m->host_then = host_ns();
    m->clock_runs = 1;
    unlock(m);
}

/* Locked. */
void
event_pend(struct obj *o)
{
    if (!o->pending)
        o->pending = ++o->owner->m->seq;
}

void
wake(struct bpt_machine *m)
{
    static const uint64_t one = 1;

    if (write(m->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        abort();
}

/* ---- bp.event/1 ---- */

static int
event_timer(bp_inst handle, const char *name, uint32_t clock, uint32_t cookie, bp_event *ret)
{
    struct inst *in;
    struct obj *o;
    int err = host_call(handle, TAG_REALIZE, "timer()", &in);

    if (err)
        return err;
    if (clock != BP_CLOCK_MONOTONIC && clock != BP_CLOCK_REALTIME && clock != BP_CLOCK_VIRTUAL)
        return BP_E_INVAL;
    if (obj_named(in, OBJ_EVENTS, name))
        return BP_E_EXIST;
    o = obj_new(in, OBJ_TIMER, name);
    o->cookie = cookie;
    o->timer.clock = clock;
    o->timer.deadline = BP_TIMER_OFF;
    ret->v = o->id;
    return 0;
}

static int
event_arm(bp_inst handle, bp_event ev, int64_t deadline)
{
    struct inst *in;
    struct obj *o;
    int err = host_call(handle, TAG_ANY, "arm()", &in);

    if (err)
        return err;
    lock(in->m);
    o = obj_of(in, ev.v, OBJ_TIMER);
    if (o) {
        o->timer.deadline = deadline;
        o->pending = 0;
    }
    unlock(in->m);
    if (o && !pthread_equal(in->m->thread, pthread_self()))
        wake(in->m);
    return o ? 0 : BP_E_INVAL;
}

static int64_t
event_now(bp_inst handle, uint32_t clock)
{
    struct inst *in = inst_of(handle);

    return in ? bpt_now(in->m, clock) : 0;
}

static int
event_soft(bp_inst handle, const char *name, uint32_t cookie, bp_event *ret)
{
    struct inst *in;
    struct obj *o;
    int err = host_call(handle, TAG_REALIZE, "soft()", &in);

    if (err)
        return err;
    if (obj_named(in, OBJ_EVENTS, name))
        return BP_E_EXIST;
    o = obj_new(in, OBJ_SOFT, name);
    o->cookie = cookie;
    ret->v = o->id;
    return 0;
}

static int
event_kick(bp_inst handle, bp_event ev)
{
    struct inst *in;
    struct obj *o;
    int err = host_call(handle, TAG_ANY, "kick()", &in);

    if (err)
        return err;
    lock(in->m);
    o = obj_of(in, ev.v, OBJ_SOFT);
    if (o)
        event_pend(o);
    unlock(in->m);
    if (o && !pthread_equal(in->m->thread, pthread_self()))
        wake(in->m);
    return o ? 0 : BP_E_INVAL;
}

static int
event_watch(bp_inst handle, int fd, uint32_t mask, uint32_t cookie, bp_event *ret)
{
    struct inst *in;
    struct obj *o;
    int err = host_call(handle, TAG_CTX, "watch()", &in);

    if (err)
        return err;
    if (fd < 0 || mask & ~(uint32_t)(BP_EV_READ | BP_EV_WRITE | BP_EV_HANGUP | BP_EV_ERROR))
        return BP_E_INVAL;
    o = obj_new(in, OBJ_WATCH, "watch");
    o->cookie = cookie;
    o->watch.fd = fd;
    o->watch.mask = mask;
    ret->v = o->id;
    return 0;
}

static int
event_modify(bp_inst handle, bp_event ev, uint32_t mask)
{
    struct inst *in;
    struct obj *o;
    int err = host_call(handle, TAG_CTX, "modify()", &in);

    if (err)
        return err;
    o = obj_of(in, ev.v, OBJ_WATCH);
    if (!o)
        return BP_E_INVAL;
    o->watch.mask = mask;
    return 0;
}

static int
event_close(bp_inst handle, bp_event ev)
{
    struct inst *in = inst_of(handle);
    struct obj *o;

    if (!in)
        return BP_E_INVAL;
    lock(in->m);
    o = obj_of(in, ev.v, OBJ_EVENTS);
    if (o)
        obj_close(o);
    unlock(in->m);
    return o ? 0 : BP_E_INVAL;
}

static int
event_poller(bp_inst handle, int (*poll)(void *arg, uint32_t how), void *arg, bp_event *ret)
{
    struct inst *in;
    struct obj *o;
    int err = host_call(handle, TAG_REALIZE, "poller()", &in);

    if (err)
        return err;
    if (!poll)
        return BP_E_INVAL;
    o = obj_new(in, OBJ_POLLER, "poller");
    o->poller.poll = poll;
    o->poller.arg = arg;
    ret->v = o->id;
    return 0;
}

const struct bp_event_if fake_event = {
    .size = sizeof fake_event,
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

/* ---- Delivery ---- */

static int
gets_events(const struct obj *o)
{
    return !o->closed && (o->owner->stage == ST_RUNNING || o->owner->starting);
}

static void
deliver(struct obj *o, uint32_t mask)
{
    struct ctx c;

    ctx_enter(&c, o->owner, PH_RUN);
    if (o->owner->cls.event)
        o->owner->cls.event(o->owner->self, o->cookie, mask);
    ctx_leave(&c);
}

/* The next event to deliver, with its mask; NULL when all is quiet. */
static struct obj *
next_pending(struct bpt_machine *m, uint32_t *ret_mask)
{
    struct obj *next = NULL;

    lock(m);
    for (unsigned i = 0; i < m->n_objs; i++) {
        struct obj *o = m->objs[i];

        if (!gets_events(o))
            continue;
        if (o->kind == OBJ_TIMER && o->timer.deadline != BP_TIMER_OFF &&
            o->timer.deadline <= clock_now(m, o->timer.clock)) {
            o->timer.deadline = BP_TIMER_OFF;
            event_pend(o);
        }
        if (o->pending && !(o->kind & (OBJ_WATCH | OBJ_POLLER)) &&
            (!next || o->pending < next->pending))
            next = o;
    }
    if (next) {
        next->pending = 0;
        *ret_mask = next->kind == OBJ_TIMER  ? BP_EV_TIMER
                    : next->kind == OBJ_SOFT ? BP_EV_KICK
                                             : BP_EV_DOORBELL;
    }
    unlock(m);
    return next;
}

unsigned
bpt_pump(struct bpt_machine *m)
{
    struct obj *o;
    uint32_t mask;
    unsigned n = 0;

    while ((o = next_pending(m, &mask)) != NULL) {
        deliver(o, mask);
        if (++n == ENDLESS) {
            problem(m, "%s: its events never end", o->owner->id);
            break;
        }
    }
    irq_drain(m);
    return n;
}

/* Milliseconds until the next timer, when the clock runs; never longer than limit (-1: none). */
static int
poll_limit(struct bpt_machine *m, int limit)
{
    lock(m);
    for (unsigned i = 0; m->clock_runs && i < m->n_objs; i++) {
        struct obj *o = m->objs[i];
        int64_t ms;

        if (o->kind != OBJ_TIMER || !gets_events(o) || o->timer.deadline == BP_TIMER_OFF)
            continue;
        ms = (o->timer.deadline - clock_now(m, o->timer.clock) + 999999) / 1000000;
        ms = ms < 0 ? 0 : ms > 3600000 ? 3600000 : ms;
        if (limit < 0 || ms < limit)
            limit = (int)ms;
    }
    unlock(m);
    return limit;
}

unsigned
bpt_poll(struct bpt_machine *m, int timeout_ms)
{
    unsigned n = bpt_pump(m), n_fds = 1;
    struct pollfd *fds = xcalloc(m->n_objs + 1, sizeof *fds);
    struct obj **objs = xcalloc(m->n_objs + 1, sizeof *objs);
    uint64_t drop;
    int ready;

    fds[0] = (struct pollfd){.fd = m->wake_fd, .events = POLLIN};
    for (unsigned i = 0; i < m->n_objs; i++) {
        struct obj *o = m->objs[i];
        uint32_t mask = o->watch.mask;

        if (o->kind != OBJ_WATCH || !gets_events(o))
            continue;
        objs[n_fds] = o;
        fds[n_fds++] = (struct pollfd){.fd = o->watch.fd,
                                       .events = (short)((mask & BP_EV_READ ? POLLIN : 0) |
                                                         (mask & BP_EV_WRITE ? POLLOUT : 0))};
    }
    ready = poll(fds, n_fds, n ? 0 : poll_limit(m, timeout_ms));
    if (fds[0].revents && read(m->wake_fd, &drop, sizeof drop) < 0 && errno != EAGAIN)
        abort();
    for (unsigned i = 1; ready > 0 && i < n_fds; i++) {
        short got = fds[i].revents;

        if (!got || !gets_events(objs[i]))
            continue;
        if (got & POLLNVAL) {
            problem(m, "%s: watches a descriptor that is closed", objs[i]->owner->id);
            obj_close(objs[i]);
            continue;
        }
        deliver(objs[i], (got & POLLIN ? BP_EV_READ : 0u) | (got & POLLOUT ? BP_EV_WRITE : 0u) |
                             (got & POLLHUP ? BP_EV_HANGUP : 0u) |
                             (got & POLLERR ? BP_EV_ERROR : 0u));
        n++;
    }
    free(fds);
    free(objs);
    return n + bpt_pump(m);
}

unsigned
bpt_look(struct bpt_machine *m, uint32_t how)
{
    unsigned found = 0;

    for (unsigned i = 0; i < m->n_objs; i++) {
        struct obj *o = m->objs[i];
        struct ctx c;

        if (o->kind != OBJ_POLLER || !gets_events(o))
            continue;
        ctx_enter(&c, o->owner, PH_RUN);
        found += o->poller.poll(o->poller.arg, how) > 0;
        ctx_leave(&c);
    }
    irq_drain(m);
    return found;
}

int
bpt_until(struct bpt_machine *m, int (*done)(void *), void *arg)
{
    int64_t end = host_ns() + INT64_C(10000000000);
    int is;

    while (!(is = done(arg)) && host_ns() < end)
        bpt_poll(m, 20);
    return is;
}

/* The earliest deadline as a distance from now, of all instances or one; BP_TIMER_OFF. */
static int64_t
earliest(struct bpt_machine *m, struct inst *only, int64_t *ret_deadline)
{
    int64_t best = BP_TIMER_OFF;

    for (unsigned i = 0; i < m->n_objs; i++) {
        struct obj *o = m->objs[i];
        int64_t dist;

        if (o->kind != OBJ_TIMER || o->closed || o->timer.deadline == BP_TIMER_OFF ||
            (only ? o->owner != only : !gets_events(o)))
            continue;
        dist = o->timer.deadline - clock_now(m, o->timer.clock);
        if (dist < best) {
            best = dist;
            *ret_deadline = o->timer.deadline;
        }
    }
    return best;
}

int64_t
bpt_timer(struct bpt_machine *m, const char *id)
{
    int64_t deadline = BP_TIMER_OFF;
    struct inst *in = inst_by_id(m, id);

    lock(m);
    if (in)
        earliest(m, in, &deadline);
    unlock(m);
    return deadline;
}

void
bpt_advance(struct bpt_machine *m, int64_t ns)
{
    int64_t left = ns, step, unused;

    do {
        lock(m);
        step = earliest(m, NULL, &unused);
        step = step < 0 ? 0 : step > left ? left : step;
        m->now += step;
        m->vnow += m->running ? step : 0;
        left -= step;
        unlock(m);
        if (bpt_pump(m) >= ENDLESS)
            return;
    } while (left > 0);
}
