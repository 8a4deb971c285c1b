/* SPDX-License-Identifier: BSD-3-Clause */
/* keysym.c - the tables of keysym.h; numbers from X11's keysymdef.h. */
#include "keysym.h"

#include <linux/input-event-codes.h>

static const struct {
    uint32_t keysym;
    uint16_t key;
} keys[] = {
    {0xff08, KEY_BACKSPACE},
    {0xff09, KEY_TAB},
    {0xff0a, KEY_ENTER},
    {0xff0d, KEY_ENTER},
    {0xff13, KEY_PAUSE},
    {0xff14, KEY_SCROLLLOCK},
    {0xff15, KEY_SYSRQ},
    {0xff1b, KEY_ESC},
    {0xff22, KEY_MUHENKAN},
    {0xff23, KEY_HENKAN},
    {0xff27, KEY_KATAKANAHIRAGANA},
    {0xff31, KEY_HANGEUL},
    {0xff34, KEY_HANJA},
    {0xff50, KEY_HOME},
    {0xff51, KEY_LEFT},
    {0xff52, KEY_UP},
    {0xff53, KEY_RIGHT},
    {0xff54, KEY_DOWN},
    {0xff55, KEY_PAGEUP},
    {0xff56, KEY_PAGEDOWN},
    {0xff57, KEY_END},
    {0xff61, KEY_SYSRQ},
    {0xff63, KEY_INSERT},
    {0xff67, KEY_COMPOSE},
    {0xff6b, KEY_PAUSE},
    {0xff7e, KEY_RIGHTALT},
    {0xff7f, KEY_NUMLOCK},
    {0xff80, KEY_SPACE},
    {0xff89, KEY_TAB},
    {0xff8d, KEY_KPENTER},
    {0xff95, KEY_KP7},
    {0xff96, KEY_KP4},
    {0xff97, KEY_KP8},
    {0xff98, KEY_KP6},
    {0xff99, KEY_KP2},
    {0xff9a, KEY_KP9},
    {0xff9b, KEY_KP3},
    {0xff9c, KEY_KP1},
    {0xff9d, KEY_KP5},
    {0xff9e, KEY_KP0},
    {0xff9f, KEY_KPDOT},
    {0xffaa, KEY_KPASTERISK},
    {0xffab, KEY_KPPLUS},
    {0xffac, KEY_KPCOMMA},
    {0xffad, KEY_KPMINUS},
    {0xffae, KEY_KPDOT},
    {0xffaf, KEY_KPSLASH},
    {0xffb0, KEY_KP0},
    {0xffb1, KEY_KP1},
    {0xffb2, KEY_KP2},
    {0xffb3, KEY_KP3},
    {0xffb4, KEY_KP4},
    {0xffb5, KEY_KP5},
    {0xffb6, KEY_KP6},
    {0xffb7, KEY_KP7},
    {0xffb8, KEY_KP8},
    {0xffb9, KEY_KP9},
    {0xffbd, KEY_KPEQUAL},
    {0xffbe, KEY_F1},
    {0xffbf, KEY_F2},
    {0xffc0, KEY_F3},
    {0xffc1, KEY_F4},
    {0xffc2, KEY_F5},
    {0xffc3, KEY_F6},
    {0xffc4, KEY_F7},
    {0xffc5, KEY_F8},
    {0xffc6, KEY_F9},
    {0xffc7, KEY_F10},
    {0xffc8, KEY_F11},
    {0xffc9, KEY_F12},
    {0xffe1, KEY_LEFTSHIFT},
    {0xffe2, KEY_RIGHTSHIFT},
    {0xffe3, KEY_LEFTCTRL},
    {0xffe4, KEY_RIGHTCTRL},
    {0xffe5, KEY_CAPSLOCK},
    {0xffe7, KEY_LEFTMETA},
    {0xffe8, KEY_RIGHTMETA},
    {0xffe9, KEY_LEFTALT},
    {0xffea, KEY_RIGHTALT},
    {0xffeb, KEY_LEFTMETA},
    {0xffec, KEY_RIGHTMETA},
    {0xffff, KEY_DELETE},
    {0xfe03, KEY_RIGHTALT},
    {0xfe20, KEY_TAB},
};

