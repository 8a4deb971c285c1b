/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * i8042.h - the i8042 plugin's own: a PC's keyboard controller with a keyboard and a mouse.
 *
 *   i8042.c       class, life cycle, ports, ACPI; bytes between controller and devices
 *   controller.c  the controller: commands, status, translation of scan codes
 *   keyboard.c    the keyboard        scancodes.c  its codes
 *   mouse.c       the mouse
 *   input.c       bp.input/1: what somebody presses and moves, from any thread
 *   state.c       save and load
 *
 * The core calls in with the instance's lock held, one call at a time; only input.c is reached
 * without it.
 */
#ifndef I8042_H
#define I8042_H

#include <pthread.h>
#include <stdatomic.h>

#include <backplane/backplane.h>

#include "controller.h"
#include "keyboard.h"
#include "mouse.h"

#define INPUT_QUEUE_LEN 256

/* Events on their way from a display to a device: one side under the lock, one on our context. */
struct input_queue {
    uint32_t first, n;
    struct bp_input_event events[INPUT_QUEUE_LEN];
};

struct input {
    pthread_mutex_t lock;
    struct input_queue keys, pointer;
    _Atomic uint32_t takes, leds; /* BP_INPUT_* */
};

struct i8042 {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_irq_if *irq;
    const struct bp_event_if *event;
    const struct bp_machine_if *machine;
    bp_irq line, aux_line;
    bp_event kicked, typematic;
    bool has_keyboard, has_mouse;
    struct kbc kbc;
    struct keyboard keyboard;
    struct mouse mouse;
    uint8_t typematic_key; /* the timer is set for this one; 0: it is off */
    struct input input;
};

/* Brings everything in line with the controller's state: bytes move, lines follow. */
void i8042_settle(struct i8042 *dev);

/* input.c */
extern const struct bp_input_if input_if;
void input_init(struct input *input);
void input_fini(struct input *input);
void input_clear(struct input *input);
/* Gives the devices what they have room for. */
void input_drain(struct i8042 *dev);
/* What the guest listens to, and its lights. */
void input_publish(struct i8042 *dev);

/* state.c */
int i8042_save(void *self, const struct bp_writer *w);
int i8042_load(void *self, const struct bp_reader *r);

#endif
