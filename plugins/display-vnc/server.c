/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.c - who is connected, and when the adapter is asked for a frame: no more often than the
 * frame rate, only while a viewer waits for a change, and less and less often while nothing
 * changes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vnc.h"

#define MS INT64_C(1000000)

#define WAIT_MAX_NS      (200 * MS)   /* between two looks at a picture that does not change */
#define HANDSHAKE_NS     (20000 * MS) /* with time to type a password */
#define RETRY_NS         (20 * MS)
#define ACCEPT_PAUSE_NS  (1000 * MS)
#define STOP_PATIENCE_NS (500 * MS)
#define ACCEPTS_AT_ONCE  8

static int64_t
now(const struct vnc *vnc)
{
    return vnc->event->now(vnc->inst, BP_CLOCK_MONOTONIC);
}

/* ---- Frames ---- */

static bool
somebody_waits(struct vnc *vnc)
{
    bool waits = false;

    pthread_mutex_lock(&vnc->lock);
    for (uint32_t i = 0; i < VNC_SLOTS; i++)
        if (vnc->viewers[i] && vnc->viewers[i]->shown && !vnc->viewers[i]->dead)
            waits = waits || vnc->viewers[i]->encoder.hungry;
    pthread_mutex_unlock(&vnc->lock);
    return waits;
}

static void
arm_frame(struct vnc *vnc)
{
    if (!vnc->running || vnc->frame_armed || !somebody_waits(vnc))
        return;
    vnc->frame_armed = true;
    vnc->event->arm(vnc->inst, vnc->frame_timer, vnc->last_frame + vnc->wait_ns);
}

void
server_hurry(struct vnc *vnc)
{
    if (vnc->wait_ns == vnc->period_ns)
        return;
    vnc->wait_ns = vnc->period_ns;
    vnc->frame_armed = false;
    arm_frame(vnc);
}

void
server_take_frame(struct vnc *vnc, bool whole)
{
    struct bp_display_frame frame = {.size = sizeof frame};
    uint32_t flags = whole || vnc->whole_wanted ? BP_DISPLAY_WHOLE : 0;
    int err = 0;

    if (!vnc->attached)
        return;
    vnc->last_frame = now(vnc);
    if (vnc->client.frame(vnc->client.user, flags, &frame) < 0)
        return;
    pthread_mutex_lock(&vnc->lock);
    err = canvas_take(&vnc->canvas, &frame, &vnc->changed);
    for (uint32_t i = 0; i < VNC_SLOTS && !err && vnc->changed.any; i++)
        if (vnc->viewers[i] && vnc->viewers[i]->shown)
            err = encoder_mark(&vnc->viewers[i]->encoder, &vnc->changed);
    vnc->wait_ns = vnc->changed.any ? vnc->period_ns : 2 * vnc->wait_ns;
    vnc->wait_ns = vnc->wait_ns < WAIT_MAX_NS ? vnc->wait_ns : WAIT_MAX_NS;
    if (!err)
        tiles_clear(&vnc->changed);
    pthread_mutex_unlock(&vnc->lock);
    /* What could not be taken over must come again. */
    vnc->whole_wanted = err != 0;
    if (err && !vnc->trouble_told)
        vnc->host->log(vnc->inst, BP_LOG_ERR, "no memory for the picture");
    vnc->trouble_told = err != 0;
}

/* ---- Connections ---- */

/* One that is on its way out counts no more. */
uint32_t
server_watching(const struct vnc *vnc)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < VNC_SLOTS; i++)
        n += vnc->viewers[i] && vnc->viewers[i]->shown && !vnc->viewers[i]->dead;
    return n;
}

static void
unwatch(struct viewer *v)
{
    if (v->watched)
        v->vnc->event->close(v->vnc->inst, v->watch);
    v->watched = false;
}

static bool
watch(struct viewer *v)
{
    struct vnc *vnc = v->vnc;

    v->watched =
        vnc->event->watch(vnc->inst, v->fd, BP_EV_READ, VNC_EV_VIEWER + v->slot, &v->watch) == 0;
    return v->watched;
}

static void
bury(struct viewer *v)
{
    struct vnc *vnc = v->vnc;

    if (v->shown)
        bp_logf(vnc->host, vnc->inst, BP_LOG_INFO, "viewer %llu has left",
                (unsigned long long)v->number);
    vnc->viewers[v->slot] = NULL;
    viewer_free(v);
}

