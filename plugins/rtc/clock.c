/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.c - the running clock: what the registers read as at this moment, flags, interrupts and the
 * two timers. The calendar follows the host's real-time clock, which may be set; the divider that
 * makes periodic interrupts is an oscillator of its own, the machine's virtual clock.
 */
#include "rtc.h"

#define DIVIDER_HZ        UINT64_C(32768)
#define UPDATE_WARNING_NS 244141 /* UIP comes this long before the update */
#define DIVIDER_START_NS  (RTC_NS_PER_S / 2)

bool
rtc_running(const struct rtc *rtc)
{
    return !(rtc->b & RTC_B_SET) && (rtc->a & RTC_A_DV) == RTC_A_DV_32K;
}

/* The calendar's second and the nanoseconds within it. */
static int64_t
clock_now(const struct rtc *rtc, int64_t *ret_ns)
{
    int64_t now = rtc->event->now(rtc->inst, BP_CLOCK_REALTIME);
    int64_t ns = now % RTC_NS_PER_S + rtc->offset_ns;
    int64_t s = now / RTC_NS_PER_S + rtc->offset_s;

    if (ns >= RTC_NS_PER_S) {
        ns -= RTC_NS_PER_S;
        s++;
    }
    *ret_ns = ns;
    return s;
}

/* Makes the calendar read s seconds and ns nanoseconds now. */
static void
clock_set(struct rtc *rtc, int64_t s, int64_t ns)
{
    int64_t now = rtc->event->now(rtc->inst, BP_CLOCK_REALTIME);

    rtc->offset_s = s - now / RTC_NS_PER_S;
    rtc->offset_ns = ns - now % RTC_NS_PER_S;
    if (rtc->offset_ns < 0) {
        rtc->offset_ns += RTC_NS_PER_S;
        rtc->offset_s--;
    }
    rtc->last_s = s;
}

static uint64_t
clock_divider(const struct rtc *rtc)
{
    uint64_t now = (uint64_t)rtc->event->now(rtc->inst, BP_CLOCK_VIRTUAL);
    uint64_t per_s = (uint64_t)RTC_NS_PER_S;

    return now / per_s * DIVIDER_HZ + now % per_s * DIVIDER_HZ / per_s;
}

/* The periodic interrupt's rate as a power of two of divider ticks; -1: off. The two fastest rates
 * do not exist with this crystal, their codes mean 256 and 128 Hz (data sheet, table 5). */
static int
clock_period_shift(const struct rtc *rtc)
{
    int rs = rtc->a & RTC_A_RS;

    if (rs == 0 || (rtc->a & RTC_A_DV) != RTC_A_DV_32K)
        return -1;
    return rs <= 2 ? rs + 6 : rs - 1;
}

static uint64_t
clock_period(const struct rtc *rtc)
{
    int shift = clock_period_shift(rtc);

    return shift < 0 ? 0 : clock_divider(rtc) >> shift;
}

uint8_t
rtc_flags(const struct rtc *rtc)
{
    uint8_t c = rtc->c;

    if (rtc_running(rtc)) {
        int64_t ns, s = clock_now(rtc, &ns);

        if (s != rtc->last_s)
            c |= RTC_C_UF;
        if (s > rtc->last_s) {
            int64_t alarm = rtc_next_alarm(rtc->b, rtc->cmos, rtc->last_s);

            if (alarm != -1 && alarm <= s)
                c |= RTC_C_AF;
        }
    }
    if (clock_period_shift(rtc) >= 0 && clock_period(rtc) != rtc->last_period)
        c |= RTC_C_PF;
    return c & rtc->b & RTC_C_FLAGS ? c | RTC_C_IRQF : c;
}

void
rtc_resync(struct rtc *rtc)
{
    int64_t ns;

    rtc->last_s = clock_now(rtc, &ns);
    rtc->last_period = clock_period(rtc);
}

static void
clock_catch_up(struct rtc *rtc)
{
    rtc->c = rtc_flags(rtc) & RTC_C_FLAGS;
    rtc_resync(rtc);
}

