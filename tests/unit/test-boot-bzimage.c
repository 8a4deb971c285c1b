/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-boot-bzimage.c - the Linux boot protocol: made-up bzImages, good ones and every way to be
 * bad. What is looked at is guest memory and the CPU's state, as a kernel would see them.
 */
#include "config.h"

#include "tests/unit/boot-images.h"

enum { SETUP = 4 * 512, KERNEL = 20000 - 20000 % 16, LEN = SETUP + KERNEL };

/* Fields as boot.rst numbers them. */
struct patch {
    const char *what;
    unsigned at, width;
    uint64_t value;
    const char *text; /* of the error */
};

/* A protocol 2.15 kernel as Debian's: 64-bit entry, relocatable, wants 16 MiB. */
static void
build(uint8_t *image)
{
    memset(image, 0, LEN);
    fill(image + SETUP, KERNEL, 1);
    put(image + 0x1f1, SETUP / 512 - 1, 1);
    put(image + 0x1f4, KERNEL / 16, 4);
    put(image + 0x1fe, 0xaa55, 2);
    put(image + 0x200, 0x6aeb, 2); /* the header ends at 0x26c */
    memcpy(image + 0x202, "HdrS", 4);
    put(image + 0x206, 0x20f, 2);
    put(image + 0x211, 1, 1);
    put(image + 0x214, 0x100000, 4);
    put(image + 0x22c, 0x7fffffff, 4);
    put(image + 0x230, 0x200000, 4);
    put(image + 0x234, 1, 1);
    put(image + 0x235, 21, 1);
    put(image + 0x236, 0x7f, 2);
    put(image + 0x238, 2047, 4);
    put(image + 0x258, MIB(16), 8);
    put(image + 0x260, MIB(50), 4);
}

static const char *
write_with(const char *name, const struct patch *patches, unsigned n)
{
    uint8_t image[LEN];

    build(image);
    for (unsigned i = 0; i < n; i++)
        put(image + patches[i].at, patches[i].value, patches[i].width);
    return image_write(name, image, LEN);
}

/* The zero page against the e820 map, the command line and the initrd. */
static void
check_zero_page(struct machine *m, const char *cmdline, const uint8_t *initrd, size_t initrd_len)
{
    uint64_t zp = m->entry.rsi;
    unsigned n;
    const struct e820_entry *map = e820_entries(m->e820, &n);
    bool same = true;

    ok(zp && zp % 4096 == 0 && zp < 0x9fc00, "rsi is the zero page");
    ok(guest_is(m, zp + 0x202, "HdrS", 4), "... it has the setup header");
    eq_int(guest(m, zp + 0x1fe, 2), 0xaa55, "... from its start");
    eq_int(guest(m, zp + 0x210, 1), 0xff, "... type_of_loader");
    eq_int(guest(m, zp + 0x1fa, 2), 0xffff, "... vid_mode");
    eq_int(guest(m, zp + 0x70, 8), 0xe1230, "... acpi_rsdp_addr");
    ok(guest_is(m, guest(m, zp + 0x228, 4), cmdline, strlen(cmdline) + 1), "... command line");
    eq_int(guest(m, zp + 0x21c, 4), initrd_len, "... ramdisk_size");
    if (initrd_len)
        ok(guest_is(m, guest(m, zp + 0x218, 4), initrd, initrd_len), "... the initrd's bytes");
    else
        eq_int(guest(m, zp + 0x218, 4), 0, "... no ramdisk_image");
    eq_int(guest(m, zp + 0x1e8, 1), n, "... number of e820 entries");
    for (unsigned i = 0; i < n; i++)
        same = same && guest(m, zp + 0x2d0 + i * 20, 8) == map[i].base &&
               guest(m, zp + 0x2d0 + i * 20 + 8, 8) == map[i].len &&
               guest(m, zp + 0x2d0 + i * 20 + 16, 4) == map[i].type;
    ok(same, "... the e820 entries");
    eq_int(guest(m, zp + 0x290, 8), 0, "... nothing behind the header");
}

