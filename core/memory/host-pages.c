/* SPDX-License-Identifier: BSD-3-Clause */
/* host-pages.c - see host-pages.h. */
#include "config.h"

#include "core/memory/host-pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/error.h"

/* Guest and host addresses that are equal modulo 2 MiB let KVM map 2 MiB at a time: a boot then
 * takes a twentieth of the nested page faults. */
#define HUGE_ALIGN UINT64_C(0x200000)

static gboolean
host_error(GError **error, int err, const char *what, uint64_t len, const char *doing)
{
    g_autofree char *size = g_format_size_full(len, G_FORMAT_SIZE_IEC_UNITS);

    g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "%s: cannot %s %s: %s", what, doing, size,
                g_strerror(err));
    return FALSE;
}

/* A file without a name in the hugetlbfs mounted at path. */
static int
open_hugetlbfs(const char *path, GError **error)
{
    struct statfs fs;
    g_autofree char *name = NULL;
    int fd;

    if (statfs(path, &fs) != 0) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG, "%s: %s", path, g_strerror(errno));
        return -1;
    }
    if (fs.f_type != HUGETLBFS_MAGIC) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "%s: not a hugetlbfs; give a folder where one is mounted", path);
        return -1;
    }
    name = g_build_filename(path, "backplane.XXXXXX", NULL);
    fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "%s: cannot make a file: %s", path,
                    g_strerror(errno));
        return -1;
    }
    unlink(name);
    return fd;
}

static int
open_memfd(const struct memory_config *config, const char *what, uint64_t len, GError **error)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd;

    if (config->backing == MEMORY_HUGETLB) {
        flags |= MFD_HUGETLB;
        if (config->huge_page_size) {
            if (config->huge_page_size & (config->huge_page_size - 1)) {
                g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                            "%s: a huge page of %" PRIu64 " bytes cannot be: not a power of two",
                            what, config->huge_page_size);
                return -1;
            }
            flags |= (unsigned)__builtin_ctzll(config->huge_page_size) << MFD_HUGE_SHIFT;
        }
    }
    fd = memfd_create(what, flags);
    if (fd < 0)
        host_error(error, errno, what, len,
                   config->backing == MEMORY_HUGETLB
                       ? "use huge pages (does the host have this size?) for"
                       : "make a memfd of");
    return fd;
}

/* Free huge pages of the host's pool, or -1. */
static long
free_huge_pages(uint64_t page_size)
{
    g_autofree char *path = g_strdup_printf(
        "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/free_hugepages", page_size / 1024);
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? strtol(text, NULL, 10) : -1;
}

static gboolean
huge_pages_error(GError **error, const char *what, uint64_t len, uint64_t page_size)
{
    g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                "%s: needs %" PRIu64 " huge pages of %" PRIu64 " KiB and %ld are free; raise "
                "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/nr_hugepages",
                what, len / page_size, page_size / 1024, free_huge_pages(page_size),
                page_size / 1024);
    return FALSE;
}

/* Opens the file that backs shared pages, of the right length. */
static gboolean
open_backing(struct host_pages *pages, const struct memory_config *config, const char *what,
             GError **error)
{
    struct statfs fs;
    bool by_path = config->backing == MEMORY_HUGETLB && config->hugetlb_path;
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

    pages->fd = by_path ? open_hugetlbfs(config->hugetlb_path, error)
                        : open_memfd(config, what, pages->len, error);
    if (pages->fd < 0)
        return FALSE;
    if (config->backing == MEMORY_HUGETLB) {
        if (fstatfs(pages->fd, &fs) != 0 || fs.f_bsize < (long)MEMORY_PAGE_SIZE)
            return host_error(error, errno, what, pages->len, "learn the huge page size for");
        pages->page_size = (uint64_t)fs.f_bsize;
        if (pages->len % pages->page_size) {
            g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                        "%s: %" PRIu64 " KiB are not a multiple of the huge page size, %" PRIu64
                        " KiB",
                        what, pages->len / 1024, pages->page_size / 1024);
            return FALSE;
        }
    }
    if (ftruncate(pages->fd, (off_t)pages->len) != 0)
        return host_error(error, errno, what, pages->len, "set the size of the file to");
    /* A peer that gets the fd must not be able to cut pages off under us. A file in a hugetlbfs
     * takes no seals. */
    if (!by_path && fcntl(pages->fd, F_ADD_SEALS, seals) != 0)
        return host_error(error, errno, what, pages->len, "seal the memfd of");
    return TRUE;
}

