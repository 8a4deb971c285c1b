/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vga: the legacy window. Every write and read mode against a second model of the data path, which
 * goes plane by plane and bit by bit as the manual describes it; then address modes and banks.
 */
#include "test-vga.h"

#define OFFSETS 64u

/* What the manual says. */
struct model {
    uint8_t plane[4][OFFSETS], latch[4];
    uint8_t set_reset, enable, compare, rotate, function, read_map, write_mode, read_mode;
    uint8_t dont_care, bit_mask, map_mask;
};

static int
model_bit(const struct model *d, unsigned p, unsigned bit, uint8_t cpu)
{
    int latch = d->latch[p] >> bit & 1, data = 0, mask = d->bit_mask >> bit & 1;
    uint8_t rotated = cpu;

    for (unsigned i = 0; i < d->rotate; i++)
        rotated = (uint8_t)(rotated >> 1 | (rotated & 1) << 7);
    switch (d->write_mode) {
    case 0:
        data = d->enable >> p & 1 ? d->set_reset >> p & 1 : rotated >> bit & 1;
        break;
    case 1:
        return latch;
    case 2:
        data = cpu >> p & 1;
        break;
    default:
        data = d->set_reset >> p & 1;
        mask &= rotated >> bit & 1;
        break;
    }
    if (d->function == 1)
        data &= latch;
    if (d->function == 2)
        data |= latch;
    if (d->function == 3)
        data ^= latch;
    return mask ? data : latch;
}

static void
model_write(struct model *d, unsigned at, uint8_t cpu)
{
    for (unsigned p = 0; p < 4; p++) {
        unsigned val = 0;

        for (unsigned bit = 0; bit < 8; bit++)
            val |= (unsigned)model_bit(d, p, bit, cpu) << bit;
        if (d->map_mask >> p & 1)
            d->plane[p][at] = (uint8_t)val;
    }
}

static uint8_t
model_read(struct model *d, unsigned at)
{
    unsigned val = 0;

    for (unsigned p = 0; p < 4; p++)
        d->latch[p] = d->plane[p][at];
    if (d->read_mode == 0)
        return d->latch[d->read_map];
    for (unsigned bit = 0; bit < 8; bit++) {
        int same = 1;

        for (unsigned p = 0; p < 4; p++)
            if (d->dont_care >> p & 1)
                same &= (d->latch[p] >> bit & 1) == (d->compare >> p & 1);
        val |= (unsigned)same << bit;
    }
    return (uint8_t)val;
}

static uint32_t random_state = 1;

static uint32_t
random_bits(uint32_t bits)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8 & ((1u << bits) - 1);
}

static void
model_program(struct bpt_machine *m, struct model *d)
{
    d->set_reset = (uint8_t)random_bits(4);
    d->enable = (uint8_t)random_bits(4);
    d->compare = (uint8_t)random_bits(4);
    d->rotate = (uint8_t)random_bits(3);
    d->function = (uint8_t)random_bits(2);
    d->read_map = (uint8_t)random_bits(2);
    d->dont_care = (uint8_t)random_bits(4);
    d->bit_mask = (uint8_t)random_bits(8);
    d->map_mask = (uint8_t)random_bits(4);
    gr(m, 0, d->set_reset);
    gr(m, 1, d->enable);
    gr(m, 2, d->compare);
    gr(m, 3, (uint32_t)d->function << 3 | d->rotate);
    gr(m, 4, d->read_map);
    gr(m, 5, (uint32_t)d->read_mode << 3 | d->write_mode);
    gr(m, 7, d->dont_care);
    gr(m, 8, d->bit_mask);
    seq(m, 2, d->map_mask);
}

