/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.c - the control queues of a device with several ports (virtio 1.2, 5.3.6.2).
 *
 * What is to be told is kept as bits in the port, not as a list: a driver that asks again and
 * again, or offers no buffers, changes nothing but bits.
 */
#include <endian.h>
#include <string.h>

#include <backplane/log.h>

#include "virtio-console.h"

enum {
    CTL_DEVICE_READY = 0,
    CTL_PORT_ADD = 1,
    CTL_PORT_READY = 3,
    CTL_CONSOLE_PORT = 4,
    CTL_RESIZE = 5,
    CTL_PORT_OPEN = 6,
    CTL_PORT_NAME = 7,
};

struct control {
    uint32_t id;
    uint16_t event, value;
};

struct message {
    struct control head;
    uint8_t tail[256]; /* name, or columns and rows */
};

/* Makes the message for one MSG_* bit; returns its length. */
static uint32_t
make_message(const struct con_port *p, uint32_t bit, struct message *ret_m)
{
    struct control *h = &ret_m->head;
    uint32_t tail = 0;

    *h = (struct control){.id = htole32(p->id), .value = htole16(1)};
    switch (bit) {
    case MSG_ADD:
        h->event = htole16(CTL_PORT_ADD);
        break;
    case MSG_CONSOLE:
        h->event = htole16(CTL_CONSOLE_PORT);
        break;
    case MSG_NAME:
        h->event = htole16(CTL_PORT_NAME);
        tail = (uint32_t)strnlen(p->name, sizeof ret_m->tail);
        memcpy(ret_m->tail, p->name, tail);
        break;
    case MSG_RESIZE: {
        uint16_t size[2] = {htole16(p->dev->cols), htole16(p->dev->rows)};

        h->event = htole16(CTL_RESIZE);
        tail = sizeof size;
        memcpy(ret_m->tail, size, tail);
        break;
    }
    case MSG_CLOSE:
        h->value = 0;
        h->event = htole16(CTL_PORT_OPEN);
        break;
    default:
        h->event = htole16(CTL_PORT_OPEN);
        break;
    }
    return (uint32_t)sizeof *h + tail;
}

/* Sends one message; false: there is no buffer. */
static bool
send_one(struct con_port *p, struct bp_virtq *q, uint32_t bit)
{
    struct con_dev *d = p->dev;
    struct message m;
    uint32_t len, done = 0;

    if (bp_virtq_pop(q, &d->control.c) != 1)
        return false;
    len = make_message(p, bit, &m);
    if (d->control.c.in_len >= len)
        done = (uint32_t)bp_virtq_copy_in(&d->control.c, 0, &m, len);
    else
        bp_logf(d->host, d->inst, BP_LOG_GUEST, "control buffer of %llu bytes is too short",
                (unsigned long long)d->control.c.in_len);
    bp_virtq_push(q, &d->control.c, done);
    p->pending &= ~bit;
    return true;
}

void
control_send(struct con_dev *d)
{
    struct bp_virtq *q;
    bool sent = false, room = true;

    if (!d->running || !con_multiport(d) || !bp_virtio_live(d->vdev))
        return;
    q = bp_virtio_queue(d->vdev, CON_CONTROL_RX);
    for (uint32_t i = 0; i < d->n_ports && room; i++)
        for (uint32_t bit = MSG_ADD; bit <= MSG_OPEN && room; bit <<= 1)
            if (d->port[i].pending & bit) {
                room = send_one(&d->port[i], q, bit);
                sent |= room;
            }
    if (sent)
        bp_virtq_flush(q);
}

void
control_post(struct con_port *p, uint32_t messages)
{
    p->pending |= messages;
    control_send(p->dev);
}

void
control_host_open(struct con_port *p, bool open)
{
    if (!p->ready || p->host_open == open)
        return;
    p->host_open = open;
    if (!open)
        p->pending &= ~(uint32_t)MSG_OPEN;
    /* A close that was not sent yet is sent before the open: the guest sees that it is another
     * connection. */
    control_post(p, open ? MSG_OPEN : MSG_CLOSE);
}

static void
port_is_ready(struct con_port *p)
{
    struct con_dev *d = p->dev;
    uint32_t messages = 0;

    p->ready = true;
    p->host_open = p->chr->connected(p->be);
    p->pending &= ~(uint32_t)(MSG_OPEN | MSG_CLOSE);
    if (p->id == 0) {
        messages |= MSG_CONSOLE;
        if (d->cols && d->rows)
            messages |= MSG_RESIZE;
    } else {
        messages |= MSG_NAME;
    }
    if (p->host_open)
        messages |= MSG_OPEN;
    control_post(p, messages);
}

static void
handle(struct con_dev *d, const struct control *c)
{
    uint32_t id = le32toh(c->id), event = le16toh(c->event), value = le16toh(c->value);
    struct con_port *p;

    if (event == CTL_DEVICE_READY) {
        for (uint32_t i = 0; i < d->n_ports && value == 1; i++)
            if (d->port[i].chr)
                d->port[i].pending |= MSG_ADD;
        control_send(d);
        return;
    }
    if (id >= d->n_ports || !d->port[id].chr) {
        bp_logf(d->host, d->inst, BP_LOG_GUEST,
                "control message %u for port %u, which is not there", event, id);
        return;
    }
    p = &d->port[id];
    switch (event) {
    case CTL_PORT_READY:
        if (value == 1)
            port_is_ready(p);
        else
            port_reset(p);
        break;
    case CTL_PORT_OPEN:
        p->guest_open = value == 1;
        port_can_receive(p);
        break;
    default:
        bp_logf(d->host, d->inst, BP_LOG_GUEST, "unknown control message %u for port %u", event,
                id);
    }
}

void
control_receive(struct con_dev *d)
{
    struct bp_virtq *q = bp_virtio_queue(d->vdev, CON_CONTROL_TX);
    struct control c;
    uint32_t n = 0;

    if (!d->running)
        return;
    while (bp_virtq_pop(q, &d->control.c) == 1) {
        bool whole;

        if (n++ == CON_QUEUE_SIZE) {
            bp_virtq_unpop(q, &d->control.c);
            (void)d->event->kick(d->inst, d->resume);
            break;
        }
        whole = bp_virtq_copy_out(&d->control.c, 0, &c, sizeof c) == sizeof c;
        bp_virtq_push(q, &d->control.c, 0);
        if (whole)
            handle(d, &c); /* may pop from other queues: the chain is done with */
    }
    bp_virtq_flush(q);
}
