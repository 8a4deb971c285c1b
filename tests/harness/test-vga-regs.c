/* SPDX-License-Identifier: BSD-3-Clause */
/* vga: registers, palette, PCI function, EDID, ROM, retrace, state. */
#include "test-vga.h"

#include <unistd.h>

static void
test_groups(void)
{
    static const struct {
        uint32_t port, index, keeps;
        const char *what;
    } regs[] = {
        {0x3c4, 0, 0x03, "reset"},
        {0x3c4, 1, 0x3d, "clocking mode"},
        {0x3c4, 2, 0x0f, "map mask"},
        {0x3c4, 3, 0x3f, "character map"},
        {0x3c4, 4, 0x0e, "memory mode"},
        {0x3ce, 0, 0x0f, "set/reset"},
        {0x3ce, 1, 0x0f, "enable s/r"},
        {0x3ce, 2, 0x0f, "compare"},
        {0x3ce, 3, 0x1f, "rotate"},
        {0x3ce, 4, 0x03, "read map"},
        {0x3ce, 5, 0x7b, "mode"},
        {0x3ce, 6, 0x0f, "misc"},
        {0x3ce, 7, 0x0f, "don't care"},
        {0x3ce, 8, 0xff, "bit mask"},
        {0x3ce, 9, 0x00, "no such register"},
        {0x3c4, 8, 0x00, "no such register"},
        {0x3d4, 0x0c, 0xff, "start high"},
        {0x3d4, 0x18, 0xff, "line compare"},
        {0x3d4, 0x19, 0x00, "no such register"},
        {0x3d4, 0xff, 0x00, "no such register"},
    };
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 0, "");

    for (unsigned i = 0; i < sizeof regs / sizeof *regs; i++) {
        bpt_out(m, (uint16_t)regs[i].port, 1, regs[i].index);
        bpt_out(m, (uint16_t)(regs[i].port + 1), 1, 0xff);
        eq_int(bpt_in(m, (uint16_t)(regs[i].port + 1), 1), regs[i].keeps, regs[i].what);
        bpt_out(m, (uint16_t)(regs[i].port + 1), 1, 0);
    }
    bpt_out(m, 0x3d4, 2, 0x5a0d);
    eq_int(bpt_in(m, 0x3d4, 2), 0x5a0d, "index and data in one access");
    bpt_out(m, 0x3b4, 1, 0x0c);
    eq_int(bpt_in(m, 0x3d4, 1), 0x0d, "no monochrome ports while those for colour are on");
    eq_int(bpt_in(m, 0x3b4, 1), 0xff, "they read as nobody");
    bpt_out(m, 0x3c2, 1, 0x66);
    eq_int(bpt_in(m, 0x3cc, 1), 0x66, "misc output reads back");
    eq_int(bpt_in(m, 0x3b4, 1), 0x0d, "they are the same registers");
    eq_int(bpt_in(m, 0x3d4, 1), 0xff, "and the colour ones are gone");
    eq_int(bpt_in(m, 0x3bc, 1), 0xff, "0x3bc is a parallel port's");
    ok(!bpt_claimed(m, BP_REGION_PIO, 0x3bc, NULL), "and left to it");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_protection(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 0, "");

    cr(m, 1, 0x4f);
    cr(m, 7, 0x00);
    cr(m, 0x11, 0x80);
    cr(m, 1, 0x27);
    cr(m, 7, 0xff);
    eq_int(cr_get(m, 1), 0x4f, "registers 0 to 7 are protected");
    eq_int(cr_get(m, 7), 0x10, "but for the line compare bit");
    cr(m, 0x0c, 0x12);
    eq_int(cr_get(m, 0x0c), 0x12, "others are not");
    cr(m, 0x11, 0x00);
    cr(m, 1, 0x27);
    eq_int(cr_get(m, 1), 0x27, "until it is taken off");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_attribute(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 0, "");

    (void)bpt_in(m, 0x3da, 1);
    bpt_out(m, 0x3c0, 1, 0x05);
    bpt_out(m, 0x3c0, 1, 0xff);
    eq_int(bpt_in(m, 0x3c1, 1), 0x3f, "a palette register has six bits");
    bpt_out(m, 0x3c0, 1, 0x13);
    eq_int(bpt_in(m, 0x3c0, 1), 0x13, "the index follows data");
    (void)bpt_in(m, 0x3da, 1);
    bpt_out(m, 0x3c0, 1, 0x14);
    eq_int(bpt_in(m, 0x3c0, 1), 0x14, "status 1 makes the next write an index");
    bpt_out(m, 0x3c0, 1, 0xff);
    eq_int(bpt_in(m, 0x3c1, 1), 0x0f, "colour select has four");
    bpt_out(m, 0x3c0, 1, 0x1f);
    bpt_out(m, 0x3c0, 1, 0xff);
    eq_int(bpt_in(m, 0x3c1, 1), 0, "there is no register 0x1f");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_palette(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 0, "");

    bpt_out(m, 0x3c8, 1, 0xfe);
    for (uint32_t i = 1; i <= 9; i++)
        bpt_out(m, 0x3c9, 1, 0xc0 + i);
    eq_int(bpt_in(m, 0x3c8, 1), 1, "the index counts and wraps");
    eq_int(bpt_in(m, 0x3c7, 1), 0, "writing");
    bpt_out(m, 0x3c7, 1, 0xff);
    eq_int(bpt_in(m, 0x3c7, 1), 3, "reading");
    eq_int(bpt_in(m, 0x3c9, 1), 4, "red, six bits");
    eq_int(bpt_in(m, 0x3c9, 1), 5, "green");
    eq_int(bpt_in(m, 0x3c9, 1), 6, "blue");
    eq_int(bpt_in(m, 0x3c9, 1), 7, "the next colour's red");
    bpt_out(m, 0x3c8, 1, 0xff);
    bpt_out(m, 0x3c9, 1, 0x3f);
    bpt_out(m, 0x3c7, 1, 0xff);
    eq_int(bpt_in(m, 0x3c9, 1), 4, "a colour takes effect with its third byte");
    bpt_out(m, 0x3c6, 1, 0x0f);
    eq_int(bpt_in(m, 0x3c6, 1), 0x0f, "the mask");
    dispi(m, 4, 0x20);
    bpt_out(m, 0x3c7, 1, 0xff);
    eq_int(bpt_in(m, 0x3c9, 1), 4 << 2, "eight bits: the colours stay the same");
    dac(m, 3, 0xff, 0x81, 0x01);
    bpt_out(m, 0x3c7, 1, 3);
    eq_int(bpt_in(m, 0x3c9, 1), 0xff, "and have all their bits");
    dispi(m, 4, 0);
    bpt_out(m, 0x3c7, 1, 3);
    eq_int(bpt_in(m, 0x3c9, 1), 0x3f, "six again");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_dispi(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 0, "");

    eq_int(dispi_get(m, 0), 0xb0c5, "version 5");
    dispi(m, 0, 0xb0c2);
    eq_int(dispi_get(m, 0), 0xb0c2, "a driver may ask for an older one");
    dispi(m, 0, 0x1234);
    eq_int(dispi_get(m, 0), 0xb0c2, "not for another thing");
    eq_int(dispi_get(m, 10), 32 * 16, "memory in pieces of 64 KiB");
    set_dispi(m, 1024, 768, 32);
    eq_int(dispi_get(m, 6), 1024, "the virtual width is the width");
    eq_int(dispi_get(m, 7), 32 * 1024 * 1024 / 4096, "as high as memory lasts");
    dispi(m, 6, 2048);
    eq_int(dispi_get(m, 6), 2048, "wider");
    eq_int(dispi_get(m, 7), 32 * 1024 * 1024 / 8192, "and lower");
    dispi(m, 6, 1000);
    eq_int(dispi_get(m, 6), 1024, "not narrower than the picture");
    dispi(m, 6, 0xffff);
    eq_int(dispi_get(m, 6), 1024, "not so wide that the picture does not fit");
    dispi(m, 4, 0x43);
    eq_int(dispi_get(m, 1), 3840, "capabilities: width");
    eq_int(dispi_get(m, 2), 2160, "height");
    eq_int(dispi_get(m, 3), 32, "depth");
    set_dispi(m, 3840, 2160, 32);
    eq_int(dispi_get(m, 1), 3840, "the largest mode fits");
    eq_int(dispi_get(m, 2), 2160, "in all its lines");
    set_dispi(m, 0xffff, 0xffff, 0xffff);
    ok(dispi_get(m, 1) == 3840 && dispi_get(m, 2) == 2160 && dispi_get(m, 3) == 8,
       "nonsense becomes what is possible");
    set_dispi(m, 0, 0, 0);
    ok(dispi_get(m, 1) > 0 && dispi_get(m, 2) > 0, "so does nothing");
    dispi(m, 5, 0xffff);
    eq_int(dispi_get(m, 5), 511, "a bank is one of memory");
    dispi(m, 11, 0xffff);
    eq_int(dispi_get(m, 11), 0, "no register 11");
    eq_int(bpt_free(m), 0, "no problems");

    m = vga_machine(&screen, 0, "memory=1M");
    set_dispi(m, 1280, 1024, 32);
    eq_int(dispi_get(m, 2), 1024 * 1024 / (1280 * 4), "only the lines that memory holds");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_pci(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 1, "slot=7,memory=16M");
    uint32_t fn = bpt_pci_find(m, 0x1234, 0x1111, 0), mmio, sum = 0;
    uint64_t at;

    eq_int(fn, 7 << 3, "1234:1111 at the slot that was asked for");
    eq_int(bpt_pci_read(m, fn, 8, 4) >> 8, 0x030000, "a VGA by its class");
    eq_int(bpt_pci_read(m, fn, 0x10, 4) & 0xf, 8, "BAR 0: 32-bit prefetchable memory");
    ok(bpt_device_ram(m, "vga", "memory", &at) && at == (bpt_pci_read(m, fn, 0x10, 4) & ~0xfu),
       "video memory is there");
    mmio = bpt_pci_read(m, fn, 0x18, 4) & ~0xfu;
    eq_int(bpt_where(m, "vga", "mmio"), mmio, "BAR 2: registers");
    eq_int(bpt_mmio_read(m, mmio, 8), 0x00ffffffffffff00, "the EDID's header");
    for (uint32_t i = 0; i < 128; i++)
        sum += (uint32_t)bpt_mmio_read(m, mmio + i, 1);
    eq_int(sum & 0xff, 0, "its checksum");
    eq_int(bpt_mmio_read(m, mmio + 54 + 2, 1) | (bpt_mmio_read(m, mmio + 54 + 4, 1) >> 4) << 8,
           1280, "the preferred width");
    eq_int(bpt_mmio_read(m, mmio + 54 + 5, 1) | (bpt_mmio_read(m, mmio + 54 + 7, 1) >> 4) << 8, 800,
           "the preferred height");
    eq_int(screen.client.resize(screen.client.user, 1027, 600), 0, "a display has another size");
    eq_int(bpt_mmio_read(m, mmio + 54 + 2, 1) | (bpt_mmio_read(m, mmio + 54 + 4, 1) >> 4) << 8,
           1024, "that is the preferred width then");
    eq_int(screen.client.resize(screen.client.user, 3840, 2160), BP_E_RANGE,
           "not one that there is no memory for");
    eq_int(screen.client.resize(screen.client.user, 0, 65535), BP_E_RANGE, "nor nonsense");
    eq_int(bpt_mmio_read(m, mmio + 54 + 5, 1) | (bpt_mmio_read(m, mmio + 54 + 7, 1) >> 4) << 8, 600,
           "the preferred height");
    eq_int(bpt_mmio_read(m, mmio + 0x200, 4), 0, "nothing behind it");
    bpt_mmio_write(m, mmio + 0x402, 1, 0x67);
    eq_int(bpt_in(m, 0x3cc, 1), 0x67, "port 0x3c2 is at 0x402");
    bpt_mmio_write(m, mmio + 0x414, 2, 0x330e);
    eq_int(cr_get(m, 0x0e), 0x33, "port 0x3d4 at 0x414");
    eq_int(bpt_mmio_read(m, mmio + 0x500, 2), 0xb0c5, "DISPI at 0x500");
    bpt_mmio_write(m, mmio + 0x502, 2, 800);
    eq_int(dispi_get(m, 1), 800, "its registers are the ports'");
    eq_int(bpt_mmio_read(m, mmio + 0x600, 4), 8, "the extension has eight bytes");
    eq_int(bpt_mmio_read(m, mmio + 0x604, 4), 0x1e1e1e1e, "little endian");
    bpt_mmio_write(m, mmio + 0x604, 4, 0x12345678);
    eq_int(bpt_mmio_read(m, mmio + 0x604, 4), 0x1e1e1e1e, "and nothing else");
    bpt_mmio_write(m, mmio + 0x604, 4, 0xbebebebe);
    eq_int(bpt_mmio_read(m, mmio + 0x604, 4), 0xbebebebe, "or big endian");
    eq_int(bpt_pci_read(m, fn, 0x30, 4), 0, "no ROM when there is no image");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
