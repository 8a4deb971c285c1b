/* SPDX-License-Identifier: BSD-3-Clause */
/* address.h - where a plugin listens or connects: a path, or a numeric address and a port. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct address {
    struct sockaddr_storage sa;
    socklen_t len;
    const char *path; /* NULL: TCP */
    char text[160];   /* for messages */
};

/* -ENAMETOOLONG: longer than a UNIX socket's name can be. path must outlive the address. */
int address_set_path(struct address *, const char *path);
/* -EINVAL: host is no numeric address. */
int address_set_tcp(struct address *, const char *host, uint16_t port);

/* A non-blocking stream socket of the address's family, or -errno. */
int address_socket(const struct address *);
/* Binds fd and listens; a socket file that nobody listens on any more is replaced. For TCP the
 * address is then the one that was really bound. -EADDRINUSE: somebody listens there. */
int address_listen(struct address *, int fd);
/* What address_listen() would say, without a trace. */
int address_check_listen(const struct address *);
/* Unlinks the socket file if it is still the one of was. */
void address_remove(const struct address *, const struct stat *was);

#endif
