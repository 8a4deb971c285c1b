/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-toy.h - a small virtio device for tests of libbackplane-virtio: it writes what it reads
 * into the device-writable part of each chain, at once or when it is told to.
 */
#ifndef TESTS_VIRTIO_TOY_H
#define TESTS_VIRTIO_TOY_H

#include <backplane/test.h>
#include <backplane/virtio.h>

#define TOY_ID       42u /* virtio device id */
#define TOY_QUEUES   3u
#define TOY_SIZE     64u
#define TOY_CAP      64u
#define TOY_INFLIGHT 256u
#define TOY_CONFIG   12u
#define TOY_F_ODD    (UINT64_C(1) << 3) /* refused in features() unless TOY_F_EVEN comes with it */
#define TOY_F_EVEN   (UINT64_C(1) << 4)

struct toy_chain {
    struct bp_virtq_chain chain;
    struct bp_iovec iov[TOY_CAP];
    uint32_t queue;
    int busy;
};

struct toy {
    const struct bp_host *host;
    bp_inst inst;
    struct bp_virtio *vdev;
    int hold;       /* 1: chains are kept until toy_finish() */
    int slow_reset; /* 1: a reset waits for toy_finish() */
    int fill;       /* 1: fills the whole in part, whatever it read */
    unsigned cap;   /* of an iovec, at most TOY_CAP */
    uint8_t config[TOY_CONFIG];
    uint64_t features;
    unsigned n_ready, n_reset, n_notify, n_pop, n_done, n_held, n_dropped;
    int last_pop; /* what the latest pop returned */
    struct toy_chain chains[TOY_INFLIGHT];
};

extern const struct bp_class toy_class;

/* Completes what is held; returns how many chains that were. */
unsigned toy_finish(struct toy *);

#endif
