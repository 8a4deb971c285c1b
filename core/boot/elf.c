/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * elf.c - ELF files, 32 and 64 bit: program headers, and loading by physical address.
 *
 * Both classes are turned into one form whose numbers have been checked against the file's size and
 * against overflow, so that nobody else has to.
 */
#include <elf.h>
#include <inttypes.h>

#include "core/boot/internal.h"

#define SEGMENTS_MAX 256

bool
elf_probe(const uint8_t *head, size_t len)
{
    return len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

static const char *
machine_name(unsigned machine)
{
    switch (machine) {
    case EM_AARCH64:
        return " (arm64)";
    case EM_ARM:
        return " (arm)";
    case EM_RISCV:
        return " (RISC-V)";
    case EM_PPC64:
        return " (POWER)";
    case EM_S390:
        return " (s390)";
    default:
        return "";
    }
}

static gboolean
check_ident(const struct boot_file *file, const uint8_t *head, size_t len, GError **error)
{
    unsigned type, machine;

    if (len < sizeof(Elf32_Ehdr) || (head[EI_CLASS] == ELFCLASS64 && len < sizeof(Elf64_Ehdr)))
        return boot_file_error(file, error,
                               "an ELF file cut short inside its header; copy the kernel again");
    if (head[EI_CLASS] != ELFCLASS32 && head[EI_CLASS] != ELFCLASS64)
        return boot_file_error(file, error,
                               "an ELF file of class %u, neither 32 nor 64 bit; copy the kernel "
                               "again",
                               head[EI_CLASS]);
    if (head[EI_DATA] != ELFDATA2LSB)
        return boot_file_error(file, error, "a big-endian ELF file; give an x86 kernel");
    /* These two are at the same place in both classes. */
    type = get16(head + offsetof(Elf64_Ehdr, e_type));
    machine = get16(head + offsetof(Elf64_Ehdr, e_machine));
    if (machine != EM_X86_64 && machine != EM_386)
        return boot_file_error(file, error, "an ELF file for machine %u%s; give an x86 kernel",
                               machine, machine_name(machine));
    if (type == ET_REL)
        return boot_file_error(file, error, "an ELF object or kernel module; give a linked kernel");
    if (type != ET_EXEC && type != ET_DYN)
        return boot_file_error(file, error, "an ELF file of type %u; give an executable kernel",
                               type);
    return TRUE;
}

static void
read_phdr(struct elf_segment *segment, const uint8_t *at, bool is64)
{
    if (is64) {
        segment->type = get32(at + offsetof(Elf64_Phdr, p_type));
        segment->flags = get32(at + offsetof(Elf64_Phdr, p_flags));
        segment->offset = get64(at + offsetof(Elf64_Phdr, p_offset));
        segment->vaddr = get64(at + offsetof(Elf64_Phdr, p_vaddr));
        segment->paddr = get64(at + offsetof(Elf64_Phdr, p_paddr));
        segment->filesz = get64(at + offsetof(Elf64_Phdr, p_filesz));
        segment->memsz = get64(at + offsetof(Elf64_Phdr, p_memsz));
        segment->align = get64(at + offsetof(Elf64_Phdr, p_align));
    } else {
        segment->type = get32(at + offsetof(Elf32_Phdr, p_type));
        segment->flags = get32(at + offsetof(Elf32_Phdr, p_flags));
        segment->offset = get32(at + offsetof(Elf32_Phdr, p_offset));
        segment->vaddr = get32(at + offsetof(Elf32_Phdr, p_vaddr));
        segment->paddr = get32(at + offsetof(Elf32_Phdr, p_paddr));
        segment->filesz = get32(at + offsetof(Elf32_Phdr, p_filesz));
        segment->memsz = get32(at + offsetof(Elf32_Phdr, p_memsz));
        segment->align = get32(at + offsetof(Elf32_Phdr, p_align));
    }
}

static gboolean
check_segment(const struct boot_file *file, const struct elf_segment *segment, GError **error)
{
    if (segment->offset > file->size || segment->filesz > file->size - segment->offset)
        return boot_file_error(file, error,
                               "%s lies outside the file (%" PRIu64 " bytes at %" PRIu64
                               " of %" PRIu64 "); copy the kernel again",
                               segment->name, segment->filesz, segment->offset, file->size);
    if (segment->type != PT_LOAD)
        return TRUE;
    if (segment->filesz > segment->memsz)
        return boot_file_error(file, error,
                               "%s is larger in the file (%" PRIu64
                               " bytes) than in memory (%" PRIu64 "); copy the kernel again",
                               segment->name, segment->filesz, segment->memsz);
    if (segment->memsz > UINT64_MAX - segment->paddr ||
        segment->memsz > UINT64_MAX - segment->vaddr)
        return boot_file_error(file, error, "%s ends past the last address; copy the kernel again",
                               segment->name);
    return TRUE;
}

/* Reads the table of n headers and keeps those that matter. */
static gboolean
parse_phdrs(const struct boot_file *file, struct elf_image *image, const uint8_t *table, unsigned n,
            size_t size, GError **error)
{
    unsigned loads = 0;

    image->segments = g_new0(struct elf_segment, n);
    for (unsigned i = 0; i < n; i++) {
        struct elf_segment *segment = &image->segments[image->n];

        read_phdr(segment, table + i * size, image->is64);
        g_snprintf(segment->name, sizeof(segment->name), "segment %u", i);
        if (segment->type != PT_LOAD && segment->type != PT_NOTE)
            continue;
        if (!check_segment(file, segment, error))
            return FALSE;
        loads += segment->type == PT_LOAD && segment->memsz != 0;
        image->n++;
    }
    if (loads == 0)
        return boot_file_error(file, error,
                               "an ELF file with nothing to load; give a linked kernel");
    return TRUE;
}

gboolean
elf_parse(const struct boot_loader *loader, struct elf_image *ret, GError **error)
{
    const struct boot_file *file = &loader->boot->kernel;
    const uint8_t *head = loader->head;
    struct elf_image image = {0};
    g_autofree uint8_t *table = NULL;
    unsigned n, size;
    uint64_t off;

    if (!check_ident(file, head, loader->head_len, error))
        return FALSE;
    image.is64 = head[EI_CLASS] == ELFCLASS64;
    image.machine = get16(head + offsetof(Elf64_Ehdr, e_machine));
    if (image.is64) {
        image.entry = get64(head + offsetof(Elf64_Ehdr, e_entry));
        off = get64(head + offsetof(Elf64_Ehdr, e_phoff));
        size = get16(head + offsetof(Elf64_Ehdr, e_phentsize));
        n = get16(head + offsetof(Elf64_Ehdr, e_phnum));
    } else {
        image.entry = get32(head + offsetof(Elf32_Ehdr, e_entry));
        off = get32(head + offsetof(Elf32_Ehdr, e_phoff));
        size = get16(head + offsetof(Elf32_Ehdr, e_phentsize));
        n = get16(head + offsetof(Elf32_Ehdr, e_phnum));
    }
    if (n == 0)
        return boot_file_error(file, error,
                               "an ELF file without program headers; give a linked kernel");
    if (n > SEGMENTS_MAX)
        return boot_file_error(file, error,
                               "an ELF file with %u program headers, more than %d; copy the kernel "
                               "again",
                               n, SEGMENTS_MAX);
    if (size != (image.is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
        return boot_file_error(
            file, error, "an ELF file with program headers of %u bytes; copy the kernel again",
            size);
    if (off > file->size || (uint64_t)n * size > file->size - off)
        return boot_file_error(file, error,
                               "an ELF file whose program headers lie outside it; copy the kernel "
                               "again");
    table = g_malloc((size_t)n * size);
    if (!boot_file_read(file, off, table, (uint64_t)n * size, error))
        return FALSE;
    if (!parse_phdrs(file, &image, table, n, size, error)) {
        elf_clear(&image);
        return FALSE;
    }
    *ret = image;
    return TRUE;
}

void
elf_clear(struct elf_image *image)
{
    g_clear_pointer(&image->segments, g_free);
    image->n = 0;
}

gboolean
elf_load(struct boot_loader *loader, const struct elf_image *image, uint64_t *ret_end,
         GError **error)
{
    const struct boot_file *file = &loader->boot->kernel;
    uint64_t end = 0;

    for (unsigned i = 0; i < image->n; i++) {
        const struct elf_segment *segment = &image->segments[i];
        const char *obstacle;

        if (segment->type != PT_LOAD || segment->memsz == 0)
            continue;
        obstacle = layout_claim(loader->layout, segment->paddr, segment->memsz, segment->name);
        if (obstacle)
            return boot_file_error(file, error,
                                   "%s, 0x%" PRIx64 "-0x%" PRIx64
                                   ", overlaps %s; give the machine more memory, or link the "
                                   "kernel to other addresses",
                                   segment->name, segment->paddr, segment->paddr + segment->memsz,
                                   obstacle);
        if (!boot_file_load(file, segment->offset, segment->filesz, loader->mem, segment->paddr,
                            error))
            return FALSE;
        if (memory_zero(loader->mem, segment->paddr + segment->filesz,
                        segment->memsz - segment->filesz) != 0)
            return boot_file_error(file, error, "cannot clear %s", segment->name);
        end = MAX(end, segment->paddr + segment->memsz);
    }
    *ret_end = end;
    return TRUE;
}

bool
elf_covers(const struct elf_image *image, uint64_t gpa)
{
    for (unsigned i = 0; i < image->n; i++) {
        const struct elf_segment *segment = &image->segments[i];

        if (segment->type == PT_LOAD && gpa >= segment->paddr &&
            gpa - segment->paddr < segment->memsz)
            return true;
    }
    return false;
}

/* A kernel linked to high virtual addresses often says its entry as one of them. */
bool
elf_entry(const struct elf_image *image, uint64_t *ret_gpa)
{
    for (unsigned i = 0; i < image->n; i++) {
        const struct elf_segment *segment = &image->segments[i];

        if (segment->type == PT_LOAD && image->entry >= segment->vaddr &&
            image->entry - segment->vaddr < segment->memsz) {
            *ret_gpa = segment->paddr + (image->entry - segment->vaddr);
            return true;
        }
    }
    *ret_gpa = image->entry;
    return elf_covers(image, image->entry);
}
