/* SPDX-License-Identifier: BSD-3-Clause */
/* aml.c - the encoder of aml.h: opcodes, names, integers, package lengths. */
#include "aml.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    AML_ZERO_OP = 0x00,
    AML_ONE_OP = 0x01,
    AML_NAME_OP = 0x08,
    AML_BYTE_PREFIX = 0x0a,
    AML_WORD_PREFIX = 0x0b,
    AML_DWORD_PREFIX = 0x0c,
    AML_STRING_PREFIX = 0x0d,
    AML_QWORD_PREFIX = 0x0e,
    AML_SCOPE_OP = 0x10,
    AML_BUFFER_OP = 0x11,
    AML_PACKAGE_OP = 0x12,
    AML_DUAL_NAME_PREFIX = 0x2e,
    AML_MULTI_NAME_PREFIX = 0x2f,
    AML_EXT_PREFIX = 0x5b,
    AML_EXT_DEVICE_OP = 0x82,
};

/* A package length takes 1 to 4 bytes and counts itself, so how many is only known at the end:
 * room is left for the most and the content moved up. */
#define PKG_LENGTH_MAX 4
#define PKG_LIMIT      ((size_t)1 << 28)

/* A buffer's size is an integer in front of the content, always written as a double word. */
#define BUFFER_SIZE_LEN 5

void
aml_init(struct aml *b)
{
    *b = (struct aml){0};
}

void
aml_fini(struct aml *b)
{
    free(b->data);
    aml_init(b);
}

bool
aml_failed(const struct aml *b)
{
    return b->failed;
}

/* Room for len more bytes, or NULL. */
static uint8_t *
aml_grow(struct aml *b, size_t len)
{
    if (b->failed)
        return NULL;
    if (len > b->cap - b->len) {
        size_t cap = b->cap ? b->cap : 256;
        uint8_t *data;

        while (cap - b->len < len && cap < PKG_LIMIT)
            cap *= 2;
        data = cap - b->len < len ? NULL : realloc(b->data, cap);
        if (!data) {
            b->failed = true;
            return NULL;
        }
        b->data = data;
        b->cap = cap;
    }
    b->len += len;
    return b->data + b->len - len;
}

void
aml_raw(struct aml *b, const void *p, size_t len)
{
    uint8_t *to = len ? aml_grow(b, len) : NULL;

    if (to)
        memcpy(to, p, len);
}

static void
aml_number(struct aml *b, uint64_t val, size_t len)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(val >> i * 8);
    aml_raw(b, bytes, len);
}

void
aml_u8(struct aml *b, uint8_t val)
{
    aml_number(b, val, 1);
}

void
aml_u16(struct aml *b, uint16_t val)
{
    aml_number(b, val, 2);
}

void
aml_u32(struct aml *b, uint32_t val)
{
    aml_number(b, val, 4);
}

void
aml_u64(struct aml *b, uint64_t val)
{
    aml_number(b, val, 8);
}

static size_t
aml_segment(const char *path)
{
    size_t len = strcspn(path, ".");

    return len < AML_NAME_LEN ? len : AML_NAME_LEN;
}

void
aml_name_path(struct aml *b, const char *path)
{
    size_t segments = 0;

    while (*path == '\\' || *path == '^')
        aml_u8(b, (uint8_t)*path++);
    if (*path)
        segments = 1;
    for (const char *p = path; *p; p++)
        segments += *p == '.';
    if (segments == 0)
        aml_u8(b, 0);
    if (segments == 2)
        aml_u8(b, AML_DUAL_NAME_PREFIX);
    if (segments > 2) {
        aml_u8(b, AML_MULTI_NAME_PREFIX);
        aml_u8(b, (uint8_t)segments);
    }
    while (segments--) {
        uint8_t seg[AML_NAME_LEN] = {'_', '_', '_', '_'};

        memcpy(seg, path, aml_segment(path));
        aml_raw(b, seg, sizeof seg);
        path += strcspn(path, ".");
        path += *path == '.';
    }
}

void
aml_integer(struct aml *b, uint64_t val)
{
    if (val <= 1) {
        aml_u8(b, val ? AML_ONE_OP : AML_ZERO_OP);
    } else if (val <= UINT8_MAX) {
        aml_u8(b, AML_BYTE_PREFIX);
        aml_u8(b, (uint8_t)val);
    } else if (val <= UINT16_MAX) {
        aml_u8(b, AML_WORD_PREFIX);
        aml_u16(b, (uint16_t)val);
    } else if (val <= UINT32_MAX) {
        aml_u8(b, AML_DWORD_PREFIX);
        aml_u32(b, (uint32_t)val);
    } else {
        aml_u8(b, AML_QWORD_PREFIX);
        aml_u64(b, val);
    }
}

