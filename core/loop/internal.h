/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * internal.h - what the files of core/loop share; nobody else includes it.
 *
 * Lifetime of a source. epoll hands out pointers to sources, a batch at a time, so a removed source
 * is only marked and taken out of epoll; it goes to the loop's retired list, which the thread that
 * runs the loop frees between two batches, when it holds none of those pointers.
 *
 * Locks, in order: a source's (domain) lock, clock->lock, loop->timer_lock, loop->lock.
 */
#ifndef CORE_LOOP_INTERNAL_H
#define CORE_LOOP_INTERNAL_H

#include <stdatomic.h>

#include "core/loop/loop.h"

#define LOOP_CLOCKS 3

/* What an epoll event's pointer points to begins with this. */
enum loop_item {
    LOOP_ITEM_WAKE,
    LOOP_ITEM_TIMERS,
    LOOP_ITEM_WATCH,
    LOOP_ITEM_DOORBELL,
    LOOP_ITEM_TIMER, /* the last three are sources that epoll never sees */
    LOOP_ITEM_SOFT,
    LOOP_ITEM_POLLER,
};

/* What somebody who has something for the loop must do to be noticed: nothing; move it out of
 * LOOP_POLLING; and write its wake-up eventfd besides. */
enum loop_state {
    LOOP_AWAKE,
    LOOP_POLLING,
    LOOP_ASLEEP,
};

struct loop_source {
    enum loop_item item;
    struct loop *loop;
    GMutex *lock;
    loop_fn fn;
    loop_poll_fn poll; /* poller: instead of fn */
    void *user;
    atomic_bool removed;
    struct loop_source *prev, *next; /* all of the loop's, or retired; under loop->lock */

    int fd;                /* watch, doorbell: the descriptor in epoll */
    bool own_fd;           /* ours to close */
    bool always;           /* watch: fd stands for a file that is always ready */
    _Atomic uint32_t mask; /* watch: what is waited for */
    struct loop_timers *timers;
    int64_t deadline;  /* timer: under timer_lock */
    unsigned heap_pos; /* timer: place in the heap, from 1; 0: disarmed */
    bool kicked;       /* soft: in the list of kicked ones; under loop->lock */
    struct loop_source *kick_prev, *kick_next;
};

/* Armed timers of one clock: a binary heap and the one timerfd that stands for its head. */
struct loop_timers {
    enum loop_item item; /* LOOP_ITEM_TIMERS */
    struct loop *loop;
    uint32_t clock;
    int fd;                    /* -1 until the first timer */
    struct loop_source **heap; /* heap[1] to heap[armed] */
    unsigned armed, timers, capacity;
    int64_t programmed; /* what the timerfd is set to, in its own clock; BP_TIMER_OFF: nothing */
    bool late;          /* the running thread will program the timerfd before it waits */
};

struct loop {
    enum loop_item item; /* LOOP_ITEM_WAKE: the loop stands for its wake-up eventfd */
    char *name;
    struct loop_clock *clock;
    int epoll_fd, wake_fd;
    GThread *thread;           /* of loop_start() */
    _Atomic(GThread *) runner; /* the thread that runs the loop now */

    GMutex timer_lock;
    struct loop_timers timers[LOOP_CLOCKS];

    /* poll.c; the runner's */
    int64_t poll_max;    /* nanoseconds; 0: never */
    int64_t poll_window; /* how long to look for work before the next wait, at present */
    GPtrArray *pollers;  /* of sources, as they were between two batches */
    bool polling;        /* the pollers were told to begin, and not yet to end */

    bool pollers_changed; /* the array is behind; under lock, as what follows */
    bool quit;
    atomic_uint state; /* enum loop_state; other than LOOP_AWAKE only by the runner, under lock */
    GMutex lock;
    GCond cond;       /* batches, running, runner changed and somebody waits */
    unsigned waiting; /* threads that wait for cond */
    unsigned n_retired, n_kicked;
    uint64_t batches;            /* times that the runner was between two batches */
    struct loop_source *running; /* a source without a lock whose callback runs now */
    struct loop_source *sources, *retired;
    struct loop_source *kick_head, *kick_tail;
};

/* loop.c */
void loop_wake(struct loop *loop); /* under loop->lock */
bool loop_call(struct loop_source *source, uint32_t mask);

/* poll.c */
void loop_poll_refresh(struct loop *loop); /* between two batches, under loop->lock */
/* Looks for work as long as it pays. Idle: nothing was found and the loop, asleep now, may wait. */
unsigned loop_poll(struct loop *loop, int64_t start, bool *ret_idle);
/* Asks each poller once. Returns the number of those that had work. */
unsigned loop_poll_once(struct loop *loop);
/* After a wait that began at start: how long to look the next time. */
void loop_poll_learn(struct loop *loop, int64_t start);
int64_t loop_poll_window(int64_t window, int64_t max, int64_t waited);
/* The pollers go back to being notified. Returns the number of those that had work. */
unsigned loop_poll_end(struct loop *loop);

/* source.c */
void loop_source_unlist(struct loop_source *source); /* under loop->lock */
struct loop_source *loop_source_new(struct loop *loop, enum loop_item item, GMutex *lock,
                                    loop_fn fn, void *user);
void loop_source_free(struct loop_source *source);
void loop_free_retired(struct loop *loop);
unsigned loop_dispatch_kicked(struct loop *loop);
unsigned loop_dispatch_fd(struct loop_source *source, uint32_t epoll_events);

/* timer.c */
void loop_timers_init(struct loop *loop);
void loop_timers_fini(struct loop *loop);
void loop_timers_program(struct loop *loop); /* what was put off, before waiting */
unsigned loop_timers_expire(struct loop_timers *timers);
void loop_timers_clock_changed(struct loop *loop); /* the virtual clock paused or resumed */
void loop_timer_forget(struct loop_source *source);

/* clock.c */
void loop_clock_add(struct loop_clock *clock, struct loop *loop);
void loop_clock_remove(struct loop_clock *clock, struct loop *loop);
/* Monotonic time at which the virtual clock will show t, or BP_TIMER_OFF while it is paused. */
int64_t loop_clock_to_monotonic(struct loop_clock *clock, int64_t t);

#endif
