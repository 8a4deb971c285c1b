/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a viewer sends to display-vnc, in pieces of any length: the input is the bytes, of which the
 * first says how they are cut. Every message that comes out is one that the next stage may have;
 * and however the bytes are cut, the same messages come out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/display-vnc/rfb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t hash;
    uint32_t n;
};

static void
must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz-vnc: %s\n", what);
    abort();
}

static void
note(struct seen *s, uint32_t what, uint64_t a, uint64_t b)
{
    s->hash = (s->hash ^ what ^ a << 8 ^ b << 40) * UINT64_C(0x9e3779b97f4a7c15);
    s->n++;
}

static enum rfb_state
on_version(void *user, uint32_t minor)
{
    must(minor <= 999, "version");
    note(user, 1, minor, 0);
    return minor >= 7 ? RFB_SECURITY : minor & 1 ? RFB_RESPONSE : RFB_INIT;
}

static enum rfb_state
on_security(void *user, uint8_t type)
{
    note(user, 2, type, 0);
    return type == 2 ? RFB_RESPONSE : type == 1 ? RFB_INIT : RFB_DEAD;
}

static enum rfb_state
on_response(void *user, const uint8_t *response)
{
    for (int i = 0; i < RFB_CHALLENGE_LEN; i++)
        note(user, 3, response[i], 0);
    return RFB_INIT;
}

static enum rfb_state
on_init(void *user, bool shared)
{
    note(user, 4, shared, 0);
    return RFB_TYPE;
}

static void
on_format(void *user, const uint8_t *f)
{
    must(f[0] == 8 || f[0] == 16 || f[0] == 32, "bits per pixel");
    must(f[3] || f[0] == 8, "colour map");
    for (int i = 0; i < 3 && f[3]; i++) {
        uint32_t max = (uint32_t)f[4 + 2 * i] << 8 | f[5 + 2 * i];

        must(max && f[10 + i] < 32 && ((uint64_t)max << f[10 + i]) >> f[0] == 0, "colour");
    }
    note(user, 5, f[0], f[10]);
}

static void
on_encodings(void *user, const int32_t *list, uint32_t n)
{
    must(n <= RFB_ENCODINGS_MAX, "encodings");
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < i; j++)
            must(list[i] != list[j], "an encoding twice");
        note(user, 6, (uint32_t)list[i], i);
    }
}

static void
on_request(void *user, bool incremental, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
    must((x | y | w | h) <= 0xffff, "request");
    note(user, 7, incremental + 2 * x, y + h + w);
}

static void
on_key(void *user, bool down, uint32_t keysym)
{
    note(user, 8, down, keysym);
}

static void
on_ext_key(void *user, bool down, uint32_t keysym, uint32_t scan)
{
    note(user, 9, down + keysym, scan);
}

static void
on_pointer(void *user, uint32_t buttons, uint32_t x, uint32_t y)
{
    must(buttons <= 0xff && (x | y) <= 0xffff, "pointer");
    note(user, 10, buttons, x << 16 | y);
}

static void
on_size(void *user, uint32_t width, uint32_t height)
{
    must((width | height) <= 0xffff, "size");
    note(user, 11, width, height);
}

static const struct rfb_ops ops = {
    .version = on_version,
    .security = on_security,
    .response = on_response,
    .init = on_init,
    .format = on_format,
    .encodings = on_encodings,
    .request = on_request,
    .key = on_key,
    .ext_key = on_ext_key,
    .pointer = on_pointer,
    .size = on_size,
};

static bool
feed(struct seen *seen, const uint8_t *data, size_t size, size_t piece)
{
    struct rfb rfb;
    bool alive = true;

    rfb_init(&rfb, &ops, seen);
    for (size_t at = 0; at < size && alive; at += piece)
        alive = rfb_feed(&rfb, data + at, size - at < piece ? size - at : piece);
    return alive;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen pieces = {0}, whole = {0};
    bool alive;

    if (size < 1)
        return 0;
    alive = feed(&pieces, data + 1, size - 1, data[0] ? data[0] : 1);
    must(feed(&whole, data + 1, size - 1, SIZE_MAX / 2) == alive, "the end depends on the cuts");
    must(pieces.hash == whole.hash && pieces.n == whole.n, "the messages depend on the cuts");
    return 0;
}
