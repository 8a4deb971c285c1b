/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uart.c - see uart.h.
 *
 * Bytes leave at once when the line takes them, whatever speed is programmed; the divisor only
 * scales the character timeout. OUT2 does not gate the interrupt: on a PC that is a buffer outside
 * the chip, and software that forgets the bit is more common than software that relies on it.
 */
#include "uart.h"

static bool
uart_fifos(const struct uart *u)
{
    return u->fcr & UART_FCR_ENABLE;
}

static uint32_t
uart_depth(const struct uart *u)
{
    return uart_fifos(u) ? UART_FIFO : 1;
}

static uint32_t
uart_trigger(const struct uart *u)
{
    static const uint8_t level[] = {1, 4, 8, 14};

    return uart_fifos(u) ? level[u->fcr >> 6] : 1;
}

/* 8.7: with loopback on, the four outputs take the place of the four inputs. */
static uint8_t
uart_lines(const struct uart *u)
{
    uint8_t lines = 0;

    if (!(u->mcr & UART_MCR_LOOP))
        return u->pins;
    if (u->mcr & UART_MCR_RTS)
        lines |= UART_MSR_CTS;
    if (u->mcr & UART_MCR_DTR)
        lines |= UART_MSR_DSR;
    if (u->mcr & UART_MCR_OUT1)
        lines |= UART_MSR_RI;
    if (u->mcr & UART_MCR_OUT2)
        lines |= UART_MSR_DCD;
    return lines;
}

/* 8.8: the deltas note every change, but of RI only the end of a ring. */
static void
uart_look_at_lines(struct uart *u)
{
    uint8_t lines = uart_lines(u);
    uint8_t changed = lines ^ (u->msr & UART_MSR_LINES);

    if (lines & UART_MSR_RI)
        changed &= (uint8_t)~UART_MSR_RI;
    u->msr = lines | (u->msr & UART_MSR_DELTAS) | changed >> 4;
}

void
uart_set_pins(struct uart *u, uint8_t pins)
{
    u->pins = pins & UART_MSR_LINES;
    uart_look_at_lines(u);
}

/* The flags of the character that is read next show in LSR as soon as it is the next (8.6). */
static void
uart_reveal(struct uart *u)
{
    if (u->rx_count)
        u->errors |= u->rx_errors[u->rx_head];
}

static void
uart_arrive(struct uart *u, uint8_t byte, uint8_t errors)
{
    uint32_t i;

    u->rx_stirred = true;
    if (u->rx_count == uart_depth(u)) {
        u->errors |= UART_LSR_OE;
        /* A full FIFO keeps what it has; a full RBR is overwritten (8.6, bit 1). */
        if (uart_fifos(u))
            return;
        u->rx_count = 0;
    }
    i = (u->rx_head + u->rx_count++) % UART_FIFO;
    u->rx[i] = byte;
    u->rx_errors[i] = errors;
    if (u->rx_count == 1)
        uart_reveal(u);
}

void
uart_receive(struct uart *u, uint8_t byte, uint8_t errors)
{
    uart_arrive(u, byte, errors & UART_LSR_CHAR_ERRORS);
}

uint32_t
uart_room(const struct uart *u)
{
    return u->mcr & UART_MCR_LOOP ? 0 : uart_depth(u) - u->rx_count;
}

static uint8_t
uart_take(struct uart *u)
{
    uint8_t byte;

    if (!u->rx_count)
        return 0;
    byte = u->rx[u->rx_head];
    u->rx_head = (u->rx_head + 1) % UART_FIFO;
    u->rx_count--;
    u->timeout = false;
    u->rx_stirred = true;
    uart_reveal(u);
    return byte;
}

void
uart_pump(struct uart *u)
{
    if (!u->tx_count)
        return;
    while (u->tx_count) {
        uint8_t byte = u->tx[u->tx_head];

        /* Inside the chip a character has as many bits as LCR says; outside it has eight, since
         * much software writes to a port whose format it leaves to a firmware. */
        if (u->mcr & UART_MCR_LOOP)
            uart_arrive(u, byte & (uint8_t)(0x1f << (u->lcr & 3) | 0x1f), 0);
        else if (!u->transmit(u->owner, byte))
            return;
        u->tx_head = (u->tx_head + 1) % UART_FIFO;
        u->tx_count--;
    }
    u->thre_pending = true;
}

static void
uart_send(struct uart *u, uint8_t byte)
{
    u->thre_pending = false;
    if (u->tx_count == uart_depth(u)) {
        /* THR written while not empty: its byte is gone. A full FIFO ignores the write. */
        if (!uart_fifos(u))
            u->tx[u->tx_head] = byte;
        return;
    }
    u->tx[(u->tx_head + u->tx_count++) % UART_FIFO] = byte;
    uart_pump(u);
}

static void
uart_clear_rx(struct uart *u)
{
    u->rx_count = 0;
    u->timeout = false;
    u->errors &= (uint8_t)~UART_LSR_CHAR_ERRORS;
}

static void
uart_clear_tx(struct uart *u)
{
    if (u->tx_count)
        u->thre_pending = true;
    u->tx_count = 0;
}

