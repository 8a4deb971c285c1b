/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-serial-stream.c - 100,000 bytes each way through the serial port while both ends stall at
 * random: none lost, none doubled, none out of order. The guest is a driver of the usual kind, by
 * interrupt or by polling.
 */
#include "fake-char.h"
#include "tap.h"

#define BASE 0x3f8
#define LEN  100000

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR, THR = 0, FCR = 2 };

static struct bpt_machine *m;
static struct fake_char be;
static uint8_t to_guest[LEN], from_guest[LEN], got[LEN];
static uint32_t sent, written, read_n;
static uint64_t seed;

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

static void
out(uint32_t reg, uint32_t val)
{
    bpt_out(m, (uint16_t)(BASE + reg), 1, val);
}

/* The host's side: input in pieces, room for output now and then. */
static void
host_step(void)
{
    uint32_t n = LEN - sent, piece = 1 + rnd(60);

    if (rnd(3) == 0)
        sent += (uint32_t)fake_send(&be, to_guest + sent, n < piece ? n : piece);
    if (rnd(4) == 0)
        fake_let(&be, rnd(5) ? rnd(40) : rnd(6000));
    if (rnd(6) == 0)
        bpt_advance(m, rnd(2000000));
    bpt_pump(m);
}

static void
guest_receive(uint32_t most)
{
    while (most-- && in(LSR)&0x01 && read_n < LEN)
        got[read_n++] = in(RBR);
}

static void
guest_transmit(uint32_t fifo)
{
    uint32_t i;

    for (i = 0; i < fifo && written < LEN; i++)
        out(THR, from_guest[written++]);
}

/* As a driver does it: look at IIR until it says that there is nothing, now and then too early. */
static void
guest_interrupt(uint32_t fifo)
{
    int turns = 0;

    while (bpt_gsi(m, 4) && turns++ < 20) {
        uint8_t why = in(IIR)&0x0f;

        if (why == 0x06)
            in(LSR);
        else if (why == 0x04 || why == 0x0c)
            guest_receive(1 + rnd(20));
        else if (why == 0x02 && in(LSR)&0x20)
            guest_transmit(fifo);
        else if (why == 0x00)
            in(MSR);
    }
}

static void
guest_poll(void)
{
    uint32_t n = 1 + rnd(40);

    guest_receive(rnd(20));
    while (n-- && written < LEN && in(LSR)&0x20)
        out(THR, from_guest[written++]);
}

/* A stop, a save into thin air and a start, when the back end is not in the way of the stop. */
static void
interlude(void)
{
    fake_let(&be, UINT64_MAX);
    if (bpt_state_roundtrip(m, "com1"))
        printf("# round trip failed: %s\n", bpt_error(m));
}

static void
run(const char *what, uint8_t fcr, int polled)
{
    uint32_t fifo = fcr & 1 ? 16 : 1, step, i;
    int problems;

    memset(&be, 0, sizeof be);
    be.allow = 100;
    be.up = 1;
    sent = written = read_n = 0;
    seed = 0x5eed + fcr;
    for (i = 0; i < LEN; i++) {
        to_guest[i] = (uint8_t)rnd(256);
        from_guest[i] = (uint8_t)rnd(256);
    }
    m = bpt_new(1 << 20, 0);
    bpt_provide(m, "c0", BP_IF_CHAR, &fake_char_if, &be);
    if (bpt_load(m, "serial", "com1", "chardev=c0") || bpt_realize_all(m) || bpt_start(m)) {
        printf("Bail out! %s\n", bpt_error(m));
        exit(1);
    }
    out(LCR, 0x03);
    out(FCR, fcr);
    if (!polled)
        out(IER, 0x0f);
    for (step = 0; step < 4000000 && (read_n < LEN || be.out_n < LEN); step++) {
        host_step();
        if (polled)
            guest_poll();
        else if (rnd(2))
            guest_interrupt(fifo);
        if (rnd(2000) == 0)
            interlude();
    }
    ok(read_n == LEN && memcmp(got, to_guest, LEN) == 0, "%s: %u of %u bytes to the guest", what,
       read_n, LEN);
    ok(be.out_n == LEN && memcmp(be.out, from_guest, LEN) == 0, "%s: %u of %u bytes from the guest",
       what, (uint32_t)be.out_n, LEN);
    problems = bpt_free(m);
    ok(!problems && !be.faults, "%s: no rule of the SDK was broken", what);
}

int
main(void)
{
    run("interrupts, FIFO, trigger 8", 0x81, 0);
    run("interrupts, FIFO, trigger 14", 0xc1, 0);
    run("interrupts, FIFO, trigger 1", 0x01, 0);
    run("interrupts, no FIFO", 0x00, 0);
    run("polled, FIFO", 0x41, 1);
    run("polled, no FIFO", 0x00, 1);
    return done_testing();
}
