/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.c - net-tap: the class, bp.net/1, events.
 */
#include <backplane/log.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static void
net_tap_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct tap *tap = self;
    struct queue *q;

    if (!tap->running || !tap->client)
        return;
    if (cookie == COOKIE_AGAIN) {
        for (uint32_t i = 0; i < tap->n_queues; i++)
            if (!tap->queue[i].rx_blocked)
                queue_read(tap, &tap->queue[i]);
        return;
    }
    if (cookie - COOKIE_QUEUE >= tap->n_queues)
        return;
    q = &tap->queue[cookie - COOKIE_QUEUE];
    if (mask & BP_EV_WRITE && q->tx_blocked) {
        q->tx_blocked = false;
        if (BP_HAS(struct bp_net_client, tap->client, sendable))
            tap->client->sendable(tap->client->user, cookie - COOKIE_QUEUE);
    }
    if (q->taken && mask & (BP_EV_ERROR | BP_EV_HANGUP))
        queue_gone(tap);
    queue_read(tap, q);
}

static int
net_tap_info(void *be, struct bp_net_info *ret_info)
{
    const struct tap *tap = be;
    struct bp_net_info info = {.size = sizeof info};
    uint32_t size = ret_info->size;

    info.tx_offloads = info.rx_offloads = tap->offloads;
    info.max_queues = tap->n_queues;
    info.link_up = !tap->down;
    info.vhost = tap->vhost;
    memcpy(ret_info, &info, size < sizeof info ? size : sizeof info);
    ret_info->size = size;
    return 0;
}

static int
net_tap_attach(void *be, const struct bp_net_client *client)
{
    struct tap *tap = be;

    if (client && tap->client)
        return BP_E_BUSY;
    tap->client = client;
    for (uint32_t i = 0; i < tap->n_queues; i++)
        queue_watch(tap, &tap->queue[i]);
    return 0;
}

static int
net_tap_set_queues(void *be, uint32_t n)
{
    struct tap *tap = be;

    if (n < 1 || n > tap->n_queues)
        return BP_E_RANGE;
    for (uint32_t i = 0; i < tap->n_queues; i++) {
        struct queue *q = &tap->queue[i];

        if (q->enabled != (i < n)) {
            int err = tap->down ? 0 : tap_attach_queue(tap, i, i < n);

            /* The kernel has all of them attached at first, and says EINVAL to a repetition. */
            if (err && err != -EINVAL)
                return err;
            q->enabled = i < n;
            queue_clear(q);
        }
        queue_watch(tap, q);
    }
    return 0;
}

static int
net_tap_set_offloads(void *be, uint32_t offloads)
{
    struct tap *tap = be;

    if (offloads & ~tap->offloads)
        return BP_E_NOTSUP;
    return tap->down ? 0 : tap_offload(tap, offloads);
}

static int
net_tap_send(void *be, uint32_t queue, const struct bp_iovec *iov, uint32_t n_iov, uint64_t len)
{
    struct tap *tap = be;

    (void)len;
    if (queue >= tap->n_queues || tap->down)
        return 0;
    return queue_send(tap, &tap->queue[queue], iov, n_iov);
}

static void
net_tap_commit(void *be, uint32_t queue)
{
    struct tap *tap = be;

    if (queue < tap->n_queues)
        queue_commit(tap, &tap->queue[queue]);
}

static void
net_tap_ready(void *be, uint32_t queue)
{
    struct tap *tap = be;
    struct queue *q;

    if (queue >= tap->n_queues)
        return;
    q = &tap->queue[queue];
    if (!q->rx_blocked)
        return;
    q->rx_blocked = false;
    queue_watch(tap, q);
    /* The packet that is held is no event of the descriptor's. */
    if (tap->running)
        tap->ev->kick(tap->inst, tap->again);
}

static int
net_tap_take_fd(void *be, uint32_t queue, uint32_t taken)
{
    struct tap *tap = be;
    struct queue *q;

    if (queue >= tap->n_queues)
        return BP_E_RANGE;
    q = &tap->queue[queue];
    q->taken = taken;
    queue_clear(q);
    queue_watch(tap, q);
    return q->fd;
}

static int
net_tap_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct tap *tap = calloc(1, sizeof *tap);

    if (!tap)
        return BP_E_NOMEM;
    tap->host = host;
    tap->inst = inst;
    for (unsigned i = 0; i < QUEUES_MAX; i++)
        tap->queue[i].fd = -1;
    *ret_self = tap;
    return 0;
}

