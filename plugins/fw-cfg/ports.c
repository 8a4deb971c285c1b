/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ports.c - how firmware reads the items: a selector and a data port, or one DMA descriptor for a
 * whole transfer. Past the end of an item, and for a key that nobody has, there are zeroes.
 */
#include "fw-cfg.h"

#include <string.h>

enum {
    PORT_BASE = 0x510,
    PORT_SELECT = 0, /* offsets */
    PORT_DATA = 1,
    PORT_DMA = 4,
    PORT_LEN = 12,
};

/* A DMA descriptor, big-endian: control, length, address (docs/specs/fw_cfg of QEMU). */
enum {
    DMA_LEN = 16,
    DMA_ERROR = 1,
    DMA_READ = 2,
    DMA_SKIP = 4,
    DMA_SELECT = 8, /* the key is in the upper half of the control word */
    DMA_WRITE = 16,
    DMA_ZEROES = 65536, /* how many go into guest memory at once */
};

static const char ports_dma_signature[] = "QEMU CFG";

static void
ports_select(struct fw_cfg *fw, uint16_t key)
{
    struct fw_item *item;

    fw->key = key & (uint16_t)~FW_WRITE_CHANNEL;
    fw->offset = 0;
    item = fw_find(fw, fw->key);
    if (item)
        fw_machine_refresh(fw, item);
}

static uint8_t
ports_next(struct fw_cfg *fw)
{
    const struct fw_item *item = fw_find(fw, fw->key);

    return item && fw->offset < item->len ? item->data[fw->offset++] : 0;
}

/* Moves on by len bytes; what is left of the item stays the limit. */
static void
ports_skip(struct fw_cfg *fw, uint64_t len)
{
    const struct fw_item *item = fw_find(fw, fw->key);
    uint64_t left = item && fw->offset < item->len ? item->len - fw->offset : 0;

    fw->offset += (uint32_t)(len < left ? len : left);
}

static int
ports_dma_read(struct fw_cfg *fw, uint64_t to, uint64_t len)
{
    static const uint8_t zeroes[DMA_ZEROES];
    const struct fw_item *item = fw_find(fw, fw->key);
    uint64_t n = item && fw->offset < item->len ? item->len - fw->offset : 0;
    int err = 0;

    if (n > len)
        n = len;
    if (n)
        err = fw->mem->write(fw->inst, to, item->data + fw->offset, n);
    if (err)
        return err;
    fw->offset += (uint32_t)n;
    while (!err && (len -= n)) {
        to += n;
        n = len < DMA_ZEROES ? len : DMA_ZEROES;
        err = fw->mem->write(fw->inst, to, zeroes, n);
    }
    return err;
}

static uint64_t
ports_be(const uint8_t *p, uint32_t bytes)
{
    uint64_t val = 0;

    for (uint32_t i = 0; i < bytes; i++)
        val = val << 8 | p[i];
    return val;
}

static void
ports_dma(struct fw_cfg *fw, uint64_t at)
{
    uint8_t desc[DMA_LEN], result[4] = {0};
    uint32_t control, len;
    int err;

    if (fw->mem->read(fw->inst, at, desc, sizeof desc) != 0)
        return;
    control = (uint32_t)ports_be(desc, 4);
    len = (uint32_t)ports_be(desc + 4, 4);
    if (control & DMA_SELECT)
        ports_select(fw, (uint16_t)(control >> 16));
    err = 0;
    if (control & DMA_READ)
        err = ports_dma_read(fw, ports_be(desc + 8, 8), len);
    else if (control & DMA_WRITE)
        err = BP_E_PERM; /* no item takes writes */
    else if (control & DMA_SKIP)
        ports_skip(fw, len);
    result[3] = err ? DMA_ERROR : 0;
    (void)!fw->mem->write(fw->inst, at, result, sizeof result);
}

