/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source.c - making, changing, dispatching and removing what a loop waits for.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/loop/internal.h"

#define RETIRED_MAX 64 /* an idle loop is woken to free that many */

struct loop_source *
loop_source_new(struct loop *loop, enum loop_item item, GMutex *lock, loop_fn fn, void *user)
{
    struct loop_source *source = g_new0(struct loop_source, 1);

    source->item = item;
    source->loop = loop;
    source->lock = lock;
    source->fn = fn;
    source->user = user;
    source->fd = -1;
    g_mutex_lock(&loop->lock);
    source->next = loop->sources;
    if (source->next)
        source->next->prev = source;
    loop->sources = source;
    g_mutex_unlock(&loop->lock);
    return source;
}

void
loop_source_free(struct loop_source *source)
{
    if (source->own_fd)
        close(source->fd);
    g_free(source);
}

void
loop_source_unlist(struct loop_source *source)
{
    if (source->prev)
        source->prev->next = source->next;
    else
        source->loop->sources = source->next;
    if (source->next)
        source->next->prev = source->prev;
}

/* ---- Watches and doorbells ------------------------------------------------------------------ */

static uint32_t
watch_to_epoll(const struct loop_source *source, uint32_t mask)
{
    if (source->always)
        return mask & (BP_EV_READ | BP_EV_WRITE) ? EPOLLIN : 0;
    return (mask & BP_EV_READ ? EPOLLIN : 0) | (mask & BP_EV_WRITE ? EPOLLOUT : 0);
}

static int
watch_ctl(struct loop_source *source, int op, uint32_t mask)
{
    struct epoll_event event = {.events = watch_to_epoll(source, mask), .data.ptr = source};

    return epoll_ctl(source->loop->epoll_fd, op, source->fd, &event) < 0 ? -errno : 0;
}

/* A descriptor of ours in the place of one that epoll does not take. */
static int
watch_substitute(struct loop_source *source, int fd)
{
    if (fd < 0)
        return -errno;
    source->fd = fd;
    source->own_fd = true;
    return 0;
}

int
loop_add_watch(struct loop *loop, int fd, uint32_t mask, GMutex *lock, loop_fn fn, void *user,
               struct loop_source **ret_source)
{
    struct loop_source *source = loop_source_new(loop, LOOP_ITEM_WATCH, lock, fn, user);
    int err;

    source->fd = fd;
    atomic_store(&source->mask, mask);
    err = watch_ctl(source, EPOLL_CTL_ADD, mask);
    if (err == -EEXIST) {
        /* A second watch of one descriptor, say one for each direction. */
        err = watch_substitute(source, fcntl(fd, F_DUPFD_CLOEXEC, 0));
        if (!err)
            err = watch_ctl(source, EPOLL_CTL_ADD, mask);
    } else if (err == -EPERM) {
        /* No poll() behind it, as for a regular file: always ready, like this eventfd. */
        source->always = true;
        err = watch_substitute(source, eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!err)
            err = watch_ctl(source, EPOLL_CTL_ADD, mask);
    }
    if (err) {
        g_mutex_lock(&loop->lock);
        loop_source_unlist(source);
        g_mutex_unlock(&loop->lock);
        loop_source_free(source);
        return err;
    }
    *ret_source = source;
    return 0;
}

int
loop_watch_modify(struct loop_source *source, uint32_t mask)
{
    g_assert(source->item == LOOP_ITEM_WATCH);
    if (atomic_exchange(&source->mask, mask) == mask)
        return 0;
    return watch_ctl(source, EPOLL_CTL_MOD, mask);
}

int
loop_add_doorbell(struct loop *loop, GMutex *lock, loop_fn fn, void *user,
                  struct loop_source **ret_source)
{
    /* Edge-triggered, so that a ring costs no read(): each write is an edge. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct loop_source *source;

    if (fd < 0)
        return -errno;
    source = loop_source_new(loop, LOOP_ITEM_DOORBELL, lock, fn, user);
    source->fd = fd;
    source->own_fd = true;
    event.data.ptr = source;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        int err = -errno;

        g_mutex_lock(&loop->lock);
        loop_source_unlist(source);
        g_mutex_unlock(&loop->lock);
        loop_source_free(source);
        return err;
    }
    *ret_source = source;
    return 0;
}

int
loop_doorbell_fd(const struct loop_source *source)
{
    g_assert(source->item == LOOP_ITEM_DOORBELL);
    return source->fd;
}

int
loop_doorbell_pause(struct loop_source *source, bool pause)
{
    /* Nobody reads the counter, so to wait again is an edge when it was ever written. */
    struct epoll_event event = {.events = EPOLLET | (pause ? 0 : EPOLLIN), .data.ptr = source};

    g_assert(source->item == LOOP_ITEM_DOORBELL);
    return epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno : 0;
}

