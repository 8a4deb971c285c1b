/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-vga.h - an adapter on the fake host, a display that the test plays, and register writes that
 * make a mode (the values that IBM's BIOS has for it).
 */
#ifndef TESTS_HARNESS_TEST_VGA_H
#define TESTS_HARNESS_TEST_VGA_H

#include <backplane/test.h>

#include "tap.h"

#define VGA_WINDOW 0xa0000u
#define VGA_TEXT   0xb8000u

/* A display that asks when the test does. */
struct screen {
    struct bp_display_client client;
    int attached;
    struct bp_display_frame frame; /* the last one */
};

__attribute__((unused)) static int
screen_attach(void *be, const struct bp_display_client *client)
{
    struct screen *screen = be;

    if (client && screen->attached)
        return BP_E_BUSY;
    screen->attached = client != NULL;
    if (client)
        screen->client = *client;
    return 0;
}

__attribute__((unused)) static const struct bp_display_if screen_if = {
    .size = sizeof screen_if,
    .attach = screen_attach,
};

/* Asks for a frame; returns the number of rectangles. */
__attribute__((unused)) static int
screen_frame(struct screen *screen, uint32_t flags)
{
    memset(&screen->frame, 0, sizeof screen->frame);
    screen->frame.size = sizeof screen->frame;
    return screen->client.frame(screen->client.user, flags, &screen->frame);
}

/* A pixel of the last frame, 0xRRGGBB. */
__attribute__((unused)) static uint32_t
screen_pixel(const struct screen *screen, uint32_t x, uint32_t y)
{
    uint32_t val;

    if (x >= screen->frame.width || y >= screen->frame.height)
        return UINT32_MAX;
    memcpy(&val, (const uint8_t *)screen->frame.pixels + (size_t)y * screen->frame.stride + 4 * x,
           4);
    return val & 0xffffff;
}

/* The changed part of the last frame in one rectangle. */
__attribute__((unused)) static struct bp_display_rect
screen_changed(const struct screen *screen)
{
    struct bp_display_rect all = {0};

    for (uint32_t i = 0; i < screen->frame.n_rects; i++) {
        const struct bp_display_rect *r = &screen->frame.rects[i];
        uint32_t x1 = all.x + all.w, y1 = all.y + all.h;

        if (!all.w) {
            all = *r;
            continue;
        }
        x1 = r->x + r->w > x1 ? r->x + r->w : x1;
        y1 = r->y + r->h > y1 ? r->y + r->h : y1;
        all.x = r->x < all.x ? r->x : all.x;
        all.y = r->y < all.y ? r->y : all.y;
        all.w = x1 - all.x;
        all.h = y1 - all.y;
    }
    return all;
}

/* Started, with one display. props: of the adapter, or "". */
__attribute__((unused)) static struct bpt_machine *
vga_machine(struct screen *screen, int pci, const char *props)
{
    struct bpt_machine *m = bpt_new(4 << 20, 0);
    char all[256];

    memset(screen, 0, sizeof *screen);
    snprintf(all, sizeof all, "display=screen,rom=/dev/null%s%s", *props ? "," : "", props);
    if ((pci && bpt_load(m, "pci", "pci", "")) ||
        bpt_provide(m, "screen", BP_IF_DISPLAY, &screen_if, screen) ||
        bpt_load(m, "vga", "vga", all) || bpt_realize_all(m) || bpt_start(m))
        ok(0, "start: %s", bpt_error(m));
    return m;
}

/* ---- Registers ---- */

__attribute__((unused)) static void
seq(struct bpt_machine *m, uint32_t index, uint32_t val)
{
    bpt_out(m, 0x3c4, 2, val << 8 | index);
}

__attribute__((unused)) static void
gr(struct bpt_machine *m, uint32_t index, uint32_t val)
{
    bpt_out(m, 0x3ce, 2, val << 8 | index);
}

__attribute__((unused)) static void
cr(struct bpt_machine *m, uint32_t index, uint32_t val)
{
    bpt_out(m, 0x3d4, 2, val << 8 | index);
}

__attribute__((unused)) static uint32_t
cr_get(struct bpt_machine *m, uint32_t index)
{
    bpt_out(m, 0x3d4, 1, index);
    return bpt_in(m, 0x3d5, 1);
}

/* Leaves the picture on. */
__attribute__((unused)) static void
ar(struct bpt_machine *m, uint32_t index, uint32_t val)
{
    (void)bpt_in(m, 0x3da, 1);
    bpt_out(m, 0x3c0, 1, index);
    bpt_out(m, 0x3c0, 1, val);
    bpt_out(m, 0x3c0, 1, 0x20);
}

__attribute__((unused)) static void
dac(struct bpt_machine *m, uint32_t index, uint32_t r, uint32_t g, uint32_t b)
{
    bpt_out(m, 0x3c8, 1, index);
    bpt_out(m, 0x3c9, 1, r);
    bpt_out(m, 0x3c9, 1, g);
    bpt_out(m, 0x3c9, 1, b);
}

__attribute__((unused)) static void
dispi(struct bpt_machine *m, uint32_t index, uint32_t val)
{
    bpt_out(m, 0x1ce, 2, index);
    bpt_out(m, 0x1cf, 2, val);
}

__attribute__((unused)) static uint32_t
dispi_get(struct bpt_machine *m, uint32_t index)
{
    bpt_out(m, 0x1ce, 2, index);
    return bpt_in(m, 0x1cf, 2);
}

struct vga_mode_regs {
    uint8_t misc, seq[5], cr[25], gr[9], ar[21];
};

#define AR_16  0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
#define AR_CGA 0, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17
#define AR_256 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

/* Mode 3: 80x25 characters of 9x16. */
__attribute__((unused)) static const struct vga_mode_regs mode_text = {
    0x67,
    {3, 0, 3, 0, 2},
    {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0,    0x4f, 0x0d, 0x0e, 0,
     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff},
    {AR_16, 0x0c, 0, 0x0f, 8, 0},
};

/* Mode 0x12: 640x480, 16 colours. */
__attribute__((unused)) static const struct vga_mode_regs mode_planar = {
    0xe3,
    {3, 1, 0x0f, 0, 6},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0,    0x40, 0,    0,   0,
     0,    0,    0,    0xea, 0x8c, 0xdf, 0x28, 0,    0xe7, 4,    0xe3, 0xff},
    {0, 0, 0, 0, 0, 0, 5, 0x0f, 0xff},
    {AR_16, 1, 0, 0x0f, 0, 0},
};

