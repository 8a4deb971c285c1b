/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * debug-console.c - a port that takes bytes, for the messages of firmware. Reading it gives a fixed
 * value by which firmware learns that it is there.
 *
 * The port has no way to say that it is busy. So bytes are collected and written by an event, not
 * one system call for each; what a back end does not take waits in the buffer, and when that is
 * full too, bytes are dropped and the operator is told how many.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <backplane/backplane.h>
#include <backplane/log.h>

enum {
    CONSOLE_BUFFER = 65536,
    CONSOLE_EV_FLUSH = 1,
};

struct debug_console {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *event;
    const struct bp_char_if *chardev;
    void *chardev_self;
    struct bp_char_client client;
    bp_event flush;
    uint8_t readback;
    bool stuck; /* the back end will say when it takes more */
    uint32_t first, n;
    uint64_t lost;
    uint8_t buffer[CONSOLE_BUFFER];
};

static void
debug_console_flush(struct debug_console *con)
{
    while (con->n && !con->stuck) {
        uint32_t run = CONSOLE_BUFFER - con->first;
        uint64_t took;

        run = con->n < run ? con->n : run;
        took = con->chardev->write(con->chardev_self, con->buffer + con->first, run);
        if (took > run)
            took = run;
        con->stuck = took < run;
        con->first = (con->first + (uint32_t)took) % CONSOLE_BUFFER;
        con->n -= (uint32_t)took;
    }
    if (con->lost && !con->n) {
        bp_logf(con->host, con->inst, BP_LOG_GUEST,
                "%llu bytes of messages are lost: the back end did not take them",
                (unsigned long long)con->lost);
        con->lost = 0;
    }
}

static void
debug_console_put(struct debug_console *con, uint8_t byte)
{
    if (con->n == CONSOLE_BUFFER)
        debug_console_flush(con);
    if (con->n == CONSOLE_BUFFER) {
        con->lost++;
        return;
    }
    con->buffer[(con->first + con->n) % CONSOLE_BUFFER] = byte;
    if (con->n++ == 0)
        con->event->kick(con->inst, con->flush);
}

static uint64_t
debug_console_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    const struct debug_console *con = self;

    (void)id, (void)off, (void)width;
    return con->readback;
}

static void
debug_console_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    (void)id, (void)off, (void)width;
    debug_console_put(self, (uint8_t)val);
}

static const struct bp_region_ops debug_console_ops = {
    .size = sizeof debug_console_ops,
    .read = debug_console_read,
    .write = debug_console_write,
};

/* Nothing is asked for with ready(), so this is never called with bytes; it takes none. */
static uint64_t
debug_console_receive(void *user, const void *buf, uint64_t n)
{
    (void)user, (void)buf, (void)n;
    return 0;
}

static void
debug_console_writable(void *user)
{
    struct debug_console *con = user;

    con->stuck = false;
    debug_console_flush(con);
}

static int
debug_console_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct debug_console *con = calloc(1, sizeof *con);

    if (!con)
        return BP_E_NOMEM;
    con->host = host;
    con->inst = inst;
    *ret_self = con;
    return 0;
}

static int
debug_console_attach(struct debug_console *con)
{
    struct bp_link link = {.size = sizeof link};
    const struct bp_char_if *chardev;
    int err =
        con->host->link(con->inst, "chardev", BP_IF_CHAR, BP_UPTO(struct bp_char_if, write), &link);

    if (err)
        return err;
    chardev = link.iface;
    con->client = (struct bp_char_client){
        .size = sizeof con->client,
        .user = con,
        .receive = debug_console_receive,
        .writable = debug_console_writable,
    };
    if ((err = chardev->attach(link.self, &con->client)))
        return err;
    con->chardev = chardev;
    con->chardev_self = link.self;
    return 0;
}

static int
debug_console_realize(void *self)
{
    struct debug_console *con = self;
    const struct bp_host *host = con->host;
    struct bp_value port = {.size = sizeof port}, readback = {.size = sizeof readback};
    const struct bp_region_desc desc = {
        .size = sizeof desc,
        .kind = BP_REGION_PIO,
        .len = 1,
        .name = "port",
        .ops = &debug_console_ops,
    };
    const struct bp_io_if *io = host->query(con->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, place));
    bp_region region;
    int err;

    con->event = host->query(con->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, kick));
    if (!io || !con->event)
        return host->fail(con->inst, BP_E_NOTSUP, "needs " BP_IF_IO " and " BP_IF_EVENT);
    if ((err = host->prop(con->inst, "port", &port)) ||
        (err = host->prop(con->inst, "readback", &readback)) ||
        (err = con->event->soft(con->inst, "flush", CONSOLE_EV_FLUSH, &con->flush)) ||
        (err = io->region(con->inst, &desc, &region)) ||
        (err = io->place(con->inst, region, (uint64_t)port.i)))
        return err;
    con->readback = (uint8_t)readback.i;
    return debug_console_attach(con);
}

static int
debug_console_quiesce(void *self)
{
    debug_console_flush(self);
    return 0;
}

static void
debug_console_event(void *self, uint32_t cookie, uint32_t mask)
{
    (void)cookie, (void)mask;
    debug_console_flush(self);
}

static void
debug_console_destroy(void *self)
{
    struct debug_console *con = self;

    if (con->chardev) {
        con->stuck = false;
        debug_console_flush(con);
        if (con->n)
            bp_logf(con->host, con->inst, BP_LOG_WARN,
                    "%u bytes of messages are lost: the back end does not take them", con->n);
        con->chardev->attach(con->chardev_self, NULL);
    }
    free(con);
}

static const struct bp_prop debug_console_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_LINK,
     .flags = BP_P_REQUIRED,
     .name = "chardev",
     .help = "where the bytes go to",
     .link_iface = BP_IF_CHAR},
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "port",
     .help = "the I/O port",
     .def = "0x402",
     .max = 0xffff},
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "readback",
     .help = "what the port reads as",
     .def = "0xe9",
     .max = 0xff},
};

static const char *const debug_console_needs[] = {BP_IF_IO, BP_IF_EVENT, NULL};

static const struct bp_class debug_console_class = {
    .size = sizeof debug_console_class,
    .flags = BP_C_REPLACEABLE,
    .name = "debug-console",
    .version = "1.0",
    .summary = "port for the messages of firmware",
    .props = debug_console_props,
    .n_props = sizeof debug_console_props / sizeof *debug_console_props,
    .prop_size = sizeof *debug_console_props,
    .needs = debug_console_needs,
    .create = debug_console_create,
    .realize = debug_console_realize,
    .quiesce = debug_console_quiesce,
    .event = debug_console_event,
    .destroy = debug_console_destroy,
};

BP_PLUGIN("debug-console", "1.0", "BSD-3-Clause", "backplane", &debug_console_class);
