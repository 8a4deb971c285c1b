/* SPDX-License-Identifier: BSD-3-Clause */
/* mouse.c - commands and reports of the mouse; see mouse.h. */
#include "mouse.h"

#include <string.h>

enum {
    MOUSE_SCALE_1 = 0xe6,
    MOUSE_SCALE_2 = 0xe7,
    MOUSE_RESOLUTION = 0xe8, /* takes a byte */
    MOUSE_STATUS = 0xe9,
    MOUSE_STREAM = 0xea,
    MOUSE_READ_DATA = 0xeb,
    MOUSE_WRAP_OFF = 0xec,
    MOUSE_WRAP_ON = 0xee,
    MOUSE_REMOTE = 0xf0,
    MOUSE_IDENTIFY = 0xf2,
    MOUSE_RATE = 0xf3, /* takes a byte */
    MOUSE_ENABLE = 0xf4,
    MOUSE_DISABLE = 0xf5,
    MOUSE_DEFAULTS = 0xf6,
    MOUSE_RESEND = 0xfe,
    MOUSE_RESET = 0xff,
    MOUSE_ACK = 0xfa,
    MOUSE_NACK = 0xfe,
    MOUSE_ERROR = 0xfc,
    MOUSE_SELF_TEST_PASSED = 0xaa,
    MOUSE_ID_WHEEL = 3,
    MOUSE_ID_FIVE = 4,
    MOUSE_RESOLUTION_DEFAULT = 2, /* 4 counts a millimetre */
    MOUSE_RATE_DEFAULT = 100,
    MOUSE_REPORT_MAX = 4,
    MOUSE_REPORTS = 4, /* that wait at most, one for each change of a button */
};

/* In a report's first byte */
enum {
    REPORT_ALWAYS = 0x08,
    REPORT_X_NEGATIVE = 0x10,
    REPORT_Y_NEGATIVE = 0x20,
};

#define MOUSE_FAR 4096 /* what moves further while nobody looks is lost */

static void
mouse_forget(struct mouse *mouse)
{
    fifo_clear(&mouse->reports);
    mouse->dx = mouse->dy = mouse->dz = 0;
    mouse->changed = false;
}

static void
mouse_defaults(struct mouse *mouse)
{
    mouse->resolution = MOUSE_RESOLUTION_DEFAULT;
    mouse->rate = MOUSE_RATE_DEFAULT;
    mouse->double_scale = false;
    mouse->remote = false;
    mouse->enabled = false;
    mouse_forget(mouse);
}

void
mouse_reset(struct mouse *mouse)
{
    *mouse = (struct mouse){0};
    mouse_defaults(mouse);
}

static int32_t
mouse_clamp(int32_t val, int32_t limit)
{
    return val > limit ? limit : val < -limit ? -limit : val;
}

/* Scaling 2:1, in stream mode only. */
static int32_t
mouse_scale(const struct mouse *mouse, int32_t val)
{
    static const uint8_t small[] = {0, 1, 1, 3, 6, 9};
    int32_t n = val < 0 ? -val : val;

    if (!mouse->double_scale || mouse->remote)
        return val;
    n = n < (int32_t)sizeof small ? small[n] : 2 * n;
    return val < 0 ? -n : n;
}

/* One report; what does not fit into it is left for the next. */
static void
mouse_put_report(struct mouse *mouse, struct fifo *to)
{
    /* Half the range when it is doubled. */
    int32_t limit = mouse->double_scale && !mouse->remote ? 127 : 255;
    int32_t dx = mouse_clamp(mouse->dx, limit), dy = mouse_clamp(mouse->dy, limit);
    int32_t dz = mouse->id ? mouse_clamp(mouse->dz, 7) : mouse->dz;
    int32_t x = mouse_scale(mouse, dx), y = mouse_scale(mouse, dy);

    fifo_put(to, (uint8_t)(REPORT_ALWAYS | (mouse->buttons & 7) | (x < 0 ? REPORT_X_NEGATIVE : 0) |
                           (y < 0 ? REPORT_Y_NEGATIVE : 0)));
    fifo_put(to, (uint8_t)x);
    fifo_put(to, (uint8_t)y);
    if (mouse->id == MOUSE_ID_WHEEL)
        fifo_put(to, (uint8_t)dz);
    else if (mouse->id == MOUSE_ID_FIVE)
        fifo_put(to, (uint8_t)((dz & 0x0f) | (mouse->buttons & (MOUSE_SIDE | MOUSE_EXTRA))));
    mouse->dx -= dx;
    mouse->dy -= dy;
    mouse->dz -= dz;
    mouse->changed = mouse->dx || mouse->dy || mouse->dz;
}

void
mouse_report(struct mouse *mouse)
{
    if (mouse->changed && mouse->enabled && !mouse->remote && !mouse->wrap && !mouse->reports.n)
        mouse_put_report(mouse, &mouse->reports);
}

void
mouse_move(struct mouse *mouse, int32_t dx, int32_t dy, int32_t dz)
{
    if (!mouse->enabled && !mouse->remote)
        return;
    mouse->dx = mouse_clamp(mouse->dx + mouse_clamp(dx, MOUSE_FAR), MOUSE_FAR);
    mouse->dy = mouse_clamp(mouse->dy + mouse_clamp(dy, MOUSE_FAR), MOUSE_FAR);
    mouse->dz = mouse_clamp(mouse->dz + mouse_clamp(dz, MOUSE_FAR), MOUSE_FAR);
    mouse->changed = true;
}

