/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * elf.c - see elf.h. Names of fields and constants are those of the System V ABI (gABI).
 */
#include "core/plugin/elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"

#define ELF_PHNUM_MAX   64u
#define ELF_SHNUM_MAX   4096u
#define ELF_NOTES_MAX   65536u
#define ELF_DYNAMIC_MAX 65536u
#define ELF_NEEDED_MAX  256u
#define ELF_NAME_MAX    256u

#if defined(__x86_64__)
#define ELF_HOST_MACHINE EM_X86_64
#define ELF_HOST_NAME    "x86-64"
#elif defined(__aarch64__)
#define ELF_HOST_MACHINE EM_AARCH64
#define ELF_HOST_NAME    "AArch64"
#else
#error "which e_machine do plugins for this host have?"
#endif

struct elf_file {
    int fd;
    const char *name;
    uint64_t size;
    Elf64_Ehdr ehdr;
    Elf64_Phdr phdr[ELF_PHNUM_MAX];
};

__attribute__((format(printf, 3, 4))) static gboolean
elf_bad(GError **error, const struct elf_file *f, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG, "%s: %s", f->name, text);
    g_free(text);
    return FALSE;
}

/* Whether [off, off + len) lies in the file. */
static gboolean
elf_inside(const struct elf_file *f, uint64_t off, uint64_t len)
{
    return off <= f->size && len <= f->size - off;
}

static gboolean
elf_pread(const struct elf_file *f, uint64_t off, void *buf, size_t len, GError **error)
{
    char *p = buf;

    if (!elf_inside(f, off, len))
        return elf_bad(error, f, "the file is truncated; install it again");
    while (len) {
        ssize_t got = pread(f->fd, p, len, (off_t)off);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return elf_bad(error, f, "cannot read: %s", g_strerror(errno));
        if (got == 0)
            return elf_bad(error, f, "the file shrank while it was read; try again");
        p += got;
        off += (uint64_t)got;
        len -= (size_t)got;
    }
    return TRUE;
}

static gboolean
elf_read_header(struct elf_file *f, GError **error)
{
    Elf64_Ehdr *h = &f->ehdr;
    unsigned char magic[SELFMAG];

    if (f->size < SELFMAG)
        return elf_bad(error, f,
                       "%" G_GUINT64_FORMAT " bytes are no shared object; install it again",
                       f->size);
    if (!elf_pread(f, 0, magic, sizeof magic, error))
        return FALSE;
    if (memcmp(magic, ELFMAG, SELFMAG) != 0)
        return elf_bad(error, f, "not a shared object (no ELF header); install it again");
    if (!elf_pread(f, 0, h, sizeof *h, error))
        return FALSE;
    if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
        h->e_machine != ELF_HOST_MACHINE)
        return elf_bad(error, f,
                       "built for another architecture (ELF machine %u, %s-bit); this host needs "
                       "one for " ELF_HOST_NAME,
                       h->e_machine, h->e_ident[EI_CLASS] == ELFCLASS64 ? "64" : "32");
    if (h->e_ident[EI_VERSION] != EV_CURRENT || h->e_version != EV_CURRENT)
        return elf_bad(error, f, "unknown ELF version; install it again");
    if (h->e_type != ET_DYN)
        return elf_bad(error, f, "an ELF file but no shared object (type %u); link it with -shared",
                       h->e_type);
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > ELF_PHNUM_MAX)
        return elf_bad(error, f, "damaged: %u program headers of %u bytes; install it again",
                       h->e_phnum, h->e_phentsize);
    return elf_pread(f, h->e_phoff, f->phdr, h->e_phnum * sizeof f->phdr[0], error);
}

/* What the run-time linker would map must be in the file, or it dies of SIGBUS doing so. */
static gboolean
elf_check_segments(const struct elf_file *f, GError **error)
{
    unsigned loads = 0, dynamics = 0;

    for (unsigned i = 0; i < f->ehdr.e_phnum; i++) {
        const Elf64_Phdr *p = &f->phdr[i];

        if (p->p_type == PT_INTERP)
            return elf_bad(error, f, "a program, not a plugin; link it with -shared");
        if (p->p_type != PT_LOAD && p->p_type != PT_DYNAMIC && p->p_type != PT_NOTE)
            continue;
        if (!elf_inside(f, p->p_offset, p->p_filesz))
            return elf_bad(error, f,
                           "truncated: segment %u ends at byte %" G_GUINT64_FORMAT
                           " of %" G_GUINT64_FORMAT "; install it again",
                           i, p->p_offset + p->p_filesz, f->size);
        if (p->p_type == PT_DYNAMIC)
            dynamics++;
        if (p->p_type != PT_LOAD)
            continue;
        loads++;
        if (p->p_memsz < p->p_filesz || p->p_vaddr > INT64_MAX || p->p_memsz > INT64_MAX ||
            (p->p_align & (p->p_align - 1)) != 0 ||
            (p->p_align > 1 && (p->p_vaddr - p->p_offset) % p->p_align != 0))
            return elf_bad(error, f, "damaged: segment %u has impossible sizes; install it again",
                           i);
    }
    if (loads == 0 || dynamics != 1)
        return elf_bad(error, f, "damaged: nothing to load in it; install it again");
    return TRUE;
}

