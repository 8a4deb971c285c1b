/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Event contexts: every kind of source, who may remove what and when, clocks.
 *
 * Nothing here depends on how long anything takes: a wait ends with an event, and what must not
 * happen is checked after something that comes later.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/test-loop.h"

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

int
main(void)
{
    struct loop_clock *clock = loop_clock_new();

    loop_clock_resume(clock);
    test_watch(clock);
    test_timer(clock, BP_CLOCK_MONOTONIC, "monotonic");
    test_timer(clock, BP_CLOCK_REALTIME, "realtime");
    test_timer(clock, BP_CLOCK_VIRTUAL, "virtual");
    test_many_timers(clock);
    test_virtual_clock();
    test_soft(clock);
    test_doorbell(clock);
    loop_clock_free(clock);
    return done_testing();
}
