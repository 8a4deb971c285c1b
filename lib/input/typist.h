/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * typist.h - presses keys for a user of whom we know which characters he typed: looks for the key
 * that makes one, and holds or lets go Shift and AltGr where the guest's keyboard needs it.
 */
#ifndef LIB_INPUT_TYPIST_H
#define LIB_INPUT_TYPIST_H

#include "devices.h"
#include "layout.h"

#define TYPIST_HELD 16

struct typist {
    struct input_devices *devices;
    const struct layout *layout;
    /* Which key a keysym that is down was, since by its release Shift may be up. */
    struct {
        uint32_t keysym, key;
    } held[TYPIST_HELD];
};

void typist_init(struct typist *, struct input_devices *, const struct layout *);
/* A keysym of X11's was pressed or released. */
void typist_keysym(struct typist *, uint32_t keysym, bool down);
/* Pressed and released at once, e.g. from a terminal; with: LAYOUT_* and TYPIST_* to be held
 * besides what the character needs. */
enum {
    TYPIST_CTRL = 16,
    TYPIST_ALT = 32,
};
void typist_tap_key(struct typist *, uint32_t key, uint32_t with);
void typist_tap_character(struct typist *, uint32_t unicode, uint32_t with);

#endif
