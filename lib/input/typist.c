/* SPDX-License-Identifier: BSD-3-Clause */
/* typist.c - see typist.h. */
#include "typist.h"

#include <linux/input-event-codes.h>
#include <string.h>

#include "keysym.h"

void
typist_init(struct typist *t, struct input_devices *devices, const struct layout *layout)
{
    memset(t, 0, sizeof *t);
    t->devices = devices;
    t->layout = layout;
}

static bool
is_down(const struct typist *t, uint32_t code)
{
    return input_devices_down(t->devices, code);
}

static bool
is_letter(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= 0xc0 && c <= 0xff && c != 0xd7 && c != 0xdf && c != 0xf7);
}

/* What has to be held for it: Caps Lock in the guest turns Shift round for letters. */
static bool
find(const struct typist *t, uint32_t unicode, uint32_t *ret_key, uint32_t *ret_with)
{
    if (!layout_find(t->layout, unicode, ret_key, ret_with))
        return false;
    if (is_letter(unicode) && !(*ret_with & LAYOUT_ALTGR) &&
        (input_devices_leds(t->devices) & BP_INPUT_LED_CAPS))
        *ret_with ^= LAYOUT_SHIFT;
    return true;
}

/* Presses a key with exactly these of Shift and AltGr, whatever the user holds; they are as before
 * afterwards, since what is repeated is the key alone. */
static void
press_with(struct typist *t, uint32_t key, uint32_t with)
{
    static const uint16_t shifts[] = {KEY_LEFTSHIFT, KEY_RIGHTSHIFT};
    bool was[] = {is_down(t, KEY_LEFTSHIFT), is_down(t, KEY_RIGHTSHIFT)};
    bool shifted = was[0] || was[1], altgr = is_down(t, KEY_RIGHTALT);

    /* With Ctrl or Alt it is a command; the user means the keys that he holds. */
    if (is_down(t, KEY_LEFTCTRL) || is_down(t, KEY_RIGHTCTRL) || is_down(t, KEY_LEFTALT) ||
        is_down(t, KEY_LEFTMETA)) {
        input_devices_key(t->devices, key, true);
        return;
    }
    if (with & LAYOUT_ALTGR && !altgr)
        input_devices_key(t->devices, KEY_RIGHTALT, true);
    if (with & LAYOUT_SHIFT && !shifted)
        input_devices_key(t->devices, KEY_LEFTSHIFT, true);
    for (int i = 0; i < 2; i++)
        if (!(with & LAYOUT_SHIFT) && was[i])
            input_devices_key(t->devices, shifts[i], false);
    input_devices_key(t->devices, key, true);
    for (int i = 0; i < 2; i++)
        if (!(with & LAYOUT_SHIFT) && was[i])
            input_devices_key(t->devices, shifts[i], true);
    if (with & LAYOUT_SHIFT && !shifted)
        input_devices_key(t->devices, KEY_LEFTSHIFT, false);
    if (with & LAYOUT_ALTGR && !altgr)
        input_devices_key(t->devices, KEY_RIGHTALT, false);
}

static void
remember(struct typist *t, uint32_t keysym, uint32_t key)
{
    for (uint32_t i = 0; i < TYPIST_HELD; i++)
        if (!t->held[i].key || t->held[i].keysym == keysym) {
            t->held[i].keysym = keysym;
            t->held[i].key = key;
            return;
        }
}

static uint32_t
recall(struct typist *t, uint32_t keysym)
{
    for (uint32_t i = 0; i < TYPIST_HELD; i++)
        if (t->held[i].key && t->held[i].keysym == keysym) {
            uint32_t key = t->held[i].key;

            t->held[i].key = 0;
            return key;
        }
    return 0;
}

void
typist_keysym(struct typist *t, uint32_t keysym, bool down)
{
    uint32_t key = keysym_key(keysym), with = 0, unicode;

    if (key) {
        input_devices_key(t->devices, key, down);
        return;
    }
    if (!down && (key = recall(t, keysym))) {
        input_devices_key(t->devices, key, false);
        return;
    }
    unicode = keysym_unicode(keysym);
    if (!unicode || !find(t, unicode, &key, &with))
        return;
    if (!down) {
        input_devices_key(t->devices, key, false);
        return;
    }
    remember(t, keysym, key);
    press_with(t, key, with);
}

void
typist_tap_key(struct typist *t, uint32_t key, uint32_t with)
{
    static const struct {
        uint32_t bit;
        uint16_t key;
    } helds[] = {
        {TYPIST_CTRL, KEY_LEFTCTRL},
        {TYPIST_ALT, KEY_LEFTALT},
        {LAYOUT_ALTGR, KEY_RIGHTALT},
        {LAYOUT_SHIFT, KEY_LEFTSHIFT},
    };
    const uint32_t n = sizeof helds / sizeof *helds;

    for (uint32_t i = 0; i < n; i++)
        if (with & helds[i].bit)
            input_devices_key(t->devices, helds[i].key, true);
    input_devices_key(t->devices, key, true);
    input_devices_key(t->devices, key, false);
    for (uint32_t i = n; i-- > 0;)
        if (with & helds[i].bit)
            input_devices_key(t->devices, helds[i].key, false);
}

void
typist_tap_character(struct typist *t, uint32_t unicode, uint32_t with)
{
    uint32_t key, needed;

    if (find(t, unicode, &key, &needed))
        typist_tap_key(t, key, needed | with);
}
