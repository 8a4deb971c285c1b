/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake-char.h - a bp.char/1 back end that the test holds in its hands.
 *
 * It takes as many bytes as the test allows, keeps them, and delivers input when told to. Rules of
 * the interface that a device breaks (ready() without need is allowed, a write of nothing is not)
 * count as faults.
 */
#ifndef TESTS_FAKE_CHAR_H
#define TESTS_FAKE_CHAR_H

#include <string.h>

#include <backplane/test.h>

struct fake_char {
    struct bp_char_client client;
    const struct bp_char_client *given; /* where it stays until it is detached */
    uint8_t out[1 << 18];               /* what the device wrote */
    uint64_t out_n;
    uint64_t allow; /* bytes that it still takes; UINT64_MAX: any number */
    int stuck;      /* it took too few: writable() is owed */
    int ready;      /* the device called ready() since it last refused */
    int up;         /* connected() */
    int break_on;
    unsigned writes, readies, breaks, faults, inside;
};

__attribute__((unused)) static int
fake_attach(void *be, const struct bp_char_client *client)
{
    struct fake_char *f = be;

    if (client && f->client.receive)
        return BP_E_BUSY;
    f->given = client;
    if (client)
        f->client = *client;
    else
        memset(&f->client, 0, sizeof f->client);
    return 0;
}

__attribute__((unused)) static uint64_t
fake_write(void *be, const void *buf, uint64_t n)
{
    struct fake_char *f = be;
    uint64_t take = n < f->allow ? n : f->allow;

    f->writes++;
    f->faults += n == 0 || f->stuck || f->inside;
    if (take > sizeof f->out - f->out_n)
        take = sizeof f->out - f->out_n;
    memcpy(f->out + f->out_n, buf, take);
    f->out_n += take;
    if (f->allow != UINT64_MAX)
        f->allow -= take;
    f->stuck = take < n;
    return take;
}

__attribute__((unused)) static void
fake_ready(void *be)
{
    struct fake_char *f = be;

    f->ready = 1;
    f->readies++;
}

__attribute__((unused)) static int
fake_connected(void *be)
{
    return ((struct fake_char *)be)->up;
}

__attribute__((unused)) static int
fake_send_break(void *be, uint32_t on)
{
    struct fake_char *f = be;

    f->breaks++;
    f->break_on = on != 0;
    return 0;
}

static const struct bp_char_if fake_char_if = {
    .size = sizeof fake_char_if,
    .attach = fake_attach,
    .write = fake_write,
    .ready = fake_ready,
    .connected = fake_connected,
    .send_break = fake_send_break,
};

/* Lets it take n more bytes, and says so to a device that waits. */
__attribute__((unused)) static void
fake_let(struct fake_char *f, uint64_t n)
{
    f->allow = n;
    if (f->stuck && n) {
        f->stuck = 0;
        f->client.writable(f->client.user);
    }
}

/* Input, as far as the device takes it; nothing when it does not wait for any. */
__attribute__((unused)) static uint64_t
fake_send(struct fake_char *f, const void *buf, uint64_t n)
{
    uint64_t taken;

    if (!f->ready || !n)
        return 0;
    f->ready = 0;
    taken = f->client.receive(f->client.user, buf, n);
    f->faults += taken > n;
    if (taken == n)
        f->ready = 1;
    return taken;
}

#endif
