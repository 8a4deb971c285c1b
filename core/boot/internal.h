/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * internal.h - what the files of core/boot share.
 *
 * boot.c opens the files and picks the protocol; each protocol is one file with one load function;
 * file.c reads, layout.c finds room, state.c fills in CPU states, identify.c names what a file is
 * when no protocol wants it.
 */
#ifndef CORE_BOOT_INTERNAL_H
#define CORE_BOOT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "core/boot/boot.h"

#define BOOT_PAGE  UINT64_C(4096)
#define BOOT_4GIB  UINT64_C(0x100000000)
#define BOOT_1MIB  UINT64_C(0x100000)
#define BOOT_STACK UINT64_C(4096)

/* Structures of ours go here or higher: below are the tables that a BIOS would have. */
#define BOOT_LOW_MIN UINT64_C(0x1000)

/* Headers of every protocol lie in the first 8 KiB. */
#define BOOT_HEAD 8192

/* A longer command line is a mistake whatever the kernel. */
#define BOOT_CMDLINE_MAX 65536

/* ---- file.c ------------------------------------------------------------------------------- */

struct boot_file {
    char *path;
    int fd; /* -1: not given */
    uint64_t size;
};

/* what is for the message: "kernel". */
gboolean boot_file_open(struct boot_file *file, const char *path, const char *what, GError **error);
void boot_file_close(struct boot_file *file);

/* Exactly len bytes at off; a file that has become shorter is an error. */
gboolean boot_file_read(const struct boot_file *file, uint64_t off, void *buf, uint64_t len,
                        GError **error);
/* The same straight into guest memory. */
gboolean boot_file_load(const struct boot_file *file, uint64_t off, uint64_t len,
                        struct memory *mem, uint64_t gpa, GError **error);

/* Sets `PATH: text` and returns FALSE. */
gboolean boot_file_error(const struct boot_file *file, GError **error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- layout.c: who has which guest memory during one load ---------------------------------- */

struct layout;

struct layout *layout_new(struct e820 *e820);
void layout_free(struct layout *layout);

/* Takes [gpa, gpa + len). NULL, or what is in the way, for a message. name must outlive layout. */
const char *layout_claim(struct layout *layout, uint64_t gpa, uint64_t len, const char *name);

/* Takes len bytes at the lowest or highest aligned free place in [min, end). False: no room. align
 * is a power of two. */
bool layout_lowest(struct layout *layout, uint64_t min, uint64_t end, uint64_t len, uint64_t align,
                   const char *name, uint64_t *ret_gpa);
bool layout_highest(struct layout *layout, uint64_t min, uint64_t end, uint64_t len, uint64_t align,
                    const char *name, uint64_t *ret_gpa);

/* ---- one load -------------------------------------------------------------------------------- */

struct boot_blob {
    struct boot_file file;
    char *string;
};

struct boot {
    struct memory *mem;
    char *cmdline; /* "" when not given */
    struct boot_file kernel, initrd, firmware;
    struct boot_blob *modules;
    unsigned n_modules;
    bool is_linux;
    struct memory_region *rom;
};

struct boot_loader {
    struct boot *boot;
    struct memory *mem;
    struct e820 *e820;
    uint64_t rsdp;
    struct layout *layout;
    const uint8_t *head; /* of the kernel, head_len <= BOOT_HEAD bytes */
    size_t head_len;
};

/* Copies bytes of ours to a place of the lowest free memory; FALSE with an error that names what.
 * The memory is zero behind len up to a multiple of align. */
gboolean boot_put(struct boot_loader *loader, const void *bytes, uint64_t len, uint64_t align,
                  const char *what, uint64_t *ret_gpa, GError **error);

/* The command line, at most max bytes without its end. */
gboolean boot_put_cmdline(struct boot_loader *loader, uint64_t max, uint64_t *ret_gpa,
                          GError **error);

/* Initrd, then modules, for protocols that take any number of them. */
struct boot_placed {
    uint64_t gpa, len, string; /* string: where its text is, 0 for none */
};
unsigned boot_n_modules(const struct boot *boot);
/* placed has room for boot_n_modules() entries; they are placed at min or higher. */
gboolean boot_put_modules(struct boot_loader *loader, uint64_t min, struct boot_placed *placed,
                          GError **error);

/* ---- the protocols -----------------------------------------------------------------------------
 */

bool bzimage_probe(const uint8_t *head, size_t len);
gboolean bzimage_load(struct boot_loader *loader, struct boot_entry *entry, GError **error);

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
    char name[16]; /* "segment 3", for messages */
};

