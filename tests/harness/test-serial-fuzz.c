/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-serial-fuzz.c - a guest that does anything to a serial port's registers, and a back end with
 * moods. Whatever it does, what the registers say of each other stays true. $SERIAL_FUZZ_SEED and
 * $SERIAL_FUZZ_STEPS repeat or lengthen a run.
 */
#include "fake-char.h"
#include "tap.h"

#define BASE 0x3f8

static struct bpt_machine *m;
static struct fake_char be;
static uint64_t seed;
static uint64_t step;

static uint32_t
rnd(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % below;
}

static uint8_t
in(uint32_t reg)
{
    return (uint8_t)bpt_in(m, (uint16_t)(BASE + reg), 1);
}

static int
expect(int good, const char *what)
{
    if (!good)
        printf("# step %llu: %s\n", (unsigned long long)step, what);
    return good;
}

/* What must hold between any two accesses. Reads only what has no side effect, but IIR last. */
static int
invariants(void)
{
    int line = bpt_gsi(m, 4), good = 1;
    uint8_t lcr = in(3), iir;

    good &= expect((in(4) & 0xe0) == 0, "MCR has more than five bits");
    if (!(lcr & 0x80))
        good &= expect((in(1) & 0xf0) == 0, "IER has more than four bits");
    iir = in(2);
    good &= expect((iir & 0x30) == 0, "IIR bits 4 and 5");
    good &= expect((iir & 0xc0) == 0 || (iir & 0xc0) == 0xc0, "IIR bits 6 and 7 differ");
    good &= expect(line == !(iir & 1), "the interrupt line and IIR differ");
    good &= expect((iir & 0x0f) != 0x0c || (iir & 0xc0), "a timeout without FIFOs");
    good &= expect(!be.faults, "the back end was misused");
    return good;
}

/* Reading LSR changes it, so this is done less often. */
static int
line_status(void)
{
    uint8_t lsr = in(5);
    int good = 1;

    good &= expect(!(lsr & 0x20) == !(lsr & 0x40), "THRE and TEMT differ");
    good &= expect(lsr & 0x20 || be.stuck, "the transmitter waits for nobody");
    good &= expect((in(5) & 0x02) == 0, "LSR keeps an error that was read");
    return good;
}

static void
guest_step(void)
{
    static const uint8_t fcr[] = {0x00, 0x01, 0x41, 0x81, 0xc1, 0x03, 0x05, 0x07, 0xc7, 0xc6};
    uint32_t reg = rnd(8), width = 1u << rnd(3);

    if (reg + width > 8)
        width = 1;
    if (reg == 3 && rnd(3))
        reg = 0; /* not always under DLAB */
    switch (rnd(8)) {
    case 0:
    case 1:
    case 2:
        bpt_in(m, (uint16_t)(BASE + reg), width);
        break;
    case 3:
        bpt_out(m, BASE + 2, 1, fcr[rnd(sizeof fcr)]);
        break;
    case 4:
        bpt_out(m, BASE + 3, 1, rnd(8) ? 0x03 : rnd(256));
        break;
    default:
        bpt_out(m, (uint16_t)(BASE + reg), width, rnd(256) | rnd(256) << 8 | rnd(256) << 16);
        break;
    }
}

static void
host_step(void)
{
    uint8_t bytes[64];

    switch (rnd(8)) {
    case 0:
        memset(bytes, 'a' + (int)rnd(26), sizeof bytes);
        fake_send(&be, bytes, 1 + rnd(sizeof bytes));
        break;
    case 1:
        fake_let(&be, rnd(30));
        break;
    case 2:
        be.up = (int)rnd(2);
        be.client.event(be.client.user, be.up ? BP_CHAR_OPENED : BP_CHAR_CLOSED);
        break;
    case 3:
        be.client.event(be.client.user, rnd(4) ? BP_CHAR_BREAK : rnd(10000));
        break;
    case 4:
        bpt_advance(m, rnd(3000000));
        break;
    default:
        bpt_pump(m);
        break;
    }
    if (be.out_n > sizeof be.out / 2)
        be.out_n = 0;
}

int
main(void)
{
    const char *env = getenv("SERIAL_FUZZ_SEED"), *long_run = getenv("SERIAL_FUZZ_STEPS");
    uint64_t steps = long_run ? strtoull(long_run, NULL, 0) : 300000;
    int good = 1, round_trips = 0;

    seed = env ? strtoull(env, NULL, 0) : 16550;
    printf("# SERIAL_FUZZ_SEED=%llu\n", (unsigned long long)seed);
    be.allow = UINT64_MAX;
    m = bpt_new(1 << 20, 0);
    bpt_provide(m, "c0", BP_IF_CHAR, &fake_char_if, &be);
    if (bpt_load(m, "serial", "com1", "chardev=c0") || bpt_realize_all(m) || bpt_start(m)) {
        printf("Bail out! %s\n", bpt_error(m));
        return 1;
    }
    for (step = 0; step < steps && good; step++) {
        guest_step();
        good = invariants();
        if (rnd(4) == 0)
            good &= line_status();
        if (rnd(3) == 0) {
            host_step();
            good &= invariants();
        }
        if (rnd(3000) == 0) {
            fake_let(&be, UINT64_MAX);
            good &= expect(!bpt_state_roundtrip(m, "com1"), "state did not survive");
            good &= invariants();
            round_trips++;
        }
        if (rnd(20000) == 0) {
            fake_let(&be, UINT64_MAX);
            good &= expect(!bpt_reset(m), "reset failed") & invariants();
        }
    }
    ok(good, "what the registers say fits for %llu steps", (unsigned long long)step);
    ok(round_trips > 0 || steps < 3000, "with %d round trips of the state", round_trips);
    fake_let(&be, UINT64_MAX);
    bpt_advance(m, 1000000000);
    bpt_out(m, BASE + 4, 1, 0);
    ok(in(5) & 0x20, "afterwards the transmitter is empty");
    bpt_reset(m);
    be.out_n = 0;
    bpt_out(m, BASE, 1, 'x');
    bpt_advance(m, 1000000000);
    ok(be.out_n == 1 && be.out[0] == 'x', "and after a reset the port works");
    ok(!bpt_free(m), "no rule of the SDK was broken");
    return done_testing();
}
