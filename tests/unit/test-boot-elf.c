/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-boot-elf.c - PVH kernels, 32 and 64 bit: made-up ELF files, good ones and every way to be
 * bad.
 */
#include "config.h"

#include "tests/unit/boot-images.h"

/*
 * The file: ELF header, program headers at PHOFF, notes at NOTES, text at TEXT, data at DATA.
 * Segment 0 is PT_NOTE, 1 the text at 1 MiB, 2 the data at 2 MiB with a bss behind it.
 */
enum {
    PHOFF = 64,
    NOTES = 512,
    TEXT = 1024,
    TEXT_LEN = 3000,
    DATA = 4096,
    DATA_LEN = 500,
    BSS_LEN = 10000,
    LEN = DATA + DATA_LEN,
    NOTE_XEN = NOTES + 20, /* behind a GNU note */
    N = 3,
};
#define ENTRY (MIB(1) + 0x40)

/* Where the fields are that tests change. */
struct offsets {
    unsigned entry, phoff, phentsize, phnum;       /* of the file */
    unsigned p_offset, p_vaddr, p_paddr, p_filesz; /* of a program header */
    unsigned p_memsz, p_align, phdr, width;
};
#define OFFSETS(B)                                                                                 \
    {                                                                                              \
        offsetof(Elf##B##_Ehdr, e_entry), offsetof(Elf##B##_Ehdr, e_phoff),                        \
            offsetof(Elf##B##_Ehdr, e_phentsize), offsetof(Elf##B##_Ehdr, e_phnum),                \
            offsetof(Elf##B##_Phdr, p_offset), offsetof(Elf##B##_Phdr, p_vaddr),                   \
            offsetof(Elf##B##_Phdr, p_paddr), offsetof(Elf##B##_Phdr, p_filesz),                   \
            offsetof(Elf##B##_Phdr, p_memsz), offsetof(Elf##B##_Phdr, p_align),                    \
            sizeof(Elf##B##_Phdr), B / 8                                                           \
    }
static const struct offsets offsets[2] = {OFFSETS(32), OFFSETS(64)};

static void
put_phdr(uint8_t *image, bool is64, unsigned i, uint32_t type, uint64_t off, uint64_t vaddr,
         uint64_t paddr, uint64_t filesz, uint64_t memsz)
{
    const struct offsets *o = &offsets[is64];
    uint8_t *at = image + PHOFF + i * o->phdr;

    put(at, type, 4);
    put(at + o->p_offset, off, o->width);
    put(at + o->p_vaddr, vaddr, o->width);
    put(at + o->p_paddr, paddr, o->width);
    put(at + o->p_filesz, filesz, o->width);
    put(at + o->p_memsz, memsz, o->width);
    put(at + o->p_align, type == PT_NOTE ? 4 : 4096, o->width);
}

static void
build(uint8_t *image, bool is64)
{
    const struct offsets *o = &offsets[is64];

    memset(image, 0, LEN);
    memcpy(image, ELFMAG, 4);
    image[EI_CLASS] = is64 ? ELFCLASS64 : ELFCLASS32;
    image[EI_DATA] = ELFDATA2LSB;
    image[EI_VERSION] = 1;
    put(image + 16, ET_EXEC, 2);
    put(image + 18, is64 ? EM_X86_64 : EM_386, 2);
    put(image + o->entry, MIB(1), o->width);
    put(image + o->phoff, PHOFF, o->width);
    put(image + o->phentsize, o->phdr, 2);
    put(image + o->phnum, N, 2);
    put_phdr(image, is64, 0, PT_NOTE, NOTES, 0, 0, is64 ? 44 : 40, 44);
    put_phdr(image, is64, 1, PT_LOAD, TEXT, 0x80000000, MIB(1), TEXT_LEN, TEXT_LEN);
    put_phdr(image, is64, 2, PT_LOAD, DATA, 0x80200000, MIB(2), DATA_LEN, DATA_LEN + BSS_LEN);
    /* A note of somebody else's: name "GNU", 4 bytes. */
    put(image + NOTES, 4, 4);
    put(image + NOTES + 4, 4, 4);
    put(image + NOTES + 8, 3, 4);
    memcpy(image + NOTES + 12, "GNU", 4);
    put(image + NOTE_XEN, 4, 4);
    put(image + NOTE_XEN + 4, is64 ? 8 : 4, 4);
    put(image + NOTE_XEN + 8, 18, 4);
    memcpy(image + NOTE_XEN + 12, "Xen", 4);
    put(image + NOTE_XEN + 16, ENTRY, is64 ? 8 : 4);
    fill(image + TEXT, TEXT_LEN, 1);
    fill(image + DATA, DATA_LEN, 2);
}

static void
check_start_info(struct machine *m, const char *cmdline, unsigned modules)
{
    uint64_t si = m->entry.rbx, map;
    unsigned n;
    const struct e820_entry *entries = e820_entries(m->e820, &n);
    bool same = true;

    ok(si % 4 == 0 && e820_is_ram(m->e820, si, 56) && si < GIB(4), "rbx is the start information");
    eq_int(guest(m, si, 4), 0x336ec578, "... magic");
    eq_int(guest(m, si + 4, 4), 1, "... version 1");
    eq_int(guest(m, si + 8, 4), 0, "... no flags");
    eq_int(guest(m, si + 12, 4), modules, "... number of modules");
    ok(guest_is(m, guest(m, si + 24, 8), cmdline, strlen(cmdline) + 1), "... command line");
    eq_int(guest(m, si + 32, 8), 0xe5550, "... RSDP");
    map = guest(m, si + 40, 8);
    eq_int(guest(m, si + 48, 4), n, "... number of map entries");
    for (unsigned i = 0; i < n; i++)
        same = same && guest(m, map + i * 24, 8) == entries[i].base &&
               guest(m, map + i * 24 + 8, 8) == entries[i].len &&
               guest(m, map + i * 24 + 16, 8) == entries[i].type;
    ok(same, "... the map");
}

static void
check_loaded(struct machine *m, const uint8_t *image)
{
    bool zero = true;

    ok(guest_is(m, MIB(1), image + TEXT, TEXT_LEN), "the text is at its physical address");
    ok(guest_is(m, MIB(2), image + DATA, DATA_LEN), "the data too");
    for (unsigned i = 0; i < BSS_LEN; i++)
        zero = zero && guest(m, MIB(2) + DATA_LEN + i, 1) == 0;
    ok(zero, "the bss is zero");
}

static void
test_good(bool is64)
{
    uint8_t image[LEN], initrd[5000], module[100];
    struct boot_module modules[] = {{image_path("module"), "module args"},
                                    {image_path("module"), NULL}};
    struct boot_config config = {.cmdline = "hello=world", .modules = modules, .n_modules = 2};
    struct machine m = machine_new(MIB(16));
    uint64_t list, initrd_at, other;

    build(image, is64);
    fill(initrd, sizeof(initrd), 5);
    fill(module, sizeof(module), 6);
    config.kernel = image_write("kernel", image, LEN);
    config.initrd = image_write("initrd", initrd, sizeof(initrd));
    image_write("module", module, sizeof(module));
    if (memory_write(m.mem, MIB(2) + DATA_LEN, "dirty bss", 9))
        abort();
    if (!ok(machine_load(&m, &config, 0xe5550), "a %s-bit PVH kernel loads", is64 ? "64" : "32")) {
        printf("# %s\n", m.error->message);
        machine_free(&m);
        return;
    }
    check_flat(&m, false);
    eq_str(m.entry.protocol, is64 ? "PVH, 64-bit ELF" : "PVH, 32-bit ELF", "the protocol's name");
    eq_int(m.entry.rip, ENTRY, "entered where the note says");
    check_loaded(&m, image);
    check_start_info(&m, config.cmdline, 3);
    list = guest(&m, m.entry.rbx + 16, 8);
    initrd_at = guest(&m, list, 8);
    ok(guest_is(&m, initrd_at, initrd, sizeof(initrd)), "the initrd is the first module");
    eq_int(guest(&m, list + 8, 8), sizeof(initrd), "... its size");
    eq_int(guest(&m, list + 16, 8), 0, "... no command line");
    ok(initrd_at % 4096 == 0 && initrd_at >= MIB(2) + DATA_LEN + BSS_LEN,
       "... page aligned, behind the kernel");
    ok(guest_is(&m, guest(&m, list + 32, 8), module, sizeof(module)), "the second module");
    ok(guest_is(&m, guest(&m, list + 48, 8), "module args", 12), "... its command line");
    other = guest(&m, list + 64, 8);
    ok(other != guest(&m, list + 32, 8) && guest_is(&m, other, module, sizeof(module)),
       "the same file twice is there twice");
    eq_int(guest(&m, list + 80, 8), 0, "... without a command line");

    ok(memory_write(m.mem, MIB(1), "dirt", 4) == 0 && memory_reset(m.mem) == 0 &&
           boot_load(m.boot, m.e820, 0xe5550, &m.entry, NULL),
       "a reboot");
    check_loaded(&m, image);
    machine_free(&m);

    config = (struct boot_config){.kernel = config.kernel};
    m = machine_new(MIB(16));
    ok(machine_load(&m, &config, 0xe5550), "no command line, no modules");
    check_start_info(&m, "", 0);
    machine_free(&m);
}

struct patch {
    const char *what;
    unsigned at, width;
    uint64_t value;
    const char *text;
};

static void
run_bad(bool is64, const struct patch *cases, size_t n)
{
    uint8_t image[LEN];

    for (size_t i = 0; i < n; i++) {
        struct boot_config config = {0};

        build(image, is64);
        put(image + cases[i].at, cases[i].value, cases[i].width);
        config.kernel = image_write("bad", image, LEN);
        refused(cases[i].what, &config, MIB(16), config.kernel, cases[i].text);
    }
}

static void
test_bad(bool is64)
{
    const struct offsets *o = &offsets[is64];
    const unsigned w = o->width, note = PHOFF, text = PHOFF + o->phdr, data = text + o->phdr;
    const uint64_t max = is64 ? UINT64_MAX : UINT32_MAX;
    const struct patch cases[] = {
        {"class 0", EI_CLASS, 1, 0, "class 0"},
        {"class 3", EI_CLASS, 1, 3, "class 3"},
        {"big-endian", EI_DATA, 1, ELFDATA2MSB, "big-endian"},
        {"no byte order", EI_DATA, 1, 0, "big-endian"},
        {"arm64", 18, 2, EM_AARCH64, "machine 183 (arm64)"},
        {"RISC-V", 18, 2, EM_RISCV, "RISC-V"},
        {"machine 0", 18, 2, 0, "machine 0;"},
        {"a kernel module", 16, 2, ET_REL, "kernel module"},
        {"a core dump", 16, 2, ET_CORE, "type 4"},
        {"no program headers", o->phnum, 2, 0, "without program headers"},
        {"65535 program headers", o->phnum, 2, 0xffff, "65535 program headers"},
        {"257 program headers", o->phnum, 2, 257, "more than 256"},
        {"256 program headers in a small file", o->phnum, 2, 256, "lie outside"},
        {"program headers of 0 bytes", o->phentsize, 2, 0, "of 0 bytes"},
        {"program headers too large", o->phentsize, 2, o->phdr + 8, "program headers of"},
        {"program headers at the end", o->phoff, w, LEN, "lie outside"},
        {"program headers half in the file", o->phoff, w, LEN - o->phdr, "lie outside"},
        {"program headers past the end", o->phoff, w, LEN + 1, "lie outside"},
        {"program headers at the last offset", o->phoff, w, max, "lie outside"},
        {"segment past the end of the file", text + o->p_offset, w, LEN - TEXT_LEN + 1,
         "segment 1 lies outside"},
        {"segment at the last offset", text + o->p_offset, w, max, "segment 1 lies outside"},
        {"segment larger than the file", data + o->p_filesz, w, LEN, "segment 2 lies outside"},
        {"segment of all bytes", data + o->p_filesz, w, max, "segment 2 lies outside"},
        {"more in the file than in memory", text + o->p_memsz, w, TEXT_LEN - 1,
         "segment 1 is larger in the file"},
        {"in memory nothing", text + o->p_memsz, w, 0, "larger in the file"},
        {"segment at 640 KiB", text + o->p_paddr, w, 0xa0000, "what is not free RAM"},
        {"segment into the BIOS area", text + o->p_paddr, w, 0x9f800, "what is not free RAM"},
        {"segment above RAM", data + o->p_paddr, w, MIB(16), "what is not free RAM"},
        {"segment at the end of RAM", data + o->p_paddr, w, MIB(16) - DATA_LEN, "not free RAM"},
        {"segment in the hole", data + o->p_paddr, w, 0xfee00000, "what is not free RAM"},
        {"segment near the last address", data + o->p_paddr, w, max - 100,
         is64 ? "ends past the last address" : "not free RAM"},
        {"a bss larger than RAM", data + o->p_memsz, w, MIB(15), "what is not free RAM"},
        {"a bss of all bytes", data + o->p_memsz, w, max,
         is64 ? "ends past the last address" : "not free RAM"},
        {"segment on another", data + o->p_paddr, w, MIB(1) + TEXT_LEN - 1, "overlaps segment 1"},
        {"segment around another", data + o->p_paddr, w, MIB(1) - 100, "segment"},
        {"notes past the end of the file", note + o->p_offset, w, LEN, "segment 0 lies outside"},
        {"notes larger than the file", note + o->p_filesz, w, max, "segment 0 lies outside"},
        {"a note longer than its segment", NOTES + 4, 4, 1000, "a note in segment 0 leaves it"},
        {"a note of 4 GiB", NOTES + 4, 4, UINT32_MAX, "a note in segment 0 leaves it"},
        {"a note's name of 4 GiB", NOTES, 4, UINT32_MAX, "a note in segment 0 leaves it"},
        {"a PVH note of 2 bytes", NOTE_XEN + 4, 4, 2, "has 2 bytes"},
        {"a PVH note of nothing", NOTE_XEN + 4, 4, 0, "has 0 bytes"},
        {"entry between the segments", NOTE_XEN + 16, 4, MIB(1) + TEXT_LEN, "PVH entry point"},
        {"entry at 0", NOTE_XEN + 16, 4, 0, "PVH entry point"},
        {"another note of Xen's", NOTE_XEN + 8, 4, 17, "without PVH note or multiboot"},
        {"the note of another owner", NOTE_XEN + 12, 1, 'G', "without PVH note"},
        {"no note segment", note, 4, PT_NULL, "without PVH note"},
    };

    run_bad(is64, cases, G_N_ELEMENTS(cases));
}

/* What is not for the table: two fields at a time, good oddities, cut files. */
static void
test_odd(bool is64)
{
    const struct offsets *o = &offsets[is64];
    const unsigned w = o->width, text = PHOFF + o->phdr, data = text + o->phdr;
    struct boot_config config = {0};
    uint8_t image[LEN];
    struct machine m;

    build(image, is64);
    put(image + text, PT_NULL, 4);
    put(image + data, PT_DYNAMIC, 4);
    config.kernel = image_write("bad", image, LEN);
    refused("nothing to load", &config, MIB(16), config.kernel, "nothing to load");

    build(image, is64);
    put(image + text + o->p_filesz, 0, w);
    put(image + text + o->p_memsz, 0, w);
    put(image + data + o->p_filesz, 0, w);
    put(image + data + o->p_memsz, 0, w);
    config.kernel = image_write("bad", image, LEN);
    refused("only empty segments", &config, MIB(16), config.kernel, "nothing to load");

    build(image, is64);
    for (unsigned cut = 4; cut < PHOFF; cut += 4) {
        config.kernel = image_write("bad", image, cut);
        refused("cut inside the header", &config, MIB(16), config.kernel,
                cut < (is64 ? 64 : 52) ? "inside its header" : "lie outside");
    }

    build(image, is64);
    put(image + text + o->p_paddr, 0x1000, w);
    put(image + NOTE_XEN + 16, 0x1040, 4);
    config.kernel = image_write("low", image, LEN);
    m = machine_new(MIB(16));
    ok(machine_load(&m, &config, 0xe5550), "a kernel where our structures like to be");
    ok(guest_is(&m, 0x1000, image + TEXT, TEXT_LEN), "... is whole");
    check_start_info(&m, "", 0);
    machine_free(&m);

    build(image, is64);
    put(image + text + o->p_paddr, 0, w);
    put(image + text + o->p_memsz, 0x9fc00, w);
    put(image + NOTE_XEN + 16, 0, 4);
    config.kernel = image_write("low", image, LEN);
    m = machine_new(MIB(16));
    ok(machine_load(&m, &config, 0xe5550), "a kernel in all of the memory below 640 KiB");
    check_start_info(&m, "", 0);
    machine_free(&m);

    build(image, is64);
    put(image + data + o->p_memsz, MIB(14), w);
    put(image + data + o->p_filesz, 0, w);
    put(image + text + o->p_paddr, 0, w);
    put(image + text + o->p_memsz, 0x9fc00, w);
    put(image + NOTE_XEN + 16, 0, 4);
    put(image + data + o->p_paddr, MIB(2), w);
    config.kernel = image_write("kernel", image, LEN);
    config.initrd = image_write("initrd", image, LEN);
    m = machine_new(MIB(16));
    ok(!machine_load(&m, &config, 0) && good_error(m.error, config.initrd) &&
           strstr(m.error->message, "no RAM is left for the initrd"),
       "a kernel that leaves no room for the initrd");
    machine_free(&m);
    config.initrd = NULL;

    build(image, is64);
    put(image + 16, ET_DYN, 2);
    put(image + PHOFF + o->p_align, 8, w);
    memmove(image + NOTE_XEN + 4, image + NOTE_XEN, 24);
    put(image + PHOFF + o->p_filesz, 48, w);
    config.kernel = image_write("kernel", image, LEN);
    m = machine_new(MIB(16));
    ok(machine_load(&m, &config, 0), "notes aligned to 8 bytes, position independent");
    eq_int(m.entry.rip, ENTRY, "... the same entry");
    machine_free(&m);
}

static void
test_high(void)
{
    uint8_t image[LEN];
    struct boot_config config = {0};
    struct machine m = machine_new(GIB(3) + MIB(64));

    build(image, true);
    put_phdr(image, true, 2, PT_LOAD, DATA, 0, GIB(4) + MIB(8), DATA_LEN, DATA_LEN + BSS_LEN);
    config.kernel = image_write("kernel", image, LEN);
    ok(machine_load(&m, &config, 0), "a segment above 4 GiB");
    ok(guest_is(&m, GIB(4) + MIB(8), image + DATA, DATA_LEN), "... is there");
    machine_free(&m);

    build(image, true);
    put_phdr(image, true, 1, PT_LOAD, TEXT, 0, GIB(4) + MIB(8), TEXT_LEN, TEXT_LEN);
    put(image + NOTE_XEN + 16, GIB(4) + MIB(8), 8);
    config.kernel = image_write("kernel", image, LEN);
    refused("an entry above 4 GiB", &config, GIB(3) + MIB(64), config.kernel, "PVH entry point");
}

static void
test_notes_limit(void)
{
    uint8_t *image = g_malloc0(MIB(3));
    struct boot_config config = {0};

    build(image, true);
    put_phdr(image, true, 0, PT_NOTE, LEN, 0, 0, MIB(1) + 1, 0);
    config.kernel = image_write("kernel", image, MIB(3));
    refused("a megabyte of notes", &config, MIB(16), config.kernel, "more than 1 MiB");
    g_free(image);
}

static void
test_cmdline(void)
{
    g_autofree char *longest = g_strnfill(65536, 'x'), *too_long = g_strnfill(65537, 'x');
    uint8_t image[LEN];
    struct boot_config config = {.cmdline = longest};
    struct machine m = machine_new(MIB(16));

    build(image, true);
    config.kernel = image_write("kernel", image, LEN);
    ok(machine_load(&m, &config, 0xe5550), "a very long command line");
    check_start_info(&m, longest, 0);
    machine_free(&m);
    config.cmdline = too_long;
    refused("a longer one", &config, MIB(16), config.kernel, "at most 65536");
}

int
main(void)
{
    uint8_t image[LEN];

    for (int is64 = 0; is64 < 2; is64++) {
        test_good(is64);
        test_bad(is64);
        test_odd(is64);
        build(image, is64);
        mangle(is64 ? "a 64-bit ELF" : "a 32-bit ELF", image, LEN, NOTES + 48, MIB(16));
    }
    test_high();
    test_notes_limit();
    test_cmdline();
    images_remove();
    return done_testing();
}
