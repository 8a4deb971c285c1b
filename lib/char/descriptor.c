/* SPDX-License-Identifier: BSD-3-Clause */
/* descriptor.c - see descriptor.h. */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe that polls as writable takes this much at once, and a terminal nearly so. */
#define SHARED_PIECE 256

enum descriptor_kind
descriptor_kind(int fd)
{
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return DESCRIPTOR_NONE;
    if (S_ISSOCK(st.st_mode))
        return DESCRIPTOR_SOCKET;
    /* Devices that never wait, such as /dev/null, turn out to be when they cannot be watched. */
    return S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode) ? DESCRIPTOR_SHARED : DESCRIPTOR_REGULAR;
}

int
descriptor_private(int fd, int flags, enum descriptor_kind *ret_kind)
{
    enum descriptor_kind kind = descriptor_kind(fd);
    struct stat st;
    char path[32];
    int copy = -1;

    if (kind == DESCRIPTOR_SHARED && fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(fd))) {
        /* O_NONBLOCK belongs to the open file description, which a shell may share with us; the
         * link in /proc opens another one. It fails when the file is somebody else's. */
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        copy = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (copy >= 0)
            kind = DESCRIPTOR_POLLED;
    }
    if (copy < 0)
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return -errno;
    *ret_kind = kind;
    return copy;
}

/* Others may take what poll() has seen, so this is as good as it gets. */
static bool
descriptor_is_ready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    if (poll(&p, 1, 0) == 1)
        return true;
    errno = EAGAIN;
    return false;
}

ssize_t
descriptor_read(int fd, enum descriptor_kind kind, void *p, size_t n)
{
    switch (kind) {
    case DESCRIPTOR_SOCKET:
        return recv(fd, p, n, MSG_DONTWAIT);
    case DESCRIPTOR_SHARED:
        return descriptor_is_ready(fd, POLLIN) ? read(fd, p, n) : -1;
    default:
        return read(fd, p, n);
    }
}

ssize_t
descriptor_write(int fd, enum descriptor_kind kind, const void *p, size_t n)
{
    switch (kind) {
    case DESCRIPTOR_SOCKET:
        return send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    case DESCRIPTOR_SHARED:
        if (!descriptor_is_ready(fd, POLLOUT))
            return -1;
        return write(fd, p, n < SHARED_PIECE ? n : SHARED_PIECE);
    default:
        return write(fd, p, n);
    }
}
