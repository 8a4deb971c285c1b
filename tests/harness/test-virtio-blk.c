/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-virtio-blk.c - virtio-blk in front of a back end that this test plays: what it is asked for,
 * when, and what the driver is told; full, failing and slow back ends; bad requests.
 */
#include "tests/harness/blk-driver.h"

#define SECTORS 2048u
#define HELD    64

/* The back end. Requests wait until serve(); with instant they are served in commit(). */
static struct {
    struct bp_block_info info;
    const struct bp_block_client *client;
    struct bp_block_req *held[HELD];
    unsigned n_held, committed, depth, submits, commits, instant, in_submit;
    int result, submit_result;
    uint32_t ops[256]; /* what was done, in order */
    unsigned n_ops;
    uint8_t data[SECTORS * 512];
} be;

static int
be_info(void *self, struct bp_block_info *ret_info)
{
    (void)self;
    *ret_info = be.info;
    return 0;
}

static int
be_attach(void *self, const struct bp_block_client *client)
{
    (void)self;
    if (client && be.client)
        return BP_E_BUSY;
    be.client = client;
    return 0;
}

static int
be_submit(void *self, struct bp_block_req *req)
{
    (void)self;
    be.submits++;
    if (be.submit_result)
        return be.submit_result;
    if (req->op != BP_BLOCK_FLUSH &&
        (req->offset > sizeof be.data || req->len > sizeof be.data - req->offset))
        return BP_E_RANGE;
    if (be.n_held == be.depth)
        return BP_E_AGAIN;
    be.held[be.n_held++] = req;
    return 0;
}

static void
serve_one(struct bp_block_req *req)
{
    uint8_t *p = be.data + req->offset;
    uint64_t sum = 0;

    be.ops[be.n_ops++ % 256] = req->op;
    for (uint32_t i = 0; (req->op == BP_BLOCK_READ || req->op == BP_BLOCK_WRITE) && i < req->n_iov;
         i++) {
        sum += req->iov[i].len;
        if (be.result == 0 && req->op == BP_BLOCK_READ)
            memcpy(req->iov[i].base, p, req->iov[i].len);
        else if (be.result == 0)
            memcpy(p, req->iov[i].base, req->iov[i].len);
        p += req->iov[i].len;
    }
    if (sum != req->len && (req->op == BP_BLOCK_READ || req->op == BP_BLOCK_WRITE))
        ok(0, "the pieces add up to the length");
    if (be.result == 0 && req->op == BP_BLOCK_ZERO)
        memset(p, 0, req->len);
    req->done(req, be.result);
}

/* Serves n of what is held and committed, first come first. */
static unsigned
serve(unsigned n)
{
    unsigned served = 0;

    for (; served < n && be.committed > 0; served++) {
        struct bp_block_req *req = be.held[0];

        memmove(be.held, be.held + 1, --be.n_held * sizeof *be.held);
        be.committed--;
        serve_one(req);
    }
    if (served && be.client)
        be.client->completed(be.client->user);
    return served;
}

static void
be_commit(void *self)
{
    static int within;

    (void)self;
    be.commits++;
    be.committed = be.n_held;
    if (!be.instant || within)
        return;
    within = 1;
    serve(HELD);
    within = 0;
}

static const struct bp_block_if be_if = {
    .size = sizeof be_if,
    .info = be_info,
    .attach = be_attach,
    .submit = be_submit,
    .commit = be_commit,
};

static void
be_reset(void)
{
    memset(&be, 0, sizeof be);
    be.info = (struct bp_block_info){
        .size = sizeof be.info,
        .block_size = 512,
        .physical_size = 4096,
        .bytes = sizeof be.data,
        .features = BP_BLOCK_CAN_FLUSH | BP_BLOCK_CAN_DISCARD | BP_BLOCK_CAN_ZERO,
        .mem_align = 1,
    };
    be.depth = HELD;
    be.instant = 1;
}

