/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rtc: the calendar in all its modes, alarm, periodic and update interrupts, memory. The fake
 * host's clock begins at 2026-01-02 03:04:05 UTC, a Friday.
 */
#include <stdlib.h>

#include <backplane/test.h>

#include "tap.h"

#define START       INT64_C(1767323045) /* 2026-01-02 03:04:05 */
#define NS          INT64_C(1000000000)
#define IRQ         8
#define SET         0x80
#define PIE         0x40
#define AIE         0x20
#define UIE         0x10
#define BINARY      0x04
#define H24         0x02
#define CENTURY     0x32
#define NO_TIMER(m) (bpt_timer((m), "rtc") == BP_TIMER_OFF)

static uint8_t
get(struct bpt_machine *m, uint8_t reg)
{
    bpt_out(m, 0x70, 1, reg);
    return (uint8_t)bpt_in(m, 0x71, 1);
}

static void
put(struct bpt_machine *m, uint8_t reg, uint8_t val)
{
    bpt_out(m, 0x70, 1, reg);
    bpt_out(m, 0x71, 1, val);
}

static struct bpt_machine *
machine(const char *props)
{
    struct bpt_machine *m = bpt_new(64 << 20, UINT64_C(0x100000));

    bpt_info(m)->cpus = 4;
    if (bpt_load(m, "rtc", "rtc", props) || bpt_realize_all(m) || bpt_start(m))
        ok(0, "start: %s", bpt_error(m));
    return m;
}

/* "20260102 6 030405": century, year, month, day, weekday, time, as the registers read in hex. */
static const char *
shows(struct bpt_machine *m)
{
    static char text[32];

    snprintf(text, sizeof text, "%02x%02x%02x%02x %x %02x%02x%02x", get(m, CENTURY), get(m, 9),
             get(m, 8), get(m, 7), get(m, 6), get(m, 4), get(m, 2), get(m, 0));
    return text;
}

static void
set_time(struct bpt_machine *m, const uint8_t regs[8])
{
    static const uint8_t order[] = {CENTURY, 9, 8, 7, 6, 4, 2, 0};
    uint8_t b = get(m, 0x0b);

    put(m, 0x0b, b | SET);
    for (int i = 0; i < 8; i++)
        put(m, order[i], regs[i]);
    put(m, 0x0b, b);
}

static void
test_shows(void)
{
    struct bpt_machine *m = machine("");

    eq_str(shows(m), "20260102 6 030405", "the host's time, BCD, 24 hours");
    bpt_advance(m, 60 * NS);
    eq_str(shows(m), "20260102 6 030505", "a minute later");
    put(m, 0x0b, H24 | BINARY);
    eq_str(shows(m), "141a0102 6 030505", "binary");
    bpt_set_realtime(m, (START + 12 * 3600) * NS);
    put(m, 0x0b, 0);
    eq_str(shows(m), "20260102 6 830405", "12 hours, afternoon");
    bpt_set_realtime(m, (START + 9 * 3600) * NS);
    eq_str(shows(m), "20260102 6 920405", "noon");
    bpt_set_realtime(m, (START - 3 * 3600) * NS);
    eq_str(shows(m), "20260102 6 120405", "midnight");
    put(m, 0x0b, BINARY);
    eq_str(shows(m), "141a0102 6 0c0405", "midnight, binary");
    put(m, 0x0b, H24);
    bpt_set_realtime(m, INT64_C(1709164799) * NS);
    eq_str(shows(m), "20240228 4 235959", "the end of 28 February 2024");
    bpt_advance(m, NS);
    eq_str(shows(m), "20240229 5 000000", "is followed by the 29th");
    bpt_set_realtime(m, INT64_C(4107542399) * NS);
    eq_str(shows(m), "21000228 1 235959", "2100 has none");
    bpt_advance(m, NS);
    eq_str(shows(m), "21000301 2 000000", "as it reads");
    eq_int(get(m, 0x0d), 0x80, "the battery is good");
    eq_int(bpt_in(m, 0x70, 1), 0xff, "the index is write-only");
    bpt_out(m, 0x70, 1, 0x80 | 9);
    eq_int(bpt_in(m, 0x71, 1), 0, "the NMI bit is no part of it");
    ok(NO_TIMER(m), "no host timer runs");
    eq_int(bpt_free(m), 0, "no problems");

    setenv("TZ", "XXX-02:30", 1);
    m = machine("base=localtime");
    eq_str(shows(m), "20260102 6 053405", "local time");
    eq_int(bpt_free(m), 0, "no problems");
    unsetenv("TZ");
}

