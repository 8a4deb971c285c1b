/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio-input.c - plugin `virtio-input`; the parts: virtio-input.h. */
#include "virtio-input.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <linux/input-event-codes.h>

#include <backplane/log.h>

#define QUEUE_EVENTS 0
#define QUEUE_STATUS 1
#define QUEUE_SIZE   64
#define COOKIE_KICK  1

/* ---- Queues ---- */

/* A buffer of the driver's for each event; a driver that is slow finds them later. */
static void
input_give(struct input *d)
{
    struct bp_virtq *q = bp_virtio_queue(d->vdev, QUEUE_EVENTS);
    struct input_wire event;

    if (!bp_virtio_live(d->vdev))
        return;
    for (uint32_t n = 0; n < INPUT_PENDING && input_pending_peek(d, &event); n++) {
        uint64_t put;

        if (bp_virtq_pop(q, &d->chain) != 1)
            break;
        event.type = htole16(event.type);
        event.code = htole16(event.code);
        event.value = htole32(event.value);
        put = bp_virtq_copy_in(&d->chain, 0, &event, sizeof event);
        bp_virtq_push(q, &d->chain, (uint32_t)put);
        /* Into a buffer that is too small for an event it is lost. */
        input_pending_drop(d);
    }
    bp_virtq_flush(q);
}

/* The driver's lights, 5.8.6.1. */
static void
input_take_status(struct input *d, struct bp_virtq *q)
{
    for (uint32_t n = 0; n < QUEUE_SIZE && bp_virtq_pop(q, &d->chain) == 1; n++) {
        struct input_wire event;

        if (bp_virtq_copy_out(&d->chain, 0, &event, sizeof event) == sizeof event &&
            le16toh(event.type) == EV_LED && input_has(d, EV_LED, le16toh(event.code))) {
            uint32_t bit = 1u << le16toh(event.code); /* BP_INPUT_LED_* in this order */

            if (event.value)
                atomic_fetch_or(&d->leds, bit);
            else
                atomic_fetch_and(&d->leds, ~bit);
        }
        bp_virtq_push(q, &d->chain, 0);
    }
    bp_virtq_flush(q);
}

static void
input_notify(void *self, struct bp_virtq *q, uint32_t index)
{
    if (index == QUEUE_STATUS)
        input_take_status(self, q);
    else
        input_give(self);
}

static void
input_ready(void *self)
{
    input_listens(self, true);
}

static void
input_forget(struct input *d)
{
    input_listens(d, false);
    input_pending_clear(d);
    atomic_store(&d->leds, 0);
    d->select = d->subsel = 0;
}

static int
input_reset(void *self)
{
    input_forget(self);
    return 0;
}

/* ---- Life ---- */

static int
virtio_input_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct bp_value kind = {.size = sizeof kind};
    int err = host->prop(inst, "kind", &kind);
    struct input *d;

    if (err)
        return err;
    d = calloc(1, sizeof *d);
    if (!d)
        return BP_E_NOMEM;
    d->host = host;
    d->inst = inst;
    d->kind = (enum input_kind)kind.i;
    d->chain =
        (struct bp_virtq_chain){.size = sizeof d->chain, .cap_iov = INPUT_IOV, .iov = d->iov};
    pthread_mutex_init(&d->pending.lock, NULL);
    *ret_self = d;
    return 0;
}

static int
virtio_input_realize(void *self)
{
    static const uint16_t queue_size[] = {QUEUE_SIZE, QUEUE_SIZE};
    static const struct bp_virtio_ops ops = {
        .size = sizeof ops,
        .config_read = input_config_read,
        .config_write = input_config_write,
        .ready = input_ready,
        .notify = input_notify,
        .reset = input_reset,
    };
    struct input *d = self;
    const struct bp_virtio_desc desc = {
        .size = sizeof desc,
        .device_id = 18,
        .pci_class = d->kind == INPUT_KEYBOARD ? 0x090000 : 0x090200,
        .n_queues = 2,
        .queue_size = queue_size,
        .config_len = INPUT_CONFIG_LEN,
        .max_iov = INPUT_IOV,
        .ops = &ops,
        .acpi_name = "IN",
    };
    int err;

    d->event = d->host->query(d->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, kick));
    if (!d->event)
        return d->host->fail(d->inst, BP_E_NOTSUP, "needs " BP_IF_EVENT);
    err = d->event->soft(d->inst, "input", COOKIE_KICK, &d->kicked);
    return err ? err : bp_virtio_new(d->host, d->inst, &desc, d, &d->vdev);
}

static int
virtio_input_start(void *self)
{
    return bp_virtio_start(((struct input *)self)->vdev);
}

static int
virtio_input_quiesce(void *self)
{
    return bp_virtio_quiesce(((struct input *)self)->vdev);
}

