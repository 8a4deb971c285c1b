/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * controller.h - the keyboard controller of a PC as a machine of its own: two ports in, one data
 * byte out, and three outputs. It must not know the host or what is plugged in; what it wants is in
 * its fields after each call: a byte for a device, a reset.
 *
 * Its own answers wait for a data byte that is still to be read, and go before what the devices
 * have to say.
 */
#ifndef I8042_CONTROLLER_H
#define I8042_CONTROLLER_H

#include "fifo.h"

enum {
    KBC_RAM_LEN = 32, /* byte 0 is the command byte */
};

/* Status register */
enum {
    KBC_STATUS_FULL = 0x01, /* a byte waits at the data port */
    KBC_STATUS_SYSTEM = 0x04,
    KBC_STATUS_COMMAND = 0x08, /* the last write was a command */
    KBC_STATUS_UNLOCKED = 0x10,
    KBC_STATUS_AUX = 0x20, /* the byte is from the second port */
    KBC_STATUS_TIMEOUT = 0x40,
};

/* Command byte */
enum {
    KBC_MODE_IRQ = 0x01,
    KBC_MODE_AUX_IRQ = 0x02,
    KBC_MODE_SYSTEM = 0x04,
    KBC_MODE_DISABLE = 0x10,
    KBC_MODE_AUX_DISABLE = 0x20,
    KBC_MODE_TRANSLATE = 0x40,
};

/* Output port */
enum {
    KBC_OUT_RESET = 0x01, /* low: the processor is reset */
    KBC_OUT_A20 = 0x02,
};

/* kbc.to */
enum {
    KBC_TO_NOBODY,
    KBC_TO_KEYBOARD,
    KBC_TO_AUX,
};

struct kbc {
    uint8_t status;
    uint8_t data; /* what the data port reads */
    uint8_t ram[KBC_RAM_LEN];
    uint8_t output;  /* output port, without the interrupt lines */
    uint8_t command; /* waits for its data byte; 0: none does */
    bool release;    /* the keyboard's last byte was 0xf0, which translation keeps back */
    struct fifo replies, reply_flags; /* answers that wait, and their status bits */
    uint8_t to, to_byte;              /* a byte for a device; the caller clears `to` */
    bool reset;                       /* the reset line was pulled; the caller clears it */
};

void kbc_reset(struct kbc *kbc);
uint8_t kbc_read_data(struct kbc *kbc);
uint8_t kbc_read_status(const struct kbc *kbc);
void kbc_write_data(struct kbc *kbc, uint8_t val);
void kbc_write_command(struct kbc *kbc, uint8_t val);
/* A byte for a device that is not there: answered as when a device stays silent. */
void kbc_silence(struct kbc *kbc, bool aux);
/* Moves a waiting answer to the data port if that is free. */
void kbc_next(struct kbc *kbc);
/* Whether it takes a byte from the keyboard, or from the second port, now. */
bool kbc_listens(const struct kbc *kbc, bool aux);
void kbc_receive(struct kbc *kbc, uint8_t byte, bool aux);
/* The system control port of a PS/2 (0x92): A20 and reset. */
uint8_t kbc_read_control(const struct kbc *kbc);
void kbc_write_control(struct kbc *kbc, uint8_t val);
/* The interrupt lines of the two ports. */
bool kbc_irq(const struct kbc *kbc);
bool kbc_aux_irq(const struct kbc *kbc);

#endif
