/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bare-io - the system calls below a device model, without one: the measure for what virtio adds.
 *
 *   bare-io BATCHES
 *
 * Prints "NAME units=N ns=N" for reads of 4 KiB from a file on tmpfs through io_uring, 32 to a
 * submission, the same one at a time, io_uring's own nothing, a frame to a datagram socket by
 * writev and a byte to /dev/null by write.
 */
#include <err.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, READ_BYTES = 4096, FILE_BYTES = 1 << 20, FRAME = 1514, HDR = 12 };

static uint8_t data[BATCH][READ_BYTES] __attribute__((aligned(4096)));
static unsigned batches;

static int64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
print(const char *name, unsigned units, int64_t begun_ns)
{
    printf("%s units=%u ns=%lld\n", name, units, (long long)(now_ns() - begun_ns));
    fflush(stdout);
}

static void
ring_batch(struct io_uring *ring, int fd, unsigned n)
{
    struct io_uring_cqe *cqe;

    for (unsigned i = 0; i < n; i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

        if (fd < 0)
            io_uring_prep_nop(sqe);
        else
            io_uring_prep_read(sqe, fd, data[i], READ_BYTES, (uint64_t)i * READ_BYTES);
    }
    if (io_uring_submit_and_wait(ring, n) < 0)
        err(1, "io_uring_enter");
    for (unsigned i = 0; i < n; i++) {
        if (io_uring_wait_cqe(ring, &cqe) < 0 || cqe->res != (fd < 0 ? 0 : READ_BYTES))
            errx(1, "a read failed");
        io_uring_cqe_seen(ring, cqe);
    }
}

static void
rings(void)
{
    char path[] = "/dev/shm/backplane-bench.XXXXXX";
    struct io_uring ring;
    int64_t begun_ns;
    int fd = mkstemp(path);

    if (fd < 0 || unlink(path) < 0 || ftruncate(fd, FILE_BYTES) < 0 ||
        posix_fallocate(fd, 0, FILE_BYTES) != 0)
        err(1, "%s", path);
    if (io_uring_queue_init(2 * BATCH, &ring, 0) < 0)
        errx(1, "no io_uring");
    ring_batch(&ring, fd, BATCH);
    begun_ns = now_ns();
    for (unsigned i = 0; i < batches; i++)
        ring_batch(&ring, fd, BATCH);
    print("io_uring-read-32", batches * BATCH, begun_ns);
    begun_ns = now_ns();
    for (unsigned i = 0; i < batches; i++)
        ring_batch(&ring, fd, 1);
    print("io_uring-read-1", batches, begun_ns);
    begun_ns = now_ns();
    for (unsigned i = 0; i < batches; i++)
        ring_batch(&ring, -1, BATCH);
    print("io_uring-nop-32", batches * BATCH, begun_ns);
    io_uring_queue_exit(&ring);
    close(fd);
}

static void
frames(void)
{
    static uint8_t header[HDR];
    struct iovec iov[] = {{header, sizeof header}, {data, FRAME}};
    int pair[2];
    int64_t begun_ns, spent_ns = 0;

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0)
        err(1, "socketpair");
    for (unsigned i = 0; i < batches; i++) {
        begun_ns = now_ns();
        for (unsigned k = 0; k < 8; k++)
            if (writev(pair[0], iov, 2) != HDR + FRAME)
                err(1, "writev");
        spent_ns += now_ns() - begun_ns;
        for (unsigned k = 0; k < 8; k++)
            if (readv(pair[1], iov, 2) != HDR + FRAME)
                err(1, "readv");
    }
    print("writev-frame", batches * 8, now_ns() - spent_ns);
    close(pair[0]);
    close(pair[1]);
}

static void
bytes(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int64_t begun_ns = now_ns();

    if (fd < 0)
        err(1, "/dev/null");
    for (unsigned i = 0; i < batches; i++)
        if (write(fd, data, 1) != 1)
            err(1, "write");
    print("write-byte", batches, begun_ns);
    close(fd);
}

int
main(int argc, char **argv)
{
    if (argc != 2 || (batches = (unsigned)strtoul(argv[1], NULL, 0)) == 0)
        errx(2, "usage: bare-io BATCHES");
    rings();
    frames();
    bytes();
    return 0;
}
