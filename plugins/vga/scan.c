/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan.c - what the registers say about the picture, and which bytes a line of it shows.
 *
 * The CRTC's address counter begins a row of characters at start + row * pitch and counts one a
 * character; a row lasts cell_h scan lines (doubled ones count once). From the line after line
 * compare on it begins again at 0. In graphics modes a row is usually one scan line, and where it
 * is not, the scan line within the row may drive address bits: the interlaced CGA and Hercules
 * layouts.
 */
#include <string.h>

#include "vga.h"

static void
scan_linear(const struct vga *vga, struct vga_scan *s)
{
    const struct vga_regs *r = &vga->regs;
    const uint16_t *d = r->dispi;
    uint32_t bytes;

    s->width = d[DISPI_XRES];
    s->height = d[DISPI_YRES];
    s->pitch = dispi_pitch(r);
    s->mask = vga->ram_len - 1;
    s->split = UINT32_MAX;
    s->cell_h = 1;
    s->cell_w = 8;
    if (d[DISPI_BPP] == 4) {
        s->mode = VGA_PLANAR;
        s->start = d[DISPI_Y_OFFSET] * s->pitch + d[DISPI_X_OFFSET] / 8u;
        s->pan = s->pan_lower = d[DISPI_X_OFFSET] % 8u;
        s->columns = (s->width + 7) / 8;
        return;
    }
    s->mode = VGA_LINEAR;
    s->bpp = d[DISPI_BPP];
    bytes = (s->bpp + 7) / 8;
    s->start = (d[DISPI_Y_OFFSET] * s->pitch + d[DISPI_X_OFFSET] * bytes) & s->mask;
    s->big_endian = r->big_endian;
}

static void
scan_graphics(const struct vga_regs *r, struct vga_scan *s)
{
    uint32_t byte_mode = r->cr[CR_MODE] & CR_MODE_BYTE ? 1 : 0;

    s->mode = r->gr[GR_MODE] & GR_MODE_256   ? VGA_256
              : r->gr[GR_MODE] & GR_MODE_CGA ? VGA_CGA
                                             : VGA_PLANAR;
    s->cell_w = 8;
    s->width = s->columns * 8 << s->h_double;
    /* Bit 13 or 14 of the byte or word address; a word's is one lower once it is packed. */
    if (!(r->cr[CR_MODE] & CR_MODE_ROW0))
        s->row0 = 1u << (12 + byte_mode);
    if (!(r->cr[CR_MODE] & CR_MODE_ROW1))
        s->row1 = 1u << (13 + byte_mode);
    s->pan = r->ar[AR_PANNING] & 7;
    if (s->mode == VGA_256)
        s->pan &= 6; /* half a pixel is none */
}

/* Which 8 KiB of plane 2 hold a font: bits of the character map select register, out of order. */
static uint32_t
font_offset(uint32_t low, uint32_t high)
{
    return low << 14 | high << 13;
}

static void
scan_text(const struct vga_regs *r, struct vga_scan *s)
{
    uint32_t font = r->seq[SEQ_FONT], pan = r->ar[AR_PANNING] & 0x0f;

    s->mode = VGA_TEXT;
    s->cell_w = r->seq[SEQ_CLOCK] & SEQ_CLOCK_8DOT ? 8 : 9;
    s->width = s->columns * s->cell_w << s->h_double;
    s->fonts[0] = font_offset(font & 3, font >> 4 & 1);
    s->fonts[1] = font_offset(font >> 2 & 3, font >> 5 & 1);
    s->planes = r->ar[AR_PLANES] & 0x0f;
    s->ar_mode = r->ar[AR_MODE] & (AR_MODE_LINE | AR_MODE_BLINK);
    s->underline = r->cr[CR_UNDERLINE] & 0x1f;
    if (s->cell_w == 9)
        s->pan = pan < 8 ? pan + 1 : 0;
    else
        s->pan = pan & 7;
}

