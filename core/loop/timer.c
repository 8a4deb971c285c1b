/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timer.c - one-shot timers: for each clock a binary heap and one timerfd that stands for its head.
 *
 * The timerfds are edge-triggered in epoll, so an expiry costs no read(). A timer that is armed on
 * the loop's own thread changes the heap only; the timerfd follows once, before the loop waits.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/loop/internal.h"

static const uint32_t timer_clocks[LOOP_CLOCKS] = {BP_CLOCK_MONOTONIC, BP_CLOCK_REALTIME,
                                                   BP_CLOCK_VIRTUAL};

void
loop_timers_init(struct loop *loop)
{
    for (unsigned i = 0; i < LOOP_CLOCKS; i++)
        loop->timers[i] = (struct loop_timers){.item = LOOP_ITEM_TIMERS,
                                               .loop = loop,
                                               .clock = timer_clocks[i],
                                               .fd = -1,
                                               .programmed = BP_TIMER_OFF};
}

void
loop_timers_fini(struct loop *loop)
{
    for (unsigned i = 0; i < LOOP_CLOCKS; i++) {
        if (loop->timers[i].fd >= 0)
            close(loop->timers[i].fd);
        g_free(loop->timers[i].heap);
    }
}

static void
timers_put(struct loop_timers *timers, unsigned pos, struct loop_source *source)
{
    timers->heap[pos] = source;
    source->heap_pos = pos;
}

/* The source may sit too low or too high at its place; move it to where it belongs. */
static void
timers_sift(struct loop_timers *timers, struct loop_source *source)
{
    unsigned pos = source->heap_pos;

    while (pos > 1 && timers->heap[pos / 2]->deadline > source->deadline) {
        timers_put(timers, pos, timers->heap[pos / 2]);
        pos /= 2;
    }
    for (;;) {
        unsigned child = pos * 2;

        if (child > timers->armed)
            break;
        if (child < timers->armed &&
            timers->heap[child + 1]->deadline < timers->heap[child]->deadline)
            child++;
        if (timers->heap[child]->deadline >= source->deadline)
            break;
        timers_put(timers, pos, timers->heap[child]);
        pos = child;
    }
    timers_put(timers, pos, source);
}

static void
timers_pop(struct loop_timers *timers, struct loop_source *source)
{
    struct loop_source *last = timers->heap[timers->armed--];

    if (last != source) {
        timers_put(timers, source->heap_pos, last);
        timers_sift(timers, last);
    }
    source->heap_pos = 0;
}

/* Let the timerfd stand for the head. Under timer_lock. */
static void
timers_program(struct loop_timers *timers)
{
    struct itimerspec when = {0};
    int64_t head = BP_TIMER_OFF;
    int flags = TFD_TIMER_ABSTIME;

    timers->late = false;
    if (timers->armed) {
        head = timers->heap[1]->deadline;
        if (timers->clock == BP_CLOCK_VIRTUAL)
            head = loop_clock_to_monotonic(timers->loop->clock, head);
    }
    if (head == timers->programmed)
        return;
    timers->programmed = head;
    if (head != BP_TIMER_OFF) {
        if (head < 1) /* a value of 0 would disarm */
            head = 1;
        when.it_value.tv_sec = head / INT64_C(1000000000);
        when.it_value.tv_nsec = head % INT64_C(1000000000);
    }
    if (timers->clock == BP_CLOCK_REALTIME)
        flags |= TFD_TIMER_CANCEL_ON_SET;
    /* ECANCELED: the clock was set meanwhile; asking again makes the new time count. */
    while (timerfd_settime(timers->fd, flags, &when, NULL) < 0 && errno == ECANCELED)
        continue;
}

/* The head may have changed. Under timer_lock. */
static void
timers_changed(struct loop_timers *timers)
{
    if (loop_is_current(timers->loop))
        timers->late = true;
    else
        timers_program(timers);
}

void
loop_timers_program(struct loop *loop)
{
    g_mutex_lock(&loop->timer_lock);
    for (unsigned i = 0; i < LOOP_CLOCKS; i++)
        if (loop->timers[i].late)
            timers_program(&loop->timers[i]);
    g_mutex_unlock(&loop->timer_lock);
}

void
loop_timers_clock_changed(struct loop *loop)
{
    g_mutex_lock(&loop->timer_lock);
    for (unsigned i = 0; i < LOOP_CLOCKS; i++)
        if (loop->timers[i].clock == BP_CLOCK_VIRTUAL && loop->timers[i].fd >= 0)
            timers_program(&loop->timers[i]);
    g_mutex_unlock(&loop->timer_lock);
}

