/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bzimage.c - the Linux x86 boot protocol (Documentation/arch/x86/boot.rst).
 *
 * The real-mode part of the file is only read for its setup header. The rest is loaded where the
 * kernel prefers and entered in 64-bit mode, or in 32-bit mode when it has no 64-bit entry. Header
 * fields are named as the protocol names them.
 */
#include <inttypes.h>

#include "core/boot/internal.h"

/* In the file, and at the same places in the zero page. */
enum {
    SETUP_SECTS = 0x1f1,
    SYSSIZE = 0x1f4,
    VID_MODE = 0x1fa,
    BOOT_FLAG = 0x1fe,
    HEADER_LEN = 0x201, /* the offset byte of the jump at 0x200: the header ends 0x202 + this */
    HEADER = 0x202,
    VERSION = 0x206,
    TYPE_OF_LOADER = 0x210,
    LOADFLAGS = 0x211,
    CODE32_START = 0x214,
    RAMDISK_IMAGE = 0x218,
    RAMDISK_SIZE = 0x21c,
    CMD_LINE_PTR = 0x228,
    INITRD_ADDR_MAX = 0x22c,
    KERNEL_ALIGNMENT = 0x230,
    RELOCATABLE_KERNEL = 0x234,
    XLOADFLAGS = 0x236,
    CMDLINE_SIZE = 0x238,
    PREF_ADDRESS = 0x258,
    INIT_SIZE = 0x260,
    HEADER_MAX = 0x290, /* what follows in the zero page is not the header's */
};

/* In the zero page only. */
enum {
    ACPI_RSDP_ADDR = 0x70,
    E820_ENTRIES = 0x1e8,
    E820_TABLE = 0x2d0,
    E820_SIZE = 20,
    E820_MAX = 128,
};

enum {
    LOADED_HIGH = 1,    /* loadflags */
    XLF_KERNEL_64 = 1,  /* xloadflags */
    ENTRY_64 = 0x200,   /* the 64-bit entry, from the start of the protected-mode part */
    LOADER_OTHER = 0xff /* type_of_loader: no number of our own */
};

#define BOOT_CS 0x10
#define BOOT_DS 0x18
#define BOOT_TR 0x20

struct bzimage {
    unsigned version;
    uint64_t setup_size, kernel_size; /* in the file */
    uint64_t load, span;              /* where it goes, and how much RAM it uses from there */
    uint64_t pref_address, align, initrd_end, cmdline_max;
    bool relocatable, has64;
};

bool
bzimage_probe(const uint8_t *head, size_t len)
{
    return len >= VERSION && get16(head + BOOT_FLAG) == 0xaa55 &&
           memcmp(head + HEADER, "HdrS", 4) == 0;
}

static gboolean
bad(const struct boot_loader *loader, GError **error, const char *text)
{
    return boot_file_error(&loader->boot->kernel, error, "%s", text);
}

/* Where in the file the kernel is, and that all of it is there. */
static gboolean
parse_sizes(const struct boot_loader *loader, struct bzimage *image, GError **error)
{
    const struct boot_file *file = &loader->boot->kernel;
    const uint8_t *head = loader->head;
    uint64_t sects = head[SETUP_SECTS] ? head[SETUP_SECTS] : 4;
    uint64_t want = (uint64_t)get32(head + SYSSIZE) * 16;

    image->setup_size = (sects + 1) * 512;
    if (image->setup_size >= file->size)
        return bad(loader, error, "bzImage cut short inside its setup code; copy the kernel again");
    image->kernel_size = file->size - image->setup_size;
    /* syssize is rounded up to 16 bytes; what is behind it is a signature. */
    if (image->kernel_size + 15 < want)
        return boot_file_error(file, error,
                               "bzImage cut short: %" PRIu64 " of %" PRIu64
                               " bytes are there; copy the kernel again",
                               file->size, image->setup_size + want);
    if (want)
        image->kernel_size = MIN(image->kernel_size, want);
    return TRUE;
}

