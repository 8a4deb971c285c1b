/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-boot-multiboot.c - multiboot 1 kernels: 32-bit ELF, and flat files that give addresses in
 * their header.
 */
#include "config.h"

#include "tests/unit/boot-images.h"

enum {
    PHOFF = 52,
    HEADER = 128,
    TEXT = 128, /* the header is the start of the text */
    TEXT_LEN = 2000,
    LEN = TEXT + TEXT_LEN,
    BSS_LEN = 9000,
    MAGIC = 0x1badb002,
};
#define LOAD   MIB(1)
#define HIGHER UINT64_C(0xc0100000)

static void
put_header(uint8_t *at, uint32_t flags)
{
    put(at, MAGIC, 4);
    put(at + 4, flags, 4);
    put(at + 8, -(uint32_t)(MAGIC + flags), 4);
}

/* A 32-bit ELF linked to 3 GiB + 1 MiB and loaded at 1 MiB, as most such kernels are. */
static void
build_elf(uint8_t *image, uint32_t flags)
{
    memset(image, 0, LEN);
    memcpy(image, ELFMAG, 4);
    image[EI_CLASS] = ELFCLASS32;
    image[EI_DATA] = ELFDATA2LSB;
    image[EI_VERSION] = 1;
    put(image + 16, ET_EXEC, 2);
    put(image + 18, EM_386, 2);
    put(image + 24, HIGHER + 0x100, 4);
    put(image + 28, PHOFF, 4);
    put(image + 42, sizeof(Elf32_Phdr), 2);
    put(image + 44, 1, 2);
    put(image + PHOFF, PT_LOAD, 4);
    put(image + PHOFF + 4, TEXT, 4);
    put(image + PHOFF + 8, HIGHER, 4);
    put(image + PHOFF + 12, LOAD, 4);
    put(image + PHOFF + 16, TEXT_LEN, 4);
    put(image + PHOFF + 20, TEXT_LEN + BSS_LEN, 4);
    fill(image + TEXT, TEXT_LEN, 1);
    put_header(image + HEADER, flags);
}

/* A flat file whose header, at HEADER, says that byte 0 goes to LOAD. */
static void
build_flat(uint8_t *image)
{
    fill(image, LEN, 3);
    put_header(image + HEADER, 0x10003);
    put(image + HEADER + 12, LOAD + HEADER, 4);
    put(image + HEADER + 16, LOAD, 4);
    put(image + HEADER + 20, LOAD + LEN, 4);
    put(image + HEADER + 24, LOAD + LEN + BSS_LEN, 4);
    put(image + HEADER + 28, LOAD + 0x100, 4);
}

static void
check_info(struct machine *m, const char *cmdline, unsigned modules)
{
    uint64_t mi = m->entry.rbx, map = guest(m, mi + 48, 4), end = map + guest(m, mi + 44, 4);
    unsigned n, seen = 0;
    const struct e820_entry *entries = e820_entries(m->e820, &n);
    bool same = true;

    eq_int(m->entry.rax, 0x2badb002, "eax is the magic");
    ok(e820_is_ram(m->e820, mi, 116) && mi < GIB(4), "ebx is the information");
    eq_int(guest(m, mi, 4), 0x24d, "... flags");
    eq_int(guest(m, mi + 4, 4), 639, "... mem_lower");
    eq_int(guest(m, mi + 8, 4), 15 * 1024, "... mem_upper");
    ok(guest_is(m, guest(m, mi + 16, 4), cmdline, strlen(cmdline) + 1), "... cmdline");
    eq_int(guest(m, mi + 20, 4), modules, "... mods_count");
    ok(guest_is(m, guest(m, mi + 64, 4), "backplane", 10), "... boot_loader_name");
    while (map < end) {
        same = same && seen < n && guest(m, map, 4) == 20 &&
               guest(m, map + 4, 8) == entries[seen].base &&
               guest(m, map + 12, 8) == entries[seen].len &&
               guest(m, map + 20, 4) == entries[seen].type;
        seen++;
        map += guest(m, map, 4) + 4;
    }
    ok(same && map == end && seen == n, "... mmap, walked as the specification says");
}

