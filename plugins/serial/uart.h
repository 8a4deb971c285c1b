/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uart.h - the chip: registers, FIFOs and interrupt logic of a PC16550D.
 *
 * The model knows nothing of the host: no back end, no timer, no interrupt controller. Its owner
 * calls it for every register access and every byte from the line, and afterwards looks at
 * uart_interrupt(), uart_room() and rx_stirred to drive what is outside. Section numbers in the
 * comments are those of the PC16550D data sheet (National Semiconductor, 1995).
 */
#ifndef SERIAL_UART_H
#define SERIAL_UART_H

#include <stdbool.h>
#include <stdint.h>

#define UART_FIFO 16

/* Register offsets; DLL and DLM stand in for the first two while LCR bit 7 is set. */
enum { UART_RBR_THR, UART_IER, UART_IIR_FCR, UART_LCR, UART_MCR, UART_LSR, UART_MSR, UART_SCR };

enum { UART_IER_RDA = 0x01, UART_IER_THRE = 0x02, UART_IER_RLS = 0x04, UART_IER_MS = 0x08 };
enum {
    UART_IIR_MS = 0x00,
    UART_IIR_NONE = 0x01,
    UART_IIR_THRE = 0x02,
    UART_IIR_RDA = 0x04,
    UART_IIR_RLS = 0x06,
    UART_IIR_TIMEOUT = 0x0c,
    UART_IIR_FIFOS = 0xc0,
};
enum { UART_FCR_ENABLE = 0x01, UART_FCR_CLEAR_RX = 0x02, UART_FCR_CLEAR_TX = 0x04 };
enum { UART_LCR_BREAK = 0x40, UART_LCR_DLAB = 0x80 };
enum {
    UART_MCR_DTR = 0x01,
    UART_MCR_RTS = 0x02,
    UART_MCR_OUT1 = 0x04,
    UART_MCR_OUT2 = 0x08,
    UART_MCR_LOOP = 0x10,
};
enum {
    UART_LSR_DR = 0x01,
    UART_LSR_OE = 0x02,
    UART_LSR_PE = 0x04,
    UART_LSR_FE = 0x08,
    UART_LSR_BI = 0x10,
    UART_LSR_THRE = 0x20,
    UART_LSR_TEMT = 0x40,
    UART_LSR_FIFO_ERROR = 0x80,
    UART_LSR_CHAR_ERRORS = UART_LSR_PE | UART_LSR_FE | UART_LSR_BI,
    UART_LSR_ERRORS = UART_LSR_OE | UART_LSR_CHAR_ERRORS,
};
enum {
    UART_MSR_DCTS = 0x01,
    UART_MSR_DDSR = 0x02,
    UART_MSR_TERI = 0x04,
    UART_MSR_DDCD = 0x08,
    UART_MSR_CTS = 0x10,
    UART_MSR_DSR = 0x20,
    UART_MSR_RI = 0x40,
    UART_MSR_DCD = 0x80,
    UART_MSR_DELTAS = 0x0f,
    UART_MSR_LINES = 0xf0,
};

struct uart {
    uint8_t ier, lcr, mcr, scr;
    uint8_t fcr;    /* the bits that stick: enable, DMA mode, trigger level */
    uint8_t errors; /* LSR bits 1 to 4 as they stand until LSR is read */
    uint8_t msr;    /* lines as last looked at, and the deltas since MSR was read */
    uint8_t pins;   /* the modem inputs outside, as MSR bits 4 to 7 */
    uint16_t divisor;
    bool thre_pending; /* the THRE interrupt's own latch (8.4, table IV) */
    bool timeout;      /* a character timeout came and no character was read since */
    bool rx_stirred;   /* a character came or was read: the owner restarts the timeout */

    /* Oldest first. Without FIFOs only one place of each is used: RBR and THR. */
    uint8_t rx[UART_FIFO], rx_errors[UART_FIFO], tx[UART_FIFO];
    uint32_t rx_head, rx_count, tx_head, tx_count;

    /* Puts a byte on the line; false: the line is busy, call uart_pump() when it is not. */
    bool (*transmit)(void *owner, uint8_t byte);
    void *owner;
};

/* Master reset: everything but pins, transmit and owner. */
void uart_reset(struct uart *);
uint8_t uart_read(struct uart *, uint32_t reg);
void uart_write(struct uart *, uint32_t reg, uint8_t val);
/* Offers what waits in the transmitter to the line (again). */
void uart_pump(struct uart *);
/* How many bytes from outside the receiver has room for; 0 while it is looped back. */
uint32_t uart_room(const struct uart *);
/* One character from outside with its LSR error bits; only when there is room. */
void uart_receive(struct uart *, uint8_t byte, uint8_t errors);
/* The modem inputs outside are now these MSR bits. */
void uart_set_pins(struct uart *, uint8_t pins);
/* Characters wait below the trigger level, so that a timeout would interrupt. */
bool uart_timeout_due(const struct uart *);
/* What IIR's low four bits say; UART_IIR_NONE when the INTR pin is low. */
uint8_t uart_interrupt(const struct uart *);
/* Four character times at the programmed speed and format. */
uint64_t uart_timeout_ns(const struct uart *);

#endif
