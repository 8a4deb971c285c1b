/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * char-socket.c - plugin `char-socket`: a UNIX or TCP socket as a byte stream.
 *
 * As a server it has one client at a time, the next ones wait until it leaves; as a client it
 * connects again and again. What the guest writes while nobody is there is dropped. A peer that
 * only ended its own sending still gets output, until it leaves or another one comes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backplane/log.h>

#include "peer.h"

#define SOCKET_BUFFER 4096

static int
sock_set_address(struct sock *d)
{
    struct bp_value path = {.size = sizeof path}, host = {.size = sizeof host};
    struct bp_value port = {.size = sizeof port};
    int err;

    if ((err = d->host->prop(d->inst, "path", &path)) ||
        (err = d->host->prop(d->inst, "host", &host)) ||
        (err = d->host->prop(d->inst, "port", &port)))
        return err;
    if (!path.n == !port.n)
        return d->host->fail(d->inst, BP_E_INVAL,
                             "give either path for a UNIX socket or port for TCP");
    if (path.n) {
        err = address_set_path(&d->address, path.s);
        if (err)
            bp_failf(d->host, d->inst, err, "path %s: a socket's name cannot be that long", path.s);
        return err;
    }
    if (d->client && port.i == 0)
        return d->host->fail(d->inst, BP_E_INVAL, "port 0 is for listening only");
    err = address_set_tcp(&d->address, host.s, (uint16_t)port.i);
    if (err)
        bp_failf(d->host, d->inst, err, "host \"%s\" is no numeric IPv4 or IPv6 address", host.s);
    return err;
}

static int
sock_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct bp_value client = {.size = sizeof client}, wait = {.size = sizeof wait};
    struct sock *d;
    int err;

    if ((err = host->prop(inst, "connect", &client)) || (err = host->prop(inst, "wait", &wait)))
        return err;
    d = calloc(1, sizeof *d);
    if (!d)
        return BP_E_NOMEM;
    d->host = host;
    d->inst = inst;
    d->client = client.i;
    d->wait = wait.i;
    d->listener = d->connecting = -1;
    err = sock_set_address(d);
    if (err) {
        free(d);
        return err;
    }
    *ret_self = d;
    return 0;
}

static int
sock_listen(struct sock *d)
{
    int fd, err;

    if (d->host->flags & BP_HOST_CHECK) {
        err = address_check_listen(&d->address);
    } else if ((fd = address_socket(&d->address)) < 0) {
        err = fd;
    } else {
        d->listener = fd;
        err = address_listen(&d->address, fd);
        if (!err && d->address.path && lstat(d->address.path, &d->file) < 0)
            err = -errno;
    }
    if (err)
        return bp_failf(d->host, d->inst, err, "cannot listen on %s: %s", d->address.text,
                        err == -EADDRINUSE ? "somebody else does"
                        : err == -EEXIST   ? "it is a file that is not a socket"
                                           : strerror(-err));
    if (d->listener >= 0)
        bp_logf(d->host, d->inst, BP_LOG_INFO, "listens on %s", d->address.text);
    return 0;
}

static int
sock_realize(void *self)
{
    struct sock *d = self;
    int err;

    d->ev = d->host->query(d->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, close));
    if (!d->ev)
        return d->host->fail(d->inst, BP_E_NOTSUP, "needs bp.event/1");
    if ((err = d->ev->timer(d->inst, "retry", BP_CLOCK_MONOTONIC, EV_RETRY, &d->retry)) ||
        (err = d->ev->soft(d->inst, "left", EV_LEFT, &d->left)) ||
        (err = stream_init(&d->stream, d->host, d->inst, &peer_stream_ops, d, SOCKET_BUFFER)))
        return err;
    return d->client ? 0 : sock_listen(d);
}

