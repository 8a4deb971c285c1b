/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.h - event contexts: one epoll thread each, with fd watches, timers, soft events, doorbells.
 *
 * The main loop runs on its caller's thread (loop_run() and its kin); an I/O thread is a loop with
 * a thread of its own (loop_start()). An idle loop makes no wake-ups, an event costs no allocation.
 * Before it waits, a loop may look for work in memory for a while (loop_set_poll()).
 * It must not know who the sources belong to.
 *
 * Masks are the BP_EV_* and clocks the BP_CLOCK_* of backplane/if/event.h.
 *
 * Locks. A source may have a lock (the domain lock of its owner); the loop takes it around the
 * callback and looks again, after it has it, whether the source was removed or, for a timer,
 * disarmed or put off. Hence, for whoever holds that lock: once loop_source_remove() returned the
 * callback does not run any more, and once loop_timer_arm() returned it does not run for the old
 * deadline. The loop holds no lock of its own while a callback runs, and its own locks are leaves:
 * every function tagged [any] may be called under any lock and from any callback.
 * A source with no lock may be called at once with its remover; there loop_source_remove() waits
 * for a callback that runs on another thread, so its caller must hold nothing which that callback
 * waits for.
 * The lock itself must live until loop_sync() or loop_free() after the removal, because the loop's
 * thread may just be waiting for it.
 */
#ifndef CORE_LOOP_LOOP_H
#define CORE_LOOP_LOOP_H

#include <backplane/if/event.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/thread.h"

struct loop;
struct loop_clock;
struct loop_source;

typedef void (*loop_fn)(void *user, uint32_t mask);
typedef int (*loop_poll_fn)(void *user, uint32_t how);

/* ---- The clock that stands still while the machine is stopped ------------------------------- */

/* BP_CLOCK_VIRTUAL of every loop made with it: monotonic time less the time it was paused. It
 * starts paused, at 0. Outlives its loops. */
struct loop_clock *loop_clock_new(void);
void loop_clock_free(struct loop_clock *clock);

/* No virtual timer fires between pause and resume. Calling either twice is fine. [any] */
void loop_clock_pause(struct loop_clock *clock);
void loop_clock_resume(struct loop_clock *clock);
bool loop_clock_paused(struct loop_clock *clock);

/* Nanoseconds of BP_CLOCK_MONOTONIC, _REALTIME or _VIRTUAL; INT64_MIN for another number. [any] */
int64_t loop_clock_now(struct loop_clock *clock, uint32_t which);

/* ---- Loops ---------------------------------------------------------------------------------- */

/* A loop that does not run yet; sources can be added. The name is copied. CORE_ERROR_HOST. */
struct loop *loop_new(const char *name, struct loop_clock *clock, GError **error)
    __attribute__((warn_unused_result));

/* Stops its thread if it has one; frees sources that are still there, without calling them. */
void loop_free(struct loop *loop);

const char *loop_name(const struct loop *loop);

/* Give it a thread of its own. The attributes (NULL: default) are applied before this returns. */
gboolean loop_start(struct loop *loop, const struct thread_attrs *attrs, GError **error)
    __attribute__((warn_unused_result));

/* End that thread and wait for it; from another thread only. It can be started again. */
void loop_stop(struct loop *loop);

/*
 * Before it waits, the loop asks its pollers for work for up to max_ns nanoseconds, as long as work
 * has lately come that soon; 0, as at first: it never does. While it looks, everything else may
 * wait up to max_ns. Before it runs.
 */
void loop_set_poll(struct loop *loop, int64_t max_ns);

/* Run on this thread until loop_quit(). A quit that came before counts, once. */
void loop_run(struct loop *loop);

/* Makes loop_run() and loop_run_until() return after the batch that is being dispatched. [any] */
void loop_quit(struct loop *loop);

/* Dispatch what is ready; wait for it up to timeout_ns (-1: for ever, 0: not at all). Returns the
 * number of callbacks made. A quit means nothing here: it waits for the next run. A loop without a
 * thread of its own only. Not from a callback. */
unsigned loop_run_once(struct loop *loop, int64_t timeout_ns);

/*
 * Run on this thread until done(user), asked before each wait, is true: returns true; or until
 * timeout_ns (-1: never) have passed or loop_quit() was called: false. poll_ns > 0 asks done() at
 * least that often, for conditions that come true without an event on this loop.
 */
bool loop_run_until(struct loop *loop, bool (*done)(void *user), void *user, int64_t timeout_ns,
                    int64_t poll_ns);

/* True on the thread that runs the loop now. */
bool loop_is_current(struct loop *loop);

/* Returns when everything the loop was dispatching at the call is finished: at once when it is not
 * running or when called on its own thread. Hold no lock that a callback may want. */
void loop_sync(struct loop *loop);

/* ---- Sources: made and removed by any thread, at any time ----------------------------------- */

/*
 * fd is watched for mask (BP_EV_READ, BP_EV_WRITE; hang-up and error are always reported),
 * level-triggered; it stays the caller's and must be open until the removal. Files that are always
 * ready (regular files, /dev/null) work. 0, or -errno (-EBADF, -EMFILE, -ENOMEM, -ENOSPC). [any]
 */
int loop_add_watch(struct loop *loop, int fd, uint32_t mask, GMutex *lock, loop_fn fn, void *user,
                   struct loop_source **ret_source) __attribute__((warn_unused_result));
/* What it waits for from now on. 0 or -errno. [any] */
int loop_watch_modify(struct loop_source *source, uint32_t mask)
    __attribute__((warn_unused_result));

/* A one-shot timer on a BP_CLOCK_*, disarmed. Called with BP_EV_TIMER. -EINVAL: no such clock. */
int loop_add_timer(struct loop *loop, uint32_t clock, GMutex *lock, loop_fn fn, void *user,
                   struct loop_source **ret_source) __attribute__((warn_unused_result));
/* Absolute deadline on its clock; one in the past fires at once; BP_TIMER_OFF disarms. [any] */
void loop_timer_arm(struct loop_source *source, int64_t deadline_ns);

/* Called with BP_EV_KICK after loop_kick(), once however often it was kicked before it ran. */
int loop_add_soft(struct loop *loop, GMutex *lock, loop_fn fn, void *user,
                  struct loop_source **ret_source) __attribute__((warn_unused_result));
void loop_kick(struct loop_source *source); /* [any], also from a signal-free hot path: no syscall
                                               when the loop is awake */

/* An eventfd of the loop's own: called with BP_EV_DOORBELL after it was written. Several writes may
 * make one call. -EMFILE and the like. */
int loop_add_doorbell(struct loop *loop, GMutex *lock, loop_fn fn, void *user,
                      struct loop_source **ret_source) __attribute__((warn_unused_result));
/* The eventfd to write to or to hand to the kernel; closed by the removal. Do not read it. */
int loop_doorbell_fd(const struct loop_source *source);
/* While paused writes make no call, but for one that is on its way; going on makes one if it was
 * ever written. 0 or -errno. [any] */
int loop_doorbell_pause(struct loop_source *source, bool pause) __attribute__((warn_unused_result));

/* Asked for work with BP_POLL_*, see bp_event_if.poller: of a loop that polls, while it does. */
int loop_add_poller(struct loop *loop, GMutex *lock, loop_poll_fn fn, void *user,
                    struct loop_source **ret_source) __attribute__((warn_unused_result));

/* Under its lock if it has one; NULL is fine. Afterwards the pointer is dead. [any] */
void loop_source_remove(struct loop_source *source);

/* The loop a source belongs to. [any] */
struct loop *loop_source_loop(const struct loop_source *source);

#endif
