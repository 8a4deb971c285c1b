/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Event contexts and threads: removal while a callback runs, many at once, idling, attributes.
 *
 * Nothing here depends on how long anything takes: a wait ends with an event, and what must not
 * happen is checked after something that comes later.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/test-loop.h"

struct shared {
    GMutex lock;
    struct loop *loop;
    struct loop_source *source;
    bool dead; /* under lock: the callback must not run any more */
    _Atomic unsigned late, calls;
};

static void
shared_called(void *user, uint32_t mask)
{
    struct shared *shared = user;

    (void)mask;
    shared->calls++;
    if (shared->dead)
        shared->late++;
}

/* Sources are removed under their lock while the loop is busy calling them. */
static void
test_removal_race(struct loop_clock *clock)
{
    struct loop *loop = make_loop(clock);
    struct shared shared = {.loop = loop};

    g_mutex_init(&shared.lock);
    if (!loop_start(loop, NULL, NULL))
        g_error("loop_start");
    for (unsigned i = 0; i < 2000; i++) {
        g_mutex_lock(&shared.lock);
        shared.dead = false;
        switch (i % 3) {
        case 0:
            must(loop_add_soft(loop, &shared.lock, shared_called, &shared, &shared.source));
            loop_kick(shared.source);
            break;
        case 1:
            must(loop_add_doorbell(loop, &shared.lock, shared_called, &shared, &shared.source));
            write_one(loop_doorbell_fd(shared.source));
            break;
        default:
            must(loop_add_timer(loop, BP_CLOCK_MONOTONIC, &shared.lock, shared_called, &shared,
                                &shared.source));
            loop_timer_arm(shared.source, 0);
        }
        g_mutex_unlock(&shared.lock);
        if (i % 5 == 0)
            g_thread_yield();
        g_mutex_lock(&shared.lock);
        loop_source_remove(shared.source);
        shared.dead = true;
        g_mutex_unlock(&shared.lock);
    }
    loop_sync(loop);
    g_mutex_clear(&shared.lock); /* allowed from here */
    eq_int(shared.late, 0, "no callback after a removal under the lock");
    loop_free(loop);
}

static void
timer_off_race(struct loop_clock *clock)
{
    struct loop *loop = make_loop(clock);
    struct shared shared = {.loop = loop};

    g_mutex_init(&shared.lock);
    must(loop_add_timer(loop, BP_CLOCK_MONOTONIC, &shared.lock, shared_called, &shared,
                        &shared.source));
    if (!loop_start(loop, NULL, NULL))
        g_error("loop_start");
    for (unsigned i = 0; i < 2000; i++) {
        g_mutex_lock(&shared.lock);
        shared.dead = false;
        loop_timer_arm(shared.source, 0);
        g_mutex_unlock(&shared.lock);
        if (i % 5 == 0)
            g_thread_yield();
        g_mutex_lock(&shared.lock);
        loop_timer_arm(shared.source, BP_TIMER_OFF);
        shared.dead = true;
        g_mutex_unlock(&shared.lock);
    }
    loop_stop(loop);
    eq_int(shared.late, 0, "no timer fires after it was disarmed under the lock");
    loop_free(loop);
    g_mutex_clear(&shared.lock);
}

static void
stay_inside(void *user, uint32_t mask)
{
    struct rec *rec = user;

    (void)mask;
    atomic_store(&rec->inside, true);
    while (!atomic_load(&rec->go))
        g_thread_yield();
    rec->calls++;
}

static gpointer
let_go(gpointer data)
{
    struct rec *rec = data;

    /* Long enough for the remover to get to its waiting; the result is the same if it is not. */
    g_usleep(2000);
    atomic_store(&rec->go, true);
    return NULL;
}

static void
test_unlocked_removal(struct loop_clock *clock)
{
    struct loop *loop = make_loop(clock);
    struct rec rec = {.loop = loop};
    GThread *helper;

    must(loop_add_soft(loop, NULL, stay_inside, &rec, &rec.source));
    if (!loop_start(loop, NULL, NULL))
        g_error("loop_start");
    loop_kick(rec.source);
    while (!atomic_load(&rec.inside))
        g_thread_yield();
    helper = g_thread_new("helper", let_go, &rec);
    loop_source_remove(rec.source);
    eq_int(rec.calls, 1, "without a lock, a removal waits for the callback that runs");
    g_thread_join(helper);

    rec.calls = 0;
    rec.inside = rec.go = false;
    must(loop_add_soft(loop, NULL, stay_inside, &rec, &rec.source));
    loop_kick(rec.source);
    while (!atomic_load(&rec.inside))
        g_thread_yield();
    helper = g_thread_new("helper", let_go, &rec);
    loop_sync(loop);
    eq_int(rec.calls, 1, "loop_sync() waits for the batch");
    g_thread_join(helper);
    loop_free(loop);
}

