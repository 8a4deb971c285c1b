/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * char-client.h - the device's side of bp.char/1, for tests of back ends.
 *
 * The client takes as many bytes as the test allows and keeps them; what a back end does against
 * the interface counts as a fault.
 */
#ifndef TESTS_CHAR_CLIENT_H
#define TESTS_CHAR_CLIENT_H

#include <string.h>

#include <backplane/test.h>

struct char_client {
    const struct bp_char_if *be;
    void *self;
    uint8_t got[1 << 20];
    uint64_t got_n;
    uint64_t room; /* bytes it still takes */
    int wants;     /* it called ready() and has not refused since */
    int writing;   /* inside write() */
    int waits;     /* write() took too few */
    unsigned writables, opened, closed, breaks, faults;
};

static uint64_t
client_receive(void *user, const void *buf, uint64_t n)
{
    struct char_client *c = user;
    uint64_t take = n < c->room ? n : c->room;

    c->faults += !c->wants || c->writing || n == 0;
    if (take > sizeof c->got - c->got_n)
        take = sizeof c->got - c->got_n;
    memcpy(c->got + c->got_n, buf, take);
    c->got_n += take;
    c->room -= take;
    if (take < n)
        c->wants = 0;
    return take;
}

static void
client_writable(void *user)
{
    struct char_client *c = user;

    c->faults += !c->waits || c->writing;
    c->waits = 0;
    c->writables++;
}

static void
client_event(void *user, uint32_t what)
{
    struct char_client *c = user;

    c->faults += c->writing != 0;
    c->opened += what == BP_CHAR_OPENED;
    c->closed += what == BP_CHAR_CLOSED;
    c->breaks += what == BP_CHAR_BREAK;
}

/* Attaches to the back end `id`; 0 or BP_E_*. */
__attribute__((unused)) static int
client_attach(struct char_client *c, struct bpt_machine *m, const char *id)
{
    struct bp_char_client callbacks = {
        .size = sizeof callbacks,
        .user = c,
        .receive = client_receive,
        .writable = client_writable,
        .event = client_event,
    };

    memset(c, 0, sizeof *c);
    c->be = bpt_query(m, id, BP_IF_CHAR, BP_UPTO(struct bp_char_if, connected));
    c->self = bpt_self(m, id);
    return c->be ? c->be->attach(c->self, &callbacks) : BP_E_NOENT;
}

/* Room for n more bytes of input. */
__attribute__((unused)) static void
client_take(struct char_client *c, uint64_t n)
{
    c->room = n;
    c->wants = 1;
    c->be->ready(c->self);
}

__attribute__((unused)) static uint64_t
client_write(struct char_client *c, const void *buf, uint64_t n)
{
    uint64_t taken;

    c->writing = 1;
    taken = c->be->write(c->self, buf, n);
    c->writing = 0;
    c->faults += taken > n;
    c->waits = taken < n;
    return taken;
}

/* Whether all that came so far is this. */
__attribute__((unused)) static int
client_got(const struct char_client *c, const char *text)
{
    return c->got_n == strlen(text) && memcmp(c->got, text, c->got_n) == 0;
}

#endif
