/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * multiboot.c - the Multiboot specification, version 0.6.96: ELF kernels, and files of any format
 * whose header gives the addresses itself (the "a.out kludge").
 */
#include <elf.h>
#include <inttypes.h>

#include "core/boot/internal.h"

#define HEADER_MAGIC UINT32_C(0x1badb002)
#define LOADER_MAGIC UINT32_C(0x2badb002)

/* Header flags; those below bit 16 must be understood. */
enum {
    FLAG_PAGE_ALIGN = 1,
    FLAG_MEMORY = 2,
    FLAG_VIDEO = 4,
    FLAG_MUST = 0xffff,
};

enum { HEADER_SHORT = 12, HEADER_ADDRESSES = 32, HEADER_VIDEO = 48 };

/* The information structure. */
enum {
    MI_FLAGS = 0,
    MI_MEM_LOWER = 4,
    MI_MEM_UPPER = 8,
    MI_CMDLINE = 16,
    MI_MODS_COUNT = 20,
    MI_MODS_ADDR = 24,
    MI_MMAP_LENGTH = 44,
    MI_MMAP_ADDR = 48,
    MI_LOADER_NAME = 64,
    MI_SIZE = 116,
    HAS_MEMORY = 1 << 0,
    HAS_CMDLINE = 1 << 2,
    HAS_MODS = 1 << 3,
    HAS_MMAP = 1 << 6,
    HAS_NAME = 1 << 9,
    MOD_SIZE = 16,  /* start, end, string, reserved */
    MMAP_SIZE = 24, /* a size that does not count itself, base, length, type */
};

bool
multiboot_probe(const uint8_t *head, size_t len, struct multiboot_header *ret)
{
    uint8_t bytes[HEADER_VIDEO] = {0};

    for (size_t at = 0; at + HEADER_SHORT <= len; at += 4) {
        if (get32(head + at) != HEADER_MAGIC ||
            get32(head + at) + get32(head + at + 4) + get32(head + at + 8) != 0)
            continue;
        /* Fields that the file is too short for read as zero; load() looks at that. */
        memcpy(bytes, head + at, MIN(len - at, sizeof(bytes)));
        *ret = (struct multiboot_header){
            .offset = (uint32_t)at,
            .flags = get32(bytes + 4),
            .header_addr = get32(bytes + 12),
            .load_addr = get32(bytes + 16),
            .load_end_addr = get32(bytes + 20),
            .bss_end_addr = get32(bytes + 24),
            .entry_addr = get32(bytes + 28),
            .mode_type = get32(bytes + 32),
            .width = get32(bytes + 36),
            .height = get32(bytes + 40),
            .depth = get32(bytes + 44),
        };
        return true;
    }
    return false;
}

static gboolean
check_flags(const struct boot_loader *loader, const struct multiboot_header *header, GError **error)
{
    const struct boot_file *file = &loader->boot->kernel;
    uint32_t unknown = header->flags & FLAG_MUST & ~UINT32_C(7);
    size_t need = header->flags & FLAG_VIDEO                ? HEADER_VIDEO
                  : header->flags & MULTIBOOT_HAS_ADDRESSES ? HEADER_ADDRESSES
                                                            : HEADER_SHORT;

    if (unknown)
        return boot_file_error(file, error,
                               "its multiboot header demands features 0x%x, which the "
                               "specification does not have; copy the kernel again",
                               unknown);
    if (header->offset + need > loader->head_len)
        return boot_file_error(file, error,
                               "its multiboot header is cut short; copy the kernel again");
    /* Text, or no preference, is what there is anyway. */
    if ((header->flags & FLAG_VIDEO) && header->mode_type == 0 &&
        (header->width || header->height || header->depth))
        return boot_file_error(file, error,
                               "its multiboot header demands a %ux%ux%u graphics mode, which only "
                               "firmware could set; boot it through firmware and a boot loader, or "
                               "build it without the video flag",
                               header->width, header->height, header->depth);
    return TRUE;
}

