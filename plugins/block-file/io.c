/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * io.c - how far a request has got and what its next system call is.
 *
 * A transfer may take several: the kernel may do less than asked, an iovec may be longer than
 * IOV_MAX, O_DIRECT may need a bounce buffer, and zeroing falls back from one method to the next.
 * Knows nothing of engines. Everything but io_begin() and io_complete() may run on any thread, for
 * different requests at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <backplane/log.h>

#include "block-file.h"

_Static_assert(sizeof(struct bp_iovec) == sizeof(struct iovec) &&
                   offsetof(struct bp_iovec, len) == offsetof(struct iovec, iov_len),
               "bp_iovec is passed to the kernel as iovec");

#define CALL_BYTES (1u << 30) /* in one system call; the kernel's own limit is just below 2 GiB */
#define ZERO_BYTES 65536u
#define ZERO_IOV   16u

/* Never written: it stays the kernel's zero page. */
static uint8_t zeroes[ZERO_BYTES] __attribute__((aligned(4096)));
#define Z                                                                                          \
    {                                                                                              \
        zeroes, ZERO_BYTES                                                                         \
    }
static const struct iovec zero_iov[ZERO_IOV] = {Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z};
#undef Z

static int
zero_method(const struct block_file *f, uint32_t flags)
{
    if ((flags & BP_BLOCK_UNMAP) && f->discard && !atomic_load(&f->no_punch))
        return IO_PUNCH;
    return atomic_load(&f->no_zero_range) ? IO_WRITE_ZEROES : IO_ZERO_RANGE;
}

static bool
is_aligned(const struct block_file *f, const struct bp_block_req *req)
{
    uint64_t bits = 0, len_bits = 0;

    for (uint32_t i = 0; i < req->n_iov; i++) {
        bits |= (uintptr_t)req->iov[i].base;
        len_bits |= req->iov[i].len;
    }
    return !(bits & (f->mem_align - 1)) && !(len_bits & (f->block_size - 1));
}

int
io_begin(struct block_file *f, struct bp_block_req *req)
{
    struct io *io = io_of(req);

    *io = (struct io){0};
    switch (req->op) {
    case BP_BLOCK_READ:
    case BP_BLOCK_WRITE:
        io->method = req->op == BP_BLOCK_READ ? IO_READ : IO_WRITE;
        if (f->direct && !is_aligned(f, req)) {
            if (f->n_bounce == 0)
                return BP_E_AGAIN;
            io->bounce = f->bounce[--f->n_bounce];
        }
        return 0;
    case BP_BLOCK_FLUSH:
        io->method = IO_SYNC;
        return 0;
    case BP_BLOCK_DISCARD:
        io->method = f->is_device ? IO_BLKDISCARD : IO_PUNCH;
        return 0;
    case BP_BLOCK_ZERO:
        io->method = (uint32_t)zero_method(f, req->flags);
        return 0;
    }
    return BP_E_NOTSUP;
}

/* Moves n bytes between buf and the iovec from where io stands; buf NULL zeroes the iovec. */
static void
iov_copy(const struct bp_block_req *req, const struct io *io, uint8_t *buf, uint64_t n, bool to_iov)
{
    uint64_t off = io->iov_off;

    for (uint32_t i = io->iov_idx; n > 0 && i < req->n_iov; i++, off = 0) {
        uint64_t part = req->iov[i].len - off;
        uint8_t *p = (uint8_t *)req->iov[i].base + off;

        if (part > n)
            part = n;
        if (!to_iov)
            memcpy(buf, p, part);
        else if (buf)
            memcpy(p, buf, part);
        else
            memset(p, 0, part);
        n -= part;
        if (buf)
            buf += part;
    }
}

static void
iov_advance(const struct bp_block_req *req, struct io *io, uint64_t n)
{
    io->pos += n;
    io->iov_off += n;
    while (io->iov_idx < req->n_iov && io->iov_off >= req->iov[io->iov_idx].len) {
        io->iov_off -= req->iov[io->iov_idx].len;
        io->iov_idx++;
    }
}

static void
next_transfer(const struct bp_block_req *req, struct io *io, struct io_step *step)
{
    const struct bp_iovec *iov = &req->iov[io->iov_idx];

    if (io->bounce) {
        if (step->len > BOUNCE_BYTES)
            step->len = BOUNCE_BYTES;
        step->buf = io->bounce;
        if (io->method == IO_WRITE)
            iov_copy(req, io, io->bounce, step->len, false);
        return;
    }
    step->n_iov = req->n_iov - io->iov_idx;
    if (io->iov_off || step->n_iov == 1) { /* the rest of one buffer that was cut short */
        step->buf = (uint8_t *)iov->base + io->iov_off;
        if (step->len > iov->len - io->iov_off)
            step->len = iov->len - io->iov_off;
        if (step->len > CALL_BYTES)
            step->len = CALL_BYTES;
        return;
    }
    step->iov = (const struct iovec *)(const void *)iov;
    if (step->n_iov > IOV_MAX)
        step->n_iov = IOV_MAX;
}

void
io_next(struct block_file *f, struct bp_block_req *req, struct io_step *ret_step)
{
    struct io *io = io_of(req);
    struct io_step *step = ret_step;

    (void)f;
    *step = (struct io_step){
        .method = io->method,
        .offset = req->offset + io->pos,
        .len = req->len - io->pos,
    };
    switch (io->method) {
    case IO_READ:
    case IO_WRITE:
        next_transfer(req, io, step);
        break;
    case IO_WRITE_ZEROES:
        step->method = IO_WRITE;
        if (step->len < ZERO_BYTES) {
            step->buf = zeroes;
        } else {
            step->n_iov =
                step->len / ZERO_BYTES < ZERO_IOV ? (uint32_t)(step->len / ZERO_BYTES) : ZERO_IOV;
            step->iov = zero_iov;
        }
        break;
    case IO_PUNCH:
        step->mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        break;
    case IO_ZERO_RANGE:
        step->mode = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
        break;
    }
}

