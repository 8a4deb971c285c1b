/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.h - the parts of the net-tap back end: open.c makes or attaches the interface, tap.c moves
 * packets.
 */
#ifndef NET_TAP_H
#define NET_TAP_H

#include <backplane/backplane.h>
#include <net/if.h>
#include <stdbool.h>

#define QUEUES_MAX 8
#define PACKET_MAX (65536u + 18u + 12u) /* IP packet, Ethernet header with VLAN tag, bp_net_hdr */

enum { COOKIE_QUEUE = 1, COOKIE_AGAIN = 100 };

struct queue {
    int fd; /* -1: none */
    bool watched;
    bp_event watch;
    uint32_t mask;   /* what the watch waits for */
    bool enabled;    /* among the queues that the device uses */
    bool taken;      /* a vhost device has it */
    bool rx_blocked; /* the device has no buffer for `held` bytes of buf */
    uint32_t held;   /* a packet that was read and not taken yet */
    bool tx_blocked; /* the interface is full */
    uint8_t *buf;    /* PACKET_MAX */
};

struct tap {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *ev;
    const struct bp_net_client *client;
    struct queue queue[QUEUES_MAX];
    uint32_t n_queues;
    char name[IFNAMSIZ];
    uint32_t offloads; /* what the kernel's TUNSETOFFLOAD took when it was tried */
    uint32_t vhost;    /* BP_NET_VHOST_* */
    bool running;
    bool down; /* the interface went away */
    bp_event again;
};

/* Fills queue[].fd, name and offloads. 0 or BP_E_* with a text attached. */
int tap_open(struct tap *tap);
void tap_close(struct tap *tap);
/* TUNSETOFFLOAD: what read() may give. 0 or BP_E_*. */
int tap_offload(struct tap *tap, uint32_t offloads);
/* IFF_ATTACH_QUEUE and its opposite; without effect on a single queue. */
int tap_attach_queue(struct tap *tap, uint32_t n, bool on);

#endif