/* A machine with the disk in it. */
static int
machine(const char *props)
{
    char all[300];

    m = bpt_new(16 << 20, 0);
    snprintf(all, sizeof all, "drive=be,transport=mmio%s%s", props ? "," : "", props ? props : "");
    bpt_provide(m, "be", BP_IF_BLOCK, &be_if, NULL);
    if (bpt_load(m, "virtio-blk", "d", all) || bpt_realize_all(m) || bpt_start(m)) {
        printf("# %s\n", bpt_error(m));
        return -1;
    }
    dev = bpt_virtio_find(m, BLK_ID, 0);
    return 0;
}

static int
driver(uint64_t features, uint32_t queues)
{
    int err = bpt_virtio_setup(dev, features, queues);

    vq0 = bpt_virtio_queue(dev, 0);
    return err;
}

static void
finish(void)
{
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");
    ok(be.client == NULL, "the back end is let go");
}

static void
configuration(void)
{
    uint64_t f;
    int err;

    be_reset();
    if (!ok(machine("queues=4,queue_size=128,serial=0123456789abcdefghij") == 0, "starts"))
        return;
    f = bpt_virtio_offered(dev);
    eq_int(f & 0xffffff,
           1 << F_SEG_MAX | 1 << F_BLK_SIZE | 1 << F_FLUSH | 1 << F_TOPOLOGY | 1 << F_CONFIG_WCE |
               1 << F_MQ | 1 << F_DISCARD | 1 << F_WRITE_ZEROES,
           "features of a writable disk");
    eq_int(bpt_virtio_config(dev, 0, 8), SECTORS, "capacity");
    eq_int(bpt_virtio_config(dev, 12, 4), 126, "seg_max: what a queue has room for");
    eq_int(bpt_virtio_config(dev, 20, 4), 512, "blk_size");
    eq_int(bpt_virtio_config(dev, 24, 1), 3, "physical_block_exp");
    eq_int(bpt_virtio_config(dev, 26, 2), 8, "min_io_size");
    eq_int(bpt_virtio_config(dev, 34, 2), 4, "num_queues");
    eq_int(bpt_virtio_config(dev, 36, 4), 0x3fffff, "max_discard_sectors");
    eq_int(bpt_virtio_config(dev, 40, 4), 32, "max_discard_seg");
    eq_int(bpt_virtio_config(dev, 44, 4), 8, "discard_sector_alignment");
    eq_int(bpt_virtio_config(dev, 52, 4), 32, "max_write_zeroes_seg");
    eq_int(bpt_virtio_config(dev, 56, 1), 1, "write_zeroes_may_unmap");
    eq_int(bpt_virtio_queue_max(dev, 3), 128, "queue 3 has 128 descriptors");
    eq_int(bpt_virtio_queue_max(dev, 4), 0, "there is no queue 4");
    eq_int(driver(F_ALL, 4), 0, "a driver takes it");

    be.info.bytes = 1024 * 512;
    bpt_virtio_irq(dev);
    f = bpt_virtio_generation(dev);
    be.client->changed(be.client->user);
    eq_int(bpt_virtio_irq(dev), 2, "a resize interrupts");
    ok(bpt_virtio_generation(dev) != f, "with a new generation");
    eq_int(bpt_virtio_config(dev, 0, 8), 1024, "and the new capacity");
    finish();

    be_reset();
    be.info.features = BP_BLOCK_READONLY;
    if (ok(machine(NULL) == 0, "starts with a readonly back end")) {
        eq_int(bpt_virtio_offered(dev) & 0xffffff,
               1 << F_SEG_MAX | 1 << F_RO | 1 << F_BLK_SIZE | 1 << F_TOPOLOGY, "its features");
        finish();
    }
    be_reset();
    if (ok(machine("readonly=true") == 0, "starts readonly itself")) {
        f = bpt_virtio_offered(dev);
        ok((f & 1 << F_RO) && !(f & (1 << F_DISCARD | 1 << F_WRITE_ZEROES)), "and says so");
        finish();
    }
    m = bpt_new(1 << 20, 0);
    be_reset();
    bpt_provide(m, "be", BP_IF_BLOCK, &be_if, NULL);
    err = bpt_load(m, "virtio-blk", "d", "drive=be,queue_size=100") || bpt_realize(m, "d");
    ok(err, "queue_size = 100 is refused: %s", bpt_error(m));
    err = bpt_load(m, "virtio-blk", "e", "drive=be,serial=0123456789abcdefghijk") ||
          bpt_realize(m, "e");
    ok(err, "a serial number of 21 bytes is refused: %s", bpt_error(m));
    eq_int(bpt_load(m, "virtio-blk", "f", "drive=be") || bpt_realize(m, "f"), 0, "a good one");
    err = bpt_load(m, "virtio-blk", "g", "drive=be") || bpt_realize(m, "g");
    ok(err, "a second disk on the same back end is refused: %s", bpt_error(m));
    bpt_free(m);
}

