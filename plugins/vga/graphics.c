/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * graphics.c - draws graphics modes line by line: the lines that lie in pages that changed.
 *
 * The VGA's own modes go through a line of colour numbers, one a dot, so that panning and doubling
 * are the same for all. The guest writes to memory at any time; what is read is only ever looked up
 * in tables of 256.
 */
#include <string.h>

#include "vga.h"

#define DOTS_MAX (DISPI_XMAX + 16u) /* a VGA has 256 characters of 8 at most */

static uint8_t
ram_at(const struct vga *vga, const struct vga_scan *s, uint32_t addr)
{
    return vga->ram[addr & s->mask];
}

/* Four planes to eight colour numbers. */
static void
dots_planar(const struct vga *vga, const struct vga_scan *s, uint32_t addr, uint8_t *dots)
{
    uint8_t p[4];

    for (unsigned i = 0; i < 4; i++)
        p[i] = ram_at(vga, s, addr + i);
    for (unsigned bit = 8; bit-- > 0;)
        *dots++ = (uint8_t)((p[0] >> bit & 1) | (p[1] >> bit & 1) << 1 | (p[2] >> bit & 1) << 2 |
                            (p[3] >> bit & 1) << 3);
}

/* Planes 0 and 1 hold four pixels each, two bits a pixel; planes 2 and 3 their upper two bits. */
static void
dots_cga(const struct vga *vga, const struct vga_scan *s, uint32_t addr, uint8_t *dots)
{
    for (unsigned half = 0; half < 2; half++) {
        uint8_t low = ram_at(vga, s, addr + half), high = ram_at(vga, s, addr + half + 2);

        for (unsigned shift = 8; shift > 0;) {
            shift -= 2;
            *dots++ = (uint8_t)((low >> shift & 3) | (high >> shift & 3) << 2);
        }
    }
}

/* A pixel lasts two dots. */
static void
dots_256(const struct vga *vga, const struct vga_scan *s, uint32_t addr, uint8_t *dots)
{
    for (unsigned i = 0; i < 8; i++)
        dots[i] = ram_at(vga, s, addr + i / 2);
}

static void
line_vga(struct vga *vga, const struct vga_scan *s, uint32_t y, uint32_t addr, uint32_t *pixels)
{
    const uint32_t *colours = vga->picture.palette;
    uint32_t pan = y < s->split ? s->pan : s->pan_lower;
    uint8_t dots[DOTS_MAX];

    for (uint32_t c = 0; c <= s->columns; c++) {
        switch (s->mode) {
        case VGA_CGA:
            dots_cga(vga, s, addr + 4 * c, dots + 8 * (size_t)c);
            break;
        case VGA_256:
            dots_256(vga, s, addr + 4 * c, dots + 8 * (size_t)c);
            break;
        default:
            dots_planar(vga, s, addr + 4 * c, dots + 8 * (size_t)c);
            break;
        }
    }
    for (uint32_t x = 0; x < s->width; x++)
        pixels[x] = colours[dots[(x >> s->h_double) + pan]];
}

static uint32_t
pixel_16(uint32_t v)
{
    uint32_t r = v >> 11 & 31, g = v >> 5 & 63, b = v & 31;

    return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
}

static uint32_t
pixel_15(uint32_t v)
{
    uint32_t r = v >> 10 & 31, g = v >> 5 & 31, b = v & 31;

    return (r << 3 | r >> 2) << 16 | (g << 3 | g >> 2) << 8 | (b << 3 | b >> 2);
}

static uint32_t
pixel_of(const struct vga *vga, const struct vga_scan *s, const uint8_t *p)
{
    bool big = s->big_endian;

    switch (s->bpp) {
    case 8:
        return vga->picture.palette[p[0]];
    case 15:
        return pixel_15(big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0]);
    case 16:
        return pixel_16(big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0]);
    case 24:
        return big ? (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]
                   : (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
    default:
        return big ? (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
                   : (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
    }
}

static void
line_linear(struct vga *vga, const struct vga_scan *s, uint32_t addr, uint32_t *pixels)
{
    uint32_t bytes = (s->bpp + 7) / 8, len = s->width * bytes;
    uint8_t copy[DISPI_XMAX * 4];
    const uint8_t *p = vga->ram + addr;

    if (addr + (uint64_t)len > vga->ram_len) { /* goes on at the beginning */
        uint32_t first = vga->ram_len - addr;

        memcpy(copy, p, first);
        memcpy(copy + first, vga->ram, len - first);
        p = copy;
    }
    for (uint32_t x = 0; x < s->width; x++, p += bytes)
        pixels[x] = pixel_of(vga, s, p);
}

/* The part of a line of pixels that lies in changed pages. */
static bool
linear_span(const struct vga *vga, const struct vga_scan *s, uint32_t addr, uint32_t *ret_x0,
            uint32_t *ret_x1)
{
    uint32_t bytes = (s->bpp + 7) / 8, len = s->width * bytes, from = len, to = 0;

    for (uint32_t at = 0; at < len;) {
        uint32_t next = at + VGA_PAGE - (addr + at) % VGA_PAGE;

        next = next < len ? next : len;
        if (vga_dirty(vga, addr + at, next - at, s->mask)) {
            from = at < from ? at : from;
            to = next;
        }
        at = next;
    }
    if (from >= to)
        return false;
    *ret_x0 = from / bytes;
    *ret_x1 = (to + bytes - 1) / bytes;
    return true;
}

void
vga_draw_graphics(struct vga *vga, bool all)
{
    struct vga_picture *p = &vga->picture;
    const struct vga_scan *s = &p->scan;

    for (uint32_t y = 0; y < s->height; y++) {
        uint32_t row_line, x0 = 0, x1 = s->width;
        uint32_t addr = vga_scan_line(s, y, &row_line);
        uint32_t *pixels = p->direct ? NULL : p->pixels + (size_t)y * p->width;

        if (s->mode == VGA_LINEAR) {
            if (!all && !linear_span(vga, s, addr, &x0, &x1))
                continue;
            if (!p->direct)
                line_linear(vga, s, addr, pixels);
        } else {
            if (!pixels || (!all && !vga_dirty(vga, addr, 4 * (s->columns + 1), s->mask)))
                continue;
            line_vga(vga, s, y, addr, pixels);
        }
        vga_damage(vga, y, x0, x1);
    }
}
