/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vnc.h - the display-vnc plugin's own.
 *
 *   display-vnc.c  class, properties, life cycle
 *   server.c       listens, makes and ends viewers, paces frames
 *   viewer.c       what a viewer says: handshake, password, keys, pointer
 *   rfb.c          its bytes
 *   encoder.c      what it is sent, on a thread of its own
 *   canvas.c       the copy of the picture
 *
 * The device's context does everything but encoding. Frames are asked for only while some viewer
 * waits for a change, so a screen that nobody looks at costs nothing.
 */
#ifndef DISPLAY_VNC_VNC_H
#define DISPLAY_VNC_VNC_H

#include <pthread.h>

#include <backplane/backplane.h>
#include <backplane/log.h>

#include "canvas.h"
#include "encoder.h"
#include "input/devices.h"
#include "input/typist.h"
#include "net/address.h"
#include "rfb.h"

#define VNC_VIEWERS_MAX  64u /* that watch */
#define VNC_GUESTS_MAX   32u /* that have not shown yet who they are */
#define VNC_SLOTS        (VNC_VIEWERS_MAX + VNC_GUESTS_MAX)
#define VNC_PASSWORD_MAX 8u /* all that the protocol uses */

/* Cookies of events */
enum {
    VNC_EV_LISTEN = 1,
    VNC_EV_FRAME,
    VNC_EV_KICK,
    VNC_EV_KEEP,
    VNC_EV_VIEWER = 16, /* + slot */
};

struct viewer {
    struct vnc *vnc;
    uint32_t slot;
    int fd;
    bp_event watch;
    bool watched, dead;
    bool shown; /* the handshake is over, there is an encoder */
    int64_t deadline;
    uint64_t number; /* in order of arrival */
    uint32_t minor;  /* of its version */
    uint8_t challenge[RFB_CHALLENGE_LEN];
    struct rfb rfb;
    struct input_devices input;
    struct typist typist;
    uint32_t buttons, x, y;
    bool placed;                 /* x and y are known */
    bool says_motion, told_mode; /* it can send movements; it was told which mode */
    bool absolute;               /* the mode */
    struct encoder encoder;
};

struct vnc {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *event;
    bp_event frame_timer, keep_timer, kick, listen_watch;
    struct bp_display_client client;
    bool attached, whole_wanted, running, frame_armed, accept_paused, trouble_told;
    int64_t stop_by; /* quiesce() loses its patience then; 0: it is not stopping */

    struct address address;
    struct stat file; /* of a UNIX socket */
    int listener;
    const char *name;
    char password[VNC_PASSWORD_MAX + 1]; /* "": none */
    uint32_t max_viewers;
    int64_t period_ns, wait_ns, last_frame;
    struct input_devices input; /* and releases that viewers left behind */
    const struct layout *layout;

    struct viewer *viewers[VNC_SLOTS];
    uint64_t arrivals;

    pthread_mutex_t lock;
    struct canvas canvas; /* under lock */
    struct tiles changed; /* by the frame that is being taken */
};

/* server.c */
int server_open(struct vnc *) __attribute__((warn_unused_result));
int server_start(struct vnc *) __attribute__((warn_unused_result));
int server_quiesce(struct vnc *);
void server_close(struct vnc *);
void server_event(struct vnc *, uint32_t cookie, uint32_t mask);
/* How many watch. */
uint32_t server_watching(const struct vnc *);
/* Brings the canvas up to date. */
void server_take_frame(struct vnc *, bool whole);
/* Something was typed, or somebody waits for a change: look soon. */
void server_hurry(struct vnc *);
/* Deadlines or releases that wait may have come or gone. */
void server_keep(struct vnc *);

/* viewer.c */
struct viewer *viewer_new(struct vnc *, uint32_t slot, int fd);
/* Its encoder has ended. */
void viewer_free(struct viewer *);
/* The greeting. False: end it. */
bool viewer_greet(struct viewer *);
/* There is something to read. False: end it. */
bool viewer_read(struct viewer *);

#endif
