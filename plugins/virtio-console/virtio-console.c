/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-console.c - the virtio console device (virtio 1.2, 5.3): properties, configuration space
 * and life cycle.
 *
 * Port 0 is the console (hvc0), `ports` are byte channels that the guest finds by name. Only with
 * `ports` does the device offer more than the one console. Knows nothing of what is behind a port:
 * that is bp.char/1.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <backplane/log.h>

#include "virtio-console.h"

#define COOKIE_RESUME 1

struct con_config { /* 5.3.4 */
    uint16_t cols, rows;
    uint32_t max_nr_ports;
    uint32_t emerg_wr;
};

static uint64_t
bit(int n)
{
    return UINT64_C(1) << n;
}

bool
con_multiport(const struct con_dev *d)
{
    return bp_virtio_features(d->vdev) & bit(CON_F_MULTIPORT);
}

/* ---- libbackplane-virtio ---- */

static void
con_config_read(void *self, uint32_t off, void *buf, uint32_t len)
{
    const struct con_dev *d = self;
    struct con_config c = {
        .cols = htole16(d->cols),
        .rows = htole16(d->rows),
        .max_nr_ports = htole32(d->n_ports),
    };

    if (off < sizeof c)
        memcpy(buf, (const uint8_t *)&c + off, len < sizeof c - off ? len : sizeof c - off);
}

static void
con_config_write(void *self, uint32_t off, const void *buf, uint32_t len)
{
    struct con_dev *d = self;
    uint32_t at = offsetof(struct con_config, emerg_wr);

    /* Works before the driver is there (5.3.4). */
    if (off <= at && at - off < len)
        port_emergency(&d->port[0], ((const uint8_t *)buf)[at - off]);
}

static void
con_ready(void *self)
{
    struct con_dev *d = self;

    /* Linux looks at the size only when it is told of a change. */
    if ((bp_virtio_features(d->vdev) & bit(CON_F_SIZE)) && !con_multiport(d))
        bp_virtio_config_changed(d->vdev);
}

static void
con_notify(void *self, struct bp_virtq *q, uint32_t index)
{
    struct con_dev *d = self;
    uint32_t port = index < CON_CONTROL_RX ? 0 : index / 2 - 1;

    (void)q;
    if (index == CON_CONTROL_RX)
        control_send(d);
    else if (index == CON_CONTROL_TX)
        control_receive(d);
    else if (index & 1)
        port_transmit(&d->port[port]);
    else
        port_can_receive(&d->port[port]);
}

static int
con_reset_ports(void *self)
{
    struct con_dev *d = self;

    for (uint32_t i = 0; i < d->n_ports; i++)
        port_reset(&d->port[i]);
    return 0;
}

static const struct bp_virtio_ops con_ops = {
    .size = sizeof con_ops,
    .config_read = con_config_read,
    .config_write = con_config_write,
    .ready = con_ready,
    .notify = con_notify,
    .reset = con_reset_ports,
};

/* ---- The class ---- */

static void
init_chain(struct con_chain *chain)
{
    chain->c = (struct bp_virtq_chain){
        .size = sizeof chain->c, .cap_iov = CON_QUEUE_SIZE, .iov = chain->iov};
}

static int
virtio_console_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct con_dev *d = calloc(1, sizeof *d);

    if (!d)
        return BP_E_NOMEM;
    d->host = host;
    d->inst = inst;
    init_chain(&d->rx);
    init_chain(&d->tx);
    init_chain(&d->control);
    for (uint32_t i = 0; i < CON_PORTS_MAX; i++) {
        d->port[i].dev = d;
        d->port[i].id = i;
    }
    d->n_ports = 1;
    *ret_self = d;
    return 0;
}

static int
attach(struct con_dev *d, struct con_port *p, const struct bp_link *link)
{
    int err = port_attach(p, link);

    if (err)
        return bp_failf(d->host, d->inst, err, "chardev %s belongs to another device already",
                        link->id);
    return 0;
}

static int
attach_ports(struct con_dev *d)
{
    const uint32_t need = BP_UPTO(struct bp_char_if, connected);
    struct bp_link link = {.size = sizeof link};
    struct bp_value v = {.size = sizeof v};
    int err = d->host->link(d->inst, "chardev", BP_IF_CHAR, need, &link);

    if (!err)
        err = attach(d, &d->port[0], &link);
    if (err && err != BP_E_NOENT)
        return err;
    err = d->host->prop(d->inst, "ports", &v);
    if (err)
        return err;
    if (v.n >= CON_PORTS_MAX)
        return bp_failf(d->host, d->inst, BP_E_RANGE, "%llu ports, at most %u are possible",
                        (unsigned long long)v.n, CON_PORTS_MAX - 1);
    d->multiport = v.n > 0;
    for (uint64_t i = 0; i < v.n; i++) {
        struct con_port *p = &d->port[d->n_ports];

        if (!BP_HAS(struct bp_host, d->host, link_item))
            return d->host->fail(d->inst, BP_E_NOTSUP, "this core has no link_item()");
        err = d->host->link_item(d->inst, "ports", i, BP_IF_CHAR, need, &link);
        if (!err)
            err = attach(d, p, &link);
        if (err)
            return err;
        d->n_ports++;
    }
    if (d->n_ports == 1 && !d->port[0].chr)
        return d->host->fail(d->inst, BP_E_INVAL, "give it a chardev, or ports");
    return 0;
}