#define KICKERS 4
#define KICKS   5000

struct storm {
    struct loop_source *soft, *bell, *timer;
    GMutex lock;
    unsigned long soft_seen, bell_seen, timer_seen; /* under lock */
    _Atomic unsigned long soft_made, bell_made, timer_made;
    struct loop_clock *clock;
};

static void
storm_soft(void *user, uint32_t mask)
{
    struct storm *storm = user;

    (void)mask;
    storm->soft_seen = atomic_load(&storm->soft_made);
}

static void
storm_bell(void *user, uint32_t mask)
{
    struct storm *storm = user;

    (void)mask;
    storm->bell_seen = atomic_load(&storm->bell_made);
}

static void
storm_timer(void *user, uint32_t mask)
{
    struct storm *storm = user;

    (void)mask;
    storm->timer_seen = atomic_load(&storm->timer_made);
}

static gpointer
storm_kicker(gpointer data)
{
    struct storm *storm = data;

    for (unsigned i = 0; i < KICKS; i++) {
        atomic_fetch_add(&storm->soft_made, 1);
        loop_kick(storm->soft);
        atomic_fetch_add(&storm->bell_made, 1);
        write_one(loop_doorbell_fd(storm->bell));
        atomic_fetch_add(&storm->timer_made, 1);
        loop_timer_arm(storm->timer, i & 1 ? 0 : loop_clock_now(storm->clock, BP_CLOCK_MONOTONIC));
    }
    return NULL;
}

static void
test_storm(struct loop_clock *clock)
{
    struct loop *loop = make_loop(clock);
    struct storm storm = {.clock = clock};
    GThread *threads[KICKERS];
    bool all = false;

    g_mutex_init(&storm.lock);
    must(loop_add_soft(loop, &storm.lock, storm_soft, &storm, &storm.soft));
    must(loop_add_doorbell(loop, &storm.lock, storm_bell, &storm, &storm.bell));
    must(loop_add_timer(loop, BP_CLOCK_MONOTONIC, &storm.lock, storm_timer, &storm, &storm.timer));
    if (!loop_start(loop, NULL, NULL))
        g_error("loop_start");
    for (unsigned i = 0; i < KICKERS; i++)
        threads[i] = g_thread_new("kicker", storm_kicker, &storm);
    for (unsigned i = 0; i < KICKERS; i++)
        g_thread_join(threads[i]);
    /* The last kick, ring and arming must each have been followed by a callback. */
    while (!all) {
        g_mutex_lock(&storm.lock);
        all = storm.soft_seen == KICKERS * KICKS && storm.bell_seen == KICKERS * KICKS &&
              storm.timer_seen == KICKERS * KICKS;
        g_mutex_unlock(&storm.lock);
        g_thread_yield();
    }
    ok(1, "no kick, ring or timer of %u threads is lost", KICKERS);
    loop_free(loop);
    g_mutex_clear(&storm.lock);
}

static void
note_thread(void *user, uint32_t mask)
{
    struct rec *rec = user;
    char name[16] = "";

    pthread_getname_np(pthread_self(), name, sizeof name);
    rec->fd = strcmp(name, "iothread-with-a") == 0;
    count(user, mask);
    atomic_store(&rec->go, true);
}

static void
test_thread(struct loop_clock *clock)
{
    struct loop *loop = loop_new("iothread-with-a-long-name", clock, NULL),
                *home = make_loop(clock);
    struct thread_attrs attrs = THREAD_ATTRS_DEFAULT, bad = THREAD_ATTRS_DEFAULT;
    struct rec rec = {.loop = loop};
    GError *error = NULL;
    sigset_t set;
    gboolean good;

    ok(thread_parse_cpus("1023", &bad, NULL), "a list that only a larger host has is well-formed");
    good = loop_start(loop, &bad, &error);
    ok(!good && error, "but no thread starts with it: %s", error ? error->message : "it does");
    g_clear_error(&error);
    ok(thread_parse_policy("batch", &attrs, NULL) && loop_start(loop, &attrs, &error),
       "started in class batch");
    must(loop_add_soft(loop, NULL, note_thread, &rec, &rec.source));
    loop_kick(rec.source);
    ok(loop_run_until(home, is_true, &rec.go, -1, 1000000), "an event runs there, seen by polling");
    eq_int(rec.fd, 1, "on a thread of that name, cut to 15 bytes");
    sigemptyset(&set);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    eq_int(sigismember(&set, SIGTERM), 0, "the starter's signal mask is as it was");
    loop_stop(loop);
    loop_stop(loop);
    rec.go = false;
    loop_kick(rec.source);
    ok(loop_start(loop, NULL, NULL) && loop_run_until(home, is_true, &rec.go, -1, 1000000),
       "stopped and started again: what was kicked meanwhile runs");
    loop_free(loop);
    loop_free(home);
    loop_free(NULL);
}

