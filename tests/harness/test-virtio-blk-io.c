/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-virtio-blk-io.c - a virtio disk on a real file keeps data: several queues, many requests at
 * once, cut up in every way, directly and through indirect tables, with resets and stops between.
 */
#include "tests/harness/blk-driver.h"

#define DISK_BYTES (4u << 20)
#define SLOTS      24
#define SLOT_BYTES (DISK_BYTES / SLOTS / 4096 * 4096)
#define ROUNDS     800
#define QUEUES     3

struct slot {
    struct blk_call call;
    struct bpt_vq *vq;
    uint32_t type;
    uint64_t off, len;
    unsigned descs;
    int head, busy;
};

static struct slot slots[SLOTS];
static struct model model;
static unsigned done, wrong, failed;

static void
make(struct slot *s, unsigned i)
{
    static const uint32_t types[] = {T_IN,  T_IN,    T_OUT,     T_OUT,
                                     T_OUT, T_FLUSH, T_DISCARD, T_WRITE_ZEROES};
    static uint8_t data[SLOT_BYTES];
    struct blk_range range[2];
    uint32_t sectors = SLOT_BYTES / 512, first = (uint32_t)random_below(sectors);
    uint32_t count = 1 + (uint32_t)random_below(random_below(3) ? 8 : sectors), half;

    if (count > sectors - first)
        count = sectors - first;
    s->type = types[random_below(sizeof types / sizeof *types)];
    s->off = (uint64_t)i * SLOT_BYTES + first * 512u;
    s->len = count * 512u;
    half = count / 2;
    range[0] = (struct blk_range){s->off / 512, half, 0};
    range[1] = (struct blk_range){s->off / 512 + half, count - half, 0};
    switch (s->type) {
    case T_IN:
        call_make(&s->call, T_IN, s->off / 512, NULL, 0, (uint32_t)s->len);
        break;
    case T_OUT:
        random_fill(data, s->len);
        call_make(&s->call, T_OUT, s->off / 512, data, (uint32_t)s->len, 0);
        model_write(&model, s->off, data, s->len);
        break;
    case T_FLUSH:
        call_make(&s->call, T_FLUSH, 0, NULL, 0, 0);
        break;
    case T_DISCARD:
        call_make(&s->call, T_DISCARD, 0, range, sizeof range, 0);
        model_forget(&model, s->off, s->len);
        break;
    case T_WRITE_ZEROES:
        range[0].flags = (uint32_t)random_below(2);
        call_make(&s->call, T_WRITE_ZEROES, 0, range, sizeof range, 0);
        model_write(&model, s->off, NULL, s->len);
        break;
    }
}

static void
start_one(unsigned i)
{
    struct bpt_sg sg[BLK_SG];
    struct slot *s = &slots[i];
    unsigned n, used = 0;
    int indirect;

    make(s, i);
    n = random_below(4) ? call_sg(&s->call, sg) : call_sg_random(&s->call, sg);
    s->vq = bpt_virtio_queue(dev, (uint32_t)random_below(QUEUES));
    /* Each slot can have one descriptor at least. */
    for (unsigned k = 0; k < SLOTS; k++)
        if (slots[k].busy && slots[k].vq == s->vq)
            used += slots[k].descs;
    indirect = random_below(2) || used + n + SLOTS > s->vq->num;
    s->descs = indirect ? 1 : n;
    s->head = bpt_vq_add(s->vq, sg, n, indirect);
    if (s->head < 0) {
        printf("# add: %d\n", s->head);
        failed++;
        return;
    }
    s->busy = 1;
}

static void
finish(struct slot *s, uint32_t len)
{
    s->busy = 0;
    done++;
    if (call_status(&s->call) != S_OK || len > s->call.in_len) {
        printf("# type %u at %llu: status %d, length %u\n", s->type, (unsigned long long)s->off,
               call_status(&s->call), len);
        failed++;
    }
    if (s->type == T_IN &&
        (len != s->call.in_len || !model_check(&model, s->off, call_data(&s->call), s->len)))
        wrong++;
}

