/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-rng.c - the virtio entropy device (virtio 1.2, 5.4): one queue whose buffers are filled
 * with random bytes.
 *
 * The smallest whole virtio device of the tree, made to be copied: read it from the bottom, the
 * class, upwards. Bytes come from getrandom(2), or from a character device such as /dev/hwrng.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <backplane/log.h>
#include <backplane/virtio.h>

#define RNG_QUEUE_SIZE 64
#define RNG_IOV        64
#define RNG_MAX        4096u      /* bytes for one request; a driver asks again for more */
#define RNG_RETRY_NS   10000000LL /* how long to wait for a source that has none */
#define COOKIE_RETRY   1

struct rng {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *event;
    bp_event retry;
    struct bp_virtio *vdev;
    int fd; /* -1: getrandom() */
    struct bp_virtq_chain chain;
    struct bp_iovec iov[RNG_IOV];
};

/* Up to n bytes from the source; 0: none now. */
static size_t
rng_read(struct rng *d, void *buf, size_t n)
{
    ssize_t got = d->fd < 0 ? getrandom(buf, n, GRND_NONBLOCK) : read(d->fd, buf, n);

    return got > 0 ? (size_t)got : 0;
}

/* The driver has offered buffers, or the source may have bytes again. */
static void
rng_notify(void *self, struct bp_virtq *q, uint32_t index)
{
    struct rng *d = self;
    int64_t now = d->event->now(d->inst, BP_CLOCK_MONOTONIC);
    uint8_t buf[RNG_MAX];

    (void)index;
    for (int n = 0; bp_virtq_pop(q, &d->chain) == 1; n++) {
        size_t want = d->chain.in_len < sizeof buf ? d->chain.in_len : sizeof buf;
        size_t got = n < RNG_QUEUE_SIZE ? rng_read(d, buf, want) : 0;

        /* Nothing to give, or more requests than a queue has room for: a driver that never stops
         * must not keep other devices from their turn. The chain waits in the queue. */
        if (got == 0 && want > 0) {
            bp_virtq_unpop(q, &d->chain);
            (void)d->event->arm(d->inst, d->retry, now + RNG_RETRY_NS);
            break;
        }
        /* Device-readable buffers have no place here (5.4.6.1); they are left alone. */
        bp_virtq_push(q, &d->chain, (uint32_t)bp_virtq_copy_in(&d->chain, 0, buf, got));
    }
    bp_virtq_flush(q);
    explicit_bzero(buf, sizeof buf);
}

static const struct bp_virtio_ops rng_ops = {.size = sizeof rng_ops, .notify = rng_notify};

static int
virtio_rng_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct rng *d = calloc(1, sizeof *d);

    if (!d)
        return BP_E_NOMEM;
    d->host = host;
    d->inst = inst;
    d->fd = -1;
    d->chain = (struct bp_virtq_chain){.size = sizeof d->chain, .cap_iov = RNG_IOV, .iov = d->iov};
    *ret_self = d;
    return 0;
}

static int
open_source(struct rng *d)
{
    struct bp_value path = {.size = sizeof path};
    struct stat st;
    int err = d->host->prop(d->inst, "path", &path);

    if (err || path.n == 0)
        return err;
    d->fd = d->host->open(d->inst, "path", BP_OPEN_READ | BP_OPEN_NONBLOCK);
    if (d->fd < 0)
        return d->fd;
    if (fstat(d->fd, &st) < 0 || !S_ISCHR(st.st_mode))
        return bp_failf(d->host, d->inst, BP_E_INVAL,
                        "%s is not a character device: random bytes never end", path.s);
    return 0;
}

static int
virtio_rng_realize(void *self)
{
    static const uint16_t queue_size[] = {RNG_QUEUE_SIZE};
    static const struct bp_virtio_desc desc = {
        .size = sizeof desc,
        .device_id = 4,
        .pci_class = 0x100000, /* encryption controller, other */
        .n_queues = 1,
        .queue_size = queue_size,
        .max_iov = RNG_IOV,
        .ops = &rng_ops,
        .acpi_name = "RN",
    };
    struct rng *d = self;
    int err = open_source(d);

    if (err)
        return err;
    d->event = d->host->query(d->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, now));
    if (!d->event)
        return d->host->fail(d->inst, BP_E_NOTSUP, "needs " BP_IF_EVENT);
    err = d->event->timer(d->inst, "retry", BP_CLOCK_MONOTONIC, COOKIE_RETRY, &d->retry);
    if (err)
        return err;
    return bp_virtio_new(d->host, d->inst, &desc, d, &d->vdev);
}

static int
virtio_rng_start(void *self)
{
    return bp_virtio_start(((struct rng *)self)->vdev);
}

static int
virtio_rng_quiesce(void *self)
{
    struct rng *d = self;

    (void)d->event->arm(d->inst, d->retry, BP_TIMER_OFF); /* start() looks at the queue again */
    return bp_virtio_quiesce(d->vdev);
}

static void
virtio_rng_reset(void *self, uint32_t kind)
{
    (void)kind;
    bp_virtio_cold_reset(((struct rng *)self)->vdev);
}

static void
virtio_rng_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct rng *d = self;

    if (cookie >= BP_VIRTIO_COOKIE)
        bp_virtio_event(d->vdev, cookie, mask);
    else if (bp_virtio_live(d->vdev))
        rng_notify(d, bp_virtio_queue(d->vdev, 0), 0);
}

static int
virtio_rng_save(void *self, const struct bp_writer *w)
{
    return bp_virtio_save(((struct rng *)self)->vdev, w);
}

static int
virtio_rng_load(void *self, const struct bp_reader *r)
{
    return bp_virtio_load(((struct rng *)self)->vdev, r);
}

static void
virtio_rng_destroy(void *self)
{
    struct rng *d = self;

    bp_virtio_free(d->vdev);
    if (d->fd >= 0)
        close(d->fd);
    free(d);
}

static const struct bp_prop props[] = {
    {.size = sizeof *props,
     .type = BP_PATH,
     .flags = BP_P_MUST_EXIST,
     .name = "path",
     .help = "character device to read from; getrandom(2) when not given"},
    BP_VIRTIO_PROPS,
};
static const char *const needs[] = {BP_VIRTIO_NEEDS, NULL};

static const struct bp_class virtio_rng_class = {
    .size = sizeof virtio_rng_class,
    .name = "virtio-rng",
    .version = "1.0",
    .summary = "virtio source of random bytes",
    .props = props,
    .n_props = sizeof props / sizeof *props,
    .prop_size = sizeof *props,
    .needs = needs,
    .state_ver = 1,
    .state_min = 1,
    .create = virtio_rng_create,
    .realize = virtio_rng_realize,
    .start = virtio_rng_start,
    .quiesce = virtio_rng_quiesce,
    .reset = virtio_rng_reset,
    .event = virtio_rng_event,
    .save = virtio_rng_save,
    .load = virtio_rng_load,
    .destroy = virtio_rng_destroy,
};

BP_PLUGIN("virtio-rng", "1.0", "BSD-3-Clause", "backplane", &virtio_rng_class);
