/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.h - the parts of the net-tap back end.
 *
 *   tap.c     the class and bp.net/1
 *   open.c    makes or attaches the interface
 *   queue.c   moves packets, one queue's at a time
 *   batch.c   several packets with one system call (io_uring)
 */
#ifndef NET_TAP_H
#define NET_TAP_H

#include <backplane/backplane.h>
#ifdef HAVE_URING
#include <liburing.h>
#endif
#include <net/if.h>
#include <stdbool.h>
#include <sys/types.h>

#define QUEUES_MAX 8
#define RX_BATCH   8u /* packets read at once; each has a buffer for the largest */
#define TX_BATCH   32u
#define PACKET_MAX (65536u + 18u + 12u) /* IP packet, Ethernet header with VLAN tag, bp_net_hdr */

enum { COOKIE_QUEUE = 1, COOKIE_AGAIN = 100 };

struct queue {
    int fd; /* -1: none */
    bool watched;
    bp_event watch;
    uint32_t mask;          /* what the watch waits for */
    bool enabled;           /* among the queues that the device uses */
    bool taken;             /* a vhost device has it */
    bool rx_blocked;        /* the device has no buffer for what is held */
    uint32_t first, n_held; /* packets first to n_held - 1 were read and not taken yet */
    ssize_t held[RX_BATCH]; /* their lengths, or -errno */
    uint32_t reads;         /* how many to try next */
    bool tx_blocked;        /* the interface is full */
    uint32_t n_tx;          /* packets that wait for commit() */
    struct {
        const struct bp_iovec *iov;
        uint32_t n_iov;
    } tx[TX_BATCH];
    uint8_t *buf; /* RX_BATCH times PACKET_MAX */
};

enum batch_state {
    BATCH_UNTRIED, /* made when there is more than one packet for the first time */
    BATCH_OPEN,
    BATCH_NEVER,
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
    bool down;       /* the interface went away */
    bool never_full; /* it takes every packet at once: sending may wait for commit() */
    enum batch_state batch;
#ifdef HAVE_URING
    struct io_uring ring;
#endif
    bp_event again;
};

/* Fills queue[].fd, name and offloads. 0 or BP_E_* with a text attached. */
int tap_open(struct tap *tap);
void tap_close(struct tap *tap);
/* TUNSETOFFLOAD: what read() may give. 0 or BP_E_*. */
int tap_offload(struct tap *tap, uint32_t offloads);
/* IFF_ATTACH_QUEUE and its opposite; without effect on a single queue. */
int tap_attach_queue(struct tap *tap, uint32_t n, bool on);

/* queue.c */
/* The interface was deleted. */
void queue_gone(struct tap *tap);
void queue_watch(struct tap *tap, struct queue *q);
/* Forgets what was read and what waits. */
void queue_clear(struct queue *q);
void queue_read(struct tap *tap, struct queue *q);
int queue_send(struct tap *tap, struct queue *q, const struct bp_iovec *iov, uint32_t n_iov);
void queue_commit(struct tap *tap, struct queue *q);

/* batch.c; without io_uring they do nothing */
/* Whether the next two may be called. */
bool batch_ready(struct tap *tap);
/* Reads up to n packets into the queue's buffers: held[0] to held[n - 1] say what became of them.
 */
void batch_read(struct tap *tap, struct queue *q, uint32_t n);
/* Sends tx[0] to tx[n_tx - 1]. The first error but those of single packets, or 0. */
int batch_write(struct tap *tap, struct queue *q);
void batch_close(struct tap *tap);

#endif
