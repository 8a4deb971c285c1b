/* SPDX-License-Identifier: BSD-3-Clause */
/* peer.c - see peer.h. */
#include "peer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <backplane/log.h>

#define RETRY_NS INT64_C(1000000000)

static void
peer_unwatch(struct sock *d)
{
    if (d->watched)
        d->ev->close(d->inst, d->watch);
    d->watched = false;
}

static void
peer_retry_later(struct sock *d)
{
    d->ev->arm(d->inst, d->retry, d->ev->now(d->inst, BP_CLOCK_MONOTONIC) + RETRY_NS);
}

static void
peer_watch(struct sock *d, int fd, uint32_t mask, uint32_t cookie)
{
    if (d->watched)
        return;
    d->watched = d->ev->watch(d->inst, fd, mask, cookie, &d->watch) == 0;
    if (!d->watched)
        peer_retry_later(d);
}

static void
peer_connected(struct sock *d, int fd)
{
    d->connected = true;
    d->half = d->told_retry = false;
    stream_open(&d->stream, fd, DESCRIPTOR_SOCKET, fd, DESCRIPTOR_SOCKET);
    bp_logf(d->host, d->inst, BP_LOG_DEBUG, "%s: connected", d->address.text);
    stream_tell(&d->stream, BP_CHAR_OPENED);
}

static void
peer_connect_failed(struct sock *d, int err)
{
    peer_unwatch(d);
    if (d->connecting >= 0)
        close(d->connecting);
    d->connecting = -1;
    if (!d->told_retry)
        bp_logf(d->host, d->inst, BP_LOG_INFO, "%s: %s; trying again every second", d->address.text,
                strerror(-err));
    d->told_retry = true;
    peer_retry_later(d);
}

static void
peer_connect(struct sock *d)
{
    int fd = address_socket(&d->address);

    if (fd < 0) {
        peer_connect_failed(d, fd);
        return;
    }
    d->connecting = fd;
    if (connect(fd, (const struct sockaddr *)&d->address.sa, d->address.len) == 0) {
        d->connecting = -1;
        peer_connected(d, fd);
    } else if (errno == EINPROGRESS) {
        peer_watch(d, fd, BP_EV_WRITE, EV_CONNECTING);
    } else {
        peer_connect_failed(d, -errno);
    }
}

/* The connection that was under way was made, or was not. */
static void
peer_connect_done(struct sock *d)
{
    int err = 0, fd = d->connecting;
    socklen_t len = sizeof err;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (err) {
        peer_connect_failed(d, -err);
        return;
    }
    peer_unwatch(d);
    d->connecting = -1;
    peer_connected(d, fd);
}

/* Waits for a client as far as one is wanted. */
void
peer_update_listener(struct sock *d)
{
    if (d->client)
        return;
    if (d->seeking && (!d->connected || d->half))
        peer_watch(d, d->listener, BP_EV_READ, EV_LISTENER);
    else
        peer_unwatch(d);
}

void
peer_seek(struct sock *d)
{
    peer_update_listener(d);
    if (d->client && d->seeking && !d->connected && d->connecting < 0)
        peer_connect(d);
}

static void
peer_disconnect(struct sock *d)
{
    if (!d->connected)
        return;
    d->connected = d->half = false;
    stream_close(&d->stream);
    bp_logf(d->host, d->inst, BP_LOG_DEBUG, "%s: disconnected", d->address.text);
    stream_tell(&d->stream, BP_CHAR_CLOSED);
    peer_update_listener(d);
    if (d->client) /* not at once: it may be somebody who ends each connection */
        peer_retry_later(d);
}

static void
peer_accept(struct sock *d)
{
    int fd = accept4(d->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        peer_disconnect(d); /* one of which only half is left */
        peer_connected(d, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        /* The one who waits stays, and would keep the loop busy. */
        bp_logf(d->host, d->inst, BP_LOG_WARN, "%s: %s", d->address.text, strerror(errno));
        peer_unwatch(d);
        peer_retry_later(d);
        return;
    }
    peer_update_listener(d);
}

/* stream_ops.input_end. A TCP peer that is gone looks like one that only stopped sending: a server
 * then gives its place to the next one who comes, a client cannot wait for that. */
static void
peer_input_end(void *owner, int err, bool gone)
{
    struct sock *d = owner;

    if (err || gone || (d->client && !d->address.path)) {
        peer_disconnect(d);
    } else {
        d->half = true;
        peer_update_listener(d);
    }
}

/* stream_ops.output_error. The client is inside write(), so it is told later. */
static void
peer_output_error(void *owner, int err)
{
    struct sock *d = owner;

    (void)err;
    stream_close(&d->stream);
    d->ev->kick(d->inst, d->left);
}

const struct stream_ops peer_stream_ops = {
    .input_end = peer_input_end,
    .output_error = peer_output_error,
};

bool
peer_event(struct sock *d, uint32_t cookie)
{
    switch (cookie) {
    case EV_LISTENER:
        peer_accept(d);
        return true;
    case EV_CONNECTING:
        peer_connect_done(d);
        return true;
    case EV_LEFT:
        if (d->stream.in.fd < 0)
            peer_disconnect(d);
        return true;
    case EV_RETRY:
        peer_seek(d);
        return true;
    default:
        return false;
    }
}
