/* SPDX-License-Identifier: BSD-3-Clause */
/* filter.c - which received packets the driver wants. */
#include <string.h>

#include "net.h"

void
filter_reset(struct filter *f, const uint8_t mac[6])
{
    memset(f, 0, sizeof *f);
    memcpy(f->mac, mac, sizeof f->mac);
    /* A driver without the control queue gets everything, and so does one that has not said yet. */
    f->promisc = true;
}

static bool
listed(const struct filter *f, uint32_t from, uint32_t n, const uint8_t *mac)
{
    for (uint32_t i = from; i < from + n; i++)
        if (memcmp(f->macs[i], mac, 6) == 0)
            return true;
    return false;
}

static bool
wants_address(const struct filter *f, const uint8_t *to)
{
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    if (f->promisc)
        return true;
    if (memcmp(to, broadcast, 6) == 0)
        return !f->nobcast;
    if (to[0] & 1)
        return !f->nomulti &&
               (f->allmulti || f->multi_overflow || listed(f, f->n_uni, f->n_multi, to));
    return !f->nouni && (f->alluni || f->uni_overflow || memcmp(to, f->mac, 6) == 0 ||
                         listed(f, 0, f->n_uni, to));
}

bool
filter_vlan(struct filter *f, uint16_t id, bool on)
{
    if (id >= 4096)
        return false;
    if (on)
        f->vlans[id / 8] |= (uint8_t)(1u << id % 8);
    else
        f->vlans[id / 8] &= (uint8_t) ~(1u << id % 8);
    return true;
}

bool
filter_wants(const struct filter *f, const uint8_t *frame, uint64_t len)
{
    uint16_t id;

    if (len < 14)
        return false;
    if (f->vlan_on && len >= 16 && frame[12] == 0x81 && frame[13] == 0x00) {
        id = (uint16_t)((frame[14] << 8 | frame[15]) & 0xfff);
        if (!(f->vlans[id / 8] & 1u << id % 8))
            return false;
    }
    return wants_address(f, frame);
}
