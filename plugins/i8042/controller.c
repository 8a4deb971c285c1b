/* SPDX-License-Identifier: BSD-3-Clause */
/* controller.c - the commands of the keyboard controller; see controller.h. */
#include "controller.h"

#include "scancodes.h"

/* Commands that take one byte from the data port are remembered until it comes. */
enum {
    KBC_READ_RAM = 0x20,  /* to 0x3f */
    KBC_WRITE_RAM = 0x60, /* to 0x7f, takes a byte */
    KBC_AUX_DISABLE = 0xa7,
    KBC_AUX_ENABLE = 0xa8,
    KBC_AUX_TEST = 0xa9,
    KBC_SELF_TEST = 0xaa,
    KBC_TEST = 0xab,
    KBC_DISABLE = 0xad,
    KBC_ENABLE = 0xae,
    KBC_READ_INPUT = 0xc0,
    KBC_READ_OUTPUT = 0xd0,
    KBC_WRITE_OUTPUT = 0xd1,  /* takes a byte */
    KBC_WRITE_BUFFER = 0xd2,  /* takes a byte */
    KBC_WRITE_AUX_BUF = 0xd3, /* takes a byte */
    KBC_WRITE_AUX = 0xd4,     /* takes a byte */
    KBC_A20_OFF = 0xdd,
    KBC_A20_ON = 0xdf,
    KBC_READ_TEST = 0xe0,
    KBC_PULSE = 0xf0, /* to 0xff: output lines whose bit is 0 go low for a moment */
};

enum {
    KBC_SELF_TEST_PASSED = 0x55,
    KBC_TEST_PASSED = 0x00,
    KBC_NO_ANSWER = 0xfe,
    KBC_INPUT = 0x80, /* the lock is open */
    KBC_OUT_UNUSED = 0xcc,
    KBC_OUT_FULL = 0x10, /* follow the output buffer */
    KBC_OUT_AUX_FULL = 0x20,
};

/* At the system control port */
enum {
    KBC_CONTROL_RESET = 0x01,
    KBC_CONTROL_A20 = 0x02,
};

static void
kbc_set_data(struct kbc *kbc, uint8_t val, uint8_t flags)
{
    kbc->data = val;
    kbc->status &= (uint8_t) ~(KBC_STATUS_AUX | KBC_STATUS_TIMEOUT);
    kbc->status |= KBC_STATUS_FULL | flags;
}

void
kbc_next(struct kbc *kbc)
{
    if (!(kbc->status & KBC_STATUS_FULL) && kbc->replies.n) {
        uint8_t flags = fifo_take(&kbc->reply_flags);

        kbc_set_data(kbc, fifo_take(&kbc->replies), flags);
    }
}

/* A guest that asks on and on without reading loses answers. */
static void
kbc_put(struct kbc *kbc, uint8_t val, uint8_t flags)
{
    fifo_put(&kbc->replies, val);
    fifo_put(&kbc->reply_flags, flags);
    kbc_next(kbc);
}

bool
kbc_listens(const struct kbc *kbc, bool aux)
{
    return !(kbc->status & KBC_STATUS_FULL) && !kbc->replies.n &&
           !(kbc->ram[0] & (aux ? KBC_MODE_AUX_DISABLE : KBC_MODE_DISABLE));
}

void
kbc_receive(struct kbc *kbc, uint8_t byte, bool aux)
{
    if (aux) {
        kbc_set_data(kbc, byte, KBC_STATUS_AUX);
        return;
    }
    if (kbc->ram[0] & KBC_MODE_TRANSLATE) {
        if (byte == SCAN_RELEASE_2) {
            kbc->release = true;
            return;
        }
        byte = scan_translate(byte);
        if (kbc->release)
            byte |= SCAN_RELEASE_1;
    }
    kbc->release = false;
    kbc_set_data(kbc, byte, 0);
}

void
kbc_silence(struct kbc *kbc, bool aux)
{
    kbc_put(kbc, KBC_NO_ANSWER, KBC_STATUS_TIMEOUT | (aux ? KBC_STATUS_AUX : 0));
}

uint8_t
kbc_read_control(const struct kbc *kbc)
{
    return kbc->output & KBC_OUT_A20 ? KBC_CONTROL_A20 : 0;
}

void
kbc_write_control(struct kbc *kbc, uint8_t val)
{
    kbc->output &= (uint8_t)~KBC_OUT_A20;
    kbc->output |= val & KBC_CONTROL_A20 ? KBC_OUT_A20 : 0;
    kbc->reset = kbc->reset || (val & KBC_CONTROL_RESET);
}

/* As firmware leaves it that has not looked for devices: the ports are off. */
void
kbc_reset(struct kbc *kbc)
{
    *kbc = (struct kbc){
        .status = KBC_STATUS_SYSTEM | KBC_STATUS_UNLOCKED,
        .ram = {KBC_MODE_SYSTEM | KBC_MODE_DISABLE | KBC_MODE_AUX_DISABLE | KBC_MODE_TRANSLATE},
        .output = KBC_OUT_UNUSED | KBC_OUT_RESET | KBC_OUT_A20,
    };
}

bool
kbc_irq(const struct kbc *kbc)
{
    return (kbc->ram[0] & KBC_MODE_IRQ) &&
           (kbc->status & (KBC_STATUS_FULL | KBC_STATUS_AUX)) == KBC_STATUS_FULL;
}

