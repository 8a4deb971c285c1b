/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.c - the clocks that timers run on, above all the virtual one.
 *
 * The virtual clock's state is two atomics, so that reading it takes no lock: the time it stopped
 * at, or CLOCK_RUNS, and how far it is behind monotonic time while it runs. Changing it takes the
 * clock's lock, which also guards the list of loops whose timerfds then change.
 */
#include <time.h>

#include "core/loop/internal.h"

#define CLOCK_RUNS INT64_MIN

struct loop_clock {
    GMutex lock;
    GPtrArray *loops;
    _Atomic int64_t stopped_at;
    _Atomic int64_t behind;
};

static int64_t
clock_read(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

struct loop_clock *
loop_clock_new(void)
{
    struct loop_clock *clock = g_new0(struct loop_clock, 1);

    g_mutex_init(&clock->lock);
    clock->loops = g_ptr_array_new();
    return clock;
}

void
loop_clock_free(struct loop_clock *clock)
{
    if (clock == NULL)
        return;
    g_assert(clock->loops->len == 0);
    g_ptr_array_free(clock->loops, TRUE);
    g_mutex_clear(&clock->lock);
    g_free(clock);
}

void
loop_clock_add(struct loop_clock *clock, struct loop *loop)
{
    g_mutex_lock(&clock->lock);
    g_ptr_array_add(clock->loops, loop);
    g_mutex_unlock(&clock->lock);
}

void
loop_clock_remove(struct loop_clock *clock, struct loop *loop)
{
    g_mutex_lock(&clock->lock);
    g_ptr_array_remove_fast(clock->loops, loop);
    g_mutex_unlock(&clock->lock);
}

static void
clock_tell_loops(struct loop_clock *clock)
{
    for (unsigned i = 0; i < clock->loops->len; i++)
        loop_timers_clock_changed(clock->loops->pdata[i]);
}

void
loop_clock_pause(struct loop_clock *clock)
{
    g_mutex_lock(&clock->lock);
    if (atomic_load(&clock->stopped_at) == CLOCK_RUNS) {
        atomic_store(&clock->stopped_at, clock_read(CLOCK_MONOTONIC) - atomic_load(&clock->behind));
        clock_tell_loops(clock);
    }
    g_mutex_unlock(&clock->lock);
}

void
loop_clock_resume(struct loop_clock *clock)
{
    g_mutex_lock(&clock->lock);
    if (atomic_load(&clock->stopped_at) != CLOCK_RUNS) {
        /* A reader that still sees the clock stopped gets the same time either way. */
        atomic_store(&clock->behind, clock_read(CLOCK_MONOTONIC) - atomic_load(&clock->stopped_at));
        atomic_store(&clock->stopped_at, CLOCK_RUNS);
        clock_tell_loops(clock);
    }
    g_mutex_unlock(&clock->lock);
}

bool
loop_clock_paused(struct loop_clock *clock)
{
    return atomic_load(&clock->stopped_at) != CLOCK_RUNS;
}

int64_t
loop_clock_now(struct loop_clock *clock, uint32_t which)
{
    int64_t stopped_at;

    switch (which) {
    case BP_CLOCK_MONOTONIC:
        return clock_read(CLOCK_MONOTONIC);
    case BP_CLOCK_REALTIME:
        return clock_read(CLOCK_REALTIME);
    case BP_CLOCK_VIRTUAL:
        stopped_at = atomic_load(&clock->stopped_at);
        return stopped_at != CLOCK_RUNS ? stopped_at
                                        : clock_read(CLOCK_MONOTONIC) - atomic_load(&clock->behind);
    default:
        return INT64_MIN;
    }
}

int64_t
loop_clock_to_monotonic(struct loop_clock *clock, int64_t t)
{
    int64_t behind = atomic_load(&clock->behind), sum;

    if (loop_clock_paused(clock))
        return BP_TIMER_OFF;
    return __builtin_add_overflow(t, behind, &sum) ? (t < 0 ? 0 : BP_TIMER_OFF - 1) : sum;
}
