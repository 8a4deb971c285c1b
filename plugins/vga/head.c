/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * head.c - the displays: each has a client of its own and is told what changed since it asked.
 */
#include <stdlib.h>
#include <string.h>

#include <backplane/log.h>

#include "vga.h"

static uint32_t
smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Lines that follow each other with the same part changed make one rectangle. */
static uint32_t
collect(struct vga_head *head, uint32_t height)
{
    struct bp_display_rect *rect = NULL;
    uint32_t n = 0;

    for (uint32_t y = 0; y < height; y++) {
        struct vga_span *span = &head->lines[y];

        if (!span->x1)
            continue;
        if (rect && rect->y + rect->h == y && rect->x == span->x0 &&
            rect->w == (uint32_t)span->x1 - span->x0) {
            rect->h++;
        } else {
            rect = &head->rects[n++];
            *rect = (struct bp_display_rect){span->x0, y, (uint32_t)span->x1 - span->x0, 1};
        }
        span->x0 = span->x1 = 0;
    }
    return n;
}

static int
vga_head_frame(void *user, uint32_t flags, struct bp_display_frame *ret_frame)
{
    struct vga_head *head = user;
    struct vga *vga = head->vga;
    const struct vga_picture *p = &vga->picture;
    struct bp_display_frame frame = {.size = ret_frame->size};

    vga_picture_update(vga);
    if (p->valid) {
        if (flags & BP_DISPLAY_WHOLE)
            for (uint32_t y = 0; y < p->height; y++)
                head->lines[y] = (struct vga_span){0, (uint16_t)p->width};
        frame.width = p->width;
        frame.height = p->height;
        frame.stride = p->stride;
        frame.pixels = p->shown;
        frame.n_rects = collect(head, p->height);
        frame.rects = head->rects;
        frame.flags = p->scan.mode == VGA_BLANK ? BP_DISPLAY_BLANK : 0;
    }
    if (head->resized)
        frame.flags |= BP_DISPLAY_RESIZED;
    head->resized = false;
    memcpy(ret_frame, &frame, smaller(frame.size, sizeof frame));
    return (int)frame.n_rects;
}

/* Asks nothing of the picture: it reads the characters themselves. */
static int
vga_head_text(void *user, struct bp_display_text *ret_text)
{
    struct vga *vga = ((struct vga_head *)user)->vga;
    const uint8_t *cr = vga->regs.cr;
    struct bp_display_text text = {.size = ret_text->size};
    uint32_t dac[256], colours[16], cursor, step, n;
    struct vga_scan s;

    vga_scan(vga, &s);
    if (s.mode != VGA_TEXT)
        return BP_E_NOTSUP;
    step = s.cell_h << s.v_double;
    text.columns = s.columns;
    text.rows = s.height / step ? s.height / step : 1;
    text.cursor_x = text.cursor_y = BP_DISPLAY_NO_CURSOR;
    n = text.columns * text.rows;
    free(vga->text_cells);
    vga->text_cells = calloc(n, sizeof *vga->text_cells);
    if (!vga->text_cells)
        return BP_E_NOMEM;
    vga_dac_colours(&vga->regs, dac);
    vga_attr_colours(&vga->regs, dac, colours);
    cursor = (uint32_t)cr[CR_CURSOR_HIGH] << 8 | cr[CR_CURSOR_LOW];
    for (uint32_t i = 0; i < n; i++) {
        struct bp_display_cell *cell = &vga->text_cells[i];
        uint32_t row_line, column = i % s.columns, row = i / s.columns;
        uint32_t addr = (vga_scan_line(&s, row * step, &row_line) + 4 * column) & s.mask;
        uint8_t attr = vga->ram[addr + 1];
        bool blinks = s.ar_mode & AR_MODE_BLINK;

        cell->glyph = vga->ram[addr] | (attr & 8 && s.fonts[0] != s.fonts[1] ? 0x100u : 0);
        cell->fg = colours[attr & 15];
        cell->bg = colours[attr >> 4 & (blinks ? 7 : 15)];
        cell->flags =
            (blinks && attr & 0x80 ? BP_DISPLAY_CELL_BLINK : 0) |
            ((attr & 0x77) == 1 && s.underline < s.cell_h ? BP_DISPLAY_CELL_UNDERLINE : 0);
        if (addr / 4 == cursor && !(cr[CR_CURSOR_START] & CR_CURSOR_OFF)) {
            text.cursor_x = column;
            text.cursor_y = row;
        }
    }
    text.cells = vga->text_cells;
    memcpy(ret_text, &text, smaller(text.size, sizeof text));
    return 0;
}

/* The monitor's preferred mode: what the guest takes when it looks at the monitor again. */
static int
vga_head_resize(void *user, uint32_t width, uint32_t height)
{
    struct vga *vga = ((struct vga_head *)user)->vga;

    width &= ~7u; /* DISPI's granularity */
    if (width < VGA_PREFER_XMIN || width > DISPI_XMAX || height < VGA_PREFER_YMIN ||
        height > DISPI_YMAX || (uint64_t)width * height * 4 > vga->ram_len)
        return BP_E_RANGE;
    vga_edid(vga->edid, width, height);
    return 0;
}

static int
add(struct vga *vga, uint32_t index)
{
    struct bp_link link = {.size = sizeof link};
    struct vga_head *head = &vga->heads[index];
    const struct bp_display_client client = {
        .size = sizeof client,
        .user = head,
        .frame = vga_head_frame,
        .text = vga_head_text,
        .resize = vga_head_resize,
    };
    int err = vga->host->link_item(vga->inst, "display", index, BP_IF_DISPLAY,
                                   BP_UPTO(struct bp_display_if, attach), &link);

    if (err)
        return err;
    head->vga = vga;
    head->resized = true;
    head->display = link.iface;
    head->display_self = link.self;
    err = head->display->attach(head->display_self, &client);
    head->attached = err == 0;
    return err;
}

int
vga_heads_add(struct vga *vga)
{
    struct bp_value displays = {.size = sizeof displays};
    int err = vga->host->prop(vga->inst, "display", &displays);

    if (err)
        return err;
    if (displays.n > VGA_DISPLAYS_MAX)
        return bp_failf(vga->host, vga->inst, BP_E_RANGE, "display: at most %u", VGA_DISPLAYS_MAX);
    for (vga->n_heads = 0; vga->n_heads < displays.n; vga->n_heads++)
        if ((err = add(vga, vga->n_heads)))
            return err;
    return 0;
}

void
vga_heads_remove(struct vga *vga)
{
    for (uint32_t i = 0; i < VGA_DISPLAYS_MAX; i++)
        if (vga->heads[i].attached)
            vga->heads[i].display->attach(vga->heads[i].display_self, NULL);
}