/* Keysyms of before Unicode, and dead keys. */
static const struct {
    uint16_t keysym, unicode;
} characters[] = {
    {0x20ac, 0x20ac}, {0xfe50, 0x0300}, {0xfe51, 0x0301}, {0xfe52, 0x0302}, {0xfe53, 0x0303},
    {0xfe57, 0x0308}, {0xfe58, 0x030a}, {0xfe5a, 0x030c}, {0xfe5b, 0x0327}, {0x01b1, 0x0105},
    {0x01b3, 0x0142}, {0x01b6, 0x015b}, {0x01bc, 0x017a}, {0x01bf, 0x017c}, {0x01e6, 0x0107},
    {0x01ea, 0x0119}, {0x01f1, 0x0144},
};

/* Behind the prefix 0xe0. */
static const uint16_t extended[128] = {
    [0x10] = KEY_PREVIOUSSONG, [0x19] = KEY_NEXTSONG, [0x1c] = KEY_KPENTER,
    [0x1d] = KEY_RIGHTCTRL,    [0x20] = KEY_MUTE,     [0x21] = KEY_CALC,
    [0x22] = KEY_PLAYPAUSE,    [0x24] = KEY_STOPCD,   [0x2e] = KEY_VOLUMEDOWN,
    [0x30] = KEY_VOLUMEUP,     [0x32] = KEY_HOMEPAGE, [0x35] = KEY_KPSLASH,
    [0x37] = KEY_SYSRQ,        [0x38] = KEY_RIGHTALT, [0x46] = KEY_PAUSE,
    [0x47] = KEY_HOME,         [0x48] = KEY_UP,       [0x49] = KEY_PAGEUP,
    [0x4b] = KEY_LEFT,         [0x4d] = KEY_RIGHT,    [0x4f] = KEY_END,
    [0x50] = KEY_DOWN,         [0x51] = KEY_PAGEDOWN, [0x52] = KEY_INSERT,
    [0x53] = KEY_DELETE,       [0x5b] = KEY_LEFTMETA, [0x5c] = KEY_RIGHTMETA,
    [0x5d] = KEY_COMPOSE,      [0x5e] = KEY_POWER,    [0x5f] = KEY_SLEEP,
    [0x63] = KEY_WAKEUP,       [0x65] = KEY_SEARCH,   [0x66] = KEY_BOOKMARKS,
    [0x67] = KEY_REFRESH,      [0x69] = KEY_FORWARD,  [0x6a] = KEY_BACK,
    [0x6b] = KEY_COMPUTER,     [0x6c] = KEY_MAIL,     [0x6d] = KEY_MEDIA,
};

/* Where set 1 and evdev differ. */
static const uint16_t others[128] = {
    [0x54] = KEY_SYSRQ,     [0x59] = KEY_KPEQUAL,
    [0x5c] = KEY_KPJPCOMMA, [0x70] = KEY_KATAKANAHIRAGANA,
    [0x73] = KEY_RO,        [0x76] = KEY_ZENKAKUHANKAKU,
    [0x77] = KEY_HIRAGANA,  [0x78] = KEY_KATAKANA,
    [0x79] = KEY_HENKAN,    [0x7b] = KEY_MUHENKAN,
    [0x7d] = KEY_YEN,       [0x7e] = KEY_KPCOMMA,
};

uint32_t
keysym_key(uint32_t keysym)
{
    for (uint32_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].keysym == keysym)
            return keys[i].key;
    return 0;
}

uint32_t
keysym_unicode(uint32_t keysym)
{
    if ((keysym >= 0x20 && keysym <= 0x7e) || (keysym >= 0xa0 && keysym <= 0xff))
        return keysym;
    if (keysym > 0x01000000 && keysym <= 0x0110ffff)
        return keysym - 0x01000000;
    for (uint32_t i = 0; i < sizeof characters / sizeof *characters; i++)
        if (characters[i].keysym == keysym)
            return characters[i].unicode;
    return 0;
}

uint32_t
keysym_scan_key(uint32_t scan)
{
    if (scan >= 0x100)
        return 0;
    if (scan & 0x80)
        return extended[scan & 0x7f];
    if ((scan >= 1 && scan <= 83) || (scan >= 86 && scan <= 88))
        return scan;
    return others[scan];
}
