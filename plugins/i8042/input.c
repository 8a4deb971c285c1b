/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * input.c - bp.input/1. send() comes from any thread, so it only queues, under a lock that nothing
 * else is done under, and kicks; the devices get the events on our context when they have room. Two
 * queues, because a keyboard that nobody reads must not stop the mouse.
 */
#include <string.h>

#include "i8042.h"

/* evdev's numbers */
enum {
    INPUT_KEYS = 0x100, /* below: keys of a keyboard */
    INPUT_BTN_LEFT = 0x110,
    INPUT_BTN_RIGHT = 0x111,
    INPUT_BTN_MIDDLE = 0x112,
    INPUT_BTN_SIDE = 0x113,
    INPUT_BTN_EXTRA = 0x114,
    INPUT_BTN_FORWARD = 0x115,
    INPUT_BTN_BACK = 0x116,
    INPUT_REL_X = 0,
    INPUT_REL_Y = 1,
    INPUT_REL_WHEEL = 8,
};

void
input_init(struct input *input)
{
    pthread_mutex_init(&input->lock, NULL);
}

void
input_fini(struct input *input)
{
    pthread_mutex_destroy(&input->lock);
}

void
input_clear(struct input *input)
{
    pthread_mutex_lock(&input->lock);
    input->keys.n = input->pointer.n = 0;
    pthread_mutex_unlock(&input->lock);
}

static uint8_t
input_button(uint32_t code)
{
    switch (code) {
    case INPUT_BTN_LEFT:
        return MOUSE_LEFT;
    case INPUT_BTN_RIGHT:
        return MOUSE_RIGHT;
    case INPUT_BTN_MIDDLE:
        return MOUSE_MIDDLE;
    case INPUT_BTN_SIDE:
    case INPUT_BTN_BACK:
        return MOUSE_SIDE;
    case INPUT_BTN_EXTRA:
    case INPUT_BTN_FORWARD:
        return MOUSE_EXTRA;
    default:
        return 0;
    }
}

/* The queue of an event; NULL: it is of no use here. */
static struct input_queue *
input_queue_of(struct i8042 *dev, const struct bp_input_event *event)
{
    if (event->type == BP_INPUT_KEY && event->code < INPUT_KEYS)
        return dev->has_keyboard ? &dev->input.keys : NULL;
    if ((event->type == BP_INPUT_KEY && input_button(event->code)) ||
        (event->type == BP_INPUT_REL && (event->code == INPUT_REL_X || event->code == INPUT_REL_Y ||
                                         event->code == INPUT_REL_WHEEL)))
        return dev->has_mouse ? &dev->input.pointer : NULL;
    return NULL;
}

static int
input_send(void *self, const struct bp_input_event *events, uint32_t n)
{
    struct i8042 *dev = self;
    struct input *input = &dev->input;
    uint32_t keys = 0, pointer = 0;
    int err = 0;

    pthread_mutex_lock(&input->lock);
    for (uint32_t i = 0; i < n; i++) {
        const struct input_queue *queue = input_queue_of(dev, &events[i]);

        keys += queue == &input->keys;
        pointer += queue == &input->pointer;
    }
    if (keys > INPUT_QUEUE_LEN - input->keys.n || pointer > INPUT_QUEUE_LEN - input->pointer.n)
        err = BP_E_AGAIN;
    for (uint32_t i = 0; i < n && !err; i++) {
        struct input_queue *queue = input_queue_of(dev, &events[i]);

        if (queue)
            queue->events[(queue->first + queue->n++) % INPUT_QUEUE_LEN] = events[i];
    }
    pthread_mutex_unlock(&input->lock);
    if (!err && (keys || pointer))
        dev->event->kick(dev->inst, dev->kicked);
    return err;
}

/* False: its device has no room. */
static bool
input_give(struct i8042 *dev, const struct bp_input_event *event)
{
    int32_t val = event->value;

    if (event->type == BP_INPUT_KEY && event->code < INPUT_KEYS)
        return keyboard_key(&dev->keyboard, event->code, val != 0);
    if (event->type == BP_INPUT_KEY)
        return mouse_button(&dev->mouse, input_button(event->code), val != 0);
    /* A PS/2 mouse counts upwards, and its wheel downwards. */
    if (event->code == INPUT_REL_X)
        mouse_move(&dev->mouse, val, 0, 0);
    else if (val != INT32_MIN && event->code == INPUT_REL_Y)
        mouse_move(&dev->mouse, 0, -val, 0);
    else if (val != INT32_MIN)
        mouse_move(&dev->mouse, 0, 0, -val);
    return true;
}

static void
input_drain_queue(struct i8042 *dev, struct input_queue *queue)
{
    for (;;) {
        struct bp_input_event event = {0};
        bool any;

        pthread_mutex_lock(&dev->input.lock);
        any = queue->n != 0;
        if (any)
            event = queue->events[queue->first];
        pthread_mutex_unlock(&dev->input.lock);
        if (!any || !input_give(dev, &event))
            return;
        pthread_mutex_lock(&dev->input.lock);
        if (queue->n) {
            queue->first = (queue->first + 1) % INPUT_QUEUE_LEN;
            queue->n--;
        }
        pthread_mutex_unlock(&dev->input.lock);
    }
}

void
input_drain(struct i8042 *dev)
{
    input_drain_queue(dev, &dev->input.keys);
    input_drain_queue(dev, &dev->input.pointer);
    mouse_report(&dev->mouse);
}

void
input_publish(struct i8042 *dev)
{
    const struct mouse *mouse = &dev->mouse;
    uint8_t mode = dev->kbc.ram[0], lights = dev->keyboard.leds;
    uint32_t takes = 0;

    if (dev->has_keyboard && dev->keyboard.scanning && !(mode & KBC_MODE_DISABLE))
        takes |= BP_INPUT_TAKES_KEYS;
    if (dev->has_mouse && (mouse->enabled || mouse->remote) && !(mode & KBC_MODE_AUX_DISABLE))
        takes |= BP_INPUT_TAKES_REL;
    atomic_store(&dev->input.takes, takes);
    atomic_store(&dev->input.leds, (lights & 1 ? BP_INPUT_LED_SCROLL : 0) |
                                       (lights & 2 ? BP_INPUT_LED_NUM : 0) |
                                       (lights & 4 ? BP_INPUT_LED_CAPS : 0));
}

static uint32_t
input_takes(void *self)
{
    return atomic_load(&((struct i8042 *)self)->input.takes);
}

static uint32_t
input_leds(void *self)
{
    return atomic_load(&((struct i8042 *)self)->input.leds);
}

const struct bp_input_if input_if = {
    .size = sizeof input_if,
    .takes = input_takes,
    .send = input_send,
    .leds = input_leds,
};
