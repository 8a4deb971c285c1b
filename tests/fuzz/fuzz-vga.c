/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VGA under a driver that writes anything anywhere: the input is a list of accesses of eight
 * bytes each to ports, the legacy window, the register BAR and video memory, with a display that
 * asks for frames in between. Each frame must be one: of a size that is allowed, every pixel of it
 * readable, its rectangles inside it. Afterwards a save, a load and a save give the same bytes, the
 * fake host saw no broken rule, and a reset puts everything back.
 */
#include "harness/test-vga.h"

static struct bpt_machine *machine;
static struct screen screen;
static uint32_t vga_fn;

static void
must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz-vga: %s: %s\n", what, bpt_error(machine));
    abort();
}

static void
make_machine(void)
{
    if (!getenv("top_builddir"))
        setenv("BACKPLANE_PLUGIN_PATH", "modules", 0);
    machine = vga_machine(&screen, 1, "memory=1M");
    vga_fn = bpt_pci_find(machine, 0x1234, 0x1111, 0);
    must(vga_fn != BPT_PCI_NONE, "start");
}

static void
check_frame(uint32_t flags)
{
    int n = screen_frame(&screen, flags);
    const struct bp_display_frame *f = &screen.frame;

    must(n >= 0 && (uint32_t)n == f->n_rects, "the number of rectangles");
    must(f->width <= BP_DISPLAY_MAX && f->height <= BP_DISPLAY_MAX && f->stride % 4 == 0,
         "the picture's size");
    for (int i = 0; i < n; i++) {
        const struct bp_display_rect *r = &f->rects[i];

        must(r->w && r->h && r->x + r->w <= f->width && r->y + r->h <= f->height, "a rectangle");
    }
    for (uint32_t y = 0; y<f->height; y += f->height> 8 ? f->height / 8 : 1)
        for (uint32_t x = 0; x < f->width; x++)
            must(screen_pixel(&screen, x, y) <= 0xffffff, "a pixel");
    if (f->width)
        must(screen_pixel(&screen, f->width - 1, f->height - 1) <= 0xffffff, "the last pixel");
}

struct access {
    uint8_t kind, where, off, width;
    uint32_t val;
};

static void
play(const struct access *a, unsigned *frames)
{
    struct bp_display_text text = {.size = sizeof text};
    uint32_t width = 1u << a->width % 4, narrow = width > 4 ? 4 : width;
    uint32_t bar2 = bpt_pci_read(machine, vga_fn, 0x18, 4) & ~0xfu;
    uint32_t bar0 = bpt_pci_read(machine, vga_fn, 0x10, 4) & ~0xfu;
    uint64_t wide = a->val | (uint64_t)a->val << 32;

    switch (a->kind % 10) {
    case 0:
    case 1: /* a register of a group by its index */
        bpt_out(machine, (uint16_t)(0x3c0 + (a->where % 0x1f)), 2, a->val << 8 | a->off);
        break;
    case 2:
        bpt_out(machine, (uint16_t)(0x3b0 + a->off % 0x30), narrow, a->val);
        break;
    case 3:
        (void)bpt_in(machine, (uint16_t)(0x3b0 + a->off % 0x30), narrow);
        break;
    case 4:
        dispi(machine, a->off % 13, a->val & 0xffff);
        break;
    case 5:
        bpt_mmio_write(machine, VGA_WINDOW + (a->val & 0x1ffff), width, wide);
        break;
    case 6:
        (void)bpt_mmio_read(machine, VGA_WINDOW + (a->val & 0x1ffff), width);
        break;
    case 7:
        bpt_mmio_write(machine, bar2 + (a->off | (a->where & 7u) << 8), width, wide);
        (void)bpt_mmio_read(machine, bar2 + (a->off | (a->where & 7u) << 8), width);
        break;
    case 8:
        bpt_mmio_write(machine, bar0 + (a->val & 0xfffff & ~7u), width, wide);
        bpt_advance(machine, a->off * INT64_C(10000000));
        break;
    default:
        if ((*frames)++ < 8)
            check_frame(a->off & 1);
        (void)screen.client.text(screen.client.user, &text);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned frames = 0;
    struct access a;

    if (!machine)
        make_machine();
    for (; size >= sizeof a; data += sizeof a, size -= sizeof a) {
        memcpy(&a, data, sizeof a);
        play(&a, &frames);
    }
    check_frame(0);
    must(!bpt_state_roundtrip(machine, "vga"), "state does not come back");
    must(!bpt_reset(machine) && bpt_problems(machine) == 0, "reset");
    check_frame(0);
    must(screen.frame.flags & BP_DISPLAY_BLANK, "not as new after a reset");
    return 0;
}
