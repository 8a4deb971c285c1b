/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Event contexts: every kind of source, who may remove what and when, clocks, threads.
 *
 * Nothing here depends on how long anything takes: a wait ends with an event, and what must not
 * happen is checked after something that comes later.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "core/loop/loop.h"
#include "tests/tap.h"

#define SECOND INT64_C(1000000000)

struct rec {
    struct loop *loop;
    struct loop_source *source, *other;
    _Atomic unsigned calls;
    uint32_t mask;
    int fd;
    unsigned stop_at;
    int64_t again; /* timer: arm again so far from now */
    atomic_bool inside, go;
    unsigned order;
};

static unsigned order;

static void
count(void *user, uint32_t mask)
{
    struct rec *rec = user;

    rec->calls++;
    rec->mask = mask;
    rec->order = ++order;
    if (rec->stop_at && rec->calls >= rec->stop_at)
        loop_quit(rec->loop);
}

static bool
called(void *user)
{
    return ((struct rec *)user)->calls > 0;
}

static bool
is_true(void *user)
{
    return atomic_load((atomic_bool *)user);
}

static bool
never(void *user)
{
    (void)user;
    return false;
}

static struct loop *
make_loop(struct loop_clock *clock)
{
    GError *error = NULL;
    struct loop *loop = loop_new("test", clock, &error);

    if (loop == NULL)
        g_error("%s", error->message);
    return loop;
}

static void
must(int err)
{
    if (err)
        g_error("unexpected error: %s", g_strerror(-err));
}

static void
write_one(int fd)
{
    const uint64_t one = 1;

    if (write(fd, &one, sizeof one) != sizeof one)
        g_error("write: %s", g_strerror(errno));
}

/* ---- fd watches ----------------------------------------------------------------------------- */

static void
drain(void *user, uint32_t mask)
{
    struct rec *rec = user;
    char byte;

    count(user, mask);
    if (mask & BP_EV_READ && read(rec->fd, &byte, 1) != 1)
        rec->mask |= 1000;
}

static void
test_watch(struct loop_clock *clock)
{
    struct loop *loop = make_loop(clock);
    struct rec in = {.loop = loop}, out = {.loop = loop}, null = {.loop = loop};
    int p[2], devnull = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct rlimit limit, tight;

    if (pipe2(p, O_CLOEXEC) < 0)
        g_error("pipe");
    in.fd = p[0];
    must(loop_add_watch(loop, p[0], BP_EV_READ, NULL, drain, &in, &in.source));
    eq_int(loop_run_once(loop, 0), 0, "nothing to read: no callback");
    if (write(p[1], "ab", 2) != 2)
        g_error("write");
    eq_int(loop_run_once(loop, -1), 1, "readable: one callback");
    eq_int(in.mask, BP_EV_READ, "with READ");
    loop_run_once(loop, -1);
    eq_int(in.calls, 2, "level-triggered: a byte left is another callback");
    eq_int(loop_run_once(loop, 0), 0, "until all is read");

    must(loop_add_watch(loop, p[1], BP_EV_WRITE, NULL, count, &out, &out.source));
    eq_int(loop_run_once(loop, 0), 1, "writable at once");
    eq_int(out.mask, BP_EV_WRITE, "with WRITE");
    must(loop_watch_modify(out.source, 0));
    eq_int(loop_run_once(loop, 0), 0, "modify(0): not any more");
    must(loop_watch_modify(out.source, BP_EV_WRITE));
    eq_int(loop_run_once(loop, 0), 1, "modify(WRITE): again");
    must(loop_watch_modify(out.source, 0));
    must(loop_add_watch(loop, p[1], BP_EV_WRITE, NULL, count, &out, &out.other));
    eq_int(loop_run_once(loop, 0), 1, "a second watch of one descriptor works");
    loop_source_remove(out.other);
    loop_source_remove(out.source);
    eq_int(loop_run_once(loop, 0), 0, "removed: silence");

    close(p[1]);
    must(loop_watch_modify(in.source, 0));
    in.calls = 0;
    loop_run_once(loop, 0);
    eq_int(in.mask, BP_EV_HANGUP, "hang-up is reported though nothing was asked for");
    loop_source_remove(in.source);
    close(p[0]);

    must(loop_add_watch(loop, devnull, BP_EV_READ, NULL, count, &null, &null.source));
    eq_int(loop_run_once(loop, -1), 1, "/dev/null, which epoll refuses, is always ready");
    eq_int(null.mask, BP_EV_READ, "for what was asked");
    must(loop_watch_modify(null.source, 0));
    eq_int(loop_run_once(loop, 0), 0, "and not for nothing");
    loop_source_remove(null.source);
    close(devnull);

    eq_int(loop_add_watch(loop, devnull, BP_EV_READ, NULL, count, &null, &null.source), -EBADF,
           "a closed descriptor: EBADF");
    getrlimit(RLIMIT_NOFILE, &limit);
    tight = limit;
    tight.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &tight);
    eq_int(loop_add_doorbell(loop, NULL, count, &null, &null.source), -EMFILE,
           "no descriptor left for a doorbell: EMFILE");
    setrlimit(RLIMIT_NOFILE, &limit);
    loop_free(loop);
}

