/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/if/char.h - bp.char/1: a byte stream: a terminal, a socket, a file.
 *
 * Got with link(inst, "chardev", BP_IF_CHAR, ...). A back end serves one device, on that device's
 * context. No byte is lost or doubled: each side takes what it can and says when it can take more.
 * `be` is bp_link.self.
 */
#ifndef BACKPLANE_IF_CHAR_H
#define BACKPLANE_IF_CHAR_H

#include <backplane/base.h>

#define BP_IF_CHAR "bp.char/1"

/* event() of the client */
enum {
    BP_CHAR_OPENED = 1000, /* somebody is at the other end */
    BP_CHAR_CLOSED = 2000,
    BP_CHAR_BREAK = 3000,
};

struct bp_char_client {
    uint32_t size, flags;
    void *user;
    /* Bytes for the device: returns how many it took; after fewer than n, the back end waits for
     * ready(). Never called from within write(). */
    uint64_t (*receive)(void *user, const void *buf, uint64_t n);
    /* write() took less than it was given and can take more now. */
    void (*writable)(void *user);
    void (*event)(void *user, uint32_t what); /* optional */
};

struct bp_char_if {
    uint32_t size, flags;
    /* NULL detaches; until then the client stays as and where it is. BP_E_BUSY: another device has
     * it. [ctx] */
    int (*attach)(void *be, const struct bp_char_client *);
    /* Bytes from the device: how many were taken, 0 to n, without blocking; after fewer than n,
     * writable() follows. Bytes to a closed peer are taken and dropped. [ctx] */
    uint64_t (*write)(void *be, const void *buf, uint64_t n);
    /* The device can take input (again); none is delivered before the first call, nor from within
     * any. [ctx] */
    void (*ready)(void *be);
    /* 1: somebody is at the other end. [ctx] */
    int (*connected)(void *be);
    /* Sends a break condition. Optional. [ctx] */
    int (*send_break)(void *be, uint32_t on);
};

#endif
