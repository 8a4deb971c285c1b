/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * window.c - the legacy window, 0xa0000 to 0xbffff: who answers there.
 *
 * The registers decide: nobody while the memory is switched off; the data path of planar.c, byte by
 * byte, while a mode needs it; video memory itself, without an exit, where the host can show it at
 * a second place and the mode is as linear as 13h. Moving costs more than an access, so it is done
 * when the answer changes and not at every write to a register.
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

/* Traps once here, so that somebody else at this address is found before the machine runs. */
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
    vga->window_is = VGA_WINDOW_TRAPPED;
    if (BP_HAS(struct bp_ram_if, vga->ram_if, alias))
        vga->has_alias = vga->ram_if->alias(vga->inst, "window", vga->ram_id, 0, VGA_ALIAS_LEN,
                                            BP_RAM_DIRTY, &vga->alias_id) == 0;
    vga_window_update(vga);
    return 0;
}

static void
window_leave(struct vga *vga)
{
    if (vga->window_is == VGA_WINDOW_MAPPED)
        (void)vga->ram_if->place(vga->inst, vga->alias_id, BP_RAM_NOWHERE);
    if (vga->window_is == VGA_WINDOW_TRAPPED)
        (void)vga->io->place(vga->inst, vga->window, BP_IO_NOWHERE);
    vga->window_is = VGA_WINDOW_OFF;
}

void
vga_window_update(struct vga *vga)
{
    const struct vga_regs *r = &vga->regs;
    enum vga_window to = !(r->misc & MISC_RAM) || !r->enable         ? VGA_WINDOW_OFF
                         : vga->has_alias && vga_window_is_linear(r) ? VGA_WINDOW_MAPPED
                                                                     : VGA_WINDOW_TRAPPED;

    if (to == vga->window_is)
        return;
    window_leave(vga);
    if (to == VGA_WINDOW_MAPPED) {
        if (vga->ram_if->place(vga->inst, vga->alias_id, WINDOW_BASE) == 0)
            vga->window_is = VGA_WINDOW_MAPPED;
        else
            to = VGA_WINDOW_TRAPPED; /* handlers do the same, only slower */
    }
    if (to == VGA_WINDOW_TRAPPED && vga->io->place(vga->inst, vga->window, WINDOW_BASE) == 0)
        vga->window_is = VGA_WINDOW_TRAPPED;
}
