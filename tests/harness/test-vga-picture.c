/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vga: what the displays are shown. Expected pictures are made by other means: a font of the test's
 * own drawn with characters, formulas for pixels.
 */
#include "test-vga.h"

/* Glyphs as one sees them; 8 dots, 16 lines. 'A' for the eye, 0xc4 to see the ninth dot. */
static const char *const drawn_a[16] = {
    "........", "........", "...##...", "..#..#..", ".#....#.", ".#....#.", ".######.", ".#....#.",
    ".#....#.", ".#....#.", "........", "........", "........", "........", "........", "#.......",
};
static const char *const drawn_line[16] = {
    "........", "........", "........", "........", "........", "........", "........", "########",
    "........", "........", "........", "........", "........", "........", "........", "........",
};

static void
load_drawn(struct bpt_machine *m, uint32_t font_at, uint32_t glyph, const char *const drawn[16])
{
    uint8_t lines[16];

    for (unsigned y = 0; y < 16; y++) {
        lines[y] = 0;
        for (unsigned x = 0; x < 8; x++)
            lines[y] = (uint8_t)(lines[y] << 1 | (drawn[y][x] == '#'));
    }
    set_glyph(m, font_at, glyph, lines, 16);
}

/* How many dots of a 9 dot cell differ from the drawing. ninth: 1 when the last dot repeats. */
static unsigned
cell_differs(const struct screen *s, uint32_t column, uint32_t row, const char *const drawn[16],
             uint32_t fg, uint32_t bg, int ninth)
{
    unsigned n = 0;

    for (uint32_t y = 0; y < 16; y++)
        for (uint32_t x = 0; x < 9; x++) {
            int on = x < 8 ? drawn[y][x] == '#' : ninth && drawn[y][7] == '#';

            n += screen_pixel(s, column * 9 + x, row * 16 + y) != (on ? fg : bg);
        }
    return n;
}

static void
put(struct bpt_machine *m, uint32_t column, uint32_t row, uint32_t glyph, uint32_t attr)
{
    bpt_mmio_write(m, VGA_TEXT + 2 * (80 * row + column), 2, attr << 8 | glyph);
}

static struct bpt_machine *
text_machine(struct screen *screen)
{
    struct bpt_machine *m = vga_machine(screen, 1, "");

    set_mode(m, &mode_text);
    set_pc_colours(m);
    load_drawn(m, 0, 'A', drawn_a);
    load_drawn(m, 0, 0xc4, drawn_line);
    cr(m, 0x0a, 0x20); /* no cursor */
    return m;
}

