/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vga.h - what the files of the plugin share: the adapter.
 *
 *   registers   vga.c (where they are) -> regs.c (VGA), dispi.c (Bochs DISPI), dac.c (palette)
 *   memory      window.c (where the legacy window is) -> planar.c (what an access there does)
 *   picture     scan.c (registers -> geometry) -> text.c, graphics.c (memory -> pixels)
 *   displays    damage.c (what changed) -> head.c (one display)
 *
 * Video memory is kept packed: byte 4 * o + p is offset o of plane p. So a planar offset is a word
 * of 32 bits, which is what the latches hold; chain-4 addresses are byte addresses; and the linear
 * frame buffer is simply all of it. Odd/even addresses are packed the same way (offset a / 2), so
 * that a character and its attribute are two neighbouring bytes. The address counter of the CRTC
 * then counts offsets in byte, word and doubleword mode alike.
 */
#ifndef PLUGINS_VGA_VGA_H
#define PLUGINS_VGA_VGA_H

#include <stdbool.h>
#include <stdint.h>

#include <backplane/backplane.h>

#define VGA_PAGE          4096u
#define VGA_LEGACY_MEMORY 0x40000u /* what a VGA has: four planes of 64 KiB */
#define VGA_DISPLAYS_MAX  8u

/* Indices of the registers, by group. */
enum {
    SEQ_RESET = 0,
    SEQ_CLOCK = 1,
    SEQ_MAP_MASK = 2,
    SEQ_FONT = 3,
    SEQ_MEMORY = 4,
    SEQ_COUNT = 8,

    GR_SET_RESET = 0,
    GR_ENABLE_SET_RESET = 1,
    GR_COMPARE = 2,
    GR_ROTATE = 3,
    GR_READ_MAP = 4,
    GR_MODE = 5,
    GR_MISC = 6,
    GR_DONT_CARE = 7,
    GR_BIT_MASK = 8,
    GR_COUNT = 9,

    CR_H_TOTAL = 0x00,
    CR_H_DISPLAY = 0x01,
    CR_V_TOTAL = 0x06,
    CR_OVERFLOW = 0x07,
    CR_PRESET_ROW = 0x08,
    CR_MAX_SCAN = 0x09,
    CR_CURSOR_START = 0x0a,
    CR_CURSOR_END = 0x0b,
    CR_START_HIGH = 0x0c,
    CR_START_LOW = 0x0d,
    CR_CURSOR_HIGH = 0x0e,
    CR_CURSOR_LOW = 0x0f,
    CR_V_SYNC_START = 0x10,
    CR_V_SYNC_END = 0x11,
    CR_V_DISPLAY = 0x12,
    CR_OFFSET = 0x13,
    CR_UNDERLINE = 0x14,
    CR_MODE = 0x17,
    CR_LINE_COMPARE = 0x18,
    CR_COUNT = 0x19,

    AR_MODE = 0x10,
    AR_OVERSCAN = 0x11,
    AR_PLANES = 0x12,
    AR_PANNING = 0x13,
    AR_SELECT = 0x14,
    AR_COUNT = 0x15,
};

/* Bits of them. */
enum {
    SEQ_CLOCK_8DOT = 0x01,
    SEQ_CLOCK_HALF = 0x08,
    SEQ_CLOCK_OFF = 0x20,
    SEQ_MEMORY_SEQUENTIAL = 0x04,
    SEQ_MEMORY_CHAIN4 = 0x08,
    GR_MODE_READ1 = 0x08,
    GR_MODE_ODD_EVEN = 0x10,
    GR_MODE_CGA = 0x20,
    GR_MODE_256 = 0x40,
    GR_MISC_GRAPHICS = 0x01,
    CR_MAX_SCAN_DOUBLE = 0x80,
    CR_CURSOR_OFF = 0x20,
    CR_PROTECT = 0x80, /* in CR_V_SYNC_END */
    CR_MODE_ROW0 = 0x01,
    CR_MODE_ROW1 = 0x02,
    CR_MODE_BYTE = 0x40,
    AR_INDEX_VIDEO = 0x20,
    AR_MODE_LINE = 0x04,
    AR_MODE_BLINK = 0x08,
    AR_MODE_PAN_TOP = 0x20,
    AR_MODE_SELECT = 0x80,
    MISC_COLOUR = 0x01,
    MISC_RAM = 0x02,
};

