/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * open.c - finds out what the file is and whether it may be used: kind, size, alignment, lock.
 *
 * Every refusal names the file and says what to do. Knows nothing of requests.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <backplane/log.h>

#include "block-file.h"

#define EROFS_RESULT                                                                               \
    (-30) /* open() passes on what the kernel said, and BP_E_* has no name for it */

#define LOCK_TRIES    10
#define LOCK_PAUSE_NS 20000000

/* The files that this process has open, so that two sections with the same one are told apart from
 * another program, also where no lock is kept (check). Realize and destroy run on one thread. */
static struct block_file *open_files;

static int
refuse_kind(struct block_file *f, const struct stat *st)
{
    const char *kind = S_ISDIR(st->st_mode)    ? "a directory"
                       : S_ISFIFO(st->st_mode) ? "a FIFO"
                       : S_ISCHR(st->st_mode)  ? "a character device"
                       : S_ISSOCK(st->st_mode) ? "a socket"
                                               : "of an unknown kind";

    return bp_failf(f->host, f->inst, BP_E_INVAL,
                    "%s is %s, a disk must be a regular file or a block device", f->path, kind);
}

/* Opens with the wanted flags; when that fails, finds out which of them was too much. */
static int
open_fd(struct block_file *f)
{
    /* Not blocking, for a FIFO would wait here for its other end. */
    uint32_t base = BP_OPEN_READ | BP_OPEN_NONBLOCK | (f->readonly ? 0 : BP_OPEN_WRITE);
    int fd = f->host->open(f->inst, "path", base | (f->direct ? BP_OPEN_DIRECT : 0)), flags, other;

    if (fd == BP_E_INVAL && f->direct) {
        other = f->host->open(f->inst, "path", base);
        if (other >= 0) {
            close(other);
            return bp_failf(f->host, f->inst, BP_E_NOTSUP,
                            "%s: its file system has no O_DIRECT: leave out direct = true",
                            f->path);
        }
    }
    if ((fd == BP_E_ACCES || fd == BP_E_PERM || fd == EROFS_RESULT) && !f->readonly) {
        other = f->host->open(f->inst, "path", BP_OPEN_READ | BP_OPEN_NONBLOCK);
        if (other >= 0) {
            close(other);
            return bp_failf(f->host, f->inst, fd,
                            "%s may be read but not written: set readonly = true or change its "
                            "permissions",
                            f->path);
        }
    }
    if (fd < 0)
        return fd;
    f->fd = fd;
    /* io_uring would hand EAGAIN to a request on a descriptor that is not blocking. */
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return bp_failf(f->host, f->inst, BP_E_IO, "%s: fcntl: %s", f->path, strerror(errno));
    return 0;
}

static int
read_size(struct block_file *f, uint64_t *ret_end)
{
    struct stat st;

    if (f->is_device) {
        if (ioctl(f->fd, BLKGETSIZE64, ret_end) < 0)
            return -errno;
    } else {
        if (fstat(f->fd, &st) < 0)
            return -errno;
        *ret_end = (uint64_t)st.st_size;
    }
    return 0;
}

static void
set_size(struct block_file *f, uint64_t end)
{
    uint64_t mask = f->block_size - 1;

    atomic_store(&f->end, end);
    f->bytes = f->is_device ? end & ~mask : (end + mask) & ~mask;
}

static bool
is_pow2(uint64_t v)
{
    return v && !(v & (v - 1));
}

/* What O_DIRECT wants: told by the kernel from 6.1 on, found by trying before. */
static int
probe_direct(struct block_file *f)
{
    static uint8_t buf[2 * 4096] __attribute__((aligned(4096)));
    uint32_t align;
#ifdef STATX_DIOALIGN
    struct statx sx = {0};

    if (statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
        (sx.stx_mask & STATX_DIOALIGN)) {
        if (!is_pow2(sx.stx_dio_offset_align) || sx.stx_dio_offset_align > 65536 ||
            !is_pow2(sx.stx_dio_mem_align) || sx.stx_dio_mem_align > 65536)
            return bp_failf(f->host, f->inst, BP_E_NOTSUP,
                            "%s: O_DIRECT does not work on this file: leave out direct = true",
                            f->path);
        if (f->block_size < sx.stx_dio_offset_align)
            f->block_size = sx.stx_dio_offset_align;
        f->mem_align = sx.stx_dio_mem_align;
        return 0;
    }
#endif
    for (align = f->block_size; align <= 4096; align *= 2)
        if (pread(f->fd, buf + align, align, 0) >= 0)
            break;
    if (align > 4096)
        return bp_failf(f->host, f->inst, BP_E_NOTSUP,
                        "%s: O_DIRECT does not work on this file (%s): leave out direct = true",
                        f->path, strerror(errno));
    f->block_size = f->mem_align = align;
    return 0;
}

