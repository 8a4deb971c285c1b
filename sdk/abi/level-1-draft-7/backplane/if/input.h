/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/if/input.h - bp.input/1: keys and pointer movements for a guest.
 *
 * Provided by input devices (a PS/2 controller, a tablet), got by what has a user in front of it
 * (a display) with link() or link_item(). Unlike other links this one goes between two domains, and
 * several displays may use one device: the class has BP_C_SHARED, and every function may be called
 * from every thread. The device queues what it is given under a small lock of its own and lets
 * kick() of bp.event/1 do the rest. `dev` is bp_link.self.
 */
#ifndef BACKPLANE_IF_INPUT_H
#define BACKPLANE_IF_INPUT_H

#include <backplane/base.h>

#define BP_IF_INPUT "bp.input/1"

/* bp_input_event.type; the numbers of Linux's evdev, as are all codes */
enum {
    BP_INPUT_KEY = 1, /* code KEY_* or BTN_*, value 1 pressed, 0 released. A key that is held is one
                       * press: devices repeat by themselves. */
    BP_INPUT_REL = 2, /* code REL_X 0, REL_Y 1, REL_HWHEEL 6, REL_WHEEL 8 (up is positive) */
    BP_INPUT_ABS = 3, /* code ABS_X 0, ABS_Y 1; value 0 to BP_INPUT_ABS_MAX, left and top are 0 */
};

#define BP_INPUT_ABS_MAX 0x7fff

struct bp_input_event {
    uint32_t type, code;
    int32_t value;
};

/* takes() */
enum {
    BP_INPUT_TAKES_KEYS = 1,
    BP_INPUT_TAKES_REL = 2, /* relative movement, with its buttons and wheel */
    BP_INPUT_TAKES_ABS = 4, /* absolute position, with its buttons and wheel */
};

/* leds() */
enum {
    BP_INPUT_LED_NUM = 1,
    BP_INPUT_LED_CAPS = 2,
    BP_INPUT_LED_SCROLL = 4,
};

struct bp_input_if {
    uint32_t size, flags;
    /* What the guest listens to at this moment: BP_INPUT_TAKES_*; 0 when no driver is there. A
     * display with several devices gives each event to the first that takes it. [any] */
    uint32_t (*takes)(void *dev);
    /*
     * n events that happened at once (what SYN_REPORT ends in evdev). 0: all were taken, those that
     * the device has no use for were dropped. BP_E_AGAIN: its queue is full and none was taken; a
     * release should be tried again, or the guest has a stuck key. [any]
     */
    int (*send)(void *dev, const struct bp_input_event *events, uint32_t n);
    /* The lights as the guest set them. Optional. [any] */
    uint32_t (*leds)(void *dev);
};

#endif
