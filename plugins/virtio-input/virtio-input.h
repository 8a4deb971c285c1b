/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-input.h - the virtio input device (virtio 1.2, 5.8): a tablet, a mouse or a keyboard.
 *
 *   virtio-input.c  class, life cycle, the queues
 *   config.c        what the device says it can do
 *   events.c        bp.input/1, from any thread, into a queue
 */
#ifndef VIRTIO_INPUT_H
#define VIRTIO_INPUT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <backplane/virtio.h>

#define INPUT_PENDING 512u /* events; the longest packet is far shorter */
#define INPUT_IOV     8

enum input_kind {
    INPUT_TABLET,
    INPUT_MOUSE,
    INPUT_KEYBOARD,
};

/* virtio_input_event, 5.8.6: little endian */
struct input_wire {
    uint16_t type, code;
    uint32_t value;
};

/* Waits for buffers of the driver's. */
struct input_pending {
    pthread_mutex_t lock;
    uint32_t first, n;
    uint32_t n_motion; /* the last so many are a packet that only says where the pointer is */
    struct input_wire events[INPUT_PENDING];
};

struct input {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *event;
    bp_event kicked;
    struct bp_virtio *vdev;
    enum input_kind kind;
    uint8_t select, subsel; /* 5.8.4 */
    _Atomic uint32_t takes, leds;
    struct input_pending pending;
    struct bp_virtq_chain chain;
    struct bp_iovec iov[INPUT_IOV];
};

/* config.c: 5.8.5 */
#define INPUT_CONFIG_LEN 136u
void input_config_read(void *self, uint32_t off, void *buf, uint32_t len);
void input_config_write(void *self, uint32_t off, const void *buf, uint32_t len);
/* Whether the driver was told of such events. */
bool input_has(const struct input *, uint32_t type, uint32_t code);

/* events.c */
extern const struct bp_input_if input_events_if;
void input_pending_clear(struct input *);
/* The oldest one, which stays until input_pending_drop(). */
bool input_pending_peek(struct input *, struct input_wire *ret);
void input_pending_drop(struct input *);
/* What a driver that is there listens to. */
void input_listens(struct input *, bool live);

#endif