static int
virtio_console_realize(void *self)
{
    struct con_dev *d = self;
    uint16_t sizes[2 * CON_PORTS_MAX + 2];
    struct bp_virtio_desc desc = {
        .size = sizeof desc,
        .device_id = 3,
        .pci_class = 0x078000, /* communication controller, other */
        .queue_size = sizes,
        .config_len = sizeof(struct con_config),
        .max_iov = CON_QUEUE_SIZE,
        .ops = &con_ops,
        .acpi_name = "CN",
    };
    struct bp_value v = {.size = sizeof v};
    int err;

    d->event = d->host->query(d->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, close));
    if (!d->event)
        return d->host->fail(d->inst, BP_E_NOTSUP, "needs " BP_IF_EVENT);
    if ((err = d->host->prop(d->inst, "cols", &v)))
        return err;
    d->cols = (uint16_t)v.i;
    if ((err = d->host->prop(d->inst, "rows", &v)))
        return err;
    d->rows = (uint16_t)v.i;
    if ((err = attach_ports(d)))
        return err;
    err = d->event->soft(d->inst, "resume", COOKIE_RESUME, &d->resume);
    if (err)
        return err;
    if (d->port[0].chr)
        desc.features |= bit(CON_F_EMERG_WRITE);
    if (d->port[0].chr && d->cols && d->rows)
        desc.features |= bit(CON_F_SIZE);
    if (d->multiport)
        desc.features |= bit(CON_F_MULTIPORT);
    desc.n_queues = d->multiport ? 2 * d->n_ports + 2 : 2;
    for (uint32_t i = 0; i < desc.n_queues; i++)
        sizes[i] = CON_QUEUE_SIZE;
    err = bp_virtio_new(d->host, d->inst, &desc, d, &d->vdev);
    if (err)
        return err;
    for (uint32_t i = 0; i < d->n_ports; i++) {
        d->port[i].rx = bp_virtio_queue(d->vdev, i ? 2 * i + 2 : 0);
        d->port[i].tx = bp_virtio_queue(d->vdev, i ? 2 * i + 3 : 1);
    }
    return 0;
}

static int
virtio_console_start(void *self)
{
    struct con_dev *d = self;
    int err;

    d->running = true;
    err = bp_virtio_start(d->vdev);
    /* What changed at the other ends while we were stopped (or somewhere else). */
    for (uint32_t i = 0; i < d->n_ports && !err; i++)
        if (d->port[i].chr)
            control_host_open(&d->port[i], d->port[i].chr->connected(d->port[i].be));
    return err;
}

static int
virtio_console_quiesce(void *self)
{
    struct con_dev *d = self;

    d->running = false;
    return bp_virtio_quiesce(d->vdev);
}

static void
virtio_console_reset(void *self, uint32_t kind)
{
    struct con_dev *d = self;

    (void)kind;
    bp_virtio_cold_reset(d->vdev);
}

static void
virtio_console_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct con_dev *d = self;

    if (cookie >= BP_VIRTIO_COOKIE) {
        bp_virtio_event(d->vdev, cookie, mask);
        return;
    }
    if (d->multiport)
        control_receive(d);
    for (uint32_t i = 0; i < d->n_ports; i++) {
        port_transmit(&d->port[i]);
        port_can_receive(&d->port[i]);
    }
}

/* A window that was resized: the operator's, through the RUNTIME properties. */
static int
virtio_console_set(void *self, const char *prop, const struct bp_value *value)
{
    struct con_dev *d = self;

    if (!strcmp(prop, "cols"))
        d->cols = (uint16_t)value->i;
    else if (!strcmp(prop, "rows"))
        d->rows = (uint16_t)value->i;
    else
        return BP_E_NOENT;
    if (con_multiport(d) && d->port[0].ready)
        control_post(&d->port[0], MSG_RESIZE);
    bp_virtio_config_changed(d->vdev);
    return 0;
}

static void
virtio_console_destroy(void *self)
{
    struct con_dev *d = self;

    bp_virtio_free(d->vdev);
    for (uint32_t i = 0; i < CON_PORTS_MAX; i++)
        port_detach(&d->port[i]);
    free(d);
}

static const struct bp_prop props[] = {
    {.size = sizeof *props,
     .type = BP_LINK,
     .name = "chardev",
     .help = "where the console (hvc0) goes",
     .link_iface = BP_IF_CHAR},
    {.size = sizeof *props,
     .type = BP_LINK,
     .flags = BP_P_LIST,
     .name = "ports",
     .help = "further byte channels, named in the guest after these back ends' ids",
     .link_iface = BP_IF_CHAR},
    {.size = sizeof *props,
     .type = BP_INT,
     .flags = BP_P_RUNTIME,
     .name = "cols",
     .help = "width of the console in characters, 0 when not known",
     .def = "0",
     .max = UINT16_MAX},
    {.size = sizeof *props,
     .type = BP_INT,
     .flags = BP_P_RUNTIME,
     .name = "rows",
     .help = "height of the console in characters, 0 when not known",
     .def = "0",
     .max = UINT16_MAX},
    BP_VIRTIO_PROPS,
};
static const char *const needs[] = {BP_VIRTIO_NEEDS, NULL};

static const struct bp_class virtio_console_class = {
    .size = sizeof virtio_console_class,
    .name = "virtio-console",
    .version = "1.0",
    .summary = "virtio console and byte channels",
    .props = props,
    .n_props = sizeof props / sizeof *props,
    .prop_size = sizeof *props,
    .needs = needs,
    .state_ver = 1,
    .state_min = 1,
    .create = virtio_console_create,
    .realize = virtio_console_realize,
    .start = virtio_console_start,
    .quiesce = virtio_console_quiesce,
    .reset = virtio_console_reset,
    .event = virtio_console_event,
    .save = state_save,
    .load = state_load,
    .set = virtio_console_set,
    .destroy = virtio_console_destroy,
};

BP_PLUGIN("virtio-console", "1.0", "BSD-3-Clause", "backplane", &virtio_console_class);
