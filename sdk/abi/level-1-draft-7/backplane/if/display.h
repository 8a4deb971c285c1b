/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/if/display.h - bp.display/1: what shows the picture of a display adapter: a window, a
 * VNC server, a screenshot file.
 *
 * Got by the adapter with link(inst, "display", BP_IF_DISPLAY, ...) or link_item(): an adapter may
 * have several displays, each attached with a client of its own. A display serves one adapter, on
 * that device's context. `be` is bp_link.self.
 *
 * The adapter never waits for a display and tells it nothing: the display asks for a frame when it
 * wants one, as often as it likes, and a display that nobody watches does not ask. What the user
 * types goes another way, see backplane/if/input.h.
 */
#ifndef BACKPLANE_IF_DISPLAY_H
#define BACKPLANE_IF_DISPLAY_H

#include <backplane/base.h>

#define BP_IF_DISPLAY "bp.display/1"

#define BP_DISPLAY_MAX 16384 /* no picture is wider or higher */

struct bp_display_rect {
    uint32_t x, y, w, h; /* pixels, from the upper left corner */
};

/* frame() */
enum {
    BP_DISPLAY_WHOLE = 1, /* all of it counts as changed, e.g. for a viewer that just came */
};

/* bp_display_frame.flags */
enum {
    BP_DISPLAY_RESIZED = 1, /* width or height are not those of this display's last frame */
    BP_DISPLAY_BLANK = 2,   /* the guest switched the picture off: every pixel is black */
};

struct bp_display_frame {
    uint32_t size, flags;
    uint32_t width, height; /* both 0: there is no picture, and pixels is NULL */
    uint32_t stride;        /* bytes from one line to the next, a multiple of 4 */
    uint32_t n_rects;       /* what changed since this display's last frame, not overlapping */
    const struct bp_display_rect *rects;
    /*
     * 32 bits a pixel, 0xRRGGBB in the host's byte order; the upper 8 bits mean nothing. It may be
     * memory that the guest writes at the same time: read each pixel once.
     */
    const void *pixels;
};

/* A character cell of a text mode. */
struct bp_display_cell {
    uint32_t glyph;  /* index in the font, 0-511; 0-255 is code page 437 unless the guest loads
                      * another font */
    uint32_t fg, bg; /* 0xRRGGBB */
    uint32_t flags;  /* BP_DISPLAY_CELL_* */
};

/* bp_display_cell.flags */
enum {
    BP_DISPLAY_CELL_BLINK = 1,
    BP_DISPLAY_CELL_UNDERLINE = 2,
};

#define BP_DISPLAY_NO_CURSOR UINT32_MAX

struct bp_display_text {
    uint32_t size, flags;
    uint32_t columns, rows;
    uint32_t cursor_x, cursor_y;         /* both BP_DISPLAY_NO_CURSOR: none is shown */
    const struct bp_display_cell *cells; /* row by row */
};

struct bp_display_client {
    uint32_t size, flags;
    void *user;
    /*
     * Brings the picture up to date. Returns n_rects, 0 when nothing has changed; the other members
     * are valid in either case. What the pointers lead to is good until the callback of the
     * display's that asked returns, or it asks again. [ctx]
     */
    int (*frame)(void *user, uint32_t flags, struct bp_display_frame *ret_frame);
    /* The same picture as characters; BP_E_NOTSUP while the mode is no text mode. Optional. [ctx]
     */
    int (*text)(void *user, struct bp_display_text *ret_text);
    /* The display would rather show a picture of that size (a window was resized): the adapter may
     * tell the guest. Optional. [ctx] */
    int (*resize)(void *user, uint32_t width, uint32_t height);
};

struct bp_display_if {
    uint32_t size, flags;
    /* The client is copied. Its functions may be called from the time this returned, also while the
     * machine stands still. NULL detaches: no more calls. BP_E_BUSY: another adapter has it. [ctx]
     */
    int (*attach)(void *be, const struct bp_display_client *);
};

#endif
