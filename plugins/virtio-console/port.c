/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.c - the bytes of one port, both ways, between its two queues and its back end.
 *
 * Each direction waits for the slower side: the driver's chains stay in the queue until the back
 * end has taken them to the last byte, and the back end keeps its bytes until there are buffers and
 * somebody in the guest has the port open.
 */
#include "virtio-console.h"

static bool
can_receive(const struct con_port *p)
{
    const struct con_dev *d = p->dev;

    return d->running && bp_virtio_live(d->vdev) && (p->guest_open || !con_multiport(d));
}

static uint64_t
port_receive(void *user, const void *buf, uint64_t n)
{
    struct con_port *p = user;
    struct con_dev *d = p->dev;
    uint64_t taken = 0;
    uint32_t chains = 0;

    if (can_receive(p))
        for (; taken < n && chains < CON_QUEUE_SIZE; chains++) {
            uint64_t part;

            if (bp_virtq_pop(p->rx, &d->rx.c) != 1)
                break;
            part = bp_virtq_copy_in(&d->rx.c, 0, (const uint8_t *)buf + taken, n - taken);
            bp_virtq_push(p->rx, &d->rx.c, (uint32_t)part);
            taken += part;
        }
    if (chains > 0)
        bp_virtq_flush(p->rx);
    p->starved = taken < n;
    if (p->starved && chains == CON_QUEUE_SIZE) /* buffers of no size: go on in a turn of its own */
        (void)d->event->kick(d->inst, d->resume);
    return taken;
}

void
port_can_receive(struct con_port *p)
{
    if (p->starved && p->chr && can_receive(p)) {
        p->starved = false;
        p->chr->ready(p->be);
    }
}

/* Hands the rest of the chain to the back end; true when it took all of it. */
static bool
write_chain(struct con_port *p, const struct bp_virtq_chain *chain)
{
    uint64_t skip = p->tx_done;

    for (uint32_t i = 0; p->chr && i < chain->n_out; i++) {
        const struct bp_iovec *iov = &chain->iov[i];
        uint64_t left, took;

        if (skip >= iov->len) {
            skip -= iov->len;
            continue;
        }
        left = iov->len - skip;
        took = p->chr->write(p->be, (const uint8_t *)iov->base + skip, left);
        p->tx_done += took;
        if (took < left)
            return false;
        skip = 0;
    }
    p->tx_done = 0;
    return true;
}

void
port_transmit(struct con_port *p)
{
    struct con_dev *d = p->dev;
    uint32_t chains = 0;

    if (!d->running)
        return;
    if (d->writing) {
        (void)d->event->kick(d->inst, d->resume);
        return;
    }
    d->writing = true;
    while (bp_virtq_pop(p->tx, &d->tx.c) == 1) {
        if (chains == CON_QUEUE_SIZE) { /* a driver that never stops leaves others their turn */
            bp_virtq_unpop(p->tx, &d->tx.c);
            (void)d->event->kick(d->inst, d->resume);
            break;
        }
        if (!write_chain(p, &d->tx.c)) {
            bp_virtq_unpop(p->tx, &d->tx.c); /* until port_writable() */
            break;
        }
        bp_virtq_push(p->tx, &d->tx.c, 0);
        chains++;
    }
    d->writing = false;
    if (chains > 0)
        bp_virtq_flush(p->tx);
}

static void
port_writable(void *user)
{
    port_transmit(user);
}

static void
port_event(void *user, uint32_t what)
{
    if (what == BP_CHAR_OPENED || what == BP_CHAR_CLOSED)
        control_host_open(user, what == BP_CHAR_OPENED);
}

void
port_emergency(struct con_port *p, uint8_t byte)
{
    if (p->chr)
        (void)p->chr->write(p->be, &byte, 1);
}

void
port_reset(struct con_port *p)
{
    p->ready = p->guest_open = p->host_open = false;
    p->pending = 0;
    p->tx_done = 0;
}

int
port_attach(struct con_port *p, const struct bp_link *link)
{
    int err;

    p->chr = link->iface;
    p->be = link->self;
    p->name = link->id;
    p->starved = true;
    p->client = (struct bp_char_client){
        .size = sizeof p->client,
        .user = p,
        .receive = port_receive,
        .writable = port_writable,
        .event = port_event,
    };
    err = p->chr->attach(p->be, &p->client);
    p->attached = !err;
    return err;
}

void
port_detach(struct con_port *p)
{
    if (p->attached)
        (void)p->chr->attach(p->be, NULL);
    p->attached = false;
}
