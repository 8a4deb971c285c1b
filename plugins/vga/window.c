/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * window.c - the legacy window, 0xa0000 to 0xbffff: who answers there.
 *
 * The registers decide: nobody while the memory is switched off, the data path of planar.c, byte by
 * byte, while a mode needs it. Moving costs more than an access, so it is done when the answer
 * changes and not at every write to a register.
 */
#include "vga.h"

#define WINDOW_BASE 0xa0000u
#define WINDOW_LEN  0x20000u

static uint64_t
window_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    uint64_t val = 0;

    (void)id;
    for (uint32_t i = 0; i < width; i++)
        val |= (uint64_t)vga_window_read(self, (uint32_t)off + i) << 8 * i;
    return val;
}

static void
window_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    (void)id;
    for (uint32_t i = 0; i < width; i++)
        vga_window_write(self, (uint32_t)off + i, (uint8_t)(val >> 8 * i));
}

static const struct bp_region_ops window_ops = {
    .size = sizeof window_ops,
    .read = window_read,
    .write = window_write,
};

/* Placed once here, so that somebody else at this address is found before the machine runs. */
int
vga_window_add(struct vga *vga)
{
    static const struct bp_region_desc desc = {
        .size = sizeof desc,
        .kind = BP_REGION_MMIO,
        .len = WINDOW_LEN,
        .name = "window",
        .ops = &window_ops,
    };
    int err = vga->io->region(vga->inst, &desc, &vga->window);

    if (err || (err = vga->io->place(vga->inst, vga->window, WINDOW_BASE)))
        return err;
    vga->window_trapped = true;
    vga_window_update(vga);
    return 0;
}

void
vga_window_update(struct vga *vga)
{
    const struct vga_regs *r = &vga->regs;
    bool trap = (r->misc & MISC_RAM) && r->enable;

    if (trap == vga->window_trapped)
        return;
    if (vga->io->place(vga->inst, vga->window, trap ? WINDOW_BASE : BP_IO_NOWHERE) == 0)
        vga->window_trapped = trap;
}
