/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pvh.c - the PVH boot protocol: an ELF kernel with a Xen note that gives its 32-bit entry point.
 *
 * Start-of-day structure and CPU state: xen/include/public/arch-x86/hvm/start_info.h and
 * docs/misc/pvh.pandoc of Xen.
 */
#include <elf.h>
#include <inttypes.h>

#include "core/boot/internal.h"

#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define START_MAGIC              0x336ec578
#define NOTES_MAX                (UINT64_C(1) << 20)

/* struct hvm_start_info, version 1 */
enum {
    SI_MAGIC = 0,
    SI_VERSION = 4,
    SI_NR_MODULES = 12,
    SI_MODLIST = 16,
    SI_CMDLINE = 24,
    SI_RSDP = 32,
    SI_MEMMAP = 40,
    SI_MEMMAP_ENTRIES = 48,
    SI_SIZE = 56,
    MODULE_SIZE = 32, /* address, size, command line, reserved */
    MEMMAP_SIZE = 24, /* address, size, type, reserved */
};

/* Walks one PT_NOTE; *found and *entry as of pvh_probe(). */
static gboolean
scan_notes(const struct boot_file *file, const struct elf_segment *segment, const uint8_t *notes,
           bool *found, uint64_t *entry, GError **error)
{
    uint64_t align = segment->align == 8 ? 8 : 4, len = segment->filesz, at = 0;

    while (len - at >= sizeof(Elf64_Nhdr)) {
        uint64_t namesz = get32(notes + at), descsz = get32(notes + at + 4);
        uint32_t type = get32(notes + at + 8);
        uint64_t name = at + sizeof(Elf64_Nhdr);
        uint64_t desc = (name + namesz + align - 1) & ~(align - 1);

        if (desc > len || descsz > len - desc)
            return boot_file_error(file, error, "a note in %s leaves it; copy the kernel again",
                                   segment->name);
        if (namesz == 4 && memcmp(notes + name, "Xen", 4) == 0 &&
            type == XEN_ELFNOTE_PHYS32_ENTRY) {
            if (descsz != 4 && descsz != 8)
                return boot_file_error(file, error,
                                       "its PVH note has %" PRIu64
                                       " bytes, not 4 or 8; copy the kernel again",
                                       descsz);
            *found = true;
            *entry = descsz == 8 ? get64(notes + desc) : get32(notes + desc);
            return TRUE;
        }
        at = (desc + descsz + align - 1) & ~(align - 1);
        if (at > len)
            break;
    }
    return TRUE;
}

gboolean
pvh_probe(const struct boot_loader *loader, const struct elf_image *image, bool *ret_found,
          uint64_t *ret_entry, GError **error)
{
    const struct boot_file *file = &loader->boot->kernel;
    bool found = false;
    uint64_t entry = 0;

    for (unsigned i = 0; i < image->n && !found; i++) {
        const struct elf_segment *segment = &image->segments[i];
        g_autofree uint8_t *notes = NULL;

        if (segment->type != PT_NOTE)
            continue;
        if (segment->filesz > NOTES_MAX)
            return boot_file_error(file, error,
                                   "the notes in %s are %" PRIu64
                                   " bytes long, more than 1 MiB; copy the kernel again",
                                   segment->name, segment->filesz);
        notes = g_malloc(segment->filesz);
        if (!boot_file_read(file, segment->offset, notes, segment->filesz, error) ||
            !scan_notes(file, segment, notes, &found, &entry, error))
            return FALSE;
    }
    *ret_found = found;
    *ret_entry = entry;
    return TRUE;
}

static gboolean
put_modules(struct boot_loader *loader, uint64_t min, uint8_t *start_info, GError **error)
{
    unsigned n = boot_n_modules(loader->boot);
    g_autofree struct boot_placed *placed = g_new0(struct boot_placed, n);
    g_autofree uint8_t *list = g_malloc0((gsize)n * MODULE_SIZE);
    uint64_t gpa;

    if (n == 0)
        return TRUE;
    if (!boot_put_modules(loader, min, placed, error))
        return FALSE;
    for (unsigned i = 0; i < n; i++) {
        put64(list + i * MODULE_SIZE, placed[i].gpa);
        put64(list + i * MODULE_SIZE + 8, placed[i].len);
        put64(list + i * MODULE_SIZE + 16, placed[i].string);
    }
    if (!boot_put(loader, list, (uint64_t)n * MODULE_SIZE, 8, "the list of modules", &gpa, error))
        return FALSE;
    put32(start_info + SI_NR_MODULES, n);
    put64(start_info + SI_MODLIST, gpa);
    return TRUE;
}

static gboolean
put_memmap(struct boot_loader *loader, uint8_t *start_info, GError **error)
{
    unsigned n;
    const struct e820_entry *entries = e820_entries(loader->e820, &n);
    g_autofree uint8_t *map = g_malloc0((gsize)n * MEMMAP_SIZE);
    uint64_t gpa;

    for (unsigned i = 0; i < n; i++) {
        put64(map + i * MEMMAP_SIZE, entries[i].base);
        put64(map + i * MEMMAP_SIZE + 8, entries[i].len);
        put32(map + i * MEMMAP_SIZE + 16, entries[i].type);
    }
    if (!boot_put(loader, map, (uint64_t)n * MEMMAP_SIZE, 8, "the memory map", &gpa, error))
        return FALSE;
    put64(start_info + SI_MEMMAP, gpa);
    put32(start_info + SI_MEMMAP_ENTRIES, n);
    return TRUE;
}

gboolean
pvh_load(struct boot_loader *loader, const struct elf_image *image, uint64_t entry_gpa,
         struct boot_entry *entry, GError **error)
{
    uint8_t start_info[SI_SIZE] = {0};
    uint64_t end, cmdline, gpa;

    put32(start_info + SI_MAGIC, START_MAGIC);
    put32(start_info + SI_VERSION, 1);
    put64(start_info + SI_RSDP, loader->rsdp);
    if (!elf_load(loader, image, &end, error))
        return FALSE;
    if (entry_gpa >= BOOT_4GIB || !elf_covers(image, entry_gpa))
        return boot_file_error(&loader->boot->kernel, error,
                               "its PVH entry point, 0x%" PRIx64
                               ", is not in what is loaded; copy the kernel again",
                               entry_gpa);
    if (!boot_put_cmdline(loader, BOOT_CMDLINE_MAX, &cmdline, error))
        return FALSE;
    put64(start_info + SI_CMDLINE, cmdline);
    if (!put_modules(loader, end, start_info, error) || !put_memmap(loader, start_info, error) ||
        !boot_put(loader, start_info, sizeof(start_info), 8, "the start information", &gpa, error))
        return FALSE;
    /* No descriptor table is promised; the selectors are any. */
    boot_state_protected(entry, 0x8, 0x10);
    entry->rip = entry_gpa;
    entry->rbx = gpa;
    g_snprintf(entry->protocol, sizeof(entry->protocol), "PVH, %s-bit ELF",
               image->is64 ? "64" : "32");
    return TRUE;
}
