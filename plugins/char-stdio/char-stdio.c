/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * char-stdio.c - plugin `char-stdio`: the program's standard input and output as a byte stream.
 *
 * On a terminal the guest gets the keyboard as it is, from start() until quiesce() or destroy(),
 * except while the program is in the background; terminal.c sees to that. One key is ours: the
 * escape key.
 *
 * Descriptors 0 and 1 may be shared with the shell that started us, so O_NONBLOCK is never set on
 * them: descriptor_private() says how it is done instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backplane/log.h>

#include "char/stream.h"
#include "terminal.h"

/* Input kept for a guest that does not read: enough that the escape key behind a paste still works.
 */
#define STDIO_BUFFER 65536
/* How often it is looked whether the program is in the foreground again. */
#define STDIO_LOOK_NS INT64_C(300000000)

enum { EV_FOREGROUND = STREAM_EV_OWN };

struct stdio {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *ev;
    const struct bp_machine_if *machine;
    struct stream stream;
    bp_event look;
    uint8_t escape;   /* 0: none */
    bool claimed;     /* this instance owns descriptors 0 and 1 */
    bool opened;      /* start() has been here */
    bool is_terminal; /* descriptor 0 is one */
    bool escaped;     /* the escape key was the last one pressed */
    bool told_output_error;
    struct terminal terminal;
};

/* Descriptors 0 and 1 belong to the process, so there is one of these in a process. */
static int stdio_claims;

static bool
stdio_claim(void)
{
    int none = 0;

    return __atomic_compare_exchange_n(&stdio_claims, &none, 1, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

/* Takes the terminal, or waits until the program is in the foreground. */
static void
stdio_take_terminal(struct stdio *d)
{
    if (!d->is_terminal)
        return;
    if (terminal_take(&d->terminal)) {
        stream_hold(&d->stream, false);
        return;
    }
    stream_hold(&d->stream, true);
    d->ev->arm(d->inst, d->look, d->ev->now(d->inst, BP_CLOCK_MONOTONIC) + STDIO_LOOK_NS);
}

/* stream_ops.may_read: from the background a read would stop the whole program. */
static bool
stdio_may_read(void *owner)
{
    struct stdio *d = owner;

    if (!d->is_terminal || terminal_take(&d->terminal))
        return true;
    stdio_take_terminal(d);
    return false;
}

static void
stdio_help(struct stdio *d)
{
    char text[256], key = (char)(d->escape + 'a' - 1);

    snprintf(text, sizeof text,
             "\r\nCtrl-%c x  end the program\r\n"
             "Ctrl-%c b  send a break\r\n"
             "Ctrl-%c h  this list\r\n"
             "Ctrl-%c Ctrl-%c  send Ctrl-%c\r\n",
             key, key, key, key, key, key);
    if (isatty(STDOUT_FILENO))
        stream_print(&d->stream, text);
    else
        bp_logf(d->host, d->inst, BP_LOG_INFO,
                "after Ctrl-%c: x ends the program, b sends a break, h lists, Ctrl-%c sends itself",
                key, key);
}

/* The key after the escape key; true: it is for the guest. */
static bool
stdio_command(struct stdio *d, uint8_t key)
{
    if (key == d->escape)
        return true;
    switch (key) {
    case 'x':
        d->host->log(d->inst, BP_LOG_INFO, "ended from the keyboard");
        d->machine->request(d->inst, BP_REQ_EXIT, 0);
        break;
    case 'b':
        stream_tell(&d->stream, BP_CHAR_BREAK);
        break;
    case 'h':
    case '?':
        stdio_help(d);
        break;
    default:
        break;
    }
    return false;
}

/* stream_ops.filter. Only a terminal has an escape key: a pipe may carry any byte. */
static uint64_t
stdio_filter(void *owner, uint8_t *buf, uint64_t n)
{
    struct stdio *d = owner;
    uint64_t i, kept = 0;

    if (!d->is_terminal || !d->escape)
        return n;
    for (i = 0; i < n; i++) {
        uint8_t key = buf[i];

        if (d->escaped) {
            d->escaped = false;
            if (key == d->escape + 'a' - 1 && key != 'x' && key != 'b' && key != 'h')
                key = d->escape;
            if (stdio_command(d, key))
                buf[kept++] = key;
        } else if (key == d->escape) {
            d->escaped = true;
        } else {
            buf[kept++] = key;
        }
    }
    return kept;
}

/* stream_ops.input_end */
static void
stdio_input_end(void *owner, int err, bool gone)
{
    struct stdio *d = owner;

    (void)gone;
    if (err)
        bp_logf(d->host, d->inst, BP_LOG_WARN, "standard input ends: %s", strerror(-err));
}

/* stream_ops.output_error: later bytes are tried again, a full disk may have room by then. */
static void
stdio_output_error(void *owner, int err)
{
    struct stdio *d = owner;

    if (d->told_output_error)
        return;
    d->told_output_error = true;
    bp_logf(d->host, d->inst, BP_LOG_WARN, "standard output: %s; what the guest writes is dropped",
            strerror(-err));
}

static const struct stream_ops stdio_stream_ops = {
    .filter = stdio_filter,
    .may_read = stdio_may_read,
    .input_end = stdio_input_end,
    .output_error = stdio_output_error,
};

static int
stdio_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct bp_value escape = {.size = sizeof escape}, signals = {.size = sizeof signals};
    struct stdio *d;
    uint8_t key = 0;
    int err;

    if ((err = host->prop(inst, "escape", &escape)) ||
        (err = host->prop(inst, "signals", &signals)))
        return err;
    if (strcmp(escape.s, "none") != 0) {
        if (strlen(escape.s) != 1 || escape.s[0] < 'a' || escape.s[0] > 'z')
            return bp_failf(host, inst, BP_E_INVAL,
                            "escape \"%s\": give one letter from a to z, or none", escape.s);
        key = (uint8_t)(escape.s[0] - 'a' + 1);
    }
    d = calloc(1, sizeof *d);
    if (!d)
        return BP_E_NOMEM;
    d->host = host;
    d->inst = inst;
    d->escape = key;
    d->terminal.signals = signals.i;
    *ret_self = d;
    return 0;
}

static int
stdio_realize(void *self)
{
    struct stdio *d = self;
    int err;

    if (!stdio_claim())
        return d->host->fail(d->inst, BP_E_BUSY,
                             "another char-stdio has standard input and output already; there can "
                             "only be one");
    d->claimed = true;
    d->ev = d->host->query(d->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, close));
    d->machine = d->host->query(d->inst, BP_IF_MACHINE, BP_UPTO(struct bp_machine_if, request));
    if (!d->ev || !d->machine)
        return d->host->fail(d->inst, BP_E_NOTSUP, "needs bp.event/1 and bp.machine/1");
    err = d->ev->timer(d->inst, "foreground", BP_CLOCK_MONOTONIC, EV_FOREGROUND, &d->look);
    if (err)
        return err;
    return stream_init(&d->stream, d->host, d->inst, &stdio_stream_ops, d, STDIO_BUFFER);
}