/* ---- Timers --------------------------------------------------------------------------------- */

static void
rearm(void *user, uint32_t mask)
{
    struct rec *rec = user;

    count(user, mask);
    loop_timer_arm(rec->source, rec->again);
}

static void
test_timer(struct loop_clock *clock, uint32_t which, const char *name)
{
    struct loop *loop = make_loop(clock);
    struct rec a = {.loop = loop}, b = {.loop = loop}, c = {.loop = loop}, soon = {.loop = loop};
    int64_t now = loop_clock_now(clock, which), before;

    must(loop_add_timer(loop, which, NULL, count, &a, &a.source));
    must(loop_add_timer(loop, which, NULL, count, &b, &b.source));
    must(loop_add_timer(loop, which, NULL, rearm, &c, &c.source));
    must(loop_add_timer(loop, which, NULL, count, &soon, &soon.source));
    eq_int(loop_run_once(loop, 0), 0, "disarmed at first");

    order = 0;
    loop_timer_arm(a.source, now - 1);
    loop_timer_arm(b.source, INT64_MIN);
    loop_run_until(loop, called, &a, -1, 0);
    ok(a.calls == 1 && b.calls == 1 && b.order == 1 && a.order == 2,
       "%s: past deadlines fire at once, the earlier first", name);
    eq_int(a.mask, BP_EV_TIMER, "with TIMER");

    before = loop_clock_now(clock, which);
    loop_timer_arm(soon.source, before + 2000000);
    loop_timer_arm(a.source, now + 3600 * SECOND);
    a.calls = 0;
    loop_run_until(loop, called, &soon, -1, 0);
    ok(loop_clock_now(clock, which) >= before + 2000000, "%s: never early", name);
    eq_int(a.calls, 0, "a later one waits");

    soon.calls = 0;
    loop_timer_arm(soon.source, BP_TIMER_OFF);
    loop_timer_arm(a.source, now); /* moved from far ahead to the past */
    loop_run_until(loop, called, &a, -1, 0);
    eq_int(a.calls, 1, "moved to the past: fires");
    eq_int(soon.calls, 0, "disarmed: does not");

    c.again = now; /* always in the past */
    c.stop_at = 3;
    loop_timer_arm(c.source, now);
    loop_run(loop);
    eq_int(c.calls, 3, "one that arms itself for the past comes again and again");
    loop_timer_arm(c.source, BP_TIMER_OFF);
    c.stop_at = 0;
    loop_source_remove(b.source);
    loop_timer_arm(a.source, now);
    loop_source_remove(a.source);
    loop_run_once(loop, 0);
    eq_int(a.calls, 1, "removed while due: does not fire");
    loop_free(loop);
}

#define MANY 500
static void
test_many_timers(struct loop_clock *clock)
{
    struct loop *loop = make_loop(clock);
    static struct rec recs[MANY];
    int64_t now = loop_clock_now(clock, BP_CLOCK_MONOTONIC), deadline[MANY];
    unsigned wrong = 0, fired = 0;
    uint32_t seed = 12345;

    order = 0;
    for (unsigned i = 0; i < MANY; i++) {
        memset(&recs[i], 0, sizeof recs[i]);
        must(loop_add_timer(loop, BP_CLOCK_MONOTONIC, NULL, count, &recs[i], &recs[i].source));
    }
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < MANY; i++) {
            seed = seed * 1103515245 + 12345;
            deadline[i] = now - 1 - seed % 100000;
            if (seed >> 28 == 0) {
                deadline[i] = BP_TIMER_OFF;
            } else if (seed >> 28 == 1) {
                deadline[i] = now + 3600 * SECOND + seed % 1000;
            }
            loop_timer_arm(recs[i].source, deadline[i]);
        }
    for (unsigned i = 0; i < MANY; i += 7) {
        loop_source_remove(recs[i].source);
        deadline[i] = BP_TIMER_OFF;
    }
    for (unsigned i = 0; i < 20; i++)
        loop_run_once(loop, 0);
    for (unsigned i = 0; i < MANY; i++) {
        wrong += recs[i].calls != (deadline[i] < now);
        fired += recs[i].calls;
        for (unsigned j = 0; j < MANY; j++)
            wrong += recs[i].calls && recs[j].calls && deadline[i] < deadline[j] &&
                     recs[i].order > recs[j].order;
    }
    ok(wrong == 0 && fired > MANY / 2, "%u of %u random timers fire, in order of their deadlines",
       fired, MANY);
    loop_free(loop);
}

