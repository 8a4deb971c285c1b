/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial.c - plugin `serial`: a PC's serial port (16550A).
 *
 * Owns what the guest sees around the chip: ports, interrupt line, the ACPI node; and the life of
 * the instance. The registers are uart.c's, the byte stream is line.c's.
 */
#include "serial.h"

#include <stdlib.h>

#include <backplane/log.h>

/* How long a machine that stops waits for a back end that takes nothing. */
#define GIVE_UP_NS INT64_C(3000000000)

enum { EV_FLUSH = 1, EV_CHAR_TIMEOUT = 2 };

static uint64_t
serial_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct serial *s = self;
    uint64_t val = 0;
    uint32_t i;

    (void)id;
    for (i = 0; i < width; i++)
        val |= (uint64_t)uart_read(&s->uart, (uint32_t)off + i) << 8 * i;
    line_settle(s);
    return val;
}

static void
serial_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct serial *s = self;
    uint32_t i;

    (void)id;
    for (i = 0; i < width; i++)
        uart_write(&s->uart, (uint32_t)off + i, (uint8_t)(val >> 8 * i));
    line_settle(s);
}

static void
serial_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct serial *s = self;

    (void)mask;
    switch (cookie) {
    case EV_FLUSH:
        line_flush_time(s);
        line_settle(s);
        break;
    case EV_CHAR_TIMEOUT:
        s->char_armed = false;
        if (uart_timeout_due(&s->uart) && s->ev->now(s->inst, BP_CLOCK_VIRTUAL) >= s->char_deadline)
            s->uart.timeout = true;
        line_settle(s);
        break;
    default:
        break;
    }
}

/* The four ports of the PC have names; others get a number of their own. */
static int
serial_describe(struct serial *s)
{
    static const uint16_t com[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    static const char *const name[] = {"COM1", "COM2", "COM3", "COM4"};
    struct bp_acpi_res res[] = {
        {.size = sizeof *res, .kind = BP_ACPI_IO, .base = (uint64_t)s->port, .len = 8},
        {.size = sizeof *res, .kind = BP_ACPI_IRQ, .base = (uint64_t)s->gsi},
    };
    struct bp_acpi_device dev = {
        .size = sizeof dev,
        .name = "UR",
        .hid = "PNP0501",
        .uid = (uint64_t)s->port,
        .res = res,
        .n_res = sizeof res / sizeof *res,
        .res_size = sizeof *res,
        .inst = s->inst,
    };
    struct bp_link acpi = {.size = sizeof acpi};
    uint32_t i;
    int err;

    err = s->host->link(s->inst, NULL, BP_IF_ACPI, BP_UPTO(struct bp_acpi_if, device), &acpi);
    if (err)
        return err == BP_E_NOENT ? 0 : err;
    for (i = 0; i < sizeof com / sizeof *com; i++)
        if (s->port == com[i]) {
            dev.name = name[i];
            dev.uid = i + 1;
        }
    return ((const struct bp_acpi_if *)acpi.iface)->device(acpi.self, &dev);
}

static int
serial_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct bp_value port = {.size = sizeof port}, irq = {.size = sizeof irq};
    struct serial *s;
    int err;

    if ((err = host->prop(inst, "port", &port)) || (err = host->prop(inst, "irq", &irq)))
        return err;
    if (port.i > 0x10000 - 8)
        return bp_failf(host, inst, BP_E_RANGE,
                        "port 0x%llx: the eight ports of a serial port end beyond 0xffff",
                        (unsigned long long)port.i);
    s = calloc(1, sizeof *s);
    if (!s)
        return BP_E_NOMEM;
    s->host = host;
    s->inst = inst;
    s->port = port.i;
    s->gsi = irq.i;
    s->fresh = true;
    s->uart.transmit = line_transmit;
    s->uart.owner = s;
    uart_reset(&s->uart);
    *ret_self = s;
    return 0;
}

