/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net-user.c - a network that needs no privilege: libslirp answers ARP, DHCP, DNS and ICMP, and
 * turns the guest's connections into sockets of this process.
 *
 * bp.net/1 with one queue and no offloads to the host: slirp looks into every packet anyway.
 */
#include <stdlib.h>
#include <string.h>

#include "net-user.h"

static int
net_user_info(void *be, struct bp_net_info *ret_info)
{
    struct net_user *nu = be;
    struct bp_net_info info = {.size = sizeof info};
    struct bp_value mtu = {.size = sizeof mtu};
    uint32_t size = ret_info->size;

    info.rx_offloads = BP_NET_CSUM;
    info.max_queues = 1;
    info.link_up = 1;
    if (nu->host->prop(nu->inst, "mtu", &mtu) == 0 && mtu.n)
        info.mtu = (uint32_t)mtu.i;
    memcpy(ret_info, &info, size < sizeof info ? size : sizeof info);
    ret_info->size = size;
    return 0;
}

static int
net_user_attach(void *be, const struct bp_net_client *client)
{
    struct net_user *nu = be;

    if (client && nu->client)
        return BP_E_BUSY;
    nu->client = client;
    deliver_drop_all(nu);
    return 0;
}

static int
net_user_set_queues(void *be, uint32_t n)
{
    (void)be;
    return n == 1 ? 0 : BP_E_RANGE;
}

static int
net_user_set_offloads(void *be, uint32_t offloads)
{
    struct net_user *nu = be;

    if (offloads & ~(uint32_t)BP_NET_CSUM)
        return BP_E_NOTSUP;
    nu->rx_offloads = offloads;
    return 0;
}

static int
net_user_send(void *be, uint32_t queue, const struct bp_iovec *iov, uint32_t n_iov, uint64_t len)
{
    struct net_user *nu = be;
    uint64_t skip = sizeof(struct bp_net_hdr), at = 0;

    if (queue != 0 || len <= skip || len - skip > FRAME_MAX || !nu->running)
        return 0; /* dropped, as on a wire */
    /* Copied: slirp changes what it is given, and the guest could change it meanwhile. */
    for (uint32_t i = 0; i < n_iov && at < len - sizeof(struct bp_net_hdr); i++) {
        uint64_t from = skip < iov[i].len ? skip : iov[i].len;
        uint64_t take = iov[i].len - from, room = len - sizeof(struct bp_net_hdr) - at;

        skip -= from;
        take = take < room ? take : room;
        memcpy(nu->frame + at, (const uint8_t *)iov[i].base + from, take);
        at += take;
    }
    nu->sending = true;
    slirp_input(nu->slirp, nu->frame, (int)at);
    nu->sending = false;
    return 0;
}

static void
net_user_commit(void *be, uint32_t queue)
{
    (void)queue;
    poll_update(be);
}

static void
net_user_ready(void *be, uint32_t queue)
{
    struct net_user *nu = be;

    (void)queue;
    if (!nu->blocked)
        return;
    nu->blocked = false;
    /* Not from here: the device may be in the middle of its own work. */
    nu->ev->kick(nu->inst, nu->flush);
}

static void
net_user_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct net_user *nu = self;

    (void)mask;
    if (!nu->running)
        return;
    if (cookie == COOKIE_RA && nu->have_ra)
        slirp_handle_timer(nu->slirp, SLIRP_TIMER_RA, NULL);
    deliver_flush(nu);
    if (cookie == COOKIE_FD || cookie == COOKIE_TIMEOUT)
        poll_process(nu);
    deliver_flush(nu);
    poll_update(nu);
}

static int
net_user_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct net_user *nu = calloc(1, sizeof *nu);

    if (!nu)
        return BP_E_NOMEM;
    nu->frame = malloc(FRAME_MAX); /* the system gives only the pages that are used */
    if (!nu->frame) {
        free(nu);
        return BP_E_NOMEM;
    }
    nu->host = host;
    nu->inst = inst;
    *ret_self = nu;
    return 0;
}