static void
test_virtual_clock(void)
{
    struct loop_clock *clock = loop_clock_new();
    struct loop *loop = make_loop(clock);
    struct rec v = {.loop = loop}, m = {.loop = loop};
    int64_t t, due;

    ok(loop_clock_paused(clock), "the virtual clock starts paused");
    eq_int(loop_clock_now(clock, BP_CLOCK_VIRTUAL), 0, "at 0");
    must(loop_add_timer(loop, BP_CLOCK_VIRTUAL, NULL, count, &v, &v.source));
    must(loop_add_timer(loop, BP_CLOCK_MONOTONIC, NULL, count, &m, &m.source));
    loop_timer_arm(v.source, 0);
    loop_timer_arm(m.source, 0);
    loop_run_until(loop, called, &m, -1, 0);
    loop_run_once(loop, 0);
    eq_int(v.calls, 0, "paused: a due virtual timer does not fire");
    loop_clock_resume(clock);
    loop_clock_resume(clock);
    loop_run_until(loop, called, &v, -1, 0);
    eq_int(v.calls, 1, "resumed: it does");
    due = loop_clock_now(clock, BP_CLOCK_VIRTUAL) + 3000000;
    loop_timer_arm(v.source, due);
    loop_clock_pause(clock);
    loop_clock_pause(clock);
    t = loop_clock_now(clock, BP_CLOCK_VIRTUAL);
    m.calls = v.calls = 0;
    loop_timer_arm(m.source, loop_clock_now(clock, BP_CLOCK_MONOTONIC) + 10000000);
    loop_run_until(loop, called, &m, -1, 0);
    eq_int(v.calls, 0, "a pause puts a virtual timer off");
    eq_int(loop_clock_now(clock, BP_CLOCK_VIRTUAL), t, "time stands still meanwhile");
    loop_clock_resume(clock);
    loop_run_until(loop, called, &v, -1, 0);
    ok(loop_clock_now(clock, BP_CLOCK_VIRTUAL) >= due, "and fires at its virtual time after it");
    loop_timer_arm(v.source, INT64_MAX - 1);
    eq_int(loop_run_once(loop, 0), 0, "a deadline beyond all time is no overflow");
    eq_int(loop_clock_now(clock, 1), INT64_MIN, "no such clock");
    eq_int(loop_add_timer(loop, 1, NULL, count, &m, &m.other), -EINVAL, "nor a timer on it");
    loop_free(loop);
    loop_clock_free(clock);
}

/* ---- Soft events, doorbells, removal -------------------------------------------------------- */

static void
kick_self_once(void *user, uint32_t mask)
{
    struct rec *rec = user;

    count(user, mask);
    if (rec->calls == 1)
        loop_kick(rec->source);
}

static void
remove_both(void *user, uint32_t mask)
{
    struct rec *rec = user;

    count(user, mask);
    loop_source_remove(rec->other);
    loop_source_remove(rec->source);
}