struct elf_image {
    bool is64;
    unsigned machine;
    uint64_t entry;
    unsigned n;
    struct elf_segment *segments; /* PT_LOAD and PT_NOTE only, checked against the file's size */
};

bool elf_probe(const uint8_t *head, size_t len);
gboolean elf_parse(const struct boot_loader *loader, struct elf_image *ret, GError **error);
void elf_clear(struct elf_image *image);
/* Claims and loads every PT_LOAD by its physical address; *ret_end is the end of the highest. */
gboolean elf_load(struct boot_loader *loader, const struct elf_image *image, uint64_t *ret_end,
                  GError **error);
/* True when gpa is inside a loaded segment. */
bool elf_covers(const struct elf_image *image, uint64_t gpa);
/* The entry point as a physical address: e_entry may be virtual. */
bool elf_entry(const struct elf_image *image, uint64_t *ret_gpa);

/* Looks for the PVH note: *ret_found, *ret_entry. FALSE: the notes are malformed. */
gboolean pvh_probe(const struct boot_loader *loader, const struct elf_image *image, bool *ret_found,
                   uint64_t *ret_entry, GError **error);
gboolean pvh_load(struct boot_loader *loader, const struct elf_image *image, uint64_t entry_gpa,
                  struct boot_entry *entry, GError **error);

struct multiboot_header {
    uint32_t offset; /* in the file */
    uint32_t flags;
    uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
    uint32_t mode_type, width, height, depth;
};

#define MULTIBOOT_HAS_ADDRESSES UINT32_C(0x10000)

bool multiboot_probe(const uint8_t *head, size_t len, struct multiboot_header *ret);
/* image: NULL when the file is no usable ELF. */
gboolean multiboot_load(struct boot_loader *loader, const struct multiboot_header *header,
                        const struct elf_image *image, struct boot_entry *entry, GError **error);

gboolean firmware_load(struct boot *boot, struct boot_entry *entry, GError **error);

/* ---- identify.c ---------------------------------------------------------------------------------
 */

/* What a file is that no protocol takes, and what to do: "a gzip file; decompress it". */
char *boot_identify(const uint8_t *head, size_t len);

/* ---- state.c
 * -------------------------------------------------------------------------------------- */

void boot_state_reset(struct boot_entry *entry);
/* 32-bit, flat, paging off; selectors as given. */
void boot_state_protected(struct boot_entry *entry, uint16_t cs, uint16_t ds);
/* 64-bit with page tables at cr3. */
void boot_state_long(struct boot_entry *entry, uint16_t cs, uint16_t ds, uint64_t cr3);
/* The descriptor that loads a segment register with this state. */
uint64_t boot_descriptor(const struct boot_segment *segment);

/* ---- little-endian fields of unaligned bytes
 * ------------------------------------------------------- */

static inline uint16_t
get16(const void *p)
{
    const uint8_t *b = p;

    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t
get32(const void *p)
{
    const uint8_t *b = p;

    return get16(b) | (uint32_t)get16(b + 2) << 16;
}

static inline uint64_t
get64(const void *p)
{
    const uint8_t *b = p;

    return get32(b) | (uint64_t)get32(b + 4) << 32;
}

static inline void
put16(void *p, uint64_t v)
{
    uint8_t *b = p;

    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

static inline void
put32(void *p, uint64_t v)
{
    uint8_t *b = p;

    put16(b, v);
    put16(b + 2, v >> 16);
}

static inline void
put64(void *p, uint64_t v)
{
    uint8_t *b = p;

    put32(b, v);
    put32(b + 4, v >> 32);
}

#endif
