/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vga.c - draws a pattern in each of a list of modes, says "mode NAME" and waits for a byte on COM1
 * before the next. It runs on any machine with a VGA 1234:1111, so that two pictures of the same
 * mode can be compared.
 *
 * Colours are such that it does not matter how six bits become eight: even ones below 16 and odd
 * ones from 48 on.
 */
#include "guest.h"

int main(u32 magic, const u32 *info);

#define COM1   0x3f8
#define WINDOW 0xa0000u
#define TEXT   0xb8000u

static u32 random_state, frame_buffer;

static u32
random_below(u32 n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % n;
}

static inline void
write8(u32 addr, u32 v)
{
    *(volatile u8 *)addr = (u8)v;
}

static void
seq(u32 index, u32 v)
{
    outw(0x3c4, (u16)(v << 8 | index));
}

static void
gr(u32 index, u32 v)
{
    outw(0x3ce, (u16)(v << 8 | index));
}

static void
cr(u32 index, u32 v)
{
    outw(0x3d4, (u16)(v << 8 | index));
}

static void
ar(u32 index, u32 v)
{
    (void)inb(0x3da);
    outb(0x3c0, (u8)index);
    outb(0x3c0, (u8)v);
    outb(0x3c0, 0x20);
}

static void
dispi(u32 index, u32 v)
{
    outw(0x1ce, (u16)index);
    outw(0x1cf, (u16)v);
}

static u32
pci_read(u32 slot, u32 off)
{
    outl(0xcf8, 0x80000000u | slot << 11 | off);
    return inl(0xcfc);
}

static void
palette(void)
{
    static const u8 level[8] = {0, 6, 14, 49, 51, 55, 61, 63};

    outb(0x3c8, 0);
    for (u32 i = 0; i < 256; i++) {
        outb(0x3c9, level[i & 7]);
        outb(0x3c9, level[(i >> 3 ^ i) & 7]);
        outb(0x3c9, level[(i >> 5 ^ i << 1) & 7]);
    }
}

struct mode {
    u8 misc, seq[5], cr[25], gr[9], ar_mode, ar_pan;
};

static const struct mode text = {
    0x67,
    {3, 0, 3, 0, 2},
    {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0,    0x4f, 0x2d, 0x0e, 0,
     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff},
    0x04,
    8,
};
static const struct mode planar = {
    0xe3,
    {3, 1, 0x0f, 0, 6},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0,    0x40, 0,    0,   0,
     0,    0,    0,    0xea, 0x8c, 0xdf, 0x28, 0,    0xe7, 4,    0xe3, 0xff},
    {0, 0, 0, 0, 0, 0, 5, 0x0f, 0xff},
    1,
    0,
};
static const struct mode low = {
    /* 320x200, 16 colours: lines and dots doubled */
    0x63,
    {3, 9, 0x0f, 0, 6},
    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0,    0xc0, 0,    0,   0,
     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x14, 0,    0x96, 0xb9, 0xe3, 0xff},
    {0, 0, 0, 0, 0, 0, 5, 0x0f, 0xff},
    1,
    0,
};
static const struct mode bytes = {
    0x63,
    {3, 1, 0x0f, 0, 0x0e},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0,    0x41, 0,    0,   0,
     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x40, 5, 0x0f, 0xff},
    0x41,
    0,
};
static const struct mode cga = {
    0x63,
    {3, 9, 3, 0, 2},
    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0,    0xc1, 0,    0,   0,
     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x14, 0,    0x96, 0xb9, 0xa2, 0xff},
    {0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff},
    1,
    0,
};

static void
set(const struct mode *m)
{
    dispi(4, 0);
    outb(0x3c2, m->misc);
    for (u32 i = 0; i < 5; i++)
        seq(i, m->seq[i]);
    cr(0x11, 0);
    for (u32 i = 0; i < 25; i++)
        cr(i, m->cr[i]);
    for (u32 i = 0; i < 9; i++)
        gr(i, m->gr[i]);
    for (u32 i = 0; i < 16; i++)
        ar(i, i * 3 & 0x3f);
    ar(0x10, m->ar_mode);
    ar(0x11, 0);
    ar(0x12, 0x0f);
    ar(0x13, m->ar_pan);
    ar(0x14, 0);
    palette();
}

static void
shown(const char *name)
{
    guest_puts("mode ");
    guest_puts(name);
    guest_putc('\n');
    while (!(inb(COM1 + 5) & 1))
        ;
    (void)inb(COM1);
}

/* Firmware may have left fonts and characters. */
static void
clear(void)
{
    set(&planar);
    for (u32 i = 0; i < 0x10000; i += 4)
        write32(WINDOW + i, 0);
}

