/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rfb-client.h - a VNC viewer for tests, RFC 6143: raw, ZRLE and Tight (without JPEG), desktop size
 * and its extension, the pseudo rectangles. While it waits for bytes it lets the machine run.
 */
#ifndef TESTS_RFB_CLIENT_H
#define TESTS_RFB_CLIENT_H

#include <backplane/test.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define RFB_PATIENCE_MS 20000

struct rfb_client {
    struct bpt_machine *machine;
    int fd;
    bool closed;
    uint32_t width, height, bytes; /* bytes: a pixel as it comes */
    uint32_t *pixels;              /* as they came */
    char name[64];
    z_stream streams[5]; /* ZRLE's and Tight's four */
    bool ready[5];
    /* Of the last update */
    uint32_t n_rects, area;
    uint32_t resized, size_x, size_y; /* desktop size; of the extension, who and whether */
    bool ext_key, pointer_mode, absolute;
};

static inline void
rfb_put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void
rfb_put32(uint8_t *p, uint32_t v)
{
    rfb_put16(p, v >> 16);
    rfb_put16(p + 2, v);
}

static inline uint32_t
rfb_get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t
rfb_get32(const uint8_t *p)
{
    return rfb_get16(p) << 16 | rfb_get16(p + 2);
}

static inline int64_t
rfb_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Lets the machine run for a moment; a viewer of another process's has none. */
static inline void
rfb_wait(struct rfb_client *c, int ms)
{
    if (c->machine)
        bpt_poll(c->machine, ms);
    else
        poll(&(struct pollfd){c->fd, POLLIN, 0}, 1, ms);
}

static inline void
rfb_connect(struct rfb_client *c, struct bpt_machine *m, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    memset(c, 0, sizeof *c);
    c->machine = m;
    c->bytes = 4;
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    strncpy(un.sun_path, path, sizeof un.sun_path - 1);
    for (int i = 0; connect(c->fd, (struct sockaddr *)&un, sizeof un) < 0 && i < 1000; i++)
        bpt_poll(m, 1);
}

static inline void
rfb_leave(struct rfb_client *c)
{
    close(c->fd);
    for (int i = 0; i < 5; i++)
        if (c->ready[i])
            inflateEnd(&c->streams[i]);
    free(c->pixels);
    memset(c, 0, sizeof *c);
    c->fd = -1;
}

/* False: the server has closed, or the patience is over. */
static inline bool
rfb_read(struct rfb_client *c, void *buf, size_t n)
{
    char *p = buf;
    int64_t end = rfb_ms() + RFB_PATIENCE_MS;

    while (n) {
        ssize_t got = recv(c->fd, p, n, MSG_DONTWAIT);

        if (got > 0) {
            p += got;
            n -= (size_t)got;
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            c->closed = true;
            return false;
        } else if (rfb_ms() > end) {
            return false;
        } else {
            rfb_wait(c, 2);
        }
    }
    return true;
}

static inline bool
rfb_write(struct rfb_client *c, const void *buf, size_t n)
{
    const char *p = buf;
    int64_t end = rfb_ms() + RFB_PATIENCE_MS;

    while (n) {
        ssize_t put = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (put > 0) {
            p += put;
            n -= (size_t)put;
        } else if ((put < 0 && errno != EAGAIN) || rfb_ms() > end) {
            return false;
        }
        rfb_wait(c, 0);
    }
    return true;
}

/* Waits until the server closes; what it says meanwhile is dropped. */
static inline bool
rfb_closed(struct rfb_client *c)
{
    char byte;

    while (!c->closed && rfb_read(c, &byte, 1))
        ;
    return c->closed;
}

static inline void
rfb_new_size(struct rfb_client *c, uint32_t width, uint32_t height)
{
    free(c->pixels);
    c->width = width;
    c->height = height;
    c->pixels = calloc((size_t)width * height + 1, 4);
}