static void
test_elf(void)
{
    uint8_t image[LEN], module[5000];
    struct boot_module modules[] = {{image_path("one"), "first module, its args"},
                                    {image_path("two"), NULL}};
    struct boot_config config = {.cmdline = "a=1 b", .modules = modules, .n_modules = 2};
    struct machine m = machine_new(MIB(16));
    uint64_t mods, start;

    build_elf(image, 3);
    fill(module, sizeof(module), 8);
    config.kernel = image_write("kernel", image, LEN);
    image_write("one", module, sizeof(module));
    image_write("two", module, 1);
    if (memory_write(m.mem, LOAD + TEXT_LEN + BSS_LEN - 1, "!", 1))
        abort();
    if (!ok(machine_load(&m, &config, 0), "an ELF kernel loads")) {
        printf("# %s\n", m.error->message);
        machine_free(&m);
        return;
    }
    check_flat(&m, false);
    eq_str(m.entry.protocol, "multiboot 1, 32-bit ELF", "the protocol's name");
    eq_int(m.entry.rip, LOAD + 0x100, "a virtual entry point is made physical");
    ok(guest_is(&m, LOAD, image + TEXT, TEXT_LEN), "the text is at its physical address");
    eq_int(guest(&m, LOAD + TEXT_LEN + BSS_LEN - 1, 1), 0, "the bss is zero to its end");
    check_info(&m, config.cmdline, 2);
    mods = guest(&m, m.entry.rbx + 24, 4);
    start = guest(&m, mods, 4);
    ok(start % 4096 == 0 && start >= LOAD + TEXT_LEN + BSS_LEN, "modules are page aligned");
    eq_int(guest(&m, mods + 4, 4) - start, sizeof(module), "... the first's length");
    ok(guest_is(&m, start, module, sizeof(module)), "... its bytes");
    ok(guest_is(&m, guest(&m, mods + 8, 4), modules[0].string, 23), "... its string");
    eq_int(guest(&m, mods + 12, 4), 0, "... reserved");
    start = guest(&m, mods + 16, 4);
    ok(start % 4096 == 0 && guest(&m, mods + 20, 4) == start + 1, "the second has one byte");
    eq_int(guest(&m, mods + 24, 4), 0, "... and no string");
    machine_free(&m);

    m = machine_new(MIB(16));
    config.initrd = image_write("initrd", module, 77);
    config.n_modules = 0;
    ok(machine_load(&m, &config, 0), "an initrd");
    check_info(&m, config.cmdline, 1);
    mods = guest(&m, m.entry.rbx + 24, 4);
    ok(guest_is(&m, guest(&m, mods, 4), module, 77), "... is a module");
    machine_free(&m);

    config = (struct boot_config){.kernel = config.kernel};
    put(image + 24, LOAD + 0x80, 4);
    image_write("kernel", image, LEN);
    m = machine_new(MIB(16));
    ok(machine_load(&m, &config, 0), "a physical entry point");
    eq_int(m.entry.rip, LOAD + 0x80, "... is taken as it is");
    check_info(&m, "", 0);
    machine_free(&m);

    build_elf(image, 4);
    put(image + HEADER + 32, 1, 4); /* text mode, 80x25 */
    put(image + HEADER + 36, 80, 4);
    put(image + HEADER + 40, 25, 4);
    image_write("kernel", image, LEN);
    m = machine_new(MIB(16));
    ok(machine_load(&m, &config, 0), "one that wants text mode");
    machine_free(&m);
    put(image + HEADER + 32, 0, 4);
    put(image + HEADER + 36, 0, 8);
    put(image + HEADER + 44, 0, 4);
    image_write("kernel", image, LEN);
    m = machine_new(MIB(16));
    ok(machine_load(&m, &config, 0), "one that wants any graphics mode");
    machine_free(&m);
}

static void
test_flat(void)
{
    uint8_t image[LEN];
    struct boot_config config = {0};
    struct machine m = machine_new(MIB(16));

    build_flat(image);
    config.kernel = image_write("kernel", image, LEN);
    if (memory_write(m.mem, LOAD + LEN, "dirty", 5))
        abort();
    ok(machine_load(&m, &config, 0), "a flat kernel loads");
    check_flat(&m, false);
    eq_str(m.entry.protocol, "multiboot 1, addresses in its header", "the protocol's name");
    eq_int(m.entry.rip, LOAD + 0x100, "entry_addr");
    ok(guest_is(&m, LOAD, image, LEN), "the file is at load_addr");
    ok(guest_is(&m, LOAD + LEN, "\0\0\0\0\0", 5), "the bss is zero");
    check_info(&m, "", 0);
    machine_free(&m);

    put(image + HEADER + 20, 0, 4);
    put(image + HEADER + 24, 0, 4);
    image_write("kernel", image, LEN);
    m = machine_new(MIB(16));
    ok(machine_load(&m, &config, 0) && guest_is(&m, LOAD, image, LEN),
       "no load_end_addr, no bss_end_addr: the whole file");
    machine_free(&m);

    put(image + HEADER + 12, LOAD, 4);
    put(image + HEADER + 20, LOAD + 1000, 4);
    image_write("kernel", image, LEN);
    m = machine_new(MIB(16));
    ok(machine_load(&m, &config, 0) && guest_is(&m, LOAD, image + HEADER, 1000) &&
           guest(&m, LOAD + 1000, 1) == 0,
       "a part of the file, from its header on");
    machine_free(&m);

    /* An ELF file of any kind, when its header gives addresses. */
    memcpy(image, "\177ELF\2\1\1", 7);
    image_write("kernel", image, LEN);
    m = machine_new(MIB(16));
    ok(machine_load(&m, &config, 0), "the addresses count also in a (broken) 64-bit ELF");
    machine_free(&m);
}