/* Walks the page tables as the CPU would. */
static uint64_t
translate(struct machine *m, uint64_t va)
{
    uint64_t table = m->entry.cr3;

    for (int shift = 39; shift >= 12; shift -= 9) {
        uint64_t pte = guest(m, table + (va >> shift & 511) * 8, 8);

        if ((pte & 3) != 3)
            return UINT64_MAX;
        if (shift == 21 && (pte & 0x80))
            return (pte & ~UINT64_C(0x1fffff)) | (va & 0x1fffff);
        table = pte & ~UINT64_C(0xfff);
    }
    return table | (va & 0xfff);
}

static void
check_gdt(struct machine *m, uint64_t code)
{
    ok(m->entry.gdt_base && m->entry.gdt_limit >= 0x1f, "a descriptor table");
    eq_int(guest(m, m->entry.gdt_base, 8), 0, "... its first entry is null");
    eq_int(guest(m, m->entry.gdt_base + 0x10, 8), code, "... __BOOT_CS");
    eq_int(guest(m, m->entry.gdt_base + 0x18, 8), 0x00cf93000000ffff, "... __BOOT_DS");
    eq_int(m->entry.cs.selector, 0x10, "... is in cs");
    eq_int(m->entry.data.selector, 0x18, "... and in the others");
}

static void
test_good(void)
{
    static uint8_t initrd[MIB(3) + 77];
    uint8_t image[LEN];
    struct boot_config config = {.cmdline = "console=ttyS0 root=/dev/vda"};
    struct machine m = machine_new(MIB(128));
    uint64_t rd, zp, bad = 0;

    build(image);
    fill(initrd, sizeof(initrd), 9);
    config.kernel = image_write("kernel", image, LEN);
    config.initrd = image_write("initrd", initrd, sizeof(initrd));
    if (!ok(machine_load(&m, &config, 0xe1230), "a relocatable 64-bit kernel loads")) {
        printf("# %s\n", m.error->message);
        machine_free(&m);
        return;
    }
    check_flat(&m, true);
    eq_str(m.entry.protocol, "Linux 64-bit boot protocol 2.15", "the protocol's name");
    eq_int(m.entry.rip, MIB(16) + 0x200, "entered at its 64-bit entry where it wants to be");
    ok(guest_is(&m, MIB(16), image + SETUP, KERNEL), "the protected-mode part is there");
    check_gdt(&m, 0x00af9b000000ffff);
    check_zero_page(&m, config.cmdline, initrd, sizeof(initrd));
    zp = m.entry.rsi;
    rd = guest(&m, zp + 0x218, 4);
    eq_int(rd % 4096, 0, "the initrd is page aligned");
    eq_int(rd, (MIB(128) - sizeof(initrd)) & ~UINT64_C(4095), "... and as high as possible");
    eq_int(guest(&m, zp + 0x214, 4), MIB(16), "code32_start follows the kernel");
    for (uint64_t va = 0; va < GIB(4); va += MIB(2) - 4096)
        bad += translate(&m, va) != va;
    eq_int(bad, 0, "the page tables map the first 4 GiB to itself");
    ok(translate(&m, GIB(4)) == UINT64_MAX, "... and no more");
    ok(m.entry.rsp % 16 == 0 && e820_is_ram(m.e820, m.entry.rsp - 4096, 4096), "there is a stack");

    /* A reboot, with the files gone. */
    ok(memory_write(m.mem, zp, "dirt", 4) == 0 && memory_write(m.mem, rd, "dirt", 4) == 0 &&
           memory_write(m.mem, MIB(16), "dirt", 4) == 0,
       "the guest writes over everything");
    g_remove(config.kernel);
    g_remove(config.initrd);
    ok(memory_reset(m.mem) == 0 && boot_load(m.boot, m.e820, 0xe1230, &m.entry, NULL),
       "it reboots after its files were removed");
    ok(guest_is(&m, MIB(16), image + SETUP, KERNEL), "... the kernel is back");
    check_zero_page(&m, config.cmdline, initrd, sizeof(initrd));
    machine_free(&m);
}

