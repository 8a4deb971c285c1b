/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * char-pty.c - plugin `char-pty`: a pseudo-terminal as a byte stream.
 *
 * The name of the terminal is logged, and a symbolic link to it can be asked for. Somebody is at
 * the other end while the terminal is open; what the guest writes meanwhile goes there, otherwise
 * it is dropped.
 *
 * A pty whose other side is closed polls as hung up for as long as it is, which would keep the
 * event loop busy. So the descriptor is only watched while the terminal is open, and inotify tells
 * when somebody opens it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backplane/log.h>

#include "char/stream.h"
#include "terminal.h"

#define PTY_BUFFER  4096
#define PTY_LOOK_NS INT64_C(250000000) /* where there is no inotify */
/* How long a machine that stops waits for a reader that does not read on. */
#define PTY_LINGER_NS INT64_C(1000000000)

enum { EV_OPENED = STREAM_EV_OWN, EV_LOOK };

struct pty {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *ev;
    struct stream stream;
    struct terminal terminal; /* the stream has a duplicate of master while it is open */
    bp_event look;
    bool open;
    bool linked;
    bool wrote;         /* since the last stop */
    int quiet;          /* quiesce(): looks in a row that found nothing unread */
    int unread;         /* ... what the last one found */
    int64_t give_up_at; /* ... 0: not set */
    const char *link;   /* or NULL */
};

/* Connects when the terminal was opened. */
static void
pty_look(struct pty *d)
{
    int fd;

    if (d->open || !d->stream.running)
        return;
    if (terminal_in_use(&d->terminal)) {
        fd = fcntl(d->terminal.master, F_DUPFD_CLOEXEC, 3);
        if (fd >= 0) {
            d->open = true;
            stream_open(&d->stream, fd, DESCRIPTOR_POLLED, fd, DESCRIPTOR_POLLED);
            stream_tell(&d->stream, BP_CHAR_OPENED);
            return;
        }
    }
    if (d->terminal.notify < 0)
        d->ev->arm(d->inst, d->look, d->ev->now(d->inst, BP_CLOCK_MONOTONIC) + PTY_LOOK_NS);
}

/* stream_ops.input_end: the last one closed the terminal. */
static void
pty_input_end(void *owner, int err, bool gone)
{
    struct pty *d = owner;

    (void)err;
    (void)gone;
    stream_close(&d->stream);
    d->open = false;
    stream_tell(&d->stream, BP_CHAR_CLOSED);
    pty_look(d); /* it may be open again since */
}

/* stream_ops.output_error: the end of input, which follows, acts on it. */
static void
pty_output_error(void *owner, int err)
{
    (void)owner;
    (void)err;
}

static const struct stream_ops pty_stream_ops = {
    .input_end = pty_input_end,
    .output_error = pty_output_error,
};

static int
pty_link_error(const struct pty *d, int err)
{
    if (err)
        bp_failf(d->host, d->inst, err, "link %s: %s", d->link,
                 err == -EEXIST ? "there is something else of that name" : strerror(-err));
    return err;
}

static int
pty_open(struct pty *d)
{
    int err = terminal_open(&d->terminal);

    if (err)
        return bp_failf(d->host, d->inst, err, "cannot make a pseudo-terminal: %s", strerror(-err));
    if (d->terminal.notify >= 0) {
        bp_event watch;

        err = d->ev->watch(d->inst, d->terminal.notify, BP_EV_READ, EV_OPENED, &watch);
        if (err)
            return err;
    }
    if (!d->link)
        return 0;
    err = pty_link_error(d, terminal_link(&d->terminal, d->link));
    d->linked = !err;
    return err;
}

static int
pty_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct bp_value link = {.size = sizeof link};
    struct pty *d;
    int err = host->prop(inst, "link", &link);

    if (err)
        return err;
    d = calloc(1, sizeof *d);
    if (!d)
        return BP_E_NOMEM;
    d->host = host;
    d->inst = inst;
    d->link = link.n ? link.s : NULL;
    d->terminal.master = d->terminal.notify = -1;
    *ret_self = d;
    return 0;
}

