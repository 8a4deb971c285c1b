/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout.h - which key makes a character on a keyboard of some country, so that what a user typed
 * can be typed again for a guest. The guest must be set to the same layout.
 */
#ifndef LIB_INPUT_LAYOUT_H
#define LIB_INPUT_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LAYOUT_SHIFT = 1,
    LAYOUT_ALTGR = 2,
};

struct layout;

/* NULL-ended: the choices of a property `layout`; the index in it is layout_get()'s. */
extern const char *const layout_names[];
const struct layout *layout_get(uint32_t index);

/*
 * The key (evdev's number) and what must be held with it. Dead keys are Unicode's combining
 * characters (U+0300 and on). False: this keyboard cannot make it.
 */
bool layout_find(const struct layout *, uint32_t unicode, uint32_t *ret_key, uint32_t *ret_with);

#endif
