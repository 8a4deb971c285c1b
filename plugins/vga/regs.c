/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * regs.c - the VGA's registers: ports 0x3b0 to 0x3df, byte by byte.
 *
 * Owns what each register keeps of a value, the indices and the attribute controller's flip-flop.
 * What the registers mean is read out of them where it is needed, so nothing else happens here.
 * FreeVGA's and IBM's names.
 */
#include <string.h>

#include "vga.h"

enum {
    PORT_CRTC_INDEX_MONO = 0x3b4,
    PORT_CRTC_DATA_MONO = 0x3b5,
    PORT_STATUS1_MONO = 0x3ba,
    PORT_AR = 0x3c0,
    PORT_AR_READ = 0x3c1,
    PORT_MISC = 0x3c2, /* read: input status 0 */
    PORT_ENABLE = 0x3c3,
    PORT_SEQ_INDEX = 0x3c4,
    PORT_SEQ_DATA = 0x3c5,
    PORT_FEATURE_READ = 0x3ca,
    PORT_MISC_READ = 0x3cc,
    PORT_GR_INDEX = 0x3ce,
    PORT_GR_DATA = 0x3cf,
    PORT_CRTC_INDEX = 0x3d4,
    PORT_CRTC_DATA = 0x3d5,
    PORT_STATUS1 = 0x3da,
};

/* The bits that exist. */
static const uint8_t seq_bits[SEQ_COUNT] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
static const uint8_t gr_bits[GR_COUNT] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
static const uint8_t ar_bits[AR_COUNT] = {
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f,
};

void
vga_regs_reset(struct vga_regs *r)
{
    memset(r, 0, sizeof *r);
    r->enable = 1;
    r->misc = MISC_COLOUR;
    r->dac_mask = 0xff;
    dispi_reset(r);
}

/* What was loaded keeps to the bits that exist. */
void
vga_regs_mask(struct vga_regs *r)
{
    for (unsigned i = 0; i < SEQ_COUNT; i++)
        r->seq[i] &= seq_bits[i];
    for (unsigned i = 0; i < GR_COUNT; i++)
        r->gr[i] &= gr_bits[i];
    for (unsigned i = 0; i < AR_COUNT; i++)
        r->ar[i] &= ar_bits[i];
    r->ar_index &= 0x3f;
    r->enable &= 1;
}

static void
ar_write(struct vga_regs *r, uint8_t val)
{
    unsigned index = r->ar_index & 0x1f;

    if (!r->ar_data)
        r->ar_index = val & 0x3f;
    else if (index < AR_COUNT)
        r->ar[index] = val & ar_bits[index];
    r->ar_data = !r->ar_data;
}

/* Registers 0 to 7 may be protected, but for the line compare bit in CR_OVERFLOW. */
static void
cr_write(struct vga_regs *r, uint8_t val)
{
    if (r->cr_index >= CR_COUNT)
        return;
    if (r->cr_index <= CR_OVERFLOW && (r->cr[CR_V_SYNC_END] & CR_PROTECT)) {
        if (r->cr_index == CR_OVERFLOW)
            r->cr[CR_OVERFLOW] = (uint8_t)((r->cr[CR_OVERFLOW] & ~0x10) | (val & 0x10));
        return;
    }
    r->cr[r->cr_index] = val;
}

static uint8_t
status1_read(struct vga *vga)
{
    vga->regs.ar_data = false;
    return vga_status1(vga);
}

/* The CRTC and status register 1 are at 0x3bx or at 0x3dx. */
static bool
is_elsewhere(const struct vga_regs *r, uint32_t port)
{
    return port < 0x3c0 ? r->misc & MISC_COLOUR : port >= 0x3d0 && !(r->misc & MISC_COLOUR);
}

uint8_t
vga_port_read(struct vga *vga, uint32_t port)
{
    struct vga_regs *r = &vga->regs;

    if (is_elsewhere(r, port))
        return 0xff;
    switch (port) {
    case PORT_AR:
        return r->ar_index;
    case PORT_AR_READ:
        return (r->ar_index & 0x1f) < AR_COUNT ? r->ar[r->ar_index & 0x1f] : 0;
    case PORT_MISC:
        return 0;
    case PORT_ENABLE:
        return r->enable;
    case PORT_SEQ_INDEX:
        return r->seq_index;
    case PORT_SEQ_DATA:
        return r->seq_index < SEQ_COUNT ? r->seq[r->seq_index] : 0;
    case 0x3c6:
    case 0x3c7:
    case 0x3c8:
    case 0x3c9:
        return vga_dac_read(r, port);
    case PORT_FEATURE_READ:
        return r->feature;
    case PORT_MISC_READ:
        return r->misc;
    case PORT_GR_INDEX:
        return r->gr_index;
    case PORT_GR_DATA:
        return r->gr_index < GR_COUNT ? r->gr[r->gr_index] : 0;
    case PORT_CRTC_INDEX_MONO:
    case PORT_CRTC_INDEX:
        return r->cr_index;
    case PORT_CRTC_DATA_MONO:
    case PORT_CRTC_DATA:
        return r->cr_index < CR_COUNT ? r->cr[r->cr_index] : 0;
    case PORT_STATUS1_MONO:
    case PORT_STATUS1:
        return status1_read(vga);
    default:
        return 0xff;
    }
}

void
vga_port_write(struct vga *vga, uint32_t port, uint8_t val)
{
    struct vga_regs *r = &vga->regs;

    if (is_elsewhere(r, port))
        return;
    switch (port) {
    case PORT_AR:
        ar_write(r, val);
        return;
    case PORT_MISC:
        r->misc = val;
        break;
    case PORT_ENABLE:
        r->enable = val & 1;
        break;
    case PORT_SEQ_INDEX:
        r->seq_index = val;
        return;
    case PORT_SEQ_DATA:
        if (r->seq_index < SEQ_COUNT)
            r->seq[r->seq_index] = val & seq_bits[r->seq_index];
        break;
    case 0x3c6:
    case 0x3c7:
    case 0x3c8:
    case 0x3c9:
        vga_dac_write(r, port, val);
        return;
    case PORT_GR_INDEX:
        r->gr_index = val;
        return;
    case PORT_GR_DATA:
        if (r->gr_index < GR_COUNT)
            r->gr[r->gr_index] = val & gr_bits[r->gr_index];
        break;
    case PORT_CRTC_INDEX_MONO:
    case PORT_CRTC_INDEX:
        r->cr_index = val;
        return;
    case PORT_CRTC_DATA_MONO:
    case PORT_CRTC_DATA:
        cr_write(r, val);
        return;
    case PORT_STATUS1_MONO:
    case PORT_STATUS1:
        r->feature = val;
        return;
    default:
        return;
    }
    vga_window_update(vga);
}