/* Mode 0x13: 320x200, 256 colours. */
__attribute__((unused)) static const struct vga_mode_regs mode_256 = {
    0x63,
    {3, 1, 0x0f, 0, 0x0e},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0,    0x41, 0,    0,   0,
     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x40, 5, 0x0f, 0xff},
    {AR_256, 0x41, 0, 0x0f, 0, 0},
};

/* Mode 4: 320x200, 4 colours, interlaced lines at 0xb8000. */
__attribute__((unused)) static const struct vga_mode_regs mode_cga = {
    0x63,
    {3, 9, 3, 0, 2},
    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0,    0xc1, 0,    0,   0,
     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x14, 0,    0x96, 0xb9, 0xa2, 0xff},
    {0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff},
    {AR_CGA, 1, 0, 3, 0, 0},
};

__attribute__((unused)) static void
set_mode(struct bpt_machine *m, const struct vga_mode_regs *mode)
{
    bpt_out(m, 0x3c2, 1, mode->misc);
    for (uint32_t i = 0; i < sizeof mode->seq; i++)
        seq(m, i, mode->seq[i]);
    cr(m, 0x11, 0); /* takes the protection off */
    for (uint32_t i = 0; i < sizeof mode->cr; i++)
        cr(m, i, mode->cr[i]);
    for (uint32_t i = 0; i < sizeof mode->gr; i++)
        gr(m, i, mode->gr[i]);
    for (uint32_t i = 0; i < sizeof mode->ar; i++)
        ar(m, i, mode->ar[i]);
}

__attribute__((unused)) static void
set_dispi(struct bpt_machine *m, uint32_t w, uint32_t h, uint32_t bpp)
{
    dispi(m, 4, 0);
    dispi(m, 1, w);
    dispi(m, 2, h);
    dispi(m, 3, bpp);
    dispi(m, 4, 0x41);
    ar(m, 0x10, 1); /* switches the picture on */
}

/* Loads a glyph of a font (0-7, in the order of the select register) the way that drivers do. */
__attribute__((unused)) static void
set_glyph(struct bpt_machine *m, uint32_t font_at, uint32_t glyph, const uint8_t *lines, uint32_t n)
{
    seq(m, 2, 4);
    seq(m, 4, 6);
    gr(m, 5, 0);
    gr(m, 6, 4);
    for (uint32_t i = 0; i < n; i++)
        bpt_mmio_write(m, VGA_WINDOW + font_at + 32 * glyph + i, 1, lines[i]);
    seq(m, 2, 3);
    seq(m, 4, 2);
    gr(m, 5, 0x10);
    gr(m, 6, 0x0e);
}

/* The 16 colours of a PC in the palette entries that AR_16 and AR_CGA name. */
__attribute__((unused)) static void
set_pc_colours(struct bpt_machine *m)
{
    for (uint32_t i = 0; i < 64; i++)
        dac(m, i, (i >> 2 & 1) * 42 + (i >> 5 & 1) * 21, (i >> 1 & 1) * 42 + (i >> 4 & 1) * 21,
            (i & 1) * 42 + (i >> 3 & 1) * 21);
}

/* What they come out as. */
__attribute__((unused)) static uint32_t
pc_colour(uint32_t i)
{
    static const uint32_t c[16] = {0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa,
                                   0xaa5500, 0xaaaaaa, 0x555555, 0x5555ff, 0x55ff55, 0x55ffff,
                                   0xff5555, 0xff55ff, 0xffff55, 0xffffff};

    return c[i & 15];
}

#endif