static void
draw_text(void)
{
    clear();
    set(&text);
    seq(2, 4);
    seq(4, 6);
    gr(5, 0);
    gr(6, 4);
    for (u32 glyph = 0x40; glyph < 0x60; glyph++)
        for (u32 y = 0; y < 16; y++)
            write8(WINDOW + 32 * glyph + y, random_below(256));
    for (u32 y = 0; y < 16; y++) {
        write8(WINDOW + 32 * 0xc4 + y, y == 7 ? 0xff : 0);
        write8(WINDOW + 0x4000 + 32 * 0x41 + y, random_below(256)); /* font 1 */
    }
    seq(2, 3);
    seq(4, 2);
    gr(5, 0x10);
    gr(6, 0x0e);
    for (u32 i = 0; i < 80 * 26; i++) {
        u32 glyph = i % 7 ? 0x40 + random_below(32) : 0xc4;

        *(volatile u16 *)(TEXT + 2 * i) = (u16)(random_below(256) << 8 | glyph);
    }
    shown("text");
    cr(0x0d, 80);
    shown("text-scrolled");
    seq(3, 0x04); /* font A is 1 */
    shown("text-two-fonts");
    seq(1, 1);
    ar(0x13, 0);
    shown("text-8-dots");
}

/* Boxes through every write mode. */
static void
boxes(u32 pitch, u32 lines, u32 n)
{
    while (n--) {
        u32 x = random_below(pitch - 9), y = random_below(lines - 20);
        u32 w = 1 + random_below(8), h = 1 + random_below(18), mode = random_below(4);

        gr(0, random_below(16));
        gr(1, random_below(16));
        gr(3, random_below(32));
        gr(5, mode);
        gr(8, random_below(256));
        seq(2, 1 + random_below(15));
        for (u32 i = y; i < y + h; i++)
            for (u32 c = x; c < x + w; c++) {
                (void)read8(WINDOW + i * pitch + c - (mode == 1));
                write8(WINDOW + i * pitch + c, random_below(256));
            }
    }
}

static void
draw_planar(void)
{
    set(&planar);
    boxes(80, 500, 150);
    shown("planar");
    cr(0x0c, 3);
    cr(0x0d, 0x45);
    cr(0x13, 0x29);
    shown("planar-moved");
    cr(0x18, 200);
    cr(0x07, 0x3e & ~0x10);
    cr(0x09, 0);
    shown("planar-split");
    ar(0x12, 0x06);
    shown("planar-two-planes");
    set(&low);
    shown("planar-320");
}

static void
draw_bytes(void)
{
    set(&bytes);
    for (u32 i = 0; i < 64000; i += 4)
        *(volatile u32 *)(WINDOW + i) = random_below(0x1000000) * 17 + i;
    shown("256");
    seq(4, 6);
    cr(0x14, 0);
    cr(0x17, 0xe3);
    for (u32 plane = 0; plane < 4; plane++) {
        seq(2, 1u << plane);
        for (u32 i = 0; i < 2000; i++)
            write8(WINDOW + random_below(20000), i + plane);
    }
    cr(0x0d, 0x30);
    shown("mode-x");
    set(&cga);
    for (u32 i = 0; i < 0x4000; i += 2)
        *(volatile u16 *)(TEXT + i) = (u16)random_below(0x10000);
    shown("cga");
}

/* The same words in every depth, drawn through BAR 0. */
static void
draw_linear(u32 w, u32 h, u32 bpp, const char *name)
{
    dispi(4, 0);
    dispi(1, w);
    dispi(2, h);
    dispi(3, bpp);
    dispi(4, 0x41);
    ar(0x10, 0x41);
    if (bpp == 8)
        palette();
    for (u32 i = 0; i < 20000; i++)
        write32(frame_buffer + 4 * random_below(w * h * (bpp / 8 + (bpp == 15)) / 4),
                random_below(0x1000000) * 0x101u);
    shown(name);
}

static void
draw_dispi(void)
{
    draw_linear(640, 480, 8, "dispi-8");
    draw_linear(800, 600, 15, "dispi-15");
    draw_linear(640, 400, 16, "dispi-16");
    draw_linear(512, 384, 24, "dispi-24");
    draw_linear(1024, 768, 32, "dispi-32");
    dispi(6, 1280);
    dispi(8, 56);
    dispi(9, 100);
    shown("dispi-32-panned");
    dispi(4, 0);
    dispi(1, 640);
    dispi(2, 480);
    dispi(3, 8);
    dispi(4, 1);
    for (u32 bank = 0; bank < 4; bank++) {
        dispi(5, bank);
        for (u32 i = 0; i < 1000; i++)
            write32(WINDOW + 4 * random_below(0x4000), random_below(0x1000000) * 0x101u);
    }
    shown("dispi-banks");
}

int
main(u32 magic, const u32 *info)
{
    (void)magic, (void)info;
    for (u32 slot = 0; slot < 32 && !frame_buffer; slot++)
        if (pci_read(slot, 0) == 0x11111234)
            frame_buffer = pci_read(slot, 0x10) & ~0xfu;
    guest_show("frame buffer", frame_buffer);
    if (!frame_buffer)
        guest_exit(1);
    draw_text();
    draw_planar();
    draw_bytes();
    draw_dispi();
    guest_puts("end\n");
    guest_exit(0);
}
