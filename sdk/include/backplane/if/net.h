/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/if/net.h - bp.net/1: what a network back end gives to a device.
 *
 * Got with link(inst, "netdev", BP_IF_NET, ...). A back end serves one device, on that device's
 * context. A packet is an Ethernet frame without FCS, preceded by a struct bp_net_hdr, whose layout
 * is that of virtio_net_hdr (virtio 1.x, 5.1.6) with num_buffers, 12 bytes. `be` is bp_link.self.
 */
#ifndef BACKPLANE_IF_NET_H
#define BACKPLANE_IF_NET_H

#include <backplane/base.h>

#define BP_IF_NET "bp.net/1"

/* bp_net_hdr.flags */
enum {
    BP_NET_HDR_NEEDS_CSUM = 1,
    BP_NET_HDR_DATA_VALID = 2,
};

struct bp_net_hdr {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset; /* little endian */
    uint16_t num_buffers;
};

/* Offloads, both of bp_net_info.offloads and of set_offloads() */
enum {
    BP_NET_CSUM = 1, /* partial checksums */
    BP_NET_TSO4 = 2,
    BP_NET_TSO6 = 4,
    BP_NET_ECN = 8,
    BP_NET_UFO = 16,
    BP_NET_USO = 32,
};

struct bp_net_info {
    uint32_t size;
    uint32_t tx_offloads; /* what it takes from the device */
    uint32_t rx_offloads; /* what it can be told to hand to the device */
    uint32_t max_queues;  /* queue pairs */
    uint32_t mtu;         /* 0 = not known */
    uint32_t link_up;
    uint8_t mac[6]; /* a hardware address to use when the config gives none; zero = none */
    uint8_t pad[2];
    uint32_t vhost; /* BP_NET_VHOST_*: what to do with take_fd() */
};

/* bp_net_info.vhost */
enum {
    BP_NET_VHOST_OFF = 0,
    BP_NET_VHOST_AUTO = 1, /* when it can be had; the device says nothing otherwise */
    BP_NET_VHOST_ON = 2,   /* without it the device cannot be made */
};

/* bp_net_client.flags */
enum {
    BP_NET_CLIENT_KEEPS = 1, /* what send() got, iovecs and bytes, stays as it is until commit() */
};

struct bp_net_client {
    uint32_t size, flags; /* BP_NET_CLIENT_* */
    void *user;
    /*
     * A packet for the device; iov holds header and frame. 0 taken or dropped for good; BP_E_AGAIN:
     * no buffer, keep it and stop reading that queue until ready(). Never called from within
     * send().
     */
    int (*receive)(void *user, uint32_t queue, const struct bp_iovec *iov, uint32_t n_iov,
                   uint64_t len);
    /* A batch of receive() calls is over: interrupts may be sent now. */
    void (*received)(void *user, uint32_t queue);
    /* send() returned BP_E_AGAIN before and may be tried again. */
    void (*sendable)(void *user, uint32_t queue);
    /* Link state or other info changed. */
    void (*changed)(void *user);
};

struct bp_net_if {
    uint32_t size, flags;
    int (*info)(void *be, struct bp_net_info *ret_info); /* [ctx] */
    /* NULL detaches: no more calls into the client, which until then stays as and where it is.
     * BP_E_BUSY: another device has it. [ctx] */
    int (*attach)(void *be, const struct bp_net_client *);
    /* How many queue pairs are used, from 1. [ctx] */
    int (*set_queues)(void *be, uint32_t n);
    /* Which of rx_offloads receive() may use from now on. [ctx] */
    int (*set_offloads)(void *be, uint32_t offloads);
    /*
     * Takes a packet (header and frame) before it returns, or of a client with
     * BP_NET_CLIENT_KEEPS before commit() does; BP_E_AGAIN: full, wait for sendable(). A packet
     * that it cannot send is dropped and counts as sent (0). [ctx]
     */
    int (*send)(void *be, uint32_t queue, const struct bp_iovec *iov, uint32_t n_iov, uint64_t len);
    /* A batch of send() calls is over. [ctx] */
    void (*commit)(void *be, uint32_t queue);
    /* The device has receive buffers again: go on calling receive(). [ctx] */
    void (*ready)(void *be, uint32_t queue);
    /*
     * The tap descriptor of a queue, for a vhost device that takes the data path over; the back end
     * stops reading it while taken is set. The descriptor stays the back end's. Optional. [ctx]
     */
    int (*take_fd)(void *be, uint32_t queue, uint32_t taken);
};

#endif
