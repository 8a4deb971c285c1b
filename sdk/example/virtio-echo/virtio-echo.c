/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-echo.c - a virtio device of a new kind: what a driver sends in the readable part of a
 * chain it gets back in the writable part, as it was, backwards or in capitals.
 *
 * libbackplane-virtio does what all virtio devices have in common: transports, negotiation, rings.
 * Here is only what an echo is. Device id 62 belongs to nobody; a real kind asks the OASIS
 * committee for one. Configuration space: le64, how many chains were answered.
 */
#include <stdlib.h>
#include <string.h>

#include <backplane/virtio.h>

#define ECHO_ID         62u
#define ECHO_QUEUE_SIZE 64u
#define ECHO_IOV        16u
#define ECHO_MAX        4096u /* bytes of one answer */

enum {
    COOKIE_MORE = 1,
};

enum echo_mode {
    ECHO_PLAIN,
    ECHO_REVERSE,
    ECHO_UPPER,
};

struct echo {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *event;
    bp_event more;
    struct bp_virtio *vdev;
    enum echo_mode mode;
    uint64_t answered;
    struct bp_virtq_chain chain;
    struct bp_iovec iov[ECHO_IOV];
};

static void
echo_transform(const struct echo *e, uint8_t *p, uint64_t n)
{
    for (uint64_t i = 0; e->mode == ECHO_UPPER && i < n; i++)
        if (p[i] >= 'a' && p[i] <= 'z')
            p[i] = (uint8_t)(p[i] - 'a' + 'A');
    for (uint64_t i = 0; e->mode == ECHO_REVERSE && i < n / 2; i++) {
        uint8_t last = p[n - 1 - i];

        p[n - 1 - i] = p[i];
        p[i] = last;
    }
}

/* The guest may change its buffers meanwhile: they are copied once and then left alone. */
static void
echo_notify(void *self, struct bp_virtq *q, uint32_t index)
{
    struct echo *e = self;
    uint8_t bytes[ECHO_MAX];
    uint32_t n = 0;

    (void)index;
    while (n < ECHO_QUEUE_SIZE && bp_virtq_pop(q, &e->chain) == 1) {
        uint64_t len = bp_virtq_copy_out(&e->chain, 0, bytes, sizeof bytes);

        echo_transform(e, bytes, len);
        len = bp_virtq_copy_in(&e->chain, 0, bytes, len);
        bp_virtq_push(q, &e->chain, (uint32_t)len);
        e->answered++;
        n++;
    }
    /* A driver that never stops must not keep others from their turn. */
    if (n == ECHO_QUEUE_SIZE)
        (void)!e->event->kick(e->inst, e->more);
    bp_virtq_flush(q);
}

static void
echo_config_read(void *self, uint32_t off, void *buf, uint32_t len)
{
    const struct echo *e = self;
    uint8_t config[8];

    for (unsigned i = 0; i < sizeof config; i++)
        config[i] = (uint8_t)(e->answered >> 8 * i);
    if (off < sizeof config)
        memcpy(buf, config + off, len < sizeof config - off ? len : sizeof config - off);
}

static const struct bp_virtio_ops echo_ops = {
    .size = sizeof echo_ops, .config_read = echo_config_read, .notify = echo_notify};

static int
echo_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct echo *e = calloc(1, sizeof *e);

    if (!e)
        return BP_E_NOMEM;
    e->host = host;
    e->inst = inst;
    e->chain = (struct bp_virtq_chain){.size = sizeof e->chain, .cap_iov = ECHO_IOV, .iov = e->iov};
    *ret_self = e;
    return 0;
}

static int
echo_realize(void *self)
{
    static const uint16_t queue_size[] = {ECHO_QUEUE_SIZE};
    static const struct bp_virtio_desc desc = {
        .size = sizeof desc,
        .device_id = ECHO_ID,
        .pci_class = 0xff0000, /* in no class */
        .n_queues = 1,
        .queue_size = queue_size,
        .config_len = 8,
        .max_iov = ECHO_IOV,
        .ops = &echo_ops,
        .acpi_name = "EC",
    };
    struct bp_value mode = {.size = sizeof mode};
    struct echo *e = self;
    int err = e->host->prop(e->inst, "mode", &mode);

    if (err)
        return err;
    e->mode = (enum echo_mode)mode.i;
    e->event = e->host->query(e->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, kick));
    if (!e->event)
        return e->host->fail(e->inst, BP_E_NOTSUP, "needs " BP_IF_EVENT);
    err = e->event->soft(e->inst, "more", COOKIE_MORE, &e->more);
    return err ? err : bp_virtio_new(e->host, e->inst, &desc, e, &e->vdev);
}

static int
echo_start(void *self)
{
    return bp_virtio_start(((struct echo *)self)->vdev);
}

static int
echo_quiesce(void *self)
{
    return bp_virtio_quiesce(((struct echo *)self)->vdev);
}

static void
echo_reset(void *self, uint32_t kind)
{
    struct echo *e = self;

    (void)kind;
    e->answered = 0;
    bp_virtio_cold_reset(e->vdev);
}

static void
echo_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct echo *e = self;

    if (cookie >= BP_VIRTIO_COOKIE)
        bp_virtio_event(e->vdev, cookie, mask);
    else if (bp_virtio_live(e->vdev))
        echo_notify(e, bp_virtio_queue(e->vdev, 0), 0);
}

static int
echo_save(void *self, const struct bp_writer *w)
{
    const struct echo *e = self;
    int err = bp_virtio_save(e->vdev, w);

    if (!err)
        err = w->section(w, "echo", 1, 0);
    return err ? err : w->u64(w, "answered", e->answered);
}

static int
echo_load(void *self, const struct bp_reader *r)
{
    struct echo *e = self;
    uint64_t answered = 0;
    uint32_t ver;
    int err = bp_virtio_load(e->vdev, r);

    if (err)
        return err;
    err = r->section(r, "echo", &ver);
    if (!err)
        err = r->u64(r, "answered", &answered);
    if (err && err != BP_E_NOENT)
        return err;
    e->answered = answered;
    return 0;
}

static void
echo_destroy(void *self)
{
    bp_virtio_free(((struct echo *)self)->vdev);
    free(self);
}

static const char *const echo_modes[] = {"plain", "reverse", "upper", NULL};
static const struct bp_prop echo_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_ENUM,
     .name = "mode",
     .help = "what is done to the bytes",
     .def = "plain",
     .choices = echo_modes},
    BP_VIRTIO_PROPS,
};
static const char *const echo_needs[] = {BP_VIRTIO_NEEDS, NULL};

static const struct bp_class echo_class = {
    .size = sizeof echo_class,
    .name = "virtio-echo",
    .version = "1.0",
    .summary = "virtio device that gives back what it gets",
    .props = echo_props,
    .n_props = sizeof echo_props / sizeof *echo_props,
    .prop_size = sizeof *echo_props,
    .needs = echo_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = echo_create,
    .realize = echo_realize,
    .start = echo_start,
    .quiesce = echo_quiesce,
    .reset = echo_reset,
    .event = echo_event,
    .save = echo_save,
    .load = echo_load,
    .destroy = echo_destroy,
};

BP_PLUGIN("virtio-echo", "1.0", "BSD-3-Clause", "https://example.org/virtio-echo", &echo_class);
