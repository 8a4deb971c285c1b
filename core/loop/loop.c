/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.c - the loop itself: batches of epoll events, waking it, its thread.
 */
#include "config.h"

#include "core/loop/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/error.h"
#include "core/loop/internal.h"

#define BATCH 64

struct loop *
loop_new(const char *name, struct loop_clock *clock, GError **error)
{
    struct loop *loop = g_new0(struct loop, 1);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = loop};

    loop->item = LOOP_ITEM_WAKE;
    loop->name = g_strdup(name);
    loop->clock = clock;
    g_mutex_init(&loop->lock);
    g_mutex_init(&loop->timer_lock);
    g_cond_init(&loop->cond);
    loop_timers_init(loop);
    loop->pollers = g_ptr_array_new();
    loop_clock_add(clock, loop);
    loop->wake_fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd >= 0)
        loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0 || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) < 0) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "cannot make the event loop \"%s\": %s",
                    name, g_strerror(errno));
        loop_free(loop);
        return NULL;
    }
    return loop;
}

void
loop_free(struct loop *loop)
{
    struct loop_source *next;

    if (loop == NULL)
        return;
    loop_stop(loop);
    loop_clock_remove(loop->clock, loop);
    loop_free_retired(loop);
    for (struct loop_source *source = loop->sources; source; source = next) {
        next = source->next;
        loop_source_free(source);
    }
    loop_timers_fini(loop);
    g_ptr_array_free(loop->pollers, TRUE);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    g_cond_clear(&loop->cond);
    g_mutex_clear(&loop->timer_lock);
    g_mutex_clear(&loop->lock);
    g_free(loop->name);
    g_free(loop);
}

const char *
loop_name(const struct loop *loop)
{
    return loop->name;
}

bool
loop_is_current(struct loop *loop)
{
    /* Only this thread itself can have stored its own address. */
    return atomic_load_explicit(&loop->runner, memory_order_relaxed) == g_thread_self();
}

void
loop_wake(struct loop *loop)
{
    const uint64_t one = 1;

    if (atomic_exchange(&loop->state, LOOP_AWAKE) != LOOP_ASLEEP)
        return;
    /* Cannot fail: the counter is far from full even if it is never read. */
    if (write(loop->wake_fd, &one, sizeof one) < 0)
        g_assert(errno == EAGAIN);
}

/* One callback, under the source's lock if it has one. Returns the number of calls, 0 or 1. */
bool
loop_call(struct loop_source *source, uint32_t mask)
{
    struct loop *loop = source->loop;

    if (source->lock) {
        if (atomic_load(&source->removed))
            return false;
        source->fn(source->user, mask);
        return true;
    }
    /* No lock keeps a remover out, so it is told what runs. */
    g_mutex_lock(&loop->lock);
    if (atomic_load(&source->removed)) {
        g_mutex_unlock(&loop->lock);
        return false;
    }
    loop->running = source;
    g_mutex_unlock(&loop->lock);
    source->fn(source->user, mask);
    g_mutex_lock(&loop->lock);
    loop->running = NULL;
    if (loop->waiting)
        g_cond_broadcast(&loop->cond);
    g_mutex_unlock(&loop->lock);
    return true;
}

/* Between two batches: no pointer to a source is held. A quit shortens the wait of a run only. */
static void
loop_between(struct loop *loop, bool runs, int *timeout_ms)
{
    loop_free_retired(loop);
    loop_timers_program(loop);

    g_mutex_lock(&loop->lock);
    loop_poll_refresh(loop);
    loop->batches++;
    if (loop->waiting)
        g_cond_broadcast(&loop->cond);
    if (loop->kick_head || loop->n_retired || (runs && loop->quit))
        *timeout_ms = 0;
    else if (*timeout_ms)
        atomic_store(&loop->state, loop->polling ? LOOP_POLLING : LOOP_ASLEEP);
    g_mutex_unlock(&loop->lock);
}

/* epoll counts milliseconds; waking early would make a caller that polls spin. */
static int
loop_timeout_ms(int64_t timeout_ns)
{
    if (timeout_ns <= 0)
        return timeout_ns < 0 ? -1 : 0;
    return (int)MIN((timeout_ns + 999999) / 1000000, G_MAXINT);
}

static unsigned
loop_dispatch(struct epoll_event *events, int n)
{
    unsigned calls = 0;

    for (int i = 0; i < n; i++) {
        enum loop_item *item = events[i].data.ptr;

        switch (*item) {
        case LOOP_ITEM_TIMERS:
            calls += loop_timers_expire(events[i].data.ptr);
            break;
        case LOOP_ITEM_WATCH:
        case LOOP_ITEM_DOORBELL:
            calls += loop_dispatch_fd(events[i].data.ptr, events[i].events);
            break;
        default:
            break;
        }
    }
    return calls;
}

static unsigned
loop_batch(struct loop *loop, bool runs, int64_t timeout_ns)
{
    struct epoll_event events[BATCH];
    int timeout_ms = loop_timeout_ms(timeout_ns), n;
    bool polls, idle;
    unsigned calls = 0;
    int64_t start = 0;

    loop_between(loop, runs, &timeout_ms);
    polls = loop->poll_max > 0 && loop->pollers->len && timeout_ms;
    if (polls)
        start = loop_clock_now(loop->clock, BP_CLOCK_MONOTONIC);
    if (polls && loop->polling) {
        calls = loop_poll(loop, start, &idle);
        polls = idle;
        if (!idle)
            timeout_ms = 0;
    }
    n = epoll_wait(loop->epoll_fd, events, BATCH, timeout_ms);
    atomic_store(&loop->state, LOOP_AWAKE);
    /* No signal comes here: the kernel has done some work on this thread, as it does to complete a
     * transfer of an io_uring, and would tell of it only when we wait again. */
    if (n < 0 && loop->pollers->len)
        calls += loop_poll_once(loop);
    if (polls)
        loop_poll_learn(loop, start);
    calls += loop_dispatch(events, n);
    return calls + loop_dispatch_kicked(loop);
}

