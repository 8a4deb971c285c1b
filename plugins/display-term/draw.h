/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * draw.h - a text mode's characters as what a terminal understands (ECMA-48, UTF-8): the difference
 * between what it shows and what it shall show.
 */
#ifndef DISPLAY_TERM_DRAW_H
#define DISPLAY_TERM_DRAW_H

#include <stdbool.h>
#include <stddef.h>

#include <backplane/if/display.h>

#define DRAW_COLUMNS_MAX 256u
#define DRAW_ROWS_MAX    128u

struct draw {
    uint32_t columns, rows; /* of what is shown; 0: nothing, or something else */
    uint32_t cursor_x, cursor_y;
    struct bp_display_cell *shown;
    uint32_t attributes; /* that the terminal is set to */
    bool attributes_known;
    char *out; /* what is to be sent */
    size_t len, cap;
    bool failed; /* no memory; nothing more is appended */
};

void draw_init(struct draw *);
void draw_fini(struct draw *);
/* Everything is to be drawn anew. */
void draw_forget(struct draw *);
/* Appends to out what brings the terminal to it. */
void draw_text(struct draw *, const struct bp_display_text *);
/* One line in the middle of nothing, for a mode that has no characters. */
void draw_message(struct draw *, const char *);
/* Leaves the terminal to others: plain, with a cursor, below what is shown. */
void draw_leave(struct draw *);

#endif