/* Variants: what changes in the header, and where the kernel is then entered. */
static void
test_variants(void)
{
    static const struct {
        const char *what;
        struct patch patches[6];
        unsigned n;
        uint64_t ram, rip;
        bool is_long;
        const char *protocol;
    } cases[] = {
        {"no 64-bit entry",
         {{0, 0x236, 2, 0, 0}},
         1,
         MIB(128),
         MIB(16),
         false,
         "Linux 32-bit boot protocol 2.15"},
        {"no room where it wants to be, reserved by somebody",
         {{0, 0x258, 8, MIB(32), 0}},
         1,
         MIB(256),
         MIB(34) + 0x200,
         true,
         NULL},
        {"aligned up",
         {{0, 0x258, 8, MIB(16) + 4096, 0}},
         1,
         MIB(128),
         MIB(18) + 0x200,
         true,
         NULL},
        {"larger alignment", {{0, 0x230, 4, MIB(64), 0}}, 1, MIB(128), MIB(64) + 0x200, true, NULL},
        {"not relocatable", {{0, 0x234, 1, 0, 0}}, 1, MIB(128), MIB(16) + 0x200, true, NULL},
        {"not relocatable, no alignment",
         {{0, 0x234, 1, 0, 0}, {0, 0x230, 4, 0, 0}},
         2,
         MIB(128),
         MIB(16) + 0x200,
         true,
         NULL},
        {"protocol 2.12, the first with a 64-bit entry",
         {{0, 0x206, 2, 0x20c, 0}},
         1,
         MIB(128),
         MIB(16) + 0x200,
         true,
         "Linux 64-bit boot protocol 2.12"},
        {"protocol 2.11 has none",
         {{0, 0x206, 2, 0x20b, 0}},
         1,
         MIB(128),
         MIB(16),
         false,
         "Linux 32-bit boot protocol 2.11"},
        {"protocol 2.09 goes to 1 MiB",
         {{0, 0x206, 2, 0x209, 0}},
         1,
         MIB(16),
         MIB(1),
         false,
         "Linux 32-bit boot protocol 2.09"},
        {"protocol 2.06",
         {{0, 0x206, 2, 0x206, 0}, {0, 0x201, 1, 0x3a, 0}},
         2,
         MIB(16),
         MIB(1),
         false,
         "Linux 32-bit boot protocol 2.06"},
        {"exactly enough RAM",
         {{0, 0x260, 4, MIB(48), 0}},
         1,
         MIB(64),
         MIB(16) + 0x200,
         true,
         NULL},
        {"no setup_sects means 4",
         {{0, 0x1f1, 1, 0, 0}, {0, 0x1f4, 4, 0, 0}},
         2,
         MIB(128),
         MIB(16) + 0x200,
         true,
         NULL},
        {"no syssize: to the end of the file",
         {{0, 0x1f4, 4, 0, 0}},
         1,
         MIB(128),
         MIB(16) + 0x200,
         true,
         NULL},
        {"a signature behind the kernel",
         {{0, 0x1f4, 4, KERNEL / 16 - 100, 0}},
         1,
         MIB(128),
         MIB(16) + 0x200,
         true,
         NULL},
        {"init_size smaller than the file",
         {{0, 0x260, 4, 16, 0}},
         1,
         MIB(128),
         MIB(16) + 0x200,
         true,
         NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct boot_config config = {.kernel = write_with("variant", cases[i].patches, cases[i].n)};
        struct machine m = machine_new(cases[i].ram);

        if (i == 1 && e820_reserve(m.e820, MIB(33), 4096, E820_ACPI))
            abort();
        if (!ok(machine_load(&m, &config, 0xe1230), "loads: %s", cases[i].what)) {
            printf("# %s\n", m.error->message);
            machine_free(&m);
            continue;
        }
        eq_int(m.entry.rip, cases[i].rip, "... entry point");
        check_flat(&m, cases[i].is_long);
        check_zero_page(&m, "", NULL, 0);
        if (cases[i].protocol)
            eq_str(m.entry.protocol, cases[i].protocol, "... the protocol's name");
        if (!cases[i].is_long)
            check_gdt(&m, 0x00cf9b000000ffff);
        ok(m.entry.rbp == 0 && m.entry.rdi == 0 && m.entry.rbx == 0,
           "... registers that must be 0");
        machine_free(&m);
    }
}

static void
test_bad_headers(void)
{
    static const struct patch cases[] = {
        {"protocol 2.05", 0x206, 2, 0x205, "2.05 is too old"},
        {"protocol 1.00", 0x206, 2, 0x100, "too old"},
        {"a zImage", 0x211, 1, 0, "zImage"},
        {"header shorter than 2.10 needs", 0x201, 1, 0x50, "shorter than its boot protocol"},
        {"header of no length", 0x201, 1, 0, "shorter"},
        {"setup code longer than the file", 0x1f1, 1, 255, "inside its setup code"},
        {"more kernel than file", 0x1f4, 4, KERNEL / 16 + 1, "cut short"},
        {"all of syssize", 0x1f4, 4, UINT32_MAX, "cut short"},
        {"alignment of 0", 0x230, 4, 0, "alignment"},
        {"alignment of 3", 0x230, 4, 3, "alignment"},
        {"wants to be at 0", 0x258, 8, 0, "not between 1 MiB"},
        {"wants to be below 1 MiB", 0x258, 8, 0x8000, "not between 1 MiB"},
        {"wants to be above RAM", 0x258, 8, MIB(512), "at least 563 MiB"},
        {"wants to be above 4 GiB", 0x258, 8, GIB(4), "not between"},
        {"wants to be at the last address", 0x258, 8, UINT64_MAX, "not between"},
        {"wants more RAM than there is", 0x260, 4, MIB(120), "at least 137 MiB"},
        {"wants all RAM", 0x260, 4, UINT32_MAX, "needs"},
        {"alignment above RAM", 0x230, 4, 0x80000000, "at least 2099 MiB"},
    };
    uint8_t image[LEN];
    struct boot_config config = {0};
    struct machine m;
    struct patch tiny[2] = {{0, 0x1f4, 4, 0x200 / 16, 0}};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        config.kernel = write_with("bad", &cases[i], 1);
        refused(cases[i].what, &config, MIB(128), config.kernel, cases[i].text);
    }
    tiny[1] = (struct patch){0, 0x234, 1, 0, 0};
    config.kernel = write_with("bad", tiny, 1);
    refused("nothing at the 64-bit entry", &config, MIB(128), config.kernel, "64-bit entry");
    tiny[0] = (struct patch){0, 0x258, 8, GIB(4) - 4096, 0};
    config.kernel = write_with("bad", tiny, 2);
    refused("not relocatable, in the hole", &config, MIB(128), config.kernel, "needs");
    build(image);
    config.kernel = image_write("bad", image, 0x28f);
    refused("cut inside the header", &config, MIB(128), config.kernel, "inside its header");
    config.kernel = image_write("bad", image, LEN - 16);
    refused("16 bytes short", &config, MIB(128), config.kernel, "cut short");
    config.kernel = image_write("short", image, LEN - 15);
    m = machine_new(MIB(128));
    ok(machine_load(&m, &config, 0), "15 bytes short: syssize was rounded up");
    machine_free(&m);
    config.kernel = image_write("bad", image, LEN);
    config.modules = &(struct boot_module){.path = config.kernel};
    config.n_modules = 1;
    refused("modules", &config, MIB(128), config.kernel, "no modules");
}

