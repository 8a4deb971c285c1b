/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * poll.c - looking for work before waiting for it.
 *
 * To wait costs two context switches, and to be woken costs the waker, often a virtual CPU, a
 * system call or an exit. Where work follows upon work within microseconds it is cheaper to look
 * for it in memory. How long to look is learnt from how long the last waits were: the window grows
 * while work comes soon after it closed, and shuts when a wait was longer than the limit. An idle
 * loop hence does not look at all.
 *
 *                 epoll_wait() returned, window > 0              looked in vain for `window`
 *   waiting  ------------ BEGIN to all ----------->  polling  ------- END to all ------->  waiting
 *
 * Between BEGIN and END pollers may have told others not to notify them, so no wait begins before
 * END, and what a poller finds at END is looked after first.
 */
#include "core/loop/internal.h"

#define WINDOW_FIRST 4000 /* nanoseconds */
/* The clock is read once in so many looks, and the locks are let alone in between: a virtual CPU
 * that touches a register of the device wants them too. */
#define LOOKS_A_CLOCK 4
#define PAUSES        24

void
loop_set_poll(struct loop *loop, int64_t max_ns)
{
    g_assert(atomic_load(&loop->runner) == NULL);
    loop->poll_max = max_ns;
}

int
loop_add_poller(struct loop *loop, GMutex *lock, loop_poll_fn fn, void *user,
                struct loop_source **ret_source)
{
    struct loop_source *source = loop_source_new(loop, LOOP_ITEM_POLLER, lock, NULL, user);

    source->poll = fn;
    g_mutex_lock(&loop->lock);
    loop->pollers_changed = true;
    g_mutex_unlock(&loop->lock);
    *ret_source = source;
    return 0;
}

void
loop_poll_refresh(struct loop *loop)
{
    if (!loop->pollers_changed)
        return;
    loop->pollers_changed = false;
    g_ptr_array_set_size(loop->pollers, 0);
    for (struct loop_source *source = loop->sources; source; source = source->next)
        if (source->item == LOOP_ITEM_POLLER)
            g_ptr_array_add(loop->pollers, source);
    if (!loop->pollers->len) /* there is nobody left to end it with */
        loop->polling = false;
}

/* A poller without a lock: its remover is told what runs, as in loop_call(). */
static bool
ask_unlocked(struct loop_source *source, uint32_t how)
{
    struct loop *loop = source->loop;
    bool found;

    g_mutex_lock(&loop->lock);
    if (atomic_load(&source->removed)) {
        g_mutex_unlock(&loop->lock);
        return false;
    }
    loop->running = source;
    g_mutex_unlock(&loop->lock);
    found = source->poll(source->user, how) > 0;
    g_mutex_lock(&loop->lock);
    loop->running = NULL;
    if (loop->waiting)
        g_cond_broadcast(&loop->cond);
    g_mutex_unlock(&loop->lock);
    return found;
}

static bool
ask(struct loop_source *source, uint32_t how)
{
    bool found;

    if (!source->lock)
        return ask_unlocked(source, how);
    /* Whoever has the lock while we merely look is not to be waited for. */
    if (how != BP_POLL_LOOK)
        g_mutex_lock(source->lock);
    else if (!g_mutex_trylock(source->lock))
        return false;
    found = !atomic_load(&source->removed) && source->poll(source->user, how) > 0;
    g_mutex_unlock(source->lock);
    return found;
}

static unsigned
ask_all(struct loop *loop, uint32_t how)
{
    unsigned found = 0;

    for (guint i = 0; i < loop->pollers->len; i++)
        found += ask(g_ptr_array_index(loop->pollers, i), how);
    return found;
}

unsigned
loop_poll_once(struct loop *loop)
{
    return ask_all(loop, BP_POLL_LOOK);
}

unsigned
loop_poll_end(struct loop *loop)
{
    loop->polling = false;
    return ask_all(loop, BP_POLL_END);
}

static void
relax(void)
{
    for (unsigned i = 0; i < PAUSES; i++)
        __builtin_ia32_pause();
}

unsigned
loop_poll(struct loop *loop, int64_t start, bool *ret_idle)
{
    int64_t others = start + loop->poll_max, until = start + loop->poll_window, now;
    unsigned calls = 0, state = LOOP_POLLING;

    *ret_idle = false;
    for (unsigned turn = 1;; turn++) {
        unsigned found = ask_all(loop, BP_POLL_LOOK);

        calls += found;
        /* Kicked, told to quit, or something of the like. */
        if (atomic_load(&loop->state) != LOOP_POLLING)
            return calls;
        if (!found && turn % LOOKS_A_CLOCK) {
            relax();
            continue;
        }
        now = loop_clock_now(loop->clock, BP_CLOCK_MONOTONIC);
        if (found)
            until = now + loop->poll_window;
        else if (now >= until)
            break;
        if (now >= others) /* of the descriptors nothing is known meanwhile */
            return calls;
    }
    calls += loop_poll_end(loop);
    /* Callbacks may have armed timers: then the loop has something to do before it waits. */
    *ret_idle = calls == 0 && atomic_compare_exchange_strong(&loop->state, &state, LOOP_ASLEEP);
    return calls;
}

int64_t
loop_poll_window(int64_t window, int64_t max, int64_t waited)
{
    if (waited > max)
        return 0;
    if (waited <= window)
        return window;
    return MIN(max, window ? window * 2 : WINDOW_FIRST);
}

void
loop_poll_learn(struct loop *loop, int64_t start)
{
    int64_t now = loop_clock_now(loop->clock, BP_CLOCK_MONOTONIC);

    loop->poll_window = loop_poll_window(loop->poll_window, loop->poll_max, now - start);
    if (!loop->poll_window)
        return;
    loop->polling = true;
    ask_all(loop, BP_POLL_BEGIN);
}
