/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * planar.c - what a byte written to or read from the legacy window does: address modes, latches,
 * the graphics controller's data path.
 *
 * A word of 32 bits holds the bytes of the four planes at one offset, plane 0 lowest.
 */
#include <string.h>

#include "vga.h"

static const struct {
    uint32_t base, len;
} maps[4] = {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};

/* Bit p of four becomes byte p. */
static uint32_t
expand(uint32_t bits)
{
    return (bits & 1 ? 0xffu : 0) | (bits & 2 ? 0xff00u : 0) | (bits & 4 ? 0xff0000u : 0) |
           (bits & 8 ? 0xff000000u : 0);
}

static uint32_t
load(const struct vga *vga, uint32_t word)
{
    const uint8_t *p = vga->ram + 4 * (size_t)word;

    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void
store(struct vga *vga, uint32_t word, uint32_t val, uint32_t planes)
{
    uint8_t *p = vga->ram + 4 * (size_t)word;

    for (unsigned i = 0; i < 4; i++)
        if (planes >> i & 1)
            p[i] = (uint8_t)(val >> 8 * i);
    vga_touch(vga, 4 * word, 4);
}

/* An address of the window: the word, and the planes that it selects. */
struct place {
    uint32_t word, planes;
};

static bool
locate(const struct vga *vga, uint32_t off, bool odd_even, struct place *ret)
{
    const struct vga_regs *r = &vga->regs;
    uint32_t map = r->gr[GR_MISC] >> 2 & 3, words, addr;

    if (off < maps[map].base || off - maps[map].base >= maps[map].len)
        return false;
    addr = off - maps[map].base;
    words = (dispi_on(r) ? vga->ram_len : VGA_LEGACY_MEMORY) / 4;
    if (dispi_on(r))
        addr += r->dispi[DISPI_BANK] * 0x10000u;
    if (r->seq[SEQ_MEMORY] & SEQ_MEMORY_CHAIN4) {
        ret->planes = 1u << (addr & 3);
        addr >>= 2;
    } else if (odd_even) {
        ret->planes = addr & 1 ? 0xa : 0x5;
        addr >>= 1;
    } else {
        ret->planes = 0xf;
    }
    ret->word = addr & (words - 1);
    return true;
}

uint8_t
vga_window_read(struct vga *vga, uint32_t off)
{
    struct vga_regs *r = &vga->regs;
    uint32_t plane = r->gr[GR_READ_MAP];
    struct place at;

    if (!locate(vga, off, r->gr[GR_MODE] & GR_MODE_ODD_EVEN, &at))
        return 0xff;
    r->latch = load(vga, at.word);
    if (r->gr[GR_MODE] & GR_MODE_READ1) {
        uint32_t diff = (r->latch ^ expand(r->gr[GR_COMPARE])) & expand(r->gr[GR_DONT_CARE]);

        diff |= diff >> 16;
        return (uint8_t) ~(diff | diff >> 8);
    }
    if (r->seq[SEQ_MEMORY] & SEQ_MEMORY_CHAIN4)
        plane = at.planes == 1 ? 0 : at.planes == 2 ? 1 : at.planes == 4 ? 2 : 3;
    else if (at.planes != 0xf)
        plane = (plane & 2) | (at.planes == 0xa);
    return (uint8_t)(r->latch >> 8 * plane);
}

static uint32_t
combine(const struct vga_regs *r, uint32_t val)
{
    switch (r->gr[GR_ROTATE] >> 3 & 3) {
    case 1:
        return val & r->latch;
    case 2:
        return val | r->latch;
    case 3:
        return val ^ r->latch;
    default:
        return val;
    }
}

static uint32_t
mix(uint32_t val, uint32_t latch, uint8_t bits)
{
    uint32_t mask = bits * 0x01010101u;

    return (val & mask) | (latch & ~mask);
}

/* The data path: what the four planes get. */
static uint32_t
write_value(const struct vga_regs *r, uint8_t val)
{
    uint32_t rotate = r->gr[GR_ROTATE] & 7, enable = expand(r->gr[GR_ENABLE_SET_RESET]);
    uint8_t rotated = (uint8_t)(val >> rotate | val << (8 - rotate));

    switch (r->gr[GR_MODE] & 3) {
    case 0:
        return mix(
            combine(r, (rotated * 0x01010101u & ~enable) | (expand(r->gr[GR_SET_RESET]) & enable)),
            r->latch, r->gr[GR_BIT_MASK]);
    case 1:
        return r->latch;
    case 2:
        return mix(combine(r, expand(val)), r->latch, r->gr[GR_BIT_MASK]);
    default:
        return mix(combine(r, expand(r->gr[GR_SET_RESET])), r->latch, r->gr[GR_BIT_MASK] & rotated);
    }
}

void
vga_window_write(struct vga *vga, uint32_t off, uint8_t val)
{
    const struct vga_regs *r = &vga->regs;
    struct place at;

    if (!locate(vga, off, !(r->seq[SEQ_MEMORY] & SEQ_MEMORY_SEQUENTIAL), &at))
        return;
    store(vga, at.word, write_value(r, val), at.planes & r->seq[SEQ_MAP_MASK]);
}

bool
vga_window_is_linear(const struct vga_regs *r)
{
    return (r->seq[SEQ_MEMORY] & SEQ_MEMORY_CHAIN4) && r->seq[SEQ_MAP_MASK] == 0x0f &&
           (r->gr[GR_MISC] >> 2 & 3) == 1 && !(r->gr[GR_MODE] & (GR_MODE_READ1 | 3)) &&
           !r->gr[GR_ENABLE_SET_RESET] && !r->gr[GR_ROTATE] && r->gr[GR_BIT_MASK] == 0xff &&
           r->dispi[DISPI_BANK] == 0;
}
