/* SPDX-License-Identifier: BSD-3-Clause */
/* stream.c - see stream.h. */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
stream_init(struct stream *st, const struct bp_host *host, bp_inst inst,
            const struct stream_ops *ops, void *owner, uint64_t cap)
{
    int err;

    st->host = host;
    st->inst = inst;
    st->ops = ops;
    st->owner = owner;
    st->in.fd = st->out.fd = -1;
    st->ev = host->query(inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, close));
    if (!st->ev)
        return host->fail(inst, BP_E_NOTSUP, "needs bp.event/1");
    err = st->ev->soft(inst, "input", STREAM_EV_SOFT, &st->soft);
    if (err)
        return err;
    st->buf = malloc(cap);
    if (!st->buf)
        return BP_E_NOMEM;
    st->cap = cap;
    return 0;
}

static bool
stream_same_fd(const struct stream *st)
{
    return st->in.fd >= 0 && st->in.fd == st->out.fd;
}

/* mask 0 with idle set still waits for the hang-up. */
static void
stream_watch(struct stream *st, struct stream_end *end, uint32_t cookie, uint32_t mask, bool idle)
{
    bool want = end->fd >= 0 && end->kind != DESCRIPTOR_REGULAR && (mask || idle);

    if (end->watched && !want) {
        st->ev->close(st->inst, end->watch);
        end->watched = false;
    } else if (end->watched && mask != end->mask) {
        st->ev->modify(st->inst, end->watch, mask);
        end->mask = mask;
    } else if (!end->watched && want) {
        if (st->ev->watch(st->inst, end->fd, mask, cookie, &end->watch) < 0) {
            end->kind = DESCRIPTOR_REGULAR; /* not for epoll: always ready */
            st->ev->kick(st->inst, st->soft);
            return;
        }
        end->watched = true;
        end->mask = mask;
    }
}

static bool
stream_wants_input(const struct stream *st)
{
    if (!st->running || st->held || st->in.fd < 0 || st->input_ended)
        return false;
    /* What cannot be watched is read when it can be used. */
    return st->n < st->cap && (st->ready || st->in.kind != DESCRIPTOR_REGULAR);
}

void
stream_update(struct stream *st)
{
    uint32_t in = stream_wants_input(st) ? BP_EV_READ : 0;
    uint32_t out = st->blocked ? BP_EV_WRITE : 0;

    if ((in && st->in.kind == DESCRIPTOR_REGULAR) || (out && st->out.kind == DESCRIPTOR_REGULAR))
        st->ev->kick(st->inst, st->soft);
    if (in)
        st->hung_up = false;
    if (stream_same_fd(st)) {
        stream_watch(st, &st->in, STREAM_EV_IN, in | out, st->running && !st->hung_up);
        return;
    }
    stream_watch(st, &st->in, STREAM_EV_IN, in, false);
    stream_watch(st, &st->out, STREAM_EV_OUT, out, false);
}

void
stream_hold(struct stream *st, bool on)
{
    st->held = on;
    stream_update(st);
}

void
stream_open(struct stream *st, int in, enum descriptor_kind in_kind, int out,
            enum descriptor_kind out_kind)
{
    st->in.fd = in;
    st->in.kind = in_kind;
    st->out.fd = out;
    st->out.kind = out_kind;
    st->input_ended = st->hung_up = false;
    stream_update(st);
}

static void
stream_unwatch(struct stream *st, struct stream_end *end)
{
    if (end->watched)
        st->ev->close(st->inst, end->watch);
    end->watched = false;
}

void
stream_close(struct stream *st)
{
    bool same = stream_same_fd(st);

    stream_unwatch(st, &st->in);
    stream_unwatch(st, &st->out);
    if (st->in.fd >= 0)
        close(st->in.fd);
    if (st->out.fd >= 0 && !same)
        close(st->out.fd);
    st->in.fd = st->out.fd = -1;
    /* Nobody is there: what the client kept back for lack of room can go. */
    if (st->blocked)
        st->ev->kick(st->inst, st->soft);
}

void
stream_fini(struct stream *st)
{
    if (!st->ev) /* never initialised */
        return;
    /* The core has removed the watches before it calls destroy(). */
    st->in.watched = st->out.watched = st->blocked = false;
    stream_close(st);
    free(st->buf);
}

void
stream_tell(struct stream *st, uint32_t what)
{
    if (st->client.event)
        st->client.event(st->client.user, what);
}

static void
stream_deliver(struct stream *st)
{
    if (st->delivering)
        return;
    st->delivering = true;
    while (st->n && st->ready && st->running && st->client.receive) {
        uint64_t taken;

        st->ready = false; /* the client may call ready() again from within */
        taken = st->client.receive(st->client.user, st->buf + st->pos, st->n);
        if (taken >= st->n) {
            taken = st->n;
            st->ready = true;
        }
        st->pos += taken;
        st->n -= taken;
    }
    if (!st->n)
        st->pos = 0;
    st->delivering = false;
}

