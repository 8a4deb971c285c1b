/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * controller.h - the keyboard controller of a PC as a machine of its own: two ports in, one data
 * byte out, and three outputs. It must not know the host; what it wants is in its fields after
 * each call.
 *
 * Nothing is plugged into it yet: a byte for a device is answered as the chip does when the device
 * stays silent, with 0xfe and the time-out bit.
 */
#ifndef I8042_CONTROLLER_H
#define I8042_CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

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

struct kbc {
    uint8_t status;
    uint8_t data; /* what the data port reads */
    uint8_t ram[KBC_RAM_LEN];
    uint8_t output;  /* output port, without the interrupt lines */
    uint8_t command; /* waits for its data byte; 0: none does */
    bool reset;      /* the reset line was pulled; the caller clears it */
};

void kbc_reset(struct kbc *kbc);
uint8_t kbc_read_data(struct kbc *kbc);
uint8_t kbc_read_status(const struct kbc *kbc);
void kbc_write_data(struct kbc *kbc, uint8_t val);
void kbc_write_command(struct kbc *kbc, uint8_t val);
/* The interrupt lines of the two ports. */
bool kbc_irq(const struct kbc *kbc);
bool kbc_aux_irq(const struct kbc *kbc);

#endif
