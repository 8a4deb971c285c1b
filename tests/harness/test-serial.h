/* SPDX-License-Identifier: BSD-3-Clause */
/* test-serial.h - a machine with one serial port, for the programs that test it: test-serial.c
 * (registers, output), test-serial-input.c (input, interrupts, line conditions), test-serial-life.c
 * (the machine around it). */
#ifndef TESTS_HARNESS_TEST_SERIAL_H
#define TESTS_HARNESS_TEST_SERIAL_H

#include "fake-char.h"
#include "tap.h"

#define BASE 0x3f8
enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR, THR = 0, FCR = 2, DLL = 0, DLM = 1 };
#define MS 1000000

static struct bpt_machine *m;
static struct fake_char be;

static inline uint8_t
in(uint32_t reg)
{
    return (uint8_t)bpt_in(m, (uint16_t)(BASE + reg), 1);
}

static inline void
out(uint32_t reg, uint32_t val)
{
    bpt_out(m, (uint16_t)(BASE + reg), 1, val);
}

static inline int
irq(void)
{
    return bpt_gsi(m, 4);
}

/* A machine with a port whose back end takes everything, running. */
static inline void
begin(const char *props)
{
    memset(&be, 0, sizeof be);
    be.allow = UINT64_MAX;
    be.up = 1;
    m = bpt_new(1 << 20, 0);
    bpt_provide(m, "c0", BP_IF_CHAR, &fake_char_if, &be);
    if (bpt_load(m, "serial", "com1", props) || bpt_realize_all(m) || bpt_start(m)) {
        printf("Bail out! %s\n", bpt_error(m));
        exit(1);
    }
}

static inline void
end(const char *what)
{
    int problems = bpt_free(m);

    ok(!problems && !be.faults, "%s: no rule of the SDK was broken", what);
}

static inline void
flush(void)
{
    bpt_advance(m, MS);
    bpt_pump(m);
}

#endif