struct patch {
    const char *what;
    unsigned at;
    uint32_t value;
    const char *text;
};

static void
test_bad_elf(void)
{
    static const struct patch cases[] = {
        {"entry nowhere", 24, 0x500000, "entry point, 0x500000"},
        {"entry at 0", 24, 0, "entry point, 0x0"},
        {"segment where there is no RAM", PHOFF + 12, 0xf0000, "what is not free RAM"},
        {"segment above RAM", PHOFF + 12, 0xfffff000, "what is not free RAM"},
        {"segment outside the file", PHOFF + 4, LEN, "segment 0 lies outside"},
    };
    static const struct {
        const char *what;
        uint32_t flags;
        const char *text;
    } flags[] = {
        {"an unknown flag that must be known", 0x8, "features 0x8"},
        {"all of them", 0xffff, "features 0xfff8"},
        {"with unknown flags that need not be", 0xfffe0010, "features 0x10"},
    };
    uint8_t image[LEN];
    struct boot_config config = {0};
    struct machine m;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        build_elf(image, 3);
        put(image + cases[i].at, cases[i].value, 4);
        config.kernel = image_write("bad", image, LEN);
        refused(cases[i].what, &config, MIB(16), config.kernel, cases[i].text);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        build_elf(image, flags[i].flags);
        config.kernel = image_write("bad", image, LEN);
        refused(flags[i].what, &config, MIB(16), config.kernel, flags[i].text);
    }
    build_elf(image, 0xfffe0003);
    config.kernel = image_write("kernel", image, LEN);
    m = machine_new(MIB(16));
    ok(machine_load(&m, &config, 0), "unknown flags that need not be known");
    machine_free(&m);

    build_elf(image, 4);
    put(image + HEADER + 32, 0, 4);
    put(image + HEADER + 36, 1024, 4);
    put(image + HEADER + 40, 768, 4);
    put(image + HEADER + 44, 32, 4);
    config.kernel = image_write("bad", image, LEN);
    refused("a graphics mode", &config, MIB(16), config.kernel, "1024x768x32");
    build_elf(image, 3);
    put(image + 18, EM_X86_64, 2);
    config.kernel = image_write("bad", image, LEN);
    refused("x86-64 code in a 32-bit ELF", &config, MIB(16), config.kernel, "elf32-i386");
}

/* 64-bit ELF with the header: people build these and other loaders refuse them as well. */
static void
test_elf64(void)
{
    uint8_t image[LEN] = {0};
    struct boot_config config = {0};

    memcpy(image, "\177ELF\2\1\1", 7);
    put(image + 16, ET_EXEC, 2);
    put(image + 18, EM_X86_64, 2);
    put(image + 24, LOAD + 0x100, 8);
    put(image + 32, 64, 8);
    put(image + 54, sizeof(Elf64_Phdr), 2);
    put(image + 56, 1, 2);
    put(image + 64, PT_LOAD, 4);
    put(image + 64 + 8, 256, 8);
    put(image + 64 + 24, LOAD, 8);
    put(image + 64 + 32, 1000, 8);
    put(image + 64 + 40, 1000, 8);
    put_header(image + 256, 3);
    config.kernel = image_write("bad", image, LEN);
    refused("a 64-bit ELF", &config, MIB(16), config.kernel, "objcopy -O elf32-i386");
}