static inline bool
rfb_server_init(struct rfb_client *c)
{
    uint8_t b[24];
    uint32_t len;

    if (!rfb_write(c, "\1", 1) || !rfb_read(c, b, 24))
        return false;
    len = rfb_get32(b + 20);
    if (len >= sizeof c->name || !rfb_read(c, c->name, len))
        return false;
    rfb_new_size(c, rfb_get16(b), rfb_get16(b + 2));
    return b[4] == 32 && b[7] == 1 && b[14] == 16 && b[15] == 8 && b[16] == 0;
}

/* A handshake of 3.8 without a password. */
static inline bool
rfb_join(struct rfb_client *c)
{
    uint8_t b[16];

    return rfb_read(c, b, 12) && memcmp(b, "RFB 003.008\n", 12) == 0 && rfb_write(c, b, 12) &&
           rfb_read(c, b, 2) && b[0] == 1 && b[1] == 1 && rfb_write(c, "\1", 1) &&
           rfb_read(c, b, 4) && rfb_get32(b) == 0 && rfb_server_init(c);
}

static inline bool
rfb_encodings(struct rfb_client *c, const int32_t *list, uint32_t n)
{
    uint8_t b[4 + 4 * 64] = {2};

    rfb_put16(b + 2, n);
    for (uint32_t i = 0; i < n; i++)
        rfb_put32(b + 4 + 4 * i, (uint32_t)list[i]);
    return rfb_write(c, b, 4 + 4 * n);
}

static inline bool
rfb_request(struct rfb_client *c, bool incremental, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
    uint8_t b[10] = {3, incremental};

    rfb_put16(b + 2, x);
    rfb_put16(b + 4, y);
    rfb_put16(b + 6, w);
    rfb_put16(b + 8, h);
    return rfb_write(c, b, sizeof b);
}

static inline bool
rfb_key(struct rfb_client *c, bool down, uint32_t keysym)
{
    uint8_t b[8] = {4, down};

    rfb_put32(b + 4, keysym);
    return rfb_write(c, b, sizeof b);
}

static inline bool
rfb_pointer(struct rfb_client *c, uint32_t mask, uint32_t x, uint32_t y)
{
    uint8_t b[6] = {5, (uint8_t)mask};

    rfb_put16(b + 2, x);
    rfb_put16(b + 4, y);
    return rfb_write(c, b, sizeof b);
}

/* ---- Updates ---- */

static inline uint32_t
rfb_pixel(const uint8_t *p, uint32_t bytes)
{
    uint32_t v = 0;

    for (uint32_t i = 0; i < bytes; i++)
        v |= (uint32_t)p[i] << 8 * i;
    return v;
}

static inline void
rfb_plot(struct rfb_client *c, uint32_t x, uint32_t y, uint32_t v)
{
    if (x < c->width && y < c->height)
        c->pixels[(size_t)y * c->width + x] = v;
}

static inline bool
rfb_inflate(struct rfb_client *c, int which, const uint8_t *in, uint32_t n, uint8_t *out,
            uint32_t out_len, uint32_t *ret_len)
{
    z_stream *z = &c->streams[which];
    int rc;

    if (!c->ready[which] && inflateInit(z) != Z_OK)
        return false;
    c->ready[which] = true;
    z->next_in = (uint8_t *)(uintptr_t)in;
    z->avail_in = n;
    z->next_out = out;
    z->avail_out = out_len;
    rc = inflate(z, Z_SYNC_FLUSH);
    *ret_len = out_len - z->avail_out;
    return (rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR) && z->avail_in == 0;
}

static inline bool
rfb_raw(struct rfb_client *c, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
    uint8_t *line = malloc((size_t)w * c->bytes + 1);
    bool good = line != NULL;

    for (uint32_t j = 0; j < h && good; j++) {
        good = rfb_read(c, line, (size_t)w * c->bytes);
        for (uint32_t i = 0; i < w && good; i++)
            rfb_plot(c, x + i, y + j, rfb_pixel(line + (size_t)i * c->bytes, c->bytes));
    }
    free(line);
    return good;
}