void
vga_scan(const struct vga *vga, struct vga_scan *s)
{
    const struct vga_regs *r = &vga->regs;
    const uint8_t *cr = r->cr;
    uint32_t over = cr[CR_OVERFLOW], start, byte_pan = cr[CR_PRESET_ROW] >> 5 & 3;
    bool off = !(r->ar_index & AR_INDEX_VIDEO) || (r->seq[SEQ_CLOCK] & SEQ_CLOCK_OFF) || !r->enable;

    memset(s, 0, sizeof *s);
    if (dispi_on(r)) {
        scan_linear(vga, s);
        if (off)
            s->mode = VGA_BLANK;
        return;
    }
    s->columns = cr[CR_H_DISPLAY] + 1u;
    s->height = (cr[CR_V_DISPLAY] | (over >> 1 & 1) << 8 | (over >> 6 & 1) << 9) + 1u;
    s->split = (cr[CR_LINE_COMPARE] | (over >> 4 & 1) << 8 | (cr[CR_MAX_SCAN] >> 6 & 1u) << 9) + 1u;
    s->pitch = cr[CR_OFFSET] * 2u;
    s->mask = VGA_LEGACY_MEMORY - 1;
    s->cell_h = (cr[CR_MAX_SCAN] & 0x1fu) + 1;
    s->v_double = cr[CR_MAX_SCAN] >> 7;
    s->h_double = r->seq[SEQ_CLOCK] & SEQ_CLOCK_HALF ? 1 : 0;
    s->preset = cr[CR_PRESET_ROW] & 0x1f;
    start = (uint32_t)cr[CR_START_HIGH] << 8 | cr[CR_START_LOW];
    s->start = start + byte_pan;
    if (r->gr[GR_MISC] & GR_MISC_GRAPHICS)
        scan_graphics(r, s);
    else
        scan_text(r, s);
    s->pan_lower = r->ar[AR_MODE] & AR_MODE_PAN_TOP ? 0 : s->pan;
    if (off)
        s->mode = VGA_BLANK;
}

uint32_t
vga_scan_line(const struct vga_scan *s, uint32_t y, uint32_t *ret_row_line)
{
    uint32_t line, row, at, offset;

    if (s->mode == VGA_LINEAR) {
        *ret_row_line = 0;
        return (s->start + y * s->pitch) & s->mask;
    }
    line = y < s->split ? (y >> s->v_double) + s->preset : (y - s->split) >> s->v_double;
    row = line / s->cell_h;
    at = line % s->cell_h;
    offset = (y < s->split ? s->start : 0) + row * s->pitch;
    if (s->row0)
        offset = (offset & ~s->row0) | (at & 1 ? s->row0 : 0);
    if (s->row1)
        offset = (offset & ~s->row1) | (at & 2 ? s->row1 : 0);
    *ret_row_line = at;
    return 4 * offset & s->mask;
}

/* ---- Which pages changed ---- */

void
vga_touch(struct vga *vga, uint32_t addr, uint32_t len)
{
    if (!len)
        return;
    for (uint32_t page = addr / VGA_PAGE; page <= (addr + len - 1) / VGA_PAGE; page++)
        vga->touched[page / 8] |= (uint8_t)(1u << page % 8);
}

/* Adds the core's log; a host that keeps none makes every page dirty. True: some page is. */
bool
vga_dirty_fetch(struct vga *vga)
{
    uint8_t window[VGA_ALIAS_LEN / VGA_PAGE / 8] = {0};
    bool any = false;

    if (vga->ram_if->dirty(vga->inst, vga->ram_id, 0, vga->ram_len, vga->log, vga->pages_len) < 0)
        memset(vga->log, 0xff, vga->pages_len);
    if (vga->has_alias &&
        vga->ram_if->dirty(vga->inst, vga->alias_id, 0, VGA_ALIAS_LEN, window, sizeof window) < 0)
        memset(window, 0xff, sizeof window);
    for (uint32_t i = 0; i < sizeof window; i++)
        vga->log[i] |= window[i];
    for (uint32_t i = 0; i < vga->pages_len; i++) {
        vga->log[i] |= vga->touched[i];
        any |= vga->log[i] != 0;
    }
    memset(vga->touched, 0, vga->pages_len);
    return any;
}

/* [addr, addr + len), which wraps at mask. */
bool
vga_dirty(const struct vga *vga, uint32_t addr, uint32_t len, uint32_t mask)
{
    uint32_t first = addr / VGA_PAGE, last = (addr + len - 1) / VGA_PAGE;

    for (uint32_t i = first; i <= last; i++) {
        uint32_t page = i & mask / VGA_PAGE;

        if (vga->log[page / 8] >> page % 8 & 1)
            return true;
    }
    return false;
}