static void
test_bad_flat(void)
{
    static const struct patch cases[] = {
        {"header before the start", HEADER + 12, LOAD - 4, "says 0xffffc for itself"},
        {"header further from the start than in the file", HEADER + 12, LOAD + HEADER + 4,
         "is at byte 128"},
        {"start far below the header", HEADER + 16, 0, "is at byte 128"},
        {"ends before it starts", HEADER + 20, LOAD - 1, "before it starts"},
        {"ends where it starts", HEADER + 20, LOAD, "before it starts"},
        {"ends behind the file", HEADER + 20, LOAD + LEN + 1, "cut short"},
        {"ends at the last address", HEADER + 20, UINT32_MAX, "cut short"},
        {"bss ends before the data", HEADER + 24, LOAD + LEN - 1, "ends the bss"},
        {"bss ends above RAM", HEADER + 24, MIB(16) + 1, "what is not free RAM"},
        {"bss ends at the last address", HEADER + 24, UINT32_MAX, "what is not free RAM"},
        {"entry below", HEADER + 28, LOAD - 1, "entry point"},
        {"entry above", HEADER + 28, LOAD + LEN + BSS_LEN, "entry point"},
        {"entry at 0", HEADER + 28, 0, "entry point"},
    };
    uint8_t image[LEN];
    struct boot_config config = {0};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        build_flat(image);
        put(image + cases[i].at, cases[i].value, 4);
        config.kernel = image_write("bad", image, LEN);
        refused(cases[i].what, &config, MIB(16), config.kernel, cases[i].text);
    }
    build_flat(image);
    put(image + HEADER + 12, 0xa0000 + HEADER, 4);
    put(image + HEADER + 16, 0xa0000, 4);
    put(image + HEADER + 20, 0, 4);
    put(image + HEADER + 24, 0, 4);
    put(image + HEADER + 28, 0xa0000, 4);
    config.kernel = image_write("bad", image, LEN);
    refused("where there is no RAM", &config, MIB(16), config.kernel, "what is not free RAM");
    build_flat(image);
    put_header(image + HEADER, 3);
    config.kernel = image_write("bad", image, LEN);
    refused("no addresses and no ELF", &config, MIB(16), config.kernel, "is no ELF file");
    build_flat(image);
    config.kernel = image_write("bad", image, HEADER + 31);
    refused("cut inside the addresses", &config, MIB(16), config.kernel, "cut short");
    put_header(image + HEADER, 4);
    config.kernel = image_write("bad", image, HEADER + 40);
    refused("cut inside the video fields", &config, MIB(16), config.kernel, "cut short");
    put(image + HEADER + 8, 0, 4);
    config.kernel = image_write("bad", image, LEN);
    refused("wrong checksum", &config, MIB(16), config.kernel, "no kernel of a known kind");
}

/* The header is looked for in the first 8 KiB, at every fourth byte. */
static void
test_search(void)
{
    g_autofree uint8_t *image = g_malloc0(16384);
    static const struct {
        unsigned at;
        bool found;
    } cases[] = {{0, true},     {4, true},     {8160, true},  {8164, false},
                 {8180, false}, {8192, false}, {4098, false}, {4097, false}};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct boot_config config = {0};
        struct machine m = machine_new(MIB(16));
        uint8_t *h = image + cases[i].at;

        memset(image, 0, 16384);
        image[16] = 1;
        put_header(h, 0x10000);
        put(h + 12, LOAD + cases[i].at, 4);
        put(h + 16, LOAD, 4);
        put(h + 20, 0, 8);
        put(h + 28, LOAD, 4);
        config.kernel = image_write("kernel", image, 16384);
        ok(machine_load(&m, &config, 0) == cases[i].found, "header at byte %u: %s", cases[i].at,
           cases[i].found ? "found" : "not found");
        ok(cases[i].found || good_error(m.error, config.kernel), "... %s",
           m.error ? m.error->message + strlen(config.kernel) + 2 : "loaded");
        machine_free(&m);
    }
}

static void
test_no_room(void)
{
    uint8_t image[LEN];
    struct boot_module module = {image_path("big"), NULL};
    struct boot_config config = {.modules = &module, .n_modules = 1};

    build_elf(image, 3);
    config.kernel = image_write("kernel", image, LEN);
    image_write("big", image, LEN);
    if (truncate(module.path, MIB(15)) != 0)
        abort();
    refused("a module larger than RAM", &config, MIB(16), module.path, "no RAM is left");
    if (truncate(module.path, GIB(8)) != 0)
        abort();
    refused("a module larger than 4 GiB", &config, MIB(16), module.path, "no RAM is left");
}

int
main(void)
{
    uint8_t image[LEN];

    test_elf();
    test_flat();
    test_bad_elf();
    test_elf64();
    test_bad_flat();
    test_search();
    test_no_room();
    build_elf(image, 3);
    mangle("a multiboot ELF", image, LEN, HEADER + 48, MIB(16));
    build_flat(image);
    mangle("a flat multiboot kernel", image, LEN, HEADER + 48, MIB(16));
    images_remove();
    return done_testing();
}
