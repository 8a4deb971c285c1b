/* SPDX-License-Identifier: BSD-3-Clause */
/* config.c - the configuration space, virtio 1.2, 5.8.4 and 5.8.5: the driver selects what it asks.
 */
#include <string.h>

#include <linux/input-event-codes.h>

#include "virtio-input.h"

enum {
    SELECT_NAME = 0x01,
    SELECT_SERIAL = 0x02,
    SELECT_IDS = 0x03,
    SELECT_PROPERTIES = 0x10,
    SELECT_EVENTS = 0x11,
    SELECT_ABS = 0x12,
};

#define DATA_LEN    128u
#define DATA_AT     8u
#define FIRST_KEY   KEY_ESC
#define LAST_KEY    248u /* KEY_MICMUTE, the last that a keyboard's code is made of */
#define BUS_VIRTUAL 0x06u

static const struct {
    const char *name;
    uint8_t product;
} kinds[] = {
    [INPUT_TABLET] = {"Backplane tablet", 3},
    [INPUT_MOUSE] = {"Backplane mouse", 2},
    [INPUT_KEYBOARD] = {"Backplane keyboard", 1},
};

static bool
has_key(const struct input *d, uint32_t code)
{
    if (d->kind == INPUT_KEYBOARD)
        return code >= FIRST_KEY && code <= LAST_KEY;
    return code >= BTN_LEFT && code <= BTN_EXTRA;
}

bool
input_has(const struct input *d, uint32_t type, uint32_t code)
{
    switch (type) {
    case EV_KEY:
        return has_key(d, code);
    case EV_REL:
        return (d->kind == INPUT_MOUSE && (code == REL_X || code == REL_Y)) ||
               (d->kind != INPUT_KEYBOARD && (code == REL_WHEEL || code == REL_HWHEEL));
    case EV_ABS:
        return d->kind == INPUT_TABLET && (code == ABS_X || code == ABS_Y);
    case EV_LED:
        return d->kind == INPUT_KEYBOARD && code <= LED_SCROLLL;
    case EV_REP:
        return d->kind == INPUT_KEYBOARD && code <= REP_PERIOD;
    default:
        return false;
    }
}

static uint32_t
say_string(uint8_t data[DATA_LEN], const char *text)
{
    uint32_t n = (uint32_t)strlen(text);

    memcpy(data, text, n);
    return n;
}

static void
put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

/* A bitmap, as long as it has to be. */
static uint32_t
say_events(const struct input *d, uint8_t data[DATA_LEN])
{
    uint32_t n = 0;

    for (uint32_t code = 0; code < DATA_LEN * 8; code++)
        if (input_has(d, d->subsel, code)) {
            data[code / 8] |= (uint8_t)(1u << code % 8);
            n = code / 8 + 1;
        }
    return n;
}

static uint32_t
say_ids(const struct input *d, uint8_t data[DATA_LEN])
{
    put16(data, BUS_VIRTUAL);
    put16(data + 2, 0x0627); /* QEMU's, by which systems know how to treat them */
    put16(data + 4, kinds[d->kind].product);
    put16(data + 6, 1);
    return 8;
}

/* Minimum, maximum, fuzz, flat, resolution. */
static uint32_t
say_axis(const struct input *d, uint8_t data[DATA_LEN])
{
    if (!input_has(d, EV_ABS, d->subsel))
        return 0;
    put16(data + 4, BP_INPUT_ABS_MAX);
    return 20;
}

static uint32_t
answer(const struct input *d, uint8_t data[DATA_LEN])
{
    switch (d->select) {
    case SELECT_EVENTS:
        return say_events(d, data);
    case SELECT_ABS:
        return say_axis(d, data);
    default:
        break;
    }
    if (d->subsel)
        return 0;
    switch (d->select) {
    case SELECT_NAME:
        return say_string(data, kinds[d->kind].name);
    case SELECT_IDS:
        return say_ids(d, data);
    default: /* no serial number, no properties */
        return 0;
    }
}

void
input_config_read(void *self, uint32_t off, void *buf, uint32_t len)
{
    const struct input *d = self;
    uint8_t all[INPUT_CONFIG_LEN] = {d->select, d->subsel};

    if (off >= sizeof all)
        return;
    all[2] = (uint8_t)answer(d, all + DATA_AT);
    memcpy(buf, all + off, len < sizeof all - off ? len : sizeof all - off);
}

void
input_config_write(void *self, uint32_t off, const void *buf, uint32_t len)
{
    struct input *d = self;
    const uint8_t *p = buf;

    for (uint32_t i = 0; i < len; i++) {
        if (off + i == 0)
            d->select = p[i];
        else if (off + i == 1)
            d->subsel = p[i];
    }
}