/* One read; what it brings is delivered at once as far as the client has room. */
static void
stream_read(struct stream *st, bool hung_up)
{
    ssize_t n;
    uint64_t end;
    int err;

    if (!stream_wants_input(st)) {
        st->hung_up = hung_up;
        if (hung_up && st->input_ended && st->ops->input_end)
            st->ops->input_end(st->owner, 0, true);
        return;
    }
    if (st->ops->may_read && !st->ops->may_read(st->owner))
        return;
    if (st->pos && st->pos + st->n == st->cap) {
        memmove(st->buf, st->buf + st->pos, st->n);
        st->pos = 0;
    }
    end = st->pos + st->n;
    n = descriptor_read(st->in.fd, st->in.kind, st->buf + end, st->cap - end);
    if (n > 0) {
        uint64_t kept = (uint64_t)n;

        if (st->ops->filter)
            kept = st->ops->filter(st->owner, st->buf + end, kept);
        st->n += kept;
        stream_deliver(st);
        return;
    }
    err = n < 0 ? -errno : 0;
    if (err == -EINTR || (err == -EAGAIN && !hung_up))
        return;
    st->input_ended = true;
    if (st->ops->input_end)
        st->ops->input_end(st->owner, err == -EAGAIN ? 0 : err, hung_up);
}

static void
stream_unblock(struct stream *st)
{
    if (!st->blocked)
        return;
    st->blocked = false;
    if (st->client.writable)
        st->client.writable(st->client.user);
}

bool
stream_event(struct stream *st, uint32_t cookie, uint32_t mask)
{
    bool hung_up = mask & (BP_EV_HANGUP | BP_EV_ERROR);

    switch (cookie) {
    case STREAM_EV_IN:
        if (mask & BP_EV_READ || hung_up)
            stream_read(st, hung_up);
        if (stream_same_fd(st) && (mask & BP_EV_WRITE || hung_up))
            stream_unblock(st);
        break;
    case STREAM_EV_OUT:
        stream_unblock(st);
        break;
    case STREAM_EV_SOFT:
        stream_deliver(st);
        if (st->in.kind == DESCRIPTOR_REGULAR)
            stream_read(st, false);
        if (st->out.fd < 0 || st->out.kind == DESCRIPTOR_REGULAR)
            stream_unblock(st);
        break;
    default:
        return false;
    }
    stream_update(st);
    return true;
}

void
stream_start(struct stream *st)
{
    st->running = true;
    stream_update(st);
    if (st->n)
        st->ev->kick(st->inst, st->soft);
}

void
stream_stop(struct stream *st)
{
    st->running = false;
    stream_update(st);
}

int
stream_attach(struct stream *st, const struct bp_char_client *client)
{
    if (!client) {
        memset(&st->client, 0, sizeof st->client);
        st->ready = st->blocked = false;
        return 0;
    }
    if (st->client.receive)
        return BP_E_BUSY;
    if (client->size < BP_UPTO(struct bp_char_client, writable) || !client->receive ||
        !client->writable)
        return BP_E_INVAL;
    memcpy(&st->client, client,
           client->size < sizeof st->client ? client->size : sizeof st->client);
    return 0;
}

void
stream_print(struct stream *st, const char *text)
{
    if (st->out.fd >= 0 && descriptor_write(st->out.fd, st->out.kind, text, strlen(text)) < 0)
        return; /* it is only a hint */
}

uint64_t
stream_write(struct stream *st, const void *buf, uint64_t n)
{
    const uint8_t *p = buf;
    uint64_t done = 0;

    while (done < n && st->out.fd >= 0) {
        ssize_t got = descriptor_write(st->out.fd, st->out.kind, p + done, n - done);

        if (got >= 0) {
            done += (uint64_t)got;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            st->blocked = true;
            stream_update(st);
            return done;
        } else if (errno != EINTR) {
            st->ops->output_error(st->owner, -errno);
            return n;
        }
    }
    return n;
}

void
stream_ready(struct stream *st)
{
    if (st->ready)
        return;
    st->ready = true;
    /* Never from here: the client is in the middle of something. */
    if (st->n)
        st->ev->kick(st->inst, st->soft);
    else
        stream_update(st);
}

int
stream_save(const struct stream *st, const struct bp_writer *w)
{
    int err = w->section(w, "input", 1, 0);

    return err ? err : w->blob(w, "read", st->buf + st->pos, st->n);
}

int
stream_load(struct stream *st, const struct bp_reader *r)
{
    uint64_t n = 0;
    uint32_t ver;
    int err = r->section(r, "input", &ver);

    if (err)
        return err == BP_E_NOENT ? 0 : err;
    if (ver != 1)
        return BP_E_INVAL;
    err = r->blob(r, "read", st->buf, st->cap, &n);
    if (err && err != BP_E_NOENT)
        return err;
    st->pos = 0;
    st->n = n;
    return 0;
}
