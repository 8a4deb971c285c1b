/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c - controller, keyboard and mouse, each in a section of its own. What somebody pressed and
 * no device has taken yet is the host's and is not saved.
 */
#include <string.h>

#include "i8042.h"
#include "scancodes.h"

enum {
    STATE_VERSION = 1,
    STATE_FAR = 4096, /* the mouse's counters are saved with this added */
    STATE_BUTTONS = MOUSE_LEFT | MOUSE_RIGHT | MOUSE_MIDDLE | MOUSE_SIDE | MOUSE_EXTRA,
};

static int
state_save_fifo(const struct bp_writer *w, const char *key, const struct fifo *fifo)
{
    struct fifo copy = *fifo;
    uint8_t bytes[FIFO_LEN] = {0};
    uint8_t n = 0;

    while (copy.n)
        bytes[n++] = fifo_take(&copy);
    return w->blob(w, key, bytes, n);
}

static int
state_load_fifo(const struct bp_reader *r, const char *key, struct fifo *fifo)
{
    uint8_t bytes[FIFO_LEN];
    uint64_t n = 0;
    int err = r->blob(r, key, bytes, sizeof bytes, &n);

    if (err)
        return err == BP_E_NOENT ? 0 : err == BP_E_RANGE ? BP_E_INVAL : err;
    fifo_clear(fifo);
    for (uint64_t i = 0; i < n; i++)
        fifo_put(fifo, bytes[i]);
    return 0;
}

static int
state_load_number(const struct bp_reader *r, const char *key, uint64_t max, uint64_t *val)
{
    int err = r->u64(r, key, val);

    if (err && err != BP_E_NOENT)
        return err;
    return *val > max ? BP_E_INVAL : 0;
}

static int
state_load_byte(const struct bp_reader *r, const char *key, uint8_t max, uint8_t *val)
{
    uint64_t got = *val;
    int err = state_load_number(r, key, max, &got);

    if (!err)
        *val = (uint8_t)got;
    return err;
}

static int
state_load_bool(const struct bp_reader *r, const char *key, bool *val)
{
    uint64_t got = *val;
    int err = state_load_number(r, key, 1, &got);

    if (!err)
        *val = got;
    return err;
}

/* The controller's answers: pairs of a byte and its status bits. */
static int
state_save_replies(const struct kbc *kbc, const struct bp_writer *w)
{
    struct fifo bytes = kbc->replies, flags = kbc->reply_flags;
    uint8_t pairs[2 * FIFO_LEN] = {0};
    uint32_t n = 0;

    while (bytes.n && flags.n) {
        pairs[n++] = fifo_take(&bytes);
        pairs[n++] = fifo_take(&flags);
    }
    return w->blob(w, "replies", pairs, n);
}

static int
state_load_replies(const struct bp_reader *r, struct kbc *kbc)
{
    uint8_t pairs[2 * FIFO_LEN];
    uint64_t n = 0;
    int err = r->blob(r, "replies", pairs, sizeof pairs, &n);

    if (err)
        return err == BP_E_NOENT ? 0 : err == BP_E_RANGE ? BP_E_INVAL : err;
    if (n % 2)
        return BP_E_INVAL;
    for (uint64_t i = 0; i < n; i += 2) {
        fifo_put(&kbc->replies, pairs[i]);
        fifo_put(&kbc->reply_flags, pairs[i + 1] & (KBC_STATUS_AUX | KBC_STATUS_TIMEOUT));
    }
    return 0;
}

static int
state_save_controller(const struct kbc *kbc, const struct bp_writer *w)
{
    int err;

    if ((err = w->section(w, "i8042", STATE_VERSION, 1)) ||
        (err = w->u64(w, "status", kbc->status)) || (err = w->u64(w, "data", kbc->data)) ||
        (err = w->u64(w, "output", kbc->output)) || (err = w->u64(w, "command", kbc->command)) ||
        (err = w->blob(w, "ram", kbc->ram, sizeof kbc->ram)) ||
        (err = w->u64(w, "release", kbc->release)))
        return err;
    return state_save_replies(kbc, w);
}