static void
virtio_input_reset(void *self, uint32_t kind)
{
    (void)kind;
    input_forget(self);
    bp_virtio_cold_reset(((struct input *)self)->vdev);
}

static void
virtio_input_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct input *d = self;

    if (cookie >= BP_VIRTIO_COOKIE)
        bp_virtio_event(d->vdev, cookie, mask);
    else
        input_give(d);
}

/* Events that wait belong to the device: a release among them must not be lost. */
static int
virtio_input_save(void *self, const struct bp_writer *w)
{
    struct input *d = self;
    struct input_pending *p = &d->pending;
    struct input_wire events[INPUT_PENDING];
    uint32_t n;
    int err;

    pthread_mutex_lock(&p->lock);
    n = p->n;
    for (uint32_t i = 0; i < n; i++)
        events[i] = p->events[(p->first + i) % INPUT_PENDING];
    pthread_mutex_unlock(&p->lock);
    if ((err = w->section(w, "input", 1, 1)) || (err = w->u64(w, "select", d->select)) ||
        (err = w->u64(w, "subsel", d->subsel)) ||
        (err = w->u64(w, "leds", atomic_load(&d->leds))) ||
        (err = w->blob(w, "events", events, n * sizeof *events)))
        return err;
    return bp_virtio_save(d->vdev, w);
}

static int
virtio_input_load(void *self, const struct bp_reader *r)
{
    struct input *d = self;
    struct input_wire events[INPUT_PENDING];
    uint64_t select = 0, subsel = 0, leds = 0, len = 0;
    uint32_t ver;
    int err = r->section(r, "input", &ver);

    if (err)
        return err;
    if (((err = r->u64(r, "select", &select)) && err != BP_E_NOENT) ||
        ((err = r->u64(r, "subsel", &subsel)) && err != BP_E_NOENT) ||
        ((err = r->u64(r, "leds", &leds)) && err != BP_E_NOENT) ||
        ((err = r->blob(r, "events", events, sizeof events, &len)) && err != BP_E_NOENT))
        return err;
    if (select > 0xff || subsel > 0xff || leds > 7 || len % sizeof *events)
        return d->host->fail(d->inst, BP_E_INVAL, "the state of no input device");
    for (uint32_t i = 0; i < len / sizeof *events; i++)
        if (!(events[i].type == EV_SYN && events[i].code == SYN_REPORT) &&
            !input_has(d, events[i].type, events[i].code))
            return d->host->fail(d->inst, BP_E_INVAL, "events of another kind of device");
    d->select = (uint8_t)select;
    d->subsel = (uint8_t)subsel;
    atomic_store(&d->leds, (uint32_t)leds);
    pthread_mutex_lock(&d->pending.lock);
    d->pending.first = d->pending.n_motion = 0;
    d->pending.n = (uint32_t)(len / sizeof *events);
    memcpy(d->pending.events, events, len);
    pthread_mutex_unlock(&d->pending.lock);
    return bp_virtio_load(d->vdev, r);
}

static const void *
virtio_input_query(void *self, const char *iface, uint32_t min_size)
{
    (void)self;
    return strcmp(iface, BP_IF_INPUT) == 0 && min_size <= sizeof input_events_if ? &input_events_if
                                                                                 : NULL;
}

static void
virtio_input_destroy(void *self)
{
    struct input *d = self;

    bp_virtio_free(d->vdev);
    pthread_mutex_destroy(&d->pending.lock);
    free(d);
}

static const char *const kinds[] = {"tablet", "mouse", "keyboard", NULL};
static const struct bp_prop props[] = {
    {.size = sizeof *props,
     .type = BP_ENUM,
     .name = "kind",
     .help = "what it is; a tablet's pointer is where the user's is",
     .def = "tablet",
     .choices = kinds},
    BP_VIRTIO_PROPS,
};
static const char *const provides[] = {BP_IF_INPUT, NULL};
static const char *const needs[] = {BP_VIRTIO_NEEDS, NULL};

static const struct bp_class virtio_input_class = {
    .size = sizeof virtio_input_class,
    .flags = BP_C_SHARED,
    .name = "virtio-input",
    .version = "1.0",
    .summary = "virtio tablet, mouse or keyboard",
    .props = props,
    .n_props = sizeof props / sizeof *props,
    .prop_size = sizeof *props,
    .provides = provides,
    .needs = needs,
    .state_ver = 1,
    .state_min = 1,
    .create = virtio_input_create,
    .realize = virtio_input_realize,
    .start = virtio_input_start,
    .quiesce = virtio_input_quiesce,
    .reset = virtio_input_reset,
    .event = virtio_input_event,
    .save = virtio_input_save,
    .load = virtio_input_load,
    .query = virtio_input_query,
    .destroy = virtio_input_destroy,
};

BP_PLUGIN("virtio-input", "1.0", "BSD-3-Clause", "backplane", &virtio_input_class);