/* A stripped file may have no section headers, but those that it says it has must be there. */
static gboolean
elf_check_sections(const struct elf_file *f, GError **error)
{
    const Elf64_Ehdr *h = &f->ehdr;

    if (h->e_shoff == 0 || h->e_shnum == 0)
        return TRUE;
    if (h->e_shentsize != sizeof(Elf64_Shdr) || h->e_shnum > ELF_SHNUM_MAX)
        return elf_bad(error, f, "damaged: %u section headers of %u bytes; install it again",
                       h->e_shnum, h->e_shentsize);
    if (!elf_inside(f, h->e_shoff, (uint64_t)h->e_shnum * h->e_shentsize))
        return elf_bad(error, f, "truncated: the section headers are missing; install it again");
    return TRUE;
}

/* n rounded up to align, which is 4 or 8; n is far below the top of its range. */
static uint64_t
elf_align(uint64_t n, uint64_t align)
{
    return (n + align - 1) & ~(align - 1);
}

static gboolean
elf_take_note(const struct elf_file *f, const unsigned char *desc, uint32_t len,
              struct elf_info *info, unsigned *found, GError **error)
{
    uint32_t words[3];

    if (len < sizeof words + BP_NOTE_ID_SIZE)
        return elf_bad(error, f, "damaged: its backplane note has %u bytes; build it again", len);
    memcpy(words, desc, sizeof words);
    info->abi_major = words[0];
    info->api_level = words[1];
    info->api_need = words[2];
    memcpy(info->id, desc + sizeof words, BP_NOTE_ID_SIZE);
    if (!memchr(info->id, 0, BP_NOTE_ID_SIZE) || !info->id[0] ||
        !g_utf8_validate(info->id, -1, NULL))
        return elf_bad(error, f, "damaged: no id in its backplane note; build it again");
    if (++*found > 1)
        return elf_bad(error, f, "two backplane notes; a file has one BP_PLUGIN");
    return TRUE;
}

/* Entries of a PT_NOTE segment or SHT_NOTE section: namesz, descsz, type, name, desc, each padded.
 */
static gboolean
elf_scan_notes(const struct elf_file *f, uint64_t off, uint64_t len, uint64_t align,
               struct elf_info *info, unsigned *found, GError **error)
{
    unsigned char *buf;
    uint64_t at = 0;
    gboolean good = FALSE;

    if (len > ELF_NOTES_MAX)
        return elf_bad(error, f, "damaged: %" G_GUINT64_FORMAT " bytes of notes; install it again",
                       len);
    if (align != 8)
        align = 4;
    buf = g_malloc(len + 1);
    if (!elf_pread(f, off, buf, len, error))
        goto out;
    while (len - at >= 12) {
        uint32_t head[3]; /* namesz, descsz, type */
        uint64_t desc_at;

        memcpy(head, buf + at, sizeof head);
        at += sizeof head;
        desc_at = at + elf_align(head[0], align);
        if (desc_at > len || head[1] > len - desc_at) {
            (void)elf_bad(error, f, "damaged: a note is longer than its segment; install it again");
            goto out;
        }
        if (head[0] == sizeof BP_NOTE_OWNER && head[2] == BP_NOTE_TYPE &&
            memcmp(buf + at, BP_NOTE_OWNER, sizeof BP_NOTE_OWNER) == 0 &&
            !elf_take_note(f, buf + desc_at, head[1], info, found, error))
            goto out;
        at = desc_at + elf_align(head[1], align);
        if (at > len)
            break;
    }
    good = TRUE;
out:
    g_free(buf);
    return good;
}

/* Linkers put notes into PT_NOTE; a file whose program headers lost them still has the section. */
static gboolean
elf_find_note(const struct elf_file *f, struct elf_info *info, GError **error)
{
    unsigned found = 0;

    for (unsigned i = 0; i < f->ehdr.e_phnum; i++) {
        const Elf64_Phdr *p = &f->phdr[i];

        if (p->p_type == PT_NOTE &&
            !elf_scan_notes(f, p->p_offset, p->p_filesz, p->p_align, info, &found, error))
            return FALSE;
    }
    for (unsigned i = 0; !found && f->ehdr.e_shoff && i < f->ehdr.e_shnum; i++) {
        Elf64_Shdr s;

        if (!elf_pread(f, f->ehdr.e_shoff + i * sizeof s, &s, sizeof s, error))
            return FALSE;
        if (s.sh_type == SHT_NOTE &&
            !elf_scan_notes(f, s.sh_offset, s.sh_size, s.sh_addralign, info, &found, error))
            return FALSE;
    }
    if (!found)
        return elf_bad(error, f,
                       "a shared object but no backplane plugin (no .note.bp in it); "
                       "remove it from the plugin folder");
    return TRUE;
}