static int
probe_sizes(struct block_file *f, const struct stat *st)
{
    unsigned physical = 0;
    int logical = 0, err;

    f->block_size = 512;
    f->mem_align = 1;
    if (f->is_device) {
        if (ioctl(f->fd, BLKSSZGET, &logical) == 0 && logical >= 512 && logical <= 65536 &&
            is_pow2((uint64_t)logical))
            f->block_size = (uint32_t)logical;
        (void)ioctl(f->fd, BLKPBSZGET, &physical);
    } else if (st->st_blksize > 0) {
        physical = (unsigned)st->st_blksize;
    }
    err = f->direct ? probe_direct(f) : 0;
    f->physical_size = physical > f->block_size && physical <= 65536 && is_pow2(physical)
                           ? physical
                           : f->block_size;
    return err;
}

/* 0: the lock is ours (check: could be); 1: somebody else's; -1: errno says why there are none. */
static int
try_lock(struct block_file *f)
{
    /* Owned by the open file, not by the process: it holds between two sections too. */
    struct flock fl = {.l_type = f->readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

    if (f->host->flags & BP_HOST_CHECK)
        return fcntl(f->fd, F_OFD_GETLK, &fl) < 0 ? -1 : fl.l_type != F_UNLCK;
    if (fcntl(f->fd, F_OFD_SETLK, &fl) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? 1 : -1;
}

static int
take_lock(struct block_file *f)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    int r;

    for (const struct block_file *o = open_files; o; o = o->next)
        if (o->lock && o->dev == f->dev && o->ino == f->ino && !(o->readonly && f->readonly))
            return bp_failf(f->host, f->inst, BP_E_BUSY,
                            "%s belongs to another section of this config: two disks may share a "
                            "file only when both are readonly (lock = false takes the risk)",
                            f->path);
    /* The kernel takes an io_uring apart, and lets go of its file, some time after the process that
     * had it was killed. */
    for (int i = 0; (r = try_lock(f)) > 0 && i < LOCK_TRIES; i++)
        (void)nanosleep(&pause, NULL);
    if (r < 0)
        return bp_failf(f->host, f->inst, BP_E_NOTSUP,
                        "%s cannot be locked (%s): lock = false does without, when no other "
                        "program writes to it",
                        f->path, strerror(errno));
    if (r > 0)
        return bp_failf(f->host, f->inst, BP_E_BUSY, "%s is in use by another program%s: %s",
                        f->path, f->readonly ? " that writes to it" : "",
                        f->readonly ? "end that, or set lock = false to read it all the same"
                                    : "end that, or set readonly = true in both to share it");
    return 0;
}

static void
drop_lock(struct block_file *f)
{
    struct flock fl = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

    if (f->lock)
        (void)fcntl(f->fd, F_OFD_SETLK, &fl); /* the ring may keep the file open for a while */
}

int
file_open(struct block_file *f)
{
    uint64_t end;
    struct stat st;
    int err = open_fd(f);

    if (err)
        return err;
    if (fstat(f->fd, &st) < 0)
        return bp_failf(f->host, f->inst, BP_E_IO, "%s: fstat: %s", f->path, strerror(errno));
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return refuse_kind(f, &st);
    f->is_device = S_ISBLK(st.st_mode);
    f->dev = f->is_device ? st.st_rdev : st.st_dev;
    f->ino = f->is_device ? 0 : st.st_ino;
    if (f->lock && (err = take_lock(f)))
        return err;
    err = probe_sizes(f, &st);
    if (err)
        return err;
    err = read_size(f, &end);
    if (err)
        return bp_failf(f->host, f->inst, BP_E_IO, "%s: its size: %s", f->path, strerror(-err));
    if (end == 0)
        return bp_failf(f->host, f->inst, BP_E_INVAL,
                        "%s is empty: give the disk a size, as in `truncate -s 10G FILE`", f->path);
    set_size(f, end);
    if (f->direct) {
        void *map = mmap(NULL, (size_t)BOUNCE_BYTES * BOUNCE_COUNT, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (map == MAP_FAILED)
            return BP_E_NOMEM;
        f->bounce_map = map;
        for (f->n_bounce = 0; f->n_bounce < BOUNCE_COUNT; f->n_bounce++)
            f->bounce[f->n_bounce] = (uint8_t *)map + (size_t)f->n_bounce * BOUNCE_BYTES;
    }
    f->next = open_files;
    open_files = f;
    return 0;
}

void
file_close(struct block_file *f)
{
    for (struct block_file **o = &open_files; *o; o = &(*o)->next)
        if (*o == f) {
            *o = f->next;
            break;
        }
    if (f->bounce_map)
        munmap(f->bounce_map, (size_t)BOUNCE_BYTES * BOUNCE_COUNT);
    f->bounce_map = NULL;
    if (f->fd >= 0) {
        drop_lock(f);
        close(f->fd);
    }
    f->fd = -1;
}

int
file_refresh(struct block_file *f)
{
    uint64_t end = 0, old = f->bytes;
    int err = read_size(f, &end);

    if (err || end < f->block_size) {
        bp_logf(f->host, f->inst, BP_LOG_WARN,
                "%s: no usable size any more, the disk stays as it was", f->path);
        return err ? BP_E_IO : BP_E_INVAL;
    }
    set_size(f, end);
    if (f->bytes == old)
        return 0;
    bp_logf(f->host, f->inst, BP_LOG_INFO, "%s: %llu bytes now, %llu before", f->path,
            (unsigned long long)f->bytes, (unsigned long long)old);
    return 1;
}
