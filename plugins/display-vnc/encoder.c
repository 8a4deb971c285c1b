/* SPDX-License-Identifier: BSD-3-Clause */
/* encoder.c - see encoder.h. */
#include "encoder.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vnc.h"

/*
 * Of libvncserver's functions, those that make or end screens, or go through a screen's clients,
 * share a lock of the process that rfbGetScreen() makes anew each time, held or not. So all of
 * these are called under ours; what takes time (encoding, sending) is not among them. Taken after
 * vnc->lock.
 */
static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;

/* The runs of changed tiles that are told to the library one by one; beyond, a row is one. */
#define RUNS_MAX 16u
/* A viewer that takes nothing for as long is not there. */
#define PATIENCE_S 20

/* ---- Making ---- */

/* What would have come from a viewer that wants no password: ours has proved itself already. */
static const char script[] = "RFB 003.008\n\001\001";

static void
drain(int fd)
{
    char buf[512];

    while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0)
        ;
}

/*
 * A client of the library's that is past its handshake. During it the library looks at the socket
 * for WebSocket greetings and at a list of security types that all servers of a process share;
 * neither is to meet a stranger, so it talks to our script.
 */
static bool
make_client(struct encoder *e)
{
    if (send(e->feed, script, sizeof script - 1, MSG_NOSIGNAL) != (ssize_t)sizeof script - 1)
        return false;
    e->client = rfbNewClient(e->screen, e->in);
    for (int i = 0; i < 3 && e->client && e->client->sock >= 0; i++)
        rfbProcessClientMessage(e->client);
    if (!e->client || e->client->sock < 0)
        e->in = -1; /* an error has closed it */
    drain(e->feed);
    if (e->in < 0 || e->client->state != RFB_NORMAL)
        return false;
    e->client->sock = e->out;
    return true;
}

static void
set_colours(rfbScreenInfoPtr screen)
{
    screen->serverFormat.depth = 24;
    screen->serverFormat.redShift = 16;
    screen->serverFormat.greenShift = 8;
    screen->serverFormat.blueShift = 0;
}

static bool
make_screen(struct encoder *e)
{
    int argc = 0;

    e->screen = rfbGetScreen(&argc, NULL, (int)e->width, (int)e->height, 8, 3, 4);
    if (!e->screen)
        return false;
    set_colours(e->screen);
    e->screen->frameBuffer = (char *)e->pixels;
    e->screen->cursor = NULL;
    e->screen->alwaysShared = TRUE;
    e->screen->maxRectsPerUpdate = 0;
    e->screen->maxClientWait = 1; /* on top of PATIENCE_S */
    return true;
}

/* The library keeps descriptors in an fd_set. */
static int
low_fd(int fd)
{
    int low = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (low >= FD_SETSIZE) {
        close(low);
        low = -1;
    }
    return low;
}

/*
 * The thread waits in write(), out of which a shutdown() brings it at once; out of the select()
 * that the library does otherwise, it would not for a UNIX socket. The context does not mind: it
 * says MSG_DONTWAIT.
 */
static void
set_patience(int fd)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

int
encoder_init(struct encoder *e, struct vnc *vnc, int fd)
{
    int pair[2] = {-1, -1};
    bool good = false;

    memset(e, 0, sizeof *e);
    e->vnc = vnc;
    e->in = e->feed = -1;
    e->out = low_fd(fd);
    if (e->out >= 0)
        set_patience(e->out);
    pthread_cond_init(&e->changed, NULL);
    e->width = vnc->canvas.width;
    e->height = vnc->canvas.height;
    e->seen_shape = e->shape = vnc->canvas.shape;
    e->pixels = calloc((size_t)e->width * e->height, sizeof *e->pixels);
    if (e->out >= 0 && e->pixels && tiles_init(&e->dirty, e->width, e->height) == 0 &&
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0) {
        e->feed = pair[1];
        e->in = low_fd(pair[0]);
        close(pair[0]);
        pthread_mutex_lock(&library);
        rfbLogEnable(0);
        good = e->in >= 0 && make_screen(e) && make_client(e);
        pthread_mutex_unlock(&library);
    }
    if (!good) {
        encoder_fini(e);
        return BP_E_NOMEM;
    }
    tiles_set_all(&e->dirty);
    return 0;
}