/* The header's own addresses: one stretch of the file, and zeroes behind it. */
static gboolean
load_by_addresses(struct boot_loader *loader, const struct multiboot_header *header,
                  uint64_t *ret_entry, uint64_t *ret_end, GError **error)
{
    const struct boot_file *file = &loader->boot->kernel;
    uint64_t load = header->load_addr, before, off, len, memsz;
    const char *obstacle;

    if (header->header_addr < load || header->header_addr - load > header->offset)
        return boot_file_error(file, error,
                               "its multiboot header is at byte %u but says 0x%x for itself and "
                               "0x%x for the start; link the kernel again",
                               header->offset, header->header_addr, header->load_addr);
    before = header->header_addr - load;
    off = header->offset - before;
    if (header->load_end_addr && header->load_end_addr <= load)
        return boot_file_error(file, error,
                               "its multiboot header ends what is to be loaded (0x%x) before it "
                               "starts (0x%x); link the kernel again",
                               header->load_end_addr, header->load_addr);
    len = header->load_end_addr ? header->load_end_addr - load : file->size - off;
    if (len > file->size - off)
        return boot_file_error(file, error,
                               "cut short: its multiboot header wants %" PRIu64
                               " bytes from byte %" PRIu64 "; copy the kernel again",
                               len, off);
    if (header->bss_end_addr && header->bss_end_addr < load + len)
        return boot_file_error(file, error,
                               "its multiboot header ends the bss (0x%x) before the data "
                               "(0x%" PRIx64 "); link the kernel again",
                               header->bss_end_addr, load + len);
    memsz = header->bss_end_addr ? header->bss_end_addr - load : len;
    if (header->entry_addr < load || header->entry_addr - load >= memsz)
        return boot_file_error(file, error,
                               "its multiboot entry point, 0x%x, is not in what is loaded; link "
                               "the kernel again",
                               header->entry_addr);
    obstacle = layout_claim(loader->layout, load, memsz, "the kernel");
    if (obstacle)
        return boot_file_error(file, error,
                               "the kernel, 0x%" PRIx64 "-0x%" PRIx64
                               ", overlaps %s; give the machine more memory, or link the kernel to "
                               "other addresses",
                               load, load + memsz, obstacle);
    if (!boot_file_load(file, off, len, loader->mem, load, error))
        return FALSE;
    if (memory_zero(loader->mem, load + len, memsz - len) != 0)
        return boot_file_error(file, error, "cannot clear its bss");
    *ret_entry = header->entry_addr;
    *ret_end = load + memsz;
    return TRUE;
}

static gboolean
load_elf(struct boot_loader *loader, const struct elf_image *image, uint64_t *ret_entry,
         uint64_t *ret_end, GError **error)
{
    const struct boot_file *file = &loader->boot->kernel;

    if (!image)
        return boot_file_error(file, error,
                               "has a multiboot header without load addresses and is no ELF file; "
                               "link it as 32-bit ELF");
    if (image->is64 || image->machine != EM_386)
        return boot_file_error(file, error,
                               "a 64-bit ELF with a multiboot header, and multiboot wants 32-bit "
                               "ELF; convert it: objcopy -O elf32-i386");
    if (!elf_entry(image, ret_entry))
        return boot_file_error(file, error,
                               "its entry point, 0x%" PRIx64
                               ", is not in what is loaded; link the kernel again",
                               image->entry);
    return elf_load(loader, image, ret_end, error);
}

static gboolean
put_modules(struct boot_loader *loader, uint64_t min, uint8_t *info, GError **error)
{
    unsigned n = boot_n_modules(loader->boot);
    g_autofree struct boot_placed *placed = g_new0(struct boot_placed, n);
    g_autofree uint8_t *list = g_malloc0((gsize)n * MOD_SIZE);
    uint64_t gpa = 0;

    if (!boot_put_modules(loader, min, placed, error))
        return FALSE;
    for (unsigned i = 0; i < n; i++) {
        put32(list + i * MOD_SIZE, placed[i].gpa);
        put32(list + i * MOD_SIZE + 4, placed[i].gpa + placed[i].len);
        put32(list + i * MOD_SIZE + 8, placed[i].string);
    }
    if (n && !boot_put(loader, list, (uint64_t)n * MOD_SIZE, 8, "the list of modules", &gpa, error))
        return FALSE;
    put32(info + MI_MODS_COUNT, n);
    put32(info + MI_MODS_ADDR, gpa);
    return TRUE;
}

