/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-blk.c - the virtio block device (virtio 1.2, 5.2): properties and life cycle.
 *
 * Knows nothing of files: what it reads and writes is bp.block/1.
 */
#include <stdlib.h>
#include <string.h>

#include <backplane/log.h>

#include "virtio-blk.h"

#define COOKIE_RESUME 1
#define QUEUES_AUTO   8u

/* ---- bp.block/1 client ---- */

static void
blk_completed(void *user)
{
    queue_completed(user);
}

/* ---- libbackplane-virtio ---- */

static void
blk_notify(void *self, struct bp_virtq *vq, uint32_t index)
{
    struct blk_dev *d = self;

    (void)vq;
    queue_notify(&d->queue[index]);
}

static int
blk_reset_queues(void *self)
{
    struct blk_dev *d = self;

    d->resetting = true;
    queue_drop_stalled(d);
    for (uint32_t i = 0; i < d->n_queues; i++)
        d->queue[i].more = d->queue[i].pushed = false;
    d->writeback = true;
    if (d->in_flight > 0)
        return BP_E_AGAIN; /* request_done() ends the reset */
    d->resetting = false;
    return 0;
}

static const struct bp_virtio_ops blk_ops = {
    .size = sizeof blk_ops,
    .features = config_features,
    .config_read = config_read,
    .config_write = config_write,
    .notify = blk_notify,
    .reset = blk_reset_queues,
};

/* ---- The class ---- */

static int
virtio_blk_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct blk_dev *d = calloc(1, sizeof *d);

    if (!d)
        return BP_E_NOMEM;
    d->host = host;
    d->inst = inst;
    d->stalled_tail = &d->stalled;
    d->writeback = true;
    *ret_self = d;
    return 0;
}

static int
read_props(struct blk_dev *d)
{
    struct bp_value v = {.size = sizeof v};
    int err;

    if ((err = d->host->prop(d->inst, "readonly", &v)))
        return err;
    d->readonly = v.i;
    if ((err = d->host->prop(d->inst, "queue_size", &v)))
        return err;
    d->queue_size = (uint32_t)v.i;
    if (d->queue_size & (d->queue_size - 1))
        return bp_failf(d->host, d->inst, BP_E_INVAL, "queue_size = %u must be a power of two",
                        d->queue_size);
    d->max_iov = d->queue_size < BLK_IOV_MAX ? d->queue_size : BLK_IOV_MAX;
    if ((err = d->host->prop(d->inst, "serial", &v)))
        return err;
    if (v.s) {
        size_t n = strlen(v.s);

        if (n > sizeof d->serial)
            return bp_failf(d->host, d->inst, BP_E_INVAL,
                            "serial is %zu bytes long, the guest reads %u", n, BLK_SERIAL_BYTES);
        memcpy(d->serial, v.s, n);
    }
    if ((err = d->host->prop(d->inst, "queues", &v)))
        return err;
    d->n_queues = (uint32_t)v.i;
    if (d->n_queues == 0) {
        const struct bp_machine_if *machine =
            d->host->query(d->inst, BP_IF_MACHINE, BP_UPTO(struct bp_machine_if, info));
        struct bp_machine_info info = {.size = sizeof info};

        d->n_queues = 1;
        if (machine && machine->info(d->inst, &info) == 0 && info.cpus > 0)
            d->n_queues = info.cpus < QUEUES_AUTO ? info.cpus : QUEUES_AUTO;
    }
    return 0;
}

static int
attach_drive(struct blk_dev *d)
{
    struct bp_link link = {.size = sizeof link};
    int err =
        d->host->link(d->inst, "drive", BP_IF_BLOCK, BP_UPTO(struct bp_block_if, commit), &link);

    if (err)
        return err;
    d->block = link.iface;
    d->be = link.self;
    d->client = (struct bp_block_client){
        .size = sizeof d->client,
        .user = d,
        .changed = config_changed,
        .completed = blk_completed,
    };
    err = d->block->attach(d->be, &d->client);
    if (err)
        return bp_failf(d->host, d->inst, err, "drive %s belongs to another device already",
                        link.id);
    d->attached = true;
    err = config_read_info(d, &d->info);
    if (err)
        return bp_failf(d->host, d->inst, err, "drive %s does not say what it is", link.id);
    d->readonly |= !!(d->info.features & BP_BLOCK_READONLY);
    return 0;
}

static int
make_queues(struct blk_dev *d)
{
    d->req_bytes = sizeof(struct blk_req) + d->max_iov * sizeof(struct bp_iovec) +
                   BLK_SEGMENTS * sizeof(struct blk_segment);
    d->req_bytes = (d->req_bytes + 63) & ~(size_t)63;
    for (uint32_t i = 0; i < d->n_queues; i++) {
        d->queue[i].dev = d;
        d->queue[i].pool = calloc(d->queue_size, d->req_bytes);
        if (!d->queue[i].pool)
            return BP_E_NOMEM;
    }
    return 0;
}

