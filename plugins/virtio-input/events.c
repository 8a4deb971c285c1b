/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.c - bp.input/1. send() comes from any thread, so it only queues, under a lock that nothing
 * else is done under, and kicks.
 */
#include <string.h>

#include <linux/input-event-codes.h>

#include "virtio-input.h"

void
input_pending_clear(struct input *d)
{
    pthread_mutex_lock(&d->pending.lock);
    d->pending.n = d->pending.n_motion = 0;
    pthread_mutex_unlock(&d->pending.lock);
}

bool
input_pending_peek(struct input *d, struct input_wire *ret)
{
    bool any;

    pthread_mutex_lock(&d->pending.lock);
    any = d->pending.n != 0;
    if (any)
        *ret = d->pending.events[d->pending.first];
    pthread_mutex_unlock(&d->pending.lock);
    return any;
}

void
input_pending_drop(struct input *d)
{
    struct input_pending *p = &d->pending;

    pthread_mutex_lock(&p->lock);
    if (p->n) {
        p->first = (p->first + 1) % INPUT_PENDING;
        p->n--;
    }
    /* A packet that has begun to leave cannot be changed any more. */
    if (p->n < p->n_motion)
        p->n_motion = 0;
    pthread_mutex_unlock(&p->lock);
}

static void
put(struct input_pending *p, uint32_t type, uint32_t code, uint32_t value)
{
    p->events[(p->first + p->n++) % INPUT_PENDING] =
        (struct input_wire){(uint16_t)type, (uint16_t)code, value};
}

/* Only where the pointer is now matters: a packet like the last one takes its place. */
static void
add(struct input *d, const struct bp_input_event *events, uint32_t n, uint32_t useful, bool motion)
{
    struct input_pending *p = &d->pending;

    if (motion && p->n_motion == useful + 1)
        p->n -= p->n_motion;
    for (uint32_t i = 0; i < n; i++)
        if (input_has(d, events[i].type, events[i].code))
            put(p, events[i].type, events[i].code, (uint32_t)events[i].value);
    put(p, EV_SYN, SYN_REPORT, 0);
    p->n_motion = motion ? useful + 1 : 0;
}

static int
input_send(void *self, const struct bp_input_event *events, uint32_t n)
{
    struct input *d = self;
    uint32_t useful = 0;
    bool motion = true;
    int err = 0;

    for (uint32_t i = 0; i < n; i++)
        if (input_has(d, events[i].type, events[i].code)) {
            useful++;
            motion = motion && events[i].type == EV_ABS;
        }
    if (!useful)
        return 0;
    pthread_mutex_lock(&d->pending.lock);
    if (useful >= INPUT_PENDING - d->pending.n)
        err = BP_E_AGAIN;
    else
        add(d, events, n, useful, motion);
    pthread_mutex_unlock(&d->pending.lock);
    if (!err)
        d->event->kick(d->inst, d->kicked);
    return err;
}

void
input_listens(struct input *d, bool live)
{
    static const uint32_t takes[] = {
        [INPUT_TABLET] = BP_INPUT_TAKES_ABS,
        [INPUT_MOUSE] = BP_INPUT_TAKES_REL,
        [INPUT_KEYBOARD] = BP_INPUT_TAKES_KEYS,
    };

    atomic_store(&d->takes, live ? takes[d->kind] : 0);
}

static uint32_t
input_takes(void *self)
{
    return atomic_load(&((struct input *)self)->takes);
}

static uint32_t
input_leds(void *self)
{
    return atomic_load(&((struct input *)self)->leds);
}

const struct bp_input_if input_events_if = {
    .size = sizeof input_events_if,
    .takes = input_takes,
    .send = input_send,
    .leds = input_leds,
};
