/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * picture.c - the picture that the displays are shown, brought up to date when one of them asks.
 *
 * It is drawn once for all displays; each keeps its own list of lines that changed since it asked.
 * Nothing notes that a register was written: what the registers say is worked out anew and compared
 * with what the picture was drawn with.
 */
#include <stdlib.h>
#include <string.h>

#include "vga.h"

/* A monitor without a signal of its own size. */
#define NOTHING_WIDTH  640u
#define NOTHING_HEIGHT 400u

void
vga_picture_forget(struct vga *vga)
{
    vga->picture.valid = false;
}

void
vga_damage(struct vga *vga, uint32_t y, uint32_t x0, uint32_t x1)
{
    for (uint32_t i = 0; i < vga->n_heads; i++) {
        struct vga_span *span = vga->heads[i].lines ? &vga->heads[i].lines[y] : NULL;

        if (!span)
            continue;
        if (!span->x1 || x0 < span->x0)
            span->x0 = (uint16_t)x0;
        if (x1 > span->x1)
            span->x1 = (uint16_t)x1;
    }
}

static void
drop(struct vga *vga)
{
    struct vga_picture *p = &vga->picture;

    free(p->pixels);
    free(p->cells);
    p->pixels = NULL;
    p->cells = NULL;
    p->n_cells = 0;
    p->width = p->height = 0;
    p->shown = NULL;
    for (uint32_t i = 0; i < vga->n_heads; i++) {
        free(vga->heads[i].lines);
        free(vga->heads[i].rects);
        vga->heads[i].lines = NULL;
        vga->heads[i].rects = NULL;
        vga->heads[i].resized = true;
    }
}

void
vga_picture_free(struct vga *vga)
{
    drop(vga);
}

static bool
resize(struct vga *vga, uint32_t width, uint32_t height)
{
    struct vga_picture *p = &vga->picture;

    drop(vga);
    for (uint32_t i = 0; i < vga->n_heads; i++) {
        struct vga_head *head = &vga->heads[i];

        head->lines = calloc(height, sizeof *head->lines);
        head->rects = calloc(height, sizeof *head->rects);
        if (!head->lines || !head->rects)
            return false;
    }
    p->width = width;
    p->height = height;
    return true;
}

/* Pixels of 32 bits can be shown where the guest put them. */
static bool
is_direct(const struct vga *vga, const struct vga_scan *s)
{
    return s->mode == VGA_LINEAR && s->bpp == 32 && !s->big_endian &&
           s->start + (uint64_t)(s->height - 1) * s->pitch + 4ull * s->width <= vga->ram_len;
}

/* Where the picture is; false when there is no memory for it. */
static bool
place(struct vga *vga)
{
    struct vga_picture *p = &vga->picture;
    const struct vga_scan *s = &p->scan;
    uint32_t cells = s->mode == VGA_TEXT ? vga_text_rows(s) * (s->columns + 1) : 0;

    p->direct = is_direct(vga, s);
    if (p->direct) {
        free(p->pixels);
        p->pixels = NULL;
        p->shown = vga->ram + s->start;
        p->stride = s->pitch;
        return true;
    }
    if (!p->pixels)
        p->pixels = calloc((size_t)p->width * p->height, sizeof *p->pixels);
    if (cells != p->n_cells) {
        free(p->cells);
        p->cells = cells ? calloc(cells, sizeof *p->cells) : NULL;
        p->n_cells = p->cells ? cells : 0;
    }
    p->shown = (const uint8_t *)p->pixels;
    p->stride = p->width * 4;
    return p->pixels && p->n_cells == cells;
}

/* The colours that pixels are looked up in, if they are. True: they are not those of before. */
static bool
take_palette(struct vga *vga)
{
    struct vga_picture *p = &vga->picture;
    uint32_t colours[256], sixteen[16];
    uint32_t mode = p->scan.mode;

    if (mode == VGA_BLANK || (mode == VGA_LINEAR && p->scan.bpp > 8))
        return false;
    vga_dac_colours(&vga->regs, colours);
    if (mode != VGA_256 && mode != VGA_LINEAR) {
        vga_attr_colours(&vga->regs, colours, sixteen);
        memset(colours, 0, sizeof colours);
        memcpy(colours, sixteen, sizeof sixteen);
    }
    if (memcmp(colours, p->palette, sizeof colours) == 0)
        return false;
    memcpy(p->palette, colours, sizeof colours);
    return true;
}

static void
draw_blank(struct vga *vga, bool all)
{
    struct vga_picture *p = &vga->picture;

    if (!all || !p->pixels)
        return;
    memset(p->pixels, 0, (size_t)p->width * p->height * 4);
    for (uint32_t y = 0; y < p->height; y++)
        vga_damage(vga, y, 0, p->width);
}

void
vga_picture_update(struct vga *vga)
{
    struct vga_picture *p = &vga->picture;
    struct vga_scan scan;
    bool all, dirty;

    vga_scan(vga, &scan);
    if (scan.mode == VGA_BLANK && (scan.width < 64 || scan.height < 64)) {
        scan.width = NOTHING_WIDTH;
        scan.height = NOTHING_HEIGHT;
    }
    dirty = vga_dirty_fetch(vga);
    all = !p->valid || memcmp(&scan, &p->scan, sizeof scan) != 0;
    p->scan = scan;
    if (all) {
        if ((scan.width != p->width || scan.height != p->height) &&
            !resize(vga, scan.width, scan.height)) {
            drop(vga);
            p->valid = false;
            return;
        }
        p->valid = place(vga);
        if (!p->valid) {
            drop(vga);
            return;
        }
    }
    all |= take_palette(vga);
    switch (scan.mode) {
    case VGA_BLANK:
        draw_blank(vga, all);
        break;
    case VGA_TEXT:
        vga_draw_text(vga, all, dirty);
        break;
    default:
        if (all || dirty)
            vga_draw_graphics(vga, all);
        break;
    }
}
