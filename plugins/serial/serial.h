/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial.h - one serial port: the chip of uart.h between the guest's ports and a byte stream.
 */
#ifndef SERIAL_SERIAL_H
#define SERIAL_SERIAL_H

#include <backplane/backplane.h>

#include "uart.h"

#define SERIAL_STATE_VER 1
#define SERIAL_WIRE      4096

struct serial {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_irq_if *irq;
    const struct bp_event_if *ev;
    bp_irq line;
    bp_event flush_timer, char_timer;
    int64_t port, gsi;

    const struct bp_char_if *be; /* NULL: nothing is plugged in */
    void *be_self;
    struct bp_char_client client;

    struct uart uart;

    /* What left the chip and waits to be handed on in one piece. */
    uint8_t wire[SERIAL_WIRE];
    uint32_t wire_pos, wire_n;
    bool wire_stuck; /* the back end took less than it was given: writable() will come */
    bool flush_armed;
    bool break_told; /* the break condition that the back end knows of */

    bool break_waits;      /* a break from outside found the receiver full */
    bool input_waits;      /* the back end waits for ready() */
    bool char_armed;       /* char_timer runs, to end at or before char_deadline */
    int64_t char_deadline; /* virtual clock: four character times after the last stir */

    bool running;
    bool fresh;         /* reset, and nothing looked at the modem lines since */
    int64_t give_up_at; /* quiesce(): when a stuck back end is no longer waited for; 0: not set */
    uint32_t left;      /* quiesce(): what it had not taken at the last look */
};

/* Links and attaches to what chardev names, if it names anything. */
int line_attach(struct serial *);
/* uart.transmit: a byte leaves the chip. */
bool line_transmit(void *owner, uint8_t byte);
/* Hands on what the back end takes, from the wire and from the transmitter; what is left of both.
 * uart_pump()'s effects on the interrupt line need a line_settle(). */
uint32_t line_flush(struct serial *);
void line_flush_time(struct serial *); /* flush_timer has come */
/* Brings what is outside in line with the chip after anything happened to it. */
void line_settle(struct serial *);
/* The modem inputs, as the back end is connected or not. */
uint8_t line_pins(const struct serial *);

int serial_save(void *self, const struct bp_writer *);
int serial_load(void *self, const struct bp_reader *);

#endif