/* At once, or when its encoder has noticed. */
static void
end(struct viewer *v)
{
    unwatch(v);
    v->dead = true;
    shutdown(v->fd, SHUT_RDWR);
    if (v->shown && v->encoder.has_thread)
        encoder_stop(&v->encoder);
    else
        bury(v);
}

static bool
has_ended(struct viewer *v)
{
    bool ended;

    if (!v->shown || !v->encoder.has_thread)
        return false;
    pthread_mutex_lock(&v->vnc->lock);
    ended = v->encoder.ended;
    pthread_mutex_unlock(&v->vnc->lock);
    return ended;
}

static void
reap(struct vnc *vnc)
{
    for (uint32_t i = 0; i < VNC_SLOTS; i++)
        if (vnc->viewers[i] && has_ended(vnc->viewers[i])) {
            struct viewer *v = vnc->viewers[i];

            encoder_join(&v->encoder);
            unwatch(v);
            if (v->dead || v->encoder.broken)
                bury(v);
        }
}

/* Strangers may take all the places for strangers; the one who has been there longest goes. */
static void
make_room(struct vnc *vnc)
{
    struct viewer *oldest = NULL;
    uint32_t n = 0;

    for (uint32_t i = 0; i < VNC_SLOTS; i++) {
        struct viewer *v = vnc->viewers[i];

        if (!v || v->shown)
            continue;
        n++;
        if (!oldest || v->number < oldest->number)
            oldest = v;
    }
    if (n >= VNC_GUESTS_MAX)
        end(oldest);
}

static void
welcome(struct vnc *vnc, int fd)
{
    uint32_t slot = 0;
    struct viewer *v;

    make_room(vnc);
    while (slot < VNC_SLOTS && vnc->viewers[slot])
        slot++;
    v = slot < VNC_SLOTS ? viewer_new(vnc, slot, fd) : NULL;
    if (!v) {
        close(fd);
        return;
    }
    vnc->viewers[slot] = v;
    v->deadline = now(vnc) + HANDSHAKE_NS;
    if (!watch(v) || !viewer_greet(v))
        end(v);
}

static void
accept_viewers(struct vnc *vnc)
{
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        int fd = accept4(vnc->listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0) {
            welcome(vnc, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            vnc->accept_paused = vnc->event->modify(vnc->inst, vnc->listen_watch, 0) == 0;
            break;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            break;
        }
    }
    server_keep(vnc);
}

static void
hear(struct viewer *v)
{
    if (!viewer_read(v))
        end(v);
    else if (v->shown && v->deadline) {
        v->deadline = 0;
        bp_logf(v->vnc->host, v->vnc->inst, BP_LOG_INFO, "viewer %llu is here",
                (unsigned long long)v->number);
    }
}

/* ---- What waits ---- */

void
server_keep(struct vnc *vnc)
{
    int64_t at = BP_TIMER_OFF, retry = now(vnc) + RETRY_NS;
    bool late = vnc->input.n_late;

    for (uint32_t i = 0; i < VNC_SLOTS; i++) {
        const struct viewer *v = vnc->viewers[i];

        late = late || (v && v->input.n_late);
        if (v && !v->shown && v->deadline < at)
            at = v->deadline;
    }
    if (late && retry < at)
        at = retry;
    if (vnc->accept_paused && now(vnc) + ACCEPT_PAUSE_NS < at)
        at = now(vnc) + ACCEPT_PAUSE_NS;
    vnc->event->arm(vnc->inst, vnc->keep_timer, vnc->running ? at : BP_TIMER_OFF);
}

static void
keep(struct vnc *vnc)
{
    input_devices_retry(&vnc->input);
    for (uint32_t i = 0; i < VNC_SLOTS; i++) {
        struct viewer *v = vnc->viewers[i];

        if (v)
            input_devices_retry(&v->input);
        if (v && !v->shown && v->deadline <= now(vnc))
            end(v);
    }
    if (vnc->accept_paused) {
        vnc->event->modify(vnc->inst, vnc->listen_watch, BP_EV_READ);
        vnc->accept_paused = false;
    }
    server_keep(vnc);
}

