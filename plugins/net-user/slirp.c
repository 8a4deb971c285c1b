/* SPDX-License-Identifier: BSD-3-Clause */
/* slirp.c - the user-mode network stack: its configuration, and what it calls in us. */
#include <arpa/inet.h>
#include <backplane/log.h>
#include <stdlib.h>
#include <string.h>

#include "net-user.h"

static ssize_t
on_packet(const void *buf, size_t len, void *opaque)
{
    deliver_frame(opaque, buf, len);
    return (ssize_t)len;
}

static void
on_guest_error(const char *msg, void *opaque)
{
    struct net_user *nu = opaque;

    nu->host->log(nu->inst, BP_LOG_GUEST, msg);
}

static int64_t
on_clock(void *opaque)
{
    struct net_user *nu = opaque;

    return nu->ev->now(nu->inst, BP_CLOCK_MONOTONIC);
}

/* Slirp has one timer, the router advertisement's; ours was made in realize(). */
static void *
on_timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
    struct net_user *nu = opaque;

    (void)cb_opaque;
    if (id != SLIRP_TIMER_RA)
        return NULL;
    nu->have_ra = true;
    return nu;
}

static void
on_timer_free(void *timer, void *opaque)
{
    struct net_user *nu = opaque;

    (void)timer;
    nu->have_ra = false;
}

static void
on_timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
    struct net_user *nu = opaque;

    if (timer)
        nu->ev->arm(nu->inst, nu->ra, expire_ms * 1000000);
}

static void
on_register(int fd, void *opaque)
{
    (void)fd; /* the next round of poll.c finds it */
    (void)opaque;
}

static void
on_unregister(int fd, void *opaque)
{
    poll_forget(opaque, fd);
}

static void
on_notify(void *opaque)
{
    struct net_user *nu = opaque;

    nu->ev->kick(nu->inst, nu->flush);
}

static const SlirpCb callbacks = {
    .send_packet = on_packet,
    .guest_error = on_guest_error,
    .clock_get_ns = on_clock,
    .timer_free = on_timer_free,
    .timer_mod = on_timer_mod,
    .register_poll_fd = on_register,
    .unregister_poll_fd = on_unregister,
    .notify = on_notify,
    .timer_new_opaque = on_timer_new,
};

static const char *
text_prop(struct net_user *nu, const char *name)
{
    struct bp_value v = {.size = sizeof v};

    return nu->host->prop(nu->inst, name, &v) == 0 && v.n && v.s && *v.s ? v.s : NULL;
}

static bool
bool_prop(struct net_user *nu, const char *name)
{
    struct bp_value v = {.size = sizeof v};

    return nu->host->prop(nu->inst, name, &v) == 0 && v.n && v.i;
}

/* "10.0.2.0/24" */
static int
parse_network(struct net_user *nu, SlirpConfig *c)
{
    const char *text = text_prop(nu, "network"), *slash;
    char addr[INET_ADDRSTRLEN] = "";
    uint32_t mask, net;
    char *end = NULL;
    long bits;

    slash = text ? strchr(text, '/') : NULL;
    if (slash && (size_t)(slash - text) < sizeof addr)
        memcpy(addr, text, (size_t)(slash - text));
    bits = slash ? strtol(slash + 1, &end, 10) : 0;
    if (!slash || !end || *end || slash[1] < '0' || slash[1] > '9' || bits < 8 || bits > 27 ||
        inet_pton(AF_INET, addr, &c->vnetwork) != 1)
        return bp_failf(
            nu->host, nu->inst, BP_E_INVAL,
            "network \"%s\": write ADDRESS/BITS with 8 to 27 bits, e.g. \"10.0.2.0/24\"",
            text ? text : "");
    mask = 0xffffffffu << (32 - bits);
    net = ntohl(c->vnetwork.s_addr);
    if (net & ~mask)
        return bp_failf(nu->host, nu->inst, BP_E_INVAL,
                        "network \"%s\": the address has bits beyond its first %ld", text, bits);
    c->vnetmask.s_addr = htonl(mask);
    c->vhost.s_addr = htonl(net | 2);
    c->vnameserver.s_addr = htonl(net | 3);
    c->vdhcp_start.s_addr = htonl(net | 15);
    return 0;
}

static int
read_config(struct net_user *nu, SlirpConfig *c)
{
    struct bp_value mtu = {.size = sizeof mtu};
    int err = parse_network(nu, c);

    if (err)
        return err;
    c->version = 4;
    c->restricted = bool_prop(nu, "restrict");
    c->in_enabled = true;
    c->in6_enabled = bool_prop(nu, "ipv6");
    inet_pton(AF_INET6, "fec0::", &c->vprefix_addr6);
    c->vprefix_len = 64;
    inet_pton(AF_INET6, "fec0::2", &c->vhost6);
    inet_pton(AF_INET6, "fec0::3", &c->vnameserver6);
    c->vhostname = text_prop(nu, "hostname");
    c->vdomainname = text_prop(nu, "domain");
    c->tftp_path = text_prop(nu, "tftp");
    c->bootfile = text_prop(nu, "bootfile");
    c->disable_host_loopback = !bool_prop(nu, "host-loopback");
    if (nu->host->prop(nu->inst, "mtu", &mtu) == 0 && mtu.n)
        c->if_mtu = c->if_mru = (size_t)mtu.i;
    return 0;
}

int
stack_open(struct net_user *nu)
{
    SlirpConfig config;
    int err;

    memset(&config, 0, sizeof config);
    err = read_config(nu, &config);
    if (err)
        return err;
    nu->slirp = slirp_new(&config, &callbacks, nu);
    if (!nu->slirp)
        return nu->host->fail(nu->inst, BP_E_NOTSUP,
                              "libslirp refuses this configuration; try without mtu and bootfile");
    return hostfwd_add_all(nu, config.vdhcp_start);
}

void
stack_close(struct net_user *nu)
{
    if (nu->slirp)
        slirp_cleanup(nu->slirp);
    nu->slirp = NULL;
}
