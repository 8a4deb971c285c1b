/* SPDX-License-Identifier: BSD-3-Clause */
/* canvas.c - see canvas.h. */
#include "canvas.h"

#include <stdlib.h>
#include <string.h>

/* What a viewer sees of a machine that shows nothing. */
#define EMPTY_WIDTH  640u
#define EMPTY_HEIGHT 480u

int
tiles_init(struct tiles *t, uint32_t width, uint32_t height)
{
    uint32_t columns = (width + CANVAS_TILE - 1) / CANVAS_TILE;
    uint32_t rows = (height + CANVAS_TILE - 1) / CANVAS_TILE;
    uint8_t *set = calloc(columns, rows);

    if (!set)
        return BP_E_NOMEM;
    *t = (struct tiles){.columns = columns, .rows = rows, .set = set};
    return 0;
}

void
tiles_fini(struct tiles *t)
{
    free(t->set);
    *t = (struct tiles){0};
}

void
tiles_set_all(struct tiles *t)
{
    if (!t->set)
        return;
    memset(t->set, 1, (size_t)t->columns * t->rows);
    t->any = true;
}

void
tiles_clear(struct tiles *t)
{
    if (t->any)
        memset(t->set, 0, (size_t)t->columns * t->rows);
    t->any = false;
}

void
tiles_add(struct tiles *t, const struct tiles *from)
{
    if (!from->any)
        return;
    for (size_t i = 0; i < (size_t)t->columns * t->rows; i++)
        t->set[i] |= from->set[i];
    t->any = true;
}

static int
canvas_reshape(struct canvas *c, uint32_t width, uint32_t height)
{
    uint32_t *pixels = calloc((size_t)width * height, sizeof *pixels);

    if (!pixels)
        return BP_E_NOMEM;
    free(c->pixels);
    c->pixels = pixels;
    c->width = width;
    c->height = height;
    c->shape++;
    return 0;
}

int
canvas_init(struct canvas *c)
{
    *c = (struct canvas){0};
    return canvas_reshape(c, EMPTY_WIDTH, EMPTY_HEIGHT);
}

void
canvas_fini(struct canvas *c)
{
    free(c->pixels);
    c->pixels = NULL;
}

/* Part of a line within one tile; the guest may write it meanwhile, so it is read once. */
static bool
take_piece(uint32_t *to, const uint32_t *from, uint32_t n)
{
    uint32_t piece[CANVAS_TILE];

    memcpy(piece, from, n * sizeof *piece);
    for (uint32_t i = 0; i < n; i++)
        piece[i] &= 0xffffff;
    if (memcmp(piece, to, n * sizeof *piece) == 0)
        return false;
    memcpy(to, piece, n * sizeof *piece);
    return true;
}

static void
take_rect(struct canvas *c, const struct bp_display_frame *f, const struct bp_display_rect *r,
          struct tiles *changed)
{
    const char *base = f->pixels;

    if (r->x > c->width || r->y > c->height || r->w > c->width - r->x || r->h > c->height - r->y)
        return; /* the adapter broke its word */
    for (uint32_t y = r->y; y < r->y + r->h; y++) {
        const void *line = base + (size_t)y * f->stride;
        uint32_t n;

        for (uint32_t x = r->x; x < r->x + r->w; x += n) {
            n = CANVAS_TILE - x % CANVAS_TILE;
            n = n < r->x + r->w - x ? n : r->x + r->w - x;
            if (take_piece(c->pixels + (size_t)y * c->width + x, (const uint32_t *)line + x, n)) {
                changed->set[(size_t)(y / CANVAS_TILE) * changed->columns + x / CANVAS_TILE] = 1;
                changed->any = true;
            }
        }
    }
}

int
canvas_take(struct canvas *c, const struct bp_display_frame *f, struct tiles *changed)
{
    bool picture = f->width && f->height && f->pixels;
    uint32_t width = picture ? f->width : EMPTY_WIDTH, height = picture ? f->height : EMPTY_HEIGHT;
    const struct bp_display_rect whole = {0, 0, width, height};
    bool reshaped = width != c->width || height != c->height;
    int err;

    if (width > BP_DISPLAY_MAX || height > BP_DISPLAY_MAX)
        return BP_E_INVAL;
    if (reshaped || !changed->set) {
        struct tiles tiles;

        if ((err = tiles_init(&tiles, width, height)))
            return err;
        if (reshaped && (err = canvas_reshape(c, width, height))) {
            tiles_fini(&tiles);
            return err;
        }
        tiles_set_all(&tiles);
        tiles_fini(changed);
        *changed = tiles;
    }
    if (!picture) {
        if (c->shows && !reshaped) {
            memset(c->pixels, 0, (size_t)width * height * sizeof *c->pixels);
            tiles_set_all(changed);
        }
        c->shows = false;
        return 0;
    }
    c->shows = true;
    if (reshaped)
        take_rect(c, f, &whole, changed);
    for (uint32_t i = 0; i < f->n_rects && !reshaped; i++)
        take_rect(c, f, &f->rects[i], changed);
    return 0;
}
