/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * open.c - the tap interface: attached by name, made when there is none, or given as descriptors
 * that somebody with the privilege opened.
 */
#include <backplane/log.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tap.h"

static const struct {
    uint32_t offload;
    unsigned kernel;
} bits[] = {
    {BP_NET_CSUM, TUN_F_CSUM},   {BP_NET_TSO4, TUN_F_TSO4}, {BP_NET_TSO6, TUN_F_TSO6},
    {BP_NET_ECN, TUN_F_TSO_ECN}, {BP_NET_UFO, TUN_F_UFO},
};

int
tap_offload(struct tap *tap, uint32_t offloads)
{
    unsigned flags = 0;

    for (unsigned i = 0; i < sizeof bits / sizeof *bits; i++)
        if (offloads & bits[i].offload)
            flags |= bits[i].kernel;
    /* The interface's, not the queue's. */
    return ioctl(tap->queue[0].fd, TUNSETOFFLOAD, (unsigned long)flags) < 0 ? -errno : 0;
}

int
tap_attach_queue(struct tap *tap, uint32_t n, bool on)
{
    struct ifreq req;

    if (tap->n_queues == 1)
        return 0;
    memset(&req, 0, sizeof req);
    req.ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
    return ioctl(tap->queue[n].fd, TUNSETQUEUE, &req) < 0 ? -errno : 0;
}

static int
explain(struct tap *tap, int err)
{
    switch (err) {
    case -EPERM:
    case -EACCES:
        return bp_failf(tap->host, tap->inst, BP_E_PERM,
                        "may not use tap interface %s; make it for this user once: ip tuntap add "
                        "dev %s mode tap user USER vnet_hdr%s; or run with CAP_NET_ADMIN",
                        tap->name, tap->name, tap->n_queues > 1 ? " multi_queue" : "");
    case -EBUSY:
        return bp_failf(tap->host, tap->inst, BP_E_BUSY,
                        "another program has tap interface %s open", tap->name);
    case -EINVAL:
        return bp_failf(tap->host, tap->inst, BP_E_INVAL,
                        "%s exists and is no tap interface with %s; remove it, or change queues",
                        tap->name, tap->n_queues > 1 ? "several queues" : "one queue");
    default:
        return bp_failf(tap->host, tap->inst, err, "tap interface %s: %s", tap->name,
                        strerror(-err));
    }
}

static int
attach_by_name(struct tap *tap, int fd)
{
    struct ifreq req;

    memset(&req, 0, sizeof req);
    req.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
    if (tap->n_queues > 1)
        req.ifr_flags = (short)(req.ifr_flags | IFF_MULTI_QUEUE);
    memcpy(req.ifr_name, tap->name, sizeof req.ifr_name);
    if (ioctl(fd, TUNSETIFF, &req) < 0)
        return -errno;
    /* Of "tap%d" the kernel has made a name. */
    memcpy(tap->name, req.ifr_name, sizeof tap->name);
    tap->name[sizeof tap->name - 1] = '\0';
    return 0;
}

/* Packets carry a virtio header of 12 bytes; reads and writes do not block. */
static int
set_up_queue(struct tap *tap, int fd)
{
    int len = (int)sizeof(struct bp_net_hdr), flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        ioctl(fd, TUNSETVNETHDRSZ, &len) < 0)
        return bp_failf(tap->host, tap->inst, -errno, "tap interface %s: %s", tap->name,
                        strerror(errno));
    return 0;
}

static int
open_by_name(struct tap *tap, const char *name)
{
    int err;

    if (strlen(name) >= IFNAMSIZ || !*name || strpbrk(name, "/: \t\n") || !strcmp(name, ".") ||
        !strcmp(name, ".."))
        return bp_failf(
            tap->host, tap->inst, BP_E_INVAL,
            "ifname \"%s\": an interface's name has 1 to %d characters, no slash, colon "
            "or blank",
            name, IFNAMSIZ - 1);
    memcpy(tap->name, name, strlen(name) + 1);
    for (uint32_t i = 0; i < tap->n_queues; i++) {
        int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

        if (fd < 0)
            return bp_failf(tap->host, tap->inst, -errno,
                            "/dev/net/tun: %s; load the kernel's tun module (modprobe tun)",
                            strerror(errno));
        tap->queue[i].fd = fd;
        err = attach_by_name(tap, fd);
        if (err)
            return explain(tap, err);
        err = set_up_queue(tap, fd);
        if (err)
            return err;
    }
    return 0;
}