/* One tile of 7.7.6; CPIXELs of three bytes. How much it took; 0: nonsense. */
static inline uint32_t
rfb_zrle_tile(struct rfb_client *c, const uint8_t *p, const uint8_t *end, uint32_t x0, uint32_t y0,
              uint32_t w, uint32_t h)
{
    const uint8_t *begin = p;
    uint32_t palette[128], kind, n, total = w * h, at = 0;

    if (p >= end)
        return 0;
    kind = *p++;
    n = kind & 127;
    if (kind == 129 || (kind >= 17 && kind <= 127) || (kind && p + (size_t)3 * n > end))
        return 0;
    for (uint32_t i = 0; i < n; i++, p += 3)
        palette[i] = rfb_pixel(p, 3);
    if (kind == 1) {
        for (; at < total; at++)
            rfb_plot(c, x0 + at % w, y0 + at / w, palette[0]);
    } else if (kind == 0) {
        for (; at < total && p + 3 <= end; at++, p += 3)
            rfb_plot(c, x0 + at % w, y0 + at / w, rfb_pixel(p, 3));
    } else if (kind <= 16) {
        uint32_t bits = n <= 2 ? 1 : n <= 4 ? 2 : 4, line = (w * bits + 7) / 8;

        for (; at < total && p + (size_t)line * h <= end; at++) {
            uint32_t x = at % w, y = at / w, bit = x * bits;
            uint32_t v = (uint32_t)p[y * line + bit / 8] >> (8 - bits - bit % 8);

            rfb_plot(c, x0 + x, y0 + y, palette[v & ((1u << bits) - 1)]);
        }
        p += (size_t)line * h;
    } else {
        while (at < total && p < end) {
            uint32_t len = 1, v;
            bool run = true;

            if (kind == 128) {
                if (p + 3 > end)
                    return 0;
                v = rfb_pixel(p, 3);
                p += 3;
            } else {
                run = *p & 128;
                v = palette[*p++ & 127];
            }
            if (run) {
                while (p < end && *p == 255)
                    len += *p++;
                if (p >= end)
                    return 0;
                len += *p++;
            }
            for (; len && at < total; len--, at++)
                rfb_plot(c, x0 + at % w, y0 + at / w, v);
        }
    }
    return at == total ? (uint32_t)(p - begin) : 0;
}

static inline bool
rfb_zrle(struct rfb_client *c, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
    uint32_t cap = (w + 64) * (h + 64) * 4, len = 0, n, used, at = 0;
    uint8_t head[4], *in = NULL, *out = malloc(cap);
    bool good = out && rfb_read(c, head, 4) && (n = rfb_get32(head)) < cap &&
                (in = malloc(n + 1)) && rfb_read(c, in, n) &&
                rfb_inflate(c, 0, in, n, out, cap, &len);

    for (uint32_t j = 0; j < h && good; j += 64)
        for (uint32_t i = 0; i < w && good; i += 64) {
            used = rfb_zrle_tile(c, out + at, out + len, x + i, y + j, w - i < 64 ? w - i : 64,
                                 h - j < 64 ? h - j : 64);
            at += used;
            good = used != 0;
        }
    good = good && at == len;
    free(in);
    free(out);
    return good;
}

static inline bool
rfb_tight_len(struct rfb_client *c, uint32_t *ret)
{
    uint8_t b;

    *ret = 0;
    for (uint32_t i = 0; i < 3; i++) {
        if (!rfb_read(c, &b, 1))
            return false;
        *ret |= (uint32_t)(i < 2 ? b & 127 : b) << 7 * i;
        if (!(b & 128))
            break;
    }
    return true;
}

