/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking for work before waiting: when a loop does, for how long, and that nothing is lost when it
 * stops. The window's limit is an hour here, so that no wait of this test's is too long for it.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "core/loop/internal.h"
#include "tests/tap.h"

#define HOUR   (INT64_C(3600) * 1000000000)
#define SECOND INT64_C(1000000000)

struct poller {
    struct loop *loop;
    GMutex lock;
    struct loop_source *source, *kick;
    atomic_uint looks, begins, ends, kicks, work;
    atomic_uint serve; /* the look that has work, from 1 */
    atomic_int last;   /* what it was asked last */
    bool late_work;    /* BP_POLL_END finds some, once */
    atomic_bool on;    /* between begin and end */
    atomic_uint lost;  /* asked to look while it was not on */
    atomic_bool go, remove, gone;
};

static int
poll(void *user, uint32_t how)
{
    struct poller *p = user;
    bool late = p->late_work;

    atomic_store(&p->last, (int)how);
    switch (how) {
    case BP_POLL_BEGIN:
        p->begins++;
        p->on = true;
        return 0;
    case BP_POLL_END:
        p->ends++;
        p->on = false;
        p->late_work = false;
        p->work += late;
        return late;
    }
    p->lost += !p->on;
    if (p->remove) {
        loop_source_remove(p->source);
        p->remove = false;
        p->gone = true;
    }
    if (++p->looks != p->serve)
        return 0;
    p->work++;
    return 1;
}

static void
kicked(void *user, uint32_t mask)
{
    struct poller *p = user;

    (void)mask;
    p->kicks++;
    p->go = true;
}

static void
open_poller(struct poller *p, struct loop_clock *clock, int64_t max, int64_t window, bool locked)
{
    GError *error = NULL;

    memset(p, 0, sizeof *p);
    g_mutex_init(&p->lock);
    p->loop = loop_new("poll", clock, &error);
    if (!p->loop)
        g_error("%s", error->message);
    loop_set_poll(p->loop, max);
    p->loop->poll_window = window;
    if (loop_add_poller(p->loop, locked ? &p->lock : NULL, poll, p, &p->source) ||
        loop_add_soft(p->loop, &p->lock, kicked, p, &p->kick))
        g_error("no sources");
}

static void
close_poller(struct poller *p)
{
    loop_stop(p->loop);
    eq_int(p->lost, 0, "never asked to look outside of begin and end");
    ok(!p->on && p->begins == p->ends, "%u times begun, %u times ended", p->begins, p->ends);
    loop_free(p->loop);
    g_mutex_clear(&p->lock);
}

static void
until(atomic_bool *flag)
{
    while (!atomic_load(flag))
        g_usleep(500);
}

static void
kick(struct poller *p)
{
    p->go = false;
    loop_kick(p->kick);
    until(&p->go);
}

/* Until it was woken from a wait, and now polls: the first kick may come before the first wait. */
static void
begin(struct poller *p)
{
    unsigned before = p->begins;

    do
        kick(p);
    while (p->begins == before);
    p->kicks = 0;
}