/* RAM in KiB from 0, and from 1 MiB to the first gap. */
static void
fill_memory(struct boot_loader *loader, uint8_t *info)
{
    unsigned n;
    const struct e820_entry *entries = e820_entries(loader->e820, &n);

    for (unsigned i = 0; i < n; i++) {
        uint64_t end = MIN(entries[i].base + entries[i].len, BOOT_4GIB);

        if (entries[i].type != E820_RAM)
            continue;
        if (entries[i].base == 0)
            put32(info + MI_MEM_LOWER, MIN(end, BOOT_1MIB) / 1024);
        if (entries[i].base <= BOOT_1MIB && end > BOOT_1MIB)
            put32(info + MI_MEM_UPPER, (end - BOOT_1MIB) / 1024);
    }
}

static gboolean
put_mmap(struct boot_loader *loader, uint8_t *info, GError **error)
{
    unsigned n;
    const struct e820_entry *entries = e820_entries(loader->e820, &n);
    g_autofree uint8_t *map = g_malloc0((gsize)n * MMAP_SIZE);
    uint64_t gpa;

    for (unsigned i = 0; i < n; i++) {
        put32(map + i * MMAP_SIZE, MMAP_SIZE - 4);
        put64(map + i * MMAP_SIZE + 4, entries[i].base);
        put64(map + i * MMAP_SIZE + 12, entries[i].len);
        put32(map + i * MMAP_SIZE + 20, entries[i].type);
    }
    if (!boot_put(loader, map, (uint64_t)n * MMAP_SIZE, 8, "the memory map", &gpa, error))
        return FALSE;
    put32(info + MI_MMAP_LENGTH, (uint64_t)n * MMAP_SIZE);
    put32(info + MI_MMAP_ADDR, gpa);
    return TRUE;
}

gboolean
multiboot_load(struct boot_loader *loader, const struct multiboot_header *header,
               const struct elf_image *image, struct boot_entry *entry, GError **error)
{
    static const char name[] = "backplane";
    bool by_addresses = header->flags & MULTIBOOT_HAS_ADDRESSES;
    uint8_t info[MI_SIZE] = {0};
    uint64_t start, end, gpa;

    if (!check_flags(loader, header, error))
        return FALSE;
    if (!(by_addresses ? load_by_addresses(loader, header, &start, &end, error)
                       : load_elf(loader, image, &start, &end, error)))
        return FALSE;
    put32(info + MI_FLAGS, HAS_MEMORY | HAS_CMDLINE | HAS_MODS | HAS_MMAP | HAS_NAME);
    fill_memory(loader, info);
    if (!boot_put_cmdline(loader, BOOT_CMDLINE_MAX, &gpa, error))
        return FALSE;
    put32(info + MI_CMDLINE, gpa);
    if (!boot_put(loader, name, sizeof(name), 8, "the loader's name", &gpa, error))
        return FALSE;
    put32(info + MI_LOADER_NAME, gpa);
    if (!put_modules(loader, end, info, error) || !put_mmap(loader, info, error) ||
        !boot_put(loader, info, sizeof(info), 8, "the multiboot information", &gpa, error))
        return FALSE;
    /* No descriptor table is promised; the selectors are any. */
    boot_state_protected(entry, 0x8, 0x10);
    entry->rip = start;
    entry->rax = LOADER_MAGIC;
    entry->rbx = gpa;
    g_snprintf(entry->protocol, sizeof(entry->protocol), "multiboot 1, %s",
               by_addresses ? "addresses in its header" : "32-bit ELF");
    return TRUE;
}