bool
mouse_button(struct mouse *mouse, uint8_t button, bool down)
{
    bool streams = mouse->enabled && !mouse->remote && !mouse->wrap;

    if (!(mouse->buttons & button) == !down)
        return true;
    if (streams && mouse->reports.n > (MOUSE_REPORTS - 2) * MOUSE_REPORT_MAX)
        return false;
    /* Where it was pressed belongs before the press. */
    if (streams && mouse->changed)
        mouse_put_report(mouse, &mouse->reports);
    mouse->buttons ^= button;
    if (streams)
        mouse_put_report(mouse, &mouse->reports);
    return true;
}

static void
mouse_knocked(struct mouse *mouse, uint8_t rate)
{
    static const uint8_t wheel[] = {200, 100, 80}, five[] = {200, 200, 80};

    mouse->rate = rate;
    memmove(mouse->knock, mouse->knock + 1, sizeof mouse->knock - 1);
    mouse->knock[sizeof mouse->knock - 1] = rate;
    if (memcmp(mouse->knock, wheel, sizeof wheel) == 0)
        mouse->id = MOUSE_ID_WHEEL;
    else if (mouse->id && memcmp(mouse->knock, five, sizeof five) == 0)
        mouse->id = MOUSE_ID_FIVE;
}

static bool
mouse_argument(struct mouse *mouse, uint8_t command, uint8_t val)
{
    static const uint8_t rates[] = {10, 20, 40, 60, 80, 100, 200};

    if (command == MOUSE_RESOLUTION) {
        if (val <= 3)
            mouse->resolution = val;
        return val <= 3;
    }
    if (!memchr(rates, val, sizeof rates))
        return false;
    mouse_knocked(mouse, val);
    return true;
}

static void
mouse_status(struct mouse *mouse)
{
    uint8_t buttons =
        (uint8_t)((mouse->buttons & MOUSE_LEFT ? 4 : 0) | (mouse->buttons & MOUSE_MIDDLE ? 2 : 0) |
                  (mouse->buttons & MOUSE_RIGHT ? 1 : 0));

    fifo_put(&mouse->replies, (uint8_t)(buttons | (mouse->double_scale ? 0x10 : 0) |
                                        (mouse->enabled ? 0x20 : 0) | (mouse->remote ? 0x40 : 0)));
    fifo_put(&mouse->replies, mouse->resolution);
    fifo_put(&mouse->replies, mouse->rate);
}

/* After the acknowledgement. */
static void
mouse_command(struct mouse *mouse, uint8_t val)
{
    switch (val) {
    case MOUSE_SCALE_1:
    case MOUSE_SCALE_2:
        mouse->double_scale = val == MOUSE_SCALE_2;
        break;
    case MOUSE_RESOLUTION:
    case MOUSE_RATE:
        mouse->command = val;
        break;
    case MOUSE_STATUS:
        mouse_status(mouse);
        break;
    case MOUSE_STREAM:
    case MOUSE_REMOTE:
        mouse->remote = val == MOUSE_REMOTE;
        mouse_forget(mouse);
        break;
    case MOUSE_READ_DATA:
        mouse_put_report(mouse, &mouse->replies);
        break;
    case MOUSE_WRAP_OFF:
        break;
    case MOUSE_WRAP_ON:
        mouse->wrap = true;
        mouse_forget(mouse);
        break;
    case MOUSE_IDENTIFY:
        fifo_put(&mouse->replies, mouse->id);
        break;
    case MOUSE_ENABLE:
    case MOUSE_DISABLE:
        mouse->enabled = val == MOUSE_ENABLE;
        mouse_forget(mouse);
        break;
    case MOUSE_DEFAULTS:
        mouse_defaults(mouse);
        break;
    default: { /* MOUSE_RESET; fingers stay where they are */
        uint8_t buttons = mouse->buttons;

        mouse_reset(mouse);
        mouse->buttons = buttons;
        fifo_put(&mouse->replies, MOUSE_ACK);
        fifo_put(&mouse->replies, MOUSE_SELF_TEST_PASSED);
        fifo_put(&mouse->replies, mouse->id);
        break;
    }
    }
}

static bool
mouse_knows(uint8_t val)
{
    return (val >= MOUSE_SCALE_1 && val <= MOUSE_WRAP_OFF) || val == MOUSE_WRAP_ON ||
           val == MOUSE_REMOTE || (val >= MOUSE_IDENTIFY && val <= MOUSE_DEFAULTS) ||
           val == MOUSE_RESET;
}

void
mouse_write(struct mouse *mouse, uint8_t byte)
{
    uint8_t command = mouse->command;

    mouse->command = 0;
    if (mouse->wrap && byte != MOUSE_WRAP_OFF && byte != MOUSE_RESET) {
        fifo_put(&mouse->replies, byte);
        return;
    }
    mouse->wrap = false;
    if (command && byte < MOUSE_SCALE_1) {
        bool good = mouse_argument(mouse, command, byte);

        if (!good)
            mouse->command = command; /* once more, please */
        fifo_put(&mouse->replies, good ? MOUSE_ACK : MOUSE_NACK);
        return;
    }
    if (byte == MOUSE_RESEND) {
        fifo_put(&mouse->replies, mouse->last);
        return;
    }
    if (!mouse_knows(byte)) {
        fifo_put(&mouse->replies, MOUSE_NACK);
        return;
    }
    /* A command discards what was still to be sent (IBM PS/2 HITR). */
    fifo_clear(&mouse->replies);
    fifo_clear(&mouse->reports);
    if (byte != MOUSE_RESET)
        fifo_put(&mouse->replies, MOUSE_ACK);
    mouse_command(mouse, byte);
}

bool
mouse_read(struct mouse *mouse, uint8_t *ret_byte)
{
    if (mouse->replies.n)
        *ret_byte = fifo_take(&mouse->replies);
    else if (mouse->reports.n && !mouse->command)
        *ret_byte = fifo_take(&mouse->reports);
    else
        return false;
    mouse->last = *ret_byte;
    mouse_report(mouse);
    return true;
}
