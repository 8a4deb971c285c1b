/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net.c - virtio-net: the class, its back end, its life.
 *
 * Queues: receive 2n, transmit 2n + 1 of pair n, then the control queue (5.1.2).
 */
#include <backplane/log.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

enum { COOKIE_AGAIN = 1 };

int
net_set_rx_offloads(struct net *net, uint32_t offloads)
{
    int err = net->be->set_offloads(net->be_self, offloads);

    if (!err)
        net->rx_offloads = offloads;
    return err;
}

int
net_set_pairs(struct net *net, uint32_t pairs)
{
    int err;

    if (pairs < 1 || pairs > net->max_pairs)
        return BP_E_RANGE;
    err = net->be->set_queues(net->be_self, pairs);
    if (err)
        return err;
    net->pairs = pairs;
    vhost_update(net);
    return 0;
}

uint32_t
net_ctrl_index(const struct net *net)
{
    return bp_virtio_features(net->vdev) & BIT(F_MQ) ? 2 * net->max_pairs : 2;
}

static bool
is_ctrl(const struct net *net, uint32_t index)
{
    return (bp_virtio_features(net->vdev) & BIT(F_CTRL_VQ)) && index == net_ctrl_index(net);
}

static int
net_features(void *self, uint64_t features)
{
    struct net *net = self;

    net->filter.vlan_on = features & BIT(F_CTRL_VLAN);
    return net_set_rx_offloads(net, net_rx_offloads_of(features));
}

static void
net_driver_ready(void *self)
{
    struct net *net = self;

    for (uint32_t i = 0; i < net->pairs; i++)
        net->be->ready(net->be_self, i);
    vhost_update(net);
}

static void
net_notify(void *self, struct bp_virtq *vq, uint32_t index)
{
    struct net *net = self;

    if (is_ctrl(net, index))
        ctrl_run(net, vq);
    else if (index % 2)
        tx_run(net, index / 2);
    else if (index / 2 < net->pairs)
        net->be->ready(net->be_self, index / 2);
}

static void
to_power_on(struct net *net)
{
    filter_reset(&net->filter, net->config_mac);
    /* Should the back end fail, its interface is gone: ours is at power-on all the same. */
    (void)net_set_rx_offloads(net, 0);
    (void)net_set_pairs(net, 1);
    net->rx_offloads = 0;
    net->pairs = 1;
}

static int
net_driver_reset(void *self)
{
    vhost_stop(self);
    to_power_on(self);
    return 0; /* what was sent was sent: nothing is in flight */
}

static const struct bp_virtio_ops net_ops = {
    .size = sizeof net_ops,
    .features = net_features,
    .config_read = net_config_read,
    .config_write = net_config_write,
    .ready = net_driver_ready,
    .notify = net_notify,
    .reset = net_driver_reset,
};

static void
net_sendable(void *user, uint32_t queue)
{
    if (queue < ((struct net *)user)->max_pairs)
        tx_run(user, queue);
}

static void
net_changed(void *user)
{
    struct net *net = user;
    struct bp_net_info info = {.size = sizeof info};

    if (net->be->info(net->be_self, &info) != 0 || net->link_up == (info.link_up != 0))
        return;
    net->link_up = info.link_up;
    bp_virtio_config_changed(net->vdev);
}

static int
join_backend(struct net *net)
{
    struct bp_net_info info = {.size = sizeof info};
    struct bp_link link = {.size = sizeof link};
    struct bp_value queues = {.size = sizeof queues};
    int err;

    err = net->host->link(net->inst, "netdev", BP_IF_NET, BP_UPTO(struct bp_net_if, ready), &link);
    if (err)
        return net->host->fail(net->inst, err, "netdev names no network back end that fits");
    net->be = link.iface;
    net->be_self = link.self;
    err = net->be->info(net->be_self, &info);
    if (err)
        return err;
    net->offered_tx = info.tx_offloads;
    net->offered_rx = info.rx_offloads;
    net->link_up = info.link_up;
    net->vhost_wanted = info.vhost;
    net->mtu = info.mtu >= 68 && info.mtu <= 65535 ? (uint16_t)info.mtu : 0;
    net->max_pairs = 1;
    if (net->host->prop(net->inst, "queues", &queues) == 0 && queues.n)
        net->max_pairs = (uint32_t)queues.i;
    if (net->max_pairs > (info.max_queues ? info.max_queues : 1))
        return bp_failf(net->host, net->inst, BP_E_INVAL,
                        "queues = %u, but the back end %s has %u; lower one or raise the other",
                        net->max_pairs, link.id, info.max_queues ? info.max_queues : 1);
    net->pairs = 1;
    return net_choose_mac(net, &info, link.id);
}

static int
make_device(struct net *net)
{
    uint16_t sizes[2 * PAIRS_MAX + 1];
    struct bp_virtio_desc desc = {
        .size = sizeof desc,
        .device_id = 1,
        .pci_class = 0x020000,
        .n_queues = 2 * net->max_pairs + 1,
        .queue_size = sizes,
        .features = net_offered(net),
        .config_len = NET_CONFIG_LEN,
        .max_iov = BP_VIRTIO_QUEUE_MAX,
        .ops = &net_ops,
        .acpi_name = "VN",
    };
    struct bp_value v = {.size = sizeof v};

    net->queue_size = 256;
    if (net->host->prop(net->inst, "queue_size", &v) == 0 && v.n)
        net->queue_size = (uint32_t)v.i;
    if (net->queue_size & (net->queue_size - 1))
        return net->host->fail(net->inst, BP_E_INVAL, "queue_size must be a power of two");
    for (uint32_t i = 0; i < desc.n_queues; i++)
        sizes[i] = (uint16_t)net->queue_size;
    sizes[desc.n_queues - 1] = 64;
    return bp_virtio_new(net->host, net->inst, &desc, net, &net->vdev);
}

