/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host-pages.h - one stretch of host memory that backs guest memory.
 *
 * Owns how pages are got from the host (private, memfd, huge pages), aligned so that both the host
 * and KVM can use 2 MiB pages, and how they are given back. Private to core/memory.
 */
#ifndef CORE_MEMORY_HOST_PAGES_H
#define CORE_MEMORY_HOST_PAGES_H

#include <glib.h>
#include <stdint.h>

#include "core/memory/memory.h"

struct host_pages {
    uint8_t *base;
    uint64_t len;
    uint64_t page_size; /* what the backing gives and takes: 4 KiB, or the size of a huge page */
    int fd;             /* -1: private pages */
};

/*
 * len bytes of zeroes, none of them touched. what is for messages ("guest RAM"). On failure *ret is
 * untouched.
 */
gboolean host_pages_map(struct host_pages *ret, uint64_t len, const struct memory_config *config,
                        const char *what, GError **error) __attribute__((warn_unused_result));
void host_pages_unmap(struct host_pages *pages);

/* Bytes [off, off + len) read as zero again; whole pages among them go back to the host, and pages
 * that were never used stay so. 0 or -errno. */
int host_pages_zero(struct host_pages *pages, uint64_t off, uint64_t len)
    __attribute__((warn_unused_result));

#endif