static void
test_soft(struct loop_clock *clock)
{
    struct loop *loop = make_loop(clock);
    struct rec a = {.loop = loop}, b = {.loop = loop}, c = {.loop = loop};

    must(loop_add_soft(loop, NULL, count, &a, &a.source));
    loop_kick(a.source);
    loop_kick(a.source);
    eq_int(loop_run_once(loop, -1), 1, "kicked twice: one callback");
    eq_int(a.mask, BP_EV_KICK, "with KICK");
    must(loop_add_soft(loop, NULL, kick_self_once, &b, &b.source));
    loop_kick(b.source);
    eq_int(loop_run_once(loop, -1), 1, "a kick from the callback itself waits for the next batch");
    eq_int(loop_run_once(loop, -1), 1, "and is not lost");
    eq_int(loop_run_once(loop, 0), 0, "and is one");

    must(loop_add_soft(loop, NULL, remove_both, &c, &c.source));
    c.other = a.source;
    a.calls = 0;
    loop_kick(c.source);
    loop_kick(a.source);
    loop_kick(b.source);
    b.calls = 1;
    loop_run_once(loop, -1);
    ok(c.calls == 1 && a.calls == 0 && b.calls == 2,
       "a callback removes itself and another that is due; a third still runs");
    loop_source_remove(NULL);

    loop_quit(loop);
    loop_run(loop);
    ok(1, "a quit before loop_run() counts");
    loop_kick(b.source);
    b.stop_at = 1;
    loop_run(loop);
    eq_int(b.calls, 3, "but once");
    loop_quit(loop);
    loop_kick(b.source);
    ok(loop_run_once(loop, -1) == 1 && b.calls == 4, "one batch is dispatched all the same");
    ok(loop_run_until(loop, called, &b, -1, 0), "a condition that is true comes first");
    b.stop_at = 0;
    loop_kick(b.source);
    ok(!loop_run_until(loop, never, NULL, 1000000, 0) && b.calls == 5,
       "and takes the quit with it");
    ok(!loop_run_until(loop, never, NULL, 1000000, 0), "loop_run_until() gives up in time");
    loop_quit(loop);
    ok(!loop_run_until(loop, never, NULL, -1, 0), "and on a quit");
    loop_free(loop);
}

static void
test_doorbell(struct loop_clock *clock)
{
    struct loop *loop = make_loop(clock);
    struct rec a = {.loop = loop}, b = {.loop = loop};
    struct loop_source *bells[100];
    unsigned total = 0;

    must(loop_add_doorbell(loop, NULL, count, &a, &a.source));
    eq_int(loop_run_once(loop, 0), 0, "silent at first");
    write_one(loop_doorbell_fd(a.source));
    write_one(loop_doorbell_fd(a.source));
    eq_int(loop_run_once(loop, -1), 1, "rung twice: one callback");
    eq_int(a.mask, BP_EV_DOORBELL, "with DOORBELL");
    eq_int(loop_run_once(loop, 0), 0, "none left over");
    write_one(loop_doorbell_fd(a.source));
    eq_int(loop_run_once(loop, -1), 1, "rung again: again");
    must(loop_doorbell_pause(a.source, true));
    write_one(loop_doorbell_fd(a.source));
    eq_int(loop_run_once(loop, 0), 0, "paused: somebody else hears it");
    must(loop_doorbell_pause(a.source, false));
    eq_int(loop_run_once(loop, 0), 1, "not paused any more: what was rung meanwhile is told once");
    eq_int(loop_run_once(loop, 0), 0, "and not again");
    write_one(loop_doorbell_fd(a.source));
    eq_int(loop_run_once(loop, 0), 1, "and the next ring as ever");
    for (unsigned i = 0; i < 100; i++) {
        must(loop_add_doorbell(loop, NULL, count, &b, &bells[i]));
        write_one(loop_doorbell_fd(bells[i]));
    }
    for (unsigned i = 0; i < 5; i++)
        total += loop_run_once(loop, 0);
    eq_int(total, 100, "a hundred ring in several batches, none is lost");
    for (unsigned i = 0; i < 100; i++) {
        write_one(loop_doorbell_fd(bells[i]));
        loop_source_remove(bells[i]);
    }
    eq_int(loop_run_once(loop, 0), 0, "removed: silence");
    loop_free(loop);
}

/* ---- Threads -------------------------------------------------------------------------------- */

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
    test_watch(clock);
    test_timer(clock, BP_CLOCK_MONOTONIC, "monotonic");
    test_timer(clock, BP_CLOCK_REALTIME, "realtime");
    test_timer(clock, BP_CLOCK_VIRTUAL, "virtual");
    test_many_timers(clock);
    test_virtual_clock();
    test_soft(clock);
    test_doorbell(clock);
    test_removal_race(clock);
    timer_off_race(clock);
    test_unlocked_removal(clock);
    test_storm(clock);
    test_thread(clock);
    test_idle(clock);
    loop_clock_free(clock);
    return done_testing();
}
