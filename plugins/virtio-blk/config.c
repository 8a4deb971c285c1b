/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.c - what the driver is told of the disk: features and configuration space (virtio 1.2,
 * 5.2.3 and 5.2.4).
 */
#include <endian.h>
#include <string.h>

#include "virtio-blk.h"

static uint64_t
bit(int n)
{
    return UINT64_C(1) << n;
}

void
config_fill(struct blk_dev *d)
{
    struct blk_config *c = &d->config;
    uint32_t ratio = d->info.physical_size / d->info.block_size;

    c->capacity = htole64(d->info.bytes / BLK_SECTOR);
    c->seg_max = htole32(d->max_iov - 2);
    c->blk_size = htole32(d->info.block_size);
    c->physical_block_exp = ratio > 1 ? (uint8_t)__builtin_ctz(ratio) : 0;
    c->min_io_size = htole16(ratio > 1 && ratio <= UINT16_MAX ? (uint16_t)ratio : 1);
    c->num_queues = htole16((uint16_t)d->n_queues);
    c->max_discard_sectors = c->max_write_zeroes_sectors = htole32(BLK_SEG_SECTORS);
    c->max_discard_seg = c->max_write_zeroes_seg = htole32(BLK_SEGMENTS);
    c->discard_sector_alignment = htole32(d->info.physical_size / BLK_SECTOR);
    c->write_zeroes_may_unmap = !!(d->info.features & BP_BLOCK_CAN_DISCARD);
}

int
config_read_info(struct blk_dev *d, struct bp_block_info *ret_info)
{
    struct bp_block_info info = {.size = sizeof info};
    int err = d->block->info(d->be, &info);

    if (err)
        return err;
    if (info.block_size < BLK_SECTOR || info.block_size & (info.block_size - 1))
        return BP_E_INVAL;
    if (info.physical_size < info.block_size || info.physical_size & (info.physical_size - 1))
        info.physical_size = info.block_size;
    *ret_info = info;
    return 0;
}

void
config_changed(void *user)
{
    struct blk_dev *d = user;
    struct bp_block_info info;

    if (config_read_info(d, &info) < 0)
        return;
    d->info.bytes = info.bytes; /* the rest was fixed when the driver accepted the features */
    config_fill(d);
    bp_virtio_config_changed(d->vdev);
}

int
config_features(void *self, uint64_t features)
{
    struct blk_dev *d = self;

    /* 5.2.5.1: a driver that does not flush gets a write-through cache. */
    d->writeback = !(d->info.features & BP_BLOCK_CAN_FLUSH) || (features & bit(BLK_F_FLUSH));
    return 0;
}

void
config_read(void *self, uint32_t off, void *buf, uint32_t len)
{
    struct blk_dev *d = self;

    d->config.writeback = d->writeback;
    if (off < BLK_CONFIG_LEN)
        memcpy(buf, (const uint8_t *)&d->config + off,
               len < BLK_CONFIG_LEN - off ? len : BLK_CONFIG_LEN - off);
}

void
config_write(void *self, uint32_t off, const void *buf, uint32_t len)
{
    struct blk_dev *d = self;
    uint32_t at = offsetof(struct blk_config, writeback);

    if ((bp_virtio_features(d->vdev) & bit(BLK_F_CONFIG_WCE)) && off <= at && at - off < len)
        d->writeback = ((const uint8_t *)buf)[at - off] & 1;
}

uint64_t
config_offered(const struct blk_dev *d)
{
    uint64_t f = bit(BLK_F_SEG_MAX) | bit(BLK_F_BLK_SIZE) | bit(BLK_F_TOPOLOGY);

    if (d->readonly)
        f |= bit(BLK_F_RO);
    else if (d->info.features & BP_BLOCK_CAN_DISCARD)
        f |= bit(BLK_F_DISCARD);
    if (!d->readonly && (d->info.features & BP_BLOCK_CAN_ZERO))
        f |= bit(BLK_F_WRITE_ZEROES);
    if (d->info.features & BP_BLOCK_CAN_FLUSH)
        f |= bit(BLK_F_FLUSH) | bit(BLK_F_CONFIG_WCE);
    if (d->n_queues > 1)
        f |= bit(BLK_F_MQ);
    return f;
}