/* Maps the pages at an address aligned to align: reserves more, maps over it, cuts the rest off. */
static int
map_aligned(struct host_pages *pages, uint64_t align, int flags)
{
    uint8_t *all, *base;
    uint64_t head;

    if (pages->len > UINT64_MAX - align)
        return ENOMEM;
    all = mmap(NULL, pages->len + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
               0);
    if (all == MAP_FAILED)
        return errno;
    head = (align - (uintptr_t)all % align) % align;
    base = mmap(all + head, pages->len, PROT_READ | PROT_WRITE, flags | MAP_FIXED, pages->fd, 0);
    if (base == MAP_FAILED) {
        int err = errno;

        munmap(all, pages->len + align);
        return err;
    }
    if (head)
        munmap(all, head);
    munmap(base + pages->len, align - head);
    pages->base = base;
    return 0;
}

gboolean
host_pages_map(struct host_pages *ret, uint64_t len, const struct memory_config *config,
               const char *what, GError **error)
{
    struct host_pages pages = {.len = len, .page_size = MEMORY_PAGE_SIZE, .fd = -1};
    uint64_t align = len >= HUGE_ALIGN ? HUGE_ALIGN : MEMORY_PAGE_SIZE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    int err;

    if (config->backing != MEMORY_ANONYMOUS) {
        if (!open_backing(&pages, config, what, error)) {
            if (pages.fd >= 0)
                close(pages.fd);
            return FALSE;
        }
        /* Huge pages are reserved now: a page missing later would be a SIGBUS inside the guest. */
        flags = MAP_SHARED | (config->backing == MEMORY_HUGETLB ? 0 : MAP_NORESERVE);
        align = MAX(align, pages.page_size);
    }
    err = map_aligned(&pages, align, flags);
    if (err) {
        if (pages.fd >= 0)
            close(pages.fd);
        if (config->backing == MEMORY_HUGETLB && err == ENOMEM)
            return huge_pages_error(error, what, len, pages.page_size);
        return host_error(error, err, what, len, "map");
    }
    /* The hole at 640 KiB keeps the first 2 MiB from being one page for the guest, so nothing is
     * won by clearing so much for the few tables that go there. What has a small page (of zeroes,
     * after a read) stays with small pages. */
    if (config->backing == MEMORY_ANONYMOUS && pages.base != NULL)
        (void)*(volatile const uint8_t *)pages.base;
    /* Advice only: the host may not know it. */
    if (config->backing != MEMORY_HUGETLB && align == HUGE_ALIGN)
        (void)madvise(pages.base, pages.len, MADV_HUGEPAGE);
    (void)madvise(pages.base, pages.len, MADV_DONTDUMP);
    (void)madvise(pages.base, pages.len, MADV_DONTFORK);
    *ret = pages;
    return TRUE;
}

void
host_pages_unmap(struct host_pages *pages)
{
    if (pages->base)
        munmap(pages->base, pages->len);
    if (pages->fd >= 0)
        close(pages->fd);
    *pages = (struct host_pages){.fd = -1};
}

int
host_pages_zero(struct host_pages *pages, uint64_t off, uint64_t len)
{
    uint64_t end = off + len;
    uint64_t first = (off + pages->page_size - 1) & ~(pages->page_size - 1);
    uint64_t last = end & ~(pages->page_size - 1);
    int err;

    if (first >= last) {
        memset(pages->base + off, 0, len);
        return 0;
    }
    memset(pages->base + off, 0, first - off);
    memset(pages->base + last, 0, end - last);
    err = pages->fd < 0 ? madvise(pages->base + first, last - first, MADV_DONTNEED)
                        : fallocate(pages->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                    (off_t)first, (off_t)(last - first));
    return err ? -errno : 0;
}
