/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-devices.c - the bad rings and chains against the real devices: what libbackplane-virtio
 * keeps from the toy it keeps from them, and a reset makes them serve again.
 */
#include "hostile.h"

#include <string.h>

/* ---- A disk in memory; requests are done when they are committed ---- */

#define DISK_BYTES (256u << 10)

static uint8_t disk[DISK_BYTES];
static struct bp_block_client disk_client;
static struct bp_block_req *disk_queue[1024];
static unsigned disk_n;

static int
disk_info(void *be, struct bp_block_info *ret)
{
    const struct bp_block_info info = {.size = ret->size,
                                       .block_size = 512,
                                       .bytes = DISK_BYTES,
                                       .features = BP_BLOCK_CAN_FLUSH | BP_BLOCK_CAN_DISCARD |
                                                   BP_BLOCK_CAN_ZERO,
                                       .physical_size = 4096};

    (void)be;
    memcpy(ret, &info, ret->size < sizeof info ? ret->size : sizeof info);
    return 0;
}

static int
disk_attach(void *be, const struct bp_block_client *client)
{
    (void)be;
    memset(&disk_client, 0, sizeof disk_client);
    if (client)
        memcpy(&disk_client, client,
               client->size < sizeof disk_client ? client->size : sizeof disk_client);
    return 0;
}

static int
disk_submit(void *be, struct bp_block_req *r)
{
    (void)be;
    if (r->offset > DISK_BYTES || r->len > DISK_BYTES - r->offset || r->offset % 512 ||
        r->len % 512)
        return BP_E_RANGE;
    if (disk_n == sizeof disk_queue / sizeof *disk_queue)
        return BP_E_AGAIN;
    disk_queue[disk_n++] = r;
    return 0;
}

static void
disk_do(struct bp_block_req *r)
{
    uint64_t at = r->offset;

    if (r->op == BP_BLOCK_ZERO)
        memset(disk + at, 0, r->len);
    for (uint32_t i = 0; i < r->n_iov && (r->op == BP_BLOCK_READ || r->op == BP_BLOCK_WRITE); i++) {
        const struct bp_iovec *v = &r->iov[i];

        if (r->op == BP_BLOCK_READ)
            memcpy(v->base, disk + at, v->len);
        else
            memcpy(disk + at, v->base, v->len);
        at += v->len;
    }
    r->done(r, 0);
}

static void
disk_commit(void *be)
{
    (void)be;
    for (unsigned i = 0; i < disk_n; i++)
        disk_do(disk_queue[i]);
    disk_n = 0;
    if (disk_client.completed)
        disk_client.completed(disk_client.user);
}

static const struct bp_block_if disk_if = {
    .size = sizeof disk_if,
    .info = disk_info,
    .attach = disk_attach,
    .submit = disk_submit,
    .commit = disk_commit,
};

static int
blk_before(struct bpt_machine *m)
{
    disk_n = 0;
    return bpt_provide(m, "back", BP_IF_BLOCK, &disk_if, disk);
}

static int
blk_works(struct bpt_virtio *v)
{
    struct bpt_machine *m = bpt_virtio_machine(v);
    uint64_t at = bpt_alloc(m, 1024, 512);
    const struct bpt_sg sg[3] = {{at, 16, 0}, {at + 512, 512, 1}, {at + 16, 1, 1}};
    uint8_t *p = bpt_ram(m, at, 1024);
    uint32_t len = 0;

    memset(p, 0, 1024);
    p[8] = 3; /* read sector 3 */
    p[16] = 0xff;
    memset(disk + 3 * 512, 0x3c, 512);
    return bpt_vq_do(bpt_virtio_queue(v, 0), sg, 3, &len) == 0 && len == 513 && p[16] == 0 &&
           p[512] == 0x3c && p[1023] == 0x3c;
}

/* ---- A network that swallows ---- */

static struct bp_net_client net_client;
static unsigned net_sent;

static int
net_info(void *be, struct bp_net_info *ret)
{
    const struct bp_net_info info = {
        .size = ret->size, .max_queues = 1, .link_up = 1, .mac = {2, 0, 0, 0, 0, 1}};

    (void)be;
    memcpy(ret, &info, ret->size < sizeof info ? ret->size : sizeof info);
    return 0;
}

static int
net_attach(void *be, const struct bp_net_client *client)
{
    (void)be;
    memset(&net_client, 0, sizeof net_client);
    if (client)
        memcpy(&net_client, client,
               client->size < sizeof net_client ? client->size : sizeof net_client);
    return 0;
}

static int
net_u32(void *be, uint32_t val)
{
    (void)be, (void)val;
    return 0;
}

static int
net_send(void *be, uint32_t queue, const struct bp_iovec *iov, uint32_t n_iov, uint64_t len)
{
    volatile uint8_t sum = 0; /* every byte must be there */

    (void)be, (void)queue, (void)len;
    for (uint32_t i = 0; i < n_iov; i++)
        for (uint64_t k = 0; k < iov[i].len; k++)
            sum = (uint8_t)(sum + ((const uint8_t *)iov[i].base)[k]);
    net_sent++;
    return 0;
}

static void
net_nothing(void *be, uint32_t queue)
{
    (void)be, (void)queue;
}

