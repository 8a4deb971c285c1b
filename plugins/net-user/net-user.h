/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net-user.h - the parts of the net-user back end.
 *
 * All of it runs under the lock of the device that links to it; libslirp has no locks of its own.
 */
#ifndef NET_USER_H
#define NET_USER_H

#include <backplane/backplane.h>
#include <slirp/libslirp.h>
#include <stdbool.h>

enum {
    COOKIE_FLUSH = 1,   /* soft: packets wait for the device */
    COOKIE_TIMEOUT = 2, /* timer: slirp wants to look at its connections */
    COOKIE_RA = 3,      /* timer: router advertisement */
    COOKIE_FD = 4,      /* a descriptor of slirp's is ready */
};

/* The largest frame that a device may send: no offload is offered, so a frame is at most this. */
#define FRAME_MAX 65536

struct packet {
    struct packet *next;
    uint64_t len; /* header and frame */
    uint8_t data[];
};

/* Packets that the device had no buffer for, oldest first. */
struct queue {
    struct packet *head, **tail;
    unsigned n;
};

/* A descriptor of slirp's and our watch on it. */
struct watch {
    int fd;
    uint32_t mask; /* BP_EV_*: what is watched for */
    int wanted;    /* SLIRP_POLL_* of the current round */
    bool live;     /* the event exists */
    bool seen;     /* in the current round */
    bp_event event;
};

struct net_user {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *ev;
    Slirp *slirp;
    const struct bp_net_client *client;
    bp_event flush, timeout, ra;
    bool have_ra;
    uint32_t rx_offloads;

    bool running;   /* between start() and quiesce() */
    bool sending;   /* inside send(): nothing may reach the device */
    bool blocked;   /* the device said AGAIN: until ready() */
    bool delivered; /* receive() was called since the last received() */
    struct queue queue;
    uint8_t *frame; /* FRAME_MAX bytes: the guest's packet while slirp looks at it */

    struct watch *watches;
    unsigned n_watches, cap_watches;
    struct pollfd *fds; /* of the current round, one a watch */
    unsigned cap_fds;
    int *order; /* of the current round: slirp's index -> watch */
    unsigned n_order, cap_order;
};

/* slirp.c: the stack itself, from the section's properties. 0 or BP_E_* with a text attached. */
int stack_open(struct net_user *nu);
void stack_close(struct net_user *nu);

/* hostfwd.c: the hostfwd list. 0 or BP_E_* with a text that names the entry. */
int hostfwd_add_all(struct net_user *nu, struct in_addr guest);

/* poll.c: slirp's descriptors as watches of ours. */
void poll_update(struct net_user *nu);  /* after every call into slirp */
void poll_process(struct net_user *nu); /* something is ready, or time has passed */
void poll_forget(struct net_user *nu, int fd);
void poll_stop(struct net_user *nu);
void poll_free(struct net_user *nu);

/* deliver.c: packets for the guest. */
void deliver_frame(struct net_user *nu, const void *frame, uint64_t len);
void deliver_flush(struct net_user *nu);
void deliver_drop_all(struct net_user *nu);

#endif