static gboolean
parse(const struct boot_loader *loader, struct bzimage *image, GError **error)
{
    const struct boot_file *file = &loader->boot->kernel;
    const uint8_t *head = loader->head;
    size_t end;

    if (loader->head_len < HEADER_MAX)
        return bad(loader, error, "bzImage cut short inside its header; copy the kernel again");
    image->version = get16(head + VERSION);
    if (image->version < 0x206)
        return boot_file_error(file, error,
                               "boot protocol %u.%02u is too old; give a kernel with 2.06 (Linux "
                               "2.6.22) or newer",
                               image->version >> 8, image->version & 0xff);
    end = HEADER + head[HEADER_LEN];
    if (end < (image->version >= 0x20a ? INIT_SIZE + 4 : CMDLINE_SIZE + 4))
        return bad(loader, error,
                   "bzImage header is shorter than its boot protocol says; copy the kernel again");
    if (!(head[LOADFLAGS] & LOADED_HIGH))
        return bad(loader, error, "a zImage, which loads below 1 MiB; give a bzImage");
    if (!parse_sizes(loader, image, error))
        return FALSE;

    image->cmdline_max = get32(head + CMDLINE_SIZE);
    image->initrd_end = (uint64_t)get32(head + INITRD_ADDR_MAX) + 1;
    image->has64 = image->version >= 0x20c && (get16(head + XLOADFLAGS) & XLF_KERNEL_64);
    if (image->has64 && image->kernel_size <= ENTRY_64)
        return bad(loader, error,
                   "bzImage without code at its 64-bit entry; copy the kernel again");
    image->pref_address = BOOT_1MIB;
    image->span = image->kernel_size;
    image->align = 1;
    if (image->version >= 0x20a) {
        image->pref_address = get64(head + PREF_ADDRESS);
        image->span = MAX(image->span, get32(head + INIT_SIZE));
        image->relocatable = head[RELOCATABLE_KERNEL] != 0;
        image->align = get32(head + KERNEL_ALIGNMENT);
    }
    if (!image->relocatable)
        image->align = 1;
    if (image->align == 0 || image->align & (image->align - 1))
        return boot_file_error(file, error,
                               "bzImage with an alignment of 0x%" PRIx64
                               ", not a power of two; copy the kernel again",
                               image->align);
    if (image->pref_address < BOOT_1MIB || image->pref_address >= BOOT_4GIB)
        return boot_file_error(file, error,
                               "bzImage that wants to be at 0x%" PRIx64
                               ", not between 1 MiB and 4 GiB; copy the kernel again",
                               image->pref_address);
    return TRUE;
}

/* A relocatable kernel never runs below pref_address; above, any aligned place does. */
static gboolean
place(struct boot_loader *loader, struct bzimage *image, GError **error)
{
    bool found;

    if (image->relocatable) {
        found = layout_lowest(loader->layout, image->pref_address, BOOT_4GIB, image->span,
                              image->align, "the kernel", &image->load);
    } else {
        image->load = image->pref_address;
        found = !layout_claim(loader->layout, image->load, image->span, "the kernel");
    }
    if (!found) {
        uint64_t first = (image->pref_address + image->align - 1) & ~(image->align - 1);

        return boot_file_error(&loader->boot->kernel, error,
                               "the kernel needs %" PRIu64 " KiB of free RAM from 0x%" PRIx64
                               " on; give the machine more memory, at least %" PRIu64 " MiB",
                               image->span / 1024, first, ((first + image->span) >> 20) + 1);
    }
    return boot_file_load(&loader->boot->kernel, image->setup_size, image->kernel_size, loader->mem,
                          image->load, error);
}

/* As high as it may be, out of the way of a kernel that unpacks itself from below. */
static gboolean
place_initrd(struct boot_loader *loader, const struct bzimage *image, uint8_t *zero_page,
             GError **error)
{
    const struct boot_file *initrd = &loader->boot->initrd;
    uint64_t gpa;

    if (initrd->fd < 0)
        return TRUE;
    if (initrd->size > UINT32_MAX || !layout_highest(loader->layout, BOOT_1MIB, image->initrd_end,
                                                     initrd->size, BOOT_PAGE, "the initrd", &gpa))
        return boot_file_error(initrd, error,
                               "an initrd of %" PRIu64
                               " KiB does not fit into RAM beside the kernel up to 0x%" PRIx64
                               "; give the machine more memory or the kernel a smaller initrd",
                               initrd->size / 1024, image->initrd_end - 1);
    put32(zero_page + RAMDISK_IMAGE, gpa);
    put32(zero_page + RAMDISK_SIZE, initrd->size);
    return boot_file_load(initrd, 0, initrd->size, loader->mem, gpa, error);
}

static gboolean
fill_e820(struct boot_loader *loader, uint8_t *zero_page, GError **error)
{
    unsigned n;
    const struct e820_entry *entries = e820_entries(loader->e820, &n);

    if (n > E820_MAX)
        return boot_file_error(&loader->boot->kernel, error,
                               "the memory map has %u entries and a bzImage takes %d; reserve "
                               "fewer ranges",
                               n, E820_MAX);
    for (unsigned i = 0; i < n; i++) {
        uint8_t *to = zero_page + E820_TABLE + (size_t)i * E820_SIZE;

        put64(to, entries[i].base);
        put64(to + 8, entries[i].len);
        put32(to + 16, entries[i].type);
    }
    zero_page[E820_ENTRIES] = (uint8_t)n;
    return TRUE;
}