static void
loop_enter(struct loop *loop)
{
    g_mutex_lock(&loop->lock);
    g_assert(atomic_load(&loop->runner) == NULL);
    atomic_store(&loop->runner, g_thread_self());
    g_mutex_unlock(&loop->lock);
}

static void
loop_leave(struct loop *loop)
{
    if (loop->polling)
        loop_poll_end(loop);
    g_mutex_lock(&loop->lock);
    atomic_store(&loop->runner, NULL);
    if (loop->waiting)
        g_cond_broadcast(&loop->cond);
    g_mutex_unlock(&loop->lock);
    loop_timers_program(loop);
}

/* Was the loop told to quit? That is one run's; take also takes it off. */
static bool
loop_quitting(struct loop *loop, bool take)
{
    bool quit;

    g_mutex_lock(&loop->lock);
    quit = loop->quit;
    if (take)
        loop->quit = false;
    g_mutex_unlock(&loop->lock);
    return quit;
}

void
loop_run(struct loop *loop)
{
    loop_enter(loop);
    while (!loop_quitting(loop, true))
        loop_batch(loop, true, -1);
    loop_leave(loop);
}

unsigned
loop_run_once(struct loop *loop, int64_t timeout_ns)
{
    unsigned calls;

    loop_enter(loop);
    calls = loop_batch(loop, false, timeout_ns);
    loop_leave(loop);
    return calls;
}

bool
loop_run_until(struct loop *loop, bool (*done)(void *user), void *user, int64_t timeout_ns,
               int64_t poll_ns)
{
    int64_t start = loop_clock_now(loop->clock, BP_CLOCK_MONOTONIC);
    bool result;

    loop_enter(loop);
    while (!(result = done(user)) && !loop_quitting(loop, false)) {
        int64_t wait = -1;

        if (timeout_ns >= 0) {
            wait = timeout_ns - (loop_clock_now(loop->clock, BP_CLOCK_MONOTONIC) - start);
            if (wait <= 0)
                break;
        }
        if (poll_ns > 0 && (wait < 0 || wait > poll_ns))
            wait = poll_ns;
        loop_batch(loop, true, wait);
    }
    /* Also when done() was true first: this is the run that it was meant for. */
    loop_quitting(loop, true);
    loop_leave(loop);
    return result;
}

void
loop_quit(struct loop *loop)
{
    g_mutex_lock(&loop->lock);
    loop->quit = true;
    loop_wake(loop);
    g_mutex_unlock(&loop->lock);
}

void
loop_sync(struct loop *loop)
{
    uint64_t batch;

    if (loop_is_current(loop))
        return;
    g_mutex_lock(&loop->lock);
    batch = loop->batches;
    loop->waiting++;
    loop_wake(loop);
    while (loop->batches == batch && atomic_load(&loop->runner))
        g_cond_wait(&loop->cond, &loop->lock);
    loop->waiting--;
    g_mutex_unlock(&loop->lock);
}

/* ---- A thread of its own -------------------------------------------------------------------- */

struct loop_birth {
    struct loop *loop;
    const struct thread_attrs *attrs;
    GError *error;
    bool born;
    GMutex lock;
    GCond cond;
};

static gpointer
loop_thread(gpointer data)
{
    struct loop_birth *birth = data;
    struct loop *loop = birth->loop;
    GError *error = NULL;
    gboolean good;

    thread_set_name(loop->name);
    good = thread_apply(birth->attrs, &error);
    g_mutex_lock(&birth->lock);
    birth->error = error;
    birth->born = true;
    g_cond_signal(&birth->cond);
    g_mutex_unlock(&birth->lock); /* birth is gone from here */
    if (good)
        loop_run(loop);
    return NULL;
}

gboolean
loop_start(struct loop *loop, const struct thread_attrs *attrs, GError **error)
{
    struct loop_birth birth = {.loop = loop, .attrs = attrs};
    sigset_t before;

    g_assert(loop->thread == NULL);
    g_mutex_init(&birth.lock);
    g_cond_init(&birth.cond);
    thread_block_signals(&before);
    loop->thread = g_thread_try_new(loop->name, loop_thread, &birth, error);
    thread_restore_signals(&before);
    if (loop->thread) {
        g_mutex_lock(&birth.lock);
        while (!birth.born)
            g_cond_wait(&birth.cond, &birth.lock);
        g_mutex_unlock(&birth.lock);
        if (birth.error) {
            g_propagate_prefixed_error(error, birth.error, "I/O thread \"%s\": ", loop->name);
            g_thread_join(g_steal_pointer(&loop->thread));
        }
    } else if (error && *error) {
        GError *cause = g_steal_pointer(error);

        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "cannot start the I/O thread \"%s\": %s",
                    loop->name, cause->message);
        g_error_free(cause);
    }
    g_cond_clear(&birth.cond);
    g_mutex_clear(&birth.lock);
    return loop->thread != NULL;
}

void
loop_stop(struct loop *loop)
{
    if (loop->thread == NULL)
        return;
    g_assert(!loop_is_current(loop));
    loop_quit(loop);
    g_thread_join(g_steal_pointer(&loop->thread));
}
