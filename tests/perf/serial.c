/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial.c - bytes through the serial port, as a driver with FIFOs moves them: it looks at the line
 * status once for 16 bytes to send, and once for each byte that it takes.
 */
#include "tests/perf/workload.h"

enum { PORT = 0x3f8, DATA = 0, IER = 1, FCR = 2, LCR = 3, LSR = 5, FIFO = 16 };
enum { LSR_DATA = 1, LSR_EMPTY = 0x20 };

static struct {
    struct bp_char_client client;
    unsigned writes, bytes;
} wire;

static int
wire_attach(void *be, const struct bp_char_client *client)
{
    (void)be;
    if (client)
        wire.client = *client;
    return 0;
}

static uint64_t
wire_write(void *be, const void *buf, uint64_t n)
{
    (void)be;
    (void)buf;
    wire.writes++;
    wire.bytes += (unsigned)n;
    return n;
}

static void
wire_ready(void *be)
{
    (void)be;
}

static int
wire_connected(void *be)
{
    (void)be;
    return 1;
}

static const struct bp_char_if wire_if = {
    .size = sizeof wire_if,
    .attach = wire_attach,
    .write = wire_write,
    .ready = wire_ready,
    .connected = wire_connected,
};

static struct bpt_machine *
port_open(void)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);

    bpt_provide(m, "wire", BP_IF_CHAR, &wire_if, NULL);
    must(bpt_load(m, "serial", "com1", "port=0x3f8,irq=4,chardev=wire") == 0);
    must(bpt_realize_all(m) == 0 && bpt_start(m) == 0);
    bpt_out(m, PORT + LCR, 1, 3);
    bpt_out(m, PORT + FCR, 1, 7);
    bpt_out(m, PORT + IER, 1, 1);
    return m;
}

static void
out_batch(struct bpt_machine *m, struct tally *t)
{
    must(bpt_in(m, PORT + LSR, 1) & LSR_EMPTY);
    for (unsigned i = 0; i < FIFO; i++)
        bpt_out(m, PORT + DATA, 1, 'a' + i);
    bpt_advance(m, 1000000); /* longer than the port collects what belongs together */
    t->events += bpt_pump(m);
}

static void
in_batch(struct bpt_machine *m, struct tally *t)
{
    must(wire.client.receive(wire.client.user, "0123456789abcdef", FIFO) == FIFO);
    for (unsigned i = 0; i < FIFO; i++) {
        must(bpt_in(m, PORT + LSR, 1) & LSR_DATA);
        (void)bpt_in(m, PORT + DATA, 1);
    }
    t->events += bpt_pump(m);
}

static int
port_run(const char *name, struct tally *t, void (*batch)(struct bpt_machine *, struct tally *))
{
    struct bpt_machine *m = port_open();
    struct tally warm = {0};
    uint64_t edges;

    for (unsigned i = 0; i < 4; i++)
        batch(m, &warm);
    edges = bpt_gsi_count(m, 4);
    wire.writes = wire.bytes = 0;
    perf_mark("between");
    for (unsigned i = 0; i < perf_batches; i++)
        batch(m, t);
    perf_mark(name);
    t->units = perf_batches * FIFO;
    t->batches = perf_batches;
    t->interrupts = (unsigned)(bpt_gsi_count(m, 4) - edges);
    t->commits = wire.writes;
    must(batch == in_batch || wire.bytes == t->units);
    must(bpt_free(m) == 0);
    return 0;
}

int
serial_out(const char *name, struct tally *t)
{
    return port_run(name, t, out_batch);
}

int
serial_in(const char *name, struct tally *t)
{
    return port_run(name, t, in_batch);
}