static void
requests(void)
{
    struct blk_call c;
    struct blk_range r[40];
    uint32_t len;
    uint8_t data[4096];

    be_reset();
    if (!ok(machine("serial=disk-7") == 0, "starts"))
        return;
    eq_int(driver(F_ALL, 1), 0, "a driver takes it");
    call_new(&c, 8192);
    memset(data, 0x5a, sizeof data);
    call_make(&c, T_OUT, 8, data, sizeof data, 0);
    eq_int(call_do(&c, &len), S_OK, "write");
    eq_int(len, 1, "one byte was written to guest memory");
    ok(be.data[8 * 512] == 0x5a && be.data[16 * 512 - 1] == 0x5a && !be.data[16 * 512], "the data");
    call_make(&c, T_IN, 8, NULL, 0, 4096);
    eq_int(call_do(&c, &len), S_OK, "read");
    eq_int(len, 4097, "length");
    ok(!memcmp(call_data(&c), data, 4096), "the data");
    call_make(&c, T_FLUSH, 0, NULL, 0, 0);
    eq_int(call_do(&c, &len), S_OK, "flush");
    eq_int(be.ops[be.n_ops - 1], BP_BLOCK_FLUSH, "reaches the back end");
    call_make(&c, T_GET_ID, 0, NULL, 0, 20);
    eq_int(call_do(&c, &len), S_OK, "get-id");
    ok(!memcmp(call_data(&c), "disk-7\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20), "20 bytes, filled up");
    eq_int(len, 21, "length");
    call_make(&c, T_GET_ID, 0, NULL, 0, 3);
    eq_int(call_do(&c, &len), S_OK, "get-id with room for 3");
    ok(!memcmp(call_data(&c), "dis", 3), "3 bytes");
    call_make(&c, T_IN, 0, NULL, 0, 0);
    eq_int(call_do(&c, NULL), S_OK, "reading nothing");
    call_make(&c, T_OUT, SECTORS, data, 0, 0);
    eq_int(call_do(&c, NULL), S_OK, "writing nothing, at the very end");

    for (int i = 0; i < 40; i++)
        r[i] = (struct blk_range){8u + (unsigned)i, 1, 1};
    call_make(&c, T_WRITE_ZEROES, 0, r, 8 * sizeof *r, 0);
    eq_int(call_do(&c, NULL), S_OK, "write zeroes in 8 pieces");
    ok(!be.data[8 * 512] && !be.data[16 * 512 - 1], "zeroes");
    for (int i = 0; i < 40; i++)
        r[i].flags = 0;
    be.n_ops = 0;
    call_make(&c, T_DISCARD, 0, r, 32 * sizeof *r, 0);
    eq_int(call_do(&c, NULL), S_OK, "discard in 32 pieces");
    eq_int(be.n_ops, 32, "32 requests");
    be.n_ops = 0;
    call_make(&c, T_DISCARD, 0, r, 33 * sizeof *r, 0);
    eq_int(call_do(&c, NULL), S_IOERR, "33 pieces are too many");
    r[3].flags = 1;
    call_make(&c, T_DISCARD, 0, r, 8 * sizeof *r, 0);
    eq_int(call_do(&c, NULL), S_UNSUPP, "discard with a flag");
    r[3].flags = 2;
    call_make(&c, T_WRITE_ZEROES, 0, r, 8 * sizeof *r, 0);
    eq_int(call_do(&c, NULL), S_UNSUPP, "write zeroes with a reserved flag");
    r[3] = (struct blk_range){SECTORS - 1, 2, 0};
    call_make(&c, T_WRITE_ZEROES, 0, r, 8 * sizeof *r, 0);
    eq_int(call_do(&c, NULL), S_IOERR, "write zeroes past the end");
    r[3] = (struct blk_range){UINT64_MAX, 2, 0};
    call_make(&c, T_DISCARD, 0, r, 8 * sizeof *r, 0);
    eq_int(call_do(&c, NULL), S_IOERR, "discard at a sector that overflows");
    r[3] = (struct blk_range){0, 0x400000, 0};
    call_make(&c, T_DISCARD, 0, r, 8 * sizeof *r, 0);
    eq_int(call_do(&c, NULL), S_IOERR, "a piece that is too long");
    call_make(&c, T_DISCARD, 0, r, 8, 0);
    eq_int(call_do(&c, NULL), S_IOERR, "half a piece");
    call_make(&c, T_DISCARD, 0, r, 0, 0);
    eq_int(call_do(&c, NULL), S_IOERR, "no piece");
    eq_int(be.n_ops, 0, "none of these has reached the back end");

    call_make(&c, T_IN, SECTORS, NULL, 0, 512);
    eq_int(call_do(&c, NULL), S_IOERR, "read past the end");
    call_make(&c, T_IN, SECTORS - 1, NULL, 0, 1024);
    eq_int(call_do(&c, NULL), S_IOERR, "read across the end");
    call_make(&c, T_OUT, UINT64_MAX / 512, data, 1024, 0);
    eq_int(call_do(&c, NULL), S_IOERR, "write at a sector that overflows");
    call_make(&c, T_OUT, UINT64_MAX, data, 512, 0);
    eq_int(call_do(&c, NULL), S_IOERR, "write at the last number there is");
    call_make(&c, T_IN, 0, NULL, 0, 511);
    eq_int(call_do(&c, NULL), S_IOERR, "read of half a sector");
    call_make(&c, T_OUT, 0, data, 513, 0);
    eq_int(call_do(&c, NULL), S_IOERR, "write of a sector and a byte");
    call_make(&c, 2, 0, NULL, 0, 512);
    eq_int(call_do(&c, NULL), S_UNSUPP, "unknown type");
    call_make(&c, 0x80000000u, 0, NULL, 0, 512);
    eq_int(call_do(&c, NULL), S_UNSUPP, "unknown type, barrier bit");
    eq_int(be.n_ops, 0, "none of these has reached the back end");
    be.result = BP_E_NOSPC;
    call_make(&c, T_OUT, 0, data, 512, 0);
    eq_int(call_do(&c, &len), S_IOERR, "a full back end");
    call_make(&c, T_IN, 0, NULL, 0, 512);
    eq_int(call_do(&c, &len), S_IOERR, "a back end that fails");
    be.result = 0;
    be.submit_result = BP_E_NOTSUP;
    call_make(&c, T_FLUSH, 0, NULL, 0, 0);
    eq_int(call_do(&c, &len), S_UNSUPP, "what the back end does not know");
    be.submit_result = 0;
    call_make(&c, T_IN, 0, NULL, 0, 512);
    eq_int(call_do(&c, &len), S_OK, "and all is well");
    finish();

    be_reset();
    ok(machine("readonly=true") == 0 && driver(F_ALL, 1) == 0, "a readonly disk");
    call_new(&c, 8192);
    call_make(&c, T_OUT, 0, data, 512, 0);
    eq_int(call_do(&c, NULL), S_IOERR, "write");
    call_make(&c, T_DISCARD, 0, r, sizeof *r, 0);
    eq_int(call_do(&c, NULL), S_UNSUPP, "discard that was not offered");
    eq_int(be.submits, 0, "the back end hears nothing of it");
    finish();
}

/* 2.7.4.1: a driver may cut its request anywhere. */
static void
layouts(void)
{
    struct bpt_sg sg[BLK_SG];
    struct blk_call c;
    uint8_t data[4096];
    unsigned bad = 0;
    uint32_t len;

    be_reset();
    ok(machine(NULL) == 0 && driver(F_ALL, 1) == 0, "a disk");
    call_new(&c, 8192);
    for (unsigned i = 0; i < 400; i++) {
        uint32_t bytes = 512u * (1 + (uint32_t)random_below(8));

        random_fill(data, bytes);
        call_make(&c, T_OUT, i % 64, data, bytes, 0);
        bad += bpt_vq_do(vq0, sg, call_sg_random(&c, sg), &len) || call_status(&c) != S_OK;
        call_make(&c, T_IN, i % 64, NULL, 0, bytes);
        bad += bpt_vq_do(vq0, sg, call_sg_random(&c, sg), &len) || call_status(&c) != S_OK ||
               memcmp(call_data(&c), data, bytes) || len != bytes + 1;
    }
    eq_int(bad, 0, "requests that are cut anywhere");
    finish();
}

/* Requests that are no requests: a status where there is room for one, else NEEDS_RESET. */
static void
malformed(void)
{
    struct blk_call c;
    struct bpt_sg sg[3];
    uint32_t len;

    be_reset();
    ok(machine(NULL) == 0 && driver(F_ALL, 1) == 0, "a disk");
    call_new(&c, 4096);
    call_make(&c, T_IN, 0, NULL, 0, 512);
    sg[0] = (struct bpt_sg){c.out, 15, 0};
    sg[1] = (struct bpt_sg){c.in, 513, 1};
    eq_int(bpt_vq_do(vq0, sg, 2, &len), 0, "a header of 15 bytes is used");
    eq_int(call_status(&c), S_IOERR, "with an error");
    call_make(&c, T_IN, 0, NULL, 0, 512);
    sg[0] = sg[1];
    eq_int(bpt_vq_do(vq0, sg, 1, &len), 0, "no header at all");
    eq_int(call_status(&c), S_IOERR, "an error");
    eq_int(be.submits, 0, "the back end hears nothing of it");
    sg[0] = (struct bpt_sg){c.out, 16, 0};
    bpt_vq_add(vq0, sg, 1, 0);
    bpt_vq_kick(vq0);
    bpt_poll(m, 0);
    ok(bpt_virtio_status(dev) & 64, "no room for a status: NEEDS_RESET");
    eq_int(driver(F_ALL, 1), 0, "after a reset");
    call_make(&c, T_IN, 0, NULL, 0, 512);
    eq_int(call_do(&c, &len), S_OK, "it works again");
    finish();
}

static unsigned
add_reads(struct blk_call *c, unsigned n)
{
    struct bpt_sg sg[BLK_SG];
    unsigned added = 0;

    for (unsigned i = 0; i < n; i++) {
        call_make(&c[i], T_IN, i, NULL, 0, 512);
        added += bpt_vq_add(vq0, sg, call_sg(&c[i], sg), 1) >= 0;
    }
    bpt_vq_kick(vq0);
    bpt_poll(m, 0);
    return added;
}

static unsigned
count_used(void)
{
    unsigned n = 0;

    while (bpt_vq_get(vq0, NULL) >= 0)
        n++;
    return n;
}

static void
batches(void)
{
    struct blk_call c[40];
    unsigned served = 0;

    be_reset();
    be.instant = 0;
    ok(machine("queue_size=64") == 0 && driver(F_ALL, 1) == 0, "a disk");
    for (int i = 0; i < 40; i++)
        call_new(&c[i], 1024);
    bpt_virtio_irq(dev);
    be.commits = 0;
    eq_int(add_reads(c, 40), 40, "40 requests at once");
    eq_int(be.n_held, 40, "are all submitted");
    eq_int(be.commits, 1, "with one commit");
    eq_int(bpt_virtio_irq(dev), 0, "no interrupt yet");
    serve(10);
    eq_int(bpt_virtio_irq(dev), 1, "ten are done: an interrupt");
    eq_int(count_used(), 10, "ten used");
    serve(30);
    eq_int(count_used(), 30, "the rest");

    be.depth = 4; /* a back end that takes four at a time */
    eq_int(add_reads(c, 40), 40, "40 requests, a back end that takes 4");
    eq_int(be.n_held, 4, "has 4");
    for (int i = 0; i < 1000 && served < 40; i++) {
        served += serve(1 + (unsigned)random_below(4));
        bpt_poll(m, 0);
    }
    eq_int(served, 40, "gets them all");
    eq_int(count_used(), 40, "and the driver too");
    be.depth = 1;
    be.instant = 1;
    eq_int(add_reads(c, 40), 40, "the same with one at a time, done within commit()");
    for (int i = 0; i < 100; i++)
        bpt_poll(m, 0);
    eq_int(count_used(), 40, "all done");
    finish();
}

static void
resets(void)
{
    struct blk_call c[8];

    be_reset();
    be.instant = 0;
    ok(machine(NULL) == 0 && driver(F_ALL, 1) == 0, "a disk");
    for (int i = 0; i < 8; i++)
        call_new(&c[i], 1024);
    be.depth = 3;
    add_reads(c, 8);
    eq_int(be.n_held, 3, "three requests are under way, five wait");
    bpt_virtio_set_status(dev, 0);
    ok(bpt_virtio_status(dev) != 0, "a reset in the middle waits for them");
    serve(1);
    ok(bpt_virtio_status(dev) != 0, "for all of them");
    eq_int(be.n_held, 2, "and asks for nothing more");
    serve(8);
    eq_int(bpt_virtio_status(dev), 0, "then it is done");
    for (int i = 0; i < 8; i++)
        if (call_status(&c[i]) == S_OK)
            ok(0, "a request of before the reset is completed");
    be.depth = HELD;
    be.instant = 1;
    eq_int(driver(F_ALL, 1), 0, "the driver starts over");
    call_make(&c[0], T_IN, 0, NULL, 0, 512);
    eq_int(call_do(&c[0], NULL), S_OK, "and reads");

    be.instant = 0;
    be.depth = 3;
    add_reads(c, 8);
    ok(bpt_virtio_status(dev) & 4, "live");
    be.instant = 1; /* from the next commit on */
    serve(3);
    eq_int(bpt_quiesce(m), 0, "a stop in the middle");
    eq_int(be.n_held, 0, "leaves nothing under way");
    eq_int(count_used(), 7, "what was under way and what waited was done, nothing more was begun");
    eq_int(bpt_maps(m), 0, "and no memory mapped");
    eq_int(bpt_state_roundtrip(m, "d"), 0, "state");
    eq_int(bpt_start(m), 0, "on it goes");
    for (int i = 0; i < 20; i++)
        bpt_poll(m, 0);
    eq_int(count_used(), 1, "nothing is lost over the stop");
    eq_int(bpt_reset(m), 0, "a machine reset");
    eq_int(bpt_virtio_status(dev), 0, "is a device reset");
    eq_int(driver(F_ALL, 1), 0, "a new driver");
    call_make(&c[0], T_IN, 0, NULL, 0, 512);
    eq_int(call_do(&c[0], NULL), S_OK, "reads");
    finish();
}

static void
write_through(void)
{
    struct blk_call c;
    struct blk_range r = {0, 8, 0};
    uint8_t data[512] = {1};

    be_reset();
    ok(machine(NULL) == 0, "a disk");
    eq_int(driver(F_ALL & ~(1ull << F_FLUSH | 1ull << F_CONFIG_WCE), 1), 0,
           "a driver that does not flush");
    call_new(&c, 4096);
    be.n_ops = 0;
    call_make(&c, T_OUT, 0, data, 512, 0);
    eq_int(call_do(&c, NULL), S_OK, "writes");
    ok(be.n_ops == 2 && be.ops[0] == BP_BLOCK_WRITE && be.ops[1] == BP_BLOCK_FLUSH,
       "and the write is flushed before it is done");
    call_make(&c, T_WRITE_ZEROES, 0, &r, sizeof r, 0);
    eq_int(call_do(&c, NULL), S_OK, "write zeroes");
    ok(be.n_ops == 4 && be.ops[3] == BP_BLOCK_FLUSH, "too");

    eq_int(driver(F_ALL, 1), 0, "a driver that may switch the cache");
    eq_int(bpt_virtio_config(dev, 32, 1), 1, "it is on");
    be.n_ops = 0;
    call_make(&c, T_OUT, 0, data, 512, 0);
    ok(call_do(&c, NULL) == S_OK && be.n_ops == 1, "a write is one write");
    bpt_virtio_config_write(dev, 32, 1, 0);
    eq_int(bpt_virtio_config(dev, 32, 1), 0, "switched off");
    call_make(&c, T_OUT, 0, data, 512, 0);
    ok(call_do(&c, NULL) == S_OK && be.n_ops == 3, "a write is a write and a flush");
    bpt_quiesce(m);
    eq_int(bpt_state_roundtrip(m, "d"), 0, "state");
    bpt_start(m);
    eq_int(bpt_virtio_config(dev, 32, 1), 0, "still off after a restore");
    eq_int(bpt_virtio_reset(dev), 0, "reset");
    eq_int(bpt_virtio_config(dev, 32, 1), 1, "on again");
    eq_int(driver(F_ALL & ~(1ull << F_CONFIG_WCE), 1), 0, "a driver that may not switch it");
    bpt_virtio_config_write(dev, 32, 1, 0);
    eq_int(bpt_virtio_config(dev, 32, 1), 1, "cannot");
    finish();
}

/* Whatever is in the requests, each is used once or the device asks for a reset. */
static void
garbage(void)
{
    unsigned bad = 0, resets_seen = 0;
    uint64_t page;

    be_reset();
    be.depth = 5;
    random_seed(77);
    ok(machine(NULL) == 0 && driver(F_ALL, 1) == 0, "a disk");
    page = bpt_alloc(m, 65536, 4096);
    for (int i = 0; i < 3000; i++) {
        struct bpt_sg sg[12];
        struct blk_header h = {.type = (uint32_t)random_below(16), .sector = random_u64()};
        unsigned n = 1 + (unsigned)random_below(11), out = (unsigned)random_below(n + 1);

        if (random_below(2))
            h.sector %= SECTORS + 8;
        random_fill(bpt_ram(m, page, 1024), 1024);
        if (random_below(8))
            memcpy(bpt_ram(m, page, sizeof h), &h, sizeof h);
        for (unsigned k = 0; k < n; k++)
            sg[k] = (struct bpt_sg){page + 512 * k, 1 + (uint32_t)random_below(600), k >= out};
        if (random_below(2) && out > 0)
            sg[0].len = 16;
        if (bpt_vq_add(vq0, sg, n, 0) < 0)
            bad++;
        bpt_vq_kick(vq0);
        bpt_poll(m, 0);
        bpt_poll(m, 0);
        if (bpt_virtio_status(dev) & 64) {
            resets_seen++;
            bad += driver(F_ALL, 1) != 0;
        } else if (count_used() != 1) {
            bad++;
        }
    }
    eq_int(bad, 0, "3000 random requests");
    ok(resets_seen > 10 && resets_seen < 2500, "%u of them needed a reset", resets_seen);
    finish();
}

static void
failing_host(void)
{
    unsigned n, bad = 0;

    for (n = 1; n < 2000; n++) {
        int err, injected;

        be_reset();
        m = bpt_new(1 << 20, 0);
        bpt_provide(m, "be", BP_IF_BLOCK, &be_if, NULL);
        bpt_inject(m, NULL, n, BP_E_NOMEM);
        err = bpt_load(m, "virtio-blk", "d", "drive=be,transport=mmio,queues=3");
        if (!err)
            err = bpt_realize_all(m);
        injected = bpt_injected(m);
        bad += (bpt_free(m) != 0) + (be.client != NULL);
        if (!injected) {
            bad += err != 0;
            break;
        }
    }
    eq_int(bad, 0, "a host that fails at any call");
    ok(n > 10 && n < 2000, "%u calls", n);
}

/* One read made available; 1 when the driver has to notify. */
static int
add_read(struct blk_call *c)
{
    struct bpt_sg sg[BLK_SG];

    call_make(c, T_IN, 0, NULL, 0, 512);
    if (bpt_vq_add(vq0, sg, call_sg(c, sg), 0) < 0)
        return -1;
    return bpt_vq_kick(vq0);
}

/* The context looks into the queue itself, and the driver need not notify. */
static void
polling(uint64_t features, const char *what)
{
    struct blk_call c[4];
    unsigned kicks = 0, bad = 0;

    be_reset();
    if (!ok(machine("queues=2") == 0, "polling, %s", what))
        return;
    eq_int(bpt_look(m, BP_POLL_LOOK), 0, "no driver, no work");
    eq_int(driver(features, 2), 0, "a driver takes it");
    for (int i = 0; i < 4; i++)
        call_new(&c[i], 512);
    eq_int(bpt_look(m, BP_POLL_LOOK), 0, "an empty queue, no work");
    eq_int(add_read(&c[0]), 1, "the driver notifies");
    eq_int(bpt_look(m, BP_POLL_LOOK), 1, "but a look finds it first");
    eq_int(bpt_vq_get(vq0, NULL) >= 0, 1, "and it is done");
    bpt_pump(m);
    bpt_look(m, BP_POLL_BEGIN);
    (void)!add_read(&c[0]); /* its place is where notifications were last asked for */
    bpt_pump(m);
    bpt_look(m, BP_POLL_LOOK);
    bpt_vq_get(vq0, NULL);
    for (int i = 0; i < 100; i++) {
        kicks += (unsigned)add_read(&c[0]) + (unsigned)add_read(&c[1]);
        bad += bpt_look(m, BP_POLL_LOOK) != 1 || bpt_look(m, BP_POLL_LOOK) != 0;
        bad += bpt_vq_get(vq0, NULL) < 0 || bpt_vq_get(vq0, NULL) < 0;
    }
    eq_int(kicks, 0, "from then on it never notifies");
    eq_int(bad, 0, "and each time there is work, once");
    eq_int(bpt_pump(m), 0, "without an event");
    eq_int(add_read(&c[0]), 0, "what comes at the last moment without notification");
    eq_int(bpt_look(m, BP_POLL_END), 1, "is found at the end");
    eq_int(bpt_vq_get(vq0, NULL) >= 0, 1, "and done");
    eq_int(add_read(&c[0]), 1, "afterwards the driver notifies again");
    bpt_pump(m);
    eq_int(bpt_vq_get(vq0, NULL) >= 0, 1, "and is heard");

    /* A back end that is full: looking again and again would be of no use. */
    be.depth = 1;
    be.instant = 0;
    bpt_look(m, BP_POLL_BEGIN);
    for (int i = 0; i < 3; i++)
        (void)!add_read(&c[i]);
    bpt_pump(m);
    bpt_look(m, BP_POLL_LOOK);
    eq_int(bpt_look(m, BP_POLL_LOOK), 0, "what waits for a full back end is no work");
    (void)!add_read(&c[3]);
    (void)!bpt_look(m, BP_POLL_LOOK);
    eq_int(bpt_look(m, BP_POLL_LOOK), 0, "nor is what comes on top");
    for (int i = 0; i < 8; i++) {
        serve(HELD);
        bpt_pump(m);
    }
    for (int i = 0; i < 4; i++)
        bad += bpt_vq_get(vq0, NULL) < 0;
    eq_int(bad, 0, "it is all done in the end");
    bpt_look(m, BP_POLL_END);

    /* A reset while it polls, and a new driver. */
    bpt_look(m, BP_POLL_BEGIN);
    eq_int(driver(features, 1), 0, "another driver, while the context polls");
    be.depth = HELD;
    be.instant = 1;
    (void)!add_read(&c[0]);
    bpt_pump(m);
    bpt_look(m, BP_POLL_LOOK);
    eq_int(bpt_vq_get(vq0, NULL) >= 0, 1, "is served");
    bpt_look(m, BP_POLL_END);
    eq_int(add_read(&c[0]), 1, "and notifies");
    bpt_pump(m);
    eq_int(bpt_vq_get(vq0, NULL) >= 0, 1, "to be served");
    finish();
}

int
main(void)
{
    configuration();
    requests();
    layouts();
    malformed();
    batches();
    resets();
    write_through();
    garbage();
    failing_host();
    polling(F_ALL, "EVENT_IDX");
    polling(F_ALL & ~(UINT64_C(1) << BP_VIRTIO_F_EVENT_IDX), "flags");
    return done_testing();
}