/* The first 4 GiB, each address to itself, in pages of 2 MiB: PML4, PDPT, four directories. */
static gboolean
put_page_tables(struct boot_loader *loader, uint64_t *ret_cr3, GError **error)
{
    g_autofree uint8_t *tables = g_malloc0(6 * BOOT_PAGE);
    uint64_t gpa;

    if (!boot_put(loader, NULL, 6 * BOOT_PAGE, BOOT_PAGE, "the page tables", &gpa, error))
        return FALSE;
    put64(tables, (gpa + BOOT_PAGE) | 3); /* present, writable */
    for (uint64_t i = 0; i < 4; i++)
        put64(tables + BOOT_PAGE + i * 8, (gpa + (2 + i) * BOOT_PAGE) | 3);
    for (uint64_t i = 0; i < 4 * 512; i++)
        put64(tables + 2 * BOOT_PAGE + i * 8, i << 21 | 0x83); /* and a page of 2 MiB */
    *ret_cr3 = gpa;
    return memory_write(loader->mem, gpa, tables, 6 * BOOT_PAGE) == 0 ||
           bad(loader, error, "no RAM for the page tables");
}

static gboolean
put_gdt(struct boot_loader *loader, struct boot_entry *entry, GError **error)
{
    uint8_t gdt[BOOT_TR + 16] = {0};

    put64(gdt + BOOT_CS, boot_descriptor(&entry->cs));
    put64(gdt + BOOT_DS, boot_descriptor(&entry->data));
    put64(gdt + BOOT_TR, boot_descriptor(&entry->tr));
    entry->tr.selector = BOOT_TR;
    entry->gdt_limit = sizeof(gdt) - 1;
    return boot_put(loader, gdt, sizeof(gdt), 16, "the descriptor table", &entry->gdt_base, error);
}

/* The zero page goes last: everything that it points to is in place. */
static gboolean
put_zero_page(struct boot_loader *loader, const struct bzimage *image, uint64_t *ret_gpa,
              GError **error)
{
    uint8_t page[4096] = {0};
    size_t end = MIN(HEADER + (size_t)loader->head[HEADER_LEN], HEADER_MAX);
    uint64_t cmdline;

    memcpy(page + SETUP_SECTS, loader->head + SETUP_SECTS, end - SETUP_SECTS);
    put16(page + VID_MODE, 0xffff); /* as it is */
    page[TYPE_OF_LOADER] = LOADER_OTHER;
    put32(page + CODE32_START, image->load);
    put32(page + RAMDISK_IMAGE, 0);
    put32(page + RAMDISK_SIZE, 0);
    put64(page + ACPI_RSDP_ADDR, loader->rsdp);
    if (!boot_put_cmdline(loader, image->cmdline_max, &cmdline, error))
        return FALSE;
    put32(page + CMD_LINE_PTR, cmdline);
    return place_initrd(loader, image, page, error) && fill_e820(loader, page, error) &&
           boot_put(loader, page, sizeof(page), BOOT_PAGE, "the zero page", ret_gpa, error);
}

gboolean
bzimage_load(struct boot_loader *loader, struct boot_entry *entry, GError **error)
{
    struct bzimage image = {0};
    uint64_t zero_page, stack, cr3;

    if (loader->boot->n_modules)
        return bad(loader, error, "a bzImage takes an initrd but no modules; remove `modules`");
    if (!parse(loader, &image, error) || !place(loader, &image, error))
        return FALSE;
    if (image.has64) {
        if (!put_page_tables(loader, &cr3, error))
            return FALSE;
        boot_state_long(entry, BOOT_CS, BOOT_DS, cr3);
        entry->rip = image.load + ENTRY_64;
    } else {
        boot_state_protected(entry, BOOT_CS, BOOT_DS);
        entry->rip = image.load;
    }
    if (!put_gdt(loader, entry, error) || !put_zero_page(loader, &image, &zero_page, error) ||
        !boot_put(loader, NULL, BOOT_STACK, BOOT_PAGE, "the stack", &stack, error))
        return FALSE;
    entry->rsi = zero_page;
    entry->rsp = stack + BOOT_STACK;
    g_snprintf(entry->protocol, sizeof(entry->protocol), "Linux %s-bit boot protocol %u.%02u",
               image.has64 ? "64" : "32", image.version >> 8, image.version & 0xff);
    return TRUE;
}
