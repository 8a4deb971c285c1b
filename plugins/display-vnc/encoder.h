/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * encoder.h - the side of a viewer that libvncserver does: what is sent once the handshake is over.
 *
 * libvncserver waits where it reads or writes, for many seconds for a viewer that takes nothing,
 * and compresses for many milliseconds. So each viewer has a thread, on which nobody else waits,
 * and a screen of the library's with that one viewer and a picture of its own: threads of two
 * viewers share nothing in the library. The thread never reads the viewer's socket; it is given
 * orders, made of checked messages, and hands them to the library through a pair of sockets, whole.
 *
 * Memory is bounded by one picture a viewer and the library's buffers: what has changed is kept as
 * tiles, however long the viewer takes nothing.
 */
#ifndef DISPLAY_VNC_ENCODER_H
#define DISPLAY_VNC_ENCODER_H

#include <pthread.h>

#include <rfb/rfb.h>
#include <rfb/rfbregion.h>

#include "canvas.h"
#include "rfb.h"

#define ENCODER_REQUESTS_MAX 16

struct vnc;

struct encoder_request {
    bool incremental;
    uint32_t x, y, w, h;
};

/* What the viewer wants; later orders take the place of earlier ones. */
struct encoder_orders {
    bool any;
    bool format_set, encodings_set;
    uint8_t format[RFB_FORMAT_LEN];
    int32_t encodings[RFB_ENCODINGS_MAX];
    uint32_t n_encodings;
    uint32_t n_requests;
    struct encoder_request requests[ENCODER_REQUESTS_MAX];
    bool ext_key;      /* tell it that QEMU's key events are understood */
    bool pointer_mode; /* tell it which, in absolute */
    bool absolute;
    bool size_asked;      /* it wanted another size; size_answer is for it */
    uint32_t size_answer; /* of ExtendedDesktopSize */
};

/* Members of before the lock are the context's, those after it the thread's once it runs. */
struct encoder {
    struct vnc *vnc;
    pthread_t thread;
    bool has_thread;

    /* under vnc->lock */
    pthread_cond_t changed;
    struct encoder_orders orders;
    struct tiles dirty; /* of the canvas of that shape */
    uint64_t shape;
    uint32_t width, height; /* of what the viewer sees */
    bool hungry;            /* waits for a change */
    bool stop, ended, broken;

    rfbScreenInfoPtr screen;
    rfbClientPtr client;
    int out, in, feed; /* the viewer's socket; where the library reads, and where we write for it */
    uint32_t *pixels;
    uint64_t seen_shape;
};

/* For a viewer that was told the canvas's size. Takes no descriptor of the caller's. [ctx] */
int encoder_init(struct encoder *, struct vnc *, int fd) __attribute__((warn_unused_result));
/* The thread must have ended. */
void encoder_fini(struct encoder *);

int encoder_start(struct encoder *) __attribute__((warn_unused_result));
/* Ends the thread when it comes back from what it does; encoder_join() once `ended` is set. */
void encoder_stop(struct encoder *);
void encoder_join(struct encoder *);

/* With vnc->lock held: there is something for it. */
void encoder_wake(struct encoder *);
/* With vnc->lock held: tiles of the canvas changed. 0 or BP_E_NOMEM. */
int encoder_mark(struct encoder *, const struct tiles *changed) __attribute__((warn_unused_result));

#endif
