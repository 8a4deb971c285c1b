/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * canvas.h - our copy of the adapter's picture, so that viewers take from it at their own pace.
 *
 * Changes are kept in tiles. What the adapter calls changed is compared with the copy first: it
 * knows of pages and lines, and a line that is not different is not worth sending. The caller
 * locks.
 */
#ifndef DISPLAY_VNC_CANVAS_H
#define DISPLAY_VNC_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include <backplane/if/display.h>

#define CANVAS_TILE 32u

struct canvas {
    uint32_t width, height;
    uint32_t *pixels; /* 0x00RRGGBB, width * height */
    uint64_t shape;   /* grows when the size changes */
    bool shows;       /* the adapter had a picture */
};

/* A bit for each tile. */
struct tiles {
    uint32_t columns, rows;
    uint8_t *set; /* a byte each */
    bool any;
};

/* Until the adapter has shown something the picture is black. */
int canvas_init(struct canvas *) __attribute__((warn_unused_result));
void canvas_fini(struct canvas *);
/* Takes over a frame; tiles that changed are set in *changed, which is made anew if the size has
 * changed. BP_E_NOMEM: all is as before. */
int canvas_take(struct canvas *, const struct bp_display_frame *, struct tiles *changed)
    __attribute__((warn_unused_result));

/* For the size of a canvas; none are set. */
int tiles_init(struct tiles *, uint32_t width, uint32_t height) __attribute__((warn_unused_result));
void tiles_fini(struct tiles *);
void tiles_set_all(struct tiles *);
void tiles_clear(struct tiles *);
/* from has the same size. */
void tiles_add(struct tiles *, const struct tiles *from);

#endif