static int
net_tap_realize(void *self)
{
    struct tap *tap = self;
    int err;

    tap->ev = tap->host->query(tap->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, close));
    if (!tap->ev)
        return tap->host->fail(tap->inst, BP_E_NOTSUP, "needs bp.event/1");
    err = tap->ev->soft(tap->inst, "again", COOKIE_AGAIN, &tap->again);
    if (!err)
        err = tap_open(tap);
    if (err)
        return err;
    for (uint32_t i = 0; i < tap->n_queues; i++) {
        tap->queue[i].enabled = true;
        tap->queue[i].buf = malloc((size_t)RX_BATCH * PACKET_MAX);
        if (!tap->queue[i].buf)
            return BP_E_NOMEM;
    }
    return net_tap_set_queues(tap, 1);
}

static int
net_tap_start(void *self)
{
    struct tap *tap = self;

    tap->running = true;
    for (uint32_t i = 0; i < tap->n_queues; i++)
        queue_watch(tap, &tap->queue[i]);
    tap->ev->kick(tap->inst, tap->again);
    return 0;
}

static int
net_tap_quiesce(void *self)
{
    struct tap *tap = self;

    tap->running = false;
    for (uint32_t i = 0; i < tap->n_queues; i++)
        queue_watch(tap, &tap->queue[i]);
    return 0;
}

static void
net_tap_reset(void *self, uint32_t kind)
{
    struct tap *tap = self;

    (void)kind;
    for (uint32_t i = 0; i < tap->n_queues; i++)
        queue_clear(&tap->queue[i]);
}

static const void *
net_tap_query(void *self, const char *iface, uint32_t min_size)
{
    static const struct bp_net_if table = {
        .size = sizeof table,
        .info = net_tap_info,
        .attach = net_tap_attach,
        .set_queues = net_tap_set_queues,
        .set_offloads = net_tap_set_offloads,
        .send = net_tap_send,
        .commit = net_tap_commit,
        .ready = net_tap_ready,
        .take_fd = net_tap_take_fd,
    };

    (void)self;
    return strcmp(iface, BP_IF_NET) == 0 && min_size <= sizeof table ? &table : NULL;
}

static void
net_tap_destroy(void *self)
{
    struct tap *tap = self;

    batch_close(tap);
    tap_close(tap);
    for (unsigned i = 0; i < QUEUES_MAX; i++)
        free(tap->queue[i].buf);
    free(tap);
}

#define PROP(NAME, TYPE, ...)                                                                      \
    {                                                                                              \
        .size = sizeof(struct bp_prop), .type = TYPE, .name = NAME, __VA_ARGS__                    \
    }
static const char *const vhost_choices[] = {"auto", "on", "off", NULL};
static const struct bp_prop props[] = {
    PROP("ifname", BP_STR, .flags = BP_P_PRIMARY,
         .help = "tap interface; made for the time of the run when there is none"),
    PROP("fd", BP_FD, .flags = BP_P_LIST,
         .help = "instead of ifname: descriptors of an open tap, one for each queue"),
    PROP("vhost", BP_ENUM, .def = "auto", .choices = vhost_choices,
         .help = "let the host's kernel move the packets (/dev/vhost-net)"),
    PROP("queues", BP_INT, .def = "1", .min = 1, .max = QUEUES_MAX, .help = "queue pairs"),
};

static const char *const provides[] = {BP_IF_NET, NULL};
static const char *const needs[] = {BP_IF_EVENT, NULL};
static const struct bp_class net_tap_class = {
    .size = sizeof net_tap_class,
    .name = "net-tap",
    .version = "1.0",
    .summary = "tap interface of the host",
    .props = props,
    .n_props = sizeof props / sizeof *props,
    .prop_size = sizeof *props,
    .provides = provides,
    .needs = needs,
    .create = net_tap_create,
    .realize = net_tap_realize,
    .start = net_tap_start,
    .quiesce = net_tap_quiesce,
    .reset = net_tap_reset,
    .event = net_tap_event,
    .query = net_tap_query,
    .destroy = net_tap_destroy,
};

BP_PLUGIN("net-tap", "1.0", "BSD-3-Clause", "backplane", &net_tap_class);