/* The file offset behind a virtual address. */
static gboolean
elf_offset(const struct elf_file *f, uint64_t vaddr, uint64_t *ret_off, uint64_t *ret_len)
{
    for (unsigned i = 0; i < f->ehdr.e_phnum; i++) {
        const Elf64_Phdr *p = &f->phdr[i];

        if (p->p_type == PT_LOAD && vaddr >= p->p_vaddr && vaddr - p->p_vaddr < p->p_filesz) {
            *ret_off = p->p_offset + (vaddr - p->p_vaddr);
            *ret_len = p->p_filesz - (vaddr - p->p_vaddr);
            return TRUE;
        }
    }
    return FALSE;
}

static char *
elf_string(const struct elf_file *f, uint64_t strtab, uint64_t off, GError **error)
{
    char text[ELF_NAME_MAX];
    uint64_t at, room;

    if (off > UINT32_MAX || strtab > INT64_MAX || !elf_offset(f, strtab + off, &at, &room)) {
        (void)elf_bad(error, f, "damaged: a library's name lies outside of it; install it again");
        return NULL;
    }
    room = MIN(room, sizeof text);
    if (!elf_pread(f, at, text, room, error))
        return NULL;
    if (!memchr(text, 0, room) || !g_utf8_validate(text, -1, NULL)) {
        (void)elf_bad(error, f, "damaged: a library's name has no end; install it again");
        return NULL;
    }
    return g_strdup(text);
}

static gboolean
elf_read_dynamic(const struct elf_file *f, const Elf64_Phdr *p, struct elf_info *info,
                 GError **error)
{
    uint64_t n = p->p_filesz / sizeof(Elf64_Dyn), strtab = 0;
    GPtrArray *needed = g_ptr_array_new_with_free_func(g_free);
    Elf64_Dyn *dyn = NULL;
    gboolean good = FALSE;

    if (p->p_filesz > ELF_DYNAMIC_MAX) {
        (void)elf_bad(error, f,
                      "damaged: %" G_GUINT64_FORMAT " bytes of dynamic section; install it again",
                      p->p_filesz);
        goto out;
    }
    dyn = g_new(Elf64_Dyn, n + 1);
    if (!elf_pread(f, p->p_offset, dyn, n * sizeof *dyn, error))
        goto out;
    for (uint64_t i = 0; i < n && dyn[i].d_tag != DT_NULL; i++)
        if (dyn[i].d_tag == DT_STRTAB)
            strtab = dyn[i].d_un.d_ptr;
    for (uint64_t i = 0; i < n && dyn[i].d_tag != DT_NULL; i++) {
        char *name;

        if (dyn[i].d_tag != DT_NEEDED)
            continue;
        if (needed->len == ELF_NEEDED_MAX) {
            (void)elf_bad(error, f, "damaged: more than %u libraries; install it again",
                          ELF_NEEDED_MAX);
            goto out;
        }
        name = elf_string(f, strtab, dyn[i].d_un.d_val, error);
        if (!name)
            goto out;
        g_ptr_array_add(needed, name);
    }
    good = TRUE;
out:
    g_free(dyn);
    if (!good) {
        g_ptr_array_free(needed, TRUE);
        return FALSE;
    }
    g_ptr_array_add(needed, NULL);
    info->needed = (char **)g_ptr_array_free(needed, FALSE);
    return TRUE;
}

gboolean
elf_read(int fd, const char *name, struct elf_info *ret_info, GError **error)
{
    struct elf_file f = {.fd = fd, .name = name};
    struct elf_info info = {0};
    struct stat st;

    if (fstat(fd, &st) < 0)
        return elf_bad(error, &f, "%s", g_strerror(errno));
    f.size = (uint64_t)st.st_size;
    if (!elf_read_header(&f, error) || !elf_check_segments(&f, error) ||
        !elf_check_sections(&f, error) || !elf_find_note(&f, &info, error))
        return FALSE;
    for (unsigned i = 0; i < f.ehdr.e_phnum; i++)
        if (f.phdr[i].p_type == PT_DYNAMIC && !elf_read_dynamic(&f, &f.phdr[i], &info, error))
            return FALSE;
    *ret_info = info;
    return TRUE;
}

void
elf_info_clear(struct elf_info *info)
{
    g_strfreev(info->needed);
    info->needed = NULL;
}