void
aml_string(struct aml *b, const char *text)
{
    aml_u8(b, AML_STRING_PREFIX);
    aml_raw(b, text, strlen(text) + 1);
}

static int
aml_hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Three letters of five bits, four hex digits; stored most significant byte first (19.3.4). */
bool
aml_eisa_id(const char *id, uint32_t *ret_val)
{
    uint32_t val = 0;

    if (strlen(id) != 7)
        return false;
    for (int i = 0; i < 3; i++) {
        if (id[i] < 'A' || id[i] > 'Z')
            return false;
        val = val << 5 | (uint32_t)(id[i] - 'A' + 1);
    }
    for (int i = 3; i < 7; i++) {
        if (aml_hex(id[i]) < 0)
            return false;
        val = val << 4 | (uint32_t)aml_hex(id[i]);
    }
    *ret_val = __builtin_bswap32(val);
    return true;
}

void
aml_id(struct aml *b, const char *id)
{
    uint32_t val;

    if (aml_eisa_id(id, &val)) {
        aml_u8(b, AML_DWORD_PREFIX);
        aml_u32(b, val);
    } else {
        aml_string(b, id);
    }
}

void
aml_name(struct aml *b, const char *name)
{
    aml_u8(b, AML_NAME_OP);
    aml_name_path(b, name);
}

void
aml_name_integer(struct aml *b, const char *name, uint64_t val)
{
    aml_name(b, name);
    aml_integer(b, val);
}

static size_t
aml_begin(struct aml *b)
{
    size_t mark = b->len;

    (void)aml_grow(b, PKG_LENGTH_MAX);
    return mark;
}

void
aml_end(struct aml *b, size_t mark)
{
    uint8_t length[PKG_LENGTH_MAX];
    size_t body, n;

    if (b->failed)
        return;
    body = b->len - mark - PKG_LENGTH_MAX;
    /* One byte holds 6 bits; with more bytes the first holds the low 4 bits and their count. */
    n = body + 1 < 1u << 6 ? 1 : body + 2 < 1u << 12 ? 2 : body + 3 < 1u << 20 ? 3 : 4;
    if (body + n >= PKG_LIMIT) {
        b->failed = true;
        return;
    }
    body += n;
    length[0] = n == 1 ? (uint8_t)body : (uint8_t)((n - 1) << 6 | (body & 0xf));
    for (size_t i = 1; i < n; i++)
        length[i] = (uint8_t)(body >> (8 * i - 4));
    memmove(b->data + mark + n, b->data + mark + PKG_LENGTH_MAX, body - n);
    memcpy(b->data + mark, length, n);
    b->len = mark + body;
}

size_t
aml_scope_begin(struct aml *b, const char *path)
{
    size_t mark;

    aml_u8(b, AML_SCOPE_OP);
    mark = aml_begin(b);
    aml_name_path(b, path);
    return mark;
}

size_t
aml_device_begin(struct aml *b, const char *name)
{
    size_t mark;

    aml_u8(b, AML_EXT_PREFIX);
    aml_u8(b, AML_EXT_DEVICE_OP);
    mark = aml_begin(b);
    aml_name_path(b, name);
    return mark;
}

size_t
aml_package_begin(struct aml *b, uint8_t n)
{
    size_t mark;

    aml_u8(b, AML_PACKAGE_OP);
    mark = aml_begin(b);
    aml_u8(b, n);
    return mark;
}

size_t
aml_buffer_begin(struct aml *b)
{
    size_t mark;

    aml_u8(b, AML_BUFFER_OP);
    mark = aml_begin(b);
    (void)aml_grow(b, BUFFER_SIZE_LEN);
    return mark;
}

void
aml_buffer_end(struct aml *b, size_t mark)
{
    uint8_t *size;
    size_t len;

    if (b->failed)
        return;
    size = b->data + mark + PKG_LENGTH_MAX;
    len = b->len - mark - PKG_LENGTH_MAX - BUFFER_SIZE_LEN;
    size[0] = AML_DWORD_PREFIX;
    for (int i = 0; i < 4; i++)
        size[1 + i] = (uint8_t)(len >> i * 8);
    aml_end(b, mark);
}
