/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timing.c - what depends on time: the retrace bits of input status register 1, and blinking.
 *
 * Both are functions of the machine's clock and the CRTC's registers; nothing ticks, so that a
 * picture that nobody looks at costs nothing.
 */
#include "vga.h"

enum {
    STATUS1_NOT_DISPLAYING = 0x01,
    STATUS1_RETRACE = 0x08,
};

#define NS_PER_S       INT64_C(1000000000)
#define FRAME_NS       (NS_PER_S / 70) /* of a text mode; blinking counts these */
#define CURSOR_FRAMES  16
#define ATTR_FRAMES    32
#define DISPI_FRAME_NS (NS_PER_S / 60)

struct frame {
    int64_t line_ns, lines, displayed, sync_start, sync_end, h_total, h_displayed;
};

/* The frame that the CRTC is programmed for; a nonsensical one becomes that of a text mode. */
static void
frame_of(const struct vga_regs *r, struct frame *f)
{
    const uint8_t *cr = r->cr;
    uint32_t over = cr[CR_OVERFLOW];
    int64_t dots = r->seq[SEQ_CLOCK] & SEQ_CLOCK_8DOT ? 8 : 9;
    int64_t clock = (r->misc >> 2 & 3) == 0 ? 25175000 : 28322000;

    if (r->seq[SEQ_CLOCK] & SEQ_CLOCK_HALF)
        clock /= 2;
    f->h_total = cr[CR_H_TOTAL] + 5;
    f->h_displayed = cr[CR_H_DISPLAY] + 1;
    f->lines = (cr[CR_V_TOTAL] | (over & 1) << 8 | (over >> 5 & 1) << 9) + 2;
    f->displayed = (cr[CR_V_DISPLAY] | (over >> 1 & 1) << 8 | (over >> 6 & 1) << 9) + 1;
    f->sync_start = cr[CR_V_SYNC_START] | (over >> 2 & 1) << 8 | (over >> 7 & 1) << 9;
    f->line_ns = f->h_total * dots * NS_PER_S / clock;
    if (dispi_on(r)) {
        f->displayed = r->dispi[DISPI_YRES];
        f->lines = f->displayed + f->displayed / 20 + 4;
        f->sync_start = f->displayed + 1;
        f->line_ns = DISPI_FRAME_NS / f->lines;
    } else if (f->line_ns * f->lines < NS_PER_S / 250 || f->line_ns * f->lines > NS_PER_S / 10) {
        f->lines = 449;
        f->displayed = 400;
        f->sync_start = 412;
        f->line_ns = FRAME_NS / f->lines;
    }
    f->sync_end = f->sync_start + ((cr[CR_V_SYNC_END] - f->sync_start) & 0x0f);
    if (f->sync_end == f->sync_start)
        f->sync_end += 2;
}

uint8_t
vga_status1(struct vga *vga)
{
    struct frame f;
    int64_t in_frame, line, in_line;
    uint8_t val = 0;

    /* A guest that waits for the beginning and the end of a retrace does not wait. */
    if (!vga->precise) {
        vga->regs.status ^= STATUS1_RETRACE | STATUS1_NOT_DISPLAYING;
        return vga->regs.status;
    }
    frame_of(&vga->regs, &f);
    in_frame = vga->event->now(vga->inst, BP_CLOCK_VIRTUAL) % (f.line_ns * f.lines);
    line = in_frame / f.line_ns;
    in_line = in_frame % f.line_ns;
    if (line >= f.sync_start && line < f.sync_end)
        val |= STATUS1_RETRACE | STATUS1_NOT_DISPLAYING;
    if (line >= f.displayed || in_line * f.h_total >= f.line_ns * f.h_displayed)
        val |= STATUS1_NOT_DISPLAYING;
    return val;
}

bool
vga_blink_on(struct vga *vga, bool cursor)
{
    int64_t now = vga->event->now(vga->inst, BP_CLOCK_VIRTUAL);
    int64_t frames = cursor ? CURSOR_FRAMES : ATTR_FRAMES;

    return now / (FRAME_NS * frames / 2) % 2 == 0;
}