static void
test_set(void)
{
    static const uint8_t party[] = {0x19, 0x99, 0x12, 0x31, 0x06, 0x23, 0x59, 0x58};
    static const uint8_t other_day[] = {0x19, 0x99, 0x12, 0x31, 0x01, 0x23, 0x59, 0x59};
    static const uint8_t nonsense[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct bpt_machine *m = machine("");
    uint8_t uip;

    bpt_advance(m, NS / 4);
    set_time(m, party);
    eq_str(shows(m), "19991231 6 235958", "what was set");
    bpt_advance(m, NS / 2);
    eq_str(shows(m), "19991231 6 235958", "the seconds go on as they did");
    bpt_advance(m, NS / 2);
    eq_str(shows(m), "19991231 6 235959", "when the second is full");
    bpt_advance(m, NS);
    eq_str(shows(m), "20000101 7 000000", "and over into the next century");
    set_time(m, other_day);
    bpt_advance(m, NS);
    eq_str(shows(m), "20000101 2 000000", "the day of the week is the guest's");

    put(m, 0x0b, H24 | SET);
    bpt_advance(m, 10 * NS);
    eq_str(shows(m), "20000101 2 000000", "held, it stands still");
    put(m, 0x0a, 0x76);
    put(m, 0, 0x30);
    put(m, 0x0b, H24);
    eq_str(shows(m), "20000101 2 000030", "and while the divider is held");
    bpt_advance(m, 10 * NS);
    eq_str(shows(m), "20000101 2 000030", "too");
    put(m, 0x0a, 0x26);
    bpt_advance(m, NS / 2 - 1000);
    eq_str(shows(m), "20000101 2 000030", "then the first second takes a half");
    uip = get(m, 0x0a);
    bpt_advance(m, 2000);
    eq_str(shows(m), "20000101 2 000031", "exactly");
    eq_int(uip & 0x80, 0x80, "with UIP set before the end");
    eq_int(get(m, 0x0a), 0x26, "and clear after");

    put(m, 2, 0x45);
    eq_str(shows(m), "20000101 2 004531", "a register alone can be written");
    set_time(m, nonsense);
    ok(strlen(shows(m)) == 17, "nonsense shows as something: %s", shows(m));
    bpt_advance(m, 3 * NS);
    put(m, 0x0b, H24 | AIE | UIE | PIE);
    bpt_advance(m, 3 * NS);
    ok(strlen(shows(m)) == 17, "and goes on: %s", shows(m));
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_update(void)
{
    struct bpt_machine *m = machine("");

    (void)get(m, 0x0c);
    eq_int(get(m, 0x0c), 0, "no flag at first");
    bpt_advance(m, NS);
    eq_int(get(m, 0x0c) & 0x90, 0x10, "an update sets its flag, without an interrupt");
    eq_int(get(m, 0x0c) & 0x10, 0, "which reading clears");
    bpt_advance(m, NS / 4);
    put(m, 0x0b, H24 | UIE);
    ok(!NO_TIMER(m), "enabled, a host timer runs");
    bpt_advance(m, NS / 2);
    eq_int(bpt_gsi(m, IRQ), 0, "not before the second is over");
    bpt_advance(m, NS / 4);
    eq_int(bpt_gsi(m, IRQ), 1, "then it interrupts");
    ok(NO_TIMER(m), "and waits for the guest");
    bpt_advance(m, 5 * NS);
    eq_int(bpt_gsi_count(m, IRQ), 1, "once");
    eq_int(get(m, 0x0c) & 0x90, 0x90, "the flags tell");
    eq_int(bpt_gsi(m, IRQ), 0, "reading lets the line go");
    bpt_advance(m, 3 * NS);
    (void)get(m, 0x0c);
    eq_int(bpt_gsi_count(m, IRQ), 2, "the next one comes");
    put(m, 0x0b, H24 | UIE | SET);
    eq_int(get(m, 0x0b), H24 | SET, "SET clears the enable");
    bpt_advance(m, 3 * NS);
    eq_int(get(m, 0x0c) & 0x10, 0, "no update while held");
    put(m, 0x0b, H24 | UIE);
    bpt_set_realtime(m, (START - 86400) * NS);
    bpt_advance(m, 2 * NS);
    eq_int(bpt_gsi_count(m, IRQ), 3, "a host clock that is set back stops nothing");
    (void)get(m, 0x0c);
    put(m, 0x0b, H24);
    ok(NO_TIMER(m), "disabled, no timer");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_alarm(void)
{
    struct bpt_machine *m = machine("");

    put(m, 1, 0x10);
    put(m, 3, 0x04);
    put(m, 5, 0x03);
    bpt_advance(m, 5 * NS);
    eq_int(get(m, 0x0c) & 0xa0, 0x20, "the alarm's flag comes by itself");
    put(m, 1, 0x00);
    put(m, 3, 0x06);
    put(m, 0x0b, H24 | AIE);
    bpt_advance(m, 109 * NS);
    eq_int(bpt_gsi(m, IRQ), 0, "one second before");
    bpt_advance(m, NS);
    eq_int(bpt_gsi(m, IRQ), 1, "it interrupts at 03:06:00");
    eq_int(get(m, 0x0c) & 0xa0, 0xa0, "with its flag");
    bpt_advance(m, 86399 * NS);
    eq_int(bpt_gsi_count(m, IRQ), 1, "not again");
    bpt_advance(m, NS);
    eq_int(bpt_gsi_count(m, IRQ), 2, "until the next day");
    (void)get(m, 0x0c);
    put(m, 3, 0xc0);
    put(m, 5, 0xff);
    bpt_advance(m, 59 * NS);
    eq_int(bpt_gsi_count(m, IRQ), 2, "don't care: not yet");
    bpt_advance(m, NS);
    eq_int(bpt_gsi_count(m, IRQ), 3, "every minute");
    (void)get(m, 0x0c);
    put(m, 1, 0xfe);
    bpt_advance(m, NS);
    (void)get(m, 0x0c);
    bpt_advance(m, NS);
    eq_int(bpt_gsi_count(m, IRQ), 5, "every second");
    (void)get(m, 0x0c);
    put(m, 1, 0x75);
    ok(NO_TIMER(m), "an alarm that can never come needs no timer");
    bpt_advance(m, 90000 * NS);
    eq_int(bpt_gsi_count(m, IRQ), 5, "nor does it");
    bpt_set_realtime(m, (START + 8 * 3600) * NS);
    put(m, 0x0b, AIE);
    put(m, 1, 0x00);
    put(m, 3, 0x00);
    put(m, 5, 0x92);
    bpt_advance(m, 3354 * NS);
    eq_int(bpt_gsi_count(m, IRQ), 5, "12 hours: before noon");
    bpt_advance(m, NS);
    eq_int(bpt_gsi_count(m, IRQ), 6, "noon");
    (void)get(m, 0x0c);
    bpt_set_realtime(m, (START + 200 * 86400 + 9 * 3600 - 300) * NS);
    bpt_pump(m);
    bpt_advance(m, 1);
    eq_int(bpt_gsi_count(m, IRQ), 7, "a host clock that is set past it fires it");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_periodic(void)
{
    static const struct {
        uint8_t rs;
        uint32_t hz;
    } rates[] = {{0xf, 2}, {0xe, 4}, {6, 1024}, {3, 8192}, {1, 256}, {2, 128}, {8, 256}, {0xa, 64}};
    struct bpt_machine *m = machine("");

    ok(NO_TIMER(m), "no timer");
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        uint64_t before = bpt_gsi_count(m, IRQ), n;

        put(m, 0x0a, 0x20 | rates[i].rs);
        put(m, 0x0b, H24 | PIE);
        for (uint32_t j = 0; j < rates[i].hz * 2; j++) {
            bpt_advance(m, NS / rates[i].hz);
            (void)get(m, 0x0c);
        }
        n = bpt_gsi_count(m, IRQ) - before;
        /* The last period may end just after the last step. */
        ok(n == rates[i].hz * 2 || n == rates[i].hz * 2 - 1, "rate %x: %u Hz (%u in two seconds)",
           rates[i].rs, rates[i].hz, (unsigned)n);
        put(m, 0x0b, H24);
        (void)get(m, 0x0c);
    }
    put(m, 0x0a, 0x2f);
    eq_int(get(m, 0x0c) & 0x40, 0, "another rate is no period");
    bpt_advance(m, NS);
    eq_int(get(m, 0x0c) & 0xc0, 0x40, "the flag comes without the interrupt");
    put(m, 0x0a, 0x20);
    (void)get(m, 0x0c);
    put(m, 0x0b, H24 | PIE);
    bpt_advance(m, NS);
    ok((get(m, 0x0c) & 0x40) == 0 && NO_TIMER(m), "rate 0 is off");
    put(m, 0x0a, 0x6f);
    bpt_advance(m, 2 * NS);
    ok((get(m, 0x0c) & 0x40) == 0 && NO_TIMER(m), "and so is a divider in reset");
    put(m, 0x0a, 0x2f);
    bpt_advance(m, NS);
    ok(bpt_gsi(m, IRQ) && NO_TIMER(m), "unread, it stays at one");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_memory(void)
{
    struct bpt_machine *m = machine("");
    unsigned sum = 0;

    ok(get(m, 0x15) == 0x80 && get(m, 0x16) == 0x02, "640 KiB of base memory");
    ok(get(m, 0x17) == 0x00 && get(m, 0x18) == 0xfc && get(m, 0x30) == 0x00 && get(m, 0x31) == 0xfc,
       "63 MiB above");
    ok(get(m, 0x34) == 0x00 && get(m, 0x35) == 0x03, "48 MiB above 16");
    ok(get(m, 0x5b) == 0x10 && get(m, 0x5c) == 0 && get(m, 0x5d) == 0, "1 MiB above 4 GiB");
    eq_int(get(m, 0x5f), 3, "four processors");
    for (uint8_t i = 0x10; i < 0x2e; i++)
        sum += get(m, i);
    ok(get(m, 0x2e) == sum >> 8 && get(m, 0x2f) == (sum & 0xff), "the sum is right");
    put(m, 0x7f, 0x5a);
    put(m, 0x0f, 0x0a);
    put(m, 0x0b, H24 | AIE | UIE | PIE);
    put(m, 0x71, 0x11);
    eq_int(get(m, 0x71), 0x11, "memory can be written");
    ok(!bpt_reset(m), "resets");
    ok(get(m, 0x7f) == 0x5a && get(m, 0x0f) == 0x0a, "memory outlives a reset");
    eq_int(get(m, 0x0b), H24, "interrupts do not");
    ok(NO_TIMER(m) && get(m, 0x0c) == 0, "nor do flags");
    bpt_out(m, 0x70, 2, 0x337e);
    eq_int(get(m, 0x7e), 0x33, "a word writes index and data");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_state(void)
{
    static const uint8_t party[] = {0x19, 0x99, 0x12, 0x31, 0x02, 0x23, 0x59, 0x58};
    struct bpt_machine *m = machine("");
    struct bpt_state *s = NULL;

    set_time(m, party);
    put(m, 1, 0x59);
    put(m, 3, 0xff);
    put(m, 5, 0xff);
    put(m, 0x7f, 0x77);
    put(m, 0x0a, 0x2f);
    put(m, 0x0b, H24 | AIE | UIE);
    bpt_advance(m, NS);
    bpt_out(m, 0x70, 1, 0x7f);
    eq_int(bpt_state_roundtrip(m, "rtc"), 0, "save, reset, load, save");
    eq_int(bpt_in(m, 0x71, 1), 0x77, "index and memory are back");
    eq_int(bpt_gsi(m, IRQ), 1, "so is the interrupt");
    eq_int(get(m, 0x0c) & 0xb0, 0xb0, "with its flags");
    eq_str(shows(m), "19991231 2 235959", "and the time");

    put(m, 0x0b, H24 | SET);
    put(m, 0, 0x33);
    eq_int(bpt_state_roundtrip(m, "rtc"), 0, "while held");
    bpt_advance(m, 5 * NS);
    eq_str(shows(m), "19991231 2 235933", "the registers are back");
    put(m, 0x0b, H24);
    ok(!bpt_quiesce(m) && !bpt_save(m, "rtc", &s), "saves");
    bpt_set_realtime(m, bpt_now(m, BP_CLOCK_REALTIME) + 3600 * NS);
    ok(!bpt_restore(m, "rtc", s) && !bpt_start(m), "an hour later");
    eq_str(shows(m), "20000101 3 005933", "the clock has gone on");

    bpt_quiesce(m);
    bpt_state_put(s, "rtc", "index", 0x80);
    eq_int(bpt_restore(m, "rtc", s), BP_E_INVAL, "an index past the end");
    bpt_state_put(s, "rtc", "index", 0x7f);
    bpt_state_put(s, "rtc", "utc-offset-s", UINT64_C(1) << 62);
    eq_int(bpt_restore(m, "rtc", s), BP_E_INVAL, "a time beyond all calendars");
    bpt_state_put(s, "rtc", "utc-offset-s", (uint64_t) - (INT64_C(1) << 41));
    eq_int(bpt_restore(m, "rtc", s), BP_E_INVAL, "or before them");
    bpt_state_put(s, "rtc", "utc-offset-s", (uint64_t) - (INT64_C(1) << 40));
    bpt_state_put(s, "rtc", "utc-offset-ns", 1000000000);
    eq_int(bpt_restore(m, "rtc", s), BP_E_INVAL, "more than a second of nanoseconds");
    bpt_state_put(s, "rtc", "utc-offset-ns", 5);
    bpt_state_put(s, "rtc", "c", 0x81);
    eq_int(bpt_restore(m, "rtc", s), BP_E_INVAL, "flags that do not exist");
    bpt_state_put(s, "rtc", "c", 0);
    bpt_state_put(s, "rtc", "weekday-shift", 7);
    eq_int(bpt_restore(m, "rtc", s), BP_E_INVAL, "an eighth day");
    bpt_state_put(s, "rtc", "weekday-shift", 6);
    bpt_state_put_blob(s, "rtc", "cmos", "abc", 3);
    ok(bpt_restore(m, "rtc", s) < 0, "short memory");
    bpt_state_remove(s, "rtc", "cmos");
    bpt_state_put(s, "rtc", "b", 0xff & ~SET);
    ok(!bpt_restore(m, "rtc", s) && !bpt_start(m), "the oldest time there is");
    ok(strlen(shows(m)) == 17, "shows as %s", shows(m));
    bpt_advance(m, 100000 * NS);
    bpt_state_free(s);
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_random(void)
{
    struct bpt_machine *m = machine("");
    uint64_t seed = 146818;

    for (int i = 0; i < 100000; i++) {
        uint32_t r;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        r = (uint32_t)(seed >> 32);
        if (r & 1)
            put(m, (r >> 1 & 8 ? r >> 5 & 0x0f : r >> 5) & 0x7f, (uint8_t)(r >> 16));
        else
            (void)get(m, r >> 5 & 0x0f);
        if ((r >> 24 & 0x1f) == 0)
            bpt_advance(m, (int64_t)(r >> 8 & 0xffff) * 1000);
    }
    ok(strlen(shows(m)) >= 17, "after random accesses it shows %s", shows(m));
    eq_int(bpt_state_roundtrip(m, "rtc"), 0, "and its state can be saved");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_failing_host(void)
{
    int failed = 1;

    for (uint64_t n = 1; failed && n < 100; n++) {
        struct bpt_machine *m = bpt_new(1 << 20, 0);

        bpt_inject(m, "rtc", n, BP_E_NOMEM);
        failed = bpt_load(m, "acpi", "acpi", "") || bpt_load(m, "rtc", "rtc", "") ||
                 bpt_realize_all(m) || bpt_start(m) || bpt_injected(m);
        if (bpt_free(m))
            ok(0, "a problem after the failure of host call %u", (unsigned)n);
    }
    ok(!failed, "any host call may fail");
}

int
main(void)
{
    test_shows();
    test_set();
    test_update();
    test_alarm();
    test_periodic();
    test_memory();
    test_state();
    test_random();
    test_failing_host();
    return done_testing();
}