static void
test_text(void)
{
    struct screen screen;
    struct bpt_machine *m = text_machine(&screen);
    struct bp_display_rect r;

    put(m, 3, 2, 'A', 0x1e);
    put(m, 79, 24, 0xc4, 0x70);
    put(m, 0, 0, 'A', 0x0f);
    put(m, 1, 0, 0xc4, 0x0f);
    ok(screen_frame(&screen, 0) > 0, "a first frame");
    ok(screen.frame.width == 720 && screen.frame.height == 400, "720x400");
    ok(screen.frame.flags & BP_DISPLAY_RESIZED, "is of a new size");
    ok(!(screen.frame.flags & BP_DISPLAY_BLANK), "and on");
    eq_int(cell_differs(&screen, 3, 2, drawn_a, pc_colour(14), pc_colour(1), 0), 0, "a letter");
    eq_int(cell_differs(&screen, 79, 24, drawn_line, pc_colour(0), pc_colour(7), 1), 0,
           "a line graphic reaches into the ninth dot");
    eq_int(cell_differs(&screen, 0, 0, drawn_a, pc_colour(15), 0, 0), 0, "the corner");
    eq_int(screen_frame(&screen, 0), 0, "nothing changed");
    ok(screen.frame.width == 720 && screen.frame.pixels &&
           !(screen.frame.flags & BP_DISPLAY_RESIZED),
       "the picture is still there");

    put(m, 10, 5, 'A', 0x0c);
    ok(screen_frame(&screen, 0) > 0, "a character changed");
    r = screen_changed(&screen);
    ok(r.x == 90 && r.y == 80 && r.w == 9 && r.h == 16, "and nothing else: %u,%u %ux%u", r.x, r.y,
       r.w, r.h);
    put(m, 10, 5, 'A', 0x0c);
    eq_int(screen_frame(&screen, 0), 0, "the same again is no change");
    ok(screen_frame(&screen, BP_DISPLAY_WHOLE) > 0, "a viewer that just came");
    r = screen_changed(&screen);
    ok(r.x == 0 && r.y == 0 && r.w == 720 && r.h == 400, "gets all of it");

    put(m, 20, 10, 'A', 0x0c);
    put(m, 20, 11, 'A', 0x0c);
    put(m, 21, 11, 'A', 0x0c);
    eq_int(screen_frame(&screen, 0), 2, "lines with the same part changed make one rectangle");
    ok(screen.frame.rects[0].w == 9 && screen.frame.rects[0].h == 16 &&
           screen.frame.rects[1].w == 18 && screen.frame.rects[1].h == 16,
       "others do not");
    load_drawn(m, 0, 0xe4, drawn_line);
    put(m, 40, 3, 0xe4, 0x0f);
    screen_frame(&screen, 0);
    eq_int(cell_differs(&screen, 40, 3, drawn_line, pc_colour(15), 0, 0), 0,
           "characters from 0xe0 on are no line graphics");

    load_drawn(m, 0, 'A', drawn_line);
    screen_frame(&screen, 0);
    eq_int(cell_differs(&screen, 3, 2, drawn_line, pc_colour(14), pc_colour(1), 0), 0,
           "a new font; a letter's ninth dot is background");
    dac(m, 0x3e, 0x3f, 0, 0);
    screen_frame(&screen, 0);
    eq_int(cell_differs(&screen, 3, 2, drawn_line, 0xff0000, pc_colour(1), 0), 0, "a new colour");
    ar(m, 0x10, 0x08);
    screen_frame(&screen, 0);
    eq_int(cell_differs(&screen, 79, 24, drawn_line, pc_colour(0), pc_colour(7), 0), 0,
           "no line graphics: the ninth dot is background everywhere");
    bpt_mmio_write(m, VGA_WINDOW, 1, 0); /* not in the window of this mode */
    eq_int(screen_frame(&screen, 0), 0, "a write beside the window is none");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_fonts(void)
{
    struct screen screen;
    struct bpt_machine *m = text_machine(&screen);

    load_drawn(m, 0x2000, 'A', drawn_line); /* font 4 of the register's numbering */
    seq(m, 3, 0x20);                        /* bit 5: font A is number 4, B stays 0 */
    put(m, 0, 0, 'A', 0x0f);
    put(m, 1, 0, 'A', 0x07);
    screen_frame(&screen, 0);
    eq_int(cell_differs(&screen, 0, 0, drawn_line, pc_colour(15), 0, 0), 0,
           "bit 3 of the attribute chooses the second font");
    eq_int(cell_differs(&screen, 1, 0, drawn_a, pc_colour(7), 0, 0), 0, "and without it the first");
    seq(m, 3, 0x10);
    screen_frame(&screen, 0);
    eq_int(cell_differs(&screen, 0, 0, drawn_a, pc_colour(15), 0, 0), 0, "the other way round");
    eq_int(cell_differs(&screen, 1, 0, drawn_line, pc_colour(7), 0, 0), 0, "with bit 4");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_blink(void)
{
    struct screen screen;
    struct bpt_machine *m = text_machine(&screen);
    unsigned on = 0, off = 0, other = 0, changes = 0;
    struct bp_display_rect r;

    put(m, 5, 5, 'A', 0x9e);
    screen_frame(&screen, 0);
    for (unsigned i = 0; i < 200; i++) {
        unsigned shown = cell_differs(&screen, 5, 5, drawn_a, pc_colour(14), pc_colour(1), 0);
        unsigned hidden = cell_differs(&screen, 5, 5, drawn_a, pc_colour(1), pc_colour(1), 0);

        on += shown == 0;
        off += hidden == 0;
        other += shown && hidden;
        bpt_advance(m, 10000000);
        changes += screen_frame(&screen, 0) > 0;
        r = screen_changed(&screen);
        if (r.w > 9 || r.h > 16)
            other++;
    }
    ok(on > 60 && off > 60 && other == 0, "a blinking character is on %u and off %u times", on,
       off);
    ok(changes >= 7 && changes <= 10, "and changes %u times in two seconds", changes);
    ar(m, 0x10, 0x04);
    screen_frame(&screen, 0);
    eq_int(cell_differs(&screen, 5, 5, drawn_a, pc_colour(14), pc_colour(9), 0), 0,
           "without blinking the bit is a bright background");

    ar(m, 0x10, 0x0c);
    put(m, 5, 5, 'A', 0x1e);
    cr(m, 0x0e, (80 * 5 + 5) >> 8);
    cr(m, 0x0f, (80 * 5 + 5) & 0xff);
    cr(m, 0x0a, 13);
    cr(m, 0x0b, 14);
    on = off = other = 0;
    for (unsigned i = 0; i < 200; i++) {
        screen_frame(&screen, 0);
        if (screen_pixel(&screen, 45, 80 + 13) == pc_colour(14) &&
            screen_pixel(&screen, 53, 80 + 14) == pc_colour(14))
            on++;
        else if (cell_differs(&screen, 5, 5, drawn_a, pc_colour(14), pc_colour(1), 0) == 0)
            off++;
        other += screen_pixel(&screen, 45, 80 + 12) != pc_colour(1);
        other += screen_pixel(&screen, 54, 80 + 13) != 0;
        bpt_advance(m, 10000000);
    }
    ok(on > 60 && off > 60 && other == 0, "the cursor is on %u and off %u times", on, off);
    cr(m, 0x0a, 0x20 | 13);
    screen_frame(&screen, 0);
    eq_int(cell_differs(&screen, 5, 5, drawn_a, pc_colour(14), pc_colour(1), 0), 0,
           "switched off it is not there");
    eq_int(bpt_free(m), 0, "no problems");
}

/* What the BIOS has for mode 7. */
static void
test_underline(void)
{
    struct screen screen;
    struct bpt_machine *m = text_machine(&screen);
    unsigned n = 0;

    cr(m, 0x14, 0x0d);
    put(m, 2, 0, 'A', 0x01);
    put(m, 3, 0, 'A', 0x09);
    put(m, 4, 0, 'A', 0x02);
    screen_frame(&screen, 0);
    for (uint32_t x = 18; x < 27; x++)
        n += screen_pixel(&screen, x, 13) == pc_colour(1);
    eq_int(n, 9, "attribute 1 is underlined, all nine dots");
    eq_int(screen_pixel(&screen, 18, 12), 0, "on one line");
    eq_int(screen_pixel(&screen, 27, 13), pc_colour(9), "and with intensity too");
    eq_int(screen_pixel(&screen, 36, 13), 0, "but no other colour");
    eq_int(bpt_free(m), 0, "no problems");
}

/* 16 colours out of 256: the upper bits come from colour select. */
static void
test_colour_select(void)
{
    struct screen screen;
    struct bpt_machine *m = text_machine(&screen);

    put(m, 0, 0, 0xdb, 0x70); /* an empty glyph: all background, palette register 7 is 7 */
    dac(m, 0x87, 0x3f, 0, 0);
    dac(m, 0xb7, 0, 0x3f, 0);
    ar(m, 0x14, 0x0b);
    screen_frame(&screen, 0);
    eq_int(screen_pixel(&screen, 0, 0), 0xff0000, "two bits above six of the palette register");
    ar(m, 0x10, 0x8c);
    screen_frame(&screen, 0);
    eq_int(screen_pixel(&screen, 0, 0), 0x00ff00, "or four above four");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_text_scroll(void)
{
    struct screen screen;
    struct bpt_machine *m = text_machine(&screen);

    put(m, 0, 1, 'A', 0x07);
    put(m, 0, 0, 0xc4, 0x07);
    cr(m, 0x0d, 80);
    screen_frame(&screen, 0);
    eq_int(cell_differs(&screen, 0, 0, drawn_a, pc_colour(7), 0, 0), 0, "start address");
    cr(m, 0x18, 16 * 10 - 1); /* line compare 159 */
    cr(m, 0x07, 0x0f);
    cr(m, 0x09, 0x0f);
    screen_frame(&screen, 0);
    eq_int(cell_differs(&screen, 0, 0, drawn_a, pc_colour(7), 0, 0), 0, "split screen: the top");
    eq_int(cell_differs(&screen, 0, 10, drawn_line, pc_colour(7), 0, 1), 0,
           "from line 160 on memory begins anew");
    cr(m, 0x08, 3);
    screen_frame(&screen, 0);
    ok(screen_pixel(&screen, 2, 0) == pc_colour(7) && screen_pixel(&screen, 3, 0) == 0,
       "preset row scan: the picture begins with line 3 of the character");
    eq_int(cell_differs(&screen, 0, 10, drawn_line, pc_colour(7), 0, 1), 0,
           "but not the lower part");
    cr(m, 0x08, 0);
    ar(m, 0x13, 1);
    screen_frame(&screen, 0);
    ok(screen_pixel(&screen, 1, 2) == pc_colour(7) && screen_pixel(&screen, 3, 2) == 0,
       "panning 1 moves by two of nine dots");
    ok(screen_pixel(&screen, 6, 167) == pc_colour(7) && screen_pixel(&screen, 7, 167) == 0,
       "in both parts");
    ar(m, 0x10, 0x2c);
    screen_frame(&screen, 0);
    ok(screen_pixel(&screen, 8, 167) == pc_colour(7), "or in the upper part alone");
    ar(m, 0x13, 8);
    seq(m, 1, 1);
    screen_frame(&screen, 0);
    eq_int(screen.frame.width, 640, "characters of eight dots");
    seq(m, 1, 9);
    screen_frame(&screen, 0);
    eq_int(screen.frame.width, 1280, "half the dot clock makes dots twice as wide");
    ok(screen_pixel(&screen, 6, 2) == pc_colour(7) && screen_pixel(&screen, 5, 2) == 0,
       "each of them");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_text_cells(void)
{
    struct screen screen;
    struct bpt_machine *m = text_machine(&screen);
    struct bp_display_text t = {.size = sizeof t};

    put(m, 7, 3, 'x', 0x9f);
    cr(m, 0x0a, 14);
    cr(m, 0x0b, 15);
    cr(m, 0x0e, 0);
    cr(m, 0x0f, 81);
    eq_int(screen.client.text(screen.client.user, &t), 0, "a text mode as characters");
    ok(t.columns == 80 && t.rows == 25, "80x25");
    ok(t.cells[80 * 3 + 7].glyph == 'x' && t.cells[80 * 3 + 7].fg == 0xffffff &&
           t.cells[80 * 3 + 7].bg == pc_colour(1) &&
           t.cells[80 * 3 + 7].flags == BP_DISPLAY_CELL_BLINK,
       "a cell with its colours");
    ok(t.cursor_x == 1 && t.cursor_y == 1, "the cursor");
    set_mode(m, &mode_planar);
    eq_int(screen.client.text(screen.client.user, &t), BP_E_NOTSUP, "not of a graphics mode");
    eq_int(bpt_free(m), 0, "no problems");
}

static unsigned
pixels_differ(const struct screen *s, uint32_t (*want)(uint32_t x, uint32_t y))
{
    unsigned n = 0;

    for (uint32_t y = 0; y < s->frame.height; y++)
        for (uint32_t x = 0; x < s->frame.width; x++)
            n += screen_pixel(s, x, y) != want(x, y);
    return n;
}

/* The colour of a pixel of the patterns below. */
static uint32_t
pattern(uint32_t x, uint32_t y)
{
    return (x / 3 + y * 5 + (x >> 5)) & 0xff;
}

static uint32_t pan_x, pan_y; /* where the picture begins in the pattern */

static uint32_t
want_planar(uint32_t x, uint32_t y)
{
    return pc_colour(pattern(x + pan_x, y + pan_y));
}

/* With the map mask, a pixel's bit at a time through the bit mask: as a BIOS draws. */
static void
test_planar(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 0, "");
    struct bp_display_rect r;

    set_mode(m, &mode_planar);
    set_pc_colours(m);
    cr(m, 0x13, 50); /* 800 pixels wide */
    for (uint32_t plane = 0; plane < 4; plane++) {
        seq(m, 2, 1u << plane);
        for (uint32_t y = 0; y < 500; y++)
            for (uint32_t c = 0; c < 100; c++) {
                uint32_t bits = 0;

                for (uint32_t x = 0; x < 8; x++)
                    bits = bits << 1 | (pattern(c * 8 + x, y) >> plane & 1);
                bpt_mmio_write(m, VGA_WINDOW + y * 100 + c, 1, bits);
            }
    }
    pan_x = pan_y = 0;
    screen_frame(&screen, 0);
    ok(screen.frame.width == 640 && screen.frame.height == 480, "640x480");
    eq_int(pixels_differ(&screen, want_planar), 0, "16 colours from four planes");
    cr(m, 0x0c, (100 * 7 + 3) >> 8);
    cr(m, 0x0d, (100 * 7 + 3) & 0xff);
    ar(m, 0x13, 5);
    pan_x = 3 * 8 + 5;
    pan_y = 7;
    screen_frame(&screen, 0);
    eq_int(pixels_differ(&screen, want_planar), 0, "panning by start address and dots");
    ar(m, 0x12, 0x05);
    screen_frame(&screen, 0);
    eq_int(screen_pixel(&screen, 0, 0), pc_colour(pattern(pan_x, pan_y) & 5),
           "planes switched off");
    ar(m, 0x12, 0x0f);
    screen_frame(&screen, 0);
    seq(m, 2, 0x0f);
    gr(m, 8, 0x10);
    (void)bpt_mmio_read(m, VGA_WINDOW + 100 * 57 + 13, 1);
    bpt_mmio_write(m, VGA_WINDOW + 100 * 57 + 13, 1, 0xff);
    ok(screen_frame(&screen, 0) > 0, "one pixel");
    r = screen_changed(&screen);
    ok(r.y <= 50 && r.y + r.h > 50 && r.h < 20, "few lines: %u to %u", r.y, r.y + r.h);
    eq_int(screen_pixel(&screen, 13 * 8 + 3 - pan_x, 50), 0xffffff, "is drawn");
    seq(m, 1, 0x21);
    screen_frame(&screen, 0);
    ok(screen.frame.flags & BP_DISPLAY_BLANK && screen_pixel(&screen, 9, 9) == 0, "screen off");
    eq_int(screen_frame(&screen, 0), 0, "stays off without changes");
    seq(m, 1, 1);
    ok(screen_frame(&screen, 0) > 0 && !(screen.frame.flags & BP_DISPLAY_BLANK), "on again");
    (void)bpt_in(m, 0x3da, 1);
    bpt_out(m, 0x3c0, 1, 0x00);
    screen_frame(&screen, 0);
    ok(screen.frame.flags & BP_DISPLAY_BLANK, "off by the attribute controller");
    eq_int(bpt_free(m), 0, "no problems");
}

static uint32_t
want_256(uint32_t x, uint32_t y)
{
    uint32_t i = pattern(x / 2 + pan_x, y / 2 + pan_y);

    /* the palette that the test sets: i, 255 - i, i ^ 0x55 in the upper six bits */
    uint32_t r = i >> 2, g = (255 - i) >> 2, b = (i ^ 0x55) >> 2;

    return (r << 2 | r >> 4) << 16 | (g << 2 | g >> 4) << 8 | (b << 2 | b >> 4);
}

static void
test_256(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 0, "");

    set_mode(m, &mode_256);
    for (uint32_t i = 0; i < 256; i++)
        dac(m, i, i >> 2, (255 - i) >> 2, (i ^ 0x55) >> 2);
    for (uint32_t y = 0; y < 200; y++)
        for (uint32_t x = 0; x < 320; x++)
            bpt_mmio_write(m, VGA_WINDOW + 320 * y + x, 1, pattern(x, y));
    pan_x = pan_y = 0;
    screen_frame(&screen, 0);
    ok(screen.frame.width == 640 && screen.frame.height == 400, "320x200, each pixel four");
    eq_int(pixels_differ(&screen, want_256), 0, "mode 0x13");

    /* mode X with the same picture, one plane after the other */
    seq(m, 4, 6);
    cr(m, 0x14, 0);
    cr(m, 0x17, 0xe3);
    for (uint32_t plane = 0; plane < 4; plane++) {
        seq(m, 2, 1u << plane);
        for (uint32_t at = 0; at < 0x8000; at++)
            bpt_mmio_write(m, VGA_WINDOW + at, 1, pattern((4 * at + plane) % 320, at / 80));
    }
    screen_frame(&screen, 0);
    eq_int(pixels_differ(&screen, want_256), 0, "mode X");
    cr(m, 0x0d, 80 + 1);
    ar(m, 0x13, 2);
    pan_x = 5;
    pan_y = 1;
    screen_frame(&screen, 0);
    eq_int(screen_pixel(&screen, 0, 0), want_256(0, 0), "panning, the first pixel");
    eq_int(screen_pixel(&screen, 600, 300), want_256(600, 300), "and another");
    ar(m, 0x13, 3);
    eq_int(screen_frame(&screen, 0), 0, "half a pixel more is none");
    bpt_out(m, 0x3c6, 1, 0);
    screen_frame(&screen, 0);
    pan_x = pan_y = 0;
    eq_int(screen_pixel(&screen, 600, 300), 0x00ff55 & 0x00ffff, "the mask: all are colour 0");
    eq_int(bpt_free(m), 0, "no problems");
}

static uint32_t
want_cga(uint32_t x, uint32_t y)
{
    static const uint32_t four[4] = {0x000000, 0x55ffff, 0xff55ff, 0xffffff};

    return four[pattern(x / 2, y / 2) & 3];
}

static void
test_cga(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 0, "");

    set_mode(m, &mode_cga);
    set_pc_colours(m);
    dac(m, 0x13, 21, 63, 63);
    dac(m, 0x15, 63, 21, 63);
    dac(m, 0x17, 63, 63, 63);
    for (uint32_t y = 0; y < 200; y++)
        for (uint32_t c = 0; c < 80; c++) {
            uint32_t bits = 0;

            for (uint32_t x = 0; x < 4; x++)
                bits = bits << 2 | (pattern(c * 4 + x, y) & 3);
            bpt_mmio_write(m, VGA_TEXT + (y & 1) * 0x2000 + y / 2 * 80 + c, 1, bits);
        }
    screen_frame(&screen, 0);
    ok(screen.frame.width == 640 && screen.frame.height == 400, "320x200, each pixel four");
    eq_int(pixels_differ(&screen, want_cga), 0, "mode 4: two bits a pixel, interlaced lines");

    /* Four lines of a row, at 0, 8, 16 and 24 KiB, as on Hercules' card. */
    cr(m, 0x17, 0xa0);
    cr(m, 0x09, 0xc3);
    for (uint32_t y = 0; y < 200; y++)
        for (uint32_t c = 0; c < 80; c++) {
            uint32_t bits = 0;

            for (uint32_t x = 0; x < 4; x++)
                bits = bits << 2 | (pattern(c * 4 + x, y) & 3);
            bpt_mmio_write(m, VGA_TEXT + (y & 3) * 0x2000 + y / 4 * 80 + c, 1, bits);
        }
    screen_frame(&screen, 0);
    eq_int(pixels_differ(&screen, want_cga), 0, "four ways interlaced");
    eq_int(bpt_free(m), 0, "no problems");
}

static uint32_t depth, big;

static uint32_t
want_linear(uint32_t x, uint32_t y)
{
    uint32_t v = pattern(x + pan_x, y + pan_y) * 0x010307u + (x + pan_x) + ((y + pan_y) << 16);
    uint32_t r, g, b;

    switch (depth) {
    case 15:
        r = v >> 10 & 31, g = v >> 5 & 31, b = v & 31;
        return (r * 33 / 4) << 16 | (g * 33 / 4) << 8 | b * 33 / 4;
    case 16:
        r = v >> 11 & 31, g = v >> 5 & 63, b = v & 31;
        return (r * 33 / 4) << 16 | (g * 65 / 16) << 8 | b * 33 / 4;
    case 8:
        v &= 0xff;
        return v << 16 | (255 - v) << 8 | (v ^ 0x55);
    default:
        return v & 0xffffff;
    }
}

static void
fill_linear(uint8_t *ram, uint32_t pitch, uint32_t w, uint32_t h)
{
    uint32_t bytes = (depth + 7) / 8;

    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++) {
            uint32_t v = pattern(x, y) * 0x010307u + x + (y << 16);

            for (uint32_t i = 0; i < bytes; i++)
                ram[y * pitch + x * bytes + i] =
                    (uint8_t)(v >> 8 * (big ? (bytes == 4 ? 3 : bytes - 1) - i : i));
        }
}