void
encoder_fini(struct encoder *e)
{
    if (e->screen) {
        pthread_mutex_lock(&library);
        if (e->client) {
            e->client->sock = -1; /* descriptors are ours to close */
            rfbClientConnectionGone(e->client);
        }
        rfbScreenCleanup(e->screen);
        pthread_mutex_unlock(&library);
    }
    e->screen = NULL;
    e->client = NULL;
    if (e->out >= 0)
        close(e->out);
    if (e->in >= 0)
        close(e->in);
    if (e->feed >= 0)
        close(e->feed);
    e->out = e->in = e->feed = -1;
    free(e->pixels);
    e->pixels = NULL;
    tiles_fini(&e->dirty);
    pthread_cond_destroy(&e->changed);
}

/* ---- Orders ---- */

/* After a call into the library, during which *fd was its socket: an error has closed it. */
static bool
still_open(struct encoder *e, int *fd)
{
    if (e->client->sock >= 0)
        return true;
    *fd = -1;
    return false;
}

/* What the library answered to a message (a colour map) goes on to the viewer. */
static bool
forward_answers(struct encoder *e)
{
    char buf[2048];
    ssize_t n;

    e->client->sock = e->out;
    while ((n = recv(e->feed, buf, sizeof buf, MSG_DONTWAIT)) > 0)
        if (rfbWriteExact(e->client, buf, (int)n) < 0)
            return false;
    return still_open(e, &e->out);
}

/* A whole message, as if the viewer had sent it now. */
static bool
tell_library(struct encoder *e, const void *message, size_t n)
{
    if (send(e->feed, message, n, MSG_NOSIGNAL) != (ssize_t)n)
        return false;
    e->client->sock = e->in;
    rfbProcessClientMessage(e->client);
    return still_open(e, &e->in) && forward_answers(e);
}

static void
put16(uint8_t *p, uint32_t val)
{
    p[0] = (uint8_t)(val >> 8);
    p[1] = (uint8_t)val;
}

static void
put32(uint8_t *p, uint32_t val)
{
    put16(p, val >> 16);
    put16(p + 2, val);
}

static bool
order_format(struct encoder *e, const struct encoder_orders *o)
{
    uint8_t message[4 + RFB_FORMAT_LEN] = {0};

    memcpy(message + 4, o->format, RFB_FORMAT_LEN);
    return tell_library(e, message, sizeof message);
}

static bool
order_encodings(struct encoder *e, const struct encoder_orders *o)
{
    uint8_t message[4 + 4 * RFB_ENCODINGS_MAX] = {2};

    put16(message + 2, o->n_encodings);
    for (uint32_t i = 0; i < o->n_encodings; i++)
        put32(message + 4 + (size_t)4 * i, (uint32_t)o->encodings[i]);
    return tell_library(e, message, 4 + (size_t)4 * o->n_encodings);
}

static bool
order_request(struct encoder *e, const struct encoder_request *r)
{
    uint8_t message[10] = {3, r->incremental};

    put16(message + 2, r->x);
    put16(message + 4, r->y);
    put16(message + 6, r->w);
    put16(message + 8, r->h);
    return tell_library(e, message, sizeof message);
}

/* An update of one rectangle that says something and holds no pixels. */
static bool
send_pseudo(struct encoder *e, uint32_t x, int32_t encoding)
{
    uint8_t message[16] = {0, 0, 0, 1};

    put16(message + 4, x);
    put16(message + 8, e->width);
    put16(message + 10, e->height);
    put32(message + 12, (uint32_t)encoding);
    return rfbWriteExact(e->client, (const char *)message, sizeof message) > 0;
}

