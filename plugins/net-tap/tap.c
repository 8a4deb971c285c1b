/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.c - net-tap: packets to and from a tap interface of the host.
 *
 * The kernel's header in front of each packet is the device's own (struct bp_net_hdr), so checksums
 * and segmentation pass through and a packet is one readv() or writev().
 */
#include <backplane/log.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tap.h"

/* Packets that one turn reads before the other users of the event context get theirs. */
#define TURN 64

static void
set_watch(struct tap *tap, struct queue *q)
{
    bool want_read = q->enabled && !q->rx_blocked && !q->taken;
    uint32_t mask = (want_read ? (uint32_t)BP_EV_READ : 0u) |
                    (q->tx_blocked && !q->taken ? (uint32_t)BP_EV_WRITE : 0u);

    /* While somebody else reads it, we still want to hear of its end. */
    bool wanted = tap->running && !tap->down && tap->client && (mask || q->taken);

    /* A watch for nothing would still report an interface that was deleted, for ever. */
    if (!wanted && q->watched) {
        tap->ev->close(tap->inst, q->watch);
        q->watched = false;
    } else if (wanted && !q->watched) {
        q->watched = tap->ev->watch(tap->inst, q->fd, mask,
                                    COOKIE_QUEUE + (uint32_t)(q - tap->queue), &q->watch) == 0;
    } else if (wanted && mask != q->mask) {
        tap->ev->modify(tap->inst, q->watch, mask);
    }
    q->mask = mask;
}

/* Forgets what was read and what waits. */
static void
clear_queue(struct queue *q)
{
    q->held = 0;
    q->rx_blocked = q->tx_blocked = false;
}

static void
interface_gone(struct tap *tap)
{
    if (tap->down)
        return;
    tap->down = true;
    bp_logf(tap->host, tap->inst, BP_LOG_ERR, "tap interface %s is gone; the link is down",
            tap->name);
    for (uint32_t i = 0; i < tap->n_queues; i++)
        set_watch(tap, &tap->queue[i]);
    if (tap->client && BP_HAS(struct bp_net_client, tap->client, changed))
        tap->client->changed(tap->client->user);
}

/* 0: taken or dropped; BP_E_AGAIN: the device has no buffer. */
static int
hand_over(struct tap *tap, struct queue *q)
{
    struct bp_iovec iov = {q->buf, q->held};
    int err;

    err = tap->client->receive(tap->client->user, (uint32_t)(q - tap->queue), &iov, 1, q->held);
    q->rx_blocked = err == BP_E_AGAIN;
    if (!q->rx_blocked)
        q->held = 0;
    return q->rx_blocked ? BP_E_AGAIN : 0;
}

static void
read_queue(struct tap *tap, struct queue *q)
{
    unsigned n = 0;

    while (n < TURN && q->enabled && !q->taken && tap->client) {
        ssize_t got;

        if (!q->held) {
            got = read(q->fd, q->buf, PACKET_MAX);
            if (got < 0 && errno == EINTR)
                continue;
            if (got < 0 && errno == EINVAL) {
                n++; /* one packet that has no virtio header: the kernel has dropped it */
                continue;
            }
            if (got < 0 && errno != EAGAIN)
                interface_gone(tap);
            if (got <= 0)
                break;
            q->held = (uint32_t)got;
        }
        if (hand_over(tap, q) == BP_E_AGAIN)
            break;
        n++;
    }
    if (n && tap->client && BP_HAS(struct bp_net_client, tap->client, received))
        tap->client->received(tap->client->user, (uint32_t)(q - tap->queue));
    set_watch(tap, q);
}

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
                read_queue(tap, &tap->queue[i]);
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
        interface_gone(tap);
    read_queue(tap, q);
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
        set_watch(tap, &tap->queue[i]);
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
            clear_queue(q);
        }
        set_watch(tap, q);
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
    struct iovec to[1025];
    struct queue *q;
    ssize_t done;

    (void)len;
    if (queue >= tap->n_queues || tap->down || n_iov > sizeof to / sizeof *to)
        return 0;
    q = &tap->queue[queue];
    for (uint32_t i = 0; i < n_iov; i++) {
        to[i].iov_base = iov[i].base;
        to[i].iov_len = iov[i].len;
    }
    do
        done = writev(q->fd, to, (int)n_iov);
    while (done < 0 && errno == EINTR);
    if (done < 0 && errno == EAGAIN) {
        q->tx_blocked = true;
        set_watch(tap, q);
        return BP_E_AGAIN;
    }
    /* EINVAL: the kernel refuses this packet; EIO: the interface is not up. Both only drop it. */
    if (done < 0 && errno == EBADFD)
        interface_gone(tap);
    return 0;
}

static void
net_tap_commit(void *be, uint32_t queue)
{
    (void)be; /* every packet was its own system call already */
    (void)queue;
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
    set_watch(tap, q);
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
    clear_queue(q);
    set_watch(tap, q);
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
        tap->queue[i].buf = malloc(PACKET_MAX);
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
        set_watch(tap, &tap->queue[i]);
    tap->ev->kick(tap->inst, tap->again);
    return 0;
}

static int
net_tap_quiesce(void *self)
{
    struct tap *tap = self;

    tap->running = false;
    for (uint32_t i = 0; i < tap->n_queues; i++)
        set_watch(tap, &tap->queue[i]);
    return 0;
}

static void
net_tap_reset(void *self, uint32_t kind)
{
    struct tap *tap = self;

    (void)kind;
    for (uint32_t i = 0; i < tap->n_queues; i++)
        clear_queue(&tap->queue[i]);
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