static void
test_linear(void)
{
    static const uint32_t depths[] = {8, 15, 16, 24, 32};
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 1, "memory=4M");
    uint8_t *ram = bpt_device_ram(m, "vga", "memory", NULL);
    uint32_t mmio = bpt_pci_read(m, bpt_pci_find(m, 0x1234, 0x1111, 0), 0x18, 4) & ~0xfu;

    for (big = 0; big < 2; big++)
        for (unsigned i = 0; i < 5; i++) {
            depth = depths[i];
            bpt_mmio_write(m, mmio + 0x604, 4, big ? 0xbebebebe : 0x1e1e1e1e);
            set_dispi(m, 400, 300, depth);
            dispi(m, 4, 0x61);
            dispi(m, 6, 500);
            for (uint32_t c = 0; c < 256; c++)
                dac(m, c, c, 255 - c, c ^ 0x55);
            fill_linear(ram, 500 * ((depth + 7) / 8), 500, 400);
            pan_x = pan_y = 0;
            screen_frame(&screen, BP_DISPLAY_WHOLE);
            ok(pixels_differ(&screen, want_linear) == 0, "%u bits a pixel%s", depth,
               big ? ", big endian" : "");
            dispi(m, 8, 71);
            dispi(m, 9, 33);
            pan_x = 71;
            pan_y = 33;
            ok(screen_frame(&screen, 0) > 0 && pixels_differ(&screen, want_linear) == 0,
               "%u bits, panned", depth);
        }
    big = 0;
    set_dispi(m, 64, 64, 16);
    for (uint32_t i = 0; i < 4 << 20; i++)
        ram[i] = (uint8_t)(i < 256 ? 0xff : 0);
    dispi(m, 6, 100); /* 200 bytes a line: line 20971 ends 96 bytes behind the end */
    dispi(m, 9, 20971);
    dispi(m, 8, 40);
    screen_frame(&screen, 0);
    ok(screen_pixel(&screen, 11, 0) == 0 && screen_pixel(&screen, 12, 0) == 0xffffff &&
           screen_pixel(&screen, 63, 0) == 0xffffff,
       "a line that memory ends in goes on at its beginning");
    dispi(m, 8, 0xffff);
    dispi(m, 9, 0xffff);
    screen_frame(&screen, 0);
    ok(screen_pixel(&screen, 63, 63) != UINT32_MAX, "panned beyond memory there is a picture too");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_linear_changes(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 1, "memory=4M");
    uint64_t bar;
    struct bp_display_rect r;

    bpt_device_ram(m, "vga", "memory", &bar);
    set_dispi(m, 1024, 768, 32);
    screen_frame(&screen, 0);
    eq_int(screen.frame.stride, 4096, "a line of 32-bit pixels is where the guest put it");
    ok(screen.frame.pixels == bpt_device_ram(m, "vga", "memory", NULL), "and is not copied");
    eq_int(screen_frame(&screen, 0), 0, "no change");
    bpt_mmio_write(m, bar + 100 * 4096 + 80, 4, 0x123456);
    bpt_mmio_write(m, bar + 500 * 4096, 4, 0x123456);
    eq_int(screen_frame(&screen, 0), 2, "two pixels, two rectangles");
    ok(screen.frame.rects[0].y == 100 && screen.frame.rects[0].h == 1 &&
           screen.frame.rects[1].y == 500,
       "their lines");
    eq_int(screen_pixel(&screen, 20, 100), 0x123456, "with the pixel");
    set_dispi(m, 512, 384, 16);
    screen_frame(&screen, 0);
    bpt_mmio_write(m, bar + 9 * 4096 + 40, 4, 0xffffffff);
    screen_frame(&screen, 0);
    r = screen_changed(&screen);
    ok(r.y == 36 && r.h == 4 && r.w == 512, "a page of four lines");
    eq_int(screen_pixel(&screen, 20, 36), 0xffffff, "is drawn again");
    eq_int(bpt_free(m), 0, "no problems");
}

