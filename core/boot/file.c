/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * file.c - the files that are booted: opened once, read with pread.
 *
 * They may change or shrink while we read: then a read comes out short, which is an error, never a
 * signal as with a mapping.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/boot/internal.h"
#include "core/error.h"

gboolean
boot_file_error(const struct boot_file *file, GError **error, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG, "%s: %s", file->path, text);
    return FALSE;
}

static gboolean
check_kind(const struct boot_file *file, const struct stat *st, const char *what, GError **error)
{
    if (S_ISDIR(st->st_mode))
        return boot_file_error(file, error, "is a directory; give the file of the %s", what);
    if (!S_ISREG(st->st_mode))
        return boot_file_error(file, error, "is not a regular file; copy the %s to one", what);
    if (st->st_size == 0)
        return boot_file_error(file, error, "is empty; give the file of the %s", what);
    return TRUE;
}

gboolean
boot_file_open(struct boot_file *file, const char *path, const char *what, GError **error)
{
    struct stat st;

    file->path = g_strdup(path);
    /* Not to wait for the other end of a FIFO; no effect on regular files. */
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0)
        return boot_file_error(file, error, "cannot open the %s: %s; %s", what, g_strerror(errno),
                               errno == EACCES ? "make it readable for this user"
                                               : "check the path in the boot section");
    if (fstat(file->fd, &st) != 0)
        return boot_file_error(file, error, "cannot examine the %s: %s", what, g_strerror(errno));
    if (!check_kind(file, &st, what, error))
        return FALSE;
    file->size = (uint64_t)st.st_size;
    return TRUE;
}

void
boot_file_close(struct boot_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    g_free(file->path);
    *file = (struct boot_file){.fd = -1};
}

gboolean
boot_file_read(const struct boot_file *file, uint64_t off, void *buf, uint64_t len, GError **error)
{
    uint8_t *to = buf;

    while (len) {
        ssize_t n = pread(file->fd, to, MIN(len, UINT64_C(1) << 30), (off_t)off);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return boot_file_error(file, error, "cannot read at byte %" PRIu64 ": %s", off,
                                   g_strerror(errno));
        if (n == 0)
            return boot_file_error(file, error,
                                   "ends at byte %" PRIu64 " where %" PRIu64
                                   " more were expected; it was cut short",
                                   off, len);
        to += n;
        off += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return TRUE;
}

gboolean
boot_file_load(const struct boot_file *file, uint64_t off, uint64_t len, struct memory *mem,
               uint64_t gpa, GError **error)
{
    while (len) {
        uint64_t got;
        void *to;

        if (memory_map(mem, gpa, len, true, &to, &got) != 0)
            return boot_file_error(file, error, "no RAM at 0x%" PRIx64 " to load to", gpa);
        if (!boot_file_read(file, off, to, got, error))
            return FALSE;
        memory_mark_dirty(mem, gpa, got);
        off += got;
        gpa += got;
        len -= got;
    }
    return TRUE;
}
