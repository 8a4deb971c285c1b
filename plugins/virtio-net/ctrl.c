/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ctrl.c - the control queue (5.1.6.5): a command, its data, one byte of answer.
 *
 * A command is copied whole before it is looked at. Whatever is wrong with it, the answer is
 * VIRTIO_NET_ERR and nothing has changed.
 */
#include <string.h>

#include "net.h"

enum { ANSWER_OK = 0, ANSWER_ERR = 1 };

enum {
    CLASS_RX = 0,
    CLASS_MAC = 1,
    CLASS_VLAN = 2,
    CLASS_MQ = 4,
    CLASS_OFFLOADS = 5,
};

/* The longest command that has a meaning: two MAC tables that together fill ours many times. */
#define COMMAND_MAX 8192

/* Commands that one turn obeys before the other users of the event context get theirs. */
#define TURN 32

static bool
rx_mode(struct net *net, uint8_t cmd, const uint8_t *data, uint64_t len)
{
    uint64_t features = bp_virtio_features(net->vdev);
    bool *const extra[] = {&net->filter.alluni, &net->filter.nomulti, &net->filter.nouni,
                           &net->filter.nobcast};

    if (len != 1 || data[0] > 1 || !(features & BIT(F_CTRL_RX)))
        return false;
    if (cmd == 0)
        net->filter.promisc = data[0];
    else if (cmd == 1)
        net->filter.allmulti = data[0];
    else if (cmd >= 2 && cmd <= 5 && (features & BIT(F_CTRL_RX_EXTRA)))
        *extra[cmd - 2] = data[0];
    else
        return false;
    return true;
}

/* One table: a count, then so many addresses. Gives where it ends, or NULL. */
static const uint8_t *
mac_table(const uint8_t *at, const uint8_t *end, uint32_t *ret_n, const uint8_t **ret_macs)
{
    uint32_t n;

    if (end - at < 4)
        return NULL;
    memcpy(&n, at, 4);
    at += 4;
    if (n > (uint64_t)(end - at) / 6)
        return NULL;
    *ret_n = n;
    *ret_macs = at;
    return at + (uint64_t)n * 6;
}

static bool
mac_table_set(struct net *net, const uint8_t *data, uint64_t len)
{
    const uint8_t *end = data + len, *uni, *multi;
    struct filter *f = &net->filter;
    uint32_t n_uni, n_multi;

    data = mac_table(data, end, &n_uni, &uni);
    if (!data || mac_table(data, end, &n_multi, &multi) != end)
        return false;
    f->uni_overflow = n_uni > MACS_MAX;
    f->n_uni = f->uni_overflow ? 0 : n_uni;
    f->multi_overflow = n_multi > MACS_MAX - f->n_uni;
    f->n_multi = f->multi_overflow ? 0 : n_multi;
    memcpy(f->macs, uni, (size_t)f->n_uni * 6);
    memcpy(f->macs + f->n_uni, multi, (size_t)f->n_multi * 6);
    return true;
}

static bool
mac_command(struct net *net, uint8_t cmd, const uint8_t *data, uint64_t len)
{
    uint64_t features = bp_virtio_features(net->vdev);

    if (cmd == 0 && (features & BIT(F_CTRL_RX)))
        return mac_table_set(net, data, len);
    if (cmd == 1 && len == 6 && (features & BIT(F_CTRL_MAC_ADDR))) {
        memcpy(net->filter.mac, data, 6);
        return true;
    }
    return false;
}

static bool
vlan_command(struct net *net, uint8_t cmd, const uint8_t *data, uint64_t len)
{
    if (!(bp_virtio_features(net->vdev) & BIT(F_CTRL_VLAN)) || len != 2 || cmd > 1)
        return false;
    return filter_vlan(&net->filter, (uint16_t)(data[0] | data[1] << 8), cmd == 0);
}

static bool
mq_command(struct net *net, uint8_t cmd, const uint8_t *data, uint64_t len)
{
    if (!(bp_virtio_features(net->vdev) & BIT(F_MQ)) || len != 2 || cmd != 0)
        return false;
    if (net_set_pairs(net, (uint32_t)(data[0] | data[1] << 8)) != 0)
        return false;
    net->ev->kick(net->inst, net->again); /* what the new queues have already */
    return true;
}

static bool
offloads_command(struct net *net, uint8_t cmd, const uint8_t *data, uint64_t len)
{
    uint64_t features = bp_virtio_features(net->vdev), wanted;

    if (!(features & BIT(F_CTRL_GUEST_OFFLOADS)) || len != 8 || cmd != 0)
        return false;
    memcpy(&wanted, data, 8);
    /* Only what was negotiated may be switched (5.1.6.5.6.1). */
    if (wanted & ~(features & (BIT(F_GUEST_CSUM) | BIT(F_GUEST_TSO4) | BIT(F_GUEST_TSO6) |
                               BIT(F_GUEST_ECN) | BIT(F_GUEST_UFO))))
        return false;
    return net_set_rx_offloads(net, net_rx_offloads_of(wanted)) == 0;
}

static bool
obey(struct net *net, const uint8_t *cmd, uint64_t len)
{
    if (len < 2)
        return false;
    switch (cmd[0]) {
    case CLASS_RX:
        return rx_mode(net, cmd[1], cmd + 2, len - 2);
    case CLASS_MAC:
        return mac_command(net, cmd[1], cmd + 2, len - 2);
    case CLASS_VLAN:
        return vlan_command(net, cmd[1], cmd + 2, len - 2);
    case CLASS_MQ:
        return mq_command(net, cmd[1], cmd + 2, len - 2);
    case CLASS_OFFLOADS:
        return offloads_command(net, cmd[1], cmd + 2, len - 2);
    default:
        return false;
    }
}

void
ctrl_run(struct net *net, struct bp_virtq *vq)
{
    static const uint8_t answers[] = {ANSWER_OK, ANSWER_ERR};
    struct bp_virtq_chain *chain = &net->ctrl_chain;
    uint8_t command[COMMAND_MAX];
    unsigned n = 0;

    while (n < TURN && bp_virtq_pop(vq, chain) > 0) {
        uint64_t len = bp_virtq_copy_out(chain, 0, command, sizeof command);
        bool good =
            chain->in_len > 0 && chain->out_len <= sizeof command && obey(net, command, len);
        uint64_t told = bp_virtq_copy_in(chain, 0, &answers[!good], 1);

        bp_virtq_push(vq, chain, (uint32_t)told);
        n++;
    }
    bp_virtq_flush(vq);
    if (n == TURN)
        net->ev->kick(net->inst, net->again);
}