static int
net_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct net *net = calloc(1, sizeof *net);

    if (!net)
        return BP_E_NOMEM;
    net->host = host;
    net->inst = inst;
    *ret_self = net;
    return 0;
}

static int
net_realize(void *self)
{
    struct net *net = self;
    int err = join_backend(net);

    if (err)
        return err;
    net->ev = net->host->query(net->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, kick));
    if (!net->ev)
        return net->host->fail(net->inst, BP_E_NOTSUP, "needs bp.event/1");
    net->ctrl_chain.size = sizeof net->ctrl_chain;
    net->ctrl_chain.cap_iov = BP_VIRTIO_QUEUE_MAX;
    net->ctrl_chain.iov = calloc(BP_VIRTIO_QUEUE_MAX, sizeof *net->ctrl_chain.iov);
    if (!net->ctrl_chain.iov || rx_init(net) || tx_init(net))
        return BP_E_NOMEM;
    err = net->ev->soft(net->inst, "again", COOKIE_AGAIN, &net->again);
    if (!err)
        err = vhost_open(net, net->vhost_wanted);
    if (!err)
        err = make_device(net);
    if (err)
        return err;
    filter_reset(&net->filter, net->config_mac);
    net->client = (struct bp_net_client){.size = sizeof net->client,
                                         .flags = BP_NET_CLIENT_KEEPS,
                                         .user = net,
                                         .receive = rx_receive,
                                         .received = rx_received,
                                         .sendable = net_sendable,
                                         .changed = net_changed};
    err = net->be->attach(net->be_self, &net->client);
    if (err)
        return net->host->fail(net->inst, err, "the back end has another user already");
    net->attached = true;
    return 0;
}

static int
net_start(void *self)
{
    struct net *net = self;
    int err = bp_virtio_start(net->vdev);

    if (!err)
        vhost_update(net);
    return err;
}

static int
net_quiesce(void *self)
{
    struct net *net = self;

    vhost_stop(net);
    return bp_virtio_quiesce(net->vdev);
}

static void
net_cold_reset(void *self, uint32_t kind)
{
    struct net *net = self;

    (void)kind;
    bp_virtio_cold_reset(net->vdev);
    to_power_on(net);
}

static void
run_again(struct net *net)
{
    struct bp_virtq *ctrl = bp_virtio_queue(net->vdev, net_ctrl_index(net));

    for (uint32_t i = 0; i < net->pairs; i++)
        tx_run(net, i);
    if (bp_virtio_features(net->vdev) & BIT(F_CTRL_VQ) && bp_virtio_live(net->vdev))
        ctrl_run(net, ctrl);
}

static void
net_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct net *net = self;

    if (cookie >= BP_VIRTIO_COOKIE)
        bp_virtio_event(net->vdev, cookie, mask);
    else
        run_again(net);
}

static void
net_destroy(void *self)
{
    struct net *net = self;

    if (net->attached)
        (void)net->be->attach(net->be_self, NULL);
    vhost_close(net);
    bp_virtio_free(net->vdev);
    rx_fini(net);
    tx_fini(net);
    free(net->ctrl_chain.iov);
    free(net);
}

#define PROP(NAME, TYPE, ...)                                                                      \
    {                                                                                              \
        .size = sizeof(struct bp_prop), .type = TYPE, .name = NAME, __VA_ARGS__                    \
    }
static const struct bp_prop props[] = {
    PROP("netdev", BP_LINK, .flags = BP_P_REQUIRED, .link_iface = BP_IF_NET,
         .help = "network back end: \"user\", \"tap:NAME\" or an instance"),
    PROP("mac", BP_STR, .help = "hardware address; by default one that its name decides"),
    PROP("queues", BP_INT, .def = "1", .min = 1, .max = PAIRS_MAX, .help = "queue pairs"),
    PROP("queue_size", BP_INT, .def = "256", .min = 16, .max = QUEUE_SIZE_MAX,
         .help = "descriptors of each queue, a power of two"),
    BP_VIRTIO_PROPS,
};

static const char *const needs[] = {BP_VIRTIO_NEEDS, NULL};
static const struct bp_class net_class = {
    .size = sizeof net_class,
    .name = "virtio-net",
    .version = "1.0",
    .summary = "virtio network card",
    .props = props,
    .n_props = sizeof props / sizeof *props,
    .prop_size = sizeof *props,
    .needs = needs,
    .state_ver = 1,
    .state_min = 1,
    .create = net_create,
    .realize = net_realize,
    .start = net_start,
    .quiesce = net_quiesce,
    .reset = net_cold_reset,
    .event = net_event,
    .save = net_save,
    .load = net_load,
    .destroy = net_destroy,
};

BP_PLUGIN("virtio-net", "1.0", "BSD-3-Clause", "backplane", &net_class);
