/* SPDX-License-Identifier: BSD-3-Clause */
/* address.c - see address.h. */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

int
address_set_path(struct address *a, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = strlen(path);

    a->path = path;
    snprintf(a->text, sizeof a->text, "%s", path);
    if (n >= sizeof un.sun_path)
        return -ENAMETOOLONG;
    memcpy(un.sun_path, path, n + 1);
    memcpy(&a->sa, &un, sizeof un);
    a->len = sizeof un;
    return 0;
}

int
address_set_tcp(struct address *a, const char *host, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        memcpy(&a->sa, &in, sizeof in);
        a->len = sizeof in;
    } else if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
        memcpy(&a->sa, &in6, sizeof in6);
        a->len = sizeof in6;
    } else {
        return -EINVAL;
    }
    a->path = NULL;
    snprintf(a->text, sizeof a->text, "%s port %u", host, port);
    return 0;
}

int
address_socket(const struct address *a)
{
    int one = 1;
    int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (!a->path)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/*
 * Whether somebody listens on the socket file. A datagram socket cannot be connected to a stream
 * socket, and the error says which it is, so that whoever listens notices nothing.
 */
static bool
address_is_dead(const struct address *a)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool dead;

    if (fd < 0)
        return false;
    dead = connect(fd, (const struct sockaddr *)&a->sa, a->len) < 0 && errno == ECONNREFUSED;
    close(fd);
    return dead;
}

static int
address_clear_stale(const struct address *a)
{
    struct stat st;

    if (lstat(a->path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    if (!address_is_dead(a))
        return -EADDRINUSE;
    return unlink(a->path) < 0 ? -errno : 0;
}

/* The port that the kernel chose when none was asked for. */
static void
address_learn(struct address *a, int fd)
{
    char host[INET6_ADDRSTRLEN] = "?";
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    a->len = sizeof a->sa;
    if (getsockname(fd, (struct sockaddr *)&a->sa, &a->len) < 0)
        return;
    if (a->sa.ss_family == AF_INET) {
        memcpy(&in, &a->sa, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
        snprintf(a->text, sizeof a->text, "%s port %u", host, ntohs(in.sin_port));
    } else {
        memcpy(&in6, &a->sa, sizeof in6);
        inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
        snprintf(a->text, sizeof a->text, "%s port %u", host, ntohs(in6.sin6_port));
    }
}

int
address_listen(struct address *a, int fd)
{
    int one = 1, err;

    if (a->path) {
        err = address_clear_stale(a);
        if (err)
            return err;
        /* A console is its owner's: Linux makes the file with the socket's mode. */
        if (fchmod(fd, 0600) < 0)
            return -errno;
    } else {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    }
    if (bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0 || listen(fd, 4) < 0)
        return -errno;
    if (!a->path)
        address_learn(a, fd);
    return 0;
}

static int
address_check_path(const struct address *a)
{
    char folder[sizeof(struct sockaddr_un)];
    struct stat st;

    if (lstat(a->path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            return -EEXIST;
        if (!address_is_dead(a))
            return -EADDRINUSE;
    }
    snprintf(folder, sizeof folder, "%s", a->path);
    return access(dirname(folder), W_OK | X_OK) < 0 ? -errno : 0;
}

int
address_check_listen(const struct address *a)
{
    int fd, one = 1, err = 0;

    if (a->path)
        return address_check_path(a);
    fd = address_socket(a);
    if (fd < 0)
        return fd;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0)
        err = -errno;
    close(fd);
    return err;
}

void
address_remove(const struct address *a, const struct stat *was)
{
    struct stat st;

    if (a->path && lstat(a->path, &st) == 0 && st.st_dev == was->st_dev && st.st_ino == was->st_ino)
        unlink(a->path);
}