static int
virtio_blk_realize(void *self)
{
    struct blk_dev *d = self;
    uint16_t sizes[BLK_QUEUES_MAX];
    struct bp_virtio_desc desc = {
        .size = sizeof desc,
        .device_id = 2,
        .pci_class = 0x018000,
        .queue_size = sizes,
        .config_len = BLK_CONFIG_LEN,
        .ops = &blk_ops,
        .acpi_name = "BK",
    };
    int err;

    d->event = d->host->query(d->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, close));
    if (!d->event)
        return d->host->fail(d->inst, BP_E_NOTSUP, "needs " BP_IF_EVENT);
    if ((err = read_props(d)) || (err = attach_drive(d)) || (err = make_queues(d)))
        return err;
    err = d->event->soft(d->inst, "resume", COOKIE_RESUME, &d->resume);
    if (err)
        return err;
    config_fill(d);
    for (uint32_t i = 0; i < d->n_queues; i++)
        sizes[i] = (uint16_t)d->queue_size;
    desc.n_queues = d->n_queues;
    desc.max_iov = d->max_iov;
    desc.features = config_offered(d);
    err = bp_virtio_new(d->host, d->inst, &desc, d, &d->vdev);
    if (err)
        return err;
    for (uint32_t i = 0; i < d->n_queues && !err; i++) {
        d->queue[i].vq = bp_virtio_queue(d->vdev, i);
        err = bp_virtq_pollable(d->queue[i].vq);
    }
    return err;
}

static int
virtio_blk_start(void *self)
{
    struct blk_dev *d = self;

    d->stopping = false;
    return bp_virtio_start(d->vdev);
}

static int
virtio_blk_quiesce(void *self)
{
    struct blk_dev *d = self;

    d->stopping = true;
    if (d->stalled && d->in_flight == 0)
        queue_resume(d);
    if (d->stalled || d->in_flight > 0)
        return BP_E_AGAIN;
    return bp_virtio_quiesce(d->vdev);
}

static void
virtio_blk_reset(void *self, uint32_t kind)
{
    struct blk_dev *d = self;

    (void)kind;
    bp_virtio_cold_reset(d->vdev);
}

static void
virtio_blk_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct blk_dev *d = self;

    if (cookie >= BP_VIRTIO_COOKIE)
        bp_virtio_event(d->vdev, cookie, mask);
    else if (cookie == COOKIE_RESUME)
        queue_resume(d);
}

static int
virtio_blk_save(void *self, const struct bp_writer *w)
{
    struct blk_dev *d = self;
    int err = bp_virtio_save(d->vdev, w);

    if (!err)
        err = w->section(w, "blk", 1, 1);
    return err ? err : w->u64(w, "writeback", d->writeback);
}

static int
virtio_blk_load(void *self, const struct bp_reader *r)
{
    struct blk_dev *d = self;
    uint64_t writeback;
    uint32_t ver = 0;
    int err = bp_virtio_load(d->vdev, r);

    if (!err)
        err = r->section(r, "blk", &ver);
    if (err)
        return err;
    writeback = d->writeback;
    err = r->u64(r, "writeback", &writeback);
    if (err && err != BP_E_NOENT)
        return err;
    if (ver != 1 || writeback > 1)
        return BP_E_INVAL;
    d->writeback = writeback;
    return 0;
}

static void
virtio_blk_destroy(void *self)
{
    struct blk_dev *d = self;

    bp_virtio_free(d->vdev);
    if (d->attached)
        (void)d->block->attach(d->be, NULL);
    for (uint32_t i = 0; i < d->n_queues; i++)
        free(d->queue[i].pool);
    free(d);
}

static const struct bp_prop props[] = {
    {.size = sizeof *props,
     .type = BP_LINK,
     .flags = BP_P_REQUIRED,
     .name = "drive",
     .help = "the disk's contents: a back end's id, or file:PATH",
     .link_iface = BP_IF_BLOCK},
    {.size = sizeof *props,
     .type = BP_BOOL,
     .flags = BP_P_PASS_ON,
     .name = "readonly",
     .help = "refuse the guest's writes",
     .def = "false"},
    {.size = sizeof *props,
     .type = BP_STR,
     .name = "serial",
     .help = "serial number, at most 20 bytes"},
    {.size = sizeof *props,
     .type = BP_INT,
     .name = "queues",
     .help = "request queues; 0 makes one for each vCPU, up to 8",
     .def = "0",
     .min = 0,
     .max = BLK_QUEUES_MAX},
    {.size = sizeof *props,
     .type = BP_INT,
     .name = "queue_size",
     .help = "descriptors in each queue, a power of two",
     .def = "256",
     .min = 8,
     .max = BP_VIRTIO_QUEUE_MAX},
    BP_VIRTIO_PROPS,
};
static const char *const needs[] = {BP_VIRTIO_NEEDS, "?" BP_IF_MACHINE, NULL};

static const struct bp_class virtio_blk_class = {
    .size = sizeof virtio_blk_class,
    .name = "virtio-blk",
    .version = "1.0",
    .summary = "virtio disk",
    .props = props,
    .n_props = sizeof props / sizeof *props,
    .prop_size = sizeof *props,
    .needs = needs,
    .state_ver = 1,
    .state_min = 1,
    .create = virtio_blk_create,
    .realize = virtio_blk_realize,
    .start = virtio_blk_start,
    .quiesce = virtio_blk_quiesce,
    .reset = virtio_blk_reset,
    .event = virtio_blk_event,
    .save = virtio_blk_save,
    .load = virtio_blk_load,
    .destroy = virtio_blk_destroy,
};

BP_PLUGIN("virtio-blk", "1.0", "BSD-3-Clause", "backplane", &virtio_blk_class);
