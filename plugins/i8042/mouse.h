/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mouse.h - a PS/2 mouse as a machine of its own: three buttons, after the knock of 200, 100 and 80
 * reports a second a wheel, after 200, 200 and 80 five buttons. It must not know the host.
 */
#ifndef I8042_MOUSE_H
#define I8042_MOUSE_H

#include "fifo.h"

enum {
    MOUSE_LEFT = 0x01, /* as in a report */
    MOUSE_RIGHT = 0x02,
    MOUSE_MIDDLE = 0x04,
    MOUSE_SIDE = 0x10, /* as in the fourth byte of a report */
    MOUSE_EXTRA = 0x20,
};

struct mouse {
    struct fifo replies, reports;
    uint8_t command; /* waits for its byte; 0: none does */
    uint8_t last;
    uint8_t id; /* 0, 3 with wheel, 4 with five buttons */
    uint8_t resolution, rate;
    uint8_t knock[3]; /* the last three rates, oldest first */
    bool enabled, remote, wrap, double_scale;
    bool changed; /* there is something to report */
    uint8_t buttons;
    int32_t dx, dy, dz; /* moved since the last report; up is positive, the wheel down */
};

void mouse_reset(struct mouse *mouse);
void mouse_write(struct mouse *mouse, uint8_t byte);
bool mouse_read(struct mouse *mouse, uint8_t *ret_byte);
void mouse_move(struct mouse *mouse, int32_t dx, int32_t dy, int32_t dz);
/* False: an older change of a button has still to be told; try again. */
bool mouse_button(struct mouse *mouse, uint8_t button, bool down);
/* Makes a report of what changed if one can go out: after what happened at once. */
void mouse_report(struct mouse *mouse);

#endif
