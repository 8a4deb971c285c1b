/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio-toy.c - see virtio-toy.h. */
#include "virtio-toy.h"

#include <stdlib.h>
#include <string.h>

static void
toy_complete(struct toy *t, struct toy_chain *c)
{
    struct bp_virtq *q = bp_virtio_queue(t->vdev, c->queue);
    uint8_t buf[256];
    uint64_t at = 0, n;

    while (at < c->chain.in_len) {
        n = bp_virtq_copy_out(&c->chain, at, buf, sizeof buf);
        if (!n && !t->fill)
            break;
        if (!n)
            memset(buf, 0x5a, n = sizeof buf);
        n = bp_virtq_copy_in(&c->chain, at, buf, n);
        at += n;
    }
    bp_virtq_push(q, &c->chain, (uint32_t)at);
    c->busy = 0;
    t->n_done++;
}

unsigned
toy_finish(struct toy *t)
{
    unsigned n = 0;

    for (unsigned i = 0; i < TOY_INFLIGHT; i++) {
        if (t->chains[i].busy) {
            toy_complete(t, &t->chains[i]);
            n++;
        }
    }
    t->n_held = 0;
    for (unsigned i = 0; i < TOY_QUEUES; i++)
        bp_virtq_flush(bp_virtio_queue(t->vdev, i));
    bp_virtio_reset_done(t->vdev);
    return n;
}

static void
toy_notify(void *self, struct bp_virtq *q, uint32_t index)
{
    struct toy *t = self;

    t->n_notify++;
    for (;;) {
        struct toy_chain *c = NULL;

        for (unsigned i = 0; i < TOY_INFLIGHT && !c; i++)
            if (!t->chains[i].busy)
                c = &t->chains[i];
        if (!c)
            break;
        c->chain = (struct bp_virtq_chain){
            .size = sizeof c->chain, .cap_iov = t->cap ? t->cap : TOY_CAP, .iov = c->iov};
        c->queue = index;
        t->last_pop = bp_virtq_pop(q, &c->chain);
        if (t->last_pop != 1)
            break;
        t->n_pop++;
        c->busy = 1;
        if (t->hold)
            t->n_held++;
        else
            toy_complete(t, c);
    }
    bp_virtq_flush(q);
}

static int
toy_features(void *self, uint64_t features)
{
    struct toy *t = self;

    if (features & TOY_F_ODD && !(features & TOY_F_EVEN))
        return BP_E_NOTSUP;
    t->features = features;
    return 0;
}

static void
toy_config_read(void *self, uint32_t off, void *buf, uint32_t len)
{
    memcpy(buf, ((struct toy *)self)->config + off, len);
}

static void
toy_config_write(void *self, uint32_t off, const void *buf, uint32_t len)
{
    memcpy(((struct toy *)self)->config + off, buf, len);
}

static void
toy_ready(void *self)
{
    ((struct toy *)self)->n_ready++;
}

static int
toy_vreset(void *self)
{
    struct toy *t = self;

    t->n_reset++;
    if (t->slow_reset && t->n_held)
        return BP_E_AGAIN;
    for (unsigned i = 0; i < TOY_INFLIGHT; i++) {
        t->n_dropped += t->chains[i].busy != 0;
        t->chains[i].busy = 0;
    }
    t->n_held = 0;
    return 0;
}

static const struct bp_virtio_ops toy_ops = {
    .size = sizeof toy_ops,
    .features = toy_features,
    .config_read = toy_config_read,
    .config_write = toy_config_write,
    .ready = toy_ready,
    .notify = toy_notify,
    .reset = toy_vreset,
};

static int
toy_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct toy *t = calloc(1, sizeof *t);

    if (!t)
        return BP_E_NOMEM;
    t->host = host;
    t->inst = inst;
    *ret_self = t;
    return 0;
}

static int
toy_realize(void *self)
{
    static const uint16_t sizes[TOY_QUEUES] = {TOY_SIZE, TOY_SIZE, TOY_SIZE};
    struct toy *t = self;
    const struct bp_virtio_desc desc = {
        .size = sizeof desc,
        .device_id = TOY_ID,
        .pci_class = 0xff0000,
        .n_queues = TOY_QUEUES,
        .queue_size = sizes,
        .features = TOY_F_ODD | TOY_F_EVEN,
        .config_len = TOY_CONFIG,
        .ops = &toy_ops,
        .acpi_name = "TY",
    };

    return bp_virtio_new(t->host, t->inst, &desc, t, &t->vdev);
}

static int
toy_start(void *self)
{
    return bp_virtio_start(((struct toy *)self)->vdev);
}

static int
toy_quiesce(void *self)
{
    return bp_virtio_quiesce(((struct toy *)self)->vdev);
}

static void
toy_reset(void *self, uint32_t kind)
{
    (void)kind;
    bp_virtio_cold_reset(((struct toy *)self)->vdev);
}

static void
toy_event(void *self, uint32_t cookie, uint32_t mask)
{
    bp_virtio_event(((struct toy *)self)->vdev, cookie, mask);
}

static int
toy_save(void *self, const struct bp_writer *w)
{
    return bp_virtio_save(((struct toy *)self)->vdev, w);
}

static int
toy_load(void *self, const struct bp_reader *r)
{
    return bp_virtio_load(((struct toy *)self)->vdev, r);
}

static void
toy_destroy(void *self)
{
    bp_virtio_free(((struct toy *)self)->vdev);
    free(self);
}

static const char *const toy_needs[] = {BP_VIRTIO_NEEDS, NULL};
static const struct bp_prop toy_props[] = {BP_VIRTIO_PROPS};

const struct bp_class toy_class = {
    .size = sizeof toy_class,
    .name = "virtio-toy",
    .version = "1",
    .summary = "a virtio device to test with",
    .props = toy_props,
    .n_props = sizeof toy_props / sizeof *toy_props,
    .prop_size = sizeof *toy_props,
    .needs = toy_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = toy_create,
    .realize = toy_realize,
    .start = toy_start,
    .quiesce = toy_quiesce,
    .reset = toy_reset,
    .event = toy_event,
    .save = toy_save,
    .load = toy_load,
    .destroy = toy_destroy,
};