bool
kbc_aux_irq(const struct kbc *kbc)
{
    return (kbc->ram[0] & KBC_MODE_AUX_IRQ) && (kbc->status & KBC_STATUS_FULL) &&
           (kbc->status & KBC_STATUS_AUX);
}

uint8_t
kbc_read_data(struct kbc *kbc)
{
    kbc->status &= (uint8_t) ~(KBC_STATUS_FULL | KBC_STATUS_AUX | KBC_STATUS_TIMEOUT);
    return kbc->data;
}

uint8_t
kbc_read_status(const struct kbc *kbc)
{
    return kbc->status;
}

static void
kbc_set_output(struct kbc *kbc, uint8_t val)
{
    kbc->output = (val & (KBC_OUT_RESET | KBC_OUT_A20)) | KBC_OUT_UNUSED;
    if (!(val & KBC_OUT_RESET))
        kbc->reset = true;
}

static uint8_t
kbc_get_output(const struct kbc *kbc)
{
    uint8_t full = 0;

    if (kbc->status & KBC_STATUS_FULL)
        full = kbc->status & KBC_STATUS_AUX ? KBC_OUT_AUX_FULL : KBC_OUT_FULL;
    return kbc->output | full;
}

static void
kbc_set_mode(struct kbc *kbc, uint8_t set, uint8_t clear)
{
    kbc->ram[0] = (uint8_t)((kbc->ram[0] | set) & ~clear);
}

void
kbc_write_data(struct kbc *kbc, uint8_t val)
{
    uint8_t command = kbc->command;

    kbc->command = 0;
    kbc->status &= (uint8_t)~KBC_STATUS_COMMAND;
    if (command >= KBC_WRITE_RAM && command < KBC_WRITE_RAM + KBC_RAM_LEN) {
        kbc->ram[command - KBC_WRITE_RAM] = val;
        if (command == KBC_WRITE_RAM && (val & KBC_MODE_SYSTEM))
            kbc->status |= KBC_STATUS_SYSTEM;
        else if (command == KBC_WRITE_RAM)
            kbc->status &= (uint8_t)~KBC_STATUS_SYSTEM;
        return;
    }
    switch (command) {
    case KBC_WRITE_OUTPUT:
        kbc_set_output(kbc, val);
        break;
    case KBC_WRITE_BUFFER:
        kbc_put(kbc, val, 0);
        break;
    case KBC_WRITE_AUX_BUF:
        kbc_put(kbc, val, KBC_STATUS_AUX);
        break;
    case KBC_WRITE_AUX:
        kbc_set_mode(kbc, 0, KBC_MODE_AUX_DISABLE);
        kbc->to = KBC_TO_AUX;
        kbc->to_byte = val;
        break;
    default:
        /* For the keyboard, whose port this also enables. */
        kbc_set_mode(kbc, 0, KBC_MODE_DISABLE);
        kbc->to = KBC_TO_KEYBOARD;
        kbc->to_byte = val;
        break;
    }
}

static void
kbc_take_byte(struct kbc *kbc, uint8_t command)
{
    kbc->command = command;
}

void
kbc_write_command(struct kbc *kbc, uint8_t val)
{
    kbc->command = 0;
    kbc->status |= KBC_STATUS_COMMAND;
    if (val >= KBC_READ_RAM && val < KBC_READ_RAM + KBC_RAM_LEN) {
        kbc_put(kbc, kbc->ram[val - KBC_READ_RAM], 0);
        return;
    }
    if (val >= KBC_WRITE_RAM && val < KBC_WRITE_RAM + KBC_RAM_LEN) {
        kbc_take_byte(kbc, val);
        return;
    }
    if (val >= KBC_PULSE) {
        kbc->reset = kbc->reset || !(val & KBC_OUT_RESET);
        return;
    }
    switch (val) {
    case KBC_AUX_DISABLE:
        kbc_set_mode(kbc, KBC_MODE_AUX_DISABLE, 0);
        break;
    case KBC_AUX_ENABLE:
        kbc_set_mode(kbc, 0, KBC_MODE_AUX_DISABLE);
        break;
    case KBC_AUX_TEST:
    case KBC_TEST:
        kbc_put(kbc, KBC_TEST_PASSED, 0);
        break;
    case KBC_SELF_TEST:
        kbc_set_mode(kbc, KBC_MODE_SYSTEM, 0);
        kbc->status |= KBC_STATUS_SYSTEM;
        kbc_put(kbc, KBC_SELF_TEST_PASSED, 0);
        break;
    case KBC_DISABLE:
        kbc_set_mode(kbc, KBC_MODE_DISABLE, 0);
        break;
    case KBC_ENABLE:
        kbc_set_mode(kbc, 0, KBC_MODE_DISABLE);
        break;
    case KBC_READ_INPUT:
        kbc_put(kbc, KBC_INPUT, 0);
        break;
    case KBC_READ_OUTPUT:
        kbc_put(kbc, kbc_get_output(kbc), 0);
        break;
    case KBC_WRITE_OUTPUT:
    case KBC_WRITE_BUFFER:
    case KBC_WRITE_AUX_BUF:
    case KBC_WRITE_AUX:
        kbc_take_byte(kbc, val);
        break;
    case KBC_A20_OFF:
        kbc->output &= (uint8_t)~KBC_OUT_A20;
        break;
    case KBC_A20_ON:
        kbc->output |= KBC_OUT_A20;
        break;
    case KBC_READ_TEST:
        kbc_put(kbc, 0, 0);
        break;
    default:
        break;
    }
}