static int
sock_start(void *self)
{
    struct sock *d = self;

    d->seeking = true;
    peer_seek(d);
    if (d->wait && !d->connected)
        return BP_E_AGAIN;
    d->wait = false; /* not after a reboot again */
    stream_start(&d->stream);
    return 0;
}

static int
sock_quiesce(void *self)
{
    struct sock *d = self;

    d->seeking = false;
    stream_stop(&d->stream);
    peer_update_listener(d);
    return 0;
}

static void
sock_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct sock *d = self;

    if (!peer_event(d, cookie))
        stream_event(&d->stream, cookie, mask);
}

static int
sock_save(void *self, const struct bp_writer *w)
{
    return stream_save(&((struct sock *)self)->stream, w);
}

static int
sock_load(void *self, const struct bp_reader *r)
{
    return stream_load(&((struct sock *)self)->stream, r);
}

static void
sock_destroy(void *self)
{
    struct sock *d = self;

    stream_fini(&d->stream);
    if (d->connecting >= 0)
        close(d->connecting);
    if (d->listener >= 0) {
        address_remove(&d->address, &d->file);
        close(d->listener);
    }
    free(d);
}

static int
sock_attach(void *be, const struct bp_char_client *client)
{
    return stream_attach(&((struct sock *)be)->stream, client);
}

static uint64_t
sock_write(void *be, const void *buf, uint64_t n)
{
    return stream_write(&((struct sock *)be)->stream, buf, n);
}

static void
sock_ready(void *be)
{
    stream_ready(&((struct sock *)be)->stream);
}

static int
sock_is_connected(void *be)
{
    return ((struct sock *)be)->connected;
}

static const void *
sock_query(void *self, const char *iface, uint32_t min_size)
{
    static const struct bp_char_if table = {
        .size = sizeof table,
        .attach = sock_attach,
        .write = sock_write,
        .ready = sock_ready,
        .connected = sock_is_connected,
    };

    (void)self;
    return strcmp(iface, BP_IF_CHAR) == 0 && min_size <= sizeof table ? &table : NULL;
}

static const struct bp_prop sock_props[] = {
    {
        .size = sizeof *sock_props,
        .type = BP_PATH,
        .flags = BP_P_PRIMARY,
        .name = "path",
        .help = "UNIX socket to listen on or to connect to",
    },
    {
        .size = sizeof *sock_props,
        .type = BP_STR,
        .name = "host",
        .help = "Numeric address to listen on or to connect to, together with port",
        .def = "127.0.0.1",
    },
    {
        .size = sizeof *sock_props,
        .type = BP_INT,
        .name = "port",
        .help = "TCP port instead of a path; 0 listens on a free one and logs which",
        .min = 0,
        .max = 65535,
    },
    {
        .size = sizeof *sock_props,
        .type = BP_BOOL,
        .name = "connect",
        .help = "Connect to a server instead of being one",
        .def = "false",
    },
    {
        .size = sizeof *sock_props,
        .type = BP_BOOL,
        .name = "wait",
        .help = "Do not start the machine before somebody is connected",
        .def = "false",
    },
};

static const char *const sock_provides[] = {BP_IF_CHAR, NULL};
static const char *const sock_needs[] = {BP_IF_EVENT, NULL};

static const struct bp_class sock_class = {
    .size = sizeof sock_class,
    .name = "char-socket",
    .version = "1.0",
    .summary = "UNIX or TCP socket as a byte stream",
    .props = sock_props,
    .n_props = sizeof sock_props / sizeof *sock_props,
    .prop_size = sizeof *sock_props,
    .provides = sock_provides,
    .needs = sock_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = sock_create,
    .realize = sock_realize,
    .start = sock_start,
    .quiesce = sock_quiesce,
    .event = sock_event,
    .save = sock_save,
    .load = sock_load,
    .query = sock_query,
    .destroy = sock_destroy,
};

BP_PLUGIN("char-socket", "1.0", "BSD-3-Clause", "https://example.org/backplane", &sock_class);