static uint64_t
ports_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct fw_cfg *fw = self;
    uint64_t val = 0;

    (void)id;
    for (uint32_t i = 0; i < width; i++) {
        uint64_t at = off + i;
        uint8_t byte = 0xff;

        if (at == PORT_DATA && width == 1)
            byte = ports_next(fw);
        else if (fw->dma && at >= PORT_DMA)
            byte = (uint8_t)ports_dma_signature[at - PORT_DMA];
        val |= (uint64_t)byte << i * 8;
    }
    return val;
}

static uint32_t
ports_swap(uint32_t val)
{
    return val >> 24 | (val >> 8 & 0xff00) | (val << 8 & 0xff0000) | val << 24;
}

static void
ports_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct fw_cfg *fw = self;

    (void)id;
    if (off == PORT_SELECT && width == 2) {
        ports_select(fw, (uint16_t)val);
    } else if (fw->dma && off == PORT_DMA && width == 4) {
        fw->dma_high = ports_swap((uint32_t)val);
    } else if (fw->dma && off == PORT_DMA + 4 && width == 4) {
        uint64_t at = (uint64_t)fw->dma_high << 32 | ports_swap((uint32_t)val);

        fw->dma_high = 0;
        ports_dma(fw, at);
    }
}

static const struct bp_region_ops ports_ops = {
    .size = sizeof ports_ops,
    .read = ports_read,
    .write = ports_write,
};

/* As Linux finds the device. */
static int
ports_describe(struct fw_cfg *fw)
{
    const struct bp_acpi_res res = {
        .size = sizeof res, .kind = BP_ACPI_IO, .base = PORT_BASE, .len = PORT_LEN};
    const struct bp_acpi_device dev = {
        .size = sizeof dev,
        .inst = fw->inst,
        .name = "FWCF",
        .hid = "QEMU0002",
        .res = &res,
        .n_res = 1,
        .res_size = sizeof res,
    };

    return fw->acpi ? fw->acpi->device(fw->acpi_self, &dev) : 0;
}

int
fw_ports_realize(struct fw_cfg *fw)
{
    const struct bp_io_if *io =
        fw->host->query(fw->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, place));
    const struct bp_region_desc desc = {
        .size = sizeof desc,
        .kind = BP_REGION_PIO,
        .len = PORT_LEN,
        .name = "registers",
        .ops = &ports_ops,
    };
    bp_region region;
    int err;

    if (!io)
        return fw->host->fail(fw->inst, BP_E_NOTSUP, "needs " BP_IF_IO);
    if ((err = io->region(fw->inst, &desc, &region)) ||
        (err = io->place(fw->inst, region, PORT_BASE)))
        return err;
    return ports_describe(fw);
}

void
fw_ports_reset(struct fw_cfg *fw)
{
    fw->key = 0;
    fw->offset = 0;
    fw->dma_high = 0;
}

int
fw_save(void *self, const struct bp_writer *w)
{
    const struct fw_cfg *fw = self;
    int err;

    if ((err = w->section(w, "fw-cfg", 1, 1)) || (err = w->u64(w, "key", fw->key)) ||
        (err = w->u64(w, "offset", fw->offset)))
        return err;
    return w->u64(w, "dma-high", fw->dma_high);
}

/* An offset may be past the end of an item that is shorter here; the rest then reads as zero. */
int
fw_load(void *self, const struct bp_reader *r)
{
    struct fw_cfg *fw = self;
    uint64_t key = 0, offset = 0, high = 0;
    uint32_t ver;
    int err = r->section(r, "fw-cfg", &ver);

    if (err)
        return err;
    if (ver != 1)
        return BP_E_NOTSUP;
    if (((err = r->u64(r, "key", &key)) && err != BP_E_NOENT) ||
        ((err = r->u64(r, "offset", &offset)) && err != BP_E_NOENT) ||
        ((err = r->u64(r, "dma-high", &high)) && err != BP_E_NOENT))
        return err;
    if (key > UINT16_MAX || offset > FW_ITEM_MAX || high > UINT32_MAX)
        return BP_E_INVAL;
    fw->key = (uint16_t)key;
    fw->offset = (uint32_t)offset;
    fw->dma_high = (uint32_t)high;
    return 0;
}
