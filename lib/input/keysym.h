/* SPDX-License-Identifier: BSD-3-Clause */
/* keysym.h - X11's names of keys, as viewers send them, and the codes of PC keyboards. */
#ifndef LIB_INPUT_KEYSYM_H
#define LIB_INPUT_KEYSYM_H

#include <stdint.h>

/* The key (evdev's number) of a keysym that is no character: F1, Return, Shift_L; 0: none. */
uint32_t keysym_key(uint32_t keysym);
/* The character of a keysym that is one, dead keys as combining characters; 0: none. */
uint32_t keysym_unicode(uint32_t keysym);
/* The key of a code of scan code set 1; 0x80 is added to the code of a key with the prefix 0xe0, as
 * in QEMU's extended key events. 0: none. */
uint32_t keysym_scan_key(uint32_t scan);

#endif
