/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devices.h - the input devices that a display's user has: gives each event to the first device
 * that takes it, and a release to the device that saw the press. All [ctx] of the display.
 *
 * A device whose queue is full loses a press, but never a release: those are kept and tried again
 * by input_devices_retry().
 */
#ifndef LIB_INPUT_DEVICES_H
#define LIB_INPUT_DEVICES_H

#include <stdbool.h>

#include <backplane/backplane.h>

#define INPUT_DEVICES_MAX 8
#define INPUT_CODES       0x120 /* keys, and the buttons of a mouse */

struct input_devices {
    uint32_t n;
    struct {
        const struct bp_input_if *iface;
        void *self;
    } device[INPUT_DEVICES_MAX];
    uint8_t holder[INPUT_CODES]; /* who saw the press, from 1; 0: it is not down */
    bool late[INPUT_CODES];      /* a release that was not taken yet */
    uint32_t n_late;
};

/* The instances that the LIST property names, or the machine's first one when it names none. The
 * class has "?" BP_IF_INPUT in its needs. [realize] */
int input_devices_link(struct input_devices *, const struct bp_host *, bp_inst, const char *prop)
    __attribute__((warn_unused_result));

/* What all of them take together: BP_INPUT_TAKES_*. */
uint32_t input_devices_take(const struct input_devices *);
/* The lights of the first keyboard: BP_INPUT_LED_*. */
uint32_t input_devices_leds(const struct input_devices *);

/* A key or a mouse button. False: nobody took the press. */
bool input_devices_key(struct input_devices *, uint32_t code, bool down);
bool input_devices_down(const struct input_devices *, uint32_t code);
/* To a place in a picture of that size, or by a distance. */
void input_devices_point(struct input_devices *, uint32_t x, uint32_t y, uint32_t width,
                         uint32_t height);
void input_devices_move(struct input_devices *, int32_t dx, int32_t dy);
/* Notches; up and right are positive. */
void input_devices_wheel(struct input_devices *, int32_t vertical, int32_t horizontal);

/* Everything that is down is released. */
void input_devices_release(struct input_devices *);
/* Takes over the releases that wait in one that ends. */
void input_devices_adopt(struct input_devices *, const struct input_devices *ends);
/* Releases that wait; true: some still do, call again soon. */
bool input_devices_retry(struct input_devices *);

#endif