/* Bochs DISPI: 16-bit registers behind an index. */
enum {
    DISPI_ID = 0,
    DISPI_XRES,
    DISPI_YRES,
    DISPI_BPP,
    DISPI_ENABLE,
    DISPI_BANK,
    DISPI_VIRT_WIDTH,
    DISPI_VIRT_HEIGHT,
    DISPI_X_OFFSET,
    DISPI_Y_OFFSET,
    DISPI_MEMORY_64K,
    DISPI_COUNT,
};
enum {
    DISPI_ENABLED = 0x01,
    DISPI_GET_CAPS = 0x02,
    DISPI_8BIT_DAC = 0x20,
    DISPI_LFB = 0x40,
    DISPI_NO_CLEAR = 0x80,
};
#define DISPI_ID_MIN 0xb0c0u
#define DISPI_ID_MAX 0xb0c5u
#define DISPI_XMAX   3840u
#define DISPI_YMAX   2160u
/* No monitor prefers less. */
#define VGA_PREFER_XMIN 320
#define VGA_PREFER_YMIN 200

#define VGA_ALIAS_LEN 0x10000u

/* Where the legacy window leads. */
enum vga_window {
    VGA_WINDOW_OFF,
    VGA_WINDOW_TRAPPED, /* to planar.c */
    VGA_WINDOW_MAPPED,  /* to the first 64 KiB of video memory */
};

struct vga_regs {
    uint8_t misc, feature, enable, status;
    uint8_t seq_index, gr_index, cr_index;
    uint8_t seq[SEQ_COUNT], gr[GR_COUNT], cr[CR_COUNT];
    uint8_t ar_index, ar[AR_COUNT];
    bool ar_data; /* the flip-flop: the next write to 0x3c0 is data */
    uint8_t dac[256][3];
    uint8_t dac_mask, dac_index, dac_phase, dac_state, dac_cache[3];
    uint16_t dispi_index, dispi[DISPI_COUNT];
    uint32_t latch;
    bool big_endian; /* pixels of the linear modes */
};

enum vga_mode {
    VGA_BLANK,
    VGA_TEXT,
    VGA_PLANAR, /* 16 colours from four planes */
    VGA_CGA,    /* 4 colours, two bits a pixel */
    VGA_256,    /* a byte a pixel, each two dots wide */
    VGA_LINEAR, /* DISPI */
};

/* What the registers say about the picture. Plain data: compared with memcmp(), so zero first. */
struct vga_scan {
    uint32_t mode, width, height; /* enum vga_mode; pixels as shown */
    uint32_t bpp, pitch, start;   /* VGA_LINEAR: bytes; otherwise offsets, a row of characters */
    uint32_t mask;                /* byte addresses wrap here: size - 1 */
    uint32_t h_double;            /* each dot is two pixels wide */
    uint32_t cell_w, cell_h;      /* dots of a character, scan lines of a row */
    uint32_t v_double;            /* each scan line is shown twice */
    uint32_t columns;
    uint32_t split;      /* the first line of the lower part, which begins at offset 0 */
    uint32_t preset;     /* scan line of the row that the picture begins with */
    uint32_t pan;        /* dots that it begins further right */
    uint32_t pan_lower;  /* the same for the lower part */
    uint32_t row0, row1; /* graphics: offset bits that the row's scan line drives; 0: none */
    uint32_t big_endian;
    uint32_t planes, ar_mode, fonts[2], underline; /* text */
};

/* A cell of a text mode as it was drawn. */
struct vga_cell {
    uint8_t glyph, attr;
    uint16_t look; /* which lines the cursor covers, whether the character is blinked away */
};

/* The changed part of one line: [x0, x1); empty when x1 is 0. */
struct vga_span {
    uint16_t x0, x1;
};

struct vga_head {
    struct vga *vga;
    const struct bp_display_if *display;
    void *display_self;
    bool resized, attached;
    struct vga_span *lines;        /* picture.height of them */
    struct bp_display_rect *rects; /* as many */
};

/* What the displays are shown. */
struct vga_picture {
    struct vga_scan scan;   /* that it was drawn with */
    uint32_t width, height; /* 0: nothing was drawn yet */
    uint32_t *pixels;       /* width * height, or NULL while the guest's memory serves */
    const uint8_t *shown;   /* first pixel */
    bool direct;            /* shown is the guest's memory */
    uint32_t stride;        /* bytes */
    uint32_t palette[256];  /* that it was drawn with */
    struct vga_cell *cells; /* text: columns * rows */
    uint32_t n_cells;
    uint8_t font[2][256][32];
    bool valid; /* false: draw everything */
};

struct vga {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_io_if *io;
    const struct bp_ram_if *ram_if;
    const struct bp_event_if *event;
    const struct bp_mem_if *mem;

