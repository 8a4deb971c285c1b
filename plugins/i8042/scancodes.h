/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scancodes.h - keys by their numbers in Linux's evdev, and by what a PC keyboard sends. Set 1 is
 * what the PC/XT sent and what operating systems see behind a controller that translates; set 2 is
 * what keyboards send. A code of set 1 has seven bits; some keys have the prefix 0xe0.
 */
#ifndef I8042_SCANCODES_H
#define I8042_SCANCODES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SCAN_EXTENDED = 0xe0,
    SCAN_PAUSE = 0xe1,
    SCAN_RELEASE_2 = 0xf0, /* before a code of set 2 */
    SCAN_RELEASE_1 = 0x80, /* in a code of set 1 */
};

/* evdev's numbers of the keys that are special here */
enum {
    KEY_LEFTCTRL_ = 29,
    KEY_LEFTSHIFT_ = 42,
    KEY_RIGHTSHIFT_ = 54,
    KEY_LEFTALT_ = 56,
    KEY_RIGHTCTRL_ = 97,
    KEY_SYSRQ_ = 99,
    KEY_RIGHTALT_ = 100,
    KEY_PAUSE_ = 119,
    KEY_COUNT_ = 256,
};

/* The key's code in set 1, SCAN_EXTENDED << 8 added when it has the prefix; 0: no such key. */
uint16_t scan_code(uint32_t key);
/* Set 1 to set 2, without prefixes. */
uint8_t scan_to_set2(uint8_t set1);
/* What a controller that translates makes of a byte of set 2 (IBM PS/2 HITR, table of the 8042). */
uint8_t scan_translate(uint8_t byte);

#endif
