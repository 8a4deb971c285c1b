/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-blk.h - what the parts of the plugin share.
 *
 *   virtio-blk.c   the class: properties, life cycle
 *   config.c       features and configuration space
 *   queue.c        takes chains out of the queues and decides when to commit and to interrupt
 *   request.c      one request: what the driver asked for, its steps, its status
 *
 * A request goes through these states and is pushed exactly once, at the end:
 *
 *   free -> popped -> submitted <-> stalled -> pushed -> free
 *
 * stalled means that the back end was full: the request waits in a list of the device's for the
 * next completion. A reset waits for what is submitted and forgets what is stalled.
 */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H

#include <stdbool.h>

#include <backplane/virtio.h>

#define BLK_QUEUES_MAX   64u
#define BLK_IOV_MAX      256u /* longest chain: header, data, status */
#define BLK_SEGMENTS     32u  /* of one discard or write-zeroes */
#define BLK_SECTOR       512u
#define BLK_SEG_SECTORS  0x3fffffu /* longest such segment: just below 2 GiB */
#define BLK_SERIAL_BYTES 20u

/* Feature bits (5.2.3) */
enum {
    BLK_F_SEG_MAX = 2,
    BLK_F_RO = 5,
    BLK_F_BLK_SIZE = 6,
    BLK_F_FLUSH = 9,
    BLK_F_TOPOLOGY = 10,
    BLK_F_CONFIG_WCE = 11,
    BLK_F_MQ = 12,
    BLK_F_DISCARD = 13,
    BLK_F_WRITE_ZEROES = 14,
};

/* Request types and status bytes (5.2.6) */
enum {
    BLK_T_IN = 0,
    BLK_T_OUT = 1,
    BLK_T_FLUSH = 4,
    BLK_T_GET_ID = 8,
    BLK_T_DISCARD = 11,
    BLK_T_WRITE_ZEROES = 13,

    BLK_S_OK = 0,
    BLK_S_IOERR = 1,
    BLK_S_UNSUPP = 2,
};

/* struct virtio_blk_config (5.2.4), as far as we offer its fields; little endian. */
struct blk_config {
    uint64_t capacity; /* sectors of 512 bytes */
    uint32_t size_max, seg_max;
    uint16_t cylinders;
    uint8_t heads, sectors;
    uint32_t blk_size;
    uint8_t physical_block_exp, alignment_offset;
    uint16_t min_io_size;
    uint32_t opt_io_size;
    uint8_t writeback, unused0;
    uint16_t num_queues;
    uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
    uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap, unused1[3];
};
_Static_assert(sizeof(struct blk_config) == 64 && offsetof(struct blk_config, writeback) == 32 &&
                   offsetof(struct blk_config, max_write_zeroes_seg) == 52,
               "layout of 5.2.4, padded to 8 bytes");
#define BLK_CONFIG_LEN 60u

struct blk_segment {
    uint64_t sector;
    uint32_t num_sectors, flags;
};

struct blk_queue;

struct blk_req {
    struct bp_block_req io;
    struct bp_virtq_chain chain;
    struct blk_queue *queue;
    struct blk_req *next; /* free or stalled */
    uint8_t *status;      /* in guest memory; written only */
    uint32_t written;     /* what to push when it succeeds */
    /* Steps that follow the one which is submitted: segments from n_segments - n_left on, then a
     * flush before the write counts as done. */
    uint16_t n_left, n_segments;
    bool sync;
    /* Header or status may share a buffer with data: the one entry of iov that was cut for that,
     * to be put back before the chain is pushed. */
    struct bp_iovec *cut, uncut;
    struct bp_iovec iov[]; /* max_iov entries, then BLK_SEGMENTS segments */
};

struct blk_queue {
    struct blk_dev *dev;
    struct bp_virtq *vq;
    uint8_t *pool; /* queue_size requests, touched from the front only as far as needed */
    struct blk_req *free;
    uint32_t carved; /* how many were ever taken out of the pool */
    bool pushed;     /* something to flush */
    bool more;       /* left before it was empty */
};

struct blk_dev {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *event;
    struct bp_virtio *vdev;

    const struct bp_block_if *block;
    void *be;
    struct bp_block_client client;
    struct bp_block_info info;
    bool attached, readonly, writeback;

    struct blk_config config;
    char serial[BLK_SERIAL_BYTES];

    uint32_t n_queues, queue_size, max_iov;
    size_t req_bytes;
    struct blk_queue queue[BLK_QUEUES_MAX];

    struct blk_req *stalled, **stalled_tail;
    uint32_t in_flight;
    bool uncommitted; /* submitted since the last commit() */
    bool working;     /* in queue.c's loop: completions leave the rest to it */
    bool stopping;    /* quiesce() was called: nothing new is popped */
    bool resetting;   /* the driver's reset waits for what is in flight */
    bp_event resume;
};

#define must_use    __attribute__((warn_unused_result))
#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

static inline struct blk_segment *
req_segments(struct blk_req *r)
{
    return (struct blk_segment *)(void *)(r->iov + r->chain.cap_iov);
}

/* config.c */
uint64_t config_offered(const struct blk_dev *);
/* Asks the back end what it is and checks the answer. */
must_use int config_read_info(struct blk_dev *, struct bp_block_info *ret_info);
void config_fill(struct blk_dev *);
/* bp_block_client.changed() */
void config_changed(void *user);
/* bp_virtio_ops */
int config_features(void *self, uint64_t features);
void config_read(void *self, uint32_t off, void *buf, uint32_t len);
void config_write(void *self, uint32_t off, const void *buf, uint32_t len);

/* queue.c */
void queue_notify(struct blk_queue *);
/* Goes on with what was stalled or left in the queues. */
void queue_resume(struct blk_dev *);
/* The back end finished a batch. */
void queue_completed(struct blk_dev *);
/* Takes the request back; its chain has been pushed. */
static inline void
queue_put(struct blk_req *r)
{
    struct blk_queue *q = r->queue;

    q->pushed = true;
    r->next = q->free;
    q->free = r;
}
void queue_stall(struct blk_req *);
/* Pushes what is stalled without doing it. */
void queue_drop_stalled(struct blk_dev *);

/* request.c */
/* A popped chain: read, checked and submitted, or pushed with an error. */
void request_start(struct blk_req *);
/* Submits (again) what the request has come to. */
void request_submit(struct blk_req *);
/* bp_block_req.done() */
void request_done(struct bp_block_req *, int result);
/* Pushes the chain with this status and gives the request back. */
void request_end(struct blk_req *, uint8_t status);

#endif
