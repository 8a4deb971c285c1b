/* SPDX-License-Identifier: BSD-3-Clause */
/* rfb.c - see rfb.h. */
#include "rfb.h"

#include <string.h>

/* Messages to a server, RFC 6143 7.5 and the registry of the community's rfbproto. */
enum {
    MSG_SET_FORMAT = 0,
    MSG_SET_ENCODINGS = 2,
    MSG_REQUEST = 3,
    MSG_KEY = 4,
    MSG_POINTER = 5,
    MSG_CUT_TEXT = 6,
    MSG_CONTINUOUS = 150,
    MSG_FENCE = 248,
    MSG_XVP = 250,
    MSG_DESKTOP_SIZE = 251,
    MSG_QEMU = 255,
};

/* A clipboard that is longer is no clipboard. */
#define CUT_TEXT_MAX (64u << 20)

static uint32_t
get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t
get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}

void
rfb_init(struct rfb *r, const struct rfb_ops *ops, void *user)
{
    memset(r, 0, sizeof *r);
    r->ops = ops;
    r->user = user;
}

static enum rfb_state
parse_version(struct rfb *r)
{
    uint32_t minor = 0;

    /* "RFB xxx.yyy\n" */
    if (memcmp(r->buf, "RFB 003.", 8) != 0 || r->buf[11] != '\n')
        return RFB_DEAD;
    for (int i = 8; i < 11; i++) {
        if (r->buf[i] < '0' || r->buf[i] > '9')
            return RFB_DEAD;
        minor = minor * 10 + r->buf[i] - '0';
    }
    return r->ops->version(r->user, minor);
}

/* A colour's maximum is 2^n - 1, and it fits into the pixel. */
static bool
colour_is_valid(uint32_t max, uint32_t shift, uint32_t bits)
{
    uint32_t n = 0;

    if (max == 0 || (max & (max + 1)))
        return false;
    for (; max; max >>= 1)
        n++;
    return shift + n <= bits;
}

static enum rfb_state
parse_format(struct rfb *r)
{
    const uint8_t *f = r->buf + 4;
    uint32_t bits = f[0];

    if (bits != 8 && bits != 16 && bits != 32)
        return RFB_DEAD;
    if (!f[3] && bits != 8)
        return RFB_DEAD;
    for (int i = 0; i < 3 && f[3]; i++)
        if (!colour_is_valid(get16(f + 4 + 2 * i), f[10 + i], bits))
            return RFB_DEAD;
    r->ops->format(r->user, f);
    return RFB_TYPE;
}

static bool
encoding_is_known(int32_t e)
{
    switch (e) {
    case RFB_ENC_RAW:
    case RFB_ENC_COPYRECT:
    case RFB_ENC_HEXTILE:
    case RFB_ENC_ZLIB:
    case RFB_ENC_TIGHT:
    case RFB_ENC_ZRLE:
    case RFB_ENC_DESKTOP_SIZE:
    case RFB_ENC_LAST_RECT:
    case RFB_ENC_RICH_CURSOR:
    case RFB_ENC_POINTER_MODE:
    case RFB_ENC_EXT_KEY:
    case RFB_ENC_EXT_DESKTOP_SIZE:
        return true;
    default:
        return (e >= RFB_ENC_QUALITY_0 && e <= RFB_ENC_QUALITY_9) ||
               (e >= RFB_ENC_COMPRESS_0 && e <= RFB_ENC_COMPRESS_9);
    }
}

static void
add_encoding(struct rfb *r, int32_t e)
{
    if (!encoding_is_known(e) || r->n_encodings == RFB_ENCODINGS_MAX)
        return;
    for (uint32_t i = 0; i < r->n_encodings; i++)
        if (r->encodings[i] == e)
            return;
    r->encodings[r->n_encodings++] = e;
}

static enum rfb_state
begin_list(struct rfb *r)
{
    r->left = get16(r->buf + 2);
    r->n_encodings = 0;
    if (r->left)
        return RFB_LIST;
    r->ops->encodings(r->user, r->encodings, 0);
    return RFB_TYPE;
}

static enum rfb_state
begin_skip(struct rfb *r, uint64_t n)
{
    r->left = n;
    return n ? RFB_SKIP : RFB_TYPE;
}

/* The extended clipboard has lengths below zero. */
static enum rfb_state
begin_cut_text(struct rfb *r)
{
    uint32_t n = get32(r->buf + 4);

    if (n & 0x80000000)
        n = -n;
    return n > CUT_TEXT_MAX ? RFB_DEAD : begin_skip(r, n);
}