static bool
timers_due(struct loop_timers *timers, const struct loop_source *source, int64_t now)
{
    return source->heap_pos && source->deadline <= now &&
           !(timers->clock == BP_CLOCK_VIRTUAL && loop_clock_paused(timers->loop->clock));
}

unsigned
loop_timers_expire(struct loop_timers *timers)
{
    struct loop *loop = timers->loop;
    int64_t now = loop_clock_now(loop->clock, timers->clock);
    unsigned calls = 0, budget;

    g_mutex_lock(&loop->timer_lock);
    timers->late = true;
    /* A timerfd that expired is disarmed. One on a clock that was set back may have expired before
     * that: then nothing is known of it. */
    if (timers->clock == BP_CLOCK_REALTIME)
        timers->programmed = INT64_MIN;
    else if (timers->programmed <= loop_clock_now(loop->clock, BP_CLOCK_MONOTONIC))
        timers->programmed = BP_TIMER_OFF;
    /* A timer that arms itself for the past gets its turn with the others, in the next batch. */
    for (budget = timers->armed; budget && timers->armed; budget--) {
        struct loop_source *source = timers->heap[1];
        bool fires;

        if (!timers_due(timers, source, now))
            break;
        g_mutex_unlock(&loop->timer_lock);
        if (source->lock)
            g_mutex_lock(source->lock);
        g_mutex_lock(&loop->timer_lock);
        fires = timers_due(timers, source, now);
        if (fires)
            timers_pop(timers, source);
        g_mutex_unlock(&loop->timer_lock);
        if (fires)
            calls += loop_call(source, BP_EV_TIMER);
        if (source->lock)
            g_mutex_unlock(source->lock);
        g_mutex_lock(&loop->timer_lock);
    }
    g_mutex_unlock(&loop->timer_lock);
    return calls;
}

/* The heap has room for every timer there is, so arming one allocates nothing. */
static int
timers_reserve(struct loop_timers *timers)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = timers};
    int id = timers->clock == BP_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;

    if (timers->fd < 0) {
        int fd = timerfd_create(id, TFD_CLOEXEC | TFD_NONBLOCK);

        if (fd < 0)
            return -errno;
        if (epoll_ctl(timers->loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
            int err = -errno;

            close(fd);
            return err;
        }
        timers->fd = fd;
    }
    if (timers->timers == timers->capacity) {
        timers->capacity = MAX(8, timers->capacity * 2);
        timers->heap = g_renew(struct loop_source *, timers->heap, timers->capacity + 1);
    }
    timers->timers++;
    return 0;
}

int
loop_add_timer(struct loop *loop, uint32_t clock, GMutex *lock, loop_fn fn, void *user,
               struct loop_source **ret_source)
{
    struct loop_timers *timers = NULL;
    struct loop_source *source;
    int err;

    for (unsigned i = 0; i < LOOP_CLOCKS; i++)
        if (timer_clocks[i] == clock)
            timers = &loop->timers[i];
    if (timers == NULL)
        return -EINVAL;
    g_mutex_lock(&loop->timer_lock);
    err = timers_reserve(timers);
    g_mutex_unlock(&loop->timer_lock);
    if (err)
        return err;
    source = loop_source_new(loop, LOOP_ITEM_TIMER, lock, fn, user);
    source->timers = timers;
    *ret_source = source;
    return 0;
}

void
loop_timer_arm(struct loop_source *source, int64_t deadline_ns)
{
    struct loop_timers *timers = source->timers;
    struct loop *loop = source->loop;

    g_assert(source->item == LOOP_ITEM_TIMER);
    g_mutex_lock(&loop->timer_lock);
    if (!atomic_load(&source->removed)) {
        if (deadline_ns == BP_TIMER_OFF) {
            if (source->heap_pos)
                timers_pop(timers, source);
        } else {
            if (source->heap_pos == 0)
                timers_put(timers, ++timers->armed, source);
            source->deadline = deadline_ns;
            timers_sift(timers, source);
        }
        timers_changed(timers);
    }
    g_mutex_unlock(&loop->timer_lock);
}

void
loop_timer_forget(struct loop_source *source)
{
    struct loop *loop = source->loop;

    g_mutex_lock(&loop->timer_lock);
    if (source->heap_pos) {
        timers_pop(source->timers, source);
        timers_changed(source->timers);
    }
    source->timers->timers--;
    g_mutex_unlock(&loop->timer_lock);
}