unsigned
loop_dispatch_fd(struct loop_source *source, uint32_t epoll_events)
{
    uint32_t mask = BP_EV_DOORBELL, wanted;
    unsigned calls = 0;

    if (source->lock)
        g_mutex_lock(source->lock);
    if (source->item == LOOP_ITEM_WATCH) {
        /* Read after the lock was taken: whoever held it may have changed it. */
        wanted = atomic_load(&source->mask);
        if (source->always)
            mask = BP_EV_READ | BP_EV_WRITE;
        else
            mask = (epoll_events & EPOLLIN ? BP_EV_READ : 0) |
                   (epoll_events & EPOLLOUT ? BP_EV_WRITE : 0) |
                   (epoll_events & EPOLLHUP ? BP_EV_HANGUP : 0) |
                   (epoll_events & EPOLLERR ? BP_EV_ERROR : 0);
        mask &= wanted | BP_EV_HANGUP | BP_EV_ERROR;
    }
    if (mask)
        calls = loop_call(source, mask);
    if (source->lock)
        g_mutex_unlock(source->lock);
    return calls;
}

/* ---- Soft events ---------------------------------------------------------------------------- */

int
loop_add_soft(struct loop *loop, GMutex *lock, loop_fn fn, void *user,
              struct loop_source **ret_source)
{
    *ret_source = loop_source_new(loop, LOOP_ITEM_SOFT, lock, fn, user);
    return 0;
}

/* Under loop->lock. */
static void
soft_unlist(struct loop_source *source)
{
    struct loop *loop = source->loop;

    if (source->kick_prev)
        source->kick_prev->kick_next = source->kick_next;
    else
        loop->kick_head = source->kick_next;
    if (source->kick_next)
        source->kick_next->kick_prev = source->kick_prev;
    else
        loop->kick_tail = source->kick_prev;
    source->kick_prev = source->kick_next = NULL;
    source->kicked = false;
    loop->n_kicked--;
}

void
loop_kick(struct loop_source *source)
{
    struct loop *loop = source->loop;

    g_assert(source->item == LOOP_ITEM_SOFT);
    g_mutex_lock(&loop->lock);
    if (!source->kicked && !atomic_load(&source->removed)) {
        source->kicked = true;
        source->kick_prev = loop->kick_tail;
        if (loop->kick_tail)
            loop->kick_tail->kick_next = source;
        else
            loop->kick_head = source;
        loop->kick_tail = source;
        loop->n_kicked++;
        loop_wake(loop);
    }
    g_mutex_unlock(&loop->lock);
}

unsigned
loop_dispatch_kicked(struct loop *loop)
{
    unsigned calls = 0, budget;

    g_mutex_lock(&loop->lock);
    /* What is kicked from now on waits for the next batch. */
    for (budget = loop->n_kicked; budget && loop->kick_head; budget--) {
        struct loop_source *source = loop->kick_head;

        /* Before the callback, so that a kick during it counts. */
        soft_unlist(source);
        g_mutex_unlock(&loop->lock);
        if (source->lock)
            g_mutex_lock(source->lock);
        calls += loop_call(source, BP_EV_KICK);
        if (source->lock)
            g_mutex_unlock(source->lock);
        g_mutex_lock(&loop->lock);
    }
    g_mutex_unlock(&loop->lock);
    return calls;
}

/* ---- Removal -------------------------------------------------------------------------------- */

void
loop_source_remove(struct loop_source *source)
{
    struct loop *loop;

    if (source == NULL)
        return;
    loop = source->loop;
    g_assert(!atomic_load(&source->removed));
    atomic_store(&source->removed, true);
    if (source->item == LOOP_ITEM_TIMER)
        loop_timer_forget(source);
    if (source->fd >= 0)
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);

    g_mutex_lock(&loop->lock);
    if (source->kicked)
        soft_unlist(source);
    if (!loop_is_current(loop)) {
        loop->waiting++;
        while (loop->running == source)
            g_cond_wait(&loop->cond, &loop->lock);
        loop->waiting--;
    }
    loop->pollers_changed |= source->item == LOOP_ITEM_POLLER;
    loop_source_unlist(source);
    source->next = loop->retired;
    loop->retired = source;
    if (++loop->n_retired >= RETIRED_MAX)
        loop_wake(loop);
    g_mutex_unlock(&loop->lock);
}

void
loop_free_retired(struct loop *loop)
{
    struct loop_source *list, *next;

    g_mutex_lock(&loop->lock);
    list = loop->retired;
    loop->retired = NULL;
    loop->n_retired = 0;
    g_mutex_unlock(&loop->lock);
    for (; list; list = next) {
        next = list->next;
        loop_source_free(list);
    }
}

struct loop *
loop_source_loop(const struct loop_source *source)
{
    return source->loop;
}