static int64_t
clock_tick_deadline(const struct rtc *rtc)
{
    int64_t now = rtc->event->now(rtc->inst, BP_CLOCK_VIRTUAL), deadline = BP_TIMER_OFF;
    uint8_t wanted = rtc->b & (uint8_t)~rtc->c;
    int shift = clock_period_shift(rtc);

    if ((wanted & RTC_B_UIE) && rtc_running(rtc)) {
        int64_t ns;

        (void)clock_now(rtc, &ns);
        deadline = now + RTC_NS_PER_S - ns;
    }
    if ((wanted & RTC_B_PIE) && shift >= 0) {
        uint64_t ticks = ((clock_divider(rtc) >> shift) + 1) << shift;
        uint64_t per_s = (uint64_t)RTC_NS_PER_S;
        int64_t at = (int64_t)(ticks / DIVIDER_HZ * per_s +
                               (ticks % DIVIDER_HZ * per_s + DIVIDER_HZ - 1) / DIVIDER_HZ);

        deadline = at < deadline ? at : deadline;
    }
    return deadline;
}

static int64_t
clock_alarm_deadline(const struct rtc *rtc)
{
    int64_t s;

    if (!(rtc->b & RTC_B_AIE) || (rtc->c & RTC_C_AF) || !rtc_running(rtc))
        return BP_TIMER_OFF;
    s = rtc_next_alarm(rtc->b, rtc->cmos, rtc->last_s);
    return s == -1 ? BP_TIMER_OFF : (s - rtc->offset_s) * RTC_NS_PER_S - rtc->offset_ns;
}

void
rtc_update(struct rtc *rtc)
{
    clock_catch_up(rtc);
    rtc->irq->level(rtc->inst, rtc->line, (rtc->b & rtc->c & RTC_C_FLAGS) != 0);
    rtc->event->arm(rtc->inst, rtc->tick, clock_tick_deadline(rtc));
    rtc->event->arm(rtc->inst, rtc->alarm, clock_alarm_deadline(rtc));
}

uint8_t
rtc_read_register(struct rtc *rtc, uint8_t reg)
{
    int64_t ns, s;
    uint8_t c;

    switch (reg) {
    case RTC_A:
        (void)clock_now(rtc, &ns);
        return rtc->a |
               (rtc_running(rtc) && ns >= RTC_NS_PER_S - UPDATE_WARNING_NS ? RTC_A_UIP : 0);
    case RTC_B:
        return rtc->b;
    case RTC_C:
        /* Reading takes the flags away and lets the line go. */
        c = rtc_flags(rtc);
        clock_catch_up(rtc);
        rtc->c = 0;
        rtc_update(rtc);
        return c;
    case RTC_D:
        return RTC_D_VRT;
    default:
        if (rtc_running(rtc)) {
            s = clock_now(rtc, &ns);
            rtc_to_registers(rtc->b, s, rtc->weekday_shift, rtc->cmos);
        }
        return rtc->cmos[reg];
    }
}

/* From the registers to the clock; the divider goes on where it is. */
static void
clock_load(struct rtc *rtc, int64_t ns)
{
    clock_set(rtc, rtc_from_registers(rtc->b, rtc->cmos, &rtc->weekday_shift), ns);
}

/* A and B may hold the clock or let it go: the time then moves to the registers or back. */
static void
clock_control(struct rtc *rtc, uint8_t a, uint8_t b)
{
    bool was_running = rtc_running(rtc);
    bool restarted = (rtc->a & RTC_A_DV) != RTC_A_DV_32K && (a & RTC_A_DV) == RTC_A_DV_32K;
    int64_t ns, s = clock_now(rtc, &ns);

    rtc->a = a;
    if (was_running && (!rtc_running(rtc) || (b & RTC_B_SET)))
        rtc_to_registers(rtc->b, s, rtc->weekday_shift, rtc->cmos);
    rtc->b = b;
    /* A divider that leaves reset makes its first update half a second later. */
    if (!was_running && rtc_running(rtc))
        clock_load(rtc, restarted ? DIVIDER_START_NS : ns);
    rtc->last_period = clock_period(rtc);
}

void
rtc_write_register(struct rtc *rtc, uint8_t reg, uint8_t val)
{
    int64_t ns, s;

    clock_catch_up(rtc);
    switch (reg) {
    case RTC_A:
        clock_control(rtc, val & (RTC_A_DV | RTC_A_RS), rtc->b);
        break;
    case RTC_B:
        if (val & RTC_B_SET)
            val &= (uint8_t)~RTC_B_UIE;
        clock_control(rtc, rtc->a, val);
        break;
    case RTC_C:
    case RTC_D:
        return;
    default:
        s = clock_now(rtc, &ns);
        if (rtc_is_time(reg) && rtc_running(rtc)) {
            rtc_to_registers(rtc->b, s, rtc->weekday_shift, rtc->cmos);
            rtc->cmos[reg] = val;
            clock_load(rtc, ns);
        } else {
            rtc->cmos[reg] = val;
        }
        break;
    }
    rtc_update(rtc);
}