static void
stdio_open(struct stdio *d)
{
    enum descriptor_kind in_kind = DESCRIPTOR_NONE, out_kind = DESCRIPTOR_NONE;
    int in = descriptor_private(STDIN_FILENO, O_RDONLY, &in_kind);
    int out = descriptor_private(STDOUT_FILENO, O_WRONLY, &out_kind);

    d->opened = true;
    d->is_terminal = in >= 0 && isatty(STDIN_FILENO);
    stream_open(&d->stream, in < 0 ? -1 : in, in_kind, out < 0 ? -1 : out, out_kind);
    if (d->is_terminal && d->escape)
        bp_logf(d->host, d->inst, BP_LOG_INFO,
                "the keyboard is the guest's now: Ctrl-%c x ends the program, Ctrl-%c h lists",
                d->escape + 'a' - 1, d->escape + 'a' - 1);
}

static int
stdio_start(void *self)
{
    struct stdio *d = self;

    if (!d->opened)
        stdio_open(d);
    stdio_take_terminal(d);
    stream_start(&d->stream);
    return 0;
}

static int
stdio_quiesce(void *self)
{
    struct stdio *d = self;

    stream_stop(&d->stream);
    terminal_restore(&d->terminal);
    return 0;
}

static void
stdio_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct stdio *d = self;

    if (cookie == EV_FOREGROUND) {
        if (d->stream.running)
            stdio_take_terminal(d);
        return;
    }
    stream_event(&d->stream, cookie, mask);
}

static int
stdio_save(void *self, const struct bp_writer *w)
{
    return stream_save(&((struct stdio *)self)->stream, w);
}

static int
stdio_load(void *self, const struct bp_reader *r)
{
    return stream_load(&((struct stdio *)self)->stream, r);
}

static void
stdio_destroy(void *self)
{
    struct stdio *d = self;

    terminal_restore(&d->terminal);
    stream_fini(&d->stream);
    if (d->claimed)
        __atomic_store_n(&stdio_claims, 0, __ATOMIC_RELEASE);
    free(d);
}

static int
stdio_attach(void *be, const struct bp_char_client *client)
{
    return stream_attach(&((struct stdio *)be)->stream, client);
}

static uint64_t
stdio_write(void *be, const void *buf, uint64_t n)
{
    return stream_write(&((struct stdio *)be)->stream, buf, n);
}

static void
stdio_ready(void *be)
{
    stream_ready(&((struct stdio *)be)->stream);
}

static int
stdio_connected(void *be)
{
    (void)be;
    return 1;
}

static const void *
stdio_query(void *self, const char *iface, uint32_t min_size)
{
    static const struct bp_char_if table = {
        .size = sizeof table,
        .attach = stdio_attach,
        .write = stdio_write,
        .ready = stdio_ready,
        .connected = stdio_connected,
    };

    (void)self;
    return strcmp(iface, BP_IF_CHAR) == 0 && min_size <= sizeof table ? &table : NULL;
}

static const struct bp_prop stdio_props[] = {
    {
        .size = sizeof *stdio_props,
        .type = BP_STR,
        .name = "escape",
        .help = "Letter that with Ctrl is the escape key of a terminal, or none",
        .def = "a",
    },
    {
        .size = sizeof *stdio_props,
        .type = BP_BOOL,
        .name = "signals",
        .help = "Ctrl-C and the like are for the program and not for the guest",
        .def = "false",
    },
};

static const char *const stdio_provides[] = {BP_IF_CHAR, NULL};
static const char *const stdio_needs[] = {BP_IF_EVENT, BP_IF_MACHINE, NULL};

static const struct bp_class stdio_class = {
    .size = sizeof stdio_class,
    .name = "char-stdio",
    .version = "1.0",
    .summary = "standard input and output as a byte stream",
    .props = stdio_props,
    .n_props = sizeof stdio_props / sizeof *stdio_props,
    .prop_size = sizeof *stdio_props,
    .provides = stdio_provides,
    .needs = stdio_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = stdio_create,
    .realize = stdio_realize,
    .start = stdio_start,
    .quiesce = stdio_quiesce,
    .event = stdio_event,
    .save = stdio_save,
    .load = stdio_load,
    .query = stdio_query,
    .destroy = stdio_destroy,
};

BP_PLUGIN("char-stdio", "1.0", "BSD-3-Clause", "https://example.org/backplane", &stdio_class);
