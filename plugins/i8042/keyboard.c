/* SPDX-License-Identifier: BSD-3-Clause */
/* keyboard.c - commands and keys of the keyboard; see keyboard.h. */
#include "keyboard.h"

#include <string.h>

#include "scancodes.h"

enum {
    KBD_SET_LEDS = 0xed, /* takes a byte; the lowest command */
    KBD_ECHO = 0xee,
    KBD_SCAN_SET = 0xf0, /* takes a byte; 0 asks */
    KBD_IDENTIFY = 0xf2,
    KBD_SET_RATE = 0xf3, /* takes a byte */
    KBD_ENABLE = 0xf4,
    KBD_DISABLE = 0xf5,
    KBD_DEFAULTS = 0xf6,
    KBD_SET3_FIRST = 0xf7, /* what keys send in set 3: without meaning in the others */
    KBD_SET3_LAST = 0xfd,
    KBD_RESEND = 0xfe,
    KBD_RESET = 0xff,
    KBD_ACK = 0xfa,
    KBD_REFUSE = 0xfe,
    KBD_SELF_TEST_PASSED = 0xaa,
    KBD_ID_1 = 0xab,
    KBD_ID_2 = 0x83,
    KBD_LEDS = 0x07,
    KBD_RATE = 0x7f,
    KBD_RATE_DEFAULT = 0x2b, /* after 500 ms, 10.9 a second */
    KBD_SET_DEFAULT = 2,
};

#define NS_PER_MS INT64_C(1000000)

static void
keyboard_defaults(struct keyboard *kbd)
{
    fifo_clear(&kbd->keys);
    kbd->rate = KBD_RATE_DEFAULT;
    kbd->set = KBD_SET_DEFAULT;
    kbd->repeating = 0;
}

void
keyboard_reset(struct keyboard *kbd)
{
    *kbd = (struct keyboard){.scanning = true};
    keyboard_defaults(kbd);
}

/* Keys that are down stay down, as far as the fingers are concerned. */
static void
keyboard_command_reset(struct keyboard *kbd)
{
    kbd->leds = 0;
    kbd->scanning = true;
    keyboard_defaults(kbd);
    fifo_clear(&kbd->replies);
    fifo_put(&kbd->replies, KBD_ACK);
    fifo_put(&kbd->replies, KBD_SELF_TEST_PASSED);
}

static void
keyboard_argument(struct keyboard *kbd, uint8_t command, uint8_t val)
{
    uint8_t answer = KBD_ACK;

    switch (command) {
    case KBD_SET_LEDS:
        kbd->leds = val & KBD_LEDS;
        break;
    case KBD_SET_RATE:
        kbd->rate = val & KBD_RATE;
        break;
    default: /* KBD_SCAN_SET */
        if (val > 2)
            answer = KBD_REFUSE;
        else if (val)
            kbd->set = val;
        break;
    }
    fifo_put(&kbd->replies, answer);
    if (command == KBD_SCAN_SET && val == 0)
        fifo_put(&kbd->replies, kbd->set);
    if (command == KBD_SCAN_SET && answer == KBD_ACK && val)
        fifo_clear(&kbd->keys);
}

static void
keyboard_command(struct keyboard *kbd, uint8_t val)
{
    switch (val) {
    case KBD_SET_LEDS:
    case KBD_SCAN_SET:
    case KBD_SET_RATE:
        kbd->command = val;
        break;
    case KBD_ECHO:
        fifo_put(&kbd->replies, KBD_ECHO);
        return;
    case KBD_IDENTIFY:
        fifo_put(&kbd->replies, KBD_ACK);
        fifo_put(&kbd->replies, KBD_ID_1);
        fifo_put(&kbd->replies, KBD_ID_2);
        return;
    case KBD_ENABLE:
        fifo_clear(&kbd->keys);
        kbd->scanning = true;
        break;
    case KBD_DISABLE:
        keyboard_defaults(kbd);
        kbd->scanning = false;
        break;
    case KBD_DEFAULTS:
        keyboard_defaults(kbd);
        break;
    case KBD_RESEND:
        fifo_put(&kbd->replies, kbd->last);
        return;
    case KBD_RESET:
        keyboard_command_reset(kbd);
        return;
    default:
        if (val < KBD_SET3_FIRST || val > KBD_SET3_LAST) {
            fifo_put(&kbd->replies, KBD_REFUSE);
            return;
        }
        break;
    }
    fifo_put(&kbd->replies, KBD_ACK);
}

void
keyboard_write(struct keyboard *kbd, uint8_t byte)
{
    uint8_t command = kbd->command;

    /* A command in place of its byte ends the one that waits. */
    kbd->command = 0;
    if (command && byte < KBD_SET_LEDS)
        keyboard_argument(kbd, command, byte);
    else
        keyboard_command(kbd, byte);
}

