/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c - the serial port's state, written and read back.
 *
 * The chip as its data sheet describes it, and what it has sent that nobody has taken yet. How far
 * a character timeout has run is not kept: it starts anew.
 */
#include "serial.h"

#include <string.h>

/* Oldest first, whatever place in the ring that is. */
static void
state_unroll(const uint8_t *ring, uint32_t head, uint32_t n, uint8_t *ret_bytes)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        ret_bytes[i] = ring[(head + i) % UART_FIFO];
}

int
serial_save(void *self, const struct bp_writer *w)
{
    const struct serial *s = self;
    const struct uart *u = &s->uart;
    uint8_t bytes[UART_FIFO];
    int err;

    if ((err = w->section(w, "uart", 1, 1)) || (err = w->u64(w, "ier", u->ier)) ||
        (err = w->u64(w, "fcr", u->fcr)) || (err = w->u64(w, "lcr", u->lcr)) ||
        (err = w->u64(w, "mcr", u->mcr)) || (err = w->u64(w, "scr", u->scr)) ||
        (err = w->u64(w, "divisor", u->divisor)) || (err = w->u64(w, "errors", u->errors)) ||
        (err = w->u64(w, "msr", u->msr)) || (err = w->u64(w, "pins", u->pins)) ||
        (err = w->u64(w, "thre-pending", u->thre_pending)) ||
        (err = w->u64(w, "timeout", u->timeout)))
        return err;
    state_unroll(u->rx, u->rx_head, u->rx_count, bytes);
    if ((err = w->blob(w, "rx", bytes, u->rx_count)))
        return err;
    state_unroll(u->rx_errors, u->rx_head, u->rx_count, bytes);
    if ((err = w->blob(w, "rx-errors", bytes, u->rx_count)))
        return err;
    state_unroll(u->tx, u->tx_head, u->tx_count, bytes);
    if ((err = w->blob(w, "tx", bytes, u->tx_count)))
        return err;
    if ((err = w->section(w, "line", 1, 1)) ||
        (err = w->blob(w, "sent", s->wire + s->wire_pos, s->wire_n)) ||
        (err = w->u64(w, "break-out", s->break_told)))
        return err;
    return w->u64(w, "break-in", s->break_waits);
}

/* A key that may be absent, with its greatest value. */
static int
state_u64(const struct bp_reader *r, const char *key, uint64_t max, uint64_t *val)
{
    int err = r->u64(r, key, val);

    if (err == BP_E_NOENT)
        return 0;
    return err ? err : *val > max ? BP_E_INVAL : 0;
}

static int
state_blob(const struct bp_reader *r, const char *key, void *p, uint64_t cap, uint64_t *n)
{
    int err = r->blob(r, key, p, cap, n);

    return err == BP_E_NOENT ? 0 : err;
}

static int
state_load_uart(struct uart *u, const struct bp_reader *r)
{
    uint64_t ier = 0, fcr = 0, lcr = 0, mcr = 0, scr = 0, divisor = 1, errors = 0;
    uint64_t msr = u->msr, pins = u->pins, thre = 0, timeout = 0, rx_n = 0, flags_n = 0, tx_n = 0;
    uint32_t ver, i;
    int err;

    if ((err = r->section(r, "uart", &ver)))
        return err;
    if (ver != 1)
        return BP_E_INVAL;
    if ((err = state_u64(r, "ier", 0x0f, &ier)) || (err = state_u64(r, "fcr", 0xc9, &fcr)) ||
        (err = state_u64(r, "lcr", 0xff, &lcr)) || (err = state_u64(r, "mcr", 0x1f, &mcr)) ||
        (err = state_u64(r, "scr", 0xff, &scr)) ||
        (err = state_u64(r, "divisor", 0xffff, &divisor)) ||
        (err = state_u64(r, "errors", 0xff, &errors)) || (err = state_u64(r, "msr", 0xff, &msr)) ||
        (err = state_u64(r, "pins", 0xff, &pins)) ||
        (err = state_u64(r, "thre-pending", 1, &thre)) ||
        (err = state_u64(r, "timeout", 1, &timeout)) ||
        (err = state_blob(r, "rx", u->rx, UART_FIFO, &rx_n)) ||
        (err = state_blob(r, "rx-errors", u->rx_errors, UART_FIFO, &flags_n)) ||
        (err = state_blob(r, "tx", u->tx, UART_FIFO, &tx_n)))
        return err;
    if (fcr & ~UINT64_C(0xc9) || (fcr && !(fcr & UART_FCR_ENABLE)) ||
        errors & ~(uint64_t)UART_LSR_ERRORS || pins & ~(uint64_t)UART_MSR_LINES)
        return BP_E_INVAL;
    if (flags_n != rx_n || (!(fcr & UART_FCR_ENABLE) && (rx_n > 1 || tx_n > 1 || timeout)) ||
        (timeout && !rx_n))
        return BP_E_INVAL;
    for (i = 0; i < rx_n; i++)
        if (u->rx_errors[i] & ~UART_LSR_CHAR_ERRORS)
            return BP_E_INVAL;
    u->ier = (uint8_t)ier;
    u->fcr = (uint8_t)fcr;
    u->lcr = (uint8_t)lcr;
    u->mcr = (uint8_t)mcr;
    u->scr = (uint8_t)scr;
    u->divisor = (uint16_t)divisor;
    u->errors = (uint8_t)errors;
    u->msr = (uint8_t)msr;
    u->pins = (uint8_t)pins;
    u->thre_pending = thre;
    u->timeout = timeout;
    u->rx_head = u->tx_head = 0;
    u->rx_count = (uint32_t)rx_n;
    u->tx_count = (uint32_t)tx_n;
    u->rx_stirred = true;
    return 0;
}

int
serial_load(void *self, const struct bp_reader *r)
{
    struct serial *s = self;
    struct uart fresh = s->uart; /* the device stays as it is when the state is refused */
    uint8_t wire[SERIAL_WIRE];
    uint64_t wire_n = 0, break_out = 0, break_in = 0;
    uint32_t ver;
    int err;

    uart_reset(&fresh);
    if ((err = state_load_uart(&fresh, r)) || (err = r->section(r, "line", &ver)))
        return err;
    if (ver != 1)
        return BP_E_INVAL;
    if ((err = state_blob(r, "sent", wire, sizeof wire, &wire_n)) ||
        (err = state_u64(r, "break-out", 1, &break_out)) ||
        (err = state_u64(r, "break-in", 1, &break_in)))
        return err;
    if (!s->be)
        wire_n = 0; /* nobody to hand it to */
    s->uart = fresh;
    memcpy(s->wire, wire, wire_n);
    s->wire_pos = 0;
    s->wire_n = (uint32_t)wire_n;
    s->break_told = break_out;
    s->break_waits = break_in;
    s->fresh = false;
    line_settle(s);
    return 0;
}