static int
pty_realize(void *self)
{
    struct pty *d = self;
    bool exists;
    int err;

    d->ev = d->host->query(d->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, close));
    if (!d->ev)
        return d->host->fail(d->inst, BP_E_NOTSUP, "needs bp.event/1");
    err = d->ev->timer(d->inst, "look", BP_CLOCK_MONOTONIC, EV_LOOK, &d->look);
    if (!err)
        err = stream_init(&d->stream, d->host, d->inst, &pty_stream_ops, d, PTY_BUFFER);
    if (err)
        return err;
    if (d->host->flags & BP_HOST_CHECK)
        return d->link ? pty_link_error(d, terminal_check_link(d->link, &exists)) : 0;
    err = pty_open(d);
    if (err)
        return err;
    bp_logf(d->host, d->inst, BP_LOG_INFO, "terminal %s%s%s", d->terminal.name,
            d->link ? ", link " : "", d->link ? d->link : "");
    return 0;
}

static int
pty_start(void *self)
{
    struct pty *d = self;

    stream_start(&d->stream);
    pty_look(d);
    return 0;
}

/* Closing the master throws away what the reader has not read, and that would be the last words of
 * the guest. What is on its way to the line discipline shows a moment later, so look twice. */
static bool
pty_drained(struct pty *d)
{
    int64_t now = d->ev->now(d->inst, BP_CLOCK_MONOTONIC);
    int unread = d->open && d->wrote ? terminal_unread(&d->terminal) : 0;

    d->quiet = unread ? 0 : d->quiet + 1;
    if (!d->open || !d->wrote || d->quiet > 1)
        return true;
    if (!d->give_up_at || unread != d->unread)
        d->give_up_at = now + PTY_LINGER_NS;
    d->unread = unread;
    return now >= d->give_up_at;
}

static int
pty_quiesce(void *self)
{
    struct pty *d = self;

    if (!pty_drained(d))
        return BP_E_AGAIN;
    d->wrote = false;
    d->quiet = 0;
    d->give_up_at = 0;
    stream_stop(&d->stream);
    return 0;
}

static void
pty_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct pty *d = self;

    switch (cookie) {
    case EV_OPENED:
        terminal_notified(&d->terminal);
        pty_look(d);
        break;
    case EV_LOOK:
        pty_look(d);
        break;
    default:
        stream_event(&d->stream, cookie, mask);
        break;
    }
}

static int
pty_save(void *self, const struct bp_writer *w)
{
    return stream_save(&((struct pty *)self)->stream, w);
}

static int
pty_load(void *self, const struct bp_reader *r)
{
    return stream_load(&((struct pty *)self)->stream, r);
}

static void
pty_destroy(void *self)
{
    struct pty *d = self;

    if (d->linked)
        terminal_unlink(&d->terminal, d->link);
    stream_fini(&d->stream);
    terminal_close(&d->terminal);
    free(d);
}

static int
pty_attach(void *be, const struct bp_char_client *client)
{
    return stream_attach(&((struct pty *)be)->stream, client);
}

static uint64_t
pty_write(void *be, const void *buf, uint64_t n)
{
    struct pty *d = be;

    d->wrote = true;
    return stream_write(&d->stream, buf, n);
}

static void
pty_ready(void *be)
{
    stream_ready(&((struct pty *)be)->stream);
}

static int
pty_connected(void *be)
{
    return ((struct pty *)be)->open;
}

static const void *
pty_query(void *self, const char *iface, uint32_t min_size)
{
    static const struct bp_char_if table = {
        .size = sizeof table,
        .attach = pty_attach,
        .write = pty_write,
        .ready = pty_ready,
        .connected = pty_connected,
    };

    (void)self;
    return strcmp(iface, BP_IF_CHAR) == 0 && min_size <= sizeof table ? &table : NULL;
}

static const struct bp_prop pty_props[] = {
    {
        .size = sizeof *pty_props,
        .type = BP_PATH,
        .flags = BP_P_PRIMARY,
        .name = "link",
        .help = "Symbolic link to the terminal, for as long as the machine lives",
    },
};

static const char *const pty_provides[] = {BP_IF_CHAR, NULL};
static const char *const pty_needs[] = {BP_IF_EVENT, NULL};

static const struct bp_class pty_class = {
    .size = sizeof pty_class,
    .name = "char-pty",
    .version = "1.0",
    .summary = "pseudo-terminal as a byte stream",
    .props = pty_props,
    .n_props = sizeof pty_props / sizeof *pty_props,
    .prop_size = sizeof *pty_props,
    .provides = pty_provides,
    .needs = pty_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = pty_create,
    .realize = pty_realize,
    .start = pty_start,
    .quiesce = pty_quiesce,
    .event = pty_event,
    .save = pty_save,
    .load = pty_load,
    .query = pty_query,
    .destroy = pty_destroy,
};

BP_PLUGIN("char-pty", "1.0", "BSD-3-Clause", "https://example.org/backplane", &pty_class);