/* Two displays that ask at different times. */
static void
test_displays(void)
{
    struct screen a = {0}, b = {0};
    struct bpt_machine *m = bpt_new(4 << 20, 0);
    struct bp_display_rect r;

    bpt_provide(m, "a", BP_IF_DISPLAY, &screen_if, &a);
    bpt_provide(m, "b", BP_IF_DISPLAY, &screen_if, &b);
    bpt_load(m, "vga", "vga", "display=a,display=b,rom=/dev/null");
    if (bpt_realize_all(m) || bpt_start(m))
        ok(0, "start: %s", bpt_error(m));
    set_mode(m, &mode_text);
    set_pc_colours(m);
    cr(m, 0x0a, 0x20);
    screen_frame(&a, 0);
    screen_frame(&b, 0);
    put(m, 1, 1, 'A', 0x70);
    screen_frame(&a, 0);
    put(m, 5, 1, 'A', 0x70);
    ok(screen_frame(&a, 0) > 0, "the first asks twice");
    r = screen_changed(&a);
    ok(r.x == 45 && r.w == 9, "and gets the second change");
    ok(screen_frame(&b, 0) > 0, "the other asks once");
    r = screen_changed(&b);
    ok(r.x == 9 && r.w == 45, "and gets both");
    eq_int(screen_frame(&a, 0) + screen_frame(&b, 0), 0, "then nothing is left");
    seq(m, 1, 1);
    screen_frame(&a, 0);
    screen_frame(&a, 0);
    screen_frame(&b, 0);
    ok((b.frame.flags & BP_DISPLAY_RESIZED) && !(a.frame.flags & BP_DISPLAY_RESIZED),
       "each learns of a new size once");
    eq_int(bpt_free(m), 0, "no problems");
}

int
main(void)
{
    test_text();
    test_fonts();
    test_blink();
    test_underline();
    test_colour_select();
    test_text_scroll();
    test_text_cells();
    test_planar();
    test_256();
    test_cga();
    test_linear();
    test_linear_changes();
    test_displays();
    return done_testing();
}