write_file(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(p, 1, n, f) != n || fclose(f))
        abort();
}

static void
test_rom(void)
{
    char path[] = "/tmp/test-vga-rom-XXXXXX", props[64];
    uint8_t image[6000] = {0x55, 0xaa, 12}, *rom;
    struct screen screen = {0};
    struct bpt_machine *m;
    uint64_t at;
    uint32_t fn;
    int fd = mkstemp(path);

    if (fd < 0)
        abort();
    close(fd);
    image[5999] = 0x77;
    write_file(path, image, sizeof image);
    snprintf(props, sizeof props, "rom=%s", path);

    m = bpt_new(4 << 20, 0);
    bpt_load(m, "pci", "pci", "");
    bpt_load(m, "vga", "vga", props);
    ok(!bpt_realize_all(m) && !bpt_start(m), "with an image");
    fn = bpt_pci_find(m, 0x1234, 0x1111, 0);
    bpt_pci_write(m, fn, 0x30, 4, 0xffffffff);
    eq_int(bpt_pci_read(m, fn, 0x30, 4), 0xffffe001, "the ROM's BAR is a power of two");
    bpt_pci_write(m, fn, 0x30, 4, 0xe8000001);
    rom = bpt_device_ram(m, "vga", "rom", &at);
    ok(rom && at == 0xe8000000, "software places it");
    eq_int(bpt_mmio_read(m, 0xe8000000 + 5999, 1), 0x77, "it has the image");
    bpt_mmio_write(m, 0xe8000000, 1, 0);
    eq_int(bpt_mmio_read(m, 0xe8000000, 2), 0xaa55, "and is a ROM");
    eq_int(bpt_free(m), 0, "no problems");

    m = bpt_new(4 << 20, 0);
    bpt_load(m, "vga", "vga", props);
    ok(!bpt_realize_all(m) && !bpt_start(m), "without PCI");
    eq_int(bpt_mmio_read(m, 0xc0000 + 5999, 1), 0x77, "it is where firmware looks");
    eq_int(bpt_free(m), 0, "no problems");

    image[0] = 0;
    write_file(path, image, sizeof image);
    m = bpt_new(4 << 20, 0);
    bpt_load(m, "vga", "vga", props);
    eq_int(bpt_realize_all(m), BP_E_INVAL, "another file is refused");
    ok(strstr(bpt_error(m), "55 aa"), "with a reason");
    eq_int(bpt_free(m), 0, "no problems");

    unlink(path);
    m = bpt_new(4 << 20, 0);
    bpt_load(m, "vga", "vga", props);
    eq_int(bpt_realize_all(m), BP_E_NOENT, "so is a missing one");
    ok(strstr(bpt_error(m), path) && strstr(bpt_error(m), "seabios"), "and what to do is said");
    eq_int(bpt_free(m), 0, "no problems");

    m = bpt_new(4 << 20, 0);
    bpt_provide(m, "screen", BP_IF_DISPLAY, &screen_if, &screen);
    bpt_load(m, "vga", "vga", "rom=/dev/null,memory=3M,display=screen");
    eq_int(bpt_realize_all(m), BP_E_INVAL, "so is an odd amount of memory");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_window_places(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 0, "");

    eq_int(bpt_where(m, "vga", "window"), BP_IO_NOWHERE, "no window before memory is on");
    set_mode(m, &mode_text);
    eq_int(bpt_where(m, "vga", "window"), 0xa0000, "there it is");
    bpt_mmio_write(m, VGA_TEXT, 2, 0x0741);
    eq_int(bpt_mmio_read(m, VGA_TEXT, 2), 0x0741, "text memory");
    eq_int(bpt_mmio_read(m, VGA_WINDOW, 1), 0xff, "nothing at 0xa0000 then");
    eq_int(bpt_mmio_read(m, 0xb0000, 1), 0xff, "nor at 0xb0000");
    gr(m, 6, 0x0a);
    eq_int(bpt_mmio_read(m, 0xb0000, 2), 0x0741, "the same bytes at the monochrome address");
    gr(m, 6, 0x02);
    eq_int(bpt_mmio_read(m, 0xa0000, 2), 0x0741, "or from 0xa0000 on");
    eq_int(bpt_mmio_read(m, 0xb0000, 2), 0, "all 128 KiB of it");
    bpt_out(m, 0x3c2, 1, 0x65);
    eq_int(bpt_where(m, "vga", "window"), BP_IO_NOWHERE, "off again");
    eq_int(bpt_free(m), 0, "no problems");
}

