/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial.c - plugin `serial`: a PC's serial port (16550A).
 *
 * Owns what is around the chip: ports, interrupt line, timers, the ACPI node and the byte stream of
 * the back end. The registers are uart.c's.
 *
 * Output. A byte that leaves the chip goes into the wire buffer, which a timer hands to the back
 * end FLUSH_NS after its first byte, or earlier when it is full: one write for a burst and not for
 * each byte. As soon as the back end takes less than it was given, bytes stay in the transmitter,
 * THRE stays clear and the guest waits, until writable(). A machine that stops empties the buffer
 * first.
 *
 * Input. The back end is only asked for what the receiver has room for, so nothing is ever overrun;
 * after a refusal it is asked again when the guest has made enough room for a burst.
 */
#include "serial.h"

#include <stdlib.h>
#include <string.h>

#include <backplane/log.h>

/* Half of what a real port takes for the 16 bytes of its FIFO at 115200 baud. */
#define FLUSH_NS 700000
/* How long a machine that stops waits for a back end that takes nothing. */
#define GIVE_UP_NS INT64_C(3000000000)

#define CONNECTED_PINS (UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD)

enum { EV_FLUSH = 1, EV_CHAR_TIMEOUT = 2 };

static void
serial_wire_flush(struct serial *s)
{
    if (!s->be)
        s->wire_n = 0;
    while (s->wire_n && !s->wire_stuck) {
        uint64_t taken = s->be->write(s->be_self, s->wire + s->wire_pos, s->wire_n);

        if (taken < s->wire_n)
            s->wire_stuck = true;
        else
            taken = s->wire_n;
        s->wire_pos += (uint32_t)taken;
        s->wire_n -= (uint32_t)taken;
    }
    if (!s->wire_n)
        s->wire_pos = 0;
}

/* uart.transmit */
static bool
serial_transmit(void *owner, uint8_t byte)
{
    struct serial *s = owner;

    if (!s->be)
        return true;
    if (s->wire_n == SERIAL_WIRE)
        serial_wire_flush(s);
    if (s->wire_stuck)
        return false;
    if (s->wire_pos + s->wire_n == SERIAL_WIRE) {
        memmove(s->wire, s->wire + s->wire_pos, s->wire_n);
        s->wire_pos = 0;
    }
    s->wire[s->wire_pos + s->wire_n++] = byte;
    if (!s->flush_armed) {
        s->flush_armed = true;
        s->ev->arm(s->inst, s->flush_timer, s->ev->now(s->inst, BP_CLOCK_MONOTONIC) + FLUSH_NS);
    }
    return true;
}

/* The character timeout runs while it could interrupt. A timer that runs already is left alone and
 * set anew when it ends too early, since a guest stirs the receiver far more often. */
static void
serial_settle_timeout(struct serial *s)
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
serial_settle_break(struct serial *s)
{
    bool on = (s->uart.lcr & UART_LCR_BREAK) && !(s->uart.mcr & UART_MCR_LOOP);

    if (on == s->break_told || !BP_HAS(struct bp_char_if, s->be, send_break))
        return;
    serial_wire_flush(s);
    if (s->wire_n || s->uart.tx_count)
        return;
    s->break_told = on;
    s->be->send_break(s->be_self, on);
}

void
serial_settle(struct serial *s)
{
    serial_settle_break(s);
    if (s->break_waits && uart_room(&s->uart)) {
        s->break_waits = false;
        uart_receive(&s->uart, 0, UART_LSR_BI | UART_LSR_FE);
    }
    serial_settle_timeout(s);
    s->irq->level(s->inst, s->line, uart_interrupt(&s->uart) != UART_IIR_NONE);
    if (s->input_waits && s->running && !s->break_waits) {
        uint32_t burst = s->uart.fcr & UART_FCR_ENABLE ? UART_FIFO / 2 : 1;

        if (uart_room(&s->uart) >= burst) {
            s->input_waits = false;
            s->be->ready(s->be_self);
        }
    }
}

static uint64_t
serial_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct serial *s = self;
    uint64_t val = 0;
    uint32_t i;

    (void)id;
    for (i = 0; i < width; i++)
        val |= (uint64_t)uart_read(&s->uart, (uint32_t)off + i) << 8 * i;
    serial_settle(s);
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
    serial_settle(s);
}

