/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c - the device's state: the virtio side, and for each port what driver and device know of
 * each other, what is still to be said, and how far the next chain has got.
 */
#include <stdio.h>

#include "virtio-console.h"

int
state_save(void *self, const struct bp_writer *w)
{
    struct con_dev *d = self;
    int err = bp_virtio_save(d->vdev, w);

    for (uint32_t i = 0; i < d->n_ports && !err; i++) {
        const struct con_port *p = &d->port[i];
        char name[16];

        snprintf(name, sizeof name, "port.%u", i);
        if ((err = w->section(w, name, 1, 1)) || (err = w->u64(w, "ready", p->ready)) ||
            (err = w->u64(w, "guest-open", p->guest_open)) ||
            (err = w->u64(w, "host-open", p->host_open)) ||
            (err = w->u64(w, "messages", p->pending)) ||
            (err = w->u64(w, "transmitted", p->tx_done)))
            break;
    }
    return err;
}

static int
load_port(struct con_port *p, const struct bp_reader *r)
{
    uint64_t ready = 0, guest = 0, host = 0, pending = 0, done = 0;
    const struct {
        const char *key;
        uint64_t *val, max;
    } keys[] = {
        {"ready", &ready, 1},
        {"guest-open", &guest, 1},
        {"host-open", &host, 1},
        {"messages", &pending, MSG_ALL},
        {"transmitted", &done, UINT32_MAX},
    };
    char name[16];
    uint32_t ver;
    int err;

    snprintf(name, sizeof name, "port.%u", p->id);
    err = r->section(r, name, &ver);
    if (err)
        return err;
    if (ver != 1)
        return BP_E_INVAL;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        err = r->u64(r, keys[i].key, keys[i].val);
        if (err && err != BP_E_NOENT)
            return err;
        if (*keys[i].val > keys[i].max)
            return BP_E_INVAL;
    }
    if ((ready || guest || host || pending) && !p->chr)
        return BP_E_INVAL;
    p->ready = ready;
    p->guest_open = guest;
    p->host_open = host;
    p->pending = (uint32_t)pending;
    p->tx_done = done;
    return 0;
}

int
state_load(void *self, const struct bp_reader *r)
{
    struct con_dev *d = self;
    int err = bp_virtio_load(d->vdev, r);

    for (uint32_t i = 0; i < d->n_ports && !err; i++)
        err = load_port(&d->port[i], r);
    return err;
}