static bool
carry_out(struct encoder *e, const struct encoder_orders *o)
{
    if (o->format_set && !order_format(e, o))
        return false;
    if (o->encodings_set && !order_encodings(e, o))
        return false;
    if (o->ext_key && !send_pseudo(e, 0, RFB_ENC_EXT_KEY))
        return false;
    if (o->pointer_mode && !send_pseudo(e, o->absolute, RFB_ENC_POINTER_MODE))
        return false;
    if (o->size_asked && e->client->useExtDesktopSize) {
        e->client->requestedDesktopSizeChange = rfbExtDesktopSize_ClientRequestedChange;
        e->client->lastDesktopSizeChangeError = (int)o->size_answer;
        e->client->newFBSizePending = TRUE;
    }
    for (uint32_t i = 0; i < o->n_requests; i++)
        if (!order_request(e, &o->requests[i]))
            return false;
    return true;
}

/* ---- Pictures ---- */

static void
mark(struct encoder *e, uint32_t x0, uint32_t y0, uint32_t x1, uint32_t y1)
{
    sraRegionPtr region = sraRgnCreateRect((int)x0, (int)y0, (int)x1, (int)y1);

    sraRgnOr(e->client->modifiedRegion, region);
    sraRgnDestroy(region);
}

/* The part of a run of tiles that the viewer's picture has. */
static void
copy_run(struct encoder *e, uint32_t column, uint32_t end, uint32_t row)
{
    const struct canvas *c = &e->vnc->canvas;
    uint32_t x0 = column * CANVAS_TILE, x1 = end * CANVAS_TILE;
    uint32_t y0 = row * CANVAS_TILE, y1 = y0 + CANVAS_TILE;
    uint32_t width = e->width < c->width ? e->width : c->width;
    uint32_t height = e->height < c->height ? e->height : c->height;

    x1 = x1 < width ? x1 : width;
    y1 = y1 < height ? y1 : height;
    if (x0 >= x1 || y0 >= y1)
        return;
    for (uint32_t y = y0; y < y1; y++)
        memcpy(e->pixels + (size_t)y * e->width + x0, c->pixels + (size_t)y * c->width + x0,
               (x1 - x0) * sizeof *e->pixels);
    mark(e, x0, y0, x1, y1);
}

