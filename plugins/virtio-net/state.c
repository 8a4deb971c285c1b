/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c - virtio-net's own part of save and load: section "net" behind those of the library. What
 * the queues hold is the library's; packets on their way are no state, a network may lose them.
 */
#include <string.h>

#include "net.h"

/* Booleans of the filter in one number, least significant first. */
static uint64_t
pack_modes(const struct filter *f)
{
    return (uint64_t)f->promisc | (uint64_t)f->allmulti << 1 | (uint64_t)f->alluni << 2 |
           (uint64_t)f->nomulti << 3 | (uint64_t)f->nouni << 4 | (uint64_t)f->nobcast << 5 |
           (uint64_t)f->uni_overflow << 6 | (uint64_t)f->multi_overflow << 7;
}

static void
unpack_modes(struct filter *f, uint64_t v)
{
    f->promisc = v & 1;
    f->allmulti = v >> 1 & 1;
    f->alluni = v >> 2 & 1;
    f->nomulti = v >> 3 & 1;
    f->nouni = v >> 4 & 1;
    f->nobcast = v >> 5 & 1;
    f->uni_overflow = v >> 6 & 1;
    f->multi_overflow = v >> 7 & 1;
}

int
net_save(void *self, const struct bp_writer *w)
{
    const struct net *net = self;
    const struct filter *f = &net->filter;
    int err = bp_virtio_save(net->vdev, w);

    if (!err)
        err = w->section(w, "net", 1, 1);
    if (!err)
        err = w->blob(w, "mac", f->mac, sizeof f->mac);
    if (!err)
        err = w->u64(w, "modes", pack_modes(f));
    if (!err)
        err = w->u64(w, "unicast", f->n_uni);
    if (!err)
        err = w->blob(w, "macs", f->macs, (uint64_t)(f->n_uni + f->n_multi) * 6);
    if (!err)
        err = w->blob(w, "vlans", f->vlans, sizeof f->vlans);
    if (!err)
        err = w->u64(w, "pairs", net->pairs);
    if (!err)
        err = w->u64(w, "offloads", net->rx_offloads);
    return err;
}

static int
load_filter(struct net *net, const struct bp_reader *r)
{
    struct filter f = net->filter;
    uint64_t modes = pack_modes(&f), n_uni = 0, n = 0;
    int err = r->blob(r, "mac", f.mac, sizeof f.mac, &n);

    if (err == BP_E_NOENT || (!err && n == sizeof f.mac))
        err = r->u64(r, "modes", &modes);
    if (!err || err == BP_E_NOENT)
        err = r->u64(r, "unicast", &n_uni);
    n = 0;
    if (!err || err == BP_E_NOENT)
        err = r->blob(r, "macs", f.macs, sizeof f.macs, &n);
    if ((err && err != BP_E_NOENT) || n % 6 || n_uni > n / 6 || modes > 0xff)
        return BP_E_INVAL;
    f.n_uni = (uint32_t)n_uni;
    f.n_multi = (uint32_t)(n / 6 - n_uni);
    unpack_modes(&f, modes);
    err = r->blob(r, "vlans", f.vlans, sizeof f.vlans, &n);
    if (err != BP_E_NOENT && (err || n != sizeof f.vlans))
        return BP_E_INVAL;
    f.vlan_on = bp_virtio_features(net->vdev) & BIT(F_CTRL_VLAN);
    net->filter = f;
    return 0;
}

int
net_load(void *self, const struct bp_reader *r)
{
    struct net *net = self;
    uint64_t pairs = 1, offloads = 0;
    uint32_t ver = 0;
    int err = bp_virtio_load(net->vdev, r);

    if (!err)
        err = r->section(r, "net", &ver);
    if (err)
        return err;
    if (ver != 1)
        return BP_E_INVAL;
    err = load_filter(net, r);
    if (!err)
        err = r->u64(r, "pairs", &pairs);
    if (!err || err == BP_E_NOENT)
        err = r->u64(r, "offloads", &offloads);
    if (err && err != BP_E_NOENT)
        return err;
    if (pairs > PAIRS_MAX || offloads & ~(uint64_t)net->offered_rx ||
        net_set_pairs(net, (uint32_t)pairs) != 0)
        return BP_E_INVAL;
    return net_set_rx_offloads(net, (uint32_t)offloads);
}
