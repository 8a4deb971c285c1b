/* SPDX-License-Identifier: BSD-3-Clause */
/* devices.c - see devices.h. */
#include "devices.h"

#include <linux/input-event-codes.h>

#define FIRST_BUTTON 0x100u

static int
add(struct input_devices *d, const struct bp_link *link)
{
    d->device[d->n].iface = link->iface;
    d->device[d->n].self = link->self;
    d->n++;
    return 0;
}

int
input_devices_link(struct input_devices *d, const struct bp_host *host, bp_inst inst,
                   const char *prop)
{
    const uint32_t size = BP_UPTO(struct bp_input_if, send);
    struct bp_link link = {.size = sizeof link};
    struct bp_value list = {.size = sizeof list};
    int err = host->prop(inst, prop, &list);

    if (err)
        return err;
    if (list.n == 0) {
        err = host->link(inst, NULL, BP_IF_INPUT, size, &link);
        return err == BP_E_NOENT ? 0 : err ? err : add(d, &link);
    }
    if (list.n > INPUT_DEVICES_MAX)
        return host->fail(inst, BP_E_RANGE, "input: at most 8");
    for (uint64_t i = 0; i < list.n; i++) {
        err = host->link_item(inst, prop, i, BP_IF_INPUT, size, &link);
        if (err)
            return err;
        (void)add(d, &link);
    }
    return 0;
}

uint32_t
input_devices_take(const struct input_devices *d)
{
    uint32_t all = 0;

    for (uint32_t i = 0; i < d->n; i++)
        all |= d->device[i].iface->takes(d->device[i].self);
    return all;
}

uint32_t
input_devices_leds(const struct input_devices *d)
{
    for (uint32_t i = 0; i < d->n; i++) {
        const struct bp_input_if *iface = d->device[i].iface;

        if (iface->takes(d->device[i].self) & BP_INPUT_TAKES_KEYS)
            return BP_HAS(struct bp_input_if, iface, leds) ? iface->leds(d->device[i].self) : 0;
    }
    return 0;
}

/* The first that takes all of what, from 1; 0: none. */
static uint32_t
find(const struct input_devices *d, uint32_t what)
{
    for (uint32_t i = 0; i < d->n; i++)
        if (d->device[i].iface->takes(d->device[i].self) & what)
            return i + 1;
    return 0;
}

/* An absolute pointer comes first: the user sees where it is. */
static uint32_t
pointer(const struct input_devices *d)
{
    uint32_t who = find(d, BP_INPUT_TAKES_ABS);

    return who ? who : find(d, BP_INPUT_TAKES_REL);
}

static int
give(const struct input_devices *d, uint32_t who, const struct bp_input_event *events, uint32_t n)
{
    return d->device[who - 1].iface->send(d->device[who - 1].self, events, n);
}

static void
lose(struct input_devices *d, uint32_t code)
{
    d->holder[code] = 0;
    if (d->late[code]) {
        d->late[code] = false;
        d->n_late--;
    }
}

static void
let_go(struct input_devices *d, uint32_t code)
{
    const struct bp_input_event event = {BP_INPUT_KEY, code, 0};

    if (give(d, d->holder[code], &event, 1) != BP_E_AGAIN) {
        lose(d, code);
    } else if (!d->late[code]) {
        d->late[code] = true;
        d->n_late++;
    }
}

bool
input_devices_down(const struct input_devices *d, uint32_t code)
{
    return code < INPUT_CODES && d->holder[code] && !d->late[code];
}

bool
input_devices_key(struct input_devices *d, uint32_t code, bool down)
{
    const struct bp_input_event event = {BP_INPUT_KEY, code, 1};
    uint32_t who;

    if (code >= INPUT_CODES)
        return false;
    if (!down) {
        if (d->holder[code])
            let_go(d, code);
        return true;
    }
    if (input_devices_down(d, code))
        return true;
    if (d->late[code])
        let_go(d, code);
    if (d->late[code])
        return false;
    who = code < FIRST_BUTTON ? find(d, BP_INPUT_TAKES_KEYS) : pointer(d);
    if (!who || give(d, who, &event, 1))
        return false;
    d->holder[code] = (uint8_t)who;
    return true;
}

void
input_devices_point(struct input_devices *d, uint32_t x, uint32_t y, uint32_t width,
                    uint32_t height)
{
    struct bp_input_event events[] = {{BP_INPUT_ABS, ABS_X, 0}, {BP_INPUT_ABS, ABS_Y, 0}};
    uint32_t who = find(d, BP_INPUT_TAKES_ABS);

    if (!who)
        return;
    x = x < width ? x : width - 1;
    y = y < height ? y : height - 1;
    events[0].value = width > 1 ? (int32_t)((uint64_t)x * BP_INPUT_ABS_MAX / (width - 1)) : 0;
    events[1].value = height > 1 ? (int32_t)((uint64_t)y * BP_INPUT_ABS_MAX / (height - 1)) : 0;
    (void)give(d, who, events, 2);
}

void
input_devices_move(struct input_devices *d, int32_t dx, int32_t dy)
{
    const struct bp_input_event events[] = {{BP_INPUT_REL, REL_X, dx}, {BP_INPUT_REL, REL_Y, dy}};
    uint32_t who = find(d, BP_INPUT_TAKES_REL);

    if (who && (dx || dy))
        (void)give(d, who, events, 2);
}

void
input_devices_wheel(struct input_devices *d, int32_t vertical, int32_t horizontal)
{
    const struct bp_input_event up = {BP_INPUT_REL, REL_WHEEL, vertical};
    const struct bp_input_event right = {BP_INPUT_REL, REL_HWHEEL, horizontal};
    uint32_t who = pointer(d);

    if (who && vertical)
        (void)give(d, who, &up, 1);
    if (who && horizontal)
        (void)give(d, who, &right, 1);
}

void
input_devices_release(struct input_devices *d)
{
    for (uint32_t code = 0; code < INPUT_CODES; code++)
        if (d->holder[code])
            let_go(d, code);
}

void
input_devices_adopt(struct input_devices *d, const struct input_devices *ends)
{
    for (uint32_t code = 0; code < INPUT_CODES && ends->n_late; code++)
        if (ends->late[code] && !d->late[code]) {
            d->holder[code] = ends->holder[code];
            d->late[code] = true;
            d->n_late++;
        }
}

bool
input_devices_retry(struct input_devices *d)
{
    for (uint32_t code = 0; code < INPUT_CODES && d->n_late; code++)
        if (d->late[code])
            let_go(d, code);
    return d->n_late != 0;
}
