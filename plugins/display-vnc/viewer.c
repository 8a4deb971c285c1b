/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * viewer.c - what a viewer says, on the device's context: the handshake (RFC 6143 7.1 to 7.3), keys
 * and pointer. What libvncserver has to know becomes an order to the viewer's encoder.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/input-event-codes.h>

#include "input/keysym.h"
#include "vnc.h"

enum {
    SECURITY_NONE = 1,
    SECURITY_PASSWORD = 2,
};

/* Bits of a pointer event */
enum {
    POINTER_WHEEL_UP = 0x08,
    POINTER_WHEEL_DOWN = 0x10,
    POINTER_WHEEL_LEFT = 0x20,
    POINTER_WHEEL_RIGHT = 0x40,
};

/* QEMU's relative mode: a position is a distance from here. */
#define POINTER_CENTRE 0x7fff

/* Answers of ExtendedDesktopSize */
enum {
    SIZE_PROHIBITED = 1,
    SIZE_FORWARDED = 4, /* the guest decides */
};

#define READ_MAX 16384u

static void
put32(uint8_t *p, uint32_t val)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(val >> (24 - 8 * i));
}

/* All of the handshake fits into any socket's buffer; one where it does not is no viewer's. */
static bool
say(struct viewer *v, const void *p, size_t n)
{
    return send(v->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n;
}

static enum rfb_state
say_then(struct viewer *v, const void *p, size_t n, enum rfb_state next)
{
    return say(v, p, n) ? next : RFB_DEAD;
}

/* A number and a reason, as refusals end. */
static enum rfb_state
refuse(struct viewer *v, const void *begin, size_t n, const char *reason)
{
    uint8_t buf[128];
    size_t len = strlen(reason);

    memcpy(buf, begin, n);
    put32(buf + n, (uint32_t)len);
    memcpy(buf + n + 4, reason, len);
    (void)say(v, buf, n + 4 + len);
    return RFB_DEAD;
}

bool
viewer_greet(struct viewer *v)
{
    return say(v, "RFB 003.008\n", 12);
}

static uint8_t
security(const struct viewer *v)
{
    return v->vnc->password[0] ? SECURITY_PASSWORD : SECURITY_NONE;
}

static enum rfb_state
challenge(struct viewer *v)
{
    if (getrandom(v->challenge, sizeof v->challenge, 0) != (ssize_t)sizeof v->challenge)
        return RFB_DEAD;
    return say_then(v, v->challenge, sizeof v->challenge, RFB_RESPONSE);
}

static enum rfb_state
viewer_version(void *user, uint32_t minor)
{
    struct viewer *v = user;
    uint8_t list[2] = {1, security(v)}, word[4] = {0, 0, 0, security(v)}, none[4] = {0};
    bool full = server_watching(v->vnc) >= v->vnc->max_viewers;

    v->minor = minor >= 8 ? 8 : minor == 7 ? 7 : 3;
    if (full)
        return refuse(v, none, v->minor >= 7 ? 1 : 4, "as many viewers as are allowed are here");
    if (v->minor >= 7)
        return say_then(v, list, sizeof list, RFB_SECURITY);
    /* Before 3.7 the server chose. */
    if (!say(v, word, sizeof word))
        return RFB_DEAD;
    return security(v) == SECURITY_PASSWORD ? challenge(v) : RFB_INIT;
}

static enum rfb_state
viewer_security(void *user, uint8_t type)
{
    static const uint8_t good[4] = {0};
    struct viewer *v = user;

    if (type != security(v))
        return RFB_DEAD;
    if (type == SECURITY_PASSWORD)
        return challenge(v);
    return v->minor >= 8 ? say_then(v, good, sizeof good, RFB_INIT) : RFB_INIT;
}

static enum rfb_state
viewer_response(void *user, const uint8_t response[RFB_CHALLENGE_LEN])
{
    static const uint8_t good[4] = {0}, bad[4] = {0, 0, 0, 1};
    struct viewer *v = user;
    char password[VNC_PASSWORD_MAX + 1];
    uint8_t differs = 0;

    memcpy(password, v->vnc->password, sizeof password);
    rfbEncryptBytes(v->challenge, password);
    for (unsigned i = 0; i < RFB_CHALLENGE_LEN; i++)
        differs |= v->challenge[i] ^ response[i];
    if (!differs)
        return say_then(v, good, sizeof good, RFB_INIT);
    v->vnc->host->log(v->vnc->inst, BP_LOG_WARN, "a viewer gave a wrong password");
    if (v->minor >= 8)
        return refuse(v, bad, sizeof bad, "wrong password");
    (void)say(v, bad, sizeof bad);
    return RFB_DEAD;
}

static bool
say_init(struct viewer *v)
{
    const struct canvas *c = &v->vnc->canvas;
    size_t len = strlen(v->vnc->name);
    uint8_t buf[24 + 256] = {
        (uint8_t)(c->width >> 8),
        (uint8_t)c->width,
        (uint8_t)(c->height >> 8),
        (uint8_t)c->height,
        /* 32 bits, 24 of them used, little endian, true colour; maxima; shifts */
        32,
        24,
        0,
        1,
        0,
        255,
        0,
        255,
        0,
        255,
        16,
        8,
        0,
    };

    len = len < 256 ? len : 256;
    put32(buf + 20, (uint32_t)len);
    memcpy(buf + 24, v->vnc->name, len);
    return say(v, buf, 24 + len);
}

static enum rfb_state
viewer_init(void *user, bool shared)
{
    struct viewer *v = user;
    struct vnc *vnc = v->vnc;

    (void)shared; /* nobody throws others out */
    if (server_watching(vnc) >= vnc->max_viewers)
        return RFB_DEAD;
    server_take_frame(vnc, false);
    if (encoder_init(&v->encoder, vnc, v->fd)) {
        vnc->host->log(vnc->inst, BP_LOG_ERR, "no memory or descriptors for a viewer");
        return RFB_DEAD;
    }
    v->shown = true;
    if (!say_init(v) || encoder_start(&v->encoder))
        return RFB_DEAD;
    server_keep(vnc);
    return RFB_TYPE;
}

/* ---- Orders ---- */

static struct encoder_orders *
order_begin(struct viewer *v)
{
    pthread_mutex_lock(&v->vnc->lock);
    return &v->encoder.orders;
}

static void
order_end(struct viewer *v)
{
    v->encoder.orders.any = true;
    encoder_wake(&v->encoder);
    pthread_mutex_unlock(&v->vnc->lock);
}

static void
viewer_format(void *user, const uint8_t format[RFB_FORMAT_LEN])
{
    struct encoder_orders *o = order_begin(user);

    memcpy(o->format, format, RFB_FORMAT_LEN);
    o->format_set = true;
    order_end(user);
}

/* A viewer that can send movements is told which kind is wanted whenever that changes. */
static void
tell_mode(struct viewer *v)
{
    uint32_t takes = input_devices_take(&v->input);
    bool absolute = (takes & BP_INPUT_TAKES_ABS) || !(takes & BP_INPUT_TAKES_REL);
    struct encoder_orders *o;

    if (!v->says_motion || (v->told_mode && v->absolute == absolute))
        return;
    v->told_mode = true;
    v->absolute = absolute;
    v->placed = false;
    o = order_begin(v);
    o->pointer_mode = true;
    o->absolute = absolute;
    order_end(v);
}

static void
viewer_encodings(void *user, const int32_t *encodings, uint32_t n)
{
    struct viewer *v = user;
    struct encoder_orders *o = order_begin(v);

    o->n_encodings = 0;
    o->encodings_set = true;
    v->says_motion = v->told_mode = false;
    for (uint32_t i = 0; i < n; i++) {
        if (encodings[i] == RFB_ENC_EXT_KEY)
            o->ext_key = true;
        else if (encodings[i] == RFB_ENC_POINTER_MODE)
            v->says_motion = true;
        else
            o->encodings[o->n_encodings++] = encodings[i];
    }
    order_end(v);
    tell_mode(v);
}

static uint32_t
smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t
larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static void
viewer_request(void *user, bool incremental, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
    struct viewer *v = user;
    struct vnc *vnc = v->vnc;
    struct encoder_orders *o;
    struct encoder_request *r;

    /* Who asks for everything may want nothing more, so it is to be of now. */
    if (!incremental &&
        vnc->event->now(vnc->inst, BP_CLOCK_MONOTONIC) - vnc->last_frame >= vnc->period_ns)
        server_take_frame(vnc, false);
    tell_mode(v);
    o = order_begin(v);
    if (o->n_requests < ENCODER_REQUESTS_MAX) {
        o->requests[o->n_requests++] = (struct encoder_request){incremental, x, y, w, h};
    } else {
        /* One that asks and does not wait gets all of it at once. */
        r = &o->requests[ENCODER_REQUESTS_MAX - 1];
        w = larger(x + w, r->x + r->w);
        h = larger(y + h, r->y + r->h);
        r->x = smaller(r->x, x);
        r->y = smaller(r->y, y);
        r->w = smaller(w - r->x, 0xffff);
        r->h = smaller(h - r->y, 0xffff);
        r->incremental = r->incremental && incremental;
    }
    order_end(v);
}

static void
viewer_size(void *user, uint32_t width, uint32_t height)
{
    struct viewer *v = user;
    const struct bp_display_client *client = &v->vnc->client;
    struct encoder_orders *o;
    int err = BP_E_NOTSUP;

    if (v->vnc->attached && client->resize && width && height)
        err = client->resize(client->user, width, height);
    o = order_begin(v);
    o->size_asked = true;
    o->size_answer = err ? SIZE_PROHIBITED : SIZE_FORWARDED;
    order_end(v);
}

/* ---- Keys and pointer ---- */

static void
typed(struct viewer *v)
{
    if (v->input.n_late)
        server_keep(v->vnc);
    server_hurry(v->vnc);
}

static void
viewer_key(void *user, bool down, uint32_t keysym)
{
    struct viewer *v = user;

    typist_keysym(&v->typist, keysym, down);
    typed(v);
}

static void
viewer_ext_key(void *user, bool down, uint32_t keysym, uint32_t scan)
{
    struct viewer *v = user;
    uint32_t key = keysym_scan_key(scan);

    if (key)
        input_devices_key(&v->input, key, down);
    else
        typist_keysym(&v->typist, keysym, down);
    typed(v);
}

static void
buttons(struct viewer *v, uint32_t now)
{
    static const uint16_t codes[] = {BTN_LEFT, BTN_MIDDLE, BTN_RIGHT};
    uint32_t pressed = now & ~v->buttons;

    for (uint32_t i = 0; i < 3; i++)
        if ((now ^ v->buttons) >> i & 1)
            input_devices_key(&v->input, codes[i], now >> i & 1);
    if (pressed & (POINTER_WHEEL_UP | POINTER_WHEEL_DOWN))
        input_devices_wheel(&v->input, pressed & POINTER_WHEEL_UP ? 1 : -1, 0);
    if (pressed & (POINTER_WHEEL_LEFT | POINTER_WHEEL_RIGHT))
        input_devices_wheel(&v->input, 0, pressed & POINTER_WHEEL_RIGHT ? 1 : -1);
    v->buttons = now;
}

static void
viewer_pointer(void *user, uint32_t mask, uint32_t x, uint32_t y)
{
    struct viewer *v = user;
    bool moves = v->told_mode && !v->absolute;
    uint32_t width, height;

    if (moves) {
        input_devices_move(&v->input, (int32_t)x - POINTER_CENTRE, (int32_t)y - POINTER_CENTRE);
    } else if (input_devices_take(&v->input) & BP_INPUT_TAKES_ABS) {
        pthread_mutex_lock(&v->vnc->lock);
        width = v->encoder.width;
        height = v->encoder.height;
        pthread_mutex_unlock(&v->vnc->lock);
        if (!v->placed || x != v->x || y != v->y)
            input_devices_point(&v->input, x, y, width, height);
    } else if (v->placed) {
        input_devices_move(&v->input, (int32_t)x - (int32_t)v->x, (int32_t)y - (int32_t)v->y);
    }
    v->x = x;
    v->y = y;
    v->placed = !moves;
    buttons(v, mask);
    tell_mode(v);
    typed(v);
}

/* ---- Life ---- */

static const struct rfb_ops viewer_ops = {
    .version = viewer_version,
    .security = viewer_security,
    .response = viewer_response,
    .init = viewer_init,
    .format = viewer_format,
    .encodings = viewer_encodings,
    .request = viewer_request,
    .key = viewer_key,
    .ext_key = viewer_ext_key,
    .pointer = viewer_pointer,
    .size = viewer_size,
};

struct viewer *
viewer_new(struct vnc *vnc, uint32_t slot, int fd)
{
    struct viewer *v = calloc(1, sizeof *v);

    if (!v)
        return NULL;
    v->vnc = vnc;
    v->slot = slot;
    v->fd = fd;
    v->number = ++vnc->arrivals;
    v->input = vnc->input;
    memset(v->input.holder, 0, sizeof v->input.holder);
    memset(v->input.late, 0, sizeof v->input.late);
    v->input.n_late = 0;
    typist_init(&v->typist, &v->input, vnc->layout);
    rfb_init(&v->rfb, &viewer_ops, v);
    return v;
}

void
viewer_free(struct viewer *v)
{
    input_devices_release(&v->input);
    input_devices_adopt(&v->vnc->input, &v->input);
    if (v->shown) {
        encoder_join(&v->encoder);
        encoder_fini(&v->encoder);
    }
    close(v->fd);
    free(v);
}

bool
viewer_read(struct viewer *v)
{
    uint8_t buf[READ_MAX];
    ssize_t n = recv(v->fd, buf, sizeof buf, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    return n > 0 && rfb_feed(&v->rfb, buf, (size_t)n);
}
