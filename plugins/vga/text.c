/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text.c - draws text modes: characters of plane 0, attributes of plane 1, fonts of plane 2.
 *
 * Pages tell nothing about which of the planes changed, so each cell is compared with what was
 * drawn, and the fonts with a copy. A cell is drawn again when its bytes, its blinking or the
 * cursor on it changed.
 */
#include <string.h>

#include "vga.h"

/* vga_cell.look */
enum {
    LOOK_CURSOR = 0x8000, /* with the first line in bits 5 to 9 and the last in bits 0 to 4 */
    LOOK_HIDDEN = 0x4000, /* blinking, and off at the moment */
};

#define ATTR_BLINK 0x80u

/* The part above or below the line compare. */
struct part {
    uint32_t y, end; /* its lines */
    uint32_t base;   /* offset of its first row */
    uint32_t preset, pan, rows;
};

struct cursor {
    uint32_t offset;
    uint16_t look; /* 0: none */
};

static struct part
part_of(const struct vga_scan *s, bool lower)
{
    uint32_t split = s->split < s->height ? s->split : s->height;
    struct part part = {
        .y = lower ? split : 0,
        .end = lower ? s->height : split,
        .base = lower ? 0 : s->start,
        .preset = lower ? 0 : s->preset,
        .pan = lower ? s->pan_lower : s->pan,
    };
    uint32_t lines = (part.end - part.y + s->v_double) >> s->v_double;

    part.rows = lines ? (lines + part.preset + s->cell_h - 1) / s->cell_h : 0;
    return part;
}

uint32_t
vga_text_rows(const struct vga_scan *s)
{
    return part_of(s, false).rows + part_of(s, true).rows;
}

/* True: not the fonts that the picture was drawn with. */
static bool
take_fonts(struct vga *vga)
{
    struct vga_picture *p = &vga->picture;
    bool changed = false;

    for (unsigned f = 0; f < 2; f++)
        for (unsigned i = 0; i < sizeof p->font[0]; i++) {
            uint32_t at = 4 * (p->scan.fonts[f] + i) + 2;
            uint8_t *have = &p->font[f][0][0] + i, now = vga->ram[at & p->scan.mask];

            changed |= *have != now;
            *have = now;
        }
    return changed;
}

static struct cursor
cursor_of(struct vga *vga)
{
    const uint8_t *cr = vga->regs.cr;
    uint32_t start = cr[CR_CURSOR_START] & 0x1f, end = cr[CR_CURSOR_END] & 0x1f;
    uint32_t skew = cr[CR_CURSOR_END] >> 5 & 3;
    struct cursor c = {.offset = (((uint32_t)cr[CR_CURSOR_HIGH] << 8 | cr[CR_CURSOR_LOW]) + skew) &
                                 0xffff};

    if (!(cr[CR_CURSOR_START] & CR_CURSOR_OFF) && start <= end && vga_blink_on(vga, true))
        c.look = (uint16_t)(LOOK_CURSOR | start << 5 | end);
    return c;
}

/* The dots of one line of a cell, the leftmost in the highest bit of cell_w. */
static uint32_t
cell_dots(const struct vga_picture *p, const struct vga_cell *cell, uint32_t line)
{
    const struct vga_scan *s = &p->scan;
    bool second = cell->attr & 8;
    uint32_t dots = cell->look & LOOK_HIDDEN ? 0 : p->font[second][cell->glyph][line];
    uint32_t full = (1u << s->cell_w) - 1;

    if (s->cell_w == 9)
        dots = dots << 1 |
               ((s->ar_mode & AR_MODE_LINE) && (cell->glyph & 0xe0) == 0xc0 ? dots & 1 : 0);
    if ((cell->attr & 0x77) == 0x01 && line == s->underline && !(cell->look & LOOK_HIDDEN))
        dots = full;
    if ((cell->look & LOOK_CURSOR) && line >= (cell->look >> 5 & 0x1fu) &&
        line <= (cell->look & 0x1fu))
        dots = full;
    return dots;
}

static void
draw_dots(struct vga *vga, uint32_t y, int64_t x, uint32_t dots, const uint32_t colours[2])
{
    struct vga_picture *p = &vga->picture;
    uint32_t *line = p->pixels + (size_t)y * p->width;
    uint32_t x0 = p->width, x1 = 0;

    for (uint32_t bit = p->scan.cell_w; bit-- > 0;)
        for (uint32_t twice = 0; twice <= p->scan.h_double; twice++, x++) {
            if (x < 0 || x >= p->width)
                continue;
            line[x] = colours[dots >> bit & 1];
            if (x < x0)
                x0 = (uint32_t)x;
            x1 = (uint32_t)x + 1;
        }
    if (x0 < x1)
        vga_damage(vga, y, x0, x1);
}

static void
draw_cell(struct vga *vga, const struct part *part, uint32_t row, uint32_t column,
          const struct vga_cell *cell)
{
    const struct vga_picture *p = &vga->picture;
    const struct vga_scan *s = &p->scan;
    uint32_t back = cell->attr >> 4 & (s->ar_mode & AR_MODE_BLINK ? 7 : 15);
    const uint32_t colours[2] = {p->palette[back], p->palette[cell->attr & 15]};
    int64_t x = ((int64_t)column * s->cell_w - part->pan) * (1 << s->h_double);

    for (uint32_t at = 0; at < s->cell_h; at++) {
        uint32_t line = row * s->cell_h + at, y, dots;

        if (line < part->preset)
            continue;
        dots = cell_dots(p, cell, at);
        y = part->y + ((line - part->preset) << s->v_double);
        for (uint32_t twice = 0; twice <= s->v_double && y < part->end; twice++, y++)
            draw_dots(vga, y, x, dots, colours);
    }
}

static void
draw_part(struct vga *vga, const struct part *part, struct vga_cell *cells, bool all,
          const struct cursor *cursor, bool hidden)
{
    const struct vga_scan *s = &vga->picture.scan;

    for (uint32_t row = 0; row < part->rows; row++)
        for (uint32_t column = 0; column <= s->columns; column++, cells++) {
            uint32_t offset = (part->base + row * s->pitch + column) & 0xffff;
            const uint8_t *at = vga->ram + (4 * offset & s->mask);
            struct vga_cell now = {.glyph = at[0], .attr = at[1]};

            if (offset == cursor->offset)
                now.look = cursor->look;
            if (hidden && (now.attr & ATTR_BLINK))
                now.look |= LOOK_HIDDEN;
            if (!all && memcmp(&now, cells, sizeof now) == 0)
                continue;
            *cells = now;
            draw_cell(vga, part, row, column, &now);
        }
}

void
vga_draw_text(struct vga *vga, bool all, bool dirty)
{
    struct vga_picture *p = &vga->picture;
    struct cursor cursor = cursor_of(vga);
    struct part upper = part_of(&p->scan, false), lower = part_of(&p->scan, true);
    bool hidden = (p->scan.ar_mode & AR_MODE_BLINK) && !vga_blink_on(vga, false);

    if ((all || dirty) && take_fonts(vga))
        all = true;
    draw_part(vga, &upper, p->cells, all, &cursor, hidden);
    draw_part(vga, &lower, p->cells + (size_t)upper.rows * (p->scan.columns + 1), all, &cursor,
              hidden);
}