/* The screens' layout is of no interest: there is one. */
static enum rfb_state
parse_size(struct rfb *r)
{
    r->ops->size(r->user, get16(r->buf + 2), get16(r->buf + 4));
    return begin_skip(r, (uint64_t)r->buf[6] * 16);
}

static enum rfb_state
parse_body(struct rfb *r)
{
    const uint8_t *b = r->buf;

    switch (b[0]) {
    case MSG_SET_FORMAT:
        return parse_format(r);
    case MSG_SET_ENCODINGS:
        return begin_list(r);
    case MSG_REQUEST:
        r->ops->request(r->user, b[1], get16(b + 2), get16(b + 4), get16(b + 6), get16(b + 8));
        return RFB_TYPE;
    case MSG_KEY:
        r->ops->key(r->user, b[1], get32(b + 4));
        return RFB_TYPE;
    case MSG_POINTER:
        r->ops->pointer(r->user, b[1], get16(b + 2), get16(b + 4));
        return RFB_TYPE;
    case MSG_CUT_TEXT:
        return begin_cut_text(r);
    case MSG_FENCE:
        return begin_skip(r, b[8]);
    case MSG_DESKTOP_SIZE:
        return parse_size(r);
    case MSG_QEMU:
        if (b[1] != 0) /* audio, which was not offered */
            return RFB_DEAD;
        r->ops->ext_key(r->user, get16(b + 2), get32(b + 4), get32(b + 8));
        return RFB_TYPE;
    default:
        return RFB_TYPE;
    }
}

/* The length of a message, or of its part before what repeats; 0: unknown. */
static uint32_t
message_len(uint8_t type)
{
    switch (type) {
    case MSG_SET_FORMAT:
        return 4 + RFB_FORMAT_LEN;
    case MSG_SET_ENCODINGS:
    case MSG_XVP:
        return 4;
    case MSG_REQUEST:
    case MSG_CONTINUOUS:
        return 10;
    case MSG_KEY:
    case MSG_CUT_TEXT:
    case MSG_DESKTOP_SIZE:
        return 8;
    case MSG_POINTER:
        return 6;
    case MSG_FENCE:
        return 9;
    case MSG_QEMU:
        return 12;
    default:
        return 0;
    }
}

static uint32_t
wanted(const struct rfb *r)
{
    switch (r->state) {
    case RFB_VERSION:
        return 12;
    case RFB_RESPONSE:
        return RFB_CHALLENGE_LEN;
    case RFB_BODY:
        return r->want;
    case RFB_LIST:
        return 4;
    default:
        return 1;
    }
}

/* What wanted() asked for is at buf. */
static enum rfb_state
parse(struct rfb *r)
{
    switch (r->state) {
    case RFB_VERSION:
        return parse_version(r);
    case RFB_SECURITY:
        return r->ops->security(r->user, r->buf[0]);
    case RFB_RESPONSE:
        return r->ops->response(r->user, r->buf);
    case RFB_INIT:
        return r->ops->init(r->user, r->buf[0]);
    case RFB_TYPE:
        r->want = message_len(r->buf[0]);
        return r->want ? RFB_BODY : RFB_DEAD;
    case RFB_BODY:
        return parse_body(r);
    default: /* RFB_LIST */
        add_encoding(r, (int32_t)get32(r->buf));
        if (--r->left)
            return RFB_LIST;
        r->ops->encodings(r->user, r->encodings, r->n_encodings);
        return RFB_TYPE;
    }
}

bool
rfb_feed(struct rfb *r, const void *bytes, size_t n)
{
    const uint8_t *p = bytes, *end = p + n;

    while (p < end && r->state != RFB_DEAD) {
        uint64_t take = (uint64_t)(end - p);

        if (r->state == RFB_SKIP) {
            take = take < r->left ? take : r->left;
            r->left -= take;
            if (!r->left)
                r->state = RFB_TYPE;
        } else {
            enum rfb_state was = r->state;

            if (take > wanted(r) - r->have)
                take = wanted(r) - r->have;
            memcpy(r->buf + r->have, p, take);
            r->have += (uint32_t)take;
            if (r->have == wanted(r)) {
                r->state = parse(r);
                /* The type is the first byte of its message. */
                if (was != RFB_TYPE)
                    r->have = 0;
            }
        }
        p += take;
    }
    return r->state != RFB_DEAD;
}