/* 8.5: the other bits are only programmed together with bit 0, and its change empties both. */
static void
uart_control_fifos(struct uart *u, uint8_t val)
{
    bool toggled = (val ^ u->fcr) & UART_FCR_ENABLE;

    if (toggled || (val & UART_FCR_ENABLE && val & UART_FCR_CLEAR_RX))
        uart_clear_rx(u);
    if (toggled || (val & UART_FCR_ENABLE && val & UART_FCR_CLEAR_TX))
        uart_clear_tx(u);
    u->fcr = val & UART_FCR_ENABLE ? val & 0xc9 : 0;
}

bool
uart_timeout_due(const struct uart *u)
{
    return uart_fifos(u) && u->rx_count && !u->timeout;
}

uint8_t
uart_interrupt(const struct uart *u)
{
    if (u->ier & UART_IER_RLS && u->errors)
        return UART_IIR_RLS;
    if (u->ier & UART_IER_RDA && u->rx_count >= uart_trigger(u))
        return UART_IIR_RDA;
    if (u->ier & UART_IER_RDA && u->timeout)
        return UART_IIR_TIMEOUT;
    if (u->ier & UART_IER_THRE && u->thre_pending)
        return UART_IIR_THRE;
    if (u->ier & UART_IER_MS && u->msr & UART_MSR_DELTAS)
        return UART_IIR_MS;
    return UART_IIR_NONE;
}

static uint8_t
uart_identify(struct uart *u)
{
    uint8_t id = uart_interrupt(u);

    if (id == UART_IIR_THRE)
        u->thre_pending = false;
    return uart_fifos(u) ? id | UART_IIR_FIFOS : id;
}

static uint8_t
uart_line_status(struct uart *u)
{
    uint8_t status = u->errors;
    uint32_t i;

    if (u->rx_count)
        status |= UART_LSR_DR;
    if (!u->tx_count)
        status |= UART_LSR_THRE | UART_LSR_TEMT;
    if (uart_fifos(u)) {
        uint8_t inside = u->errors;

        for (i = 0; i < u->rx_count; i++)
            inside |= u->rx_errors[(u->rx_head + i) % UART_FIFO];
        if (inside & UART_LSR_CHAR_ERRORS)
            status |= UART_LSR_FIFO_ERROR;
    }
    u->errors = 0;
    if (u->rx_count)
        u->rx_errors[u->rx_head] = 0;
    return status;
}

uint8_t
uart_read(struct uart *u, uint32_t reg)
{
    uint8_t val;

    switch (reg) {
    case UART_RBR_THR:
        return u->lcr & UART_LCR_DLAB ? u->divisor & 0xff : uart_take(u);
    case UART_IER:
        return u->lcr & UART_LCR_DLAB ? u->divisor >> 8 : u->ier;
    case UART_IIR_FCR:
        return uart_identify(u);
    case UART_LCR:
        return u->lcr;
    case UART_MCR:
        return u->mcr;
    case UART_LSR:
        return uart_line_status(u);
    case UART_MSR:
        val = u->msr;
        u->msr &= UART_MSR_LINES;
        return val;
    case UART_SCR:
        return u->scr;
    default:
        return 0xff;
    }
}

void
uart_write(struct uart *u, uint32_t reg, uint8_t val)
{
    switch (reg) {
    case UART_RBR_THR:
        if (u->lcr & UART_LCR_DLAB)
            u->divisor = (u->divisor & 0xff00) | val;
        else
            uart_send(u, val);
        break;
    case UART_IER:
        if (u->lcr & UART_LCR_DLAB) {
            u->divisor = (uint16_t)(val << 8 | (u->divisor & 0xff));
            break;
        }
        /* Switched on over an empty transmitter, the THRE interrupt comes at once (again). */
        if (val & ~u->ier & UART_IER_THRE && !u->tx_count)
            u->thre_pending = true;
        u->ier = val & 0x0f;
        break;
    case UART_IIR_FCR:
        uart_control_fifos(u, val);
        break;
    case UART_LCR:
        u->lcr = val;
        break;
    case UART_MCR:
        u->mcr = val & 0x1f;
        uart_look_at_lines(u);
        uart_pump(u);
        break;
    case UART_SCR:
        u->scr = val;
        break;
    default: /* LSR and MSR: writes are for factory tests */
        break;
    }
}

uint64_t
uart_timeout_ns(const struct uart *u)
{
    /* Start bit, data bits, parity, stop bits; 115200 is the clock of a PC's port over 16. */
    uint64_t bits = 1 + 5 + (u->lcr & 3) + !!(u->lcr & 0x08) + (u->lcr & 0x04 ? 2 : 1);

    return 4 * bits * (u->divisor ? u->divisor : 1) * UINT64_C(1000000000) / 115200;
}

void
uart_reset(struct uart *u)
{
    u->ier = u->lcr = u->mcr = u->scr = u->fcr = u->errors = 0;
    u->divisor = 1;
    u->rx_head = u->rx_count = u->tx_head = u->tx_count = 0;
    u->timeout = u->rx_stirred = false;
    u->thre_pending = false;
    u->msr = u->pins; /* deltas low (8.3, table I) */
}
