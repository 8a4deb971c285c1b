/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * calendar.c - between seconds since 1970 and the registers' bytes. What a guest wrote may be no
 * date at all; then it means something, but nothing in particular.
 */
#include "rtc.h"

enum {
    DAYS_PER_WEEK = 7,
    THURSDAY = 5, /* 1 January 1970, when Sunday is 1 */
    SECONDS_PER_DAY = 86400,
};

struct civil {
    int64_t year;
    unsigned month, day; /* from 1 */
};

/* Days since 1970 of a date in the Gregorian calendar. Years are counted from 1 March, so that the
 * leap day is the last of its year; 400 years have 146097 days. */
static int64_t
civil_to_days(int64_t year, unsigned month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year, era, year_of_era, day_of_year;

    era = (y >= 0 ? y : y - 399) / 400;
    year_of_era = y - era * 400;
    day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static struct civil
civil_from_days(int64_t days)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (unsigned)((5 * doy + 2) / 153);
    unsigned month = mp < 10 ? mp + 3 : mp - 9;

    return (struct civil){
        .year = yoe + era * 400 + (month <= 2),
        .month = month,
        .day = (unsigned)(doy - (153 * mp + 2) / 5 + 1),
    };
}

static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

bool
rtc_is_time(uint8_t reg)
{
    return reg == RTC_SECONDS || reg == RTC_MINUTES || reg == RTC_HOURS ||
           (reg >= RTC_WEEKDAY && reg <= RTC_YEAR) || reg == RTC_CENTURY;
}

uint8_t
rtc_encode(uint8_t b, unsigned val)
{
    val %= 100;
    return (uint8_t)(b & RTC_B_DM ? val : val / 10 << 4 | val % 10);
}

static unsigned
rtc_decode(uint8_t b, uint8_t reg)
{
    return b & RTC_B_DM ? reg : (reg >> 4) * 10u + (reg & 0xfu);
}

uint8_t
rtc_encode_hour(uint8_t b, unsigned hour)
{
    if (b & RTC_B_24H)
        return rtc_encode(b, hour);
    return rtc_encode(b, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? RTC_HOURS_PM : 0);
}

static unsigned
rtc_decode_hour(uint8_t b, uint8_t reg)
{
    if (b & RTC_B_24H)
        return rtc_decode(b, reg);
    return rtc_decode(b, reg & 0x7f) % 12 + (reg & RTC_HOURS_PM ? 12 : 0);
}

static unsigned
rtc_weekday(int64_t days)
{
    int64_t from_thursday = days - floor_div(days, DAYS_PER_WEEK) * DAYS_PER_WEEK;

    return (unsigned)(from_thursday + THURSDAY - 1) % DAYS_PER_WEEK;
}

void
rtc_to_registers(uint8_t b, int64_t s, uint8_t weekday_shift, uint8_t *regs)
{
    int64_t days = floor_div(s, SECONDS_PER_DAY);
    unsigned of_day = (unsigned)(s - days * SECONDS_PER_DAY);
    struct civil date = civil_from_days(days);

    regs[RTC_SECONDS] = rtc_encode(b, of_day % 60);
    regs[RTC_MINUTES] = rtc_encode(b, of_day / 60 % 60);
    regs[RTC_HOURS] = rtc_encode_hour(b, of_day / 3600);
    regs[RTC_WEEKDAY] = rtc_encode(b, (rtc_weekday(days) + weekday_shift) % DAYS_PER_WEEK + 1);
    regs[RTC_DAY] = rtc_encode(b, date.day);
    regs[RTC_MONTH] = rtc_encode(b, date.month);
    regs[RTC_YEAR] = rtc_encode(b, (unsigned)(date.year % 100));
    regs[RTC_CENTURY] = rtc_encode(b, (unsigned)(date.year / 100 % 100));
}

int64_t
rtc_from_registers(uint8_t b, const uint8_t *regs, uint8_t *ret_weekday_shift)
{
    int64_t year = (int64_t)rtc_decode(b, regs[RTC_CENTURY]) * 100 + rtc_decode(b, regs[RTC_YEAR]);
    unsigned month = rtc_decode(b, regs[RTC_MONTH]), weekday = rtc_decode(b, regs[RTC_WEEKDAY]);
    int64_t days;

    /* Months out of range count from January. */
    month = month ? month - 1 : 0;
    days = civil_to_days(year + month / 12, month % 12 + 1, rtc_decode(b, regs[RTC_DAY]));
    *ret_weekday_shift =
        (uint8_t)((weekday + 2 * DAYS_PER_WEEK - 1 - rtc_weekday(days)) % DAYS_PER_WEEK);
    return days * SECONDS_PER_DAY + rtc_decode_hour(b, regs[RTC_HOURS]) * 3600 +
           rtc_decode(b, regs[RTC_MINUTES]) * 60 + rtc_decode(b, regs[RTC_SECONDS]);
}

/* The next value from `from` on, below n, that the alarm byte stands for; -1: none. */
static int
alarm_next(uint8_t b, uint8_t alarm, bool hour, unsigned from, unsigned n)
{
    for (unsigned i = from; i < n; i++)
        if ((alarm & RTC_ALARM_ANY) == RTC_ALARM_ANY ||
            alarm == (hour ? rtc_encode_hour(b, i) : rtc_encode(b, i)))
            return (int)i;
    return -1;
}

/* The first match at or after a second of the day, or -1. */
static int
alarm_in_day(uint8_t b, const uint8_t *regs, unsigned from)
{
    unsigned at_h = from / 3600, at_m = from / 60 % 60, at_s = from % 60;
    int h, m, s;

    for (h = (int)at_h; (h = alarm_next(b, regs[RTC_HOURS_ALARM], true, (unsigned)h, 24)) >= 0;
         h++) {
        m = h == (int)at_h ? (int)at_m : 0;
        for (; (m = alarm_next(b, regs[RTC_MINUTES_ALARM], false, (unsigned)m, 60)) >= 0; m++) {
            bool now = h == (int)at_h && m == (int)at_m;

            s = alarm_next(b, regs[RTC_SECONDS_ALARM], false, now ? at_s : 0, 60);
            if (s >= 0)
                return (h * 60 + m) * 60 + s;
            if (!now)
                return -1; /* no second matches at all */
        }
    }
    return -1;
}

int64_t
rtc_next_alarm(uint8_t b, const uint8_t *regs, int64_t s)
{
    int64_t day = floor_div(s + 1, SECONDS_PER_DAY) * SECONDS_PER_DAY;
    int of_day = alarm_in_day(b, regs, (unsigned)(s + 1 - day));

    if (of_day >= 0)
        return day + of_day;
    of_day = alarm_in_day(b, regs, 0);
    return of_day < 0 ? -1 : day + SECONDS_PER_DAY + of_day;
}
