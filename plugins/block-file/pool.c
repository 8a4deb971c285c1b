/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.c - the engine of plain system calls: a few threads that take requests from a list.
 *
 * For hosts without io_uring (and, beside io_uring, for what it cannot do: discarding on a block
 * device). The threads live from start() to quiesce() and touch nothing but the file, the request
 * they have taken, and the two lists under the lock; done() is called on the device's context.
 */
#include <errno.h>
#include <string.h>

#include <backplane/log.h>

#include "block-file.h"

#define POOL_STACK (256u << 10)

static void *
pool_thread(void *arg)
{
    struct block_file *f = arg;
    struct pool *p = &f->pool;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct bp_block_req *req = p->todo;
        bool first;

        if (!req) {
            if (p->stop)
                break;
            pthread_cond_wait(&p->work, &p->lock);
            continue;
        }
        p->todo = io_of(req)->next;
        if (!p->todo)
            p->todo_tail = &p->todo;
        pthread_mutex_unlock(&p->lock);

        io_of(req)->result = io_whole(f, req);

        pthread_mutex_lock(&p->lock);
        first = !p->done;
        requests_append(&p->done_tail, req);
        if (first) {
            pthread_mutex_unlock(&p->lock);
            (void)f->event->kick(f->inst, p->finished);
            pthread_mutex_lock(&p->lock);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

int
pool_init(struct block_file *f)
{
    struct pool *p = &f->pool;

    if (pthread_mutex_init(&p->lock, NULL))
        return BP_E_NOMEM;
    if (pthread_cond_init(&p->work, NULL)) {
        pthread_mutex_destroy(&p->lock);
        return BP_E_NOMEM;
    }
    p->open = true;
    p->batch_tail = &p->batch;
    p->todo_tail = &p->todo;
    p->done_tail = &p->done;
    return f->event->soft(f->inst, "pool-done", EV_POOL, &p->finished);
}

int
pool_start(struct block_file *f)
{
    struct pool *p = &f->pool;
    pthread_attr_t attr;
    int err = pthread_attr_init(&attr);

    p->stop = false;
    if (!err)
        (void)pthread_attr_setstacksize(&attr, POOL_STACK);
    while (!err && p->n_threads < f->threads) {
        err = pthread_create(&p->thread[p->n_threads], &attr, pool_thread, f);
        if (!err)
            p->n_threads++;
    }
    pthread_attr_destroy(&attr);
    if (p->n_threads == 0)
        return bp_failf(f->host, f->inst, BP_E_AGAIN, "cannot start a thread: %s", strerror(err));
    return 0;
}

void
pool_stop(struct block_file *f)
{
    struct pool *p = &f->pool;

    if (!p->open)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    while (p->n_threads > 0)
        pthread_join(p->thread[--p->n_threads], NULL);
}

void
pool_fini(struct block_file *f)
{
    struct pool *p = &f->pool;

    if (!p->open)
        return;
    pool_stop(f);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    p->open = false;
}

void
pool_queue(struct block_file *f, struct bp_block_req *req)
{
    requests_append(&f->pool.batch_tail, req);
}

void
pool_commit(struct block_file *f)
{
    struct pool *p = &f->pool;

    if (!p->batch)
        return;
    pthread_mutex_lock(&p->lock);
    *p->todo_tail = p->batch;
    p->todo_tail = p->batch_tail;
    if (io_of(p->batch)->next)
        pthread_cond_broadcast(&p->work);
    else
        pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
    p->batch = NULL;
    p->batch_tail = &p->batch;
}

void
pool_reap(struct block_file *f)
{
    struct pool *p = &f->pool;
    struct bp_block_req *req, *next;

    pthread_mutex_lock(&p->lock);
    req = p->done;
    p->done = NULL;
    p->done_tail = &p->done;
    pthread_mutex_unlock(&p->lock);
    if (!req)
        return;
    for (; req; req = next) {
        next = io_of(req)->next;
        io_complete(f, req, io_of(req)->result);
    }
    if (BP_HAS(struct bp_block_client, f->client, completed))
        f->client->completed(f->client->user);
}
