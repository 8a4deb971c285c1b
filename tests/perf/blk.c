/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk.c - virtio-blk: batches of 4 KiB reads, in front of a back end that does nothing and of
 * block-file.
 */
#include <fcntl.h>
#include <unistd.h>

#include "tests/perf/workload.h"

enum { READ_BYTES = 4096, DISK_BYTES = 1 << 20 };

struct header {
    uint32_t type, ioprio;
    uint64_t sector;
};

/* The back end that does nothing: everything is done at the end of the batch. */
static struct {
    const struct bp_block_client *client;
    struct bp_block_req *held[BATCH];
    unsigned n, commits;
} null;

static int
null_info(void *be, struct bp_block_info *ret_info)
{
    (void)be;
    *ret_info = (struct bp_block_info){.size = sizeof *ret_info,
                                       .block_size = 512,
                                       .physical_size = 4096,
                                       .bytes = DISK_BYTES,
                                       .features = BP_BLOCK_CAN_FLUSH,
                                       .mem_align = 1};
    return 0;
}

static int
null_attach(void *be, const struct bp_block_client *client)
{
    (void)be;
    null.client = client;
    return 0;
}

static int
null_submit(void *be, struct bp_block_req *req)
{
    (void)be;
    if (null.n == BATCH)
        return BP_E_AGAIN;
    null.held[null.n++] = req;
    return 0;
}

static void
null_commit(void *be)
{
    unsigned n = null.n;

    (void)be;
    null.n = 0;
    null.commits += n > 0;
    for (unsigned i = 0; i < n; i++)
        null.held[i]->done(null.held[i], 0);
    if (n)
        null.client->completed(null.client->user);
}

static const struct bp_block_if null_if = {
    .size = sizeof null_if,
    .info = null_info,
    .attach = null_attach,
    .submit = null_submit,
    .commit = null_commit,
};

struct disk {
    struct bpt_machine *m;
    struct bpt_virtio *dev;
    struct bpt_vq *vq;
    uint64_t headers, data, status; /* one of each a request */
    unsigned batch;
    int indirect, high; /* high: data above 4 GiB, headers below */
    int polled;         /* the context looks into the queue instead of waiting for doorbells */
};

static void
disk_open(struct disk *d, const char *drive)
{
    d->m = bpt_new(16 << 20, 1 << 20);
    must(d->m && bpt_load(d->m, "pci", "pci", NULL) == 0);
    bpt_dirty_log(d->m, 0); /* nobody migrates it */
    if (drive)
        must(bpt_load(d->m, "block-file", "back", drive) == 0);
    else
        bpt_provide(d->m, "back", BP_IF_BLOCK, &null_if, NULL);
    must(bpt_load(d->m, "virtio-blk", "disk", "drive=back") == 0);
    if (bpt_realize_all(d->m) || bpt_start(d->m)) {
        fprintf(stderr, "%s\n", bpt_error(d->m));
        exit(1);
    }
    d->dev = bpt_virtio_find(d->m, 2, 0);
    must(d->dev && bpt_virtio_setup(d->dev, UINT64_MAX, 1) == 0);
    d->vq = bpt_virtio_queue(d->dev, 0);
    d->headers = bpt_alloc(d->m, BATCH * sizeof(struct header), 64);
    d->data = d->high ? UINT64_C(1) << 32 : bpt_alloc(d->m, BATCH * READ_BYTES, 4096);
    d->status = bpt_alloc(d->m, BATCH, 64);
    for (unsigned i = 0; i < BATCH; i++) {
        struct header h = {.sector = i * 8};

        memcpy(bpt_ram(d->m, d->headers + i * sizeof h, sizeof h), &h, sizeof h);
    }
}

static int
batch_done(void *arg)
{
    struct disk *d = arg;

    return (uint16_t)(bpt_vq_used(d->vq)[1] - d->vq->last_used) == d->batch;
}

static void
disk_batch(struct disk *d, struct tally *t)
{
    uint32_t len;

    /* As Linux does: no interrupts while it looks at what is used, then one for the next. */
    bpt_vq_want_irq(d->vq, 1);
    for (unsigned i = 0; i < d->batch; i++) {
        const struct bpt_sg sg[] = {
            {d->headers + i * sizeof(struct header), sizeof(struct header), 0},
            {d->data + i * READ_BYTES, READ_BYTES, 1},
            {d->status + i, 1, 1},
        };

        must(bpt_vq_add(d->vq, sg, 3, d->indirect) >= 0);
    }
    t->kicks += (unsigned)bpt_vq_kick(d->vq);
    if (d->polled)
        must(bpt_look(d->m, BP_POLL_LOOK) == 1);
    t->events += bpt_pump(d->m);
    while (!batch_done(d))
        t->events += bpt_poll(d->m, 100);
    for (unsigned i = 0; i < d->batch; i++)
        must(bpt_vq_get(d->vq, &len) >= 0 && len == READ_BYTES + 1 &&
             *(uint8_t *)bpt_ram(d->m, d->status + i, 1) == 0);
    t->units += d->batch;
    t->batches++;
}

static int
disk_run(const char *name, struct tally *t, const char *drive, struct disk d)
{
    struct tally warm = {0};
    uint64_t messages;

    disk_open(&d, drive);
    if (d.polled)
        bpt_look(d.m, BP_POLL_BEGIN);
    for (unsigned i = 0; i < 4; i++)
        disk_batch(&d, &warm);
    messages = bpt_virtio_messages(d.dev, 0);
    null.commits = 0;
    perf_mark("between");
    for (unsigned i = 0; i < perf_batches; i++)
        disk_batch(&d, t);
    perf_mark(name);
    t->interrupts = (unsigned)(bpt_virtio_messages(d.dev, 0) - messages);
    t->commits = null.commits;
    must(bpt_free(d.m) == 0);
    return 0;
}

/* Indirect tables, as drivers use them for anything that is no single buffer. */
int
blk_null(const char *name, struct tally *t)
{
    return disk_run(name, t, NULL, (struct disk){.batch = BATCH, .indirect = 1});
}

int
blk_null_direct(const char *name, struct tally *t)
{
    return disk_run(name, t, NULL, (struct disk){.batch = BATCH});
}

int
blk_single(const char *name, struct tally *t)
{
    return disk_run(name, t, NULL, (struct disk){.batch = 1, .indirect = 1});
}

int
blk_polled(const char *name, struct tally *t)
{
    return disk_run(name, t, NULL, (struct disk){.batch = 1, .indirect = 1, .polled = 1});
}

/* A guest with memory on both sides of 4 GiB has the parts of a request anywhere. */
int
blk_high(const char *name, struct tally *t)
{
    return disk_run(name, t, NULL, (struct disk){.batch = BATCH, .indirect = 1, .high = 1});
}

static int
on_file(const char *name, struct tally *t, const char *aio)
{
    char path[] = "/dev/shm/backplane-perf.XXXXXX", drive[80];
    int fd = mkstemp(path), err;

    if (fd < 0)
        return -1;
    must(ftruncate(fd, DISK_BYTES) == 0);
    close(fd);
    snprintf(drive, sizeof drive, "path=%s,aio=%s", path, aio);
    err = disk_run(name, t, drive, (struct disk){.batch = BATCH, .indirect = 1});
    unlink(path);
    return err;
}

int
blk_file(const char *name, struct tally *t)
{
    return on_file(name, t, "io_uring");
}

int
blk_memory(const char *name, struct tally *t)
{
    return on_file(name, t, "sync");
}