static void
test_window(void)
{
    static const struct {
        int64_t window, max, waited, then;
        const char *what;
    } rows[] = {
        {0, 32000, 100000, 0, "shut, and the wait was long: it stays shut"},
        {0, 32000, 20000, 4000, "shut, and the wait was short: it opens"},
        {4000, 32000, 20000, 8000, "the wait was longer than it: it doubles"},
        {16000, 32000, 20000, 32000, "up to the limit"},
        {24000, 32000, 30000, 32000, "and no further"},
        {32000, 32000, 3000, 32000, "the wait was in it: it stays"},
        {32000, 32000, 32000, 32000, "the limit belongs to it"},
        {32000, 32000, 32001, 0, "the wait was too long: it shuts"},
        {4000, 2000, 1000, 4000, "a limit below the first step"},
        {0, 2000, 1000, 2000, "is where it opens to"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        eq_int(loop_poll_window(rows[i].window, rows[i].max, rows[i].waited), rows[i].then,
               rows[i].what);
}

static void
test_off(struct loop_clock *clock)
{
    struct poller p;

    open_poller(&p, clock, 0, 0, true);
    ok(loop_start(p.loop, NULL, NULL), "a loop that may not poll");
    for (int i = 0; i < 20; i++)
        kick(&p);
    close_poller(&p);
    ok(!p.looks && !p.begins, "asks nobody");
}

/* The machine runs, and nothing happens for longer than the limit: the loop only waits. */
static void
test_idle(struct loop_clock *clock)
{
    struct poller p;
    unsigned looks;

    open_poller(&p, clock, 20000, 20000, true);
    ok(loop_start(p.loop, NULL, NULL), "a loop that may poll 20 microseconds");
    kick(&p);
    g_usleep(100000);
    kick(&p);
    g_usleep(10000); /* ends what that began, if the loop took it for a busy one */
    looks = p.looks;
    g_usleep(200000);
    ok(p.looks == looks && p.last != BP_POLL_BEGIN && p.last != BP_POLL_LOOK,
       "asks nobody while it is idle (%u looks before)", looks);
    close_poller(&p);
}

/* The loop polls for an hour: what else may come ends that. */
static void
test_found(struct loop_clock *clock, bool locked)
{
    struct poller p;

    open_poller(&p, clock, HOUR, HOUR, locked);
    p.serve = 5;
    ok(loop_start(p.loop, NULL, NULL), "a loop that polls, %s", locked ? "locked" : "unlocked");
    begin(&p);
    while (p.looks < 100)
        g_usleep(500);
    ok(p.work == 1 && p.begins == 1 && p.ends == 0, "work is found, and it goes on looking");
    kick(&p);
    eq_int(p.kicks, 1, "a kick is noticed meanwhile");
    loop_sync(p.loop);
    ok(1, "somebody who waits for the batch to end too");
    if (locked) {
        unsigned looks;

        g_mutex_lock(&p.lock);
        looks = p.looks;
        g_usleep(20000);
        eq_int(p.looks - looks, 0, "nobody is asked while another has the lock");
        g_mutex_unlock(&p.lock);
    }
    p.remove = true;
    until(&p.gone);
    kick(&p);
    eq_int(p.kicks, 2, "a poller may remove itself");
    loop_stop(p.loop);
    loop_free(p.loop);
    eq_int(p.lost, 0, "never asked to look outside of begin and end");
    g_mutex_clear(&p.lock);
}

/* The poller's work of the last moment is done before the loop waits, and others' is not lost. */
static void
test_end(struct loop_clock *clock)
{
    struct poller p;

    open_poller(&p, clock, HOUR, SECOND / 100, true);
    p.late_work = true;
    ok(loop_start(p.loop, NULL, NULL), "a loop that polls a hundredth of a second");
    begin(&p);
    while (p.ends < 1)
        g_usleep(500);
    ok(p.looks > 0 && p.work == 1, "what is there at the end is found");
    begin(&p);
    while (p.ends < 2)
        g_usleep(500);
    eq_int(p.begins, 2, "it begins again");
    close_poller(&p);
}

/* A timer and a descriptor come due while it polls: neither waits for its end. */
static void
test_others(struct loop_clock *clock)
{
    struct poller p;
    struct loop_source *timer;
    struct loop_source *bell;
    uint64_t one = 1;

    open_poller(&p, clock, SECOND / 50, SECOND / 50, true);
    if (loop_add_timer(p.loop, BP_CLOCK_MONOTONIC, NULL, kicked, &p, &timer) ||
        loop_add_doorbell(p.loop, NULL, kicked, &p, &bell))
        g_error("no sources");
    ok(loop_start(p.loop, NULL, NULL), "a loop with a timer and a doorbell");
    begin(&p);
    p.go = false;
    loop_timer_arm(timer, loop_clock_now(clock, BP_CLOCK_MONOTONIC) + SECOND / 1000);
    until(&p.go);
    p.go = false;
    if (write(loop_doorbell_fd(bell), &one, sizeof one) != sizeof one)
        g_error("write");
    until(&p.go);
    eq_int(p.kicks, 2, "both are called");
    close_poller(&p);
}

static void
nothing(int sig)
{
    (void)sig;
}

static gpointer
interrupt(gpointer data)
{
    pthread_t thread = *(pthread_t *)data;

    for (int i = 0; i < 3; i++) {
        g_usleep(20000);
        pthread_kill(thread, SIGUSR1);
    }
    return NULL;
}

/* A wait that the kernel broke off: what it did meanwhile is looked for at once. */
static void
test_interrupted(struct loop_clock *clock)
{
    struct sigaction action = {.sa_handler = nothing};
    pthread_t self = pthread_self();
    struct poller p;
    GThread *thread;

    open_poller(&p, clock, 0, 0, true);
    p.serve = 1;
    p.on = true; /* to be asked is all right here */
    sigaction(SIGUSR1, &action, NULL);
    thread = g_thread_new("interrupt", interrupt, &self);
    ok(loop_run_once(p.loop, 10 * SECOND) == 1 && p.work == 1, "an interrupted wait is a look");
    g_thread_join(thread);
    p.on = false;
    close_poller(&p);
}

int
main(void)
{
    struct loop_clock *clock = loop_clock_new();

    test_window();
    test_off(clock);
    test_idle(clock);
    test_found(clock, true);
    test_found(clock, false);
    test_end(clock);
    test_others(clock);
    test_interrupted(clock);
    loop_clock_free(clock);
    return done_testing();
}
