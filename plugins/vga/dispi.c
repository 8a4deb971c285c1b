/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dispi.c - Bochs' DISPI: resolutions and depths that a VGA does not have.
 *
 * A mode is set with the interface disabled and then enabled; the size, depth and virtual width may
 * also change while it is on, as drivers have come to do. Registers always read as what is in
 * force, so settle() runs after every write: whatever a guest writes, the visible lines lie within
 * video memory.
 */
#include <string.h>

#include "vga.h"

#define VBE_BANK 0x10000u

void
dispi_reset(struct vga_regs *r)
{
    memset(r->dispi, 0, sizeof r->dispi);
    r->dispi_index = 0;
    r->dispi[DISPI_ID] = DISPI_ID_MAX;
    r->dispi[DISPI_BPP] = 8;
}

static uint32_t
pitch_of(const struct vga_regs *r, uint32_t width)
{
    uint32_t bpp = r->dispi[DISPI_BPP];

    return bpp == 4 ? (width + 7) / 8 : width * ((bpp + 7) / 8);
}

uint32_t
dispi_pitch(const struct vga_regs *r)
{
    return pitch_of(r, r->dispi[DISPI_VIRT_WIDTH]);
}

/* Bytes of video memory for a line; with 4 bits there are four planes. */
static uint32_t
line_bytes(const struct vga_regs *r, uint32_t width)
{
    return pitch_of(r, width) * (r->dispi[DISPI_BPP] == 4 ? 4 : 1);
}

static uint16_t
limit(uint32_t val, uint32_t max)
{
    return (uint16_t)(val > max ? max : val);
}

void
dispi_settle(struct vga *vga)
{
    struct vga_regs *r = &vga->regs;
    uint16_t *d = r->dispi;
    uint32_t lines;

    switch (d[DISPI_BPP]) {
    case 4:
    case 8:
    case 15:
    case 16:
    case 24:
    case 32:
        break;
    default:
        d[DISPI_BPP] = 8;
        break;
    }
    d[DISPI_XRES] = limit(d[DISPI_XRES], DISPI_XMAX);
    d[DISPI_YRES] = limit(d[DISPI_YRES], DISPI_YMAX);
    d[DISPI_BANK] = limit(d[DISPI_BANK], vga->ram_len / VBE_BANK - 1);
    if (!(d[DISPI_ENABLE] & DISPI_ENABLED))
        return;
    if (!d[DISPI_XRES])
        d[DISPI_XRES] = 8;
    if (!d[DISPI_YRES])
        d[DISPI_YRES] = 1;
    /* Memory is at least 1 MiB, so that the widest line fits. */
    lines = vga->ram_len / line_bytes(r, d[DISPI_XRES]);
    d[DISPI_YRES] = limit(d[DISPI_YRES], lines);
    if (d[DISPI_VIRT_WIDTH] < d[DISPI_XRES] ||
        vga->ram_len / line_bytes(r, d[DISPI_VIRT_WIDTH]) < d[DISPI_YRES])
        d[DISPI_VIRT_WIDTH] = d[DISPI_XRES];
    d[DISPI_VIRT_HEIGHT] = limit(vga->ram_len / line_bytes(r, d[DISPI_VIRT_WIDTH]), 0xffff);
}

/* The legacy window becomes a bank of video memory, whatever mode it was for. */
static void
open_window(struct vga_regs *r)
{
    bool planar = r->dispi[DISPI_BPP] == 4;

    r->gr[GR_MISC] = (uint8_t)((r->gr[GR_MISC] & ~0x0c) | 0x04 | GR_MISC_GRAPHICS);
    r->gr[GR_MODE] &= (uint8_t) ~(GR_MODE_CGA | GR_MODE_256 | GR_MODE_ODD_EVEN);
    r->seq[SEQ_MEMORY] |= SEQ_MEMORY_SEQUENTIAL;
    r->seq[SEQ_MAP_MASK] = 0x0f;
    r->misc |= MISC_RAM;
    if (planar) {
        r->seq[SEQ_MEMORY] &= (uint8_t)~SEQ_MEMORY_CHAIN4;
    } else {
        r->gr[GR_MODE] |= GR_MODE_256;
        r->seq[SEQ_MEMORY] |= SEQ_MEMORY_CHAIN4;
    }
}

static void
enable_write(struct vga *vga, uint16_t val)
{
    struct vga_regs *r = &vga->regs;
    uint16_t *d = r->dispi;
    bool was_on = dispi_on(r), was_wide = d[DISPI_ENABLE] & DISPI_8BIT_DAC;

    d[DISPI_ENABLE] =
        val & (DISPI_ENABLED | DISPI_GET_CAPS | DISPI_8BIT_DAC | DISPI_LFB | DISPI_NO_CLEAR);
    if (was_wide != !!(val & DISPI_8BIT_DAC))
        for (unsigned i = 0; i < 256; i++)
            for (unsigned c = 0; c < 3; c++)
                r->dac[i][c] =
                    (uint8_t)(was_wide ? r->dac[i][c] >> 2 : r->dac[i][c] << 2 | r->dac[i][c] >> 4);
    if (!dispi_on(r)) {
        d[DISPI_BANK] = 0;
        return;
    }
    if (was_on)
        return;
    d[DISPI_VIRT_WIDTH] = d[DISPI_XRES];
    d[DISPI_X_OFFSET] = d[DISPI_Y_OFFSET] = 0;
    d[DISPI_BANK] = 0;
    dispi_settle(vga);
    open_window(r);
    if (!(val & DISPI_NO_CLEAR)) {
        uint32_t len = line_bytes(r, d[DISPI_XRES]) * d[DISPI_YRES];

        memset(vga->ram, 0, len);
        vga_touch(vga, 0, len);
    }
}

uint16_t
dispi_read(const struct vga *vga, uint32_t index)
{
    const uint16_t *d = vga->regs.dispi;

    if (index == DISPI_MEMORY_64K)
        return (uint16_t)(vga->ram_len / VBE_BANK);
    if (d[DISPI_ENABLE] & DISPI_GET_CAPS) {
        if (index == DISPI_XRES)
            return DISPI_XMAX;
        if (index == DISPI_YRES)
            return DISPI_YMAX;
        if (index == DISPI_BPP)
            return 32;
    }
    return index < DISPI_COUNT ? d[index] : 0;
}

void
dispi_write(struct vga *vga, uint32_t index, uint16_t val)
{
    uint16_t *d = vga->regs.dispi;

    switch (index) {
    case DISPI_ID:
        if (val >= DISPI_ID_MIN && val <= DISPI_ID_MAX)
            d[DISPI_ID] = val;
        break;
    case DISPI_ENABLE:
        enable_write(vga, val);
        break;
    case DISPI_XRES:
    case DISPI_YRES:
    case DISPI_BPP:
    case DISPI_BANK:
    case DISPI_VIRT_WIDTH:
    case DISPI_X_OFFSET:
    case DISPI_Y_OFFSET:
        d[index] = val;
        break;
    default:
        return;
    }
    dispi_settle(vga);
    vga_window_update(vga);
}
