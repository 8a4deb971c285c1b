/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.h - descriptors on one side, a bp.char/1 client on the other.
 *
 * The part that all char back ends have in common, linked into each of them: a buffer for input
 * that the device has no room for yet, watches that wait for exactly what can be used, and writes
 * that never block. It knows no terminal, socket or file: its owner opens and closes descriptors
 * and is told when one of them ends.
 */
#ifndef COMMON_CHAR_STREAM_H
#define COMMON_CHAR_STREAM_H

#include <stdbool.h>

#include <backplane/backplane.h>

#include "descriptor.h"

/* event() cookies that belong to the stream; an owner's own begin at STREAM_EV_OWN. */
enum { STREAM_EV_IN = 1, STREAM_EV_OUT, STREAM_EV_SOFT, STREAM_EV_OWN };

struct stream;

struct stream_ops {
    /* Looks at n bytes that were just read and may take some out: returns how many are left. */
    uint64_t (*filter)(void *owner, uint8_t *buf, uint64_t n);
    /* Before each read; false: not now, stream_hold() was called. */
    bool (*may_read)(void *owner);
    /*
     * No more input comes: end of file (err 0) or a read error (-errno). gone: the peer hung up, so
     * that output goes nowhere either; it may come in a second call. May close descriptors.
     */
    void (*input_end)(void *owner, int err, bool gone);
    /* A write failed for good; the bytes are dropped. Mandatory. May close descriptors. */
    void (*output_error)(void *owner, int err);
};

struct stream_end {
    int fd;
    enum descriptor_kind kind;
    bool watched;
    uint32_t mask;
    bp_event watch;
};

struct stream {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *ev;
    const struct stream_ops *ops;
    void *owner;
    bp_event soft;

    struct bp_char_client client; /* receive is NULL when nobody is attached */
    bool running;                 /* between start and quiesce */
    bool ready;                   /* the client takes input */
    bool blocked;                 /* the client waits for writable() */
    bool delivering;

    struct stream_end in, out; /* one descriptor for both: out.fd == in.fd */
    bool held;                 /* the owner does not want anything read */
    bool input_ended;
    bool hung_up; /* a hang-up was seen that cannot be acted on before there is room to read */

    uint8_t *buf;
    uint64_t cap, pos, n;
};

/* cap: bytes of input that are kept for a client that has no room. [realize] */
int stream_init(struct stream *, const struct bp_host *, bp_inst, const struct stream_ops *,
                void *owner, uint64_t cap);
void stream_fini(struct stream *);
/* Takes the descriptors (-1: none; the same one twice for a socket or pty). */
void stream_open(struct stream *, int in, enum descriptor_kind in_kind, int out,
                 enum descriptor_kind out_kind);
/* Gives them up and closes them; input that was read stays, a client that waited may write. */
void stream_close(struct stream *);
/* Nothing is read while it is held. */
void stream_hold(struct stream *, bool on);
/* A few bytes for whoever is at the other end, as far as they can be written now. */
void stream_print(struct stream *, const char *text);

void stream_start(struct stream *);
void stream_stop(struct stream *);
/* Brings the watches in line with what can be used. */
void stream_update(struct stream *);
/* class.event; true: it was one of the stream's. */
bool stream_event(struct stream *, uint32_t cookie, uint32_t mask);
/* Tells the client, if there is one. */
void stream_tell(struct stream *, uint32_t what);

/* The functions of bp.char/1 */
int stream_attach(struct stream *, const struct bp_char_client *);
uint64_t stream_write(struct stream *, const void *buf, uint64_t n);
void stream_ready(struct stream *);

int stream_save(const struct stream *, const struct bp_writer *);
int stream_load(struct stream *, const struct bp_reader *);

#endif