/* A frame of mode 3: 449 lines of 31.78 us. */
static void
test_retrace(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 0, "");
    unsigned retrace = 0, off = 0, edges = 0, before = 0;

    set_mode(m, &mode_text);
    for (unsigned i = 0; i < 10 * 449 * 4; i++) {
        uint32_t s = bpt_in(m, 0x3da, 1);

        retrace += s >> 3 & 1;
        off += s & 1;
        edges += (s >> 3 & 1) && !before;
        before = s >> 3 & 1;
        bpt_advance(m, 31777 / 4);
    }
    eq_int(edges, 10, "ten frames have ten retraces");
    ok(retrace >= 70 && retrace <= 90, "of two lines each: %u", retrace);
    ok(off > 10 * 49 * 4 && off < 10 * 449 * 2, "the picture is on most of the time: %u", off);
    eq_int(bpt_free(m), 0, "no problems");

    m = vga_machine(&screen, 0, "retrace=fast");
    ok((bpt_in(m, 0x3da, 1) ^ bpt_in(m, 0x3da, 1)) == 9, "fast: the bits change with each look");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_state(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 1, "memory=1M");
    struct bpt_state *s = NULL;
    uint64_t val = 0;

    set_mode(m, &mode_text);
    set_pc_colours(m);
    bpt_mmio_write(m, VGA_TEXT, 2, 0x1e42);
    bpt_out(m, 0x3c8, 1, 9);
    bpt_out(m, 0x3c9, 1, 0x21);
    (void)bpt_in(m, 0x3da, 1);
    bpt_out(m, 0x3c0, 1, 0x30);
    eq_int(bpt_quiesce(m), 0, "quiesce");
    eq_int(bpt_state_roundtrip(m, "vga"), 0, "a text mode comes back");
    eq_int(bpt_start(m), 0, "start");
    eq_int(bpt_mmio_read(m, VGA_TEXT, 2), 0x1e42, "with its memory");
    bpt_out(m, 0x3c0, 1, 0x0f);
    eq_int(bpt_in(m, 0x3c1, 1), 0x0f, "and the flip-flop");
    bpt_quiesce(m);
    eq_int(bpt_save(m, "vga", &s), 0, "save");
    memset(bpt_device_ram(m, "vga", "memory", NULL), 0x33, 1 << 20);
    eq_int(bpt_restore(m, "vga", s), 0, "restore");
    eq_int(((uint8_t *)bpt_device_ram(m, "vga", "memory", NULL))[0x80000], 0,
           "memory that was empty is so again");
    bpt_state_free(s);
    bpt_start(m);
    set_dispi(m, 640, 200, 16);
    dispi(m, 8, 5);
    dispi(m, 5, 3);
    bpt_quiesce(m);
    eq_int(bpt_state_roundtrip(m, "vga"), 0, "a DISPI mode too");
    eq_int(bpt_save(m, "vga", &s), 0, "save");
    eq_int(bpt_state_get(s, "dispi", "xres", &val) || val != 640, 0, "says what it is");
    bpt_state_put(s, "dispi", "xres", 0xffff);
    bpt_state_put(s, "dispi", "virt-width", 1);
    bpt_state_put(s, "dispi", "bank", 0xffff);
    eq_int(bpt_restore(m, "vga", s), 0, "a mode that cannot be");
    eq_int(dispi_get(m, 1), 3840, "becomes one that can");
    eq_int(bpt_state_put(s, "vga", "dac-phase", 3), 0, "a fourth component");
    eq_int(bpt_restore(m, "vga", s), BP_E_INVAL, "is refused");
    bpt_state_put(s, "vga", "dac-phase", 0);
    bpt_state_put(s, "memory", "bytes", 2 << 20);
    eq_int(bpt_restore(m, "vga", s), BP_E_INVAL, "so is memory of another size");
    bpt_state_put(s, "memory", "bytes", 1 << 20);
    bpt_state_put_blob(s, "vga", "seq", "abc", 3);
    eq_int(bpt_restore(m, "vga", s), BP_E_INVAL, "and half a table");
    eq_int(bpt_state_remove(s, "vga", "seq"), 0, "without the table");
    eq_int(bpt_restore(m, "vga", s), 0, "its registers are as after a reset");
    bpt_state_put(s, "vga", NULL, 2);
    eq_int(bpt_restore(m, "vga", s), BP_E_INVAL, "a later version is refused");
    bpt_state_free(s);
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_reset(void)
{
    struct screen screen;
    struct bpt_machine *m = vga_machine(&screen, 1, "");

    set_dispi(m, 640, 480, 32);
    memset(bpt_device_ram(m, "vga", "memory", NULL), 0x55, 1 << 20);
    eq_int(bpt_reset(m), 0, "reset");
    eq_int(dispi_get(m, 4), 0, "no mode is left");
    eq_int(*(uint8_t *)bpt_device_ram(m, "vga", "memory", NULL), 0, "memory is empty");
    eq_int(bpt_where(m, "vga", "window"), BP_IO_NOWHERE, "and there is no window");
    ok(screen_frame(&screen, 0) > 0 && (screen.frame.flags & BP_DISPLAY_BLANK),
       "the picture is off");
    eq_int(bpt_free(m), 0, "no problems");
    eq_int(screen.attached, 0, "the display is let go");
}

int
main(void)
{
    test_groups();
    test_protection();
    test_attribute();
    test_palette();
    test_dispi();
    test_pci();
    test_rom();
    test_window_places();
    test_retrace();
    test_state();
    test_reset();
    return done_testing();
}
