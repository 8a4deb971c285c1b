/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk-driver.h - the driver's side of a virtio disk: makes requests, cut into buffers in any way.
 */
#ifndef TESTS_BLK_DRIVER_H
#define TESTS_BLK_DRIVER_H

#include <backplane/test.h>
#include <backplane/virtio.h>

#include "tests/harness/disk.h"

enum {
    T_IN = 0,
    T_OUT = 1,
    T_FLUSH = 4,
    T_GET_ID = 8,
    T_DISCARD = 11,
    T_WRITE_ZEROES = 13,
    S_OK = 0,
    S_IOERR = 1,
    S_UNSUPP = 2,
    S_NONE = 0xee, /* what the status byte holds before */

    F_SEG_MAX = 2,
    F_RO = 5,
    F_BLK_SIZE = 6,
    F_FLUSH = 9,
    F_TOPOLOGY = 10,
    F_CONFIG_WCE = 11,
    F_MQ = 12,
    F_DISCARD = 13,
    F_WRITE_ZEROES = 14,

    BLK_ID = 2,
    BLK_SG = 64,
};
#define F_ALL UINT64_MAX

struct blk_header {
    uint32_t type, ioprio;
    uint64_t sector;
};

struct blk_range {
    uint64_t sector;
    uint32_t num_sectors, flags;
};

/* A request in guest memory: header and what the device reads, what it writes, the status. */
struct blk_call {
    uint64_t out, in; /* guest physical */
    uint32_t out_len, in_len;
    uint32_t room;
};

static struct bpt_machine *m;
static struct bpt_virtio *dev;
static struct bpt_vq *vq0;

__attribute__((unused)) static void
call_new(struct blk_call *c, uint32_t room)
{
    c->room = room;
    c->out = bpt_alloc(m, room + 64, 64);
    c->in = bpt_alloc(m, room + 64, 64);
}

/* Fills in the header; data follows it or is where the device writes. The status byte is the last
 * of the in part. */
__attribute__((unused)) static void
call_make(struct blk_call *c, uint32_t type, uint64_t sector, const void *out, uint32_t out_len,
          uint32_t in_len)
{
    struct blk_header h = {.type = type, .sector = sector};

    memcpy(bpt_ram(m, c->out, sizeof h), &h, sizeof h);
    if (out_len)
        memcpy(bpt_ram(m, c->out + sizeof h, out_len), out, out_len);
    memset(bpt_ram(m, c->in, in_len + 1), 0xcc, in_len);
    *(uint8_t *)bpt_ram(m, c->in + in_len, 1) = S_NONE;
    c->out_len = (uint32_t)sizeof h + out_len;
    c->in_len = in_len + 1;
}

__attribute__((unused)) static int
call_status(const struct blk_call *c)
{
    return *(const uint8_t *)bpt_ram(m, c->in + c->in_len - 1, 1);
}

__attribute__((unused)) static const uint8_t *
call_data(const struct blk_call *c)
{
    return bpt_ram(m, c->in, c->in_len);
}

__attribute__((unused)) static unsigned
sg_cut(struct bpt_sg *sg, uint64_t gpa, uint32_t len, uint32_t write, unsigned max)
{
    unsigned n = 0;

    while (len > 0) {
        uint32_t part = max == 1 ? len : 1 + (uint32_t)random_below(len);

        if (n + 1 == max)
            part = len;
        sg[n++] = (struct bpt_sg){gpa, part, write};
        gpa += part;
        len -= part;
    }
    return n;
}

/* Header, data and status each in a buffer of its own, as drivers do it. */
__attribute__((unused)) static unsigned
call_sg(const struct blk_call *c, struct bpt_sg *sg)
{
    unsigned n = 0;

    sg[n++] = (struct bpt_sg){c->out, sizeof(struct blk_header), 0};
    if (c->out_len > sizeof(struct blk_header))
        sg[n++] = (struct bpt_sg){c->out + sizeof(struct blk_header),
                                  c->out_len - (uint32_t)sizeof(struct blk_header), 0};
    if (c->in_len > 1)
        sg[n++] = (struct bpt_sg){c->in, c->in_len - 1, 1};
    sg[n++] = (struct bpt_sg){c->in + c->in_len - 1, 1, 1};
    return n;
}

/* Cut anywhere: a byte of header here, status at the end of data there (2.7.4.1). */
__attribute__((unused)) static unsigned
call_sg_random(const struct blk_call *c, struct bpt_sg *sg)
{
    unsigned n = sg_cut(sg, c->out, c->out_len, 0, 1 + (unsigned)random_below(BLK_SG / 2));

    return n + sg_cut(sg + n, c->in, c->in_len, 1, 1 + (unsigned)random_below(BLK_SG / 2));
}

/* Does it and waits: the status byte, or -1 when it is never used. */
__attribute__((unused)) static int
call_do(struct blk_call *c, uint32_t *ret_len)
{
    struct bpt_sg sg[BLK_SG];
    uint32_t len = 0;

    if (bpt_vq_do(vq0, sg, call_sg(c, sg), &len))
        return -1;
    if (ret_len)
        *ret_len = len;
    return call_status(c);
}

#endif