static void
copy_row(struct encoder *e, uint32_t row)
{
    const uint8_t *set = e->dirty.set + (size_t)row * e->dirty.columns;
    uint32_t n = e->dirty.columns, runs = 0, first = n, last = 0;

    for (uint32_t i = 0; i < n; i++)
        if (set[i]) {
            runs += i == 0 || !set[i - 1];
            first = first < i ? first : i;
            last = i;
        }
    if (runs == 0)
        return;
    if (runs > RUNS_MAX) {
        copy_run(e, first, last + 1, row);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        if (set[i]) {
            uint32_t begin = i;

            while (i < n && set[i])
                i++;
            copy_run(e, begin, i, row);
        }
}

static bool
should_follow(const struct encoder *e)
{
    const struct canvas *c = &e->vnc->canvas;

    return e->client->useNewFBSize && (e->width != c->width || e->height != c->height);
}

/* The guest changed the mode: a viewer that can follow gets a picture of the new size, another sees
 * what fits into its own. */
static bool
reshape(struct encoder *e)
{
    const struct canvas *c = &e->vnc->canvas;
    uint32_t *pixels = e->pixels;

    e->seen_shape = e->shape;
    tiles_set_all(&e->dirty);
    if (should_follow(e)) {
        pixels = calloc((size_t)c->width * c->height, sizeof *pixels);
        if (!pixels)
            return false;
        e->width = c->width;
        e->height = c->height;
        pthread_mutex_lock(&library);
        rfbNewFramebuffer(e->screen, (char *)pixels, (int)c->width, (int)c->height, 8, 3, 4);
        pthread_mutex_unlock(&library);
        set_colours(e->screen);
        e->screen->setTranslateFunction(e->client);
        free(e->pixels);
        e->pixels = pixels;
    } else {
        memset(pixels, 0, (size_t)e->width * e->height * sizeof *pixels);
        mark(e, 0, 0, e->width, e->height);
    }
    return true;
}

/* With the lock held: the viewer's picture becomes the canvas's. */
static bool
copy_changes(struct encoder *e)
{
    if ((e->seen_shape != e->shape || should_follow(e)) && !reshape(e))
        return false;
    for (uint32_t row = 0; row < e->dirty.rows && e->dirty.any; row++)
        copy_row(e, row);
    tiles_clear(&e->dirty);
    return true;
}

/* ---- The thread ---- */

static bool
wants_picture(const struct encoder *e)
{
    return !sraRgnEmpty(e->client->requestedRegion) || e->client->newFBSizePending;
}

/* A new size is an update of its own, behind which pixels follow. */
static bool
send_updates(struct encoder *e)
{
    for (int i = 0; i < 2 && wants_picture(e) && FB_UPDATE_PENDING(e->client); i++) {
        bool good = rfbSendFramebufferUpdate(e->client, e->client->modifiedRegion);

        if (!still_open(e, &e->out) || !good)
            return false;
    }
    return true;
}

static bool
round_trip(struct encoder *e)
{
    struct vnc *vnc = e->vnc;
    struct encoder_orders orders = e->orders;
    bool good = true, asked;

    e->orders = (struct encoder_orders){0};
    pthread_mutex_unlock(&vnc->lock);
    good = carry_out(e, &orders);
    asked = good && wants_picture(e);
    pthread_mutex_lock(&vnc->lock);
    if (asked)
        good = copy_changes(e);
    pthread_mutex_unlock(&vnc->lock);
    if (asked && good)
        good = send_updates(e);
    asked = good && wants_picture(e);
    pthread_mutex_lock(&vnc->lock);
    if (e->hungry != asked) {
        e->hungry = asked;
        if (asked)
            vnc->event->kick(vnc->inst, vnc->kick);
    }
    return good;
}

static void *
encoder_main(void *arg)
{
    struct encoder *e = arg;
    struct vnc *vnc = e->vnc;
    bool good = true;
    sigset_t pipe;

    /* The library writes with write(). */
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    pthread_mutex_lock(&vnc->lock);
    while (good && !e->stop) {
        if (e->orders.any || (e->hungry && (e->dirty.any || e->shape != e->seen_shape)))
            good = round_trip(e);
        else
            pthread_cond_wait(&e->changed, &vnc->lock);
    }
    e->broken = !good;
    e->ended = true;
    pthread_mutex_unlock(&vnc->lock);
    vnc->event->kick(vnc->inst, vnc->kick);
    return NULL;
}

int
encoder_start(struct encoder *e)
{
    int err;

    e->stop = e->ended = false;
    err = pthread_create(&e->thread, NULL, encoder_main, e);
    e->has_thread = err == 0;
    return -err;
}

void
encoder_stop(struct encoder *e)
{
    pthread_mutex_lock(&e->vnc->lock);
    e->stop = true;
    encoder_wake(e);
    pthread_mutex_unlock(&e->vnc->lock);
}

void
encoder_join(struct encoder *e)
{
    if (e->has_thread)
        pthread_join(e->thread, NULL);
    e->has_thread = false;
}

void
encoder_wake(struct encoder *e)
{
    pthread_cond_signal(&e->changed);
}

int
encoder_mark(struct encoder *e, const struct tiles *changed)
{
    const struct canvas *c = &e->vnc->canvas;

    if (e->shape != c->shape) {
        struct tiles tiles;
        int err = tiles_init(&tiles, c->width, c->height);

        if (err)
            return err;
        tiles_fini(&e->dirty);
        e->dirty = tiles;
        e->shape = c->shape;
        tiles_set_all(&e->dirty);
    }
    tiles_add(&e->dirty, changed);
    encoder_wake(e);
    return 0;
}