/* A failure that the operator should hear of: the first, the second, the fourth, ... */
static int
io_error(struct block_file *f, const struct bp_block_req *req, const char *what)
{
    unsigned n = atomic_fetch_add(&f->errors, 1) + 1;
    const char *op = req->op == BP_BLOCK_READ      ? "read"
                     : req->op == BP_BLOCK_WRITE   ? "write"
                     : req->op == BP_BLOCK_FLUSH   ? "flush"
                     : req->op == BP_BLOCK_DISCARD ? "discard"
                                                   : "write zeroes";

    if ((n & (n - 1)) == 0)
        bp_logf(f->host, f->inst, BP_LOG_WARN,
                "%s: %s of %llu bytes at %llu: %s (error %u of this disk, the guest is told)",
                f->path, op, (unsigned long long)req->len, (unsigned long long)req->offset, what,
                n);
    return BP_E_IO;
}

/* A read met the end of the file: inside the last block it reads as zeroes, earlier it is an error.
 */
static int
read_at_end(struct block_file *f, struct bp_block_req *req)
{
    struct io *io = io_of(req);

    if (req->offset + io->pos < f->end)
        return io_error(f, req, "the file has become shorter than the disk");
    iov_copy(req, io, NULL, req->len - io->pos, true);
    return 0;
}

/* EOPNOTSUPP of fallocate and BLKDISCARD: the next method that may do. */
static int
fall_back(struct block_file *f, struct bp_block_req *req)
{
    struct io *io = io_of(req);

    switch (io->method) {
    case IO_BLKDISCARD:
        return 0; /* a hint; the data stays as it is, which is as good as undefined */
    case IO_PUNCH:
        atomic_store(&f->no_punch, true);
        if (req->op == BP_BLOCK_DISCARD)
            return 0;
        break;
    case IO_ZERO_RANGE:
        atomic_store(&f->no_zero_range, true);
        break;
    default:
        return io_error(f, req, "not supported by the file system");
    }
    io->method = (uint32_t)zero_method(f, req->flags);
    return 1;
}

int
io_result(struct block_file *f, struct bp_block_req *req, int64_t res)
{
    struct io *io = io_of(req);

    /* Nearly always: all that was asked for, straight from or into the device's memory. */
    if (res > 0 && (uint64_t)res == req->len - io->pos && io->method <= IO_WRITE && !io->bounce)
        return 0;
    if (res < 0) {
        switch (-res) {
        case EINTR:
        case EAGAIN:
            return 1;
        case EOPNOTSUPP:
        case ENOTTY:
            return fall_back(f, req);
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            io_error(f, req, strerror((int)-res));
            return BP_E_NOSPC;
        }
        return io_error(f, req, strerror((int)-res));
    }
    switch (io->method) {
    case IO_READ:
        if (res == 0)
            return read_at_end(f, req);
        if (io->bounce)
            iov_copy(req, io, io->bounce, (uint64_t)res, true);
        iov_advance(req, io, (uint64_t)res);
        if (io->pos < req->len && f->direct && (io->pos & (f->block_size - 1)))
            return read_at_end(f, req); /* O_DIRECT cannot be resumed within a block */
        break;
    case IO_WRITE:
        if (res == 0)
            return io_error(f, req, "nothing could be written");
        iov_advance(req, io, (uint64_t)res);
        break;
    case IO_WRITE_ZEROES:
        if (res == 0)
            return io_error(f, req, "nothing could be written");
        io->pos += (uint64_t)res;
        break;
    default:
        return 0;
    }
    return io->pos < req->len;
}

int64_t
io_perform(struct block_file *f, const struct io_step *step)
{
    uint64_t range[2] = {step->offset, step->len};
    off_t off = (off_t)step->offset;
    int64_t res = 0;

    switch (step->method) {
    case IO_READ:
        res = step->buf ? pread(f->fd, step->buf, step->len, off)
                        : preadv(f->fd, step->iov, (int)step->n_iov, off);
        break;
    case IO_WRITE:
        res = step->buf ? pwrite(f->fd, step->buf, step->len, off)
                        : pwritev(f->fd, step->iov, (int)step->n_iov, off);
        break;
    case IO_SYNC:
        res = fdatasync(f->fd);
        break;
    case IO_PUNCH:
    case IO_ZERO_RANGE:
        res = fallocate(f->fd, step->mode, off, (off_t)step->len);
        break;
    case IO_BLKDISCARD:
        res = ioctl(f->fd, BLKDISCARD, range);
        break;
    }
    return res < 0 ? -(int64_t)errno : res;
}

int
io_whole(struct block_file *f, struct bp_block_req *req)
{
    struct io_step step;
    int r;

    do {
        io_next(f, req, &step);
        r = io_result(f, req, io_perform(f, &step));
    } while (r > 0);
    return r;
}

void
io_complete(struct block_file *f, struct bp_block_req *req, int result)
{
    struct io *io = io_of(req);

    if (io->bounce)
        f->bounce[f->n_bounce++] = io->bounce;
    f->in_flight--;
    req->done(req, result);
}
