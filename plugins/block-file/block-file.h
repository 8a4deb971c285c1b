/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * block-file.h - what the parts of the plugin share.
 *
 *   block-file.c   the class and bp.block/1: checks a request, hands it to an engine
 *   open.c         finds out what the file is: kind, size, alignment, lock
 *   io.c           how far a request has got and what the next system call of it is
 *   uring.c        engine: io_uring
 *   pool.c         engine: a few threads that make plain system calls
 *   sync.c         engine: the same at once, for files in memory
 *
 * The engines know nothing of offsets, short transfers or fallbacks: io.c gives them one step
 * after the other. Nothing is allocated for a request; what has to be remembered of it lives in
 * bp_block_req.backend.
 */
#ifndef BLOCK_FILE_H
#define BLOCK_FILE_H

#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <backplane/backplane.h>

#define BOUNCE_BYTES (256u << 10)
#define BOUNCE_COUNT 8
#define POOL_MAX     64

/* Cookies of event() */
enum {
    EV_RING = 1, /* the ring has completions */
    EV_RETRY,    /* the kernel had no memory to take submissions: try again */
    EV_POOL,     /* a thread finished a request */
    EV_SYNC,     /* requests are left for another turn */
};

struct uring {
    struct io_uring ring;
    bp_event watch, retry, poller;
    bool open, reaping;
};

struct pool {
    pthread_t thread[POOL_MAX];
    uint32_t n_threads; /* running; 0 while the machine is stopped */
    bp_event finished;
    struct bp_block_req *batch, **batch_tail; /* submitted, not committed; [ctx] only */

    bool open;
    pthread_mutex_t lock; /* guards what follows; nothing is called with it held */
    pthread_cond_t work;
    struct bp_block_req *todo, **todo_tail;
    struct bp_block_req *done, **done_tail;
    bool stop;
};

struct sync {
    struct bp_block_req *batch, **batch_tail; /* submitted */
    bp_event again;
    bool working;
};

struct block_file {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *event;
    const char *path, *aio; /* the core's */

    bool direct, readonly, lock, discard;
    uint32_t queue_depth, threads;

    int fd;
    bool is_device;
    dev_t dev;
    ino_t ino;
    struct block_file *next; /* in the list of files that are open (open.c) */

    _Atomic uint64_t end; /* bytes in the file when it was last looked at */
    uint64_t bytes;       /* the disk's: end rounded up to blocks */
    uint32_t block_size, physical_size, mem_align;

    const struct bp_block_client *client;
    uint32_t in_flight;
    uint8_t *bounce[BOUNCE_COUNT]; /* the free ones */
    uint32_t n_bounce;
    void *bounce_map;

    /* Learnt from the file system's refusals, by whatever thread meets them first. */
    atomic_bool no_punch, no_zero_range;
    atomic_uint errors;

    bool use_ring, use_sync; /* neither: the pool */
    struct uring uring;
    struct pool pool;
    struct sync sync;
};

/* The system call that gets a request done. */
enum io_method {
    IO_READ = 1, /* the two that transfer come first */
    IO_WRITE,
    IO_SYNC,
    IO_PUNCH,
    IO_ZERO_RANGE,
    IO_WRITE_ZEROES,
    IO_BLKDISCARD,
};

/* A request's state, kept in bp_block_req.backend. */
struct io {
    uint64_t pos;     /* bytes done */
    uint64_t iov_off; /* of these, in iov[iov_idx] */
    uint32_t iov_idx;
    uint32_t method; /* enum io_method */
    uint8_t *bounce; /* or NULL */
    struct bp_block_req *next;
    int32_t result; /* the pool's, for done() */
};

/* One system call. iov holds when buf is NULL. */
struct io_step {
    uint32_t method;
    uint32_t n_iov;
    uint64_t offset, len;
    void *buf;
    const struct iovec *iov;
    int mode; /* fallocate's */
};

static inline struct io *
io_of(struct bp_block_req *req)
{
    _Static_assert(sizeof(struct io) <= sizeof(req->backend), "struct io must fit");
    return (struct io *)(void *)req->backend;
}

/* A list of requests through io.next. */
static inline void
requests_append(struct bp_block_req ***tail, struct bp_block_req *req)
{
    io_of(req)->next = NULL;
    **tail = req;
    *tail = &io_of(req)->next;
}

/* open.c: all return 0 or a BP_E_* with a text attached. */
__attribute__((warn_unused_result)) int file_open(struct block_file *);
void file_close(struct block_file *);
/* Looks at the size again. 1: it has changed, 0: it has not; BP_E_*: kept as it was. */
__attribute__((warn_unused_result)) int file_refresh(struct block_file *);

/* io.c */
/* Chooses method and bounce buffer. BP_E_AGAIN: no bounce buffer is free. */
__attribute__((warn_unused_result)) int io_begin(struct block_file *, struct bp_block_req *);
void io_next(struct block_file *, struct bp_block_req *, struct io_step *ret_step);
/* What the system call returned (or -errno). 1: go on with io_next(); else what to tell done(). */
__attribute__((warn_unused_result)) int io_result(struct block_file *, struct bp_block_req *,
                                                  int64_t res);
/* Carries a step out, blocking; returns the system call's result or -errno. */
int64_t io_perform(struct block_file *, const struct io_step *);
/* All steps of the request, blocking; what to tell done(). */
int io_whole(struct block_file *, struct bp_block_req *);
/* Ends the request: gives up its resources and calls done(). [ctx] */
void io_complete(struct block_file *, struct bp_block_req *, int result);

/* uring.c: init returns 0 or -errno, *ret_what says which step failed. */
__attribute__((warn_unused_result)) int uring_init(struct block_file *, const char **ret_what);
void uring_fini(struct block_file *);
void uring_queue(struct block_file *, struct bp_block_req *);
void uring_commit(struct block_file *);
void uring_reap(struct block_file *);

/* pool.c */
__attribute__((warn_unused_result)) int pool_init(struct block_file *);
__attribute__((warn_unused_result)) int pool_start(struct block_file *);
void pool_stop(struct block_file *);
void pool_fini(struct block_file *);
void pool_queue(struct block_file *, struct bp_block_req *);
void pool_commit(struct block_file *);
void pool_reap(struct block_file *);

/* sync.c */
__attribute__((warn_unused_result)) int sync_init(struct block_file *);
void sync_queue(struct block_file *, struct bp_block_req *);
void sync_commit(struct block_file *);

#endif
