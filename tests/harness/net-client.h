/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net-client.h - the device behind a network back end, played by a test: it keeps what it receives
 * and answers as it is told.
 */
#ifndef TESTS_NET_CLIENT_H
#define TESTS_NET_CLIENT_H

#include <backplane/test.h>

#include "tests/tap.h"

#define HDR         12u
#define KEPT        64u
#define PACKET_ROOM 70000u

struct client {
    struct bp_net_client table;
    const struct bp_net_if *net;
    void *be;
    int answer;       /* BP_E_AGAIN: there is no buffer */
    unsigned room;    /* not 0: answer becomes AGAIN after so many packets */
    unsigned refused; /* packets answered AGAIN */
    unsigned batches, sendable, changed;
    unsigned first, n; /* what is kept: packets first to n - 1 of all that came */
    uint32_t queue[KEPT];
    uint64_t len[KEPT];
    uint8_t data[KEPT][PACKET_ROOM];
};

static int
client_receive(void *user, uint32_t queue, const struct bp_iovec *iov, uint32_t n_iov, uint64_t len)
{
    struct client *c = user;
    unsigned at = c->n % KEPT;
    uint64_t sum = 0;

    if (c->answer) {
        c->refused++;
        return c->answer;
    }
    for (uint32_t i = 0; i < n_iov && sum + iov[i].len <= PACKET_ROOM; i++) {
        memcpy(c->data[at] + sum, iov[i].base, iov[i].len);
        sum += iov[i].len;
    }
    c->queue[at] = queue;
    c->len[at] = sum == len ? len : 0;
    c->n++;
    if (c->room && --c->room == 0)
        c->answer = BP_E_AGAIN;
    if (c->n - c->first > KEPT)
        c->first = c->n - KEPT;
    return 0;
}

static void
client_received(void *user, uint32_t queue)
{
    (void)queue;
    ((struct client *)user)->batches++;
}

static void
client_sendable(void *user, uint32_t queue)
{
    (void)queue;
    ((struct client *)user)->sendable++;
}

static void
client_changed(void *user)
{
    ((struct client *)user)->changed++;
}

/* Finds the instance's bp.net/1 and attaches to it. */
static int
client_join(struct client *c, struct bpt_machine *m, const char *id)
{
    memset(c, 0, sizeof *c);
    c->table = (struct bp_net_client){.size = sizeof c->table,
                                      .user = c,
                                      .receive = client_receive,
                                      .received = client_received,
                                      .sendable = client_sendable,
                                      .changed = client_changed};
    c->be = bpt_self(m, id);
    c->net = bpt_query(m, id, BP_IF_NET, BP_UPTO(struct bp_net_if, ready));
    return c->net ? c->net->attach(c->be, &c->table) : BP_E_NOENT;
}

/* Sends one frame, with a header of zeros, in two pieces that do not end with the header. */
__attribute__((unused)) static int
client_send(struct client *c, uint32_t queue, const void *frame, uint32_t len)
{
    uint8_t packet[HDR + 2048] = {0};
    uint32_t cut = HDR + (len > 5 ? 5 : 0);
    struct bp_iovec iov[2];
    int err;

    if (len > 2048)
        return BP_E_RANGE;
    memcpy(packet + HDR, frame, len);
    iov[0] = (struct bp_iovec){packet, cut};
    iov[1] = (struct bp_iovec){packet + cut, HDR + len - cut};
    err = c->net->send(c->be, queue, iov, 2, HDR + len);
    c->net->commit(c->be, queue);
    return err;
}

/* The oldest packet that was not taken: its frame, or NULL. */
__attribute__((unused)) static const uint8_t *
client_take(struct client *c, uint64_t *ret_len)
{
    unsigned at = c->first % KEPT;

    if (c->first == c->n)
        return NULL;
    c->first++;
    if (c->len[at] < HDR)
        return NULL;
    *ret_len = c->len[at] - HDR;
    return c->data[at] + HDR;
}

#endif