/* One descriptor of the list: a tap's with the header we need, and the same tap's as the others. */
static int
take_descriptor(struct tap *tap, uint32_t n, int fd)
{
    static const int must = IFF_TAP | IFF_VNET_HDR;
    struct ifreq req;

    memset(&req, 0, sizeof req);
    if (ioctl(fd, TUNGETIFF, &req) < 0 || (req.ifr_flags & must) != must)
        return bp_failf(tap->host, tap->inst, BP_E_INVAL,
                        "descriptor %d is no tap interface that was opened with IFF_VNET_HDR", fd);
    req.ifr_name[sizeof req.ifr_name - 1] = '\0';
    if (n > 0 && strcmp(tap->name, req.ifr_name) != 0)
        return bp_failf(tap->host, tap->inst, BP_E_INVAL,
                        "descriptor %d is interface %s, the ones before are %s: all must be queues "
                        "of one",
                        fd, req.ifr_name, tap->name);
    memcpy(tap->name, req.ifr_name, sizeof tap->name);
    /* Ours is a duplicate, so that closing it is always right. */
    tap->queue[n].fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (tap->queue[n].fd < 0)
        return -errno;
    return set_up_queue(tap, tap->queue[n].fd);
}

static int
take_descriptors(struct tap *tap)
{
    struct bp_value v = {.size = sizeof v};
    int err = 0;

    for (uint32_t i = 0; i < tap->n_queues && !err; i++) {
        if (tap->host->prop_item(tap->inst, "fd", i, &v) != 0)
            return bp_failf(tap->host, tap->inst, BP_E_INVAL,
                            "queues = %u needs as many descriptors in fd", tap->n_queues);
        err = take_descriptor(tap, i, (int)v.i);
    }
    if (!err && tap->host->prop_item(tap->inst, "fd", tap->n_queues, &v) == 0)
        return bp_failf(tap->host, tap->inst, BP_E_INVAL,
                        "fd has more descriptors than the %u of queues", tap->n_queues);
    return err;
}

/* A limit on what is under way is there only when somebody set one. */
static void
probe_limit(struct tap *tap)
{
    int bytes = 0;

    tap->never_full = true;
    for (uint32_t i = 0; i < tap->n_queues; i++)
        if (ioctl(tap->queue[i].fd, TUNGETSNDBUF, &bytes) < 0 || bytes != INT_MAX)
            tap->never_full = false;
}

/* Kernels since 6.2 lack UFO, older ones have no checksum without it: find out by trying. */
static void
probe_offloads(struct tap *tap)
{
    static const uint32_t tries[] = {
        BP_NET_CSUM | BP_NET_TSO4 | BP_NET_TSO6 | BP_NET_ECN | BP_NET_UFO,
        BP_NET_CSUM | BP_NET_TSO4 | BP_NET_TSO6 | BP_NET_ECN,
        BP_NET_CSUM | BP_NET_TSO4 | BP_NET_TSO6,
        BP_NET_CSUM,
    };

    for (unsigned i = 0; i < sizeof tries / sizeof *tries; i++)
        if (tap_offload(tap, tries[i]) == 0) {
            tap->offloads = tries[i];
            break;
        }
    (void)tap_offload(tap, 0);
}

int
tap_open(struct tap *tap)
{
    struct bp_value v = {.size = sizeof v};
    int err;

    tap->vhost = BP_NET_VHOST_AUTO;
    if (tap->host->prop(tap->inst, "vhost", &v) == 0 && v.n && v.s)
        tap->vhost = strcmp(v.s, "off") == 0  ? BP_NET_VHOST_OFF
                     : strcmp(v.s, "on") == 0 ? BP_NET_VHOST_ON
                                              : BP_NET_VHOST_AUTO;
    tap->n_queues = 1;
    if (tap->host->prop(tap->inst, "queues", &v) == 0 && v.n)
        tap->n_queues = (uint32_t)v.i;
    if (tap->host->prop_item(tap->inst, "fd", 0, &v) == 0)
        err = take_descriptors(tap);
    else if (tap->host->prop(tap->inst, "ifname", &v) == 0 && v.n)
        err = open_by_name(tap, v.s);
    else
        err = tap->host->fail(tap->inst, BP_E_INVAL, "needs ifname = \"NAME\" or fd = { N }");
    if (!err)
        probe_limit(tap);
    /* A check leaves the interface as it is: another program may use a queue of it. */
    if (!err && !(tap->host->flags & BP_HOST_CHECK))
        probe_offloads(tap);
    return err;
}

void
tap_close(struct tap *tap)
{
    for (uint32_t i = 0; i < QUEUES_MAX; i++) {
        if (tap->queue[i].fd >= 0)
            close(tap->queue[i].fd);
        tap->queue[i].fd = -1;
    }
}