void
server_event(struct vnc *vnc, uint32_t cookie, uint32_t mask)
{
    (void)mask;
    switch (cookie) {
    case VNC_EV_LISTEN:
        accept_viewers(vnc);
        break;
    case VNC_EV_FRAME:
        vnc->frame_armed = false;
        if (vnc->running && somebody_waits(vnc)) {
            server_take_frame(vnc, false);
            arm_frame(vnc);
        }
        break;
    case VNC_EV_KICK:
        reap(vnc);
        arm_frame(vnc);
        break;
    case VNC_EV_KEEP:
        keep(vnc);
        break;
    default:
        if (cookie - VNC_EV_VIEWER < VNC_SLOTS && vnc->viewers[cookie - VNC_EV_VIEWER])
            hear(vnc->viewers[cookie - VNC_EV_VIEWER]);
        break;
    }
}

/* ---- Life ---- */

int
server_open(struct vnc *vnc)
{
    int fd, err;

    if (vnc->host->flags & BP_HOST_CHECK) {
        err = address_check_listen(&vnc->address);
    } else if ((fd = address_socket(&vnc->address)) < 0) {
        err = fd;
    } else {
        vnc->listener = fd;
        err = address_listen(&vnc->address, fd);
        if (!err && vnc->address.path && lstat(vnc->address.path, &vnc->file) < 0)
            err = -errno;
    }
    if (err)
        return bp_failf(vnc->host, vnc->inst, err, "cannot listen on %s: %s", vnc->address.text,
                        err == -EADDRINUSE ? "somebody else does"
                        : err == -EEXIST   ? "it is a file that is not a socket"
                                           : strerror(-err));
    if (vnc->listener >= 0)
        bp_logf(vnc->host, vnc->inst, BP_LOG_INFO, "viewers may come to %s", vnc->address.text);
    return 0;
}

int
server_start(struct vnc *vnc)
{
    int err = 0;

    vnc->stop_by = 0;
    if (vnc->listener >= 0)
        err = vnc->event->watch(vnc->inst, vnc->listener, BP_EV_READ, VNC_EV_LISTEN,
                                &vnc->listen_watch);
    if (err)
        return err;
    vnc->running = true;
    vnc->accept_paused = false;
    for (uint32_t i = 0; i < VNC_SLOTS; i++) {
        struct viewer *v = vnc->viewers[i];

        if (v && (!watch(v) || (v->shown && encoder_start(&v->encoder))))
            end(v);
    }
    server_keep(vnc);
    vnc->event->kick(vnc->inst, vnc->kick);
    return 0;
}

static int64_t
real_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 * MS + t.tv_nsec;
}

/* Encoders come back by themselves, but for those whose viewer takes nothing. */
int
server_quiesce(struct vnc *vnc)
{
    bool patient, wait = false;

    if (vnc->running) {
        if (vnc->listener >= 0)
            vnc->event->close(vnc->inst, vnc->listen_watch);
        vnc->running = vnc->frame_armed = false;
        vnc->event->arm(vnc->inst, vnc->frame_timer, BP_TIMER_OFF);
        vnc->event->arm(vnc->inst, vnc->keep_timer, BP_TIMER_OFF);
        vnc->stop_by = real_now() + STOP_PATIENCE_NS;
        for (uint32_t i = 0; i < VNC_SLOTS; i++)
            if (vnc->viewers[i]) {
                unwatch(vnc->viewers[i]);
                if (vnc->viewers[i]->shown)
                    encoder_stop(&vnc->viewers[i]->encoder);
            }
    }
    reap(vnc);
    patient = real_now() < vnc->stop_by;
    for (uint32_t i = 0; i < VNC_SLOTS; i++)
        if (vnc->viewers[i] && vnc->viewers[i]->encoder.has_thread) {
            wait = true;
            if (!patient)
                end(vnc->viewers[i]);
        }
    return wait ? BP_E_AGAIN : 0;
}

void
server_close(struct vnc *vnc)
{
    for (uint32_t i = 0; i < VNC_SLOTS; i++)
        if (vnc->viewers[i]) {
            struct viewer *v = vnc->viewers[i];

            v->watched = false; /* the core has closed it */
            shutdown(v->fd, SHUT_RDWR);
            if (v->encoder.has_thread)
                encoder_stop(&v->encoder);
            bury(v);
        }
    if (vnc->listener >= 0) {
        close(vnc->listener);
        if (vnc->address.path)
            address_remove(&vnc->address, &vnc->file);
    }
}