static void
test_cmdline(void)
{
    g_autofree char *longest = g_strnfill(2047, 'x'), *too_long = g_strnfill(2048, 'x');
    struct boot_config config = {.kernel = write_with("kernel", NULL, 0), .cmdline = longest};
    struct machine m = machine_new(MIB(128));
    struct patch p = {0, 0x238, 4, 0, 0};

    ok(machine_load(&m, &config, 0), "a command line of 2047 bytes");
    ok(guest_is(&m, guest(&m, m.entry.rsi + 0x228, 4), longest, 2048), "... is all there");
    machine_free(&m);
    config.cmdline = too_long;
    refused("2048 bytes", &config, MIB(128), config.kernel,
            "has 2048 bytes and this kernel takes at most 2047");
    config.kernel = write_with("kernel", &p, 1);
    config.cmdline = "x";
    refused("a kernel that takes none", &config, MIB(128), config.kernel, "at most 0");
    p.value = UINT32_MAX;
    config.kernel = write_with("kernel", &p, 1);
    config.cmdline = too_long;
    m = machine_new(MIB(128));
    ok(machine_load(&m, &config, 0), "a kernel that takes any");
    machine_free(&m);
}

static void
test_initrd(void)
{
    static uint8_t initrd[MIB(8)];
    struct boot_config config = {.kernel = write_with("kernel", NULL, 0)};
    struct patch p[2] = {{0, 0x22c, 4, MIB(100) - 1, 0}, {0, 0x260, 4, MIB(8), 0}};
    struct machine m;

    fill(initrd, sizeof(initrd), 3);
    config.initrd = image_write("initrd", initrd, sizeof(initrd));
    config.kernel = write_with("kernel", p, 1);
    m = machine_new(MIB(128));
    ok(machine_load(&m, &config, 0), "initrd_addr_max below the end of RAM");
    eq_int(guest(&m, m.entry.rsi + 0x218, 4), MIB(92), "... is respected");
    machine_free(&m);

    config.kernel = write_with("kernel", NULL, 0);
    m = machine_new(GIB(3));
    ok(machine_load(&m, &config, 0), "3 GiB of RAM");
    eq_int(guest(&m, m.entry.rsi + 0x218, 4), GIB(2) - MIB(8), "... initrd_addr_max counts");
    machine_free(&m);

    m = machine_new(MIB(128));
    if (e820_reserve(m.e820, MIB(127), MIB(1), E820_ACPI))
        abort();
    ok(machine_load(&m, &config, 0), "tables at the end of RAM");
    eq_int(guest(&m, m.entry.rsi + 0x218, 4), MIB(119), "... the initrd stays below them");
    machine_free(&m);

    p[0].value = MIB(22);
    config.kernel = write_with("kernel", p, 2);
    m = machine_new(MIB(128));
    ok(machine_load(&m, &config, 0), "initrd_addr_max inside the kernel's memory");
    eq_int(guest(&m, m.entry.rsi + 0x218, 4), MIB(8), "... the initrd goes below the kernel");
    ok(guest_is(&m, MIB(8), initrd, sizeof(initrd)), "... all of it");
    machine_free(&m);

    config.kernel = write_with("kernel", NULL, 0);
    if (truncate(config.initrd, MIB(16)) != 0)
        abort();
    refused("no room for the initrd", &config, MIB(67), config.initrd, "16384 KiB does not fit");
    p[0].value = MIB(8);
    config.kernel = write_with("kernel", p, 1);
    refused("initrd_addr_max leaves no room", &config, MIB(128), config.initrd,
            "does not fit into RAM");
}