static int
state_load_controller(struct kbc *kbc, const struct bp_reader *r)
{
    uint64_t n = sizeof kbc->ram;
    uint32_t ver;
    int err = r->section(r, "i8042", &ver);

    if (err)
        return err;
    if (ver != STATE_VERSION)
        return BP_E_NOTSUP;
    if ((err = state_load_byte(r, "status", UINT8_MAX, &kbc->status)) ||
        (err = state_load_byte(r, "data", UINT8_MAX, &kbc->data)) ||
        (err = state_load_byte(r, "output", UINT8_MAX, &kbc->output)) ||
        (err = state_load_byte(r, "command", UINT8_MAX, &kbc->command)) ||
        (err = state_load_bool(r, "release", &kbc->release)) || (err = state_load_replies(r, kbc)))
        return err;
    err = r->blob(r, "ram", kbc->ram, sizeof kbc->ram, &n);
    if (err && err != BP_E_NOENT)
        return err;
    return n == sizeof kbc->ram ? 0 : BP_E_INVAL;
}

static int
state_save_keyboard(const struct keyboard *kbd, const struct bp_writer *w)
{
    int err;

    if ((err = w->section(w, "keyboard", STATE_VERSION, 1)) ||
        (err = w->u64(w, "command", kbd->command)) || (err = w->u64(w, "last", kbd->last)) ||
        (err = w->u64(w, "set", kbd->set)) || (err = w->u64(w, "leds", kbd->leds)) ||
        (err = w->u64(w, "rate", kbd->rate)) || (err = w->u64(w, "scanning", kbd->scanning)) ||
        (err = w->u64(w, "repeating", kbd->repeating)) ||
        (err = w->blob(w, "held", kbd->held, sizeof kbd->held)) ||
        (err = state_save_fifo(w, "replies", &kbd->replies)))
        return err;
    return state_save_fifo(w, "keys", &kbd->keys);
}

static int
state_check_keyboard(const struct keyboard *kbd)
{
    bool command =
        kbd->command == 0 || kbd->command == 0xed || kbd->command == 0xf0 || kbd->command == 0xf3;
    uint8_t key = kbd->repeating;

    if (!command || kbd->set < 1)
        return BP_E_INVAL;
    return key && (!scan_code(key) || !(kbd->held[key / 8] >> key % 8 & 1)) ? BP_E_INVAL : 0;
}

/* A state from before there were devices has no such section. */
static int
state_load_keyboard(struct keyboard *kbd, const struct bp_reader *r)
{
    uint64_t n = sizeof kbd->held;
    uint32_t ver;
    int err = r->section(r, "keyboard", &ver);

    if (err)
        return err == BP_E_NOENT ? 0 : err;
    if (ver != STATE_VERSION)
        return BP_E_NOTSUP;
    if ((err = state_load_byte(r, "command", UINT8_MAX, &kbd->command)) ||
        (err = state_load_byte(r, "last", UINT8_MAX, &kbd->last)) ||
        (err = state_load_byte(r, "set", 2, &kbd->set)) ||
        (err = state_load_byte(r, "leds", 7, &kbd->leds)) ||
        (err = state_load_byte(r, "rate", 0x7f, &kbd->rate)) ||
        (err = state_load_bool(r, "scanning", &kbd->scanning)) ||
        (err = state_load_byte(r, "repeating", UINT8_MAX, &kbd->repeating)) ||
        (err = state_load_fifo(r, "replies", &kbd->replies)) ||
        (err = state_load_fifo(r, "keys", &kbd->keys)))
        return err;
    err = r->blob(r, "held", kbd->held, sizeof kbd->held, &n);
    if ((err && err != BP_E_NOENT) || n != sizeof kbd->held)
        return err ? err : BP_E_INVAL;
    return state_check_keyboard(kbd);
}

static int
state_save_mouse(const struct mouse *mouse, const struct bp_writer *w)
{
    int err;

    if ((err = w->section(w, "mouse", STATE_VERSION, 1)) ||
        (err = w->u64(w, "command", mouse->command)) || (err = w->u64(w, "last", mouse->last)) ||
        (err = w->u64(w, "id", mouse->id)) || (err = w->u64(w, "resolution", mouse->resolution)) ||
        (err = w->u64(w, "rate", mouse->rate)) ||
        (err = w->blob(w, "knock", mouse->knock, sizeof mouse->knock)) ||
        (err = w->u64(w, "enabled", mouse->enabled)) ||
        (err = w->u64(w, "remote", mouse->remote)) || (err = w->u64(w, "wrap", mouse->wrap)) ||
        (err = w->u64(w, "double-scale", mouse->double_scale)) ||
        (err = w->u64(w, "changed", mouse->changed)) ||
        (err = w->u64(w, "buttons", mouse->buttons)) ||
        (err = w->u64(w, "x", (uint64_t)((int64_t)mouse->dx + STATE_FAR))) ||
        (err = w->u64(w, "y", (uint64_t)((int64_t)mouse->dy + STATE_FAR))) ||
        (err = w->u64(w, "z", (uint64_t)((int64_t)mouse->dz + STATE_FAR))) ||
        (err = state_save_fifo(w, "replies", &mouse->replies)))
        return err;
    return state_save_fifo(w, "reports", &mouse->reports);
}