bool
keyboard_read(struct keyboard *kbd, uint8_t *ret_byte)
{
    if (kbd->replies.n)
        *ret_byte = fifo_take(&kbd->replies);
    else if (kbd->keys.n && !kbd->command)
        *ret_byte = fifo_take(&kbd->keys);
    else
        return false;
    kbd->last = *ret_byte;
    return true;
}

/* One code with its prefixes. */
static void
keyboard_send(struct keyboard *kbd, uint16_t code, bool down)
{
    uint8_t set1 = code & 0x7f;

    if (code >> 8)
        fifo_put(&kbd->keys, (uint8_t)(code >> 8));
    if (kbd->set == 1) {
        fifo_put(&kbd->keys, down ? set1 : set1 | SCAN_RELEASE_1);
        return;
    }
    if (!down)
        fifo_put(&kbd->keys, SCAN_RELEASE_2);
    fifo_put(&kbd->keys, scan_to_set2(set1));
}

static bool
keyboard_holds(const struct keyboard *kbd, uint32_t key)
{
    return kbd->held[key / 8] >> key % 8 & 1;
}

/* Pause is one sequence, pressed and released; with Ctrl it is Break. */
static void
keyboard_pause(struct keyboard *kbd)
{
    if (keyboard_holds(kbd, KEY_LEFTCTRL_) || keyboard_holds(kbd, KEY_RIGHTCTRL_)) {
        keyboard_send(kbd, SCAN_EXTENDED << 8 | 0x46, true);
        keyboard_send(kbd, SCAN_EXTENDED << 8 | 0x46, false);
        return;
    }
    keyboard_send(kbd, SCAN_PAUSE << 8 | 0x1d, true);
    keyboard_send(kbd, 0x45, true);
    keyboard_send(kbd, SCAN_PAUSE << 8 | 0x1d, false);
    keyboard_send(kbd, 0x45, false);
}

/* Print screen comes with a shift of its own, unless one is down; with Alt it is another key. */
static void
keyboard_print(struct keyboard *kbd, bool down)
{
    static const uint16_t shift = SCAN_EXTENDED << 8 | 0x2a, print = SCAN_EXTENDED << 8 | 0x37;
    bool plain = keyboard_holds(kbd, KEY_LEFTSHIFT_) || keyboard_holds(kbd, KEY_RIGHTSHIFT_) ||
                 keyboard_holds(kbd, KEY_LEFTCTRL_) || keyboard_holds(kbd, KEY_RIGHTCTRL_);

    if (keyboard_holds(kbd, KEY_LEFTALT_) || keyboard_holds(kbd, KEY_RIGHTALT_)) {
        keyboard_send(kbd, 0x54, down);
        return;
    }
    if (down && !plain)
        keyboard_send(kbd, shift, true);
    keyboard_send(kbd, print, down);
    if (!down && !plain)
        keyboard_send(kbd, shift, false);
}

bool
keyboard_key(struct keyboard *kbd, uint32_t key, bool down)
{
    uint16_t code = scan_code(key);

    if (!code || keyboard_holds(kbd, key) == down)
        return true;
    if (kbd->scanning && fifo_room(&kbd->keys) < KEYBOARD_KEY_MAX)
        return false;
    kbd->held[key / 8] ^= (uint8_t)(1u << key % 8);
    if (kbd->repeating == key || down)
        kbd->repeating = 0;
    if (!kbd->scanning)
        return true;
    if (key == KEY_PAUSE_) {
        if (down)
            keyboard_pause(kbd);
        return true;
    }
    if (key == KEY_SYSRQ_)
        keyboard_print(kbd, down);
    else
        keyboard_send(kbd, code, down);
    if (down)
        kbd->repeating = (uint8_t)key;
    return true;
}

/* A guest that does not read gets no more of the same. */
void
keyboard_repeat(struct keyboard *kbd)
{
    if (!kbd->repeating || !kbd->scanning || kbd->keys.n)
        return;
    if (kbd->repeating == KEY_SYSRQ_)
        keyboard_send(kbd, SCAN_EXTENDED << 8 | 0x37, true);
    else
        keyboard_send(kbd, scan_code(kbd->repeating), true);
}

int64_t
keyboard_delay_ns(const struct keyboard *kbd)
{
    return (1 + (kbd->rate >> 5 & 3)) * 250 * NS_PER_MS;
}

/* (8 + A) * 2^B * 4.17 ms */
int64_t
keyboard_period_ns(const struct keyboard *kbd)
{
    return (8 + (kbd->rate & 7)) * (INT64_C(1) << (kbd->rate >> 3 & 3)) * 4170000;
}
