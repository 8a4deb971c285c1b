/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c - the clock's state. A running clock is saved as its distance from UTC, so that a guest
 * that is restored later reads the time of then; a held one as its registers.
 */
#include "rtc.h"

#include <string.h>

#define STATE_VERSION 1

/* 30 000 years either way, more than the registers can say. */
#define STATE_OFFSET_MAX (INT64_C(1) << 40)

int
rtc_save(void *self, const struct bp_writer *w)
{
    const struct rtc *rtc = self;
    uint8_t cmos[RTC_LEN];
    int err;

    memcpy(cmos, rtc->cmos, sizeof cmos);
    for (unsigned i = 0; i < RTC_LEN; i++)
        if ((rtc_is_time((uint8_t)i) && rtc_running(rtc)) || (i >= RTC_A && i <= RTC_D))
            cmos[i] = 0;
    if ((err = w->section(w, "rtc", STATE_VERSION, 1)) || (err = w->u64(w, "index", rtc->index)) ||
        (err = w->u64(w, "a", rtc->a)) || (err = w->u64(w, "b", rtc->b)) ||
        (err = w->u64(w, "c", rtc_flags(rtc) & RTC_C_FLAGS)) ||
        (err = w->u64(w, "utc-offset-s", (uint64_t)rtc->offset_s)) ||
        (err = w->u64(w, "utc-offset-ns", (uint64_t)rtc->offset_ns)) ||
        (err = w->u64(w, "weekday-shift", rtc->weekday_shift)))
        return err;
    return w->blob(w, "cmos", cmos, sizeof cmos);
}

static int
state_u64(const struct bp_reader *r, const char *key, uint64_t max, uint64_t *val)
{
    int err = r->u64(r, key, val);

    if (err && err != BP_E_NOENT)
        return err;
    return *val > max ? BP_E_INVAL : 0;
}

int
rtc_load(void *self, const struct bp_reader *r)
{
    struct rtc *rtc = self;
    struct rtc got = *rtc;
    uint64_t index = 0, a = rtc->a, b = rtc->b, c = 0, shift = 0, n = 0;
    uint64_t offset_s = (uint64_t)rtc->offset_s, offset_ns = (uint64_t)rtc->offset_ns;
    uint32_t ver;
    int err = r->section(r, "rtc", &ver);

    if (err)
        return err;
    if (ver != STATE_VERSION)
        return BP_E_NOTSUP;
    if ((err = state_u64(r, "index", RTC_LEN - 1, &index)) ||
        (err = state_u64(r, "a", RTC_A_DV | RTC_A_RS, &a)) ||
        (err = state_u64(r, "b", UINT8_MAX, &b)) || (err = state_u64(r, "c", RTC_C_FLAGS, &c)) ||
        (err = state_u64(r, "utc-offset-s", UINT64_MAX, &offset_s)) ||
        (err = state_u64(r, "utc-offset-ns", (uint64_t)RTC_NS_PER_S - 1, &offset_ns)) ||
        (err = state_u64(r, "weekday-shift", 6, &shift)))
        return err;
    if ((c & ~(uint64_t)RTC_C_FLAGS) || (int64_t)offset_s > STATE_OFFSET_MAX ||
        (int64_t)offset_s < -STATE_OFFSET_MAX)
        return BP_E_INVAL;
    err = r->blob(r, "cmos", got.cmos, sizeof got.cmos, &n);
    if (err ? err != BP_E_NOENT : n != sizeof got.cmos)
        return err ? err : BP_E_INVAL;
    memcpy(rtc->cmos, got.cmos, sizeof rtc->cmos);
    rtc->index = (uint8_t)index;
    rtc->a = (uint8_t)a;
    rtc->b = (uint8_t)b;
    rtc->c = (uint8_t)c;
    rtc->offset_s = (int64_t)offset_s;
    rtc->offset_ns = (int64_t)offset_ns;
    rtc->weekday_shift = (uint8_t)shift;
    rtc_resync(rtc);
    rtc_update(rtc);
    return 0;
}