static void
test_data_path(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 0, "");

    for (uint32_t mode = 0; mode < 8; mode++) {
        struct model d = {.write_mode = mode & 3, .read_mode = (uint8_t)(mode >> 2)};
        unsigned wrong_reads = 0, wrong_bytes = 0;

        set_mode(m, &mode_planar);
        for (uint32_t p = 0; p < 4; p++) {
            seq(m, 2, 1u << p);
            for (uint32_t at = 0; at < OFFSETS; at++) {
                d.plane[p][at] = (uint8_t)random_bits(8);
                bpt_mmio_write(m, VGA_WINDOW + at, 1, d.plane[p][at]);
            }
        }
        (void)bpt_mmio_read(m, VGA_WINDOW, 1);
        model_read(&d, 0);
        for (unsigned i = 0; i < 3000; i++) {
            unsigned at = random_bits(6);

            if (i % 7 == 0)
                model_program(m, &d);
            if (random_bits(1)) {
                uint8_t val = (uint8_t)random_bits(8);

                bpt_mmio_write(m, VGA_WINDOW + at, 1, val);
                model_write(&d, at, val);
            } else {
                wrong_reads += bpt_mmio_read(m, VGA_WINDOW + at, 1) != model_read(&d, at);
            }
        }
        eq_int(wrong_reads, 0, mode & 4 ? "reads compare colours" : "reads give a plane");
        gr(m, 5, 0);
        for (uint32_t p = 0; p < 4; p++) {
            gr(m, 4, p);
            for (uint32_t at = 0; at < OFFSETS; at++)
                wrong_bytes += bpt_mmio_read(m, VGA_WINDOW + at, 1) != d.plane[p][at];
        }
        ok(wrong_bytes == 0, "write mode %u: %u bytes differ", mode & 3, wrong_bytes);
    }
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_wide(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 0, "");

    set_mode(m, &mode_planar);
    bpt_mmio_write(m, VGA_WINDOW + 3, 8, 0x8877665544332211);
    eq_int(bpt_mmio_read(m, VGA_WINDOW + 5, 1), 0x33, "a wide write is its bytes in order");
    eq_int(bpt_mmio_read(m, VGA_WINDOW + 3, 8), (long long)0x8877665544332211,
           "and a wide read too");
    bpt_mmio_write(m, VGA_WINDOW + 0xffff, 2, 0xbbaa);
    eq_int(bpt_mmio_read(m, VGA_WINDOW + 0xffff, 1), 0xaa, "up to the window's end");
    eq_int(bpt_mmio_read(m, VGA_WINDOW + 0x10000, 1), 0xff, "and not beyond");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_addresses(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 1, "memory=1M");
    uint8_t *ram = bpt_device_ram(m, "vga", "memory", NULL);
    uint64_t at;

    set_mode(m, &mode_256);
    ok(bpt_device_ram(m, "vga", "window", &at) == ram && at == VGA_WINDOW &&
           bpt_where(m, "vga", "window") == BP_IO_NOWHERE,
       "mode 0x13: the window is memory, without a trap");
    screen_frame(&screen, 0);
    bpt_mmio_write(m, VGA_WINDOW + 321, 4, 0x44332211);
    ok(ram[321] == 0x11 && ram[324] == 0x44, "chain-4 is linear");
    ok(screen_frame(&screen, 0) > 0, "and what is written there is seen");
    gr(m, 8, 0xf0);
    ok(bpt_device_ram(m, "vga", "window", &at) && at == BP_RAM_NOWHERE &&
           bpt_where(m, "vga", "window") == VGA_WINDOW,
       "with a bit mask it traps");
    bpt_mmio_write(m, VGA_WINDOW + 321, 4, 0x99999999);
    ok(ram[321] == 0x91 || ram[321] == 0x90, "and goes through the data path");
    gr(m, 8, 0xff);
    bpt_mmio_write(m, VGA_WINDOW + 321, 4, 0x44332211);
    ok(ram[321] == 0x11 && ram[324] == 0x44, "back again");
    seq(m, 4, 6); /* mode X: not chained any more */
    seq(m, 2, 4);
    bpt_mmio_write(m, VGA_WINDOW + 100, 1, 0x99);
    eq_int(ram[402], 0x99, "mode X: offset 100 of plane 2 is pixel 402");
    gr(m, 4, 2);
    eq_int(bpt_mmio_read(m, VGA_WINDOW + 100, 1), 0x99, "reads by plane");
    seq(m, 2, 0x0f);
    (void)bpt_mmio_read(m, VGA_WINDOW + 100, 1);
    gr(m, 5, 0x41);
    bpt_mmio_write(m, VGA_WINDOW + 200, 1, 0);
    eq_int(ram[802], 0x99, "write mode 1 copies four pixels at once");

    set_mode(m, &mode_text);
    bpt_mmio_write(m, VGA_TEXT + 6, 2, 0x0741);
    ok(ram[12] == 0x41 && ram[13] == 0x07, "odd/even: character and attribute in planes 0 and 1");
    seq(m, 2, 2);
    bpt_mmio_write(m, VGA_TEXT + 6, 2, 0x7042);
    ok(ram[12] == 0x41 && ram[13] == 0x70, "the map mask holds there too");
    seq(m, 2, 0x0f);
    bpt_mmio_write(m, VGA_TEXT + 8, 2, 0x2212);
    ok(ram[16] == 0x12 && ram[17] == 0x22 && ram[18] == 0x12 && ram[19] == 0x22,
       "even addresses are planes 0 and 2, odd ones 1 and 3");
    gr(m, 4, 2);
    ram[18] = 0x55;
    eq_int(bpt_mmio_read(m, VGA_TEXT + 8, 1), 0x55, "read map chooses the pair");
    seq(m, 2, 3);

    set_dispi(m, 640, 400, 8);
    dispi(m, 5, 2);
    bpt_mmio_write(m, VGA_WINDOW + 5, 1, 0x77);
    eq_int(ram[0x20005], 0x77, "DISPI: the window is a bank of linear memory");
    eq_int(bpt_mmio_read(m, VGA_WINDOW + 5, 1), 0x77, "for reading too");
    dispi(m, 5, 15);
    bpt_mmio_write(m, VGA_WINDOW + 0xffff, 1, 0x78);
    eq_int(ram[0xfffff], 0x78, "up to the last byte");
    set_dispi(m, 640, 400, 4);
    seq(m, 2, 8);
    bpt_mmio_write(m, VGA_WINDOW + 9, 1, 0xff);
    ok(ram[39] == 0xff && ram[38] == 0, "with four bits a pixel it is planar");
    eq_int(bpt_free(m), 0, "no problems");
}

/* A host that has no alias() yet. */
static void
test_old_host(void)
{
    struct screen screen = {0};
    struct bpt_machine *m = bpt_new(4 << 20, 0);

    bpt_truncate(m, BP_IF_RAM, BP_UPTO(struct bp_ram_if, dirty));
    bpt_provide(m, "screen", BP_IF_DISPLAY, &screen_if, &screen);
    bpt_load(m, "vga", "vga", "display=screen,rom=/dev/null");
    ok(!bpt_realize_all(m) && !bpt_start(m), "an older host will do");
    set_mode(m, &mode_256);
    eq_int(bpt_where(m, "vga", "window"), VGA_WINDOW, "the window always traps there");
    screen_frame(&screen, 0);
    bpt_mmio_write(m, VGA_WINDOW + 5, 1, 3);
    eq_int(bpt_mmio_read(m, VGA_WINDOW + 5, 1), 3, "and works the same");
    ok(screen_frame(&screen, 0) > 0, "changes are seen");
    eq_int(bpt_free(m), 0, "no problems");
}

int
main(void)
{
    test_old_host();
    test_data_path();
    test_wide();
    test_addresses();
    return done_testing();
}
