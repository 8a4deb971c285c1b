/* SPDX-License-Identifier: BSD-3-Clause */
/* keys.c - see keys.h. */
#include "keys.h"

#include <string.h>

#include <linux/input-event-codes.h>

#define ESC 0x1b

void
keys_init(struct keys *k, struct typist *t)
{
    memset(k, 0, sizeof *k);
    k->typist = t;
}

/* A character that is a byte below 32, or DEL. */
static void
control(struct keys *k, uint8_t c, uint32_t with)
{
    switch (c) {
    case '\r':
    case '\n':
        typist_tap_key(k->typist, KEY_ENTER, with);
        break;
    case '\t':
        typist_tap_key(k->typist, KEY_TAB, with);
        break;
    case 0x08:
    case 0x7f:
        typist_tap_key(k->typist, KEY_BACKSPACE, with);
        break;
    case ESC:
        typist_tap_key(k->typist, KEY_ESC, with);
        break;
    case 0:
        typist_tap_key(k->typist, KEY_SPACE, with | TYPIST_CTRL);
        break;
    default:
        typist_tap_character(k->typist, c < 27 ? c + 'a' - 1u : c + '@' + 0u, with | TYPIST_CTRL);
        break;
    }
}

static void
character(struct keys *k, uint32_t c, uint32_t with)
{
    if (c < 32 || c == 0x7f)
        control(k, (uint8_t)c, with);
    else
        typist_tap_character(k->typist, c, with);
}

/* xterm: 1 + Shift 1, Alt 2, Ctrl 4. */
static uint32_t
modifiers(uint32_t n)
{
    n = n ? n - 1 : 0;
    return (n & 1 ? LAYOUT_SHIFT : 0) | (n & 2 ? TYPIST_ALT : 0) | (n & 4 ? TYPIST_CTRL : 0);
}

/* CSI n ~ */
static uint32_t
tilde_key(uint32_t n)
{
    static const uint16_t keys[] = {
        [1] = KEY_HOME,     [2] = KEY_INSERT, [3] = KEY_DELETE, [4] = KEY_END,  [5] = KEY_PAGEUP,
        [6] = KEY_PAGEDOWN, [7] = KEY_HOME,   [8] = KEY_END,    [11] = KEY_F1,  [12] = KEY_F2,
        [13] = KEY_F3,      [14] = KEY_F4,    [15] = KEY_F5,    [17] = KEY_F6,  [18] = KEY_F7,
        [19] = KEY_F8,      [20] = KEY_F9,    [21] = KEY_F10,   [23] = KEY_F11, [24] = KEY_F12,
    };

    return n < sizeof keys / sizeof *keys ? keys[n] : 0;
}

/* CSI or SS3 and a letter */
static uint32_t
letter_key(uint8_t c)
{
    static const struct {
        uint8_t letter;
        uint16_t key;
    } keys[] = {{'A', KEY_UP},  {'B', KEY_DOWN}, {'C', KEY_RIGHT}, {'D', KEY_LEFT},
                {'F', KEY_END}, {'H', KEY_HOME}, {'M', KEY_ENTER}, {'P', KEY_F1},
                {'Q', KEY_F2},  {'R', KEY_F3},   {'S', KEY_F4},    {'Z', KEY_TAB},
                {'E', KEY_KP5}};

    for (uint32_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].letter == c)
            return keys[i].key;
    return 0;
}

static uint32_t
number(const uint8_t **p, const uint8_t *end)
{
    uint32_t n = 0;

    while (*p < end && **p >= '0' && **p <= '9')
        n = n * 10 + *(*p)++ - '0';
    return n;
}

/* Linux's console: CSI [ A to E are F1 to F5. */
static void
sequence(struct keys *k)
{
    const uint8_t *p = k->seq + 2, *end = k->seq + k->n - 1;
    uint8_t last = *end;
    uint32_t first = number(&p, end), second = 0, key;

    if (p < end && *p == ';') {
        p++;
        second = number(&p, end);
    }
    if (k->n == 4 && k->seq[1] == '[' && k->seq[2] == '[')
        key = last >= 'A' && last <= 'E' ? KEY_F1 + last - 'A' : 0;
    else
        key = last == '~' ? tilde_key(first) : letter_key(last);
    if (key)
        typist_tap_key(k->typist, key, modifiers(second) | (last == 'Z' ? LAYOUT_SHIFT : 0));
}

/* The length of what begins with these bytes as far as it can be told; 0: more are needed. */
static uint32_t
escape_len(const struct keys *k)
{
    uint8_t last = k->seq[k->n - 1];

    if (k->n == 1)
        return 0;
    if (k->seq[1] == 'O')
        return k->n == 3 ? 3 : 0;
    if (k->seq[1] != '[')
        return 2;
    if (k->n == 2 || (k->n == 3 && last == '['))
        return 0;
    return last >= 0x40 && last <= 0x7e ? k->n : 0;
}

static uint32_t
utf8_len(uint8_t c)
{
    return c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 1;
}

static uint32_t
utf8_decode(const uint8_t *p, uint32_t n)
{
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);

    for (uint32_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return UINT32_MAX;
        c = c << 6 | (p[i] & 0x3f);
    }
    return c;
}

/* What is complete, with n bytes of it at at. */
static void
plain(struct keys *k, uint32_t at, uint32_t with)
{
    uint32_t c = utf8_decode(k->seq + at, k->n - at);

    if (c != UINT32_MAX)
        character(k, c, with);
}

void
keys_byte(struct keys *k, uint8_t byte)
{
    bool alt = k->n && k->seq[0] == ESC;

    if (k->n == sizeof k->seq)
        k->n = 3; /* nothing that we know is that long: its end is all that matters */
    /* Escape twice: the first one was that key. */
    if (byte == ESC && k->n) {
        keys_timeout(k);
        alt = false;
    }
    k->seq[k->n++] = byte;
    if (k->seq[0] == ESC && k->n >= 2 && (k->seq[1] == '[' || k->seq[1] == 'O')) {
        if (!escape_len(k))
            return;
        sequence(k);
    } else if (k->seq[0] == ESC) {
        if (k->n < 2 || k->n < 1 + utf8_len(k->seq[1]))
            return;
        plain(k, 1, TYPIST_ALT);
    } else {
        if (k->n < utf8_len(k->seq[0]))
            return;
        plain(k, 0, alt ? TYPIST_ALT : 0);
    }
    k->n = 0;
}

bool
keys_unsure(const struct keys *k)
{
    return k->n && k->seq[0] == ESC;
}

void
keys_timeout(struct keys *k)
{
    uint32_t n = k->n;

    k->n = 0;
    if (n == 1)
        typist_tap_key(k->typist, KEY_ESC, 0);
    else if (n == 2)
        character(k, k->seq[1], TYPIST_ALT);
}
