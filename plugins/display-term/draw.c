/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * draw.c - see draw.h.
 *
 * No alternate screen: what the guest said last stays readable when it is gone. Between two frames
 * the terminal has plain attributes, so that an end that nobody can see coming leaves it usable.
 */
#include "draw.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Code page 437, as Unicode has it. */
static const uint16_t cp437_low[32] = {
    ' ',    0x263a, 0x263b, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022, 0x25d8, 0x25cb, 0x25d9,
    0x2642, 0x2640, 0x266a, 0x266b, 0x263c, 0x25ba, 0x25c4, 0x2195, 0x203c, 0x00b6, 0x00a7,
    0x25ac, 0x21a8, 0x2191, 0x2193, 0x2192, 0x2190, 0x221f, 0x2194, 0x25b2, 0x25bc,
};
static const uint16_t cp437_high[129] = {
    0x2302, 0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8,
    0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb,
    0x00f9, 0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3,
    0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab,
    0x00bb, 0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551,
    0x2557, 0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e,
    0x255f, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565,
    0x2559, 0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590,
    0x2580, 0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9,
    0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7,
    0x2248, 0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0,
};

/* In the order of SGR 30 to 37 and 90 to 97. */
static const uint32_t palette[16] = {
    0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa,
    0x555555, 0xff5555, 0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
};

enum {
    ATTR_BG_SHIFT = 4,
    ATTR_BLINK = 256,
    ATTR_UNDERLINE = 512,
};

void
draw_init(struct draw *d)
{
    memset(d, 0, sizeof *d);
}

void
draw_fini(struct draw *d)
{
    free(d->shown);
    free(d->out);
    memset(d, 0, sizeof *d);
}

void
draw_forget(struct draw *d)
{
    d->columns = d->rows = 0;
    d->attributes_known = false;
}

static void
append(struct draw *d, const char *p, size_t n)
{
    if (d->len + n > d->cap) {
        size_t cap = d->cap ? 2 * d->cap : 4096;
        char *out;

        while (cap < d->len + n)
            cap *= 2;
        out = d->failed ? NULL : realloc(d->out, cap);
        if (!out) {
            d->failed = true;
            return;
        }
        d->out = out;
        d->cap = cap;
    }
    memcpy(d->out + d->len, p, n);
    d->len += n;
}

__attribute__((format(printf, 2, 3))) static void
say(struct draw *d, const char *fmt, ...)
{
    char text[64];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n > 0)
        append(d, text, (size_t)n);
}

static void
say_glyph(struct draw *d, uint32_t glyph)
{
    uint32_t c = glyph & 0xff;

    c = c < 32 ? cp437_low[c] : c >= 127 ? cp437_high[c - 127] : c;
    if (c < 0x80)
        say(d, "%c", (char)c);
    else if (c < 0x800)
        say(d, "%c%c", (char)(0xc0 | c >> 6), (char)(0x80 | (c & 63)));
    else
        say(d, "%c%c%c", (char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 63)),
            (char)(0x80 | (c & 63)));
}

static uint32_t
nearest(uint32_t rgb)
{
    uint32_t best = 0, best_distance = UINT32_MAX;

    for (uint32_t i = 0; i < 16; i++) {
        uint32_t distance = 0;

        for (int shift = 0; shift < 24; shift += 8) {
            int delta = (int)(rgb >> shift & 0xff) - (int)(palette[i] >> shift & 0xff);

            distance += (uint32_t)(delta * delta);
        }
        if (distance < best_distance) {
            best = i;
            best_distance = distance;
        }
    }
    return best;
}

static uint32_t
attributes(const struct bp_display_cell *cell)
{
    return nearest(cell->fg) | nearest(cell->bg) << ATTR_BG_SHIFT |
           (cell->flags & BP_DISPLAY_CELL_BLINK ? ATTR_BLINK : 0) |
           (cell->flags & BP_DISPLAY_CELL_UNDERLINE ? ATTR_UNDERLINE : 0);
}

static void
set_attributes(struct draw *d, uint32_t a)
{
    uint32_t fg = a & 15, bg = a >> ATTR_BG_SHIFT & 15;

    if (d->attributes_known && d->attributes == a)
        return;
    say(d, "\033[0;%u;%u%s%sm", fg < 8 ? 30 + fg : 82 + fg, bg < 8 ? 40 + bg : 92 + bg,
        a & ATTR_BLINK ? ";5" : "", a & ATTR_UNDERLINE ? ";4" : "");
    d->attributes = a;
    d->attributes_known = true;
}

static void
plain(struct draw *d)
{
    if (d->attributes_known)
        say(d, "\033[0m");
    d->attributes_known = false;
}

static bool
begin(struct draw *d, const struct bp_display_text *t)
{
    struct bp_display_cell *shown = calloc((size_t)t->columns * t->rows, sizeof *shown);

    if (!shown)
        return false;
    /* No cell is like this one. */
    memset(shown, 0xff, (size_t)t->columns * t->rows * sizeof *shown);
    free(d->shown);
    d->shown = shown;
    d->columns = t->columns;
    d->rows = t->rows;
    d->cursor_x = d->cursor_y = 0;
    say(d, "\033[0m\033[?25l\033[2J");
    return true;
}

static bool
draw_cells(struct draw *d, const struct bp_display_text *t)
{
    uint32_t at = UINT32_MAX; /* where the terminal writes next */
    bool any = false;

    for (uint32_t i = 0; i < t->columns * t->rows; i++) {
        const struct bp_display_cell *cell = &t->cells[i];

        if (memcmp(cell, &d->shown[i], sizeof *cell) == 0)
            continue;
        if (!any)
            say(d, "\033[?25l");
        any = true;
        /* Behind the last column terminals differ in where they are. */
        if (at != i || i % t->columns == 0)
            say(d, "\033[%u;%uH", i / t->columns + 1, i % t->columns + 1);
        set_attributes(d, attributes(cell));
        say_glyph(d, cell->glyph);
        d->shown[i] = *cell;
        at = i + 1;
    }
    return any;
}

void
draw_text(struct draw *d, const struct bp_display_text *t)
{
    bool fits = t->columns && t->rows && t->columns <= DRAW_COLUMNS_MAX && t->rows <= DRAW_ROWS_MAX;
    bool hidden, any;

    if (!fits || ((t->columns != d->columns || t->rows != d->rows) && !begin(d, t)))
        return;
    any = draw_cells(d, t);
    plain(d);
    hidden = t->cursor_x >= t->columns || t->cursor_y >= t->rows;
    if (!any && t->cursor_x == d->cursor_x && t->cursor_y == d->cursor_y)
        return;
    if (hidden)
        say(d, "\033[?25l");
    else
        say(d, "\033[%u;%uH\033[?25h", t->cursor_y + 1, t->cursor_x + 1);
    d->cursor_x = t->cursor_x;
    d->cursor_y = t->cursor_y;
}

void
draw_message(struct draw *d, const char *text)
{
    say(d, "\033[0m\033[2J\033[H");
    append(d, text, strlen(text));
    say(d, "\r\n");
    draw_forget(d);
}

void
draw_leave(struct draw *d)
{
    say(d, "\033[0m\033[?25h");
    if (d->rows)
        say(d, "\033[%u;1H\r\n", d->rows);
    draw_forget(d);
}
