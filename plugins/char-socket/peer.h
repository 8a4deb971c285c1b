/* SPDX-License-Identifier: BSD-3-Clause */
/* peer.h - who is at the other end of a char-socket: found, kept, lost and found again. */
#ifndef CHAR_SOCKET_PEER_H
#define CHAR_SOCKET_PEER_H

#include <sys/stat.h>

#include "char/stream.h"
#include "net/address.h"

enum { EV_LISTENER = STREAM_EV_OWN, EV_CONNECTING, EV_RETRY, EV_LEFT };

struct sock {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *ev;
    struct stream stream;
    struct address address;
    struct stat file; /* the socket file as we made it */
    bool client;      /* connect = true */
    bool wait;        /* the machine does not start before somebody has been there */
    bool seeking;     /* between the first try to start and the stop */
    bool connected;
    bool half;       /* the peer sends no more */
    bool told_retry; /* that nobody answers was said */

    int listener;
    int connecting;
    bp_event watch; /* of whichever of the two there is */
    bool watched;
    bp_event retry, left;
};

extern const struct stream_ops peer_stream_ops;

/* Looks for a peer as far as one is wanted: waits for clients, or connects. */
void peer_seek(struct sock *);
/* Waits for clients, or does not, as the machine runs and somebody is there. */
void peer_update_listener(struct sock *);
/* class.event; true: it was one of the peer's. */
bool peer_event(struct sock *, uint32_t cookie);

#endif