static void
collect(void)
{
    for (uint32_t q = 0; q < QUEUES; q++) {
        struct bpt_vq *vq = bpt_virtio_queue(dev, q);
        uint32_t len;
        int head;

        while ((head = bpt_vq_get(vq, &len)) >= 0) {
            struct slot *s = NULL;

            for (unsigned i = 0; i < SLOTS; i++)
                if (slots[i].busy && slots[i].vq == vq && slots[i].head == head)
                    s = &slots[i];
            if (s)
                finish(s, len);
            else
                wrong++; /* completed twice, or never asked for */
        }
    }
}

static int
idle(void *arg)
{
    (void)arg;
    collect();
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].busy)
            return 0;
    return 1;
}

/* In the middle of what is under way: whether that was done is not known afterwards. */
static void
reset_device(uint64_t features)
{
    int err = bpt_virtio_setup(dev, features, QUEUES);

    if (err) {
        printf("# setup: %d\n", err);
        failed++;
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *s = &slots[i];

        if (s->busy && s->type != T_IN && s->type != T_FLUSH)
            model_forget(&model, s->off, s->len);
        s->busy = 0;
    }
}

static void
random_io(const char *transport, const char *aio, int direct, uint64_t features)
{
    char path[400], props[600];

    random_seed(features ^ (aio[0] == 't') ^ (uint64_t)(transport[0] << 8));
    snprintf(path, sizeof path, "%s", scratch_file("disk", DISK_BYTES));
    m = bpt_new(64 << 20, 0);
    snprintf(props, sizeof props, "path=%s,aio=%s,direct=%s,queue_depth=16", path, aio,
             direct ? "true" : "false");
    if (transport[0] == 'p')
        bpt_load(m, "pci", "pci", NULL);
    if (bpt_load(m, "block-file", "f", props)) {
        ok(0, "block-file: %s", bpt_error(m));
        return;
    }
    snprintf(props, sizeof props, "drive=f,transport=%s,queues=%d,queue_size=64", transport,
             QUEUES);
    if (bpt_load(m, "virtio-blk", "d", props) || bpt_realize_all(m) || bpt_start(m)) {
        if (direct && strstr(bpt_error(m), "direct"))
            skip("no O_DIRECT here", "direct");
        else
            ok(0, "starts: %s", bpt_error(m));
        bpt_free(m);
        return;
    }
    dev = bpt_virtio_find(m, BLK_ID, 0);
    model_init(&model, DISK_BYTES);
    done = wrong = failed = 0;
    memset(slots, 0, sizeof slots);
    for (unsigned i = 0; i < SLOTS; i++)
        call_new(&slots[i].call, SLOT_BYTES + 64);
    eq_int(bpt_virtio_setup(dev, features, QUEUES), 0, "the driver sets it up");
    for (int round = 0; round < ROUNDS && !failed && !wrong; round++) {
        for (unsigned i = 0; i < SLOTS; i++)
            if (!slots[i].busy && random_below(3) == 0)
                start_one(i);
        for (uint32_t q = 0; q < QUEUES; q++)
            bpt_vq_kick(bpt_virtio_queue(dev, q));
        if (random_below(50) == 0) {
            bpt_quiesce(m);
            if (random_below(2))
                bpt_state_roundtrip(m, "d");
            bpt_start(m);
        }
        bpt_poll(m, random_below(2) ? 0 : 5);
        collect();
        if (random_below(60) == 0)
            reset_device(features);
    }
    ok(bpt_until(m, idle, NULL), "%s, %s%s: %u requests are all done", transport, aio,
       direct ? ", direct" : "", done);
    eq_int(wrong, 0, "nothing read differs and each is completed once");
    eq_int(failed, 0, "none failed");
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");
    ok(model_check_file(&model, path), "the file is what was written");
    model_fini(&model);
}

int
main(void)
{
    if (scratch_new(NULL))
        return 99;
    random_io("mmio", "io_uring", 0, F_ALL);
    random_io("mmio", "threads", 0, F_ALL);
    random_io("pci", "io_uring", 0, F_ALL);
    random_io("pci", "threads", 1, F_ALL & ~(1ull << F_FLUSH | 1ull << F_CONFIG_WCE));
    random_io("mmio", "io_uring", 1, F_ALL & ~(1ull << BP_VIRTIO_F_EVENT_IDX));
    return done_testing();
}