    uint8_t *ram; /* the guest writes to it at any time */
    uint32_t ram_len;
    bp_ram ram_id, alias_id, rom_id;
    bool has_alias;
    uint8_t *rom; /* not on PCI: copied to 0xc0000 */
    uint32_t rom_len;
    bool rom_on_pci;
    uint8_t edid[128];
    bool precise; /* status register 1 follows the clock */

    struct vga_regs regs;
    bp_region window;
    enum vga_window window_is;

    uint8_t *touched, *log; /* a bit a page: written through handlers; the core's log */
    uint32_t pages_len;     /* bytes of them */

    struct vga_picture picture;
    struct vga_head heads[VGA_DISPLAYS_MAX];
    uint32_t n_heads;
    struct bp_display_cell *text_cells; /* what text() gave last */
};

/* regs.c: the VGA's ports, 0x3b0 to 0x3df. */
uint8_t vga_port_read(struct vga *vga, uint32_t port);
void vga_port_write(struct vga *vga, uint32_t port, uint8_t val);
void vga_regs_reset(struct vga_regs *r);
void vga_regs_mask(struct vga_regs *r);

/* dac.c: the palette. */
uint8_t vga_dac_read(struct vga_regs *r, uint32_t port);
void vga_dac_write(struct vga_regs *r, uint32_t port, uint8_t val);
void vga_dac_colours(const struct vga_regs *r, uint32_t colours[256]);
/* What a pixel's colour number is in a mode of 16 colours. */
void vga_attr_colours(const struct vga_regs *r, const uint32_t dac[256], uint32_t colours[16]);

/* dispi.c */
uint16_t dispi_read(const struct vga *vga, uint32_t index);
void dispi_write(struct vga *vga, uint32_t index, uint16_t val);
void dispi_reset(struct vga_regs *r);
/* Makes registers that were loaded consistent. */
void dispi_settle(struct vga *vga);
uint32_t dispi_pitch(const struct vga_regs *r); /* bytes; of one plane with 4 bits a pixel */

static inline bool
dispi_on(const struct vga_regs *r)
{
    return r->dispi[DISPI_ENABLE] & DISPI_ENABLED;
}

/* planar.c: off is from 0xa0000. */
uint8_t vga_window_read(struct vga *vga, uint32_t off);
void vga_window_write(struct vga *vga, uint32_t off, uint8_t val);
/* The window is nothing but the first 64 KiB of memory now. */
bool vga_window_is_linear(const struct vga_regs *r);

/* window.c */
int vga_window_add(struct vga *vga);
/* The registers or the mapping changed: traps or maps it. */
void vga_window_update(struct vga *vga);

/* vga.c */
void vga_memory_clear(struct vga *vga);

/* rom.c */
int vga_rom_add(struct vga *vga, const struct bp_pci_bus_if *bus, void *bus_self, uint32_t fn);
int vga_rom_start(struct vga *vga);

/* edid.c: a monitor whose preferred mode is w * h. */
void vga_edid(uint8_t edid[128], uint32_t w, uint32_t h);

/* timing.c */
uint8_t vga_status1(struct vga *vga);
bool vga_blink_on(struct vga *vga, bool cursor);

/* scan.c */
void vga_scan(const struct vga *vga, struct vga_scan *ret_scan);
/* Where a line of the picture is in memory: the byte address of its first character or pixel, and
 * the scan line within its row. */
uint32_t vga_scan_line(const struct vga_scan *scan, uint32_t y, uint32_t *ret_row_line);
/* The page may have changed since the last vga_dirty_fetch(). */
void vga_touch(struct vga *vga, uint32_t addr, uint32_t len);
bool vga_dirty_fetch(struct vga *vga);
bool vga_dirty(const struct vga *vga, uint32_t addr, uint32_t len, uint32_t mask);

/* text.c, graphics.c: bring the picture up to date. all: draw everything. */
void vga_draw_text(struct vga *vga, bool all, bool dirty);
void vga_draw_graphics(struct vga *vga, bool all);
uint32_t vga_text_rows(const struct vga_scan *scan); /* shown in part or in whole */

/* picture.c */
void vga_picture_update(struct vga *vga);
void vga_picture_forget(struct vga *vga); /* draw all of it next time */
void vga_picture_free(struct vga *vga);
void vga_damage(struct vga *vga, uint32_t y, uint32_t x0, uint32_t x1);

/* head.c */
int vga_heads_add(struct vga *vga);
void vga_heads_remove(struct vga *vga);

/* state.c */
int vga_save(void *self, const struct bp_writer *w);
int vga_load(void *self, const struct bp_reader *r);

#endif
