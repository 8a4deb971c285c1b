/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keyboard.h - a PS/2 keyboard as a machine of its own: bytes in from the controller, bytes out,
 * keys that somebody presses. It must not know the host; when it wants to repeat a key, it says so.
 */
#ifndef I8042_KEYBOARD_H
#define I8042_KEYBOARD_H

#include "fifo.h"

/* Room that the longest sequence of a key takes. */
#define KEYBOARD_KEY_MAX 8

struct keyboard {
    struct fifo replies; /* answers to commands go first */
    struct fifo keys;
    uint8_t command; /* waits for its byte; 0: none does */
    uint8_t last;    /* sent last, for 0xfe */
    uint8_t set;     /* scan code set, 1 or 2 */
    uint8_t leds;    /* as the command has them: scroll, num, caps */
    uint8_t rate;    /* typematic */
    bool scanning;
    uint8_t held[32];  /* a bit for each key that is down */
    uint8_t repeating; /* the key that repeats; 0: none */
};

/* To the power-on state; no key is down. */
void keyboard_reset(struct keyboard *kbd);
/* A byte from the controller. */
void keyboard_write(struct keyboard *kbd, uint8_t byte);
/* The next byte for the controller; false: none waits. */
bool keyboard_read(struct keyboard *kbd, uint8_t *ret_byte);
/* A key by its number in evdev goes down or up. False: there is no room now, try again. */
bool keyboard_key(struct keyboard *kbd, uint32_t key, bool down);
/* Sends the repeating key once more. */
void keyboard_repeat(struct keyboard *kbd);
/* How long until the first repetition, and from one to the next. */
int64_t keyboard_delay_ns(const struct keyboard *kbd);
int64_t keyboard_period_ns(const struct keyboard *kbd);

#endif