static void
test_e820_limit(void)
{
    struct boot_config config = {.kernel = write_with("kernel", NULL, 0)};
    struct machine m = machine_new(MIB(128));
    unsigned n;

    for (unsigned i = 0; i < 124; i++)
        if (e820_reserve(m.e820, GIB(8) + i * UINT64_C(8192), 4096, E820_RESERVED))
            abort();
    e820_entries(m.e820, &n);
    eq_int(n, 128, "a map of 128 entries");
    ok(machine_load(&m, &config, 0xe1230), "... fits");
    check_zero_page(&m, "", NULL, 0);
    ok(e820_reserve(m.e820, GIB(9), 4096, E820_RESERVED) == 0 && !machine_load(&m, &config, 0) &&
           good_error(m.error, config.kernel) && strstr(m.error->message, "129 entries"),
       "129 do not");
    machine_free(&m);

    m = machine_new(MIB(128));
    ok(e820_reserve(m.e820, 0, 0x9fc00, E820_RESERVED) == 0 && machine_load(&m, &config, 0),
       "no RAM below 1 MiB");
    ok(m.entry.rsi >= MIB(1) && e820_is_ram(m.e820, m.entry.rsi, 4096), "... still a zero page");
    machine_free(&m);
}

int
main(void)
{
    uint8_t image[LEN];

    test_good();
    test_variants();
    test_bad_headers();
    test_cmdline();
    test_initrd();
    test_e820_limit();
    build(image);
    mangle("a bzImage", image, LEN, 0x290, MIB(96));
    images_remove();
    return done_testing();
}