static const struct bp_net_if net_if = {
    .size = sizeof net_if,
    .info = net_info,
    .attach = net_attach,
    .set_queues = net_u32,
    .set_offloads = net_u32,
    .send = net_send,
    .commit = net_nothing,
    .ready = net_nothing,
};

static int
net_before(struct bpt_machine *m)
{
    return bpt_provide(m, "back", BP_IF_NET, &net_if, &net_client);
}

static int
net_works(struct bpt_virtio *v)
{
    struct bpt_machine *m = bpt_virtio_machine(v);
    uint64_t at = bpt_alloc(m, 1024, 16);
    const struct bpt_sg sg[2] = {{at, 12, 0}, {at + 64, 60, 0}};
    unsigned before = net_sent;

    memset(bpt_ram(m, at, 1024), 0, 1024);
    return bpt_vq_do(bpt_virtio_queue(v, 1), sg, 2, NULL) == 0 && net_sent == before + 1;
}

/* The other direction: a packet for the driver, who has put in bad buffers. */
static int
net_receive_works(struct bpt_virtio *v)
{
    static uint8_t frame[12 + 60];
    const struct bp_iovec iov = {frame, sizeof frame};
    struct bpt_machine *m = bpt_virtio_machine(v);
    struct bpt_vq *q = bpt_virtio_queue(v, 0);
    const struct bpt_sg sg = {bpt_alloc(m, 2048, 16), 2048, 1};
    uint32_t len = 0;

    bpt_vq_add(q, &sg, 1, 0);
    bpt_vq_kick(q);
    bpt_poll(m, 0);
    net_client.receive(net_client.user, 0, &iov, 1, sizeof frame);
    net_client.received(net_client.user, 0);
    bpt_poll(m, 0);
    return bpt_vq_get(q, &len) >= 0 && len == sizeof frame && net_works(v);
}

/* ---- A terminal that swallows, and random numbers ---- */

static int
char_attach(void *be, const struct bp_char_client *client)
{
    (void)be, (void)client;
    return 0;
}

static uint64_t
char_write(void *be, const void *buf, uint64_t n)
{
    volatile uint8_t sum = 0;

    for (uint64_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)buf)[i]);
    *(uint64_t *)be += n;
    return n;
}

static void
char_ready(void *be)
{
    (void)be;
}

static int
char_connected(void *be)
{
    (void)be;
    return 1;
}

static uint64_t char_bytes;
static const struct bp_char_if char_if = {
    .size = sizeof char_if,
    .attach = char_attach,
    .write = char_write,
    .ready = char_ready,
    .connected = char_connected,
};

static int
console_before(struct bpt_machine *m)
{
    return bpt_provide(m, "back", BP_IF_CHAR, &char_if, &char_bytes);
}

static int
console_works(struct bpt_virtio *v)
{
    struct bpt_machine *m = bpt_virtio_machine(v);
    const struct bpt_sg sg = {bpt_alloc(m, 16, 16), 5, 0};
    uint64_t before = char_bytes;

    return bpt_vq_do(bpt_virtio_queue(v, 1), &sg, 1, NULL) == 0 && char_bytes == before + 5;
}

static int
rng_works(struct bpt_virtio *v)
{
    struct bpt_machine *m = bpt_virtio_machine(v);
    const struct bpt_sg sg = {bpt_alloc(m, 16, 16), 16, 1};
    uint32_t len = 0;

    return bpt_vq_do(bpt_virtio_queue(v, 0), &sg, 1, &len) == 0 && len > 0 && len <= 16;
}

static int
input_works(struct bpt_virtio *v)
{
    struct bpt_machine *m = bpt_virtio_machine(v);
    const struct bpt_sg sg = {bpt_alloc(m, 8, 8), 8, 0};
    uint32_t len = 1;

    return bpt_vq_do(bpt_virtio_queue(v, 1), &sg, 1, &len) == 0 && len == 0;
}

static const struct target targets[] = {
    {.name = "virtio-blk",
     .plugin = "virtio-blk",
     .device_id = 2,
     .props = "drive=back",
     .n_queues = 1,
     .before = blk_before,
     .works = blk_works},
    {.name = "virtio-net, sending",
     .plugin = "virtio-net",
     .device_id = 1,
     .props = "netdev=back",
     .queue = 1,
     .n_queues = 2,
     .before = net_before,
     .works = net_receive_works},
    {.name = "virtio-console",
     .plugin = "virtio-console",
     .device_id = 3,
     .props = "chardev=back",
     .queue = 1,
     .n_queues = 2,
     .before = console_before,
     .works = console_works},
    {.name = "virtio-rng",
     .plugin = "virtio-rng",
     .device_id = 4,
     .n_queues = 1,
     .works = rng_works},
    {.name = "virtio-input",
     .plugin = "virtio-input",
     .device_id = 18,
     .queue = 1,
     .n_queues = 2,
     .works = input_works},
};

int
main(void)
{
    for (unsigned i = 0; i < sizeof targets / sizeof *targets; i++) {
        hostile_run(&targets[i], ring_cases, n_ring_cases);
        hostile_run(&targets[i], chain_cases, n_chain_cases);
    }
    return hostile_end();
}
