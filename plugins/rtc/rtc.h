/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rtc.h - the rtc plugin's own: an MC146818 with 128 bytes of memory, as in a PC.
 *
 *   rtc.c       class, life cycle, the two ports
 *   clock.c     registers A to C: time keeping, alarm, periodic and update interrupts
 *   calendar.c  seconds to registers and back
 *   cmos.c      what a PC's set-up program leaves in the memory
 *   state.c     save and load
 *
 * The calendar is the host's clock plus an offset that the guest sets by writing the time; nothing
 * runs in between. Flags of register C that nobody was interrupted for are worked out when they are
 * read, so an idle clock costs no timer. While the guest holds the clock (SET, or the divider in
 * reset), the time is in the registers' bytes.
 */
#ifndef RTC_RTC_H
#define RTC_RTC_H

#include <stdbool.h>
#include <stdint.h>

#include <backplane/backplane.h>

/* Registers; the rest of the memory is for anybody. */
enum {
    RTC_SECONDS = 0x00,
    RTC_SECONDS_ALARM = 0x01,
    RTC_MINUTES = 0x02,
    RTC_MINUTES_ALARM = 0x03,
    RTC_HOURS = 0x04,
    RTC_HOURS_ALARM = 0x05,
    RTC_WEEKDAY = 0x06,
    RTC_DAY = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09,
    RTC_A = 0x0a,
    RTC_B = 0x0b,
    RTC_C = 0x0c,
    RTC_D = 0x0d,
    RTC_CENTURY = 0x32,
    RTC_LEN = 128,
};

enum {
    RTC_A_UIP = 0x80,
    RTC_A_DV = 0x70,
    RTC_A_DV_32K = 0x20, /* the only divider setting that keeps time with a PC's crystal */
    RTC_A_RS = 0x0f,
    RTC_B_SET = 0x80,
    RTC_B_PIE = 0x40,
    RTC_B_AIE = 0x20,
    RTC_B_UIE = 0x10,
    RTC_B_SQWE = 0x08,
    RTC_B_DM = 0x04, /* binary, not BCD */
    RTC_B_24H = 0x02,
    RTC_C_IRQF = 0x80,
    RTC_C_PF = 0x40, /* same places as the enables in B */
    RTC_C_AF = 0x20,
    RTC_C_UF = 0x10,
    RTC_C_FLAGS = RTC_C_PF | RTC_C_AF | RTC_C_UF,
    RTC_D_VRT = 0x80, /* the battery is good */
    RTC_HOURS_PM = 0x80,
    RTC_ALARM_ANY = 0xc0,
};

#define RTC_NS_PER_S INT64_C(1000000000)

struct rtc {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *event;
    const struct bp_irq_if *irq;
    bp_irq line;
    bp_event tick;  /* update and periodic interrupts */
    bp_event alarm; /* follows the calendar */
    uint8_t index;
    uint8_t a, b, c;       /* c without IRQF, which follows from b and c */
    uint8_t cmos[RTC_LEN]; /* all other registers; time and date only while held */
    int64_t offset_s;      /* what is added to the host's clock */
    int64_t offset_ns;     /* 0 to RTC_NS_PER_S - 1 */
    uint8_t weekday_shift; /* the guest's idea of the day of the week, added to ours; 0-6 */
    int64_t last_s;        /* the second in which the flags were last worked out */
    uint64_t last_period;  /* the same for the periodic flag */
};

/* calendar.c */
bool rtc_is_time(uint8_t reg);
/* A number as the data mode wants it, and back. */
uint8_t rtc_encode(uint8_t b, unsigned val);
uint8_t rtc_encode_hour(uint8_t b, unsigned hour);
/* Writes the time and date registers of a second since 1970. */
void rtc_to_registers(uint8_t b, int64_t s, uint8_t weekday_shift, uint8_t *regs);
/* The second that the registers mean; values out of range carry over, nothing is refused. */
int64_t rtc_from_registers(uint8_t b, const uint8_t *regs, uint8_t *ret_weekday_shift);
/* The first second after s whose time of day matches the alarm registers, or -1. */
int64_t rtc_next_alarm(uint8_t b, const uint8_t *regs, int64_t s);

/* clock.c */
bool rtc_running(const struct rtc *rtc);
/* A time register, or A, B, C, D. */
uint8_t rtc_read_register(struct rtc *rtc, uint8_t reg);
void rtc_write_register(struct rtc *rtc, uint8_t reg, uint8_t val);
/* Register C as a read would give it, which changes nothing. */
uint8_t rtc_flags(const struct rtc *rtc);
/* Interrupt line and timers follow the registers. */
void rtc_update(struct rtc *rtc);
/* From now on; what went by before is not made up for. */
void rtc_resync(struct rtc *rtc);

/* cmos.c */
void rtc_fill_cmos(uint8_t *cmos, const struct bp_machine_info *info);

/* state.c */
int rtc_save(void *self, const struct bp_writer *w);
int rtc_load(void *self, const struct bp_reader *r);

#endif
