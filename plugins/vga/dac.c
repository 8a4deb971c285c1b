/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dac.c - the palette: 256 colours of three components, of six bits or (DISPI) of eight.
 *
 * A colour takes effect when its third component is written, as in the INMOS chip that the VGA
 * has: a palette that is being changed never shows half a colour.
 */
#include "vga.h"

enum {
    PORT_DAC_MASK = 0x3c6,
    PORT_DAC_READ_INDEX = 0x3c7, /* read: which of the two indices was written last */
    PORT_DAC_WRITE_INDEX = 0x3c8,
    PORT_DAC_DATA = 0x3c9,
    DAC_STATE_READ = 3,
};

static uint8_t
component_mask(const struct vga_regs *r)
{
    return r->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC ? 0xff : 0x3f;
}

uint8_t
vga_dac_read(struct vga_regs *r, uint32_t port)
{
    uint8_t val;

    switch (port) {
    case PORT_DAC_MASK:
        return r->dac_mask;
    case PORT_DAC_READ_INDEX:
        return r->dac_state;
    case PORT_DAC_WRITE_INDEX:
        return r->dac_index;
    default:
        val = r->dac[r->dac_index][r->dac_phase];
        if (++r->dac_phase == 3) {
            r->dac_phase = 0;
            r->dac_index++;
        }
        return val & component_mask(r);
    }
}

void
vga_dac_write(struct vga_regs *r, uint32_t port, uint8_t val)
{
    switch (port) {
    case PORT_DAC_MASK:
        r->dac_mask = val;
        break;
    case PORT_DAC_READ_INDEX:
    case PORT_DAC_WRITE_INDEX:
        r->dac_index = val;
        r->dac_phase = 0;
        r->dac_state = port == PORT_DAC_READ_INDEX ? DAC_STATE_READ : 0;
        break;
    default:
        r->dac_cache[r->dac_phase] = val & component_mask(r);
        if (++r->dac_phase < 3)
            break;
        for (unsigned i = 0; i < 3; i++)
            r->dac[r->dac_index][i] = r->dac_cache[i];
        r->dac_phase = 0;
        r->dac_index++;
        break;
    }
}

/* Six bits to eight so that 0 and 63 are the ends of the scale. */
static uint32_t
widen(const struct vga_regs *r, uint8_t val)
{
    if (r->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC)
        return val;
    val &= 0x3f;
    return (uint32_t)(val << 2 | val >> 4);
}

void
vga_dac_colours(const struct vga_regs *r, uint32_t colours[256])
{
    for (unsigned i = 0; i < 256; i++) {
        const uint8_t *c = r->dac[i & r->dac_mask];

        colours[i] = widen(r, c[0]) << 16 | widen(r, c[1]) << 8 | widen(r, c[2]);
    }
}

void
vga_attr_colours(const struct vga_regs *r, const uint32_t dac[256], uint32_t colours[16])
{
    uint32_t select = r->ar[AR_SELECT];

    for (unsigned i = 0; i < 16; i++) {
        uint32_t index = r->ar[i & r->ar[AR_PLANES] & 0x0f];

        if (r->ar[AR_MODE] & AR_MODE_SELECT)
            index = (index & 0x0f) | (select & 0x0f) << 4;
        else
            index = (index & 0x3f) | (select & 0x0c) << 4;
        colours[i] = dac[index];
    }
}
