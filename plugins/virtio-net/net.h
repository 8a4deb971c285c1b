/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net.h - the parts of the virtio network device (virtio 1.2, 5.1).
 *
 * net.c is the class, config.c what the driver is told of the device, rx.c and tx.c move packets,
 * ctrl.c obeys the control queue, filter.c decides which packets the driver wants, state.c saves
 * and loads, vhost.c lets the kernel do it all. All of it is [ctx].
 */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

#include <backplane/virtio.h>
#include <stdbool.h>

/* Feature bits, 5.1.3 */
enum {
    F_CSUM = 0,
    F_GUEST_CSUM = 1,
    F_CTRL_GUEST_OFFLOADS = 2,
    F_MTU = 3,
    F_MAC = 5,
    F_GUEST_TSO4 = 7,
    F_GUEST_TSO6 = 8,
    F_GUEST_ECN = 9,
    F_GUEST_UFO = 10,
    F_HOST_TSO4 = 11,
    F_HOST_TSO6 = 12,
    F_HOST_ECN = 13,
    F_HOST_UFO = 14,
    F_MRG_RXBUF = 15,
    F_STATUS = 16,
    F_CTRL_VQ = 17,
    F_CTRL_RX = 18,
    F_CTRL_VLAN = 19,
    F_CTRL_RX_EXTRA = 20,
    F_MQ = 22,
    F_CTRL_MAC_ADDR = 23,
};
#define BIT(n) (UINT64_C(1) << (n))

#define PAIRS_MAX      8
#define QUEUE_SIZE_MAX BP_VIRTIO_QUEUE_MAX
#define HDR_LEN        ((uint64_t)sizeof(struct bp_net_hdr))
#define FRAME_MAX      (65536u + 18u) /* the largest IP packet, Ethernet header and VLAN tag */
#define MACS_MAX       64

/* Which packets the driver wants, 5.1.6.5.1 to 5.1.6.5.3 */
struct filter {
    uint8_t mac[6];
    bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
    bool uni_overflow, multi_overflow; /* more addresses than we keep: all of the kind pass */
    uint32_t n_uni, n_multi;           /* of macs, in this order */
    uint8_t macs[MACS_MAX][6];
    bool vlan_on;
    uint8_t vlans[4096 / 8];
};

/* Packets that the back end gets before one commit(), and room for the iovecs of as many. */
#define TX_BATCH 32u
#define TX_IOVS  (2u * BP_VIRTIO_QUEUE_MAX + TX_BATCH)

struct tx_packet {
    struct bp_virtq_chain chain;
    struct bp_net_hdr hdr;
};

/* Empty between two calls of tx_run(). */
struct tx {
    uint32_t n, used; /* packets, and entries of both arrays */
    struct tx_packet packet[TX_BATCH];
    struct bp_iovec *chain_iov; /* the chains' */
    struct bp_iovec *iov;       /* what the back end gets: the header, then what follows it */
};

struct vhost; /* vhost.c's */

struct net {
    const struct bp_host *host;
    bp_inst inst;
    struct bp_virtio *vdev;
    const struct bp_event_if *ev;
    const struct bp_net_if *be;
    void *be_self;
    struct bp_net_client client;
    bool attached;
    bp_event again;                  /* soft: a queue had more than one turn's worth */
    uint32_t offered_tx, offered_rx; /* BP_NET_*: what the back end can do */
    uint32_t max_pairs, pairs;
    uint32_t queue_size;
    uint16_t mtu;
    bool link_up;
    uint8_t config_mac[6]; /* as at power-on */
    struct filter filter;
    uint32_t rx_offloads; /* what the driver lets us use */
    struct bp_iovec *rx_iov;
    struct bp_virtq_chain *rx_chains;
    struct tx tx[PAIRS_MAX];
    uint32_t vhost_wanted; /* BP_NET_VHOST_* */
    struct vhost *vhost;   /* NULL: never used */
    struct bp_virtq_chain ctrl_chain;
};

/* rx.c; the first two are the back end's client functions */
int rx_receive(void *user, uint32_t queue, const struct bp_iovec *iov, uint32_t n_iov,
               uint64_t len);
void rx_received(void *user, uint32_t queue);
int rx_init(struct net *net);
void rx_fini(struct net *net);

/* tx.c */
int tx_init(struct net *net);
void tx_fini(struct net *net);
void tx_run(struct net *net, uint32_t pair);

/* ctrl.c */
void ctrl_run(struct net *net, struct bp_virtq *vq);

/* vhost.c */
int vhost_open(struct net *net, uint32_t wanted);
void vhost_close(struct net *net);
/* Hands over and takes back as the state of driver and machine asks for. */
void vhost_update(struct net *net);
/* Takes everything back. */
void vhost_stop(struct net *net);
/* The kernel has that pair. */
bool vhost_has(const struct net *net, uint32_t pair);

/* filter.c */
void filter_reset(struct filter *f, const uint8_t mac[6]);
bool filter_wants(const struct filter *f, const uint8_t *frame, uint64_t len);
bool filter_vlan(struct filter *f, uint16_t id, bool on);

/* state.c */
int net_save(void *self, const struct bp_writer *w);
int net_load(void *self, const struct bp_reader *r);

/* config.c */
#define NET_CONFIG_LEN 12u
uint64_t net_offered(const struct net *net);
/* What the back end may use towards a driver that accepted these features. */
uint32_t net_rx_offloads_of(uint64_t features);
void net_config_read(void *self, uint32_t off, void *buf, uint32_t len);
void net_config_write(void *self, uint32_t off, const void *buf, uint32_t len);
/* The config's, the back end's, or one that the link's id decides. */
int net_choose_mac(struct net *net, const struct bp_net_info *info, const char *link_id);

/* net.c */
int net_set_pairs(struct net *net, uint32_t pairs);
int net_set_rx_offloads(struct net *net, uint32_t offloads);
/* The index of the control queue, which depends on what was negotiated (5.1.2). */
uint32_t net_ctrl_index(const struct net *net);

#endif