/* bp_char_client.receive */
static uint64_t
serial_receive(void *user, const void *buf, uint64_t n)
{
    struct serial *s = user;
    const uint8_t *byte = buf;
    uint64_t taken = 0;

    if (s->running && !s->break_waits)
        while (taken < n && uart_room(&s->uart))
            uart_receive(&s->uart, byte[taken++], 0);
    if (taken)
        serial_settle(s);
    if (taken < n)
        s->input_waits = true;
    return taken;
}

/* bp_char_client.writable */
static void
serial_writable(void *user)
{
    struct serial *s = user;

    s->wire_stuck = false;
    serial_wire_flush(s);
    uart_pump(&s->uart);
    serial_wire_flush(s);
    serial_settle(s);
}

static uint8_t
serial_pins(const struct serial *s)
{
    return s->be && s->be->connected(s->be_self) ? CONNECTED_PINS : 0;
}

/* bp_char_client.event */
static void
serial_line_event(void *user, uint32_t what)
{
    struct serial *s = user;

    if (!s->running) /* start() looks at the lines */
        return;
    switch (what) {
    case BP_CHAR_OPENED:
    case BP_CHAR_CLOSED:
        uart_set_pins(&s->uart, serial_pins(s));
        break;
    case BP_CHAR_BREAK:
        s->break_waits = true;
        break;
    default:
        return;
    }
    serial_settle(s);
}

static void
serial_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct serial *s = self;

    (void)mask;
    switch (cookie) {
    case EV_FLUSH:
        s->flush_armed = false;
        serial_wire_flush(s);
        serial_settle(s);
        break;
    case EV_CHAR_TIMEOUT:
        s->char_armed = false;
        if (uart_timeout_due(&s->uart) && s->ev->now(s->inst, BP_CLOCK_VIRTUAL) >= s->char_deadline)
            s->uart.timeout = true;
        serial_settle(s);
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
serial_attach(struct serial *s)
{
    struct bp_char_client client = {
        .size = sizeof client,
        .user = s,
        .receive = serial_receive,
        .writable = serial_writable,
        .event = serial_line_event,
    };
    struct bp_link link = {.size = sizeof link};
    const struct bp_char_if *be;
    int err;

    err =
        s->host->link(s->inst, "chardev", BP_IF_CHAR, BP_UPTO(struct bp_char_if, connected), &link);
    if (err)
        return err == BP_E_NOENT ? 0 : err;
    be = link.iface;
    err = be->attach(link.self, &client);
    if (err)
        return bp_failf(s->host, s->inst, err, "chardev '%s' %s", link.id,
                        err == BP_E_BUSY ? "already belongs to another device"
                                         : "cannot be attached");
    s->be = be;
    s->be_self = link.self;
    return 0;
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
    s->uart.transmit = serial_transmit;
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
    return serial_attach(s);
}

static int
serial_start(void *self)
{
    struct serial *s = self;

    s->running = true;
    s->give_up_at = 0;
    if (s->fresh) {
        s->uart.pins = serial_pins(s);
        uart_reset(&s->uart);
        s->fresh = false;
    } else {
        uart_set_pins(&s->uart, serial_pins(s));
    }
    serial_wire_flush(s);
    uart_pump(&s->uart);
    s->input_waits = s->be != NULL;
    serial_settle(s);
    return 0;
}

static int
serial_quiesce(void *self)
{
    struct serial *s = self;
    uint32_t before = s->wire_n + s->uart.tx_count;
    int64_t now;

    if (s->be && before) {
        serial_wire_flush(s);
        uart_pump(&s->uart);
        serial_wire_flush(s);
        serial_settle(s);
    }
    if (s->wire_n) {
        now = s->ev->now(s->inst, BP_CLOCK_MONOTONIC);
        if (!s->give_up_at || s->wire_n + s->uart.tx_count < before)
            s->give_up_at = now + GIVE_UP_NS;
        if (now < s->give_up_at) {
            s->flush_armed = true;
            s->ev->arm(s->inst, s->flush_timer, s->give_up_at);
            return BP_E_AGAIN;
        }
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
    serial_settle(s);
}

static void
serial_destroy(void *self)
{
    struct serial *s = self;

    if (s->be) {
        s->wire_stuck = false;
        serial_wire_flush(s);
        if (s->wire_n)
            bp_logf(s->host, s->inst, BP_LOG_WARN,
                    "%u bytes of output are lost: the back end does not take them", s->wire_n);
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