static int
state_load_distance(const struct bp_reader *r, const char *key, int32_t *val)
{
    uint64_t got = (uint64_t)((int64_t)*val + STATE_FAR);
    int err = state_load_number(r, key, 2 * STATE_FAR, &got);

    if (!err)
        *val = (int32_t)got - STATE_FAR;
    return err;
}

static int
state_check_mouse(const struct mouse *mouse)
{
    bool command = mouse->command == 0 || mouse->command == 0xe8 || mouse->command == 0xf3;
    bool id = mouse->id == 0 || mouse->id == 3 || mouse->id == 4;

    return command && id && !(mouse->buttons & ~STATE_BUTTONS) ? 0 : BP_E_INVAL;
}

static int
state_load_mouse(struct mouse *mouse, const struct bp_reader *r)
{
    uint64_t n = sizeof mouse->knock;
    uint32_t ver;
    int err = r->section(r, "mouse", &ver);

    if (err)
        return err == BP_E_NOENT ? 0 : err;
    if (ver != STATE_VERSION)
        return BP_E_NOTSUP;
    if ((err = state_load_byte(r, "command", UINT8_MAX, &mouse->command)) ||
        (err = state_load_byte(r, "last", UINT8_MAX, &mouse->last)) ||
        (err = state_load_byte(r, "id", 4, &mouse->id)) ||
        (err = state_load_byte(r, "resolution", 3, &mouse->resolution)) ||
        (err = state_load_byte(r, "rate", 200, &mouse->rate)) ||
        (err = state_load_bool(r, "enabled", &mouse->enabled)) ||
        (err = state_load_bool(r, "remote", &mouse->remote)) ||
        (err = state_load_bool(r, "wrap", &mouse->wrap)) ||
        (err = state_load_bool(r, "double-scale", &mouse->double_scale)) ||
        (err = state_load_bool(r, "changed", &mouse->changed)) ||
        (err = state_load_byte(r, "buttons", UINT8_MAX, &mouse->buttons)) ||
        (err = state_load_distance(r, "x", &mouse->dx)) ||
        (err = state_load_distance(r, "y", &mouse->dy)) ||
        (err = state_load_distance(r, "z", &mouse->dz)) ||
        (err = state_load_fifo(r, "replies", &mouse->replies)) ||
        (err = state_load_fifo(r, "reports", &mouse->reports)))
        return err;
    err = r->blob(r, "knock", mouse->knock, sizeof mouse->knock, &n);
    if ((err && err != BP_E_NOENT) || n != sizeof mouse->knock)
        return err ? err : BP_E_INVAL;
    return state_check_mouse(mouse);
}

int
i8042_save(void *self, const struct bp_writer *w)
{
    const struct i8042 *dev = self;
    int err = state_save_controller(&dev->kbc, w);

    if (!err && dev->has_keyboard)
        err = state_save_keyboard(&dev->keyboard, w);
    if (!err && dev->has_mouse)
        err = state_save_mouse(&dev->mouse, w);
    return err;
}

int
i8042_load(void *self, const struct bp_reader *r)
{
    struct i8042 *dev = self;
    struct keyboard keyboard;
    struct mouse mouse;
    struct kbc kbc;
    int err;

    kbc_reset(&kbc);
    keyboard_reset(&keyboard);
    mouse_reset(&mouse);
    if ((err = state_load_controller(&kbc, r)) ||
        (dev->has_keyboard && (err = state_load_keyboard(&keyboard, r))) ||
        (dev->has_mouse && (err = state_load_mouse(&mouse, r))))
        return err;
    dev->kbc = kbc;
    dev->keyboard = keyboard;
    dev->mouse = mouse;
    i8042_settle(dev);
    return 0;
}
