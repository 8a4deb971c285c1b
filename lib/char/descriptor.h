/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * descriptor.h - reading and writing a descriptor without blocking, whatever is behind it and
 * whoever else uses it.
 */
#ifndef COMMON_CHAR_DESCRIPTOR_H
#define COMMON_CHAR_DESCRIPTOR_H

#include <stddef.h>
#include <sys/types.h>

/* How a descriptor is used without blocking. */
enum descriptor_kind {
    DESCRIPTOR_NONE,   /* there is none */
    DESCRIPTOR_POLLED, /* O_NONBLOCK is set on it */
    DESCRIPTOR_SOCKET, /* MSG_DONTWAIT */
    DESCRIPTOR_SHARED, /* others use it too and expect it to block: poll() first, in small pieces */
    DESCRIPTOR_REGULAR, /* a file that is always ready, and that cannot be watched */
};

/* The kind of a descriptor on which O_NONBLOCK is not set. */
enum descriptor_kind descriptor_kind(int fd);
/* A descriptor for the same file that can be made non-blocking without harm to others who use fd;
 * a duplicate when there is none. -errno. */
int descriptor_private(int fd, int flags, enum descriptor_kind *ret_kind);
/* As read(2) and write(2), but never blocking: EAGAIN. */
ssize_t descriptor_read(int fd, enum descriptor_kind kind, void *p, size_t n);
ssize_t descriptor_write(int fd, enum descriptor_kind kind, const void *p, size_t n);

#endif