/* An idle loop sleeps: its thread is not scheduled. */
static long
switches(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw + usage.ru_nivcsw;
}

struct idle {
    struct rec rec;
    long at_start, at_end;
};

static void
idle_begin(void *user, uint32_t mask)
{
    struct idle *idle = user;

    (void)mask;
    if (idle->rec.calls++ == 0)
        idle->at_start = switches();
    else
        idle->at_end = switches();
    atomic_store(&idle->rec.go, true);
}

static void
test_idle(struct loop_clock *clock)
{
    struct loop *loop = make_loop(clock), *home = make_loop(clock);
    struct idle idle = {.rec.loop = loop};
    struct rec far = {.loop = loop};

    must(loop_add_soft(loop, NULL, idle_begin, &idle, &idle.rec.source));
    for (unsigned i = 0; i < 3; i++) {
        static const uint32_t clocks[] = {BP_CLOCK_MONOTONIC, BP_CLOCK_REALTIME, BP_CLOCK_VIRTUAL};

        must(loop_add_timer(loop, clocks[i], NULL, count, &far, &far.source));
        loop_timer_arm(far.source, loop_clock_now(clock, clocks[i]) + 3600 * SECOND);
    }
    if (!loop_start(loop, NULL, NULL))
        g_error("loop_start");
    loop_kick(idle.rec.source);
    loop_run_until(home, is_true, &idle.rec.go, -1, 1000000);
    loop_run_until(home, never, NULL, SECOND / 3, 0);
    idle.rec.go = false;
    loop_kick(idle.rec.source);
    loop_run_until(home, is_true, &idle.rec.go, -1, 1000000);
    /* One sleep between the two kicks; a few preemptions may come on top, a tick would not. */
    ok(idle.at_end - idle.at_start <= 20, "an idle loop sleeps through (%ld switches in 1/3 s)",
       idle.at_end - idle.at_start);
    loop_free(loop);
    loop_free(home);
}

static void
test_thread_attrs(void)
{
    static const struct {
        const char *text;
        bool good;
    } cpus[] = {{"0", true},    {"0-3,8", true}, {" 1 - 2 , 4", true},
                {"1023", true}, {"", false},     {"a", false},
                {"1,", false},  {"3-1", false},  {"1024", false},
                {"-1", false},  {"1 2", false},  {"99999999999999999999", false}},
      policies[] = {{"other", true},   {"batch", true},  {"idle", true},   {"fifo:1", true},
                    {"rr:99", true},   {"fifo", false},  {"fifo:", false}, {"fifo:0", false},
                    {"rr:100", false}, {"rr:1x", false}, {"", false},      {"otherx", false}};
    struct thread_attrs attrs = THREAD_ATTRS_DEFAULT;

    for (unsigned i = 0; i < G_N_ELEMENTS(cpus); i++)
        eq_int(thread_parse_cpus(cpus[i].text, &attrs, NULL), cpus[i].good, cpus[i].text);
    ok(thread_parse_cpus("0-3,8,64", &attrs, NULL) && attrs.cpus[0] == 0x10f && attrs.cpus[1] == 1,
       "the bits of \"0-3,8,64\"");
    ok(!thread_parse_cpus("5,x", &attrs, NULL) && attrs.cpus[0] == 0x10f, "untouched on error");
    for (unsigned i = 0; i < G_N_ELEMENTS(policies); i++)
        eq_int(thread_parse_policy(policies[i].text, &attrs, NULL), policies[i].good,
               policies[i].text);
    ok(attrs.policy == SCHED_RR && attrs.priority == 99, "the class of \"rr:99\"");
}

int
main(void)
{
    struct loop_clock *clock = loop_clock_new();

    loop_clock_resume(clock);
    test_thread_attrs();
    test_removal_race(clock);
    timer_off_race(clock);
    test_unlocked_removal(clock);
    test_storm(clock);
    test_thread(clock);
    test_idle(clock);
    loop_clock_free(clock);
    return done_testing();
}