/* The community's 7.6.8: fill and basic compression with copy or palette; TPIXELs are R, G, B. */
static inline bool
rfb_tight(struct rfb_client *c, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
    uint8_t control, filter = 0, count = 0, palette[256][3];
    uint32_t line = w * 3, total, n, len = 0;
    uint8_t *in = NULL, *out = NULL;
    bool good;

    if (!rfb_read(c, &control, 1))
        return false;
    for (int i = 0; i < 4; i++)
        if (control >> i & 1 && c->ready[1 + i])
            inflateReset(&c->streams[1 + i]);
    control >>= 4;
    if (control == 8) {
        if (!rfb_read(c, palette[0], 3))
            return false;
        for (uint32_t i = 0; i < w * h; i++)
            rfb_plot(c, x + i % w, y + i / w,
                     (uint32_t)palette[0][0] << 16 | (uint32_t)palette[0][1] << 8 | palette[0][2]);
        return true;
    }
    if (control > 7 || (control & 4 && !rfb_read(c, &filter, 1)) || filter > 1)
        return false;
    if (filter == 1) {
        if (!rfb_read(c, &count, 1) || !rfb_read(c, palette, (size_t)3 * (count + 1u)))
            return false;
        line = count == 1 ? (w + 7) / 8 : w;
    }
    total = line * h;
    out = malloc(total + 1);
    if (total < 12) {
        good = out && rfb_read(c, out, total);
    } else {
        good = out && rfb_tight_len(c, &n) && (in = malloc(n + 1)) && rfb_read(c, in, n) &&
               rfb_inflate(c, 1 + (control & 3), in, n, out, total, &len) && len == total;
    }
    for (uint32_t i = 0; i < w * h && good; i++) {
        uint32_t px = i % w, py = i / w;
        const uint8_t *p = filter == 0  ? out + py * line + px * 3
                           : count == 1 ? palette[out[py * line + px / 8] >> (7 - px % 8) & 1]
                                        : palette[out[py * line + px]];

        rfb_plot(c, x + px, y + py, (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]);
    }
    free(in);
    free(out);
    return good;
}

static inline bool
rfb_skip(struct rfb_client *c, uint32_t n)
{
    uint8_t b;

    while (n--)
        if (!rfb_read(c, &b, 1))
            return false;
    return true;
}

static inline bool
rfb_rect(struct rfb_client *c, bool *ret_last)
{
    uint8_t b[12], head[4];
    uint32_t x, y, w, h;

    if (!rfb_read(c, b, 12))
        return false;
    x = rfb_get16(b);
    y = rfb_get16(b + 2);
    w = rfb_get16(b + 4);
    h = rfb_get16(b + 6);
    switch ((int32_t)rfb_get32(b + 8)) {
    case -224:
        *ret_last = true;
        return true;
    case -223:
        c->resized++;
        rfb_new_size(c, w, h);
        return true;
    case -308:
        c->resized++;
        c->size_x = x;
        c->size_y = y;
        if (w != c->width || h != c->height)
            rfb_new_size(c, w, h);
        return rfb_read(c, head, 4) && rfb_skip(c, head[0] * 16u);
    case -239:
        return rfb_skip(c, w * h * c->bytes + (w + 7) / 8 * h);
    case -257:
        c->pointer_mode = true;
        c->absolute = x;
        return true;
    case -258:
        c->ext_key = true;
        return true;
    default:
        break;
    }
    if (x + w > c->width || y + h > c->height)
        return false;
    c->n_rects++;
    c->area += w * h;
    switch (rfb_get32(b + 8)) {
    case 0:
        return rfb_raw(c, x, y, w, h);
    case 7:
        return rfb_tight(c, x, y, w, h);
    case 16:
        return rfb_zrle(c, x, y, w, h);
    default:
        return false;
    }
}

/* The next update; others of the server's messages are passed over. */
static inline bool
rfb_update(struct rfb_client *c)
{
    uint8_t b[8];
    uint32_t n;
    bool last = false;

    c->n_rects = c->area = c->resized = 0;
    for (;;) {
        if (!rfb_read(c, b, 1))
            return false;
        if (b[0] == 0)
            break;
        if (b[0] == 1) {
            if (!rfb_read(c, b, 5) || !rfb_skip(c, 6 * rfb_get16(b + 3)))
                return false;
        } else {
            return false;
        }
    }
    if (!rfb_read(c, b, 3))
        return false;
    n = rfb_get16(b + 1);
    while (n-- && !last)
        if (!rfb_rect(c, &last))
            return false;
    return true;
}

/* All of the picture, asked for and waited for: updates until pixels have come. */
static inline bool
rfb_refresh(struct rfb_client *c, bool incremental)
{
    do {
        if (!rfb_request(c, incremental, 0, 0, c->width, c->height))
            return false;
        do {
            if (!rfb_update(c))
                return false;
        } while (c->n_rects == 0 && !c->resized);
    } while (c->n_rects == 0);
    return true;
}

#endif