static int
net_user_realize(void *self)
{
    struct net_user *nu = self;
    int err;

    nu->ev = nu->host->query(nu->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, close));
    if (!nu->ev)
        return nu->host->fail(nu->inst, BP_E_NOTSUP, "needs bp.event/1");
    err = nu->ev->soft(nu->inst, "flush", COOKIE_FLUSH, &nu->flush);
    if (!err)
        err = nu->ev->timer(nu->inst, "timeout", BP_CLOCK_MONOTONIC, COOKIE_TIMEOUT, &nu->timeout);
    if (!err)
        err = nu->ev->timer(nu->inst, "ra", BP_CLOCK_MONOTONIC, COOKIE_RA, &nu->ra);
    return err ? err : stack_open(nu);
}

static int
net_user_start(void *self)
{
    struct net_user *nu = self;

    nu->running = true;
    nu->blocked = false;
    /* It may have come due while nothing could be sent. */
    if (nu->have_ra)
        nu->ev->arm(nu->inst, nu->ra, nu->ev->now(nu->inst, BP_CLOCK_MONOTONIC));
    poll_update(nu);
    return 0;
}

static int
net_user_quiesce(void *self)
{
    struct net_user *nu = self;

    nu->running = false;
    poll_stop(nu);
    deliver_drop_all(nu);
    return 0;
}

static void
net_user_reset(void *self, uint32_t kind)
{
    struct net_user *nu = self;

    (void)kind;
    nu->rx_offloads = 0;
}

static const void *
net_user_query(void *self, const char *iface, uint32_t min_size)
{
    static const struct bp_net_if table = {
        .size = sizeof table,
        .info = net_user_info,
        .attach = net_user_attach,
        .set_queues = net_user_set_queues,
        .set_offloads = net_user_set_offloads,
        .send = net_user_send,
        .commit = net_user_commit,
        .ready = net_user_ready,
    };

    (void)self;
    return strcmp(iface, BP_IF_NET) == 0 && min_size <= sizeof table ? &table : NULL;
}

static void
net_user_destroy(void *self)
{
    struct net_user *nu = self;

    /* The core has closed all events already; slirp still tells of descriptors that it closes. */
    nu->n_watches = 0;
    stack_close(nu);
    deliver_drop_all(nu);
    poll_free(nu);
    free(nu->frame);
    free(nu);
}

#define PROP(NAME, TYPE, ...)                                                                      \
    {                                                                                              \
        .size = sizeof(struct bp_prop), .type = TYPE, .name = NAME, __VA_ARGS__                    \
    }
static const struct bp_prop props[] = {
    PROP("hostfwd", BP_STR, .flags = BP_P_LIST,
         .help = "ports of the host that lead to the guest: tcp|udp:HOSTADDR:PORT-GUESTPORT"),
    PROP("network", BP_STR, .def = "10.0.2.0/24",
         .help = "the guest's network; .2 is the gateway, .3 the name server, .15 the guest"),
    PROP("restrict", BP_BOOL, .def = "false", .help = "no way out but hostfwd"),
    PROP("host-loopback", BP_BOOL, .def = "true",
         .help = "the gateway's address reaches services on the host's loopback"),
    PROP("ipv6", BP_BOOL, .def = "false", .help = "IPv6 too, fec0::/64"),
    PROP("hostname", BP_STR, .help = "name that DHCP gives to the guest"),
    PROP("domain", BP_STR, .help = "domain that DHCP tells the guest"),
    PROP("tftp", BP_PATH, .flags = BP_P_MUST_EXIST, .help = "folder that TFTP serves, read-only"),
    PROP("bootfile", BP_STR, .help = "boot file that DHCP tells the guest"),
    PROP("mtu", BP_INT, .min = 576, .max = 65521, .help = "largest IP packet in bytes"),
};

static const char *const provides[] = {BP_IF_NET, NULL};
static const char *const needs[] = {BP_IF_EVENT, NULL};
static const struct bp_class net_user_class = {
    .size = sizeof net_user_class,
    .flags = BP_C_INPROC_ONLY,
    .name = "net-user",
    .version = "1.0",
    .summary = "user-mode network (libslirp): DHCP, DNS, NAT, port forwarding; no privilege",
    .props = props,
    .n_props = sizeof props / sizeof *props,
    .prop_size = sizeof *props,
    .provides = provides,
    .needs = needs,
    .create = net_user_create,
    .realize = net_user_realize,
    .start = net_user_start,
    .quiesce = net_user_quiesce,
    .reset = net_user_reset,
    .event = net_user_event,
    .query = net_user_query,
    .destroy = net_user_destroy,
};

BP_PLUGIN("net-user", "1.0", "BSD-3-Clause", "backplane", &net_user_class);
