/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.c - what the driver is told of the card: features and configuration (virtio 1.2, 5.1.3 and
 * 5.1.4).
 */
#include <backplane/log.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

/* struct virtio_net_config as far as we have it (5.1.4) */
struct config {
    uint8_t mac[6];
    uint16_t status, max_virtqueue_pairs, mtu;
};

_Static_assert(sizeof(struct config) == NET_CONFIG_LEN, "as net.h says");

/* Feature bits that stand for an offload, towards the back end and from it. */
static const struct {
    uint32_t offload;
    uint8_t tx, rx;
} offload_bits[] = {
    {BP_NET_CSUM, F_CSUM, F_GUEST_CSUM},      {BP_NET_TSO4, F_HOST_TSO4, F_GUEST_TSO4},
    {BP_NET_TSO6, F_HOST_TSO6, F_GUEST_TSO6}, {BP_NET_ECN, F_HOST_ECN, F_GUEST_ECN},
    {BP_NET_UFO, F_HOST_UFO, F_GUEST_UFO},
};
#define N_OFFLOADS (sizeof offload_bits / sizeof *offload_bits)

uint32_t
net_rx_offloads_of(uint64_t features)
{
    uint32_t to = 0;

    for (unsigned i = 0; i < N_OFFLOADS; i++)
        if (features & BIT(offload_bits[i].rx))
            to |= offload_bits[i].offload;
    /* Segments come with partial checksums: without those a driver can take none (5.1.3.1). */
    return to & BP_NET_CSUM ? to : 0;
}

uint64_t
net_offered(const struct net *net)
{
    uint64_t f = BIT(F_MAC) | BIT(F_STATUS) | BIT(F_MRG_RXBUF) | BIT(F_CTRL_VQ) | BIT(F_CTRL_RX) |
                 BIT(F_CTRL_RX_EXTRA) | BIT(F_CTRL_VLAN) | BIT(F_CTRL_MAC_ADDR);

    for (unsigned i = 0; i < N_OFFLOADS; i++) {
        if (net->offered_tx & offload_bits[i].offload)
            f |= BIT(offload_bits[i].tx);
        if (net->offered_rx & offload_bits[i].offload)
            f |= BIT(offload_bits[i].rx) | BIT(F_CTRL_GUEST_OFFLOADS);
    }
    if (net->max_pairs > 1)
        f |= BIT(F_MQ);
    if (net->mtu)
        f |= BIT(F_MTU);
    return f;
}

void
net_config_read(void *self, uint32_t off, void *buf, uint32_t len)
{
    struct net *net = self;
    struct config c = {
        .status = net->link_up, .max_virtqueue_pairs = (uint16_t)net->max_pairs, .mtu = net->mtu};

    memcpy(c.mac, net->filter.mac, sizeof c.mac);
    memset(buf, 0, len);
    if (off < sizeof c)
        memcpy(buf, (const uint8_t *)&c + off, len < sizeof c - off ? len : sizeof c - off);
}

/* Only legacy drivers write here, and there is no legacy interface. */
void
net_config_write(void *self, uint32_t off, const void *buf, uint32_t len)
{
    (void)self;
    (void)off;
    (void)buf;
    (void)len;
}

static bool
parse_mac(const char *text, uint8_t mac[6])
{
    for (int i = 0; i < 6; i++) {
        char *end;

        if (!strchr("0123456789abcdefABCDEF", text[0]) || !text[0] || !text[1])
            return false;
        mac[i] = (uint8_t)strtoul((const char[]){text[0], text[1], '\0'}, &end, 16);
        if (*end || (i < 5 ? text[2] != ':' : text[2] != '\0'))
            return false;
        text += 3;
    }
    return !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

/* FNV-1a of the link's name: the same address at every start, another one for another section. */
static void
derive_mac(const char *id, uint8_t mac[6])
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *id; id++)
        h = (h ^ (uint8_t)*id) * UINT64_C(0x100000001b3);
    mac[0] = 0x02; /* locally administered */
    for (int i = 1; i < 6; i++)
        mac[i] = (uint8_t)(h >> 8 * i);
}

int
net_choose_mac(struct net *net, const struct bp_net_info *info, const char *link_id)
{
    static const uint8_t none[6];
    struct bp_value v = {.size = sizeof v};

    if (net->host->prop(net->inst, "mac", &v) == 0 && v.n && v.s) {
        if (!parse_mac(v.s, net->config_mac))
            return bp_failf(net->host, net->inst, BP_E_INVAL,
                            "mac \"%s\" is no unicast hardware address; write e.g. "
                            "\"52:54:00:12:34:56\"",
                            v.s);
    } else if (memcmp(info->mac, none, 6) != 0) {
        memcpy(net->config_mac, info->mac, 6);
    } else {
        derive_mac(link_id, net->config_mac);
    }
    return 0;
}