static int
serial_realize(void *self)
{
    static const struct bp_region_ops ops = {
        .size = sizeof ops,
        .read = serial_read,
        .write = serial_write,
    };
    static const struct bp_region_desc desc = {
        .size = sizeof desc,
        .kind = BP_REGION_PIO,
        .len = 8,
        .name = "uart",
        .ops = &ops,
    };
    struct serial *s = self;
    const struct bp_io_if *io = s->host->query(s->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, place));
    bp_region region;
    int err;

    s->irq = s->host->query(s->inst, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, level));
    s->ev = s->host->query(s->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, now));
    if (!io || !s->irq || !s->ev)
        return s->host->fail(s->inst, BP_E_NOTSUP, "needs bp.io/1, bp.irq/1 and bp.event/1");
    if ((err = s->ev->timer(s->inst, "flush", BP_CLOCK_MONOTONIC, EV_FLUSH, &s->flush_timer)) ||
        (err = s->ev->timer(s->inst, "char-timeout", BP_CLOCK_VIRTUAL, EV_CHAR_TIMEOUT,
                            &s->char_timer)) ||
        (err = io->region(s->inst, &desc, &region)) ||
        (err = io->place(s->inst, region, (uint64_t)s->port)) ||
        (err = s->irq->line(s->inst, "irq", (uint32_t)s->gsi, BP_IRQ_LEVEL, &s->line)) ||
        (err = serial_describe(s)))
        return err;
    return line_attach(s);
}

static int
serial_start(void *self)
{
    struct serial *s = self;

    s->running = true;
    s->give_up_at = 0;
    if (s->fresh) {
        s->uart.pins = line_pins(s);
        uart_reset(&s->uart);
        s->fresh = false;
    } else {
        uart_set_pins(&s->uart, line_pins(s));
    }
    line_flush(s);
    s->input_waits = s->be != NULL;
    line_settle(s);
    return 0;
}

static int
serial_quiesce(void *self)
{
    struct serial *s = self;
    uint32_t left = line_flush(s);
    int64_t now;

    line_settle(s);
    if (left && s->wire_stuck) {
        now = s->ev->now(s->inst, BP_CLOCK_MONOTONIC);
        if (!s->give_up_at || left < s->left)
            s->give_up_at = now + GIVE_UP_NS;
        s->left = left;
        if (now < s->give_up_at)
            return BP_E_AGAIN;
    }
    s->give_up_at = 0;
    s->running = false;
    return 0;
}

static void
serial_reset(void *self, uint32_t kind)
{
    struct serial *s = self;

    (void)kind;
    uart_reset(&s->uart);
    s->break_waits = false;
    s->fresh = true;
    line_settle(s);
}

static void
serial_destroy(void *self)
{
    struct serial *s = self;
    uint32_t left;

    if (s->be) {
        s->wire_stuck = false;
        s->flush_armed = true; /* the timer is gone already */
        left = line_flush(s);
        if (left)
            bp_logf(s->host, s->inst, BP_LOG_WARN,
                    "%u bytes of output are lost: the back end does not take them", left);
        s->be->attach(s->be_self, NULL);
    }
    free(s);
}

static const struct bp_prop serial_props[] = {
    {
        .size = sizeof *serial_props,
        .type = BP_INT,
        .name = "port",
        .help = "First of the eight I/O ports",
        .def = "0x3f8",
        .min = 0,
        .max = 0xffff,
    },
    {
        .size = sizeof *serial_props,
        .type = BP_INT,
        .name = "irq",
        .help = "Interrupt line (GSI)",
        .def = "4",
        .min = 0,
        .max = 0xffff,
    },
    {
        .size = sizeof *serial_props,
        .type = BP_LINK,
        .name = "chardev",
        .help = "Where the bytes go to and come from; nothing is plugged in without it",
        .link_iface = BP_IF_CHAR,
    },
};

static const char *const serial_needs[] = {BP_IF_IO, BP_IF_IRQ, BP_IF_EVENT, "?" BP_IF_ACPI, NULL};

static const struct bp_class serial_class = {
    .size = sizeof serial_class,
    .name = "serial",
    .version = "1.0",
    .summary = "PC serial port (16550A)",
    .props = serial_props,
    .n_props = sizeof serial_props / sizeof *serial_props,
    .prop_size = sizeof *serial_props,
    .needs = serial_needs,
    .state_ver = SERIAL_STATE_VER,
    .state_min = 1,
    .create = serial_create,
    .realize = serial_realize,
    .start = serial_start,
    .quiesce = serial_quiesce,
    .reset = serial_reset,
    .event = serial_event,
    .save = serial_save,
    .load = serial_load,
    .destroy = serial_destroy,
};

BP_PLUGIN("serial", "1.0", "BSD-3-Clause", "https://example.org/backplane", &serial_class);
