/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * poll.c - slirp's descriptors as watches of the event context.
 *
 * Slirp is written for a program with a poll() loop: before each wait it is asked which descriptors
 * it wants for what, afterwards it is told what is ready. We keep one watch a descriptor, change it
 * only when slirp's wish changes, and when any fires ask the kernel about all of them at once.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "net-user.h"

#define SLIRP_SLOW_MS 500u

static struct watch *
find(struct net_user *nu, int fd)
{
    for (unsigned i = 0; i < nu->n_watches; i++)
        if (nu->watches[i].fd == fd)
            return &nu->watches[i];
    return NULL;
}

static bool
grow(void **array, unsigned n, unsigned *cap, size_t item)
{
    unsigned to = *cap ? *cap * 2 : 16;
    void *p;

    if (n < *cap)
        return true;
    p = realloc(*array, to * item);
    if (!p)
        return false;
    *array = p;
    *cap = to;
    return true;
}

static uint32_t
mask_of(int events)
{
    return (events & (SLIRP_POLL_IN | SLIRP_POLL_PRI) ? (uint32_t)BP_EV_READ : 0u) |
           (events & SLIRP_POLL_OUT ? (uint32_t)BP_EV_WRITE : 0u);
}

/* slirp_pollfds_fill()'s callback: the number that get_revents() is asked for later. */
static int
add_poll(int fd, int events, void *opaque)
{
    struct net_user *nu = opaque;
    struct watch *w = find(nu, fd);

    if (!w) {
        if (!grow((void **)&nu->watches, nu->n_watches, &nu->cap_watches, sizeof *nu->watches))
            return -1;
        w = &nu->watches[nu->n_watches++];
        memset(w, 0, sizeof *w);
        w->fd = fd;
    }
    w->wanted = w->seen ? w->wanted | events : events;
    w->seen = true;
    if (!grow((void **)&nu->order, nu->n_order, &nu->cap_order, sizeof *nu->order))
        return -1;
    nu->order[nu->n_order++] = (int)(w - nu->watches);
    return (int)nu->n_order - 1;
}

static uint32_t
ask(struct net_user *nu)
{
    uint32_t timeout_ms = UINT32_MAX;

    for (unsigned i = 0; i < nu->n_watches; i++)
        nu->watches[i].seen = false;
    nu->n_order = 0;
    slirp_pollfds_fill(nu->slirp, &timeout_ms, add_poll, nu);
    return timeout_ms;
}

static void
close_watch(struct net_user *nu, struct watch *w)
{
    if (w->live)
        nu->ev->close(nu->inst, w->event);
    w->live = false;
    w->mask = 0;
}

static void
set_watch(struct net_user *nu, struct watch *w, uint32_t mask)
{
    if (mask == 0) {
        /* A watch without a wish would still report hang-ups, again and again. */
        close_watch(nu, w);
    } else if (!w->live) {
        w->live = nu->ev->watch(nu->inst, w->fd, mask, COOKIE_FD, &w->event) == 0;
        w->mask = w->live ? mask : 0;
    } else if (w->mask != mask) {
        nu->ev->modify(nu->inst, w->event, mask);
        w->mask = mask;
    }
}

void
poll_update(struct net_user *nu)
{
    uint32_t timeout_ms;
    unsigned kept = 0;

    if (!nu->running)
        return;
    /* What waits for the device holds back what would come in: sockets keep it for us. */
    if (nu->queue.head) {
        for (unsigned i = 0; i < nu->n_watches; i++)
            set_watch(nu, &nu->watches[i], 0);
        nu->ev->arm(nu->inst, nu->timeout, BP_TIMER_OFF);
        return;
    }
    timeout_ms = ask(nu);
    /* It never asks for more than a second, nor, while anything waits, for more than this. */
    if (timeout_ms > SLIRP_SLOW_MS)
        timeout_ms = UINT32_MAX;
    for (unsigned i = 0; i < nu->n_watches; i++) {
        struct watch *w = &nu->watches[i];

        set_watch(nu, w, w->seen ? mask_of(w->wanted) : 0);
        if (w->seen)
            nu->watches[kept++] = *w;
    }
    nu->n_watches = kept;
    nu->ev->arm(nu->inst, nu->timeout,
                timeout_ms == UINT32_MAX
                    ? BP_TIMER_OFF
                    : nu->ev->now(nu->inst, BP_CLOCK_MONOTONIC) + (int64_t)timeout_ms * 1000000);
}

static int
get_revents(int idx, void *opaque)
{
    const struct net_user *nu = opaque;
    short got;

    if (idx < 0 || (unsigned)idx >= nu->n_order)
        return 0;
    got = nu->fds[nu->order[idx]].revents;
    return (got & POLLIN ? SLIRP_POLL_IN : 0) | (got & POLLOUT ? SLIRP_POLL_OUT : 0) |
           (got & POLLPRI ? SLIRP_POLL_PRI : 0) | (got & POLLERR ? SLIRP_POLL_ERR : 0) |
           (got & POLLHUP ? SLIRP_POLL_HUP : 0);
}

static short
poll_events(int wanted)
{
    return (short)((wanted & SLIRP_POLL_IN ? POLLIN : 0) | (wanted & SLIRP_POLL_OUT ? POLLOUT : 0) |
                   (wanted & SLIRP_POLL_PRI ? POLLPRI : 0));
}

void
poll_process(struct net_user *nu)
{
    if (!nu->running || nu->queue.head)
        return;
    /* Asked afresh: slirp identifies descriptors by their position in its latest wish. */
    ask(nu);
    while (nu->cap_fds <= nu->n_watches)
        if (!grow((void **)&nu->fds, nu->cap_fds, &nu->cap_fds, sizeof *nu->fds))
            return;
    for (unsigned i = 0; i < nu->n_watches; i++) {
        const struct watch *w = &nu->watches[i];

        nu->fds[i] = (struct pollfd){.fd = w->seen ? w->fd : -1, .events = poll_events(w->wanted)};
    }
    slirp_pollfds_poll(nu->slirp, poll(nu->fds, nu->n_watches, 0) < 0, get_revents, nu);
}

/* Slirp is about to close fd; its number may be another socket's in the next moment. */
void
poll_forget(struct net_user *nu, int fd)
{
    struct watch *w = find(nu, fd);

    if (w)
        close_watch(nu, w);
}

void
poll_stop(struct net_user *nu)
{
    for (unsigned i = 0; i < nu->n_watches; i++)
        close_watch(nu, &nu->watches[i]);
    nu->n_watches = 0;
    nu->ev->arm(nu->inst, nu->timeout, BP_TIMER_OFF);
}

void
poll_free(struct net_user *nu)
{
    free(nu->watches);
    free(nu->order);
    free(nu->fds);
    nu->watches = NULL;
    nu->order = NULL;
    nu->fds = NULL;
    nu->n_watches = nu->cap_watches = nu->n_order = nu->cap_order = nu->cap_fds = 0;
}
