/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * line.c - between the chip and the byte stream of the back end.
 *
 * Output. A byte that leaves the chip after a pause goes to the back end at once. Those that follow
 * collect in the wire buffer, which is handed on every FLUSH_NS, or earlier when it is full, until
 * there is a pause again: a few writes for a burst and not one for each byte. As soon as the back
 * end takes less than it was given, bytes stay in the transmitter, THRE stays clear and the guest
 * waits, until writable(). A machine that stops empties the buffer first.
 *
 * Input. The back end is only asked for what the receiver has room for, so nothing is ever overrun;
 * after a refusal it is asked again when the guest has made enough room for a burst.
 */
#include <backplane/log.h>

#include "serial.h"

/* Half of what a real port takes for the 16 bytes of its FIFO at 115200 baud. */
#define FLUSH_NS 700000

#define CONNECTED_PINS (UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD)

static void
wire_flush(struct serial *s)
{
    while (s->wire_n && !s->wire_stuck) {
        uint64_t taken = s->be->write(s->be_self, s->wire + s->wire_pos, s->wire_n);

        s->wire_stuck = taken < s->wire_n;
        if (!s->wire_stuck)
            taken = s->wire_n;
        s->wire_pos += (uint32_t)taken;
        s->wire_n -= (uint32_t)taken;
    }
    if (!s->wire_n)
        s->wire_pos = 0;
}

static void
arm_flush(struct serial *s)
{
    s->flush_armed = true;
    s->ev->arm(s->inst, s->flush_timer, s->ev->now(s->inst, BP_CLOCK_MONOTONIC) + FLUSH_NS);
}

bool
line_transmit(void *owner, uint8_t byte)
{
    struct serial *s = owner;

    if (!s->be)
        return true;
    if (s->wire_n == SERIAL_WIRE)
        wire_flush(s);
    if (s->wire_stuck)
        return false;
    /* Not stuck: all that was handed on was taken whole, so what is there begins at 0. */
    s->wire[s->wire_n++] = byte;
    if (!s->flush_armed) {
        wire_flush(s);
        arm_flush(s);
    }
    return true;
}

void
line_flush_time(struct serial *s)
{
    s->flush_armed = false;
    if (s->wire_n) {
        arm_flush(s);
        line_flush(s);
    }
}

uint32_t
line_flush(struct serial *s)
{
    wire_flush(s);
    uart_pump(&s->uart);
    wire_flush(s);
    return s->wire_n + s->uart.tx_count;
}

/* The character timeout runs while it could interrupt. A timer that runs already is left alone and
 * set anew when it ends too early, since a guest stirs the receiver far more often. */
static void
settle_timeout(struct serial *s)
{
    bool stirred = s->uart.rx_stirred;

    s->uart.rx_stirred = false;
    if (!uart_timeout_due(&s->uart))
        return;
    if (stirred)
        s->char_deadline =
            s->ev->now(s->inst, BP_CLOCK_VIRTUAL) + (int64_t)uart_timeout_ns(&s->uart);
    if (s->uart.ier & UART_IER_RDA && !s->char_armed) {
        s->char_armed = true;
        s->ev->arm(s->inst, s->char_timer, s->char_deadline);
    }
}

/* A break condition passes on what was sent before it first; LCR bit 6 does not reach SOUT in
 * loopback. */
static void
settle_break(struct serial *s)
{
    bool on = (s->uart.lcr & UART_LCR_BREAK) && !(s->uart.mcr & UART_MCR_LOOP);

    if (on == s->break_told || !BP_HAS(struct bp_char_if, s->be, send_break))
        return;
    wire_flush(s);
    if (s->wire_n || s->uart.tx_count)
        return;
    s->break_told = on;
    s->be->send_break(s->be_self, on);
}

void
line_settle(struct serial *s)
{
    settle_break(s);
    if (s->break_waits && uart_room(&s->uart)) {
        s->break_waits = false;
        uart_receive(&s->uart, 0, UART_LSR_BI | UART_LSR_FE);
    }
    settle_timeout(s);
    s->irq->level(s->inst, s->line, uart_interrupt(&s->uart) != UART_IIR_NONE);
    if (s->input_waits && s->running && !s->break_waits) {
        uint32_t burst = s->uart.fcr & UART_FCR_ENABLE ? UART_FIFO / 2 : 1;

        if (uart_room(&s->uart) >= burst) {
            s->input_waits = false;
            s->be->ready(s->be_self);
        }
    }
}

/* bp_char_client.receive */
static uint64_t
line_receive(void *user, const void *buf, uint64_t n)
{
    struct serial *s = user;
    const uint8_t *byte = buf;
    uint64_t taken = 0;

    if (s->running && !s->break_waits)
        while (taken < n && uart_room(&s->uart))
            uart_receive(&s->uart, byte[taken++], 0);
    if (taken)
        line_settle(s);
    if (taken < n)
        s->input_waits = true;
    return taken;
}

/* bp_char_client.writable */
static void
line_writable(void *user)
{
    struct serial *s = user;

    s->wire_stuck = false;
    line_flush(s);
    line_settle(s);
}

uint8_t
line_pins(const struct serial *s)
{
    return s->be && s->be->connected(s->be_self) ? CONNECTED_PINS : 0;
}

/* bp_char_client.event */
static void
line_event(void *user, uint32_t what)
{
    struct serial *s = user;

    if (!s->running) /* start() looks at the lines */
        return;
    switch (what) {
    case BP_CHAR_OPENED:
    case BP_CHAR_CLOSED:
        uart_set_pins(&s->uart, line_pins(s));
        break;
    case BP_CHAR_BREAK:
        s->break_waits = true;
        break;
    default:
        return;
    }
    line_settle(s);
}

int
line_attach(struct serial *s)
{
    struct bp_link link = {.size = sizeof link};
    const struct bp_char_if *be;
    int err;

    err =
        s->host->link(s->inst, "chardev", BP_IF_CHAR, BP_UPTO(struct bp_char_if, connected), &link);
    if (err)
        return err == BP_E_NOENT ? 0 : err;
    be = link.iface;
    s->client = (struct bp_char_client){
        .size = sizeof s->client,
        .user = s,
        .receive = line_receive,
        .writable = line_writable,
        .event = line_event,
    };
    err = be->attach(link.self, &s->client);
    if (err)
        return bp_failf(s->host, s->inst, err, "chardev '%s' %s", link.id,
                        err == BP_E_BUSY ? "already belongs to another device"
                                         : "cannot be attached");
    s->be = be;
    s->be_self = link.self;
    return 0;
}
