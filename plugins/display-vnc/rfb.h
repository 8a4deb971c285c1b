/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rfb.h - what a viewer sends, as a stream of bytes that come in any pieces (RFC 6143, and the
 * community's extensions: ExtendedDesktopSize, QEMU's extended key events).
 *
 * The only thing that reads a viewer's bytes: whole, checked messages come out of it and nothing
 * else goes on to libvncserver. Allocates nothing and knows no sockets. What this server has no use
 * for (clipboard, file transfer, chat) is skipped when its length is known and ends the connection
 * otherwise.
 */
#ifndef DISPLAY_VNC_RFB_H
#define DISPLAY_VNC_RFB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RFB_ENCODINGS_MAX 64
#define RFB_FORMAT_LEN    16
#define RFB_CHALLENGE_LEN 16

/* Encodings that matter beside those which only libvncserver looks at. */
enum {
    RFB_ENC_RAW = 0,
    RFB_ENC_COPYRECT = 1,
    RFB_ENC_HEXTILE = 5,
    RFB_ENC_ZLIB = 6,
    RFB_ENC_TIGHT = 7,
    RFB_ENC_ZRLE = 16,
    RFB_ENC_QUALITY_0 = -32,
    RFB_ENC_QUALITY_9 = -23,
    RFB_ENC_DESKTOP_SIZE = -223,
    RFB_ENC_LAST_RECT = -224,
    RFB_ENC_RICH_CURSOR = -239,
    RFB_ENC_COMPRESS_0 = -256,
    RFB_ENC_COMPRESS_9 = -247,
    RFB_ENC_POINTER_MODE = -257, /* QEMU's "pointer motion change" */
    RFB_ENC_EXT_KEY = -258,
    RFB_ENC_EXT_DESKTOP_SIZE = -308,
};

/* What the next bytes are. */
enum rfb_state {
    RFB_VERSION,
    RFB_SECURITY,
    RFB_RESPONSE,
    RFB_INIT,
    RFB_TYPE, /* of a message */
    RFB_BODY,
    RFB_LIST, /* encodings, 4 bytes each */
    RFB_SKIP,
    RFB_DEAD, /* the connection is to be ended */
};

/* Messages of the handshake return the state that follows. */
struct rfb_ops {
    enum rfb_state (*version)(void *, uint32_t minor);
    enum rfb_state (*security)(void *, uint8_t type);
    enum rfb_state (*response)(void *, const uint8_t response[RFB_CHALLENGE_LEN]);
    enum rfb_state (*init)(void *, bool shared);
    /* A true-colour format, or the colour map of 8 bits. */
    void (*format)(void *, const uint8_t format[RFB_FORMAT_LEN]);
    /* Only those of the list above, each once. */
    void (*encodings)(void *, const int32_t *encodings, uint32_t n);
    void (*request)(void *, bool incremental, uint32_t x, uint32_t y, uint32_t w, uint32_t h);
    void (*key)(void *, bool down, uint32_t keysym);
    void (*ext_key)(void *, bool down, uint32_t keysym, uint32_t scan);
    void (*pointer)(void *, uint32_t buttons, uint32_t x, uint32_t y);
    void (*size)(void *, uint32_t width, uint32_t height);
};

struct rfb {
    const struct rfb_ops *ops;
    void *user;
    enum rfb_state state;
    uint32_t have, want; /* bytes at buf; want: of a body */
    uint64_t left;       /* elements of a list, bytes to skip */
    uint32_t n_encodings;
    int32_t encodings[RFB_ENCODINGS_MAX];
    uint8_t buf[24];
};

void rfb_init(struct rfb *, const struct rfb_ops *, void *user);
/* False: end the connection. */
bool rfb_feed(struct rfb *, const void *bytes, size_t n);

#endif
